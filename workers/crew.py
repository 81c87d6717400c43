"""Workers at work: the actors of one queue of a node, until told to stop."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from threading import Event as Signal

from regions.federation.topology import read_federation_key
from regions.inbox import Inbox
from regions.node import Node
from regions.reference.calendars import load_calendars
from regions.reference.routing import load_routing
from regions.store.jobs import Queue
from workers.actors import Work, declare, declare_exports
from workers.broker import QuorumBroker, postgres_broker, relay, working
from workers.deliveries import Deliveries
from workers.exports import ExportWriter
from workers.handovers import Handovers
from workers.intake import Intake
from workers.memory import Memory
from workers.platforms.connections import Connections
from workers.reader import load_reader

# Of a process: more would wait for each other's Python, and exports past their time.
THREADS = {Queue.DEFAULT: 4, Queue.EXPORTS: 2}
RELAY_SECONDS = 0.05


def run(
    node: Node,
    folder: Path,
    home: Path,
    stop: Signal,
    now: Callable[[], datetime],
    *,
    queue: Queue = Queue.DEFAULT,
    broker_url: str | None = None,
    threads: int | None = None,
) -> None:
    """Work until `stop` is set; what is under way is finished."""
    at_work = crew(node, folder, home, now, queue=queue, broker_url=broker_url, threads=threads)
    with at_work as hand_over:
        while not stop.wait(RELAY_SECONDS):
            hand_over()


@contextmanager
def crew(
    node: Node,
    folder: Path,
    home: Path,
    now: Callable[[], datetime],
    *,
    queue: Queue = Queue.DEFAULT,
    broker_url: str | None = None,
    threads: int | None = None,
) -> Iterator[Callable[[], int]]:
    """Workers while the block runs, one crew a process (dramatiq's worker shares what it has).

    Gives what hands jobs over to RabbitMQ, where there is one. `threads` None: as many as THREADS.
    """
    rabbit = QuorumBroker(broker_url, node.pool) if broker_url else None
    broker = rabbit or postgres_broker(node.url, node.pool)
    with (
        closing(Connections(home, lambda source: group_of(node, source))) as connections,
        closing(make_handovers(node, home, now)) as handovers,
    ):
        match queue:
            case Queue.DEFAULT:
                declare(broker, make_work(node, folder, connections, handovers, now))
            case Queue.EXPORTS:
                declare_exports(broker, ExportWriter(node), now)
        with working(broker, threads=threads or THREADS[queue]):
            yield lambda: relay(node.pool, rabbit) if rabbit else 0


def make_handovers(node: Node, home: Path, now: Callable[[], datetime]) -> Handovers:
    """Raises TopologyInvalid for a node without the federation's key."""
    return Handovers(node, read_federation_key(home, node.membership), now)


def make_work(
    node: Node,
    folder: Path,
    connections: Connections,
    handovers: Handovers,
    now: Callable[[], datetime],
) -> Work:
    """Raises CatalogueInvalid; takes a second."""
    routing = load_routing(folder, node.catalogue, load_calendars(folder, node.catalogue))
    intake = Intake(
        node,
        load_reader(folder, node.catalogue),
        routing,
        Inbox(node.pool, node.vault),
        Memory(node.pool, node.vault),
    )
    deliveries = Deliveries(node, connections.client)
    return Work(node, intake, routing, deliveries, handovers, now)


def group_of(node: Node, source: str) -> str:
    """How its platform names a source; empty if nobody opened it."""
    with node.pool.connection() as connection:
        row = connection.execute(
            "SELECT address FROM read.source WHERE code = %s", [source]
        ).fetchone()
    return row[0] if row else ""
