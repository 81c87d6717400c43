"""Reading the change feed: after a position, in order; and how far it has come."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, LiteralString, NamedTuple

import psycopg
from psycopg import AsyncConnection

from projections.changes import ChangeRow

SILENCE_SECONDS_MAX = 15.0  # a node is heard of every three


class Progress(NamedTuple):
    """How far one region's events are taken in."""

    region: str
    head: int  # last position recorded
    position: int  # last position taken in
    stopped: bool
    projected_at: datetime | None  # of the last batch
    silent_seconds: float | None  # of the region's node; None: it is here

    @property
    def lag(self) -> int:
        return self.head - self.position

    @property
    def silent(self) -> bool:
        """Whether its node is away for so long that what is here is no news."""
        return self.silent_seconds is not None and self.silent_seconds > SILENCE_SECONDS_MAX


# Since we heard of the node, by our own clock; or how old that was by both clocks, for a backlog
# after an outage is no news.
SILENT_SECONDS: LiteralString = """
date_part('epoch', greatest(clock_timestamp() - heard_at, heard_at - head.beat_at))
"""
PROGRESS: LiteralString = (
    """
SELECT region,
       head.pos,
       tracking.pos,
       stopped,
       projected_at,
       """
    + SILENT_SECONDS
    + """
  FROM region_head AS head
  JOIN tracking USING (region)
  LEFT JOIN followed USING (region)
 ORDER BY region
"""
)


async def progress(connection: AsyncConnection[Any]) -> list[Progress]:
    """Of every region, by its code."""
    cursor = await connection.execute(PROGRESS)
    return [Progress(*row) async for row in cursor]


def progress_now(connection: psycopg.Connection) -> list[Progress]:
    """The same for whoever is not asynchronous."""
    return [Progress(*row) for row in connection.execute(PROGRESS)]


async def positions(connection: AsyncConnection[Any]) -> dict[str, int]:
    """The last position taken in, by region."""
    cursor = await connection.execute("SELECT region, pos FROM tracking")
    return {region: pos async for region, pos in cursor}


async def changes_of_place(
    connection: AsyncConnection[Any],
    region: str,
    municipality: str | None,
    *,
    after: int,
    upto: int,
    limit: int,
) -> list[ChangeRow]:
    """A page of a region's feed, or of one municipality's: after < pos <= upto."""
    of_place: LiteralString = (
        ""
        if municipality is None
        else "AND (municipality = %(municipality)s OR moved_from = %(municipality)s)"
    )
    cursor = await connection.execute(
        """
        SELECT region,
               pos,
               municipality,
               moved_from,
               incident_id,
               version,
               event,
               status,
               occurred_at
          FROM change
         WHERE region = %(region)s
           AND pos > %(after)s
           AND pos <= %(upto)s
        """
        + of_place
        + " ORDER BY pos LIMIT %(limit)s",
        {
            "region": region,
            "municipality": municipality,
            "after": after,
            "upto": upto,
            "limit": limit,
        },
        binary=True,
    )
    return [ChangeRow._make(row) async for row in cursor]


async def changes_between(
    connection: AsyncConnection[Any], ranges: Mapping[str, tuple[int, int]]
) -> Sequence[ChangeRow]:
    """Of many regions at once, after < pos <= upto each, in the order of each region."""
    cursor = await connection.execute(
        """
        SELECT change.region,
               change.pos,
               municipality,
               moved_from,
               incident_id,
               version,
               event,
               status,
               occurred_at
          FROM unnest(%s::text[], %s::bigint[], %s::bigint[]) AS wanted (region, after, upto)
          JOIN change ON change.region = wanted.region
                     AND change.pos > wanted.after
                     AND change.pos <= wanted.upto
         ORDER BY change.region, change.pos
        """,
        [
            list(ranges),
            [after for after, _ in ranges.values()],
            [upto for _, upto in ranges.values()],
        ],
        binary=True,
    )
    return [ChangeRow._make(row) async for row in cursor]
