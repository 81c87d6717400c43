"""One network for the tests that do not disturb each other; a fresh one for those that do."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from projections import versions
from regions.node import prepare
from regions.reference.catalogue import Catalogue
from regions.store.postgres import Server
from regions.store.server import create_database
from tests.intake.network import Network, network
from workers import broker


@pytest.fixture(scope="session")
def russian_template(server: Server, russia: Catalogue) -> str:
    """The name of a migrated, empty database with the Russian catalogue."""
    url = create_database(server.url, "template_russia")
    prepare(url, russia)
    versions.ensure(url, russia, lambda done, in_all: None)
    return "template_russia"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def intake_url(server: Server, russian_template: str, home: Path) -> str:
    """A fresh database for a file of tests."""
    return create_database(server.url, f"intake_{home.name}", template=russian_template)


@pytest.fixture(scope="module")
def net(intake_url: str, home: Path) -> Iterator[Network]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(broker, "POLL_SECONDS", 0.01)
        with network(intake_url, home) as net:
            yield net


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses of the workers in this process that a test can wait for."""
    monkeypatch.setattr(broker, "BACKOFF_MILLISECONDS", (200, 10_000))
