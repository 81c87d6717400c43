"""What goes wrong on our side: the database away, somebody quicker, two at the same moment."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest

from domain import commands as c
from regions.centre import Result
from regions.event_store import StoreUnavailable
from tests.intake.network import CURATOR, REGION, Network

TOGETHER_SECONDS = 10.0  # how long one waits for the other


@contextmanager
def break_off_at(
    net: Network, command: type[c.Command], monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[c.Command]]:
    """Let the database be away when this is asked for the first time."""
    centre, broken_off = net.node.centre(REGION), list[c.Command]()
    handle = centre.handle

    def handle_or_break_off(incident: UUID, asked: c.Command, **options: Any) -> Result:
        if isinstance(asked, command) and not broken_off:
            broken_off.append(asked)
            raise StoreUnavailable
        return handle(incident, asked, **options)

    with monkeypatch.context() as patch:
        patch.setattr(centre, "handle", handle_or_break_off)
        yield broken_off


@contextmanager
def overtaken(
    net: Network, incident: UUID, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[UUID]]:
    """Let somebody be quicker than whoever saves next something about the incident."""
    centre, by_others = net.node.centre(REGION), list[UUID]()
    save = centre.save

    def save_late(*objects: Any, **options: Any) -> Any:
        if not by_others and objects[0].id == incident:
            by_others.append(incident)
            net.ask(incident, c.RequestFieldCheck(), CURATOR)
        return save(*objects, **options)

    with monkeypatch.context() as patch:
        patch.setattr(centre, "save", save_late)
        yield by_others


@contextmanager
def together(
    of: type, method: str, monkeypatch: pytest.MonkeyPatch, *, first: bool = False
) -> Iterator[None]:
    """Let two threads come to this place before either goes on, after the call or before it."""
    barrier = Barrier(2, timeout=TOGETHER_SECONDS)
    original: Callable[..., Any] = getattr(of, method)

    def wait_for_the_other(*given: Any, **options: Any) -> Any:
        if first:
            barrier.wait()
        answer = original(*given, **options)
        if not first:
            barrier.wait()
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(of, method, wait_for_the_other)
        yield
