"""The figures of regions, municipalities, bodies, topics and channels, side by side."""

from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from psycopg import AsyncConnection

from domain.errors import PeriodInvalid
from domain.rights import region_proper
from projections.statistics.exact import Unit, exact_figures
from projections.statistics.figures import TOTAL, Figures, Period
from projections.statistics.measures import DURATION_NAMES
from projections.statistics.sums import Step, Sums, figures_of, sums_by_step, sums_of, together
from regions.reference.catalogue import Catalogue

HOURLY_DAYS_MAX = 31  # a series by the hour is told from the incidents


async def region_figures(
    connection: AsyncConnection[Any],
    period: Period,
    *,
    catalogue: Catalogue,
    now: datetime,
    exact: bool = False,
    durations: Sequence[str] = DURATION_NAMES,
) -> dict[str, Figures]:
    """By region code, and of the country under TOTAL. Regions without incidents are absent."""
    today = {code: today_in(catalogue, code, now) for code in catalogue.regions}
    if exact:
        return await exact_figures(connection, period, today, by=Unit.REGION, durations=durations)
    sums = await sums_of(connection, period, today, [TOTAL], durations)
    by_region = {region: found for (region, _), found in sums.items()}
    return figures_of(by_region, total=TOTAL, durations=durations)


async def district_figures(
    connection: AsyncConnection[Any], period: Period, *, catalogue: Catalogue, now: datetime
) -> dict[str, Figures]:
    """By code of the federal district; regions in none are in none of them."""
    today = {code: today_in(catalogue, code, now) for code in catalogue.regions}
    parts: dict[str, list[Sums]] = {}
    for (region, _), found in (await sums_of(connection, period, today, [TOTAL])).items():
        district = catalogue.region(region).district
        if district is not None:
            parts.setdefault(district, []).append(found)
    return figures_of({district: together(found) for district, found in parts.items()})


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
    today = {region: today_in(catalogue, region, now)}
    if exact:
        found = await exact_figures(connection, period, today, by=Unit.MUNICIPALITY)
        return {code: of for code, of in found.items() if municipality in (None, code) or not code}
    of_region = [place.code for place in catalogue.municipalities_of.get(region_proper(region), ())]
    wanted = of_region if municipality is None else [municipality]
    sums = await sums_of(connection, period, today, [TOTAL, *wanted])
    return figures_of({place: found for (_, place), found in sums.items()})


async def figures_of_places(
    connection: AsyncConnection[Any],
    period: Period,
    *,
    catalogue: Catalogue,
    now: datetime,
    regions: Collection[str],
    durations: Sequence[str] = DURATION_NAMES,
) -> dict[str, Figures]:
    """By municipality code, of all municipalities of these regions that have any."""
    today = {code: today_in(catalogue, code, now) for code in regions}
    places = [place.code for code in regions for place in catalogue.municipalities_of.get(code, ())]
    sums = await sums_of(connection, period, today, places, durations)
    by_place = {place: found for (_, place), found in sums.items()}
    return figures_of(by_place, durations=durations)


async def figures_by(
    connection: AsyncConnection[Any],
    period: Period,
    unit: Unit,
    *,
    catalogue: Catalogue,
    now: datetime,
    regions: Collection[str],
    municipality: str | None = None,
    durations: Collection[str] = DURATION_NAMES,
) -> dict[str, Figures]:
    """By code of the unit, side by side, and of all together under TOTAL; exact.

    What is not located, not classified or not assigned counts for the whole only.
    """
    today = {region: today_in(catalogue, region, now) for region in regions}
    zones = {region: catalogue.region(region).zone.key for region in regions}
    return await exact_figures(
        connection,
        period,
        today,
        by=unit,
        municipality=municipality,
        zones=zones,
        durations=durations,
    )


class Area(NamedTuple):
    """Of which a board is: a municipality of a region, a region, or the country."""

    region: str | None = None
    municipality: str | None = None


async def figures_at(
    connection: AsyncConnection[Any],
    period: Period,
    area: Area,
    *,
    catalogue: Catalogue,
    now: datetime,
) -> Figures:
    """Of one place over a period."""
    if area.region is None:
        return (await region_figures(connection, period, catalogue=catalogue, now=now))[TOTAL]
    found = await municipality_figures(
        connection,
        period,
        catalogue=catalogue,
        now=now,
        region=area.region,
        municipality=area.municipality,
    )
    return found.get(area.municipality or TOTAL, Figures())


