"""Rankings, as a client sees them. How they are reckoned: projections/rankings.py."""

from datetime import date, datetime, timedelta
from enum import StrEnum

import strawberry

from api.cost_directives import ListSize
from api.types.catalogue import Municipality, Organisation, Region
from api.types.figures import Figures, PeriodInput
from domain.errors import RegionsOfRegion
from domain.publications import SETTLES_AFTER_DAYS, RankingQuestion
from domain.vocabulary import Ranked, RankedBy, RankingMethod, Unranked
from projections import federal, rankings
from projections.figures import Period, is_provisional
from projections.rankings import Standing
from regions.catalogue import Catalogue


@strawberry.enum(description="Which time a duration is measured in.")
class TimeKind(StrEnum):
    WORKING = "WORKING"
    CALENDAR = "CALENDAR"


@strawberry.type(description="A unit's line in a ranking.")
class RankingRow:
    place: int | None = strawberry.field(
        description="Dense, within the tier; whoever's interval overlaps that of the first of a "
        "place shares it. Null: see `unranked`."
    )
    position: int | None = strawberry.field(
        description="One plus the number of units of the tier with a better score."
    )
    unranked: Unranked | None = strawberry.field(description="Why it has no place.")
    tier: str = strawberry.field(
        description="The units it is compared with: a band of residents, a kind of body."
    )
    n: int = strawberry.field(
        description="How many cases its value is told from; of STANDARDISED_1 how many of the "
        "same weight would tell as much."
    )
    value: float | None = strawberry.field(
        description="Median seconds, share or mean rating; null: more than half of the people "
        "wait for a reply, or there is nothing to tell it from."
    )
    low: float | None = strawberry.field(description="Lower end of its 95 % interval.")
    high: float | None = strawberry.field(description="Upper end; null: nothing bounds it.")
    score: float | None = strawberry.field(
        description="The value drawn towards its tier's median, the more the fewer its cases."
    )
    region: Region = strawberry.field(description="The region, or where the unit belongs.")
    municipality: Municipality | None = strawberry.field(description="If that is what is ranked.")
    organisation: Organisation | None = strawberry.field(description="If that is what is ranked.")
    figures: Figures = strawberry.field(
        description="All its figures over the period; `replyMeanSeconds` is the network's number."
    )

    @classmethod
    def of(cls, standing: Standing, of: Ranked, catalogue: Catalogue) -> "RankingRow":
        unit, found = standing.unit, standing.measured
        region = catalogue.region(federal.region_of(unit, of, catalogue))
        place, body = catalogue.municipalities.get(unit), catalogue.organisations.get(unit)
        return cls(
            place=standing.place,
            position=standing.position,
            unranked=standing.unranked,
            tier=standing.tier,
            n=found.n,
            value=found.value,
            low=found.low,
            high=found.high,
            score=standing.score,
            region=Region.of(region, catalogue),
            municipality=Municipality.of(place) if place and of is Ranked.MUNICIPALITIES else None,
            organisation=Organisation.of(body) if body and of is Ranked.ORGANISATIONS else None,
            figures=Figures.of(standing.figures),
        )


@strawberry.type(description="Up to where the events of a region stand behind an answer.")
class RegionFreshness:
    region: str = strawberry.field(description="Its code.")
    position: int = strawberry.field(description="Last position taken in.")
    head: int = strawberry.field(description="Last position recorded.")
    projected_at: datetime | None = strawberry.field(description="When the last batch was.")
    stale: bool = strawberry.field(description="Too far behind to be ranked.")

    @classmethod
    def of(cls, fresh: federal.Freshness) -> "RegionFreshness":
        return cls(
            region=fresh.region,
            position=fresh.position,
            head=fresh.head,
            projected_at=fresh.projected_at,
            stale=fresh.stale,
        )


@strawberry.type(description="Units of one kind side by side.")
class Ranking:
    rows: list[RankingRow] = strawberry.field(
        description="By tier, in it the best first, then whoever has no place.",
        directives=[ListSize(assumed_size=100)],
    )
    method: RankingMethod = strawberry.field(description="Its rules never change.")
    shrinkage: int = strawberry.field(
        description="How many cases of its tier each unit is given before it is ranked."
    )
    provisional: bool = strawberry.field(
        description="The deadlines of the period have not all passed: what is told may change."
    )
    settled_on: date = strawberry.field(description="From which day on it is not provisional.")
    freshness: list[RegionFreshness] = strawberry.field(
        description="The positions all this was told from, region by region.",
        directives=[ListSize(assumed_size=89)],
    )

    @classmethod
    def of(
        cls,
        found: federal.Ranking,
        question: RankingQuestion,
        catalogue: Catalogue,
        *,
        now: datetime,
    ) -> "Ranking":
        return cls(
            rows=[RankingRow.of(standing, question.of, catalogue) for standing in found.standings],
            method=question.method,
            shrinkage=rankings.SHRINKAGE,
            provisional=is_provisional(Period(question.first, question.last), now),
            settled_on=question.last + timedelta(days=SETTLES_AFTER_DAYS),
            freshness=[RegionFreshness.of(each) for each in found.freshness],
        )


def ranking_question(
    period: PeriodInput,
    of: Ranked,
    by: RankedBy,
    clock: TimeKind,
    method: RankingMethod,
    region: str | None,
    catalogue: Catalogue,
) -> RankingQuestion:
    """Raises PeriodInvalid, UnknownRegion, or RegionsOfRegion."""
    first, last = period.period()
    if region is not None:
        catalogue.region(region)
        if of is Ranked.REGIONS:
            raise RegionsOfRegion
    return RankingQuestion(
        first=first,
        last=last,
        of=of,
        by=by,
        working=clock is TimeKind.WORKING,
        method=method,
        only_region=region,
    )


def is_exact(question: RankingQuestion) -> bool:
    """Whether it is told from the incidents, though nobody asked for that."""
    standardised = question.method is RankingMethod.STANDARDISED_1
    return standardised or question.of is Ranked.ORGANISATIONS
