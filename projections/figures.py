"""The figures of a unit over a period: how many, how fast, how late. One definition for every view.

What is counted and timed: projections/measures.py. The cohort are the incidents registered on the
period's local days; who has no reply yet counts as slower than everybody answered: ignoring people
improves nothing. Deadlines and promises count on the day they fall on, once it is over; open and
late is missed. Reopenings count for the day of the first resolution, once they can no more come.

Sources: lifecycle-and-metrics 3.4 and 3.5 (docs/decisions/0007-unanswered-counts-as-not-yet.md).
Quantiles are nearest rank: within 1 % from histograms (projections/histogram.py), or exact from
the incident rows.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Any, LiteralString, NamedTuple

import numpy as np
from psycopg import AsyncConnection

from domain.errors import PeriodInvalid
from domain.rights import region_proper
from projections.histogram import at_ranks, counts, median_bounds
from projections.measures import CENSORED, COUNT_NAMES, COUNTS, DURATION_NAMES, LASTED, Cohort
from regions.catalogue import Catalogue

SETTLES_AFTER_DAYS = 30  # the longest ordinary term (lifecycle-and-metrics 3.3)
PERIOD_DAYS_MAX = 3 * 366  # a daily row of each region and day is read: the bound keeps it one page


class Period(NamedTuple):
    """Whole local days, both included."""

    first: date
    last: date

    def checked(self) -> "Period":
        """Itself. Raises PeriodInvalid."""
        if not 0 <= (self.last - self.first).days < PERIOD_DAYS_MAX:
            raise PeriodInvalid(limit=PERIOD_DAYS_MAX)
        return self


def is_provisional(period: Period, now: datetime) -> bool:
    """Whether deadlines of the period may be open: the longest ordinary one is thirty days."""
    return now.date() < period.last + timedelta(days=SETTLES_AFTER_DAYS)


class Duration(NamedTuple):
    """How long something took, in seconds; None where there is nothing to tell it from."""

    cases: int = 0  # that are over
    mean: float | None = None  # of these
    median: float | None = None  # with those that are not over, where they count (CENSORED)
    p90: float | None = None
    low: float | None = None  # between them the true median lies with 95 %
    high: float | None = None  # None with a median: it has no upper bound
    whole: int = 0  # cases with those that are not over, where they count


@dataclass(frozen=True, slots=True)
class Figures:
    """Durations in the order of DURATION_NAMES, then the counts in that of COUNT_NAMES."""

    durations: tuple[Duration, ...] = (Duration(),) * len(DURATION_NAMES)
    registered: int = 0
    answered: int = 0
    resolved: int = 0
    reopened: int = 0
    assigned: int = 0
    returned: int = 0
    hops: int = 0
    disputed: int = 0
    rated: int = 0
    rating_sum: int = 0
    rating_squares: int = 0
    final_replies: int = 0
    final_on_source: int = 0
    ended: int = 0
    solved: int = 0
    recurred: int = 0
    due: int = 0
    kept: int = 0
    first_resolved: int = 0
    reopened_soon: int = 0
    promised: int = 0
    promise_kept: int = 0

    def lasted(self, name: str) -> Duration:
        """Raises ValueError for what is not measured."""
        return self.durations[DURATION_NAMES.index(name)]

    @property
    def missed(self) -> int:
        return self.due - self.kept

    @property
    def unanswered_share(self) -> float | None:
        return share(self.registered - self.answered, self.registered)

    @property
    def overdue_share(self) -> float | None:
        return share(self.missed, self.due)

    @property
    def reopen_rate(self) -> float | None:
        return share(self.reopened_soon, self.first_resolved)

    @property
    def satisfaction(self) -> float | None:
        return share(self.rating_sum, self.rated)

    @property
    def promise_share(self) -> float | None:
        return share(self.promise_kept, self.promised)


TOTAL = ""  # the key of all units together


class Unit(StrEnum):
    """What incidents are told apart by: the column of their row."""

    REGION = "region"
    MUNICIPALITY = "municipality"
    ORGANISATION = "organisation"
    TOPIC = "topic"
    CHANNEL = "channel"


async def region_figures(
    connection: AsyncConnection[Any],
    period: Period,
    *,
    catalogue: Catalogue,
    now: datetime,
    exact: bool = False,
) -> dict[str, Figures]:
    """By region code, and of the country under TOTAL. Regions without incidents are absent."""
    today = {code: _today(catalogue, code, now) for code in catalogue.regions}
    if exact:
        return await _exact(connection, period, today, by=Unit.REGION)
    sums = await _sums(connection, period, today, [TOTAL])
    return _figures({region: found for (region, _), found in sums.items()}, with_total=True)


async def municipality_figures(
    connection: AsyncConnection[Any],
    period: Period,
    *,
    catalogue: Catalogue,
    now: datetime,
    region: str,
    municipality: str | None = None,
    exact: bool = False,
) -> dict[str, Figures]:
    """By municipality code of one region, or of one of them, and of the whole region under TOTAL.

    The region counts incidents that are not located too; a municipality without any is absent.
    """
    today = {region: _today(catalogue, region, now)}
    if exact:
        found = await _exact(connection, period, today, by=Unit.MUNICIPALITY)
        return {code: of for code, of in found.items() if municipality in (None, code) or not code}
    of_region = [place.code for place in catalogue.municipalities_of.get(region_proper(region), ())]
    wanted = of_region if municipality is None else [municipality]
    sums = await _sums(connection, period, today, [TOTAL, *wanted])
    return _figures({place: found for (_, place), found in sums.items()}, with_total=False)


async def figures_of_places(
    connection: AsyncConnection[Any],
    period: Period,
    *,
    catalogue: Catalogue,
    now: datetime,
    regions: Collection[str],
) -> dict[str, Figures]:
    """By municipality code, of all municipalities of these regions that have any."""
    today = {code: _today(catalogue, code, now) for code in regions}
    places = [place.code for code in regions for place in catalogue.municipalities_of.get(code, ())]
    sums = await _sums(connection, period, today, places)
    return _figures({place: found for (_, place), found in sums.items()}, with_total=False)


async def figures_by(
    connection: AsyncConnection[Any],
    period: Period,
    unit: Unit,
    *,
    catalogue: Catalogue,
    now: datetime,
    regions: Collection[str],
    municipality: str | None = None,
) -> dict[str, Figures]:
    """By code of the unit, side by side, and of all together under TOTAL; exact.

    What is not located, not classified or not assigned counts for the whole only.
    """
    today = {region: _today(catalogue, region, now) for region in regions}
    return await _exact(connection, period, today, by=unit, municipality=municipality)


def _today(catalogue: Catalogue, region: str, now: datetime) -> date:
    """The first day that is not over in the whole region: its places may lie in several zones."""
    places = catalogue.municipalities_of.get(region_proper(region), ())
    zones = {catalogue.region(region).zone, *(place.zone for place in places)}
    return min(now.astimezone(zone).date() for zone in zones)


class _Sums(NamedTuple):
    """What adds up over days and units."""

    counts: tuple[int, ...]  # by COUNT_NAMES
    seconds: tuple[float, ...]  # by DURATION_NAMES
    histograms: tuple[bytes, ...]


async def _sums(
    connection: AsyncConnection[Any],
    period: Period,
    today: Mapping[str, date],
    municipalities: Collection[str],
) -> dict[tuple[str, str], _Sums]:
    cursor = await connection.execute(
        SUMS,
        {
            "regions": list(today),
            "today": list(today.values()),
            "municipalities": list(municipalities),
            "first": period.first,
            "last": period.last,
        },
        binary=True,
    )
    first, second = len(COUNT_NAMES), len(COUNT_NAMES) + len(DURATION_NAMES)
    return {
        (region, place): _Sums(tuple(sums[:first]), tuple(sums[first:second]), tuple(sums[second:]))
        async for region, place, *sums in cursor
    }


def _settled(cohort: Cohort) -> LiteralString:
    """When a day of this cohort tells something that will not change by waiting."""
    match cohort:
        case Cohort.REGISTERED:
            return "true"
        case Cohort.RESOLVED:
            return "day < today - 14"  # REOPENED_WITHIN_DAYS
        case _:
            return "day < today"


SUMS: LiteralString = (
    "SELECT region, municipality, "
    + ", ".join(
        "coalesce(sum(" + name + ") FILTER (WHERE " + _settled(cohort) + "), 0)::int8"
        for cohort, counts in COUNTS.items()
        for name in counts
    )
    + ", "
    + ", ".join("sum(" + name + "_seconds)::float8" for name in DURATION_NAMES)
    + ", "
    + ", ".join("string_agg(" + name + "_histogram, '')" for name in DURATION_NAMES)
    + """
      FROM daily
      JOIN unnest(%(regions)s::text[], %(today)s::date[]) AS unit (region, today)
     USING (region)
     WHERE region = ANY (%(regions)s)
       AND municipality = ANY (%(municipalities)s)
       AND day BETWEEN %(first)s AND %(last)s
     GROUP BY region, municipality
    """
)


def _figures(sums: Mapping[str, _Sums], *, with_total: bool) -> dict[str, Figures]:
    """By unit, and (`with_total`) of all of them together under TOTAL."""
    codes = [*sums, TOTAL] if with_total else list(sums)
    table = np.array([unit.counts for unit in sums.values()], int).reshape(-1, len(COUNT_NAMES))
    if with_total:
        table = np.vstack([table, table.sum(axis=0)])
    registered, answered = (
        table[:, COUNT_NAMES.index(name)] for name in ("registered", "answered")
    )
    unanswered = (registered - answered).tolist()
    columns = [
        _durations(sums.values(), number, unanswered, with_total=with_total)
        for number in range(len(DURATION_NAMES))
    ]
    return {
        code: Figures(durations, *row)
        for code, row, durations in zip(
            codes, table.tolist(), zip(*columns, strict=True), strict=True
        )
    }


def _durations(
    sums: Collection[_Sums], number: int, unanswered: Sequence[int], *, with_total: bool
) -> list[Duration]:
    """One measure of all units."""
    counted = counts([unit.histograms[number] for unit in sums])
    seconds = [unit.seconds[number] for unit in sums]
    if with_total:
        counted = np.vstack([counted, counted.sum(axis=0)])
        seconds.append(sum(seconds))
    cases = counted.sum(axis=1).tolist()
    open_cases = unanswered if DURATION_NAMES[number] in CENSORED else [0] * len(cases)
    whole = [over + still for over, still in zip(cases, open_cases, strict=True)]
    ranks = np.array([ranks_of(each) for each in whole], int).reshape(-1, 4)
    return [
        Duration(over, share(lasted, over), median, p90, low, high, in_all)
        for over, lasted, (median, p90, low, high), in_all in zip(
            cases, seconds, at_ranks(counted, ranks), whole, strict=True
        )
    ]


def ranks_of(cases: int) -> tuple[int, int, int, int]:
    """Of the median, the p90 and the bounds of the median; nearest rank, 1 is the shortest."""
    low, high = median_bounds(cases)
    return max(1, math.ceil(0.5 * cases)), max(1, math.ceil(0.9 * cases)), low, max(1, high)


def share(part: float, whole: int) -> float | None:
    """None of nothing."""
    return part / whole if whole else None


async def _exact(
    connection: AsyncConnection[Any],
    period: Period,
    today: Mapping[str, date],
    *,
    by: Unit,
    municipality: str | None = None,
) -> dict[str, Figures]:
    """The same from the incident rows: exact quantiles, at a cost that grows with the incidents."""
    cursor = await connection.execute(
        _exact_query(by.value),
        {
            "regions": list(today),
            "today": list(today.values()),
            "municipality": municipality,
            "first": period.first,
            "last": period.last,
        },
        binary=True,
    )
    return {unit: _exactly(row) async for unit, *row in cursor}


def _exactly(row: Sequence[Any]) -> Figures:
    told = row[len(COUNT_NAMES) :]
    durations = (
        _exact_duration(cases, mean, ordered or [])
        for cases, mean, ordered in zip(told[0::3], told[1::3], told[2::3], strict=True)
    )
    return Figures(tuple(durations), *row[: len(COUNT_NAMES)])


def _exact_duration(cases: int, mean: float | None, ordered: Sequence[float]) -> Duration:
    if not ordered:
        return Duration()
    median, p90, low, high = (
        None if math.isinf(ordered[rank - 1]) else ordered[rank - 1]
        for rank in ranks_of(len(ordered))
    )
    return Duration(cases, mean, median, p90, low, high, len(ordered))


@cache
def _exact_query(unit: LiteralString) -> LiteralString:
    """Rows of: the unit or '' for all, its counts, then (cases, mean, all in order) each."""
    cohorts: list[LiteralString] = [
        cohort.name + " AS (" + _exact_counts(cohort, unit) + ")" for cohort in Cohort
    ]
    names: list[LiteralString] = [cohort.name + " USING (unit)" for cohort in Cohort]
    counted: LiteralString = ", ".join("coalesce(" + name + ", 0)" for name in COUNT_NAMES)
    timed: LiteralString = ", ".join(
        "coalesce(max(cases) FILTER (WHERE measure = '" + name + "'), 0),"
        " max(mean) FILTER (WHERE measure = '" + name + "'),"
        " max(ordered) FILTER (WHERE measure = '" + name + "')"
        for name in DURATION_NAMES
    )
    return (
        "WITH "
        + ", ".join(cohorts)
        + ", timed AS ("
        + _exact_durations(unit)
        + ") SELECT unit, "
        + counted
        + ", "
        + timed
        + " FROM "
        + " FULL JOIN ".join(names).replace(" USING (unit)", "", 1)
        # What is in no unit (not located, not classified) counts for the whole only.
        + " LEFT JOIN timed USING (unit) WHERE unit IS NOT NULL GROUP BY unit, "
        + ", ".join(COUNT_NAMES)
    )


def _exact_counts(cohort: Cohort, unit: LiteralString) -> LiteralString:
    counted: LiteralString = ", ".join(sql + " AS " + name for name, sql in COUNTS[cohort].items())
    return "SELECT " + UNIT_OF_SET + ", " + counted + " FROM " + _of(cohort, unit) + BY_UNIT


def _exact_durations(unit: LiteralString) -> LiteralString:
    censored: LiteralString = ", ".join("'" + name + "'" for name in sorted(CENSORED))
    return (
        "SELECT "
        + UNIT_OF_SET
        + """,
               measure,
               count(*) FILTER (WHERE seconds < 'infinity') AS cases,
               avg(seconds) FILTER (WHERE seconds < 'infinity') AS mean,
               array_agg(seconds ORDER BY seconds) AS ordered
          FROM (SELECT unit,
                       measure,
                       CASE WHEN first_replied_at IS NULL AND measure IN ("""
        + censored
        + """)
                            THEN 'infinity'
                            ELSE seconds END AS seconds
                  FROM """
        + _of(Cohort.REGISTERED, unit)
        + ", LATERAL ("
        + LASTED
        + """) AS of (measure, seconds)) AS lasted
         WHERE seconds IS NOT NULL
         GROUP BY measure, GROUPING SETS ((unit), ())
        """
    )


def _of(cohort: Cohort, unit: LiteralString) -> LiteralString:
    """The incidents of a cohort, with `unit` and `day`."""
    day: LiteralString = cohort.value
    return (
        "(SELECT * FROM (SELECT incident.*, "
        + unit
        + " AS unit, "
        + day
        + " AS day, today FROM incident"
        " JOIN unnest(%(regions)s::text[], %(today)s::date[]) AS reporting (region, today)"
        " USING (region) WHERE region = ANY (%(regions)s)"
        " AND (%(municipality)s::text IS NULL OR municipality = %(municipality)s)"
        " AND counted AND "
        + day
        + " BETWEEN %(first)s AND %(last)s) AS dated WHERE "
        + _settled(cohort)
        + ") AS "
        + cohort.name
        + "_incident"
    )


UNIT_OF_SET: LiteralString = "CASE grouping(unit) WHEN 1 THEN '' ELSE unit END AS unit"
BY_UNIT: LiteralString = " GROUP BY GROUPING SETS ((unit), ())"
