// graphql-codegen with strict scalars, and the TypeScript compiler on what it wrote.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile, rm } from "node:fs/promises";
import { before, test } from "node:test";
import { promisify } from "node:util";
import { buildSchema, isScalarType, isSpecifiedScalarType } from "graphql";
import config from "./codegen/codegen.mjs";
import { schemaFile } from "./product.js";

const folder = new URL("codegen/", import.meta.url);
const bin = (name) => new URL(`node_modules/.bin/${name}`, import.meta.url).pathname;
const run = (command, ...options) => promisify(execFile)(bin(command), options, { cwd: folder })
  .then(() => undefined, (error) => error.stdout + error.stderr);

before(() => rm(new URL("generated", folder), { recursive: true, force: true }));

test("every custom scalar is mapped, and no other", async () => {
  const schema = buildSchema(await readFile(schemaFile, "utf8"));
  const custom = Object.values(schema.getTypeMap()).filter((of) => isScalarType(of) && !isSpecifiedScalarType(of));
  const { scalars } = config.config;
  assert.deepEqual(Object.keys(scalars).sort(), custom.map(({ name }) => name).sort());
});

test("types are generated", async () => {
  assert.equal(await run("graphql-codegen", "--config", "codegen.mjs"), undefined);
});

test("TypeScript accepts them, strictly", async () => {
  assert.equal(await run("tsc", "--project", "tsconfig.json"), undefined);
});
