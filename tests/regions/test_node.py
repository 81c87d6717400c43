"""Opening a node: whose database it is."""

from dataclasses import replace
from pathlib import Path

import pytest

from regions.federation.topology import FEDERATION_KEY
from regions.node import Node, check_vault, open_node
from regions.reference.catalogue import Catalogue
from regions.settings import Settings
from regions.store.postgres import Server
from regions.store.server import create_database
from regions.store.vault import Vault, VaultKeyInvalid, put_secret
from tests.conftest import NEW_YORK, as_process, numbers
from tests.federated import write_topology
from tests.scenarios import registered


def settings(home: Path) -> Settings:
    return Settings(home=home, database_url=None, host="", port=1, catalogue=NEW_YORK)


def test_the_first_vault_key_is_the_key_of_the_database(url: str) -> None:
    first, other = Vault(b"1" * 32), Vault(b"2" * 32)
    check_vault(url, first)
    check_vault(url, first)
    with pytest.raises(VaultKeyInvalid, match=r"vault\.key"):
        check_vault(url, other)


def test_only_the_owner_gives_a_database_its_vault_key(url: str) -> None:
    with pytest.raises(VaultKeyInvalid, match="tsur migrate"):
        check_vault(as_process("worker", url), Vault(b"1" * 32))
    check_vault(url, Vault(b"1" * 32))
    check_vault(as_process("worker", url), Vault(b"1" * 32))


def test_a_home_with_another_key_is_not_opened(url: str, tmp_path: Path) -> None:
    with open_node(settings(tmp_path / "one"), url) as node:
        assert not node.is_empty() or registered(node.centre("BRONX")).version == 1
    with pytest.raises(VaultKeyInvalid), open_node(settings(tmp_path / "two"), url):
        pass


def test_a_node_is_empty_until_something_is_recorded(node: Node) -> None:
    assert node.is_empty()
    registered(node.centre("BRONX"))
    assert not node.is_empty()


def test_a_node_that_is_all_there_is_keeps_the_log_of_the_network(
    server: Server, tmp_path: Path
) -> None:
    with open_node(
        settings(tmp_path), create_database(server.url, f"alone_{next(numbers)}")
    ) as node:
        assert "~network" in node.writes()


def test_a_node_beside_a_hub_does_not_even_with_all_regions(
    server: Server, tmp_path: Path, catalogue: Catalogue
) -> None:
    nodes = {"hub": (8000, ()), "only": (8001, tuple(catalogue.regions))}
    topology = write_topology(tmp_path / "topology.toml", nodes)
    for name, (_, regions) in nodes.items():
        put_secret(tmp_path / name / FEDERATION_KEY, b"k" * 32)
        own = replace(settings(tmp_path / name), topology=topology, node=name)
        with open_node(own, create_database(server.url, f"beside_{next(numbers)}")) as node:
            assert ("~network" in node.writes()) is not bool(regions)
