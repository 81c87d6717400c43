"""The GraphQL endpoint: strawberry's view behind a check of who asks and of what was sent."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.exceptions import ConnectionRejectionError
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL

from api.context import Context
from api.schema import schema
from api.viewer import Viewer
from domain.errors import DomainError, NotPermitted

BODY_BYTES_MAX = 4 * 1024 * 1024  # above the longest text, with room to say which field is too long


class BodyTooLarge(DomainError):
    """The request is larger than {limit} bytes."""


class BodyInvalid(DomainError):
    """The request is not a JSON object in UTF-8 with a text `query`."""


STATUS = {NotPermitted: 401, BodyTooLarge: 413, BodyInvalid: 400}


class Door(GraphQL[Context, None]):
    """Strawberry's view with our context, and JSON that keeps Cyrillic as it is."""

    def __init__(
        self,
        make_context: Callable[[Viewer], Context],
        read_viewer: Callable[[str | None], Viewer],
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
        self.read_viewer = read_viewer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        try:
            request = Request(scope, receive)
            self.read_viewer(request.headers.get("authorization"))
            body = await read_body(request)
            check_body(body)
        except DomainError as refusal:
            await _refused(refusal)(scope, receive, send)
            return
        await super().__call__(scope, _given_again(body), send)

    async def get_context(
        self, request: Request | WebSocket, response: Response | WebSocket
    ) -> Context:
        authorization = request.headers.get("authorization")
        if isinstance(request, WebSocket) and authorization is None:
            # A browser cannot set headers on a socket: its token comes with connection_init.
            return self.make_context(self.read_viewer(None))
        return self.make_context(self.read_viewer(authorization))

    async def on_ws_connect(self, context: Context) -> Any:
        given = context.connection_params or {}
        token = given.get("Authorization") or given.get("authorization")
        if token is not None:
            try:
                context.viewer = self.read_viewer(str(token))
            except NotPermitted:
                raise ConnectionRejectionError from None
        return await super().on_ws_connect(context)

    def encode_json(self, data: object) -> str:
        # Text, not bytes: of bytes strawberry would make binary frames, which clients drop.
        return orjson.dumps(data).decode()


async def read_body(request: Request) -> bytes:
    """The whole body. Raises BodyTooLarge as soon as it is, whatever the headers say."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            raise BodyTooLarge(limit=BODY_BYTES_MAX)
    return bytes(body)


def check_body(body: bytes) -> None:
    """Raises BodyInvalid for what strawberry would answer with a 500: not UTF-8, `5`, too deep."""
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise BodyInvalid from None
    if not isinstance(request, dict) or not isinstance(request.get("query"), str):
        raise BodyInvalid


def _given_again(body: bytes) -> Receive:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def _refused(refusal: DomainError) -> Response:
    error = {"message": str(refusal), "extensions": {"code": refusal.code}}
    return Response(
        orjson.dumps({"errors": [error]}),
        status_code=STATUS[type(refusal)],
        media_type="application/json",
    )
