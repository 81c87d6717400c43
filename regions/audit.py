"""What must hold of a log, whatever happened to the machines: told by what does not."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import LiteralString, NamedTuple
from uuid import UUID

import psycopg

from regions.centre import Result

# Each finds what is amiss, in words.
OF_LOG: tuple[LiteralString, ...] = (
    """
    SELECT format('region %s: %s events, the last at %s, the head at %s',
                  region, count(events.pos), max(events.pos), head.pos)
      FROM region_head AS head
      LEFT JOIN events USING (region)
     GROUP BY region, head.pos
    HAVING count(events.pos) <> head.pos
        OR coalesce(max(events.pos), 0) <> head.pos
    """,
    """
    SELECT format('incident %s of region %s: %s events, the last of version %s',
                  originator_id, region, count(*), max(originator_version))
      FROM events
     GROUP BY region, originator_id
    HAVING count(*) <> max(originator_version)
        OR min(originator_version) <> 1
    """,
    """
    SELECT format('incident %s of region %s: version %s stands behind a later one',
                  originator_id, region, originator_version)
      FROM (SELECT *,
                   lag(originator_version) OVER (
                       PARTITION BY region, originator_id ORDER BY pos) AS before
              FROM events) AS event
     WHERE before >= originator_version
    """,
)


def of_log(connection: psycopg.Connection) -> Iterator[str]:
    """Gaps in a region's positions or an incident's versions, and what is out of order."""
    for query in OF_LOG:
        for (what,) in connection.execute(query):
            yield what


def of_commands(
    connection: psycopg.Connection, acknowledged: Mapping[UUID, Result], regions: Collection[str]
) -> Iterator[str]:
    """Commands of these regions that were acknowledged by another result than is recorded."""
    found = {
        command_id: (incident, version, pos)
        for command_id, incident, version, pos in connection.execute(
            """
            SELECT command_id,
                   incident_id,
                   version,
                   pos
              FROM command_result
              JOIN events USING (region, pos)
             WHERE originator_id = incident_id
               AND originator_version = version
            """
        )
    }
    for command_id, (incident, version, position) in acknowledged.items():
        if position.region in regions:
            told = (incident, version, position.pos)
            if found.get(command_id) != told:
                yield f"command {command_id}: told {told}, recorded {found.get(command_id)}"


class Transfer(NamedTuple):
    """As both ends tell it."""

    origin_region: str
    origin: UUID
    region: str
    correlation: UUID


# An incident leaves its region once: it comes back as another one.
LEFT: LiteralString = """
SELECT region,
       originator_id,
       (payload->>'to_region') || CASE WHEN region ~ '~' THEN '~sandbox' ELSE '' END,
       (payload->>'correlation')::uuid
  FROM events
 WHERE topic = 'IncidentTransferredOut'
"""
CAME: LiteralString = """
SELECT payload->>'origin_region',
       (payload->>'origin')::uuid,
       region,
       (payload->>'correlation')::uuid
  FROM events
 WHERE topic = 'IncidentTransferredIn'
"""


def of_transfers(*connections: psycopg.Connection) -> Iterator[str]:
    """Transfers between the regions of these databases that are recorded at one end only, or twice.

    What is still on its way is named as well. Of a hub one connection is enough: it has both ends.
    """
    regions = {
        region
        for connection in connections
        for (region,) in connection.execute("SELECT region FROM region_head")
    }
    left, came = (_transfers(connections, each, regions) for each in (LEFT, CAME))
    for transfer in sorted(left | came):
        if left[transfer] != came[transfer]:
            yield (
                f"incident {transfer.origin} of region {transfer.origin_region}: went to "
                f"{transfer.region} {left[transfer]} times, came there {came[transfer]} times"
            )


def _transfers(
    connections: Collection[psycopg.Connection], query: LiteralString, regions: Collection[str]
) -> Counter[Transfer]:
    rows = (Transfer(*row) for each in connections for row in each.execute(query))
    return Counter(row for row in rows if {row.origin_region, row.region} <= set(regions))
