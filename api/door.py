"""The GraphQL endpoint: who asks, what is accepted, and which protocol carries the answer."""

from collections.abc import Callable
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from api.context import Context
from api.telemetry.caller import CLIENT_HEADERS, Caller
from api.transport import events, http
from api.transport.execution import Execution
from api.transport.http import EVENTS, GRAPHQL, JSON, MULTIPART
from api.transport.sockets import OPERATIONS_MAX, Socket, TooManyOperations
from api.viewer import IssuerUnavailable, Viewer, ViewerOf
from domain.errors import DomainError, NotPermitted

OFFERED = (JSON, GRAPHQL, EVENTS, MULTIPART)
STREAM_TOKEN = "x-graphql-event-stream-token"  # noqa: S105 - the name of a header
METHODS = ["GET", "POST", "PUT", "DELETE"]


class Door:
    """An ASGI application for one path."""

    def __init__(
        self,
        execution: Execution,
        make_context: Callable[[Viewer, Caller, str | None], Context],  # with its Authorization
        viewer_of: ViewerOf,
        page: Callable[[Request], Response],
    ) -> None:
        self.execution = execution
        self.make_context = make_context
        self.viewer_of = viewer_of
        self.page = page  # what a browser is shown
        self.reserved = events.ReservedStreams()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._follow(WebSocket(scope, receive, send))
            return
        request = Request(scope, receive)
        try:
            response = await self._answer(request)
        except ClientDisconnect:
            return  # who sent half a request waits for no answer
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        accept = request.headers.get("accept")
        media = JSON
        try:
            if request.method == "GET" and _wants_page(request):
                return self.page(request)
            viewer = await self.viewer_of(request.headers.get("authorization"))
            if request.method in ("PUT", "DELETE") or STREAM_TOKEN in request.headers:
                return await self._reserved(request, viewer)
            media = http.accepted(accept, OFFERED)
            asked = await http.read_asked(request)
        except NotPermitted as refusal:
            self.execution.observer.refused(refusal.code)
            challenge = {"WWW-Authenticate": 'Bearer realm="tsur"'}
            return http.encoded(_errors(refusal), _told_in(media), status=401, headers=challenge)
        except DomainError as refusal:
            self.execution.observer.refused(refusal.code)
            return http.refusal(refusal, _told_in(media))
        context = self._context(viewer, request)
        if media == EVENTS:
            context.resume = request.headers.get("last-event-id")
            return events.event_stream(events.results_of(self.execution, asked, context))
        if media == MULTIPART:
            return events.multipart(events.results_of(self.execution, asked, context))
        return await http.answer(self.execution, request, asked, context, media)

    async def _reserved(self, request: Request, viewer: Viewer) -> Response:
        """The single connection mode of graphql-sse."""
        if request.method == "PUT":
            return PlainTextResponse(self.reserved.reserve(viewer.name), status_code=201)
        token = request.headers.get(STREAM_TOKEN) or request.query_params.get("token") or ""
        stream = self.reserved.find(token, viewer.name)
        if stream is None:
            return PlainTextResponse("No such stream", status_code=404)
        if request.method == "GET":
            if stream.opened:
                return PlainTextResponse("The stream is open already", status_code=409)
            return self.reserved.open(token, self._context(viewer, request))
        if request.method == "DELETE":
            stream.stop(request.query_params.get("operationId", ""))
            return Response(status_code=200)
        asked = await http.read_asked(request)
        operation = asked.extensions.get("operationId")
        if not isinstance(operation, str) or operation in stream.running:
            return PlainTextResponse("Name the operation by a new operationId", status_code=400)
        if len(stream.running) >= OPERATIONS_MAX:
            return http.refusal(TooManyOperations(limit=OPERATIONS_MAX), JSON)
        context = self._context(viewer, request)
        stream.start(operation, events.results_of(self.execution, asked, context))
        return Response(status_code=202)

    def _context(self, viewer: Viewer, request: Request) -> Context:
        caller = Caller.of(request.headers, request.client)
        return self.make_context(viewer, caller, request.headers.get("authorization"))

    async def _follow(self, socket: WebSocket) -> None:
        try:
            bearer = await self.viewer_of(socket.headers.get("authorization"))
        except (NotPermitted, IssuerUnavailable) as refusal:
            self.execution.observer.refused(refusal.code)
            await socket.close()  # it is not even accepted
            return

        async def authenticate(given: dict[str, Any]) -> Context:
            # A browser cannot set headers on a socket: its token comes with connection_init.
            given_token = given.get("Authorization") or given.get("authorization")
            token = socket.headers.get("authorization") if given_token is None else f"{given_token}"
            viewer = bearer if given_token is None else await self.viewer_of(token)
            named = {name: str(given[name]) for name in CLIENT_HEADERS if given.get(name)}
            caller = Caller.of({**socket.headers, **named}, socket.client)
            return self.make_context(viewer, caller, token)

        await Socket(socket, self.execution, authenticate).run()


def _wants_page(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "") and not request.query_params.get(
        "query"
    )


def _told_in(media: str) -> str:
    """Of what is refused before anything is streamed."""
    return media if media in (JSON, GRAPHQL) else JSON


def _errors(refusal: DomainError) -> dict[str, Any]:
    return {"errors": [{"message": str(refusal), "extensions": {"code": refusal.code}}]}
