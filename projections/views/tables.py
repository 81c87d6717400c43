"""Rankings, boards and lists of incidents as tables, page by page, and what they tell of."""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from psycopg import AsyncConnection

from domain.errors import ExportTooLarge, NotPermitted
from domain.publications import RankingQuestion
from domain.rights import Scope
from projections.feed import positions
from projections.incident_list import (
    IncidentFilter,
    Place,
    count_incidents,
    evidence_of,
    incident_page,
)
from projections.statistics.exact import Unit
from projections.statistics.figures import TOTAL, Period, is_provisional
from projections.statistics.measures import DURATION_NAMES
from projections.statistics.units import Area, figures_by, regions_of
from projections.views.columns import (
    BoardLine,
    Cell,
    Column,
    board_columns,
    incident_columns,
    ranking_columns,
)
from projections.views.federal import country_board, ranking, residents_and_launch
from projections.views.flag_counts import Evidence, Flagged
from projections.views.municipal import municipality_board
from projections.views.regional import Board, region_board
from projections.walls import confine
from regions.centre import Position
from regions.reference.catalogue import Catalogue

# Of incidents; a sheet of XLSX has 1,048,576 rows, and who needs more needs another tool.
EXPORT_ROWS_MAX = 1_000_000
PAGE_ROWS = 10_000  # in memory at once: some 30 MB

T = TypeVar("T")
Row = Sequence[Cell]


class RankingWanted(msgspec.Struct, frozen=True, tag="RANKING"):
    question: RankingQuestion
    exact: bool


class BoardWanted(msgspec.Struct, frozen=True, tag="BOARD"):
    period: Period
    area: Area
    side_by_side: Unit | None  # None: the units one level below


class IncidentsWanted(msgspec.Struct, frozen=True, tag="INCIDENTS"):
    chosen: IncidentFilter
    flagged: Flagged | None = None

    def require(self, scope: Scope) -> None:
        """Raises NotPermitted unless all that it chooses lies within the scope."""
        if not scope.contains(self.chosen.scope):
            raise NotPermitted


Wanted = RankingWanted | BoardWanted | IncidentsWanted


def read_wanted(text: bytes) -> Wanted:
    wanted: Wanted = msgspec.json.decode(text, type=Wanted)
    return wanted


class Told(msgspec.Struct, frozen=True):
    """What a table tells of, and how."""

    at: datetime  # the moment that is open, overdue or waiting in it
    positions: list[str]  # up to which event of each region: `63:1042`
    language: str  # of what a file says about itself, ISO 639-1
    period: Period | None = None  # the rest of figures only
    method: str | None = None
    provisional: bool | None = None


@dataclass(frozen=True, slots=True)
class Table:
    columns: Sequence[Column[Any]]
    told: Told
    rows_total: int
    pages: AsyncIterator[list[Row]]  # while the snapshot is open


async def table_of(
    connection: AsyncConnection[Any],
    wanted: Wanted,
    *,
    scope: Scope,
    catalogue: Catalogue,
    now: datetime,
) -> Table:
    """On a connection in REPEATABLE READ. Of incidents no other than the scope has.

    Raises ExportTooLarge.
    """
    match wanted:
        case RankingWanted():
            return await _ranking(connection, wanted, catalogue, now)
        case BoardWanted():
            return await _board(connection, wanted, catalogue, now)
        case IncidentsWanted():
            return await _incidents(connection, wanted, scope, catalogue, now)


async def _ranking(
    connection: AsyncConnection[Any],
    wanted: RankingWanted,
    catalogue: Catalogue,
    now: datetime,
) -> Table:
    question = wanted.question
    period = Period(question.first, question.last)
    found = await ranking(
        connection,
        question,
        catalogue=catalogue,
        now=now,
        exact=wanted.exact,
        durations=DURATION_NAMES,
    )
    told = Told(
        at=now,
        positions=[str(Position(each.region, each.position)) for each in found.freshness],
        language=catalogue.language,
        period=period,
        method=question.method,
        provisional=is_provisional(period, now),
    )
    return _whole(ranking_columns(question.of, catalogue), found.standings, told)


