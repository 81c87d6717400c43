"""Exports: tables that viewers asked for as files, kept in the database until they expire.

An export is stored with the job that writes it, in one statement. The file is kept in parts, so
that whoever writes and whoever serves it may be on different machines, and nobody holds it whole.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, LiteralString
from uuid import UUID

import msgspec
import psycopg
from psycopg_pool import ConnectionPool

from domain.errors import CommandIdReused, TooManyExports
from domain.identifiers import new_id
from domain.rights import Actor, Scope
from domain.vocabulary import Role
from regions.store.event_store import unavailable
from regions.store.jobs import job

WRITE_EXPORT = "write_export"  # the actor
KEPT_FOR = timedelta(hours=24)
UNWRITTEN_MAX = 10  # of one viewer: what nobody waits for would fill the disk
STUCK_AFTER = timedelta(hours=1)  # no word from its writer: all attempts are over
LISTED_MAX = 100
PART_BYTES_MAX = 1024 * 1024


class ExportFormat(StrEnum):
    CSV = "CSV"
    XLSX = "XLSX"
    PARQUET = "PARQUET"


class ExportState(StrEnum):
    WAITING = "WAITING"  # for its first attempt, or for another
    RUNNING = "RUNNING"
    READY = "READY"
    FAILED = "FAILED"  # for good


@dataclass(frozen=True, slots=True)
class Export:
    """A row of the table, without what only its writer needs."""

    id: UUID
    asked_by: str
    role: Role
    scope: Scope  # the viewer's, when they asked
    question: bytes  # as JSON, of one that is begun; it may be long
    format: ExportFormat
    state: ExportState
    attempts: int
    rows_done: int
    rows_total: int | None
    error: str | None
    told: bytes | None  # as JSON
    size_bytes: int | None
    sha256: str | None
    asked_at: datetime
    finished_at: datetime | None
    expires_at: datetime


COLUMNS: LiteralString = """
    id, asked_by, role, scope::text, NULL AS question, format, state, attempts, rows_done,
    rows_total, error, told::text, size_bytes, sha256, asked_at, finished_at, expires_at
