"""Streams: the changes of a region or a municipality, from a cursor on."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from typing import Annotated

import strawberry

from api.context import Info
from api.hub import Change, Followed
from api.types.incident import Incident
from domain.errors import CursorInvalid, InvalidInput, NotPermitted
from domain.events import DeadlineExtended, DeadlineMissed, DeadlineWarned, EscalationRaised
from domain.vocabulary import Priority, Status
from projections.freshness import parse_position


class PlaceMissing(InvalidInput):
    """Name a region or a municipality, one of the two."""

    field = "region"


@strawberry.type(description="Something happened to an incident.")
class IncidentChange:
    cursor: str = strawberry.field(description="Give it as `after` to go on behind this change.")
    event: str = strawberry.field(description="What happened: IncidentRegistered, ReplyPublished …")
    status: Status = strawberry.field(description="Where the incident stood after it.")
    version: int = strawberry.field(description="Version of the incident after it.")
    occurred_at: datetime = strawberry.field(description="When it happened.")
    incident: Incident | None = strawberry.field(
        description="The incident as it stands now, which may be later than this change. Null if "
        "it is in another place by now, outside the viewer's scope."
    )


After = Annotated[
    str | None, strawberry.argument(description="Cursor of the last change received.")
]
DEADLINE_EVENTS = frozenset(
    {DeadlineWarned.TOPIC, DeadlineMissed.TOPIC, DeadlineExtended.TOPIC, EscalationRaised.TOPIC}
)


@strawberry.type(description="Everything that can be followed.")
class Subscription:
    @strawberry.subscription(
        description="Every change of a region or of a municipality, each once and in order: first "
        "what came after the cursor, then live. Without a cursor, from now on. With the token of a "
        "body, of the incidents that it holds when they are delivered; of a curator of topic "
        "groups, of those about these."
    )
    async def incident_changes(
        self,
        info: Info,
        region: str | None = None,
        municipality: str | None = None,
        after: After = None,
    ) -> AsyncGenerator[IncidentChange, None]:
        async with aclosing(_changes(info, region, municipality, after)) as changes:
            async for change in changes:
                yield _shown(info, change)

    @strawberry.subscription(
        description="Of the same changes, what is said about deadlines: warned, missed, extended, "
        "gone up the chain."
    )
    async def deadlines(
        self,
        info: Info,
        region: str | None = None,
        municipality: str | None = None,
        after: After = None,
    ) -> AsyncGenerator[IncidentChange, None]:
        async with aclosing(_changes(info, region, municipality, after)) as changes:
            async for change in changes:
                if change.change.event in DEADLINE_EVENTS:
                    yield _shown(info, change)

    @strawberry.subscription(
        description="Of the same changes, those of incidents that have high priority now."
    )
    async def urgent_incidents(
        self,
        info: Info,
        region: str | None = None,
        municipality: str | None = None,
        after: After = None,
    ) -> AsyncGenerator[IncidentChange, None]:
        async with aclosing(_changes(info, region, municipality, after)) as changes:
            async for change in changes:
                shown = _shown(info, change)
                if shown.incident and shown.incident.priority is Priority.HIGH:
                    yield shown


async def _changes(
    info: Info, region: str | None, municipality: str | None, after: str | None
) -> AsyncGenerator[Change, None]:
    """What the viewer may follow of a place. Raises NotPermitted, also when the token expires."""
    followed = _followed(info, *_place(info, region, municipality))
    position = _after(followed.region, after)
    async with aclosing(info.context.hub.follow(followed, position)) as changes:
        async for change in changes:
            if not info.context.viewer.sees_all_of(followed.scope):
                raise NotPermitted
            yield change


def _followed(info: Info, region: str, municipality: str | None) -> Followed:
    """A place, or of it what the viewer's body holds and their topics. Raises NotPermitted."""
    scope = info.context.viewer.actor().scope
    followed = Followed(region, municipality, scope.organisation, scope.topics)
    if not scope.contains(followed.scope):
        raise NotPermitted
    return followed


def _shown(info: Info, found: Change) -> IncidentChange:
    """A change that was the viewer's to see; the incident may have moved on since."""
    change, row = found
    seen = row and info.context.viewer.sees(
        row.region, row.municipality, row.organisation, row.topic
    )
    return IncidentChange(
        cursor=f"{change.region}:{change.pos}",
        event=change.event,
        status=Status(change.status),
        version=change.version,
        occurred_at=change.occurred_at,
        incident=Incident.of(row) if row and seen else None,
    )


def _place(info: Info, region: str | None, municipality: str | None) -> tuple[str, str | None]:
    """Raises PlaceMissing, UnknownRegion or UnknownMunicipality."""
    catalogue = info.context.catalogue
    if municipality is not None:
        region = region or catalogue.municipality(municipality).region
        return region, catalogue.municipality(municipality, region=region).code
    if region is None:
        raise PlaceMissing
    return catalogue.region(region).code, None


def _after(region: str, cursor: str | None) -> int | None:
    """Raises CursorInvalid, also for a cursor of another region."""
    if cursor is None:
        return None
    position = parse_position(cursor, field="after")
    if position.region != region:
        raise CursorInvalid(field="after")
    return position.pos
