"""Events on disk: one table, one gapless sequence of positions per region.

    INVARIANT  for every region: count(events) = max(events.pos) = region_head.pos

A save is a single statement. In it `record_events` (store/migrations/0010) moves the region's head
and inserts at the positions it gained; no process may do either by itself.
The lock on the head row makes the order of positions the order of commits, so a reader that follows
`pos` can miss nothing, and a rollback leaves no gap. There is no NOTIFY in it: a transaction with a
pending NOTIFY takes a lock of the whole cluster at commit, which costs two thirds of the commits.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, LiteralString, cast
from uuid import UUID

import msgspec
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    InfrastructureFactory,
    IntegrityError,
    Mapper,
    Notification,
    OperationalError,
    ProcessRecorder,
    StoredEvent,
    Subscription,
    TrackingRecorder,
)
from psycopg import errors
from psycopg_pool import ConnectionPool

from domain.errors import RegionElsewhere
from domain.events import EVENTS, Event
from domain.incident import StreamEvent
from domain.office import OFFICE_EVENTS, OfficeStreamEvent
from domain.publications import RankingPublished


class AlreadyRecorded(IntegrityError):
    """Somebody was there first: one of the three below."""


class StreamConflict(AlreadyRecorded):
    """An event with this version of the incident exists already."""


class CommandRepeated(AlreadyRecorded):
    """The command was recorded before."""


class MessageRepeated(AlreadyRecorded):
    """The message of this channel is an incident already."""


class StoreUnavailable(OperationalError):
    """The database did not answer; whether it committed is not known."""


WRITTEN_ELSEWHERE = "TS001"  # of refuse_followed in regions/store/migrations

CONFLICTS: dict[str, type[AlreadyRecorded]] = {
    "events_stream": StreamConflict,
    "command_once": CommandRepeated,
    "message_once": MessageRepeated,
}


@dataclass(frozen=True, slots=True)
class CommandRecord:
    """Remembers a command together with its events."""

    command_id: UUID
    fingerprint: bytes
    incident_id: UUID
    version: int
    last_event: int  # which event of the save, from 1, is the command's last


@dataclass(frozen=True, slots=True)
class OutboxMessage:
    """A job for a worker, on its queue if and only if the events are stored."""

    message_id: UUID
    queue: str
    body: bytes  # JSON as dramatiq encodes it; identifiers only
    available_at: datetime


@dataclass(slots=True)
class Alongside:
    """What a save writes beside its events, in the same statement."""

    commands: list[CommandRecord] = field(default_factory=list)
    messages: list[tuple[str, str, UUID]] = field(default_factory=list)  # channel, id, incident
    # Messages that another region hands over: channel, id, incident here, incident there.
    taken_messages: list[tuple[str, str, UUID, UUID]] = field(default_factory=list)
    # Our own replies, by which somebody may answer: channel, id, incident.
    replies: list[tuple[str, str, UUID]] = field(default_factory=list)
    new_keys: list[tuple[UUID, bytes]] = field(default_factory=list)  # subject, wrapped key
    destroyed_keys: list[UUID] = field(default_factory=list)
    outbox: list[OutboxMessage] = field(default_factory=list)


class EventMapper(Mapper[UUID]):
    """Between StreamEvent and its stored form: the topic and plain JSON that SQL can read."""

    def to_stored_event(self, domain_event: DomainEventProtocol[UUID]) -> StoredEvent:
        if not isinstance(domain_event, StreamEvent | OfficeStreamEvent):
            raise TypeError(f"Only StreamEvents are stored, not {type(domain_event).__name__}")
        return StoredEvent(
            originator_id=domain_event.originator_id,
            originator_version=domain_event.originator_version,
            topic=domain_event.event.TOPIC,
            state=ENCODER.encode(domain_event.event),
        )

    def to_domain_event(self, stored_event: StoredEvent) -> StreamEvent:
        return StreamEvent(
            cast(UUID, stored_event.originator_id),  # a uuid column
            stored_event.originator_version,
            decode_event(stored_event.topic, stored_event.state),
        )


ENCODER = msgspec.json.Encoder()
KINDS: tuple[type[Event], ...] = (*EVENTS.values(), *OFFICE_EVENTS.values(), RankingPublished)
DECODERS = {kind.TOPIC: msgspec.json.Decoder(kind) for kind in KINDS}


def decode_event(topic: str, payload: bytes | str) -> Event:
    """Raises KeyError for an unknown topic, msgspec.ValidationError for a foreign payload."""
    return DECODERS[topic].decode(payload)


class RegionRecorder(ApplicationRecorder):
    """Writes and reads the events of one region."""

    def __init__(self, pool: ConnectionPool, region: str) -> None:
        self.pool = pool
        self.region = region

    def insert_events(
        self,
        stored_events: Sequence[StoredEvent],
        *,
        alongside: Alongside | None = None,
        **_: object,
    ) -> Sequence[int]:
        """Append all or nothing; returns the positions.

        Raises StreamConflict, CommandRepeated or MessageRepeated, RegionElsewhere, and
        StoreUnavailable when the answer was lost: then the events may be stored or not.
        """
        if not stored_events:
            return []
        statement, parameters = _append(self.region, stored_events, alongside or Alongside())
        try:
            with self.pool.connection() as connection:
                row = connection.execute(statement, parameters).fetchone()
        except errors.UniqueViolation as error:
            conflict = CONFLICTS.get(error.diag.constraint_name or "")
            if conflict is None:
                raise  # the log contradicts itself: no answer to a client, but somebody's alarm
            raise conflict(str(error)) from error
        except errors.OperationalError as error:
            raise unavailable(error) from error
        except errors.DatabaseError as error:
            if error.sqlstate == WRITTEN_ELSEWHERE:
                raise RegionElsewhere(region=self.region) from None
            raise
        if row is None:
            raise RegionElsewhere(region=self.region)  # it has no head here
        return range(row[0] - len(stored_events) + 1, row[0] + 1)

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """The events of one incident, by version."""
        found = self._fetch(
            """
            SELECT originator_id,
                   originator_version,
                   topic,
                   payload::text
              FROM events
             WHERE region = %s
               AND originator_id = %s
               AND originator_version > %s
               AND originator_version <= %s
             ORDER BY originator_version
             LIMIT %s
            """,
            [
                self.region,
                originator_id,
                gt or 0,
                MAX_VERSION if lte is None else lte,
                None if desc else limit,
            ],
        )
        events = [StoredEvent(i, v, topic, payload.encode()) for i, v, topic, payload in found]
        return events[::-1][:limit] if desc else events

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """The events of the region by position."""
        first = (start or 0) + (0 if inclusive_of_start else 1)
        found = self._fetch(
            """
            SELECT originator_id,
                   originator_version,
                   topic,
                   payload::text,
                   pos
              FROM events
             WHERE region = %s
               AND pos >= %s
               AND pos <= %s
               AND (cardinality(%s::text[]) = 0 OR topic = ANY (%s))
             ORDER BY pos
             LIMIT %s
            """,
            [
                self.region,
                first,
                MAX_POSITION if stop is None else stop,
                list(topics),
                list(topics),
                limit,
            ],
        )
        return [
            Notification(i, v, topic, payload.encode(), pos) for i, v, topic, payload, pos in found
        ]

    def max_notification_id(self) -> int | None:
        """The region's head, or None before its first event."""
        found = self._fetch("SELECT pos FROM region_head WHERE region = %s", [self.region])
        return (found[0][0] or None) if found else None

    def subscribe(
        self, gt: int | None = None, topics: Sequence[str] = ()
    ) -> Subscription[ApplicationRecorder]:
        raise NotImplementedError("Follow the read model (projections.projector) instead")

    def _fetch(self, statement: LiteralString, parameters: list[object]) -> list[tuple[Any, ...]]:
        try:
            with self.pool.connection() as connection:
                return connection.execute(statement, parameters).fetchall()
        except errors.OperationalError as error:
            raise unavailable(error) from error


