"""By when something must be done: the deadline policies of a catalogue, as data.

Of the policies that match a matter the most specific one counts. Specific is, in this order: one
for a crisis; one of the region; one for the fast track; one for the priority; one for the topic
group. Two policies for the same of all five are never valid on the same day, so there is no tie.
"""

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import groupby, pairwise
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from domain import quality
from domain.deadlines import Deadline, Escalation, Matter, Term
from domain.rights import region_proper
from domain.vocabulary import (
    Clock,
    Priority,
    Regime,
    ReplyFlaw,
    ReplyKind,
    Role,
    TermUnit,
)
from regions.reference.calendar import WorkCalendar
from regions.reference.calendars import Calendars
from regions.reference.catalogue import Catalogue, CatalogueInvalid, Row
from regions.reference.tables import parsed, region_in, sourced

WORKING = (TermUnit.WORKING_HOURS, TermUnit.WORKING_DAYS)
AMOUNT_MAX = 1000  # of any unit; more is a slip of the pen


@dataclass(frozen=True, slots=True)
class Policy:
    """A row of policies.csv. Where something is None, any will do."""

    code: str
    regime: Regime
    region: str | None
    topic_group: str | None
    priority: Priority | None
    fast_track: bool  # for matters that were granted it; False: for these too
    crisis: bool  # only while a crisis goes on; False: then too, where no other is meant for it
    clock: Clock
    term: Term
    warn: Term | None  # when only so much working time is left
    promise_days_max: int | None  # how many days after the start a promised date may lie
    valid_from: date  # like the next included; by the local day of the start
    valid_until: date
    source: str

    @property
    def scope(self) -> tuple[bool, str, bool, str, str]:
        """What it is for; of two that match a matter the greater one is the more specific."""
        return (
            self.crisis,
            self.region or "",
            self.fast_track,
            self.priority or "",
            self.topic_group or "",
        )

    def matches(self, matter: Matter, topic_group: str | None, day: date, *, crisis: bool) -> bool:
        return (
            self.regime is matter.regime
            and self.priority in (None, matter.priority)
            and self.topic_group in (None, topic_group)
            and (matter.fast_track or not self.fast_track)
            and (crisis or not self.crisis)
            and self.valid_from <= day <= self.valid_until
        )


class Crisis(NamedTuple):
    """What a crisis is about, and where; none of either: everything, everywhere."""

    topic_groups: frozenset[str]
    municipality: str | None

    def covers(self, topic_group: str | None, municipality: str | None) -> bool:
        return (not self.topic_groups or topic_group in self.topic_groups) and (
            self.municipality in (None, municipality)
        )


@dataclass(frozen=True, slots=True)
class EscalationStep:
    """A row of escalations.csv: who is told next that a deadline was missed."""

    code: str  # of the chain; a clock has one
    clock: Clock
    step: int  # from 1
    after: Term  # working time since it was missed
    role: Role
    source: str


