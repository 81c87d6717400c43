// `node server.js PORT`: the page of incidents by mercurius, compiled by graphql-jit.
import { readFileSync } from "node:fs";
import Fastify from "fastify";
import mercurius from "mercurius";
import pg from "pg";

const moment = (text) => text && text.replace(" ", "T").replace(/\+00$/, "+00:00");
pg.types.setTypeParser(pg.types.builtins.TIMESTAMPTZ, moment);
pg.types.setTypeParser(pg.types.builtins.INT8, Number);
const readers = new pg.Pool({
  max: 8,
  options: "-c search_path=read,public -c timezone=UTC -c plan_cache_mode=force_custom_plan",
});

const PAGE = {
  name: "page",
  text: `SELECT region, id, pos, version, status, channel, source, kind, regime, priority, outcome, cycle,
    returns, hops, published_at AS "publishedAt", registered_at AS "registeredAt", due_at AS "dueAt",
    resolved_at AS "resolvedAt", region AS "regionCode", municipality AS "municipalityCode",
    topic AS "topicCode", organisation AS "organisationCode"
    FROM incident WHERE strpos(region, '~') < 1 ORDER BY registered_at DESC, id DESC LIMIT $1`,
};

const app = Fastify();
await app.register(mercurius, {
  schema: readFileSync(new URL("../questions.graphql", import.meta.url), "utf8"),
  jit: 1,
  resolvers: {
    Query: {
      incidents: async (_, { first }) => {
        const { rows } = await readers.query({ ...PAGE, values: [first] });
        return { edges: rows.map((node) => ({ node })) };
      },
    },
    Incident: {
      id: ({ region, id }) => Buffer.from(`Incident:${region}/${id.replaceAll("-", "")}`).toString("base64"),
      position: ({ region, pos }) => `${region}:${pos}`,
    },
  },
});
await app.listen({ host: "127.0.0.1", port: Number(process.argv[2]) });
