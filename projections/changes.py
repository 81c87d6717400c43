"""The change feed: what happened in a region, and in each municipality of it, in order."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import psycopg


class ChangeRow(NamedTuple):
    """One row of the table `change`."""

    region: str
    pos: int
    municipality: str | None
    moved_from: str | None  # the municipality that loses it by this change
    incident_id: UUID
    version: int
    event: str
    status: str
    occurred_at: datetime


COLUMN_TYPES = ("text", "int8", "text", "text", "uuid", "int4", "text", "text", "timestamptz")


def append(connection: psycopg.Connection, rows: Iterable[ChangeRow]) -> None:
    """Add to the feed; a position that is there already is an error, not a repetition."""
    with (
        connection.cursor() as cursor,
        cursor.copy("COPY change FROM STDIN (FORMAT binary)") as copy,
    ):
        copy.set_types(COLUMN_TYPES)
        for row in rows:
            copy.write_row(row)
