"""What the head of a region is told, as a client sees it (projections/past/briefings.py)."""

from datetime import datetime
from typing import Annotated

import strawberry

from api.context import Info
from api.cost_directives import Cost
from api.types.figures import (
    BoardPart,
    Comparison,
    Figures,
    PeriodInput,
    QueueCount,
    StatusCount,
    parts_of,
    queue_counts,
    status_counts,
)
from api.types.incident import Incident
from domain.commands import check_date
from projections.freshness import wait_for
from projections.past import briefings
from projections.past.past_rows import moment_of
from regions.centre import Position
from regions.reference.catalogue import Catalogue


@strawberry.type(
    description="A region as it stood at a moment, told from what was recorded by then: asked "
    "again for the same moment, it is the same."
)
class Briefing:
    as_of: datetime = strawberry.field(description="The moment.")
    position: str = strawberry.field(description="Of the region's last event by then.")
    figures: Figures = strawberry.field(description="Of the region over the period; exact.")
    previous: Comparison = strawberry.field(description="Over the period before, as long.")
    municipalities: list[BoardPart] = strawberry.field(description="Side by side.")
    organisations: list[BoardPart] = strawberry.field(description="Side by side.")
    topics: list[BoardPart] = strawberry.field(description="Side by side.")
    open_incidents: list[StatusCount] = strawberry.field(description="Open then, by status.")
    overdue: int = strawberry.field(description="Open then and past their deadline.")
    queues: list[QueueCount] = strawberry.field(description="What waited for somebody then.")
    longest_overdue: list[Incident] = strawberry.field(
        description="The ten that were late for longest, as they stood then."
    )

    @classmethod
    def of(cls, found: briefings.Briefing, region: str, catalogue: Catalogue) -> "Briefing":
        earlier = found.earlier
        return cls(
            as_of=found.as_of,
            position=str(Position(region, found.position)),
            figures=Figures(found.board.figures),
            previous=Comparison(
                first=earlier.first,
                last=earlier.last,
                figures=Figures(found.earlier_figures),
            ),
            municipalities=parts_of(found.board.parts, catalogue.municipalities),
            organisations=parts_of(found.organisations, catalogue.organisations),
            topics=parts_of(found.topics, catalogue.topics),
            open_incidents=status_counts(found.board.open_by_status),
            overdue=found.board.overdue,
            queues=queue_counts(found.board.queues),
            longest_overdue=[Incident(row, as_of=found.as_of) for row in found.longest_overdue],
        )


@strawberry.type
class BriefingQuery:
    @strawberry.field(
        description="What the head of a region is told of a period: who is overdue, who is slow. "
        "For who may see all incidents of the region.",
        directives=[Cost(weight="5000")],
    )
    async def briefing(
        self,
        info: Info,
        region: str,
        period: PeriodInput,
        as_of: Annotated[datetime | None, strawberry.argument(description="Null: now.")] = None,
    ) -> Briefing:
        catalogue, checked = info.context.catalogue, period.period()
        info.context.viewer.require(catalogue.region(region).code, None)
        if as_of is not None:
            check_date("asOf", as_of)
        async with info.context.reading_all() as connection:
            moment = await moment_of(connection, region, as_of)
        await wait_for(info.context.readers, [Position(region, moment.pos)])
        async with info.context.reading_all() as connection:
            found = await briefings.briefing(
                connection, region, checked, moment, catalogue=catalogue
            )
        return Briefing.of(found, region, catalogue)
