"""The hub compares what it has with its nodes all the time, a range at a time, the newest first.

How far it is stands in `compared`, what it found in `difference`; who is killed goes on there.
A node that is away, or whose history is still being copied, has its turn later.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import islice
from threading import Event as Signal

import psycopg

from regions.federation import comparing, replication
from regions.federation.comparing import RANGE_EVENTS

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0  # between two ranges: 800 million events a day
ROUND = timedelta(hours=1)  # the shortest: a small network is not compared without end
NAMED_MAX = 100  # of a range: more are told by the next round, once these are mended

Connect = Callable[[str], psycopg.Connection]  # to a node by its name; raises OperationalError


def run(hub_conninfo: str, connect: Connect, stop: Signal, now: Callable[[], datetime]) -> None:
    """Until `stop` is set. A database that is away is waited for."""
    while not stop.wait(LOOK_SECONDS):
        with suppress(psycopg.OperationalError), replication.connect(hub_conninfo) as hub:
            while look(hub, connect, now()) and not stop.wait(LOOK_SECONDS):
                pass


def look(hub: psycopg.Connection, connect: Connect, now: datetime) -> bool:
    """Compare the next range of whose turn it is; False if nobody's."""
    turn = _turn(hub, now)
    if turn is None:
        return False
    region, node, below = turn
    if not replication.received(hub, node):
        return True
    try:
        there = connect(node)
    except psycopg.OperationalError:
        return True
    with there:
        _compare(hub, there, region, upto=below, now=now)
    return True


def _turn(hub: psycopg.Connection, now: datetime) -> tuple[str, str, int] | None:
    """A region that is not through, or that begins anew; with its node, and how far it is."""
    hub.execute("INSERT INTO compared (region) SELECT region FROM followed ON CONFLICT DO NOTHING")
    row = hub.execute(
        """
        UPDATE compared
           SET looked_at = %(now)s
          FROM followed
         WHERE compared.region = (SELECT region
                                    FROM compared
                                    JOIN followed USING (region)
                                   WHERE below > 0
                                      OR begun_at IS NULL
                                      OR begun_at <= %(before)s
                                   ORDER BY looked_at NULLS FIRST,
                                            region
                                   LIMIT 1)
           AND followed.region = compared.region
        RETURNING compared.region,
                  node,
                  below
        """,
        {"now": now, "before": now - ROUND},
    ).fetchone()
    return row and (row[0], row[1], row[2])


def _compare(
    hub: psycopg.Connection, there: psycopg.Connection, region: str, *, upto: int, now: datetime
) -> None:
    begins = upto == 0
    if begins:
        upto = comparing.known_position(hub, region)
    after = max(0, upto - RANGE_EVENTS)
    found = list(islice(comparing.within(hub, there, region, after, upto), NAMED_MAX))
    with hub.transaction():
        known = hub.execute(
            "DELETE FROM difference WHERE region = %s AND pos > %s AND pos <= %s"
            " RETURNING pos, what, found_at",
            [region, after, upto],
        ).fetchall()
        since = {(pos, what): found_at for pos, what, found_at in known}
        for each in found:
            hub.execute(
                "INSERT INTO difference (region, pos, what, found_at) VALUES (%s, %s, %s, %s)",
                [*each, since.get((each.pos, each.what), now)],
            )
        hub.execute(
            "UPDATE compared SET below = %s, begun_at = CASE WHEN %s THEN %s ELSE begun_at END"
            " WHERE region = %s",
            [after, begins, now, region],
        )
    for each in found:
        if (each.pos, each.what) not in since:
            log.error("%s:%s is %s at the hub", each.region, each.pos, each.what)
