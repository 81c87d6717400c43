"""Takes new events into the read models: in order, in batches, each exactly once.

Rows and tracking commit together: a crash at any moment repeats nothing and loses nothing. One
projector leads, by a lock of its database session; another takes over when the leader's
session ends, however it ends.
"""

import logging
from collections.abc import Callable
from threading import Event as Signal
from typing import NamedTuple
from uuid import UUID

import msgspec
import psycopg

from domain.events import IncidentLinked
from domain.office import OfficeEvent
from projections import changes, incidents, offices
from projections.changes import ChangeRow
from projections.incidents import IncidentRow
from projections.release import version_of
from projections.statistics import days, facts
from regions.reference.catalogue import Catalogue
from regions.store.event_store import decode_event

log = logging.getLogger(__name__)

BATCH_EVENTS = 40_000  # the most taken in by one transaction; bounds its memory
# Between two looks at the heads when there was nothing to do; a look costs 0.2 ms.
IDLE_SECONDS = 0.005
RECONNECT_SECONDS = 0.5
LEADER_LOCK = 7_203_512  # any number, but the same in every release


class Range(NamedTuple):
    """Events of one region to take in: after < pos <= upto."""

    region: str
    after: int
    upto: int

    @property
    def size(self) -> int:
        return self.upto - self.after


class Recorded(NamedTuple):
    """One event as the projector reads it."""

    region: str
    pos: int
    incident_id: UUID
    version: int
    topic: str
    payload: str


class LostLead(Exception):
    """Another projector moved the tracking; this one must stop."""


class NotReceived(Exception):
    """Events below the head are not here yet: the history of a region that joins comes by parts."""


class VersionChanged(Exception):
    """The read models belong to another release; run the projector of that one."""

    def __str__(self) -> str:
        return str(self.__doc__)


# What an event itself can be to blame for. Anything else is the database's or ours, and rises.
POISON = (
    msgspec.MsgspecError,
    LookupError,
    ValueError,
    TypeError,
    psycopg.DataError,
    psycopg.IntegrityError,
)


