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
from urllib.parse import urlsplit

import msgspec

from domain.rights import region_proper
from regions.reference.catalogue import Catalogue
from regions.store.vault import read_secret

FEDERATION_KEY = "federation.key"
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


@dataclass(frozen=True, slots=True)
class Membership:
    """Which node of a topology this is."""

    topology: Topology
    name: str

    @property
    def writes(self) -> bool:
        """Whether it has regions of its own; a hub has none, and hands nothing over."""
        return bool(self.topology.place(self.name).regions)

    def elsewhere(self, region: str) -> Place | None:
        """The node that has a region or its sandbox, if it is another than this one."""
        name = self.topology.node_of(region_proper(region))
        return None if name in (None, self.name) else self.topology.place(name)

    @property
    def others(self) -> frozenset[str]:
        """The regions of other nodes."""
        places = self.topology.nodes.items()
        return frozenset(code for name, at in places if name != self.name for code in at.regions)


def read_federation_key(home: Path, membership: Membership | None) -> bytes | None:
    """By which nodes know each other; None where nothing is handed over.

    No node makes one: it would be no other node's. Raises TopologyInvalid if it is missing, and
    VaultKeyInvalid.
    """
    if membership is None or not membership.writes:
        return None
    file = home / FEDERATION_KEY
    if not file.is_file():
        raise TopologyInvalid(f"{file} is missing: the same 32 random bytes at each node")
    return read_secret(file)


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
        if not _is_private(node.api):
            raise TopologyInvalid(f"{path}: the api of {name!r} is https, or http of this machine")
        if not NAME.fullmatch(name):
            raise TopologyInvalid(f"{path}: {name!r} is no name of a node: a-z, 0-9 and _ only")
        if (name == topology.hub) == bool(node.regions):
            raise TopologyInvalid(f"{path}: the hub has no regions of its own, every node has some")
    return topology


def _is_private(address: str) -> bool:
    """Whether nobody on the way reads what citizens wrote, or a token."""
    url = urlsplit(address)
    ours = url.scheme == "http" and url.hostname in ("127.0.0.1", "::1", "localhost")
    return bool(url.hostname) and (ours or url.scheme == "https") and url.username is None


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
