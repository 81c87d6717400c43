"""A region moves: its log and all that belongs to it go from one node to another, positions kept.

At any moment one node at most has the region's head, so nobody can write at two; what one of them
lacks is told by the table `moving` of both. Each step leaves a state from which the whole may be
asked for again: the node that is left keeps everything until the other has it and writes it.

The hub has every event from the node that is left. What is copied comes to it no second time: the
other node does not publish a region that is arriving. Which of its changes a node publishes is
decided by what was so when they were made, so nothing has to be waited for between the two.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from psycopg import errors, sql

from regions.federation import belongings, comparing, replication
from regions.federation.belongings import End, with_sandbox
from regions.federation.replication import FederationRefused, subscription_of

EVENTS_AT_ONCE = 50_000  # copied in one transaction
# Nothing that is under way in them is missed by the copy.
SETTLE: LiteralString = "LOCK TABLE inbox, delivery, remembered, import_quarantine IN SHARE MODE"
TRANSFERS: LiteralString = """
SELECT count(*)
  FROM (SELECT message->'args' AS arguments
          FROM dramatiq.queue
         WHERE message->>'actor_name' = 'receive_transfer'
           AND state <> 'rejected'
         UNION
        SELECT arguments
          FROM job
         WHERE actor = 'receive_transfer') AS transfer
  JOIN events ON region = arguments->>0
             AND originator_id = (arguments->>1)::uuid
             AND originator_version = (arguments->>2)::int
 WHERE region = %(region)s
    OR payload->>'to_region' = %(region)s
