"""The incident rows: what each event changes in the row of its incident."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from datetime import date, datetime
from operator import attrgetter
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import psycopg
from psycopg.rows import class_row

from domain import events as e
from domain.deadlines import Deadline
from domain.lifecycle import status_after
from domain.vocabulary import OPEN, Clock, Priority, ReplyAuthor, Status

UNCOUNTED = frozenset({Status.REJECTED, Status.MERGED, Status.TRANSFERRED})


@dataclass(slots=True)
class IncidentRow:
    """One row of the table `incident`; columns in its order, explained there."""

    id: UUID
    region: str
    municipality: str | None
    version: int
    pos: int
    status: str
    open: bool
    counted: bool
    channel: str
    kind: str
    regime: str
    priority: str
    topic: str | None
    organisation: str | None
    holder: str | None
    merged_into: UUID | None
    messages: int
    controller: str | None
    outcome: str | None
    cycle: int
    returns: int
    hops: int
    promised_on: date | None
    promise_moves: int
    rating: int | None
    disputes: int
    root_cause: str | None
    published_at: datetime
    registered_at: datetime
    registered_on: date
    cycle_started_at: datetime
    assigned_at: datetime | None
    first_replied_at: datetime | None
    reply_due_at: datetime | None
    due_at: datetime | None
    due_on: date | None
    first_due_at: datetime | None
    alarms: str | None
    alarm_at: datetime | None
    resolved_at: datetime | None
    closed_at: datetime | None
    changed_at: datetime
    reply_working_seconds: float | None
    resolution_working_seconds: float | None
    paused_seconds: float
    latitude: float | None
    longitude: float | None


def registered(incident_id: UUID, event: e.IncidentRegistered, zone: ZoneInfo) -> IncidentRow:
    """The row a registration begins; its version and position are set like any other event's."""
    row = IncidentRow(
        id=incident_id,
        region=event.region,
        municipality=event.municipality,
        version=0,
        pos=0,
        status=Status.REGISTERED,
        open=True,
        counted=True,
        channel=event.channel,
        kind=event.kind,
        regime=event.regime,
        priority=Priority.NORMAL,
        topic=None,
        organisation=None,
        holder=None,
        merged_into=None,
        messages=1,
        controller=None,
        outcome=None,
        cycle=1,
        returns=0,
        hops=0,
        promised_on=None,
        promise_moves=0,
        rating=None,
        disputes=0,
        root_cause=None,
        published_at=event.published_at,
        registered_at=event.occurred_at,
        registered_on=event.occurred_at.astimezone(zone).date(),
        cycle_started_at=event.occurred_at,
        assigned_at=None,
        first_replied_at=None,
        reply_due_at=None,
        due_at=None,
        due_on=None,
        first_due_at=None,
        alarms=None,
        alarm_at=None,
        resolved_at=None,
        closed_at=None,
        changed_at=event.occurred_at,
        reply_working_seconds=None,
        resolution_working_seconds=None,
        paused_seconds=0.0,
        latitude=event.latitude,
        longitude=event.longitude,
    )
    _start_clocks(row, event.deadlines, zone)
    return row


def change(row: IncidentRow, event: e.Event, zone: ZoneInfo) -> None:
    """Take one event into its incident's row."""
    row.changed_at = event.occurred_at
    row.municipality = event.municipality
    handler = HANDLERS.get(type(event))
    if handler is not None:
        handler(row, event, zone)
    status = status_after(Status(row.status), event, controlled=row.controller is not None)
    row.status = status
    row.open = status in OPEN
    row.counted = status not in UNCOUNTED


def _classified(
    row: IncidentRow, event: e.IncidentClassified | e.IncidentReclassified, zone: ZoneInfo
) -> None:
    row.topic = event.topic


def _message_added(row: IncidentRow, event: e.MessageAdded, zone: ZoneInfo) -> None:
    row.messages += 1
    _start_clocks(row, event.deadlines, zone)


def _merged(row: IncidentRow, event: e.IncidentMerged, zone: ZoneInfo) -> None:
    row.merged_into = event.into
    row.reply_due_at = None
    _ring(row)


def _unmerged(row: IncidentRow, event: e.IncidentUnmerged, zone: ZoneInfo) -> None:
    row.merged_into = None
    for deadline in event.deadlines:
        if deadline.clock is not Clock.SOLUTION:
            row.reply_due_at = deadline.due_at
    _ring(row)


