"""What can be asked of an incident: the imperative of each event, with the limits of its input."""

import re
from datetime import date, datetime, timedelta
from typing import ClassVar
from uuid import UUID

import msgspec

from domain.errors import (
    ConfidenceOutOfRange,
    ControlCharacter,
    CoordinateOutOfRange,
    DateAbsurd,
    DateInFuture,
    DateWithoutZone,
    ListTooLong,
    PointIncomplete,
    ReasonMissing,
    ScoreOutOfRange,
    TextEmpty,
    TextTooLong,
)
from domain.events import Reading
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
    Verdict,
)

TEXT_MAX = 20_000  # characters; the longest post a source platform accepts is about 16,000 (VK)
SHORT_TEXT_MAX = 200  # characters; names, contacts, ids of other systems
YEAR_BEYOND = 2100
YEAR_FIRST = 2000  # no source of the network existed before
DUE_MAX = timedelta(days=5 * 366)  # the longest promise a plan of works makes
EVIDENCE_MAX = 20  # photos and acts of one resolution
# Control characters but tab and line ends; and lone surrogates, which UTF-8 cannot store.
NOT_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
CLOCK_SKEW_MAX = timedelta(minutes=5)  # a platform's clock may run ahead of ours this far


class Citizen(msgspec.Struct, frozen=True, kw_only=True):
    """Who wrote, how to reach them, and what they wrote. Never stored unsealed."""

    name: str | None = None
    contact: str | None = None
    text: str
    reply_to: str | None = None  # where its platform takes an answer, as the platform names it


