"""A hub and a node on two real servers: what is written at the node comes to the hub, all of it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest
from psycopg import errors

from domain.commands import Citizen, ErasePersonalData, PublishReply, TransferOut
from domain.errors import RegionElsewhere
from domain.rights import Actor
from domain.vocabulary import ReplyKind, Role
from projections import versions
from projections.feed import Progress, progress_now
from projections.projector import Projector
from regions import audit
from regions.federation import comparing, replication
from regions.federation.comparing import Difference
from regions.federation.replication import FederationRefused
from regions.node import Node, command_pool, prepare
from regions.reference.catalogue import Catalogue
from regions.store.postgres import Server, embedded
from regions.store.vault import Vault
from tests import federated
from tests.conftest import PAST_TRIGGERS, SERVER_SETTINGS, as_process
from tests.federated import database, projected
from tests.scenarios import ask, closed, registered
from tests.waiting import until

MONITOR = Actor("monitor", Role.MONITOR)
SAID = "Seit Montag kein Wasser im Haus 7"  # no other test says that
HERE = ("BRONX", "QUEENS")  # written at the node; the hub follows them


@pytest.fixture
def bronx_and_queens(server: Server, catalogue: Catalogue) -> Iterator[Node]:
    url = database(server, catalogue, HERE)
    with command_pool(url) as pool:
        yield Node(url, catalogue, Vault(b"0" * 32), pool)


@pytest.fixture
def hub(second_server: Server, catalogue: Catalogue) -> Iterator[Node]:
    url = database(second_server, catalogue, ())
    with command_pool(url) as pool:
        yield Node(url, catalogue, Vault(b"1" * 32), pool)


@pytest.fixture
def at_hub(hub: Node, bronx_and_queens: Node) -> Iterator[psycopg.Connection]:
    with replication.connect(hub.url) as connection:
        yield connection
        with replication.connect(bronx_and_queens.url) as there:
            replication.leave(connection, there, "first")


@pytest.fixture
def at_node(bronx_and_queens: Node) -> Iterator[psycopg.Connection]:
    with replication.connect(bronx_and_queens.url) as connection:
        yield connection


def join(at_hub: psycopg.Connection, at_node: psycopg.Connection, conninfo: str) -> None:
    federated.join(at_hub, at_node, conninfo, HERE)


def wait_for_all(at_hub: psycopg.Connection, at_node: psycopg.Connection) -> None:
    federated.wait_for_all(at_hub, at_node, HERE)


def found(at_hub: psycopg.Connection, at_node: psycopg.Connection) -> list[Difference]:
    return [each for code in HERE for each in comparing.differences(at_hub, at_node, code)]


def test_the_history_comes_first_and_then_what_happens(
    hub: Node, bronx_and_queens: Node, at_hub: psycopg.Connection, at_node: psycopg.Connection
) -> None:
    closed(bronx_and_queens.centre("BRONX"))
    join(at_hub, at_node, bronx_and_queens.url)
    assert found(at_hub, at_node) == []
    registered(bronx_and_queens.centre("BRONX"))
    closed(bronx_and_queens.centre("QUEENS"))
    wait_for_all(at_hub, at_node)
    assert found(at_hub, at_node) == []
    rows = projected(hub)
    assert len(rows) == 3
    assert rows == projected(bronx_and_queens)


def test_a_node_that_the_server_of_the_hub_does_not_reach_joins_later(
    bronx_and_queens: Node, at_hub: psycopg.Connection, at_node: psycopg.Connection
) -> None:
    registered(bronx_and_queens.centre("BRONX"))
    with pytest.raises(FederationRefused, match="does not reach first"):
        replication.join(
            at_hub, at_node, name="first", regions=HERE, conninfo="host=/nowhere dbname=x"
        )
    join(at_hub, at_node, bronx_and_queens.url)
    wait_for_all(at_hub, at_node)


def test_neither_writes_what_is_the_others(
    hub: Node, bronx_and_queens: Node, at_hub: psycopg.Connection, at_node: psycopg.Connection
) -> None:
    with pytest.raises(RegionElsewhere):
        registered(bronx_and_queens.centre("BROOKLYN"))
    with pytest.raises(RegionElsewhere):
        registered(hub.centre("BRONX"))
    join(at_hub, at_node, bronx_and_queens.url)
    with pytest.raises(RegionElsewhere):
        registered(hub.centre("BRONX"))
    assert (hub.writes(), bronx_and_queens.writes()) == (
        {"~network"},
        {code + part for code in HERE for part in ("", "~sandbox")},
    )


RECORD: LiteralString = (
    "SELECT record_events(%s, ARRAY[gen_random_uuid()], ARRAY[1], ARRAY['X'], ARRAY['{}'])"
)


def test_at_a_hub_nothing_but_replication_touches_what_is_followed(
    hub: Node, bronx_and_queens: Node, at_hub: psycopg.Connection, at_node: psycopg.Connection
) -> None:
    registered(bronx_and_queens.centre("BRONX"))
    join(at_hub, at_node, bronx_and_queens.url)
    with psycopg.connect(as_process("worker", hub.url), autocommit=True) as writer:
        for connection in (at_hub, writer):
            with pytest.raises(psycopg.Error, match="BRONX is written by its own node"):
                connection.execute(RECORD, ["BRONX"])
    with pytest.raises(psycopg.Error, match="BRONX is written by its own node"):
        at_hub.execute(
            "INSERT INTO events (region, pos, originator_id, originator_version, topic,"
            " payload) VALUES ('BRONX', 2, gen_random_uuid(), 1, 'X', '{}')"
        )
    for change in ("UPDATE events SET topic = 'X'", "DELETE FROM events"):
        with pytest.raises(psycopg.Error, match="BRONX is written by its own node"):
            at_hub.execute(change.encode())
    for table in ("events", "region_head"):
        with pytest.raises(psycopg.Error, match="What is recorded stays as it is"):
            at_hub.execute(f"TRUNCATE {table}".encode())
    assert found(at_hub, at_node) == []


def test_a_hub_that_follows_is_prepared_again_and_writes_what_is_its_own(
    hub: Node, bronx_and_queens: Node, at_hub: psycopg.Connection, at_node: psycopg.Connection
) -> None:
    join(at_hub, at_node, bronx_and_queens.url)
    prepare(hub.url, hub.catalogue, ())
    assert at_hub.execute(RECORD, ["~network"]).fetchone() == (0,)


def test_a_hub_subscribes_by_a_role_that_reads_the_log_and_nothing_else(
    bronx_and_queens: Node, at_hub: psycopg.Connection, at_node: psycopg.Connection
) -> None:
    registered(bronx_and_queens.centre("BRONX"))
    as_hub = as_process("hub", bronx_and_queens.url)
    join(at_hub, at_node, as_hub)
    registered(bronx_and_queens.centre("QUEENS"))
    wait_for_all(at_hub, at_node)
    assert found(at_hub, at_node) == []
    with psycopg.connect(as_hub, autocommit=True) as connection:
        for table in ("subject_key", "inbox", "node", "command_result"):
            with pytest.raises(errors.InsufficientPrivilege):
                connection.execute(f"SELECT FROM {table}".encode())
        for change in ("DELETE FROM events", "UPDATE region_head SET pos = 0"):
            with pytest.raises(errors.InsufficientPrivilege):
                connection.execute(change.encode())


def test_nothing_is_handed_to_a_region_where_nobody_would_take_it(bronx_and_queens: Node) -> None:
    bronx = bronx_and_queens.centre("BRONX")
    incident = registered(bronx).incident_id
    with pytest.raises(RegionElsewhere):
        ask(bronx, incident, TransferOut(to_region="BROOKLYN"), 5, by=MONITOR)
    ask(bronx, incident, TransferOut(to_region="QUEENS"), 6, by=MONITOR)


def test_keys_and_sandboxes_stay_where_they_are(
    hub: Node, bronx_and_queens: Node, at_hub: psycopg.Connection, at_node: psycopg.Connection
) -> None:
    join(at_hub, at_node, bronx_and_queens.url)
    registered(bronx_and_queens.centre("BRONX~sandbox"))
    registered(bronx_and_queens.centre("BRONX"))
    wait_for_all(at_hub, at_node)
    assert at_node.execute("SELECT count(*) FROM subject_key").fetchone() == (2,)
    assert at_hub.execute("SELECT count(*) FROM subject_key").fetchone() == (0,)
    assert at_hub.execute("SELECT DISTINCT region FROM events").fetchall() == [("BRONX",)]


def test_the_hub_can_open_nothing(
    hub: Node, bronx_and_queens: Node, at_hub: psycopg.Connection, at_node: psycopg.Connection
) -> None:
    bronx = bronx_and_queens.centre("BRONX")
    incident = registered(
        bronx, citizen=Citizen(name="Кунигунда", contact="kunigunda@example", text=SAID)
    ).incident_id
    ask(bronx, incident, PublishReply(kind=ReplyKind.INTERIM, text=SAID[::-1]), 5)
    keys = at_node.execute("SELECT subject, wrapped FROM subject_key").fetchall()
    sealed = at_node.execute("SELECT payload->'citizen'->>'ciphertext' FROM events").fetchall()
    join(at_hub, at_node, bronx_and_queens.url)
    registered(bronx)  # comes by the stream, as the others came by the copy
    wait_for_all(at_hub, at_node)
    before = projected(hub)

    words = [word.encode() for word in ("Кунигунда", "kunigunda@example", SAID, SAID[::-1])]
    opens = [vault_key for _, wrapped in keys for vault_key in (wrapped, wrapped.hex().encode())]
    opens += [bronx_and_queens.vault.unwrap(*key).key for key in keys]
    marks = {mark.encode() for (mark,) in sealed if mark}
    assert audit.found_on_disk(at_hub, [*words, *opens, *marks]) == marks != set()
    # The node's keys lie at the node.
    there = audit.found_on_disk(at_node, [*words, *(wrapped for _, wrapped in keys)])
    assert there == {wrapped for _, wrapped in keys}
    assert at_hub.execute("SELECT count(*) FROM subject_key").fetchone() == (0,)

    ask(bronx, incident, ErasePersonalData(), 10)
    wait_for_all(at_hub, at_node)
    assert [numbers_of(row) for row in projected(hub)] == [numbers_of(row) for row in before]


def numbers_of(row: dict[str, object]) -> dict[str, object]:
    """All but which event is the last."""
    last = {"version", "pos", "changed_at"}
    return {name: value for name, value in row.items() if name not in last}


def test_to_join_twice_is_to_join_once(
    bronx_and_queens: Node, at_hub: psycopg.Connection, at_node: psycopg.Connection
) -> None:
    registered(bronx_and_queens.centre("BRONX"))
    for _ in range(2):
        join(at_hub, at_node, bronx_and_queens.url)
    assert at_hub.execute("SELECT count(*) FROM events").fetchone() == (1,)
    assert at_hub.execute("SELECT count(*) FROM pg_subscription").fetchone() == (1,)


def test_a_hub_with_events_of_its_own_does_not_follow(
    second_server: Server,
    catalogue: Catalogue,
    bronx_and_queens: Node,
    at_node: psycopg.Connection,
) -> None:
    url = database(second_server, catalogue, HERE)
    with command_pool(url) as pool, replication.connect(url) as there:
        registered(Node(url, catalogue, Vault(b"1" * 32), pool).centre("BRONX"))
        with pytest.raises(FederationRefused, match="BRONX"):
            replication.join(
                there, at_node, name="first", regions=HERE, conninfo=bronx_and_queens.url
            )
        assert there.execute("SELECT count(*) FROM region_head").fetchone() == (4,)


def test_who_leaves_leaves_no_slot_and_what_was_received_stays(
    bronx_and_queens: Node, at_hub: psycopg.Connection, at_node: psycopg.Connection
) -> None:
    registered(bronx_and_queens.centre("BRONX"))
    join(at_hub, at_node, bronx_and_queens.url)
    replication.leave(at_hub, at_node, "first")
    assert at_node.execute("SELECT count(*) FROM pg_replication_slots").fetchone() == (0,)
    assert at_hub.execute("SELECT count(*) FROM events").fetchone() == (1,)


def test_a_lost_slot_is_made_good_while_both_are_at_work(
    hub: Node, bronx_and_queens: Node, at_hub: psycopg.Connection, at_node: psycopg.Connection
) -> None:
    """Twice: what a resync left does not stand in the way of the next."""
    bronx, queens = map(bronx_and_queens.centre, HERE)
    closed(bronx)
    join(at_hub, at_node, bronx_and_queens.url)
    for _ in range(2):
        lose_slot(at_hub, at_node)
        closed(bronx)
        registered(queens)
        replication.resync(
            at_hub, at_node, name="first", regions=HERE, conninfo=bronx_and_queens.url
        )
        registered(bronx)
        until(lambda: replication.received(at_hub, "first"))
        replication.settle(at_hub, at_node, "first")
        registered(queens)
        wait_for_all(at_hub, at_node)
        assert found(at_hub, at_node) == []
    assert projected(hub) == projected(bronx_and_queens)


def lose_slot(at_hub: psycopg.Connection, at_node: psycopg.Connection) -> None:
    at_hub.execute("ALTER SUBSCRIPTION tsur_first DISABLE")
    slots = "SELECT count(*) FROM pg_replication_slots WHERE active"
    until(lambda: at_node.execute(slots).fetchone() == (0,))
    at_node.execute("SELECT pg_drop_replication_slot('tsur_first')")


@pytest.fixture
def short_of_room(catalogue: Catalogue) -> Iterator[Node]:
    """A node whose server keeps little for a hub that is away."""
    room = {"max_slot_wal_keep_size": "32MB", "max_wal_size": "32MB", "min_wal_size": "32MB"}
    with tempfile.TemporaryDirectory(prefix="tsur-tests-") as folder:
        Path(folder).chmod(0o711)
        with embedded(Path(folder) / "home", {**SERVER_SETTINGS, **room}) as server:
            url = database(server, catalogue, HERE)
            with command_pool(url) as pool:
                yield Node(url, catalogue, Vault(b"0" * 32), pool)


def test_what_is_kept_for_a_hub_that_is_away_is_bounded_and_told(
    hub: Node, short_of_room: Node
) -> None:
    with (
        replication.connect(hub.url) as at_hub,
        replication.connect(short_of_room.url) as at_node,
    ):
        registered(short_of_room.centre("BRONX"))
        join(at_hub, at_node, short_of_room.url)
        at_hub.execute("ALTER SUBSCRIPTION tsur_first DISABLE")
        slots = "SELECT count(*) FROM pg_replication_slots WHERE active"
        until(lambda: at_node.execute(slots).fetchone() == (0,))
        (before,) = replication.slots(at_node)
        write_log(at_node)
        (slot,) = replication.slots(at_node)
        assert slot.name == "tsur_first"
        assert slot.retained_bytes > before.retained_bytes + 2**23
        assert before.safe_bytes is not None
        assert slot.safe_bytes is not None
        assert slot.safe_bytes < before.safe_bytes
        assert not slot.lost
        while not slot.lost:
            registered(short_of_room.centre("QUEENS"))
            write_log(at_node)
            (slot,) = replication.slots(at_node)
        assert (slot.retained_bytes, slot.safe_bytes) == (0, None)
        conninfo = short_of_room.url
        replication.resync(at_hub, at_node, name="first", regions=HERE, conninfo=conninfo)
        until(lambda: replication.received(at_hub, "first"))
        replication.settle(at_hub, at_node, "first")
        wait_for_all(at_hub, at_node)
        assert found(at_hub, at_node) == []
        assert not any(slot.lost for slot in replication.slots(at_node))
        replication.leave(at_hub, at_node, "first")


def write_log(node: psycopg.Connection) -> None:
    """A segment of 16 MB, and the checkpoint that lets go of old ones."""
    node.execute("SELECT pg_logical_emit_message(false, 'tests', 'x')")
    node.execute("SELECT pg_switch_wal()")
    node.execute("CHECKPOINT")


def test_a_beat_tells_the_hub_that_the_node_lives(
    hub: Node, bronx_and_queens: Node, at_hub: psycopg.Connection, at_node: psycopg.Connection
) -> None:
    replication.beat(at_node)
    assert at_node.execute("SELECT count(beat_at) FROM region_head").fetchone() == (0,)
    join(at_hub, at_node, bronx_and_queens.url)
    projected(hub)
    at_hub.execute("UPDATE followed SET heard_at = heard_at - interval '1 hour'")
    assert {part.region for part in parts(hub) if part.silent} == set(HERE)
    replication.beat(at_node)
    until(lambda: not any(part.silent for part in parts(hub)))


def parts(hub: Node) -> list[Progress]:
    with versions.connect(hub.url) as connection:
        return progress_now(connection)


def test_whatever_differs_is_found_and_named(
    bronx_and_queens: Node, at_hub: psycopg.Connection, at_node: psycopg.Connection
) -> None:
    closed(bronx_and_queens.centre("BRONX"))
    join(at_hub, at_node, bronx_and_queens.url)
    for each in (at_hub, at_node):
        each.execute(PAST_TRIGGERS)
    at_hub.execute('UPDATE events SET payload = payload || \'{"by": "x"}\' WHERE pos = 2')
    at_hub.execute("DELETE FROM events WHERE pos = 3")
    at_node.execute("DELETE FROM events WHERE pos = 4")
    last = replication.recorded(at_node, HERE)
    at_hub.execute("DELETE FROM events WHERE pos = %s", [last])
    assert found(at_hub, at_node) == [
        Difference("BRONX", 2, "OTHER"),
        Difference("BRONX", 3, "MISSING"),
        Difference("BRONX", 4, "FOREIGN"),
        Difference("BRONX", last, "MISSING"),
    ]


def test_what_has_not_come_yet_is_not_passed_over(node: Node) -> None:
    """A head may be copied before the events below it."""
    closed(node.centre("BRONX"))
    registered(node.centre("QUEENS"))
    with versions.connect(node.url) as connection:
        connection.execute("CREATE TABLE late AS SELECT * FROM events WHERE pos > 2")
        connection.execute(PAST_TRIGGERS)
        connection.execute("DELETE FROM events WHERE pos > 2")
        projector = Projector(connection, node.catalogue)
        assert projector.step() > 0
        assert positions(connection) == {"BRONX": 2, "QUEENS": 1}
        assert projector.step() == 0
        connection.execute("INSERT INTO events SELECT * FROM late")
        projector.step()
        assert positions(connection)["BRONX"] > 2
        assert connection.execute("SELECT count(*) FROM dead_letter").fetchone() == (0,)


def positions(connection: psycopg.Connection) -> dict[str, int]:
    return dict(connection.execute("SELECT region, pos FROM tracking WHERE pos > 0").fetchall())
