"""Answering on Telegram: a message in reply (core.telegram.org/bots/api#sendmessage)."""

import json
import re
from collections.abc import Hashable
from typing import ClassVar
from uuid import UUID

import msgspec

from workers.platforms.clients import Client, Postponed, Secret, Uncertain, check_length, spread
from workers.platforms.pace import Limit, Pace
from workers.platforms.telegram.places import InChat, message_id, read_place
from workers.platforms.telegram.refusals import refusal
from workers.platforms.wire import AWAY_SECONDS, Answer, Request, Wire

TEXT_MAX = 4_096  # characters (sendMessage, text)
TOKEN = re.compile(r"\d{1,20}:[A-Za-z0-9_-]{1,100}", re.ASCII)

# core.telegram.org/bots/faq, «My bot is hitting limits»
OVERALL = Limit(30, 1.0)
PER_CHAT = Limit(1, 1.0)
PER_GROUP = Limit(20, 60.0)


class Parameters(msgspec.Struct, frozen=True):
    retry_after: int | None = None


class Sent(msgspec.Struct, frozen=True):
    message_id: int


class Envelope(msgspec.Struct, frozen=True):
    ok: bool
    result: Sent | None = None
    error_code: int = 0
    description: str = ""
    parameters: Parameters | None = None


class TelegramClient(Client):
    """A bot. Telegram knows no repeated call, and bots cannot read what they have written."""

    repeats_safely: ClassVar = False
    finds: ClassVar = False

    def __init__(self, address: str, *, token: Secret, pace: Pace | None = None) -> None:
        if not TOKEN.fullmatch(token.reveal()):
            raise ValueError("not the token of a bot")
        self._token = token
        self._pace = pace or Pace()
        self._wire = Wire(address, repeats_safely=False)

    def publish(self, place: str, text: str, key: UUID) -> str:
        where = read_place(place)
        check_length(text, TEXT_MAX, platform="Telegram")
        self._pace.take(_limits(where))
        sent = self._result(self._wire.send(self._request(where, text)))
        return message_id(where.chat, sent.message_id)

    def find(self, place: str, text: str, key: UUID) -> str | None:
        raise Uncertain("Telegram: a bot cannot read the messages of a chat")

    def close(self) -> None:
        self._wire.close()

    def _request(self, where: InChat, text: str) -> Request:
        form = {
            "chat_id": f"{where.chat}",
            "text": text,
            # Without the message it answers a reply is not understood: rather none.
            "reply_parameters": json.dumps(
                {"message_id": where.message, "allow_sending_without_reply": False}
            ),
        }
        if where.thread:
            form["message_thread_id"] = f"{where.thread}"
        if where.topic:
            form["direct_messages_topic_id"] = f"{where.topic}"
        return Request(f"/bot{self._token.reveal()}/sendMessage", form=form)

    def _result(self, answer: Answer) -> Sent:
        """Raises Refused, Postponed, Uncertain."""
        envelope = self._wire.read(answer, Envelope)
        if envelope.ok and envelope.result:
            return envelope.result
        if envelope.error_code == 429:
            wait = envelope.parameters.retry_after if envelope.parameters else None
            raise Postponed(wait or spread(AWAY_SECONDS), "Telegram 429")
        if envelope.error_code >= 500 or envelope.ok:
            raise self._wire.lost(f"Telegram {envelope.error_code}")
        raise refusal(envelope.error_code, envelope.description)


def _limits(where: InChat) -> list[tuple[Hashable, Limit]]:
    limits: list[tuple[Hashable, Limit]] = [("all", OVERALL), (("chat", where.chat), PER_CHAT)]
    return [*limits, (("group", where.chat), PER_GROUP)] if where.is_group else limits
