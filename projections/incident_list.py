"""Lists of incidents: filtered, newest first, page by page."""

import base64
import binascii
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, LiteralString, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import class_row, tuple_row

from domain.errors import CursorInvalid, RegionMissing
from domain.rights import Scope
from projections.incidents import IncidentRow
from projections.queues import CONDITIONS, Queue, moments
from projections.rows import Columns, Rows
from projections.statistics.figures import Period
from projections.statistics.units import Area
from projections.views import flag_counts
from projections.views.flag_counts import Evidence, Flagged
from regions.reference.catalogue import Catalogue

COLUMNS = tuple(field.name for field in fields(IncidentRow))
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class IncidentFilter:
    """None does not filter."""

    region: str | None = None
    municipality: str | None = None
    organisation: str | None = None
    regions: Sequence[str] | None = None  # of a district
    queue: Queue | None = None
    topics: Sequence[str] | None = None
    statuses: Sequence[str] | None = None
    channels: Sequence[str] | None = None
    registered_from: datetime | None = None  # included
    registered_before: datetime | None = None  # excluded
    counted_in: Period | None = None  # in the figures of these local days
    reply_slower_than: float | None = None  # seconds; who waits is slower
    working: bool = True  # whether these are of working time
    overdue: bool | None = None  # open and past the deadline at the moment of asking, or not

    @property
    def scope(self) -> Scope:
        """The smallest part of the country that has all of it."""
        return Scope(
            self.region,
            self.municipality,
            self.organisation,
            regions=None if self.regions is None else tuple(self.regions),
            topics=None if self.topics is None else tuple(self.topics),
        )


class Place(NamedTuple):
    """Where a page ends: registration time and id, the total order of the list."""

    registered_at: datetime
    id: UUID

    def cursor(self) -> str:
        microseconds = (self.registered_at - EPOCH) // timedelta(microseconds=1)
        return base64.urlsafe_b64encode(
            microseconds.to_bytes(8, signed=True) + self.id.bytes
        ).decode()

    @classmethod
    def of(cls, row: IncidentRow) -> "Place":
        return cls(row.registered_at, row.id)

    @classmethod
    def parse(cls, cursor: str) -> "Place":
        """Raises CursorInvalid."""
        try:
            raw = base64.b64decode(cursor, altchars=b"-_", validate=True)
            microseconds = int.from_bytes(raw[:8], signed=True)
            return cls(EPOCH + timedelta(microseconds=microseconds), UUID(bytes=raw[8:]))
        except (binascii.Error, ValueError, OverflowError):
            raise CursorInvalid(field="after") from None


async def incident_page(
    connection: AsyncConnection[Any],
    chosen: IncidentFilter,
    *,
    first: int,
    after: Place | None,
    now: datetime,
    evidence: Evidence | None = None,
    columns: Collection[str] = COLUMNS,
) -> Rows[IncidentRow]:
    """Up to `first` rows after a place, newest registration first, equal times by id.

    They have the `columns` named and those of their place, and no others: a row of all is dear.
    Other names mean nothing.
    """
    conditions, parameters = _conditions(chosen, now, evidence)
    if after is not None:
        conditions.append("(registered_at, id) < (%(after_time)s, %(after_id)s)")
        parameters |= {"after_time": after.registered_at, "after_id": after.id}
    where: LiteralString = " AND ".join(conditions) or "true"
    read = _columns_read(frozenset(columns))
    async with connection.cursor(row_factory=tuple_row, binary=True) as cursor:
        # The size is part of the text: a statement without values is planned once, and to plan
        # one of a table with twenty indexes takes longer than to find a page by one of them.
        await cursor.execute(
            f"SELECT {', '.join(read)} FROM incident WHERE {where}"
            f" ORDER BY registered_at DESC, id DESC LIMIT {first:d}".encode(),
            parameters or None,  # without any, no place for one is looked for
        )
        return Rows(read, await cursor.fetchall(), IncidentRow)


@lru_cache(maxsize=500)
def _columns_read(named: frozenset[str]) -> Columns:
    """In one order, so that equal questions are equal texts, which are prepared once."""
    return tuple(column for column in COLUMNS if column in named or column in Place._fields)


