"""A node that was restored to an earlier moment gets back what its hub has received meanwhile.

Events only: the keys of subjects who wrote in between are lost, and so are their texts.
"""

from collections.abc import Collection

import psycopg
from psycopg import sql

from regions.federation.comparing import digest, last_position
from regions.federation.replication import FederationRefused, leave

COLUMNS = sql.SQL("region, pos, originator_id, originator_version, topic, payload, recorded_at")


def refill(
    hub: psycopg.Connection, node: psycopg.Connection, *, name: str, regions: Collection[str]
) -> dict[str, int]:
    """How many events each region got back; done again, it finds nothing to do.

    Writers of a region wait for it. Its hub follows the node no more: to be followed by a resync.
    Raises FederationRefused if the node has written since it was restored, or has other events.
    """
    leave(hub, node, name)
    return {region: _refill(hub, node, region) for region in regions}


def _refill(hub: psycopg.Connection, node: psycopg.Connection, region: str) -> int:
    with node.transaction():
        row = node.execute(
            "SELECT pos FROM region_head WHERE region = %s FOR UPDATE", [region]
        ).fetchone()
        head = row[0] if row else 0
        common = min(head, last_position(hub, region))
        if digest(hub, region, 0, common) != digest(node, region, 0, common):
            raise FederationRefused(
                f"The node and the hub differ in the first {common:,} events of {region}: see "
                "`tsur federation audit`. If the node has written since it was restored, what it "
                "wrote has positions that were taken: restore it again, and refill it before it "
                "is started"
            )
        lost = sql.SQL(
            "COPY (SELECT {} FROM events WHERE region = {} AND pos > {} ORDER BY pos)"
            " TO STDOUT (FORMAT BINARY)"
        ).format(COLUMNS, sql.Literal(region), sql.Literal(head))
        again = sql.SQL("COPY events ({}) FROM STDIN (FORMAT BINARY)").format(COLUMNS)
        with hub.cursor().copy(lost) as out, node.cursor().copy(again) as back:
            for block in out:
                back.write(block)
        moved = node.execute(
            """
            UPDATE region_head
               SET pos = events.pos
              FROM (SELECT max(pos) AS pos FROM events WHERE region = %(region)s) AS events
             WHERE region = %(region)s
               AND region_head.pos < events.pos
            RETURNING events.pos
            """,
            {"region": region},
        ).fetchone()
        return moved[0] - head if moved else 0
