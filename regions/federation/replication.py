"""A hub over many nodes: their events come to it by PostgreSQL's logical replication.

Positions are gapless in each region, so at any moment the hub can tell whether it has all of them.
"""

from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from typing import LiteralString, NamedTuple

import psycopg
from psycopg import errors, sql

from regions.store.migration import Migration, last_applied

# Of events only that they were recorded: who changes or removes one here changes nothing there.
# Sandboxes are nobody's figures.
PUBLICATIONS: dict[LiteralString, LiteralString] = {
    "tsur_events": "TABLE events WHERE (region !~ '~') WITH (publish = 'insert')",
    "tsur_heads": "TABLE region_head WHERE (region !~ '~') WITH (publish = 'insert, update')",
}
CONNECT_SECONDS = 5

# A hub writes into no followed region, and hears of each by what comes. `written_elsewhere` fires
# for writers only, be they the owner; the other for what is replicated only.
RECEIVE: LiteralString = """
CREATE OR REPLACE TRIGGER written_elsewhere BEFORE INSERT OR UPDATE OR DELETE ON events
   FOR EACH ROW EXECUTE FUNCTION refuse_followed();
CREATE OR REPLACE TRIGGER written_elsewhere BEFORE INSERT OR UPDATE ON region_head
   FOR EACH ROW EXECUTE FUNCTION refuse_followed();
CREATE OR REPLACE TRIGGER heard AFTER INSERT OR UPDATE ON region_head
   FOR EACH ROW EXECUTE FUNCTION hear();
ALTER TABLE region_head ENABLE REPLICA TRIGGER heard
"""


class FederationRefused(Exception):
    """What was asked for would lose or double events; the message says why, and what to do."""


def connect(conninfo: str) -> psycopg.Connection:
    """Raises psycopg.OperationalError soon if nobody answers."""
    return psycopg.connect(conninfo, autocommit=True, connect_timeout=CONNECT_SECONDS)


def check_hub_is_ready(conninfo: str, migrations: Sequence[Migration]) -> None:
    """A column that a node has and its hub has not would stop the replication.

    Raises FederationRefused if the hub is of an earlier release; one that is away says nothing.
    """
    with suppress(psycopg.OperationalError), connect(conninfo) as hub:
        if last_applied(hub) < migrations[-1].number:
            raise FederationRefused(
                "The hub is of an earlier release and goes first: tsur federation migrate"
            )


def beat(node: psycopg.Connection) -> None:
    """Tell the hub that this node lives, and that it has all there is; nothing if none follows."""
    node.execute(
        """
        UPDATE region_head
           SET beat_at = clock_timestamp()
         WHERE region !~ '~'
           AND EXISTS (SELECT FROM pg_publication WHERE pubname = 'tsur_heads')
        """
    )


def join(
    hub: psycopg.Connection,
    node: psycopg.Connection,
    *,
    name: str,
    regions: Collection[str],
    conninfo: str,
) -> None:
    """Begin to follow a node, its history first; done before, or half, it is done to its end.

    `conninfo` is the node's as the hub's server reaches it. Raises FederationRefused if the hub has
    events of its own of these regions.
    """
    for publication, published in PUBLICATIONS.items():
        if not _has(node, "pg_publication", "pubname", publication):
            node.execute("CREATE PUBLICATION " + publication + " FOR " + published)
    if _has(hub, "pg_subscription", "subname", subscription_of(name)):
        return
    with hub.transaction():
        own = hub.execute(
            """
            DELETE FROM region_head
             WHERE region = ANY (%(regions)s)
               AND region NOT IN (SELECT region FROM followed)
            RETURNING CASE WHEN pos > 0 THEN region END
            """,
            {"regions": list(regions)},
        ).fetchall()
        if codes := [region for (region,) in own if region]:
            raise FederationRefused(
                f"The hub has events of its own of {', '.join(codes)}: move them to {name} first"
            )
        hub.execute(RECEIVE)
        hub.execute(
            "INSERT INTO followed (region, node) SELECT unnest(%s::text[]), %s"
            " ON CONFLICT DO NOTHING",
            [list(regions), name],
        )
    _subscribe(hub, node, name, conninfo, PUBLICATIONS)


def resync(
    hub: psycopg.Connection,
    node: psycopg.Connection,
    *,
    name: str,
    regions: Collection[str],
    conninfo: str,
) -> None:
    """Follow a node whose slot was lost from what the hub has of it, while both are at work.

    That the hub has the first n events of each region, and no others, is what gapless positions
    give. Its regions have no head until theirs is copied. To be ended by `settle`.
    """
    leave(hub, node, name)
    had = dict.fromkeys(regions, 0) | dict(
        hub.execute(
            "SELECT region, max(pos) FROM events WHERE region = ANY (%s) GROUP BY region",
            [list(regions)],
        ).fetchall()
    )
    missing = [
        sql.SQL("(region = {} AND pos > {})").format(sql.Literal(code), sql.Literal(pos))
        for code, pos in had.items()
    ]
    node.execute("DROP PUBLICATION IF EXISTS tsur_refill")
    node.execute(
        sql.SQL("CREATE PUBLICATION tsur_refill FOR TABLE events WHERE ({})").format(
            sql.SQL(" OR ").join(missing)
        )
        + sql.SQL(" WITH (publish = 'insert')")
    )
    hub.execute("DELETE FROM region_head WHERE region = ANY (%s)", [list(regions)])
    _subscribe(hub, node, name, conninfo, ["tsur_refill", "tsur_heads"])


