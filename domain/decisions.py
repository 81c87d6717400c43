"""The rules of an incident's life: each command is decided here, and becomes events or a refusal.

Which event may follow which state, and whose decision it is, stands in domain/lifecycle.py; here
stand the guards that need more than the state.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import chain
from typing import Any
from uuid import UUID

from msgspec.structs import replace

from domain import commands as c
from domain import events as e
from domain.deadlines import MANUAL, NO_TERMS, Deadline, Escalation, Matter, Terms
from domain.errors import (
    AlreadyUnderControl,
    ClarificationsExhausted,
    ClockNotRunning,
    DoneAlready,
    EvidenceMissing,
    FinalReplyMissing,
    FirstReplyRepeated,
    ForbiddenTransition,
    InterimReplyMissing,
    NoPersonalData,
    NotClassified,
    NotDueYet,
    NotLater,
    OtherChannel,
    OtherClosed,
    OtherNotOpen,
    OwnDecision,
    OwnDraft,
    PromiseInPast,
    PromiseTooLate,
    RatedAlready,
    ReplyFlawed,
    ReplyNotApproved,
    SameIncident,
    TimeGoesBackwards,
    UnderPersonalControl,
    WindowPassed,
)
from domain.identifiers import derived_id
from domain.incident import Cycle, Incident, Pause
from domain.lifecycle import CONTROLLERS, DONE, TRANSITIONS, transition_of
from domain.rights import Actor
from domain.vocabulary import (
    OPEN,
    Clock,
    DisputeBy,
    Outcome,
    PromiseReason,
    ReplyAuthor,
    ReplyKind,
    Role,
    Status,
    Verdict,
)

CLARIFICATIONS_MAX = 2  # per cycle (lifecycle-and-metrics 3.2)
CLARIFICATION_MAX = timedelta(days=5)  # the citizen is waited for; our own choice
DISPUTE_WINDOW = timedelta(days=14)  # Signalen: 14 days to be dissatisfied
DISSATISFIED_SCORE = 2  # of 5; who gives no more disputes the resolution


def register(
    incident_id: UUID,
    region: str,
    command: c.Register,
    *,
    at: datetime,
    by: Actor,
    sealed: e.Sealed | None = None,
    terms: Terms = NO_TERMS,
) -> Incident:
    """Begin the stream of a new incident.

    A platform's clock may run a little ahead of ours; its post is still not from the future.
    """
    incident = Incident(
        incident_id, region=region, municipality=command.municipality, regime=command.regime
    )
    it = Deciding(incident, at, by, sealed, terms)
    it.record(
        e.IncidentRegistered,
        channel=command.channel,
        external_id=command.external_id,
        kind=command.kind,
        regime=command.regime,
        published_at=min(command.published_at, at),
        latitude=command.latitude,
        longitude=command.longitude,
        citizen=sealed,
        deadlines=it.started(Clock.FIRST_REPLY, at),
    )
    return incident


def decide(
    incident: Incident,
    command: c.Command,
    *,
    at: datetime,
    by: Actor,
    sealed: e.Sealed | None = None,
    terms: Terms = NO_TERMS,
    taken_over: bool = False,
    other: Incident | None = None,
) -> None:
    """Decide on a command; what happens is appended to the incident's `pending`.

    `other` is the incident it is merged into, or taken out of: things happen to it as well.

    `sealed` stands for the command's private part. `taken_over` says that another system decided
    this long ago: the states must fit, who approved what there is not judged again.

    Raises RuleBroken.
    """
    if incident.status not in transition_of(command).sources:
        raise ForbiddenTransition(command=command.NAME, status=incident.status)
    if incident.last_at is not None and at < incident.last_at:
        raise TimeGoesBackwards(value=at.isoformat(), previous=incident.last_at.isoformat())
    it = Deciding(
        incident,
        at,
        by,
        sealed,
        terms,
        automatic=taken_over or by.role is Role.SYSTEM,
        taken_over=taken_over,
        other=other,
    )
    DECISIONS[type(command)](it, command)


def alarms_due(incident: Incident, at: datetime, terms: Terms) -> list[c.Command]:
    """What has come due at a moment; after it is recorded, perhaps more."""
    status, resolved_at = incident.status, incident.cycle.resolved_at
    due = _deadlines_due(incident, at, terms)
    waited_since = incident.cycle.pauses[-1].start if incident.cycle.pauses else at
    if status is Status.AWAITING_CITIZEN and at >= waited_since + CLARIFICATION_MAX:
        due.append(c.TimeOutClarification())
    if status is Status.RESOLVED and resolved_at and at > resolved_at + DISPUTE_WINDOW:
        due.append(c.Close())
    return due


def _deadlines_due(incident: Incident, at: datetime, terms: Terms) -> list[c.Command]:
    clocks, due = incident.cycle.clocks, list[c.Command]()
    for clock, deadline in clocks.running.items():
        if clock in clocks.paused:
            continue
        if clocks.overdue(clock, at):
            due.append(c.MissDeadline(clock=clock))
        elif clock in clocks.missed:
            step = clocks.steps.get(clock, 0) + 1
            escalation = terms.escalation(
                clock, step, missed_at=clocks.missed[clock], municipality=incident.municipality
            )
            if escalation is not None and at >= escalation.at:
                due.append(c.Escalate(clock=clock))
        elif clock not in clocks.warned and deadline.warn_at and at >= deadline.warn_at:
            due.append(c.WarnDeadline(clock=clock))
    return due


@dataclass(slots=True)
class Deciding:
    """A decision under way: on which incident, when, by whom, under which terms."""

    incident: Incident
    at: datetime
    by: Actor
    sealed: e.Sealed | None
    terms: Terms
    automatic: bool = True  # decided by a rule or by another system: nobody here answers for it
    taken_over: bool = False
    other: Incident | None = None

    @property
    def cycle(self) -> Cycle:
        return self.incident.cycle

    def record(self, of: Callable[..., e.Event], /, **facts: Any) -> None:
        """Make an event of the type with these facts, and let it happen."""
        facts = {"municipality": self.incident.municipality} | facts
        self.incident.append(
            of(
                region=self.incident.region,
                occurred_at=self.at,
                actor=self.by.name,
                role=self.by.role,
                **facts,
            )
        )

    def started(self, clock: Clock, start: datetime) -> tuple[Deadline, ...]:
        """A clock's deadline by the policy of now; nothing where there is none."""
        deadline = self.terms.deadline(clock, self.incident.matter, start=start)
        return (deadline,) if deadline else ()

    def tighten(self, before: Matter) -> None:
        """If the matter is more urgent than `before`: an earlier end from the same start.

        Never a later one. What becomes less urgent keeps its extensions, for nothing is set.
        """
        self.settle(*Clock)
        clocks = self.cycle.clocks
        for clock, running in list(clocks.running.items()):
            deadline = self._tightened(running, before)
            if deadline is None or running.policy == MANUAL or clock in clocks.missed:
                continue
            paused = clock in clocks.paused
            self.record(e.DeadlineSet, deadline=deadline)
            if paused:
                self.record(e.DeadlinePaused, clock=clock)

    def _tightened(self, running: Deadline, before: Matter) -> Deadline | None:
        """None if the policies do not make it earlier than it was, and than it is."""
        clock, start = running.clock, running.started_at
        was = self.terms.deadline(clock, before, start=start)
        deadline = self.terms.deadline(clock, self.incident.matter, start=start)
        if deadline is None or (was is not None and deadline.due_at >= was.due_at):
            return None
        if clock is Clock.SOLUTION:
            for pause in self.cycle.pauses:
                deadline = self.after(pause, deadline)
        return deadline if deadline.due_at < running.due_at else None

    def after(self, pause: Pause, deadline: Deadline) -> Deadline:
        """With the time of a pause given back; of one that still goes on, nothing yet."""
        if pause.end is None:
            return deadline
        return self.terms.after_pause(
            deadline,
            paused_at=pause.start,
            resumed_at=pause.end,
            municipality=self.incident.municipality,
        )

    def settle(self, *clocks: Clock) -> None:
        """Before a clock stops: say that it was missed, if nobody has looked since."""
        for clock in clocks:
            if self.cycle.clocks.overdue(clock, self.at):
                self._missed(clock)

    def _missed(self, clock: Clock) -> None:
        first = self.escalation(clock, 1, self.at)
        self.record(
            e.DeadlineMissed,
            clock=clock,
            due_at=self.cycle.clocks.running[clock].due_at,
            next_at=first.at if first else None,
        )

    def escalation(self, clock: Clock, step: int, missed_at: datetime) -> Escalation | None:
        place = self.incident.municipality
        return self.terms.escalation(clock, step, missed_at=missed_at, municipality=place)

    def running(self, clock: Clock) -> Deadline:
        """Raises ClockNotRunning; a paused one does not run."""
        deadline = self.cycle.clocks.running.get(clock)
        if deadline is None or clock in self.cycle.clocks.paused:
            raise ClockNotRunning(clock=clock)
        return deadline

    def lasted(self, start: datetime | None) -> dict[str, float]:
        """Calendar and working seconds since `start`."""
        if start is None:
            return {}
        place = self.incident.municipality
        return {
            "elapsed_seconds": max(0.0, (self.at - start).total_seconds()),
            "working_seconds": self.terms.working_seconds(start, self.at, place),
        }

    def must_not_have_decided(self) -> None:
        """Raises OwnDecision: nobody judges their own work."""
        if self.by.name in self.cycle.decided_by and not self.automatic:
            raise OwnDecision(name=self.by.name)

    def must_not_be_held(self) -> None:
        """Raises UnderPersonalControl if somebody else holds it."""
        if self.incident.controller not in (None, self.by.name):
            raise UnderPersonalControl(controller=self.incident.controller)

    def within_window(self) -> None:
        """Raises WindowPassed; another system may leave more time."""
        resolved_at = self.cycle.resolved_at
        late = resolved_at is not None and self.at - resolved_at > DISPUTE_WINDOW
        if late and not self.taken_over:
            raise WindowPassed(days=DISPUTE_WINDOW.days)