def _messages_taken(row: IncidentRow, event: e.MessagesTaken, zone: ZoneInfo) -> None:
    row.messages += len(event.messages)
    _start_clocks(row, event.deadlines, zone)


def _messages_given_back(row: IncidentRow, event: e.MessagesGivenBack, zone: ZoneInfo) -> None:
    row.messages -= len(event.messages)


def _assigned(row: IncidentRow, event: e.IncidentAssigned, zone: ZoneInfo) -> None:
    row.hops += row.assigned_at is not None and row.organisation != event.organisation
    row.organisation, row.holder = event.organisation, event.holder
    row.assigned_at = row.assigned_at or event.occurred_at
    _start_clocks(row, event.deadlines, zone)


def _reassigned(row: IncidentRow, event: e.IncidentReassigned, zone: ZoneInfo) -> None:
    row.hops += 1
    row.organisation, row.holder = event.organisation, event.holder
    _hush(row, CLARIFICATION)


def _returned(row: IncidentRow, event: e.IncidentReturned, zone: ZoneInfo) -> None:
    row.organisation = row.holder = None
    row.returns += 1


def _relocated(row: IncidentRow, event: e.IncidentRelocated, zone: ZoneInfo) -> None:
    row.latitude, row.longitude = event.latitude, event.longitude


def _prioritized(row: IncidentRow, event: e.IncidentPrioritized, zone: ZoneInfo) -> None:
    row.priority = event.priority


def _replied(row: IncidentRow, event: e.ReplyPublished, zone: ZoneInfo) -> None:
    if event.author is not ReplyAuthor.HUMAN:
        return
    row.reply_due_at = None
    _hush(row, Clock.FIRST_REPLY, Clock.NEXT_REPLY)
    if row.first_replied_at is None:
        row.first_replied_at = event.occurred_at
        row.reply_working_seconds = event.working_seconds


def _promised(
    row: IncidentRow, event: e.SolutionScheduled | e.PromiseMoved, zone: ZoneInfo
) -> None:
    row.promise_moves += isinstance(event, e.PromiseMoved)
    row.promised_on = event.promised_on


def _resolved(row: IncidentRow, event: e.IncidentResolved, zone: ZoneInfo) -> None:
    row.outcome = event.outcome
    row.resolved_at = event.occurred_at
    row.resolution_working_seconds = event.working_seconds
    row.paused_seconds = event.paused_seconds
    row.reply_due_at = None
    _hush(row, *Clock)
    _alarm(row, CLOSING, [event.closes_at] if event.closes_at else [])


def _rejected(row: IncidentRow, event: e.IncidentRejected, zone: ZoneInfo) -> None:
    row.closed_at = event.occurred_at
    row.controller = None
    row.reply_due_at = None
    _hush(row, *Clock)


def _control_taken(row: IncidentRow, event: e.PersonalControlTaken, zone: ZoneInfo) -> None:
    row.controller = event.actor
    _ring(row)


def _control_lifted(row: IncidentRow, event: e.PersonalControlLifted, zone: ZoneInfo) -> None:
    row.controller = None
    _ring(row)


def _closed(row: IncidentRow, event: e.IncidentClosed | e.ReopenDeclined, zone: ZoneInfo) -> None:
    row.controller = None
    row.closed_at = event.occurred_at
    _hush(row, CLOSING)


def _rated(row: IncidentRow, event: e.CitizenRated, zone: ZoneInfo) -> None:
    row.rating = event.score


def _disputed(row: IncidentRow, event: e.ResolutionDisputed, zone: ZoneInfo) -> None:
    row.disputes += 1
    row.closed_at = None
    _hush(row, CLOSING)


def _reopened(row: IncidentRow, event: e.IncidentReopened, zone: ZoneInfo) -> None:
    row.cycle += 1
    row.cycle_started_at = event.occurred_at
    row.outcome = row.organisation = row.holder = None
    row.due_at = row.due_on = row.first_due_at = row.promised_on = None
    row.resolved_at = row.resolution_working_seconds = None
    row.paused_seconds = 0.0
    _start_clocks(row, event.deadlines, zone)


def _clarification_requested(
    row: IncidentRow, event: e.ClarificationRequested, zone: ZoneInfo
) -> None:
    _alarm(row, CLARIFICATION, [event.until] if event.until else [])


def _clarified(row: IncidentRow, event: e.ClarificationReceived, zone: ZoneInfo) -> None:
    _hush(row, CLARIFICATION)
    _start_clocks(row, event.deadlines, zone)


