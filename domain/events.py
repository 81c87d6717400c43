"""Everything that can happen to an incident, one frozen struct per fact.

A stored event is its TOPIC and the JSON of its fields: neither ever changes. A changed meaning is a
new event. Region, municipality, time and actor stand in every event, so that a reader of the log
needs no other table.
"""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

import msgspec

from domain.vocabulary import (
    FallbackReason,
    Kind,
    Outcome,
    ReopenReason,
    ReplyAuthor,
    ReplyKind,
    ReturnReason,
    Role,
)


class Sealed(msgspec.Struct, frozen=True):
    """Personal data under a subject's key: unreadable for ever once that key is destroyed."""

    subject: UUID
    algorithm: str
    ciphertext: bytes  # nonce, then the sealed bytes with their tag


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What every event carries."""

    TOPIC: ClassVar[str]

    region: str
    municipality: str | None = None
    occurred_at: datetime
    actor: str
    role: Role


class IncidentRegistered(Event, frozen=True, kw_only=True):
    """A message became an incident; its first cycle begins."""

    TOPIC: ClassVar = "IncidentRegistered"

    channel: str
    external_id: str | None = None  # the message's own id on its channel
    kind: Kind = Kind.COMPLAINT
    published_at: datetime  # when the citizen wrote: reply times count from here
    latitude: float | None = None
    longitude: float | None = None
    citizen: Sealed | None = None  # name, contact and text


class IncidentClassified(Event, frozen=True, kw_only=True):
    TOPIC: ClassVar = "IncidentClassified"

    topic: str


class IncidentAssigned(Event, frozen=True, kw_only=True):
    TOPIC: ClassVar = "IncidentAssigned"

    organisation: str
    due_at: datetime | None = None  # by when it must be resolved


class IncidentReturned(Event, frozen=True, kw_only=True):
    TOPIC: ClassVar = "IncidentReturned"

    reason: ReturnReason
    suggested_organisation: str | None = None


class WorkAccepted(Event, frozen=True, kw_only=True):
    TOPIC: ClassVar = "WorkAccepted"


class ReplyPublished(Event, frozen=True, kw_only=True):
    TOPIC: ClassVar = "ReplyPublished"

    kind: ReplyKind
    author: ReplyAuthor
    channel: str
    fallback_reason: FallbackReason | None = None  # why not on the citizen's own channel
    text: Sealed | None = None


class IncidentResolved(Event, frozen=True, kw_only=True):
    TOPIC: ClassVar = "IncidentResolved"

    outcome: Outcome


class IncidentClosed(Event, frozen=True, kw_only=True):
    TOPIC: ClassVar = "IncidentClosed"


class IncidentReopened(Event, frozen=True, kw_only=True):
    """A new cycle begins, with clocks of its own."""

    TOPIC: ClassVar = "IncidentReopened"

    reason: ReopenReason


class PersonalDataErased(Event, frozen=True, kw_only=True):
    """The subject's key is destroyed; the log itself stays as it is."""

    TOPIC: ClassVar = "PersonalDataErased"

    subject: UUID


EVENTS: dict[str, type[Event]] = {
    event.TOPIC: event
    for event in (
        IncidentRegistered,
        IncidentClassified,
        IncidentAssigned,
        IncidentReturned,
        WorkAccepted,
        ReplyPublished,
        IncidentResolved,
        IncidentClosed,
        IncidentReopened,
        PersonalDataErased,
    )
}
