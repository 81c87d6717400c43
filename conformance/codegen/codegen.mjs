// Every custom scalar is mapped; strictScalars refuses one that is not.
const scalars = {
  Date: "string",
  DateTime: "string",
  JSON: "unknown",
  UUID: "string",
  _Any: "{ __typename: string }",
};

const config = { strictScalars: true, scalars, enumsAsTypes: true, useTypeImports: true };

export default {
  schema: "../../schema.graphql",
  documents: ["operations.graphql"],
  config,
  generates: {
    "generated/schema.ts": { plugins: ["typescript"] },
    "generated/operations.ts": { plugins: ["typescript-operations", "typed-document-node"] },
  },
};
