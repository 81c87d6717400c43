"""`python -m bench.peers.servers NAME PORT`: a peer in Python, served as `tsur api` is."""

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute

from bench.peers import questions
from projections.pool import ReadPool, read_pool
from regions.reference.catalogue import load_catalogue
from regions.settings import Settings, read_settings


def endpoint(settings: Settings) -> Starlette:
    """Neither GraphQL nor viewer: SQL by hand, orjson. The limit of what Python can do here."""
    catalogue, readers = load_catalogue(settings.catalogue), read_pool(settings.database_url or "")

    async def answer(request: Request) -> Response:
        asked = orjson.loads(await request.body())
        async with readers.connection() as connection:
            found = await (
                questions.page(connection)
                if asked["query"] == questions.PAGE
                else questions.ranking(connection, catalogue, asked["variables"]["period"])
            )
        return Response(orjson.dumps({"data": found}), media_type="application/json")

    return Starlette(
        routes=[Route("/graphql", answer, methods=["POST"])], lifespan=_opened(readers)
    )


def strawberry(settings: Settings) -> Starlette:
    """Our schema and resolvers by strawberry's own view. Nobody's token is checked."""
    from strawberry.asgi import GraphQL  # noqa: PLC0415 - a peer loads what it is

    from api.app import create_app  # noqa: PLC0415
    from api.schema import schema  # noqa: PLC0415
    from api.telemetry.caller import Caller  # noqa: PLC0415
    from api.viewer import Viewer  # noqa: PLC0415
    from domain.rights import Scope  # noqa: PLC0415
    from domain.vocabulary import Role  # noqa: PLC0415

    app = create_app(settings, settings.database_url or "")
    (door,) = [
        each.app for each in app.routes if isinstance(each, Route) and each.path == "/graphql"
    ]
    make_context: Callable[[Viewer, Caller], Any] = door.make_context  # type: ignore[attr-defined]

    class Plain(GraphQL[Any, Any]):
        async def get_context(self, request: Any, response: Any) -> Any:
            return make_context(Viewer("bench", Role.FEDERAL_OVERSEER, Scope()), Caller())

    plain = Plain(schema)
    return Starlette(
        routes=[
            Route("/graphql", plain),
            WebSocketRoute("/graphql", plain),
            *(each for each in app.routes if isinstance(each, Route) and each.path == "/readyz"),
        ],
        lifespan=app.router.lifespan_context,
    )


def ariadne(settings: Settings) -> Starlette:
    """The dicts of the endpoint by ariadne's defaults."""
    from ariadne import QueryType, make_executable_schema  # type: ignore[import-not-found] # noqa
    from ariadne.asgi import GraphQL  # type: ignore[import-not-found] # noqa: PLC0415

    catalogue, readers = load_catalogue(settings.catalogue), read_pool(settings.database_url or "")
    query = QueryType()

    async def incidents(*_: object, **given: object) -> Any:
        async with readers.connection() as connection:
            return (await questions.page(connection))["incidents"]

    async def ranking(*_: object, period: dict[str, str]) -> Any:
        async with readers.connection() as connection:
            return (await questions.ranking(connection, catalogue, period))["ranking"]

    query.set_field("incidents", incidents)
    query.set_field("ranking", ranking)
    text = (Path(__file__).parent / "questions.graphql").read_text()
    return Starlette(
        routes=[Route("/graphql", GraphQL(make_executable_schema(text, query)))],
        lifespan=_opened(readers),
    )


def _opened(readers: ReadPool) -> Callable[[Any], Any]:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with readers:
            yield

    return lifespan


PEERS = {"endpoint": endpoint, "strawberry": strawberry, "ariadne": ariadne}

if __name__ == "__main__":
    name, port = sys.argv[1:]
    uvicorn.run(PEERS[name](read_settings()), port=int(port), log_level="warning", access_log=False)
