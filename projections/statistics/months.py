"""Durations of whole months of regions, made anew from the histograms of their days."""

from calendar import monthrange
from collections.abc import Collection
from datetime import date, timedelta
from typing import Any, LiteralString, NamedTuple

import psycopg
from psycopg.rows import tuple_row

from projections.statistics.figures import Period
from projections.statistics.histogram import merged


class Month(NamedTuple):
    """What a row of `monthly_duration` tells of."""

    measure: str
    region: str
    first: date  # of its days


def whole_months(period: Period) -> Period | None:
    """The first and the last day of the calendar months that lie whole in the period."""
    first, last = period
    if first.day > 1:
        first = first.replace(day=_days(first)) + timedelta(days=1)
    if last.day < _days(last):
        last = last.replace(day=1) - timedelta(days=1)
    return Period(first, last) if first < last else None


def none_of(period: Period) -> Period:
    """No day, at its beginning."""
    return Period(period.first, period.first - timedelta(days=1))


def _days(month: date) -> int:
    return monthrange(month.year, month.month)[1]


KEY: LiteralString = "measure, region, month"
GIVEN: LiteralString = "unnest(%(measures)s::text[], %(regions)s::text[], %(months)s::date[])"


def roll_up(connection: psycopg.Connection, months: Collection[Month]) -> None:
    """Make the rows of these months anew; to be called in the transaction that changed the days."""
    given = _arrays(months)
    connection.execute(
        "DELETE FROM monthly_duration AS known USING "
        + GIVEN
        + " AS given ("
        + KEY
        + ") WHERE known.measure = given.measure AND known.region = given.region"
        " AND known.month = given.month",
        given,
    )
    # A subquery for each, or the planner takes days of all measures for few enough to be joined.
    _insert(
        connection,
        "SELECT given.*, total.seconds, total.histogram FROM "
        + GIVEN
        + " AS given ("
        + KEY
        + """), LATERAL (
            SELECT sum(seconds) AS seconds, string_agg(histogram, '') AS histogram
              FROM daily_duration AS days
             WHERE days.measure = given.measure
               AND days.region = given.region
               AND days.municipality = ''
               AND days.day >= given.month
               AND days.day < given.month + interval '1 month'
            ) AS total
         WHERE total.seconds IS NOT NULL
        """,
        given,
    )


def roll_up_region(connection: psycopg.Connection, region: str) -> None:
    """Make the rows of all months of a region, of which there are none yet."""
    _insert(
        connection,
        """
        SELECT measure,
               region,
               date_trunc('month', day)::date AS month,
               sum(seconds),
               string_agg(histogram, '')
          FROM daily_duration
         WHERE region = %(region)s
           AND municipality = ''
         GROUP BY measure, region, month
         ORDER BY measure, month
        """,
        {"region": region},
    )


def _insert(connection: psycopg.Connection, totals: LiteralString, given: dict[str, Any]) -> None:
    """Of months with their seconds and the histograms of their days, one after the other."""
    with connection.cursor(binary=True, row_factory=tuple_row) as cursor:
        found = cursor.execute(totals, given).fetchall()
        if not found:
            return
        *key, seconds, histograms = zip(*found, strict=True)
        cursor.execute(
            "INSERT INTO monthly_duration ("
            + KEY
            + ", seconds, histogram) SELECT * FROM "
            + GIVEN.replace("[])", "[], %(seconds)s::numeric[], %(histograms)s::bytea[])"),
            _arrays([Month(*each) for each in zip(*key, strict=True)])
            | {"seconds": list(seconds), "histograms": merged(histograms)},
        )


def _arrays(months: Collection[Month]) -> dict[str, list[Any]]:
    return {
        "measures": [month.measure for month in months],
        "regions": [month.region for month in months],
        "months": [month.first for month in months],
    }
