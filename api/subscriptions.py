"""Streams: the changes of a region or a municipality from a cursor on, and rankings that move."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import datetime
from typing import Annotated

import strawberry
from graphql import GraphQLResolveInfo

from api.context import Context, Info
from api.cost_directives import Cost
from api.source_event import SourceEvent
from api.subscriber import Change, Followed, everything
from api.types.figures import PeriodInput
from api.types.incident import Incident
from api.types.ranking import Ranking, TimeKind
from api.viewer import Viewer
from domain.errors import CursorInvalid, InvalidInput, NotPermitted
from domain.events import DeadlineExtended, DeadlineMissed, DeadlineWarned, EscalationRaised
from domain.vocabulary import Priority, Ranked, RankedBy, RankingMethod, Status
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


def is_about_a_deadline(found: Change) -> bool:
    return found.change.event in DEADLINE_EVENTS


def urgent_for(viewer: Viewer) -> Callable[[Change], bool]:
    """What is urgent of a place that has left the viewer's scope is not theirs to know."""

    def is_urgent(found: Change) -> bool:
        row = found.incident
        return (
            row is not None
            and row.priority == Priority.HIGH
            and viewer.sees(row.region, row.municipality, row.organisation, row.topic)
        )

    return is_urgent


@strawberry.type(description="Everything that can be followed.")
class Subscription:
    @strawberry.subscription(
        graphql_type=IncidentChange,
        description="Every change of a region or of a municipality, each once and in order: first "
        "what came after the cursor, then live. Without a cursor, from now on. With the token of a "
        "body, of the incidents that it holds when they are delivered; of a curator of topic "
        "groups, of those about these.",
    )
    def incident_changes(
        self,
        info: Info,
        region: str | None = None,
        municipality: str | None = None,
        after: After = None,
    ) -> AsyncGenerator[SourceEvent, None]:
        return _changes(info, region, municipality, after)

    @strawberry.subscription(
        graphql_type=IncidentChange,
        description="Of the same changes, what is said about deadlines: warned, missed, extended, "
        "gone up the chain.",
    )
    def deadlines(
        self,
        info: Info,
        region: str | None = None,
        municipality: str | None = None,
        after: After = None,
    ) -> AsyncGenerator[SourceEvent, None]:
        return _changes(info, region, municipality, after, is_about_a_deadline)

    @strawberry.subscription(
        graphql_type=IncidentChange,
        description="Of the same changes, those of incidents that have high priority now.",
    )
    def urgent_incidents(
        self,
        info: Info,
        region: str | None = None,
        municipality: str | None = None,
        after: After = None,
    ) -> AsyncGenerator[SourceEvent, None]:
        return _changes(info, region, municipality, after, urgent_for(info.context.bearer))

    @strawberry.subscription(
        graphql_type=Ranking,
        description="The answer of the query `ranking`, and again whenever it has changed, at most "
        "once in five seconds.",
        directives=[Cost(weight="1000")],
    )
    async def ranking(
        self,
        info: Info,
        period: PeriodInput,
        of: Ranked = Ranked.REGIONS,
        by: RankedBy = RankedBy.FIRST_REPLY,
        clock: Annotated[
            TimeKind, strawberry.argument(description="Which times are compared.")
        ] = TimeKind.WORKING,
        method: RankingMethod = RankingMethod.SHRUNK_1,
        region: Annotated[
            str | None,
            strawberry.argument(description="Code: only its municipalities or bodies."),
        ] = None,
    ) -> AsyncGenerator[SourceEvent, None]:
        # What to tell at a tick, the resolver of the query knows (api/schema.py).
        if region is not None:
            info.context.catalogue.region(region)
        async with aclosing(info.context.hub.moments(region, info.context.ended)) as moments:
            async for tick in moments:
                _ = info.context.viewer  # whose token may have expired
                yield tick


async def _changes(
    info: Info,
    region: str | None,
    municipality: str | None,
    after: str | None,
    wanted: Callable[[Change], bool] = everything,
) -> AsyncGenerator[SourceEvent, None]:
    """What the viewer may follow of a place. Raises NotPermitted, also when the token expires.

    Their scope is that of their token: what lies in it once, lies in it until the token expires.
    """
    context = info.context
    followed = _followed(info, *_place(info, region, municipality), wanted)
    position = _after(followed.region, context.resume or after)
    async with aclosing(context.hub.follow(followed, position, context.ended)) as events:
        async for event in events:
            _ = context.viewer
            yield event


def _followed(
    info: Info, region: str, municipality: str | None, wanted: Callable[[Change], bool]
) -> Followed:
    """A place, or of it what the viewer's body holds and their topics. Raises NotPermitted."""
    scope = info.context.viewer.actor().scope
    followed = Followed(region, municipality, scope.organisation, scope.topics, wanted)
    if not scope.contains(followed.scope):
        raise NotPermitted
    return followed


def shown(found: Change, info: GraphQLResolveInfo[Context]) -> IncidentChange:
    """A change that was the viewer's to see; the incident may have moved on since."""
    change, row = found.change, found.incident
    seen = row and info.context.viewer.sees(
        row.region, row.municipality, row.organisation, row.topic
    )
    return IncidentChange(
        cursor=found.cursor,
        event=change.event,
        status=Status(change.status),
        version=change.version,
        occurred_at=change.occurred_at,
        incident=Incident(row) if row and seen else None,
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
