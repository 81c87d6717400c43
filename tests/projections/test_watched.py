"""Connections that are watched all their life: an answer wakes who waits, and nothing is left."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
import pytest
import uvloop
from psycopg import OperationalError

from projections.pool import ReadPool, read_pool
from projections.readers import Reader
from regions.store.postgres import Server

Talk = Callable[[ReadPool], Awaitable[None]]
Talks = Callable[[Talk], None]
LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]


@pytest.fixture(params=LOOPS, ids=["asyncio", "uvloop"])
def talk(server: Server, request: pytest.FixtureRequest) -> Talks:
    """Runs what is said over a pool."""

    def run(about: Talk) -> None:
        async def talked() -> None:
            async with asyncio.timeout(30), read_pool(server.url) as pool:
                await about(pool)

        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(talked())

    return run


async def number(reader: Reader, query: str, *values: object) -> int:
    cursor = await reader.execute(query.encode(), values)
    (found,) = await cursor.fetchone()
    return int(found)


def end(server: Server, process: int) -> None:
    """PostgreSQL's process of a connection."""
    with psycopg.connect(server.url, autocommit=True) as admin:
        admin.execute("SELECT pg_terminate_backend(%s, 5000)", [process])


def is_watched(descriptor: int) -> bool:
    """Nor is it any more when this was asked."""
    return bool(asyncio.get_running_loop().remove_reader(descriptor))


def test_the_loop_is_told_once_to_watch(talk: Talks, monkeypatch: pytest.MonkeyPatch) -> None:
    async def about(pool: ReadPool) -> None:
        begun: list[int] = []
        loop = asyncio.get_running_loop()
        add_reader = loop.add_reader

        def counted(descriptor: int, *given: Any) -> None:
            begun.append(descriptor)
            add_reader(descriptor, *given)

        monkeypatch.setattr(loop, "add_reader", counted)
        async with pool.connection() as reader:
            await number(reader, "SELECT 1")
            before = len(begun)
            for each in range(10):
                assert await number(reader, "SELECT %s::int", each) == each
            assert len(begun) == before

    talk(about)


def test_who_waits_with_a_timeout_takes_turns_with_who_waits_without(talk: Talks) -> None:
    async def about(pool: ReadPool) -> None:
        async with pool.connection() as reader:
            for each in range(3):
                assert [told async for told in reader.notifies(timeout=0.01)] == []
                assert await number(reader, "SELECT %s::int", each) == each

    talk(about)


def test_a_question_larger_than_the_kernel_takes_at_once_arrives_whole(talk: Talks) -> None:
    async def about(pool: ReadPool) -> None:
        async with pool.connection() as reader:
            text = "ж" * 10_000_000
            assert await number(reader, "SELECT length(%s::text)", text) == len(text)

    talk(about)


def test_a_goodbye_between_two_questions_ends_the_watching(talk: Talks, server: Server) -> None:
    async def about(pool: ReadPool) -> None:
        async with pool.connection() as reader:
            await number(reader, "SELECT 1")
            process, descriptor = reader.info.backend_pid, reader.fileno()
        await asyncio.to_thread(end, server, process)
        await asyncio.sleep(0)  # one look of the loop, which finds the goodbye
        assert not is_watched(descriptor)
        async with pool.connection() as another:
            assert await number(another, "SELECT 2") == 2
            assert another.info.backend_pid != process

    talk(about)


def test_an_end_amid_a_question_is_told_and_nothing_is_watched(talk: Talks, server: Server) -> None:
    async def about(pool: ReadPool) -> None:
        async with pool.connection() as reader:
            process, descriptor = reader.info.backend_pid, reader.fileno()
            asked = asyncio.create_task(number(reader, "SELECT 1 FROM pg_sleep(20)"))
            await asyncio.to_thread(end, server, process)
            with pytest.raises(OperationalError):
                await asked
            assert not is_watched(descriptor)
        async with pool.connection() as another:
            assert await number(another, "SELECT 3") == 3

    talk(about)


def test_a_question_that_is_given_up_ends_in_postgresql_too(talk: Talks) -> None:
    async def about(pool: ReadPool) -> None:
        async with pool.connection() as reader, pool.connection() as another:
            asked = asyncio.create_task(number(reader, "SELECT 1 FROM pg_sleep(20)"))
            running = f"""
                SELECT count(*) FROM pg_stat_activity
                 WHERE pid = {reader.info.backend_pid} AND state = 'active'
                """
            while not await number(another, running):
                pass
            asked.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asked
            assert await number(another, running) == 0
            assert await number(reader, "SELECT 4") == 4

    talk(about)


def test_a_closed_connection_is_not_watched(talk: Talks) -> None:
    async def about(pool: ReadPool) -> None:
        async with pool.connection() as reader:
            await number(reader, "SELECT 1")
            descriptor = reader.fileno()
            await reader.close()
            assert not is_watched(descriptor)

    talk(about)
