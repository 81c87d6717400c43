"""Thousands of followers in a process of their own: each a raw WebSocket that notes what it hears.

A real client library would spend more on a message than the server does, on the same machine.
"""

import asyncio
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import cast

import orjson
import uvloop

CONNECTING = 20  # at once
TEXT, PING, PONG = 1, 9, 10
UPGRADE = (
    b"GET /graphql HTTP/1.1\r\nHost: tsur\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
)


@dataclass(frozen=True, slots=True)
class Heard:
    """Of one follower: the cursors in their order, and when each was here (time.monotonic)."""

    cursors: list[str]
    at: list[float]


@dataclass
class Follower(asyncio.Protocol):
    token: str
    query: str
    after: str | None
    heard: Heard = field(default_factory=lambda: Heard([], []))
    buffer: bytearray = field(default_factory=bytearray)
    upgraded: bool = False
    closed: bytes = b""
    refused: object = None
    stalled: bool = False
    transport: asyncio.Transport = field(init=False)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.joined = asyncio.get_running_loop().create_future()
        self.transport.write(UPGRADE)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.joined.done():
            self.joined.set_exception(
                error or ConnectionError(f"closed before it was served: {self.closed!r}")
            )

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        self.buffer += data
        if not self.upgraded:
            self._upgrade()
        while (frame := self._frame()) is not None:
            self._take(*frame, now)

    def _upgrade(self) -> None:
        end = self.buffer.find(b"\r\n\r\n")
        if end >= 0:
            assert self.buffer.startswith(b"HTTP/1.1 101"), bytes(self.buffer)
            del self.buffer[: end + 4]
            self.upgraded = True
            bearer = {"Authorization": f"Bearer {self.token}"}
            self._send(TEXT, orjson.dumps({"type": "connection_init", "payload": bearer}))

    def _frame(self) -> tuple[int, bytes] | None:
        """The next whole one: its kind, and what it carries."""
        buffer, start = self.buffer, 2
        if not self.upgraded or len(buffer) < start:
            return None
        length = buffer[1]
        if length == 126 and len(buffer) >= 4:
            (length,), start = struct.unpack_from("!H", buffer, 2), 4
        elif length == 127 and len(buffer) >= 10:
            (length,), start = struct.unpack_from("!Q", buffer, 2), 10
        if len(buffer) < start + length:
            return None
        kind, carried = buffer[0] & 15, bytes(buffer[start : start + length])
        del buffer[: start + length]
        return kind, carried

    def _take(self, kind: int, carried: bytes, now: float) -> None:
        if kind == PING:
            self._send(PONG, carried)
        if kind != TEXT:
            self.closed = carried
            return
        message = orjson.loads(carried)
        match message["type"]:
            case "connection_ack":
                payload = {"query": self.query, "variables": {"after": self.after}}
                subscribe = {"id": "1", "type": "subscribe", "payload": payload}
                self._send(TEXT, orjson.dumps(subscribe))
            # How far the stream is; who knows no watermarks fails to execute one.
            case "ping" | "next" if not (message["payload"] or {}).get("data"):
                if not self.joined.done():
                    self.joined.set_result(None)
            case "next":
                (change,) = message["payload"]["data"].values()
                self.heard.cursors.append(change["cursor"])
                self.heard.at.append(now)
            case _:
                self.refused = message

    def _send(self, kind: int, carried: bytes) -> None:
        size = len(carried)
        length = bytes([0x80 | size]) if size < 126 else struct.pack("!BH", 0xFE, size)
        # Masked by zeros, which masks nothing: the server undoes it all the same.
        self.transport.write(bytes([0x80 | kind]) + length + bytes(4) + carried)


class Followers:
    """All of them, told by a pipe what to do."""

    def __init__(self, pipe: Connection) -> None:
        self.pipe = pipe

    def join(
        self, port: int, tokens: Sequence[str], queries: Sequence[str], after: str, *, stalled: int
    ) -> None:
        """One for each token and query; returns when all are served.

        The first `stalled` of them read nothing from then on, though they stay.
        """
        self._told("join", port, tokens, queries, after, stalled)

    def heard(self, each: int) -> list[Heard]:
        """What each that reads has heard, once all have heard so many; all leave."""
        self.pipe.send(("heard", each))
        found: list[Heard] = self.pipe.recv()
        return found

    def _told(self, *words: object) -> None:
        self.pipe.send(words)
        assert self.pipe.recv() == "done"


@contextmanager
def followers() -> Iterator[Followers]:
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_run, args=(theirs,), daemon=True)
    process.start()
    theirs.close()  # so that its death ends what we wait for
    try:
        yield Followers(ours)
    finally:
        process.terminate()
        process.join()


def _run(pipe: Connection) -> None:
    uvloop.run(_obey(pipe))


async def _obey(pipe: Connection) -> None:
    loop = asyncio.get_running_loop()
    joined: list[Follower] = []
    while True:
        match await loop.run_in_executor(None, pipe.recv):
            case "join", port, tokens, queries, after, stalled:
                made = [Follower(*each, after) for each in zip(tokens, queries, strict=True)]
                limit = asyncio.Semaphore(CONNECTING)
                await asyncio.gather(*(_join(each, port, limit) for each in made))
                for one in made[:stalled]:
                    one.stalled = True
                    one.transport.pause_reading()
                joined += made
                pipe.send("done")
            case "heard", each:
                reading = [one for one in joined if not one.stalled]
                while min(len(one.heard.at) for one in reading) < each:
                    await asyncio.sleep(0.05)
                    assert not (refused := next((o.refused for o in joined if o.refused), None)), (
                        refused
                    )
                for one in joined:
                    one.transport.abort()
                pipe.send([one.heard for one in reading])
                joined = []


async def _join(follower: Follower, port: int, limit: asyncio.Semaphore) -> None:
    async with limit:
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: follower, "127.0.0.1", port)
        await follower.joined
