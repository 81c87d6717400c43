"""A node that lost its last events gets them back from the hub that has them."""

import psycopg
import pytest

from domain.commands import Classify
from regions.federation import replication
from regions.federation.refilling import refill
from regions.federation.replication import FederationRefused
from regions.node import Node
from tests.federated import projected
from tests.regions.test_federation import (
    HERE,
    at_hub,
    at_node,
    bronx_and_queens,
    found,
    hub,
    join,
    lose_slot,
    wait_for_all,
)
from tests.scenarios import ask, closed, registered, some_topic
from tests.waiting import until

__all__ = ["at_hub", "at_node", "bronx_and_queens", "hub"]  # fixtures


def rewind(at_node: psycopg.Connection, pos: int) -> None:
    """What restoring an old copy does to the log; it has no slots either."""
    with at_node.transaction():
        at_node.execute("SET LOCAL session_replication_role = replica")
        at_node.execute("DELETE FROM events WHERE region = 'BRONX' AND pos > %s", [pos])
        at_node.execute("UPDATE region_head SET pos = %s WHERE region = 'BRONX'", [pos])


def test_a_restored_node_gets_back_what_the_hub_has_and_goes_on(
    hub: Node, bronx_and_queens: Node, at_hub: psycopg.Connection, at_node: psycopg.Connection
) -> None:
    bronx, queens = map(bronx_and_queens.centre, HERE)
    registered(queens)
    last = closed(bronx)
    join(at_hub, at_node, bronx_and_queens.url)
    wait_for_all(at_hub, at_node)
    before = at_node.execute("SELECT events::text FROM events ORDER BY region, pos").fetchall()
    lose_slot(at_hub, at_node)
    rewind(at_node, 2)
    got = refill(at_hub, at_node, name="first", regions=HERE)
    assert got == {"BRONX": last.position.pos - 2, "QUEENS": 0}
    assert refill(at_hub, at_node, name="first", regions=HERE) == {"BRONX": 0, "QUEENS": 0}
    after = at_node.execute("SELECT events::text FROM events ORDER BY region, pos").fetchall()
    assert after == before
    registered(bronx)
    replication.resync(at_hub, at_node, name="first", regions=HERE, conninfo=bronx_and_queens.url)
    until(lambda: replication.received(at_hub, "first"))
    replication.settle(at_hub, at_node, "first")
    wait_for_all(at_hub, at_node)
    assert found(at_hub, at_node) == []
    assert projected(hub) == projected(bronx_and_queens)


def test_a_node_that_wrote_since_it_was_restored_is_not_refilled(
    bronx_and_queens: Node, at_hub: psycopg.Connection, at_node: psycopg.Connection
) -> None:
    bronx = bronx_and_queens.centre("BRONX")
    incident = registered(bronx).incident_id
    ask(bronx, incident, Classify(topic=some_topic(bronx)), 1)
    join(at_hub, at_node, bronx_and_queens.url)
    wait_for_all(at_hub, at_node)
    lose_slot(at_hub, at_node)
    rewind(at_node, 1)
    registered(bronx)
    with pytest.raises(FederationRefused, match="BRONX"):
        refill(at_hub, at_node, name="first", regions=HERE)
    assert at_node.execute("SELECT max(pos) FROM events").fetchone() == (2,)


def test_a_hub_that_knows_less_gives_nothing_back(
    bronx_and_queens: Node, at_hub: psycopg.Connection, at_node: psycopg.Connection
) -> None:
    bronx = bronx_and_queens.centre("BRONX")
    registered(bronx)
    join(at_hub, at_node, bronx_and_queens.url)
    wait_for_all(at_hub, at_node)
    lose_slot(at_hub, at_node)
    registered(bronx)
    assert refill(at_hub, at_node, name="first", regions=HERE) == {"BRONX": 0, "QUEENS": 0}
    assert replication.recorded(at_node, HERE) == 2