@dataclass(frozen=True, eq=False)
class RegionTerms:
    """The `Terms` of one region (domain/deadlines.py)."""

    region: str
    calendars: Calendars
    policies: Sequence[Policy]  # the region's own and everybody's, the most specific first
    chains: Mapping[Clock, Sequence[EscalationStep]]  # in the order of their steps
    topic_groups: Mapping[str, str | None]  # of the topics
    visible_topics: Set[str]  # whose solution can be seen
    language: str
    crisis: Crisis | None = None  # the one that goes on

    def in_crisis(self, topic_groups: Collection[str], municipality: str | None) -> "RegionTerms":
        return dataclasses.replace(self, crisis=Crisis(frozenset(topic_groups), municipality))

    def deadline(self, clock: Clock, matter: Matter, *, start: datetime) -> Deadline | None:
        """By the policy valid at `start`; None where there is none for it.

        It has no `warn_at` if less time is left from the start.
        """
        policy = self._policy(clock, matter, start)
        if policy is None:
            return None
        calendar = self._calendar(matter.municipality)
        due_at = calendar.due_at(start, policy.term)
        warn_at = calendar.with_left(due_at, policy.warn) if policy.warn else None
        return Deadline(
            clock=clock,
            policy=policy.code,
            started_at=start,
            due_at=due_at,
            warn_at=_ahead(warn_at, start),
        )

    def after_pause(
        self,
        deadline: Deadline,
        *,
        paused_at: datetime,
        resumed_at: datetime,
        municipality: str | None = None,
    ) -> Deadline:
        """The same with as much left as when it was paused.

        That is working time where the policy counts it, else plain time. One that was missed by
        then stays as it is.
        """
        if resumed_at <= paused_at or deadline.due_at <= paused_at:
            return deadline
        calendar = self._calendar(municipality)
        if self._counts_working_time(deadline):
            left = calendar.working_time(paused_at, deadline.due_at)
            due_at = calendar.after(resumed_at, left)
        else:
            due_at = deadline.due_at + (resumed_at - paused_at)
        warn_at = _ahead(deadline.warn_at, paused_at)
        if warn_at:
            warn_at = calendar.before(due_at, calendar.working_time(warn_at, deadline.due_at))
        return replace(deadline, due_at=due_at, warn_at=_ahead(warn_at, resumed_at))

    def working_seconds(self, start: datetime, end: datetime, municipality: str | None) -> float:
        """Working time between two moments; 0 if the end is not later."""
        return self._calendar(municipality).working_time(start, end).total_seconds()

    def day_end(self, day: date, municipality: str | None) -> datetime:
        """The midnight at the end of a local day."""
        return self._calendar(municipality).midnight(day + timedelta(days=1))

    def promise_limit(self, matter: Matter, *, start: datetime) -> date | None:
        """The last day that may be promised; None where no policy says one."""
        policy = self._policy(Clock.SOLUTION, matter, start)
        if policy is None or policy.promise_days_max is None:
            return None
        day = self._calendar(matter.municipality).day(start)
        return day + timedelta(days=policy.promise_days_max)

    def escalation(
        self, clock: Clock, step: int, *, missed_at: datetime, municipality: str | None
    ) -> Escalation | None:
        """The step with this number, at a working moment; None above the last."""
        for each in self.chains.get(clock, ()):
            if each.step == step:
                calendar = self._calendar(municipality)
                told_at = calendar.next_working(calendar.due_at(missed_at, each.after))
                return Escalation(step, each.role, told_at)
        return None

    def evidence_needed(self, topic: str | None) -> bool:
        """Whether a solution of this topic can be seen, and so must be shown."""
        return topic in self.visible_topics

    def flaws(self, text: str, kind: ReplyKind) -> tuple[ReplyFlaw, ...]:
        """What the rules of the region's language find; there are rules for Russian only."""
        return quality.flaws(text, kind=kind) if self.language == "ru" else ()

    def _policy(self, clock: Clock, matter: Matter, start: datetime) -> Policy | None:
        day = self._calendar(matter.municipality).day(start)
        group = self.topic_groups.get(matter.topic) if matter.topic else None
        crisis = self.crisis is not None and self.crisis.covers(group, matter.municipality)
        for policy in self.policies:
            if policy.clock is clock and policy.matches(matter, group, day, crisis=crisis):
                return policy
        return None

    def _counts_working_time(self, deadline: Deadline) -> bool:
        """False for a date that somebody named, and for a policy that is no longer listed."""
        return any(
            policy.term.unit in WORKING
            for policy in self.policies
            if policy.code == deadline.policy and policy.clock is deadline.clock
        )

    def _calendar(self, municipality: str | None) -> WorkCalendar:
        return self.calendars.of(self.region, municipality)


def _ahead(warn_at: datetime | None, now: datetime) -> datetime | None:
    """None once it has passed: less is left than was to be warned of."""
    return warn_at if warn_at and warn_at > now else None


@dataclass(frozen=True, eq=False)
class NetworkTerms:
    """The terms of every region, made when they are first asked for."""

    catalogue: Catalogue
    calendars: Calendars
    policies: tuple[Policy, ...]  # the most specific first
    chains: Mapping[Clock, tuple[EscalationStep, ...]]
    visible_topics: frozenset[str]
    _made: dict[str, RegionTerms] = field(default_factory=dict, init=False)

    def of(self, region: str) -> RegionTerms:
        """Raises UnknownRegion. A sandbox has the terms of its region."""
        region = region_proper(region)
        made = self._made.get(region)
        if made is None:
            made = self._made[region] = RegionTerms(
                region=self.catalogue.region(region).code,
                calendars=self.calendars,
                policies=tuple(each for each in self.policies if each.region in (None, region)),
                chains=self.chains,
                topic_groups={code: topic.group for code, topic in self.catalogue.topics.items()},
                visible_topics=self.visible_topics,
                language=self.catalogue.language,
            )
        return made


def load_terms(folder: Path, catalogue: Catalogue, calendars: Calendars) -> NetworkTerms:
    """Read policies.csv, escalations.csv and visible_topics.csv of a catalogue folder.

    Any may be missing: then nothing has a deadline, nobody is told of a missed one, no solution
    needs evidence. Raises CatalogueInvalid, naming the file and the line or the policy.
    """
    steps = parsed(folder / "escalations.csv", _step)
    visible = parsed(folder / "visible_topics.csv", lambda row: _visible(row, catalogue))
    return NetworkTerms(
        catalogue,
        calendars,
        load_policies(folder / "policies.csv", catalogue),
        _chains(folder / "escalations.csv", steps),
        frozenset(visible),
    )


