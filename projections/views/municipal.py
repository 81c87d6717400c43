"""The view of one municipality: its own board."""

from datetime import datetime
from typing import Any

from psycopg import AsyncConnection

from projections.statistics.figures import Period
from projections.statistics.units import municipality_figures
from projections.views.regional import Board, board_of
from regions.reference.catalogue import Catalogue, Municipality


async def municipality_board(
    connection: AsyncConnection[Any],
    period: Period,
    *,
    catalogue: Catalogue,
    now: datetime,
    municipality: Municipality,
    exact: bool = False,
) -> Board:
    """The municipality's figures and its open incidents now; it has no parts."""
    figures = await municipality_figures(
        connection,
        period,
        catalogue=catalogue,
        now=now,
        region=municipality.region,
        municipality=municipality.code,
        exact=exact,
    )
    return await board_of(
        connection,
        figures,
        municipality.code,
        now=now,
        region=municipality.region,
        municipality=municipality.code,
    )