# Classes of SQLSTATE that waiting can mend: connection lost, server shutting down, transaction
# rolled back. Without a code the connection itself failed. A full disk is not among them.
PASSING = ("08", "57P", "40")


def unavailable(error: errors.OperationalError) -> Exception:
    """StoreUnavailable where it is worth trying again, else the error itself."""
    if error.sqlstate is None or error.sqlstate.startswith(PASSING):
        return StoreUnavailable(str(error))
    return error


MAX_VERSION = 2**31 - 1  # of the integer column
MAX_POSITION = 2**63 - 1  # of the bigint column


class RegionFactory(InfrastructureFactory[TrackingRecorder]):
    """Gives the library's Application our recorder on the pool that all centres share."""

    def __init__(self, pool: ConnectionPool, region: str) -> None:
        super().__init__({})
        self.pool = pool
        self.region = region

    def application_recorder(self) -> ApplicationRecorder:
        return RegionRecorder(self.pool, self.region)

    def aggregate_recorder(self, purpose: str = "events") -> AggregateRecorder:
        raise NotImplementedError("Incidents are short; there are no snapshots")

    def tracking_recorder(self, tracking_recorder_class: Any = None) -> TrackingRecorder:
        raise NotImplementedError("Positions are tracked by projections.projector")

    def process_recorder(self) -> ProcessRecorder:
        raise NotImplementedError("Positions are tracked by projections.projector")


