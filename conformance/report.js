// What failed and why, then one line per suite, then the sum.
import { basename } from "node:path";

export default async function* report(events) {
  const suites = new Map();
  const failures = [];
  for await (const { type, data } of events) {
    if (type === "test:stderr" || type === "test:stdout") yield data.message;
    if (type !== "test:pass" && type !== "test:fail") continue;
    const failed = type === "test:fail";
    const group = data.details.type === "suite" || data.name.endsWith(".test.js");
    if (group) name(failures, data);
    // A group fails with its tests; what it fails of by itself, a hook or a crash, is counted as one.
    const own = failed && group && data.details.error?.failureType !== "subtestsFailed";
    if (group && !own) continue;
    const row = suite(suites, data.file ?? data.name);
    row[failed ? "failed" : "passed"] += 1;
    row.seconds += group ? 0 : data.details.duration_ms / 1000;
    if (failed) failures.push({ path: [data.name], nesting: data.nesting, file: data.file, error: data.details.error, suite: row.name });
  }
  for (const failure of failures) yield told(failure);
  yield `\n${"suite".padEnd(16)}${"passed".padStart(8)}${"failed".padStart(8)}${"seconds".padStart(9)}\n`;
  const rows = [...suites.values()].sort((one, other) => one.name.localeCompare(other.name));
  for (const { name, passed, failed, seconds } of rows)
    yield `${name.padEnd(16)}${`${passed}`.padStart(8)}${`${failed}`.padStart(8)}${seconds.toFixed(1).padStart(9)}\n`;
  const sum = (of) => rows.reduce((total, row) => total + row[of], 0);
  yield `\n${sum("passed")} passed, ${sum("failed")} failed\n`;
}

function suite(suites, file) {
  const name = basename(file).replace(/\.test\.js$/, "");
  if (!suites.has(name)) suites.set(name, { name, passed: 0, failed: 0, seconds: 0 });
  return suites.get(name);
}

/** A group is told after its tests: the failures just inside it get its name. */
function name(failures, { name, nesting, file }) {
  for (const failure of failures)
    if (failure.file === file && failure.nesting === nesting + 1 && !name.endsWith(".test.js")) {
      failure.path.unshift(name);
      failure.nesting = nesting;
    }
}

function told({ path, error, suite }) {
  const cause = error?.cause ?? error;
  const text = String(cause?.message ?? cause).split("\n").slice(0, 30).join("\n    ");
  return `✖ ${[suite, ...path].join(" › ")}\n    ${text}\n`;
}
