"""The incident: its row, its history, and the citizen behind it."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import msgspec
import strawberry

from api.context import Info
from api.cost_directives import Cost
from api.drill_down import Look, Opened
from api.loaders import Sight
from api.types import node
from api.types.asked import names_asked
from api.types.backed import Made, backed_by
from api.types.catalogue import Municipality, Organisation, Region, Topic
from api.types.node import Node, incident_id
from api.types.sources import Likeness, Reading
from domain import commands, events
from domain.lifecycle import EVENT_OF
from domain.vocabulary import (
    Cause,
    Clock,
    DeliveryFailure,
    Kind,
    Outcome,
    Priority,
    Regime,
    ReplyAuthor,
    ReplyKind,
    Role,
    Status,
)
from projections.history import HistoryKey, PastEvent
from projections.incidents import Beginning, IncidentRow
from projections.views.columns import incident_node_id
from regions.centre import Opening

access_log = logging.getLogger("tsur.access")


@strawberry.type(
    description="Who wrote and what. Needs the right to personal data; each look is logged."
)
class Citizen:
    name: str | None = strawberry.field(description="As given.")
    contact: str | None = strawberry.field(description="As given.")
    text: str = strawberry.field(description="The message.")


@strawberry.type(description="One of the facts an event holds.")
class Fact:
    name: str = strawberry.field(description="Name of the field in domain/events.py.")
    value: str = strawberry.field(description="As JSON writes it, texts without quotes.")


@strawberry.type(
    description="One event in the life of an incident. Fields of other events are null."
)
class HistoryEntry:
    event: str = strawberry.field(description="What happened: IncidentRegistered, ReplyPublished …")
    version: int = strawberry.field(description="1, 2, 3 … in the life of the incident.")
    position: str = strawberry.field(description="Place in the region's log, for readAfter.")
    occurred_at: datetime = strawberry.field(description="When it happened.")
    actor: str = strawberry.field(description="Who did it.")
    role: Role = strawberry.field(description="In which role.")
    topic: str | None = strawberry.field(description="IncidentClassified: code of the topic.")
    organisation: str | None = strawberry.field(
        description="IncidentAssigned: the responsible body; IncidentReturned: the suggested."
    )
    due_at: datetime | None = strawberry.field(description="IncidentAssigned: the deadline.")
    reason: str | None = strawberry.field(description="IncidentReturned, IncidentReopened: why.")
    outcome: Outcome | None = strawberry.field(description="IncidentResolved: with what result.")
    reply_kind: ReplyKind | None = strawberry.field(description="ReplyPublished: which kind.")
    reply_author: ReplyAuthor | None = strawberry.field(description="ReplyPublished: by whom.")
    channel: str | None = strawberry.field(
        description="IncidentRegistered, ReplyPublished: code of the channel."
    )
    facts: list[Fact] = strawberry.field(
        description="Everything the event holds; what is sealed only by its own field."
    )
    sealed: strawberry.Private[events.Sealed | None]
    sealed_by: strawberry.Private[type[commands.Command] | None]
    incident_id: strawberry.Private[UUID]
    region_code: strawberry.Private[str]
    look: strawberry.Private[Look]

    @strawberry.field(
        description="What was written: a reply, a draft, a question, a dispute. Null once erased. "
        "Needs the right to personal data."
    )
    async def text(self, info: Info) -> str | None:
        if self.sealed is None or self.sealed_by is None:
            return None
        if info.context.node.elsewhere(self.region_code):
            return (await opened_elsewhere(info, self.look)).text(self.version)
        content = await unsealed(
            info, self.region_code, self.incident_id, self.sealed, self.sealed_by
        )
        if content is None:
            return None
        written = msgspec.json.decode(content, type=str | commands.Citizen)
        return written if isinstance(written, str) else written.text

    @classmethod
    def of(cls, key: HistoryKey, past: PastEvent, look: Look) -> "HistoryEntry":
        event: Any = past.event  # one entry shows every kind of event
        deadline = getattr(event, "deadline", None) or next(
            (one for one in getattr(event, "deadlines", ()) if one.clock is Clock.SOLUTION), None
        )
        sealed = {
            name: value
            for name, value in msgspec.structs.asdict(event).items()
            if isinstance(value, events.Sealed)
        }
        return cls(
            event=event.TOPIC,
            version=past.version,
            position=f"{key.region}:{past.pos}",
            occurred_at=event.occurred_at,
            actor=event.actor,
            role=event.role,
            topic=getattr(event, "topic", None),
            organisation=getattr(event, "organisation", None)
            or getattr(event, "suggested_organisation", None),
            due_at=deadline.due_at if deadline else getattr(event, "due_at", None),
            reason=getattr(event, "reason", None)
            or ", ".join(getattr(event, "reasons", ()))
            or None,
            outcome=getattr(event, "outcome", None),
            reply_kind=event.kind if isinstance(getattr(event, "kind", None), ReplyKind) else None,
            reply_author=getattr(event, "author", None),
            channel=getattr(event, "channel", None),
            facts=list(_facts(event, key.region)),
            sealed=next(iter(sealed.values()), None),
            sealed_by=SEALED_BY.get(type(event)),
            incident_id=key.incident_id,
            region_code=key.region,
            look=look,
        )


def _facts(event: events.Event, region: str) -> Iterator[Fact]:
    for name, value in msgspec.to_builtins(event).items():
        held = getattr(event, name, None)
        # A fingerprint would let who drafts replies try guesses of a text that is sealed or erased.
        if name in COMMON or isinstance(held, events.Sealed | bytes):
            continue
        if isinstance(held, UUID) and name in OTHER_INCIDENTS:
            value = incident_id(getattr(event, "origin_region", region), held)
        text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        yield Fact(name=name, value=text)


OTHER_INCIDENTS = frozenset({"into", "of", "to", "origin"})  # what events call them


COMMON = frozenset(events.Event.__struct_fields__)
# Which command sealed the text of an event; a citizen's own message has a field of its own.
SEALED_BY: dict[type[events.Event], type[commands.Command]] = {
    EVENT_OF[command]: command
    for command in EVENT_OF
    if command.private is not commands.Command.private
    and command not in (commands.Register, commands.Capture)
}


def write_position(region: str, pos: int) -> str:
    return f"{region}:{pos}"


# Fields that are not the column of their name, but another or made of some; and what is read for
# these and for resolvers.
OTHERS: Mapping[str, str | Made] = {
    "id": Made(incident_node_id, ("region", "id")),
    "position": Made(write_position, ("region", "pos")),
    "region_code": "region",
    "municipality_code": "municipality",
    "topic_code": "topic",
    "organisation_code": "organisation",
}
BEHIND: Mapping[str, tuple[str, ...]] = {
    **{name: each.of if isinstance(each, Made) else (each,) for name, each in OTHERS.items()},
    "origin": ("origin_region", "origin"),
    "overdue": ("due_at", "open"),
}
KEY = ("region", "id")  # of each, to find what is elsewhere


def columns_asked(info: Info) -> frozenset[str]:
    """Of the incidents below the field that is resolved: what nobody asks for is not read."""
    return _columns_behind(names_asked(info))


@lru_cache(maxsize=500)
def _columns_behind(names: frozenset[str]) -> frozenset[str]:
    return frozenset(KEY).union(*(BEHIND.get(name, (name,)) for name in names))


@strawberry.type(description="Where an incident came from.")
class Origin:
    region: str = strawberry.field(description="Code of the region.")
    incident: strawberry.ID = strawberry.field(description="What it is there.")


@backed_by("row", **OTHERS)
@strawberry.federation.type(
    keys=["id"], description="What the state must do about what a citizen wrote."
)
class Incident(Node):
    row: strawberry.Private[IncidentRow]
    as_of: strawberry.Private[datetime | None]  # None: as it stands now

    def __init__(self, row: IncidentRow, *, as_of: datetime | None = None) -> None:
        """Of a row that has the columns behind the fields that are asked for."""
        self.row = row
        self.as_of = as_of

    id: strawberry.ID = strawberry.field(description=node.ID)
    version: int = strawberry.field(
        description="Grows by one with each event; give it as expectedVersion."
    )
    position: str = strawberry.field(description="Of its last event in the region's log.")
    status: Status = strawberry.field(description="Where it stands.")
    channel: str = strawberry.field(description="Code of the channel the citizen wrote on.")
    source: str | None = strawberry.field(
        description="Code of the group, chat or feed it was found in."
    )
    kind: Kind = strawberry.field(description="What the citizen wants.")
    regime: Regime = strawberry.field(description="Under which rules it must be answered.")
    priority: Priority = strawberry.field(description="How urgent it is.")
    holder: str | None = strawberry.field(description="Login of a person at the body.")

    @strawberry.field(description="The incident that answers for this one.")
    def merged_into(self) -> strawberry.ID | None:
        other = self.row.merged_into
        return incident_id(self.row.region, other) if other else None

    transferred_to: str | None = strawberry.field(description="Code of the region that has it now.")

    @strawberry.field(description="The region it came from, if any.")
    def origin(self) -> Origin | None:
        region, other = self.row.origin_region, self.row.origin
        return (
            Origin(region=region, incident=incident_id(region, other)) if region and other else None
        )

    @strawberry.field(
        description="The incident of the same topic and place that was solved before."
    )
    def recurrence_of(self) -> strawberry.ID | None:
        other = self.row.recurrence_of
        return incident_id(self.row.region, other) if other else None

    messages: int = strawberry.field(
        description="Of citizens, those of incidents merged into it included: all are answered."
    )
    controller: str | None = strawberry.field(description="Who holds it under personal control.")
    outcome: Outcome | None = strawberry.field(description="Result of the last resolution.")
    cycle: int = strawberry.field(description="1, and one more with each reopening.")
    returns: int = strawberry.field(description="How often an executor sent it back to triage.")
    hops: int = strawberry.field(
        description="How often it went on: sent back to triage, or given to another body."
    )
    undelivered: DeliveryFailure | None = strawberry.field(
        description="Why its platform did not take our last reply."
    )
    promised_on: date | None = strawberry.field(description="When the citizen was told it will be.")
    promise_moves: int = strawberry.field(description="How often that day was moved.")
    rating: int | None = strawberry.field(description="By the citizen, 1 to 5; the last.")
    disputes: int = strawberry.field(description="How often somebody said it is not solved.")
    root_cause: Cause | None = strawberry.field(description="Why the problem arose, once known.")
    published_at: datetime = strawberry.field(description="When the citizen wrote.")
    captured_at: datetime = strawberry.field(description="When the centre had the message.")
    registered_at: datetime = strawberry.field(
        description="When it became an incident; of a message that is none yet, when captured."
    )
    cycle_started_at: datetime = strawberry.field(
        description="Registration, or the last reopening: resolution time counts from here."
    )
    assigned_at: datetime | None = strawberry.field(description="First assignment.")
    accepted_at: datetime | None = strawberry.field(
        description="When it was first taken into work."
    )
    first_replied_at: datetime | None = strawberry.field(description="First reply by a human.")
    reply_due_at: datetime | None = strawberry.field(
        description="Until when a citizen who waits for a reply must have one."
    )
    due_at: datetime | None = strawberry.field(description="Deadline for its resolution.")
    first_due_at: datetime | None = strawberry.field(
        description="The same before anybody extended it."
    )
    resolved_at: datetime | None = strawberry.field(description="Resolution of this cycle.")
    closed_at: datetime | None = strawberry.field(description="When it was closed.")
    changed_at: datetime = strawberry.field(description="Of its last event.")
    triage_working_seconds: float | None = strawberry.field(
        description="Registration to the first assignment, in the place's working time."
    )
    accept_working_seconds: float | None = strawberry.field(
        description="Assignment to the first taking up, in working time."
    )
    reply_working_seconds: float | None = strawberry.field(
        description="Publication to the first reply by a human, in the place's working time."
    )
    resolution_working_seconds: float | None = strawberry.field(
        description="Start of the cycle to its resolution, in working time, without pauses."
    )
    paused_seconds: float = strawberry.field(
        description="How long the citizen was waited for in this cycle."
    )
    latitude: float | None = strawberry.field(description="Degrees.")
    longitude: float | None = strawberry.field(description="Degrees.")

    region_code: str = strawberry.field(description="Code of the region.")
    municipality_code: str | None = strawberry.field(
        description="Code of the municipality; null while it is not located."
    )
    topic_code: str | None = strawberry.field(description="Code of the topic, once classified.")
    organisation_code: str | None = strawberry.field(description="Code of the responsible body.")

    @strawberry.field(description="The region it belongs to.")
    def region(self, info: Info) -> Region:
        catalogue = info.context.catalogue
        return Region(catalogue.region(self.row.region), catalogue)

    @strawberry.field(description="Where it is; null while it is not located.")
    def municipality(self, info: Info) -> Municipality | None:
        code = self.row.municipality
        return Municipality(info.context.catalogue.municipality(code)) if code else None

    @strawberry.field(description="What it is about, once classified.")
    def topic(self, info: Info) -> Topic | None:
        code = self.row.topic
        return Topic(info.context.catalogue.topic(code)) if code else None

    @strawberry.field(description="Who must act, while it is assigned.")
    def organisation(self, info: Info) -> Organisation | None:
        code, catalogue = self.row.organisation, info.context.catalogue
        if code is None:
            return None
        return Organisation(catalogue.organisation(code, region=self.row.region))

    @strawberry.field(description="Whether it is open and past its deadline.")
    def overdue(self, info: Info) -> bool:
        now = self.as_of or info.context.clock()
        late = self.row.due_at is not None and self.row.due_at < now
        return late and self.row.open

    @strawberry.field(description="What was read from its message; null if nothing was.")
    async def reading(self, info: Info) -> Reading | None:
        past = await info.context.histories.load(HistoryKey(self.row.region, self.row.id))
        read = [one.event for one in past if isinstance(one.event, events.MessageRead)]
        return Reading.of(read[-1].reading) if read else None

    @strawberry.field(
        description="Incidents of the last two weeks that it may repeat, of those the viewer sees."
    )
    async def duplicates(self, info: Info) -> list[Likeness]:
        found = await info.context.repeats.load(HistoryKey(self.row.region, self.row.id))
        seen = await incidents_seen(info, [each.incident for each in found])
        return [
            Likeness(
                incident=incident_id(self.row.region, each.incident),
                score=each.score,
                reasons=list(each.reasons),
            )
            for each in found
            if each.incident in seen
        ]

    @strawberry.field(
        description="Every event of its life, the first first; with `asOf`, up to that moment.",
        directives=[Cost(weight="20")],
    )
    async def timeline(self, info: Info) -> list[HistoryEntry]:
        key = HistoryKey(self.row.region, self.row.id)
        past = await info.context.histories.load(key)
        look = self._look(past, texts=True)
        return [
            HistoryEntry.of(key, one, look)
            for one in past
            if self.as_of is None or one.event.occurred_at <= self.as_of
        ]

    @strawberry.field(
        description="Who wrote and what; null once erased. Needs the right to personal data."
    )
    async def citizen(self, info: Info) -> Citizen | None:
        key = HistoryKey(self.row.region, self.row.id)
        past = await info.context.histories.load(key)
        first = past[0].event if past else None
        if not isinstance(first, Beginning) or first.citizen is None:
            return None
        if info.context.node.elsewhere(self.row.region):
            look = self._look(past, texts=False)
            found = (await opened_elsewhere(info, look)).citizen
            if found is None:
                return None
            return Citizen(name=found.name, contact=found.contact, text=found.text)
        captured = isinstance(first, events.MessageCaptured)
        sealed_by = commands.Capture if captured else commands.Register
        content = await unsealed(info, self.row.region, self.row.id, first.citizen, sealed_by)
        if content is None:
            return None
        citizen = msgspec.json.decode(content, type=commands.Citizen)
        return Citizen(name=citizen.name, contact=citizen.contact, text=citizen.text)

    def _look(self, past: Sequence[PastEvent], *, texts: bool) -> Look:
        began = past[0].pos if past else 0
        return Look(self.row.region, self.row.id, texts, self.as_of, began)


async def incidents_seen(info: Info, ids: Sequence[UUID]) -> dict[UUID, IncidentRow]:
    """Those of the ids that the viewer may see. Raises NotPermitted for a visitor."""
    found = await info.context.incidents.load_many(list(ids))
    return {row.id: row for row in found if row is not None}


async def opened_elsewhere(info: Info, look: Look) -> Opened:
    """What the region's own node opens, and logs. Raises NotPermitted and RegionAway."""
    # Streams of those who may not are shared: what a node shows to one of them is not all others'.
    info.context.viewer.require_personal_data()
    return await info.context.looks.load(look)


async def unsealed(
    info: Info,
    region: str,
    incident_id: UUID,
    sealed: events.Sealed,
    of: type[commands.Command],
) -> bytes | None:
    """What a command sealed, or None once erased. Raises NotPermitted; every opening is logged."""
    viewer = info.context.viewer
    viewer.require_personal_data()
    access_log.info("%s (%s) opens %s of %s", viewer.name, viewer.role, of.NAME, incident_id)
    opening = Opening(incident_id, sealed, of)
    return await info.context.sights.load(Sight(region, viewer.actor(), opening))