# Arrays go in binary (%b): as text, psycopg would escape every element with a regular expression.
APPEND_EVENTS: LiteralString = """
  WITH head AS (
       SELECT before
         FROM record_events(%(region)s, %(ids)b::uuid[], %(versions)b::int[], %(topics)b::text[],
                            %(payloads)b::text[]) AS before
        WHERE before IS NOT NULL
       )"""

REMEMBER_COMMANDS: LiteralString = """,
       remembered AS (
       INSERT INTO command_result (command_id, fingerprint, region, incident_id, version, pos)
       SELECT command.id,
              command.fingerprint,
              %(region)s,
              command.incident,
              command.version,
              head.before + command.last_event
         FROM head,
              unnest(%(command_ids)b::uuid[], %(fingerprints)b::bytea[],
                     %(command_incidents)b::uuid[], %(command_versions)b::int[],
                     %(last_events)b::int[])
              AS command (id, fingerprint, incident, version, last_event)
       )"""

REMEMBER_MESSAGES: LiteralString = """,
       keyed AS (
       INSERT INTO message_key (channel, external_id, region, incident_id)
       SELECT message.channel,
              message.id,
              %(region)s,
              message.incident
         FROM head,
              unnest(%(channels)b::text[], %(external_ids)b::text[], %(message_incidents)b::uuid[])
              AS message (channel, id, incident)
       )"""

# A message is one incident's at any time: where another region still holds it, it is taken over.
TAKE_MESSAGES: LiteralString = """,
       taken AS (
       INSERT INTO message_key (channel, external_id, region, incident_id)
       SELECT message.channel,
              message.external_id,
              %(region)s,
              message.incident
         FROM head,
              unnest(%(taken_channels)b::text[], %(taken_ids)b::text[],
                     %(taken_incidents)b::uuid[], %(origins)b::uuid[])
              AS message (channel, external_id, incident, origin)
           ON CONFLICT ON CONSTRAINT message_once DO UPDATE
          SET region = excluded.region,
              incident_id = excluded.incident_id
        WHERE message_key.incident_id = ANY (%(origins)b::uuid[])
       )"""

