"""The incident: what the state must do about what a citizen wrote, as its events tell it.

How commands become events: domain/decisions.py.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import chain
from typing import Any, NamedTuple
from uuid import UUID

from domain import events as e
from domain.deadlines import Clocks, Deadline, Matter
from domain.lifecycle import status_after
from domain.vocabulary import Clock, Priority, Regime, ReplyAuthor, ReplyFlaw, ReplyKind, Status


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """An event at its place in one incident's stream; what the event store reads and writes."""

    originator_id: UUID
    originator_version: int
    event: e.Event

    def mutate(self, incident: "Incident | None") -> "Incident":
        """The incident after this event: how the library's repository rebuilds it."""
        incident = incident or Incident(self.originator_id)
        incident.version = self.originator_version
        incident.apply(self.event)
        return incident


class Draft(NamedTuple):
    """A reply that waits: for review, then for publication."""

    kind: ReplyKind
    by: str
    flaws: tuple[ReplyFlaw, ...]
    version: int  # of the event that holds its text
    back_to: Status | None = None  # where the incident stands after the review; None: in work
    approved: bool = False
    text_fingerprint: bytes | None = None  # of its text


class Pause(NamedTuple):
    """A time the citizen was waited for; `end` is None while it goes on."""

    start: datetime
    end: datetime | None = None


@dataclass(slots=True)
class Cycle:
    """From registration, or a reopening, to the end: what the rules ask of this cycle only."""

    started_at: datetime | None = None
    assigned_at: datetime | None = None  # to the body that has it now
    waiting_since: datetime | None = None  # the citizen's earliest message without a human reply
    replies: set[tuple[ReplyKind, ReplyAuthor]] = field(default_factory=set)
    draft: Draft | None = None
    clocks: Clocks = field(default_factory=Clocks)
    pauses: list[Pause] = field(default_factory=list)
    promised_on: date | None = None
    resolved_at: datetime | None = None
    decided_by: frozenset[str] = frozenset()  # who resolved or closed it
    rated: bool = False


class Merged(NamedTuple):
    """What an incident was before it was merged, and into which."""

    into: UUID
    status: Status
    deadlines: tuple[Deadline, ...]


@dataclass(slots=True)
class Incident:
    """What the rules need to know of one incident, and nothing for screens."""

    id: UUID
    version: int = 0
    region: str = ""
    municipality: str | None = None
    status: Status = Status.REGISTERED
    channel: str = ""
    captured: e.MessageCaptured | None = None  # until it is an incident
    source: str | None = None  # the code of what it was captured from
    correlation: UUID | None = None  # of its way through the regions, once it has one
    regime: Regime = Regime.IM
    priority: Priority = Priority.NORMAL
    fast_track: bool = False
    topic: str | None = None
    organisation: str | None = None
    number: int = 1  # of the cycle
    cycle: Cycle = field(default_factory=Cycle)
    controller: str | None = None  # who holds it under personal control
    subject: UUID | None = None  # whose key seals the personal data; None once it is destroyed
    links: set[UUID] = field(default_factory=set)
    messages: set[UUID] = field(default_factory=set)  # beside the first, which has its own id
    taken: dict[UUID, frozenset[UUID]] = field(default_factory=dict)  # messages by merged incident
    merged: "Merged | None" = None
    last_at: datetime | None = None
    pending: list[StreamEvent] = field(default_factory=list)

    def collect_events(self) -> list[StreamEvent]:
        """Hand over the events that are not stored yet; the library calls this once per save."""
        pending, self.pending = self.pending, []
        return pending

    @property
    def matter(self) -> Matter:
        """What the policy of a deadline is chosen by."""
        return Matter(
            self.regime, self.priority, self.topic, self.municipality, fast_track=self.fast_track
        )

    @property
    def all_messages(self) -> set[UUID]:
        """Whom a reply goes to; the first message has the incident's own id."""
        return {self.id, *self.messages, *chain.from_iterable(self.taken.values())}

    def append(self, event: e.Event) -> None:
        self.version += 1
        self.pending.append(StreamEvent(self.id, self.version, event))
        self.apply(event)

    def apply(self, event: e.Event) -> None:
        """Take over what happened. Runs again on every replay: no rule, no clock, no I/O here."""
        self.last_at = event.occurred_at
        self.municipality = event.municipality
        change = CHANGES.get(type(event))
        if change is not None:
            change(self, event)
        self.status = status_after(self.status, event, controlled=self.controller is not None)


# What each event changes; the events not named here change nothing but the state.


def _captured(it: Incident, event: e.MessageCaptured) -> None:
    it.region = event.region
    it.channel = event.channel
    it.regime = event.regime
    it.captured = event
    it.source = event.source
    it.cycle = Cycle(waiting_since=event.published_at)
    _take_subject(it, event.citizen)


def _edited(it: Incident, event: e.MessageEdited) -> None:
    _take_subject(it, event.text)


