"""What must hold of a network, whatever happened to its machines: told by what does not.

    of_commands    what was acknowledged is recorded, as it was told
    of_log         positions of a region and versions of an incident have no gaps
    of_hub         a hub has what its nodes have, event by event
    of_transfers   what left a region came to the other, once
    found_on_disk  what citizens wrote lies nowhere in plain

That read models are what a rebuild makes is told by projections/audit.py. Two laws need more than a
database: that nothing is done twice outside is shown at stand-ins of the platforms (tests/intake),
that nobody sees what is another's by asking (tests/api/test_tenancy.py and
tests/projections/test_walls.py).
"""

import mmap
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import LiteralString, NamedTuple
from uuid import UUID

import psycopg

from regions.centre import Result
from regions.federation import comparing

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


def of_hub(
    hub: psycopg.Connection, node: psycopg.Connection, regions: Collection[str]
) -> Iterator[str]:
    """Events of these regions that are not at the hub as they are at their node."""
    for region in regions:
        for each in comparing.differences(hub, node, region):
            yield f"{each.what} at the hub: {region}:{each.pos}"


class Transfer(NamedTuple):
    """As both ends tell it."""

    origin_region: str
    origin: UUID
    region: str
    correlation: UUID


@dataclass(slots=True)
class Unpaired:
    """A transfer that is not recorded exactly once at each end."""

    transfer: Transfer
    left: int
    came: int
    recorded_at: datetime  # what is recorded of it, the latest

    @property
    def may_be_on_its_way(self) -> bool:
        """Or what tells of one end is: a hub hears of the two by different lines."""
        return self.left + self.came == 1

    def __str__(self) -> str:
        each = self.transfer
        return (
            f"incident {each.origin} of region {each.origin_region}: went to "
            f"{each.region} {self.left} times, came there {self.came} times"
        )


# An incident leaves its region once: it comes back as another one.
LEFT: LiteralString = """
SELECT region,
       originator_id,
       (payload->>'to_region') || CASE WHEN region ~ '~' THEN '~sandbox' ELSE '' END,
       (payload->>'correlation')::uuid,
       recorded_at
  FROM events
 WHERE topic = 'IncidentTransferredOut'
"""
CAME: LiteralString = """
SELECT payload->>'origin_region',
       (payload->>'origin')::uuid,
       region,
       (payload->>'correlation')::uuid,
       recorded_at
  FROM events
 WHERE topic = 'IncidentTransferredIn'
"""


def of_transfers(*connections: psycopg.Connection) -> Iterator[Unpaired]:
    """Transfers between the regions of these databases that are recorded at one end only, or twice.

    What is still on its way is named as well. Of a hub one connection is enough: it has both ends.
    """
    regions = {
        region
        for connection in connections
        for (region,) in connection.execute("SELECT region FROM region_head")
    }
    left, came = (_transfers(connections, each, regions) for each in (LEFT, CAME))
    for transfer in sorted(left.keys() | came.keys()):
        here, there = left[transfer], came[transfer]
        if (len(here), len(there)) != (1, 1):
            yield Unpaired(transfer, len(here), len(there), max(here + there))


def _transfers(
    connections: Collection[psycopg.Connection], query: LiteralString, regions: Collection[str]
) -> defaultdict[Transfer, list[datetime]]:
    """When each was recorded."""
    found = defaultdict(list)
    for connection in connections:
        for *named, recorded_at in connection.execute(query):
            transfer = Transfer(*named)
            if transfer.origin_region in regions and transfer.region in regions:
                found[transfer].append(recorded_at)
    return found


def found_on_disk(connection: psycopg.Connection, marks: Collection[bytes]) -> set[bytes]:
    """Which of these bytes lie in the files of the server, its log of writes included.

    Reads them all, so it must run where they are, and may read them.
    """
    connection.execute("CHECKPOINT")
    row = connection.execute("SHOW data_directory").fetchone()
    assert row is not None, "a setting is shown"  # noqa: S101
    return found_in(Path(row[0]), marks)


def found_in(folder: Path, marks: Collection[bytes]) -> set[bytes]:
    """The same of the files of a folder and of those below."""
    found: set[bytes] = set()
    for file in folder.rglob("*"):
        if file.is_file() and not file.is_symlink() and file.stat().st_size:
            found |= _found_in_file(file, set(marks) - found)
    return found


def _found_in_file(file: Path, marks: Collection[bytes]) -> set[bytes]:
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as read:
        return {mark for mark in marks if read.find(mark) >= 0}