REMEMBER_REPLIES: LiteralString = """,
       replied AS (
       INSERT INTO message_key (channel, external_id, region, incident_id, ours)
       SELECT reply.channel,
              reply.id,
              %(region)s,
              reply.incident,
              true
         FROM head,
              unnest(%(reply_channels)b::text[], %(reply_ids)b::text[], %(reply_incidents)b::uuid[])
              AS reply (channel, id, incident)
           ON CONFLICT ON CONSTRAINT message_once DO NOTHING
       )"""

KEEP_KEYS: LiteralString = """,
       kept AS (
       INSERT INTO subject_key (subject, region, wrapped)
       SELECT new.subject,
              %(region)s,
              new.wrapped
         FROM head,
              unnest(%(new_subjects)b::uuid[], %(wrapped)b::bytea[]) AS new (subject, wrapped)
       )"""

DESTROY_KEYS: LiteralString = """,
       destroyed AS (
       DELETE FROM subject_key
        USING head
        WHERE subject = ANY (%(destroyed)b::uuid[])
       )"""

# What an event asks for is due at once, though the clock of who recorded it may run hours ahead.
ENQUEUE: LiteralString = """,
       enqueued AS (
       INSERT INTO dramatiq.queue (message_id, queue_name, state, message, available_at)
       SELECT job.id,
              job.queue,
              'queued',
              job.body::jsonb,
              least(job.available_at, now())
         FROM head,
              unnest(%(job_ids)b::uuid[], %(queues)b::text[], %(bodies)b::text[],
                     %(available_ats)b::timestamptz[])
              AS job (id, queue, body, available_at)
       )"""

LAST_POSITION: LiteralString = """
SELECT before + cardinality(%(ids)b::uuid[])
  FROM head
"""


def _append(
    region: str, events: Sequence[StoredEvent], alongside: Alongside
) -> tuple[LiteralString, dict[str, object]]:
    """The one statement of a save, with only the parts this save needs."""
    statement: LiteralString = APPEND_EVENTS
    parameters: dict[str, object] = {
        "region": region,
        "ids": [event.originator_id for event in events],
        "versions": [event.originator_version for event in events],
        "topics": [event.topic for event in events],
        "payloads": [event.state.decode() for event in events],
    }
    if alongside.commands:
        statement += REMEMBER_COMMANDS
        parameters |= {
            "command_ids": [command.command_id for command in alongside.commands],
            "fingerprints": [command.fingerprint for command in alongside.commands],
            "command_incidents": [command.incident_id for command in alongside.commands],
            "command_versions": [command.version for command in alongside.commands],
            "last_events": [command.last_event for command in alongside.commands],
        }
    if alongside.messages:
        statement += REMEMBER_MESSAGES
        parameters |= _columns(
            ("channels", "external_ids", "message_incidents"), alongside.messages
        )
    if alongside.taken_messages:
        statement += TAKE_MESSAGES
        taken = "taken_channels", "taken_ids", "taken_incidents", "origins"
        parameters |= _columns(taken, alongside.taken_messages)
    if alongside.replies:
        statement += REMEMBER_REPLIES
        parameters |= _columns(
            ("reply_channels", "reply_ids", "reply_incidents"), alongside.replies
        )
    if alongside.new_keys:
        statement += KEEP_KEYS
        parameters |= _columns(("new_subjects", "wrapped"), alongside.new_keys)
    if alongside.destroyed_keys:
        statement += DESTROY_KEYS
        parameters |= {"destroyed": alongside.destroyed_keys}
    if alongside.outbox:
        statement += ENQUEUE
        parameters |= {
            "job_ids": [job.message_id for job in alongside.outbox],
            "queues": [job.queue for job in alongside.outbox],
            "bodies": [job.body.decode() for job in alongside.outbox],
            "available_ats": [job.available_at for job in alongside.outbox],
        }
    return statement + LAST_POSITION, parameters


def _columns(names: Sequence[str], rows: Sequence[tuple[object, ...]]) -> dict[str, object]:
    """A list of each column by its name, as `unnest` takes them."""
    columns = zip(*rows, strict=True)
    return {name: [*column] for name, column in zip(names, columns, strict=True)}
