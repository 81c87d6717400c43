"""The GraphQL endpoint: strawberry's view behind a check of who asks and of what was sent."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.exceptions import ConnectionRejectionError
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL

from api.context import Context
from api.expiry import close_when_expired
from api.schema import schema
from api.viewer import IssuerUnavailable, Viewer, ViewerOf
from domain.errors import DomainError, NotPermitted

BODY_BYTES_MAX = 4 * 1024 * 1024  # above the longest text, with room to say which field is too long
WATCH = "tsur.watch"  # where a socket's scope keeps the task that closes it


class BodyTooLarge(DomainError):
    """The request is larger than {limit} bytes."""


class BodyInvalid(DomainError):
    """The request is not a JSON object in UTF-8 with a text `query`."""


STATUS = {NotPermitted: 401, IssuerUnavailable: 503, BodyTooLarge: 413, BodyInvalid: 400}


class Door(GraphQL[Context, None]):
    """Strawberry's view with our context, and JSON that keeps Cyrillic as it is."""

    def __init__(
        self,
        make_context: Callable[[Viewer], Context],
        viewer_of: ViewerOf,
    ) -> None:
        super().__init__(
            schema,
            graphql_ide=None,
            allow_queries_via_get=False,
            subscription_protocols=[GRAPHQL_TRANSPORT_WS_PROTOCOL],
            connection_init_wait_timeout=timedelta(seconds=5),
            max_subscriptions_per_connection=20,
        )
        self.make_context = make_context
        self.viewer_of = viewer_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self.viewer_of(HTTPConnection(scope).headers.get("authorization"))
            if scope["type"] == "http":
                body = await read_body(Request(scope, receive))
                check_body(body)
                receive = _given_again(body, receive)
        except DomainError as refusal:
            await _refuse(refusal, scope, receive, send)
        except ClientDisconnect:
            pass  # who sent half a request waits for no answer
        else:
            try:
                await super().__call__(scope, receive, send)
            finally:
                if WATCH in scope:
                    scope[WATCH].cancel()

    async def get_context(
        self, request: Request | WebSocket, response: Response | WebSocket
    ) -> Context:
        # A browser cannot set headers on a socket: its token comes with connection_init.
        context = self.make_context(await self.viewer_of(request.headers.get("authorization")))
        context.socket = request if isinstance(request, WebSocket) else None
        return context

    async def on_ws_connect(self, context: Context) -> Any:
        given = context.connection_params or {}
        token = given.get("Authorization") or given.get("authorization")
        if token is not None:
            try:
                context.bearer = await self.viewer_of(str(token))
            except (NotPermitted, IssuerUnavailable):
                raise ConnectionRejectionError from None
        if context.socket is not None:
            watch = asyncio.create_task(close_when_expired(context, context.socket))
            context.socket.scope[WATCH] = watch
        return await super().on_ws_connect(context)

    def decode_json(self, data: str | bytes) -> object:
        # orjson refuses what is too deep as it refuses bad syntax; json raises RecursionError.
        return orjson.loads(data)

    def encode_json(self, data: object) -> str:
        # Text, not bytes: of bytes strawberry would make binary frames, which clients drop.
        return orjson.dumps(data).decode()


async def read_body(request: Request, *, limit: int = BODY_BYTES_MAX) -> bytes:
    """The whole body. Raises BodyTooLarge as soon as it is, whatever the headers say."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise BodyTooLarge(limit=limit)
    return bytes(body)


def check_body(body: bytes) -> None:
    """Raises BodyInvalid for what strawberry would answer with a 500: not UTF-8, `5`, too deep."""
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise BodyInvalid from None
    if not isinstance(request, dict) or not isinstance(request.get("query"), str):
        raise BodyInvalid


def _given_again(body: bytes, receive: Receive) -> Receive:
    """The body once more, then whatever comes: a stream waits there for its client to leave."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return messages.pop() if messages else await receive()

    return receive_again


async def _refuse(refusal: DomainError, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the refusal; a socket is not even accepted."""
    if scope["type"] == "websocket":
        await WebSocket(scope, receive, send).close()
        return
    error = {"message": str(refusal), "extensions": {"code": refusal.code}}
    response = Response(
        orjson.dumps({"errors": [error]}),
        status_code=STATUS[type(refusal)],
        media_type="application/json",
    )
    await response(scope, receive, send)
