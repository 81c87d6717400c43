"""The incidents as they were at some positions of the log, told by the events up to there.

While one of these blocks is open, the connection's table `incident` holds them: whatever is asked
of it is answered as it would have been then. It is a table of that transaction alone.
"""

from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, LiteralString, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection

from domain.errors import DateInFuture
from domain.office import OfficeEvent
from projections import incidents
from projections.incidents import CELLS, COLUMN_TYPES, IncidentRow
from projections.queues import WAITING, is_waiting
from projections.statistics.facts import DAYS
from projections.statistics.figures import Period
from projections.statistics.measures import COUNTS_IN_PERIOD
from regions.reference.catalogue import Catalogue
from regions.store.event_store import decode_event

BATCH_ROWS = 5_000  # read or written at once; bounds the memory

# What is told of a period and its end: what counts on a day of it, or waits for somebody.
CONCERNED: LiteralString = (
    "region = ANY (%(regions)s) AND (" + COUNTS_IN_PERIOD + " OR " + WAITING + ")"
)

Progress = Callable[[int, int], None]  # events read, events in all


@asynccontextmanager
async def folded(
    connection: AsyncConnection[Any],
    positions: Mapping[str, int],
    period: Period,
    catalogue: Catalogue,
    progress: Progress = lambda done, in_all: None,
    *,
    skipped: Mapping[str, Collection[int]] = MappingProxyType({}),
) -> AsyncIterator[None]:
    """All of it from the events alone: nothing a read model says is believed.

    `skipped` positions are passed over. Raises Orphan, or what decoding raises.
    """
    in_all, done = sum(positions.values()), 0
    async with _emptied(connection):
        for region, pos in positions.items():
            passed_over = frozenset(skipped.get(region, ()))
            fold = Fold(connection, catalogue, region, pos, skipped=passed_over)
            rows: list[IncidentRow] = []
            async for row in fold.rows():
                if _concerned(row, period):
                    rows.append(row)
                if len(rows) == BATCH_ROWS:
                    await _store(connection, rows)
                    rows = []
                progress(done + fold.read, in_all)
            await _store(connection, rows)
            await _recur(connection, region, fold.recurring)
            done += pos
        yield


@asynccontextmanager
async def turned_back(
    connection: AsyncConnection[Any],
    region: str,
    pos: int,
    period: Period,
    catalogue: Catalogue,
) -> AsyncIterator[None]:
    """Of one region; what has not changed since is taken from the read models as it is."""
    async with _emptied(connection):
        changed = await _changed_since(connection, region, pos)
        await connection.execute(
            "INSERT INTO incident SELECT * FROM read.incident WHERE pos <= %(pos)s AND "
            + CONCERNED,
            {"pos": pos, "regions": [region], "first": period.first, "last": period.last},
        )
        skipped = await skipped_positions(connection, {region: pos})
        passed_over = frozenset(skipped.get(region, ()))
        fold = Fold(connection, catalogue, region, pos, changed, passed_over)
        await _store(connection, [row async for row in fold.rows() if _concerned(row, period)])
        await _recur(connection, region, await _recurring_at(connection, region, pos))
        yield


class Moment(NamedTuple):
    at: datetime
    pos: int  # of the last event recorded by then


async def moment_of(
    connection: AsyncConnection[Any], region: str, at: datetime | None = None
) -> Moment:
    """None: now, by the clock of the database, for its clock says when an event was recorded.

    Asked again it is the same: nothing more is recorded of the past. Raises DateInFuture.
    """
    head, now = await _head(connection, region)
    if at is None or at == now:
        return Moment(now, head)
    if at > now:
        raise DateInFuture(field="asOf", value=at.isoformat())
    return Moment(at, await _last_by(connection, region, at, head))


async def _last_by(
    connection: AsyncConnection[Any], region: str, moment: datetime, head: int
) -> int:
    """Events of a region are recorded in their order, so the last one is found by halving."""
    low, high = 0, head
    while low < high:
        middle = (low + high + 1) // 2
        cursor = await connection.execute(
            "SELECT recorded_at <= %s FROM events WHERE region = %s AND pos = %s",
            [moment, region, middle],
        )
        if await cursor.fetchone() == (True,):
            low = middle
        else:
            high = middle - 1
    return low


async def _head(connection: AsyncConnection[Any], region: str) -> tuple[int, datetime]:
    """The last event of all that were begun by now, and when that is.

    Who appends holds the row we wait for; whoever comes after us records a later moment.
    """
    async with connection.transaction():
        await connection.execute("SET TRANSACTION READ WRITE")
        cursor = await connection.execute(
            "SELECT pos, clock_timestamp() FROM region_head WHERE region = %s FOR SHARE", [region]
        )
        row = await cursor.fetchone()
    if row is None:
        raise LookupError(f"Region {region} has no head row in this database")
    return row[0], row[1]


