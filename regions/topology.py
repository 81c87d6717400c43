"""Which regions live in which database, and which node follows all of them: one TOML file.

    hub = "moscow"

    [nodes.moscow]
    database = "postgresql://hub.example/tsur"
    api = "https://hub.example"

    [nodes.volga]
    regions = ["63", "64", "73"]
    database = "postgresql://volga.example/tsur"
    api = "https://volga.example"

`replication` is as what the hub's server connects, where that is another role than `database`'s.
A node on this machine has a `home`, the folder of its own PostgreSQL, instead of a `database`.
Passwords belong into a passfile or a service file of libpq, not here.
"""

import json
import re
import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from regions.catalogue import Catalogue

NAME = re.compile("[a-z][a-z0-9_]{0,40}")  # it is part of the name of a replication slot


class TopologyInvalid(Exception):
    """The topology file contradicts itself or the catalogue; the message says where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A node of the network: a database, and the processes that serve it."""

    api: str  # its address, for what only it may answer
    regions: tuple[str, ...] = ()
    database: str | None = None
    home: Path | None = None
    replication: str | None = None  # conninfo for the hub's subscription; None: as `database`


@dataclass(frozen=True, slots=True)
class Topology:
    hub: str
    nodes: Mapping[str, Place]

    def place(self, name: str) -> Place:
        """Raises TopologyInvalid."""
        if name not in self.nodes:
            raise TopologyInvalid(f"The topology has no node {name!r}")
        return self.nodes[name]

    def node_of(self, region: str) -> str | None:
        """None: the region has not joined."""
        return next((name for name, node in self.nodes.items() if region in node.regions), None)

    @property
    def followed(self) -> dict[str, Place]:
        """The nodes that the hub follows."""
        return {name: node for name, node in self.nodes.items() if name != self.hub}


def load_topology(path: Path, catalogue: Catalogue) -> Topology:
    """Raises TopologyInvalid."""
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
        topology = msgspec.convert(found, Topology, dec_hook=lambda kind, value: kind(value))
    except (OSError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise TopologyInvalid(f"{path}: {error}") from None
    if topology.hub not in topology.nodes:
        raise TopologyInvalid(f"{path}: the hub {topology.hub!r} is none of the nodes")
    named = Counter(code for node in topology.nodes.values() for code in node.regions)
    for code, times in named.items():
        if code not in catalogue.regions:
            raise TopologyInvalid(f"{path}: the catalogue has no region {code!r}")
        if times > 1:
            raise TopologyInvalid(f"{path}: region {code!r} lives in {times} nodes")
    for name, node in topology.nodes.items():
        if (node.database is None) == (node.home is None):
            raise TopologyInvalid(f"{path}: node {name!r} needs a database or a home, one of them")
        if not NAME.fullmatch(name):
            raise TopologyInvalid(f"{path}: {name!r} is no name of a node: a-z, 0-9 and _ only")
        if (name == topology.hub) == bool(node.regions):
            raise TopologyInvalid(f"{path}: the hub has no regions of its own, every node has some")
    return topology


def write_local(path: Path, catalogue: Catalogue, *, nodes: int, port: int) -> None:
    """The topology of a federation on this machine: the regions dealt out to some nodes."""
    codes = list(catalogue.regions)
    parts: dict[str, list[str]] = {
        "hub": [],
        **{f"node_{n + 1}": codes[n::nodes] for n in range(nodes)},
    }
    lines = ['hub = "hub"']
    for number, (name, regions) in enumerate(parts.items()):
        lines += [
            f"\n[nodes.{name}]",
            f"api = {json.dumps(f'http://127.0.0.1:{port + number}')}",
            f"home = {json.dumps(str(path.parent / name))}",
            f"regions = {json.dumps(regions)}",
        ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
