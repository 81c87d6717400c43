"""Figures from the incident rows: exact, at a cost that grows with the incidents of the period."""

import math
from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from enum import StrEnum
from functools import cache
from typing import Any, LiteralString

from psycopg import AsyncConnection

from domain.vocabulary import Ranked
from projections.statistics.figures import Duration, Figures, Period, share, told_by
from projections.statistics.measures import (
    CENSORED,
    COUNT_NAMES,
    COUNTS,
    DURATION_NAMES,
    Cohort,
    lasted,
    settled,
)


class Unit(StrEnum):
    """What incidents are told apart by: the column of their row."""

    REGION = "region"
    MUNICIPALITY = "municipality"
    ORGANISATION = "organisation"
    TOPIC = "topic"
    CHANNEL = "channel"
    HOUR = "hour"  # of the region's own time


UNITS = {
    Ranked.REGIONS: Unit.REGION,
    Ranked.MUNICIPALITIES: Unit.MUNICIPALITY,
    Ranked.ORGANISATIONS: Unit.ORGANISATION,
}


async def exact_figures(
    connection: AsyncConnection[Any],
    period: Period,
    today: Mapping[str, date],
    *,
    by: Unit,
    municipality: str | None = None,
    zones: Mapping[str, str] | None = None,
    durations: Collection[str] = DURATION_NAMES,
) -> dict[str, Figures]:
    """By code, and of all together under TOTAL. `zones` by region are needed for hours only.

    Of the durations only those named: each has all its times put in order.
    """
    told = [name for name in DURATION_NAMES if name in durations]
    cursor = await connection.execute(
        _exact_query(by, tuple(told)),
        given(period, today, municipality=municipality, zones=zones),
        binary=True,
    )
    return {unit: _exactly(row, told) async for unit, *row in cursor}


def given(
    period: Period,
    today: Mapping[str, date],
    *,
    municipality: str | None = None,
    zones: Mapping[str, str] | None = None,
) -> dict[str, object]:
    """The parameters of a query on `incidents_of`."""
    return {
        "regions": list(today),
        "today": list(today.values()),
        "zones": [(zones or {}).get(region, "UTC") for region in today],
        "municipality": municipality,
        "first": period.first,
        "last": period.last,
    }


def _exactly(row: Sequence[Any], durations: Sequence[str]) -> Figures:
    lasted = {
        name: _exact_duration(ordered or [])
        for name, ordered in zip(durations, row[len(COUNT_NAMES) :], strict=True)
    }
    return Figures(lasted.__getitem__, *row[: len(COUNT_NAMES)])


def _exact_duration(ordered: Sequence[float]) -> Duration:
    """Of ascending times, the infinite ones last."""
    if not ordered:
        return Duration()
    median, p90, low, high = told_by(ordered)
    cases = bisect_left(ordered, math.inf)
    # Summed exactly: a mean that was published is found again to the last bit.
    mean = share(math.fsum(ordered[:cases]), cases)
    return Duration(cases, mean, median, p90, low, high, len(ordered))


@cache
def _exact_query(unit: Unit, durations: Sequence[LiteralString]) -> LiteralString:
    """Rows of: the unit or '' for all, its counts, then all times of each duration in order."""
    cohorts: list[LiteralString] = [
        cohort.name + " AS (" + _exact_counts(cohort, unit) + ")" for cohort in Cohort
    ]
    names: list[LiteralString] = [cohort.name + " USING (unit)" for cohort in Cohort]
    told: list[LiteralString] = ["coalesce(" + name + ", 0)" for name in COUNT_NAMES]
    told += ["max(ordered) FILTER (WHERE measure = '" + name + "')" for name in durations]
    return (
        "WITH "
        + ", ".join(cohorts)
        + ", timed AS ("
        + _exact_durations(unit, durations)
        + ") SELECT unit, "
        + ", ".join(told)
        + " FROM "
        + " FULL JOIN ".join(names).replace(" USING (unit)", "", 1)
        # What is in no unit (not located, not classified) counts for the whole only.
        + " LEFT JOIN timed USING (unit) WHERE unit IS NOT NULL GROUP BY unit, "
        + ", ".join(COUNT_NAMES)
    )


def _exact_counts(cohort: Cohort, unit: Unit) -> LiteralString:
    counted: LiteralString = ", ".join(sql + " AS " + name for name, sql in COUNTS[cohort].items())
    return (
        "SELECT " + UNIT_OF_SET + ", " + counted + " FROM " + incidents_of(cohort, unit) + BY_UNIT
    )


def _exact_durations(unit: Unit, durations: Sequence[LiteralString]) -> LiteralString:
    censored: LiteralString = ", ".join("'" + name + "'" for name in sorted(CENSORED))
    return (
        "SELECT "
        + UNIT_OF_SET
        + """,
               measure,
               array_agg(seconds ORDER BY seconds) AS ordered
          FROM (SELECT unit,
                       measure,
                       CASE WHEN first_replied_at IS NULL AND measure IN ("""
        + censored
        + """)
                            THEN 'infinity'
                            ELSE seconds END AS seconds
                  FROM """
        + incidents_of(Cohort.REGISTERED, unit)
        + ", LATERAL ("
        + lasted(durations)
        + """) AS of (measure, seconds)) AS lasted
         WHERE seconds IS NOT NULL
         GROUP BY measure, GROUPING SETS ((unit), ())
        """
    )


def incidents_of(cohort: Cohort, unit: Unit) -> LiteralString:
    """The incidents of a cohort, with `unit` and `day`."""
    day: LiteralString = cohort.value
    return (
        "(SELECT * FROM (SELECT incident.*, "
        + (HOURS[cohort] if unit is Unit.HOUR else unit.value)
        + " AS unit, "
        + day
        + " AS day, today FROM incident"
        " JOIN unnest(%(regions)s::text[], %(today)s::date[], %(zones)s::text[])"
        " AS reporting (region, today, zone)"
        " USING (region) WHERE region = ANY (%(regions)s)"
        " AND (%(municipality)s::text IS NULL OR municipality = %(municipality)s)"
        " AND counted AND "
        + day
        + " BETWEEN %(first)s AND %(last)s) AS dated WHERE "
        + settled(cohort)
        + ") AS "
        + cohort.name
        + "_incident"
    )


def _hour(moment: LiteralString) -> LiteralString:
    local: LiteralString = "date_trunc('hour', " + moment + ")"
    return "to_char(" + local + """, 'YYYY-MM-DD"T"HH24:MI')"""


HOURS: dict[Cohort, LiteralString] = {
    Cohort.REGISTERED: _hour("registered_at AT TIME ZONE zone"),
    Cohort.DUE: _hour("due_at AT TIME ZONE zone"),
    Cohort.RESOLVED: _hour("first_resolved_at AT TIME ZONE zone"),
    Cohort.PROMISED: _hour("promised_on::timestamp"),
}
UNIT_OF_SET: LiteralString = "CASE grouping(unit) WHEN 1 THEN '' ELSE unit END AS unit"
BY_UNIT: LiteralString = " GROUP BY GROUPING SETS ((unit), ())"
