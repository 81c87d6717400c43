"""Figures and boards of units, as a client sees them. Definitions: docs/api.md, "Figures"."""

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, NamedTuple

import strawberry

from api.context import Info
from api.cost_directives import Cost, ListSize
from api.types.asked import names_asked
from api.types.backed import backed_by
from api.types.flags import Flag, shown
from domain.commands import check_day
from projections.queues import Queue
from projections.statistics import comparisons, units
from projections.statistics.comparisons import ComparedWith
from projections.statistics.exact import Unit
from projections.statistics.figures import PERIOD_DAYS_MAX, TOTAL, Period, is_provisional, share
from projections.statistics.figures import Duration as MeasuredDuration
from projections.statistics.figures import Figures as Measured
from projections.statistics.measures import DURATION_NAMES
from projections.statistics.sums import Step
from projections.statistics.units import Area
from projections.views.flags import flags
from projections.views.regional import Board as MeasuredBoard


@strawberry.input(
    name="PeriodInput", description="Whole local days of each unit, both days included."
)
class PeriodInput:
    first: date = strawberry.field(description="First day.")
    last: date = strawberry.field(description="Last day.")

    def period(self, *, days_max: int = PERIOD_DAYS_MAX) -> Period:
        """Raises PeriodInvalid or DateAbsurd."""
        for day in (self.first, self.last):
            check_day("period", day)
        return Period(self.first, self.last).checked(days_max=days_max)


@strawberry.type(description="How long something took, in seconds; null where nothing tells it.")
class Duration:
    n: int = strawberry.field(description="How many cases are over.")
    mean_seconds: float | None = strawberry.field(description="Mean of these.")
    median_seconds: float | None = strawberry.field(
        description="Half took no longer, those included that are not over yet."
    )
    p90_seconds: float | None = strawberry.field(description="90 % took no longer.")

    @classmethod
    def of(cls, measured: MeasuredDuration) -> "Duration":
        return cls(
            n=measured.cases,
            mean_seconds=measured.mean,
            median_seconds=measured.median,
            p90_seconds=measured.p90,
        )


