"""The incident: what the state must do about what a citizen wrote, and the rules of its life."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, TypedDict
from uuid import UUID

from domain.commands import (
    AcceptWork,
    Assign,
    Classify,
    Close,
    Command,
    ErasePersonalData,
    PublishReply,
    Register,
    Reopen,
    Resolve,
    Return,
)
from domain.errors import (
    FinalReplyMissing,
    FirstReplyRepeated,
    ForbiddenTransition,
    NoPersonalData,
    NotClassified,
    OtherChannel,
    TimeGoesBackwards,
)
from domain.events import (
    Event,
    IncidentAssigned,
    IncidentClassified,
    IncidentClosed,
    IncidentRegistered,
    IncidentReopened,
    IncidentResolved,
    IncidentReturned,
    PersonalDataErased,
    ReplyPublished,
    Sealed,
    WorkAccepted,
)
from domain.vocabulary import OPEN, ReplyAuthor, ReplyKind, Role, Status


class Transition(NamedTuple):
    """From which states an event may happen, and the state after it (None: unchanged)."""

    sources: frozenset[Status]
    target: Status | None


TRIAGE = frozenset({Status.REGISTERED, Status.RETURNED, Status.REOPENED})
WORK = frozenset({Status.ASSIGNED, Status.IN_PROGRESS})

# The whole lifecycle. Registration has no source: it begins the stream.
TRANSITIONS: dict[type[Event], Transition] = {
    IncidentRegistered: Transition(frozenset(), Status.REGISTERED),
    IncidentClassified: Transition(TRIAGE, None),
    IncidentAssigned: Transition(TRIAGE, Status.ASSIGNED),
    IncidentReturned: Transition(frozenset({Status.ASSIGNED}), Status.RETURNED),
    WorkAccepted: Transition(frozenset({Status.ASSIGNED}), Status.IN_PROGRESS),
    ReplyPublished: Transition(OPEN, None),
    IncidentResolved: Transition(WORK, Status.RESOLVED),
    IncidentClosed: Transition(frozenset({Status.RESOLVED}), Status.CLOSED),
    IncidentReopened: Transition(frozenset({Status.RESOLVED, Status.CLOSED}), Status.REOPENED),
    PersonalDataErased: Transition(frozenset(Status), None),
}


# Which event each command leads to.
EVENT_OF: dict[type[Command], type[Event]] = {
    Register: IncidentRegistered,
    Classify: IncidentClassified,
    Assign: IncidentAssigned,
    Return: IncidentReturned,
    AcceptWork: WorkAccepted,
    PublishReply: ReplyPublished,
    Resolve: IncidentResolved,
    Close: IncidentClosed,
    Reopen: IncidentReopened,
    ErasePersonalData: PersonalDataErased,
}


class Actor(NamedTuple):
    """Who gave the command."""

    name: str
    role: Role


SYSTEM = Actor("system", Role.SYSTEM)


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """An event at its place in one incident's stream; what the event store reads and writes."""

    originator_id: UUID
    originator_version: int
    event: Event

    def mutate(self, incident: "Incident | None") -> "Incident":
        """The incident after this event: how the library's repository rebuilds it."""
        incident = incident or Incident(self.originator_id)
        incident.version = self.originator_version
        incident.apply(self.event)
        return incident


