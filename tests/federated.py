"""A federation for tests: databases of some regions only, a topology, and waiting for a hub."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import psycopg

from projections import versions
from projections.projector import Projector
from regions.federation import replication
from regions.node import Node, prepare
from regions.reference.catalogue import Catalogue
from regions.store.postgres import Server
from regions.store.server import create_database
from tests.conftest import numbers
from tests.waiting import until


def database(server: Server, catalogue: Catalogue, regions: tuple[str, ...]) -> str:
    url = create_database(server.url, f"federated_{next(numbers)}")
    prepare(url, catalogue, regions)
    versions.ensure(url, catalogue, lambda done, in_all: None)
    return url


def write_topology(file: Path, nodes: Mapping[str, tuple[int, Collection[str]]]) -> Path:
    """Of nodes on this machine, by name: port of the API, and regions. `hub` is the hub."""
    lines = ['hub = "hub"']
    for name, (port, regions) in nodes.items():
        lines += [
            f"[nodes.{name}]",
            f'api = "http://127.0.0.1:{port}"',
            f'home = "{file.parent / name}"',
            f"regions = {list(regions)}",
        ]
    file.write_text("\n".join(lines))
    return file


def join(
    at_hub: psycopg.Connection,
    at_node: psycopg.Connection,
    conninfo: str,
    regions: Collection[str],
) -> None:
    replication.join(at_hub, at_node, name="first", regions=regions, conninfo=conninfo)
    until(lambda: replication.received(at_hub, "first"))


def projected(node: Node) -> list[dict[str, Any]]:
    """The rows of all incidents, all events taken in."""
    with versions.connect(node.url) as connection:
        versions.add_regions(connection)
        projector = Projector(connection, node.catalogue)
        while projector.step():
            pass
        rows = connection.execute("SELECT to_jsonb(incident) FROM incident ORDER BY id")
        return [row for (row,) in rows]


def wait_for_all(
    at_hub: psycopg.Connection, at_node: psycopg.Connection, regions: Collection[str]
) -> None:
    until(lambda: replication.recorded(at_hub, regions) == replication.recorded(at_node, regions))
