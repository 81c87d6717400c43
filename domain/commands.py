"""What can be asked of an incident: the imperative of each event, with the limits of its input."""

import re
from datetime import datetime, timedelta
from typing import ClassVar

import msgspec

from domain.errors import (
    ControlCharacter,
    CoordinateOutOfRange,
    DateAbsurd,
    DateInFuture,
    DateWithoutZone,
    PointIncomplete,
    TextEmpty,
    TextTooLong,
)
from domain.vocabulary import (
    FallbackReason,
    Kind,
    Outcome,
    ReopenReason,
    ReplyAuthor,
    ReplyKind,
    ReturnReason,
)

TEXT_MAX = 20_000  # characters; the longest post a source platform accepts is about 16,000 (VK)
SHORT_TEXT_MAX = 200  # characters; names, contacts, ids of other systems
YEAR_FIRST = 2000  # no source of the network existed before
DUE_MAX = timedelta(days=5 * 366)  # the longest promise a plan of works makes
# Control characters but tab and line ends; and lone surrogates, which UTF-8 cannot store.
NOT_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
CLOCK_SKEW_MAX = timedelta(minutes=5)  # a platform's clock may run ahead of ours this far


class Citizen(msgspec.Struct, frozen=True, kw_only=True):
    """Who wrote, how to reach them, and what they wrote. Never stored unsealed."""

    name: str | None = None
    contact: str | None = None
    text: str


class Command(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Something asked of one incident."""

    NAME: ClassVar[str]

    def private(self) -> bytes | None:
        """The part to seal with the subject's key, or None."""
        return None

    def check(self, now: datetime) -> None:
        """Raises InvalidInput if a field cannot be accepted at the moment `now`."""


class Register(Command, frozen=True, kw_only=True):
    NAME: ClassVar = "register"

    municipality: str | None = None
    channel: str
    external_id: str | None = None
    kind: Kind = Kind.COMPLAINT
    published_at: datetime
    latitude: float | None = None
    longitude: float | None = None
    citizen: Citizen | None = None

    def private(self) -> bytes | None:
        return msgspec.json.encode(self.citizen) if self.citizen else None

    def check(self, now: datetime) -> None:
        check_date("publishedAt", self.published_at, not_after=now + CLOCK_SKEW_MAX)
        check_text("externalId", self.external_id, SHORT_TEXT_MAX)
        check_point(self.latitude, self.longitude)
        if self.citizen:
            check_text("citizen.name", self.citizen.name, SHORT_TEXT_MAX)
            check_text("citizen.contact", self.citizen.contact, SHORT_TEXT_MAX)
            check_text("citizen.text", self.citizen.text, TEXT_MAX)


class Classify(Command, frozen=True, kw_only=True):
    NAME: ClassVar = "classify"

    topic: str


class Assign(Command, frozen=True, kw_only=True):
    NAME: ClassVar = "assign"

    organisation: str
    due_at: datetime | None = None

    def check(self, now: datetime) -> None:
        if self.due_at is not None:
            check_date("dueAt", self.due_at)
            if self.due_at > now + DUE_MAX:
                raise DateAbsurd(field="dueAt", value=self.due_at.isoformat())


class Return(Command, frozen=True, kw_only=True):
    NAME: ClassVar = "return"

    reason: ReturnReason
    suggested_organisation: str | None = None


class AcceptWork(Command, frozen=True, kw_only=True):
    NAME: ClassVar = "acceptWork"


class PublishReply(Command, frozen=True, kw_only=True):
    NAME: ClassVar = "publishReply"

    kind: ReplyKind
    author: ReplyAuthor = ReplyAuthor.HUMAN
    channel: str | None = None  # None: the channel the citizen wrote on
    fallback_reason: FallbackReason | None = None
    text: str | None = None

    def private(self) -> bytes | None:
        return msgspec.json.encode(self.text) if self.text is not None else None

    def check(self, now: datetime) -> None:
        check_text("text", self.text, TEXT_MAX)


class Resolve(Command, frozen=True, kw_only=True):
    NAME: ClassVar = "resolve"

    outcome: Outcome


class Close(Command, frozen=True, kw_only=True):
    NAME: ClassVar = "close"


class Reopen(Command, frozen=True, kw_only=True):
    NAME: ClassVar = "reopen"

    reason: ReopenReason


class ErasePersonalData(Command, frozen=True, kw_only=True):
    NAME: ClassVar = "erasePersonalData"


def check_text(field: str, text: str | None, limit: int) -> None:
    """Raises TextEmpty, TextTooLong or ControlCharacter; None passes."""
    if text is None:
        return
    if not text.strip():
        raise TextEmpty(field=field)
    if len(text) > limit:
        raise TextTooLong(field=field, length=len(text), limit=limit)
    if NOT_TEXT.search(text):
        raise ControlCharacter(field=field)


def check_date(field: str, value: datetime, *, not_after: datetime | None = None) -> None:
    """Raises DateWithoutZone, DateAbsurd or DateInFuture."""
    if value.tzinfo is None:
        raise DateWithoutZone(field=field)
    if not YEAR_FIRST <= value.year < 2100:
        raise DateAbsurd(field=field, value=value.isoformat())
    if not_after is not None and value > not_after:
        raise DateInFuture(field=field, value=value.isoformat())


def check_point(latitude: float | None, longitude: float | None) -> None:
    """Raises PointIncomplete or CoordinateOutOfRange."""
    if (latitude is None) != (longitude is None):
        raise PointIncomplete
    for field, value, limit in (("latitude", latitude, 90), ("longitude", longitude, 180)):
        # A NaN fails the comparison too, and so is refused.
        if value is not None and not -limit <= value <= limit:
            raise CoordinateOutOfRange(field=field)
