"""Daily statistics, recomputed from the incident rows of the days a batch has touched.

Never kept by +1 and -1: a count that is made anew from the rows cannot drift from them.
"""

import math
from collections.abc import Collection
from datetime import date

import psycopg

from projections.histogram import COUNT_MAX, GAMMA

LN_GAMMA = math.log(GAMMA)


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
    # GROUPING SETS counts each region and each of its municipalities in one pass over the rows.
    connection.execute(
        """
          WITH touched AS (
               SELECT region,
                      day
                 FROM unnest(%(regions)s::text[], %(days)s::date[]) AS touched (region, day)
               ),
               cohort AS (
               SELECT region,
                      municipality,
                      day,
                      extract(epoch FROM first_replied_at - published_at) AS reply_seconds,
                      extract(epoch FROM resolved_at - cycle_started_at) AS resolution_seconds,
                      -- date_part gives a float at once; of a numeric each bucket costs twice that.
                      ceil(ln(greatest(date_part('epoch', first_replied_at - published_at), 1))
                           / %(ln_gamma)s)::int2 AS reply_bucket,
                      ceil(ln(greatest(date_part('epoch', resolved_at - cycle_started_at), 1))
                           / %(ln_gamma)s)::int2 AS resolution_bucket,
                      cycle,
                      returns
                 FROM touched
                 JOIN incident USING (region)
                WHERE registered_on = day
                  AND counted
               ),
               counted AS (
               SELECT region,
                      day,
                      CASE grouping(municipality) WHEN 1 THEN '' ELSE municipality END
                          AS municipality,
                      count(*) AS registered,
                      count(reply_seconds) AS answered,
                      coalesce(sum(reply_seconds), 0) AS reply_seconds,
                      count(resolution_seconds) AS resolved,
                      coalesce(sum(resolution_seconds), 0) AS resolution_seconds,
                      count(*) FILTER (WHERE cycle > 1) AS reopened,
                      count(*) FILTER (WHERE returns > 0) AS returned
                 FROM cohort
                GROUP BY GROUPING SETS ((region, day), (region, day, municipality))
               ),
               bucket AS (
               SELECT region,
                      day,
                      CASE grouping(municipality) WHEN 1 THEN '' ELSE municipality END
                          AS municipality,
                      measure,
                      bucket,
                      count(*) AS cases
                 FROM cohort,
                      LATERAL (VALUES ('reply', reply_seconds, reply_bucket),
                                      ('resolution', resolution_seconds, resolution_bucket))
                          AS of (measure, seconds, bucket)
                WHERE seconds IS NOT NULL
                GROUP BY measure, bucket,
                         GROUPING SETS ((region, day), (region, day, municipality))
               ),
               histogram AS (
               SELECT region,
                      day,
                      municipality,
                      string_agg(pair, '' ORDER BY bucket)
                          FILTER (WHERE measure = 'reply') AS reply,
                      string_agg(pair, '' ORDER BY bucket)
                          FILTER (WHERE measure = 'resolution') AS resolution
                 FROM bucket,
                      generate_series(cases, 1, -%(count_max)s) AS rest,
                      LATERAL (SELECT int2send(bucket)
                                      || int2send(least(rest, %(count_max)s)::int2)) AS of (pair)
                GROUP BY region, day, municipality
               ),
               deadline AS (
               SELECT region,
                      day,
                      CASE grouping(municipality) WHEN 1 THEN '' ELSE municipality END
                          AS municipality,
                      count(*) AS due,
                      count(*) FILTER (WHERE resolved_at <= due_at) AS kept
                 FROM touched
                 JOIN incident USING (region)
                WHERE due_on = day
                  AND counted
                GROUP BY GROUPING SETS ((region, day), (region, day, municipality))
               )
        INSERT INTO daily
        SELECT municipality,
               day,
               region,
               coalesce(registered, 0),
               coalesce(answered, 0),
               coalesce(reply_seconds, 0),
               coalesce(histogram.reply, ''),
               coalesce(resolved, 0),
               coalesce(resolution_seconds, 0),
               coalesce(histogram.resolution, ''),
               coalesce(reopened, 0),
               coalesce(returned, 0),
               coalesce(due, 0),
               coalesce(kept, 0)
          FROM counted
          FULL JOIN deadline USING (region, day, municipality)
          LEFT JOIN histogram USING (region, day, municipality)
         -- An incident that is not located counts for its region only.
         WHERE municipality IS NOT NULL
        """,
        days | {"ln_gamma": LN_GAMMA, "count_max": COUNT_MAX},
    )
