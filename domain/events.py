"""Everything that can happen to an incident, one frozen struct per fact.

A stored event is its TOPIC and the JSON of its fields: neither ever changes. A changed meaning is a
new event. Region, municipality, time and actor stand in every event, so that a reader of the log
needs no other table.
"""

from datetime import date, datetime
from typing import ClassVar
from uuid import UUID

import msgspec

from domain.deadlines import Deadline
from domain.vocabulary import (
    Cause,
    Clock,
    DeclineReason,
    DeliveryFailure,
    DisputeBy,
    FallbackReason,
    Kind,
    LinkKind,
    Outcome,
    Priority,
    PriorityReason,
    PromiseReason,
    RatingReason,
    ReassignReason,
    Regime,
    RejectReason,
    ReopenReason,
    ReplyAuthor,
    ReplyFlaw,
    ReplyKind,
    ReturnReason,
    Role,
    Status,
    Verdict,
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


class TopicGuess(msgspec.Struct, frozen=True):
    topic: str
    confidence: float  # 0 to 1


class PlaceGuess(msgspec.Struct, frozen=True):
    municipality: str
    confidence: float  # 0 to 1


class Reading(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What rules and models read from a message: suggestions, until somebody decides."""

    model: str  # which version of them
    topics: tuple[TopicGuess, ...] = ()  # the best first
    places: tuple[PlaceGuess, ...] = ()  # the best first; more than one: ambiguous
    address: str | None = None  # street and house
    elsewhere: str | None = None  # another region it names
    kind: Kind | None = None
    urgency: PriorityReason | None = None
    unfit: RejectReason | None = None  # why it may be no incident


class MessageCaptured(Event, frozen=True, kw_only=True):
    """A message was found on a platform; whether it becomes an incident is not decided yet."""

    TOPIC: ClassVar = "MessageCaptured"

    channel: str
    external_id: str | None = None  # the message's own id on its channel
    source: str | None = None  # code of the group, chat or feed it was found in
    kind: Kind = Kind.COMPLAINT
    regime: Regime = Regime.IM
    published_at: datetime
    latitude: float | None = None
    longitude: float | None = None
    citizen: Sealed | None = None  # name, contact and text


class MessageRead(Event, frozen=True, kw_only=True):
    TOPIC: ClassVar = "MessageRead"

    reading: Reading


class MessageEdited(Event, frozen=True, kw_only=True):
    """The citizen changed the text on the platform; the earlier one stays in the log."""

    TOPIC: ClassVar = "MessageEdited"

    channel: str
    external_id: str
    edited_at: datetime
    text: Sealed | None = None


class MessageDeleted(Event, frozen=True, kw_only=True):
    """It is gone from the platform; what it asks for is not."""

    TOPIC: ClassVar = "MessageDeleted"

    channel: str
    external_id: str
    deleted_at: datetime


class IncidentRegistered(Event, frozen=True, kw_only=True):
    """A message became an incident; its first cycle begins."""

    TOPIC: ClassVar = "IncidentRegistered"

    channel: str
    external_id: str | None = None  # the message's own id on its channel
    kind: Kind = Kind.COMPLAINT
    regime: Regime = Regime.IM
    published_at: datetime  # when the citizen wrote: reply times count from here
    latitude: float | None = None
    longitude: float | None = None
    citizen: Sealed | None = None  # name, contact and text
    deadlines: tuple[Deadline, ...] = ()  # the clocks it starts


class IncidentClassified(Event, frozen=True, kw_only=True):
    TOPIC: ClassVar = "IncidentClassified"

    topic: str
    model: str | None = None  # which model said so; None: a person
    confidence: float | None = None  # of the model, 0 to 1


class IncidentRejected(Event, frozen=True, kw_only=True):
    """It is nothing the state must act on."""

    TOPIC: ClassVar = "IncidentRejected"

    reason: RejectReason


class MessageAdded(Event, frozen=True, kw_only=True):
    """A citizen wrote about the same matter, again or as another one who has it."""

    TOPIC: ClassVar = "MessageAdded"

    message: UUID
    channel: str
    external_id: str | None = None
    source: str | None = None
    published_at: datetime
    citizen: Sealed | None = None  # name, contact and text
    deadlines: tuple[Deadline, ...] = ()


class IncidentMerged(Event, frozen=True, kw_only=True):
    """It is the same as another incident, which answers its messages from now on."""

    TOPIC: ClassVar = "IncidentMerged"

    into: UUID


class IncidentUnmerged(Event, frozen=True, kw_only=True):
    """It was not the same after all: it stands where it stood, its clocks run on."""

    TOPIC: ClassVar = "IncidentUnmerged"

    status: Status
    deadlines: tuple[Deadline, ...] = ()


class MessagesTaken(Event, frozen=True, kw_only=True):
    """Another incident was merged into this one; its authors are answered from here."""

    TOPIC: ClassVar = "MessagesTaken"

    of: UUID
    messages: tuple[UUID, ...]
    waiting_since: datetime | None = None  # the earliest of them without a reply
    deadlines: tuple[Deadline, ...] = ()


class MessagesGivenBack(Event, frozen=True, kw_only=True):
    TOPIC: ClassVar = "MessagesGivenBack"

    of: UUID
    messages: tuple[UUID, ...]


class IncidentTransferredOut(Event, frozen=True, kw_only=True):
    """It belongs to another region, where it begins a stream of its own."""

    TOPIC: ClassVar = "IncidentTransferredOut"

    to_region: str
    correlation: UUID  # the same in every region it goes through


class IncidentTransferredIn(Event, frozen=True, kw_only=True):
    """It came from another region; the message was captured in the event before."""

    TOPIC: ClassVar = "IncidentTransferredIn"

    origin_region: str
    origin: UUID  # the incident there
    correlation: UUID


class IncidentLinked(Event, frozen=True, kw_only=True):
    TOPIC: ClassVar = "IncidentLinked"

    to: UUID  # another incident of the region
    kind: LinkKind


class IncidentAssigned(Event, frozen=True, kw_only=True):
    TOPIC: ClassVar = "IncidentAssigned"

    organisation: str
    holder: str | None = None  # a person there
    rule: str | None = None  # which routing rule chose it; None: a person
    deadlines: tuple[Deadline, ...] = ()  # the clocks it starts
    elapsed_seconds: float | None = None  # from the start of the cycle, if it is the first there
    working_seconds: float | None = None  # the same in working time of the place


class IncidentReturned(Event, frozen=True, kw_only=True):
    TOPIC: ClassVar = "IncidentReturned"

    reason: ReturnReason
    suggested_organisation: str | None = None


class WorkAccepted(Event, frozen=True, kw_only=True):
    TOPIC: ClassVar = "WorkAccepted"

    elapsed_seconds: float | None = None  # since it was assigned
    working_seconds: float | None = None  # the same in working time of the place


class IncidentReassigned(Event, frozen=True, kw_only=True):
    """Another body has it now; no clock starts anew."""

    TOPIC: ClassVar = "IncidentReassigned"

    organisation: str
    holder: str | None = None
    reason: ReassignReason


class IncidentReclassified(Event, frozen=True, kw_only=True):
    TOPIC: ClassVar = "IncidentReclassified"

    topic: str


class IncidentRelocated(Event, frozen=True, kw_only=True):
    """It happened elsewhere: `municipality` of this event and the later ones is the new one."""

    TOPIC: ClassVar = "IncidentRelocated"

    latitude: float | None = None
    longitude: float | None = None


class IncidentPrioritized(Event, frozen=True, kw_only=True):
    TOPIC: ClassVar = "IncidentPrioritized"

    priority: Priority
    reason: PriorityReason


class FastTrackGranted(Event, frozen=True, kw_only=True):
    """A simple matter: it gets the short term (ПОС: 10 days instead of 30)."""

    TOPIC: ClassVar = "FastTrackGranted"


class ClarificationRequested(Event, frozen=True, kw_only=True):
    TOPIC: ClassVar = "ClarificationRequested"

    question: Sealed | None = None
    until: datetime | None = None  # how long the citizen is waited for


class ClarificationReceived(Event, frozen=True, kw_only=True):
    TOPIC: ClassVar = "ClarificationReceived"

    answer: Sealed | None = None
    deadlines: tuple[Deadline, ...] = ()  # the clocks it starts


class ClarificationTimedOut(Event, frozen=True, kw_only=True):
    """The citizen has not answered; work goes on with what is known."""

    TOPIC: ClassVar = "ClarificationTimedOut"


class CitizenContacted(Event, frozen=True, kw_only=True):
    """The executor spoke with the citizen directly."""

    TOPIC: ClassVar = "CitizenContacted"

    channel: str
    note: Sealed | None = None


class ReplyDrafted(Event, frozen=True, kw_only=True):
    TOPIC: ClassVar = "ReplyDrafted"

    kind: ReplyKind
    text: Sealed | None = None
    flaws: tuple[ReplyFlaw, ...] = ()  # found by rule
    text_fingerprint: bytes | None = None  # keyed: by which the same text is known again


class ReplyReturned(Event, frozen=True, kw_only=True):
    TOPIC: ClassVar = "ReplyReturned"

    reasons: tuple[ReplyFlaw, ...]
    status: Status | None = None  # where it stands again; None: in work


class ReplyApproved(Event, frozen=True, kw_only=True):
    TOPIC: ClassVar = "ReplyApproved"

    kind: ReplyKind
    despite: tuple[ReplyFlaw, ...] = ()  # flaws found by rule that the approver answers for
    status: Status | None = None  # where it stands again; None: in work


class ReplySubmitted(Event, frozen=True, kw_only=True):
    """A reply that needs no review is on its way to the platform."""

    TOPIC: ClassVar = "ReplySubmitted"

    kind: ReplyKind
    text: Sealed | None = None
    flaws: tuple[ReplyFlaw, ...] = ()  # found by rule
    text_fingerprint: bytes | None = None  # keyed: by which the same text is known again


class ReplyPublished(Event, frozen=True, kw_only=True):
    TOPIC: ClassVar = "ReplyPublished"

    kind: ReplyKind
    author: ReplyAuthor
    channel: str
    fallback_reason: FallbackReason | None = None  # why not on the citizen's own channel
    text: Sealed | None = None
    messages: tuple[UUID, ...] = ()  # to whom, where it is not the first message alone
    draft: int | None = None  # version of the event that drafted it and has its text
    text_fingerprint: bytes | None = None  # of the text, its own or the draft's
    external_id: str | None = None  # of the reply on its channel
    elapsed_seconds: float | None = None  # since the message that waited longest was published
    working_seconds: float | None = None  # the same in working time of the place


class ReplyDelivered(Event, frozen=True, kw_only=True):
    """It reached one more of the authors it is for."""

    TOPIC: ClassVar = "ReplyDelivered"

    draft: int  # version of the event that drafted it
    message: UUID
    channel: str
    external_id: str | None = None  # of the reply on its channel


class ReplyPublicationFailed(Event, frozen=True, kw_only=True):
    """The platform does not take it; a person decides where the author is answered."""

    TOPIC: ClassVar = "ReplyPublicationFailed"

    draft: int  # version of the event that drafted it
    message: UUID
    channel: str
    reason: DeliveryFailure


class ReplyDeleted(Event, frozen=True, kw_only=True):
    """Our reply is gone from the platform, whoever deleted it."""

    TOPIC: ClassVar = "ReplyDeleted"

    channel: str
    external_id: str
    deleted_at: datetime


class SolutionScheduled(Event, frozen=True, kw_only=True):
    """The citizen was told by when; what was promised is kept or not."""

    TOPIC: ClassVar = "SolutionScheduled"

    promised_on: date
    reason: PromiseReason


class PromiseMoved(Event, frozen=True, kw_only=True):
    TOPIC: ClassVar = "PromiseMoved"

    promised_on: date
    before: date
    reason: PromiseReason


class IncidentResolved(Event, frozen=True, kw_only=True):
    TOPIC: ClassVar = "IncidentResolved"

    outcome: Outcome
    evidence: tuple[str, ...] = ()  # where photos and acts are kept
    elapsed_seconds: float | None = None  # since the cycle began, pauses taken off
    working_seconds: float | None = None
    paused_seconds: float = 0.0  # waiting for the citizen
    closes_at: datetime | None = None  # unless somebody disputes it


class IncidentClosed(Event, frozen=True, kw_only=True):
    TOPIC: ClassVar = "IncidentClosed"


class PersonalControlTaken(Event, frozen=True, kw_only=True):
    """Who acted will lift it; until then the incident is not closed."""

    TOPIC: ClassVar = "PersonalControlTaken"


class PersonalControlLifted(Event, frozen=True, kw_only=True):
    TOPIC: ClassVar = "PersonalControlLifted"


class CitizenRated(Event, frozen=True, kw_only=True):
    TOPIC: ClassVar = "CitizenRated"

    score: int  # 1 to 5
    reasons: tuple[RatingReason, ...] = ()


class ResolutionDisputed(Event, frozen=True, kw_only=True):
    TOPIC: ClassVar = "ResolutionDisputed"

    by: DisputeBy
    text: Sealed | None = None


class ReopenDeclined(Event, frozen=True, kw_only=True):
    TOPIC: ClassVar = "ReopenDeclined"

    reason: DeclineReason


class IncidentReopened(Event, frozen=True, kw_only=True):
    """A new cycle begins, with clocks of its own."""

    TOPIC: ClassVar = "IncidentReopened"

    reason: ReopenReason
    deadlines: tuple[Deadline, ...] = ()  # the clocks it starts


class FieldCheckRequested(Event, frozen=True, kw_only=True):
    TOPIC: ClassVar = "FieldCheckRequested"


class FieldCheckReported(Event, frozen=True, kw_only=True):
    TOPIC: ClassVar = "FieldCheckReported"

    verdict: Verdict
    evidence: tuple[str, ...] = ()


class RootCauseRecorded(Event, frozen=True, kw_only=True):
    TOPIC: ClassVar = "RootCauseRecorded"

    cause: Cause
    decision: str | None = None  # number of the systemic decision that followed


class DeadlineSet(Event, frozen=True, kw_only=True):
    """A clock that runs ends earlier, for the matter became more urgent."""

    TOPIC: ClassVar = "DeadlineSet"

    deadline: Deadline


class DeadlineWarned(Event, frozen=True, kw_only=True):
    TOPIC: ClassVar = "DeadlineWarned"

    clock: Clock
    due_at: datetime


class DeadlineMissed(Event, frozen=True, kw_only=True):
    TOPIC: ClassVar = "DeadlineMissed"

    clock: Clock
    due_at: datetime
    next_at: datetime | None = None  # when it goes up the chain


class DeadlinePaused(Event, frozen=True, kw_only=True):
    TOPIC: ClassVar = "DeadlinePaused"

    clock: Clock


class DeadlineResumed(Event, frozen=True, kw_only=True):
    TOPIC: ClassVar = "DeadlineResumed"

    deadline: Deadline


class DeadlineExtended(Event, frozen=True, kw_only=True):
    """A later date; `before` stays what it was, and readers count by it as well."""

    TOPIC: ClassVar = "DeadlineExtended"

    deadline: Deadline
    before: datetime
    reason: PromiseReason


class EscalationRaised(Event, frozen=True, kw_only=True):
    """A missed deadline went up the chain."""

    TOPIC: ClassVar = "EscalationRaised"

    clock: Clock
    step: int
    to: Role
    next_at: datetime | None = None  # of the next step


class PersonalDataErased(Event, frozen=True, kw_only=True):
    """The subject's key is destroyed; the log itself stays as it is."""

    TOPIC: ClassVar = "PersonalDataErased"

    subject: UUID


EVENTS: dict[str, type[Event]] = {
    event.TOPIC: event for event in Event.__subclasses__() if event.__module__ == __name__
}
