"""`tsur` as a person starts it: comes up, goes down, and comes back whatever was killed."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import psutil
import psycopg
import pytest

from api.cli import main
from api.processes import free_port
from api.viewer import Scope, Viewer, issue_token, read_token_key, read_viewer
from domain.vocabulary import Role
from regions.federation.topology import FEDERATION_KEY
from regions.reference.catalogue import Catalogue
from regions.store.postgres import Server
from regions.store.vault import read_secret
from tests.api.conftest import fresh_database
from tests.conftest import CHECKOUT, NEW_YORK
from tests.waiting import until

TSUR = [sys.executable, "-m", "api.cli"]
START_SECONDS = 60  # ten times a start: a busy machine is no failure of ours

REGISTER = """
mutation ($id: UUID!) {
  registerIncident(input: {
    commandId: $id, region: "BRONX", channel: "PHONE", publishedAt: "2026-03-02T12:00:00Z"
  }) { incidentId position userErrors { code } }
}
"""


def environment(home: Path, port: int = 8000, **changes: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TSUR_")}
    ours = {"TSUR_HOME": str(home), "TSUR_PORT": str(port), "TSUR_CATALOGUE": str(NEW_YORK)}
    return inherited | ours | changes


def token(home: Path) -> str:
    """As `tsur token` issues it."""
    viewer = Viewer("operator", Role.MONITOR, Scope())
    key = read_token_key(home)
    return issue_token(key, viewer, now=datetime.now(UTC), valid=timedelta(hours=1))


@dataclass
class Up:
    """A running `tsur up`."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path
    token: str

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ready(self) -> bool:
        try:
            return httpx.get(f"{self.address}/readyz", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    def wait(self) -> None:
        def ready() -> bool:
            assert self.process.poll() is None, self.log.read_text()
            return self.ready()

        until(ready, START_SECONDS)

    def register(self, command_id: str) -> str:
        """Record an incident; gives its id once that is acknowledged."""
        answer = httpx.post(
            f"{self.address}/graphql",
            json={"query": REGISTER, "variables": {"id": command_id}},
            headers={"authorization": f"Bearer {self.token}"},
            timeout=START_SECONDS,
        )
        incident: str = answer.json()["data"]["registerIncident"]["incidentId"]
        return incident

    def family(self) -> list[psutil.Process]:
        """Itself and all that it has started, PostgreSQL's processes included."""
        parent = psutil.Process(self.process.pid)
        return [parent, *parent.children(recursive=True)]

    def child(self, word: str) -> psutil.Process:
        """The direct child whose command line ends with a word, or runs a program of that name."""
        for child in psutil.Process(self.process.pid).children():
            line = child.cmdline()
            if line and (line[-1] == word or line[0].endswith(f"/{word}")):
                return child
        raise LookupError(word)

    def restarted(self, word: str, old: psutil.Process) -> bool:
        with suppress(LookupError, psutil.NoSuchProcess):
            return self.child(word).pid != old.pid
        return False


def lives(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


@contextmanager
def up(home: Path, wait: Callable[[Up], None] = Up.wait, **changes: str) -> Iterator[Up]:
    """Started and ready; at the end nothing of it is left, however it ended."""
    port = free_port()
    log = home / f"up-{port}.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*TSUR, "up"],
            env=environment(home, port, **changes),
            cwd=CHECKOUT,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    family: list[psutil.Process] = []
    running = Up(process, port, log, token(home))
    try:
        wait(running)
        family = running.family()
        yield running
    finally:
        with suppress(psutil.NoSuchProcess):
            family += [one for one in running.family() if one not in family]
        process.send_signal(signal.SIGINT)
        try:
            process.wait(START_SECONDS)
            until(lambda: not any(map(lives, family)), START_SECONDS)
        finally:
            for one in family:
                with suppress(psutil.NoSuchProcess):
                    one.kill()


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A short path, as the socket lies in it; one cluster for all tests of this file."""
    with tempfile.TemporaryDirectory(prefix="tsur-up-") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


def projected(running: Up, incident: str) -> bool:
    text = "query ($id: ID!) { incident(id: $id) { id } }"
    answer = httpx.post(
        f"{running.address}/graphql",
        json={"query": text, "variables": {"id": incident}},
        headers={"authorization": f"Bearer {running.token}"},
    )
    return answer.json()["data"] == {"incident": {"id": incident}}


def keeps(running: Up, acknowledged: dict[str, str]) -> None:
    """Fails unless all of it is recorded, once, and comes into the read models."""
    for command_id, incident in acknowledged.items():
        assert running.register(command_id) == incident
    until(lambda: all(projected(running, incident) for incident in acknowledged.values()))


# Up and down


@pytest.fixture(scope="module")
def running(home: Path) -> Iterator[Up]:
    """One for the tests that leave it as they found it."""
    with up(home) as running:
        yield running


def test_it_comes_up_with_all_it_needs_and_answers(running: Up) -> None:
    assert projected_soon(running, running.register(str(uuid4())))
    names = [" ".join(one.cmdline()) for one in running.family()]
    assert sum("postgres" in name for name in names) > 3
    commands = (" api", " projector", " clock", " worker", " worker --queue exports")
    assert sum(name.endswith(commands) for name in names) == len(commands)


def projected_soon(running: Up, incident: str) -> bool:
    until(lambda: projected(running, incident))
    return True


def test_the_tour_follows_an_incident_to_its_second_end(running: Up, home: Path) -> None:
    told = subprocess.run(
        [*TSUR, "tour"],
        env=environment(home, running.port, COLUMNS="200"),
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=True,
    ).stdout
    for wanted in ("NOT_PERMITTED", "UNDER_PERSONAL_CONTROL", "IncidentReopened", "CitizenRated"):
        assert wanted in told
    assert told.index("IncidentReopened") < told.rindex("IncidentClosed")


def test_a_killed_child_is_started_again(running: Up) -> None:
    old = {word: running.child(word) for word in ("api", "projector")}
    for child in old.values():
        child.kill()
    until(lambda: all(running.restarted(*pair) for pair in old.items()), START_SECONDS)
    running.wait()
    assert projected_soon(running, running.register(str(uuid4())))


def test_a_killed_postmaster_comes_back_with_all_that_was_acknowledged(running: Up) -> None:
    with registering(running) as acknowledged:
        pass
    old = running.child("postgres")
    old.kill()
    until(lambda: running.restarted("postgres", old), START_SECONDS)
    running.wait()
    keeps(running, acknowledged)


def test_another_tsur_shares_the_running_database(
    running: Up, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert projected_soon(running, running.register(str(uuid4())))
    assert tsur(monkeypatch, home, "projections", "status") == 0
    table = capsys.readouterr().out
    assert re.search(r"BRONX +│ +[1-9]", table), table
    assert running.ready()


@contextmanager
def registering(running: Up) -> Iterator[dict[str, str]]:
    """Register without pause while the block runs; what is acknowledged, by command id."""
    acknowledged: dict[str, str] = {}
    stop = threading.Event()

    def register() -> None:
        while not stop.is_set():
            command_id = str(uuid4())
            # No answer, or one that acknowledges nothing.
            with suppress(httpx.HTTPError, ValueError, TypeError):
                acknowledged[command_id] = running.register(command_id)

    thread = threading.Thread(target=register)
    thread.start()
    try:
        until(lambda: len(acknowledged) >= 20)
        yield acknowledged
    finally:
        stop.set()
        thread.join()


def test_a_killed_parent_leaves_nothing_and_the_next_start_has_all_that_was_acknowledged(
    running: Up, request: pytest.FixtureRequest
) -> None:
    with registering(running) as acknowledged:
        family = running.family()
        running.process.kill()
        until(lambda: not any(map(lives, family)), START_SECONDS)
    keeps(request.getfixturevalue("again"), acknowledged)


@pytest.fixture(scope="module")
def again(home: Path) -> Iterator[Up]:
    """The start after that."""
    with up(home) as again:
        yield again


def test_an_interrupt_leaves_nothing_behind(again: Up) -> None:
    family = again.family()
    again.process.send_signal(signal.SIGINT)
    assert again.process.wait(START_SECONDS) == 0
    until(lambda: not any(map(lives, family)))
    assert "Traceback" not in again.log.read_text()


def test_a_machine_runs_what_the_topology_names(
    home: Path, server: Server, template: str, tmp_path: Path
) -> None:
    url = fresh_database(server, template)
    read_secret(home / FEDERATION_KEY)
    topology = tmp_path / "topology.toml"
    topology.write_text(
        f"""
        hub = "hub"
        nodes.hub = {{ api = "https://hub.example", home = "{tmp_path}" }}
        [nodes.first]
        api = "https://first.example"
        regions = ["BRONX"]
        database = {json.dumps(url)}
        machines.front = {{ api = 1, projector = 1 }}
        machines.back = {{ clock = 1, worker = 2 }}
        """
    )
    named = {"TSUR_DATABASE_URL": url, "TSUR_TOPOLOGY": f"{topology}", "TSUR_NODE": "first"}

    def runs_it(running: Up) -> None:
        until(lambda: commands(running) == ["clock", "worker", "worker"], START_SECONDS)

    with up(home, runs_it, TSUR_MACHINE="back", **named) as running:
        running.child("worker").kill()
        until(lambda: "tsur worker ended" in running.log.read_text(), START_SECONDS)
        runs_it(running)


def commands(running: Up) -> list[str]:
    """Of its children that live."""
    found = []
    for child in psutil.Process(running.process.pid).children():
        with suppress(psutil.NoSuchProcess):
            found += child.cmdline()[-1:]
    return sorted(found)


def test_a_server_of_somebody_elses_is_used_and_left_running(
    home: Path, server: Server, template: str
) -> None:
    with up(home, TSUR_DATABASE_URL=fresh_database(server, template)) as running:
        assert projected_soon(running, running.register(str(uuid4())))
        with pytest.raises(LookupError):
            running.child("postgres")
    with psycopg.connect(server.url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


# One clear line


def tsur(
    monkeypatch: pytest.MonkeyPatch, home: Path, *words: str, **changes: str
) -> int | str | None:
    """Run a command of the console script here; gives its exit code."""
    for name in [name for name in os.environ if name.startswith("TSUR_")]:
        monkeypatch.delenv(name)
    for name, value in environment(home, **changes).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["tsur", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


def test_a_port_in_use_is_told(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        ended = subprocess.run(
            [*TSUR, "up"],
            env=environment(home, port),
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
            check=False,
        )
    assert (ended.returncode, ended.stdout) == (1, "")
    said = " ".join(ended.stderr.split())
    assert said.startswith(f"tsur: 127.0.0.1:{port} cannot be listened on")
    assert "TSUR_PORT" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"TSUR_PORT": "eighty"}, "TSUR_PORT"),
        ({"TSUR_PORT": "0"}, "TSUR_PORT"),
        ({"TSUR_PORT": "65536"}, "TSUR_PORT"),
        ({"TSUR_PORT": "-1"}, "TSUR_PORT"),
        ({"TSUR_CATALOGUE": "atlantis"}, "TSUR_CATALOGUE"),
        ({"TSUR_CATALOGUE": "/"}, "TSUR_CATALOGUE"),
        ({"TSUR_HOST": "203.0.113.1"}, "TSUR_HOST"),
        ({"TSUR_DATABASE_URL": "postgresql://127.0.0.1:1/tsur"}, "127.0.0.1"),
        ({"TSUR_DATABASE_URL": "nonsense"}, "TSUR_DATABASE_URL"),
    ],
)
def test_a_setting_that_cannot_be_used_is_told(
    settings: dict[str, str],
    word: str,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    usable = {"TSUR_PORT": str(free_port())}  # somebody may run a node on the usual one
    assert tsur(monkeypatch, home, "up", **(usable | settings)) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("tsur: ")
    assert word in told.err


# The other commands


def test_the_schema_is_printed(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tsur(monkeypatch, home, "schema") == 0
    committed = (CHECKOUT / "schema.graphql").read_text(encoding="utf-8")
    assert capsys.readouterr().out == committed


def test_the_lifecycle_is_printed_as_it_stands_in_the_docs(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tsur(monkeypatch, home, "lifecycle", "--markdown") == 0
    committed = (CHECKOUT / "docs/lifecycle.md").read_text(encoding="utf-8")
    assert capsys.readouterr().out == committed
    assert tsur(monkeypatch, home, "lifecycle") == 0
    assert "ReopenDeclined" in capsys.readouterr().out


def test_a_catalogue_is_counted(
    home: Path,
    catalogue: Catalogue,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert tsur(monkeypatch, home, "catalogue") == 0
    table = capsys.readouterr().out
    assert catalogue.name in table
    assert re.search(rf"municipalities +│ +{len(catalogue.municipalities)}\b", table), table


def test_a_token_is_issued(
    home: Path,
    catalogue: Catalogue,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["--scope", "BRONX-01", "--role", "CURATOR", "--name", "Ольга", "--personal-data"]
    assert tsur(monkeypatch, home, "token", *words) == 0
    viewer = read_viewer(read_token_key(home), capsys.readouterr().out.strip(), catalogue)
    assert (viewer.name, viewer.role, viewer.personal_data) == ("Ольга", Role.CURATOR, True)
    assert viewer.scope == Scope("BRONX", "BRONX-01")
    assert tsur(monkeypatch, home, "token", "--scope", "ATLANTIS") == 2
    assert "ATLANTIS" in capsys.readouterr().err


def test_records_are_imported_and_the_read_models_made_anew(
    home: Path,
    server: Server,
    template: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    record = {
        "id": "post-1",
        "channel": "ONLINE",
        "region": "BRONX",
        "publishedAt": "2026-02-03T08:30:00-05:00",
        "registeredAt": "2026-02-03T09:00:00-05:00",
    }
    rows = home / "rows.jsonl"
    rows.write_text(json.dumps(record) + "\n" + json.dumps(record | {"region": "ATLANTIS"}) + "\n")
    url = fresh_database(server, template)
    for _ in range(2):
        words = ["import", str(rows), "--format", "jsonl"]
        assert tsur(monkeypatch, home, *words, TSUR_DATABASE_URL=url) == 0
    assert "ATLANTIS" in capsys.readouterr().out
    assert tsur(monkeypatch, home, "projections", "rebuild", TSUR_DATABASE_URL=url) == 0
    assert "1 events" in capsys.readouterr().out
    assert tsur(monkeypatch, home, "projections", "status", TSUR_DATABASE_URL=url) == 0
    assert re.search(r"BRONX +│ +1 +│ +1 +│ +0 +│ +live", capsys.readouterr().out)
    assert tsur(monkeypatch, home, "projections", "retry", "BRONX", TSUR_DATABASE_URL=url) == 0
    assert "not stopped" in capsys.readouterr().out