@backed_by("measured")
@strawberry.type(
    description="What is counted and measured of one unit over a period. Durations are in seconds; "
    "null where nothing tells them. Definitions: docs/api.md, Figures."
)
class Figures:
    measured: strawberry.Private[Measured]

    def __init__(self, measured: Measured) -> None:
        self.measured = measured

    registered: int = strawberry.field(
        description="n: incidents registered in the period, the cohort all speeds are measured on."
    )
    answered: int = strawberry.field(description="Of them, with a reply by a human.")
    unanswered_share: float | None = strawberry.field(
        description="Of them, the share without one: read it beside every speed."
    )

    @strawberry.field(
        description="Publication of the message to the first reply by a human. Who has none yet "
        "counts as slower than all who have; null when more than half have none."
    )
    def reply_median_seconds(self) -> float | None:
        return self.measured.lasted("reply").median

    @strawberry.field(description="Mean over the answered only, as the network publishes it.")
    def reply_mean_seconds(self) -> float | None:
        return self.measured.lasted("reply").mean

    @strawberry.field(
        description="90 % of the cohort were answered within; null when over 10 % have no reply."
    )
    def reply_p90_seconds(self) -> float | None:
        return self.measured.lasted("reply").p90

    @strawberry.field(
        description="Publication of the message to the first reply by a human. Who has none yet "
        "counts as slower than all who have."
    )
    def reply(self) -> Duration:
        return Duration.of(self.measured.lasted("reply"))

    @strawberry.field(description="The same in working time of the place.")
    def reply_working(self) -> Duration:
        return Duration.of(self.measured.lasted("reply_working"))

    @strawberry.field(
        description="A citizen's further message to the next reply by a human, each by itself."
    )
    def next_reply(self) -> Duration:
        return Duration.of(self.measured.lasted("next_reply"))

    @strawberry.field(description="The same in working time of the place.")
    def next_reply_working(self) -> Duration:
        return Duration.of(self.measured.lasted("next_reply_working"))

    @strawberry.field(
        description="Publication of the message until the centre had it: how well it listens."
    )
    def capture_lag(self) -> Duration:
        return Duration.of(self.measured.lasted("capture"))

    @strawberry.field(description="Registration to the first assignment.")
    def triage(self) -> Duration:
        return Duration.of(self.measured.lasted("triage"))

    @strawberry.field(description="The same in working time of the place.")
    def triage_working(self) -> Duration:
        return Duration.of(self.measured.lasted("triage_working"))

    @strawberry.field(description="First assignment until it is taken into work.")
    def acceptance(self) -> Duration:
        return Duration.of(self.measured.lasted("accept"))

    @strawberry.field(description="The same in working time of the place.")
    def acceptance_working(self) -> Duration:
        return Duration.of(self.measured.lasted("accept_working"))

    resolved: int = strawberry.field(description="Of the cohort, resolved in their last cycle.")

    @strawberry.field(description="Start of the last cycle to its resolution, of the resolved.")
    def resolution_median_seconds(self) -> float | None:
        return self.measured.lasted("resolution").median

    @strawberry.field(description="Mean of the same, of the resolved.")
    def resolution_mean_seconds(self) -> float | None:
        return self.measured.lasted("resolution").mean

    @strawberry.field(description="90 % of the resolved were resolved within.")
    def resolution_p90_seconds(self) -> float | None:
        return self.measured.lasted("resolution").p90

    @strawberry.field(
        description="Start of the last cycle to its resolution, of the resolved, without the time "
        "in which the citizen was waited for."
    )
    def resolution(self) -> Duration:
        return Duration.of(self.measured.lasted("resolution"))

    @strawberry.field(description="The same in working time of the place.")
    def resolution_working(self) -> Duration:
        return Duration.of(self.measured.lasted("resolution_working"))

    @strawberry.field(description="Registration to the first resolution.")
    def first_resolution(self) -> Duration:
        return Duration.of(self.measured.lasted("first_resolution"))

    @strawberry.field(description="The same in working time of the place.")
    def first_resolution_working(self) -> Duration:
        return Duration.of(self.measured.lasted("first_resolution_working"))

    @strawberry.field(description="Registration to the last resolution, of those resolved now.")
    def full_resolution(self) -> Duration:
        return Duration.of(self.measured.lasted("full_resolution"))

    reopened: int = strawberry.field(description="Of the cohort, in a second or later cycle.")
    returned: int = strawberry.field(
        description="Of the cohort, sent back to triage at least once."
    )
    return_share: float | None = strawberry.field(description="returned, of the assigned.")
    hops_per_incident: float | None = strawberry.field(
        description="How often an incident of the cohort went on to another body, on average."
    )
    same_platform_share: float | None = strawberry.field(
        description="Of the cohort's final replies, those where the citizen wrote."
    )
    due: int = strawberry.field(
        description="Incidents, whenever registered, whose deadline fell on a day of the period "
        "that is over in the whole region."
    )
    missed: int = strawberry.field(description="Of them, resolved later or still open.")
    overdue_share: float | None = strawberry.field(description="missed divided by due.")
    first_resolved: int = strawberry.field(
        description="Incidents first resolved in the period, 14 days ago or earlier."
    )
    reopen_rate: float | None = strawberry.field(
        description="Of these, the share reopened within 14 days."
    )
    promised: int = strawberry.field(
        description="Incidents promised to be solved by a day of the period that is over."
    )

    @strawberry.field(description="Of these, the share that was resolved by then.")
    def promise_kept_share(self) -> float | None:
        return self.measured.promise_share

    rated: int = strawberry.field(description="Of the cohort, rated by their citizen.")
    rated_share: float | None = strawberry.field(
        description="Of those ever resolved, the share rated: read it beside the satisfaction."
    )
    satisfaction: float | None = strawberry.field(description="Mean of the last ratings, 1 to 5.")
    dispute_rate: float | None = strawberry.field(
        description="Of those ever resolved, the share whose resolution was disputed."
    )
    recurrence_rate: float | None = strawberry.field(
        description="Of the solved, those after which the same topic and place came within 90 days."
    )


# The durations behind fields that have another name.
BEHIND = {
    "capture_lag": ("capture",),
    "acceptance": ("accept",),
    "acceptance_working": ("accept_working",),
    "reply_median_seconds": ("reply",),
    "reply_mean_seconds": ("reply",),
    "reply_p90_seconds": ("reply",),
    "resolution_median_seconds": ("resolution",),
    "resolution_mean_seconds": ("resolution",),
    "resolution_p90_seconds": ("resolution",),
}


def durations_asked(info: Info) -> frozenset[str]:
    """Those of all figures below the field that is resolved: what nobody asks for is not read."""
    behind = {duration for name in names_asked(info) for duration in BEHIND.get(name, (name,))}
    return frozenset(behind & {*DURATION_NAMES})


