"""One process of stand-ins for a file of tests, forgetting everything before each."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest

from tests.platforms import StandIns, stand_ins
from tests.workers.platforms.calls import Connect, make


@pytest.fixture(scope="module")
def running() -> Iterator[StandIns]:
    with stand_ins() as platforms:
        yield platforms


@pytest.fixture
def platforms(running: StandIns) -> StandIns:
    running.control(reset=True)
    return running


@pytest.fixture
def connect() -> Iterator[Connect]:
    """A client of a platform, at the stand-ins or at any address; closed after the test."""
    with ExitStack() as stack:

        def connect(platform: str, address: str, **changes: Any) -> Any:
            return stack.enter_context(closing(make(platform, address, **changes)))

        yield connect
