"""Databases of a federation, and waiting for what comes to another."""

import time
from collections.abc import Callable

from projections import versions
from projections.projector import Projector
from regions.catalogue import Catalogue
from regions.node import Node, prepare
from regions.postgres import Server
from regions.server import create_database
from tests.conftest import numbers

WAIT_SECONDS = 30.0


def database(server: Server, catalogue: Catalogue, regions: tuple[str, ...]) -> str:
    url = create_database(server.url, f"federated_{next(numbers)}")
    prepare(url, catalogue, regions)
    versions.ensure(url, catalogue, lambda done, in_all: None)
    return url


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def projected(node: Node) -> list[str]:
    """The rows of all incidents, all events taken in."""
    with versions.connect(node.url) as connection:
        versions.add_regions(connection)
        projector = Projector(connection, node.catalogue)
        while projector.step():
            pass
        rows = connection.execute("SELECT incident::text FROM incident ORDER BY id")
        return [row for (row,) in rows]
