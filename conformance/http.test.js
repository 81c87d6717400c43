// GraphQL over HTTP, as the audits of npm graphql-http read the specification.
import assert from "node:assert/strict";
import { test } from "node:test";
import { serverAudits } from "graphql-http";
import { endpoint } from "./product.js";

const audits = serverAudits({ url: endpoint, fetchFn: fetch });

test("there are 61 audits", () => assert.equal(audits.length, 61));

for (const audit of audits)
  test(`${audit.id} ${audit.name}`, async () => {
    const result = await audit.fn();
    assert.equal(result.status, "ok", `${result.status}: ${result.reason}`);
  });
