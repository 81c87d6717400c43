"""Workers that may be killed, and are replaced at once.

    python -m tests.workers.nursery URL COUNT [URL OF RABBITMQ]

What they need is loaded once, before the fork: a worker lives again within milliseconds.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from types import FrameType

import dramatiq
import psycopg

from regions.node import command_pool
from workers import broker as brokers
from workers.broker import QuorumBroker, postgres_broker, working

MOMENT_SECONDS = 0.05


def keep_alive(
    work: Callable[[], None], count: int, *, kill_every: Callable[[], float] | None = None
) -> None:
    """Let so many processes work until somebody ends this one; then they end too.

    `kill_every` gives the seconds until one of them is killed; each time it says so on stdout.
    """
    alive: list[int] = []

    def end(*_: FrameType | int | None) -> None:
        for child in alive:
            os.kill(child, signal.SIGKILL)
        os._exit(0)

    def kill_one(*_: FrameType | int | None) -> None:
        if kill_every is not None and alive:
            with suppress(ProcessLookupError):  # it died by itself, and is not replaced yet
                os.kill(alive[0], signal.SIGKILL)  # who lives longest
            os.write(1, b"killed\n")
            signal.setitimer(signal.ITIMER_REAL, kill_every())

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGALRM, kill_one)
    if kill_every is not None:
        signal.setitimer(signal.ITIMER_REAL, kill_every())
    while True:
        while len(alive) < count:
            alive.append(_child(work))
        child, _ = os.wait()
        alive.remove(child)


def _child(work: Callable[[], None]) -> int:
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        work()
        os._exit(0)
    return child


def main(url: str, count: int, rabbitmq: str | None = None) -> None:
    def mark(table: str, name: str) -> int:
        """Write down that it began, or ended; how often it did so far."""
        with psycopg.connect(url) as connection:
            connection.execute(f"INSERT INTO {table} (name) VALUES (%s)", [name])
            found = connection.execute(f"SELECT FROM {table} WHERE name = %s", [name])
            return found.rowcount

    def do(name: str, seconds: float = 0.0) -> None:
        mark("began", name)
        time.sleep(seconds)
        mark("done", name)

    def die(name: str) -> None:
        mark("began", name)
        time.sleep(MOMENT_SECONDS)  # so that others begin beside it
        os.kill(os.getpid(), signal.SIGKILL)

    def die_at_first(name: str) -> None:
        if mark("began", name) == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        mark("done", name)

    def work() -> None:
        with command_pool(url) as pool:
            broker = QuorumBroker(rabbitmq, pool) if rabbitmq else postgres_broker(url, pool)
            for actor in (do, die, die_at_first):
                dramatiq.actor(actor_name=actor.__name__, broker=broker)(actor)
            with working(broker, threads=2):
                threading.Event().wait()

    keep_alive(work, count)


def hurry() -> None:
    """Miss a dead worker within a second, and let no pause last for long."""
    brokers.HEARTBEAT = timedelta(seconds=0.15)
    brokers.DEAD_AFTER = timedelta(seconds=0.6)
    brokers.BACKOFF_MILLISECONDS = (40, 10_000)


if __name__ == "__main__":
    hurry()
    main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
