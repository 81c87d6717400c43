"""GraphQL over HTTP (the GraphQL-over-HTTP specification): which format is accepted, how it fails.

`application/json` keeps to what old clients expect: 200 whenever a document was received at all.
`application/graphql-response+json` says 4xx and has no `data` where nothing was executed.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, nullcontext
from hashlib import sha256
from typing import Any

import orjson
from graphql import OperationType
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from api.context import Context
from api.presenting import extensions_of
from api.transport.compression import compressed
from api.transport.events import TooManyStreams
from api.transport.execution import Asked, BodyInvalid, Execution, Refused, Result, asked_in
from api.viewer import IssuerUnavailable
from domain.errors import DomainError, InvalidInput

BODY_BYTES_MAX = 256 * 1024  # above the longest text, however JSON writes it
PUBLIC_SECONDS = 5  # that a public answer may be old in a cache; rankings move within a second
WATCHED_AFTER_SECONDS = 0.05  # most answers are there before anybody could leave
JSON, GRAPHQL = "application/json", "application/graphql-response+json"
EVENTS, MULTIPART = "text/event-stream", "multipart/mixed"


class BodyTooLarge(DomainError):
    """The request is larger than {limit} bytes."""


class MediaTypeUnsupported(InvalidInput):
    """Send application/json in UTF-8."""

    field = "Content-Type"


class NotAcceptable(InvalidInput):
    """Answers are application/graphql-response+json, application/json, or a stream of these."""

    field = "Accept"


class MethodNotAllowed(InvalidInput):
    """A mutation is sent by POST."""

    field = "method"


class StreamNotAccepted(InvalidInput):
    """A subscription is followed over a socket, or accepts text/event-stream or multipart/mixed."""

    field = "Accept"


STATUS: dict[type[DomainError], int] = {
    BodyTooLarge: 413,
    MediaTypeUnsupported: 415,
    NotAcceptable: 406,
    StreamNotAccepted: 406,
    MethodNotAllowed: 405,
    IssuerUnavailable: 503,
    TooManyStreams: 503,
}


def accepted(header: str | None, offered: tuple[str, ...]) -> str:
    """The offered media type the client likes best; of equal ones the first it names.

    Raises NotAcceptable.
    """
    if not header or not header.strip():
        return offered[0]
    best: tuple[float, str] | None = None
    for part in header.split(","):
        media, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = _quality(parameters)
        match = next((each for each in offered if media in (each, _any_of(each), "*/*")), None)
        if match and quality > (best[0] if best else 0.0):
            best = quality, match
    if best is None:
        raise NotAcceptable
    return best[1]


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def _any_of(media: str) -> str:
    return media.split("/", maxsplit=1)[0] + "/*"


async def read_asked(request: Request) -> Asked:
    """Raises BodyTooLarge, BodyInvalid, MediaTypeUnsupported or BodyInvalid."""
    if request.method == "GET":
        return _in_address(request.query_params)
    media, _, parameters = request.headers.get("content-type", "").partition(";")
    if media.strip().lower() != JSON or not _is_utf_8(parameters):
        raise MediaTypeUnsupported
    body = await read_body(request)
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise BodyInvalid(reason="it is not JSON in UTF-8") from None
    return asked_in(given)


def _is_utf_8(parameters: str) -> bool:
    name, _, value = parameters.partition("=")
    return name.strip().lower() != "charset" or value.strip(' "').lower() in ("utf-8", "utf8")


def _in_address(given: Mapping[str, str]) -> Asked:
    asked: dict[str, Any] = {**given}
    for name in ("variables", "extensions"):
        if given.get(name):
            try:
                asked[name] = orjson.loads(given[name])
            except orjson.JSONDecodeError:
                raise BodyInvalid(reason=f"{name} must be JSON") from None
        else:
            asked.pop(name, None)
    return asked_in(asked)


async def read_body(request: Request, *, limit: int = BODY_BYTES_MAX) -> bytes:
    """The whole body. Raises BodyTooLarge as soon as it is, whatever the headers say."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise BodyTooLarge(limit=limit)
    return bytes(body)


