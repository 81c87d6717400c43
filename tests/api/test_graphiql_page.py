"""GraphiQL at /graphql: served by our own host alone, and at work in a real browser."""

import queue
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import strawberry
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route, WebSocketRoute
from strawberry.asgi import GraphQL

from api import graphiql
from api.graphiql import install, pinned

CHROMIUM = shutil.which("chromium")
CHROMIUM_OPTIONS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
ANSWERS_MAX = 60  # five a second: twelve seconds
ATTEMPTS_MAX = 5

# Stands in for a person: fills the headers editor, presses the run button, reads the answer aloud.
PERSON = """
localStorage.setItem("graphiql:shouldPersistHeaders", "true");
localStorage.setItem("graphiql:headers", '{"authorization": "Bearer token"}');
let pressed = false;
setInterval(() => {
  const button = document.querySelector(".graphiql-execute-button");
  if (button && !pressed) { button.click(); pressed = true; }
  const answer = document.querySelector(".result-window");
  if (answer) fetch("/heard", { method: "POST", body: answer.innerText });
}, 200);
"""

needs_assets = pytest.mark.skipif(
    not graphiql.assets(), reason="GraphiQL is not installed: python -m api.graphiql.install"
)
needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="there is no chromium on PATH")


@strawberry.type
class Query:
    @strawberry.field
    def header(self, info: strawberry.Info[Any, None]) -> str:
        return f"asked with {info.context['request'].headers['Authorization']}"


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def ticks(self, info: strawberry.Info[Any, None]) -> AsyncIterator[str]:
        for tick in range(1, 4):
            yield f"tick {tick} for {info.context['connection_params']['Authorization']}"


def show_page(request: Request) -> HTMLResponse:
    page = graphiql.page()
    if "person" in request.query_params:
        page = page.replace("<head>", '<head><script src="/person.js"></script>')
    policy = {"Content-Security-Policy": graphiql.CONTENT_SECURITY_POLICY}
    return HTMLResponse(page, headers=policy)


def show_person(request: Request) -> Response:
    return Response(PERSON, media_type="text/javascript")


def app(heard: queue.Queue[str]) -> Starlette:
    async def hear(request: Request) -> Response:
        heard.put((await request.body()).decode())
        return Response()

    endpoint = GraphQL[Any, None](strawberry.Schema(Query, subscription=Subscription))
    return Starlette(
        routes=[
            graphiql.files(),
            Route("/graphql", show_page, methods=["GET"]),
            Route("/graphql", endpoint, methods=["POST"]),
            WebSocketRoute("/graphql", endpoint),
            Route("/person.js", show_person),
            Route("/heard", hear, methods=["POST"]),
        ]
    )


@pytest.fixture
def heard() -> queue.Queue[str]:
    return queue.Queue()


@pytest.fixture
def address(heard: queue.Queue[str]) -> Iterator[str]:
    """Where the application answers, on a free loopback port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(app(heard), log_level="warning", ws="websockets-sansio")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()


@contextmanager
def browser_at(url: str, profile: Path) -> Iterator[None]:
    """A headless browser that shows the page until the block ends."""
    command = [str(CHROMIUM), *CHROMIUM_OPTIONS, f"--user-data-dir={profile}", url]
    browser = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        browser.terminate()
        browser.wait()


@needs_assets
@needs_chromium
@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("query { header }", "asked with Bearer token"),
        ("subscription { ticks }", "tick 3 for Bearer token"),
    ],
)
def test_a_browser_runs_an_operation_with_the_token_of_the_headers_editor(
    text: str,
    answer: str,
    address: str,
    heard: queue.Queue[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(graphiql, "DEFAULT_QUERY", text)
    assert any(
        heard_within(heard, answer, f"{address}/graphql?person", tmp_path / str(attempt))
        for attempt in range(ATTEMPTS_MAX)
    )


def heard_within(heard: queue.Queue[str], answer: str, url: str, profile: Path) -> bool:
    """Whether a fresh browser comes to the answer. The button shows a moment before it works, so
    that a person who presses it too early has to load the page again."""
    with browser_at(url, profile=profile):
        return any(answer in heard.get(timeout=60) for _ in range(ANSWERS_MAX))


@needs_assets
def test_the_page_loads_only_files_of_our_own_host(address: str) -> None:
    page = httpx.get(f"{address}/graphql").text
    loaded = re.findall(r'(?:src|href)="(?!data:)([^"]+)"', page)
    assert len(loaded) == 7
    for path in loaded:
        assert path.startswith("/graphiql/")
        assert httpx.get(address + path).status_code == 200


def test_without_the_assets_the_page_says_how_to_install_them(
    address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(pinned, "FOLDER", tmp_path)
    page = httpx.get(f"{address}/graphql").text
    assert "make install" in page
    assert "<script" not in page


def test_a_tarball_that_is_not_the_pinned_one_is_refused(tmp_path: Path) -> None:
    package = pinned.PACKAGES[0]
    (tmp_path / f"{package.name}-{package.version}.tgz").write_bytes(b"something else")
    with pytest.raises(install.InstallFailed, match="not the pinned file"):
        install.tarball(package, tmp_path)