"""


@dataclass(frozen=True)
class Move:
    region: str
    old: End
    new: End
    hub: psycopg.Connection
    wait: Callable[[], None]  # a moment, while the hub receives
    events_at_once: int = EVENTS_AT_ONCE

    @property
    def regions(self) -> list[str]:
        return with_sandbox(self.region)

    def steps(self) -> Iterator[str]:
        """Do it; gives in words what was done, step by step. Raises FederationRefused.

        Whoever broke off begins anew, and passes over what is done.
        """
        self._check()
        if _state(self.old, self.region) != "LEFT":
            if not self._arrived():
                self._announce()
                yield f"{self.new.name} expects {self.region}"
                yield from self._copy_events()  # the most of it, while writers go on
                self._compare()
                self._stop()
                yield f"nobody writes {self.region}"
                self._end_deliveries()
                yield from self._copy_events()
                self._await_hub()
                yield "the hub has received all of it"
                self._compare()
                self._count()
                yield "both nodes and the hub have the same events"
                self._arrive()
                yield f"{self.new.name} writes {self.region}"
            self._follow()
            yield f"the hub follows {self.region} at {self.new.name}"
            self._forget()
            yield f"{self.old.name} has nothing of {self.region} any more"

    def _check(self) -> None:
        for end in (self.old, self.new):
            mark = end.connection.execute("SELECT vault_mark FROM node").fetchone()
            if mark != (end.vault.fingerprint(b"node"),):
                raise FederationRefused(f"The vault key given for {end.name} is not its own")
            if not replication.received(self.hub, end.name):
                raise FederationRefused(
                    f"The hub does not follow {end.name}: tsur federation join {end.name} first"
                )
        if _migrations(self.old) != _migrations(self.new):
            raise FederationRefused(
                f"{self.old.name} and {self.new.name} are of two releases: migrate both first"
            )
        if _state(self.old, self.region) is None and not _writes(self.old, self.region):
            raise FederationRefused(
                f"{self.old.name} does not write {self.region}: the topology must name the node "
                "that does until the region has moved, and the other one afterwards"
            )

    def _arrived(self) -> bool:
        return _state(self.old, self.region) == "LEAVING" and _writes(self.new, self.region)

    def _announce(self) -> None:
        """From here on the new node gives the region no head by itself, and publishes none of it.

        Raises FederationRefused if it has events of it, or lets it go itself.
        """
        node = self.new.connection
        with node.transaction():
            if _state(self.new, self.region) != "ARRIVING":
                self._make_room(node)
            _publish(node, "tsur_events", "events", "insert")
            _publish(node, "tsur_heads", "region_head", "insert, update")

    def _make_room(self, node: psycopg.Connection) -> None:
        node.execute("DELETE FROM region_head WHERE pos = 0 AND region = ANY (%s)", [self.regions])
        taken = node.execute(
            """
            SELECT FROM events WHERE region = ANY (%(regions)s)
             UNION ALL
            SELECT FROM moving WHERE region = ANY (%(regions)s) AND state = 'LEAVING'
             LIMIT 1
            """,
            {"regions": self.regions},
        ).fetchone()
        if taken is not None:
            raise FederationRefused(
                f"{self.new.name} has events of {self.region}: nothing can be added to them"
            )
        _note(node, self.regions, "ARRIVING", self.old.name)

    def _copy_events(self) -> Iterator[str]:
        for region in self.regions:
            upto, after = (_last(end, region) for end in (self.old, self.new))
            for start in range(after, upto, self.events_at_once):
                end = min(start + self.events_at_once, upto)
                belongings.copy_events(self.old.connection, self.new.connection, region, start, end)
                yield f"{end} of {upto} events of {region} copied"

    def _stop(self) -> None:
        """Without a head nobody writes: what is under way comes before, what comes is refused."""
        node = self.old.connection
        try:
            with node.transaction():
                node.execute("SET LOCAL lock_timeout = '5s'")
                node.execute(SETTLE)
                node.execute("DELETE FROM region_head WHERE region = ANY (%s)", [self.regions])
                _note(node, self.regions, "LEAVING", self.new.name)
                found = node.execute(TRANSFERS, {"region": self.region}).fetchone()
                if found != (0,):
                    raise FederationRefused(
                        f"Incidents are on their way from or to {self.region}: let the workers of "
                        f"{self.old.name} finish (tsur jobs list), then again"
                    )
        except errors.LockNotAvailable:
            raise FederationRefused(f"{self.old.name} is too busy to stop: try again") from None

    def _end_deliveries(self) -> None:
        """Wait until no platform is being called: whoever does that holds this lock."""
        rows = self.old.connection.execute(
            "SELECT id FROM delivery WHERE region = ANY (%s) AND state IN ('WAITING', 'SENDING')",
            [self.regions],
        )
        for (delivery,) in rows:
            key = int.from_bytes(delivery.bytes[8:], signed=True)
            self.old.connection.execute("SELECT pg_advisory_lock(%s)", [key])
            self.old.connection.execute("SELECT pg_advisory_unlock(%s)", [key])

    def _await_hub(self) -> None:
        """Events and heads of the old node come no more after those of the new one."""
        node = self.old.connection
        (upto,) = node.execute("SELECT pg_current_wal_lsn()").fetchone() or (None,)
        while (
            node.execute(
                """
            SELECT FROM pg_replication_slots
             WHERE slot_name = %s
               AND confirmed_flush_lsn >= %s
            """,
                [subscription_of(self.old.name), upto],
            ).fetchone()
            is None
        ):
            self.wait()

    def _compare(self) -> None:
        """Raises FederationRefused if a copied event is not as it is at the old node."""
        for place, copy, region in self._copies():
            for found in comparing.differences(copy, self.old.connection, region):
                raise FederationRefused(
                    f"{region}:{found.pos} is {found.what} at {place}: mend that, then again"
                )

    def _count(self) -> None:
        """Raises FederationRefused if an event is missing at the end."""
        for place, copy, region in self._copies():
            if comparing.last_position(copy, region) != _last(self.old, region):
                raise FederationRefused(f"{place} has not all events of {region}")

    def _copies(self) -> Iterator[tuple[str, psycopg.Connection, str]]:
        for region in self.regions:
            yield self.new.name, self.new.connection, region
        yield "the hub", self.hub, self.region

    def _arrive(self) -> None:
        """All else comes with the head, in one transaction; what is written then is published."""
        node = self.new.connection
        _publish(node, "tsur_events", "events", "insert", here=self.regions)
        with node.transaction():
            belongings.carry(self.old, self.new, self.region)
            node.execute(
                """
                INSERT INTO region_head (region, pos)
                SELECT region, (SELECT coalesce(max(pos), 0) FROM events WHERE region = here.region)
                  FROM unnest(%s::text[]) AS here (region)
                """,
                [self.regions],
            )
            node.execute("DELETE FROM moving WHERE region = ANY (%s)", [self.regions])

    def _follow(self) -> None:
        """The hub has the first events of it from the old node, and the others from the new one."""
        _publish(self.new.connection, "tsur_events", "events", "insert")
        _publish(self.new.connection, "tsur_heads", "region_head", "insert, update")
        self.hub.execute(
            "UPDATE followed SET node = %s WHERE region = %s", [self.new.name, self.region]
        )

    def _forget(self) -> None:
        """Nobody erases twice: what must be gone there one day must not be left here."""
        node = self.old.connection
        with node.transaction():
            belongings.remove(node, self.region)
            _note(node, self.regions, "LEFT", self.new.name)


def _state(end: End, region: str) -> str | None:
    row = end.connection.execute("SELECT state FROM moving WHERE region = %s", [region]).fetchone()
    return row[0] if row else None


def _note(node: psycopg.Connection, regions: Collection[str], state: str, other: str) -> None:
    node.execute(
        """
        INSERT INTO moving (region, state, node)
        SELECT unnest(%s::text[]), %s, %s
            ON CONFLICT (region) DO UPDATE
           SET state = excluded.state,
               node = excluded.node
        """,
        [list(regions), state, other],
    )


def _writes(end: End, region: str) -> bool:
    found = end.connection.execute("SELECT FROM region_head WHERE region = %s", [region])
    return found.fetchone() is not None


def _last(end: End, region: str) -> int:
    return comparing.last_position(end.connection, region)


def _migrations(end: End) -> list[Any]:
    return end.connection.execute("SELECT number, checksum FROM migration ORDER BY 1").fetchall()


def _publish(
    node: psycopg.Connection,
    publication: str,
    table: str,
    published: str,
    here: Collection[str] = (),
) -> None:
    """Publish what a hub may have, but for what is arriving; of that only what is `here`."""
    rows = node.execute(
        "SELECT region FROM moving WHERE state = 'ARRIVING' AND region <> ALL (%s) ORDER BY 1",
        [list(here)],
    ).fetchall()
    hidden = [region for (region,) in rows]
    node.execute(
        sql.SQL(
            "ALTER PUBLICATION {} SET TABLE {} WHERE (region !~ '~' AND region <> ALL ({}::text[]))"
        ).format(sql.Identifier(publication), sql.Identifier(table), sql.Literal(hidden))
    )