# Decisions: one per command, in the order of the lifecycle.


def _reject(it: Deciding, command: c.Reject) -> None:
    it.must_not_be_held()
    it.settle(*Clock)
    it.record(e.IncidentRejected, reason=command.reason)


def _add_message(it: Deciding, command: c.AddMessage) -> None:
    clocks, open_now = it.cycle.clocks.running, it.incident.status in OPEN
    waits = Clock.FIRST_REPLY in clocks or Clock.NEXT_REPLY in clocks
    it.record(
        e.MessageAdded,
        message=derived_id(it.at, str(it.incident.id), str(it.incident.version + 1)),
        channel=command.channel,
        external_id=command.external_id,
        published_at=min(command.published_at, it.at),
        citizen=it.sealed,
        deadlines=it.started(Clock.NEXT_REPLY, it.at) if open_now and not waits else (),
    )


def _merge(it: Deciding, command: c.Merge) -> None:
    """The other takes the messages, and the reply they wait for."""
    incident, other = it.incident, it.other
    if other is None or other.id == incident.id:
        raise SameIncident(field="into")
    if other.status not in OPEN:
        raise OtherNotOpen(status=other.status)
    it.must_not_be_held()
    it.settle(*Clock)
    waiting_since = it.cycle.waiting_since
    reply = it.cycle.clocks.running.get(Clock.FIRST_REPLY) or it.cycle.clocks.running.get(
        Clock.NEXT_REPLY
    )
    waits = {Clock.FIRST_REPLY, Clock.NEXT_REPLY} & other.cycle.clocks.running.keys()
    messages = {incident.id, *incident.messages, *chain.from_iterable(incident.taken.values())}
    it.record(e.IncidentMerged, into=other.id)
    Deciding(other, it.at, it.by, None, it.terms).record(
        e.MessagesTaken,
        of=incident.id,
        messages=tuple(sorted(messages)),
        waiting_since=waiting_since,
        deadlines=(replace(reply, clock=Clock.NEXT_REPLY),) if reply and not waits else (),
    )


