"""What is listened to: each source, when it was last heard, and whether it has fallen silent."""

from datetime import datetime, timedelta
from typing import Any, LiteralString, NamedTuple

import psycopg
from psycopg import AsyncConnection

from projections.offices import SourceRow


class Heard(NamedTuple):
    """An open or closed source, and what came from it."""

    source: SourceRow
    heard_at: datetime | None  # last delivery of its platform
    messages: int  # deliveries in all
    quarantined: int
    now: datetime

    @property
    def code(self) -> str:
        return self.source.code

    @property
    def channel(self) -> str:
        return self.source.channel

    @property
    def name(self) -> str:
        return self.source.name

    @property
    def silent(self) -> bool:
        """Whether nothing was heard for longer than is usual there."""
        hours = self.source.silence_hours
        if hours is None or self.source.closed_at is not None:
            return False
        return self.now - (self.heard_at or self.source.opened_at) > timedelta(hours=hours)

    @property
    def state(self) -> str:
        if self.source.closed_at is not None:
            return "closed"
        return "silent" if self.silent else "live"


HEARD: LiteralString = """
SELECT source.*,
       heard.heard_at,
       heard.messages,
       heard.quarantined
  FROM source
  LEFT JOIN LATERAL (SELECT max(received_at),
                            count(*),
                            count(*) FILTER (WHERE state = 'QUARANTINED')
                       FROM inbox
                      WHERE inbox.source = source.code) AS heard (heard_at, messages, quarantined)
       ON true
"""
ORDER: LiteralString = " ORDER BY source.region, source.code"


def sources_now(connection: psycopg.Connection, now: datetime) -> list[Heard]:
    """Of all regions, by code."""
    return [_heard(row, now) for row in connection.execute(HEARD + ORDER)]


async def sources_of(
    connection: AsyncConnection[Any], region: str, *, now: datetime
) -> list[Heard]:
    """Of one region, by code."""
    cursor = await connection.execute(HEARD + " WHERE source.region = %s" + ORDER, [region])
    return [_heard(row, now) async for row in cursor]


def _heard(row: tuple[Any, ...], now: datetime) -> Heard:
    *source, heard_at, messages, quarantined = row
    return Heard(SourceRow(*source), heard_at, messages, quarantined, now)
