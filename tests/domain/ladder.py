"""One incident's life, told step by step: each rung stands on the one before.

A step is a command, given by who usually gives it, or a time to wait.
"""

from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import ClassVar, TypeVar
from uuid import UUID

import msgspec
import pytest

from domain import commands as c
from domain.deadlines import NO_TERMS, Deadline, Escalation, Matter, NoTerms, Terms
from domain.decisions import alarms_due, capture, decide, register
from domain.errors import DomainError
from domain.events import Event, Reading, Sealed
from domain.incident import Incident, StreamEvent
from domain.rights import Actor
from domain.vocabulary import (
    Cause,
    Clock,
    DeclineReason,
    DeliveryFailure,
    DisputeBy,
    LinkKind,
    Outcome,
    Priority,
    PriorityReason,
    PromiseReason,
    ReassignReason,
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

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)  # a Monday
INCIDENT = UUID("019cae6b-6600-7f05-92c2-6fc844c42272")
ANOTHER = UUID("019cae6b-6600-7f05-92c2-6fc844c42273")
SUBJECT = UUID("5a1ed000-0000-4000-8000-000000000001")
OTHER_SUBJECT = UUID("5a1ed000-0000-4000-8000-000000000002")
TOPIC = "roads.pothole"

SYSTEM = Actor("system", Role.SYSTEM)
MONITOR = Actor("Смирнова", Role.MONITOR)
CURATOR = Actor("Иванова", Role.CURATOR)
EXECUTOR = Actor("ЖЭК № 3", Role.EXECUTOR)
HEAD = Actor("Петров", Role.ORG_HEAD)
GOVERNOR = Actor("Губернатор", Role.REGION_HEAD)
CITIZEN = Actor("Анна", Role.CITIZEN)
OFFICER = Actor("Орлова", Role.DATA_OFFICER)

REGISTER = c.Register(channel="VK", municipality="BRONX-01", published_at=NOON)
CAPTURE = c.Capture(
    channel="VK", external_id="wall-1_2", municipality="BRONX-01", published_at=NOON
)
READ = c.NoteReading(reading=Reading(model="test"))
REGISTER_CAPTURED = c.RegisterCaptured()
EDIT = c.EditMessage(channel="VK", external_id="wall-1_2", edited_at=NOON, text="Яма на Красной")
DELETE = c.DeleteMessage(channel="VK", external_id="wall-1_2", deleted_at=NOON)
TRANSFER = c.TransferOut(to_region="QUEENS")
ARRIVE = c.TransferIn(origin_region="QUEENS", origin=ANOTHER, correlation=ANOTHER)
DELIVERED = c.NoteDelivery(draft=4, message=INCIDENT, channel="VK")
NOT_DELIVERED = c.NoteFailedDelivery(
    draft=4, message=INCIDENT, channel="VK", reason=DeliveryFailure.COMMENTS_CLOSED
)
REPLY_DELETED = c.NoteDeletedReply(channel="VK", external_id="wall-1_2_3", deleted_at=NOON)
REJECT = c.Reject(reason=RejectReason.ADVERT)
ADD = c.AddMessage(channel="OK", published_at=NOON)
MERGE = c.Merge(into=ANOTHER)
UNMERGE = c.Unmerge()
LINK = c.Link(to=ANOTHER, kind=LinkKind.SAME_CAUSE)
CLASSIFY = c.Classify(topic=TOPIC)
ASSIGN = c.Assign(organisation="BRONX-DOT")
RETURN = c.Return(reason=ReturnReason.NOT_COMPETENT)
REASSIGN = c.Reassign(organisation="BRONX-NYPD", reason=ReassignReason.WRONG_BODY)
RECLASSIFY = c.Reclassify(topic="water.leak")
RELOCATE = c.Relocate(municipality="BRONX-02")
RAISE = c.Prioritize(priority=Priority.HIGH, reason=PriorityReason.CHILDREN)
EASE = c.Prioritize(priority=Priority.NORMAL, reason=PriorityReason.EASED)
FAST_TRACK = c.GrantFastTrack()
ACCEPT = c.AcceptWork()
ASK = c.RequestClarification(question="Какой подъезд?")
ANSWER = c.ReceiveClarification(answer="Второй")
TIME_OUT = c.TimeOutClarification()
CONTACT = c.ContactCitizen(channel="PHONE")
DRAFT = c.DraftReply(kind=ReplyKind.FINAL, text="Яму на Красной заделали 12 мая")
SEND_BACK = c.ReturnReply(reasons=(ReplyFlaw.FORMAL,))
APPROVE = c.ApproveReply()
SUBMIT = c.SubmitReply(text="Взяли в работу, ответим сегодня до 18:00")
FIRST = c.PublishReply(kind=ReplyKind.FIRST)
AUTO = c.PublishReply(kind=ReplyKind.FIRST, author=ReplyAuthor.AUTO)
INTERIM = c.PublishReply(kind=ReplyKind.INTERIM)
FINAL = c.PublishReply(kind=ReplyKind.FINAL)
SCHEDULE = c.ScheduleSolution(promised_on=date(2026, 3, 20), reason=PromiseReason.SEASON)
MOVE = c.MovePromise(promised_on=date(2026, 3, 25), reason=PromiseReason.WEATHER)
RESOLVE = c.Resolve(outcome=Outcome.SOLVED)
TAKE = c.TakePersonalControl()
LIFT = c.LiftPersonalControl()
CLOSE = c.Close()
RATE = c.Rate(score=5)
DISPUTE = c.Dispute(by=DisputeBy.AUTHOR)
REOPEN = c.Reopen(reason=ReopenReason.RECURRED)
DECLINE = c.DeclineReopen(reason=DeclineReason.NO_GROUNDS)
REQUEST_CHECK = c.RequestFieldCheck()
REPORT_CHECK = c.ReportFieldCheck(verdict=Verdict.DONE)
CAUSE = c.RecordRootCause(cause=Cause.WEAR)
WARN = c.WarnDeadline(clock=Clock.FIRST_REPLY)
MISS = c.MissDeadline(clock=Clock.FIRST_REPLY)
ESCALATE = c.Escalate(clock=Clock.FIRST_REPLY)
EXTEND = c.ExtendDeadline(
    clock=Clock.FIRST_REPLY, due_at=NOON + 60 * DAY, reason=PromiseReason.SUPPLY
)
ERASE = c.ErasePersonalData()