def _unmerge(it: Deciding, command: c.Unmerge) -> None:
    merged, other = it.incident.merged, it.other
    if merged is None or other is None:
        raise ForbiddenTransition(command=command.NAME, status=it.incident.status)
    if other.status not in TRANSITIONS[e.MessagesGivenBack].sources:
        raise OtherClosed(status=other.status)
    it.record(e.IncidentUnmerged, status=merged.status, deadlines=merged.deadlines)
    Deciding(other, it.at, it.by, None, it.terms).record(
        e.MessagesGivenBack,
        of=it.incident.id,
        messages=tuple(sorted(other.taken.get(it.incident.id, ()))),
    )


def _link(it: Deciding, command: c.Link) -> None:
    if command.to in it.incident.links:
        raise DoneAlready
    it.record(e.IncidentLinked, to=command.to, kind=command.kind)


def _classify(it: Deciding, command: c.Classify) -> None:
    it.record(e.IncidentClassified, topic=command.topic)


def _assign(it: Deciding, command: c.Assign) -> None:
    if it.incident.topic is None:
        raise NotClassified
    if command.due_at is not None:
        it.settle(Clock.SOLUTION)
    it.record(
        e.IncidentAssigned,
        organisation=command.organisation,
        holder=command.holder,
        deadlines=_solution_deadline(it, command.due_at),
    )