def _timed_out(row: IncidentRow, event: e.ClarificationTimedOut, zone: ZoneInfo) -> None:
    _hush(row, CLARIFICATION)


def _cause_recorded(row: IncidentRow, event: e.RootCauseRecorded, zone: ZoneInfo) -> None:
    row.root_cause = event.cause


def _deadline_set(
    row: IncidentRow, event: e.DeadlineSet | e.DeadlineExtended, zone: ZoneInfo
) -> None:
    _start_clock(row, event.deadline, zone)


def _deadline_resumed(row: IncidentRow, event: e.DeadlineResumed, zone: ZoneInfo) -> None:
    """What was said before the pause is not said again, nor is what was missed missed anew."""
    deadline = event.deadline
    before = _alarms(row).get(PAUSED + deadline.clock, [])
    missed = row.due_at is not None and row.due_at not in before
    warned = len(before) < 2
    _start_clock(row, deadline, zone)
    if missed:
        _alarm(row, deadline.clock, before)
    elif warned:
        _alarm(row, deadline.clock, [deadline.due_at])


def _start_clocks(row: IncidentRow, deadlines: tuple[Deadline, ...], zone: ZoneInfo) -> None:
    for deadline in deadlines:
        _start_clock(row, deadline, zone)


def _start_clock(row: IncidentRow, deadline: Deadline, zone: ZoneInfo) -> None:
    if deadline.clock is Clock.SOLUTION:
        row.due_at = deadline.due_at
        row.due_on = deadline.due_at.astimezone(zone).date()
        row.first_due_at = row.first_due_at or deadline.due_at
    else:
        row.reply_due_at = deadline.due_at
    _alarm(row, deadline.clock, [at for at in (deadline.warn_at, deadline.due_at) if at])


def _deadline_warned(row: IncidentRow, event: e.DeadlineWarned, zone: ZoneInfo) -> None:
    _alarm(row, event.clock, [event.due_at])


def _deadline_passed(
    row: IncidentRow, event: e.DeadlineMissed | e.EscalationRaised, zone: ZoneInfo
) -> None:
    _alarm(row, event.clock, [event.next_at] if event.next_at else [])


def _deadline_paused(row: IncidentRow, event: e.DeadlinePaused, zone: ZoneInfo) -> None:
    """A clock that stands still is late for nothing, unless it was so before."""
    if row.due_at is not None and row.due_at >= event.occurred_at:
        row.due_at = row.due_on = None
    moments = _alarms(row).get(event.clock, [])
    _hush(row, event.clock)
    _alarm(row, PAUSED + event.clock, moments)


CLARIFICATION, CLOSING = "CLARIFICATION", "CLOSING"  # alarms beside those of the clocks
PAUSED = "PAUSED "  # before the name of a clock: what it has to say when it runs on
ALARMS = msgspec.json.Decoder(dict[str, list[datetime]])


def _alarms(row: IncidentRow) -> dict[str, list[datetime]]:
    return ALARMS.decode(row.alarms) if row.alarms else {}


def _alarm(row: IncidentRow, name: str, moments: list[datetime]) -> None:
    """When a clock has something to say, from now on; nothing for no moments."""
    alarms = _alarms(row)
    alarms.pop(name, None)
    alarms.pop(PAUSED + name, None)
    if moments:
        alarms[name] = moments
    row.alarms = msgspec.json.encode(alarms).decode() if alarms else None
    _ring(row)


def _ring(row: IncidentRow) -> None:
    """Set when the next alarm goes off.

    Under personal control nothing is closed by a clock; merged, an incident has nothing to say.
    """
    silent = [CLOSING] if row.controller is not None else []
    if row.merged_into is not None:
        silent = list(_alarms(row))
    row.alarm_at = min(
        (
            moment
            for name, moments in _alarms(row).items()
            if name not in silent and not name.startswith(PAUSED)
            for moment in moments
        ),
        default=None,
    )


def _hush(row: IncidentRow, *names: str) -> None:
    if row.alarms:
        for name in names:
            _alarm(row, name, [])


