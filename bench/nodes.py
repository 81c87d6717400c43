"""How much of a hub do many nodes take, beside as many subscriptions to a table without us?

Two servers on this machine: one has the databases of all nodes, of one region each, the other the
hub. Ours has heads, triggers, and nodes that tell the hub every three seconds that they live; raw
has none of that, and is silent while it idles. Projecting is not part of it.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from statistics import mean
from uuid import uuid4

import psutil
import psycopg

from bench.cost import Meter
from bench.lateness import lateness, wait_until
from bench.result import Result, info
from bench.scratch import Scratch
from domain.commands import Register
from domain.rights import SYSTEM
from regions.federation import replication
from regions.node import Node, command_pool, prepare
from regions.store.postgres import Server, embedded
from regions.store.server import create_database
from regions.store.vault import Vault, read_secret
from workers.deadlines import BEAT_SECONDS

NODES, LARGE = 8, 89
RATE = 100  # events a second, over all nodes in turn
FOLLOWED_SECONDS = IDLE_SECONDS = 15
# Each node of a real federation has a server of its own, with one of these.
MANY = {"max_connections": "400", "max_replication_slots": "120", "max_wal_senders": "120"}
LIKE_EVENTS = (
    "CREATE TABLE raw (region text, pos bigint, originator_id uuid, originator_version int,"
    " topic text, payload jsonb, recorded_at timestamptz, PRIMARY KEY (region, pos))"
)


class Ours:
    """Regions, each at a node of its own."""

    name = ""  # of its values, and of its subscriptions

    def __init__(self, nodes: Sequence[Node], hub: str) -> None:
        self.nodes, self.codes = nodes, list(nodes[0].catalogue.regions)
        self.at_nodes = [psycopg.connect(node.url, autocommit=True) for node in nodes]
        self.at_hub = psycopg.connect(hub, autocommit=True)
        self.looking = psycopg.connect(hub, autocommit=True)

    def subscription(self, number: int) -> str:
        return f"{self.name}node_{number}"

    def join(self) -> None:
        for number, (node, connection) in enumerate(zip(self.nodes, self.at_nodes, strict=True)):
            replication.join(
                self.at_hub,
                connection,
                name=self.subscription(number),
                regions=[self.codes[number]],
                conninfo=node.url,
            )

    def joined(self) -> bool:
        names = map(self.subscription, range(len(self.nodes)))
        return all(replication.received(self.at_hub, name) for name in names)

    def leave(self) -> None:
        for number, connection in enumerate(self.at_nodes):
            replication.leave(self.at_hub, connection, self.subscription(number))

    def write(self, number: int) -> tuple[str, int]:
        """Commit one event at a node; its region and position."""
        node, now = self.nodes[number], datetime.now(UTC)
        command = Register(channel="VK", published_at=now)
        centre = node.centre(self.codes[number])
        return centre.register(command, command_id=uuid4(), at=now, by=SYSTEM).position

    def last(self) -> dict[str, int]:
        """The last positions at the hub, by region."""
        return dict(self.looking.execute("SELECT region, pos FROM region_head").fetchall())

    @contextmanager
    def living(self) -> Iterator[None]:
        """As their clocks do it: one after the other."""
        ended = threading.Event()

        def beat() -> None:
            while True:
                for connection in self.at_nodes:
                    if ended.wait(BEAT_SECONDS / len(self.at_nodes)):
                        return
                    replication.beat(connection)

        beating = threading.Thread(target=beat)
        beating.start()
        try:
            yield
        finally:
            ended.set()
            beating.join()


class Raw(Ours):
    """The same events as rows of a table of nobody's."""

    name = "raw_"

    def join(self) -> None:
        self.at_hub.execute(LIKE_EVENTS.encode())
        for number, (node, connection) in enumerate(zip(self.nodes, self.at_nodes, strict=True)):
            connection.execute(LIKE_EVENTS.encode())
            connection.execute("CREATE PUBLICATION raw FOR TABLE raw")
            name = replication.subscription_of(self.subscription(number))
            self.at_hub.execute(
                f"CREATE SUBSCRIPTION {name} CONNECTION '{node.url}' PUBLICATION raw".encode()
            )

    def write(self, number: int) -> tuple[str, int]:
        row = (
            self.at_nodes[number]
            .execute(
                """
                INSERT INTO raw
                SELECT region,
                       (SELECT coalesce(max(pos), 0) + 1 FROM raw),
                       gen_random_uuid(),
                       1,
                       topic,
                       payload,
                       clock_timestamp()
                  FROM events
                 WHERE region = %s
                   AND pos = 1
                RETURNING region, pos
                """,
                [self.codes[number]],
            )
            .fetchone()
        )
        assert row is not None, "ours came first"
        return row[0], row[1]

    def last(self) -> dict[str, int]:
        found = self.looking.execute("SELECT region, max(pos) FROM raw GROUP BY region")
        return dict(found.fetchall())

    @contextmanager
    def living(self) -> Iterator[None]:
        yield


