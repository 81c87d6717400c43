// What a frontend does with the generated types: it compiles, or the types are wrong.
import type { ResultOf, VariablesOf } from "@graphql-typed-document-node/core";
import { OverdueDocument, RegisterDocument, RegionDocument, ThingDocument } from "./generated/operations";
import type { Incident } from "./generated/schema";

export const variables: VariablesOf<typeof RegisterDocument> = {
  input: { commandId: "5a0c5d8e-6f0e-4b57-9d3c-0d6f6f5f3a01", region: "63", channel: "VK", publishedAt: "2026-11-26T08:00:00+04:00" },
};

export function launched({ region }: ResultOf<typeof RegionDocument>): string {
  return region.launchedOn ?? region.name;
}

export function due({ incidents }: ResultOf<typeof OverdueDocument>): (string | null | undefined)[] {
  return incidents.edges.map(({ node }) => (node.status === "CLOSED" ? null : node.dueAt));
}

export function versionOf({ node }: ResultOf<typeof ThingDocument>): number | undefined {
  return node?.__typename === "Incident" ? node.version : undefined;
}

// @ts-expect-error A region's code is a text.
export const wrong: VariablesOf<typeof RegionDocument> = { code: 63 };

export const changed: Incident["changedAt"] = "2026-11-26T08:00:00+04:00";
