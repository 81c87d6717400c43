"""Each process under a role of its own, on a database whose owner is none of them."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import uuid4

import httpx
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from api.processes import free_port
from regions.node import prepare
from regions.reference.catalogue import Catalogue
from regions.store.postgres import Server
from regions.store.server import create_database
from tests.api.test_up import REGISTER, START_SECONDS, TSUR, environment, token
from tests.conftest import CHECKOUT, as_process, numbers
from tests.waiting import until

COMMANDS = {
    "projector": "projector",
    "clock": "worker",
    "worker": "worker",
    "worker --queue exports": "worker",
    "simulate --per-second 20": "worker",
    "api": "api",
}
TOLD = "as we were told"  # application_name


@pytest.fixture
def empty(server: Server) -> str:
    return create_database(server.url, f"roles_{next(numbers)}")


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="tsur-roles-") as folder:
        yield Path(folder)


def run(command: str, home: Path, url: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*TSUR, *command.split()],
        check=False,
        env=environment(home, TSUR_DATABASE_URL=url),
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
    )


@contextmanager
def process(command: str, home: Path, url: str, port: int) -> Iterator[None]:
    with (home / f"{command}.log").open("wb") as log:
        running = subprocess.Popen(
            [*TSUR, *command.split()],
            env=environment(home, port, TSUR_DATABASE_URL=url),
            cwd=CHECKOUT,
            stdout=log,
            stderr=log,
        )
    try:
        yield
        assert running.poll() is None, (home / f"{command}.log").read_text()
    finally:
        running.terminate()
        running.wait(START_SECONDS)


def test_all_processes_work_under_roles_that_may_what_they_need(empty: str, home: Path) -> None:
    name = str(conninfo_to_dict(empty)["dbname"])
    assert run("migrate", home, empty).returncode == 0
    with psycopg.connect(empty, autocommit=True) as owner, ExitStack() as stack:
        owner.execute(run(f"roles {name}", home, empty).stdout.encode())
        port = free_port()
        for command, kind in COMMANDS.items():
            # What stands beside the address reaches every connection; a socket needs no TLS.
            url = make_conninfo(
                empty,
                user=f"{kind}_of_{name}",
                application_name=TOLD,
                sslmode="verify-full",
                sslcert="/nowhere",
            )
            stack.enter_context(process(command, home, url, port))
        address = f"http://127.0.0.1:{port}"
        until(lambda: ready(address), START_SECONDS)
        answer = httpx.post(
            f"{address}/graphql",
            json={"query": REGISTER, "variables": {"id": str(uuid4())}},
            headers={"authorization": f"Bearer {token(home)}"},
        )
        incident = answer.json()["data"]["registerIncident"]["incidentId"]
        until(lambda: owner.execute("SELECT FROM read.incident OFFSET 9").fetchone() is not None)
        assert incident
        logged_in = owner.execute(
            """
            SELECT usename,
                   array_agg(DISTINCT application_name)
              FROM pg_stat_activity
             WHERE datname = %s
               AND pid <> pg_backend_pid()
             GROUP BY usename
            """,
            [name],
        )
        assert dict(logged_in.fetchall()) == {
            f"{kind}_of_{name}": [TOLD] for kind in set(COMMANDS.values())
        }
    for command in COMMANDS:
        log = (home / f"{command}.log").read_text()
        assert "InsufficientPrivilege" not in log, log


def ready(address: str) -> bool:
    try:
        return httpx.get(f"{address}/readyz", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def test_what_is_the_owners_is_refused_in_one_line(
    empty: str, home: Path, catalogue: Catalogue
) -> None:
    prepare(empty, catalogue)
    rebuilt = run("projections rebuild", home, as_process("projector", empty))
    assert rebuilt.returncode == 1
    assert rebuilt.stderr.count("\n") == 1


def test_a_process_waits_for_no_migration_that_only_the_owner_can_do(
    empty: str, home: Path, catalogue: Catalogue
) -> None:
    prepare(empty, catalogue)
    with psycopg.connect(empty, autocommit=True) as owner:
        owner.execute("DELETE FROM migration WHERE number = (SELECT max(number) FROM migration)")
    refused = run("clock", home, as_process("worker", empty))
    assert refused.returncode == 1
    assert "tsur migrate" in refused.stderr
