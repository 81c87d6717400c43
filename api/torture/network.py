"""A hub and its nodes, all of them real, and what operators do there."""

import json
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from random import Random

import psycopg

from api.processes import free_port
from api.torture.line import Line
from api.torture.machine import Machine
from projections import versions
from regions.centre import Centre
from regions.federation import replication
from regions.federation.topology import FEDERATION_KEY, Membership, load_topology
from regions.node import Node, command_pool
from regions.reference.catalogue import load_catalogue
from regions.store.vault import Vault, put_secret
from workers.broker import quarantined_jobs, requeue_job

SETTLE_SECONDS = 300.0  # on a machine that has more to do
LOOK_SECONDS = 0.05
# The last node keeps so little of its log that a hub which is away loses its slot.
SHORT_OF_ROOM = {"max_slot_wal_keep_size": "32MB", "max_wal_size": "32MB", "min_wal_size": "32MB"}
# One for all nodes: where each has its own, a command that a move parted from its answer is refused
# when it is given again, and nobody could tell whether it was recorded.
VAULT_KEY = b"0" * 32


class Network:
    def __init__(self, folder: Path, catalogue_folder: Path, nodes: int, stack: ExitStack) -> None:
        self.folder = folder
        self.catalogue_folder = catalogue_folder
        self.catalogue = load_catalogue(catalogue_folder)
        codes = [*self.catalogue.regions]
        self.parts = {f"node_{n + 1}": codes[n::nodes] for n in range(nodes)}
        self.short_of_room = f"node_{nodes}"
        self.hands_over = nodes > 1
        self.skews = dict.fromkeys(self.parts, timedelta())
        self.machines = {
            name: Machine(
                folder / name,
                self.catalogue,
                self.parts.get(name, ()),
                SHORT_OF_ROOM if name == self.short_of_room else {},
            )
            for name in ("hub", *self.parts)
        }
        for machine in self.machines.values():
            stack.callback(machine.end)
        self.lines = {
            name: Line(folder / f"line_{name}", self.machines[name].url) for name in self.parts
        }
        for line in self.lines.values():
            stack.callback(line.end)
        self.addresses = {name: f"http://127.0.0.1:{free_port()}" for name in self.machines}
        self._write_topology()
        self._share_keys()
        self.nodes = {name: self._open(name, stack) for name in self.parts}
        for name in self.parts:
            self._join(name)
        for name, machine in self.machines.items():
            machine.run(self._commands(name), self._environment(name))

    @property
    def topology(self) -> Path:
        return self.folder / "topology.toml"

    def _write_topology(self) -> None:
        lines = ['hub = "hub"']
        for name, machine in self.machines.items():
            lines += [
                f"[nodes.{name}]",
                f"api = {json.dumps(self.addresses[name])}",
                f"database = {json.dumps(machine.url)}",
                f"regions = {json.dumps(self.parts.get(name, []))}",
            ]
            if name in self.lines:
                lines.append(f"replication = {json.dumps(self.lines[name].conninfo)}")
        self.topology.write_text("\n".join(lines))

    def _share_keys(self) -> None:
        key = secrets.token_bytes(32)
        for machine in self.machines.values():
            put_secret(machine.home / FEDERATION_KEY, key)
            put_secret(machine.home / "vault.key", VAULT_KEY)

    def _open(self, name: str, stack: ExitStack) -> Node:
        url = self.machines[name].url
        pool = stack.enter_context(command_pool(url))
        return Node(url, self.catalogue, Vault(VAULT_KEY), pool, membership=self._membership(name))

    def _membership(self, name: str) -> Membership:
        return Membership(load_topology(self.topology, self.catalogue), name)

    def _commands(self, name: str) -> list[str]:
        """Alone a node hands nothing over."""
        hands_over = self.hands_over and name != "hub"
        return ["projector", *(["worker", "api"] if hands_over else [])]

    def _environment(self, name: str) -> dict[str, str]:
        return {
            "TSUR_CATALOGUE": str(self.catalogue_folder),
            "TSUR_TOPOLOGY": str(self.topology),
            "TSUR_NODE": name,
            "TSUR_PORT": self.addresses[name].rpartition(":")[2],
        }

    def _join(self, name: str) -> None:
        with self.hub() as hub, self.node(name) as node:
            conninfo = self.lines[name].conninfo
            replication.join(hub, node, name=name, regions=self.parts[name], conninfo=conninfo)
            self.must_come(lambda: replication.received(hub, name), f"the history of {name}")
        with versions.connect(self.machines["hub"].url) as served:
            versions.add_regions(served)

    @contextmanager
    def hub(self) -> Iterator[psycopg.Connection]:
        with replication.connect(self.machines["hub"].url) as connection:
            yield connection

    @contextmanager
    def node(self, name: str) -> Iterator[psycopg.Connection]:
        with replication.connect(self.machines[name].url) as connection:
            yield connection

    def centre(self, region: str) -> Centre:
        """Where it is written by the topology."""
        return self.nodes[self.home_of(region)].centre(region)

    def home_of(self, region: str) -> str:
        return next(name for name, regions in self.parts.items() if region in regions)

    def now(self, name: str) -> datetime:
        """As the clock of a node's writers shows it."""
        return datetime.now(UTC) + self.skews[name]

    def start(self) -> None:
        """What is down, and the following of nodes whose slot was lost."""
        self.restart()
        for name in self.parts:
            self._resync_if_lost(name)

    def restart(self) -> None:
        """What is down; a process may end some time after its server did."""
        for machine in self.machines.values():
            machine.start()

    def comes(self, true: Callable[[], bool]) -> bool:
        """Whether it becomes so in time."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while not true():
            if time.monotonic() > deadline:
                return False
            time.sleep(LOOK_SECONDS)
            self.restart()
        return True

    def must_come(self, true: Callable[[], bool], what: str) -> None:
        """Raises TimeoutError."""
        if not self.comes(true):
            raise TimeoutError(f"In {SETTLE_SECONDS:g} s it does not come: {what}")

    def _resync_if_lost(self, name: str) -> None:
        with self.hub() as hub, self.node(name) as node:
            if not any(slot.lost for slot in replication.slots(node)):
                return
            regions = replication.regions_of(hub, name, self.parts[name])
            conninfo = self.lines[name].conninfo
            replication.resync(hub, node, name=name, regions=regions, conninfo=conninfo)
            self.must_come(lambda: replication.received(hub, name), f"what was missing of {name}")
            replication.settle(hub, node, name)

    def fill_log(self, name: str) -> None:
        """Until the hub's slot is lost."""
        with self.node(name) as node:
            while not any(slot.lost for slot in replication.slots(node)):
                node.execute("SELECT pg_logical_emit_message(false, 'torture', 'x')")
                node.execute("SELECT pg_switch_wal()")
                node.execute("CHECKPOINT")

    def begin_move(self, region: str, to: str, steps: int, break_off: Callable[[], None]) -> None:
        """Let so many steps be done, then have somebody killed, and the mover with them."""
        with self._mover(region, to) as mover:
            assert mover.stdout is not None, "it is piped"  # noqa: S101
            for _ in islice(mover.stdout, steps):
                pass
            break_off()
            mover.kill()

    def end_move(self, region: str, to: str, random: Random) -> None:
        """Again until it ends, with the topology and restarts, in any order, that follow."""
        self.must_come(lambda: self._moves(region, to), f"the move of {region}")
        # At once: writers look where a region is all the time.
        self.parts = {
            name: [*(code for code in regions if code != region), *([region] * (name == to))]
            for name, regions in self.parts.items()
        }
        self._write_topology()
        for name, node in self.nodes.items():
            self.nodes[name] = replace(node, membership=self._membership(name), centres={})
        machines = [machine for name, machine in self.machines.items() if name != "hub"]
        for machine in random.sample(machines, len(machines)):
            machine.kill_processes()
            machine.start()

    def _moves(self, region: str, to: str) -> bool:
        with self._mover(region, to) as mover:
            mover.communicate()
        return mover.returncode == 0

    def _mover(self, region: str, to: str) -> subprocess.Popen[str]:
        self.hurry_jobs()  # it is refused while incidents are on their way
        key = str(self.machines["hub"].home / "vault.key")
        keys = ["--from-key", key, "--to-key", key]
        with (self.folder / "move.log").open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - nothing but tsur itself
                [sys.executable, "-m", "api.cli", "federation", "move", region, "--to", to, *keys],
                env=self.machines["hub"].environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def hurry_jobs(self) -> None:
        """Let what was given up be tried again, and what waits for another node at once."""
        for node in self.nodes.values():
            for failed in quarantined_jobs(node.pool):
                if failed.quarantined:
                    requeue_job(node.pool, failed.message_id)
            with node.pool.connection() as connection:
                connection.execute(
                    """
                    UPDATE dramatiq.queue
                       SET available_at = now(),
                           message = message #- '{options,eta}'
                     WHERE state = 'queued'
                       AND available_at > now()
                    """
                )
