"""The incident: its row, its history, and the citizen behind it."""

import logging
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import strawberry

from api.context import Info
from api.types.catalogue import Municipality, Organisation, Region, Topic
from api.types.node import Node, write_id
from domain import commands, events
from domain.vocabulary import Kind, Outcome, ReplyAuthor, ReplyKind, Role, Status
from projections.history import HistoryKey, PastEvent
from projections.incidents import IncidentRow

access_log = logging.getLogger("tsur.access")

strawberry.enum(Status, description="Where an incident stands.")
strawberry.enum(Kind, description="What the citizen wants.")
strawberry.enum(Outcome, description="What became of the problem.")
strawberry.enum(Role, description="Who acts.")
strawberry.enum(ReplyKind, description="FIRST takes it up, INTERIM promises, FINAL ends the cycle.")
strawberry.enum(ReplyAuthor, description="An AUTO reply never counts as an answer.")


@strawberry.type(
    description="Who wrote and what. Needs the right to personal data; each look is logged."
)
class Citizen:
    name: str | None = strawberry.field(description="As given.")
    contact: str | None = strawberry.field(description="As given.")
    text: str = strawberry.field(description="The message.")


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
    sealed: strawberry.Private[events.Sealed | None]
    incident_id: strawberry.Private[UUID]
    region_code: strawberry.Private[str]

    @strawberry.field(
        description="ReplyPublished: its text, null once erased. Needs the right to personal data."
    )
    async def text(self, info: Info) -> str | None:
        if self.sealed is None or self.event != events.ReplyPublished.TOPIC:
            return None
        content = await unsealed(
            info, self.region_code, self.incident_id, self.sealed, commands.PublishReply
        )
        return None if content is None else msgspec.json.decode(content, type=str)

    @classmethod
    def of(cls, key: HistoryKey, past: PastEvent) -> "HistoryEntry":
        event: Any = past.event  # one entry shows every kind of event
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
            due_at=getattr(event, "due_at", None),
            reason=getattr(event, "reason", None),
            outcome=getattr(event, "outcome", None),
            reply_kind=event.kind if isinstance(event, events.ReplyPublished) else None,
            reply_author=getattr(event, "author", None),
            channel=getattr(event, "channel", None),
            sealed=getattr(event, "text", None),
            incident_id=key.incident_id,
            region_code=key.region,
        )


@strawberry.type(description="What the state must do about what a citizen wrote.")
class Incident(Node):
    version: int = strawberry.field(
        description="Grows by one with each event; give it as expectedVersion."
    )
    position: str = strawberry.field(description="Of its last event in the region's log.")
    status: Status = strawberry.field(description="Where it stands.")
    channel: str = strawberry.field(description="Code of the channel the citizen wrote on.")
    kind: Kind = strawberry.field(description="What the citizen wants.")
    outcome: Outcome | None = strawberry.field(description="Result of the last resolution.")
    cycle: int = strawberry.field(description="1, and one more with each reopening.")
    returns: int = strawberry.field(description="How often an executor sent it back to triage.")
    published_at: datetime = strawberry.field(description="When the citizen wrote.")
    registered_at: datetime = strawberry.field(description="When it became an incident.")
    cycle_started_at: datetime = strawberry.field(
        description="Registration, or the last reopening: resolution time counts from here."
    )
    assigned_at: datetime | None = strawberry.field(description="First assignment.")
    first_replied_at: datetime | None = strawberry.field(description="First reply by a human.")
    due_at: datetime | None = strawberry.field(description="Deadline for its resolution.")
    resolved_at: datetime | None = strawberry.field(description="Resolution of this cycle.")
    closed_at: datetime | None = strawberry.field(description="When it was closed.")
    changed_at: datetime = strawberry.field(description="Of its last event.")
    latitude: float | None = strawberry.field(description="Degrees.")
    longitude: float | None = strawberry.field(description="Degrees.")
    region_code: str = strawberry.field(description="Code of the region.")
    municipality_code: str | None = strawberry.field(
        description="Code of the municipality; null while it is not located."
    )
    topic_code: str | None = strawberry.field(description="Code of the topic, once classified.")
    organisation_code: str | None = strawberry.field(description="Code of the responsible body.")
    uuid: strawberry.Private[UUID]

    @classmethod
    def of(cls, row: IncidentRow) -> "Incident":
        return cls(
            id=write_id("Incident", f"{row.region}/{row.id}"),
            version=row.version,
            position=f"{row.region}:{row.pos}",
            status=Status(row.status),
            channel=row.channel,
            kind=Kind(row.kind),
            outcome=Outcome(row.outcome) if row.outcome else None,
            cycle=row.cycle,
            returns=row.returns,
            published_at=row.published_at,
            registered_at=row.registered_at,
            cycle_started_at=row.cycle_started_at,
            assigned_at=row.assigned_at,
            first_replied_at=row.first_replied_at,
            due_at=row.due_at,
            resolved_at=row.resolved_at,
            closed_at=row.closed_at,
            changed_at=row.changed_at,
            latitude=row.latitude,
            longitude=row.longitude,
            region_code=row.region,
            municipality_code=row.municipality,
            topic_code=row.topic,
            organisation_code=row.organisation,
            uuid=row.id,
        )

    @strawberry.field(description="The region it belongs to.")
    def region(self, info: Info) -> Region:
        catalogue = info.context.catalogue
        return Region.of(catalogue.region(self.region_code), catalogue)

    @strawberry.field(description="Where it is; null while it is not located.")
    def municipality(self, info: Info) -> Municipality | None:
        code = self.municipality_code
        return Municipality.of(info.context.catalogue.municipality(code)) if code else None

    @strawberry.field(description="What it is about, once classified.")
    def topic(self, info: Info) -> Topic | None:
        return Topic.of(info.context.catalogue.topic(self.topic_code)) if self.topic_code else None

    @strawberry.field(description="Who must act, while it is assigned.")
    def organisation(self, info: Info) -> Organisation | None:
        if self.organisation_code is None:
            return None
        catalogue = info.context.catalogue
        return Organisation.of(
            catalogue.organisation(self.organisation_code, region=self.region_code)
        )

    @strawberry.field(description="Whether it is open and past its deadline.")
    def overdue(self, info: Info) -> bool:
        late = self.due_at is not None and self.due_at < info.context.clock()
        return late and self.resolved_at is None

    @strawberry.field(description="Every event of its life, the first first.")
    async def history(self, info: Info) -> list[HistoryEntry]:
        key = HistoryKey(self.region_code, self.uuid)
        past = await info.context.histories.load(key)
        return [HistoryEntry.of(key, event) for event in past]

    @strawberry.field(
        description="Who wrote and what; null once erased. Needs the right to personal data."
    )
    async def citizen(self, info: Info) -> Citizen | None:
        key = HistoryKey(self.region_code, self.uuid)
        past = await info.context.histories.load(key)
        first = past[0].event if past else None
        if not isinstance(first, events.IncidentRegistered) or first.citizen is None:
            return None
        content = await unsealed(
            info, self.region_code, self.uuid, first.citizen, commands.Register
        )
        if content is None:
            return None
        citizen = msgspec.json.decode(content, type=commands.Citizen)
        return Citizen(name=citizen.name, contact=citizen.contact, text=citizen.text)


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
    centre = info.context.node.centre(region)
    return await info.context.in_thread(lambda: centre.open(incident_id, sealed, of))