def settle(hub: psycopg.Connection, node: psycopg.Connection, name: str) -> None:
    """After a resync was received: follow as whoever joined."""
    hub.execute(
        sql.SQL("ALTER SUBSCRIPTION {} SET PUBLICATION {} WITH (refresh = false)").format(
            sql.Identifier(subscription_of(name)),
            sql.SQL(", ").join(map(sql.Identifier, PUBLICATIONS)),
        )
    )
    node.execute("DROP PUBLICATION IF EXISTS tsur_refill")


def _subscribe(
    hub: psycopg.Connection,
    node: psycopg.Connection,
    name: str,
    conninfo: str,
    publications: Iterable[str],
) -> None:
    """Raises FederationRefused if the hub's server does not reach the node's."""
    _drop_slot(node, name)  # of an attempt that was broken off: the other server made it
    try:
        hub.execute(
            sql.SQL("CREATE SUBSCRIPTION {} CONNECTION {} PUBLICATION {}").format(
                sql.Identifier(subscription_of(name)),
                sql.Literal(conninfo),
                sql.SQL(", ").join(map(sql.Identifier, publications)),
            )
        )
    except errors.ConnectionFailure:
        raise FederationRefused(
            f"The server of the hub does not reach {name} as the topology says, its log tells why: "
            "certificates and passfiles are read there"
        ) from None


def regions_of(hub: psycopg.Connection, name: str, named: Collection[str]) -> list[str]:
    """The regions of a node: those the topology names, but for what moved before it was edited."""
    rows = hub.execute("SELECT region, node FROM followed").fetchall()
    followed: dict[str, str] = dict(rows)
    own = set(named) | {region for region, node in followed.items() if node == name}
    return sorted(region for region in own if followed.get(region, name) == name)


class Slot(NamedTuple):
    """What a node keeps for a hub that follows it."""

    name: str
    retained_bytes: int  # of the write-ahead log
    safe_bytes: int | None  # that may be written before it may be lost; None: no bound, or lost
    wal_status: str  # reserved, extended, unreserved or lost

    @property
    def lost(self) -> bool:
        """Whether the hub must be resynced: the log behind the slot is gone."""
        return self.wal_status == "lost"


SLOTS: LiteralString = """
SELECT slot_name,
       coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0)::bigint,
       safe_wal_size,
       wal_status
  FROM pg_replication_slots
 WHERE database = current_database()
   AND starts_with(slot_name, 'tsur_')
   AND wal_status IS NOT NULL
 ORDER BY slot_name
"""


def slots(node: psycopg.Connection) -> list[Slot]:
    return [Slot(*row) for row in node.execute(SLOTS)]


def recorded(connection: psycopg.Connection, regions: Collection[str]) -> int:
    """How many events of these regions there are."""
    row = connection.execute(
        "SELECT coalesce(sum(pos), 0)::bigint FROM region_head WHERE region = ANY (%s)",
        [list(regions)],
    ).fetchone()
    return row[0] if row else 0


def received(hub: psycopg.Connection, name: str) -> bool:
    """Whether the history of a node that joined has been copied."""
    row = hub.execute(
        """
        SELECT bool_and(srsubstate = 'r')
          FROM pg_subscription_rel
          JOIN pg_subscription ON oid = srsubid
         WHERE subname = %s
        """,
        [subscription_of(name)],
    ).fetchone()
    return row == (True,)


def leave(hub: psycopg.Connection, node: psycopg.Connection | None, name: str) -> None:
    """Follow a node no more; what was received stays. Without `node` its slot stays there.

    A slot that nobody reads keeps the node's log for ever: drop it as soon as the node is back.
    """
    subscription = sql.Identifier(subscription_of(name))
    if _has(hub, "pg_subscription", "subname", subscription_of(name)):
        hub.execute(sql.SQL("ALTER SUBSCRIPTION {} DISABLE").format(subscription))
        hub.execute(sql.SQL("ALTER SUBSCRIPTION {} SET (slot_name = NONE)").format(subscription))
        hub.execute(sql.SQL("DROP SUBSCRIPTION {}").format(subscription))
    if node is not None:
        _drop_slot(node, name)


def conninfo_of(hub_conninfo: str, name: str) -> str:
    """How the hub's server reaches a node. Raises psycopg.OperationalError if it does not."""
    with connect(hub_conninfo) as hub:
        row = hub.execute(
            "SELECT subconninfo FROM pg_subscription WHERE subname = %s", [subscription_of(name)]
        ).fetchone()
    if row is None:
        raise psycopg.OperationalError(f"{name} is not followed")
    found: str = row[0]
    return found


def subscription_of(name: str) -> str:
    """The subscription to a node, and the slot at the node, by its name."""
    return f"tsur_{name}"


def _drop_slot(node: psycopg.Connection, name: str) -> None:
    slot = [subscription_of(name)]
    # Its reader at the hub is gone; what serves it here may not have noticed yet.
    node.execute(
        """
        SELECT pg_terminate_backend(active_pid, 5000)
          FROM pg_replication_slots
         WHERE slot_name = %s
           AND active
        """,
        slot,
    )
    node.execute(
        """
        SELECT pg_drop_replication_slot(slot_name)
          FROM pg_replication_slots
         WHERE slot_name = %s
        """,
        slot,
    )


def _has(connection: psycopg.Connection, table: str, column: str, name: str) -> bool:
    found = connection.execute(
        sql.SQL("SELECT FROM {} WHERE {} = %s").format(
            sql.Identifier(table), sql.Identifier(column)
        ),
        [name],
    )
    return found.fetchone() is not None
