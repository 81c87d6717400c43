"""Published rankings, as a client sees them. What they are: domain/publications.py."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, Self
from uuid import UUID

import strawberry

from api.context import Info
from api.cost_directives import Cost, ListSize
from api.inputs import GivenInput
from api.types.figures import PeriodInput
from api.types.ranking import RankingInput, TimeKind
from domain.errors import PageTooLarge
from domain.publications import PublishedRow as Row
from domain.publications import PublishRanking
from domain.vocabulary import (
    Ranked,
    RankedBy,
    RankingMethod,
    RestatementReason,
    Role,
    Unranked,
)
from projections.past import publications
from projections.past.publications import PublicationRow
from regions.reference.catalogue import Catalogue

PAGE_MAX = 100


@strawberry.input(description="An exact ranking to be published as it is found now.")
class PublishRankingInput(RankingInput, GivenInput):
    period: PeriodInput = strawberry.field(description="Settled: 30 days have passed since.")
    restates: UUID | None = strawberry.field(
        default=None, description="A correction names the publication it takes the place of."
    )
    reason: RestatementReason | None = strawberry.field(
        default=None, description="Why; of a correction only."
    )

    def command(self, catalogue: Catalogue) -> PublishRanking:
        """Raises PeriodInvalid, UnknownRegion or RegionsOfRegion."""
        return PublishRanking(
            question=self.question(catalogue), restates=self.restates, reason=self.reason
        )


@strawberry.type(description="A unit's line in a published ranking; as in RankingRow.")
class PublishedRow:
    unit: str = strawberry.field(description="Code of the region, municipality or body.")
    name: str = strawberry.field(description="Its name today.")
    tier: str = strawberry.field(description="The units it is compared with.")
    place: int | None = strawberry.field(description="Dense, within the tier.")
    position: int | None = strawberry.field(description="One plus the number of better ones.")
    unranked: Unranked | None = strawberry.field(description="Why it has no place.")
    n: int = strawberry.field(description="How many cases its value is told from.")
    value: float | None = strawberry.field(description="Median seconds, share or mean rating.")
    low: float | None = strawberry.field(description="Lower end of its 95 % interval.")
    high: float | None = strawberry.field(description="Upper end; null: nothing bounds it.")
    score: float | None = strawberry.field(description="The value drawn towards its tier's.")
    p90_seconds: float | None = strawberry.field(description="Of a time that is compared.")
    registered: int = strawberry.field(description="Incidents registered in the period.")
    answered: int = strawberry.field(description="Of them, with a reply by a human.")
    mean_reply_seconds: float | None = strawberry.field(
        description="Of the answered, in calendar time: the number of the network's own list."
    )

    @classmethod
    def of(cls, row: Row, of: Ranked, catalogue: Catalogue) -> "PublishedRow":
        units: dict[Ranked, Mapping[str, Any]] = {
            Ranked.REGIONS: catalogue.regions,
            Ranked.MUNICIPALITIES: catalogue.municipalities,
            Ranked.ORGANISATIONS: catalogue.organisations,
        }
        named = units[of].get(row.unit)
        return cls(
            unit=row.unit,
            name=named.name if named else row.unit,
            tier=row.tier,
            place=row.place,
            position=row.position,
            unranked=row.unranked,
            n=row.n,
            value=row.value,
            low=row.low,
            high=row.high,
            score=row.score,
            p90_seconds=row.p90_seconds,
            registered=row.registered,
            answered=row.answered,
            mean_reply_seconds=row.mean_reply_seconds,
        )


@strawberry.type(description="The last event of a region that was taken into account.")
class RegionPosition:
    region: str = strawberry.field(description="Its code.")
    position: int = strawberry.field(description="The event's.")


@strawberry.type(description="That a ranking was published, and of what.")
class PublicationEntry:
    row: strawberry.Private[PublicationRow]
    id: UUID = strawberry.field(description="By which a correction or a verifier names it.")
    published_at: datetime = strawberry.field(description="When.")
    published_by: Role = strawberry.field(description="In which role.")
    first: date = strawberry.field(description="First day of the period.")
    last: date = strawberry.field(description="Last day of it.")
    of: Ranked = strawberry.field(description="What is compared.")
    by: RankedBy = strawberry.field(description="By what.")
    clock: TimeKind = strawberry.field(description="In which time.")
    method: RankingMethod = strawberry.field(description="How places are reckoned.")
    region: str | None = strawberry.field(description="Code of the region it is within.")
    inputs_hash: str = strawberry.field(
        description="SHA-256 of a line `id version` for each incident that counts on a day of the "
        "period, in the order of their ids."
    )
    restates: UUID | None = strawberry.field(description="The publication it takes the place of.")
    reason: RestatementReason | None = strawberry.field(description="Why.")
    restated_by: UUID | None = strawberry.field(description="The one that took its place.")

    @classmethod
    def of_row(cls, row: PublicationRow) -> Self:
        return cls(
            row=row,
            id=row.id,
            published_at=row.published_at,
            published_by=Role(row.role),
            first=row.first,
            last=row.last,
            of=Ranked(row.of),
            by=RankedBy(row.by),
            clock=TimeKind.WORKING if row.working else TimeKind.CALENDAR,
            method=RankingMethod(row.method),
            region=row.only_region,
            inputs_hash=row.inputs_hash,
            restates=row.restates,
            reason=RestatementReason(row.reason) if row.reason else None,
            restated_by=row.restated_by,
        )


@strawberry.type(
    description="A ranking as it was published. It never changes; a correction is another one. "
    "Anybody with the log finds it again: `tsur ranking verify ID`."
)
class Publication(PublicationEntry):
    @strawberry.field(
        description="By tier, in it the best first, then whoever has no place.",
        directives=[ListSize(assumed_size=100)],
    )
    def rows(self, info: Info) -> list[PublishedRow]:
        catalogue = info.context.catalogue
        return [PublishedRow.of(line, self.of, catalogue) for line in self.row.lines]

    @strawberry.field(
        description="Up to where the events stand behind it, region by region.",
        directives=[ListSize(assumed_size=89)],
    )
    def positions(self) -> list[RegionPosition]:
        return [
            RegionPosition(region=region, position=pos)
            for region, pos in sorted(self.row.positions.items())
        ]


@strawberry.type
class PublicationQuery:
    @strawberry.field(description="A published ranking by its id.", directives=[Cost(weight="100")])
    async def publication(self, info: Info, id: UUID) -> Publication:
        async with info.context.reading_all() as connection:
            return Publication.of_row(await publications.publication(connection, id))

    @strawberry.field(
        description="Which rankings were published, the latest first; ask for one by its id to "
        "see its rows.",
        directives=[Cost(weight="100"), ListSize(slicing_arguments=["first"])],
    )
    async def publications(
        self,
        info: Info,
        region: Annotated[
            str | None, strawberry.argument(description="Code: those within it. Null: of all.")
        ] = None,
        first: Annotated[int, strawberry.argument(description="1 to 100.")] = 20,
        after: Annotated[
            UUID | None, strawberry.argument(description="Id of the last one known.")
        ] = None,
    ) -> list[PublicationEntry]:
        if not 1 <= first <= PAGE_MAX:
            raise PageTooLarge(field="first", limit=PAGE_MAX)
        if region is not None:
            info.context.catalogue.region(region)
        async with info.context.reading_all() as connection:
            rows = await publications.publications(connection, region, first=first, after=after)
        return [PublicationEntry.of_row(row) for row in rows]