def _transferred_out(it: Incident, event: e.IncidentTransferredOut) -> None:
    it.correlation = event.correlation
    it.cycle.clocks.stop(*Clock)


def _transferred_in(it: Incident, event: e.IncidentTransferredIn) -> None:
    it.correlation = event.correlation


def _registered(it: Incident, event: e.IncidentRegistered) -> None:
    it.region = event.region
    it.channel = event.channel
    it.regime = event.regime
    it.captured = None
    it.cycle = Cycle(started_at=event.occurred_at, waiting_since=event.published_at)
    _start_clocks(it, event.deadlines)
    _take_subject(it, event.citizen)


def _classified(it: Incident, event: e.IncidentClassified | e.IncidentReclassified) -> None:
    it.topic = event.topic


def _message_added(it: Incident, event: e.MessageAdded) -> None:
    it.messages.add(event.message)
    it.cycle.waiting_since = it.cycle.waiting_since or event.published_at
    _start_clocks(it, event.deadlines)
    _take_subject(it, event.citizen)


def _merged(it: Incident, event: e.IncidentMerged) -> None:
    it.merged = Merged(event.into, it.status, tuple(it.cycle.clocks.running.values()))
    it.cycle.clocks.stop(*Clock)


def _unmerged(it: Incident, event: e.IncidentUnmerged) -> None:
    it.merged = None
    # As they were: what was said of them is not said again.
    it.cycle.clocks.running |= {deadline.clock: deadline for deadline in event.deadlines}


def _messages_taken(it: Incident, event: e.MessagesTaken) -> None:
    it.taken[event.of] = frozenset(event.messages)
    waiting = [at for at in (it.cycle.waiting_since, event.waiting_since) if at]
    it.cycle.waiting_since = min(waiting, default=None)
    _start_clocks(it, event.deadlines)


def _messages_given_back(it: Incident, event: e.MessagesGivenBack) -> None:
    it.taken.pop(event.of, None)


def _linked(it: Incident, event: e.IncidentLinked) -> None:
    it.links.add(event.to)


def _assigned(it: Incident, event: e.IncidentAssigned | e.IncidentReassigned) -> None:
    it.organisation = event.organisation
    it.cycle.assigned_at = event.occurred_at
    it.cycle.draft = None
    if it.cycle.pauses and it.cycle.pauses[-1].end is None:
        _end_pause(it, event)
    if isinstance(event, e.IncidentAssigned):
        _start_clocks(it, event.deadlines)


def _start_clocks(it: Incident, deadlines: tuple[Deadline, ...]) -> None:
    for deadline in deadlines:
        it.cycle.clocks.set(deadline)


def _returned(it: Incident, event: e.IncidentReturned) -> None:
    it.organisation = None


def _prioritized(it: Incident, event: e.IncidentPrioritized) -> None:
    it.priority = event.priority


def _fast_track_granted(it: Incident, event: e.FastTrackGranted) -> None:
    it.fast_track = True


def _clarification_requested(it: Incident, event: e.ClarificationRequested) -> None:
    it.cycle.pauses.append(Pause(event.occurred_at))
    _take_subject(it, event.question)


def _clarification_received(it: Incident, event: e.ClarificationReceived) -> None:
    _end_pause(it, event)
    it.cycle.waiting_since = it.cycle.waiting_since or event.occurred_at
    _start_clocks(it, event.deadlines)
    _take_subject(it, event.answer)


def _end_pause(it: Incident, event: e.Event) -> None:
    it.cycle.pauses[-1] = Pause(it.cycle.pauses[-1].start, event.occurred_at)


def _citizen_contacted(it: Incident, event: e.CitizenContacted) -> None:
    _take_subject(it, event.note)


def _reply_drafted(it: Incident, event: e.ReplyDrafted) -> None:
    # Work goes on after a review, but a promise stays one.
    back_to = Status.SCHEDULED if it.status is Status.SCHEDULED else None
    it.cycle.draft = Draft(
        event.kind,
        event.actor,
        event.flaws,
        it.version,
        back_to,
        text_fingerprint=event.text_fingerprint,
    )
    _take_subject(it, event.text)


def _reply_submitted(it: Incident, event: e.ReplySubmitted) -> None:
    it.cycle.draft = Draft(
        event.kind,
        event.actor,
        event.flaws,
        it.version,
        approved=True,
        text_fingerprint=event.text_fingerprint,
    )
    _take_subject(it, event.text)


def _reply_returned(it: Incident, event: e.ReplyReturned) -> None:
    it.cycle.draft = None


def _reply_approved(it: Incident, event: e.ReplyApproved) -> None:
    if it.cycle.draft is not None:
        it.cycle.draft = it.cycle.draft._replace(approved=True)


def _reply_published(it: Incident, event: e.ReplyPublished) -> None:
    it.cycle.replies.add((event.kind, event.author))
    if event.draft is not None:
        it.cycle.draft = None
    if event.author is ReplyAuthor.HUMAN:
        it.cycle.waiting_since = None
        it.cycle.clocks.stop(Clock.FIRST_REPLY, Clock.NEXT_REPLY)
    _take_subject(it, event.text)


