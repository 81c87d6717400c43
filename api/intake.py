"""The doors for platforms: each request is known by its secret, kept whole, then answered.

2xx means that it is in the inbox and survives whatever happens to us. What is refused is told why
in a typed body, and is not kept.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from anyio import CapacityLimiter, to_thread
from psycopg.rows import class_row
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from api.transport.http import BodyTooLarge, read_body
from domain.errors import DomainError, InvalidInput, NotPermitted, RegionElsewhere
from projections.offices import SourceRow
from projections.pool import ReadPool
from regions.inbox import Inbox
from regions.sources import Access
from regions.store.event_store import StoreUnavailable
from workers.platforms import odnoklassniki, signed, telegram, vk
from workers.platforms.bodies import digest
from workers.platforms.connections import Connections
from workers.platforms.facts import NotUnderstood

BODY_BYTES_MAX = 256 * 1024  # VK, Telegram and OK send less than a tenth of it
PER_SECOND, BURST = 200.0, 1000.0  # requests of one source; a platform comes again later


class UnknownSource(InvalidInput):
    """No open source of this platform has this code."""

    field = "source"


class DeliveryInvalid(InvalidInput):
    """The body is not what this platform sends: {detail}."""

    field = "body"


class RateLimited(DomainError):
    """This source sends more than {limit} requests a second; send again later."""


STATUS: dict[type[DomainError], int] = {
    UnknownSource: 404,
    NotPermitted: 401,
    BodyTooLarge: 413,
    DeliveryInvalid: 400,
    RateLimited: 429,
    RegionElsewhere: 503,  # it has moved: the platform comes again, to the other node
}


class Given(NamedTuple):
    """A request of a platform, read."""

    source: SourceRow
    access: Access
    body: bytes
    request: Request
    now: datetime


@dataclass
class Pace:
    """A bucket of requests that fills up again."""

    left: float = BURST
    at: float = field(default_factory=time.monotonic)

    def take(self) -> None:
        """Raises RateLimited."""
        now = time.monotonic()
        self.left = min(BURST, self.left + (now - self.at) * PER_SECOND)
        self.at = now
        if self.left < 1:
            raise RateLimited(limit=int(PER_SECOND))
        self.left -= 1


@dataclass
class IntakeDoors:
    readers: ReadPool
    inbox: Inbox
    connections: Connections
    clock: Callable[[], datetime]
    threads: CapacityLimiter
    paces: dict[str, Pace] = field(default_factory=dict)

    def routes(self) -> Sequence[Route]:
        return [
            Route("/intake/vk/{source}", self._door("VK", _vk), methods=["POST"]),
            Route("/intake/telegram/{source}", self._door("TELEGRAM", _telegram), methods=["POST"]),
            Route("/intake/ok/{source}/{token}", self._door("OK", _ok), methods=["POST"]),
            Route("/intake/v1/messages", self._door(None, _signed), methods=["POST"]),
        ]

    def _door(self, channel: str | None, of: Callable[[Given], "Kept"]) -> Callable[[Request], Any]:
        async def door(request: Request) -> Response:
            try:
                return await self._take(request, channel, of)
            except ClientDisconnect:
                return Response(status_code=400)  # nobody waits for it
            except NotUnderstood as error:
                return _refused(DeliveryInvalid(detail=error.code))
            except StoreUnavailable:
                return PlainTextResponse("", 503)
            except DomainError as refusal:
                return _refused(refusal)

        return door

    async def _take(
        self, request: Request, channel: str | None, of: Callable[[Given], "Kept"]
    ) -> Response:
        code = request.path_params.get("source") or request.headers.get("x-tsur-source", "")
        source = await self._source(code, channel)
        access = self.connections.access(code)
        if source is None or access is None:
            raise UnknownSource
        body = await read_body(request, limit=BODY_BYTES_MAX)
        kept = of(Given(source, access, body, request, self.clock()))
        if kept.update_key is not None:
            # Only who has shown the secret may use up the source's share.
            self.paces.setdefault(code, Pace()).take()
            await to_thread.run_sync(lambda: self._keep(source, kept, body), limiter=self.threads)
        return kept.answer

    def _keep(self, source: SourceRow, kept: "Kept", body: bytes) -> None:
        self.inbox.keep(source.code, source.region, kept.update_key or "", body, at=self.clock())

    async def _source(self, code: str, channel: str | None) -> SourceRow | None:
        async with (
            self.readers.connection() as connection,
            connection.cursor(row_factory=class_row(SourceRow)) as cursor,
        ):
            await cursor.execute(
                """
                SELECT *
                  FROM source
                 WHERE code = %s
                   AND closed_at IS NULL
                   AND (   channel = %s
                        OR %s::text IS NULL AND channel NOT IN ('VK', 'TELEGRAM', 'OK'))
                """,
                [code, channel, channel],
            )
            return await cursor.fetchone()


class Kept(NamedTuple):
    """What to store under which key, and what to answer then; None: nothing is stored."""

    update_key: str | None
    answer: Response


def _vk(given: Given) -> Kept:
    """Raises NotPermitted or NotUnderstood."""
    if not given.source.address.isdecimal():
        raise UnknownSource  # opened with something that is no id of a community
    if not vk.authentic(given.body, group_id=int(given.source.address), secret=given.access.secret):
        _check_json(given.body)
        raise NotPermitted
    if vk.asks_confirmation(given.body):
        return Kept(None, PlainTextResponse(given.access.confirmation))
    return Kept(vk.update_key(given.body), PlainTextResponse("ok"))


def _telegram(given: Given) -> Kept:
    shown = given.request.headers.get(telegram.SECRET_HEADER)
    if not telegram.authentic(shown, secret=given.access.secret):
        raise NotPermitted
    return Kept(_key(telegram.update_key, given.body), Response(status_code=200))


def _ok(given: Given) -> Kept:
    if not odnoklassniki.authentic(given.request.path_params["token"], token=given.access.secret):
        raise NotPermitted
    key = _key(odnoklassniki.update_key, given.body)
    with suppress(NotUnderstood):
        if odnoklassniki.asks_confirmation(given.body):
            return Kept(None, PlainTextResponse(given.access.confirmation))
    return Kept(key, JSONResponse({"success": True}))


def _signed(given: Given) -> Kept:
    """Signed within five minutes; sent again later it is refused as old, within them repeated."""
    headers = given.request.headers
    genuine = signed.authentic(
        given.body,
        timestamp=headers.get(signed.TIMESTAMP_HEADER),
        signature=headers.get(signed.SIGNATURE_HEADER),
        key=given.access.secret.encode(),
        now=given.now,
    )
    if not genuine:
        raise NotPermitted
    _check_json(given.body)
    # With the body: another message under a used key is not lost.
    key = f"{signed.update_key(given.body)} {headers.get('idempotency-key', '')}"
    return Kept(key[:200], JSONResponse({"accepted": True}, status_code=202))


def _key(of: Callable[[bytes], str], body: bytes) -> str:
    """The platform's own, or of the body if that is not as documented: it waits in quarantine.

    Raises DeliveryInvalid.
    """
    _check_json(body)
    try:
        return of(body)
    except NotUnderstood:
        return digest(body)


def _check_json(body: bytes) -> None:
    """Raises DeliveryInvalid for what is not even JSON: nothing of it could be told later."""
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError:
        raise DeliveryInvalid(detail="not JSON in UTF-8") from None


def _refused(refusal: DomainError) -> Response:
    error = {"code": refusal.code, "message": str(refusal), "field": refusal.field}
    status = next((code for of, code in STATUS.items() if isinstance(refusal, of)), 400)
    headers = {"Retry-After": "5"} if status == 429 else {}
    return JSONResponse({"error": error}, status_code=status, headers=headers)