def _solution_deadline(it: Deciding, due_at: datetime | None) -> tuple[Deadline, ...]:
    """Of the cycle, from its start, by its first assignment; a date that somebody names, always."""
    started_at = it.cycle.started_at or it.at
    running = it.cycle.clocks.running.get(Clock.SOLUTION)
    if due_at is not None and (running is None or running.due_at != due_at):
        named = Deadline(clock=Clock.SOLUTION, policy=MANUAL, started_at=started_at, due_at=due_at)
        return (named,)
    return () if running else it.started(Clock.SOLUTION, started_at)


def _return(it: Deciding, command: c.Return) -> None:
    it.record(
        e.IncidentReturned,
        reason=command.reason,
        suggested_organisation=command.suggested_organisation,
    )


def _reassign(it: Deciding, command: c.Reassign) -> None:
    _resume(it)
    it.record(
        e.IncidentReassigned,
        organisation=command.organisation,
        holder=command.holder,
        reason=command.reason,
    )


def _reclassify(it: Deciding, command: c.Reclassify) -> None:
    if it.incident.topic is None:
        raise NotClassified
    if it.incident.topic == command.topic:
        raise DoneAlready
    it.record(e.IncidentReclassified, topic=command.topic)


def _relocate(it: Deciding, command: c.Relocate) -> None:
    it.record(
        e.IncidentRelocated,
        municipality=command.municipality,
        latitude=command.latitude,
        longitude=command.longitude,
    )


def _prioritize(it: Deciding, command: c.Prioritize) -> None:
    if it.incident.priority is command.priority:
        raise DoneAlready
    before = it.incident.matter
    it.record(e.IncidentPrioritized, priority=command.priority, reason=command.reason)
    it.tighten(before)


def _grant_fast_track(it: Deciding, command: c.GrantFastTrack) -> None:
    if it.incident.fast_track:
        raise DoneAlready
    before = it.incident.matter
    it.record(e.FastTrackGranted)
    it.tighten(before)


def _accept_work(it: Deciding, command: c.AcceptWork) -> None:
    it.record(e.WorkAccepted)


def _request_clarification(it: Deciding, command: c.RequestClarification) -> None:
    if len(it.cycle.pauses) >= CLARIFICATIONS_MAX:
        raise ClarificationsExhausted(limit=CLARIFICATIONS_MAX)
    it.settle(Clock.SOLUTION)
    it.record(e.ClarificationRequested, question=it.sealed, until=it.at + CLARIFICATION_MAX)
    if Clock.SOLUTION in it.cycle.clocks.running:
        it.record(e.DeadlinePaused, clock=Clock.SOLUTION)


def _receive_clarification(it: Deciding, command: c.ReceiveClarification) -> None:
    # Who waits for a reply already waits from the earlier message.
    waits = {Clock.FIRST_REPLY, Clock.NEXT_REPLY} & set(it.cycle.clocks.running)
    it.record(
        e.ClarificationReceived,
        answer=it.sealed,
        deadlines=() if waits else it.started(Clock.NEXT_REPLY, it.at),
    )
    _resume(it)


def _time_out_clarification(it: Deciding, command: c.TimeOutClarification) -> None:
    it.record(e.ClarificationTimedOut)
    _resume(it)


def _resume(it: Deciding) -> None:
    """Let a paused solution clock run on, with what was left of it."""
    deadline = it.cycle.clocks.running.get(Clock.SOLUTION)
    if deadline is not None and Clock.SOLUTION in it.cycle.clocks.paused:
        pause = Pause(it.cycle.pauses[-1].start, it.at)
        it.record(e.DeadlineResumed, deadline=it.after(pause, deadline))


