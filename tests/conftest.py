"""One real PostgreSQL for the whole run, one database of its own for each test."""

import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from psycopg import errors, sql
from psycopg.conninfo import make_conninfo

from projections import versions
from projections.projector import Projector
from regions.node import Node, command_pool, prepare
from regions.reference.catalogue import Catalogue, load_catalogue
from regions.store.postgres import Server, embedded
from regions.store.roles import LOGINS
from regions.store.server import create_database
from regions.store.vault import Vault

CHECKOUT = Path(__file__).parent.parent
NEW_YORK = CHECKOUT / "examples" / "nyc311"
RUSSIA = CHECKOUT / "regions" / "catalogues" / "russia"

# Tests kill processes, never the machine: what the operating system holds survives.
SERVER_SETTINGS = {
    "autovacuum": "off",  # no test grows old enough
    "fsync": "off",
    "max_connections": "300",
    "max_wal_size": "512MB",
}
# A superuser can change what is recorded, if they say so: what tests of tampering do first.
PAST_TRIGGERS = "SET session_replication_role = replica"
MEMORY = Path("/dev/shm")  # noqa: S108 - a database of some 250 files is made ten times as fast there
MEMORY_BYTES_MIN = 4 * 2**30  # free for the servers of all processes of the run

# How long an example takes tells of the machine, not of the rule. Every run tries the same, so that
# a change is what breaks it; `--hypothesis-profile attack` tries others, and fifteen times as many.
settings.register_profile(
    "tsur",
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "attack", settings.get_profile("tsur"), derandomize=False, max_examples=1_500
)
settings.load_profile("tsur")

numbers = itertools.count(1)


def pytest_xdist_auto_num_workers() -> int:
    """Half of what a test takes it waits for another process."""
    return max(2, (os.cpu_count() or 2) * 3 // 2)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    # Not under pytest's own folder: as root the server runs as another user, who cannot enter it.
    with tempfile.TemporaryDirectory(prefix="tsur-tests-", dir=_memory()) as folder:
        Path(folder).chmod(0o711)
        with embedded(Path(folder) / "home", SERVER_SETTINGS) as server:
            yield server


@pytest.fixture(scope="module")
def second_server() -> Iterator[Server]:
    """Of a hub: it cannot follow a node of its own server."""
    with tempfile.TemporaryDirectory(prefix="tsur-tests-") as folder:
        Path(folder).chmod(0o711)
        with embedded(Path(folder) / "home", SERVER_SETTINGS) as server:
            yield server


def _memory() -> Path | None:
    """Where the machine keeps files in memory, if it has enough of it."""
    roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= MEMORY_BYTES_MIN
    return MEMORY if roomy else None


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    """New York: small, and proof that nothing Russian is built in."""
    return load_catalogue(NEW_YORK)


@pytest.fixture(scope="session")
def russia() -> Catalogue:
    return load_catalogue(RUSSIA)


@pytest.fixture(scope="session")
def template(server: Server, catalogue: Catalogue) -> str:
    """The name of a migrated, empty database to copy."""
    url = create_database(server.url, "template_new_york")
    prepare(url, catalogue)
    versions.ensure(url, catalogue, lambda done, in_all: None)
    return "template_new_york"


@pytest.fixture
def url(server: Server, template: str) -> Iterator[str]:
    """A fresh database with the New York catalogue."""
    name = f"test_{next(numbers)}"
    yield create_database(server.url, name, template=template)
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def as_process(kind: str, url: str) -> str:
    """A database as such a process reaches it: by a role that may do what it needs, no more."""
    role = f"{kind}_of_tests"
    with psycopg.connect(url, autocommit=True) as connection, suppress(errors.DuplicateObject):
        connection.execute(sql.SQL(LOGINS[kind]).format(sql.Identifier(role)))
    return make_conninfo(url, user=role)


@pytest.fixture
def node(url: str, catalogue: Catalogue) -> Iterator[Node]:
    with command_pool(url) as pool:
        yield Node(url, catalogue, Vault(b"0" * 32), pool)


@pytest.fixture
def project(node: Node) -> Callable[[], int]:
    """Take all events into the read models; returns how many."""

    def run() -> int:
        with versions.connect(node.url) as connection:
            projector = Projector(connection, node.catalogue)
            return sum(iter(projector.step, 0))

    return run


@pytest.fixture
def read(url: str) -> Iterator[psycopg.Connection]:
    """A connection that sees the read models."""
    with versions.connect(url) as connection:
        yield connection
