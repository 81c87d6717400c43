"""A federation of real servers under writes, while chance kills them and cuts their lines.

Afterwards nothing may be amiss: what was acknowledged is in its region's log, the hub has the same
events, and read models that lived through it equal those made anew.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from uuid import UUID

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import PoolTimeout

from api.processes import PARENT_HOLDS_STDIN
from domain.commands import Citizen, Classify, Register
from domain.rights import SYSTEM
from projections import versions
from projections.feed import progress_now
from regions import audit
from regions.centre import Result
from regions.federation import replication
from regions.node import Node, command_pool, prepare
from regions.reference.catalogue import Catalogue, load_catalogue
from regions.store.event_store import StoreUnavailable
from regions.store.postgres import PORT, Server, embedded
from regions.store.server import create_database
from regions.store.vault import Vault

WRITERS = 2  # at each node
CALM_SECONDS = (0.3, 2.0)  # between two faults
AWAY_SECONDS = (0.1, 1.5)  # that what was killed or cut stays away
SETTLE_SECONDS = 120.0
AWAY = (StoreUnavailable, PoolTimeout, psycopg.OperationalError)


@dataclass
class Report:
    seed: int
    acknowledged: int = 0
    events: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    amiss: list[str] = field(default_factory=list)


class Machine:
    """A PostgreSQL server and the projector on it, both of which can be killed."""

    def __init__(
        self, home: Path, folder: Path, catalogue: Catalogue, regions: tuple[str, ...]
    ) -> None:
        self.home = home
        self.folder = folder
        self.stack = ExitStack()
        self.server = self._serve()
        self.url = create_database(self.server.url, "tsur_torture")
        prepare(self.url, catalogue, regions)
        versions.ensure(self.url, catalogue, lambda done, in_all: None)
        self.projector = self._project()

    def _serve(self) -> Server:
        return self.stack.enter_context(embedded(self.home))

    def _project(self) -> subprocess.Popen[bytes]:
        environment = {
            "TSUR_DATABASE_URL": self.url,
            "TSUR_CATALOGUE": str(self.folder),
            PARENT_HOLDS_STDIN: "1",
        }
        return subprocess.Popen(
            [sys.executable, "-m", "api.cli", "projector"],
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def kill_server(self) -> None:
        assert self.server.process is not None, "nobody else runs it"  # noqa: S101
        os.kill(self.server.process.pid, signal.SIGKILL)

    def start_server(self) -> None:
        self.stack.close()
        self.server = self._serve()

    def kill_projector(self) -> None:
        self.projector.kill()
        self.projector.wait()
        if self.projector.stdin:
            self.projector.stdin.close()

    def start_projector(self) -> None:
        if self.projector.poll() is not None:
            self.kill_projector()
            self.projector = self._project()

    def end(self) -> None:
        self.kill_projector()
        self.stack.close()


class Line:
    """Between the hub and a node: what a cable does, and can be cut."""

    def __init__(self, folder: Path, to: str) -> None:
        folder.mkdir()
        folder.chmod(0o711)
        self.conninfo = make_conninfo(to, host=str(folder))
        self.far = f"{conninfo_to_dict(to)['host']}/.s.PGSQL.{PORT}"
        self.near = socket.socket(socket.AF_UNIX)
        path = folder / f".s.PGSQL.{PORT}"
        self.near.bind(str(path))
        path.chmod(0o777)  # the server's user comes this way
        self.near.listen()
        self.whole = True
        self.ends: set[socket.socket] = set()
        self.threads = [threading.Thread(target=self._accept)]
        self.threads[0].start()

    def _accept(self) -> None:
        with suppress(OSError):  # ended
            while True:
                near, _ = self.near.accept()
                thread = threading.Thread(target=self._connect, args=[near])
                self.threads.append(thread)
                thread.start()

    def _connect(self, near: socket.socket) -> None:
        with near, socket.socket(socket.AF_UNIX) as far, suppress(OSError):
            if not self.whole:
                return
            far.connect(self.far)
            self.ends |= {near, far}
            back = threading.Thread(target=_carry, args=(far, near))
            back.start()
            _carry(near, far)
            back.join()
            self.ends -= {near, far}

    def cut(self) -> None:
        self.whole = False
        for end in [*self.ends]:
            _shut(end)

    def mend(self) -> None:
        self.whole = True

    def end(self) -> None:
        _shut(self.near)
        self.near.close()
        self.cut()
        for thread in self.threads:
            thread.join()


def _carry(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError):
        while sent := one.recv(65536):
            other.sendall(sent)
    _shut(one)
    _shut(other)


def _shut(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)


class Writer:
    """Registers and classifies; what was given is given again until it is acknowledged."""

    def __init__(self, node: Node, seed: str) -> None:
        self.node = node
        self.random = Random(seed)
        self.regions = sorted(node.writes() & node.catalogue.regions.keys())
        self.topics = [topic.code for topic in node.catalogue.topics.values() if topic.group]
        self.acknowledged: dict[UUID, Result] = {}  # by the id of the command
        self.open: list[Result] = []  # registered, and not classified

    def run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            command_id, give = UUID(int=self.random.getrandbits(128), version=4), self._next()
            while command_id not in self.acknowledged:
                # Told to stop we ask on: what got no answer may be recorded, and must be known.
                with suppress(*AWAY):
                    self.acknowledged[command_id] = give(command_id)

    def _next(self) -> Callable[[UUID], Result]:
        now = datetime.now(UTC)
        if self.open and self.random.random() < 0.5:
            known = self.open.pop()
            classify = Classify(topic=self.random.choice(self.topics))
            centre = self.node.centre(known.position.region)
            return lambda command_id: centre.handle(
                known.incident_id, classify, command_id=command_id, at=now, by=SYSTEM
            )
        centre = self.node.centre(self.random.choice(self.regions))
        register = Register(
            channel=next(iter(self.node.catalogue.channels)),
            published_at=now,
            citizen=Citizen(text=f"Не горит фонарь {self.random.random()}"),
        )

        def give(command_id: UUID) -> Result:
            found = centre.register(register, command_id=command_id, at=now, by=SYSTEM)
            self.open.append(found)
            return found

        return give


class Federation:
    """A hub and its nodes, all of them real, for as long as the block runs."""

    def __init__(self, folder: Path, catalogue_folder: Path, nodes: int, stack: ExitStack) -> None:
        self.catalogue = load_catalogue(catalogue_folder)
        codes = list(self.catalogue.regions)
        self.parts = {f"node_{n + 1}": tuple(codes[n::nodes]) for n in range(nodes)}
        self.machines = {
            name: Machine(folder / name, catalogue_folder, self.catalogue, regions)
            for name, regions in {"hub": (), **self.parts}.items()
        }
        for machine in self.machines.values():
            stack.callback(machine.end)
        self.lines = {
            name: Line(folder / f"line_{name}", self.machines[name].url) for name in self.parts
        }
        for line in self.lines.values():
            stack.callback(line.end)
        self.nodes = {}
        for name in self.parts:
            pool = stack.enter_context(command_pool(self.machines[name].url))
            self.nodes[name] = Node(self.machines[name].url, self.catalogue, Vault(b"0" * 32), pool)
        for name in self.parts:
            self._join(name)

    def _join(self, name: str) -> None:
        hub, node = self.machines["hub"].url, self.machines[name].url
        with replication.connect(hub) as here, replication.connect(node) as there:
            conninfo = self.lines[name].conninfo
            replication.join(here, there, name=name, regions=self.parts[name], conninfo=conninfo)
            _until(lambda: replication.received(here, name))
        with versions.connect(hub) as served:
            versions.add_regions(served)

    def faults(self, random: Random) -> tuple[str, Callable[[], None], Callable[[], None]]:
        """One of those that may happen: its name, how it begins, and how it ends."""
        name = random.choice([*self.machines])
        machine = self.machines[name]
        kinds = [
            (f"kill server of {name}", machine.kill_server, machine.start_server),
            (f"kill projector of {name}", machine.kill_projector, machine.start_projector),
        ]
        if name in self.lines:
            line = self.lines[name]
            kinds += [(f"cut line to {name}", line.cut, line.mend)] * 2
        return random.choice(kinds)


def torture(
    catalogue: Path, *, seconds: float, nodes: int, seed: int, tell: Callable[[str], None]
) -> Report:
    """Do it, then look for what is amiss; `tell` hears of each fault as it begins."""
    report, random, stop = Report(seed), Random(seed), threading.Event()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tsur-torture-")))
        folder.chmod(0o711)
        all_of_it = Federation(folder, catalogue, nodes, stack)
        writers = [
            Writer(node, f"{seed}:{name}:{number}")
            for name, node in all_of_it.nodes.items()
            for number in range(WRITERS)
        ]
        threads = [threading.Thread(target=writer.run, args=[stop]) for writer in writers]
        for thread in threads:
            thread.start()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            name, begin, mend = all_of_it.faults(random)
            tell(name)
            report.faults[name] = report.faults.get(name, 0) + 1
            begin()
            time.sleep(random.uniform(*AWAY_SECONDS))
            mend()
            time.sleep(random.uniform(*CALM_SECONDS))
        stop.set()
        for machine in all_of_it.machines.values():
            machine.start_projector()
        for thread in threads:
            thread.join()
        _audit(all_of_it, writers, report)
    return report


def _audit(all_of_it: Federation, writers: list[Writer], report: Report) -> None:
    acknowledged = {i: result for writer in writers for i, result in writer.acknowledged.items()}
    report.acknowledged = len(acknowledged)
    machines = all_of_it.machines
    with replication.connect(machines["hub"].url) as hub:
        for name, regions in all_of_it.parts.items():
            with replication.connect(machines[name].url) as node:
                report.events += replication.recorded(node, regions)
                _until(_has_all(hub, node, regions))
                report.amiss += audit.of_commands(node, acknowledged, regions)
                report.amiss += [
                    f"{each.what} at the hub: {region}:{each.pos}"
                    for region in regions
                    for each in replication.differences(hub, node, region)
                ]
    for name, machine in machines.items():
        with versions.connect(machine.url) as connection:
            report.amiss += [f"{name}: {what}" for what in audit.of_log(connection)]
            _until(lambda: all(part.lag == 0 for part in progress_now(connection)))
            lived = read_models(connection)
        machine.kill_projector()
        versions.rebuild(machine.url, all_of_it.catalogue, lambda done, in_all: None)
        with versions.connect(machine.url) as connection:
            report.amiss += [
                f"{name}: table {table} is not what a rebuild makes"
                for table, rows in read_models(connection).items()
                if rows != lived[table]
            ]


def _has_all(
    hub: psycopg.Connection, node: psycopg.Connection, regions: tuple[str, ...]
) -> Callable[[], bool]:
    return lambda: replication.recorded(hub, regions) == replication.recorded(node, regions)


def read_models(connection: psycopg.Connection) -> dict[str, tuple[int, int]]:
    """The number of rows of each table, and a hash of them all."""
    found = {}
    for table in ("incident", "change", "daily", "daily_duration", "monthly_duration"):
        query = f"SELECT count(*), sum(hashtextextended({table}::text, 0)) FROM {table}"
        found[table] = connection.execute(query.encode()).fetchone() or (0, 0)
    return found


def _until(true: Callable[[], bool]) -> None:
    """Raises TimeoutError."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError("The federation does not come to rest")
        time.sleep(0.05)
