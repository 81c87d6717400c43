"""The incident rows: what each event changes in the row of its incident."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from datetime import date, datetime
from operator import attrgetter
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
from psycopg.rows import class_row

from domain.events import (
    Event,
    IncidentAssigned,
    IncidentClassified,
    IncidentClosed,
    IncidentRegistered,
    IncidentReopened,
    IncidentResolved,
    IncidentReturned,
    ReplyPublished,
)
from domain.incident import TRANSITIONS
from domain.vocabulary import ReplyAuthor, Status


@dataclass(slots=True)
class IncidentRow:
    """One row of the table `incident`; columns in its order, explained there."""

    id: UUID
    region: str
    municipality: str | None
    version: int
    pos: int
    status: str
    channel: str
    kind: str
    topic: str | None
    organisation: str | None
    outcome: str | None
    cycle: int
    returns: int
    published_at: datetime
    registered_at: datetime
    registered_on: date
    cycle_started_at: datetime
    assigned_at: datetime | None
    first_replied_at: datetime | None
    due_at: datetime | None
    due_on: date | None
    resolved_at: datetime | None
    closed_at: datetime | None
    changed_at: datetime
    latitude: float | None
    longitude: float | None


def registered(incident_id: UUID, event: IncidentRegistered, zone: ZoneInfo) -> IncidentRow:
    """The row a registration begins; its version and position are set like any other event's."""
    return IncidentRow(
        id=incident_id,
        region=event.region,
        municipality=event.municipality,
        version=0,
        pos=0,
        status=Status.REGISTERED,
        channel=event.channel,
        kind=event.kind,
        topic=None,
        organisation=None,
        outcome=None,
        cycle=1,
        returns=0,
        published_at=event.published_at,
        registered_at=event.occurred_at,
        registered_on=event.occurred_at.astimezone(zone).date(),
        cycle_started_at=event.occurred_at,
        assigned_at=None,
        first_replied_at=None,
        due_at=None,
        due_on=None,
        resolved_at=None,
        closed_at=None,
        changed_at=event.occurred_at,
        latitude=event.latitude,
        longitude=event.longitude,
    )


def change(row: IncidentRow, event: Event, zone: ZoneInfo) -> None:
    """Take one event into its incident's row."""
    row.status = TRANSITIONS[type(event)].target or row.status
    row.changed_at = event.occurred_at
    handler = HANDLERS.get(type(event))
    if handler is not None:
        handler(row, event, zone)


def _classified(row: IncidentRow, event: IncidentClassified, zone: ZoneInfo) -> None:
    row.topic = event.topic


def _assigned(row: IncidentRow, event: IncidentAssigned, zone: ZoneInfo) -> None:
    row.organisation = event.organisation
    row.assigned_at = row.assigned_at or event.occurred_at
    if event.due_at is not None:
        row.due_at = event.due_at
        row.due_on = event.due_at.astimezone(zone).date()


def _returned(row: IncidentRow, event: IncidentReturned, zone: ZoneInfo) -> None:
    row.organisation = None
    row.returns += 1


def _replied(row: IncidentRow, event: ReplyPublished, zone: ZoneInfo) -> None:
    if event.author is ReplyAuthor.HUMAN and row.first_replied_at is None:
        row.first_replied_at = event.occurred_at


def _resolved(row: IncidentRow, event: IncidentResolved, zone: ZoneInfo) -> None:
    row.outcome = event.outcome
    row.resolved_at = event.occurred_at


def _closed(row: IncidentRow, event: IncidentClosed, zone: ZoneInfo) -> None:
    row.closed_at = event.occurred_at


def _reopened(row: IncidentRow, event: IncidentReopened, zone: ZoneInfo) -> None:
    row.cycle += 1
    row.cycle_started_at = event.occurred_at
    row.outcome = row.organisation = row.due_at = row.due_on = None
    row.resolved_at = row.closed_at = None


# Events that are not here (work accepted, personal data erased) change only status and time.
HANDLERS: dict[type[Event], Callable[[IncidentRow, Any, ZoneInfo], None]] = {
    IncidentClassified: _classified,
    IncidentAssigned: _assigned,
    IncidentReturned: _returned,
    ReplyPublished: _replied,
    IncidentResolved: _resolved,
    IncidentClosed: _closed,
    IncidentReopened: _reopened,
}

COLUMNS = tuple(column.name for column in fields(IncidentRow))
# dataclasses.astuple would copy every cell deeply: half of the time of a rebuild.
CELLS = attrgetter(*COLUMNS)
COLUMN_TYPES = (
    *("uuid", "text", "text", "int4", "int8", "text", "text", "text", "text", "text", "text"),
    *("int4", "int4", "timestamptz", "timestamptz", "date", "timestamptz", "timestamptz"),
    *("timestamptz", "timestamptz", "date", "timestamptz", "timestamptz", "timestamptz"),
    *("float8", "float8"),
)


def load(connection: psycopg.Connection, ids: list[UUID]) -> dict[UUID, IncidentRow]:
    """The rows that exist of these incidents."""
    with connection.cursor(row_factory=class_row(IncidentRow)) as cursor:
        cursor.execute("SELECT * FROM incident WHERE id = ANY (%b)", [ids], binary=True)
        return {row.id: row for row in cursor}


def store(connection: psycopg.Connection, rows: Iterable[IncidentRow]) -> None:
    """Insert or replace whole rows, through a staging table of this connection."""
    with connection.cursor() as cursor:
        with cursor.copy("COPY incident_batch FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(COLUMN_TYPES)
            for row in rows:
                copy.write_row(CELLS(row))
        cursor.execute(
            """
            INSERT INTO incident
            SELECT * FROM incident_batch
                ON CONFLICT (id) DO UPDATE
               SET version          = excluded.version,
                   pos              = excluded.pos,
                   municipality     = excluded.municipality,
                   status           = excluded.status,
                   topic            = excluded.topic,
                   organisation     = excluded.organisation,
                   outcome          = excluded.outcome,
                   cycle            = excluded.cycle,
                   returns          = excluded.returns,
                   cycle_started_at = excluded.cycle_started_at,
                   assigned_at      = excluded.assigned_at,
                   first_replied_at = excluded.first_replied_at,
                   due_at           = excluded.due_at,
                   due_on           = excluded.due_on,
                   resolved_at      = excluded.resolved_at,
                   closed_at        = excluded.closed_at,
                   changed_at       = excluded.changed_at,
                   latitude         = excluded.latitude,
                   longitude        = excluded.longitude
            """
        )
        # The last transaction of a rebuild stores several batches, which may hold the same rows.
        cursor.execute("DELETE FROM incident_batch")


def prepare(connection: psycopg.Connection) -> None:
    """Make the staging table; it empties itself at the end of each transaction."""
    connection.execute(
        "CREATE TEMP TABLE IF NOT EXISTS incident_batch (LIKE incident) ON COMMIT DELETE ROWS"
    )
