"""What goes wrong on purpose, set by `POST /_control`."""

import asyncio
import random
from collections import deque
from collections.abc import Hashable
from time import monotonic

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

OVERSIZE_BYTES = 3 * 1024 * 1024


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the next call of a platform meets."""

    platform: str
    code: int | None = None  # an error of the platform's own
    description: str = ""
    retry_after: int | None = None
    status: int | None = None  # instead of any answer of the platform
    location: str | None = None  # with a status of 3xx
    oversize: bool = False
    lost: bool = False  # done, but the answer never arrives
    hang_seconds: float = 0.0  # before the call is looked at


class Control(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A change of the settings below; what is missing stays as it is."""

    duplicates: float | None = None  # share of webhooks that are delivered twice
    shuffle: bool | None = None  # webhooks overtake each other
    timeout_after_accept: float | None = None  # share of calls that are done and not answered
    outage: list[str] | None = None  # platforms that answer 503
    rate_limits: bool | None = None
    retry_seconds: float | None = None  # until a webhook that failed comes again; doubles
    fail_next: list[Fault] = []
    close: list[str] = []  # names of posts and chats that take no replies any more
    open: list[str] = []
    block: list[str] = []  # citizens who do not want to be written to, as «vk:5»
    unblock: list[str] = []
    reset: bool = False  # forget everything first


class Settings(msgspec.Struct, kw_only=True):
    duplicates: float = 0.0
    shuffle: bool = False
    timeout_after_accept: float = 0.0
    outage: list[str] = []
    rate_limits: bool = True
    retry_seconds: float = 1.0


class Faults:
    def __init__(self) -> None:
        self.settings = Settings()
        self.next: dict[str, deque[Fault]] = {}
        self._calls: dict[Hashable, deque[float]] = {}

    def change(self, control: Control) -> None:
        for name in self.settings.__struct_fields__:
            value = getattr(control, name)
            if value is not None:
                setattr(self.settings, name, value)
        for fault in control.fail_next:
            self.next.setdefault(fault.platform, deque()).append(fault)

    def reset(self) -> None:
        self.settings, self.next, self._calls = Settings(), {}, {}

    def take_code(self, platform: str) -> Fault | None:
        """The error the platform itself has to answer with, if it is its turn."""
        waiting = self.next.get(platform)
        return waiting.popleft() if waiting and waiting[0].code is not None else None

    def take(self, platform: str) -> Fault | None:
        waiting = self.next.get(platform)
        return waiting.popleft() if waiting and waiting[0].code is None else None

    def too_many(self, key: Hashable, count: int, seconds: float) -> float | None:
        """Count a call; seconds until the next is allowed, or None if this one is."""
        if not self.settings.rate_limits:
            return None
        calls, now = self._calls.setdefault(key, deque()), monotonic()
        while calls and calls[0] <= now - seconds:
            calls.popleft()
        if len(calls) >= count:
            return calls[0] + seconds - now
        calls.append(now)
        return None


class Faulty:
    """Stands before the API of a platform and lets its calls go wrong on the way."""

    def __init__(self, app: ASGIApp, platform: str, faults: Faults) -> None:
        self.app = app
        self.platform = platform
        self.faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        settings = self.faults.settings
        fault = self.faults.take(self.platform) or Fault(platform=self.platform)
        await asyncio.sleep(fault.hang_seconds)
        if self.platform in settings.outage:
            await answer(send, 503)
        elif fault.oversize:
            await answer(send, 200, body=b"x" * OVERSIZE_BYTES)
        elif fault.status is not None:
            await answer(send, fault.status, location=fault.location)
        else:
            lost = fault.lost or random.random() < settings.timeout_after_accept
            await self.app(scope, receive, cut(send) if lost else send)


async def answer(
    send: Send, status: int, *, body: bytes = b"", location: str | None = None
) -> None:
    headers = [(b"location", location.encode())] if location else []
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def cut(send: Send) -> Send:
    """The answer as far as its headers; then the server closes the connection."""

    async def send_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            await send(message)

    return send_headers