async def _board(
    connection: AsyncConnection[Any], wanted: BoardWanted, catalogue: Catalogue, now: datetime
) -> Table:
    period, area = wanted.period, wanted.area
    told = Told(
        at=now,
        positions=await _positions(connection, regions_of(area, catalogue)),
        language=catalogue.language,
        period=period,
        provisional=is_provisional(period, now),
    )
    own = _own_line(await _measured(connection, period, area, catalogue, now), area, catalogue)
    level, parts = _level_below(area), own.board.parts if own.board else {}
    if wanted.side_by_side is not None:
        level = wanted.side_by_side
        parts = await figures_by(
            connection,
            period,
            level,
            catalogue=catalogue,
            now=now,
            regions=regions_of(area, catalogue),
            municipality=area.municipality,
        )
    lines = [
        BoardLine(level.name, code, _name_of(level, catalogue)(code), figures)
        for code, figures in sorted(parts.items())
        if code != TOTAL
    ]
    return _whole(board_columns(), [own, *lines], told)


async def _measured(
    connection: AsyncConnection[Any],
    period: Period,
    area: Area,
    catalogue: Catalogue,
    now: datetime,
) -> Board:
    if area.region is None:
        return await country_board(connection, period, catalogue=catalogue, now=now)
    if area.municipality is None:
        return await region_board(
            connection, period, catalogue=catalogue, now=now, region=area.region
        )
    place = catalogue.municipality(area.municipality)
    return await municipality_board(
        connection, period, catalogue=catalogue, now=now, municipality=place
    )


def _own_line(board: Board, area: Area, catalogue: Catalogue) -> BoardLine:
    if area.region is None:
        residents, _ = residents_and_launch(catalogue)
        return BoardLine("COUNTRY", None, catalogue.name, board.figures, residents, board)
    if area.municipality is None:
        region = catalogue.region(area.region)
        return BoardLine(
            "REGION", region.code, region.name, board.figures, region.population, board
        )
    place = catalogue.municipality(area.municipality)
    return BoardLine("MUNICIPALITY", place.code, place.name, board.figures, place.population, board)


def _level_below(area: Area) -> Unit:
    return Unit.REGION if area.region is None else Unit.MUNICIPALITY


def _name_of(level: Unit, catalogue: Catalogue) -> Callable[[str], str]:
    """Of a code; what the catalogue no longer knows goes by its code."""
    entries: dict[Unit, Any] = {
        Unit.REGION: catalogue.regions,
        Unit.MUNICIPALITY: catalogue.municipalities,
        Unit.ORGANISATION: catalogue.organisations,
        Unit.TOPIC: catalogue.topics,
        Unit.CHANNEL: catalogue.channels,
    }
    named = entries[level]
    return lambda code: named[code].name if code in named else code


async def _incidents(
    connection: AsyncConnection[Any],
    wanted: IncidentsWanted,
    scope: Scope,
    catalogue: Catalogue,
    now: datetime,
) -> Table:
    chosen = wanted.chosen
    behind = await evidence_of(connection, chosen, wanted.flagged, catalogue=catalogue, now=now)
    await confine(connection, scope)  # to the end of the snapshot
    rows_total = await count_incidents(
        connection, chosen, now=now, limit=EXPORT_ROWS_MAX + 1, evidence=behind
    )
    check_rows(rows_total)
    places = chosen.scope.places
    regions = catalogue.regions if places is None else places
    columns = incident_columns(catalogue)
    return Table(
        columns,
        Told(
            at=now,
            positions=await _positions(connection, regions),
            language=catalogue.language,
        ),
        rows_total,
        _pages(connection, chosen, behind, columns, now),
    )


def check_rows(rows_total: int) -> None:
    """Raises ExportTooLarge."""
    if rows_total > EXPORT_ROWS_MAX:
        raise ExportTooLarge(limit=EXPORT_ROWS_MAX)


async def _pages(
    connection: AsyncConnection[Any],
    chosen: IncidentFilter,
    behind: Evidence | None,
    columns: Sequence[Column[Any]],
    now: datetime,
) -> AsyncIterator[list[Row]]:
    after: Place | None = None
    while rows := await incident_page(
        connection, chosen, first=PAGE_ROWS, after=after, now=now, evidence=behind
    ):
        yield [_row(columns, row) for row in rows]
        after = Place.of(rows[-1])


def _whole(columns: Sequence[Column[T]], things: Sequence[T], told: Told) -> Table:
    async def page() -> AsyncIterator[list[Row]]:
        if things:
            yield [_row(columns, one) for one in things]

    return Table(columns, told, len(things), page())


def _row(columns: Iterable[Column[T]], one: T) -> Row:
    return [column.of(one) for column in columns]


async def _positions(connection: AsyncConnection[Any], regions: Iterable[str]) -> list[str]:
    taken_in = await positions(connection)
    return [str(Position(region, taken_in[region])) for region in sorted(regions)]
