"""Figures from the daily rows: at a cost that grows with days and units, not with incidents."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date
from enum import StrEnum
from functools import cache
from typing import Any, LiteralString, NamedTuple, TypeVar

import numpy as np
from psycopg import AsyncConnection

from projections.statistics.figures import Duration, Figures, Period, ranks_of, share
from projections.statistics.histogram import at_ranks, counts
from projections.statistics.measures import CENSORED, COUNT_NAMES, COUNTS, DURATION_NAMES, settled
from projections.statistics.months import none_of, whole_months

Key = TypeVar("Key", str, date)


class Step(StrEnum):
    """How long a point of a series is."""

    DAY = "day"
    WEEK = "week"  # from Monday
    MONTH = "month"


class Sums(NamedTuple):
    """What adds up over days and units."""

    counts: tuple[int, ...]  # by COUNT_NAMES
    seconds: tuple[float, ...]  # by the durations asked for, in the order of DURATION_NAMES
    histograms: tuple[bytes, ...]


async def sums_of(
    connection: AsyncConnection[Any],
    period: Period,
    today: Mapping[str, date],
    municipalities: Collection[str],
    durations: Collection[str] = DURATION_NAMES,
) -> dict[tuple[str, str], Sums]:
    """By region and municipality. Of the durations only those named: each costs milliseconds."""
    whole = whole_months(period) if set(municipalities) == {""} else None
    cursor = await connection.execute(
        _query("region, municipality", "region, municipality"),
        _given(period, whole or none_of(period), today, municipalities, durations),
        binary=True,
    )
    return {(region, place): _sums(row, durations) async for region, place, *row in cursor}


async def sums_by_step(
    connection: AsyncConnection[Any],
    period: Period,
    today: Mapping[str, date],
    municipality: str,
    step: Step,
) -> dict[date, Sums]:
    """All regions together, by the first day of each step that has anything."""
    cursor = await connection.execute(
        _query("first", "date_trunc('" + step.value + "', day)::date AS first"),
        _given(period, none_of(period), today, [municipality], DURATION_NAMES),
        binary=True,
    )
    return {first: _sums(row, DURATION_NAMES) async for first, *row in cursor}


def _given(
    period: Period,
    months: Period,
    today: Mapping[str, date],
    municipalities: Collection[str],
    durations: Collection[str],
) -> dict[str, object]:
    return {
        "regions": list(today),
        "today": list(today.values()),
        "municipalities": list(municipalities),
        "measures": list(durations),
        "first": period.first,
        "last": period.last,
        "first_in_months": months.first,
        "last_in_months": months.last,
    }


def _sums(row: Sequence[Any], durations: Collection[str]) -> Sums:
    """Of the counts, then arrays of the measures there are, their seconds and histograms."""
    *counted, measures, seconds, histograms = row
    lasted = dict(
        zip(measures or (), zip(seconds or (), histograms or (), strict=True), strict=True)
    )
    found = [lasted.get(name, (0.0, b"")) for name in DURATION_NAMES if name in durations]
    return Sums(tuple(counted), *(zip(*found, strict=True) if found else ((), ())))


@cache
def _query(key: LiteralString, selected: LiteralString) -> LiteralString:
    counted: list[LiteralString] = [
        "coalesce(sum(" + name + ") FILTER (WHERE " + settled(cohort) + "), 0)::int8"
        for cohort, counts in COUNTS.items()
        for name in counts
    ]
    of_units: LiteralString = """
         WHERE region = ANY (%(regions)s)
           AND municipality = ANY (%(municipalities)s)
        """
    return (
        "WITH counted AS (SELECT "
        + ", ".join((selected, *counted))
        + """
          FROM daily
          JOIN unnest(%(regions)s::text[], %(today)s::date[]) AS unit (region, today)
         USING (region)"""
        + of_units
        + " AND day BETWEEN %(first)s AND %(last)s GROUP BY "
        + key
        + "), timed AS (SELECT "
        + selected
        + """,
               measure,
               sum(seconds)::float8 AS seconds,
               string_agg(histogram, '') AS histogram
          FROM (SELECT region, municipality, day, measure, seconds, histogram
                  FROM daily_duration"""
        + of_units
        + """
                   AND measure = ANY (%(measures)s)
                   AND (day BETWEEN %(first)s AND %(first_in_months)s::date - 1
                        OR day BETWEEN %(last_in_months)s::date + 1 AND %(last)s)
                 UNION ALL
                SELECT region, '', month, measure, seconds, histogram
                  FROM monthly_duration
                 WHERE region = ANY (%(regions)s)
                   AND measure = ANY (%(measures)s)
                   AND month BETWEEN %(first_in_months)s AND %(last_in_months)s) AS of
         GROUP BY measure, """
        + key
        + """)
        SELECT counted.*, lasted.measures, lasted.seconds, lasted.histograms
          FROM counted
          LEFT JOIN (SELECT """
        + key
        + """,
                            array_agg(measure) AS measures,
                            array_agg(seconds) AS seconds,
                            array_agg(histogram) AS histograms
                       FROM timed
                      GROUP BY """
        + key
        + ") AS lasted USING ("
        + key
        + ")"
    )


def together(parts: Collection[Sums]) -> Sums:
    """Histograms one after the other are the histogram of all."""
    return Sums(
        tuple(map(sum, zip(*(part.counts for part in parts), strict=True))),
        tuple(map(sum, zip(*(part.seconds for part in parts), strict=True))),
        tuple(map(b"".join, zip(*(part.histograms for part in parts), strict=True))),
    )


def figures_of(
    sums: Mapping[Key, Sums],
    *,
    total: Key | None = None,
    durations: Sequence[str] = DURATION_NAMES,
) -> dict[Key, Figures]:
    """By unit, and of all of them together under the key `total`, if there is one."""
    with_total = total is not None
    codes: list[Key] = list(sums)
    if total is not None:
        codes.append(total)
    table = np.array([unit.counts for unit in sums.values()], int).reshape(-1, len(COUNT_NAMES))
    if with_total:
        table = np.vstack([table, table.sum(axis=0)])
    registered, answered = (
        table[:, COUNT_NAMES.index(name)] for name in ("registered", "answered")
    )
    unanswered = (registered - answered).tolist()
    told = [name for name in DURATION_NAMES if name in durations]

    @cache
    def column(name: str) -> list[Duration]:
        number = told.index(name)  # ValueError: it was not asked for
        waiting = unanswered if name in CENSORED else [0] * len(codes)
        return _durations(sums.values(), number, waiting, with_total=with_total)

    def lasted_in(row: int) -> Callable[[str], Duration]:
        return lambda name: column(name)[row]

    return {
        code: Figures(lasted_in(number), *row)
        for number, (code, row) in enumerate(zip(codes, table.tolist(), strict=True))
    }


def _durations(
    sums: Collection[Sums], number: int, waiting: Sequence[int], *, with_total: bool
) -> list[Duration]:
    """One measure of all units."""
    counted = counts([unit.histograms[number] for unit in sums])
    seconds = [unit.seconds[number] for unit in sums]
    if with_total:
        counted = np.vstack([counted, counted.sum(axis=0)])
        seconds.append(sum(seconds))
    cases = counted.sum(axis=1).tolist()
    whole = [over + still for over, still in zip(cases, waiting, strict=True)]
    ranks = np.array([ranks_of(each) for each in whole], int).reshape(-1, 4)
    return [
        Duration(over, share(lasted, over), median, p90, low, high, in_all)
        for over, lasted, (median, p90, low, high), in_all in zip(
            cases, seconds, at_ranks(counted, ranks), whole, strict=True
        )
    ]