# Who usually gives a command; a curator gives the rest.
USUALLY: dict[type[c.Command], Actor] = {
    c.Capture: MONITOR,
    c.NoteReading: SYSTEM,
    c.EditMessage: SYSTEM,
    c.DeleteMessage: SYSTEM,
    c.RegisterCaptured: MONITOR,
    c.TransferIn: SYSTEM,
    c.NoteDelivery: SYSTEM,
    c.NoteFailedDelivery: SYSTEM,
    c.NoteDeletedReply: SYSTEM,
    c.Register: MONITOR,
    c.Return: EXECUTOR,
    c.AcceptWork: EXECUTOR,
    c.RequestClarification: EXECUTOR,
    c.ReceiveClarification: CITIZEN,
    c.TimeOutClarification: SYSTEM,
    c.ContactCitizen: EXECUTOR,
    c.DraftReply: EXECUTOR,
    c.ApproveReply: HEAD,
    c.ScheduleSolution: EXECUTOR,
    c.MovePromise: EXECUTOR,
    c.Resolve: EXECUTOR,
    c.TakePersonalControl: GOVERNOR,
    c.LiftPersonalControl: GOVERNOR,
    c.Close: SYSTEM,
    c.Rate: CITIZEN,
    c.Dispute: CITIZEN,
    c.WarnDeadline: SYSTEM,
    c.MissDeadline: SYSTEM,
    c.ExtendDeadline: HEAD,
    c.Escalate: SYSTEM,
    c.ErasePersonalData: OFFICER,
}

# How an incident gets where it is, from its registration, or from the capture of its message.
WAYS: dict[Status, list[c.Command]] = {
    Status.CAPTURED: [CAPTURE],
    Status.TRANSFERRED: [TRANSFER],
    Status.REGISTERED: [],
    Status.REJECTED: [REJECT],
    Status.MERGED: [MERGE],
    Status.ASSIGNED: [CLASSIFY, ASSIGN],
    Status.RETURNED: [CLASSIFY, ASSIGN, RETURN],
    Status.IN_PROGRESS: [CLASSIFY, ASSIGN, ACCEPT],
    Status.AWAITING_CITIZEN: [CLASSIFY, ASSIGN, ASK],
    Status.REPLY_IN_REVIEW: [CLASSIFY, ASSIGN, DRAFT],
    Status.SCHEDULED: [CLASSIFY, ASSIGN, INTERIM, SCHEDULE],
    Status.RESOLVED: [CLASSIFY, ASSIGN, FINAL, RESOLVE],
    Status.UNDER_CONTROL: [CLASSIFY, ASSIGN, FINAL, RESOLVE, TAKE],
    Status.CLOSED: [CLASSIFY, ASSIGN, FINAL, RESOLVE, CLOSE],
    Status.REOPEN_REQUESTED: [CLASSIFY, ASSIGN, FINAL, RESOLVE, DISPUTE],
    Status.REOPENED: [CLASSIFY, ASSIGN, FINAL, RESOLVE, DISPUTE, REOPEN],
}


