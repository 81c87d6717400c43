// graphql-transport-ws: npm graphql-ws as the client, and by hand what no client would say.
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { createClient } from "graphql-ws";
import WebSocket from "ws";
import {
  BAD_OPERATIONS, CHANGES, Heard, RawSocket, PLACES, REGISTER, bearer, happen, newMessage, socketEndpoint, within,
} from "./product.js";

const place = PLACES.websocket;

const client = (who) => createClient({
  url: socketEndpoint, webSocketImpl: WebSocket, connectionParams: bearer(who), lazy: true, retryAttempts: 0,
});
const once = (from, payload) => new Promise((resolve, reject) => {
  let last;
  from.subscribe(payload, { next: (value) => (last = value), error: reject, complete: () => resolve(last) });
});

describe("graphql-ws client", () => {
  const visitor = client(), monitor = client("monitor");
  after(() => Promise.all([visitor.dispose(), monitor.dispose()]));

  test("a query", async () => {
    const { data } = await within(once(visitor, { query: '{ region(code: "63") { name } }' }), "data");
    assert.equal(data.region.name, "Самарская область");
  });

  test("a query with variables and an operation name", async () => {
    const query = "query A { __typename } query B($code: String!) { region(code: $code) { code } }";
    const asked = once(visitor, { query, operationName: "B", variables: { code: "63" } });
    assert.deepEqual((await within(asked, "data")).data, { region: { code: "63" } });
  });

  test("a mutation", async () => {
    const { data } = await within(once(monitor, { query: REGISTER, variables: { input: newMessage(place) } }), "data");
    assert.deepEqual(data.registerIncident.userErrors, []);
    assert.equal(data.registerIncident.incident.status, "REGISTERED");
  });

  test("a field's error comes with the data", async () => {
    const { data, errors } = await within(once(visitor, { query: '{ a: regions { code } incident(id: "x") { id } }' }), "data");
    assert.ok(data.a.length > 80);
    assert.equal(errors[0].extensions.code, "NOT_PERMITTED");
  });

  test("a subscription, and its end by the client", async () => {
    const heard = new Heard();
    const stop = monitor.subscribe({ query: CHANGES, variables: { municipality: place, after: await happen(place) } }, heard.observer);
    const cursor = await happen(place);
    const [{ data }] = await heard.first(1);
    assert.equal(data.incidentChanges.cursor, cursor);
    stop();
    assert.ok((await heard.end()).complete);
  });

  test("a stream resumes after its cursor, with nothing missed and nothing twice", async () => {
    const before = await happen(place);
    const missed = [await happen(place), await happen(place), await happen(place)];
    const heard = new Heard();
    const stop = monitor.subscribe({ query: CHANGES, variables: { municipality: place, after: before } }, heard.observer);
    await heard.first(3);
    missed.push(await happen(place));
    const cursors = (await heard.first(4)).map(({ data }) => data.incidentChanges.cursor);
    stop();
    assert.deepEqual(cursors, missed);
    const again = new Heard();
    const stopAgain = monitor.subscribe({ query: CHANGES, variables: { municipality: place, after: cursors[1] } }, again.observer);
    assert.deepEqual((await again.first(2)).map(({ data }) => data.incidentChanges.cursor), missed.slice(2));
    stopAgain();
  });

  test("a stream whose token does not cover it ends with NOT_PERMITTED", async () => {
    const heard = new Heard();
    visitor.subscribe({ query: CHANGES, variables: { municipality: place } }, heard.observer);
    const { error } = await heard.end();
    const errors = Array.isArray(error) ? error : heard.values.flatMap((value) => value.errors ?? []);
    assert.equal(errors[0]?.extensions?.code, "NOT_PERMITTED");
  });

  test("a cursor of another region is refused", async () => {
    const heard = new Heard();
    monitor.subscribe({ query: CHANGES, variables: { municipality: place, after: "77:1" } }, heard.observer);
    const { error } = await heard.end();
    const errors = Array.isArray(error) ? error : heard.values.flatMap((value) => value.errors ?? []);
    assert.equal(errors[0]?.extensions?.code, "CURSOR_INVALID");
  });
});

describe("one bad operation ends alone", () => {
  for (const [name, payload] of Object.entries(BAD_OPERATIONS))
    test(name, async () => {
      const line = await RawSocket.initialised("monitor");
      line.send({ id: "stream", type: "subscribe", payload: { query: CHANGES, variables: { municipality: place } } });
      const answer = await line.answer("bad", payload);
      assert.ok(answer.type === "error" || answer.payload?.errors, JSON.stringify(answer));
      const { type, payload: good } = await line.answer("good", { query: "{ __typename }" });
      assert.deepEqual([type, good.data], ["next", { __typename: "Query" }]);
      const heard = line.message((m) => m.id === "stream" && m.type === "next", "the stream's change");
      await happen(place);
      await heard;
      line.close();
    });

  test("request errors come as one message of type error", async () => {
    const line = await RawSocket.initialised();
    for (const name of ["a syntax error", "a validation error", "an unknown variable", "an unknown operation name"]) {
      const { type, payload } = await line.answer(name, BAD_OPERATIONS[name]);
      assert.equal(type, "error", name);
      assert.ok(Array.isArray(payload) && payload[0].message && payload[0].extensions.code, name);
    }
    line.close();
  });
});

