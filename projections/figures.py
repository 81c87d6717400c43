"""The figures of a unit over a period: how many, how fast, how late. One definition for every view.

    registered      incidents registered on the period's local days: the cohort
    reply time      publication of the message to the first reply by a human; who has none yet
                    counts as slower than everybody answered: ignoring people improves nothing
    resolution time start of the last cycle to its resolution, of the resolved
    overdue         deadlines that fell in the period and are past, kept or missed; open and late is
                    missed

Sources: lifecycle-and-metrics 3.4 and 3.5 (docs/decisions/0007-unanswered-counts-as-not-yet.md).
Quantiles are nearest rank: within 1 % from histograms (projections/histogram.py), or exact from
the incident rows.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from psycopg import AsyncConnection

from domain.errors import PeriodInvalid
from projections.histogram import merged
from regions.catalogue import Catalogue

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


@dataclass(frozen=True, slots=True)
class Figures:
    """Times in seconds; None where there is nothing to tell it from."""

    registered: int = 0
    answered: int = 0
    reply_median: float | None = None
    reply_mean: float | None = None  # of the answered only: what the network publishes
    reply_p90: float | None = None
    resolved: int = 0
    resolution_median: float | None = None
    resolution_mean: float | None = None
    resolution_p90: float | None = None
    reopened: int = 0
    returned: int = 0
    due: int = 0
    missed: int = 0

    @property
    def unanswered_share(self) -> float | None:
        return _share(self.registered - self.answered, self.registered)

    @property
    def overdue_share(self) -> float | None:
        return _share(self.missed, self.due)


TOTAL = ""  # the key of all units together


async def region_figures(
    connection: AsyncConnection[Any],
    period: Period,
    *,
    catalogue: Catalogue,
    now: datetime,
    exact: bool = False,
) -> dict[str, Figures]:
    """By region code, and of the country under TOTAL. Regions without incidents are absent."""
    regions = list(catalogue.regions)
    if exact:
        return await _exact(connection, period, now, regions=regions, by_municipality=False)
    sums = await _sums(connection, period, now, regions=regions, municipalities=[TOTAL])
    by_region = {region: figures for (region, _), figures in sums.items()}
    return _figures(by_region | {TOTAL: _together(by_region.values())})


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
    if exact:
        found = await _exact(connection, period, now, regions=[region], by_municipality=True)
        return {code: of for code, of in found.items() if municipality in (None, code) or not code}
    of_region = [place.code for place in catalogue.municipalities_of.get(region, ())]
    wanted = of_region if municipality is None else [municipality]
    sums = await _sums(connection, period, now, regions=[region], municipalities=[TOTAL, *wanted])
    return _figures({place: found for (_, place), found in sums.items()})


class _Sums(NamedTuple):
    """What adds up over days and units."""

    registered: int
    answered: int
    reply_seconds: float
    replies: bytes
    resolved: int
    resolution_seconds: float
    resolutions: bytes
    reopened: int
    returned: int
    due: int
    missed: int


async def _sums(
    connection: AsyncConnection[Any],
    period: Period,
    now: datetime,
    *,
    regions: Collection[str],
    municipalities: Collection[str],
) -> dict[tuple[str, str], _Sums]:
    """From the daily rows; deadlines of days that may not be over yet, from the incidents."""
    cursor = await connection.execute(
        """
          WITH counted AS (
               SELECT region,
                      municipality,
                      sum(registered)::int8 AS registered,
                      sum(answered)::int8 AS answered,
                      sum(reply_seconds)::float8 AS reply_seconds,
                      string_agg(reply_histogram, '') AS replies,
                      sum(resolved)::int8 AS resolved,
                      sum(resolution_seconds)::float8 AS resolution_seconds,
                      string_agg(resolution_histogram, '') AS resolutions,
                      sum(reopened)::int8 AS reopened,
                      sum(returned)::int8 AS returned,
                      coalesce(sum(due) FILTER (WHERE day < %(over)s), 0)::int8 AS due,
                      coalesce(sum(due - kept) FILTER (WHERE day < %(over)s), 0)::int8 AS missed
                 FROM daily
                WHERE region = ANY (%(regions)s)
                  AND municipality = ANY (%(municipalities)s)
                  AND day BETWEEN %(first)s AND %(last)s
                GROUP BY region, municipality
               ),
               recent AS (
               SELECT region,
                      CASE grouping(municipality) WHEN 1 THEN '' ELSE municipality END
                          AS municipality,
                      count(*) AS due,
                      count(*) FILTER (WHERE resolved_at <= due_at IS NOT TRUE) AS missed
                 FROM incident
                WHERE region = ANY (%(regions)s)
                  AND due_on BETWEEN greatest(%(first)s, %(over)s) AND %(last)s
                  AND due_at <= %(now)s
                GROUP BY GROUPING SETS ((region), (region, municipality))
               )
        SELECT region,
               municipality,
               registered,
               answered,
               reply_seconds,
               replies,
               resolved,
               resolution_seconds,
               resolutions,
               reopened,
               returned,
               counted.due + coalesce(recent.due, 0),
               counted.missed + coalesce(recent.missed, 0)
          FROM counted
          LEFT JOIN recent USING (region, municipality)
        """,
        {
            "regions": list(regions),
            "municipalities": list(municipalities),
            "over": _first_day_not_over(now),
            "now": now,
            "first": period.first,
            "last": period.last,
        },
        binary=True,
    )
    return {(region, place): _Sums(*sums) async for region, place, *sums in cursor}


def _first_day_not_over(now: datetime) -> date:
    """Of all local days the earliest that goes on somewhere: no zone is behind UTC-12."""
    return (now.astimezone(UTC) - timedelta(hours=12)).date()


def _together(parts: Collection[_Sums]) -> _Sums:
    """Counts add up; histograms lie one after the other until they are merged."""
    return _Sums(
        registered=sum(part.registered for part in parts),
        answered=sum(part.answered for part in parts),
        reply_seconds=sum(part.reply_seconds for part in parts),
        replies=b"".join(part.replies for part in parts),
        resolved=sum(part.resolved for part in parts),
        resolution_seconds=sum(part.resolution_seconds for part in parts),
        resolutions=b"".join(part.resolutions for part in parts),
        reopened=sum(part.reopened for part in parts),
        returned=sum(part.returned for part in parts),
        due=sum(part.due for part in parts),
        missed=sum(part.missed for part in parts),
    )


def _figures(sums: Mapping[str, _Sums]) -> dict[str, Figures]:
    return {unit: _figures_of(parts) for unit, parts in sums.items()}


def _figures_of(sums: _Sums) -> Figures:
    replies, resolutions = merged(sums.replies), merged(sums.resolutions)
    unanswered = sums.registered - sums.answered
    return Figures(
        registered=sums.registered,
        answered=sums.answered,
        reply_median=replies.quantile(0.5, unanswered=unanswered),
        reply_mean=_share(sums.reply_seconds, sums.answered),
        reply_p90=replies.quantile(0.9, unanswered=unanswered),
        resolved=sums.resolved,
        resolution_median=resolutions.quantile(0.5),
        resolution_mean=_share(sums.resolution_seconds, sums.resolved),
        resolution_p90=resolutions.quantile(0.9),
        reopened=sums.reopened,
        returned=sums.returned,
        due=sums.due,
        missed=sums.missed,
    )


def _share(part: float, whole: int) -> float | None:
    return part / whole if whole else None


async def _exact(
    connection: AsyncConnection[Any],
    period: Period,
    now: datetime,
    *,
    regions: Collection[str],
    by_municipality: bool,
) -> dict[str, Figures]:
    """The same from the incident rows: exact quantiles, at a cost that grows with the incidents."""
    cursor = await connection.execute(
        """
          WITH cohort AS (
               SELECT CASE WHEN %(by_municipality)s THEN municipality ELSE region END AS unit,
                      extract(epoch FROM first_replied_at - published_at)::float8 AS reply,
                      extract(epoch FROM resolved_at - cycle_started_at)::float8 AS resolution,
                      cycle,
                      returns
                 FROM incident
                WHERE region = ANY (%(regions)s)
                  AND registered_on BETWEEN %(first)s AND %(last)s
               ),
               speed AS (
               SELECT CASE grouping(unit) WHEN 1 THEN '' ELSE unit END AS unit,
                      count(*) AS registered,
                      count(reply) AS answered,
                      percentile_disc(ARRAY[0.5, 0.9])
                          WITHIN GROUP (ORDER BY coalesce(reply, 'infinity')) AS replies,
                      avg(reply) AS reply_mean,
                      count(resolution) AS resolved,
                      percentile_disc(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY resolution)
                          AS resolutions,
                      avg(resolution) AS resolution_mean,
                      count(*) FILTER (WHERE cycle > 1) AS reopened,
                      count(*) FILTER (WHERE returns > 0) AS returned
                 FROM cohort
                GROUP BY GROUPING SETS ((unit), ())
               ),
               deadline AS (
               SELECT CASE WHEN %(by_municipality)s THEN municipality ELSE region END AS unit,
                      resolved_at <= due_at AS kept
                 FROM incident
                WHERE region = ANY (%(regions)s)
                  AND due_on BETWEEN %(first)s AND %(last)s
                  AND due_at <= %(now)s
               ),
               punctuality AS (
               SELECT CASE grouping(unit) WHEN 1 THEN '' ELSE unit END AS unit,
                      count(*) AS due,
                      count(*) FILTER (WHERE kept IS NOT TRUE) AS missed
                 FROM deadline
                GROUP BY GROUPING SETS ((unit), ())
               )
        SELECT unit,
               coalesce(registered, 0),
               coalesce(answered, 0),
               nullif(replies[1], 'infinity'),
               reply_mean,
               nullif(replies[2], 'infinity'),
               coalesce(resolved, 0),
               resolutions[1],
               resolution_mean,
               resolutions[2],
               coalesce(reopened, 0),
               coalesce(returned, 0),
               coalesce(due, 0),
               coalesce(missed, 0)
          FROM speed
          FULL JOIN punctuality USING (unit)
         -- What is not located counts for the whole only.
         WHERE unit IS NOT NULL
        """,
        {
            "by_municipality": by_municipality,
            "regions": list(regions),
            "first": period.first,
            "last": period.last,
            "now": now,
        },
        binary=True,
    )
    return {unit: Figures(*found) async for unit, *found in cursor}
