"""Incidents as they were at a position: by the log alone, and by the rows that have not changed."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from typing import Any, TypeVar

import psycopg
import pytest

from domain.commands import Link, Reject
from domain.errors import DateInFuture
from domain.rights import Actor
from domain.vocabulary import LinkKind, RejectReason, Role
from projections.incidents import Orphan
from projections.past.briefings import Briefing, briefing
from projections.past.past_rows import folded, moment_of, turned_back
from projections.statistics.figures import Period
from regions.node import Node
from tests.conftest import PAST_TRIGGERS
from tests.projections.lives import DISPUTE, FINAL, RESOLVE, due, live, local
from tests.projections.test_measures import lived
from tests.scenarios import OPERATOR, ask

MONITOR = Actor("monitor", Role.MONITOR)

PERIOD = Period(date(2026, 3, 2), date(2026, 3, 4))

Answer = TypeVar("Answer")
Connection = psycopg.AsyncConnection[Any]


def reading(node: Node, question: Callable[[Connection], Awaitable[Answer]]) -> Answer:
    async def asked() -> Answer:
        async with await psycopg.AsyncConnection.connect(
            node.url, autocommit=True, options="-c search_path=read,public"
        ) as connection:
            return await question(connection)

    return asyncio.run(asked())


async def rows(connection: Connection) -> list[tuple[Any, ...]]:
    cursor = await connection.execute("SELECT * FROM incident WHERE region = 'BRONX' ORDER BY id")
    return await cursor.fetchall()


async def from_events(connection: Connection, node: Node, pos: int) -> list[tuple[Any, ...]]:
    async with folded(connection, {"BRONX": pos}, PERIOD, node.catalogue):
        return await rows(connection)


async def from_rows(connection: Connection, node: Node, pos: int) -> list[tuple[Any, ...]]:
    async with turned_back(connection, "BRONX", pos, PERIOD, node.catalogue):
        return await rows(connection)


def head(read: psycopg.Connection) -> int:
    (pos,) = read.execute("SELECT pos FROM region_head WHERE region = 'BRONX'").fetchall()[0]
    assert isinstance(pos, int)
    return pos


def test_both_ways_tell_the_same_of_every_position(
    node: Node, project: Callable[[], int], read: psycopg.Connection
) -> None:
    lived(node)
    # Each step of the projector is compared with what is told of that position in the end.
    project()
    last = head(read)

    async def told(connection: Connection) -> None:
        now = await rows(connection)
        assert await from_events(connection, node, last) == now
        assert await from_rows(connection, node, last) == now
        for pos in range(last):
            assert await from_rows(connection, node, pos) == await from_events(
                connection, node, pos
            )
        assert await rows(connection) == now, "outside the block nothing is turned back"

    reading(node, told)


def test_a_recurrence_that_was_linked_later_is_not_told_before(
    node: Node, project: Callable[[], int], read: psycopg.Connection
) -> None:
    bronx = node.centre("BRONX")
    solved = live(bronx, local(2, 9), (5, due(bronx)), (20, FINAL), (60, RESOLVE))
    again = live(bronx, local(3, 9))
    before = head(read)
    ask(bronx, again, Link(to=solved, kind=LinkKind.RECURRENCE), 3000, by=OPERATOR)
    project()

    async def recurred(connection: Connection) -> dict[int, list[tuple[Any, ...]]]:
        found = {}
        for pos in (before, head(read)):
            async with turned_back(connection, "BRONX", pos, PERIOD, node.catalogue):
                cursor = await connection.execute("SELECT recurred FROM incident ORDER BY id")
                found[pos - before] = sorted(await cursor.fetchall())
        return found

    assert reading(node, recurred) == {0: [(False,), (False,)], 1: [(False,), (True,)]}


def test_an_incident_without_a_beginning_is_not_made_up(
    node: Node, read: psycopg.Connection
) -> None:
    live(node.centre("BRONX"), local(2, 9), (20, FINAL))
    read.execute(PAST_TRIGGERS)
    read.execute("DELETE FROM events WHERE originator_version = 1")
    with pytest.raises(Orphan):
        reading(node, lambda connection: from_events(connection, node, head(read)))


def test_a_briefing_is_the_same_whatever_is_recorded_later(
    node: Node, project: Callable[[], int], read: psycopg.Connection
) -> None:
    bronx = node.centre("BRONX")
    late = local(2, 10)
    incident = live(bronx, local(2, 9), (5, due(bronx, late)), (20, FINAL), (90, RESOLVE))
    live(bronx, local(2, 9), (5, due(bronx, late)))
    project()
    (moment,) = read.execute("SELECT clock_timestamp()").fetchall()[0]

    async def asked(one: Connection) -> Briefing:
        at = await moment_of(one, "BRONX", moment)
        return await briefing(one, "BRONX", PERIOD, at, catalogue=node.catalogue)

    def briefed() -> Briefing:
        return reading(node, asked)

    before = briefed()
    assert before.board.figures.registered == 2
    assert (before.board.figures.due, before.board.figures.kept) == (2, 0)
    assert [row.due_at for row in before.longest_overdue] == [late]
    assert before.board.overdue == 1
    ask(bronx, incident, DISPUTE, 4000, by=OPERATOR)
    live(bronx, local(3, 9), (20, FINAL))
    project()
    assert briefed() == before


def test_the_position_of_a_moment_is_that_of_the_last_event_by_then(
    node: Node, project: Callable[[], int], read: psycopg.Connection
) -> None:
    live(node.centre("BRONX"), local(2, 9), (20, FINAL))
    live(node.centre("BRONX"), local(2, 9))
    project()
    moments = read.execute("SELECT pos, recorded_at FROM events ORDER BY pos").fetchall()

    async def positions(connection: Connection) -> list[int]:
        return [(await moment_of(connection, "BRONX", moment)).pos for _, moment in moments]

    last = {moment: pos for pos, moment in moments}
    assert reading(node, positions) == [last[moment] for _, moment in moments]
    assert reading(node, lambda one: moment_of(one, "BRONX")).pos == len(moments)
    later = moments[-1][1] + timedelta(days=1)
    with pytest.raises(DateInFuture):
        reading(node, lambda one: moment_of(one, "BRONX", later))


def test_what_is_done_with_is_not_turned_back(
    node: Node, project: Callable[[], int], read: psycopg.Connection
) -> None:
    bronx = node.centre("BRONX")
    old = live(bronx, local(2, 9))
    ask(bronx, old, Reject(reason=RejectReason.ADVERT), 900, by=MONITOR)
    project()
    later = Period(date(2026, 5, 1), date(2026, 5, 31))

    async def told(one: Connection) -> list[tuple[Any, ...]]:
        async with turned_back(one, "BRONX", head(read), later, node.catalogue):
            return await rows(one)

    assert reading(node, told) == []