def _contact_citizen(it: Deciding, command: c.ContactCitizen) -> None:
    it.record(e.CitizenContacted, channel=command.channel, note=it.sealed)


def _draft_reply(it: Deciding, command: c.DraftReply) -> None:
    found = it.terms.flaws(command.text, command.kind)
    it.record(e.ReplyDrafted, kind=command.kind, text=it.sealed, flaws=found)


def _return_reply(it: Deciding, command: c.ReturnReply) -> None:
    it.record(e.ReplyReturned, reasons=command.reasons)


def _approve_reply(it: Deciding, command: c.ApproveReply) -> None:
    draft = it.cycle.draft
    if draft is None:
        raise ForbiddenTransition(command=command.NAME, status=it.incident.status)
    if draft.by == it.by.name and not it.automatic:
        raise OwnDraft
    if draft.flaws and not command.despite_flaws and not it.automatic:
        raise ReplyFlawed(flaws=", ".join(draft.flaws))
    it.record(e.ReplyApproved, kind=draft.kind, despite=draft.flaws)


def _publish_reply(it: Deciding, command: c.PublishReply) -> None:
    incident, cycle = it.incident, it.cycle
    channel = command.channel or incident.channel
    if channel != incident.channel and command.fallback_reason is None:
        raise OtherChannel(channel=incident.channel)
    if command.kind is ReplyKind.FIRST and _answered(cycle, command.author):
        raise FirstReplyRepeated
    draft = cycle.draft if cycle.draft and cycle.draft.approved else None
    if draft is not None and (draft.kind is not command.kind or command.text is not None):
        draft = None  # What was approved is another reply.
    if draft is None and not _may_publish_directly(it, command):
        raise ReplyNotApproved
    human = command.author is ReplyAuthor.HUMAN
    if human:
        it.settle(Clock.FIRST_REPLY, Clock.NEXT_REPLY)
    it.record(
        e.ReplyPublished,
        kind=command.kind,
        author=command.author,
        channel=channel,
        fallback_reason=command.fallback_reason,
        text=it.sealed,
        messages=_addressees(incident),
        draft=draft.version if draft else None,
        **(it.lasted(cycle.waiting_since) if human else {}),
    )


def _addressees(incident: Incident) -> tuple[UUID, ...]:
    """Every message that gets the reply, where there is more than the first."""
    more = {*incident.messages, *chain.from_iterable(incident.taken.values())}
    return tuple(sorted({incident.id, *more})) if more else ()


def _may_publish_directly(it: Deciding, command: c.PublishReply) -> bool:
    """That it was taken up anybody may say; more than that, only who could approve it."""
    if command.kind is ReplyKind.FIRST or command.author is ReplyAuthor.AUTO:
        return True
    return it.automatic or it.by.role in (Role.ORG_HEAD, Role.CURATOR)


def _answered(cycle: Cycle, author: ReplyAuthor) -> bool:
    """Whether a FIRST reply of this author comes too late: an automatic one stops no human."""
    if author is ReplyAuthor.AUTO:
        return bool(cycle.replies)
    return any(replied_by is ReplyAuthor.HUMAN for _, replied_by in cycle.replies)


def _schedule_solution(it: Deciding, command: c.ScheduleSolution) -> None:
    if (ReplyKind.INTERIM, ReplyAuthor.HUMAN) not in it.cycle.replies:
        raise InterimReplyMissing
    _check_promise(it, command)
    before = it.cycle.promised_on
    it.record(e.SolutionScheduled, promised_on=command.promised_on, reason=command.reason)
    if before not in (None, command.promised_on):  # A reply in review ended the state meanwhile.
        _promise_moved(it, command, before)
    _extend_to_promise(it, command)


def _move_promise(it: Deciding, command: c.MovePromise) -> None:
    _check_promise(it, command)
    _promise_moved(it, command, it.cycle.promised_on)
    _extend_to_promise(it, command)


def _promise_moved(
    it: Deciding, command: c.ScheduleSolution | c.MovePromise, before: date | None
) -> None:
    it.record(e.PromiseMoved, promised_on=command.promised_on, before=before, reason=command.reason)


def _check_promise(it: Deciding, command: c.ScheduleSolution | c.MovePromise) -> None:
    """Raises PromiseInPast or PromiseTooLate."""
    if it.terms.day_end(command.promised_on, it.incident.municipality) <= it.at:
        raise PromiseInPast(value=command.promised_on)
    limit = it.terms.promise_limit(it.incident.matter, start=it.at)
    if limit is not None and command.promised_on > limit:
        raise PromiseTooLate(limit=limit)


