"""What do figures cost beside the same question put to the rows in plain SQL, and as a year grows?

The plain question is what somebody would write who has only the incidents: one scan with grouping
and percentiles. Where the views count from daily rows they answer more, and must still cost less.
`keeping` is what these rows cost when a first reply comes: what it changes is counted anew.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from typing import Any, LiteralString, NamedTuple
from uuid import UUID

import psycopg
from psycopg import AsyncConnection

from api.progress import bar
from bench.cost import Cost, Meter
from bench.result import Result, at_most, info
from bench.scratch import Scratch
from bench.visibility import percentiles
from bench.year import year
from domain.publications import RankingQuestion
from projections import incidents, versions
from projections.pool import OPTIONS
from projections.statistics import days, facts
from projections.statistics.figures import Period
from projections.statistics.units import Area
from projections.views import federal
from projections.views.heat_map import heat_map
from projections.views.regional import region_board

SIZE, LARGE = 1_000_000, 10_000_000
REGION = "66"
ASKED, ASKED_PLAIN, REPLIES = 60, 4, 200
GROWTH_MAX = 1.5

TIMES: LiteralString = """
    count(*),
    count(first_replied_at),
    avg(date_part('epoch', first_replied_at - published_at)),
    percentile_disc(0.5) WITHIN GROUP (ORDER BY coalesce(reply_working_seconds, 'infinity')),
    percentile_disc(0.9) WITHIN GROUP (ORDER BY coalesce(reply_working_seconds, 'infinity'))
