// GraphQL over server-sent events: npm graphql-sse as the client, in both of its modes.
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { createClient } from "graphql-sse";
import { BAD_OPERATIONS, CHANGES, Heard, PLACES, REGISTER, bearer, endpoint, happen, newMessage, within } from "./product.js";

const place = PLACES.sse;

const once = (from, payload) => new Promise((resolve, reject) => {
  let last;
  from.subscribe(payload, { next: (value) => (last = value), error: reject, complete: () => resolve(last) });
});

for (const singleConnection of [false, true])
  describe(singleConnection ? "single connection" : "distinct connections", () => {
    const clients = [];
    const client = (who) => {
      const made = createClient({
        url: endpoint, singleConnection, retryAttempts: 0,
        headers: () => bearer(who), // a function: the client writes its token into an object of ours
      });
      clients.push(made);
      return made;
    };
    after(() => clients.forEach((each) => each.dispose()));

    test("a query", async () => {
      const { data } = await within(once(client(), { query: '{ region(code: "63") { name } }' }), "data");
      assert.equal(data.region.name, "Самарская область");
    });

    test("a mutation", async () => {
      const asked = once(client("monitor"), { query: REGISTER, variables: { input: newMessage(place) } });
      assert.deepEqual((await within(asked, "data")).data.registerIncident.userErrors, []);
    });

    test("a subscription resumes after its cursor and goes on live", async () => {
      const before = await happen(place), missed = await happen(place);
      const heard = new Heard();
      const stop = client("monitor").subscribe(
        { query: CHANGES, variables: { municipality: place, after: before } }, heard.observer);
      await heard.first(1);
      const live = await happen(place);
      const cursors = (await heard.first(2)).map(({ data }) => data?.incidentChanges.cursor);
      stop();
      assert.deepEqual(cursors, [missed, live]);
    });

    for (const name of ["a syntax error", "a validation error", "an unknown variable", "what the token does not cover"])
      test(`${name} is told, and the next operation answered`, async () => {
        const monitor = client("monitor");
        const heard = new Heard();
        monitor.subscribe(BAD_OPERATIONS[name], heard.observer);
        const { error } = await heard.end();
        const told = error ?? heard.values.find((value) => value.errors);
        assert.ok(told, "an error or errors");
        assert.deepEqual((await within(once(monitor, { query: "{ __typename }" }), "data")).data, { __typename: "Query" });
      });

    if (singleConnection)
      test("several operations share the stream, and one can be stopped", async () => {
        const monitor = client("monitor"), one = new Heard(), other = new Heard();
        const variables = { municipality: place, after: await happen(place) };
        const stop = monitor.subscribe({ query: CHANGES, variables }, one.observer);
        const stopOther = monitor.subscribe({ query: CHANGES, variables }, other.observer);
        await happen(place);
        await Promise.all([one.first(1), other.first(1)]);
        stop();
        await happen(place);
        await other.first(2);
        assert.equal(one.values.length, 1);
        stopOther();
      });
  });

describe("distinct connections, by hand", () => {
  const post = (accept, body, headers = {}) => fetch(endpoint, {
    method: "POST", headers: { "Content-Type": "application/json", Accept: accept, ...headers }, body: JSON.stringify(body),
  });

  test("a stream is text/event-stream, with events next and complete, lines ended by LF", async () => {
    const answer = await post("text/event-stream", { query: "{ __typename }" });
    assert.equal(answer.status, 200);
    assert.match(answer.headers.get("content-type"), /^text\/event-stream(; charset=utf-8)?$/i);
    const text = (await within(answer.text(), "the stream")).replace(/^:[^\n]*\n\n?/gm, "");
    assert.ok(!text.includes("\r"), "no CR");
    assert.match(text, /^event: next\ndata: \{"data":\{"__typename":"Query"\},"extensions":[^\n]*\}\n\nevent: complete\ndata:( ?|[^\n]*)\n\n/);
  });

  test("Accept is respected in order: JSON before the stream is JSON", async () => {
    const accept = "application/graphql-response+json, application/json, text/event-stream, multipart/mixed";
    const answer = await post(accept, { query: "{ __typename }" });
    assert.match(answer.headers.get("content-type"), /^application\/graphql-response\+json/);
    assert.deepEqual((await answer.json()).data, { __typename: "Query" });
  });

  test("a q of 0 refuses the stream", async () => {
    const answer = await post("text/event-stream;q=0, application/json", { query: "{ __typename }" });
    assert.match(answer.headers.get("content-type"), /^application\/json/);
    await answer.json();
  });

  test("a subscription whose client accepts only JSON is refused with a 4xx", async () => {
    const answer = await post("application/json", { query: 'subscription { incidentChanges(region: "63") { cursor } }' }, bearer("monitor"));
    assert.ok(answer.status >= 400 && answer.status < 500, `${answer.status}`);
    assert.ok((await answer.json()).errors[0].message);
  });
});
