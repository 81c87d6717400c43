"""The hub looks again and again whether it has what its nodes have."""

from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest

from regions.federation import comparing, replication, watching
from regions.node import Node, command_pool
from regions.reference.catalogue import Catalogue
from regions.store.postgres import Server
from regions.store.vault import Vault
from tests.conftest import PAST_TRIGGERS
from tests.federated import database
from tests.scenarios import NOON, closed, registered
from tests.waiting import until

LATER = NOON + watching.ROUND


@pytest.fixture
def node(server: Server, catalogue: Catalogue) -> Iterator[Node]:
    url = database(server, catalogue, ("BRONX",))
    with command_pool(url) as pool:
        yield Node(url, catalogue, Vault(b"0" * 32), pool)


@pytest.fixture
def hub(second_server: Server, catalogue: Catalogue, node: Node) -> Iterator[psycopg.Connection]:
    """It follows the node, and has what closed an incident."""
    url = database(second_server, catalogue, ())
    with replication.connect(url) as here, replication.connect(node.url) as there:
        closed(node.centre("BRONX"))
        replication.join(here, there, name="watched", regions=("BRONX",), conninfo=node.url)
        until(lambda: replication.received(here, "watched"))
        yield here
        replication.leave(here, there, "watched")


@pytest.fixture
def small_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "RANGE_EVENTS", 3)


def look(hub: psycopg.Connection, node: Node, now: object = NOON) -> int:
    """Until nobody's turn is left; gives how many ranges were looked at."""
    assert isinstance(now, type(NOON))
    ranges = 0
    while watching.look(hub, lambda name: replication.connect(node.url), now):
        ranges += 1
    return ranges


def found(hub: psycopg.Connection) -> list[tuple[int, str]]:
    return hub.execute("SELECT pos, what FROM difference ORDER BY pos").fetchall()


@pytest.mark.usefixtures("small_ranges")
def test_what_is_changed_behind_all_triggers_is_found_and_told_once(
    hub: psycopg.Connection, node: Node, caplog: pytest.LogCaptureFixture
) -> None:
    last = comparing.last_position(hub, "BRONX")
    assert look(hub, node) == -(-last // 3)
    assert found(hub) == []
    hub.execute(PAST_TRIGGERS)
    hub.execute("""UPDATE events SET payload = payload || '{"by": "x"}' WHERE pos = 1""")
    hub.execute("DELETE FROM events WHERE pos = 2")
    hub.execute(
        """
        INSERT INTO events (region, pos, originator_id, originator_version, topic, payload)
        SELECT region, %s, gen_random_uuid(), 1, topic, payload FROM events WHERE pos = 1
        """,
        [last + 1],
    )
    assert look(hub, node, NOON + timedelta(minutes=59)) == 0
    look(hub, node, LATER)
    wrong = [(1, "OTHER"), (2, "MISSING"), (last + 1, "FOREIGN")]
    assert found(hub) == wrong
    look(hub, node, LATER + watching.ROUND)
    assert found(hub) == wrong
    assert len(caplog.records) == 3
    hub.execute("DELETE FROM events WHERE pos = %s", [last + 1])
    look(hub, node, LATER + 2 * watching.ROUND)
    assert found(hub)[:2] == wrong[:2]


@pytest.mark.usefixtures("small_ranges")
def test_the_newest_is_compared_first_and_who_was_killed_goes_on(
    hub: psycopg.Connection, node: Node
) -> None:
    last, looked = comparing.last_position(hub, "BRONX"), set()
    for _ in range(2):
        watching.look(hub, lambda name: replication.connect(node.url), NOON)
        looked.add(hub.execute("SELECT below FROM compared").fetchone())
    assert looked == {(last - 3,), (last - 6,)}
    registered(node.centre("BRONX"))  # what comes meanwhile is the next round's
    look(hub, node)
    assert hub.execute("SELECT below, begun_at FROM compared").fetchone() == (0, NOON)


def test_the_last_event_is_missed_too(hub: psycopg.Connection, node: Node) -> None:
    last = comparing.last_position(hub, "BRONX")
    hub.execute(PAST_TRIGGERS)
    hub.execute("DELETE FROM events WHERE pos = %s", [last])
    look(hub, node)
    assert found(hub) == [(last, "MISSING")]


def test_a_node_that_is_away_is_no_difference(hub: psycopg.Connection, node: Node) -> None:
    def away(name: str) -> psycopg.Connection:
        raise psycopg.OperationalError(name)

    assert watching.look(hub, away, NOON)
    assert found(hub) == []
    assert look(hub, node) > 0
