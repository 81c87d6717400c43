"""A region moves between two nodes below a hub: nothing of it is lost, doubled or left behind."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from uuid import uuid4

import psycopg
import pytest

from domain.commands import Register, TransferOut
from domain.errors import CommandIdReused, RegionElsewhere
from domain.rights import Actor
from domain.vocabulary import Role
from regions import audit
from regions.federation import comparing, replication
from regions.federation.belongings import BELONGINGS, STAYS, End
from regions.federation.moving import Move
from regions.federation.replication import FederationRefused
from regions.inbox import Inbox
from regions.node import Node, check_vault, command_pool, prepare
from regions.reference.catalogue import Catalogue
from regions.store.event_store import decode_event
from regions.store.postgres import Server
from regions.store.vault import Vault
from tests.conftest import PAST_TRIGGERS
from tests.federated import database, projected
from tests.scenarios import NOON, OPERATOR, ask, closed, message, registered
from tests.waiting import until

PARTS = {"first": ("BRONX", "QUEENS"), "second": ("BROOKLYN",)}
MONITOR = Actor("monitor", Role.MONITOR)
STEPS = 10  # of moving what `few` records


@dataclass
class Network:
    """A hub, and two nodes with a vault key each."""

    nodes: dict[str, Node]
    connections: dict[str, psycopg.Connection]

    @property
    def at_hub(self) -> psycopg.Connection:
        return self.connections["hub"]

    def move(self, old: str = "first", new: str = "second", region: str = "BRONX") -> Move:
        ends = [End(name, self.connections[name], self.nodes[name].vault) for name in (old, new)]
        return Move(region, *ends, self.at_hub, lambda: time.sleep(0.02), events_at_once=4)

    def is_whole(self, node: str, *regions: str) -> None:
        """The hub comes to have exactly what the node has of these regions."""
        here, there = self.at_hub, self.connections[node]
        until(lambda: replication.recorded(here, regions) == replication.recorded(there, regions))
        assert [*audit.of_hub(here, there, regions)] == []
        assert [what for each in self.connections.values() for what in audit.of_log(each)] == []

    def rows_of(self, node: str, table: str) -> list[tuple[object, ...]]:
        query = f"SELECT * FROM {table} WHERE region LIKE 'BRONX%'"
        return self.connections[node].execute(query.encode()).fetchall()


@pytest.fixture
def network(server: Server, second_server: Server, catalogue: Catalogue) -> Iterator[Network]:
    with ExitStack() as stack:
        nodes, connections = {}, {}
        for number, name in enumerate(("hub", *PARTS)):
            where = second_server if name == "hub" else server
            url = database(where, catalogue, PARTS.get(name, ()))
            vault = Vault(bytes([number]) * 32)
            check_vault(url, vault)
            pool = stack.enter_context(command_pool(url))
            nodes[name] = Node(url, catalogue, vault, pool)
            connections[name] = stack.enter_context(replication.connect(url))
        hub = connections["hub"]
        for name, regions in PARTS.items():
            there = connections[name]
            stack.callback(replication.leave, hub, there, name)
            replication.join(hub, there, name=name, regions=regions, conninfo=nodes[name].url)
            until(lambda name=name: replication.received(hub, name))  # type: ignore[misc]
        yield Network(nodes, connections)


def few(network: Network) -> None:
    """Some events of the region that moves, and of its trainees."""
    bronx = network.nodes["first"].centre("BRONX")
    closed(bronx)
    registered(bronx)
    registered(network.nodes["first"].centre("BRONX~sandbox"))


@contextmanager
def writing(*writers: Callable[[], object]) -> Iterator[dict[Callable[[], object], int]]:
    """Each again and again while the block runs; tells how often it was refused."""
    stop, refused = threading.Event(), dict.fromkeys(writers, 0)

    def write(writer: Callable[[], object]) -> None:
        while not stop.is_set():
            try:
                writer()
            except RegionElsewhere:
                refused[writer] += 1

    threads = [threading.Thread(target=write, args=[writer]) for writer in writers]
    for thread in threads:
        thread.start()
    try:
        yield refused
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_a_region_moves_while_all_are_written(network: Network) -> None:
    """Where it moves from is refused once it stops, where it moves to until it has arrived."""
    few(network)
    first, second = network.nodes["first"], network.nodes["second"]

    def queens() -> object:
        return registered(first.centre("QUEENS"))

    def brooklyn() -> object:
        return registered(second.centre("BROOKLYN"))

    def here() -> object:
        return registered(first.centre("BRONX"))

    def there() -> object:
        return registered(second.centre("BRONX"))

    with writing(queens, brooklyn, here, there) as refused:
        told = list(network.move().steps())
        until(lambda: refused[here] > 0)
    assert told[-1] == "first has nothing of BRONX any more"
    assert refused[there] > 0
    assert refused[queens] == refused[brooklyn] == 0
    network.is_whole("first", "QUEENS")
    network.is_whole("second", "BRONX", "BROOKLYN")
    last = comparing.last_position(network.connections["second"], "BRONX")
    assert registered(second.centre("BRONX")).position.pos == last + 1
    network.is_whole("second", "BRONX")
    rows = [row for name in PARTS for row in projected(network.nodes[name])]
    ours = [row for row in rows if "~" not in row["region"]]
    assert projected(network.nodes["hub"]) == sorted(ours, key=lambda row: str(row["id"]))


def test_nothing_of_it_is_left_behind_and_no_restart_gives_it_a_head_again(
    network: Network, catalogue: Catalogue
) -> None:
    few(network)
    first = network.nodes["first"]
    assert first.writes() >= {"BRONX", "BRONX~sandbox"}
    list(network.move().steps())
    for table in BELONGINGS | {"events": ""}:
        if table not in ("dramatiq.queue", "job", "import_quarantine"):
            assert network.rows_of("first", table) == [], table
    prepare(first.url, catalogue, PARTS["first"])
    assert first.writes() == {"QUEENS", "QUEENS~sandbox"}
    assert network.nodes["second"].writes() >= {"BRONX", "BRONX~sandbox"}


@pytest.mark.parametrize("done", range(STEPS + 1))
def test_whoever_broke_off_begins_anew(network: Network, done: int) -> None:
    few(network)
    told = list(islice(network.move().steps(), done))
    assert (done == STEPS) == (told[-1:] == ["first has nothing of BRONX any more"])
    with writing(lambda: registered(network.nodes["second"].centre("BROOKLYN"))):
        list(network.move().steps())
    assert list(network.move().steps()) == []
    registered(network.nodes["second"].centre("BRONX"))
    network.is_whole("second", "BRONX", "BROOKLYN")
    assert network.nodes["first"].writes() == {"QUEENS", "QUEENS~sandbox"}


def test_what_fails_at_its_last_moment_is_undone_and_done_again(network: Network) -> None:
    few(network)
    there = network.connections["second"]
    there.execute("ALTER TABLE region_head ADD CONSTRAINT no CHECK (region <> 'BRONX') NOT VALID")
    with pytest.raises(psycopg.errors.CheckViolation):
        list(network.move().steps())
    assert network.rows_of("second", "subject_key") == []
    for name in PARTS:
        with pytest.raises(RegionElsewhere):
            registered(network.nodes[name].centre("BRONX"))
    there.execute("ALTER TABLE region_head DROP CONSTRAINT no")
    list(network.move().steps())
    network.is_whole("second", "BRONX")


def test_it_moves_back(network: Network) -> None:
    few(network)
    list(network.move().steps())
    registered(network.nodes["second"].centre("BRONX"))
    list(network.move("second", "first").steps())
    registered(network.nodes["first"].centre("BRONX"))
    network.is_whole("first", "BRONX", "QUEENS")


def test_a_lost_slot_is_made_good_though_the_topology_is_not_edited_yet(network: Network) -> None:
    few(network)
    list(network.move().steps())
    hub, there = network.at_hub, network.connections["second"]
    assert replication.regions_of(hub, "first", PARTS["first"]) == ["QUEENS"]
    regions = replication.regions_of(hub, "second", PARTS["second"])
    assert regions == ["BRONX", "BROOKLYN"]
    conninfo = network.nodes["second"].url
    replication.resync(hub, there, name="second", regions=regions, conninfo=conninfo)
    registered(network.nodes["second"].centre("BRONX"))
    until(lambda: replication.received(hub, "second"))
    replication.settle(hub, there, "second")
    network.is_whole("second", "BRONX", "BROOKLYN")


def test_personal_data_is_opened_where_it_is_now(network: Network) -> None:
    """Under the vault key of that node: each keeps its own."""
    known = registered(network.nodes["first"].centre("BRONX")).incident_id
    list(network.move().steps())
    centre = network.nodes["second"].centre("BRONX")
    (stored,) = centre.recorder.select_events(known)
    event = decode_event(stored.topic, stored.state)
    opened = centre.open(known, event.citizen, Register)  # type: ignore[attr-defined]
    assert "Анна" in (opened or b"").decode()


def test_what_is_open_goes_on_there(network: Network) -> None:
    """A delivery is in the inbox with its job, and is not kept where the region was."""
    first, second = (Inbox(network.nodes[n].pool, network.nodes[n].vault) for n in PARTS)
    assert first.keep("group", "BRONX", "1", b"delivered", at=NOON)
    assert first.keep("group", "QUEENS", "2", b"other", at=NOON)
    assert second.keep("group", "BROOKLYN", "3", b"third", at=NOON)
    list(network.move().steps())
    with pytest.raises(RegionElsewhere):
        first.keep("group", "BRONX", "4", b"late", at=NOON)
    (moved,) = [each for each in second.kept() if each.region == "BRONX"]
    found = second.waiting(moved.id)
    assert found is not None
    assert found.body == b"delivered"
    assert not second.keep("group", "BRONX", "1", b"delivered", at=NOON)
    jobs = "SELECT message->'args'->>0 FROM dramatiq.queue WHERE state = 'queued'"
    assert (str(moved.id),) in network.connections["second"].execute(jobs).fetchall()
    assert len(network.connections["first"].execute(jobs).fetchall()) == 1


def test_a_command_repeated_after_the_move_is_not_recorded_twice(network: Network) -> None:
    """Under another vault key it is known by its id, and its content by nobody."""
    again, text = uuid4(), message()
    first = network.nodes["first"].centre("BRONX")
    first.register(text, command_id=again, at=NOON, by=OPERATOR)
    list(network.move().steps())
    with pytest.raises(CommandIdReused):
        network.nodes["second"].centre("BRONX").register(
            text, command_id=again, at=NOON, by=OPERATOR
        )


def test_incidents_on_their_way_are_waited_for(network: Network) -> None:
    first = network.nodes["first"]
    incident = registered(first.centre("QUEENS")).incident_id
    ask(first.centre("QUEENS"), incident, TransferOut(to_region="BRONX"), 5, by=MONITOR)
    with pytest.raises(FederationRefused, match="on their way"):
        list(network.move().steps())
    registered(first.centre("BRONX"))
    network.connections["first"].execute("DELETE FROM dramatiq.queue")
    list(network.move().steps())


def test_a_move_that_cannot_end_does_not_begin(network: Network, catalogue: Catalogue) -> None:
    few(network)
    with pytest.raises(FederationRefused, match="second does not write QUEENS"):
        list(network.move("second", "first", "QUEENS").steps())
    wrong = network.move()
    wrong = Move("BRONX", wrong.old, End("second", wrong.new.connection, wrong.old.vault),
                 wrong.hub, wrong.wait)  # fmt: skip
    with pytest.raises(FederationRefused, match="vault key given for second"):
        list(wrong.steps())
    # Somebody edited the topology too early: the other node has begun a log of its own.
    prepare(network.nodes["second"].url, catalogue, (*PARTS["second"], "BRONX"))
    network.connections["hub"].execute("ALTER SUBSCRIPTION tsur_second DISABLE")
    registered(network.nodes["second"].centre("BRONX"))
    with pytest.raises(FederationRefused, match="second has events of BRONX"):
        list(network.move().steps())
    registered(network.nodes["first"].centre("BRONX"))


def test_a_copy_at_the_hub_that_differs_is_told_before_anything_stops(network: Network) -> None:
    few(network)
    network.is_whole("first", "BRONX")
    network.at_hub.execute(PAST_TRIGGERS)
    network.at_hub.execute("DELETE FROM events WHERE region = 'BRONX' AND pos = 2")
    with pytest.raises(FederationRefused, match="BRONX:2 is MISSING at the hub"):
        list(network.move().steps())
    registered(network.nodes["first"].centre("BRONX"))


def test_of_every_table_it_is_decided_whether_it_goes_along(url: str) -> None:
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        tables = {name for (name,) in rows}
    own = {table for table in BELONGINGS if "." not in table} | {"events", "region_head"}
    assert tables == own | STAYS.keys()
    assert not own & STAYS.keys()
