"""How each region stands now, for monitors that ask every few seconds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, LiteralString

from psycopg import AsyncConnection

from domain.rights import Scope
from projections.feed import Progress, progress
from projections.queues import CONDITIONS, WAITING, Queue, moments
from projections.statistics.figures import TOTAL
from projections.statistics.units import today_in
from projections.walls import confine
from regions.federation.replication import SLOTS, Slot
from regions.reference.catalogue import Catalogue
from regions.store import jobs

WATCHED_DAYS = 30  # full local days


@dataclass(frozen=True, slots=True)
class RegionState:
    """Of what the scope covers there; positions are the whole region's."""

    progress: Progress
    open_by_status: Mapping[str, int]
    queues: Mapping[Queue, int]
    registered: int | None  # on the watched days; None: not told of one body or topic
    answered: int | None  # of these


async def region_states(
    connection: AsyncConnection[Any], scope: Scope, *, catalogue: Catalogue, now: datetime
) -> list[RegionState]:
    """Of every region that the scope touches, by its code. Costs what is open, and 30 days.

    Raises NotPermitted for a scope that has no wall.
    """
    regions = list(catalogue.regions if scope.places is None else scope.places)
    async with connection.transaction():
        await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        reached = [each for each in await progress(connection) if each.region in regions]
        cohort = await _cohort(connection, regions, scope, catalogue, now)
        await confine(connection, scope)  # from here on no other table can be read
        statuses = await _open_by_status(connection, regions, scope)
        queues = await _queues(connection, regions, scope, now)
    nothing = dict.fromkeys(Queue, 0)
    return [
        RegionState(
            each,
            statuses.get(each.region, {}),
            queues.get(each.region, nothing),
            *cohort.get(each.region, (0, 0) if _of_whole_places(scope) else (None, None)),
        )
        for each in reached
    ]


@dataclass(frozen=True, slots=True)
class NodeState:
    """What waits for an operator, of all regions together."""

    waiting_seconds: float  # of the job that could have begun first; 0: none waits
    slots: Sequence[Slot]  # of hubs that follow this node
    dead_letters: int  # events that could not be taken in and are not skipped
    quarantined_jobs: int  # given up
    failing_jobs: int  # tried again
    quarantined_deliveries: int  # of platforms
    differences: Mapping[str, int]  # at a hub: events that are not as at their node, by region


async def node_state(connection: AsyncConnection[Any], *, now: datetime) -> NodeState:
    cursor = await connection.execute(
        """
        SELECT (SELECT min(available_at)
                  FROM dramatiq.queue
                 WHERE state = 'queued'
                   AND queue_name = %s),
               (SELECT count(*) FROM dead_letter WHERE NOT skipped),
               (SELECT count(*) FROM job WHERE quarantined),
               (SELECT count(*) FROM job WHERE NOT quarantined AND error IS NOT NULL),
               (SELECT count(*) FROM inbox WHERE state = 'QUARANTINED')
        """,
        [jobs.Queue.DEFAULT],  # exports have processes of their own
    )
    row = await cursor.fetchone()
    assert row is not None, "an aggregate has a row"  # noqa: S101
    earliest, dead_letters, quarantined, failing, deliveries = row
    waited = (now - earliest).total_seconds() if earliest else 0.0
    cursor = await connection.execute(
        """
        SELECT region,
               count(difference.pos)
          FROM followed
          LEFT JOIN difference USING (region)
         GROUP BY region
        """
    )
    differences = {region: number async for region, number in cursor}
    slots = [Slot(*row) async for row in await connection.execute(SLOTS)]
    return NodeState(
        max(waited, 0.0), slots, dead_letters, quarantined, failing, deliveries, differences
    )


async def _open_by_status(
    connection: AsyncConnection[Any], regions: Sequence[str], scope: Scope
) -> dict[str, dict[str, int]]:
    where, parameters = _within(regions, scope)
    cursor = await connection.execute(
        "SELECT region, status, count(*) FROM incident WHERE open"
        + where
        + " GROUP BY region, status",
        parameters,
    )
    found: dict[str, dict[str, int]] = {}
    async for region, status, count in cursor:
        found.setdefault(region, {})[status] = count
    return found


async def _queues(
    connection: AsyncConnection[Any], regions: Sequence[str], scope: Scope, now: datetime
) -> dict[str, dict[Queue, int]]:
    where, parameters = _within(regions, scope)
    counts: LiteralString = ", ".join(
        "count(*) FILTER (WHERE " + condition + ")" for condition in CONDITIONS.values()
    )
    cursor = await connection.execute(
        "SELECT region, " + counts + " FROM incident WHERE " + WAITING + where + " GROUP BY region",
        parameters | moments(now),
    )
    return {region: dict(zip(CONDITIONS, row, strict=True)) async for region, *row in cursor}


async def _cohort(
    connection: AsyncConnection[Any],
    regions: Sequence[str],
    scope: Scope,
    catalogue: Catalogue,
    now: datetime,
) -> dict[str, tuple[int, int]]:
    """Registered on the watched days, and answered; the daily rows know no bodies nor topics."""
    if not _of_whole_places(scope):
        return {}
    cursor = await connection.execute(
        """
        SELECT region,
               sum(registered)::bigint,
               sum(answered)::bigint
          FROM daily
          JOIN unnest(%(regions)s::text[], %(today)s::date[]) AS reporting (region, today)
         USING (region)
         WHERE municipality = %(municipality)s
           AND day >= %(first)s
           AND day BETWEEN today - %(days)s AND today - 1
         GROUP BY region
        """,
        {
            "regions": regions,
            "today": [today_in(catalogue, region, now) for region in regions],
            "municipality": scope.municipality or TOTAL,
            "first": now.date() - timedelta(days=WATCHED_DAYS + 1),  # of no region later
            "days": WATCHED_DAYS,
        },
    )
    return {region: (registered, answered) async for region, registered, answered in cursor}


def _within(regions: Sequence[str], scope: Scope) -> tuple[LiteralString, dict[str, object]]:
    conditions: LiteralString = " AND region = ANY (%(regions)s)"
    if scope.municipality is not None:
        conditions += " AND municipality = %(municipality)s"
    if scope.organisation is not None:
        conditions += " AND organisation = %(organisation)s"
    if scope.topics is not None:
        conditions += " AND topic = ANY (%(topics)s)"
    return conditions, {
        "regions": regions,
        "municipality": scope.municipality,
        "organisation": scope.organisation,
        "topics": list(scope.topics or ()),
    }


def _of_whole_places(scope: Scope) -> bool:
    return scope.organisation is None and scope.topics is None
