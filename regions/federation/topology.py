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
`machines.NAME = { api = 1, worker = 2 }` says which processes of a node `tsur up` starts where, and
how many of each; without any all of them run on one machine.
Passwords belong into a passfile of libpq, not here: who reads one node's file would have all, and
PostgreSQL writes a subscription that fails into its log.
"""

import json
import re
import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec

from domain.rights import region_proper
from regions.reference.catalogue import Catalogue
from regions.store.server import ConninfoInvalid, read_conninfo
from regions.store.vault import read_secret

FEDERATION_KEY = "federation.key"
NAME = re.compile("[a-z][a-z0-9_]{0,40}")  # it is part of the name of a replication slot


class TopologyInvalid(Exception):
    """The topology file contradicts itself or the catalogue; the message says where."""


Process = Literal["projector", "api", "clock", "worker", "exports", "watch"]
AT_EACH: tuple[Process, ...] = ("projector", "api", "clock", "worker", "exports")
AT_HUB: tuple[Process, ...] = ("watch",)
Number = Annotated[int, msgspec.Meta(ge=1)]


class Place(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A node of the network: a database, and the processes that serve it."""

    api: str  # its address, for what only it may answer
    regions: tuple[str, ...] = ()
    database: str | None = None
    home: Path | None = None
    replication: str | None = None  # conninfo for the hub's subscription; None: as `database`
    machines: dict[str, dict[Process, Number]] = {}  # none: everything runs on one

    @property
    def everything(self) -> tuple[Process, ...]:
        """What a node consists of; the hub has no regions."""
        return AT_EACH if self.regions else AT_EACH + AT_HUB

    def processes(self, machine: str | None) -> Mapping[Process, int]:
        """How many of each run on a machine, None being the only one. Raises TopologyInvalid."""
        if not self.machines and machine is None:
            return dict.fromkeys(self.everything, 1)
        if machine is None and len(self.machines) == 1:
            (only,) = self.machines.values()
            return only
        if machine not in self.machines:
            named = ", ".join(self.machines) or "none: it has one"
            raise TopologyInvalid(
                f"TSUR_MACHINE must name which machine of the node this is, not {machine!r}. "
                f"The topology has {named}"
            )
        return self.machines[machine]


class Topology(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
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
        if wrong := _of_machines(node) or _of_connections(node):
            raise TopologyInvalid(f"{path}: {name!r} {wrong}")
    return topology


def _of_connections(node: Place) -> str | None:
    """What is wrong with how its database is reached."""
    try:
        parts = [read_conninfo(each) for each in (node.database, node.replication) if each]
    except ConninfoInvalid as error:
        return f"has a `database` or `replication` that is none. {error}"
    if any("password" in name for each in parts for name in each):
        return "has a password in its connection: name a passfile there (passfile=…)"
    return None


def _of_machines(node: Place) -> str | None:
    """What is wrong with where its processes run."""
    run = {process for machine in node.machines.values() for process in machine}
    if node.home is not None and len(node.machines) > 1:
        return "has a home, so it is on one machine"
    if any(machine.get("api", 1) > 1 for machine in node.machines.values()):
        return "has more than one api on a machine: they would share a port"
    if "watch" in run and node.regions:
        return "is no hub, so it has nothing to watch"
    missing = [each for each in node.everything if each not in run and each != "exports"]
    if node.machines and missing:
        return f"runs on no machine: {', '.join(missing)}"
    return None


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
