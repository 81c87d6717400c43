"""Rankings, as a client sees them. How they are reckoned: projections/views/rankings.py."""

from datetime import date, datetime, timedelta
from enum import StrEnum

import strawberry

from api.context import Info
from api.cost_directives import ListSize
from api.types.backed import backed_by
from api.types.catalogue import Municipality, Organisation, Region
from api.types.figures import Figures, PeriodInput
from domain.errors import RegionsOfRegion
from domain.publications import SETTLES_AFTER_DAYS, RankingQuestion
from domain.vocabulary import Ranked, RankedBy, RankingMethod, Unranked
from projections.statistics.figures import Period, is_provisional
from projections.views import federal, rankings
from projections.views.rankings import Standing
from regions.reference.catalogue import Catalogue

ROWS_DECLARED = 100  # as many as there are regions
ROW_POINTS = 5  # 978 municipalities take 107 ms of processor, 89 regions 15
EXACT_DECLARED = 360_000  # incidents, whose replies are sorted for the points of `exact`
INCIDENTS_A_POINT = 12  # 1.65 us each


@strawberry.enum(description="Which time a duration is measured in.")
class TimeKind(StrEnum):
    WORKING = "WORKING"
    CALENDAR = "CALENDAR"


@backed_by("standing")
@strawberry.type(description="A unit's line in a ranking.")
class RankingRow:
    standing: strawberry.Private[Standing]
    ranked: strawberry.Private[Ranked]

    def __init__(self, standing: Standing, ranked: Ranked) -> None:
        self.standing = standing
        self.ranked = ranked

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
    score: float | None = strawberry.field(
        description="The value drawn towards its tier's median, the more the fewer its cases."
    )

    @strawberry.field(
        description="How many cases its value is told from; of STANDARDISED_1 how many of the "
        "same weight would tell as much."
    )
    def n(self) -> int:
        return self.standing.measured.n

    @strawberry.field(
        description="Median seconds, share or mean rating; null: more than half of the people "
        "wait for a reply, or there is nothing to tell it from."
    )
    def value(self) -> float | None:
        return self.standing.measured.value

    @strawberry.field(description="Lower end of its 95 % interval.")
    def low(self) -> float | None:
        return self.standing.measured.low

    @strawberry.field(description="Upper end; null: nothing bounds it.")
    def high(self) -> float | None:
        return self.standing.measured.high

    @strawberry.field(description="The region, or where the unit belongs.")
    def region(self, info: Info) -> Region:
        catalogue = info.context.catalogue
        code = federal.region_of(self.standing.unit, self.ranked, catalogue)
        return Region(catalogue.region(code), catalogue)

    @strawberry.field(description="If that is what is ranked.")
    def municipality(self, info: Info) -> Municipality | None:
        if self.ranked is not Ranked.MUNICIPALITIES:
            return None
        place = info.context.catalogue.municipalities.get(self.standing.unit)
        return Municipality(place) if place else None

    @strawberry.field(description="If that is what is ranked.")
    def organisation(self, info: Info) -> Organisation | None:
        if self.ranked is not Ranked.ORGANISATIONS:
            return None
        body = info.context.catalogue.organisations.get(self.standing.unit)
        return Organisation(body) if body else None

    @strawberry.field(
        description="All its figures over the period; `replyMeanSeconds` is the network's number."
    )
    def figures(self) -> Figures:
        return Figures(self.standing.figures)


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
        directives=[ListSize(assumed_size=ROWS_DECLARED)],
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
        *,
        now: datetime,
    ) -> "Ranking":
        return cls(
            rows=[RankingRow(standing, question.of) for standing in found.standings],
            method=question.method,
            shrinkage=rankings.SHRINKAGE,
            provisional=is_provisional(Period(question.first, question.last), now),
            settled_on=question.last + timedelta(days=SETTLES_AFTER_DAYS),
            freshness=[RegionFreshness.of(each) for each in found.freshness],
        )


@strawberry.input
class RankingInput:
    """What every question for a ranking names; inputs add to it."""

    period: PeriodInput = strawberry.field(description="Over which days.")
    of: Ranked = strawberry.field(default=Ranked.REGIONS, description="What is set side by side.")
    by: RankedBy = strawberry.field(default=RankedBy.FIRST_REPLY, description="What is compared.")
    clock: TimeKind = strawberry.field(
        default=TimeKind.WORKING, description="Which times are compared."
    )
    method: RankingMethod = strawberry.field(
        default=RankingMethod.SHRUNK_1, description="How places are reckoned."
    )
    region: str | None = strawberry.field(
        default=None, description="Code: only its municipalities or bodies."
    )

    def question(self, catalogue: Catalogue) -> RankingQuestion:
        """Raises PeriodInvalid, UnknownRegion, or RegionsOfRegion."""
        first, last = self.period.period()
        if self.region is not None:
            catalogue.region(self.region)
            if self.of is Ranked.REGIONS:
                raise RegionsOfRegion
        return RankingQuestion(
            first=first,
            last=last,
            of=self.of,
            by=self.by,
            working=self.clock is TimeKind.WORKING,
            method=self.method,
            only_region=self.region,
        )


def is_exact(question: RankingQuestion) -> bool:
    """Whether it is told from the incidents, though nobody asked for that."""
    standardised = question.method is RankingMethod.STANDARDISED_1
    return standardised or question.of is Ranked.ORGANISATIONS


def extra_cost(found: federal.Ranking, question: RankingQuestion, *, exact: bool) -> int:
    """Points beyond what the schema declares: a ranking of regions, incidents only for `exact`."""
    rows = max(0, len(found.standings) - ROWS_DECLARED) * ROW_POINTS
    incidents = sum(standing.figures.registered for standing in found.standings)
    read = incidents if exact or is_exact(question) else 0
    return rows + max(0, read - (EXACT_DECLARED if exact else 0)) // INCIDENTS_A_POINT
