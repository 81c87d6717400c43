"""Which node has a region, and what a topology must not say."""

import traceback
from pathlib import Path

import pytest

from regions.federation.topology import (
    FEDERATION_KEY,
    Membership,
    TopologyInvalid,
    load_topology,
    read_federation_key,
)
from regions.reference.catalogue import Catalogue
from tests.federated import write_topology


@pytest.fixture
def file(tmp_path: Path) -> Path:
    nodes = {"hub": (8000, ()), "first": (8001, ("BRONX",)), "second": (8002, ("QUEENS",))}
    return write_topology(tmp_path / "topology.toml", nodes)


def test_a_region_is_elsewhere_if_another_node_has_it(file: Path, catalogue: Catalogue) -> None:
    topology = load_topology(file, catalogue)
    first, hub = Membership(topology, "first"), Membership(topology, "hub")
    assert first.elsewhere("BRONX") is None
    assert first.elsewhere("BROOKLYN") is None  # nobody's
    for code in ("QUEENS", "QUEENS~sandbox"):
        assert first.elsewhere(code) == hub.elsewhere(code) == topology.place("second")
    assert (first.others, hub.others) == ({"QUEENS"}, {"BRONX", "QUEENS"})
    assert (first.writes, hub.writes) == (True, False)


@pytest.mark.parametrize(
    "address", ["http://volga.example", "https://", "ftp://127.0.0.1", "https://me@volga.example"]
)
def test_nodes_speak_where_nobody_reads_along(
    file: Path, catalogue: Catalogue, address: str
) -> None:
    file.write_text(file.read_text().replace("http://127.0.0.1:8001", address))
    with pytest.raises(TopologyInvalid, match="'first'"):
        load_topology(file, catalogue)


MACHINES = """
[nodes.first.machines]
front = { api = 1 }
back = { projector = 1, clock = 1, worker = 2 }
[nodes.second.machines]
only = { api = 1, projector = 1, clock = 1, worker = 1, exports = 3 }
"""


def test_a_topology_says_which_processes_run_where(file: Path, catalogue: Catalogue) -> None:
    said = file.read_text()
    assert load_topology(file, catalogue).place("first").processes(None) == dict.fromkeys(
        ("projector", "api", "clock", "worker", "exports"), 1
    )
    homes = said.replace(f'home = "{file.parent}/first"', 'database = "postgresql:///first"')
    file.write_text(homes + MACHINES)
    topology = load_topology(file, catalogue)
    first, second = topology.place("first"), topology.place("second")
    assert first.processes("back") == {"projector": 1, "clock": 1, "worker": 2}
    assert first.processes("front") == {"api": 1}
    assert second.processes(None) == second.processes("only")
    assert topology.place("hub").processes(None)["watch"] == 1
    for place, machine in ((first, None), (first, "only"), (topology.place("hub"), "front")):
        with pytest.raises(TopologyInvalid, match="TSUR_MACHINE"):
            place.processes(machine)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("api = 1, projektor = 1", "projektor"),
        ("api = 0", "0|1"),
        ('api = "1"', "int"),
        ("api = 2, projector = 1, clock = 1, worker = 1", "port"),
        ("api = 1, projector = 1, clock = 1, worker = 1, watch = 1", "no hub"),
        ("api = 1, projector = 1", "clock, worker"),
    ],
)
def test_what_no_node_can_run_is_refused(
    file: Path, catalogue: Catalogue, wrong: str, told: str
) -> None:
    file.write_text(file.read_text() + f"\nmachines.one = {{ {wrong} }}\n")
    with pytest.raises(TopologyInvalid, match=told):
        load_topology(file, catalogue)


def test_a_home_is_on_one_machine(file: Path, catalogue: Catalogue) -> None:
    file.write_text(file.read_text() + MACHINES)
    with pytest.raises(TopologyInvalid, match="'first' has a home"):
        load_topology(file, catalogue)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("replication = 'postgresql://hub:s3cret@volga.example/tsur'", "passfile"),
        ("replication = 'host=volga.example password=s3cret'", "passfile"),
        ("replication = 'host=volga.example sslpassword=s3cret'", "passfile"),
        ("replication = 'postgres//hub:s3cret@volga.example'", "%XX"),
    ],
)
def test_a_topology_holds_no_password(
    file: Path, catalogue: Catalogue, line: str, told: str
) -> None:
    file.write_text(f"{file.read_text()}\n{line}\n")
    with pytest.raises(TopologyInvalid, match=told) as refused:
        load_topology(file, catalogue)
    assert "s3cret" not in "".join(traceback.format_exception(refused.value))


def test_a_word_that_means_nothing_is_refused(file: Path, catalogue: Catalogue) -> None:
    file.write_text(file.read_text() + '\nreplicaton = "host=x"\n')
    with pytest.raises(TopologyInvalid, match="replicaton"):
        load_topology(file, catalogue)


def test_a_node_makes_no_key_of_the_federation_by_itself(
    file: Path, catalogue: Catalogue, tmp_path: Path
) -> None:
    topology = load_topology(file, catalogue)
    first = Membership(topology, "first")
    with pytest.raises(TopologyInvalid, match=FEDERATION_KEY):
        read_federation_key(tmp_path, first)
    for without in (None, Membership(topology, "hub")):
        assert read_federation_key(tmp_path, without) is None
    assert not (tmp_path / FEDERATION_KEY).exists()
    (tmp_path / FEDERATION_KEY).write_bytes(b"1" * 32)
    assert read_federation_key(tmp_path, first) == b"1" * 32
