"""The view of the whole country: its board, and its units side by side."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from psycopg import AsyncConnection

from domain.publications import RankingQuestion
from domain.vocabulary import Ranked, RankingMethod
from projections.feed import SILENCE_SECONDS_MAX, SILENT_SECONDS
from projections.snapshot import one_moment
from projections.statistics.exact import UNITS
from projections.statistics.figures import TOTAL, Figures, Period
from projections.statistics.units import (
    Area,
    figures_by,
    figures_of_places,
    region_figures,
    regions_of,
)
from projections.views.rankings import Standing, compared_by, standings
from projections.views.regional import Board, board_of
from projections.views.standardised import standardised
from regions.reference.catalogue import Catalogue

STALE_AFTER_SECONDS = 60  # a region whose oldest event not taken in is older is not ranked


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
    question: RankingQuestion,
    *,
    catalogue: Catalogue,
    now: datetime,
    exact: bool = False,
    durations: Collection[str] = (),
) -> Ranking:
    """The units of the country, or of one region; figures and positions are of one snapshot.

    Raises ServedAnew when other read models took the place of these meanwhile.

    Besides what is compared, the figures have only the `durations` named.
    """
    async with one_moment(connection):
        fresh = await freshness(connection, catalogue.regions)
        found = await compare(
            connection,
            question,
            catalogue=catalogue,
            now=now,
            stale=frozenset(each.region for each in fresh if each.stale),
            exact=exact,
            durations=durations,
        )
    return Ranking(found, fresh)


async def compare(
    connection: AsyncConnection[Any],
    question: RankingQuestion,
    *,
    catalogue: Catalogue,
    now: datetime,
    stale: frozenset[str] = frozenset(),
    exact: bool = True,
    durations: Collection[str] = (),
) -> list[Standing]:
    """Of the incidents of the connection's read models; units of `stale` regions get no place."""
    of, working = question.of, question.working
    asked = sorted({*durations, *compared_by(question.by, working=working)})
    units = await _units(connection, question, asked, catalogue=catalogue, now=now, exact=exact)
    values = None
    if question.method is RankingMethod.STANDARDISED_1:
        values = await standardised(connection, question, catalogue=catalogue, now=now)
    return standings(
        units,
        question.by,
        working=working,
        tier_of=lambda unit: tier_of_unit(unit, of, catalogue),
        stale=frozenset(unit for unit in units if region_of(unit, of, catalogue) in stale),
        values=values,
    )


async def _units(
    connection: AsyncConnection[Any],
    question: RankingQuestion,
    durations: Sequence[str],
    *,
    catalogue: Catalogue,
    now: datetime,
    exact: bool,
) -> dict[str, Figures]:
    """Of bodies it is always exact: there are no daily rows of them."""
    period = Period(question.first, question.last)
    regions = regions_of(Area(question.only_region), catalogue)
    if question.of is Ranked.REGIONS:
        found = await region_figures(
            connection, period, catalogue=catalogue, now=now, exact=exact, durations=durations
        )
        return {code: found.get(code, Figures()) for code in regions}
    if question.of is Ranked.MUNICIPALITIES and not exact:
        return await figures_of_places(
            connection, period, catalogue=catalogue, now=now, regions=regions, durations=durations
        )
    found = await figures_by(
        connection,
        period,
        UNITS[question.of],
        catalogue=catalogue,
        now=now,
        regions=regions,
        durations=durations,
    )
    return {code: one for code, one in found.items() if code != TOTAL}


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
               OR coalesce("""
        + SILENT_SECONDS
        + """ > %(silence)s, false)
               OR EXISTS (SELECT
                            FROM events
                           WHERE events.region = head.region
                             AND events.pos = tracking.pos + 1
                             AND recorded_at < clock_timestamp() - %(late)s)
          FROM region_head AS head
          JOIN tracking USING (region)
          LEFT JOIN followed USING (region)
         WHERE region = ANY (%(regions)s)
         ORDER BY region
        """,
        {
            "late": timedelta(seconds=STALE_AFTER_SECONDS),
            "silence": SILENCE_SECONDS_MAX,
            "regions": list(regions),
        },
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
