"""Rows of imports that could not become incidents: kept whole, sealed, with the reason.

Each row has a key of its own, as an incident has: what is sealed here can be erased like the rest.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg_pool import ConnectionPool

from domain.events import Sealed
from regions.store.event_store import StoreUnavailable
from regions.store.vault import ALGORITHM, SubjectKey, Vault, seal, unseal

NO_REGION = ""  # of a key whose row names no region


@dataclass(frozen=True, slots=True)
class QuarantinedRow:
    row_key: str
    region: str  # NO_REGION if the row does not tell
    reason: str
    detail: str  # the refusal in words; holds no personal data
    content: bytes  # the row as it came


class Quarantine:
    """The quarantine of one source. Its methods raise StoreUnavailable."""

    def __init__(self, pool: ConnectionPool, vault: Vault, source: str) -> None:
        self.pool = pool
        self.vault = vault
        self.source = source

    def keep(self, rows: Sequence[QuarantinedRow]) -> int:
        """Put rows in; returns how many are new.

        A row stands here once: one that comes again for the same reason stays as it is, one with
        another reason takes the place of the old.
        """
        latest = {row.row_key: row for row in rows}
        with self._transaction() as connection:
            replaced = self._remove_outdated(connection, list(latest.values()))
            return self._insert(connection, list(latest.values())) - replaced

    def release(self, row_keys: Sequence[str]) -> int:
        """Remove rows that have become incidents, their keys too; returns how many were here."""
        with self._transaction() as connection:
            cursor = connection.execute(
                """
                  WITH released AS (
                       DELETE FROM import_quarantine
                        WHERE source = %s
                          AND row_key = ANY (%s)
                    RETURNING subject
                       )
                DELETE FROM subject_key
                 USING released
                 WHERE subject_key.subject = released.subject
                """,
                [self.source, list(row_keys)],
            )
            return cursor.rowcount

    def open(self, row_key: str) -> bytes | None:
        """The row as it came; None if it is not here or its key is destroyed."""
        with self._transaction() as connection:
            found = connection.execute(
                """
                SELECT subject,
                       wrapped,
                       sealed_row
                  FROM import_quarantine
                  JOIN subject_key USING (subject)
                 WHERE source = %s
                   AND row_key = %s
                """,
                [self.source, row_key],
            ).fetchone()
        if found is None:
            return None
        subject, wrapped, ciphertext = found
        sealed = Sealed(subject, ALGORITHM, ciphertext)
        return unseal(self.vault.unwrap(subject, wrapped), sealed, bound_to=self._place(row_key))

    def _remove_outdated(
        self, connection: psycopg.Connection[Any], rows: Sequence[QuarantinedRow]
    ) -> int:
        """Remove the rows that are here for another reason now."""
        cursor = connection.execute(
            """
              WITH outdated AS (
                   DELETE FROM import_quarantine
                    USING unnest(%s::text[], %s::text[], %s::text[])
                          AS incoming (row_key, reason, detail)
                    WHERE import_quarantine.source = %s
                      AND import_quarantine.row_key = incoming.row_key
                      AND (import_quarantine.reason, import_quarantine.detail)
                          <> (incoming.reason, incoming.detail)
                RETURNING subject
                   )
            DELETE FROM subject_key
             USING outdated
             WHERE subject_key.subject = outdated.subject
            """,
            [
                [row.row_key for row in rows],
                [row.reason for row in rows],
                [row.detail for row in rows],
                self.source,
            ],
        )
        return cursor.rowcount

    def _insert(self, connection: psycopg.Connection[Any], rows: Sequence[QuarantinedRow]) -> int:
        """Insert the rows that are not here; returns how many."""
        keys = [self.vault.new_key() for _ in rows]
        cursor = connection.execute(
            """
              WITH incoming AS (
                   SELECT *
                     FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::bytea[],
                                 %s::uuid[], %s::bytea[])
                          AS incoming (row_key, region, reason, detail, sealed_row,
                                       subject, wrapped)
                   ),
                   kept AS (
                   INSERT INTO import_quarantine
                          (source, row_key, reason, detail, subject, sealed_row)
                   SELECT %s,
                          row_key,
                          reason,
                          detail,
                          subject,
                          sealed_row
                     FROM incoming
                       ON CONFLICT DO NOTHING
                RETURNING subject
                   )
            INSERT INTO subject_key (subject, region, wrapped)
            SELECT subject,
                   region,
                   wrapped
              FROM incoming
              JOIN kept USING (subject)
            """,
            [*self._columns(rows, keys), self.source],
        )
        return cursor.rowcount

    def _columns(
        self, rows: Sequence[QuarantinedRow], keys: Sequence[SubjectKey]
    ) -> list[list[object]]:
        """The rows, each sealed with its key, column by column."""
        return [
            [row.row_key for row in rows],
            [row.region for row in rows],
            [row.reason for row in rows],
            [row.detail for row in rows],
            [self._sealed(row, key) for row, key in zip(rows, keys, strict=True)],
            [key.subject for key in keys],
            [key.wrapped for key in keys],
        ]

    def _sealed(self, row: QuarantinedRow, key: SubjectKey) -> bytes:
        return seal(key, row.content, bound_to=self._place(row.row_key)).ciphertext

    def _place(self, row_key: str) -> bytes:
        """Where a sealed row belongs: moved to another key or source it does not open."""
        return f"{self.source}:{row_key}".encode()

    @contextmanager
    def _transaction(self) -> Iterator[psycopg.Connection[Any]]:
        try:
            with self.pool.connection() as connection, connection.transaction():
                yield connection
        except psycopg.OperationalError as error:
            raise StoreUnavailable(str(error)) from error
