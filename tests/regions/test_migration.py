"""Migrations: each applied once, in order, all or nothing, and never changed afterwards."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count

import psycopg
import pytest
from psycopg import errors

from domain.rights import NETWORK, is_sandbox, sandbox_of
from regions.node import prepare
from regions.reference.catalogue import Catalogue
from regions.store.migration import Migration, MigrationMismatch, migrate, read_migrations
from regions.store.postgres import PostgresUnavailable, Server, create_database
from tests.scenarios import contents

numbers = count(1)

FIRST = Migration(1, "0001_first", "CREATE TABLE first (a int); CREATE TABLE second (a int);")
SECOND = Migration(2, "0002_second", "ALTER TABLE first ADD b int NOT NULL DEFAULT 7;")
BROKEN = Migration(3, "0003_broken", "CREATE TABLE third (a int); CREATE TABLE third (a int);")


@pytest.fixture
def bare(server: Server) -> str:
    """The URL of a database that nobody has migrated."""
    return create_database(server.url, f"bare_{next(numbers)}")


@pytest.fixture
def connection(bare: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(bare, autocommit=True) as connection:
        yield connection


def test_each_migration_is_applied_once_and_in_order(connection: psycopg.Connection) -> None:
    assert migrate(connection, [FIRST]) == ["0001_first"]
    assert migrate(connection, [FIRST, SECOND]) == ["0002_second"]
    assert migrate(connection, [FIRST, SECOND]) == []
    applied = connection.execute("SELECT number, name FROM migration ORDER BY number").fetchall()
    assert applied == [(1, "0001_first"), (2, "0002_second")]


def test_a_migration_that_fails_undoes_all_of_its_run(
    connection: psycopg.Connection, bare: str
) -> None:
    migrate(connection, [FIRST])
    before = contents(bare)
    with pytest.raises(errors.DuplicateTable):
        migrate(connection, [FIRST, SECOND, BROKEN])
    assert contents(bare) == before


def test_an_applied_migration_never_changes(connection: psycopg.Connection, bare: str) -> None:
    migrate(connection, [FIRST])
    before = contents(bare)
    with pytest.raises(MigrationMismatch, match="0001_first"):
        migrate(connection, [replace(FIRST, text=FIRST.text + " "), SECOND])
    assert contents(bare) == before


def test_a_database_of_a_later_release_is_refused(connection: psycopg.Connection) -> None:
    migrate(connection, [FIRST, SECOND])
    with pytest.raises(MigrationMismatch, match="migration 2"):
        migrate(connection, [FIRST])


def test_of_several_at_once_one_migrates(bare: str) -> None:
    def run(_: int) -> list[str]:
        with psycopg.connect(bare, autocommit=True) as connection:
            return migrate(connection, [FIRST, SECOND])

    names = ["0001_first", "0002_second"]
    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(run, range(4))) == [[], [], [], names]


def test_the_migrations_of_this_release_are_numbered_without_a_gap() -> None:
    migrations = read_migrations()
    assert [migration.number for migration in migrations] == list(range(1, len(migrations) + 1))


def test_preparing_a_database_again_changes_nothing(bare: str, catalogue: Catalogue) -> None:
    prepare(bare, catalogue)
    before = contents(bare)
    prepare(bare, catalogue)
    assert contents(bare) == before
    # One head for each region, one for the sandbox of its trainees, and the network's.
    assert len(before["public.region_head"]) == 2 * len(catalogue.regions) + 1


def test_a_database_belongs_to_one_catalogue(
    bare: str, catalogue: Catalogue, russia: Catalogue
) -> None:
    prepare(bare, catalogue)
    before = contents(bare)
    with pytest.raises(PostgresUnavailable, match="'nyc311'"):
        prepare(bare, russia)
    assert contents(bare) == before


def test_a_region_that_the_catalogue_gained_gets_its_head(bare: str, catalogue: Catalogue) -> None:
    fewer = dict(list(catalogue.regions.items())[:2])
    prepare(bare, replace(catalogue, regions=fewer))
    with psycopg.connect(bare, autocommit=True) as connection:
        connection.execute("UPDATE region_head SET pos = 5 WHERE region = 'BRONX'")
        prepare(bare, catalogue)
        heads = dict(connection.execute("SELECT region, pos FROM region_head").fetchall())
    own = {region: pos for region, pos in heads.items() if not is_sandbox(region)}
    assert own == dict.fromkeys([*catalogue.regions, NETWORK], 0) | {"BRONX": 5}
    assert set(map(sandbox_of, catalogue.regions)) == heads.keys() - own.keys()
