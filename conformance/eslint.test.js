// @graphql-eslint on schema.graphql; a rule that is off stands in eslint.config.js with its reason.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { ESLint } from "eslint";
import { buildSchema } from "graphql";
import { FEDERATION } from "./eslint.config.js";
import { schemaFile } from "./product.js";

test("schema.graphql breaks no rule", async () => {
  const root = new URL("..", import.meta.url).pathname;
  const eslint = new ESLint({ cwd: root, overrideConfigFile: new URL("eslint.config.js", import.meta.url).pathname });
  const [{ messages }] = await eslint.lintFiles([schemaFile]);
  const told = messages.map(({ line, ruleId, message }) => `${line}: ${ruleId}: ${message}`);
  assert.deepEqual(told, []);
});

test("no name but federation's begins with an underscore", async () => {
  const types = Object.values(buildSchema(await readFile(schemaFile, "utf8")).getTypeMap());
  const names = types.flatMap((of) => [of.name, ...Object.keys(of.getFields?.() ?? {})]);
  assert.deepEqual(names.filter((name) => /^_[^_]/.test(name) && !FEDERATION.test(name)), []);
});
