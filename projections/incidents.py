"""The incident rows: what each event changes in the row of its incident."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from operator import attrgetter
from typing import Any, get_args, get_type_hints
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import psycopg
from psycopg import sql
from psycopg.rows import class_row

from domain import events as e
from domain.deadlines import Deadline
from domain.lifecycle import status_after
from domain.vocabulary import OPEN, Clock, LinkKind, Priority, ReplyAuthor, ReplyKind, Status
from regions.reading.cells import cell_of

UNCOUNTED = frozenset({Status.CAPTURED, Status.REJECTED, Status.MERGED, Status.TRANSFERRED})


@dataclass(slots=True, kw_only=True)
class IncidentRow:
    """One row of the table `incident`; columns in its order, explained there."""

    id: UUID
    region: str
    municipality: str | None
    cell: str | None = None
    version: int = 0
    pos: int = 0
    status: str = Status.CAPTURED
    open: bool = False
    counted: bool = False
    channel: str
    source: str | None = None
    kind: str
    regime: str
    priority: str = Priority.NORMAL
    topic: str | None = None
    organisation: str | None = None
    holder: str | None = None
    merged_into: UUID | None = None
    transferred_to: str | None = None
    origin_region: str | None = None
    origin: UUID | None = None
    recurrence_of: UUID | None = None
    messages: int = 1
    controller: str | None = None
    outcome: str | None = None
    cycle: int = 1
    returns: int = 0
    hops: int = 0
    undelivered: str | None = None
    undelivered_draft: int | None = None
    promised_on: date | None = None
    promise_moves: int = 0
    promise_kept: bool | None = None
    rating: int | None = None
    disputes: int = 0
    recurred: bool = False
    final_replies: int = 0
    final_replies_on_source: int = 0
    auto_replies: int = 0
    replies_deleted: int = 0
    reply_fingerprint: bytes | None = None
    root_cause: str | None = None
    published_at: datetime
    captured_at: datetime
    registered_at: datetime
    registered_on: date
    cycle_started_at: datetime
    assigned_at: datetime | None = None
    accepted_at: datetime | None = None
    first_replied_at: datetime | None = None
    reply_due_at: datetime | None = None
    due_at: datetime | None = None
    due_on: date | None = None
    first_due_at: datetime | None = None
    alarms: str | None = None
    alarm_at: datetime | None = None
    resolved_at: datetime | None = None
    first_resolved_at: datetime | None = None
    first_resolved_on: date | None = None
    first_reopened_at: datetime | None = None
    closed_at: datetime | None = None
    merged_at: datetime | None = None
    changed_at: datetime
    triage_working_seconds: float | None = None
    accept_working_seconds: float | None = None
    reply_working_seconds: float | None = None
    resolution_working_seconds: float | None = None
    first_resolution_working_seconds: float | None = None
    next_reply_seconds: list[float] = field(default_factory=list)
    next_reply_working_seconds: list[float] = field(default_factory=list)
    paused_seconds: float = 0.0
    latitude: float | None = None
    longitude: float | None = None


class Orphan(KeyError):
    """The event's incident has no row, for its registration was passed over."""


def taken(
    row: "IncidentRow | None",
    incident_id: UUID,
    event: e.Event,
    zone: ZoneInfo,
    *,
    version: int,
    pos: int,
) -> "IncidentRow":
    """The row of an incident after an event of its stream. Raises Orphan.

    `row` is the one before; the first event begins one, whatever there was.
    """
    if version == 1 and isinstance(event, Beginning):
        row = begun(incident_id, event, zone)
    if row is None or row.id != incident_id:
        raise Orphan(incident_id)
    change(row, event, zone)
    row.version, row.pos = version, pos
    return row


Beginning = e.MessageCaptured | e.IncidentRegistered


def begun(incident_id: UUID, event: Beginning, zone: ZoneInfo) -> IncidentRow:
    """The row that the first event of a stream begins, before that event is taken into it."""
    return IncidentRow(
        id=incident_id,
        region=event.region,
        municipality=event.municipality,
        cell=cell_of(event.latitude, event.longitude),
        channel=event.channel,
        source=event.source if isinstance(event, e.MessageCaptured) else None,
        kind=event.kind,
        regime=event.regime,
        published_at=event.published_at,
        captured_at=event.occurred_at,
        registered_at=event.occurred_at,
        registered_on=event.occurred_at.astimezone(zone).date(),
        cycle_started_at=event.occurred_at,
        changed_at=event.occurred_at,
        latitude=event.latitude,
        longitude=event.longitude,
    )


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


