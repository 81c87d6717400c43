"""Deadlines: until when something must be done, and by which policy that was decided."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple, Protocol

import msgspec

from domain.vocabulary import Clock, Priority, Regime, ReplyFlaw, ReplyKind, Role, TermUnit


class Term(NamedTuple):
    """A length of time as a policy writes it: 9 working hours, 30 days."""

    amount: int
    unit: TermUnit


class Deadline(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """As it was decided when the clock started: a later change of the policy does not touch it."""

    clock: Clock
    policy: str  # code; of the catalogue, or MANUAL
    started_at: datetime
    due_at: datetime
    warn_at: datetime | None = None


MANUAL = "MANUAL"  # somebody named the date


class Matter(NamedTuple):
    """What a policy is chosen by."""

    regime: Regime
    priority: Priority
    topic: str | None
    municipality: str | None
    fast_track: bool = False


class Escalation(NamedTuple):
    """A step up the chain after a missed deadline: who hears of it, and when."""

    step: int  # from 1
    to: Role
    at: datetime


class Terms(Protocol):
    """The policies and working calendar of one region, known to regions/reference/terms.py."""

    def deadline(self, clock: Clock, matter: Matter, *, start: datetime) -> Deadline | None:
        """By the policy valid at `start`; None where the region has none for it."""

    def in_crisis(self, topic_groups: Collection[str], municipality: str | None) -> "Terms":
        """The terms while a crisis goes on: for these groups (none: all) and this place, if any."""

    def after_pause(
        self,
        deadline: Deadline,
        *,
        paused_at: datetime,
        resumed_at: datetime,
        municipality: str | None,
    ) -> Deadline:
        """The same with as much time left as there was when it was paused.

        One that had passed by then stays as it is.
        """

    def working_seconds(self, start: datetime, end: datetime, municipality: str | None) -> float:
        """Working time between two moments; 0 if the end is not later."""

    def day_end(self, day: date, municipality: str | None) -> datetime:
        """The last moment of a local day."""

    def promise_limit(self, matter: Matter, *, start: datetime) -> date | None:
        """The last day that may be promised; None where no policy says one."""

    def escalation(
        self, clock: Clock, step: int, *, missed_at: datetime, municipality: str | None
    ) -> Escalation | None:
        """The step with this number, in somebody's working time; None above the last."""

    def evidence_needed(self, topic: str | None) -> bool:
        """Whether a solution of this topic can be seen, and so must be shown."""

    def flaws(self, text: str, kind: ReplyKind) -> tuple[ReplyFlaw, ...]:
        """What rules find wrong with the text of a reply in the region's language."""


class NoTerms:
    """A region without policies, open around the clock in UTC."""

    def deadline(self, clock: Clock, matter: Matter, *, start: datetime) -> Deadline | None:
        return None

    def in_crisis(self, topic_groups: Collection[str], municipality: str | None) -> "Terms":
        return self

    def after_pause(
        self,
        deadline: Deadline,
        *,
        paused_at: datetime,
        resumed_at: datetime,
        municipality: str | None,
    ) -> Deadline:
        if deadline.due_at <= paused_at:
            return deadline
        due_at = deadline.due_at + (resumed_at - paused_at)
        return msgspec.structs.replace(deadline, due_at=due_at)

    def working_seconds(self, start: datetime, end: datetime, municipality: str | None) -> float:
        return max(0.0, (end - start).total_seconds())

    def day_end(self, day: date, municipality: str | None) -> datetime:
        return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)

    def promise_limit(self, matter: Matter, *, start: datetime) -> date | None:
        return None

    def escalation(
        self, clock: Clock, step: int, *, missed_at: datetime, municipality: str | None
    ) -> Escalation | None:
        return None

    def evidence_needed(self, topic: str | None) -> bool:
        return False

    def flaws(self, text: str, kind: ReplyKind) -> tuple[ReplyFlaw, ...]:
        return ()


NO_TERMS = NoTerms()


@dataclass(slots=True)
class Clocks:
    """The deadlines of an incident's cycle that run, and what was said about them."""

    running: dict[Clock, Deadline] = field(default_factory=dict)
    paused: set[Clock] = field(default_factory=set)
    warned: set[Clock] = field(default_factory=set)
    missed: dict[Clock, datetime] = field(default_factory=dict)  # and when that was recorded
    steps: dict[Clock, int] = field(default_factory=dict)  # how far a missed one went up the chain

    def set(self, deadline: Deadline) -> None:
        """Start a clock, or move its end: what was warned of or missed may be so again."""
        self.running[deadline.clock] = deadline
        self.paused.discard(deadline.clock)
        self.warned.discard(deadline.clock)
        self.missed.pop(deadline.clock, None)
        self.steps.pop(deadline.clock, None)

    def resume(self, deadline: Deadline) -> None:
        """Let a paused clock run on; what was missed or warned of before stays so."""
        self.running[deadline.clock] = deadline
        self.paused.discard(deadline.clock)

    def stop(self, *clocks: Clock) -> None:
        for clock in clocks:
            self.running.pop(clock, None)

    def overdue(self, clock: Clock, at: datetime) -> bool:
        """Whether a clock that runs has passed its end and nobody has recorded it yet."""
        deadline = self.running.get(clock)
        return (
            deadline is not None
            and at > deadline.due_at
            and clock not in self.paused
            and clock not in self.missed
        )
