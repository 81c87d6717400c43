"""What does a hub take from a node, and how late, beside the same table replicated without us?

Two servers on this machine: a node whose history a hub copies, then follows. Raw is a table like
`events` with the same rows, in databases of its own on both, by a subscription of its own: without
heads, triggers and all else that is ours. Late is counted from the return of a commit at the node.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from uuid import uuid4

import psycopg

from api.demo import network
from api.progress import bar
from bench.lateness import lateness, wait_until
from bench.result import Result, info
from bench.scratch import DAYS, RUSSIA, SEED, Scratch
from domain.commands import Register
from domain.rights import SYSTEM
from projections import versions
from regions.federation import replication
from regions.node import Node, command_pool, prepare
from regions.store.postgres import embedded
from regions.store.server import create_database
from regions.store.vault import Vault, read_secret

INCIDENTS, LARGE = 10_500, 105_000  # of some 9.5 events
BACKLOG = 4_000  # incidents more, while the hub is away
RATES = (100, 1_000)  # events a second
FOLLOWED_SECONDS = 10
REGION = "63"
PAGE_EVENTS = 1_000  # in one commit of raw rows, as bulk saves have them


class Ends:
    """A node and its hub: how events come to the one, and how far the other is."""

    name = ""  # of the subscription, and of its slot

    def __init__(self, node: str, hub: str) -> None:
        self.node_url = node
        self.node = psycopg.connect(node, autocommit=True)
        self.hub = psycopg.connect(hub, autocommit=True)
        self.looking = psycopg.connect(hub, autocommit=True)

    def close(self) -> None:
        replication.leave(self.hub, self.node, self.name)
        for each in (self.node, self.hub, self.looking):
            each.close()

    def join(self) -> None:
        raise NotImplementedError

    def write(self) -> int:
        """Commit one event; its position."""
        raise NotImplementedError

    def last(self) -> int:
        """The last position at the hub."""
        raise NotImplementedError

    def count(self, connection: psycopg.Connection) -> int:
        row = connection.execute("SELECT count(*) FROM events").fetchone()
        return row[0] if row else 0

    def copied(self) -> float:
        """Events a second that the history comes with."""
        events, began = self.count(self.node), time.monotonic()
        self.join()
        wait_until(lambda: replication.received(self.hub, self.name))
        return events / (time.monotonic() - began)

    @contextmanager
    def away(self) -> Iterator[list[float]]:
        """The hub, meanwhile; events a second with which it takes afterwards what it missed."""
        rate: list[float] = []
        self.hub.execute(f"ALTER SUBSCRIPTION tsur_{self.name} DISABLE".encode())
        before = self.count(self.node)
        yield rate
        missed, all_of_them = self.count(self.node) - before, self.count(self.node)
        began = time.monotonic()
        self.hub.execute(f"ALTER SUBSCRIPTION tsur_{self.name} ENABLE".encode())
        wait_until(lambda: self.count(self.looking) == all_of_them)
        rate.append(missed / (time.monotonic() - began))

    def late(self, rate: int) -> dict[int, float]:
        """Percentiles in ms of events that come at this rate."""
        return lateness(
            lambda number: (REGION, self.write()),
            lambda: {REGION: self.last()},
            rate=rate,
            seconds=FOLLOWED_SECONDS,
        )


class Ours(Ends):
    name = "ours"

    def __init__(self, node: Node, hub: str) -> None:
        super().__init__(node.url, hub)
        self.centre = node.centre(REGION)
        self.regions = tuple(node.catalogue.regions)

    def join(self) -> None:
        replication.join(
            self.hub, self.node, name=self.name, regions=self.regions, conninfo=self.node_url
        )

    def write(self) -> int:
        now = datetime.now(UTC)
        command = Register(municipality="63-samara", channel="VK", published_at=now)
        return self.centre.register(command, command_id=uuid4(), at=now, by=SYSTEM).position.pos

    def last(self) -> int:
        found = "SELECT pos FROM region_head WHERE region = %s"
        row = self.looking.execute(found, [REGION]).fetchone()
        return row[0] if row else 0


class Raw(Ends):
    """The rows of `events` in the order of one position."""

    name = "raw"

    def __init__(self, node: str, hub: str, like: str) -> None:
        super().__init__(node, hub)
        for each in (self.node, self.hub):
            each.execute(
                "CREATE TABLE events (region text, pos bigserial PRIMARY KEY, originator_id uuid,"
                " originator_version int, topic text, payload jsonb, recorded_at timestamptz)"
            )
        self.node.execute("CREATE PUBLICATION tsur_events FOR TABLE events")
        self.like = psycopg.connect(like, autocommit=True)
        self.taken = 0

    def close(self) -> None:
        super().close()
        self.like.close()

    def fill(self) -> None:
        """With what is new in the events that it is like."""
        columns = "region, originator_id, originator_version, topic, payload, recorded_at"
        with self.like.transaction(), self.like.cursor("all") as cursor:
            cursor.execute(
                f"SELECT {columns} FROM events ORDER BY recorded_at OFFSET {self.taken}".encode()
            )
            while page := cursor.fetchmany(PAGE_EVENTS):
                with self.node.cursor().copy(f"COPY events ({columns}) FROM STDIN") as copy:
                    for region, incident, version, topic, payload, at in page:
                        body = psycopg.types.json.Jsonb(payload)
                        copy.write_row((region, incident, version, topic, body, at))
                self.taken += len(page)

    def join(self) -> None:
        self.hub.execute(
            f"CREATE SUBSCRIPTION tsur_{self.name} CONNECTION '{self.node_url}'"
            " PUBLICATION tsur_events".encode()
        )

    def write(self) -> int:
        row = self.node.execute(
            """
            INSERT INTO events (region, originator_id, originator_version, topic, payload,
                                recorded_at)
            SELECT region, gen_random_uuid(), 1, topic, payload, clock_timestamp()
              FROM events
             WHERE pos = 1
            RETURNING pos
            """
        ).fetchone()
        assert row is not None, "it was filled"
        pos: int = row[0]
        return pos

    def last(self) -> int:
        row = self.looking.execute("SELECT coalesce(max(pos), 0) FROM events").fetchone()
        return row[0] if row else 0


def run(scratch: Scratch) -> list[Result]:
    incidents = LARGE if scratch.large else INCIDENTS
    with ExitStack() as stack:
        other = stack.enter_context(embedded(scratch.home / "hub"))
        node = stack.enter_context(_node(scratch, incidents))
        hub = create_database(other.url, "bench_hub")
        prepare(hub, scratch.catalogue, ())
        versions.ensure(hub, scratch.catalogue, lambda done, in_all: None)
        raw = Raw(
            create_database(scratch.server.url, "bench_raw"),
            create_database(other.url, "bench_raw"),
            node.url,
        )
        ours = Ours(node, hub)
        stack.callback(ours.close)
        stack.callback(raw.close)
        raw.fill()
        return list(_measured(scratch, ours, raw, node, incidents))


def _measured(
    scratch: Scratch, ours: Ours, raw: Raw, node: Node, incidents: int
) -> Iterator[Result]:
    copied = ours.copied(), raw.copied()
    with ours.away() as own_rate:
        _record(scratch, node, BACKLOG, seed=SEED + 1)
    with raw.away() as raw_rate:
        raw.fill()
    yield from _compared("copied", *copied)
    yield from _compared("caught_up", *own_rate, *raw_rate)
    for rate in RATES:
        for name, ends in (("lag", ours), ("raw_lag", raw)):
            late = ends.late(rate)
            yield info(f"federation.{name}.{rate}.p50", late[50], "ms")
            yield info(f"federation.{name}.{rate}.p99", late[99], "ms")


def _compared(name: str, own: float, raw: float) -> Iterator[Result]:
    yield info(f"federation.{name}", own, "events/s")
    yield info(f"federation.{name}.to_raw", own / raw, "x events/s of raw")


@contextmanager
def _node(scratch: Scratch, incidents: int) -> Iterator[Node]:
    """One that writes all regions, and is not the network's own."""
    url = create_database(scratch.server.url, "bench_node")
    prepare(url, scratch.catalogue, tuple(scratch.catalogue.regions))
    with command_pool(url) as pool:
        vault = Vault(read_secret(scratch.home / "vault.key"))
        node = Node(url, scratch.catalogue, vault, pool)
        _record(scratch, node, incidents, seed=SEED)
        yield node


def _record(scratch: Scratch, node: Node, incidents: int, *, seed: int) -> None:
    with bar(f"Recording {incidents:,} incidents") as progress:
        network.generate(
            node,
            incidents=incidents,
            days=DAYS,
            until=scratch.until,
            seed=seed,
            progress=progress,
            folder=RUSSIA,
        )
