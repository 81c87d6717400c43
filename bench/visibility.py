"""After a save, how long until the ranking of the regions shows it?

Everything runs as in production: a projector, and a hundred commands a second of the made-up
network, each in a process of its own. Beside them we register incidents, and read the ranking as
soon as the projection has them.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from random import Random
from statistics import quantiles
from typing import Any, NamedTuple
from uuid import uuid4

from psycopg import AsyncConnection

from api.progress import bar
from bench.rebuild import ready
from bench.result import Result, at_most, info
from bench.scratch import Scratch, recorded
from domain.commands import Register
from domain.publications import RankingQuestion
from domain.rights import SYSTEM
from projections.pool import read_pool
from projections.views import federal
from regions.centre import Position
from regions.node import Node

INCIDENTS = 100_000
PER_SECOND = 100  # events
SAMPLES_PER_SECOND = 5
SAMPLES = 300
WARM_SECONDS = 5.0
POLL_SECONDS = 0.0005


class Sample(NamedTuple):
    """In milliseconds, from the return of the save."""

    taken_in: float  # the projection's transaction is committed
    ranked: float  # a ranking that holds the incident has been read


def run(scratch: Scratch) -> list[Result]:
    url = scratch.copy(ready(scratch, INCIDENTS))
    with ExitStack() as stack:
        node = stack.enter_context(scratch.node(url))
        stack.enter_context(scratch.running(url, "projector"))
        live = PER_SECOND - SAMPLES_PER_SECOND
        stack.enter_context(scratch.running(url, "simulate", "--per-second", str(live)))
        time.sleep(WARM_SECONDS)
        with _rate(url) as rate, bar("Saving and reading") as progress:
            samples = asyncio.run(_samples(node, progress))
    ranked = percentiles([sample.ranked for sample in samples])
    taken_in = percentiles([sample.taken_in for sample in samples])
    return [
        at_most("visibility.ranking.p50", ranked[50], "ms", 25),
        at_most("visibility.ranking.p99", ranked[99], "ms", 100),
        info("visibility.taken_in.p50", taken_in[50], "ms"),
        info("visibility.taken_in.p99", taken_in[99], "ms"),
        info("visibility.samples", len(samples), "saves"),
        info("visibility.load", rate[0], "events/s"),
    ]


def percentiles(values: list[float]) -> dict[int, float]:
    return dict(enumerate(quantiles(values, n=100, method="inclusive"), start=1))


@contextmanager
def _rate(url: str) -> Iterator[list[float]]:
    """How many events a second were recorded inside."""
    rate: list[float] = []
    before, clock = recorded(url), time.monotonic()
    yield rate
    rate.append((recorded(url) - before) / (time.monotonic() - clock))


async def _samples(node: Node, progress: Callable[[int, int], None]) -> list[Sample]:
    random = Random(1)
    samples: list[Sample] = []
    async with read_pool(node.url) as readers, readers.connection() as connection:
        reader = Reader(node, connection)
        await reader.ranking()
        while len(samples) < SAMPLES:
            samples.append(await reader.sample(random.choice(list(node.catalogue.regions))))
            progress(len(samples), SAMPLES)
            await asyncio.sleep(random.expovariate(SAMPLES_PER_SECOND))
    return samples


class Reader:
    """Registers incidents, and reads the ranking as the API does."""

    def __init__(self, node: Node, connection: AsyncConnection[Any]) -> None:
        self.node = node
        self.connection = connection
        self.registered: dict[str, int] = {}  # by region, as last read

    async def sample(self, region: str) -> Sample:
        position, saved = await asyncio.to_thread(self._register, region)
        while not await self._taken_in(position):  # noqa: ASYNC110 - another process does it
            await asyncio.sleep(POLL_SECONDS)
        taken_in = time.perf_counter()
        known = self.registered[region]
        await self.ranking()
        ranked = time.perf_counter()
        assert self.registered[region] > known, "the ranking does not hold what was taken in"
        return Sample(1000 * (taken_in - saved), 1000 * (ranked - saved))

    async def ranking(self) -> None:
        now = datetime.now(UTC)
        question = RankingQuestion(
            first=(now - timedelta(days=29)).date(), last=(now + timedelta(days=1)).date()
        )
        found = await federal.ranking(
            self.connection, question, catalogue=self.node.catalogue, now=now
        )
        self.registered = {each.unit: each.figures.registered for each in found.standings}

    def _register(self, region: str) -> tuple[Position, float]:
        """Where it was recorded, and when that was known."""
        now = datetime.now(UTC)
        result = self.node.centre(region).register(
            Register(channel="VK", published_at=now), command_id=uuid4(), at=now, by=SYSTEM
        )
        return result.position, time.perf_counter()

    async def _taken_in(self, position: Position) -> bool:
        cursor = await self.connection.execute(
            "SELECT pos >= %s FROM tracking WHERE region = %s", [position.pos, position.region]
        )
        return await cursor.fetchone() == (True,)