class Projector:
    """Projects all regions of one database into the read models on its connection's search path."""

    def __init__(
        self,
        connection: psycopg.Connection,
        catalogue: Catalogue,
        *,
        batch_events: int = BATCH_EVENTS,
        defer_statistics: bool = False,
    ) -> None:
        """With `defer_statistics`, into empty read models, the statistics wait for `count_all`."""
        self.connection = connection
        self.catalogue = catalogue
        self.batch_events = batch_events
        self.version = version_of(catalogue)
        self.moves = 0  # ranges taken in, and events buried
        self.deferred: set[str] | None = set() if defer_statistics else None  # regions
        incidents.prepare(connection)

    def may_project(self) -> bool:
        """Whether this role may write the read models."""
        row = self.connection.execute("SELECT has_table_privilege('tracking', 'UPDATE')").fetchone()
        return row == (True,)

    def lead(self, *, wait: bool) -> bool:
        """Become the leader; without `wait`, False says that another one leads."""
        if wait:
            self.connection.execute("SELECT pg_advisory_lock(%s)", [LEADER_LOCK])
            return True
        row = self.connection.execute("SELECT pg_try_advisory_lock(%s)", [LEADER_LOCK]).fetchone()
        return row == (True,)

    def step(self) -> int:
        """Take in the next batch; returns how many events, 0 when there is nothing to do.

        Also 0 while all that is due has not been received: who asks again and again may rest.
        """
        ranges, moves = self._due(), self.moves
        if ranges:
            self._project(ranges)
        return sum(due.size for due in ranges) if self.moves > moves else 0

    def behind(self) -> int:
        """Events recorded and not taken in yet, in all regions that are not stopped."""
        row = self.connection.execute(
            """
            SELECT coalesce(sum(head.pos - tracking.pos), 0)::bigint
              FROM region_head AS head
              JOIN tracking USING (region)
             WHERE NOT tracking.stopped
            """
        ).fetchone()
        return row[0] if row else 0

    def _due(self) -> list[Range]:
        """What to take in next. Regions that lag least go first: a long backlog delays nobody."""
        behind = self.connection.execute(
            """
            SELECT region,
                   tracking.pos,
                   head.pos
              FROM region_head AS head
              JOIN tracking USING (region)
             WHERE head.pos > tracking.pos
               AND NOT tracking.stopped
             ORDER BY head.pos - tracking.pos, region
            """
        ).fetchall()
        due, room = [], self.batch_events
        for region, pos, head in behind:
            taken = Range(region, pos, min(head, pos + room))
            if taken.size:
                due.append(taken)
                room -= taken.size
        return due

    def _project(self, due: list[Range]) -> bool:
        """Take in the ranges; what cannot be taken in is narrowed down to its one event and buried.

        Returns False if a region has stopped.
        """
        try:
            with self.connection.transaction():
                self._take_in(due)
        except (*POISON, NotReceived) as error:
            if len(due) == 1 and due[0].size == 1:
                if isinstance(error, NotReceived):
                    return False
                self.moves += 1
                return self._bury(due[0], error)
            return self._project_parts(due)
        self.moves += 1
        return True

    def _project_parts(self, due: list[Range]) -> bool:
        """The same in smaller pieces: each region by itself, then halves of one region."""
        if len(due) > 1:
            went_through = [self._project([part]) for part in due]
            return all(went_through)
        region, after, upto = due[0]
        middle = (after + upto) // 2
        # The later half may follow only when the earlier went through.
        return self._project([Range(region, after, middle)]) and self._project(
            [Range(region, middle, upto)]
        )

    def _take_in(self, due: list[Range]) -> None:
        self._track(due)
        recorded = self._read(due)
        if len(recorded) != sum(part.size for part in due):
            raise NotReceived
        changed = [event.incident_id for event in recorded if event.version > 1]
        rows = incidents.load(self.connection, [*changed, *_recurring(recorded)])
        # A rebuild counts everything at its end, whatever changed.
        told = rows.values() if self.deferred is None else ()
        before = {row.id: facts.told_of(row) for row in told}
        applied = (self._apply(event, rows) for event in recorded)
        feed = [entry for entry in applied if entry is not None]
        incidents.store(self.connection, rows.values())
        changes.append(self.connection, feed)
        if self.deferred is None:
            days.recompute(self.connection, facts.touched(before, rows.values()))
        else:
            self.deferred.update(part.region for part in due)

    def count_all(self) -> None:
        """Make the statistics that were put off, region by region; from now on none is put off."""
        for region in sorted(self.deferred or ()):
            days.count_region(self.connection, region)
        self.deferred = None

    def _track(self, due: list[Range]) -> None:
        """Advance the tracking; the rows are written under the lock this takes."""
        moved = self.connection.execute(
            """
            UPDATE tracking
               SET pos = due.upto,
                   projected_at = clock_timestamp()
              FROM unnest(%s::text[], %s::bigint[], %s::bigint[]) AS due (region, after, upto)
             WHERE tracking.region = due.region
               AND tracking.pos = due.after
               AND EXISTS (SELECT FROM built WHERE version = %s)
            """,
            [*_arrays(due), self.version],
        )
        if moved.rowcount != len(due):
            self._check_version()
            raise LostLead("Another projector has taken in the same events")

    def _check_version(self) -> None:
        if self.connection.execute("SELECT version FROM built").fetchone() != (self.version,):
            raise VersionChanged

    def _read(self, due: list[Range]) -> list[Recorded]:
        with self.connection.cursor(binary=True) as cursor:
            cursor.execute(
                """
                SELECT events.region,
                       pos,
                       originator_id,
                       originator_version,
                       topic,
                       payload::text
                  FROM unnest(%s::text[], %s::bigint[], %s::bigint[]) AS due (region, after, upto)
                  JOIN events ON events.region = due.region
                             AND events.pos > due.after
                             AND events.pos <= due.upto
                 ORDER BY events.region, pos
                """,
                _arrays(due),
            )
            return [Recorded._make(row) for row in cursor]

    def _apply(self, recorded: Recorded, rows: dict[UUID, IncidentRow]) -> ChangeRow | None:
        """Take one event into its row; the entry for the feed, if it is an incident's."""
        event = decode_event(recorded.topic, recorded.payload)
        if isinstance(event, OfficeEvent):
            offices.apply(self.connection, event)
            return None
        zone = self.catalogue.zone_of(event.region, event.municipality)
        was = rows.get(recorded.incident_id)
        before = was.municipality if was else None
        row = incidents.taken(
            was, recorded.incident_id, event, zone, version=recorded.version, pos=recorded.pos
        )
        rows[row.id] = row
        again = incidents.recurring(event)
        if again in rows:
            rows[again].recurred = True
        return ChangeRow(
            recorded.region,
            recorded.pos,
            row.municipality,
            before if before != row.municipality else None,
            row.id,
            row.version,
            recorded.topic,
            row.status,
            event.occurred_at,
        )

    def _bury(self, due: Range, error: Exception) -> bool:
        """Keep the event's error and stop its region, or pass over it if that was decided before.

        Whoever decides to pass over an event decides so for the later ones of its incident, if they
        cannot be understood without it. The message of the error may quote the payload, so only its
        kind is kept; the log has no more of it either.
        """
        log.error("Region %s, position %s: %s", due.region, due.upto, type(error).__name__)
        with self.connection.transaction():
            buried = self.connection.execute(
                """
                INSERT INTO dead_letter (region, pos, topic, error, skipped)
                SELECT region,
                       pos,
                       topic,
                       %s,
                       %s AND EXISTS (SELECT
                                        FROM dead_letter AS earlier
                                        JOIN events AS blamed USING (region, pos)
                                       WHERE earlier.skipped
                                         AND earlier.region = events.region
                                         AND blamed.originator_id = events.originator_id)
                  FROM events
                 WHERE region = %s
                   AND pos = %s
                    ON CONFLICT (region, pos) DO UPDATE
                   SET error = excluded.error,
                       skipped = dead_letter.skipped OR excluded.skipped
                RETURNING skipped
                """,
                [type(error).__name__, isinstance(error, incidents.Orphan), due.region, due.upto],
            ).fetchone()
            skipped = buried == (True,)
            marked = self.connection.execute(
                """
                UPDATE tracking
                   SET stopped = NOT %s,
                       pos = %s
                 WHERE region = %s
                   AND pos = %s
                """,
                [skipped, due.upto if skipped else due.after, due.region, due.after],
            )
            if marked.rowcount != 1:
                raise LostLead("Another projector has taken in the same event")
        return skipped