def _extend_to_promise(it: Deciding, command: c.ScheduleSolution | c.MovePromise) -> None:
    """A promise beyond the deadline extends it, once; the deadline it replaces stays known."""
    deadline = it.cycle.clocks.running.get(Clock.SOLUTION)
    due_at = it.terms.day_end(command.promised_on, it.incident.municipality)
    if deadline is not None and due_at > deadline.due_at:
        it.settle(Clock.SOLUTION)
        _extend(it, deadline, due_at, command.reason)


def _extend(it: Deciding, deadline: Deadline, due_at: datetime, reason: PromiseReason) -> None:
    extended = Deadline(
        clock=deadline.clock,
        policy=deadline.policy,
        started_at=deadline.started_at,
        due_at=due_at,
        warn_at=deadline.warn_at + (due_at - deadline.due_at) if deadline.warn_at else None,
    )
    it.record(e.DeadlineExtended, deadline=extended, before=deadline.due_at, reason=reason)


def _resolve(it: Deciding, command: c.Resolve) -> None:
    incident, cycle = it.incident, it.cycle
    if (ReplyKind.FINAL, ReplyAuthor.HUMAN) not in cycle.replies:
        raise FinalReplyMissing
    visible = command.outcome is Outcome.SOLVED and it.terms.evidence_needed(incident.topic)
    if visible and not command.evidence and not it.automatic:
        raise EvidenceMissing(topic=incident.topic)
    it.settle(*Clock)
    lasted = it.lasted(cycle.started_at)
    paused = [(pause.start, pause.end) for pause in cycle.pauses if pause.end is not None]
    if lasted and paused:
        place = incident.municipality
        lasted["paused_seconds"] = sum((end - start).total_seconds() for start, end in paused)
        lasted["elapsed_seconds"] -= lasted["paused_seconds"]
        lasted["working_seconds"] -= sum(
            it.terms.working_seconds(start, end, place) for start, end in paused
        )
        # 0.3 - (0.1 + 0.2) is less than nothing.
        lasted = {name: max(0.0, seconds) for name, seconds in lasted.items()}
    it.record(
        e.IncidentResolved,
        outcome=command.outcome,
        evidence=command.evidence,
        closes_at=it.at + DISPUTE_WINDOW,
        **lasted,
    )


def _take_personal_control(it: Deciding, command: c.TakePersonalControl) -> None:
    if it.incident.controller is not None:
        raise AlreadyUnderControl(controller=it.incident.controller)
    it.record(e.PersonalControlTaken)


def _lift_personal_control(it: Deciding, command: c.LiftPersonalControl) -> None:
    if it.incident.controller is None:
        raise ForbiddenTransition(command=command.NAME, status=it.incident.status)
    it.must_not_be_held()
    it.record(e.PersonalControlLifted)


def _close(it: Deciding, command: c.Close) -> None:
    it.must_not_be_held()
    if it.incident.controller is None and it.by.role in CONTROLLERS:
        raise ForbiddenTransition(command=command.NAME, status=it.incident.status)
    it.record(e.IncidentClosed)


def _rate(it: Deciding, command: c.Rate) -> None:
    it.within_window()
    if it.cycle.rated:
        raise RatedAlready
    it.record(e.CitizenRated, score=command.score, reasons=command.reasons)
    if command.score <= DISSATISFIED_SCORE:
        it.record(e.ResolutionDisputed, by=DisputeBy.AUTHOR)


def _dispute(it: Deciding, command: c.Dispute) -> None:
    it.within_window()
    it.record(e.ResolutionDisputed, by=command.by, text=it.sealed)


def _decline_reopen(it: Deciding, command: c.DeclineReopen) -> None:
    it.must_not_have_decided()
    it.must_not_be_held()
    it.record(e.ReopenDeclined, reason=command.reason)


def _reopen(it: Deciding, command: c.Reopen) -> None:
    it.must_not_have_decided()
    it.record(
        e.IncidentReopened,
        reason=command.reason,
        deadlines=it.started(Clock.FIRST_REPLY, it.at),
    )


def _request_field_check(it: Deciding, command: c.RequestFieldCheck) -> None:
    it.record(e.FieldCheckRequested)


