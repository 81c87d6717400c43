"""Waiting for what other threads, processes and servers do."""

import time
from collections.abc import Callable

DEADLINE_SECONDS = 30.0  # nothing here takes a tenth of it, unless it never comes


def until(
    reached: Callable[[], bool], seconds: float = DEADLINE_SECONDS, pause_seconds: float = 0.005
) -> None:
    """Look again and again; fails when it has taken too long. Nothing relies on the pause."""
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(pause_seconds)
