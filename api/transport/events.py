"""Streams over HTTP: server-sent events (graphql-sse, both modes), and multipart subscriptions."""

import asyncio
import secrets
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.responses import StreamingResponse

from api.context import Context
from api.transport.execution import Asked, Execution, Refused, Result
from domain.errors import DomainError

SILENCE_SECONDS = 12.0  # then something is said, so that nothing between takes the line for dead
RESERVED_SECONDS = 60.0  # a reserved stream that nobody opens is forgotten
OPERATIONS_MAX = 20  # at once on one reserved stream
RESERVED_MAX = 10_000  # of a process; each is a few kilobytes
PENDING_MAX = 2_000
NO_STORE = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class TooManyStreams(DomainError):
    """This server has as many reserved streams as it takes; try again in a minute."""


def event_stream(results: AsyncGenerator[Result, None]) -> StreamingResponse:
    """Distinct connections mode: one operation, its results, then `complete`."""

    async def lines() -> AsyncGenerator[bytes, None]:
        yield b":\n\n"  # the client knows at once that it is listened to
        async for result in _with_silence(results):
            yield b":\n\n" if result is None else _event("next", result)
        yield _event("complete", None)

    return StreamingResponse(lines(), media_type="text/event-stream", headers=NO_STORE)


def multipart(results: AsyncGenerator[Result, None]) -> StreamingResponse:
    """Apollo's multipart subscriptions: each result a part, `{}` where there is silence."""

    async def parts() -> AsyncGenerator[bytes, None]:
        yield b"\r\n--graphql\r\nContent-Type: application/json\r\n\r\n{}\r\n--graphql"
        async for result in _with_silence(results):
            part = orjson.dumps({} if result is None else _payload(result))
            yield b"\r\nContent-Type: application/json\r\n\r\n" + part + b"\r\n--graphql"
        yield b"--\r\n"

    media = 'multipart/mixed;boundary="graphql";subscriptionSpec="1.0"'
    return StreamingResponse(parts(), media_type=media, headers=NO_STORE)


def _payload(result: Result) -> dict[str, Any]:
    if "data" in result:
        return {"payload": result}
    return {"payload": None, "errors": result["errors"]}


async def results_of(
    execution: Execution, asked: Asked, context: Context
) -> AsyncGenerator[Result, None]:
    """A refused operation is a result as well: the stream is answered either way."""
    try:
        async with aclosing(execution.stream(asked, context)) as results:
            async for result in results:
                yield result
    except Refused as refused:
        yield refused.result()


async def _with_silence(
    results: AsyncGenerator[Result, None],
) -> AsyncGenerator[Result | None, None]:
    """None whenever nothing came for SILENCE_SECONDS."""
    waiting: asyncio.Task[Result] | None = None
    try:
        while True:
            waiting = waiting or asyncio.ensure_future(anext(results))
            done, _ = await asyncio.wait({waiting}, timeout=SILENCE_SECONDS)
            if not done:
                yield None
                continue
            try:
                result = waiting.result()
            except StopAsyncIteration:
                return
            waiting = None
            yield result
    finally:
        if waiting is not None:
            waiting.cancel()
            with suppress(asyncio.CancelledError, StopAsyncIteration):
                await waiting  # a generator that still runs cannot be closed
        await results.aclose()


def _event(name: str, data: object) -> bytes:
    body = b"" if data is None else orjson.dumps(data)
    return b"event: " + name.encode() + b"\ndata: " + body + b"\n\n"


@dataclass
class Reserved:
    """A stream of the single connection mode: opened once, for several operations."""

    viewer: str  # who reserved it; a token that was guessed opens nothing to another
    opened: bool = False
    waiting: asyncio.Queue[tuple[str, object]] = field(
        default_factory=lambda: asyncio.Queue(PENDING_MAX)
    )
    running: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    def start(self, name: str, results: AsyncGenerator[Result, None]) -> None:
        self.running[name] = asyncio.create_task(self._carry(name, results))

    async def _carry(self, name: str, results: AsyncGenerator[Result, None]) -> None:
        async with aclosing(results) as following:
            async for result in following:
                await self.waiting.put(("next", {"id": name, "payload": result}))
        await self.waiting.put(("complete", {"id": name}))
        self.running.pop(name, None)

    def stop(self, name: str) -> None:
        task = self.running.pop(name, None)
        if task is not None:
            task.cancel()

    async def lines(self) -> AsyncGenerator[bytes, None]:
        try:
            yield b":\n\n"
            while True:
                try:
                    async with asyncio.timeout(SILENCE_SECONDS):
                        name, data = await self.waiting.get()
                except TimeoutError:
                    yield b":\n\n"
                else:
                    yield _event(name, data)
        finally:
            self.end()

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

    def open(self, token: str) -> StreamingResponse:
        stream = self._streams[token]
        stream.opened = True

        async def lines() -> AsyncGenerator[bytes, None]:
            try:
                async with aclosing(stream.lines()) as following:
                    async for line in following:
                        yield line
            finally:
                self._streams.pop(token, None)

        return StreamingResponse(lines(), media_type="text/event-stream", headers=NO_STORE)