def _recurring(recorded: list[Recorded]) -> list[UUID]:
    """The incidents whose matter comes again in the batch: what is told of these changes them."""
    found = (
        incidents.recurring(decode_event(event.topic, event.payload))
        for event in recorded
        if event.topic == IncidentLinked.TOPIC
    )
    return [incident_id for incident_id in found if incident_id is not None]


def _arrays(due: list[Range]) -> tuple[list[str], list[int], list[int]]:
    return (
        [part.region for part in due],
        [part.after for part in due],
        [part.upto for part in due],
    )


def retry(connection: psycopg.Connection, region: str, *, skip: bool = False) -> bool:
    """Let a stopped region go on, with the event that stopped it or (`skip`) without it.

    False: the region is not stopped.
    """
    with connection.transaction():
        started = connection.execute(
            "UPDATE tracking SET stopped = false WHERE region = %s AND stopped", [region]
        )
        # Without `skip` the letter goes: if its event fails again, it is written again.
        connection.execute(
            """
            UPDATE dead_letter
               SET skipped = true
             WHERE region = %s
               AND pos = (SELECT pos + 1 FROM tracking WHERE region = %s)
            """
            if skip
            else """
            DELETE FROM dead_letter
             WHERE region = %s
               AND pos = (SELECT pos + 1 FROM tracking WHERE region = %s)
            """,
            [region, region],
        )
    return started.rowcount == 1


def run(connect: Callable[[], psycopg.Connection], catalogue: Catalogue, stop: Signal) -> None:
    """Project until `stop` is set: wait for the lead, follow the heads, survive the database.

    Raises VersionChanged when another release has taken over the read models.
    """
    while not stop.is_set():
        try:
            with connect() as connection:
                projector = Projector(connection, catalogue)
                while not stop.is_set() and not projector.lead(wait=False):
                    stop.wait(RECONNECT_SECONDS)
                while not stop.is_set():
                    if not projector.step():
                        stop.wait(IDLE_SECONDS)
        except (psycopg.Error, LostLead) as error:
            log.warning("Projector starts over: %s", type(error).__name__)
            stop.wait(RECONNECT_SECONDS)
