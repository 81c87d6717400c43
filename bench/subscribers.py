"""Thousands follow one municipality: how late is a change, and what does it cost to deliver?

Server, projector and followers are processes of their own on real sockets; incidents are registered
at a steady rate. Beside it the same schema and resolvers by strawberry's own view, which executes
for each. Late is counted from the return of the save. What the API spends while nothing happens is
taken off.
"""

import resource
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import NamedTuple
from uuid import uuid4

import psutil

from api.processes import free_port, wait_until_ready
from api.progress import bar
from api.viewer import Viewer, issue_token, read_token_key
from bench.cost import spent
from bench.graphql import SERVED
from bench.graphql import served as peer
from bench.listeners import Followers, Heard, followers
from bench.result import Result, at_least, at_most, info
from bench.scratch import Scratch
from bench.visibility import percentiles
from domain.commands import Register
from domain.rights import SYSTEM, Scope
from domain.vocabulary import Role
from regions.node import Node

REGION, PLACE = "63", "63-samara"
SUBSCRIBERS, LARGE = 1_000, (5_000, 10_000)
DELIVERIES_PER_SECOND = 5_000
CHANGES, CHANGES_PLAIN = 30, 10
PLAIN_SECONDS = 3.0  # between two changes: each keeps strawberry busy for most of them
IDLE_SECONDS = 5.0
OF_A_NAME = 100
STALLED = 5  # of them read nothing: the others must not notice
LATE_MS_MAX = 500
GAIN_MIN = 20  # times less processor time for a delivery
QUERY = """subscription Changes($after: String) {
  change: incidentChanges(municipality: "63-samara", after: $after) {
    cursor event version occurredAt
    incident {
      id status priority kind regime channel version registeredAt publishedAt dueAt replyDueAt
      topic { code name } municipality { code name } organisation { code name } region { code }
    }
  }
}"""


class Delivered(NamedTuple):
    late: dict[int, float]  # percentiles, ms
    cost: float  # processor time of the server for each delivery, us
    memory: float  # of the server for each subscriber, KiB
    resumed: float  # seconds until all were back and had what they had missed


def run(scratch: Scratch) -> list[Result]:
    _allow_sockets()
    results: list[Result] = []
    with served(scratch, "api") as api:
        for number in (SUBSCRIBERS, *(LARGE if scratch.large else ())):
            found = api.deliver(number, CHANGES)
            name = f"subscribers.{number}"
            results += [
                at_most(f"{name}.p99", found.late[99], "ms", LATE_MS_MAX),
                info(f"{name}.p50", found.late[50], "ms"),
                info(f"{name}.cost", found.cost, "us a delivery"),
                info(f"{name}.memory", found.memory, "KiB a subscriber"),
                info(f"{name}.resumed", found.resumed, "s until all were back"),
            ]
    with served(scratch, "api") as api:
        ours = api.deliver(SUBSCRIBERS, CHANGES)
    with served(scratch, "strawberry") as api:
        plain = api.deliver(SUBSCRIBERS, CHANGES_PLAIN, pause=PLAIN_SECONDS)
    return [
        *results,
        at_least("subscribers.gain", plain.cost / ours.cost, "x less than strawberry", GAIN_MIN),
        info("subscribers.strawberry.cost", plain.cost, "us a delivery"),
        info("subscribers.strawberry.p99", plain.late[99], "ms"),
    ]


def _allow_sockets() -> None:
    """For us and for the processes we start."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class Served:
    def __init__(self, scratch: Scratch, node: Node, port: int, api: int) -> None:
        self.key = read_token_key(scratch.home)
        self.node = node
        self.port = port
        self.api = psutil.Process(api)
        self.memory = self.api.memory_info().rss  # bytes, before anybody came

    def deliver(self, number: int, changes: int, *, pause: float | None = None) -> Delivered:
        """With `pause`, seconds, none is asked to come back: that takes longer than a greeting."""
        queries = [QUERY] * number
        tokens = list(chain.from_iterable([token] * OF_A_NAME for token in self._tokens(number)))
        apart = pause or number / DELIVERIES_PER_SECOND
        with followers() as crowd:
            begin = self._register()[0]
            crowd.join(self.port, tokens, queries, begin, stalled=STALLED)
            memory = (self.api.memory_info().rss - self.memory) / number / 1024
            idle = self._idle()
            with bar(f"Telling {number:,}") as progress:
                clock, spent = time.monotonic(), self._spent()
                saved = dict(self._registered(changes, apart, progress))
                heard = crowd.heard(changes)
                spent = self._spent() - spent - idle * (time.monotonic() - clock)
            _check(heard, list(saved))
            resumed = 0.0 if pause else self._resume(crowd, tokens, queries, list(saved)[-1])
        late = [
            1000 * (at - saved[cursor])
            for one in heard
            for cursor, at in zip(one.cursors, one.at, strict=True)
        ]
        return Delivered(percentiles(late), 1e6 * spent / len(late), memory, resumed)

    def _resume(
        self, crowd: Followers, tokens: Sequence[str], queries: Sequence[str], last: str
    ) -> float:
        """All come back at once, with their last cursor, to what they have missed."""
        missed = [self._register()[0] for _ in range(5)]
        began = time.monotonic()
        crowd.join(self.port, tokens, queries, last, stalled=0)
        _check(crowd.heard(len(missed)), missed)
        return time.monotonic() - began

    def _registered(
        self, number: int, pause: float, progress: Callable[[int, int], None]
    ) -> Iterator[tuple[str, float]]:
        began = time.monotonic()
        for done in range(number):
            time.sleep(max(0.0, began + done * pause - time.monotonic()))
            yield self._register()
            progress(done + 1, number)

    def _register(self) -> tuple[str, float]:
        """Its cursor, and when the save returned."""
        now = datetime.now(UTC)
        command = Register(municipality=PLACE, channel="VK", published_at=now)
        saved = self.node.centre(REGION).register(command, command_id=uuid4(), at=now, by=SYSTEM)
        return f"{saved.position}", time.monotonic()

    def _tokens(self, number: int) -> Iterator[str]:
        for name in range(number // OF_A_NAME):
            viewer = Viewer(f"follower {name}", Role.MCU_OPERATOR, Scope(REGION, PLACE))
            yield issue_token(self.key, viewer, now=datetime.now(UTC), valid=timedelta(hours=1))

    def _idle(self) -> float:
        """Processor seconds a second while nothing happens."""
        before = self._spent()
        time.sleep(IDLE_SECONDS)
        return (self._spent() - before) / IDLE_SECONDS

    def _spent(self) -> float:
        return spent(self.api)


def _check(heard: Sequence[Heard], cursors: Sequence[str]) -> None:
    assert all(one.cursors == list(cursors) for one in heard), "missed, doubled or out of order"


@contextmanager
def served(scratch: Scratch, by: str) -> Iterator[Served]:
    """By `tsur api`, or by a peer of this name."""
    url, port = scratch.database(), free_port()
    with (
        scratch.node(url) as node,
        scratch.running(url, "projector"),
        (
            scratch.running(url, "api", port=port)
            if by == "api"
            else peer(scratch, url, [*SERVED, by, str(port)])
        ) as api,
    ):
        assert wait_until_ready(f"http://127.0.0.1:{port}", threading.Event())
        yield Served(scratch, node, port, api.pid)
