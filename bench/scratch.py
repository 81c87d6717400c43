"""A PostgreSQL of this run alone, with the settings of production, and the databases in it."""

import itertools
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict

from api.demo import network
from api.processes import PARENT_HOLDS_STDIN
from api.progress import bar
from bench.cost import Cost, Meter
from projections import versions
from regions.node import Node, command_pool, prepare
from regions.reference.catalogue import Catalogue, load_catalogue
from regions.settings import SHIPPED_CATALOGUES
from regions.store.postgres import Server, embedded
from regions.store.server import create_database
from regions.store.vault import Vault, read_secret

RUSSIA = SHIPPED_CATALOGUES / "russia"
DAYS = 60
SEED = 1


@dataclass(frozen=True, slots=True)
class Filled:
    """A database with the events of so many incidents."""

    url: str
    incidents: int
    events: int
    cost: Cost  # of generating them


@dataclass
class Scratch:
    home: Path
    server: Server
    large: bool
    catalogue: Catalogue = field(default_factory=lambda: load_catalogue(RUSSIA))
    until: datetime = field(default_factory=lambda: datetime.now(UTC))
    _filled: dict[int, Filled] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def meter(self, client: int | None = None) -> Meter:
        assert self.server.process is not None, "the server of a fresh folder is our own"
        return Meter(self.server.process.pid, client)

    def database(self) -> str:
        """A new one, migrated, with empty read models."""
        url = create_database(self.server.url, f"bench_{next(self._numbers)}")
        prepare(url, self.catalogue)
        versions.ensure(url, self.catalogue, lambda done, in_all: None)
        return url

    @contextmanager
    def node(self, url: str) -> Iterator[Node]:
        with command_pool(url) as pool:
            yield Node(url, self.catalogue, Vault(read_secret(self.home / "vault.key")), pool)

    def filled(self, incidents: int) -> Filled:
        """The events of so many incidents over 60 days; made once, and not projected by this."""
        if incidents not in self._filled:
            self._filled[incidents] = self.fill(incidents)
        return self._filled[incidents]

    def fill(self, incidents: int) -> Filled:
        """A database of its own."""
        url = self.database()
        with (
            self.node(url) as node,
            bar(f"Recording {incidents:,} incidents") as progress,
            self.meter().measure() as cost,
        ):
            network.generate(
                node,
                incidents=incidents,
                days=DAYS,
                until=self.until,
                seed=SEED,
                progress=progress,
                folder=RUSSIA,
            )
        return Filled(url, incidents, recorded(url), cost)

    def copy(self, filled: Filled) -> str:
        """A database like it, to write to; the read models with it."""
        name = str(conninfo_to_dict(filled.url)["dbname"])
        copied = f"{name}_copy_{next(self._numbers)}"
        return create_database(self.server.url, copied, template=name)

    @contextmanager
    def running(
        self, url: str, *command: str, port: int = 8000
    ) -> Iterator[subprocess.Popen[bytes]]:
        """`tsur` with a command, on a database of ours, until the end of the block."""
        environment = {
            **os.environ,
            "TSUR_DATABASE_URL": url,
            "TSUR_HOME": str(self.home),
            "TSUR_CATALOGUE": str(RUSSIA),
            "TSUR_PORT": str(port),
            "TSUR_BUDGET_POINTS_PER_SECOND": str(10**9),  # whoever measures asks all day
            PARENT_HOLDS_STDIN: "1",
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "api.cli", *command],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            # A group of its own: Ctrl-C reaches only us, and we stop it.
            start_new_session=True,
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(30)
            if process.stdin:
                process.stdin.close()


@contextmanager
def scratch(*, large: bool) -> Iterator[Scratch]:
    with tempfile.TemporaryDirectory(prefix="tsur-bench-") as folder:
        # As root the server runs as another user, who must be able to pass through.
        Path(folder).chmod(0o711)
        with embedded(Path(folder) / "postgres") as server:
            yield Scratch(Path(folder), server, large)


def recorded(url: str) -> int:
    """The number of events."""
    return count(url, "SELECT coalesce(sum(pos), 0)::bigint FROM region_head")


def projected(url: str) -> int:
    """The number of events taken into the served read models."""
    return count(url, "SELECT coalesce(sum(pos), 0)::bigint FROM read.tracking")


def count(url: str, query: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute(query.encode()).fetchone()
    return row[0] if row else 0
