"""The view of one region: its board, with its municipalities side by side."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

from psycopg import AsyncConnection

from projections.figures import TOTAL, Figures, Period, municipality_figures
from regions.catalogue import Catalogue


@dataclass(frozen=True, slots=True)
class Board:
    """What a unit sees of itself."""

    figures: Figures
    parts: Mapping[str, Figures]  # by code, of the units one level below
    open_by_status: Mapping[str, int]  # now, whenever registered
    overdue: int  # open now and past their deadline


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
        "SELECT status, count(*) FROM incident WHERE resolved_at IS NULL"
        + where
        + " GROUP BY status",
        parameters,
    )
    open_by_status = {status: count async for status, count in statuses}
    late = await connection.execute(
        "SELECT count(*) FROM incident WHERE resolved_at IS NULL AND due_at < %(now)s" + where,
        parameters | {"now": now},
    )
    row = await late.fetchone()
    return Board(
        figures=figures.get(unit, Figures()),
        parts={code: part for code, part in figures.items() if code not in (unit, TOTAL)},
        open_by_status=open_by_status,
        overdue=row[0] if row else 0,
    )


def _place(region: str | None, municipality: str | None) -> tuple[LiteralString, dict[str, object]]:
    if municipality is not None:
        return (
            " AND region = %(region)s AND municipality = %(municipality)s",
            {"region": region, "municipality": municipality},
        )
    if region is not None:
        return " AND region = %(region)s", {"region": region}
    return "", {}
