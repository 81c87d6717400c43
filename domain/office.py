"""The regional centre itself: what it listens to, when it works as in a crisis, what it decided.

Facts of the region, not of one incident; its stream is one of the region's, beside the incidents'.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, ClassVar
from uuid import NAMESPACE_OID, UUID, uuid5

import msgspec

from domain.commands import SHORT_TEXT_MAX, check_date, check_text
from domain.errors import (
    CrisisAlready,
    DecisionExists,
    DomainError,
    NoCrisis,
    SourceExists,
    SourceUnknown,
)
from domain.events import Event
from domain.rights import Actor
from domain.vocabulary import Cause, CrisisReason, Regime, Role


class OfficeEvent(Event, frozen=True, kw_only=True):
    """What every event of the centre itself carries; `municipality` narrows it to a place."""


class CrisisDeclared(OfficeEvent, frozen=True, kw_only=True):
    """From now on deadlines start by the policies for a crisis."""

    TOPIC: ClassVar = "CrisisDeclared"

    reason: CrisisReason
    topic_groups: tuple[str, ...] = ()  # none: for all of them


class CrisisLifted(OfficeEvent, frozen=True, kw_only=True):
    TOPIC: ClassVar = "CrisisLifted"


class SystemicDecisionMade(OfficeEvent, frozen=True, kw_only=True):
    """Something was changed so that a kind of problem does not come back."""

    TOPIC: ClassVar = "SystemicDecisionMade"

    number: str  # of the act; RootCauseRecorded names it
    title: str
    topic: str
    cause: Cause
    decided_on: date


class SourceOpened(OfficeEvent, frozen=True, kw_only=True):
    """A group, chat or feed that is listened to and answered in."""

    TOPIC: ClassVar = "SourceOpened"

    code: str
    channel: str
    name: str
    address: str  # how its platform names it: a group's id, a chat's
    regime: Regime = Regime.IM
    topic: str | None = None  # what everything there is about
    silence_hours: int | None = None  # after which nothing heard is an alarm


class SourceClosed(OfficeEvent, frozen=True, kw_only=True):
    """It is listened to no more; what came from it stays."""

    TOPIC: ClassVar = "SourceClosed"

    code: str


OFFICE_EVENTS: dict[str, type[OfficeEvent]] = {
    event.TOPIC: event for event in OfficeEvent.__subclasses__()
}


class OfficeCommand(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Something asked of the centre itself."""

    NAME: ClassVar[str]
    ROLES: ClassVar[frozenset[Role]]

    def check(self, now: datetime) -> None:
        """Raises InvalidInput if a field cannot be accepted at the moment `now`."""


class DeclareCrisis(OfficeCommand, frozen=True, kw_only=True):
    NAME: ClassVar = "declareCrisis"
    ROLES: ClassVar = frozenset({Role.REGION_HEAD, Role.FEDERAL_OVERSEER})

    reason: CrisisReason
    topic_groups: tuple[str, ...] = ()
    municipality: str | None = None  # None: all of the region


class LiftCrisis(OfficeCommand, frozen=True, kw_only=True):
    NAME: ClassVar = "liftCrisis"
    ROLES: ClassVar = frozenset({Role.REGION_HEAD, Role.FEDERAL_OVERSEER})


class MakeSystemicDecision(OfficeCommand, frozen=True, kw_only=True):
    NAME: ClassVar = "makeSystemicDecision"
    ROLES: ClassVar = frozenset({Role.CURATOR, Role.REGION_HEAD})

    number: str
    title: str
    topic: str
    cause: Cause
    decided_on: date

    def check(self, now: datetime) -> None:
        check_text("number", self.number, SHORT_TEXT_MAX)
        check_text("title", self.title, SHORT_TEXT_MAX)
        noon = datetime.combine(self.decided_on, time(12), UTC)
        check_date("decidedOn", noon, not_after=now + timedelta(days=1))