def _report_field_check(it: Deciding, command: c.ReportFieldCheck) -> None:
    it.record(e.FieldCheckReported, verdict=command.verdict, evidence=command.evidence)
    if command.verdict is not Verdict.DONE and it.incident.status in DONE:
        it.record(e.ResolutionDisputed, by=DisputeBy.FIELD_CHECK)


def _record_root_cause(it: Deciding, command: c.RecordRootCause) -> None:
    it.record(e.RootCauseRecorded, cause=command.cause, decision=command.decision)


def _warn_deadline(it: Deciding, command: c.WarnDeadline) -> None:
    deadline = it.running(command.clock)
    if deadline.warn_at is None or it.at < deadline.warn_at:
        raise NotDueYet(clock=command.clock)
    if command.clock in it.cycle.clocks.warned or command.clock in it.cycle.clocks.missed:
        raise DoneAlready
    it.record(e.DeadlineWarned, clock=command.clock, due_at=deadline.due_at)


def _miss_deadline(it: Deciding, command: c.MissDeadline) -> None:
    it.running(command.clock)
    if command.clock in it.cycle.clocks.missed:
        raise DoneAlready
    if not it.cycle.clocks.overdue(command.clock, it.at):
        raise NotDueYet(clock=command.clock)
    it.settle(command.clock)


def _extend_deadline(it: Deciding, command: c.ExtendDeadline) -> None:
    deadline = it.running(command.clock)
    if command.due_at <= deadline.due_at:
        raise NotLater(due_at=deadline.due_at.isoformat())
    it.settle(command.clock)
    _extend(it, deadline, command.due_at, command.reason)


def _escalate(it: Deciding, command: c.Escalate) -> None:
    clock, clocks = command.clock, it.cycle.clocks
    it.running(clock)
    step = clocks.steps.get(clock, 0) + 1
    raised = it.escalation(clock, step, clocks.missed[clock]) if clock in clocks.missed else None
    if raised is None or it.at < raised.at:
        raise NotDueYet(clock=clock)
    following = it.escalation(clock, step + 1, clocks.missed[clock])
    it.record(
        e.EscalationRaised,
        clock=clock,
        step=step,
        to=raised.to,
        next_at=following.at if following else None,
    )


def _erase_personal_data(it: Deciding, command: c.ErasePersonalData) -> None:
    if it.incident.subject is None:
        raise NoPersonalData
    it.record(e.PersonalDataErased, subject=it.incident.subject)


# Each takes its own type of command, so they have no common one to name.
DECISIONS: dict[type[c.Command], Callable[[Deciding, Any], None]] = {
    c.Reject: _reject,
    c.AddMessage: _add_message,
    c.Merge: _merge,
    c.Unmerge: _unmerge,
    c.Link: _link,
    c.Classify: _classify,
    c.Assign: _assign,
    c.Return: _return,
    c.Reassign: _reassign,
    c.Reclassify: _reclassify,
    c.Relocate: _relocate,
    c.Prioritize: _prioritize,
    c.GrantFastTrack: _grant_fast_track,
    c.AcceptWork: _accept_work,
    c.RequestClarification: _request_clarification,
    c.ReceiveClarification: _receive_clarification,
    c.TimeOutClarification: _time_out_clarification,
    c.ContactCitizen: _contact_citizen,
    c.DraftReply: _draft_reply,
    c.ReturnReply: _return_reply,
    c.ApproveReply: _approve_reply,
    c.PublishReply: _publish_reply,
    c.ScheduleSolution: _schedule_solution,
    c.MovePromise: _move_promise,
    c.Resolve: _resolve,
    c.TakePersonalControl: _take_personal_control,
    c.LiftPersonalControl: _lift_personal_control,
    c.Close: _close,
    c.Rate: _rate,
    c.Dispute: _dispute,
    c.DeclineReopen: _decline_reopen,
    c.Reopen: _reopen,
    c.RequestFieldCheck: _request_field_check,
    c.ReportFieldCheck: _report_field_check,
    c.RecordRootCause: _record_root_cause,
    c.WarnDeadline: _warn_deadline,
    c.MissDeadline: _miss_deadline,
    c.ExtendDeadline: _extend_deadline,
    c.Escalate: _escalate,
    c.ErasePersonalData: _erase_personal_data,
}
