"""What does the second line of defence cost: a question asked behind its wall, and without?

The same view on the same connection, in turns: bare, as figures are told, and behind the wall of a
scope, as a viewer's incidents are (`Context.reading`).
"""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any, NamedTuple

import psycopg
from psycopg import AsyncConnection

from bench.cost import Cost
from bench.questions import PAGE
from bench.rebuild import ready
from bench.result import Result, at_most, info
from bench.scratch import Scratch
from bench.year import SEED_INCIDENTS
from domain.rights import Scope
from projections.incident_list import IncidentFilter, incident_page
from projections.pool import read_pool
from projections.readers import Reader
from projections.statistics.figures import Period
from projections.views.regional import region_board
from projections.walls import wall_of

REGION, DISTRICT = "66", "urfo"
TURNS, ASKED = 15, 20
PAGE_MAX = 1.5  # times the bare page

Ask = Callable[[AsyncConnection[Any]], Awaitable[object]]


class Question(NamedTuple):
    scope: Scope
    ask: Ask
    goal: float | None


def run(scratch: Scratch) -> list[Result]:
    return asyncio.run(_measured(scratch, ready(scratch, SEED_INCIDENTS).url))


def questions(scratch: Scratch) -> dict[str, Question]:
    catalogue, now = scratch.catalogue, scratch.until
    place = catalogue.municipalities_of[REGION][0].code
    regions = tuple(r.code for r in catalogue.regions.values() if r.district == DISTRICT)

    def page(scope: Scope, *, full: bool = True, **chosen: Any) -> Question:
        ask = partial(
            incident_page, chosen=IncidentFilter(**chosen), first=PAGE, after=None, now=now
        )
        # Of a few rows the cost is that of a second statement, whatever the wall.
        return Question(scope, ask, PAGE_MAX if full else None)

    days = Period(now.date() - timedelta(days=29), now.date())
    board = partial(_board, period=days, catalogue=catalogue, now=now, region=REGION)
    return {
        "page_of_country": page(Scope()),
        "page_of_district": page(Scope(regions=regions), regions=regions),
        "page_of_region": page(Scope(REGION), region=REGION),
        "page_of_municipality": page(
            Scope(REGION, place), full=False, region=REGION, municipality=place
        ),
        "board_of_region": Question(Scope(REGION), board, None),
    }


async def _board(connection: AsyncConnection[Any], **of: Any) -> None:
    await region_board(connection, exact=True, **of)


async def _bare(connection: Reader, question: Question) -> None:
    await question.ask(connection)


async def _confined(connection: Reader, question: Question) -> None:
    with connection.behind(wall_of(question.scope)):
        await question.ask(connection)


async def _measured(scratch: Scratch, url: str) -> list[Result]:
    results: list[Result] = []
    meter = scratch.meter()
    # Boards are told by the owner; here one is asked behind the wall all the same.
    with psycopg.connect(url, options="-c search_path=read") as owner:
        owner.execute("GRANT SELECT ON daily, daily_duration, monthly_duration TO tsur_region")
    async with read_pool(url) as pool, pool.connection() as connection:
        for name, question in questions(scratch).items():
            times: dict[str, list[float]] = {"bare": [], "confined": []}
            costs: dict[str, list[Cost]] = {"bare": [], "confined": []}
            for _ in range(TURNS):
                for how, way in (("bare", _bare), ("confined", _confined)):
                    with meter.measure() as cost:
                        for _ in range(ASKED):
                            began = time.perf_counter()
                            await way(connection, question)
                            times[how].append(1000 * (time.perf_counter() - began))
                    costs[how].append(cost)
            bare, confined = (statistics.median(times[how]) for how in ("bare", "confined"))
            work = [sum(cost.processor for cost in costs[how]) for how in ("bare", "confined")]
            ratio = work[1] / work[0]
            results += [
                info(f"walls.{name}.bare", bare, "ms"),
                info(f"walls.{name}.confined", confined, "ms"),
                info(f"walls.{name}.ratio.clock", confined / bare, "x bare"),
                at_most(f"walls.{name}.ratio", ratio, "x processor", question.goal)
                if question.goal
                else info(f"walls.{name}.ratio", ratio, "x processor"),
            ]
    return results