@asynccontextmanager
async def _emptied(connection: AsyncConnection[Any]) -> AsyncIterator[None]:
    """A transaction in which `incident` is an empty table of its own."""
    async with connection.transaction():
        await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ WRITE")
        await connection.execute(
            "CREATE TEMP TABLE incident (LIKE read.incident INCLUDING DEFAULTS) ON COMMIT DROP"
        )
        # Named, so that statements prepared for the table of everybody are not taken for this one.
        await connection.execute("SET LOCAL search_path = pg_temp, read, public")
        yield


@dataclass
class Fold:
    """Reads the events of a region up to a position, incident by incident."""

    connection: AsyncConnection[Any]
    catalogue: Catalogue
    region: str
    pos: int
    only: Collection[UUID] | None = None  # None: all incidents
    skipped: frozenset[int] = frozenset()
    read: int = 0
    recurring: set[UUID] = field(default_factory=set)  # whose matter came again

    async def rows(self) -> AsyncIterator[IncidentRow]:
        row: IncidentRow | None = None
        async with self.connection.cursor(name="fold", binary=True) as cursor:
            cursor.itersize = BATCH_ROWS
            await cursor.execute(
                """
                SELECT originator_id,
                       originator_version,
                       pos,
                       topic,
                       payload::text
                  FROM events
                 WHERE region = %(region)s
                   AND pos <= %(pos)s
                """
                + ("" if self.only is None else " AND originator_id = ANY (%(only)s)")
                + " ORDER BY originator_id, originator_version",
                {"region": self.region, "pos": self.pos, "only": list(self.only or ())},
            )
            async for incident_id, version, pos, topic, payload in cursor:
                self.read += 1
                if pos in self.skipped:
                    continue
                event = decode_event(topic, payload)
                if isinstance(event, OfficeEvent):
                    continue
                zone = self.catalogue.zone_of(event.region, event.municipality)
                if row is not None and row.id != incident_id:
                    yield row
                row = incidents.taken(row, incident_id, event, zone, version=version, pos=pos)
                again = incidents.recurring(event)
                if again is not None:
                    self.recurring.add(again)
        if row is not None:
            yield row


def _concerned(row: IncidentRow, period: Period) -> bool:
    """The same of a row that is not in the table yet."""
    counts = any(day and period.first <= day <= period.last for day in DAYS(row))
    return counts or is_waiting(row)


async def _store(connection: AsyncConnection[Any], rows: Collection[IncidentRow]) -> None:
    async with (
        connection.cursor() as cursor,
        cursor.copy("COPY pg_temp.incident FROM STDIN (FORMAT binary)") as copy,
    ):
        copy.set_types(COLUMN_TYPES)
        for row in rows:
            await copy.write_row(CELLS(row))


async def _recur(connection: AsyncConnection[Any], region: str, recurring: set[UUID]) -> None:
    await connection.execute(
        "UPDATE pg_temp.incident SET recurred = id = ANY (%b) WHERE region = %s",
        [list(recurring), region],
    )


async def skipped_positions(
    connection: AsyncConnection[Any], positions: Mapping[str, int]
) -> dict[str, list[int]]:
    """By region, what an operator let the read models pass over up to its position."""
    cursor = await connection.execute(
        """
        SELECT region,
               array_agg(dead_letter.pos ORDER BY dead_letter.pos)
          FROM read.dead_letter
          JOIN unnest(%s::text[], %s::bigint[]) AS upto (region, pos)
         USING (region)
         WHERE skipped
           AND dead_letter.pos <= upto.pos
         GROUP BY region
        """,
        [list(positions), list(positions.values())],
    )
    return {region: skipped async for region, skipped in cursor}


async def _changed_since(connection: AsyncConnection[Any], region: str, pos: int) -> list[UUID]:
    cursor = await connection.execute(
        "SELECT id FROM read.incident WHERE region = %s AND pos > %s", [region, pos]
    )
    return [incident_id async for (incident_id,) in cursor]


async def _recurring_at(connection: AsyncConnection[Any], region: str, pos: int) -> set[UUID]:
    cursor = await connection.execute(
        """
        SELECT (payload->>'to')::uuid
          FROM read.change
          JOIN events USING (region, pos)
         WHERE region = %s
           AND pos <= %s
           AND event = 'IncidentLinked'
           AND payload->>'kind' = 'RECURRENCE'
        """,
        [region, pos],
    )
    return {incident_id async for (incident_id,) in cursor}
