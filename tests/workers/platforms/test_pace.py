"""No platform is called more often than it allows."""

from uuid import uuid4

import pytest

from tests.platforms import StandIns
from tests.workers.platforms.calls import (
    TEXT,
    Connect,
    written,
)
from workers.platforms.clients import (
    Postponed,
)
from workers.platforms.pace import Limit, Pace


class Clock:
    """Stands still but for the sleeping."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def pace(self) -> Pace:
        return Pace(clock=lambda: self.now, sleep=self.sleep)


def test_no_second_holds_more_calls_than_allowed() -> None:
    clock, times = Clock(), []
    pace = clock.pace()
    for _ in range(100):
        pace.take([("all", Limit(20, 1.0))])
        times.append(clock.now)
    assert all(late - early >= 1.0 for early, late in zip(times, times[20:], strict=False))
    assert times[-1] - times[0] < 4.1


def test_limits_of_chats_are_apart_and_all_are_kept() -> None:
    clock, times = Clock(), []
    pace = clock.pace()
    for chat in (1, 2, 1, 2, 1):
        pace.take([("all", Limit(30, 1.0)), (chat, Limit(1, 1.0))])
        times.append(clock.now - 1_000_000)
    assert [round(at) for at in times] == [0, 0, 1, 1, 2]


def test_a_long_wait_is_not_slept_through_in_a_worker() -> None:
    clock = Clock()
    pace = clock.pace()
    for _ in range(20):
        pace.take([("group", Limit(20, 60.0))])
    with pytest.raises(Postponed) as postponed:
        pace.take([("group", Limit(20, 60.0))])
    assert postponed.value.after_seconds == 60.0


def test_a_client_keeps_the_limits_of_its_platform(platforms: StandIns, connect: Connect) -> None:
    clock = Clock()
    place = written(platforms, "telegram", "comment").place
    platforms.control(rate_limits=False)
    client = connect("telegram", platforms.at("telegram"), pace=clock.pace())
    for _ in range(20):
        client.publish(place, TEXT, uuid4())
    assert clock.now - 1_000_000 >= 19
    with pytest.raises(Postponed):
        client.publish(place, TEXT, uuid4())


def test_a_client_in_a_hurry_is_stopped_by_the_platform(
    platforms: StandIns, connect: Connect
) -> None:
    place = written(platforms, "vk", "post").place
    client = connect("vk", platforms.at("vk"))  # its clock runs ahead: it knows no limit
    with pytest.raises(Postponed, match="VK 6"):
        [client.publish(place, TEXT, uuid4()) for _ in range(30)]
