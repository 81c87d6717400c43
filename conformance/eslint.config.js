// The rules of @graphql-eslint for schemas: all that are recommended, and all of Relay's.
import graphql from "@graphql-eslint/eslint-plugin";

const recommended = graphql.configs["flat/schema-recommended"].rules;
const relay = graphql.configs["flat/schema-relay"].rules;
const [naming, names] = recommended["@graphql-eslint/naming-convention"];

// These five names are given by the specification of federation subgraphs; see eslint.test.js.
export const FEDERATION = /^_(service|entities|Service|Entity|Any)$/;

export default [
  {
    files: ["**/*.graphql"],
    languageOptions: {
      parser: graphql.parser,
      parserOptions: { graphQLConfig: { schema: new URL("../schema.graphql", import.meta.url).pathname } },
    },
    plugins: { "@graphql-eslint": graphql },
    rules: {
      ...recommended,
      ...relay,

      // Every rule stays but for the federation names. The test allows no other leading underscore.
      "@graphql-eslint/naming-convention": [naming, {
        ...names,
        allowLeadingUnderscore: true,
        types: { style: names.types, ignorePattern: FEDERATION.source },
        FieldDefinition: { style: names.FieldDefinition, ignorePattern: FEDERATION.source },
      }],

      // Most types are answers, not things: figures, rows, pages, payloads are found again by the
      // question they answer. What can be asked for again implements Node; the rest of the
      // catalogue (topics, channels, bodies) has a `code`.
      "@graphql-eslint/strict-id-in-types": "off",

      // Edges have the node type Relay wants, but not every list is a page: the 89 regions, the
      // rows of a ranking and the steps of a timeline are whole, and bounded by their nature.
      "@graphql-eslint/relay-edge-types": ["error", {
        withEdgeSuffix: true, shouldImplementNode: true, listTypeCanWrapOnlyEdgeType: false,
      }],

      // Forward only: the list begins with the newest. Backwards through it nobody has to go.
      "@graphql-eslint/relay-arguments": ["error", { includeBoth: false }],
    },
  },
];
