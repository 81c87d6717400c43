"""The roles of processes: what each may do in the database, and what it may not."""

from contextlib import suppress

import psycopg
import pytest
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from regions.audit import of_log
from regions.store.roles import LOGINS, logins
from tests.conftest import as_process

RECORD = "record_events('BRONX', ARRAY[gen_random_uuid()], ARRAY[1], ARRAY['X'], ARRAY['{}'])"


def tried(kind: str, url: str, statement: str) -> None:
    with psycopg.connect(as_process(kind, url)) as connection:
        connection.execute(statement.encode())
        connection.rollback()


@pytest.mark.parametrize("kind", ["api", "worker", "import", "projector"])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET topic = 'X'",
        "DELETE FROM events",
        "TRUNCATE events",
        "INSERT INTO events SELECT * FROM events",
        "UPDATE region_head SET pos = pos + 1",
        "UPDATE command_result SET pos = 1",
        "UPDATE region_head SET region = 'X'",
        "DELETE FROM region_head",
        "DELETE FROM access_log",
        "UPDATE node SET catalogue = 'X'",
        "ALTER TABLE events DISABLE TRIGGER ALL",
        "SET session_replication_role = replica",
        "CREATE TABLE mine ()",
        "DROP SCHEMA read CASCADE",
        "TRUNCATE read.incident",
    ],
)
def test_no_process_changes_what_is_recorded(kind: str, statement: str, url: str) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        tried(kind, url, statement)


@pytest.mark.parametrize(
    "call",
    [
        RECORD,
        RECORD.replace("ARRAY[1]", "ARRAY[1, 2]"),
        RECORD.replace("ARRAY[1]", "'{}'"),
        RECORD.replace("ARRAY[gen_random_uuid()]", "'{}'"),
        RECORD.replace("ARRAY[gen_random_uuid()]", "NULL"),
        RECORD.replace("'BRONX'", "'NOWHERE'"),
    ],
)
def test_whatever_a_process_records_the_log_is_whole(call: str, url: str) -> None:
    with psycopg.connect(as_process("api", url), autocommit=True) as writer:
        for _ in range(2):
            with suppress(psycopg.IntegrityError):
                writer.execute(f"SELECT {call}".encode())
    with psycopg.connect(url) as connection:
        assert list(of_log(connection)) == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET topic = 'X'",
        "DELETE FROM events",
        "TRUNCATE events",
        "TRUNCATE region_head",
    ],
)
def test_be_it_the_owner_what_is_recorded_stays_as_it_is(statement: str, url: str) -> None:
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute(f"SELECT {RECORD}".encode())
        with pytest.raises(psycopg.DatabaseError, match="What is recorded stays as it is"):
            owner.execute(statement.encode())
        assert owner.execute("SELECT count(*) FROM events").fetchone() == (1,)


@pytest.mark.parametrize("kind", ["api", "worker"])
def test_what_an_import_could_not_take_is_not_for_who_is_open_to_others(
    kind: str, url: str
) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        tried(kind, url, "SELECT FROM import_quarantine")


@pytest.mark.parametrize("kind", ["api", "worker", "import"])
@pytest.mark.parametrize(
    "statement", ["DELETE FROM read.incident", "UPDATE read.tracking SET pos = 0"]
)
def test_who_writes_the_log_writes_no_read_model(kind: str, statement: str, url: str) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        tried(kind, url, statement)


@pytest.mark.parametrize(
    "statement",
    [
        f"SELECT {RECORD}",
        "SELECT FROM subject_key",
        "SELECT FROM inbox",
        "SELECT FROM export",
        "SELECT FROM dramatiq.queue",
    ],
)
def test_the_projector_reads_the_log_and_nothing_else_of_the_record(
    statement: str, url: str
) -> None:
    tried("projector", url, "SELECT FROM events, region_head, followed")
    tried("projector", url, "DELETE FROM read.incident")
    with pytest.raises(errors.InsufficientPrivilege):
        tried("projector", url, statement)


def test_a_replica_may_ask_for_the_log_and_nothing_else(url: str) -> None:
    """What it decodes is another matter: REPLICATION is a right to all that is written."""
    tried("hub", url, "SELECT FROM events, region_head")
    for statement in ("SELECT FROM subject_key", "SELECT FROM read.incident", "DELETE FROM events"):
        with pytest.raises(errors.InsufficientPrivilege):
            tried("hub", url, statement)


def test_what_is_printed_makes_the_roles_of_one_database_and_closes_it_to_those_of_others(
    url: str,
) -> None:
    name = str(conninfo_to_dict(url)["dbname"])
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(logins(name).encode())
    for kind in LOGINS:
        with psycopg.connect(make_conninfo(url, user=f"{kind}_of_{name}")) as connection:
            connection.execute("SELECT FROM events")
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        tried("api", url, "SELECT 1")
    assert "PASSWORD" not in logins(name)


def test_a_name_is_quoted() -> None:
    assert 'CREATE ROLE "hub_of_a""b" LOGIN' in logins('a"b')
