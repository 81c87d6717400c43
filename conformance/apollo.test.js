// Apollo Client: queries, mutations, the normalised cache, and subscriptions over multipart HTTP.
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { ApolloClient, CombinedGraphQLErrors, HttpLink, InMemoryCache, gql } from "@apollo/client";
import { relayStylePagination } from "@apollo/client/utilities";
import { CHANGES, Heard, PLACES, REGISTER, bearer, endpoint, happen, newMessage, within } from "./product.js";

const place = PLACES.apollo;

const clients = [];
const client = (who) => {
  const cache = new InMemoryCache({
    possibleTypes: { Node: ["Region", "Municipality", "Incident"] },
    typePolicies: { Query: { fields: { incidents: relayStylePagination(["filter"]) } } },
  });
  const made = new ApolloClient({ link: new HttpLink({ uri: endpoint, headers: bearer(who) }), cache });
  clients.push(made);
  return made;
};
after(() => clients.forEach((each) => each.stop()));

describe("queries and mutations", () => {
  test("a query", async () => {
    const { data } = await client().query({ query: gql`{ region(code: "63") { id name } }` });
    assert.equal(data.region.name, "Самарская область");
  });

  test("errors of a field come with policy all", async () => {
    const asked = { query: gql`{ regions { id } incident(id: "x") { id } }`, errorPolicy: "all" };
    const { data, error } = await client().query(asked);
    assert.ok(data.regions.length > 80 && data.incident === null);
    assert.equal(error.errors[0].extensions.code, "NOT_PERMITTED");
  });

  test("a request error is a GraphQL error, not one of the network", async () => {
    const asked = client().query({ query: gql`{ nonsense }` });
    await assert.rejects(asked, (error) => CombinedGraphQLErrors.is(error) && error.errors[0].extensions.code === "BAD_REQUEST");
  });

  test("things are kept once, by type and id", async () => {
    const asking = client("monitor");
    const { data: created } = await asking.mutate({ mutation: gql(REGISTER), variables: { input: newMessage(place) } });
    const { incident } = created.registerIncident;
    const { data } = await asking.query({
      query: gql`query ($id: ID!) { node(id: $id) { id ... on Incident { status version region { id code } } } }`,
      variables: { id: incident.id },
    });
    const key = asking.cache.identify(data.node);
    assert.equal(key, `Incident:${incident.id}`);
    await asking.mutate({
      mutation: gql`mutation ($input: ClassifyIncidentInput!) {
        classifyIncident(input: $input) { userErrors { code } incident { id version } } }`,
      variables: { input: { commandId: crypto.randomUUID(), incidentId: incident.id, topic: "waste.containers" } },
    });
    const seen = asking.readFragment({ id: key, fragment: gql`fragment V on Incident { version status }` });
    assert.equal(seen.version, 2);
    assert.equal(seen.status, "REGISTERED");
  });

  test("pages of a connection become one list", async () => {
    const asking = client("overseer");
    const query = gql`query ($after: String) {
      incidents(first: 5, after: $after) { edges { cursor node { id } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }`;
    const watched = asking.watchQuery({ query });
    const subscription = watched.subscribe({});
    const { data } = await asking.query({ query });
    await watched.fetchMore({ variables: { after: data.incidents.pageInfo.endCursor } });
    const ids = asking.readQuery({ query }).incidents.edges.map(({ node }) => node.id);
    subscription.unsubscribe();
    assert.equal(ids.length, 10);
    assert.equal(new Set(ids).size, 10);
  });
});

describe("multipart subscriptions", () => {
  test("missed changes, then live ones, then the end by the client", async () => {
    const before = await happen(place), missed = await happen(place);
    const heard = new Heard();
    const subscription = client("monitor")
      .subscribe({ query: gql(CHANGES), variables: { municipality: place, after: before } })
      .subscribe(heard.observer);
    await heard.first(1);
    const live = await happen(place);
    const results = await heard.first(2);
    subscription.unsubscribe();
    assert.deepEqual(results.map(({ data }) => data?.incidentChanges.cursor), [missed, live]);
  });

  test("a stream that is not permitted says so", async () => {
    const heard = new Heard();
    client().subscribe({ query: gql(CHANGES), variables: { municipality: place } }).subscribe(heard.observer);
    const [{ error }] = await heard.first(1);
    assert.equal(error.errors[0].extensions.code, "NOT_PERMITTED");
  });

  test("by hand: parts with payload, and heartbeats or changes within 15 s", async () => {
    const stop = new AbortController();
    const answer = await within(fetch(endpoint, {
      method: "POST",
      signal: stop.signal,
      headers: {
        "Content-Type": "application/json",
        Accept: 'multipart/mixed;boundary="graphql";subscriptionSpec="1.0", application/json',
        ...bearer("monitor"),
      },
      body: JSON.stringify({ query: CHANGES, variables: { municipality: place, after: await happen(place) } }),
    }), "the answer");
    assert.equal(answer.status, 200);
    assert.match(answer.headers.get("content-type"), /^multipart\/mixed; ?boundary="?graphql"?; ?subscriptionSpec="?1\.0"?$/i);
    await happen(place);
    let text = "";
    const read = async () => {
      for await (const chunk of answer.body) {
        text += Buffer.from(chunk).toString();
        if (/"payload"/.test(text)) return;
      }
    };
    await within(read(), "a part", 15).finally(() => stop.abort());
    assert.match(text, /--graphql\r\ncontent-type: application\/json[^\r]*\r\n/i);
  });
});