async def count_incidents(
    connection: AsyncConnection[Any],
    chosen: IncidentFilter,
    *,
    now: datetime,
    limit: int,
    evidence: Evidence | None = None,
) -> int:
    """How many the filter finds; `limit` where there are as many or more."""
    conditions, parameters = _conditions(chosen, now, evidence)
    where: LiteralString = " AND ".join(conditions) or "true"
    cursor = await connection.execute(
        "SELECT count(*) FROM (SELECT FROM incident WHERE " + where + " LIMIT %(limit)s) AS found",
        parameters | {"limit": limit},
    )
    row = await cursor.fetchone()
    return row[0] if row else 0


async def evidence_of(
    connection: AsyncConnection[Any],
    chosen: IncidentFilter,
    flagged: Flagged | None,
    *,
    catalogue: Catalogue,
    now: datetime,
) -> Evidence | None:
    """Behind a flag of the place that is chosen; None without one.

    Raises RegionMissing: of the country there are flags of each region only.
    """
    if flagged is None:
        return None
    if chosen.region is None:
        raise RegionMissing
    area = Area(chosen.region, chosen.municipality)
    asked = flag_counts.Asked(flagged.period, area, catalogue, now)
    return await flag_counts.evidence(connection, asked, flagged.kind)


async def incidents_by_id(
    connection: AsyncConnection[Any], ids: Sequence[UUID]
) -> dict[UUID, IncidentRow]:
    async with connection.cursor(row_factory=class_row(IncidentRow), binary=True) as cursor:
        await cursor.execute("SELECT * FROM incident WHERE id = ANY (%s)", [list(ids)])
        return {row.id: row async for row in cursor}


def _conditions(
    chosen: IncidentFilter, now: datetime, evidence: Evidence | None
) -> tuple[list[LiteralString], dict[str, object]]:
    """Only the conditions that are asked for: each set of them gets a plan of its own."""
    asked: list[tuple[LiteralString, str, object]] = [
        ("region = %(region)s", "region", chosen.region),
        # The wall of a district says the same. Of both the planner would believe that hardly a row
        # passes, and sort all of them for a page; within a CASE it looks at none.
        ("CASE WHEN region = ANY (%(regions)s) THEN true END", "regions", _listed(chosen.regions)),
        ("municipality = %(municipality)s", "municipality", chosen.municipality),
        ("organisation = %(organisation)s", "organisation", chosen.organisation),
        ("topic = ANY (%(topics)s)", "topics", _listed(chosen.topics)),
        ("status = ANY (%(statuses)s)", "statuses", _listed(chosen.statuses)),
        ("channel = ANY (%(channels)s)", "channels", _listed(chosen.channels)),
        ("registered_at >= %(registered_from)s", "registered_from", chosen.registered_from),
        ("registered_at < %(registered_before)s", "registered_before", chosen.registered_before),
    ]
    conditions = [condition for condition, _, value in asked if value is not None]
    if chosen.region is None:
        # What trainees do is found where they do it. Of `= 0` the planner, who sees no statistics
        # behind the wall, believes one row in 200: it would sort the whole table for a page.
        conditions.append("strpos(region, '~') < 1")
    parameters = {name: value for _, name, value in asked if value is not None}
    if chosen.counted_in is not None:
        conditions.append("counted AND registered_on BETWEEN %(first_day)s AND %(last_day)s")
        parameters |= {"first_day": chosen.counted_in.first, "last_day": chosen.counted_in.last}
    if chosen.reply_slower_than is not None:
        took: LiteralString = (
            "reply_working_seconds"
            if chosen.working
            else "date_part('epoch', first_replied_at - published_at)"
        )
        conditions.append("(first_replied_at IS NULL OR " + took + " > %(slower_than)s)")
        parameters["slower_than"] = chosen.reply_slower_than
    if chosen.overdue is not None:
        late: LiteralString = "(open AND due_at < %(now)s)"
        conditions.append(late if chosen.overdue else late + " IS NOT TRUE")
        parameters["now"] = now
    if evidence is not None:
        conditions.append(evidence.condition)
        parameters |= evidence.parameters
    if chosen.queue is not None:
        conditions.append(CONDITIONS[chosen.queue])
        parameters |= moments(now)
    return conditions, parameters


def _listed(values: Sequence[str] | None) -> list[str] | None:
    return None if values is None else list(values)
