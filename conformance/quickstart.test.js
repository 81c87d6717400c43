// The section "Ten minutes" of docs/api.md as it stands there: its files, its commands, what it prints.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { address, ask, happen, tokens, within } from "./product.js";

const checkout = fileURLToPath(new URL("..", import.meta.url));
const folder = fileURLToPath(new URL("quickstart", import.meta.url));
const shell = (script, cwd, env) => promisify(execFile)("sh", ["-ec", script], { cwd, env: { ...process.env, ...env } });

const line = await cuttableLine();
const blocks = await written();
const [issue, install, build] = blocks("sh");

before(async () => {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder);
  for (const name of ["tsconfig.json", "codegen.ts", "start.ts"])
    await writeFile(`${folder}/${name}`, blocks(name).join("\n"));
});
after(() => line.close());

/** The blocks of the section by file or, without one, by language. Only the address is another. */
async function written() {
  const text = await readFile(`${checkout}/docs/api.md`, "utf8");
  const [section] = text.match(/^## Ten minutes\n[^]*?(?=^## )/m);
  const found = [...section.matchAll(/^```(\w+) ?(\S*)\n([^]*?)^```$/gm)];
  const here = (code) => code.replaceAll("http://127.0.0.1:8000", line.address);
  return (name) => found.filter(([, language, file]) => (file || language) === name).map(([, , , code]) => here(code));
}

/** The product behind a line that can be cut. */
async function cuttableLine() {
  const ends = new Set();
  const server = createServer((client) => {
    const product = connect(new URL(address).port, new URL(address).hostname);
    for (const [end, other] of [[client, product], [product, client]]) {
      ends.add(end);
      end.on("error", () => {}).on("close", () => ends.delete(end) && other.destroy());
      end.pipe(other);
    }
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  const cut = () => ends.forEach((end) => end.destroy());
  return { address: `http://127.0.0.1:${server.address().port}`, cut, close: () => (server.close(), cut()) };
}

test("a token is issued", async () => {
  const { stdout } = await shell(`${issue}\nprintf %s "$TOKEN"`, checkout);
  tokens.reader = stdout;
  const { data } = await ask('{ incidents(filter: {region: "77"}) { edges { node { id } } } }', {}, "reader");
  assert.ok(data.incidents.edges.length);
});

test("what is installed is what is tried here", async () => {
  const { dependencies } = JSON.parse(await readFile(new URL("package.json", import.meta.url), "utf8"));
  const named = install.match(/(?<=npm install.* )[@\w][\w@/-]*/g);
  assert.deepEqual(named.filter((name) => !dependencies[name]), []);
  assert.ok(named.includes("typescript"));
});

const [generate, compile, start] = build.trim().split("\n");

for (const command of [generate, compile])
  test(command, () => shell(command, folder).catch(({ stdout, stderr }) => assert.fail(stdout + stderr)));

test("nothing is of type any", () => assert.doesNotMatch(blocks("start.ts").join("\n"), /\bany\b|\bas [A-Z{]/));

test(start, async () => {
  for (let count = 0; count < 15; count += 1) await happen("77-zelao", "reader");
  const { printed, happened } = await run(start);
  const [first, second, third, pages, refusal, commands, refused, read, ...changes] = printed;
  for (const row of [first, second, third]) assert.match(row, /^\d+ [А-Я].+ \d+ \d+(\.\d+)?$/);
  const known = await ask('{ incidents(filter: {municipality: "77-zelao"}, first: 100) { edges { cursor } } }', {}, "reader");
  const count = known.data.incidents.edges.length;
  assert.equal(pages, `${count} ${count}`);
  assert.match(refusal, /^\[ 'NOT_PERMITTED' \] \w+/);
  const [position, again] = commands.split(" ");
  assert.match(position, /^77:\d+$/);
  assert.equal(again, position);
  const [classified] = refused.split(" ");
  assert.equal(refused, `${classified} VERSION_CONFLICT`);
  assert.equal(read, "2 Яма на дороге");
  const expected = [`${classified} IncidentClassified`, ...happened.map((cursor) => `${cursor} IncidentRegistered`)];
  assert.deepEqual(changes, expected.slice(0, 8));
});

/** What it prints. Each change it tells of brings about the next; the first of either stream cuts the line. */
async function run(command) {
  const lines = { printed: [], happened: [] };
  const env = { ...process.env, TOKEN: tokens.reader, NODE_OPTIONS: globalThis.WebSocket ? "" : "--experimental-websocket" };
  const script = spawn("sh", ["-c", `exec ${command}`], { cwd: folder, env, stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise((resolve) => script.once("close", resolve));
  after(() => script.kill());
  let changes = 0;
  for await (const text of createInterface(script.stdout)) {
    lines.printed.push(text);
    if (!/^77:\d+ [A-Z][a-z]/.test(text)) continue;
    changes += 1;
    if (changes % 4 === 1) line.cut();
    lines.happened.push(await happen("77-yuao", "reader"));
  }
  assert.equal(await within(ended, "its end"), 0);
  return lines;
}