def load_policies(file: Path, catalogue: Catalogue) -> tuple[Policy, ...]:
    """The most specific first. Raises CatalogueInvalid, naming the line or the policy."""
    policies = parsed(file, lambda row: _policy(row, catalogue))
    _check_policies(file, policies)
    return by_specificity(policies)


def by_specificity(policies: Iterable[Policy]) -> tuple[Policy, ...]:
    """The most specific first: of those that match a matter the first one counts."""
    return tuple(sorted(policies, key=lambda policy: policy.scope, reverse=True))


def _policy(row: Row, catalogue: Catalogue) -> Policy:
    warn = _term(row, "warn_amount", "warn_unit", least=1) if row["warn_amount"] else None
    if warn and warn.unit not in WORKING:
        raise ValueError(f"a warning is given in working time, not in {warn.unit}")
    return Policy(
        code=_code(row),
        regime=Regime(row["regime"]),
        region=region_in(row, catalogue),
        topic_group=_topic_group(row, catalogue),
        priority=Priority(row["priority"]) if row["priority"] else None,
        fast_track=_flag(row["fast_track"]),
        crisis=_flag(row.get("crisis", "")),
        clock=Clock(row["clock"]),
        term=_term(row, "amount", "unit", least=1),
        warn=warn,
        promise_days_max=int(row["promise_days_max"]) if row["promise_days_max"] else None,
        valid_from=_date(row["valid_from"], date.min),
        valid_until=_date(row["valid_until"], date.max),
        source=sourced(row)["source"],
    )


def _step(row: Row) -> EscalationStep:
    after = _term(row, "after_amount", "after_unit", least=0)
    if after.unit not in WORKING:
        raise ValueError(f"an escalation waits in working time, not in {after.unit}")
    return EscalationStep(
        code=_code(row),
        clock=Clock(row["clock"]),
        step=int(row["step"]),
        after=after,
        role=Role(row["role"]),
        source=sourced(row)["source"],
    )


def _visible(row: Row, catalogue: Catalogue) -> str:
    code = sourced(row)["topic"]
    if code not in catalogue.topics or catalogue.topics[code].group is None:
        raise ValueError(f"topic {code!r} does not exist")
    return code


def _code(row: Row) -> str:
    if not row["code"]:
        raise ValueError("no code")
    return row["code"]


def _topic_group(row: Row, catalogue: Catalogue) -> str | None:
    code = row["topic_group"]
    if code and (code not in catalogue.topics or catalogue.topics[code].group):
        raise ValueError(f"topic group {code!r} does not exist")
    return code or None


def _term(row: Row, amount: str, unit: str, *, least: int) -> Term:
    term = Term(int(row[amount]), TermUnit(row[unit]))
    if not least <= term.amount <= AMOUNT_MAX:
        raise ValueError(f"{amount} {term.amount} is not between {least} and {AMOUNT_MAX}")
    return term


def _flag(cell: str) -> bool:
    if cell not in ("", "1"):
        raise ValueError(f"{cell!r} is neither 1 nor empty")
    return bool(cell)


def _date(cell: str, empty: date) -> date:
    return date.fromisoformat(cell) if cell else empty


def _check_policies(path: Path, policies: Iterable[Policy]) -> None:
    """Raises CatalogueInvalid for a tie, and for a code whose rows count in two ways."""

    def kind(policy: Policy) -> tuple[object, ...]:
        return policy.clock, policy.regime, *policy.scope

    def named(policy: Policy) -> tuple[object, ...]:
        return policy.code, policy.clock

    in_order = sorted(policies, key=lambda policy: (kind(policy), policy.valid_from))
    for earlier, later in pairwise(in_order):
        if kind(earlier) == kind(later) and later.valid_from <= earlier.valid_until:
            both = f"{earlier.code} and {later.code}"
            raise CatalogueInvalid(f"{path}: {both} are for the same and valid on the same day")
    # A pause keeps working time or time, by the code alone: that is what a deadline remembers.
    for (code, clock), rows in groupby(sorted(policies, key=named), key=named):
        if len({policy.term.unit in WORKING for policy in rows}) > 1:
            raise CatalogueInvalid(f"{path}: {code} counts {clock} in working time and not")


def _chains(
    path: Path, steps: Iterable[EscalationStep]
) -> Mapping[Clock, tuple[EscalationStep, ...]]:
    """Raises CatalogueInvalid unless the steps of each clock are 1, 2, 3 and so on."""
    in_order = sorted(steps, key=lambda step: (step.clock, step.step))
    chains = {clock: tuple(of) for clock, of in groupby(in_order, key=lambda step: step.clock)}
    for clock, chain in chains.items():
        numbers = [step.step for step in chain]
        if numbers != list(range(1, len(chain) + 1)):
            raise CatalogueInvalid(f"{path}: the steps of {clock} are {numbers}")
    return chains
