"""What goes wrong on our side: the database away, somebody quicker, two at the same moment."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Barrier, BrokenBarrierError, Lock
from typing import Any
from uuid import UUID

import pytest

from domain import commands as c
from regions.centre import Result
from regions.store.event_store import StoreUnavailable
from tests.intake.network import CURATOR, REGION, Network

TOGETHER_SECONDS = 3.0  # how long one waits for the other


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
    net: Network, command: type[c.Command], monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[UUID]]:
    """Let somebody change the incident while this is decided; gives the incidents it happened to.

    Only the first time: whoever decides anew is left alone.
    """
    centre, by_others = net.node.centre(REGION), list[UUID]()
    handle, save, deciding = centre.handle, centre.save, list[UUID]()

    def handle_slowly(incident: UUID, asked: c.Command, **options: Any) -> Result:
        if isinstance(asked, command):
            deciding.append(incident)
        return handle(incident, asked, **options)

    def save_late(*objects: Any, **options: Any) -> Any:
        if objects[0].id in deciding and not by_others:
            by_others.append(objects[0].id)
            net.ask(objects[0].id, c.RequestFieldCheck(), CURATOR)
        return save(*objects, **options)

    with monkeypatch.context() as patch:
        patch.setattr(centre, "handle", handle_slowly)
        patch.setattr(centre, "save", save_late)
        yield by_others


@contextmanager
def together(of: type, method: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let two threads come back from this call before either goes on."""
    wait, original = _both(), getattr(of, method)

    def wait_for_the_other(*given: Any, **options: Any) -> Any:
        answer = original(*given, **options)
        wait()
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(of, method, wait_for_the_other)
        yield


@contextmanager
def decided_together(
    net: Network, command: type[c.Command], monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Let two threads have decided to ask this before one asks, and then the other."""
    centre, wait, turn = net.node.centre(REGION), _both(), Lock()
    handle = centre.handle

    def handle_in_turn(incident: UUID, asked: c.Command, **options: Any) -> Result:
        if isinstance(asked, command):
            wait()
        with turn:
            return handle(incident, asked, **options)

    with monkeypatch.context() as patch:
        patch.setattr(centre, "handle", handle_in_turn)
        yield


def _both() -> Callable[[], None]:
    """What waits for a second caller, if there is one."""
    barrier = Barrier(2, timeout=TOGETHER_SECONDS)

    def wait() -> None:
        with suppress(BrokenBarrierError):
            barrier.wait()

    return wait