def _promised(it: Incident, event: e.SolutionScheduled | e.PromiseMoved) -> None:
    it.cycle.promised_on = event.promised_on


def _resolved(it: Incident, event: e.IncidentResolved) -> None:
    it.cycle.resolved_at = event.occurred_at
    it.cycle.decided_by |= {event.actor}
    it.cycle.clocks.stop(*Clock)


def _rejected(it: Incident, event: e.IncidentRejected) -> None:
    it.controller = None
    it.cycle.clocks.stop(*Clock)


def _control_taken(it: Incident, event: e.PersonalControlTaken) -> None:
    it.controller = event.actor


def _control_lifted(it: Incident, event: e.PersonalControlLifted) -> None:
    it.controller = None


def _closed(it: Incident, event: e.IncidentClosed | e.ReopenDeclined) -> None:
    it.controller = None
    it.cycle.decided_by |= {event.actor}


def _rated(it: Incident, event: e.CitizenRated) -> None:
    it.cycle.rated = True


def _disputed(it: Incident, event: e.ResolutionDisputed) -> None:
    _take_subject(it, event.text)


def _reopened(it: Incident, event: e.IncidentReopened) -> None:
    it.number += 1
    it.cycle = Cycle(started_at=event.occurred_at, waiting_since=event.occurred_at)
    _start_clocks(it, event.deadlines)


def _deadline_set(it: Incident, event: e.DeadlineSet | e.DeadlineExtended) -> None:
    it.cycle.clocks.set(event.deadline)


def _deadline_resumed(it: Incident, event: e.DeadlineResumed) -> None:
    it.cycle.clocks.resume(event.deadline)


def _deadline_warned(it: Incident, event: e.DeadlineWarned) -> None:
    it.cycle.clocks.warned.add(event.clock)


def _deadline_missed(it: Incident, event: e.DeadlineMissed) -> None:
    it.cycle.clocks.missed[event.clock] = event.occurred_at


def _deadline_paused(it: Incident, event: e.DeadlinePaused) -> None:
    it.cycle.clocks.paused.add(event.clock)


def _escalated(it: Incident, event: e.EscalationRaised) -> None:
    it.cycle.clocks.steps[event.clock] = event.step


def _erased(it: Incident, event: e.PersonalDataErased) -> None:
    it.subject = None


def _take_subject(it: Incident, sealed: e.Sealed | None) -> None:
    if sealed is not None:
        it.subject = sealed.subject


CHANGES: dict[type[e.Event], Callable[[Incident, Any], None]] = {
    e.MessageCaptured: _captured,
    e.MessageEdited: _edited,
    e.IncidentTransferredOut: _transferred_out,
    e.IncidentTransferredIn: _transferred_in,
    e.IncidentRegistered: _registered,
    e.IncidentRejected: _rejected,
    e.MessageAdded: _message_added,
    e.IncidentMerged: _merged,
    e.IncidentUnmerged: _unmerged,
    e.MessagesTaken: _messages_taken,
    e.MessagesGivenBack: _messages_given_back,
    e.IncidentLinked: _linked,
    e.IncidentClassified: _classified,
    e.IncidentReclassified: _classified,
    e.IncidentAssigned: _assigned,
    e.IncidentReassigned: _assigned,
    e.IncidentReturned: _returned,
    e.IncidentPrioritized: _prioritized,
    e.FastTrackGranted: _fast_track_granted,
    e.ClarificationRequested: _clarification_requested,
    e.ClarificationReceived: _clarification_received,
    e.ClarificationTimedOut: _end_pause,
    e.CitizenContacted: _citizen_contacted,
    e.ReplyDrafted: _reply_drafted,
    e.ReplySubmitted: _reply_submitted,
    e.ReplyReturned: _reply_returned,
    e.ReplyApproved: _reply_approved,
    e.ReplyPublished: _reply_published,
    e.SolutionScheduled: _promised,
    e.PromiseMoved: _promised,
    e.IncidentResolved: _resolved,
    e.PersonalControlTaken: _control_taken,
    e.PersonalControlLifted: _control_lifted,
    e.IncidentClosed: _closed,
    e.ReopenDeclined: _closed,
    e.CitizenRated: _rated,
    e.ResolutionDisputed: _disputed,
    e.IncidentReopened: _reopened,
    e.DeadlineSet: _deadline_set,
    e.DeadlineResumed: _deadline_resumed,
    e.DeadlineExtended: _deadline_set,
    e.DeadlineWarned: _deadline_warned,
    e.DeadlineMissed: _deadline_missed,
    e.DeadlinePaused: _deadline_paused,
    e.EscalationRaised: _escalated,
    e.PersonalDataErased: _erased,
}


def replay(events: Iterable[StreamEvent]) -> Incident | None:
    """The incident its events tell of; None if there are none."""
    incident: Incident | None = None
    for event in events:
        incident = event.mutate(incident)
    return incident
