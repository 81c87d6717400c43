"""Connections that are watched all their life: an answer wakes who waits, and nothing is left."""

import asyncio
import os
import re
import signal
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest
import uvloop
from psycopg import OperationalError
from psycopg.pq import TransactionStatus

from projections.pool import READERS, ReadPool, read_pool
from projections.readers import Reader
from regions.store.postgres import Server
from tests.waiting import until

Talk = Callable[[ReadPool], Awaitable[None]]
Talks = Callable[[Talk], None]
Loop = Callable[[], asyncio.AbstractEventLoop]
LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]


@pytest.fixture(params=LOOPS, ids=["asyncio", "uvloop"])
def loop(request: pytest.FixtureRequest) -> Loop:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def talk(server: Server, loop: Loop) -> Talks:
    """Runs what is said over a pool."""

    def run(about: Talk) -> None:
        async def talked() -> None:
            async with asyncio.timeout(30), read_pool(server.url) as pool:
                await about(pool)

        with asyncio.Runner(loop_factory=loop) as runner:
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


async def sent(reader: Reader) -> None:
    """Its question is."""
    while reader.info.transaction_status is not TransactionStatus.ACTIVE:  # noqa: ASYNC110
        await asyncio.sleep(0)


def answers(server: Server) -> bool:
    try:
        psycopg.connect(server.url).close()
    except OperationalError:
        return False
    return True


def quit_is_pending(process: int) -> None:
    """SIGQUIT waits for a stopped one, as the server's crash sends it to all."""
    until(lambda: pending(process) & 1 << signal.SIGQUIT - 1)


def pending(process: int) -> int:
    status = Path(f"/proc/{process}/status").read_text()
    found = re.findall(r"^(?:Sig|Shd)Pnd:\t([0-9a-f]+)$", status, re.MULTILINE)
    return int(found[0], 16) | int(found[1], 16)


def gone(process: int) -> None:
    until(lambda: not Path(f"/proc/{process}").exists())


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
            async with pool.connection() as reader:
                assert await number(reader, "SELECT %s::int", each) == each
            for _ in range(3):
                await asyncio.sleep(0)  # the loop may tell once more of what was read
        again = begun[before:]  # the pool may have another
        assert len(again) == len(set(again))

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


def test_a_goodbye_that_the_busy_loop_has_not_heard_is_seen(talk: Talks, server: Server) -> None:
    async def about(pool: ReadPool) -> None:
        async with pool.connection() as reader:
            await number(reader, "SELECT 1")
            process = reader.info.backend_pid
        end(server, process)  # the loop stands still meanwhile
        async with pool.connection() as another:
            assert await number(another, "SELECT 2") == 2

    talk(about)


def test_after_a_restart_no_question_waits_for_all_that_were_idle(
    talk: Talks, server: Server
) -> None:
    async def about(pool: ReadPool) -> None:
        async with AsyncExitStack() as stack:
            readers = [await stack.enter_async_context(pool.connection()) for _ in range(READERS)]
            processes = [await number(reader, "SELECT pg_backend_pid()") for reader in readers]
        for process in processes:
            await asyncio.to_thread(end, server, process)
        async with pool.connection(timeout=2.0) as another:  # the pool's own look waits 1 s, 2 s …
            assert await number(another, "SELECT 3") == 3

    talk(about)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="looks at signals by /proc")
def test_a_goodbye_and_a_reset_amid_a_question_are_both_heard(
    loop: Loop, second_server: Server
) -> None:
    """As of a crash: uvloop watches no longer what was reset, be it read or not."""

    async def crashed() -> None:
        reader = await Reader.connect(second_server.url, autocommit=True)
        await number(reader, "SELECT 1")
        process = reader.info.backend_pid
        with psycopg.connect(second_server.url, autocommit=True) as victim:
            os.kill(process, signal.SIGSTOP)
            asked = asyncio.create_task(number(reader, "SELECT 2"))
            await sent(reader)
            os.kill(victim.info.backend_pid, signal.SIGKILL)  # the others are ended for it
            await asyncio.to_thread(quit_is_pending, process)
            os.kill(process, signal.SIGCONT)
            gone(process)  # the loop stands still meanwhile
            async with asyncio.timeout(10):
                with pytest.raises(OperationalError):
                    await asked
        await reader.close()
        until(lambda: answers(second_server))  # for whoever needs it next

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(crashed())


def test_who_waits_is_told_of_the_closing(talk: Talks) -> None:
    async def about(pool: ReadPool) -> None:
        async with pool.connection() as reader:
            asked = asyncio.create_task(number(reader, "SELECT 1 FROM pg_sleep(20)"))
            await sent(reader)
            await reader.close()
            with pytest.raises(OperationalError):
                await asked

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
