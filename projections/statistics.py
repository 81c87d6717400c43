"""Daily statistics, recomputed from the incident rows of the days a batch has touched.

Never kept by +1 and -1: a count that is made anew from the rows cannot drift from them.
"""

import math
from collections.abc import Collection
from typing import LiteralString

import psycopg

from projections.histogram import COUNT_MAX, GAMMA
from projections.measures import COUNT_NAMES, COUNTS, DURATION_NAMES, LASTED, Cohort, UnitDay

LN_GAMMA = math.log(GAMMA)


def _counted(cohort: Cohort) -> LiteralString:
    counts: LiteralString = ", ".join(sql + " AS " + name for name, sql in COUNTS[cohort].items())
    return (
        "SELECT touched.region, day, touched.municipality, "
        + counts
        + _of(cohort)
        + " GROUP BY touched.region, day, touched.municipality"
    )


def _of(cohort: Cohort) -> LiteralString:
    """Each incident once for its region, once for its municipality, if that is touched."""
    day: LiteralString = cohort.value
    return (
        " FROM touched JOIN incident ON incident.region = touched.region AND counted AND "
        + day
        + " = day AND touched.municipality IN ('', incident.municipality)"
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
           SELECT *
             FROM unnest(%(regions)s::text[], %(days)s::date[], %(municipalities)s::text[])
               AS touched (region, day, municipality)
           ),
           """
    + _cohorts()
    + """,
           lasted AS (
           SELECT touched.region,
                  day,
                  touched.municipality,
                  measure,
                  seconds,
                  ceil(ln(greatest(seconds, 1)) / %(ln_gamma)s)::int2 AS bucket
            """
    + _of(Cohort.REGISTERED)
    + """, LATERAL ("""
    + LASTED
    + """) AS of (measure, seconds)
            WHERE seconds IS NOT NULL
           ),
           bucket AS (
           SELECT region,
                  day,
                  municipality,
                  measure,
                  bucket,
                  count(*) AS cases,
                  sum(seconds::numeric) AS seconds
             FROM lasted
            GROUP BY region, day, municipality, measure, bucket
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
    + " LEFT JOIN timed USING (region, day, municipality)"
)


def recompute(connection: psycopg.Connection, touched: Collection[UnitDay]) -> None:
    """Make the rows of these days anew; to be called in a transaction."""
    units = {
        "regions": [unit.region for unit in touched],
        "days": [unit.day for unit in touched],
        "municipalities": [unit.municipality for unit in touched],
    }
    # The plan is the same for all units, and to make it takes as long as to recompute one. It must
    # be that by the indices even where it is made while the tables are empty.
    connection.execute(
        "SELECT set_config('plan_cache_mode', 'force_generic_plan', true),"
        " set_config('enable_seqscan', 'off', true)"
    )
    connection.execute(
        """
        DELETE FROM daily
         USING unnest(%(regions)s::text[], %(days)s::date[], %(municipalities)s::text[])
            AS touched (region, day, municipality)
         WHERE daily.region = touched.region
           AND daily.day = touched.day
           AND daily.municipality = touched.municipality
        """,
        units,
    )
    connection.execute(RECOMPUTE, units | {"ln_gamma": LN_GAMMA, "count_max": COUNT_MAX})
