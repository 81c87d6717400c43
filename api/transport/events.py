"""Streams over HTTP: server-sent events (graphql-sse, both modes), and multipart subscriptions."""

import asyncio
import secrets
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass, field

import orjson
from starlette.responses import StreamingResponse

from api.context import Context
from api.expiry import end_when_expired
from api.transport.execution import Asked, Execution
from api.transport.groups import Told
from domain.errors import DomainError

SILENCE_SECONDS = 12.0  # then something is said, so that nothing between takes the line for dead
RESERVED_SECONDS = 60.0  # a reserved stream that nobody opens is forgotten
OPERATIONS_MAX = 20  # at once on one reserved stream
RESERVED_MAX = 10_000  # of a process; each is a few kilobytes
PENDING_MAX = 100  # of a reserved stream; whoever reads slowly holds its operations up
NO_STORE = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class TooManyStreams(DomainError):
    """This server has as many reserved streams as it takes; try again in a minute."""


def event_stream(results: AsyncGenerator[Told, None]) -> StreamingResponse:
    """Distinct connections mode: one operation, its results, then `complete`.

    The `id` of an event is the cursor that a browser sends as Last-Event-ID when it comes back.
    """

    async def lines() -> AsyncGenerator[bytes, None]:
        yield b":\n\n"  # the client knows at once that it is listened to
        async for told in _with_silence(results):
            mark = f"id: {told.cursor}\n".encode() if told.cursor else b""
            yield mark + (_event("next", _result(told)) if _is_result(told) else b":\n\n")
        yield _event("complete", b"")

    return StreamingResponse(lines(), media_type="text/event-stream", headers=NO_STORE)


def multipart(results: AsyncGenerator[Told, None]) -> StreamingResponse:
    """Apollo's multipart subscriptions: each result a part, `{}` where there is silence."""

    async def parts() -> AsyncGenerator[bytes, None]:
        yield b"\r\n--graphql\r\nContent-Type: application/json\r\n\r\n{}\r\n--graphql"
        async for told in _with_silence(results):
            yield b"\r\nContent-Type: application/json\r\n\r\n" + _part(told) + b"\r\n--graphql"
        yield b"--\r\n"

    media = 'multipart/mixed;boundary="graphql";subscriptionSpec="1.0"'
    return StreamingResponse(parts(), media_type=media, headers=NO_STORE)


def _part(told: Told) -> bytes:
    if told.payload is not None:
        return b'{"payload":' + told.payload + b"}"
    return orjson.dumps({} if told.errors is None else {"payload": None, "errors": told.errors})


def _is_result(told: Told) -> bool:
    return told.payload is not None or told.errors is not None


def _result(told: Told) -> bytes:
    return told.payload or orjson.dumps({"errors": told.errors})


async def results_of(
    execution: Execution, asked: Asked, context: Context
) -> AsyncGenerator[Told, None]:
    """What is told of an operation, until the token expires."""
    expiring = asyncio.create_task(end_when_expired(context))
    try:
        async with aclosing(execution.stream(asked, context)) as results:
            async for told in results:
                yield told
    finally:
        expiring.cancel()


async def _with_silence(results: AsyncGenerator[Told, None]) -> AsyncGenerator[Told, None]:
    """Told of nothing whenever nothing came for SILENCE_SECONDS."""
    waiting: asyncio.Task[Told] | None = None
    try:
        while True:
            waiting = waiting or asyncio.ensure_future(anext(results))
            done, _ = await asyncio.wait({waiting}, timeout=SILENCE_SECONDS)
            if not done:
                yield Told()
                continue
            try:
                told = waiting.result()
            except StopAsyncIteration:
                return
            waiting = None
            yield told
    finally:
        if waiting is not None:
            waiting.cancel()
            with suppress(asyncio.CancelledError, StopAsyncIteration):
                await waiting  # a generator that still runs cannot be closed
        await results.aclose()


def _event(name: str, body: bytes) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + body + b"\n\n"


@dataclass
class Reserved:
    """A stream of the single connection mode: opened once, for several operations."""

    viewer: str  # who reserved it; a token that was guessed opens nothing to another
    opened: bool = False
    waiting: asyncio.Queue[bytes] = field(default_factory=lambda: asyncio.Queue(PENDING_MAX))
    running: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    def start(self, name: str, results: AsyncGenerator[Told, None]) -> None:
        self.running[name] = asyncio.create_task(self._carry(name, results))

    async def _carry(self, name: str, results: AsyncGenerator[Told, None]) -> None:
        id = orjson.dumps(name)
        async with aclosing(results) as following:
            async for told in following:
                if _is_result(told):
                    body = b'{"id":' + id + b',"payload":' + _result(told) + b"}"
                    await self.waiting.put(_event("next", body))
        await self.waiting.put(_event("complete", b'{"id":' + id + b"}"))
        self.running.pop(name, None)

    def stop(self, name: str) -> None:
        task = self.running.pop(name, None)
        if task is not None:
            task.cancel()

    async def lines(self) -> AsyncGenerator[bytes, None]:
        try:
            event = b":\n\n"
            while event:
                yield event
                try:
                    async with asyncio.timeout(SILENCE_SECONDS):
                        event = await self.waiting.get()
                except TimeoutError:
                    event = b":\n\n"
        finally:
            self.end()

    async def end_with(self, context: Context) -> None:
        """Close the line once its context ended, behind the last words of the operations."""
        await asyncio.shield(context.ended)
        if self.running:
            await asyncio.wait(self.running.values())
        await self.waiting.put(b"")

    def end(self) -> None:
        for task in self.running.values():
            task.cancel()


class ReservedStreams:
    """By their token, of this process."""

    def __init__(self) -> None:
        self._streams: dict[str, Reserved] = {}

    def reserve(self, viewer: str) -> str:
        """Raises TooManyStreams: whoever reserves may be nobody we know."""
        if len(self._streams) >= RESERVED_MAX:
            raise TooManyStreams
        token = secrets.token_urlsafe(24)
        self._streams[token] = Reserved(viewer)
        asyncio.get_running_loop().call_later(RESERVED_SECONDS, self._forget, token)
        return token

    def _forget(self, token: str) -> None:
        stream = self._streams.get(token)
        if stream is not None and not stream.opened:
            del self._streams[token]
            stream.end()

    def find(self, token: str | None, viewer: str) -> Reserved | None:
        stream = self._streams.get(token or "")
        return stream if stream and stream.viewer == viewer else None

    def open(self, token: str, context: Context) -> StreamingResponse:
        stream = self._streams[token]
        stream.opened = True

        async def lines() -> AsyncGenerator[bytes, None]:
            ending = asyncio.create_task(stream.end_with(context))
            try:
                async with aclosing(stream.lines()) as following:
                    async for line in following:
                        yield line
            finally:
                ending.cancel()
                self._streams.pop(token, None)

        return StreamingResponse(lines(), media_type="text/event-stream", headers=NO_STORE)