class FixedTerms(NoTerms):
    """Terms of so many hours, half of them if it is urgent or simple; a third of time is worked."""

    hours: ClassVar = {Clock.FIRST_REPLY: 8, Clock.NEXT_REPLY: 4, Clock.SOLUTION: 72}
    chain = ((Role.ORG_HEAD, 2 * HOUR), (Role.CURATOR, 10 * HOUR), (Role.REGION_HEAD, 3 * DAY))
    promise = 30 * DAY
    warned_before = 2 * HOUR

    def __init__(self, *, visible: str | None = None) -> None:
        self.visible = visible  # a topic whose solution must be shown

    def deadline(self, clock: Clock, matter: Matter, *, start: datetime) -> Deadline | None:
        short = matter.priority is Priority.HIGH or (matter.fast_track and clock is Clock.SOLUTION)
        due_at = start + self.hours[clock] * HOUR / (2 if short else 1)
        return Deadline(
            clock=clock,
            policy="SHORT" if short else "USUAL",
            started_at=start,
            due_at=due_at,
            warn_at=due_at - self.warned_before,
        )

    def working_seconds(self, start: datetime, end: datetime, municipality: str | None) -> float:
        return super().working_seconds(start, end, municipality) / 3

    def promise_limit(self, matter: Matter, *, start: datetime) -> date | None:
        return (start + self.promise).date()

    def escalation(
        self, clock: Clock, step: int, *, missed_at: datetime, municipality: str | None
    ) -> Escalation | None:
        if step > len(self.chain):
            return None
        to, after = self.chain[step - 1]
        return Escalation(step, to, missed_at + after)

    def evidence_needed(self, topic: str | None) -> bool:
        return topic is not None and topic == self.visible

    def flaws(self, text: str, kind: ReplyKind) -> tuple[ReplyFlaw, ...]:
        return (ReplyFlaw.FORMAL,) if text == EMPTY_WORDS else ()


TERMS = FixedTerms()
EMPTY_WORDS = "Ваше обращение рассмотрено"

Refusal = TypeVar("Refusal", bound=DomainError)
Happened = TypeVar("Happened", bound=Event)


def another() -> Incident:
    """An open incident beside it."""
    return register(ANOTHER, "BRONX", REGISTER, at=NOON, by=MONITOR)


@dataclass
class Life:
    """An incident, and what time it is there."""

    it: Incident
    terms: Terms
    at: datetime = NOON
    stream: list[StreamEvent] = field(default_factory=list)  # all that happened
    master: Incident = field(default_factory=another)  # what it is merged into

    def do(self, *steps: c.Command | timedelta, by: Actor | None = None) -> list[Event]:
        """Give the commands, wait the times; returns what happened."""
        for step in steps:
            if isinstance(step, timedelta):
                self.at += step
            else:
                self.ask(step, by, sealed() if step.private() else None)
        new = self.it.collect_events()
        self.stream += new
        return [stream_event.event for stream_event in new]

    def then(self, command: c.Command, by: Actor | None = None) -> Event:
        """The one event the command leads to."""
        (event,) = self.do(command, by=by)
        return event

    def refuses(
        self, command: c.Command, refusal: type[Refusal], by: Actor | None = None
    ) -> Refusal:
        """Asserts that the command is refused so, and changes nothing; returns the refusal."""
        before = deepcopy(self.it)
        with pytest.raises(refusal) as refused:
            self.ask(command, by)
        assert type(refused.value) is refusal
        assert self.it == before
        return refused.value

    def told(self) -> list[Event]:
        """What the clocks have to say by now, and have said once it is recorded."""
        while due := alarms_due(self.it, self.at, self.terms):
            for command in due:
                self.ask(command, SYSTEM)
            assert len(self.it.pending) < 20, "they say it again and again"
        return self.do()

    def ask(
        self, command: c.Command, by: Actor | None = None, private: Sealed | None = None
    ) -> None:
        """Give the command; what happens stays pending."""
        by = by or USUALLY.get(type(command), CURATOR)
        decide(
            self.it,
            command,
            at=self.at,
            by=by,
            sealed=private,
            terms=self.terms,
            other=self.master if isinstance(command, c.Merge | c.Unmerge) else None,
        )


def life(
    *steps: c.Command | timedelta, citizen: Sealed | None = None, terms: Terms = NO_TERMS
) -> Life:
    """An incident registered at NOON, after these steps, nothing pending.

    If they begin with a capture, it is a message that is no incident yet.
    """
    if steps and isinstance(steps[0], c.Capture):
        it = capture(INCIDENT, "BRONX", steps[0], at=NOON, by=MONITOR, sealed=citizen)
        steps = steps[1:]
    else:
        it = register(INCIDENT, "BRONX", REGISTER, at=NOON, by=MONITOR, sealed=citizen, terms=terms)
    begun = Life(it, terms)
    begun.do(*steps)
    return begun


def sealed(subject: UUID = SUBJECT) -> Sealed:
    return Sealed(subject, "A256GCM", b"ciphertext")


def changed(command: c.Command, **changes: object) -> c.Command:
    return msgspec.structs.replace(command, **changes)


def clocked(*steps: c.Command | timedelta) -> Life:
    """The same under terms."""
    return life(*steps, terms=TERMS)


def due(it: Life) -> dict[Clock, datetime]:
    """What runs, and until when."""
    return {clock: each.due_at for clock, each in it.it.cycle.clocks.running.items()}


def said(it: Life, of: type[Happened]) -> list[Happened]:
    """All events of a type, so far."""
    return [each.event for each in it.stream if isinstance(each.event, of)]