async def series(
    connection: AsyncConnection[Any],
    period: Period,
    area: Area,
    step: Step,
    *,
    catalogue: Catalogue,
    now: datetime,
) -> list[tuple[date, Figures]]:
    """By the first local day of each step, in order; steps without anything are there too.

    The first and the last step hold only what of them is in the period.
    """
    today = {code: today_in(catalogue, code, now) for code in regions_of(area, catalogue)}
    sums = await sums_by_step(connection, period, today, area.municipality or TOTAL, step)
    figures = figures_of(sums)
    return [(first, figures.get(first, Figures())) for first in steps_of(period, step)]


async def hours(
    connection: AsyncConnection[Any],
    period: Period,
    area: Area,
    *,
    catalogue: Catalogue,
    now: datetime,
) -> list[tuple[str, Figures]]:
    """By local hour, of each region its own, `2026-11-26T09:00`; only hours that have anything.

    Raises PeriodInvalid for more than HOURLY_DAYS_MAX days: it is told from the incidents.
    """
    if (period.last - period.first).days >= HOURLY_DAYS_MAX:
        raise PeriodInvalid(limit=HOURLY_DAYS_MAX)
    found = await figures_by(
        connection,
        period,
        Unit.HOUR,
        catalogue=catalogue,
        now=now,
        regions=regions_of(area, catalogue),
        municipality=area.municipality,
    )
    return sorted((hour, figures) for hour, figures in found.items() if hour != TOTAL)


async def first_day(connection: AsyncConnection[Any], area: Area) -> date | None:
    """The first local day on which anything was registered there."""
    cursor = await connection.execute(
        """
        SELECT min(day)
          FROM daily
         WHERE (%(region)s::text IS NULL OR region = %(region)s)
           AND municipality = %(municipality)s
           AND registered > 0
        """,
        {"region": area.region, "municipality": area.municipality or TOTAL},
    )
    row = await cursor.fetchone()
    return row[0] if row else None


def regions_of(area: Area, catalogue: Catalogue) -> list[str]:
    return list(catalogue.regions) if area.region is None else [area.region]


def steps_of(period: Period, step: Step) -> list[date]:
    """The first days of all steps that have a day in the period."""
    days = (period.first + timedelta(days=n) for n in range((period.last - period.first).days + 1))
    return list(dict.fromkeys(_first_of(day, step) for day in days))


def _first_of(day: date, step: Step) -> date:
    match step:
        case Step.DAY:
            return day
        case Step.WEEK:
            return day - timedelta(days=day.weekday())
        case Step.MONTH:
            return day.replace(day=1)


class Lateness(NamedTuple):
    """By how much missed deadlines were missed, in seconds; what is open is late until now."""

    missed: int
    median: float | None
    p90: float | None


async def lateness(
    connection: AsyncConnection[Any],
    period: Period,
    area: Area,
    *,
    catalogue: Catalogue,
    now: datetime,
) -> Lateness:
    """Of the deadlines that fell on days of the period that are over; exact."""
    today = {code: today_in(catalogue, code, now) for code in regions_of(area, catalogue)}
    cursor = await connection.execute(
        """
          WITH missed AS (
               SELECT date_part('epoch', coalesce(resolved_at, %(now)s) - due_at) AS late
                 FROM incident
                 JOIN unnest(%(regions)s::text[], %(today)s::date[]) AS reporting (region, today)
                USING (region)
                WHERE region = ANY (%(regions)s)
                  AND (%(municipality)s::text IS NULL OR municipality = %(municipality)s)
                  AND counted
                  AND due_on BETWEEN %(first)s AND %(last)s
                  AND due_on < today
                  AND (resolved_at <= due_at) IS NOT TRUE
               )
        SELECT count(*),
               percentile_disc(0.5) WITHIN GROUP (ORDER BY late),
               percentile_disc(0.9) WITHIN GROUP (ORDER BY late)
          FROM missed
        """,
        {
            "now": now,
            "regions": list(today),
            "today": list(today.values()),
            "municipality": area.municipality,
            "first": period.first,
            "last": period.last,
        },
        binary=True,
    )
    return Lateness(*(await cursor.fetchone() or (0, None, None)))


def today_in(catalogue: Catalogue, region: str, now: datetime) -> date:
    """The first day that is not over in the whole region: its places may lie in several zones."""
    places = catalogue.municipalities_of.get(region_proper(region), ())
    zones = {catalogue.region(region).zone, *(place.zone for place in places)}
    return min(now.astimezone(zone).date() for zone in zones)