"""


@dataclass
class Exports:
    """Of a database. Its methods raise StoreUnavailable."""

    pool: ConnectionPool

    def ask(
        self,
        command_id: UUID,
        by: Actor,
        question: bytes,
        format: ExportFormat,
        *,
        rows_total: int | None,
        at: datetime,
    ) -> Export:
        """The export of this command, stored now or before.

        Raises CommandIdReused if it was of something else, TooManyExports.
        """
        asked = {
            "command_id": command_id,
            "asked_by": by.name,
            "role": by.role,
            "scope": msgspec.json.encode(by.scope).decode(),
            "question": question.decode(),
            "format": format,
        }
        self._store(asked, rows_total, at)
        rows = self._fetch(
            """
            SELECT asked_by = %(asked_by)s
                   AND role = %(role)s
                   AND scope = %(scope)s::jsonb
                   AND question = %(question)s::jsonb
                   AND format = %(format)s,"""
            + COLUMNS
            + """
              FROM export
             WHERE command_id = %(command_id)s
            """,
            asked,
        )
        if not rows:
            raise TooManyExports(limit=UNWRITTEN_MAX)
        same, *found = rows[0]
        if not same:
            raise CommandIdReused
        return _export(found)

    def _store(self, asked: dict[str, object], rows_total: int | None, at: datetime) -> None:
        """With its job; nothing if the command has been stored, or too much waits."""
        export_id = new_id(at)
        work = job(WRITE_EXPORT, str(export_id), available_at=at)
        self._fetch(
            """
              WITH asked AS (
                   INSERT INTO export (id, command_id, asked_by, role, scope, question, format,
                                       rows_total, asked_at, expires_at)
                   SELECT %(id)s, %(command_id)s, %(asked_by)s, %(role)s, %(scope)s::jsonb,
                          %(question)s::jsonb, %(format)s, %(rows_total)s::bigint, %(at)s,
                          %(expires_at)s
                    WHERE (SELECT count(*)
                             FROM export
                            WHERE asked_by = %(asked_by)s
                              AND state IN ('WAITING', 'RUNNING')
                              AND expires_at > %(at)s) < %(unwritten_max)s
                       ON CONFLICT ON CONSTRAINT export_once DO NOTHING
                RETURNING id
                   )
            INSERT INTO dramatiq.queue (message_id, queue_name, state, message, available_at)
            SELECT %(message_id)s, %(queue)s, 'queued', %(message)s::jsonb, %(at)s
              FROM asked
            RETURNING message_id
            """,
            asked
            | {
                "id": export_id,
                "rows_total": rows_total,
                "at": at,
                "expires_at": at + KEPT_FOR,
                "unwritten_max": UNWRITTEN_MAX,
                "message_id": work.message_id,
                "queue": work.queue,
                "message": work.body.decode(),
            },
        )

    def find(self, export_id: UUID, *, at: datetime) -> Export | None:
        """None once it has expired."""
        rows = self._fetch(
            "SELECT " + COLUMNS + " FROM export WHERE id = %(id)s AND expires_at > %(at)s",
            {"id": export_id, "at": at},
        )
        return _export(rows[0]) if rows else None

    def asked_by(self, name: str, *, at: datetime) -> list[Export]:
        """Of one viewer, the last first."""
        rows = self._fetch(
            "SELECT "
            + COLUMNS
            + """
              FROM export
             WHERE asked_by = %(name)s
               AND expires_at > %(at)s
             ORDER BY asked_at DESC, id DESC
             LIMIT %(limit)s
            """,
            {"name": name, "at": at, "limit": LISTED_MAX},
        )
        return [_export(row) for row in rows]

    @contextmanager
    def alone(self, export_id: UUID) -> Iterator[bool]:
        """Whether nobody else is at it; nobody will be while the block runs."""
        key = {"key": int.from_bytes(export_id.bytes[8:], signed=True)}
        with self.pool.connection() as connection:
            row = connection.execute("SELECT pg_try_advisory_lock(%(key)s)", key).fetchone()
            if row != (True,):
                yield False
                return
            try:
                yield True
            finally:
                connection.execute("SELECT pg_advisory_unlock(%(key)s)", key)

    def begin(self, export_id: UUID, *, at: datetime) -> Export | None:
        """Count an attempt and forget what others wrote; None if it has ended, or has expired."""
        rows = self._fetch(
            """
              WITH begun AS (
                   UPDATE export
                      SET state = 'RUNNING',
                          attempts = attempts + 1,
                          rows_done = 0,
                          changed_at = clock_timestamp()
                    WHERE id = %(id)s
                      AND state IN ('WAITING', 'RUNNING')
                      AND expires_at > %(at)s
                RETURNING *
                   ),
                   forgotten AS (
                   DELETE FROM export_part
                    WHERE export = (SELECT id FROM begun)
                   )
            SELECT """
            + COLUMNS.replace("NULL AS question", "question::text")
            + " FROM begun",
            {"id": export_id, "at": at},
        )
        return _export(rows[0]) if rows else None

    def keep_part(self, export_id: UUID, number: int, piece: bytes) -> None:
        self._fetch(
            """
            INSERT INTO export_part (export, number, bytes)
            VALUES (%(id)s, %(number)s, %(piece)s)
            RETURNING number
            """,
            {"id": export_id, "number": number, "piece": piece},
        )

    def part(self, export_id: UUID, number: int) -> bytes | None:
        """None behind the last one, and once it is deleted."""
        rows = self._fetch(
            "SELECT bytes FROM export_part WHERE export = %(id)s AND number = %(number)s",
            {"id": export_id, "number": number},
        )
        return rows[0][0] if rows else None

    def note_progress(self, export_id: UUID, rows_done: int, rows_total: int) -> None:
        self._fetch(
            """
               UPDATE export
                  SET rows_done = %(done)s,
                      rows_total = %(total)s,
                      changed_at = clock_timestamp()
                WHERE id = %(id)s
            RETURNING id
            """,
            {"id": export_id, "done": rows_done, "total": rows_total},
        )

    def finish(
        self, export_id: UUID, *, told: bytes, size_bytes: int, sha256: str, at: datetime
    ) -> None:
        self._fetch(
            """
               UPDATE export
                  SET state = 'READY',
                      error = NULL,
                      told = %(told)s::jsonb,
                      size_bytes = %(size_bytes)s,
                      sha256 = %(sha256)s,
                      changed_at = clock_timestamp(),
                      finished_at = %(at)s
                WHERE id = %(id)s
            RETURNING id
            """,
            {
                "id": export_id,
                "told": told.decode(),
                "size_bytes": size_bytes,
                "sha256": sha256,
                "at": at,
            },
        )

    def fail(self, export_id: UUID, error: str, *, at: datetime, for_good: bool) -> None:
        """Note the code of an error; unless `for_good`, another attempt follows."""
        self._fetch(
            """
               UPDATE export
                  SET state = CASE WHEN %(for_good)s THEN 'FAILED' ELSE 'WAITING' END,
                      error = %(error)s,
                      changed_at = clock_timestamp(),
                      finished_at = CASE WHEN %(for_good)s THEN %(at)s::timestamptz END
                WHERE id = %(id)s
            RETURNING id
            """,
            {"id": export_id, "error": error, "at": at, "for_good": for_good},
        )

    def expire(self, *, at: datetime) -> int:
        """Delete what has expired, give up what is stuck; returns how many were deleted."""
        self._fetch(
            """
               UPDATE export
                  SET state = 'FAILED',
                      error = 'WORKER_DIED',
                      finished_at = %(at)s
                WHERE state = 'RUNNING'
                  AND changed_at < clock_timestamp() - %(stuck_after)s
            RETURNING id
            """,
            {"at": at, "stuck_after": STUCK_AFTER},
        )
        return len(
            self._fetch("DELETE FROM export WHERE expires_at <= %(at)s RETURNING id", {"at": at})
        )

    def _fetch(
        self, statement: LiteralString, parameters: dict[str, object]
    ) -> list[tuple[Any, ...]]:
        try:
            with self.pool.connection() as connection:
                return connection.execute(statement, parameters).fetchall()
        except psycopg.OperationalError as error:
            raise unavailable(error) from error


def _export(row: Sequence[Any]) -> Export:
    """Of the COLUMNS."""
    id, asked_by, role, scope, question, format, state, *rest = row
    attempts, rows_done, rows_total, error, told, *ended = rest
    return Export(
        id,
        asked_by,
        Role(role),
        msgspec.json.decode(scope, type=Scope),
        question.encode() if question else b"",
        ExportFormat(format),
        ExportState(state),
        attempts,
        rows_done,
        rows_total,
        error,
        told.encode() if told else None,
        *ended,
    )
