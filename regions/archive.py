"""What nobody asks for any more leaves the database for files; the log of events stays whole.

A rebuild, an audit and a look at the past read every event there ever was, so none of them goes.
What goes was written beside the log and only grows: who opened what, and that deliveries came.
"""

import gzip
import os
import tempfile
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import LiteralString

import psycopg
from psycopg import sql

# Platforms repeat for days what they delivered, and while it stands in the inbox it comes once.
KEPT = timedelta(days=31)
# What goes of each table, in which order. Of a source the last delivery stays: by it one knows when
# the source was heard.
LEAVING: Mapping[LiteralString, tuple[LiteralString, LiteralString]] = {
    "access_log": ("at < {before}", "at, id"),
    "inbox": (
        """
        state = 'TAKEN'
        AND settled_at < {before}
        AND received_at < (SELECT max(received_at)
                             FROM inbox AS later
                            WHERE later.source = inbox.source)
        """,
        "received_at, id",
    ),
}


class ArchiveRefused(Exception):
    """What was asked for would lose something; the message says what."""


def archive(
    connection: psycopg.Connection, folder: Path, *, before: datetime, now: datetime
) -> dict[str, int]:
    """Move what is older into a file for each table; returns how many rows of each.

    Whatever breaks it off leaves a row in the database, or in both places. Raises ArchiveRefused if
    `before` is less than KEPT ago, or where a file of that name is already.
    """
    if before > now - KEPT:
        raise ArchiveRefused(f"What is younger than {KEPT.days} days stays in the database")
    return {table: _move(connection, table, folder, before) for table in LEAVING}


def _move(
    connection: psycopg.Connection, table: LiteralString, folder: Path, before: datetime
) -> int:
    file = folder / f"{table}-before-{before:%Y-%m}.csv.gz"
    descriptor, draft = tempfile.mkstemp(prefix=f"{file.name}.", dir=folder)  # ours alone to read
    os.close(descriptor)
    try:
        with connection.transaction():
            moved = _hand_out(connection, table, Path(draft), before)
            if moved:
                _keep(draft, file)
    except FileExistsError:
        raise ArchiveRefused(f"{file} is there already: name another folder") from None
    finally:
        Path(draft).unlink()
    return moved


def _hand_out(
    connection: psycopg.Connection, table: LiteralString, draft: Path, before: datetime
) -> int:
    """One statement removes the rows and tells them: a CSV with a header, in order."""
    condition, order = LEAVING[table]
    statement = sql.SQL(
        "COPY (WITH gone AS (DELETE FROM {} WHERE "
        + condition
        + " RETURNING *) SELECT * FROM gone ORDER BY "
        + order
        + ") TO STDOUT (FORMAT csv, HEADER)"
    ).format(sql.Identifier(table), before=sql.Literal(before))
    cursor = connection.cursor()
    with gzip.open(draft, "wb") as rows, cursor.copy(statement) as copy:
        for block in copy:
            rows.write(block)
    return cursor.rowcount


def _keep(draft: str, file: Path) -> None:
    """Under its name and on the disk, before the rows are gone. Never in the place of another."""
    os.link(draft, file)
    for written in (draft, file.parent):
        descriptor = os.open(written, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
