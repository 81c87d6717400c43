"""The ASGI application: what is reached at which path, and what lives as long as the server."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, date, datetime, timedelta

import psycopg
from anyio import CapacityLimiter
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute

from api import graphiql
from api.context import Context
from api.door import METHODS, Door
from api.downloads import Downloads
from api.drill_down import DrillDown
from api.handovers import HandoverDoor
from api.hub import ChangeHub
from api.identity import viewer_of
from api.intake import IntakeDoors
from api.monitors import Monitors
from api.schema import schema
from api.telemetry.caller import Caller
from api.telemetry.observer import Observer
from api.telemetry.usage import Usage
from api.transport.budget import Budgets, principal_of
from api.transport.execution import Execution
from api.transport.http import cacheable
from api.transport.streams import ServerStopping
from api.transport.trusted import trust
from api.viewer import Viewer, read_token_key
from projections.feed import progress
from projections.pool import ReadPool, read_pool
from projections.release import version_of
from regions.federation.topology import read_federation_key
from regions.inbox import Inbox
from regions.node import (
    COMMANDS_AT_ONCE,
    Node,
    check_vault,
    command_pool,
    make_node,
    read_membership,
)
from regions.reference.catalogue import load_catalogue
from regions.settings import Settings
from regions.store.vault import Vault, read_secret
from workers.platforms.connections import Connections

Clock = Callable[[], datetime]

SCHEMA_TEXT = schema.as_str()
SCHEMA_SECONDS = 5 * 60  # that a cache may answer with the schema of the release before
LAG_EVENTS_MAX = 100_000  # behind by more, the answers are too old to be called ready


def utc_now() -> datetime:
    return datetime.now(UTC)


def create_app(settings: Settings, url: str, clock: Clock = utc_now) -> Starlette:
    """The application on a database that regions.node.prepare and versions.ensure made ready."""
    catalogue = load_catalogue(settings.catalogue)
    vault = Vault(read_secret(settings.home / "vault.key"))
    check_vault(url, vault)
    membership = read_membership(settings, catalogue)
    node = make_node(settings.catalogue, url, catalogue, vault, command_pool(url), membership)
    token_key = read_token_key(settings.home)
    server = Server(node, read_pool(url), clock, token_key)
    connections = Connections(settings.home, lambda source: "")  # the doors only read secrets
    doors = IntakeDoors(server.readers, Inbox(node.pool, vault), connections, clock, server.threads)
    who = viewer_of(settings, catalogue, token_key)
    observer = Observer(server.usage, slow_seconds=settings.slow_seconds)
    execution = Execution(
        schema._schema,
        Budgets(settings.budget),
        introspection=settings.introspection,
        trusted_only=settings.trusted_only,
        observer=observer,
    )
    if settings.trusted_documents is not None:
        trust(execution.operations, settings.trusted_documents)
    door = Door(execution, server.context, who, show_page)
    downloads = Downloads(node.exports, token_key, who, clock, server.threads)
    monitors = Monitors(server.readers, catalogue, who, clock, observer.metrics)

    async def say_goodbye() -> None:
        server.hub.end(ServerStopping)
        await execution.streams.all_ended()

    app = Starlette(
        routes=[
            graphiql.files(),
            Route("/graphql", door, methods=METHODS),
            WebSocketRoute("/graphql", door),
            *doors.routes(),
            *_doors_for_nodes(settings, server),
            Route("/exports/{id}/{filename}", downloads.answer),
            Route("/metrics", monitors.answer),
            Route("/metrics/server", monitors.answer_server),
            *([Route("/schema.graphql", show_schema)] if settings.introspection else []),
            Route("/livez", livez),
            Route("/readyz", server.readyz),
        ],
        lifespan=server.lifespan,
    )
    app.state.say_goodbye = say_goodbye  # api/serving.py
    return app


def _doors_for_nodes(settings: Settings, server: "Server") -> Sequence[Route]:
    """Where there are other nodes, and this has something that they may hand over to."""
    key = read_federation_key(settings.home, server.node.membership)
    if key is None:
        return []
    return HandoverDoor(server.node, key, server.clock, server.threads).routes()


class Server:
    """What the requests of one process share."""

    def __init__(self, node: Node, readers: ReadPool, clock: Clock, token_key: bytes) -> None:
        self.node = node
        self.readers = readers
        self.clock = clock
        self.token_key = token_key
        self.hub = ChangeHub(readers)
        self.drill_down = DrillDown(node)
        self.threads = CapacityLimiter(COMMANDS_AT_ONCE)
        self.usage = Usage(schema._schema)
        self.following: asyncio.Task[None] | None = None  # the hub's loop

    @asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        async with self.readers:
            with self.node.pool:
                await self.hub.start()
                self.following = asyncio.create_task(self.hub.run())
                counting = asyncio.create_task(
                    self.usage.keep(self.node.pool, self.clock, self.threads)
                )
                yield
                for task in (self.following, counting):
                    task.cancel()
                    with suppress(asyncio.CancelledError):
                        await task
                await self.drill_down.close()

    def context(self, viewer: Viewer, caller: Caller, authorization: str | None = None) -> Context:
        return Context(
            principal=principal_of(viewer, caller.address),
            node=self.node,
            readers=self.readers,
            hub=self.hub,
            bearer=viewer,
            caller=caller,
            clock=self.clock,
            threads=self.threads,
            authorization=authorization,
            token_key=self.token_key,
            drill_down=self.drill_down,
        )

    async def readyz(self, request: Request) -> JSONResponse:
        """200 when the API can answer, else 503; one entry per check."""
        checks: dict[str, dict[str, object]] = {}
        try:
            async with self.readers.connection(timeout=1.0) as connection:
                parts = await progress(connection)
        except psycopg.Error as error:
            checks["database"] = {"ok": False, "error": type(error).__name__}
        else:
            lag = sum(part.lag for part in parts)
            stopped = [part.region for part in parts if part.stopped]
            checks["database"] = {"ok": True}
            checks["projections"] = {
                "ok": lag <= LAG_EVENTS_MAX,
                "version": version_of(self.node.catalogue),
                "lagEvents": lag,
            }
            # A stopped region is somebody's work, not a reason to turn all the others away.
            checks["deadLetters"] = {"ok": True, "stoppedRegions": stopped}
            # Of a hub: it goes on, tells their age and does not rank them.
            silent = [part.region for part in parts if part.silent]
            checks["nodes"] = {"ok": True, "silentRegions": silent}
        checks["streams"] = {"ok": self.following is not None and not self.following.done()}
        ready = all(check["ok"] for check in checks.values())
        return JSONResponse({"ready": ready, "checks": checks}, status_code=200 if ready else 503)


def show_page(request: Request) -> HTMLResponse:
    policy = {"Content-Security-Policy": graphiql.CONTENT_SECURITY_POLICY}
    return HTMLResponse(graphiql.page(first_query(utc_now().date())), headers=policy)


def first_query(today: date) -> str:
    """What the editor shows at first: the ranking of the last thirty days."""
    first, last = today - timedelta(days=30), today - timedelta(days=1)
    return graphiql.DEFAULT_QUERY.replace("FIRST", f"{first}").replace("LAST", f"{last}")


def show_schema(request: Request) -> Response:
    """For builds of clients, which look again and again."""
    answer = PlainTextResponse(SCHEMA_TEXT)
    return cacheable(answer, request.headers.get("if-none-match"), seconds=SCHEMA_SECONDS)


def livez(request: Request) -> JSONResponse:
    """200 as long as the event loop turns; it asks nobody else."""
    return JSONResponse({"alive": True})
