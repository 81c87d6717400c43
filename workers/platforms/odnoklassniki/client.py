"""Answering on Odnoklassniki: a message from a group to a citizen.

apiok.ru/dev/graph_api/methods/graph.user/graph.user.messages/post, and …/get to look for our own.
"""

import re
from dataclasses import replace
from typing import ClassVar, TypeVar
from uuid import UUID

import msgspec

from workers.platforms.clients import (
    Client,
    RefusalReason,
    Refused,
    Secret,
    asked_at,
    check_length,
    same_text,
)
from workers.platforms.odnoklassniki.refusals import UNKNOWN, failure
from workers.platforms.pace import Limit, Pace
from workers.platforms.wire import Answer, Request, Wire

T = TypeVar("T")

TEXT_MAX = 4_000  # characters; none is documented, and more than a reply needs
LIMIT = Limit(10, 1.0)  # none is documented: gently
LOOK_BACK = 100  # messages of a chat looked through for a reply of ours
CHAT = re.compile(r"chat:[A-Za-z0-9._-]{1,64}", re.ASCII)
JSON = {"Content-Type": "application/json;charset=utf-8"}


class Failed(msgspec.Struct, frozen=True):
    error_code: int | None = None


class Sent(msgspec.Struct, frozen=True):
    """What is answered to a message for a chat is not documented; for users it is a list."""

    success: bool | tuple[bool, ...] = True
    message_id: str | None = None


class Content(msgspec.Struct, frozen=True):
    mid: str
    text: str = ""


class Message(msgspec.Struct, frozen=True):
    message: Content
    timestamp: int  # milliseconds


class History(msgspec.Struct, frozen=True):
    messages: tuple[Message, ...] = ()


class OdnoklassnikiClient(Client):
    """A group. A repeated call is a second message, but what we wrote can be found in the chat."""

    repeats_safely: ClassVar = False
    finds: ClassVar = True

    def __init__(self, address: str, *, token: Secret, pace: Pace | None = None) -> None:
        self._token = token
        self._pace = pace or Pace()
        self._wire = Wire(address, repeats_safely=False)

    def publish(self, place: str, text: str, key: UUID) -> str:
        chat = _chat(place)
        check_length(text, TEXT_MAX, platform="OK")
        body = {"recipient": {"chat_id": chat}, "message": {"text": text}}
        sent = self._call(
            Request(self._path(chat), content=msgspec.json.encode(body), headers=JSON), Sent
        )
        if sent.success in (False, (False,)):
            raise Refused(RefusalReason.PROFILE_CLOSED, "OK success: false")
        # Where it does not tell the id, a name of our own: replies to it are then not recognised.
        return sent.message_id or f"key:{key}"

    def find(self, place: str, text: str, key: UUID) -> str | None:
        # Who wrote it is not compared: how a group is named as a sender is not documented.
        chat, since = _chat(place), asked_at(key)
        request = Request(self._path(chat), method="GET", query={"count": f"{LOOK_BACK}"})
        for old in self._call(request, History).messages:
            recent = since is None or old.timestamp / 1000 >= since.timestamp()
            if recent and same_text(old.message.text, text):
                return old.message.mid
        return None

    def close(self) -> None:
        self._wire.close()

    def _path(self, chat: str) -> str:
        return f"/graph/me/messages/{chat}"

    def _call(self, request: Request, kind: type[T]) -> T:
        """Raises Refused, Postponed, Uncertain."""
        self._pace.take([("all", LIMIT)])
        # The page knows no other way: the token stands in the address, which Wire shows to nobody.
        query = {**(request.query or {}), "access_token": self._token.reveal()}
        answer = self._wire.send(replace(request, query=query))
        self._check(answer)
        return self._wire.read(answer, kind)

    def _check(self, answer: Answer) -> None:
        code = _code(answer.headers.get("invocation-error"))
        if code is None:
            self._wire.check_status(answer)
            code = self._wire.read(answer, Failed).error_code
        if code in UNKNOWN:
            raise self._wire.lost(f"OK {code}")
        if code is not None:
            raise failure(code)


def _chat(place: str) -> str:
    if not CHAT.fullmatch(place):
        raise ValueError("not a chat of Odnoklassniki")
    return place


def _code(header: str | None) -> int | None:
    return int(header) if header and header.isascii() and header.isdecimal() else None