async def answer(
    execution: Execution, request: Request, asked: Asked, context: Context, media: str
) -> Response:
    """One result, in the format that is accepted."""
    with execution.observer.operation(context) as seen, seen.under_way():
        return await _answer(execution, request, asked, context, media)


async def _answer(
    execution: Execution, request: Request, asked: Asked, context: Context, media: str
) -> Response:
    try:
        admitted = execution.admit(asked, context.principal)
        kind = admitted.operation.operation
        if kind is OperationType.SUBSCRIPTION:
            return refusal(StreamNotAccepted(), media)
        if request.method == "GET" and kind is not OperationType.QUERY:
            return refusal(MethodNotAllowed(), media, {"Allow": "POST"})
        # A command goes on, whoever waits for its answer.
        waiting = while_connected(request) if kind is OperationType.QUERY else nullcontext()
        async with waiting:
            result = await execution.execute(admitted, asked, context)
        if request.method == "GET" and context.bearer.scope is None and "errors" not in result:
            # What is left of one visitor's budget is nothing to others, and new each time.
            del result["extensions"]
            response = cacheable(encoded(result, media), request.headers.get("if-none-match"))
        else:
            response = encoded(result, media)
        return compressed(response, request.headers.get("accept-encoding"))
    except Refused as refused:
        if refused.retry_after_seconds is not None:
            headers = {"Retry-After": str(refused.retry_after_seconds)}
            return encoded(refused.result(), media, status=429, headers=headers)
        return encoded(refused.result(), media, status=400 if media == GRAPHQL else 200)


@asynccontextmanager
async def while_connected(request: Request) -> AsyncIterator[None]:
    """End the block when the client leaves, and its SQL with it. Raises ClientDisconnect then.

    The body must have been read.
    """
    asking = asyncio.current_task()
    assert asking is not None, "a request is answered in a task"  # noqa: S101
    watching: asyncio.Task[None] | None = None

    async def watch() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        asking.cancel()

    def begin() -> None:
        nonlocal watching
        watching = asyncio.create_task(watch())

    beginning = asyncio.get_running_loop().call_later(WATCHED_AFTER_SECONDS, begin)
    try:
        yield
    except asyncio.CancelledError:
        if watching is not None and watching.done() and asking.uncancel() == 0:
            raise ClientDisconnect from None
        raise
    finally:
        beginning.cancel()
        if watching is not None:
            watching.cancel()


def cacheable(response: Response, known: str | None, *, seconds: int = PUBLIC_SECONDS) -> Response:
    """What anybody may see, for caches on the way; 304 to who has just that, however encoded."""
    tag = f'"{sha256(response.body).hexdigest()[:32]}"'
    # Weak: the same answer is other bytes in another encoding.
    response.headers["ETag"] = f"W/{tag}"
    response.headers["Cache-Control"] = f"public, max-age={seconds}"
    if tag in (each.strip().removeprefix("W/") for each in (known or "").split(",")):
        told = ("etag", "cache-control", "vary")
        headers = {name: value for name, value in response.headers.items() if name in told}
        return Response(status_code=304, headers=headers)
    return response


def encoded(
    result: Result, media: str, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    return Response(
        orjson.dumps(result),
        status_code=status,
        headers={"Vary": "Accept, Accept-Encoding, Authorization", **(headers or {})},
        media_type=f"{media}; charset=utf-8",
    )


def refusal(error: DomainError, media: str, headers: Mapping[str, str] | None = None) -> Response:
    """Of a request that is none of ours to execute."""
    told = {"message": str(error), "extensions": extensions_of(error)}
    status = STATUS.get(type(error), 400)
    if isinstance(error, BodyTooLarge):  # whatever of it is still on its way is not even taken in
        headers = {**(headers or {}), "Connection": "close"}
    return encoded({"errors": [told]}, media, status=status, headers=headers)