def _registered(row: IncidentRow, event: e.IncidentRegistered, zone: ZoneInfo) -> None:
    row.kind = event.kind
    row.registered_at = row.cycle_started_at = event.occurred_at
    row.registered_on = event.occurred_at.astimezone(zone).date()
    _locate(row, event.latitude, event.longitude)
    _start_clocks(row, event.deadlines, zone)


def _locate(row: IncidentRow, latitude: float | None, longitude: float | None) -> None:
    if (latitude, longitude) != (row.latitude, row.longitude):
        row.latitude, row.longitude = latitude, longitude
        row.cell = cell_of(latitude, longitude)


def _classified(
    row: IncidentRow, event: e.IncidentClassified | e.IncidentReclassified, zone: ZoneInfo
) -> None:
    row.topic = event.topic


def _message_added(row: IncidentRow, event: e.MessageAdded, zone: ZoneInfo) -> None:
    row.messages += 1
    _start_clocks(row, event.deadlines, zone)


def _merged(row: IncidentRow, event: e.IncidentMerged, zone: ZoneInfo) -> None:
    row.merged_into, row.merged_at = event.into, event.occurred_at
    row.reply_due_at = None
    _ring(row)


def _unmerged(row: IncidentRow, event: e.IncidentUnmerged, zone: ZoneInfo) -> None:
    row.merged_into = row.merged_at = None
    for deadline in event.deadlines:
        if deadline.clock is not Clock.SOLUTION:
            row.reply_due_at = deadline.due_at
    _ring(row)


def _transferred_out(row: IncidentRow, event: e.IncidentTransferredOut, zone: ZoneInfo) -> None:
    row.transferred_to = event.to_region
    row.reply_due_at = None
    _hush(row, *Clock)


def _transferred_in(row: IncidentRow, event: e.IncidentTransferredIn, zone: ZoneInfo) -> None:
    row.origin_region, row.origin = event.origin_region, event.origin


def _linked(row: IncidentRow, event: e.IncidentLinked, zone: ZoneInfo) -> None:
    row.recurrence_of = recurring(event) or row.recurrence_of


def recurring(event: e.Event) -> UUID | None:
    """The incident whose matter came again, if the event says so."""
    if isinstance(event, e.IncidentLinked) and event.kind is LinkKind.RECURRENCE:
        return event.to
    return None


def _messages_taken(row: IncidentRow, event: e.MessagesTaken, zone: ZoneInfo) -> None:
    row.messages += len(event.messages)
    _start_clocks(row, event.deadlines, zone)


def _messages_given_back(row: IncidentRow, event: e.MessagesGivenBack, zone: ZoneInfo) -> None:
    row.messages -= len(event.messages)


def _assigned(row: IncidentRow, event: e.IncidentAssigned, zone: ZoneInfo) -> None:
    row.organisation, row.holder = event.organisation, event.holder
    if row.assigned_at is None:
        row.assigned_at = event.occurred_at
        row.triage_working_seconds = event.working_seconds
    _start_clocks(row, event.deadlines, zone)


def _reassigned(row: IncidentRow, event: e.IncidentReassigned, zone: ZoneInfo) -> None:
    row.hops += row.organisation != event.organisation
    row.organisation, row.holder = event.organisation, event.holder
    _hush(row, CLARIFICATION)


def _returned(row: IncidentRow, event: e.IncidentReturned, zone: ZoneInfo) -> None:
    row.organisation = row.holder = None
    row.returns += 1
    row.hops += 1


def _accepted(row: IncidentRow, event: e.WorkAccepted, zone: ZoneInfo) -> None:
    if row.accepted_at is None:
        row.accepted_at = event.occurred_at
        row.accept_working_seconds = event.working_seconds


def _relocated(row: IncidentRow, event: e.IncidentRelocated, zone: ZoneInfo) -> None:
    """Its days are those of the place it is in: another municipality may keep another time."""
    _locate(row, event.latitude, event.longitude)
    row.registered_on = row.registered_at.astimezone(zone).date()
    if row.due_at is not None:
        row.due_on = row.due_at.astimezone(zone).date()
    if row.first_resolved_at is not None:
        row.first_resolved_on = row.first_resolved_at.astimezone(zone).date()


def _prioritized(row: IncidentRow, event: e.IncidentPrioritized, zone: ZoneInfo) -> None:
    row.priority = event.priority


def _delivered(row: IncidentRow, event: e.ReplyDelivered, zone: ZoneInfo) -> None:
    _reached(row, event.draft)


