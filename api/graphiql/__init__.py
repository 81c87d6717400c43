"""The page a browser gets at /graphql: GraphiQL from our own host, or how to install it."""

from html import escape
from pathlib import Path

from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from api.graphiql.pinned import assets

__all__ = ["CONTENT_SECURITY_POLICY", "DEFAULT_QUERY", "assets", "files", "page"]

DEFAULT_QUERY = """\
# The regions, best first. Press Ctrl-Enter to run.
query Ranking {
  ranking(period: {first: "FIRST", last: "LAST"}, clock: CALENDAR) {
    provisional
    rows {
      place position n value low high
      region { code name }
      figures { registered unansweredShare replyMedianSeconds replyMeanSeconds replyP90Seconds }
    }
  }
}
"""

# 'self' covers the WebSocket of our own host too (CSP level 3, "Does url match expression").
# GraphiQL's icons and fonts are data: addresses inside its style sheet. Its dialogs try to add one
# inline style, to keep a long page behind them from scrolling: ours is no longer than the window,
# so the browser's refusal costs nothing.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; font-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)

HEAD = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Tsur GraphQL</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/graphiql/page.css">
"""

EDITOR = """\
<link rel="stylesheet" href="/graphiql/assets/graphiql/graphiql.min.css">
<script defer src="/graphiql/assets/react/umd/react.production.min.js"></script>
<script defer src="/graphiql/assets/react-dom/umd/react-dom.production.min.js"></script>
<script defer src="/graphiql/assets/graphql-ws/umd/graphql-ws.min.js"></script>
<script defer src="/graphiql/assets/graphiql/graphiql.min.js"></script>
<script defer src="/graphiql/start.js"></script>
</head>
<body><div id="graphiql" data-query="{query}"></div></body>
</html>
"""

NOT_INSTALLED = """\
</head>
<body><main>
<h1>The API is running</h1>
<p>Send queries by POST to this address, subscriptions over WebSocket (graphql-transport-ws).</p>
<p>The editor GraphiQL is not installed on this server. To have it here, run
<code>make install</code> where npm or pip reaches a package index, and reload this page.</p>
</main></body>
</html>
"""


def page(query: str | None = None) -> str:
    """The HTML for GET /graphql. It has no inline script or style: see CONTENT_SECURITY_POLICY."""
    if assets() is None:
        return HEAD + NOT_INSTALLED
    return HEAD + EDITOR.format(query=escape(query or DEFAULT_QUERY))


def files() -> Mount:
    """What the page loads, to be mounted before other routes; assets installed later show up."""
    return Mount("/graphiql", StaticFiles(directory=Path(__file__).parent / "static"))
