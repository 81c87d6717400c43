"""The inbox: what a platform delivered, whole and sealed, until its facts stand in the log.

It is stored with the job that takes it in, in one statement: whoever was answered 2xx is heard.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, LiteralString, NamedTuple
from uuid import NAMESPACE_OID, UUID, uuid5

import psycopg
from psycopg_pool import ConnectionPool

from domain.errors import RegionElsewhere
from domain.events import Sealed
from domain.identifiers import new_id
from regions.store.event_store import WRITTEN_ELSEWHERE, OutboxMessage, unavailable
from regions.store.jobs import job
from regions.store.vault import ALGORITHM, SubjectKey, Vault, seal, unseal

TAKE_IN = "take_in"  # the actor


class Delivered(NamedTuple):
    """One delivery of a platform."""

    id: UUID
    source: str
    region: str
    received_at: datetime
    body: bytes
    tries: int


class Kept(NamedTuple):
    """One that could not be taken in, without its body."""

    id: UUID
    source: str
    region: str
    received_at: datetime
    state: str
    reason: str | None
    detail: str | None


@dataclass
class Inbox:
    """Of all sources of a database. Its methods raise StoreUnavailable."""

    pool: ConnectionPool
    vault: Vault
    _key: tuple[str, SubjectKey] | None = None  # of the last day asked for

    def keep(self, source: str, region: str, update_key: str, body: bytes, *, at: datetime) -> bool:
        """Store a delivery and the job for it; False if it came before.

        Raises RegionElsewhere once the region has moved to another node.
        """
        delivery_id, key = new_id(at), self._key_of(at)
        sealed = seal(key, body, bound_to=str(delivery_id).encode())
        work = job(TAKE_IN, str(delivery_id), available_at=at)
        row = (delivery_id, source, region, update_key, at, sealed.subject, sealed.ciphertext)
        try:
            return bool(self._fetch(KEEP, [*row, *_row(work)]))
        except psycopg.DatabaseError as error:
            if error.sqlstate == WRITTEN_ELSEWHERE:
                raise RegionElsewhere(region=region) from None
            raise

    def waiting(self, delivery_id: UUID) -> Delivered | None:
        """The delivery, if it is to be taken in still."""
        rows = self._fetch(
            """
            SELECT id,
                   source,
                   inbox.region,
                   received_at,
                   subject,
                   sealed_body,
                   tries,
                   wrapped
              FROM inbox
              JOIN subject_key USING (subject)
             WHERE id = %s
               AND state = 'WAITING'
            """,
            [delivery_id],
        )
        if not rows:
            return None
        found, source, region, received_at, subject, ciphertext, tries, wrapped = rows[0]
        sealed = Sealed(subject, ALGORITHM, ciphertext)
        body = unseal(self.vault.unwrap(subject, wrapped), sealed, bound_to=str(found).encode())
        return Delivered(found, source, region, received_at, body, tries)

    def settle(self, delivery_id: UUID, came_to: str, *, at: datetime) -> None:
        """It is taken in: what is left of it is that it came."""
        self._fetch(
            """
               UPDATE inbox
                  SET state = 'TAKEN',
                      reason = %s,
                      detail = NULL,
                      sealed_body = NULL,
                      settled_at = %s
                WHERE id = %s
            RETURNING id
            """,
            [came_to, at, delivery_id],
        )

    def quarantine(self, delivery_id: UUID, reason: str, detail: str, *, at: datetime) -> None:
        """Keep it as it came, with what is wrong."""
        self._fetch(
            """
               UPDATE inbox
                  SET state = 'QUARANTINED',
                      reason = %s,
                      detail = %s,
                      settled_at = %s
                WHERE id = %s
                  AND state = 'WAITING'
            RETURNING id
            """,
            [reason, detail, at, delivery_id],
        )

    def try_later(self, delivery_id: UUID, *, at: datetime, after: timedelta) -> None:
        """Put it on the queue again, with one more try counted."""
        work = job(TAKE_IN, str(delivery_id), available_at=at + after)
        self._fetch(REQUEUE, [delivery_id, *_row(work)])

    def replay(self, delivery_id: UUID, *, at: datetime) -> bool:
        """Take a quarantined delivery in anew; False if it is not quarantined."""
        work = job(TAKE_IN, str(delivery_id), available_at=at)
        return bool(self._fetch(REPLAY, [delivery_id, *_row(work)]))

    def kept(self, *, limit: int = 100) -> list[Kept]:
        """What waits or is quarantined, the oldest first."""
        rows = self._fetch(
            """
            SELECT id,
                   source,
                   region,
                   received_at,
                   state,
                   reason,
                   detail
              FROM inbox
             WHERE state <> 'TAKEN'
             ORDER BY received_at, id
             LIMIT %s
            """,
            [limit],
        )
        return [Kept(*row) for row in rows]

    def _key_of(self, at: datetime) -> SubjectKey:
        """The key of the day; whoever is first makes it."""
        day = at.date().isoformat()
        if self._key is None or self._key[0] != day:
            self._key = (day, self._make_key(uuid5(NAMESPACE_OID, f"tsur inbox {day}")))
        return self._key[1]

    def _make_key(self, subject: UUID) -> SubjectKey:
        fresh = self.vault.new_key(subject)
        self._fetch(
            """
            INSERT INTO subject_key (subject, region, wrapped)
            VALUES (%s, '', %s)
                ON CONFLICT (subject) DO NOTHING
            RETURNING subject
            """,
            [subject, fresh.wrapped],
        )
        rows = self._fetch("SELECT wrapped FROM subject_key WHERE subject = %s", [subject])
        return self.vault.unwrap(subject, rows[0][0])

    def _fetch(
        self, statement: LiteralString, parameters: Sequence[object]
    ) -> list[tuple[Any, ...]]:
        try:
            with self.pool.connection() as connection:
                return connection.execute(statement, parameters).fetchall()
        except psycopg.OperationalError as error:
            raise unavailable(error) from error


def _row(work: OutboxMessage) -> tuple[object, ...]:
    return work.message_id, work.queue, work.body.decode(), work.available_at


KEEP: LiteralString = """
  WITH kept AS (
       INSERT INTO inbox (id, source, region, update_key, received_at, subject, sealed_body)
       VALUES (%s, %s, %s, %s, %s, %s, %s)
           ON CONFLICT ON CONSTRAINT update_once DO NOTHING
    RETURNING id
       )
INSERT INTO dramatiq.queue (message_id, queue_name, state, message, available_at)
SELECT %s, %s, 'queued', %s::jsonb, %s
  FROM kept
RETURNING message_id
"""
REQUEUE: LiteralString = """
  WITH tried AS (
       UPDATE inbox
          SET tries = tries + 1
        WHERE id = %s
          AND state = 'WAITING'
    RETURNING id
       )
INSERT INTO dramatiq.queue (message_id, queue_name, state, message, available_at)
SELECT %s, %s, 'queued', %s::jsonb, %s
  FROM tried
RETURNING message_id
"""
REPLAY: LiteralString = """
  WITH tried AS (
       UPDATE inbox
          SET state = 'WAITING',
              tries = 0,
              reason = NULL,
              detail = NULL,
              settled_at = NULL
        WHERE id = %s
          AND state = 'QUARANTINED'
    RETURNING id
       )
INSERT INTO dramatiq.queue (message_id, queue_name, state, message, available_at)
SELECT %s, %s, 'queued', %s::jsonb, %s
  FROM tried
RETURNING message_id
"""