def _reached(row: IncidentRow, draft: int | None) -> None:
    """Whom this reply did not reach is still to be answered, though it reached others."""
    if draft is None or draft != row.undelivered_draft:
        row.undelivered = row.undelivered_draft = None


def _delivery_failed(row: IncidentRow, event: e.ReplyPublicationFailed, zone: ZoneInfo) -> None:
    row.undelivered, row.undelivered_draft = event.reason, event.draft


def _replied(row: IncidentRow, event: e.ReplyPublished, zone: ZoneInfo) -> None:
    # A person who answers elsewhere publishes the same draft, but says why elsewhere.
    _reached(row, None if event.fallback_reason else event.draft)
    if event.author is not ReplyAuthor.HUMAN:
        row.auto_replies += 1
        return
    row.reply_due_at = None
    _hush(row, Clock.FIRST_REPLY, Clock.NEXT_REPLY)
    if event.kind is ReplyKind.FINAL:
        row.final_replies += 1
        row.final_replies_on_source += event.channel == row.channel
        row.reply_fingerprint = event.text_fingerprint
    if row.first_replied_at is None:
        row.first_replied_at = event.occurred_at
        row.reply_working_seconds = event.working_seconds
    elif event.elapsed_seconds is not None and event.working_seconds is not None:
        row.next_reply_seconds.append(event.elapsed_seconds)
        row.next_reply_working_seconds.append(event.working_seconds)


def _reply_deleted(row: IncidentRow, event: e.ReplyDeleted, zone: ZoneInfo) -> None:
    row.replies_deleted += 1


def _promised(
    row: IncidentRow, event: e.SolutionScheduled | e.PromiseMoved, zone: ZoneInfo
) -> None:
    row.promise_moves += isinstance(event, e.PromiseMoved)
    row.promised_on, row.promise_kept = event.promised_on, None


def _resolved(row: IncidentRow, event: e.IncidentResolved, zone: ZoneInfo) -> None:
    row.outcome = event.outcome
    row.resolved_at = event.occurred_at
    row.resolution_working_seconds = event.working_seconds
    if row.first_resolved_at is None:
        row.first_resolved_at = event.occurred_at
        row.first_resolved_on = event.occurred_at.astimezone(zone).date()
        row.first_resolution_working_seconds = event.working_seconds
    if row.promised_on is not None:
        row.promise_kept = event.occurred_at.astimezone(zone).date() <= row.promised_on
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
    row.first_reopened_at = row.first_reopened_at or event.occurred_at
    row.outcome = row.organisation = row.holder = None
    row.due_at = row.due_on = row.first_due_at = row.promised_on = row.promise_kept = None
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
    e.IncidentRegistered: _registered,
    e.IncidentRejected: _rejected,
    e.IncidentTransferredOut: _transferred_out,
    e.IncidentTransferredIn: _transferred_in,
    e.IncidentLinked: _linked,
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
    e.WorkAccepted: _accepted,
    e.ReplyPublished: _replied,
    e.ReplyDeleted: _reply_deleted,
    e.ReplyDelivered: _delivered,
    e.ReplyPublicationFailed: _delivery_failed,
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
POSTGRES_TYPES = {
    UUID: "uuid",
    str: "text",
    bytes: "bytea",
    int: "int4",
    bool: "bool",
    float: "float8",
    date: "date",
    datetime: "timestamptz",
    list[float]: "float8[]",
}


def _of(hint: Any) -> Any:
    """The type of a column that may be null."""
    return hint if hint in POSTGRES_TYPES else get_args(hint)[0]


COLUMN_TYPES = [
    "int8" if name == "pos" else POSTGRES_TYPES[_of(hint)]
    for name, hint in get_type_hints(IncidentRow).items()
]
UPSERT = sql.SQL(
    "INSERT INTO incident SELECT * FROM incident_batch ON CONFLICT (id) DO UPDATE SET {}"
).format(
    sql.SQL(", ").join(
        sql.SQL("{column} = excluded.{column}").format(column=sql.Identifier(column))
        for column in COLUMNS
        if column != "id"
    )
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
        cursor.execute(UPSERT)
        # The last transaction of a rebuild stores several batches, which may hold the same rows.
        cursor.execute("DELETE FROM incident_batch")


def prepare(connection: psycopg.Connection) -> None:
    """Make the staging table; it empties itself at the end of each transaction."""
    connection.execute(
        "CREATE TEMP TABLE IF NOT EXISTS incident_batch (LIKE incident) ON COMMIT DELETE ROWS"
    )
