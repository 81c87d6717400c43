"""Answering through a system that shares a key with us: ПОС, a portal, a forum.

What such a system offers below the address we are given, signed as signature.py says:

    POST /replies          Idempotency-Key: <uuid>
                           {"messageId": …, "text": …}               → 200 or 201 {"id": …}
    GET  /replies/<uuid>   → 200 {"id": …}, or 404 if no reply came with this key
    POST /statuses         Idempotency-Key: <uuid>
                           {"messageId": …, "status": …, "at": …}    → 2xx

A repeated key gives the first answer again. Refusals: 404 and 410 the message is not there, 403 we
may not, 409 it takes no replies, 422 the text; 429 and 503 with Retry-After. A `code` in the body,
one of RefusalReason, says it more exactly.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import ClassVar
from uuid import UUID

import msgspec

from domain.commands import TEXT_MAX
from domain.vocabulary import Status
from workers.platforms.clients import Client, RefusalReason, Refused, Secret, check_length
from workers.platforms.pace import Limit, Pace
from workers.platforms.signed.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from workers.platforms.wire import Answer, Request, Wire

LIMIT = Limit(20, 1.0)

REASONS = {
    401: RefusalReason.CHANNEL_UNAVAILABLE,
    403: RefusalReason.CHANNEL_UNAVAILABLE,
    404: RefusalReason.MESSAGE_DELETED,
    409: RefusalReason.COMMENTS_CLOSED,
    410: RefusalReason.MESSAGE_DELETED,
    413: RefusalReason.TEXT_REFUSED,
    422: RefusalReason.TEXT_REFUSED,
}


class Done(msgspec.Struct, frozen=True):
    id: str


class Problem(msgspec.Struct, frozen=True):
    code: str = ""


class SignedClient(Client):
    """A system of the state's, or any other. It recognises a repeated call by Idempotency-Key."""

    repeats_safely: ClassVar = True
    finds: ClassVar = True

    def __init__(
        self,
        address: str,
        *,
        source: str,
        key: Secret,
        limit: Limit = LIMIT,
        pace: Pace | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`source`: our code for the system, by which it knows which key we sign with."""
        self._source = source
        self._key = key
        self._limit = limit
        self._pace = pace or Pace()
        self._now = now
        self._wire = Wire(address, repeats_safely=True)

    def publish(self, place: str, text: str, key: UUID) -> str:
        message = _message(place)
        check_length(text, TEXT_MAX, platform="signed")
        answer = self._post("/replies", {"messageId": message, "text": text}, key)
        return self._wire.read(answer, Done).id

    def find(self, place: str, text: str, key: UUID) -> str | None:
        _message(place)
        answer = self._send(Request(f"/replies/{key}", method="GET"), b"")
        if answer.status == 404:
            return None
        self._check(answer)
        return self._wire.read(answer, Done).id

    def push_status(self, place: str, status: Status, *, at: datetime, key: UUID) -> None:
        """Tell where the incident stands. Raises Refused, Postponed."""
        facts = {"messageId": _message(place), "status": status, "at": at.isoformat()}
        self._post("/statuses", facts, key)

    def close(self) -> None:
        self._wire.close()

    def _post(self, path: str, facts: dict[str, str], key: UUID) -> Answer:
        headers = {"Content-Type": "application/json", "Idempotency-Key": f"{key}"}
        content = msgspec.json.encode(facts)
        answer = self._send(Request(path, content=content, headers=headers), content)
        self._check(answer)
        return answer

    def _send(self, request: Request, signed: bytes) -> Answer:
        self._pace.take([("all", self._limit)])
        timestamp = f"{int(self._now().timestamp())}"
        signature = sign(signed, timestamp=timestamp, key=self._key.reveal().encode())
        headers = {
            **(request.headers or {}),
            "X-Tsur-Source": self._source,
            TIMESTAMP_HEADER: timestamp,
            SIGNATURE_HEADER: signature,
        }
        return self._wire.send(replace(request, headers=headers))

    def _check(self, answer: Answer) -> None:
        """Raises Refused, Postponed."""
        if 200 <= answer.status < 300:
            return
        self._wire.check_status(answer)
        told = f"signed {answer.status}"
        default = REASONS.get(answer.status, RefusalReason.CHANNEL_UNAVAILABLE)
        raise Refused(_reason(answer.body) or default, told)


def _reason(body: bytes) -> RefusalReason | None:
    try:
        return RefusalReason(msgspec.json.decode(body, type=Problem).code)
    except (ValueError, RecursionError):
        return None


def _message(place: str) -> str:
    kind, _, message = place.partition(":")
    if kind != "message" or not message:
        raise ValueError("not a message of a system that signs")
    return message
