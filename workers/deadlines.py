"""The clock of the network: sees to it that what time brings is recorded, on time or late.

It reads which incidents have something to say from the read models, so it may be down for any time
and find all of it again; what it finds twice, or too late, the incident itself knows to be done.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from threading import Event as Signal
from uuid import UUID

import psycopg
from psycopg_pool import PoolTimeout

from projections import versions
from regions.alarms import tell_time
from regions.centre import Centre
from regions.federation.replication import beat
from regions.node import Node
from regions.store.event_store import StoreUnavailable

log = logging.getLogger(__name__)

BATCH_INCIDENTS = 500  # told in one transaction; bounds the memory of a sweep
LOOK_SECONDS = 1.0
BEAT_SECONDS = 3.0  # 15 s are silence to a hub; of 89 nodes each beat costs it some 3 ms
EXPIRE_SECONDS = 60.0  # between two looks for exports whose time is over


def run(node: Node, stop: Signal, now: Callable[[], datetime]) -> None:
    """Sweep again and again until `stop` is set. A database that is away is waited for."""
    beat_next = expire_next = 0.0
    while not stop.wait(LOOK_SECONDS):
        if time.monotonic() >= beat_next:
            with (
                suppress(psycopg.OperationalError, PoolTimeout),
                node.pool.connection() as connection,
            ):
                beat(connection)
                beat_next = time.monotonic() + BEAT_SECONDS
        with suppress(psycopg.OperationalError, StoreUnavailable):
            sweep(node, now())
        if time.monotonic() >= expire_next:
            with suppress(psycopg.OperationalError, StoreUnavailable):
                node.exports.expire(at=now())
                expire_next = time.monotonic() + EXPIRE_SECONDS


def sweep(node: Node, now: datetime) -> int:
    """Record everything that has come due by now; returns the number of events."""
    with versions.connect(node.url) as connection:
        return sum(
            _told(node.centre(region), ids, now)
            for region in _regions_due(connection, now)
            for ids in _due(connection, region, now)
        )


def _told(centre: Centre, ids: list[UUID], now: datetime) -> int:
    """As tell_time; an incident that cannot be read or told is passed over, not all after it."""
    try:
        return tell_time(centre, ids, at=now)
    except (psycopg.OperationalError, StoreUnavailable):
        raise
    except Exception:
        if len(ids) == 1:
            log.exception("The clock passes over incident %s", ids[0])
            return 0
        middle = len(ids) // 2
        return _told(centre, ids[:middle], now) + _told(centre, ids[middle:], now)


def _regions_due(connection: psycopg.Connection, now: datetime) -> list[str]:
    """Of those that are written here: of others their own node tells the time."""
    rows = connection.execute(
        """
        SELECT region
          FROM tracking
         WHERE EXISTS (SELECT
                         FROM incident
                        WHERE incident.region = tracking.region
                          AND alarm_at <= %s)
           AND region IN (SELECT region FROM region_head)
           AND region NOT IN (SELECT region FROM followed)
         ORDER BY region
        """,
        [now],
    )
    return [region for (region,) in rows]


def _due(connection: psycopg.Connection, region: str, now: datetime) -> Iterator[list[UUID]]:
    """Incidents of a region with something to say, each once, the oldest alarm first."""
    after = (datetime.min.replace(tzinfo=UTC), UUID(int=0))
    while True:
        rows = connection.execute(
            """
            SELECT alarm_at,
                   id
              FROM incident
             WHERE region = %s
               AND alarm_at <= %s
               AND (alarm_at, id) > (%s, %s)
             ORDER BY alarm_at, id
             LIMIT %s
            """,
            [region, now, *after, BATCH_INCIDENTS],
        ).fetchall()
        if not rows:
            return
        after = rows[-1]
        yield [incident_id for _, incident_id in rows]
