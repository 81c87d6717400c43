"""How fast are all read models made anew, and does the memory for it grow with the log?

The command a person would give, in a process of its own; its memory is looked at from outside.
"""

import resource
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import NamedTuple

import psutil
import psycopg
from psycopg import errors

from api.progress import bar
from bench.cost import Cost
from bench.result import Result, at_most, info
from bench.scratch import Filled, Scratch, projected

INCIDENTS = 1_000_000
LOOK_SECONDS = 0.02
COUNT_SECONDS = 0.2  # between two looks at how far it has come
EARLY = 0.25  # of the log


class Look(NamedTuple):
    share: float  # of the log taken in
    memory: int  # bytes resident


class Rebuilt(NamedTuple):
    cost: Cost  # of the whole command
    peak_early: int  # bytes
    peak: int


def run(scratch: Scratch) -> list[Result]:
    filled = scratch.filled(INCIDENTS)
    rebuilt = rebuild(scratch, filled)
    each = rebuilt.cost.each(filled.events)
    return [
        at_most("rebuild.memory_growth", rebuilt.peak / rebuilt.peak_early, "x of 25 %", 1.2),
        info("rebuild.speed", filled.events / rebuilt.cost.clock, "events/s"),
        info("rebuild.seconds", rebuilt.cost.clock, "s"),
        info("rebuild.client", each.client, "us/event"),
        info("rebuild.server", each.server, "us/event"),
        info("rebuild.events", filled.events, "events"),
        info("rebuild.peak_at_25_percent", rebuilt.peak_early / 2**20, "MiB"),
        info("rebuild.peak", rebuilt.peak / 2**20, "MiB"),
        info("generate.speed", filled.events / filled.cost.clock, "events/s"),
        info("generate.client", filled.cost.each(filled.events).client, "us/event"),
        info("generate.server", filled.cost.each(filled.events).server, "us/event"),
    ]


def ready(scratch: Scratch, incidents: int) -> Filled:
    """A database with its read models, in the state that autovacuum and checkpoints leave."""
    filled = scratch.filled(incidents)
    if not projected(filled.url):
        rebuild(scratch, filled)
    with psycopg.connect(filled.url, autocommit=True) as connection:
        connection.execute(
            "VACUUM (ANALYZE) read.incident, read.change, read.daily, read.daily_duration,"
            " read.monthly_duration"
        )
        connection.execute("CHECKPOINT")
    return filled


def rebuild(scratch: Scratch, filled: Filled) -> Rebuilt:
    """Make the read models of a database anew by `tsur projections rebuild`."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    with (
        bar(f"Rebuilding {filled.incidents:,} incidents") as progress,
        scratch.meter().measure() as cost,
        scratch.running(filled.url, "projections", "rebuild") as process,
    ):
        looks = list(_watch(filled, process, progress))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cost.client = after.ru_utime + after.ru_stime - children.ru_utime - children.ru_stime
    if process.returncode:
        raise ChildProcessError("tsur projections rebuild failed")
    return Rebuilt(
        cost,
        peak_early=max(look.memory for look in looks if look.share <= EARLY),
        peak=max(look.memory for look in looks),
    )


def _watch(
    filled: Filled, process: subprocess.Popen[bytes], progress: Callable[[int, int], None]
) -> Iterator[Look]:
    """Look again and again until the rebuild has ended."""
    taken, next_count = 0, 0.0
    watched = psutil.Process(process.pid)
    with psycopg.connect(filled.url, autocommit=True) as connection:
        while process.poll() is None:
            if time.monotonic() > next_count:
                taken = max(taken, _taken(connection))
                progress(taken, filled.events)
                next_count = time.monotonic() + COUNT_SECONDS
            with suppress(psutil.NoSuchProcess):
                yield Look(taken / filled.events, watched.memory_info().rss)
            time.sleep(LOOK_SECONDS)


def _taken(connection: psycopg.Connection) -> int:
    """Events in the read models that are being built; 0 before they begin and after the switch."""
    try:
        row = connection.execute(
            "SELECT coalesce(sum(pos), 0)::bigint FROM read_next.tracking"
        ).fetchone()
    except errors.UndefinedTable:
        return 0
    return row[0] if row else 0
