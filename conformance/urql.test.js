// urql: plain, and with subscriptions through graphql-ws, through graphql-sse and through its own fetch.
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { Client, cacheExchange, fetchExchange, subscriptionExchange } from "@urql/core";
import { createClient as createSseClient } from "graphql-sse";
import { createClient as createWsClient } from "graphql-ws";
import WebSocket from "ws";
import { CHANGES, Heard, PLACES, REGISTER, bearer, endpoint, happen, newMessage, socketEndpoint } from "./product.js";

const place = PLACES.urql;

const ws = createWsClient({ url: socketEndpoint, webSocketImpl: WebSocket, connectionParams: bearer("monitor") });
const sse = createSseClient({ url: endpoint, headers: bearer("monitor"), retryAttempts: 0 });
after(() => Promise.all([ws.dispose(), sse.dispose()]));

const through = (transport) => subscriptionExchange({
  forwardSubscription: ({ query, variables }) => ({
    subscribe: (sink) => ({ unsubscribe: transport.subscribe({ query, variables }, sink) }),
  }),
});
const client = (who, options = {}, ...exchanges) => new Client({
  url: endpoint, preferGetMethod: false, fetchOptions: { headers: bearer(who) },
  exchanges: [cacheExchange, ...exchanges, fetchExchange], ...options,
});

describe("queries and mutations", () => {
  for (const fetchSubscriptions of [false, true]) {
    const with_ = fetchSubscriptions ? " while subscriptions go by fetch" : "";
    test(`a query${with_}`, async () => {
      const { data, error } = await client(null, { fetchSubscriptions }).query('{ region(code: "63") { id name } }', {});
      assert.equal(error, undefined);
      assert.equal(data.region.name, "Самарская область");
    });

    test(`a mutation${with_}`, async () => {
      const { data, error } = await client("monitor", { fetchSubscriptions }).mutation(REGISTER, { input: newMessage(place) });
      assert.equal(error, undefined);
      assert.deepEqual(data.registerIncident.userErrors, []);
    });
  }

  test("a request error is a GraphQL error, not one of the network", async () => {
    const { error } = await client().query("{ nonsense }", {});
    assert.equal(error.networkError, undefined);
    assert.equal(error.graphQLErrors[0].extensions.code, "BAD_REQUEST");
  });

  test("partial data comes with its error", async () => {
    const { data, error } = await client().query('{ regions { id } incident(id: "x") { id } }', {});
    assert.ok(data.regions.length > 80 && data.incident === null);
    assert.equal(error.graphQLErrors[0].extensions.code, "NOT_PERMITTED");
  });
});

describe("subscriptions", () => {
  const ways = {
    "through graphql-ws": () => client("monitor", {}, through(ws)),
    "through graphql-sse": () => client("monitor", {}, through(sse)),
    "by urql's own fetch": () => client("monitor", { fetchSubscriptions: true }),
  };
  for (const [name, made] of Object.entries(ways))
    test(name, async () => {
      const before = await happen(place), missed = await happen(place);
      const heard = new Heard();
      const { unsubscribe } = made()
        .subscription(CHANGES, { municipality: place, after: before })
        .subscribe((result) => (result.error ? heard.observer.error(result.error) : heard.observer.next(result)));
      await heard.first(1);
      const live = await happen(place);
      const results = await heard.first(2);
      unsubscribe();
      assert.deepEqual(results.map(({ data }) => data.incidentChanges.cursor), [missed, live]);
    });
});
