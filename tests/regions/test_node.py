"""Opening a node: whose database it is."""

from pathlib import Path

import pytest

from regions.node import Node, check_vault, open_node
from regions.settings import Settings
from regions.vault import Vault, VaultKeyInvalid
from tests.conftest import NEW_YORK
from tests.scenarios import registered


def settings(home: Path) -> Settings:
    return Settings(home=home, database_url=None, host="", port=1, catalogue=NEW_YORK)


def test_the_first_vault_key_is_the_key_of_the_database(url: str) -> None:
    first, other = Vault(b"1" * 32), Vault(b"2" * 32)
    check_vault(url, first)
    check_vault(url, first)
    with pytest.raises(VaultKeyInvalid, match=r"vault\.key"):
        check_vault(url, other)


def test_a_home_with_another_key_is_not_opened(url: str, tmp_path: Path) -> None:
    with open_node(settings(tmp_path / "one"), url) as node:
        assert not node.is_empty() or registered(node.centre("BRONX")).version == 1
    with pytest.raises(VaultKeyInvalid), open_node(settings(tmp_path / "two"), url):
        pass


def test_a_node_is_empty_until_something_is_recorded(node: Node) -> None:
    assert node.is_empty()
    registered(node.centre("BRONX"))
    assert not node.is_empty()