class Command(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Something asked of one incident."""

    NAME: ClassVar[str]

    def private(self) -> bytes | None:
        """The part to seal with the subject's key, or None."""
        return None

    def check(self, now: datetime) -> None:
        """Raises InvalidInput if a field cannot be accepted at the moment `now`."""


class Capture(Command, frozen=True, kw_only=True):
    """Keep a message; whether it becomes an incident is decided later."""

    NAME: ClassVar = "capture"

    municipality: str | None = None
    channel: str
    external_id: str | None = None
    source: str | None = None
    kind: Kind = Kind.COMPLAINT
    regime: Regime = Regime.IM
    published_at: datetime
    latitude: float | None = None
    longitude: float | None = None
    citizen: Citizen | None = None

    def private(self) -> bytes | None:
        return msgspec.json.encode(self.citizen) if self.citizen else None

    def check(self, now: datetime) -> None:
        check_message(self, now)
        check_point(self.latitude, self.longitude)


class NoteReading(Command, frozen=True, kw_only=True):
    """What rules and models read from the message."""

    NAME: ClassVar = "noteReading"

    reading: Reading

    def check(self, now: datetime) -> None:
        for topic in self.reading.topics:
            check_confidence("reading.topics", topic.confidence)
        for place in self.reading.places:
            check_confidence("reading.places", place.confidence)


class RegisterCaptured(Command, frozen=True, kw_only=True):
    """Make a captured message an incident. What is None is as it was captured."""

    NAME: ClassVar = "registerCaptured"

    municipality: str | None = None
    kind: Kind | None = None
    latitude: float | None = None
    longitude: float | None = None

    def check(self, now: datetime) -> None:
        check_point(self.latitude, self.longitude)


class EditMessage(Command, frozen=True, kw_only=True):
    """The citizen changed it on the platform."""

    NAME: ClassVar = "editMessage"

    channel: str
    external_id: str
    edited_at: datetime
    text: str

    def private(self) -> bytes | None:
        return msgspec.json.encode(self.text)

    def check(self, now: datetime) -> None:
        check_date("editedAt", self.edited_at, not_after=now + CLOCK_SKEW_MAX)
        check_text("externalId", self.external_id, SHORT_TEXT_MAX)
        check_text("text", self.text, TEXT_MAX)


class DeleteMessage(Command, frozen=True, kw_only=True):
    """It is gone from the platform."""

    NAME: ClassVar = "deleteMessage"

    channel: str
    external_id: str
    deleted_at: datetime

    def check(self, now: datetime) -> None:
        check_date("deletedAt", self.deleted_at, not_after=now + CLOCK_SKEW_MAX)
        check_text("externalId", self.external_id, SHORT_TEXT_MAX)


class TransferOut(Command, frozen=True, kw_only=True):
    NAME: ClassVar = "transferOut"

    to_region: str


class TransferIn(Command, frozen=True, kw_only=True):
    """Said of a captured message that came from another region."""

    NAME: ClassVar = "transferIn"

    origin_region: str
    origin: UUID
    correlation: UUID


class Register(Command, frozen=True, kw_only=True):
    NAME: ClassVar = "register"

    municipality: str | None = None
    channel: str
    external_id: str | None = None
    kind: Kind = Kind.COMPLAINT
    regime: Regime = Regime.IM
    published_at: datetime
    latitude: float | None = None
    longitude: float | None = None
    citizen: Citizen | None = None

    def private(self) -> bytes | None:
        return msgspec.json.encode(self.citizen) if self.citizen else None

    def check(self, now: datetime) -> None:
        check_message(self, now)
        check_point(self.latitude, self.longitude)


class Classify(Command, frozen=True, kw_only=True):
    NAME: ClassVar = "classify"

    topic: str
    model: str | None = None  # which model says so; None: a person
    confidence: float | None = None

    def check(self, now: datetime) -> None:
        if self.confidence is not None:
            check_confidence("confidence", self.confidence)


class Reject(Command, frozen=True, kw_only=True):
    NAME: ClassVar = "reject"

    reason: RejectReason


class AddMessage(Command, frozen=True, kw_only=True):
    """A further message about the same matter."""

    NAME: ClassVar = "addMessage"

    channel: str
    external_id: str | None = None
    source: str | None = None
    published_at: datetime
    citizen: Citizen | None = None

    def private(self) -> bytes | None:
        return msgspec.json.encode(self.citizen) if self.citizen else None

    def check(self, now: datetime) -> None:
        check_message(self, now)


class Merge(Command, frozen=True, kw_only=True):
    NAME: ClassVar = "merge"

    into: UUID  # an open incident of the same region


class Unmerge(Command, frozen=True, kw_only=True):
    NAME: ClassVar = "unmerge"


class Link(Command, frozen=True, kw_only=True):
    NAME: ClassVar = "link"

    to: UUID
    kind: LinkKind = LinkKind.RELATED


class Assign(Command, frozen=True, kw_only=True):
    NAME: ClassVar = "assign"

    organisation: str
    holder: str | None = None
    due_at: datetime | None = None  # None: by the policy
    rule: str | None = None  # which routing rule says so; None: a person

    def check(self, now: datetime) -> None:
        check_text("holder", self.holder, SHORT_TEXT_MAX)
        check_due("dueAt", self.due_at, now)


class Return(Command, frozen=True, kw_only=True):
    NAME: ClassVar = "return"

    reason: ReturnReason
    suggested_organisation: str | None = None


class AcceptWork(Command, frozen=True, kw_only=True):
    NAME: ClassVar = "acceptWork"


class Reassign(Command, frozen=True, kw_only=True):
    NAME: ClassVar = "reassign"

    organisation: str
    holder: str | None = None
    reason: ReassignReason

    def check(self, now: datetime) -> None:
        check_text("holder", self.holder, SHORT_TEXT_MAX)


class Reclassify(Command, frozen=True, kw_only=True):
    NAME: ClassVar = "reclassify"

    topic: str


class Relocate(Command, frozen=True, kw_only=True):
    NAME: ClassVar = "relocate"

    municipality: str
    latitude: float | None = None
    longitude: float | None = None

    def check(self, now: datetime) -> None:
        check_point(self.latitude, self.longitude)


class Prioritize(Command, frozen=True, kw_only=True):
    NAME: ClassVar = "prioritize"

    priority: Priority
    reason: PriorityReason


class GrantFastTrack(Command, frozen=True, kw_only=True):
    NAME: ClassVar = "grantFastTrack"


class RequestClarification(Command, frozen=True, kw_only=True):
    NAME: ClassVar = "requestClarification"

    question: str

    def private(self) -> bytes | None:
        return msgspec.json.encode(self.question)

    def check(self, now: datetime) -> None:
        check_text("question", self.question, TEXT_MAX)


class ReceiveClarification(Command, frozen=True, kw_only=True):
    NAME: ClassVar = "receiveClarification"

    answer: str

    def private(self) -> bytes | None:
        return msgspec.json.encode(self.answer)

    def check(self, now: datetime) -> None:
        check_text("answer", self.answer, TEXT_MAX)


class TimeOutClarification(Command, frozen=True, kw_only=True):
    NAME: ClassVar = "timeOutClarification"


class ContactCitizen(Command, frozen=True, kw_only=True):
    NAME: ClassVar = "contactCitizen"

    channel: str
    note: str | None = None

    def private(self) -> bytes | None:
        return msgspec.json.encode(self.note) if self.note is not None else None

    def check(self, now: datetime) -> None:
        check_text("note", self.note, TEXT_MAX)


class DraftReply(Command, frozen=True, kw_only=True):
    NAME: ClassVar = "draftReply"

    kind: ReplyKind
    text: str

    def private(self) -> bytes | None:
        return msgspec.json.encode(self.text)

    def check(self, now: datetime) -> None:
        check_text("text", self.text, TEXT_MAX)


class ReturnReply(Command, frozen=True, kw_only=True):
    NAME: ClassVar = "returnReply"

    reasons: tuple[ReplyFlaw, ...]

    def check(self, now: datetime) -> None:
        if not self.reasons:
            raise ReasonMissing(field="reasons")


class ApproveReply(Command, frozen=True, kw_only=True):
    NAME: ClassVar = "approveReply"

    despite_flaws: bool = False  # the approver answers for what the rules found


class SubmitReply(Command, frozen=True, kw_only=True):
    """Let a reply out that needs no review: the platform gets it as soon as it takes it."""

    NAME: ClassVar = "submitReply"

    kind: ReplyKind = ReplyKind.FIRST
    text: str

    def private(self) -> bytes | None:
        return msgspec.json.encode(self.text)

    def check(self, now: datetime) -> None:
        check_text("text", self.text, TEXT_MAX)


class PublishReply(Command, frozen=True, kw_only=True):
    NAME: ClassVar = "publishReply"

    kind: ReplyKind
    author: ReplyAuthor = ReplyAuthor.HUMAN
    channel: str | None = None  # None: the channel the citizen wrote on
    fallback_reason: FallbackReason | None = None
    text: str | None = None
    external_id: str | None = None  # of the reply on its channel

    def private(self) -> bytes | None:
        return msgspec.json.encode(self.text) if self.text is not None else None

    def check(self, now: datetime) -> None:
        check_text("text", self.text, TEXT_MAX)


class NoteDelivery(Command, frozen=True, kw_only=True):
    """The reply reached one more of the authors it is for."""

    NAME: ClassVar = "noteDelivery"

    draft: int
    message: UUID
    channel: str
    external_id: str | None = None


class NoteFailedDelivery(Command, frozen=True, kw_only=True):
    """The platform does not take the reply, for good."""

    NAME: ClassVar = "noteFailedDelivery"

    draft: int
    message: UUID
    channel: str
    reason: DeliveryFailure


class NoteDeletedReply(Command, frozen=True, kw_only=True):
    """Our reply is gone from the platform."""

    NAME: ClassVar = "noteDeletedReply"

    channel: str
    external_id: str
    deleted_at: datetime

    def check(self, now: datetime) -> None:
        check_date("deletedAt", self.deleted_at, not_after=now + CLOCK_SKEW_MAX)


class ScheduleSolution(Command, frozen=True, kw_only=True):
    NAME: ClassVar = "scheduleSolution"

    promised_on: date
    reason: PromiseReason

    def check(self, now: datetime) -> None:
        check_day("promisedOn", self.promised_on)


class MovePromise(Command, frozen=True, kw_only=True):
    NAME: ClassVar = "movePromise"

    promised_on: date
    reason: PromiseReason

    def check(self, now: datetime) -> None:
        check_day("promisedOn", self.promised_on)


class Resolve(Command, frozen=True, kw_only=True):
    NAME: ClassVar = "resolve"

    outcome: Outcome
    evidence: tuple[str, ...] = ()

    def check(self, now: datetime) -> None:
        check_evidence(self.evidence)


class TakePersonalControl(Command, frozen=True, kw_only=True):
    NAME: ClassVar = "takePersonalControl"


class LiftPersonalControl(Command, frozen=True, kw_only=True):
    NAME: ClassVar = "liftPersonalControl"


class Close(Command, frozen=True, kw_only=True):
    NAME: ClassVar = "close"


class Rate(Command, frozen=True, kw_only=True):
    NAME: ClassVar = "rate"

    score: int  # 1 to 5
    reasons: tuple[RatingReason, ...] = ()

    def check(self, now: datetime) -> None:
        if not 1 <= self.score <= 5:
            raise ScoreOutOfRange(value=self.score)


class Dispute(Command, frozen=True, kw_only=True):
    NAME: ClassVar = "dispute"

    by: DisputeBy
    text: str | None = None

    def private(self) -> bytes | None:
        return msgspec.json.encode(self.text) if self.text is not None else None

    def check(self, now: datetime) -> None:
        check_text("text", self.text, TEXT_MAX)


class DeclineReopen(Command, frozen=True, kw_only=True):
    NAME: ClassVar = "declineReopen"

    reason: DeclineReason


class Reopen(Command, frozen=True, kw_only=True):
    NAME: ClassVar = "reopen"

    reason: ReopenReason


class RequestFieldCheck(Command, frozen=True, kw_only=True):
    NAME: ClassVar = "requestFieldCheck"


class ReportFieldCheck(Command, frozen=True, kw_only=True):
    NAME: ClassVar = "reportFieldCheck"

    verdict: Verdict
    evidence: tuple[str, ...] = ()

    def check(self, now: datetime) -> None:
        check_evidence(self.evidence)


class RecordRootCause(Command, frozen=True, kw_only=True):
    NAME: ClassVar = "recordRootCause"

    cause: Cause
    decision: str | None = None

    def check(self, now: datetime) -> None:
        check_text("decision", self.decision, SHORT_TEXT_MAX)


class WarnDeadline(Command, frozen=True, kw_only=True):
    NAME: ClassVar = "warnDeadline"

    clock: Clock


class MissDeadline(Command, frozen=True, kw_only=True):
    NAME: ClassVar = "missDeadline"

    clock: Clock


class ExtendDeadline(Command, frozen=True, kw_only=True):
    NAME: ClassVar = "extendDeadline"

    clock: Clock = Clock.SOLUTION
    due_at: datetime
    reason: PromiseReason

    def check(self, now: datetime) -> None:
        check_due("dueAt", self.due_at, now)


class Escalate(Command, frozen=True, kw_only=True):
    NAME: ClassVar = "escalate"

    clock: Clock


class ErasePersonalData(Command, frozen=True, kw_only=True):
    NAME: ClassVar = "erasePersonalData"


def check_message(message: Capture | Register | AddMessage, now: datetime) -> None:
    """Raises InvalidInput for what no platform can have sent."""
    check_date("publishedAt", message.published_at, not_after=now + CLOCK_SKEW_MAX)
    check_text("externalId", message.external_id, SHORT_TEXT_MAX)
    check_citizen(message.citizen)


def check_confidence(field: str, value: float) -> None:
    """Raises ConfidenceOutOfRange, also for NaN."""
    if not 0 <= value <= 1:
        raise ConfidenceOutOfRange(field=field, value=value)


def check_citizen(citizen: Citizen | None) -> None:
    """Raises TextEmpty, TextTooLong or ControlCharacter; None passes."""
    if citizen:
        check_text("citizen.name", citizen.name, SHORT_TEXT_MAX)
        check_text("citizen.contact", citizen.contact, SHORT_TEXT_MAX)
        check_text("citizen.text", citizen.text, TEXT_MAX)
        check_text("citizen.replyTo", citizen.reply_to, SHORT_TEXT_MAX)


def check_due(field: str, value: datetime | None, now: datetime) -> None:
    """Raises DateWithoutZone or DateAbsurd; None passes."""
    if value is not None:
        check_date(field, value)
        if value > now + DUE_MAX:
            raise DateAbsurd(field=field, value=value.isoformat())


def check_evidence(references: tuple[str, ...]) -> None:
    """Raises ListTooLong, TextEmpty, TextTooLong or ControlCharacter."""
    if len(references) > EVIDENCE_MAX:
        raise ListTooLong(field="evidence", limit=EVIDENCE_MAX)
    for reference in references:
        check_text("evidence", reference, SHORT_TEXT_MAX)


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
    if not YEAR_FIRST <= value.year < YEAR_BEYOND:
        raise DateAbsurd(field=field, value=value.isoformat())
    if not_after is not None and value > not_after:
        raise DateInFuture(field=field, value=value.isoformat())


def check_day(field: str, value: date) -> None:
    """Raises DateAbsurd."""
    if not YEAR_FIRST <= value.year < YEAR_BEYOND:
        raise DateAbsurd(field=field, value=value.isoformat())


def check_point(latitude: float | None, longitude: float | None) -> None:
    """Raises PointIncomplete or CoordinateOutOfRange."""
    if (latitude is None) != (longitude is None):
        raise PointIncomplete
    for field, value, limit in (("latitude", latitude, 90), ("longitude", longitude, 180)):
        # A NaN fails the comparison too, and so is refused.
        if value is not None and not -limit <= value <= limit:
            raise CoordinateOutOfRange(field=field)
