"""The view of the whole country: its board, and the ranking of its regions."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from psycopg import AsyncConnection

from projections.figures import TOTAL, Figures, Period, region_figures
from projections.regional import Board, board_of
from regions.catalogue import Catalogue

RANKED_CASES_MIN = 5  # below this a median says nothing (lifecycle-and-metrics 3.5.4)


class Rank(NamedTuple):
    """One line of a ranking; `place` is None where there are too few cases to compare."""

    place: int | None
    region: str
    figures: Figures


async def ranking(
    connection: AsyncConnection[Any],
    period: Period,
    *,
    catalogue: Catalogue,
    now: datetime,
    exact: bool = False,
) -> list[Rank]:
    """All regions by median time to first reply, fastest first; equal medians share a place.

    A region that has left more than half of its cohort unanswered has no median and comes after all
    that have one. A place is rank(): one plus the number of faster regions.
    """
    figures = await region_figures(connection, period, catalogue=catalogue, now=now, exact=exact)
    rows = [(code, figures.get(code, Figures())) for code in catalogue.regions]
    rows.sort(key=lambda row: (_speed(row[1]), row[0]))
    ranked = [row for row in rows if row[1].registered >= RANKED_CASES_MIN]
    unranked = [row for row in rows if row[1].registered < RANKED_CASES_MIN]
    places = _places([_speed(figures) for _, figures in ranked])
    return [
        *(Rank(place, *row) for place, row in zip(places, ranked, strict=True)),
        *(Rank(None, *row) for row in unranked),
    ]


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


def _speed(figures: Figures) -> float:
    median = figures.lasted("reply").median
    return float("inf") if median is None else median


def _places(ascending: Sequence[float]) -> list[int]:
    """rank() OVER (ORDER BY value)."""
    places: list[int] = []
    for index, value in enumerate(ascending):
        tied = index > 0 and value == ascending[index - 1]
        places.append(places[-1] if tied else index + 1)
    return places
