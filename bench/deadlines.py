"""What do deadlines cost: to compute one, and to find the missed ones among a million open?"""

import threading
import time
import timeit
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from statistics import median

import psutil
import psycopg

from bench.rebuild import rebuild
from bench.result import Result, at_most, info
from bench.scratch import RUSSIA, Scratch
from domain.deadlines import Term
from domain.vocabulary import TermUnit
from regions.node import read_terms
from regions.reference.calendars import load_calendars
from workers.deadlines import sweep

OPEN = 1_000_000  # incidents that have nothing to say yet
TOLD = 20_000  # incidents of the made-up network; many of them are late
LATER = timedelta(days=60)
CALLS = 2_000
IDLE_SWEEPS = 20
LOOK_SECONDS = 0.02
FRIDAY = datetime(2026, 4, 24, 14, tzinfo=UTC)


def run(scratch: Scratch) -> list[Result]:
    return [*_calls(scratch), *_sweeps(scratch)]


def _calls(scratch: Scratch) -> list[Result]:
    calendar = load_calendars(RUSSIA, scratch.catalogue).of("63", None)
    hours, days = Term(9, TermUnit.WORKING_HOURS), Term(7, TermUnit.WORKING_DAYS)
    questions: dict[str, Callable[[], object]] = {
        "due_at_9_working_hours": lambda: calendar.due_at(FRIDAY, hours),
        "due_at_7_working_days": lambda: calendar.due_at(FRIDAY, days),
        "working_time_of_a_week": lambda: calendar.working_time(FRIDAY, FRIDAY + 7 * _DAY),
        "working_time_of_a_year": lambda: calendar.working_time(FRIDAY, FRIDAY + 365 * _DAY),
    }
    for ask in questions.values():
        ask()  # a year is laid out when it is first asked about
    return [
        info(f"deadlines.{name}", 1e6 * min(timeit.repeat(ask, number=CALLS)) / CALLS, "us")
        for name, ask in questions.items()
    ]


_DAY = timedelta(days=1)


def _sweeps(scratch: Scratch) -> list[Result]:
    filled = scratch.fill(TOLD)
    with scratch.node(filled.url) as node:
        node.terms = read_terms(RUSSIA, node.catalogue)
        rebuild(scratch, filled)  # in a process of its own: its memory is not ours
        _add_open(filled.url)
        sweep(node, scratch.until - timedelta(days=365))
        idle = [
            _timed(lambda: sweep(node, scratch.until - timedelta(days=365)))[0]
            for _ in range(IDLE_SWEEPS)
        ]
        before = psutil.Process().memory_info().rss
        with _memory() as memory:
            seconds, events = _timed(lambda: sweep(node, scratch.until + LATER))
    return [
        at_most("deadlines.sweep.memory_growth", max(memory) / before, "x", 1.2),
        info("deadlines.sweep.seconds", seconds, f"s, {OPEN:,} open"),
        info("deadlines.sweep.events", events, "events"),
        info("deadlines.sweep.speed", events / seconds, "events/s"),
        info("deadlines.sweep.idle", 1000 * median(idle), "ms"),
        info("deadlines.sweep.peak", max(memory) / 2**20, "MiB"),
    ]


def _add_open(url: str) -> None:
    """Rows like those of open incidents whose clocks have nothing to say for years."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET search_path = read, public")
        connection.execute("CREATE TEMP TABLE one AS SELECT * FROM incident WHERE open LIMIT 1000")
        connection.execute(
            """
            UPDATE one
               SET alarm_at = now() + interval '5 years',
                   alarms = '{}'
            """
        )
        for _ in range(OPEN // 1000):
            connection.execute("UPDATE one SET id = gen_random_uuid()")
            connection.execute("INSERT INTO incident SELECT * FROM one")
        connection.execute("VACUUM (ANALYZE) incident")


def _timed(call: Callable[[], int]) -> tuple[float, int]:
    began = time.perf_counter()
    found = call()
    return time.perf_counter() - began, found


@contextmanager
def _memory() -> Iterator[list[int]]:
    """Bytes resident in this process, looked at again and again until the end of the block."""
    looks, done = [psutil.Process().memory_info().rss], threading.Event()

    def watch() -> None:
        while not done.wait(LOOK_SECONDS):
            looks.append(psutil.Process().memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield looks
    finally:
        done.set()
        watcher.join()