describe("the protocol", () => {
  test("the legacy protocol graphql-ws is refused", async () => {
    const line = new RawSocket("graphql-ws");
    const refused = await within(line.opened.then(() => line.closed, (error) => ({ error })), "the refusal");
    assert.ok(refused.error || refused.code === 4406, JSON.stringify(refused));
  });

  test("connection_init without a token is acknowledged", async () => {
    const line = new RawSocket();
    await line.opened;
    line.send({ type: "connection_init" });
    await line.message(({ type }) => type === "connection_ack", "connection_ack");
    line.close();
  });

  for (const [what, token] of [["forged", "x.y.z"], ["expired", null]])
    test(`connection_init with a token that is ${what} closes with 4403`, async () => {
      const line = new RawSocket();
      await line.opened;
      line.send({ type: "connection_init", payload: token ? { Authorization: `Bearer ${token}` } : bearer("expired") });
      assert.equal((await within(line.closed, "the end")).code, 4403);
    });

  const breaches = {
    "subscribe before connection_init: 4401": [4401, false, [{ id: "1", type: "subscribe", payload: { query: "{ __typename }" } }]],
    "connection_init twice: 4429": [4429, true, [{ type: "connection_init" }]],
    "no JSON: 4400": [4400, true, ["{"]],
    "no type: 4400": [4400, true, [{ id: "1" }]],
    "an unknown type: 4400": [4400, true, [{ type: "start", id: "1" }]],
    "a subscribe without id: 4400": [4400, true, [{ type: "subscribe", payload: { query: "{ __typename }" } }]],
    "an id in use: 4409": [4409, true, [1, 2].map(() => ({ id: "1", type: "subscribe", payload: { query: CHANGES, variables: { municipality: place } } }))],
  };
  for (const [name, [code, initialised, messages]] of Object.entries(breaches))
    test(name, async () => {
      const line = initialised ? await RawSocket.initialised("monitor") : new RawSocket();
      await line.opened;
      for (const message of messages) line.send(message);
      assert.equal((await within(line.closed, "the end")).code, code);
    });

  test("who never says connection_init is closed with 4408", async () => {
    const line = new RawSocket();
    await line.opened;
    assert.equal((await within(line.closed, "the end", 15)).code, 4408);
  });

  test("ping is answered by pong", async () => {
    const line = await RawSocket.initialised();
    line.send({ type: "ping" });
    await line.message(({ type }) => type === "pong", "pong");
    line.send({ type: "pong" });  // unasked for, which the protocol allows
    line.send({ type: "ping", payload: { at: 1 } });
    const { type } = await line.answer("1", { query: "{ __typename }" });
    assert.equal(type, "next");
    line.close();
  });

  test("an answer is one next and one complete, in text frames", async () => {
    const line = await RawSocket.initialised();
    await line.answer("1", { query: "{ __typename }" });
    await line.message((m) => m.id === "1" && m.type === "complete", "complete");
    assert.deepEqual(line.messages.map(({ type }) => type), ["connection_ack", "next", "complete"]);
    line.close();
  });

  test("after the client's complete nothing more of the operation is sent, and its id is free", async () => {
    const line = await RawSocket.initialised("monitor");
    const payload = { query: CHANGES, variables: { municipality: place } };
    line.send({ id: "1", type: "subscribe", payload: { ...payload, variables: { ...payload.variables, after: await happen(place) } } });
    await happen(place);
    await line.message((m) => m.id === "1", "the first change");
    line.send({ id: "1", type: "complete" });
    const { type } = await line.answer("sync", { query: "{ __typename }" });
    assert.equal(type, "next");
    const seen = line.messages.filter(({ id }) => id === "1").length;
    await happen(place);
    await line.message((m) => m.id === "sync" && m.type === "complete", "complete");
    assert.equal(line.messages.filter(({ id }) => id === "1").length, seen);
    line.send({ id: "1", type: "subscribe", payload: { query: "{ __typename }" } });
    await line.message((m) => m.id === "1" && m.payload?.data?.__typename, "the id again");
    line.close();
  });

  test("a complete for an operation that has ended is no breach", async () => {
    const line = await RawSocket.initialised();
    line.send({ id: "never", type: "complete" });
    assert.equal((await line.answer("1", { query: "{ __typename }" })).type, "next");
    line.close();
  });
});
