"""What leaves the database for files, and that the log and all that is made of it stays whole."""

import csv
import gzip
import io
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from psycopg import errors

from projections import versions
from regions.archive import KEPT, ArchiveRefused, archive
from regions.audit import of_log
from regions.inbox import Inbox
from regions.node import Node
from tests.conftest import as_process
from tests.scenarios import closed, contents

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
BEFORE = datetime(2026, 2, 1, tzinfo=UTC)
EARLIER, LATER = BEFORE - timedelta(seconds=1), BEFORE
HEADER = ["id", "at", "region", "actor", "role", "action", "incident_id", "outcome"]


def delivered(inbox: Inbox, key: str, at: datetime, *, source: str = "vk") -> UUID:
    assert inbox.keep(source, "BRONX", key, b"a citizen's words", at=at)
    with inbox.pool.connection() as connection:
        rows = connection.execute("SELECT id FROM inbox WHERE update_key = %s", [key])
        found: tuple[UUID] = rows.fetchone()  # type: ignore[assignment]
    return found[0]


def noted(node: Node, actor: str, at: datetime) -> None:
    with node.pool.connection() as connection:
        connection.execute(
            "INSERT INTO access_log (at, region, actor, role, action, outcome)"
            " VALUES (%s, 'BRONX', %s, 'CURATOR', 'register', 'OPENED')",
            [at, actor],
        )


def told(file: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(gzip.decompress(file.read_bytes()).decode())))


def test_what_is_older_is_in_the_file_and_nowhere_else(
    node: Node, read: psycopg.Connection, tmp_path: Path
) -> None:
    for actor, at in (("second", EARLIER), ("first", EARLIER - timedelta(days=90))):
        noted(node, actor, at)
    noted(node, "third", LATER)
    moved = archive(read, tmp_path, before=BEFORE, now=NOW)
    assert moved == {"access_log": 2, "inbox": 0}
    (file,) = tmp_path.iterdir()
    assert file.name == "access_log-before-2026-02.csv.gz"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    header, *rows = told(file)
    assert header == HEADER
    assert [row[HEADER.index("actor")] for row in rows] == ["first", "second"]
    assert read.execute("SELECT actor FROM access_log").fetchall() == [("third",)]
    assert archive(read, tmp_path, before=BEFORE, now=NOW) == {"access_log": 0, "inbox": 0}
    assert list(tmp_path.iterdir()) == [file]


def test_of_deliveries_those_that_were_taken_in_go_and_the_last_of_each_source_stays(
    node: Node, read: psycopg.Connection, tmp_path: Path
) -> None:
    inbox, early = Inbox(node.pool, node.vault), BEFORE - timedelta(days=9)
    for key in ("old", "settled late"):
        settled_at = EARLIER if key == "old" else LATER
        inbox.settle(delivered(inbox, key, early), "INCIDENT", at=settled_at)
    delivered(inbox, "waiting", early)
    inbox.quarantine(delivered(inbox, "not understood", early), "X", "x", at=early)
    inbox.settle(delivered(inbox, "last", early + timedelta(days=1)), "INCIDENT", at=EARLIER)
    inbox.settle(delivered(inbox, "only", early, source="ok"), "INCIDENT", at=EARLIER)
    assert archive(read, tmp_path, before=BEFORE, now=NOW) == {"access_log": 0, "inbox": 1}
    left = read.execute("SELECT update_key FROM inbox ORDER BY update_key").fetchall()
    assert [key for (key,) in left] == ["last", "not understood", "only", "settled late", "waiting"]
    (file,) = tmp_path.iterdir()
    assert "a citizen" not in str(told(file))


def test_the_log_is_whole_and_is_rebuilt_as_it_was(
    node: Node, project: Callable[[], int], read: psycopg.Connection, tmp_path: Path
) -> None:
    closed(node.centre("BRONX"))
    project()
    noted(node, "first", EARLIER)
    before = contents(node.url)["public.events"], incidents(read)
    archive(read, tmp_path, before=BEFORE, now=NOW)
    assert list(of_log(read)) == []
    versions.rebuild(node.url, node.catalogue, lambda done, in_all: None)
    assert (contents(node.url)["public.events"], incidents(read)) == before


def incidents(read: psycopg.Connection) -> list[tuple[str]]:
    return read.execute("SELECT incident::text FROM read.incident ORDER BY id").fetchall()


def test_a_file_is_never_overwritten_and_what_was_to_go_stays(
    node: Node, read: psycopg.Connection, tmp_path: Path
) -> None:
    (tmp_path / "access_log-before-2026-02.csv.gz").write_text("of another run")
    noted(node, "first", EARLIER)
    with pytest.raises(ArchiveRefused, match="is there already"):
        archive(read, tmp_path, before=BEFORE, now=NOW)
    assert read.execute("SELECT actor FROM access_log").fetchall() == [("first",)]
    (file,) = tmp_path.iterdir()
    assert file.read_text() == "of another run"


def test_what_is_young_stays(node: Node, read: psycopg.Connection, tmp_path: Path) -> None:
    noted(node, "first", EARLIER)
    with pytest.raises(ArchiveRefused, match="31 days"):
        archive(read, tmp_path, before=BEFORE, now=BEFORE + KEPT - timedelta(seconds=1))
    assert archive(read, tmp_path, before=BEFORE, now=BEFORE + KEPT)["access_log"] == 1


@pytest.mark.parametrize("kind", ["api", "worker"])
def test_it_is_the_owners(kind: str, node: Node, tmp_path: Path) -> None:
    noted(node, "first", EARLIER)
    with (
        psycopg.connect(as_process(kind, node.url), autocommit=True) as connection,
        pytest.raises(errors.InsufficientPrivilege),
    ):
        archive(connection, tmp_path, before=BEFORE, now=NOW)
    assert list(tmp_path.iterdir()) == []