@strawberry.type(description="A number of incidents in one state.")
class StatusCount:
    status: str = strawberry.field(description="A value of the enum Status.")
    incidents: int = strawberry.field(description="How many.")


@strawberry.type(description="How many wait for somebody.")
class QueueCount:
    queue: Queue = strawberry.field(description="For what.")
    incidents: int = strawberry.field(description="How many; list them by the filter `queue`.")


@strawberry.type(description="One of several units side by side, over the same period.")
class BoardPart:
    code: str = strawberry.field(description="Its code.")
    name: str = strawberry.field(description="Its name.")
    figures: Figures = strawberry.field(description="Its figures.")


@strawberry.type(description="The same unit over another period.")
class Comparison:
    first: date = strawberry.field(description="First day of that period.")
    last: date = strawberry.field(description="Last day.")
    figures: Figures = strawberry.field(description="The figures then.")


@strawberry.type(description="A point of a time series.")
class SeriesPoint:
    start: str = strawberry.field(
        description="Its first local day, `2026-11-26`, or local hour, `2026-11-26T09:00`."
    )
    figures: Figures = strawberry.field(
        description="Its figures; the first and last point hold only what is in the period."
    )


@strawberry.type(description="By how much the missed deadlines of the period were missed.")
class Lateness:
    n: int = strawberry.field(description="How many were missed.")
    median_seconds: float | None = strawberry.field(description="What is open is late until now.")
    p90_seconds: float | None = strawberry.field(description="90 % were late by no more.")


@strawberry.enum(description="How long a point of a series is.")
class SeriesStep(StrEnum):
    HOUR = "HOUR"
    DAY = "DAY"
    WEEK = "WEEK"
    MONTH = "MONTH"


@strawberry.enum(description="What a board tells incidents apart by.")
class SideBySide(StrEnum):
    MUNICIPALITY = "MUNICIPALITY"
    ORGANISATION = "ORGANISATION"
    TOPIC = "TOPIC"
    CHANNEL = "CHANNEL"


class BoardOf(NamedTuple):
    """Which board it is."""

    area: Area
    period: Period
    population: int | None
    launched_on: date | None


