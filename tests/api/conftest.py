"""The API as its clients meet it: uvicorn on a real socket, a running projector, real clients."""

import gc
import itertools
import json
import socket
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from api.app import create_app
from api.hub import ChangeHub
from api.serving import STALLED_SECONDS, GracefulServer, cut_stalled
from api.subscriber import Subscriber
from api.viewer import Viewer, issue_token, read_scope
from domain.vocabulary import Role
from projections import projector, versions
from regions.federation.topology import FEDERATION_KEY
from regions.node import Node, check_vault, command_pool
from regions.reference.catalogue import Catalogue, load_catalogue
from regions.settings import Budget, Issuer, Settings
from regions.store.postgres import Server
from regions.store.server import create_database
from regions.store.vault import Vault
from tests.conftest import NEW_YORK, as_process
from tests.scenarios import NOON
from tests.waiting import DEADLINE_SECONDS, until

SECRET = b"0" * 32  # of the vault and of the tokens
UNBOUNDED = Budget(points=10**12, points_per_second=10**12)
PROTOCOL = Subprotocol("graphql-transport-ws")

numbers = itertools.count(1)
messages = itertools.count(1)


@dataclass
class Clock:
    """What the API takes for the present moment; it stands still until it is set."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Api:
    """A served application, and how to talk to it."""

    address: str
    url: str  # of its database
    catalogue: Catalogue
    clock: Clock
    client: httpx.Client
    server: GracefulServer
    token_key: bytes = SECRET

    def token(self, scope: str = "country", **changes: Any) -> str:
        facts: dict[str, Any] = {"name": "operator", "role": Role.MONITOR, "valid_hours": 1}
        facts |= changes
        valid = timedelta(hours=facts.pop("valid_hours"))
        viewer = Viewer(scope=read_scope(scope, self.catalogue), **facts)
        # A token is checked by the world's clock when it is shown, and later by the API's.
        now = max(datetime.now(UTC), self.clock.now)
        return issue_token(self.token_key, viewer, now=now, valid=valid)

    def post(
        self, text: str, *, token: str | None = None, operation: str | None = None, **variables: Any
    ) -> httpx.Response:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        body = {"query": text, "variables": variables, "operationName": operation}
        return self.client.post("/graphql", json=body, headers=headers)

    def answer(self, text: str, *, token: str | None = None, **variables: Any) -> dict[str, Any]:
        """The whole answer, errors included."""
        answer: dict[str, Any] = self.post(text, token=token, **variables).json()
        return answer

    def ask(self, text: str, *, token: str | None = None, **variables: Any) -> Any:
        """The data of an answer without errors."""
        answer = self.answer(text, token=token, **variables)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def refusal(self, text: str, *, token: str | None = None, **variables: Any) -> tuple[str, Any]:
        """Code and field of the only error."""
        (error,) = self.answer(text, token=token, **variables)["errors"]
        return error["extensions"]["code"], error["extensions"].get("field")

    @contextmanager
    def open_socket(self, token: str | None = None, **options: Any) -> Iterator["Socket"]:
        """A socket whose connection_init was acknowledged."""
        payload = {"Authorization": f"Bearer {token}"} if token else {}
        with self.raw_socket(**options) as client:
            client.send({"type": "connection_init", "payload": payload})
            assert client.receive() == {"type": "connection_ack"}
            yield client

    @contextmanager
    def raw_socket(self, **options: Any) -> Iterator["Socket"]:
        """A socket on which nothing was said yet."""
        facts = {"subprotocols": [PROTOCOL], "compression": None, "max_size": None}
        with connect(f"ws{self.address.removeprefix('http')}/graphql", **(facts | options)) as line:
            client = Socket(line)
            yield client
            client.cut()  # to say goodbye would be to wait for all that is still on the way

    @contextmanager
    def open_events(
        self, text: str, token: str, *, last_event_id: str | None = None, **variables: Any
    ) -> Iterator[Iterator[tuple[str, str]]]:
        """The lines of a stream of server-sent events: field and value; a comment has no field."""
        headers = {"authorization": f"Bearer {token}", "accept": "text/event-stream"}
        if last_event_id is not None:
            headers["last-event-id"] = last_event_id
        body = {"query": text, "variables": variables}
        with self.client.stream("POST", "/graphql", json=body, headers=headers) as answer:
            lines = (line.partition(":") for line in answer.iter_lines() if line)
            yield ((name, value.strip()) for name, _, value in lines)

    def is_alive(self) -> bool:
        return self.client.get("/livez").status_code == 200


@dataclass
class Socket:
    """A client of graphql-transport-ws, spoken by hand."""

    connection: ClientConnection
    kept: list[dict[str, Any]] = field(default_factory=list)  # of operations not asked for yet
    cursors: dict[str, str] = field(default_factory=dict)  # of operations, as pings told them

    def send(self, message: Mapping[str, Any] | str) -> None:
        self.connection.send(message if isinstance(message, str) else json.dumps(message))

    def receive(self, timeout: float = DEADLINE_SECONDS) -> dict[str, Any]:
        """The next message that is no ping; all are text. Raises ConnectionClosed, TimeoutError."""
        while (message := self._next(timeout))["type"] == "ping":
            self.cursors |= message["payload"]["cursors"]
        return message

    def _next(self, timeout: float) -> dict[str, Any]:
        text = self.connection.recv(timeout)
        assert isinstance(text, str)
        message: dict[str, Any] = json.loads(text)
        return message

    def subscribe(self, text: str, *, id: str = "1", **variables: Any) -> None:
        payload = {"query": text, "variables": variables}
        self.send({"id": id, "type": "subscribe", "payload": payload})

    def message(self, id: str = "1") -> dict[str, Any]:
        """The next message of one operation; those of others wait."""
        for index, message in enumerate(self.kept):
            if message["id"] == id:
                return self.kept.pop(index)
        while (message := self.receive())["id"] != id:
            self.kept.append(message)
        return message

    def change(self, id: str = "1") -> dict[str, Any]:
        """The next change of a subscription to incidentChanges."""
        payload = self.message(id)["payload"]
        assert "errors" not in payload, payload["errors"]
        change: dict[str, Any] = payload["data"]["incidentChanges"]
        return change

    def failure(self, id: str = "1") -> list[dict[str, Any]]:
        """The errors that ended an operation."""
        message = self.message(id)
        assert message["type"] == "error", message
        errors: list[dict[str, Any]] = message["payload"]
        return errors

    def cut(self) -> None:
        """End it as a pulled cable would: no goodbye."""
        with suppress(OSError):  # the server was faster
            self.connection.socket.shutdown(socket.SHUT_RDWR)

    def closed_with(self) -> int | None:
        """The code the server closes the socket with, whatever it says before."""
        try:
            while True:
                self.receive()
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else None


def narrow_line(api: Api) -> socket.socket:
    """A connection whose receiver takes next to nothing at once."""
    host, _, port = api.address.removeprefix("http://").partition(":")
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    line.connect((host, int(port)))
    return line


def subscribers() -> list[Subscriber]:
    """In all hubs of this process."""
    hubs = [found for found in gc.get_objects() if type(found) is ChangeHub]
    return [one for hub in hubs for members in hub.subscribers.values() for one in members]


def fresh_database(server: Server, template: str) -> str:
    """For fixtures that outlive a test."""
    return create_database(server.url, f"api_{next(numbers)}", template=template)


@contextmanager
def serving(
    url: str,
    now: datetime = NOON + timedelta(hours=24),
    *,
    send_buffer: int | None = None,
    stalled_seconds: float = STALLED_SECONDS,
    folder: Path = NEW_YORK,
    sources: str = "",
    issuer: Issuer | None = None,
    claims: str = "",
    budget: Budget = UNBOUNDED,
    port: int = 0,
    token_key: bytes = SECRET,
    **changes: Any,
) -> Iterator[Api]:
    """The API of a database with the catalogue of a folder, without a projector.

    `sources` is the content of its sources.toml, `claims` that of its claims.toml; `changes` are
    other settings. Without `port` it is a free one.

    With `send_buffer`, the kernel keeps so many bytes for a slow reader, instead of megabytes.
    """
    clock = Clock(now)
    check_vault(url, Vault(SECRET))  # as `tsur migrate` does: the first key is the database's
    with (
        tempfile.TemporaryDirectory() as home,
        socket.create_server(("127.0.0.1", port)) as listener,
    ):
        if send_buffer is not None:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
        cut_stalled(listener, stalled_seconds)
        for name in ("vault.key", FEDERATION_KEY):
            (Path(home) / name).write_bytes(SECRET)
        (Path(home) / "token.key").write_bytes(token_key)
        (Path(home) / "sources.toml").write_text(sources)
        if issuer is not None:
            (Path(home) / "claims.toml").write_text(claims)
        facts = {"issuer": issuer, "budget": budget} | changes
        settings = Settings(Path(home), url, *listener.getsockname(), folder, **facts)
        address = f"http://127.0.0.1:{settings.port}"
        with (
            running(create_app(settings, as_process("api", url), clock), listener) as server,
            httpx.Client(base_url=address, timeout=DEADLINE_SECONDS) as client,
        ):
            yield Api(address, url, load_catalogue(folder), clock, client, server, token_key)


@contextmanager
def running(app: Any, listener: socket.socket) -> Iterator[GracefulServer]:
    """The server of `tsur api` in a thread."""
    server = GracefulServer(app, *listener.getsockname())
    thread = threading.Thread(target=server.run, args=([listener],), name="uvicorn")
    thread.start()
    try:
        until(lambda: server.started or not thread.is_alive())
        yield server
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def projecting(url: str, catalogue: Catalogue) -> Iterator[None]:
    """A projector that follows the events until the block ends."""
    stop, ours = threading.Event(), as_process("projector", url)
    thread = threading.Thread(
        target=projector.run,
        args=(lambda: versions.connect(ours), catalogue, stop),
        name="projector",
    )
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def catch_up(url: str) -> None:
    """Wait until a running projector has taken in everything."""
    with versions.connect(url) as connection:
        until(
            lambda: (
                connection.execute(
                    "SELECT bool_and(head.pos = tracking.pos)"
                    " FROM region_head AS head JOIN tracking USING (region)"
                ).fetchone()
                == (True,)
            )
        )


def recorded(url: str) -> dict[str, int]:
    """How many rows each table of the record has."""
    tables = ("events", "command_result", "message_key", "subject_key")
    with psycopg.connect(url) as connection:
        return {
            table: connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0]  # type: ignore[arg-type]
            for table in tables
        }


@contextmanager
def node_on(url: str, catalogue: Catalogue) -> Iterator[Node]:
    """The centres behind an API of `serving`: what it seals they open."""
    ours = as_process("worker", url)
    with command_pool(ours) as pool:
        yield Node(ours, catalogue, Vault(SECRET), pool)


@pytest.fixture
def api(url: str, catalogue: Catalogue) -> Iterator[Api]:
    """The application on a database of its own, with its projector."""
    with serving(url) as api, projecting(url, catalogue):
        yield api


@pytest.fixture(scope="module")
def shared_api(server: Server, template: str, catalogue: Catalogue) -> Iterator[Api]:
    """The same for all tests of a file: each brings incidents of its own."""
    url = fresh_database(server, template)
    with serving(url) as api, projecting(url, catalogue):
        yield api


@pytest.fixture(scope="module")
def shared_node(shared_api: Api, catalogue: Catalogue) -> Iterator[Node]:
    with node_on(shared_api.url, catalogue) as node:
        yield node
