"""A second server: replication goes from one to another."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from regions.postgres import Server, embedded
from tests.conftest import SERVER_SETTINGS


@pytest.fixture(scope="session")
def second_server() -> Iterator[Server]:
    """Of the hub; that of the nodes is the session's."""
    with tempfile.TemporaryDirectory(prefix="tsur-tests-") as folder:
        Path(folder).chmod(0o711)
        with embedded(Path(folder) / "home", SERVER_SETTINGS) as server:
            yield server
