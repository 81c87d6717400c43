// What a list with "more" and a detail that can be fetched again ask; compiled, never run.
import { graphql } from "relay-runtime";

graphql`
  query incidentsQuery($first: Int!, $after: String, $filter: IncidentFilterInput) {
    ...incidents_page @arguments(first: $first, after: $after, filter: $filter)
  }
`;

// usePaginationFragment
graphql`
  fragment incidents_page on Query
  @argumentDefinitions(
    first: { type: "Int", defaultValue: 10 }
    after: { type: "String" }
    filter: { type: "IncidentFilterInput" }
  )
  @refetchable(queryName: "incidentsPageQuery") {
    incidents(first: $first, after: $after, filter: $filter)
      @connection(key: "incidents_page_incidents", filters: ["filter"]) {
      edges {
        node {
          ...incidents_row
        }
      }
    }
  }
`;

graphql`
  fragment incidents_row on Incident {
    status
    registeredAt
    topic { name }
    municipality { name region { name } }
  }
`;

// useRefetchableFragment on a type that implements Node: refetched by node(id:)
graphql`
  fragment incidents_detail on Incident @refetchable(queryName: "incidentsDetailQuery") {
    version
    timeline { event occurredAt }
  }
`;

graphql`
  query incidentsOneQuery($id: ID!) {
    node(id: $id) {
      __typename
      ...incidents_detail @alias(as: "detail")
    }
  }
`;

graphql`
  mutation incidentsClassifyMutation($input: ClassifyIncidentInput!) {
    classifyIncident(input: $input) {
      userErrors { code field message }
      incident { id ...incidents_row }
    }
  }
`;

graphql`
  subscription incidentsChangesSubscription($region: String!, $after: String) {
    incidentChanges(region: $region, after: $after) {
      cursor
      incident { id ...incidents_row }
    }
  }
`;