def run(scratch: Scratch) -> list[Result]:
    number = LARGE if scratch.large else NODES
    with ExitStack() as stack:
        many = stack.enter_context(embedded(scratch.home / "nodes", MANY))
        other = stack.enter_context(embedded(scratch.home / "hub_of_nodes"))
        hub = create_database(other.url, "bench_hub")
        prepare(hub, scratch.catalogue, ())
        prepare(create_database(many.url, "bench_node"), scratch.catalogue, ())
        codes = list(scratch.catalogue.regions)[:number]
        nodes = [stack.enter_context(_node(scratch, many, code)) for code in codes]
        found = [info("nodes.number", number, "nodes")]
        for side in (Ours(nodes, hub), Raw(nodes, hub)):
            found += _measured(side, many, other)
        return found


@contextmanager
def _node(scratch: Scratch, many: Server, code: str) -> Iterator[Node]:
    url = create_database(many.url, f"bench_node_{code.lower()}", template="bench_node")
    prepare(url, scratch.catalogue, (code,))
    with command_pool(url) as pool:
        yield Node(url, scratch.catalogue, Vault(read_secret(scratch.home / "vault.key")), pool)


def _measured(side: Ours, many: Server, hub: Server) -> Iterator[Result]:
    assert many.process is not None, "both servers are our own"
    assert hub.process is not None, "both servers are our own"
    began = time.monotonic()
    side.join()
    wait_until(side.joined)
    yield info(f"nodes.{side.name}joined", time.monotonic() - began, "s")
    late = _late(side)
    yield info(f"nodes.{side.name}lag.p50", late[50], "ms")
    yield info(f"nodes.{side.name}lag.p99", late[99], "ms")
    with side.living(), Meter(hub.process.pid).measure() as idle:
        time.sleep(IDLE_SECONDS)
    yield info(f"nodes.{side.name}idle", 100 * idle.server / idle.clock, "% of a core")
    yield info(f"nodes.{side.name}apply", _memory(hub, "apply worker"), "MiB each")
    yield info(f"nodes.{side.name}walsender", _memory(many, "walsender"), "MiB each")
    side.leave()


def _late(side: Ours) -> dict[int, float]:
    """Percentiles in ms, over all nodes in turn."""
    number = len(side.nodes)
    for each in range(number):
        side.write(each)  # connections, plans and caches are there from here on
    return lateness(
        lambda event: side.write(event % number), side.last, rate=RATE, seconds=FOLLOWED_SECONDS
    )


def _memory(server: Server, kind: str) -> float:
    """In MiB, of a process of this kind for itself: what it shares with others is not counted."""
    assert server.process is not None, "both servers are our own"
    found = []
    for process in psutil.Process(server.process.pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if kind in " ".join(process.cmdline()):
                found.append(process.memory_full_info().uss)
    return float(mean(found)) / 2**20
