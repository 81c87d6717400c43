"""A decision under way: what the rules of a command need, and how things happen to an incident."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from domain import events as e
from domain.deadlines import MANUAL, Deadline, Escalation, Matter, Terms
from domain.errors import ClockNotRunning, OwnDecision, UnderPersonalControl, WindowPassed
from domain.incident import Cycle, Incident, Pause
from domain.rights import Actor
from domain.vocabulary import OPEN, Clock, PromiseReason

CLARIFICATIONS_MAX = 2  # per cycle (lifecycle-and-metrics 3.2)
CLARIFICATION_MAX = timedelta(days=5)  # the citizen is waited for; our own choice
DISPUTE_WINDOW = timedelta(days=14)  # Signalen: 14 days to be dissatisfied
RETURN_WORKING_HOURS = 9  # one working day; the acts say "N working hours", this one is our own
DISSATISFIED_SCORE = 2  # of 5; who gives no more disputes the resolution


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
    text_fingerprint: bytes | None = None  # of the text of a reply

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

    def started(
        self, clock: Clock, start: datetime, matter: Matter | None = None
    ) -> tuple[Deadline, ...]:
        """A clock's deadline by the policy of now; nothing where there is none.

        `matter` is what the incident will be about, where that is not what it was until now.
        """
        deadline = self.terms.deadline(clock, matter or self.incident.matter, start=start)
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


# What happens to the clocks when something else does: decided once, and again whenever a history is
# replayed under other terms (domain/replaying.py).


def waits_for_reply(it: Deciding) -> bool:
    """Whether a clock of a reply runs already."""
    running = it.cycle.clocks.running
    return Clock.FIRST_REPLY in running or Clock.NEXT_REPLY in running


def next_reply(it: Deciding) -> tuple[Deadline, ...]:
    """Of what the citizen writes now; who waits for a reply already waits from the earlier one."""
    if waits_for_reply(it) or it.incident.status not in OPEN:
        return ()
    return it.started(Clock.NEXT_REPLY, it.at)


def solution(it: Deciding, named: datetime | None) -> tuple[Deadline, ...]:
    """Of the cycle, from its start, by its first assignment; a date that somebody names, always."""
    started_at = it.cycle.started_at or it.at
    running = it.cycle.clocks.running.get(Clock.SOLUTION)
    if named is not None and (running is None or running.due_at != named):
        clock = Clock.SOLUTION
        return (Deadline(clock=clock, policy=MANUAL, started_at=started_at, due_at=named),)
    return () if running else it.started(Clock.SOLUTION, started_at)


def pause(it: Deciding) -> None:
    """Let the solution clock stand still, if it runs."""
    if Clock.SOLUTION in it.cycle.clocks.running:
        it.record(e.DeadlinePaused, clock=Clock.SOLUTION)


def resume(it: Deciding) -> None:
    """Let a paused solution clock run on, with what was left of it."""
    deadline = it.cycle.clocks.running.get(Clock.SOLUTION)
    if deadline is not None and Clock.SOLUTION in it.cycle.clocks.paused:
        pause = Pause(it.cycle.pauses[-1].start, it.at)
        it.record(e.DeadlineResumed, deadline=it.after(pause, deadline))


def extend(it: Deciding, deadline: Deadline, due_at: datetime, reason: PromiseReason) -> None:
    """Move a deadline's end; the warning stays as far before it."""
    extended = Deadline(
        clock=deadline.clock,
        policy=deadline.policy,
        started_at=deadline.started_at,
        due_at=due_at,
        warn_at=deadline.warn_at + (due_at - deadline.due_at) if deadline.warn_at else None,
    )
    it.record(e.DeadlineExtended, deadline=extended, before=deadline.due_at, reason=reason)


def extend_to_promise(it: Deciding, promised_on: date, reason: PromiseReason) -> None:
    """A promise beyond the deadline extends it, once; the deadline it replaces stays known."""
    deadline = it.cycle.clocks.running.get(Clock.SOLUTION)
    due_at = it.terms.day_end(promised_on, it.incident.municipality)
    if deadline is not None and due_at > deadline.due_at:
        it.settle(Clock.SOLUTION)
        extend(it, deadline, due_at, reason)
