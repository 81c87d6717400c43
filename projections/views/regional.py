"""The view of one region: its board, with its municipalities side by side."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

from psycopg import AsyncConnection

from projections.queues import CONDITIONS, WAITING, Queue, moments
from projections.statistics.figures import TOTAL, Figures, Period
from projections.statistics.units import municipality_figures
from regions.reference.catalogue import Catalogue

# What trainees do counts for their own sandbox only (domain/rights.py).
NOT_IN_SANDBOX: LiteralString = " AND strpos(region, '~') = 0"


@dataclass(frozen=True, slots=True)
class Board:
    """What a unit sees of itself."""

    figures: Figures
    parts: Mapping[str, Figures]  # by code, of the units one level below
    open_by_status: Mapping[str, int]  # now, whenever registered
    queues: Mapping[Queue, int]  # what waits for somebody now

    @property
    def overdue(self) -> int:
        return self.queues[Queue.OVERDUE]


async def region_board(
    connection: AsyncConnection[Any],
    period: Period,
    *,
    catalogue: Catalogue,
    now: datetime,
    region: str,
    exact: bool = False,
) -> Board:
    """The region's figures, its open incidents now, and the figures of each municipality."""
    figures = await municipality_figures(
        connection, period, catalogue=catalogue, now=now, region=region, exact=exact
    )
    return await board_of(connection, figures, TOTAL, now=now, region=region)


async def board_of(
    connection: AsyncConnection[Any],
    figures: Mapping[str, Figures],
    unit: str,
    *,
    now: datetime,
    region: str | None = None,
    municipality: str | None = None,
) -> Board:
    """The board of one unit out of the figures of its level."""
    where, parameters = _place(region, municipality)
    statuses = await connection.execute(
        "SELECT status, count(*) FROM incident WHERE open" + where + " GROUP BY status", parameters
    )
    open_by_status = {status: count async for status, count in statuses}
    return Board(
        figures=figures.get(unit, Figures()),
        parts={code: part for code, part in figures.items() if code not in (unit, TOTAL)},
        open_by_status=open_by_status,
        queues=await _queues(connection, where, parameters, now),
    )


async def _queues(
    connection: AsyncConnection[Any],
    where: LiteralString,
    parameters: dict[str, object],
    now: datetime,
) -> dict[Queue, int]:
    """How many wait in each; everything that waits is open, disputed or under control."""
    counts: LiteralString = ", ".join(
        "count(*) FILTER (WHERE " + condition + ")" for condition in CONDITIONS.values()
    )
    cursor = await connection.execute(
        "SELECT " + counts + " FROM incident WHERE " + WAITING + where,
        parameters | moments(now),
    )
    row = await cursor.fetchone()
    return dict(zip(CONDITIONS, row or (), strict=True))


def _place(region: str | None, municipality: str | None) -> tuple[LiteralString, dict[str, object]]:
    if municipality is not None:
        return (
            " AND region = %(region)s AND municipality = %(municipality)s",
            {"region": region, "municipality": municipality},
        )
    if region is not None:
        return " AND region = %(region)s", {"region": region}
    return NOT_IN_SANDBOX, {}