# The events that are not here change only state, time and place.
HANDLERS: dict[type[e.Event], Callable[[IncidentRow, Any, ZoneInfo], None]] = {
    e.IncidentRejected: _rejected,
    e.IncidentClassified: _classified,
    e.IncidentReclassified: _classified,
    e.MessageAdded: _message_added,
    e.IncidentMerged: _merged,
    e.IncidentUnmerged: _unmerged,
    e.MessagesTaken: _messages_taken,
    e.MessagesGivenBack: _messages_given_back,
    e.IncidentAssigned: _assigned,
    e.IncidentReassigned: _reassigned,
    e.ClarificationRequested: _clarification_requested,
    e.ClarificationReceived: _clarified,
    e.ClarificationTimedOut: _timed_out,
    e.IncidentReturned: _returned,
    e.IncidentRelocated: _relocated,
    e.IncidentPrioritized: _prioritized,
    e.ReplyPublished: _replied,
    e.SolutionScheduled: _promised,
    e.PromiseMoved: _promised,
    e.IncidentResolved: _resolved,
    e.PersonalControlTaken: _control_taken,
    e.PersonalControlLifted: _control_lifted,
    e.IncidentClosed: _closed,
    e.ReopenDeclined: _closed,
    e.CitizenRated: _rated,
    e.ResolutionDisputed: _disputed,
    e.IncidentReopened: _reopened,
    e.RootCauseRecorded: _cause_recorded,
    e.DeadlineSet: _deadline_set,
    e.DeadlineResumed: _deadline_resumed,
    e.DeadlineExtended: _deadline_set,
    e.DeadlineWarned: _deadline_warned,
    e.DeadlineMissed: _deadline_passed,
    e.EscalationRaised: _deadline_passed,
    e.DeadlinePaused: _deadline_paused,
}

COLUMNS = tuple(column.name for column in fields(IncidentRow))
# dataclasses.astuple would copy every cell deeply: half of the time of a rebuild.
CELLS = attrgetter(*COLUMNS)
COLUMN_TYPES = (
    *("uuid", "text", "text", "int4", "int8", "text", "bool", "bool", "text", "text", "text"),
    *("text", "text", "text", "text", "uuid", "int4", "text", "text", "int4", "int4", "int4"),
    *("date", "int4", "int4", "int4", "text", "timestamptz", "timestamptz", "date", "timestamptz"),
    *("timestamptz", "timestamptz", "timestamptz", "timestamptz", "date", "timestamptz", "text"),
    *("timestamptz", "timestamptz", "timestamptz", "timestamptz", "float8", "float8", "float8"),
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
               SET municipality               = excluded.municipality,
                   version                    = excluded.version,
                   pos                        = excluded.pos,
                   status                     = excluded.status,
                   open                       = excluded.open,
                   counted                    = excluded.counted,
                   priority                   = excluded.priority,
                   topic                      = excluded.topic,
                   organisation               = excluded.organisation,
                   holder                     = excluded.holder,
                   merged_into                = excluded.merged_into,
                   messages                   = excluded.messages,
                   controller                 = excluded.controller,
                   outcome                    = excluded.outcome,
                   cycle                      = excluded.cycle,
                   returns                    = excluded.returns,
                   hops                       = excluded.hops,
                   promised_on                = excluded.promised_on,
                   promise_moves              = excluded.promise_moves,
                   rating                     = excluded.rating,
                   disputes                   = excluded.disputes,
                   root_cause                 = excluded.root_cause,
                   cycle_started_at           = excluded.cycle_started_at,
                   assigned_at                = excluded.assigned_at,
                   first_replied_at           = excluded.first_replied_at,
                   reply_due_at               = excluded.reply_due_at,
                   due_at                     = excluded.due_at,
                   due_on                     = excluded.due_on,
                   first_due_at               = excluded.first_due_at,
                   alarms                     = excluded.alarms,
                   alarm_at                   = excluded.alarm_at,
                   resolved_at                = excluded.resolved_at,
                   closed_at                  = excluded.closed_at,
                   changed_at                 = excluded.changed_at,
                   reply_working_seconds      = excluded.reply_working_seconds,
                   resolution_working_seconds = excluded.resolution_working_seconds,
                   paused_seconds             = excluded.paused_seconds,
                   latitude                   = excluded.latitude,
                   longitude                  = excluded.longitude
            """
        )
        # The last transaction of a rebuild stores several batches, which may hold the same rows.
        cursor.execute("DELETE FROM incident_batch")


def prepare(connection: psycopg.Connection) -> None:
    """Make the staging table; it empties itself at the end of each transaction."""
    connection.execute(
        "CREATE TEMP TABLE IF NOT EXISTS incident_batch (LIKE incident) ON COMMIT DELETE ROWS"
    )
