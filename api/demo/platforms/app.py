"""All stand-ins in one application, and the doors through which they are led."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse
from starlette.routing import Mount, Route, Router

from api.demo.platforms import citizen, ok, pos, telegram, vk
from api.demo.platforms.accounts import Accounts
from api.demo.platforms.delivery import Deliverer
from api.demo.platforms.faults import Control, Faults, Faulty
from api.demo.platforms.page import CONTENT_SECURITY_POLICY, page
from api.demo.platforms.stage import Stage
from api.demo.platforms.vk_objects import ask_confirmation
from api.demo.platforms.world import World


def create_app(state: str, accounts: Accounts, target: str | None) -> Starlette:
    """`state`: a file of SQLite, or «:memory:». `target`: where webhooks go."""
    faults, world = Faults(), World(state)
    stage = Stage(world, accounts, faults, Deliverer(world, accounts, faults, target))
    app = Starlette(routes=[*_platforms(faults), *CONTROLS], lifespan=_lifespan)
    app.state.stage = stage
    return app


def _platforms(faults: Faults) -> list[Mount]:
    routes = {
        "vk": [Route("/method/{method}", vk.answer, methods=["GET", "POST"])],
        "telegram": [Route("/bot{token}/{method}", telegram.answer, methods=["GET", "POST"])],
        "ok": [Route("/graph/me/messages/{chat}", ok.answer, methods=["GET", "POST"])],
        "pos": [
            Route("/replies/{key}", pos.answer, methods=["GET"]),
            Route("/replies", pos.answer, methods=["POST"]),
            Route("/statuses", pos.answer, methods=["POST"]),
        ],
    }
    return [Mount(f"/{name}", Faulty(Router(own), name, faults)) for name, own in routes.items()]


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    stage: Stage = app.state.stage
    delivering = asyncio.create_task(stage.deliverer.run())
    for account in stage.accounts.all:
        if account.platform == "vk":
            ask_confirmation(stage, account)
    yield
    delivering.cancel()
    with suppress(asyncio.CancelledError):
        await delivering


async def control(request: Request) -> JSONResponse:
    stage: Stage = request.app.state.stage
    if request.method == "POST":
        try:
            change = msgspec.json.decode(await request.body() or b"{}", type=Control)
        except msgspec.MsgspecError as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        _apply(stage, change)
    settings = msgspec.to_builtins(stage.faults.settings)
    return JSONResponse({"settings": settings, "webhooks": stage.deliverer.counts()})


def _apply(stage: Stage, change: Control) -> None:
    if change.reset:
        stage.faults.reset()
        stage.world.clear()
    stage.faults.change(change)
    for what in (*change.close, *change.block):
        stage.world.bar(what, True)
    for what in (*change.open, *change.unblock):
        stage.world.bar(what, False)


async def act(request: Request) -> JSONResponse:
    """What the platform calls the message; 404 if it names one that is not there."""
    stage: Stage = request.app.state.stage
    try:
        deed = msgspec.json.decode(await request.body(), type=citizen.Deed)
        entry = citizen.act(stage, deed)
    except msgspec.MsgspecError as error:
        return JSONResponse({"error": str(error)}, status_code=400)
    except LookupError:
        return JSONResponse({"error": "not found"}, status_code=404)
    return JSONResponse({"id": entry.name, "number": entry.number, "chat": entry.chat})


async def replies(request: Request) -> JSONResponse:
    """All that the centre published, each with what it stands under and the key of its call."""
    world = request.app.state.stage.world
    found = []
    for entry in world.select("ours AND kind <> 'post'"):
        to = world.find(entry.reply_to) or world.find(entry.parent)
        found.append(
            {
                "platform": entry.platform,
                "source": entry.source,
                "id": entry.name,
                "place": to.name if to else None,
                "chat": entry.chat,
                "text": entry.text,
                "key": entry.key,
                "at": entry.at,
            }
        )
    columns = ("message", "status", "at", "key")
    rows = world.rows.execute("SELECT message, status, at, key FROM status ORDER BY number")
    statuses = [dict(zip(columns, row, strict=True)) for row in rows]
    return JSONResponse({"replies": found, "statuses": statuses})


async def show(request: Request) -> HTMLResponse:
    headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY}
    return HTMLResponse(page(request.app.state.stage), headers=headers)


CONTROLS = [
    Route("/", show),
    Route("/_control", control, methods=["GET", "POST"]),
    Route("/_citizen", act, methods=["POST"]),
    Route("/_replies", replies),
]
