"""Workers at work: the actors of a node on its queue, until told to stop."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from threading import Event as Signal

from regions.calendars import load_calendars
from regions.inbox import Inbox
from regions.node import Node
from regions.routing import load_routing
from workers.actors import Work, declare, declare_exports
from workers.broker import QuorumBroker, postgres_broker, relay, working
from workers.deliveries import Deliveries
from workers.exports import ExportWriter
from workers.intake import Intake
from workers.memory import Memory
from workers.platforms.connections import Connections
from workers.reader import load_reader

THREADS = 4  # of a process; more would wait for each other's Python
RELAY_SECONDS = 0.05


def run(
    node: Node,
    folder: Path,
    home: Path,
    stop: Signal,
    now: Callable[[], datetime],
    *,
    broker_url: str | None = None,
    threads: int = THREADS,
) -> None:
    """Work until `stop` is set; what is under way is finished."""
    with crew(node, folder, home, now, broker_url=broker_url, threads=threads) as hand_over:
        while not stop.wait(RELAY_SECONDS):
            hand_over()


@contextmanager
def crew(
    node: Node,
    folder: Path,
    home: Path,
    now: Callable[[], datetime],
    *,
    broker_url: str | None = None,
    threads: int = THREADS,
) -> Iterator[Callable[[], int]]:
    """Workers while the block runs; gives what hands jobs over to RabbitMQ, where there is one."""
    connections = Connections(home, lambda source: group_of(node, source))
    work = make_work(node, folder, connections, now)
    with closing(connections):
        if broker_url is None:
            broker = postgres_broker(node.url, node.pool)
            declare(broker, work)
            declare_exports(broker, work)
            with working(broker, threads=threads):
                yield lambda: 0
            return
        rabbit = QuorumBroker(broker_url, node.pool)
        declare(rabbit, work)
        declare_exports(rabbit, work)
        with working(rabbit, threads=threads):
            yield lambda: relay(node.pool, rabbit)


def make_work(
    node: Node, folder: Path, connections: Connections, now: Callable[[], datetime]
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
    return Work(node, intake, routing, deliveries, ExportWriter(node), now)


def group_of(node: Node, source: str) -> str:
    """How its platform names a source; empty if nobody opened it."""
    with node.pool.connection() as connection:
        row = connection.execute(
            "SELECT address FROM read.source WHERE code = %s", [source]
        ).fetchone()
    return row[0] if row else ""