class OpenSource(OfficeCommand, frozen=True, kw_only=True):
    NAME: ClassVar = "openSource"
    ROLES: ClassVar = frozenset({Role.REGION_HEAD, Role.SYSTEM})

    code: str
    channel: str
    name: str
    address: str
    regime: Regime = Regime.IM
    municipality: str | None = None  # whose group it is
    topic: str | None = None
    silence_hours: int | None = None

    def check(self, now: datetime) -> None:
        for name, text in (("code", self.code), ("name", self.name), ("address", self.address)):
            check_text(name, text, SHORT_TEXT_MAX)


class CloseSource(OfficeCommand, frozen=True, kw_only=True):
    NAME: ClassVar = "closeSource"
    ROLES: ClassVar = frozenset({Role.REGION_HEAD, Role.SYSTEM})

    code: str


def office_id(region: str) -> UUID:
    """Where the stream of a region's centre is found."""
    return uuid5(NAMESPACE_OID, f"tsur office {region}")


@dataclass(frozen=True, slots=True)
class OfficeStreamEvent:
    """An event at its place in the stream of one centre."""

    originator_id: UUID
    originator_version: int
    event: OfficeEvent


@dataclass(slots=True)
class Office:
    """What the rules need to know of a centre."""

    region: str
    version: int = 0
    crisis: CrisisDeclared | None = None
    sources: dict[str, SourceOpened] = field(default_factory=dict)  # the open ones
    decisions: set[str] = field(default_factory=set)
    pending: list[OfficeStreamEvent] = field(default_factory=list)

    @property
    def id(self) -> UUID:
        return office_id(self.region)

    def collect_events(self) -> list[OfficeStreamEvent]:
        """Hand over the events that are not stored yet."""
        pending, self.pending = self.pending, []
        return pending

    def append(self, event: OfficeEvent) -> None:
        self.apply(event)
        self.pending.append(OfficeStreamEvent(self.id, self.version, event))

    def apply(self, event: OfficeEvent) -> None:
        self.version += 1
        match event:
            case CrisisDeclared():
                self.crisis = event
            case CrisisLifted():
                self.crisis = None
            case SystemicDecisionMade():
                self.decisions.add(event.number)
            case SourceOpened():
                self.sources[event.code] = event
            case SourceClosed():
                self.sources.pop(event.code, None)


def office_of(region: str, events: Iterable[OfficeEvent]) -> Office:
    """The centre as its events tell it."""
    office = Office(region)
    for event in events:
        office.apply(event)
    return office


def decide(office: Office, command: OfficeCommand, *, at: datetime, by: Actor) -> None:
    """Decide on a command; what happens is appended to the office's `pending`.

    Raises RuleBroken.
    """
    of, refusal = DECISIONS[type(command)]
    if (broken := refusal(office, command)) is not None:
        raise broken
    facts = {name: getattr(command, name) for name in command.__struct_fields__}
    office.append(of(region=office.region, occurred_at=at, actor=by.name, role=by.role, **facts))


def _crisis_already(office: Office, command: DeclareCrisis) -> DomainError | None:
    return CrisisAlready(since=office.crisis.occurred_at.isoformat()) if office.crisis else None


def _no_crisis(office: Office, command: LiftCrisis) -> DomainError | None:
    return None if office.crisis else NoCrisis()


def _decision_exists(office: Office, command: MakeSystemicDecision) -> DomainError | None:
    exists = command.number in office.decisions
    return DecisionExists(number=command.number) if exists else None


def _source_exists(office: Office, command: OpenSource) -> DomainError | None:
    return SourceExists(code=command.code) if command.code in office.sources else None


def _source_unknown(office: Office, command: CloseSource) -> DomainError | None:
    return None if command.code in office.sources else SourceUnknown(code=command.code)


# Which event a command leads to, and what forbids it; the fields of both have the same names.
DECISIONS: dict[
    type[OfficeCommand],
    tuple[type[OfficeEvent], Callable[[Office, Any], DomainError | None]],
] = {
    DeclareCrisis: (CrisisDeclared, _crisis_already),
    LiftCrisis: (CrisisLifted, _no_crisis),
    MakeSystemicDecision: (SystemicDecisionMade, _decision_exists),
    OpenSource: (SourceOpened, _source_exists),
    CloseSource: (SourceClosed, _source_unknown),
}