@dataclass(slots=True)
class Incident:
    """What the rules need to know of one incident, and nothing for screens."""

    id: UUID
    version: int = 0
    region: str = ""
    municipality: str | None = None
    status: Status = Status.REGISTERED
    cycle: int = 1
    channel: str = ""
    topic: str | None = None
    subject: UUID | None = None  # whose key seals the personal data; None once it is destroyed
    replies: set[tuple[ReplyKind, ReplyAuthor]] = field(default_factory=set)  # of this cycle
    last_at: datetime | None = None
    pending: list[StreamEvent] = field(default_factory=list)

    def collect_events(self) -> list[StreamEvent]:
        """Hand over the events that are not stored yet; the library calls this once per save."""
        pending, self.pending = self.pending, []
        return pending

    def handle(
        self,
        command: Command,
        *,
        at: datetime,
        by: Actor,
        sealed: Sealed | None = None,
    ) -> None:
        """Decide on a command; what happens is appended to `pending`.

        `sealed` stands for the command's private part. Raises RuleBroken.
        """
        self._check_transition(command)
        self._check_time(at)
        common = _common(self.region, self.municipality, at, by)
        event: Event
        match command:
            case Classify():
                event = IncidentClassified(topic=command.topic, **common)
            case Assign():
                event = self._assign(command, common)
            case Return():
                event = IncidentReturned(
                    reason=command.reason,
                    suggested_organisation=command.suggested_organisation,
                    **common,
                )
            case AcceptWork():
                event = WorkAccepted(**common)
            case PublishReply():
                event = self._publish_reply(command, common, sealed)
            case Resolve():
                event = self._resolve(command, common)
            case Close():
                event = IncidentClosed(**common)
            case Reopen():
                event = IncidentReopened(reason=command.reason, **common)
            case ErasePersonalData():
                event = self._erase_personal_data(common)
            case _:
                raise TypeError(f"An incident does not know {type(command).__name__}")
        self._append(event)

    @classmethod
    def register(
        cls,
        incident_id: UUID,
        region: str,
        command: Register,
        *,
        at: datetime,
        by: Actor,
        sealed: Sealed | None = None,
    ) -> "Incident":
        """Begin the stream of a new incident.

        A platform's clock may run a little ahead of ours; its post is still not from the future.
        """
        incident = cls(incident_id)
        incident._append(
            IncidentRegistered(
                channel=command.channel,
                external_id=command.external_id,
                kind=command.kind,
                published_at=min(command.published_at, at),
                latitude=command.latitude,
                longitude=command.longitude,
                citizen=sealed,
                **_common(region, command.municipality, at, by),
            )
        )
        return incident

    def _assign(self, command: Assign, common: "_Common") -> IncidentAssigned:
        if self.topic is None:
            raise NotClassified
        return IncidentAssigned(organisation=command.organisation, due_at=command.due_at, **common)

    def _publish_reply(
        self, command: PublishReply, common: "_Common", sealed: Sealed | None
    ) -> ReplyPublished:
        channel = command.channel or self.channel
        if channel != self.channel and command.fallback_reason is None:
            raise OtherChannel(channel=self.channel)
        if command.kind is ReplyKind.FIRST and self._answered(command.author):
            raise FirstReplyRepeated
        return ReplyPublished(
            kind=command.kind,
            author=command.author,
            channel=channel,
            fallback_reason=command.fallback_reason,
            text=sealed,
            **common,
        )

    def _answered(self, author: ReplyAuthor) -> bool:
        """Whether a FIRST reply of this author comes too late: an automatic one stops no human."""
        if author is ReplyAuthor.AUTO:
            return bool(self.replies)
        return any(replied_by is ReplyAuthor.HUMAN for _, replied_by in self.replies)

    def _resolve(self, command: Resolve, common: "_Common") -> IncidentResolved:
        if (ReplyKind.FINAL, ReplyAuthor.HUMAN) not in self.replies:
            raise FinalReplyMissing
        return IncidentResolved(outcome=command.outcome, **common)

    def _erase_personal_data(self, common: "_Common") -> PersonalDataErased:
        if self.subject is None:
            raise NoPersonalData
        return PersonalDataErased(subject=self.subject, **common)

    def _check_transition(self, command: Command) -> None:
        if self.status not in TRANSITIONS[EVENT_OF[type(command)]].sources:
            raise ForbiddenTransition(command=command.NAME, status=self.status)

    def _check_time(self, at: datetime) -> None:
        if self.last_at is not None and at < self.last_at:
            raise TimeGoesBackwards(value=at.isoformat(), previous=self.last_at.isoformat())

    def _append(self, event: Event) -> None:
        self.version += 1
        self.pending.append(StreamEvent(self.id, self.version, event))
        self.apply(event)

    def apply(self, event: Event) -> None:
        """Take over what happened. Runs again on every replay: no rule, no clock, no I/O here."""
        self.status = TRANSITIONS[type(event)].target or self.status
        self.last_at = event.occurred_at
        match event:
            case IncidentRegistered():
                self.region = event.region
                self.municipality = event.municipality
                self.channel = event.channel
                self._take_subject(event.citizen)
            case IncidentClassified():
                self.topic = event.topic
            case ReplyPublished():
                self.replies.add((event.kind, event.author))
                self._take_subject(event.text)
            case IncidentReopened():
                self.cycle += 1
                self.replies = set()
            case PersonalDataErased():
                self.subject = None

    def _take_subject(self, sealed: Sealed | None) -> None:
        if sealed is not None:
            self.subject = sealed.subject


class _Common(TypedDict):
    """What every event of one command has in common."""

    region: str
    municipality: str | None
    occurred_at: datetime
    actor: str
    role: Role


def _common(region: str, municipality: str | None, at: datetime, by: Actor) -> _Common:
    return {
        "region": region,
        "municipality": municipality,
        "occurred_at": at,
        "actor": by.name,
        "role": by.role,
    }


def replay(events: Iterable[StreamEvent]) -> Incident | None:
    """The incident its events tell of; None if there are none."""
    incident: Incident | None = None
    for event in events:
        incident = event.mutate(incident)
    return incident
