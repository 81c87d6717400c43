// Starts GraphiQL on the page's own address: queries by POST, subscriptions by graphql-transport-ws.
"use strict";

const url = location.origin + location.pathname;
const root = document.getElementById("graphiql");

// A browser's WebSocket cannot send headers, so the token travels as a connection parameter.
function authorization(headers = {}) {
  const name = Object.keys(headers).find((key) => key.toLowerCase() === "authorization");
  return name ? { Authorization: headers[name] } : {};
}

// A client per call, so that each subscription carries the headers as they are now. It opens its
// socket at the first subscription and closes it after the last: a query never opens one.
function fetcher(params, options = {}) {
  const wsClient = graphqlWs.createClient({
    url: url.replace(/^http/, "ws"),
    connectionParams: authorization(options.headers),
  });
  const send = GraphiQL.createFetcher({ url, wsClient, enableIncrementalDelivery: false });
  return send(params, options);
}

const editor = React.createElement(GraphiQL, { fetcher, defaultQuery: root.dataset.query });
ReactDOM.createRoot(root).render(editor);
