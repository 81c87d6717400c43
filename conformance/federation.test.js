// Apollo Federation 2: the served schema composes, with its entities; a router finds them by key.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { before, describe, test } from "node:test";
import { composeServices } from "@apollo/composition";
import { parse } from "graphql";
import { ask } from "./product.js";

const KEYS = { Region: "code", Municipality: "code", Incident: "id" };
const ENTITIES = `query ($representations: [_Any!]!) { _entities(representations: $representations) {
  __typename ... on Region { name } ... on Municipality { name region { code } } ... on Incident { id status } } }`;

describe("the schema", () => {
  let sdl;
  before(async () => ({ data: { _service: { sdl } } } = await ask("{ _service { sdl } }")));
  const subgraph = (name, text) => ({ name, typeDefs: parse(text), url: `http://${name}.example` });
  const composed = (...subgraphs) => {
    const { errors, hints, supergraphSdl } = composeServices(subgraphs);
    assert.deepEqual((errors ?? []).map(({ message }) => message), []);
    return { hints: (hints ?? []).map(({ message }) => message), supergraphSdl };
  };

  test("composes alone, without a hint", () => {
    assert.deepEqual(composed(subgraph("tsur", sdl)).hints, []);
  });

  test("composes with a subgraph that adds to its entities", async () => {
    const other = await readFile(new URL("federation/forecasts.graphql", import.meta.url), "utf8");
    const { supergraphSdl } = composed(subgraph("tsur", sdl), subgraph("forecasts", other));
    for (const [type, key] of Object.entries(KEYS))
      for (const graph of ["TSUR", "FORECASTS"])
        assert.match(supergraphSdl, new RegExp(`type ${type}[^{]*@join__type\\(graph: ${graph}, key: "${key}"`));
  });
});

describe("_entities", () => {
  test("finds each by its key, in the order asked for", async () => {
    const { data: { incidents } } = await ask("{ incidents(first: 2) { edges { node { id } } } }", {}, "overseer");
    const [one, two] = incidents.edges.map(({ node }) => node.id);
    const { data, errors } = await ask(ENTITIES, { representations: [
      { __typename: "Incident", id: two },
      { __typename: "Municipality", code: "63-samara" },
      { __typename: "Region", code: "63" },
      { __typename: "Incident", id: one },
      { __typename: "Region", code: "nowhere" },
    ] }, "overseer");
    assert.equal(errors, undefined);
    const [second, samara, region, first, nowhere] = data._entities;
    assert.deepEqual([second.id, first.id], [two, one]);
    assert.deepEqual(samara, { __typename: "Municipality", name: "Самара", region: { code: "63" } });
    assert.deepEqual(region, { __typename: "Region", name: "Самарская область" });
    assert.equal(nowhere, null);
  });

  test("an entity outside the scope is null, to a visitor an error at its place, and spoils no other", async () => {
    const { data: { incidents } } = await ask('{ incidents(first: 1, filter: {region: "77"}) { edges { node { id } } } }', {}, "overseer");
    const representations = [{ __typename: "Incident", id: incidents.edges[0].node.id }, { __typename: "Region", code: "77" }];
    for (const who of ["monitor", undefined]) {
      const { data, errors } = await ask(ENTITIES, { representations }, who);
      assert.equal(data._entities[0], null);
      assert.equal(data._entities[1].name, "Москва");
      const refused = who ? [] : [[["_entities", 0], "NOT_PERMITTED"]];
      assert.deepEqual((errors ?? []).map(({ path, extensions }) => [path, extensions.code]), refused);
    }
  });

  const refused = { "no type": [{ code: "63" }], "a type without a key": [{ __typename: "Topic", code: "x" }], "no object": [5] };
  for (const [name, representations] of Object.entries(refused))
    test(`${name} is refused with a code`, async () => {
      const { errors } = await ask(ENTITIES, { representations });
      assert.equal(errors[0].extensions.code, "REPRESENTATION_INVALID");
    });
});
