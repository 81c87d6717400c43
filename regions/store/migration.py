"""Numbered SQL files bring a database to the schema of this release, each exactly once."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg

MIGRATIONS = Path(__file__).parent / "migrations"
LOCK = 7_203_511  # any number, but the same in every release: one migrator at a time


class MigrationMismatch(Exception):
    """The database was migrated by a file that this release does not have, or has differently."""


@dataclass(frozen=True, slots=True)
class Migration:
    number: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def read_migrations(folder: Path = MIGRATIONS) -> list[Migration]:
    """In order of their numbers: NNNN_name.sql."""
    return [
        Migration(int(path.name[:4]), path.stem, path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob("[0-9][0-9][0-9][0-9]_*.sql"))
    ]


def migrate(connection: psycopg.Connection, migrations: Sequence[Migration]) -> list[str]:
    """Apply what is missing, all in one transaction; returns the names applied.

    Raises MigrationMismatch if an applied file has changed since or is not among them.
    """
    applied_now = []
    with connection.transaction():
        # Waiting for ever behind somebody's long transaction would stop every writer behind us.
        connection.execute("SET LOCAL lock_timeout = '5s'")
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        connection.execute(
            """
            CREATE TABLE IF NOT EXISTS migration (
                number     integer PRIMARY KEY,
                name       text NOT NULL,
                checksum   text NOT NULL,
                applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
            )
            """
        )
        applied = _applied(connection)
        _check_known(migrations, applied)
        for migration in migrations:
            if migration.number in applied:
                _check_unchanged(migration, applied[migration.number])
                continue
            # The text is a file of this package, never input.
            connection.execute(migration.text.encode())
            connection.execute(
                "INSERT INTO migration (number, name, checksum) VALUES (%s, %s, %s)",
                [migration.number, migration.name, migration.checksum],
            )
            applied_now.append(migration.name)
    return applied_now


def last_applied(connection: psycopg.Connection) -> int:
    """The number of the last migration of a database; 0 before the first."""
    if connection.execute("SELECT to_regclass('public.migration')").fetchone() == (None,):
        return 0
    return max(_applied(connection), default=0)


def may_migrate(connection: psycopg.Connection) -> bool:
    """Whether the tables are ours, or there are none yet."""
    owned = connection.execute(
        """
        SELECT pg_has_role(relowner, 'USAGE')
          FROM pg_class
         WHERE oid = to_regclass('public.migration')
        """
    ).fetchone()
    return owned != (False,)


def check_migrated(connection: psycopg.Connection, migrations: Sequence[Migration]) -> None:
    """Raises MigrationMismatch unless all of these, and no others, are applied."""
    applied = _applied(connection)
    _check_known(migrations, applied)
    for migration in migrations:
        if migration.number not in applied:
            raise MigrationMismatch(
                f"{migration.name} is not applied: run `tsur migrate` as the owner of the tables"
            )
        _check_unchanged(migration, applied[migration.number])


def _applied(connection: psycopg.Connection) -> dict[int, str]:
    return dict(connection.execute("SELECT number, checksum FROM migration").fetchall())


def _check_known(migrations: Sequence[Migration], applied: Iterable[int]) -> None:
    later = set(applied) - {migration.number for migration in migrations}
    if later:
        raise MigrationMismatch(
            f"The database has migration {max(later)} of a later release; start that one"
        )


def _check_unchanged(migration: Migration, checksum: str) -> None:
    if migration.checksum != checksum:
        raise MigrationMismatch(
            f"{migration.name} was applied with another content; applied migrations never change, "
            "write a new one"
        )
