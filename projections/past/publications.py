"""Rankings as they were published: taken in, and read."""

from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import psycopg
from psycopg import AsyncConnection
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from domain.errors import UnknownPublication
from domain.publications import PublishedRow, RankingPublished
from domain.rights import NETWORK


class PublicationRow(NamedTuple):
    """A row of the table `publication`."""

    id: UUID
    published_at: datetime
    role: str
    first: date
    last: date
    of: str
    by: str
    working: bool
    method: str
    only_region: str | None
    inputs_hash: str
    positions: dict[str, int]
    rows: list[dict[str, Any]]
    restates: UUID | None
    reason: str | None
    restated_by: UUID | None

    @property
    def lines(self) -> list[PublishedRow]:
        return msgspec.convert(self.rows, list[PublishedRow])


def record(connection: psycopg.Connection, event: RankingPublished) -> None:
    """Take the event into the table `publication`."""
    question, found = event.question, event.found
    connection.execute(
        """
        INSERT INTO publication (id, published_at, role, first, last, of, by, working, method,
                                 only_region, inputs_hash, positions, rows, restates, reason)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        [
            event.publication,
            event.occurred_at,
            event.role,
            question.first,
            question.last,
            question.of,
            question.by,
            question.working,
            question.method,
            question.only_region,
            found.inputs_hash,
            Jsonb(found.positions),
            Jsonb(msgspec.to_builtins(found.rows)),
            event.restates,
            event.reason,
        ],
    )
    if event.restates is not None:
        connection.execute(
            "UPDATE publication SET restated_by = %s WHERE id = %s",
            [event.publication, event.restates],
        )


async def publication(connection: AsyncConnection[Any], of: UUID) -> PublicationRow:
    """Raises UnknownPublication."""
    async with connection.cursor(row_factory=class_row(PublicationRow)) as cursor:
        await cursor.execute("SELECT * FROM publication WHERE id = %s", [of])
        row = await cursor.fetchone()
    if row is None:
        raise UnknownPublication(publication=of)
    return row


async def publication_recorded(connection: AsyncConnection[Any], pos: int) -> PublicationRow:
    """The one whose event stands at this position of the network's log."""
    cursor = await connection.execute(
        "SELECT (payload->>'publication')::uuid FROM events WHERE region = %s AND pos = %s",
        [NETWORK, pos],
    )
    row = await cursor.fetchone()
    return await publication(connection, row[0] if row else UUID(int=0))


async def publications(
    connection: AsyncConnection[Any], region: str | None, *, first: int, after: UUID | None
) -> list[PublicationRow]:
    """The latest first, without their rows; of the country, or of what is within a region."""
    async with connection.cursor(row_factory=class_row(PublicationRow)) as cursor:
        await cursor.execute(
            """
            SELECT id, published_at, role, first, last, of, by, working, method, only_region,
                   inputs_hash, positions, '[]'::jsonb AS rows, restates, reason, restated_by
              FROM publication
             WHERE only_region IS NOT DISTINCT FROM %(region)s
               AND (%(after)s::uuid IS NULL OR id < %(after)s)
             ORDER BY id DESC
             LIMIT %(first)s
            """,
            {"region": region, "after": after, "first": first},
        )
        return await cursor.fetchall()
