"""The view of the whole country: its board, and its units side by side."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, NamedTuple

from psycopg import AsyncConnection

from projections.exact import Unit
from projections.figures import TOTAL, Figures, Period
from projections.rankings import RankedBy, Standing, compared_by, standings
from projections.regional import Board, board_of
from projections.units import figures_by, figures_of_places, region_figures
from regions.catalogue import Catalogue

STALE_AFTER_SECONDS = 60  # a region whose oldest event not taken in is older is not ranked


class Ranked(StrEnum):
    """What is set side by side; each with its like."""

    REGIONS = "REGIONS"  # one tier
    MUNICIPALITIES = "MUNICIPALITIES"  # in bands of residents
    ORGANISATIONS = "ORGANISATIONS"  # by their kind


class Freshness(NamedTuple):
    """Up to where the events of a region stand behind an answer."""

    region: str
    head: int
    position: int
    projected_at: datetime | None
    stale: bool


@dataclass(frozen=True, slots=True)
class Ranking:
    standings: list[Standing]
    freshness: list[Freshness]  # of every region


# Upper bounds of the bands, residents; the last has none. Own choice: of the Russian catalogue they
# hold 64 to 370 municipalities each; 45 are of unknown size.
BANDS = (10_000, 20_000, 50_000, 100_000, 250_000)


async def ranking(
    connection: AsyncConnection[Any],
    period: Period,
    *,
    catalogue: Catalogue,
    now: datetime,
    of: Ranked = Ranked.REGIONS,
    by: RankedBy = RankedBy.FIRST_REPLY,
    working: bool = True,
    region: str | None = None,
    exact: bool = False,
    durations: Collection[str] = (),
) -> Ranking:
    """The units of the country, or of one region. Of bodies it is always exact.

    Figures and positions are of one snapshot. Besides what is compared, the figures tell only the
    `durations` named.
    """
    told = sorted({*durations, *compared_by(by, working=working)})
    async with connection.transaction():
        await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        fresh = await freshness(connection, catalogue.regions)
        regions = list(catalogue.regions) if region is None else [region]
        match of:
            case Ranked.REGIONS:
                found = await region_figures(
                    connection,
                    period,
                    catalogue=catalogue,
                    now=now,
                    exact=exact,
                    durations=told,
                )
                units = {code: found.get(code, Figures()) for code in catalogue.regions}
            case Ranked.MUNICIPALITIES if not exact:
                units = await figures_of_places(
                    connection,
                    period,
                    catalogue=catalogue,
                    now=now,
                    regions=regions,
                    durations=told,
                )
            case Ranked.MUNICIPALITIES | Ranked.ORGANISATIONS:
                found = await figures_by(
                    connection,
                    period,
                    Unit.MUNICIPALITY if of is Ranked.MUNICIPALITIES else Unit.ORGANISATION,
                    catalogue=catalogue,
                    now=now,
                    regions=regions,
                )
                units = {code: one for code, one in found.items() if code != TOTAL}
    stale = {each.region for each in fresh if each.stale}
    return Ranking(
        standings(
            units,
            by,
            working=working,
            tier_of=lambda unit: tier_of_unit(unit, of, catalogue),
            stale=frozenset(unit for unit in units if region_of(unit, of, catalogue) in stale),
        ),
        fresh,
    )


def region_of(unit: str, of: Ranked, catalogue: Catalogue) -> str:
    match of:
        case Ranked.REGIONS:
            return unit
        case Ranked.MUNICIPALITIES:
            return catalogue.municipality(unit).region
        case Ranked.ORGANISATIONS:
            return catalogue.organisations[unit].region


def tier_of_unit(unit: str, of: Ranked, catalogue: Catalogue) -> str:
    """With which others it is compared."""
    match of:
        case Ranked.REGIONS:
            return ""
        case Ranked.MUNICIPALITIES:
            return _band(catalogue.municipality(unit).population)
        case Ranked.ORGANISATIONS:
            return catalogue.organisations[unit].kind


def _band(population: int | None) -> str:
    if population is None:
        return "UNKNOWN"
    bound = next((bound for bound in BANDS if population < bound), None)
    return f"UNDER_{bound}" if bound else f"FROM_{BANDS[-1]}"


async def freshness(connection: AsyncConnection[Any], regions: Collection[str]) -> list[Freshness]:
    """In the order of the codes."""
    cursor = await connection.execute(
        """
        SELECT region,
               head.pos,
               tracking.pos,
               tracking.projected_at,
               stopped
               OR EXISTS (SELECT
                            FROM events
                           WHERE events.region = head.region
                             AND events.pos = tracking.pos + 1
                             AND recorded_at < clock_timestamp() - make_interval(secs => %s))
          FROM region_head AS head
          JOIN tracking USING (region)
         WHERE region = ANY (%s)
         ORDER BY region
        """,
        [STALE_AFTER_SECONDS, list(regions)],
    )
    return [Freshness(*row) async for row in cursor]


def residents_and_launch(catalogue: Catalogue) -> tuple[int | None, date | None]:
    """Of the country: None if those of a region are not known; when its first centre began."""
    residents = [region.population for region in catalogue.regions.values()]
    launches = [region.launched_on for region in catalogue.regions.values() if region.launched_on]
    known = [each for each in residents if each is not None]
    return sum(known) if len(known) == len(residents) else None, min(launches, default=None)


async def country_board(
    connection: AsyncConnection[Any],
    period: Period,
    *,
    catalogue: Catalogue,
    now: datetime,
    exact: bool = False,
) -> Board:
    """The country's figures, its open incidents now, and the figures of each region."""
    figures = await region_figures(connection, period, catalogue=catalogue, now=now, exact=exact)
    return await board_of(connection, figures, TOTAL, now=now)
