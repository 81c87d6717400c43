// Relay: its compiler on a connection and a refetchable fragment, and its runtime over two pages.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, rm } from "node:fs/promises";
import { register } from "node:module";
import { before, describe, test } from "node:test";
import { promisify } from "node:util";
import relay from "relay-runtime";
import { bearer, endpoint } from "./product.js";

const { Environment, Network, RecordSource, Store, createOperationDescriptor, fetchQuery, getRequest, getSelector } = relay;
register("./relay/resolve.js", import.meta.url);

const folder = new URL("relay/", import.meta.url);
const artifact = async (name) => (await import(new URL(`__generated__/${name}.graphql.js`, folder))).default;

let compiled;
before(async () => {
  await rm(new URL("__generated__", folder), { recursive: true, force: true });
  await mkdir(new URL("__generated__", folder));
  const compiler = new URL("node_modules/relay-compiler/cli.js", import.meta.url).pathname;
  compiled = await promisify(execFile)(process.execPath, [compiler, "relay.config.json"], { cwd: folder })
    .then(({ stdout, stderr }) => ({ said: stdout + stderr }), (error) => ({ error: error.stdout + error.stderr }));
});

const environment = () => new Environment({
  store: new Store(new RecordSource()),
  network: Network.create(async ({ text, name }, variables) => {
    const answer = await fetch(endpoint, {
      method: "POST",
      headers: { "Content-Type": "application/json", ...bearer("overseer") },
      body: JSON.stringify({ query: text, operationName: name, variables }),
    });
    return answer.json();
  }),
});

describe("the compiler", () => {
  test("compiles all operations", () => assert.equal(compiled.error, undefined));

  test("refetches a type that implements Node by node(id:)", async () => {
    const { params } = await artifact("incidentsDetailQuery");
    assert.match(params.text, /node\(id: \$id\)/);
  });

  test("pages by the connection", async () => {
    const fragment = await artifact("incidents_page");
    assert.deepEqual(fragment.metadata.connection[0].path, ["incidents"]);
    assert.equal(fragment.metadata.refetch.connection.forward.cursor, "after");
  });
});

describe("the runtime", () => {
  test("fetches two pages into one connection", async () => {
    const at = environment();
    const query = await artifact("incidentsQuery"), next = await artifact("incidentsPageQuery");
    const variables = { first: 5, after: null, filter: { region: "77" } };
    const operation = createOperationDescriptor(getRequest(query), variables);
    at.retain(operation);
    await fetchQuery(at, query, variables).toPromise();
    const connection = () => {
      const read = at.lookup(operation.fragment).data;
      const selector = getSelector(fragment, read);
      return at.lookup(selector).data.incidents;
    };
    const fragment = await artifact("incidents_page");
    const first = connection();
    assert.equal(first.edges.length, 5);
    assert.equal(first.pageInfo.hasNextPage, true);
    await fetchQuery(at, next, { ...variables, after: first.pageInfo.endCursor }).toPromise();
    const ids = connection().edges.map(({ node }) => node.__id);
    assert.equal(ids.length, 10);
    assert.equal(new Set(ids).size, 10);
  });

  test("fetches one thing again by its id, whatever its type", async () => {
    const at = environment();
    const answer = await fetch(endpoint, {
      method: "POST", headers: { "Content-Type": "application/json", ...bearer("overseer") },
      body: JSON.stringify({ query: '{ region(code: "63") { id } incidents(first: 1) { edges { node { id } } } }' }),
    });
    const { data } = await answer.json();
    for (const [id, type] of [[data.region.id, "Region"], [data.incidents.edges[0].node.id, "Incident"]]) {
      const { node } = await fetchQuery(at, await artifact("incidentsOneQuery"), { id }).toPromise();
      assert.equal(node.__typename, type);
    }
    const query = await artifact("incidentsDetailQuery");
    const { node } = await fetchQuery(at, query, { id: data.incidents.edges[0].node.id }).toPromise();
    assert.ok(node);
  });
});
