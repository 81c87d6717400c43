"""A new release comes to the hub of a federation first, then to each node."""

from pathlib import Path

import psycopg
import pytest
from dramatiq_postgres import schema as queue

from regions.store.migration import last_applied, migrate, read_migrations
from regions.store.postgres import Server
from regions.store.roles import ensure_roles
from regions.store.server import create_database
from tests.api.test_up import tsur
from tests.conftest import numbers

RELEASE = read_migrations()
EARLIER = RELEASE[:-1]
NODES = {"hub": [], "first": ["BRONX"], "second": ["QUEENS"], "third": ["BROOKLYN"]}


@pytest.fixture
def urls(server: Server) -> dict[str, str]:
    """Of a federation of the earlier release."""
    made = {name: create_database(server.url, f"release_{next(numbers)}") for name in NODES}
    for url in made.values():
        with psycopg.connect(url, autocommit=True) as connection:
            ensure_roles(connection)
            with connection.transaction(), connection.cursor() as cursor:
                queue.init(cursor)
            migrate(connection, EARLIER)
    return made


@pytest.fixture
def topology(tmp_path: Path, urls: dict[str, str]) -> str:
    lines = ['hub = "hub"']
    for name, regions in NODES.items():
        api, database = "http://127.0.0.1:8000", urls[name]
        lines += [f"[nodes.{name}]", f"{api = }", f"{database = }", f"{regions = }"]
    path = tmp_path / "topology.toml"
    path.write_text("\n".join(lines))
    return str(path)


def numbers_of(urls: dict[str, str]) -> list[int]:
    """The last migration of each database, the hub's first."""
    found = []
    for url in urls.values():
        with psycopg.connect(url) as connection:
            found.append(last_applied(connection))
    return found


def test_a_node_is_not_migrated_before_its_hub(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    urls: dict[str, str],
    topology: str,
) -> None:
    at_first = {"TSUR_NODE": "first", "TSUR_DATABASE_URL": urls["first"]}
    at_first["TSUR_TOPOLOGY"] = topology
    assert tsur(monkeypatch, tmp_path, "migrate", **at_first) == 1
    assert "tsur federation migrate" in " ".join(capsys.readouterr().err.split())
    old, new = EARLIER[-1].number, RELEASE[-1].number
    assert numbers_of(urls) == [old, old, old, old]
    at_hub = at_first | {"TSUR_NODE": "hub", "TSUR_DATABASE_URL": urls["hub"]}
    assert tsur(monkeypatch, tmp_path, "migrate", **at_hub) == 0
    assert tsur(monkeypatch, tmp_path, "migrate", **at_first) == 0
    assert numbers_of(urls) == [new, new, old, old]


def test_a_hub_that_is_away_keeps_no_node_from_its_release(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, urls: dict[str, str], topology: str
) -> None:
    text = Path(topology).read_text().replace(urls["hub"], "host=/nowhere dbname=hub")
    Path(topology).write_text(text)
    at_first = {"TSUR_NODE": "first", "TSUR_DATABASE_URL": urls["first"]}
    assert tsur(monkeypatch, tmp_path, "migrate", TSUR_TOPOLOGY=topology, **at_first) == 0


def test_all_are_migrated_in_order_as_far_as_they_can_be_and_again(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    urls: dict[str, str],
    topology: str,
) -> None:
    old, new = EARLIER[-1].number, RELEASE[-1].number
    with psycopg.connect(urls["second"], autocommit=True) as connection:
        connection.execute("UPDATE migration SET checksum = 'x' || checksum WHERE number = 1")
    everything = ("federation", "migrate")
    assert tsur(monkeypatch, tmp_path, *everything, TSUR_TOPOLOGY=topology) == 1
    assert "second, and what comes after it" in " ".join(capsys.readouterr().err.split())
    assert numbers_of(urls) == [new, new, old, old]
    with psycopg.connect(urls["second"], autocommit=True) as connection:
        connection.execute("UPDATE migration SET checksum = substr(checksum, 2) WHERE number = 1")
    for _ in range(2):
        assert tsur(monkeypatch, tmp_path, *everything, TSUR_TOPOLOGY=topology) == 0
        assert numbers_of(urls) == [new, new, new, new]
