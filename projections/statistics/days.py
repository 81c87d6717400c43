"""Daily statistics, recomputed from the incident rows of the days a batch has touched.

Never kept by +1 and -1: a count that is made anew from the rows cannot drift from them.
"""

import math
from collections.abc import Collection, Mapping
from typing import Any, LiteralString

import psycopg

from projections.statistics.facts import Touched
from projections.statistics.histogram import COUNT_MAX, GAMMA
from projections.statistics.measures import COUNT_NAMES, COUNTS, LASTED, Cohort, UnitDay
from projections.statistics.months import Month, roll_up, roll_up_region

BUCKETS = {"ln_gamma": math.log(GAMMA), "count_max": COUNT_MAX}
DAY: LiteralString = "region, day, municipality"
DURATION: LiteralString = DAY + ", measure"
GIVEN_DAYS: LiteralString = (
    "unnest(%(regions)b::text[], %(days)b::date[], %(municipalities)b::text[]) AS unit ("
    + DAY
    + ")"
)
GIVEN_DURATIONS: LiteralString = (
    "unnest(%(regions)b::text[], %(days)b::date[], %(municipalities)b::text[],"
    " %(measures)b::text[]) AS unit (" + DURATION + ")"
)


def _at(units: LiteralString, cohort: Cohort) -> LiteralString:
    """The incidents of given units: each once for its region, once for its municipality."""
    day: LiteralString = cohort.value
    return (
        units
        + " JOIN incident ON incident.region = unit.region AND "
        + day
        + " = unit.day AND counted AND unit.municipality IN ('', incident.municipality)"
    )


def _throughout(cohort: Cohort) -> LiteralString:
    """The incidents of all units of a region."""
    day: LiteralString = "(region, " + cohort.value
    return (
        "incident JOIN LATERAL (VALUES "
        + (day + ", ''), ")
        + (day + ", incident.municipality)")
        + ") AS unit ("
        + DAY
        + ") ON incident.region = %(region)s AND counted AND unit.day IS NOT NULL"
        " AND unit.municipality IS NOT NULL"
    )


def _counted(incidents: Mapping[Cohort, LiteralString]) -> LiteralString:
    """Count the incidents of each cohort into `daily`."""
    cohorts: list[LiteralString] = [
        cohort.name
        + " AS (SELECT unit.region, unit.day, unit.municipality, "
        + ", ".join(sql + " AS " + name for name, sql in COUNTS[cohort].items())
        + " FROM "
        + found
        + " GROUP BY unit.region, unit.day, unit.municipality)"
        for cohort, found in incidents.items()
    ]
    joined: list[LiteralString] = [cohort.name + " USING (" + DAY + ")" for cohort in incidents]
    return (
        "WITH "
        + ", ".join(cohorts)
        + " INSERT INTO daily ("
        + ", ".join((DAY, *COUNT_NAMES))
        + ") SELECT "
        + ", ".join((DAY, *("coalesce(" + name + ", 0)" for name in COUNT_NAMES)))
        + " FROM "
        + " FULL JOIN ".join(joined).replace(" USING (" + DAY + ")", "", 1)
    )


def _timed(incidents: LiteralString) -> LiteralString:
    """Put what lasted of the incidents into `daily_duration`, in buckets."""
    return (
        """
          WITH timed AS (
               SELECT unit.region,
                      unit.day,
                      unit.municipality,
                      lasted.measure,
                      seconds::numeric,
                      ceil(ln(greatest(seconds, 1)) / %(ln_gamma)s)::int2 AS bucket
                 FROM """
        + incidents
        + """
               ),
               bucket AS (
               SELECT region,
                      day,
                      municipality,
                      measure,
                      bucket,
                      count(*) AS cases,
                      sum(seconds) AS seconds
                 FROM timed
                GROUP BY region, day, municipality, measure, bucket
               )
        INSERT INTO daily_duration (region, day, municipality, measure, seconds, histogram)
        SELECT region,
               day,
               municipality,
               measure,
               sum(seconds) FILTER (WHERE rest = cases),
               string_agg(pair, '' ORDER BY bucket)
          FROM bucket,
               generate_series(cases, 1, -%(count_max)s) AS rest,
               LATERAL (SELECT int2send(bucket)
                               || int2send(least(rest, %(count_max)s)::int2)) AS of (pair)
         GROUP BY region, day, municipality, measure
         ORDER BY measure, day
        """
    )


EACH_DURATION: LiteralString = (
    " JOIN LATERAL (" + LASTED + ") AS lasted (measure, seconds) ON seconds IS NOT NULL"
)
COUNT_DAYS = _counted({cohort: _at(GIVEN_DAYS, cohort) for cohort in Cohort})
COUNT_REGION = _counted({cohort: _throughout(cohort) for cohort in Cohort})
TIME_DURATIONS = _timed(
    _at(GIVEN_DURATIONS, Cohort.REGISTERED) + EACH_DURATION + " AND lasted.measure = unit.measure"
)
TIME_REGION = _timed(_throughout(Cohort.REGISTERED) + EACH_DURATION)


def recompute(connection: psycopg.Connection, touched: Touched) -> None:
    """Make the rows of what was touched anew; to be called in a transaction."""
    if not touched.days and not touched.durations:
        return
    # The plan is the same for all units, and to make it takes as long as to recompute one. It must
    # be that by the indices even where it is made while the tables are empty.
    connection.execute(
        "SELECT set_config('plan_cache_mode', 'force_generic_plan', true),"
        " set_config('enable_seqscan', 'off', true)"
    )
    if touched.days:
        days = _arrays(touched.days)
        connection.execute(_forget("daily", GIVEN_DAYS, DAY), days)
        connection.execute(COUNT_DAYS, days)
    if touched.durations:
        durations = _arrays([unit for unit, _ in touched.durations])
        durations["measures"] = [measure for _, measure in touched.durations]
        connection.execute(_forget("daily_duration", GIVEN_DURATIONS, DURATION), durations)
        connection.execute(TIME_DURATIONS, durations | BUCKETS)
        roll_up(connection, _months(touched))


def _months(touched: Touched) -> set[Month]:
    return {
        Month(measure, unit.region, unit.day.replace(day=1))
        for unit, measure in touched.durations
        if unit.municipality == ""
    }


def _arrays(units: Collection[UnitDay]) -> dict[str, list[Any]]:
    return {
        "regions": [unit.region for unit in units],
        "days": [unit.day for unit in units],
        "municipalities": [unit.municipality for unit in units],
    }


def _forget(table: LiteralString, units: LiteralString, key: LiteralString) -> LiteralString:
    same: list[LiteralString] = [table + "." + name + " = unit." + name for name in key.split(", ")]
    return "DELETE FROM " + table + " USING " + units + " WHERE " + " AND ".join(same)


def count_region(connection: psycopg.Connection, region: str) -> None:
    """Make the rows of all units of a region, of which there are none yet."""
    connection.execute(COUNT_REGION, {"region": region})
    connection.execute(TIME_REGION, {"region": region} | BUCKETS)
    roll_up_region(connection, region)
