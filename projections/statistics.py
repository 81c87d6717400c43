"""Daily statistics, recomputed from the incident rows of the days a batch has touched.

Never kept by +1 and -1: a count that is made anew from the rows cannot drift from them.
"""

import math
from collections.abc import Collection
from datetime import date
from typing import LiteralString

import psycopg

from projections.histogram import COUNT_MAX, GAMMA
from projections.measures import COUNT_NAMES, COUNTS, DURATION_NAMES, LASTED, Cohort

LN_GAMMA = math.log(GAMMA)

# GROUPING SETS counts each region and each of its municipalities in one pass over the rows.
BOTH: LiteralString = "GROUPING SETS ((region, day), (region, day, municipality))"
UNIT: LiteralString = (
    "region, day, CASE grouping(municipality) WHEN 1 THEN '' ELSE municipality END AS municipality"
)


def _counted(cohort: Cohort) -> LiteralString:
    counts: LiteralString = ", ".join(sql + " AS " + name for name, sql in COUNTS[cohort].items())
    day: LiteralString = cohort.value
    return (
        "SELECT "
        + UNIT
        + ", "
        + counts
        + " FROM touched JOIN incident USING (region) WHERE "
        + day
        + " = day AND counted GROUP BY "
        + BOTH
    )


def _cohorts() -> LiteralString:
    """`REGISTERED AS (SELECT …), DUE AS (SELECT …), …`"""
    parts: list[LiteralString] = []
    for cohort in Cohort:
        name: LiteralString = cohort.name
        parts.append(name + " AS (" + _counted(cohort) + ")")
    return ", ".join(parts)


def _joined() -> LiteralString:
    names: list[LiteralString] = [cohort.name for cohort in Cohort]
    return " FULL JOIN ".join(
        name if number == 0 else name + " USING (region, day, municipality)"
        for number, name in enumerate(names)
    )


def _each(names: Collection[LiteralString], sql: LiteralString) -> LiteralString:
    """`sql` for each name, which stands there as `@`."""
    return ", ".join(sql.replace("@", name) for name in names)


RECOMPUTE: LiteralString = (
    """
      WITH touched AS (
           SELECT region,
                  day
             FROM unnest(%(regions)s::text[], %(days)s::date[]) AS touched (region, day)
           ),
           """
    + _cohorts()
    + """,
           lasted AS (
           SELECT region,
                  municipality,
                  day,
                  measure,
                  seconds,
                  ceil(ln(greatest(seconds, 1)) / %(ln_gamma)s)::int2 AS bucket
             FROM touched
             JOIN incident USING (region),
                  LATERAL ("""
    + LASTED
    + """) AS of (measure, seconds)
            WHERE registered_on = day
              AND counted
              AND seconds IS NOT NULL
           ),
           bucket AS (
           SELECT """
    + UNIT
    + """,
                  measure,
                  bucket,
                  count(*) AS cases,
                  sum(seconds::numeric) AS seconds
             FROM lasted
            GROUP BY measure, bucket, """
    + BOTH
    + """
           ),
           histogram AS (
           SELECT region,
                  day,
                  municipality,
                  measure,
                  sum(seconds) FILTER (WHERE rest = cases) AS seconds,
                  string_agg(pair, '' ORDER BY bucket) AS pairs
             FROM bucket,
                  generate_series(cases, 1, -%(count_max)s) AS rest,
                  LATERAL (SELECT int2send(bucket)
                                  || int2send(least(rest, %(count_max)s)::int2)) AS of (pair)
            GROUP BY region, day, municipality, measure
           ),
           timed AS (
           SELECT region,
                  day,
                  municipality,
                  """
    + _each(
        DURATION_NAMES,
        "max(seconds) FILTER (WHERE measure = '@') AS @_seconds,"
        " string_agg(pairs, '') FILTER (WHERE measure = '@') AS @_histogram",
    )
    + """
             FROM histogram
            GROUP BY region, day, municipality
           )
    INSERT INTO daily (region, day, municipality, """
    + _each(COUNT_NAMES, "@")
    + ", "
    + _each(DURATION_NAMES, "@_seconds, @_histogram")
    + """)
    SELECT region, day, municipality, """
    + _each(COUNT_NAMES, "coalesce(@, 0)")
    + ", "
    + _each(DURATION_NAMES, "coalesce(@_seconds, 0), coalesce(@_histogram, '')")
    + " FROM "
    + _joined()
    + """
      LEFT JOIN timed USING (region, day, municipality)
     -- An incident that is not located counts for its region only.
     WHERE municipality IS NOT NULL
    """
)


def recompute(connection: psycopg.Connection, touched: Collection[tuple[str, date]]) -> None:
    """Make the rows of these regions and days anew, their municipalities' rows included."""
    days = {
        "regions": [region for region, _ in touched],
        "days": [day for _, day in touched],
    }
    connection.execute(
        """
        DELETE FROM daily
         USING unnest(%(regions)s::text[], %(days)s::date[]) AS touched (region, day)
         WHERE daily.region = touched.region
           AND daily.day = touched.day
        """,
        days,
    )
    connection.execute(RECOMPUTE, days | {"ln_gamma": LN_GAMMA, "count_max": COUNT_MAX})
