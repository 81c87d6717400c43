// The product under test, as python -m conformance started it.
import { after } from "node:test";
import WebSocket from "ws";

export const address = process.env.ADDRESS;
export const tokens = JSON.parse(process.env.TOKENS ?? "{}");
export const endpoint = `${address}/graphql`;
export const socketEndpoint = endpoint.replace(/^http/, "ws");
export const schemaFile = new URL("../schema.graphql", import.meta.url).pathname;

export const bearer = (who) => (who ? { Authorization: `Bearer ${tokens[who]}` } : {});

// What a failed test left open ends with its file. To force the exit at once would lose the report.
after(() => void setTimeout(() => process.exit(), 1000).unref());

/** The answer to a plain POST, past every client under test. */
export async function ask(query, variables, who) {
  const answer = await fetch(endpoint, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...bearer(who) },
    body: JSON.stringify({ query, variables }),
  });
  return answer.json();
}

// Suites run side by side: each makes things happen, and listens, in a municipality of its own.
export const PLACES = { websocket: "63-samara", sse: "63-kinel", apollo: "63-zhigulevsk", urql: "63-oktyabrsk" };

export const REGISTER = `mutation Register($input: RegisterIncidentInput!) {
  registerIncident(input: $input) { position userErrors { code } incident { id status version } }
}`;

export const newMessage = (municipality) => ({
  commandId: crypto.randomUUID(),
  region: municipality.split("-")[0],
  municipality,
  channel: "VK",
  publishedAt: new Date(Date.now() - 60_000).toISOString(),
});

/** Makes something happen in a municipality; returns its cursor. */
export async function happen(municipality, who = "monitor") {
  const { data, errors } = await ask(REGISTER, { input: newMessage(municipality) }, who);
  if (errors || data.registerIncident.userErrors.length) throw new Error(JSON.stringify({ data, errors }));
  return data.registerIncident.position;
}

export const CHANGES = `subscription Changes($municipality: String, $after: String) {
  incidentChanges(municipality: $municipality, after: $after) { cursor event incident { id status } }
}`;

/** What is refused for its own sake: it must end alone, and take no socket or stream with it. */
export const BAD_OPERATIONS = {
  "a syntax error": { query: "{ regions { code }" },
  "a validation error": { query: "{ regions { nonsense } }" },
  "an unknown variable": { query: "{ region(code: $code) { name } }" },
  "a variable of the wrong type": {
    query: "query ($code: String!) { region(code: $code) { name } }",
    variables: { code: 63 },
  },
  "a missing variable": { query: "query ($code: String!) { region(code: $code) { name } }" },
  "an unknown operation name": { query: "query One { __typename }", operationName: "Two" },
  "what the token does not cover": { query: "subscription { incidentChanges(region: \"77\") { cursor } }" },
};

export const within = (promise, what, seconds = 10) => {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not come within ${seconds} s`)), seconds * 1000);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
};

/** Collects what an observer is told, and lets a test wait for it. */
export class Heard {
  values = [];
  ended = Promise.withResolvers?.() ?? withResolvers();
  #waiting = [];

  observer = {
    next: (value) => {
      this.values.push(value);
      this.#waiting = this.#waiting.filter(({ count, resolve }) => {
        if (this.values.length >= count) resolve(this.values.slice(0, count));
        return this.values.length < count;
      });
    },
    error: (error) => this.ended.resolve({ error }),
    complete: () => this.ended.resolve({ complete: true }),
  };

  first(count, seconds = 10) {
    if (this.values.length >= count) return Promise.resolve(this.values.slice(0, count));
    const { promise, resolve } = withResolvers();
    this.#waiting.push({ count, resolve });
    const ended = this.ended.promise.then(({ error }) => {
      if (this.values.length >= count) return this.values.slice(0, count);
      throw error instanceof Error ? error : new Error(`it ended: ${JSON.stringify(error ?? "complete")}`);
    });
    return within(Promise.race([promise, ended]), `message ${count}`, seconds);
  }

  end(seconds = 10) {
    return within(this.ended.promise, "the end", seconds);
  }
}

function withResolvers() {
  let resolve, reject;
  const promise = new Promise((...both) => ([resolve, reject] = both));
  return { promise, resolve, reject };
}

/** graphql-transport-ws spoken by hand, for what no client would say. */
export class RawSocket {
  messages = [];
  #hear = () => {};

  constructor(protocol = "graphql-transport-ws", options = {}) {
    this.socket = new WebSocket(socketEndpoint, protocol, options);
    this.opened = new Promise((resolve, reject) => {
      this.socket.once("open", resolve);
      this.socket.once("error", reject);
    });
    this.opened.catch(() => {});
    this.closed = new Promise((resolve) => {
      this.socket.once("close", (code, reason) => resolve({ code, reason: String(reason) }));
    });
    this.socket.on("message", (text, binary) => {
      this.messages.push(binary ? { binary: true } : JSON.parse(text));
      this.#hear();
    });
  }

  static async initialised(who) {
    const line = new RawSocket();
    await within(line.opened, "the socket");
    line.send({ type: "connection_init", payload: bearer(who) });
    await line.message(({ type }) => type === "connection_ack", "connection_ack");
    return line;
  }

  send(message) {
    this.socket.send(typeof message === "string" ? message : JSON.stringify(message));
  }

  async message(wanted, what, seconds = 10) {
    const found = new Promise((resolve, reject) => {
      const look = () => {
        const message = this.messages.find(wanted);
        if (message) resolve(message);
      };
      this.#hear = look;
      this.closed.then(({ code, reason }) => reject(new Error(`the socket was closed: ${code} ${reason}`)));
      look();
    });
    return within(found, what, seconds);
  }

  /** The messages of an operation, up to its end or the first `next`. */
  async answer(id, payload) {
    this.send({ id, type: "subscribe", payload });
    return this.message((m) => m.id === id, `an answer to ${id}`);
  }

  close() {
    this.socket.terminate();
  }
}
