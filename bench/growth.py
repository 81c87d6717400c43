"""Does it get slower with more incidents? The same questions at each size, turn by turn.

Asked twice: over HTTP of `tsur api`, as a client meets it, and of the views in our own process.
What the API spends while nobody asks (it follows the change feed) is taken off.
"""

import asyncio
import http.client
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

import orjson
from psycopg import AsyncConnection

from api.processes import free_port, wait_until_ready
from api.progress import bar
from api.viewer import Viewer, issue_token, read_token_key
from bench.cost import Meter
from bench.questions import Question, questions
from bench.rebuild import ready
from bench.result import Result, at_most, info
from bench.scratch import Filled, Scratch
from domain.rights import Scope
from domain.vocabulary import Role
from projections.pool import read_pool

SIZES = (100_000, 1_000_000)
LARGE = 5_000_000
ROUNDS = 8
ASKED = 10  # times in a round and at each size, what must not grow
ASKED_ELSE = 2
RATIO_MAX = 1.5
SETTLE_SECONDS = 2.0
IDLE_SECONDS = 4.0


@dataclass(slots=True)
class Measured:
    """Of one question at one size, in seconds."""

    clock: list[float] = field(default_factory=list)
    processor: float = 0.0  # of all that were asked

    def milliseconds(self) -> dict[str, float]:
        """Of the typical answer on the clock; of the mean one on the processor."""
        return {
            "clock": 1000 * median(self.clock),
            "processor": 1000 * self.processor / len(self.clock),
        }


Table = Mapping[tuple[str, int], Measured]  # by question and number of incidents


def run(scratch: Scratch) -> list[Result]:
    sizes = [*SIZES, *([LARGE] if scratch.large else [])]
    databases = [ready(scratch, size) for size in sizes]
    asked = questions(scratch.catalogue, scratch.until)
    flat = {name: question for name, question in asked.items() if question.flat}
    over_http = _ask_api(scratch, databases, asked)
    of_views = asyncio.run(_ask_views(scratch, databases, flat))
    return [
        *_ratios("growth.api", flat, over_http, sizes, limit=RATIO_MAX),
        *_ratios("growth.view", flat, of_views, sizes),
        *_ratios("growth.api", asked.keys() - flat.keys(), over_http, sizes),
        *_times("growth.api", asked, over_http),
        *_times("growth.view", flat, of_views),
    ]


def _ratios(
    name: str,
    asked: Collection[str],
    table: Table,
    sizes: Sequence[int],
    *,
    limit: float | None = None,
) -> Iterator[Result]:
    """How many times as much at the largest size as at the smallest."""
    for question in sorted(asked):
        least, most = (table[question, size].milliseconds() for size in (sizes[0], sizes[-1]))
        for part in ("clock", "processor"):
            found = f"{name}.{question}.{part}", most[part] / least[part], f"x {sizes[0] / 1e6:g} M"
            yield info(*found) if limit is None else at_most(*found, limit)


def _times(name: str, asked: Collection[str], table: Table) -> Iterator[Result]:
    for (question, size), measured in table.items():
        if question in asked:
            full_name = f"{name}.{question}.{size / 1e6:g}M"
            yield info(full_name, measured.milliseconds()["clock"], "ms")


def _ask_api(scratch: Scratch, databases: Sequence[Filled], asked: Mapping[str, Question]) -> Table:
    table = {(name, filled.incidents): Measured() for name in asked for filled in databases}
    with ExitStack() as stack:
        apis = {
            filled.incidents: stack.enter_context(_api(scratch, filled)) for filled in databases
        }
        for api in apis.values():
            for question in asked.values():
                api.ask(question.graphql)
        time.sleep(SETTLE_SECONDS)
        idle = {size: _idle(api.meter) for size, api in apis.items()}
        progress = stack.enter_context(bar("Asking the API"))
        for turn in range(ROUNDS):
            for (name, size), measured in table.items():
                _ask(apis[size], asked[name], measured, idle[size])
            progress(turn + 1, ROUNDS)
    return table


def _ask(api: "Api", question: Question, measured: Measured, idle: float) -> None:
    api.connect()
    with api.meter.measure() as cost:
        for _ in range(_asked(question)):
            measured.clock.append(api.ask(question.graphql))
    measured.processor += cost.processor - idle * cost.clock


def _asked(question: Question) -> int:
    return ASKED if question.flat else ASKED_ELSE


def _idle(meter: Meter) -> float:
    """Processor seconds a second while nobody asks."""
    with meter.measure() as cost:
        time.sleep(IDLE_SECONDS)
    return cost.processor / cost.clock


class Api:
    """A running `tsur api` and a connection to it, as a federal monitor."""

    def __init__(self, port: int, token: str, meter: Meter) -> None:
        self.meter = meter
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._headers = {"content-type": "application/json", "authorization": f"Bearer {token}"}

    def connect(self) -> None:
        """Anew: the API has closed a connection that was idle for seconds."""
        self._connection.close()
        self._connection.connect()

    def ask(self, query: str) -> float:
        """Seconds until the whole answer was here."""
        body = orjson.dumps({"query": query})
        began = time.perf_counter()
        self._connection.request("POST", "/graphql", body, self._headers)
        answer = self._connection.getresponse().read()
        seconds = time.perf_counter() - began
        assert b'"errors"' not in answer, answer[:500]
        return seconds


@contextmanager
def _api(scratch: Scratch, filled: Filled) -> Iterator[Api]:
    # To whom nothing is told again that another was told a moment ago.
    viewer = Viewer("bench", Role.FEDERAL_OVERSEER, Scope(), personal_data=True)
    token = issue_token(
        read_token_key(scratch.home), viewer, now=datetime.now(UTC), valid=timedelta(hours=12)
    )
    port = free_port()
    with scratch.running(filled.url, "api", port=port) as process:
        if not wait_until_ready(f"http://127.0.0.1:{port}", threading.Event()):
            raise TimeoutError("tsur api does not become ready")
        yield Api(port, token, scratch.meter(process.pid))


async def _ask_views(
    scratch: Scratch, databases: Sequence[Filled], asked: Mapping[str, Question]
) -> Table:
    table = {(name, filled.incidents): Measured() for name in asked for filled in databases}
    meter = scratch.meter()
    async with AsyncExitStack() as stack:
        connections: dict[int, AsyncConnection[Any]] = {}
        for filled in databases:
            readers = await stack.enter_async_context(read_pool(filled.url))
            connections[filled.incidents] = await stack.enter_async_context(readers.connection())
        progress = stack.enter_context(bar("Asking the views"))
        for turn in range(ROUNDS):
            for (name, size), measured in table.items():
                await _ask_view(asked[name], connections[size], meter, measured)
            progress(turn + 1, ROUNDS)
    return table


async def _ask_view(
    question: Question, connection: AsyncConnection[Any], meter: Meter, measured: Measured
) -> None:
    with meter.measure() as cost:
        for _ in range(_asked(question)):
            began = time.perf_counter()
            await question.view(connection)
            measured.clock.append(time.perf_counter() - began)
    measured.processor += cost.processor