"""
DEADLINES: LiteralString = "count(*), count(*) FILTER (WHERE resolved_at <= due_at)"

Ask = Callable[[AsyncConnection[Any]], Awaitable[object]]


class Question(NamedTuple):
    view: Ask
    plain: Ask
    goal: bool  # whether its cost must not grow with the incidents


class Asked(NamedTuple):
    clock: list[float]  # seconds, each
    cost: Cost  # of all

    @property
    def processor(self) -> float:
        """Milliseconds of one."""
        return 1000 * self.cost.processor / len(self.clock)


def run(scratch: Scratch) -> list[Result]:
    sizes = [SIZE, *([LARGE] if scratch.large else [])]
    asked = questions(scratch)
    found, results = {}, []
    for size in sizes:
        url = year(scratch, size)
        found[size] = asyncio.run(_ask(url, asked, scratch.meter()))
        results += [*_told(size, found[size]), _kept(url, size, scratch)]
    if scratch.large:
        for name, question in asked.items():
            grown = found[LARGE][name][0].processor / found[SIZE][name][0].processor
            if question.goal:
                results.append(at_most(f"figures.{name}.growth", grown, "x 1 M", GROWTH_MAX))
            else:
                results.append(info(f"figures.{name}.growth", grown, "x 1 M"))
    return results


def _told(size: int, found: Mapping[str, tuple[Asked, Asked]]) -> list[Result]:
    results = []
    for name, (view, plain) in found.items():
        full_name = f"figures.{name}.{size // 1_000_000}M"
        at = percentiles([1000 * each for each in view.clock])
        results += [
            info(f"{full_name}.p50", at[50], "ms"),
            info(f"{full_name}.p99", at[99], "ms"),
            info(f"{full_name}.processor", view.processor, "ms"),
            info(f"{full_name}.plain", plain.processor, "ms of processor"),
            info(f"{full_name}.gain", plain.processor / view.processor, "x"),
        ]
    return results


def _kept(url: str, size: int, scratch: Scratch) -> Result:
    """Of incidents taken anywhere in the month: large regions have most of them."""
    with versions.connect(url) as connection:
        rows = list(incidents.load(connection, _answered(connection, scratch)).values())
        with scratch.meter().measure() as cost:
            for row in rows:
                unanswered = replace(row, first_replied_at=None, reply_working_seconds=None)
                with connection.transaction():
                    changed = facts.touched({row.id: facts.told_of(unanswered)}, [row])
                    days.recompute(connection, changed)
    name = f"figures.keeping.{size // 1_000_000}M"
    return info(name, 1000 * cost.processor / len(rows), "ms of processor/reply")


def _answered(connection: psycopg.Connection, scratch: Scratch) -> list[UUID]:
    found = connection.execute(
        """
        SELECT id
          FROM incident
         WHERE counted
           AND first_replied_at IS NOT NULL
           AND registered_on BETWEEN %s AND %s
         ORDER BY id
         LIMIT %s
        """,
        [*_days_asked(scratch, 30), REPLIES],
    )
    return [incident_id for (incident_id,) in found]


def _days_asked(scratch: Scratch, days: int) -> Period:
    last = scratch.until.date() - timedelta(days=45)
    return Period(last - timedelta(days=days - 1), last)


async def _ask(
    url: str, asked: Mapping[str, Question], meter: Meter
) -> dict[str, tuple[Asked, Asked]]:
    found = {}
    async with await AsyncConnection.connect(
        url,
        autocommit=True,
        options=OPTIONS,
    ) as connection:
        with bar("Asking views and rows") as progress:
            for number, (name, question) in enumerate(asked.items(), start=1):
                found[name] = (
                    await _repeated(connection, question.view, ASKED, meter),
                    await _repeated(connection, question.plain, ASKED_PLAIN, meter),
                )
                progress(number, len(asked))
    return found


async def _repeated(connection: AsyncConnection[Any], ask: Ask, times: int, meter: Meter) -> Asked:
    await ask(connection)
    clock = []
    with meter.measure() as cost:
        for _ in range(times):
            began = time.perf_counter()
            await ask(connection)
            clock.append(time.perf_counter() - began)
    return Asked(clock, cost)


def questions(scratch: Scratch) -> dict[str, Question]:
    month, quarter, odd = (_days_asked(scratch, days) for days in (30, 91, 17))
    catalogue, now = scratch.catalogue, scratch.until
    return {
        **{
            f"ranking_{name}": Question(
                partial(
                    federal.ranking,
                    question=RankingQuestion(first=period.first, last=period.last),
                    catalogue=catalogue,
                    now=now,
                ),
                partial(_plain_ranking, period=period),
                goal=True,
            )
            for name, period in (("month", month), ("quarter", quarter), ("17_days", odd))
        },
        "board_of_region": Question(
            partial(region_board, period=month, catalogue=catalogue, now=now, region=REGION),
            partial(_plain_board, period=month),
            goal=False,  # it counts the backlog
        ),
        "heat_map_of_region": Question(
            partial(
                heat_map,
                period=month,
                area=Area(REGION),
                catalogue=catalogue,
                now=now,
                resolution=7,
                all_cells=True,
            ),
            partial(_plain_map, period=month),
            goal=False,  # it counts the incidents of its period
        ),
    }


async def _plain_ranking(connection: AsyncConnection[Any], period: Period) -> None:
    await _rows(
        connection,
        "SELECT region, " + TIMES + " FROM incident WHERE counted"
        " AND registered_on BETWEEN %(first)s AND %(last)s GROUP BY region",
        period,
    )


async def _plain_board(connection: AsyncConnection[Any], period: Period) -> None:
    where: LiteralString = " FROM incident WHERE counted AND region = %(region)s AND "
    by: LiteralString = " GROUP BY GROUPING SETS ((municipality), ())"
    await _rows(
        connection,
        "SELECT municipality, "
        + TIMES
        + where
        + "registered_on BETWEEN %(first)s AND %(last)s"
        + by,
        period,
    )
    await _rows(
        connection,
        "SELECT municipality, " + DEADLINES + where + "due_on BETWEEN %(first)s AND %(last)s" + by,
        period,
    )
    await _rows(
        connection,
        "SELECT status, count(*)" + where + "open GROUP BY status",
        period,
    )


async def _plain_map(connection: AsyncConnection[Any], period: Period) -> None:
    await _rows(
        connection,
        "SELECT cell, count(*) FROM incident WHERE counted AND region = %(region)s"
        " AND registered_on BETWEEN %(first)s AND %(last)s GROUP BY cell",
        period,
    )


async def _rows(
    connection: AsyncConnection[Any], query: LiteralString, period: Period
) -> list[tuple[Any, ...]]:
    parameters: dict[str, str | date] = {
        "region": REGION,
        "first": period.first,
        "last": period.last,
    }
    cursor = await connection.execute(query, parameters, binary=True)
    return await cursor.fetchall()
