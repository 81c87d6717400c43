"""What the head of a region was told at a moment: asked again a year later, it is the same.

Told from what was recorded by then, so that nothing that was recorded later changes it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import class_row

from projections.incidents import IncidentRow
from projections.past.past_rows import Moment, turned_back
from projections.statistics.comparisons import previous
from projections.statistics.exact import Unit
from projections.statistics.figures import TOTAL, Figures, Period
from projections.statistics.units import figures_by
from projections.views.regional import Board, region_board
from regions.reference.catalogue import Catalogue

LONGEST_OVERDUE = 10  # incidents that are named


@dataclass(frozen=True, slots=True)
class Briefing:
    as_of: datetime
    position: int  # of the last event of the region that was recorded by then
    board: Board  # with the municipalities
    earlier: Period  # as long, just before
    earlier_figures: Figures
    organisations: Mapping[str, Figures]
    topics: Mapping[str, Figures]
    longest_overdue: list[IncidentRow]  # the one that is late for longest first


async def briefing(
    connection: AsyncConnection[Any],
    region: str,
    period: Period,
    moment: Moment,
    *,
    catalogue: Catalogue,
) -> Briefing:
    """Exact. The read models must have taken in the position of the moment.

    Costs what the incidents of the period cost, and those that changed since.
    """
    earlier = previous(period)
    both = Period(earlier.first, period.last)
    async with turned_back(connection, region, moment.pos, both, catalogue):
        board, before = [
            await region_board(
                connection, each, catalogue=catalogue, now=moment.at, region=region, exact=True
            )
            for each in (period, earlier)
        ]
        organisations, topics = [
            await figures_by(
                connection, period, unit, catalogue=catalogue, now=moment.at, regions=[region]
            )
            for unit in (Unit.ORGANISATION, Unit.TOPIC)
        ]
        longest_overdue = await _longest_overdue(connection, moment.at)
    return Briefing(
        moment.at,
        moment.pos,
        board,
        earlier,
        before.figures,
        {code: figures for code, figures in organisations.items() if code != TOTAL},
        {code: figures for code, figures in topics.items() if code != TOTAL},
        longest_overdue,
    )


async def _longest_overdue(connection: AsyncConnection[Any], as_of: datetime) -> list[IncidentRow]:
    async with connection.cursor(row_factory=class_row(IncidentRow)) as cursor:
        await cursor.execute(
            "SELECT * FROM incident WHERE open AND due_at < %s ORDER BY due_at, id LIMIT %s",
            [as_of, LONGEST_OVERDUE],
        )
        return await cursor.fetchall()