@strawberry.type(description="What a municipality, a region or the country sees of itself.")
class Board:
    figures: Figures = strawberry.field(description="Its figures over the period.")
    provisional: bool = strawberry.field(
        description="The deadlines of the period have not all passed: what is told may change."
    )
    registered_per_1000: float | None = strawberry.field(
        name="registeredPer1000",
        description="Registered in the period for each 1,000 residents; null where nobody knows.",
    )
    open_incidents: list[StatusCount] = strawberry.field(
        description="Open now, whenever registered, by status."
    )
    overdue: int = strawberry.field(description="Open now and past their deadline.")
    queues: list[QueueCount] = strawberry.field(description="What waits for somebody now.")
    parts: list[BoardPart] = strawberry.field(
        description="The units one level below that had incidents or deadlines in the period.",
        directives=[ListSize(assumed_size=20)],
    )
    of_what: strawberry.Private[BoardOf]

    @strawberry.field(
        description="The same unit over the period before, the same a year ago, or the first since "
        "its launch, or since its first incident where nobody knows when that was; null for a "
        "period that reaches back to before it.",
        directives=[Cost(weight="150")],
    )
    async def compared(
        self, info: Info, by: Annotated[ComparedWith, strawberry.argument(name="with")]
    ) -> Comparison | None:
        area, period, _, launched_on = self.of_what
        async with info.context.reading_all() as connection:
            if by is ComparedWith.LAUNCH and launched_on is None:
                launched_on = await units.first_day(connection, area)
            other = comparisons.compared(period, by, launched_on=launched_on)
            if other is None:
                return None
            found = await units.figures_at(
                connection,
                other,
                area,
                catalogue=info.context.catalogue,
                now=info.context.clock(),
            )
        return Comparison(first=other.first, last=other.last, figures=Figures(found))

    @strawberry.field(
        description="The figures in steps of the unit's own local time, in order. By the hour for "
        "at most 31 days, only hours that have anything, and with a token.",
        directives=[Cost(weight="300"), ListSize(assumed_size=30)],
    )
    async def series(self, info: Info, step: SeriesStep) -> list[SeriesPoint]:
        area, period, *_ = self.of_what
        catalogue, now = info.context.catalogue, info.context.clock()
        if step is SeriesStep.HOUR:
            info.context.viewer.require_scope()
            async with info.context.reading_all() as connection:
                by_hour = await units.hours(connection, period, area, catalogue=catalogue, now=now)
            return [SeriesPoint(start=at, figures=Figures(one)) for at, one in by_hour]
        async with info.context.reading_all() as connection:
            by_day = await units.series(
                connection, period, area, Step[step.name], catalogue=catalogue, now=now
            )
        return [SeriesPoint(start=str(at), figures=Figures(one)) for at, one in by_day]

    @strawberry.field(
        description="The unit's bodies, topics, channels or municipalities side by side, from the "
        "incidents themselves. Needs a token.",
        directives=[Cost(weight="2000"), ListSize(assumed_size=100)],
    )
    async def side_by_side(self, info: Info, by: SideBySide) -> list[BoardPart]:
        info.context.viewer.require_scope()
        area, period, *_ = self.of_what
        catalogue = info.context.catalogue
        async with info.context.reading_all() as connection:
            found = await units.figures_by(
                connection,
                period,
                Unit[by.name],
                catalogue=catalogue,
                now=info.context.clock(),
                regions=units.regions_of(area, catalogue),
                municipality=area.municipality,
            )
        named: Mapping[str, Any] = {
            SideBySide.MUNICIPALITY: catalogue.municipalities,
            SideBySide.ORGANISATION: catalogue.organisations,
            SideBySide.TOPIC: catalogue.topics,
            SideBySide.CHANNEL: catalogue.channels,
        }[by]
        return parts_of(found, named)

    @strawberry.field(
        description="By how much deadlines of the period were missed. Needs a token.",
        directives=[Cost(weight="1000")],
    )
    async def lateness(self, info: Info) -> Lateness:
        info.context.viewer.require_scope()
        area, period, *_ = self.of_what
        async with info.context.reading_all() as connection:
            late = await units.lateness(
                connection,
                period,
                area,
                catalogue=info.context.catalogue,
                now=info.context.clock(),
            )
        return Lateness(n=late.missed, median_seconds=late.median, p90_seconds=late.p90)

    @strawberry.field(
        description="What looks like gaming and can hardly be chance; of the country, in each of "
        "its regions. Needs a token.",
        directives=[Cost(weight="1500")],
    )
    async def flags(self, info: Info) -> list[Flag]:
        area, period, *_ = self.of_what
        info.context.viewer.require_scope()
        async with info.context.reading_all() as connection:
            found = await flags(
                connection, period, area, info.context.catalogue, info.context.clock()
            )
        return shown(info, found)

    @strawberry.field(
        description="The federal districts side by side; none but on the board of the country.",
        directives=[Cost(weight="1000"), ListSize(assumed_size=8)],
    )
    async def districts(self, info: Info) -> list[BoardPart]:
        area, period, *_ = self.of_what
        if area.region is not None:
            return []
        catalogue = info.context.catalogue
        async with info.context.reading_all() as connection:
            found = await units.district_figures(
                connection, period, catalogue=catalogue, now=info.context.clock()
            )
        return [
            BoardPart(code=code, name=catalogue.districts[code].name, figures=Figures(found[code]))
            for code in catalogue.districts
            if code in found
        ]

    @classmethod
    def of(
        cls,
        measured: MeasuredBoard,
        of_what: BoardOf,
        named: Mapping[str, Any],
        *,
        now: datetime,
    ) -> "Board":
        per_resident = share(measured.figures.registered, of_what.population or 0)
        return cls(
            figures=Figures(measured.figures),
            provisional=is_provisional(of_what.period, now),
            registered_per_1000=None if per_resident is None else 1000 * per_resident,
            open_incidents=status_counts(measured.open_by_status),
            overdue=measured.overdue,
            queues=queue_counts(measured.queues),
            parts=parts_of(measured.parts, named),
            of_what=of_what,
        )


def parts_of(found: Mapping[str, Measured], named: Mapping[str, Any]) -> list[BoardPart]:
    """Of units by code; what the catalogue no longer knows goes by its code."""
    return [
        BoardPart(
            code=code,
            name=named[code].name if code in named else code,
            figures=Figures(figures),
        )
        for code, figures in sorted(found.items())
        if code != TOTAL
    ]


def status_counts(by_status: Mapping[str, int]) -> list[StatusCount]:
    return [StatusCount(status=status, incidents=n) for status, n in sorted(by_status.items())]


def queue_counts(queues: Mapping[Queue, int]) -> list[QueueCount]:
    return [QueueCount(queue=queue, incidents=n) for queue, n in queues.items()]
