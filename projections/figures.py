"""The figures of a unit over a period: how many, how fast, how late. One definition for every view.

    registered      incidents registered on the period's local days: the cohort
    reply time      publication of the message to the first reply by a human; who has none yet
                    counts as slower than everybody answered: ignoring people improves nothing
    resolution time start of the last cycle to its resolution, of the resolved
    overdue         deadlines that fell on days of the period that are over, kept or missed; open
                    and late is missed

Sources: lifecycle-and-metrics 3.4 and 3.5 (docs/decisions/0007-unanswered-counts-as-not-yet.md).
Quantiles are nearest rank: within 1 % from histograms (projections/histogram.py), or exact from
the incident rows.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

import numpy as np
from psycopg import AsyncConnection

from domain.errors import PeriodInvalid
from domain.rights import region_proper
from projections.histogram import counts, quantiles
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


SHARES = (0.5, 0.9)  # of the quantiles told
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
    today = {code: _today(catalogue, code, now) for code in catalogue.regions}
    if exact:
        return await _exact(connection, period, today, by_municipality=False)
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
        found = await _exact(connection, period, today, by_municipality=True)
        return {code: of for code, of in found.items() if municipality in (None, code) or not code}
    of_region = [place.code for place in catalogue.municipalities_of.get(region_proper(region), ())]
    wanted = of_region if municipality is None else [municipality]
    sums = await _sums(connection, period, today, [TOTAL, *wanted])
    return _figures({place: found for (_, place), found in sums.items()}, with_total=False)


def _today(catalogue: Catalogue, region: str, now: datetime) -> date:
    """The first day that is not over in the whole region: its places may lie in several zones."""
    places = catalogue.municipalities_of.get(region_proper(region), ())
    zones = {catalogue.region(region).zone, *(place.zone for place in places)}
    return min(now.astimezone(zone).date() for zone in zones)


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
    today: Mapping[str, date],
    municipalities: Collection[str],
) -> dict[tuple[str, str], _Sums]:
    cursor = await connection.execute(
        """
        SELECT region,
               municipality,
               sum(registered)::int8,
               sum(answered)::int8,
               sum(reply_seconds)::float8,
               string_agg(reply_histogram, ''),
               sum(resolved)::int8,
               sum(resolution_seconds)::float8,
               string_agg(resolution_histogram, ''),
               sum(reopened)::int8,
               sum(returned)::int8,
               coalesce(sum(due) FILTER (WHERE day < today), 0)::int8,
               coalesce(sum(due - kept) FILTER (WHERE day < today), 0)::int8
          FROM daily
          JOIN unnest(%(regions)s::text[], %(today)s::date[]) AS unit (region, today)
         USING (region)
         WHERE region = ANY (%(regions)s)
           AND municipality = ANY (%(municipalities)s)
           AND day BETWEEN %(first)s AND %(last)s
         GROUP BY region, municipality
        """,
        {
            "regions": list(today),
            "today": list(today.values()),
            "municipalities": list(municipalities),
            "first": period.first,
            "last": period.last,
        },
        binary=True,
    )
    return {(region, place): _Sums(*sums) async for region, place, *sums in cursor}


def _figures(sums: Mapping[str, _Sums], *, with_total: bool) -> dict[str, Figures]:
    """By unit, and (`with_total`) of all of them together under TOTAL."""
    units = dict(sums)
    replies = counts([unit.replies for unit in units.values()])
    resolutions = counts([unit.resolutions for unit in units.values()])
    if with_total:
        units[TOTAL] = _together(sums.values())
        replies = np.vstack([replies, replies.sum(axis=0)])
        resolutions = np.vstack([resolutions, resolutions.sum(axis=0)])
    reply_times = quantiles(replies, [unit.registered for unit in units.values()], SHARES)
    resolution_times = quantiles(resolutions, [unit.resolved for unit in units.values()], SHARES)
    return {
        code: Figures(
            registered=unit.registered,
            answered=unit.answered,
            reply_median=reply_median,
            reply_mean=_share(unit.reply_seconds, unit.answered),
            reply_p90=reply_p90,
            resolved=unit.resolved,
            resolution_median=resolution_median,
            resolution_mean=_share(unit.resolution_seconds, unit.resolved),
            resolution_p90=resolution_p90,
            reopened=unit.reopened,
            returned=unit.returned,
            due=unit.due,
            missed=unit.missed,
        )
        for (code, unit), (reply_median, reply_p90), (resolution_median, resolution_p90) in zip(
            units.items(), reply_times, resolution_times, strict=True
        )
    }


def _together(parts: Collection[_Sums]) -> _Sums:
    """Whatever is a number; the histograms add up as counts."""
    return _Sums(
        registered=sum(part.registered for part in parts),
        answered=sum(part.answered for part in parts),
        reply_seconds=sum(part.reply_seconds for part in parts),
        replies=b"",
        resolved=sum(part.resolved for part in parts),
        resolution_seconds=sum(part.resolution_seconds for part in parts),
        resolutions=b"",
        reopened=sum(part.reopened for part in parts),
        returned=sum(part.returned for part in parts),
        due=sum(part.due for part in parts),
        missed=sum(part.missed for part in parts),
    )


def _share(part: float, whole: int) -> float | None:
    return part / whole if whole else None


async def _exact(
    connection: AsyncConnection[Any],
    period: Period,
    today: Mapping[str, date],
    *,
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
                  AND counted
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
                 JOIN unnest(%(regions)s::text[], %(today)s::date[]) AS unit (region, today)
                USING (region)
                WHERE region = ANY (%(regions)s)
                  AND due_on BETWEEN %(first)s AND %(last)s
                  AND due_on < today
                  AND counted
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
            "regions": list(today),
            "today": list(today.values()),
            "first": period.first,
            "last": period.last,
        },
        binary=True,
    )
    return {unit: Figures(*found) async for unit, *found in cursor}
