"""What a subscriber is given when it takes more slowly than things happen."""

import asyncio
from contextlib import aclosing
from typing import cast
from uuid import uuid4

import pytest

from api.hub import ChangeHub, Page
from api.source_event import SourceEvent, Watermark
from api.subscriber import PENDING_MAX, Change, Followed, Subscriber
from domain.errors import StreamLagging
from projections.changes import ChangeRow
from projections.pool import read_pool
from tests.scenarios import NOON


def change(pos: int, municipality: str | None = None) -> Change:
    row = ChangeRow(
        "BRONX", pos, municipality, None, uuid4(), 1, "WorkAccepted", "IN_PROGRESS", NOON
    )
    return Change(row, None)


def subscriber(followed: Followed) -> Subscriber:
    return Subscriber(followed, asyncio.get_running_loop().create_future(), 0)


def test_nothing_follows_what_was_left_out() -> None:
    async def take_all() -> list[int]:
        slow = subscriber(Followed("BRONX"))
        for pos in range(1, PENDING_MAX + 6):
            slow.offer(change(pos))
        taken = [(await slow.take()).pos for _ in range(10)]
        for pos in range(PENDING_MAX + 6, PENDING_MAX + 12):
            slow.offer(change(pos))
        taken += [(await slow.take()).pos for _ in range(PENDING_MAX - 10)]
        with pytest.raises(StreamLagging):
            await slow.take()
        return taken

    # The last cursor the client has is the one before the first change it was not given.
    assert asyncio.run(take_all()) == list(range(1, PENDING_MAX + 1))


def test_who_waits_is_told_at_once_and_who_does_not_in_their_turn() -> None:
    async def told() -> tuple[list[int], list[int]]:
        at_once: list[int] = []

        def tell(event: SourceEvent) -> bool:
            keeps_up = len(at_once) < 2
            if keeps_up and isinstance(event, Change):
                at_once.append(event.pos)
            return keeps_up

        follower, in_turn = subscriber(Followed("BRONX")), []
        follower.tell_by(tell)
        follower.offer(change(1))  # nobody waits yet
        in_turn.append((await follower.take()).pos)
        waiting = asyncio.create_task(follower.take())
        await asyncio.sleep(0)
        for pos in (1, 2, 3, 4, 5):
            follower.offer(change(pos))
        in_turn += [(await waiting).pos, (await follower.take()).pos]
        return at_once, in_turn

    # The fourth was not taken, so nothing may overtake it.
    assert asyncio.run(told()) == ([1, 2], [1, 3, 4])


def test_who_cannot_be_told_at_once_holds_nobody_else_up() -> None:
    """What is wrong is met again in their turn, and ends their stream alone."""

    async def taken() -> int:
        def tell(event: SourceEvent) -> bool:
            raise TypeError("no JSON")

        follower = subscriber(Followed("BRONX"))
        follower.tell_by(tell)
        waiting = asyncio.create_task(follower.take())
        await asyncio.sleep(0)
        follower.offer(change(1))
        return (await waiting).pos

    assert asyncio.run(taken()) == 1


def test_nobody_is_told_at_once_of_what_they_know_nor_after_the_end() -> None:
    async def told() -> list[int]:
        at_once: list[int] = []
        follower = Subscriber(Followed("BRONX"), asyncio.get_running_loop().create_future(), 2)
        follower.tell_by(lambda event: at_once.append(cast("Change", event).pos) is None)
        waiting = asyncio.create_task(follower.take())
        await asyncio.sleep(0)
        for pos in (1, 2, 3):
            follower.offer(change(pos))
        follower.ended.set_result(StreamLagging())
        follower.offer(change(4))
        with pytest.raises(StreamLagging):
            await waiting
        return at_once

    assert asyncio.run(told()) == [3]


def test_a_municipality_is_offered_its_own_changes_only() -> None:
    async def taken() -> list[int]:
        slow = subscriber(Followed("BRONX", "BRONX-01"))
        for pos, place in enumerate(("BRONX-01", None, "BRONX-02", "BRONX-01"), start=1):
            slow.offer(change(pos, place))
        return [waiting.pos for waiting in slow.pending]

    assert asyncio.run(taken()) == [1, 4]


def test_a_body_is_not_sent_away_for_what_it_does_not_see() -> None:
    """What others hold, however much happens to it, fills nobody's list."""

    async def taken() -> tuple[int, bool]:
        slow = subscriber(Followed("BRONX", organisation="BRONX-DEP"))
        for pos in range(1, PENDING_MAX + 2):
            slow.offer(change(pos))
        return len(slow.pending), slow.overflown

    assert asyncio.run(taken()) == (0, False)


def test_who_come_back_at_once_share_what_is_read() -> None:
    class Hub(ChangeHub):
        def __init__(self) -> None:
            super().__init__(read_pool(""))  # nothing is read of it
            self.positions = {"BRONX": 2}
            self.read: list[Page] = []

        async def _read(self, page: Page) -> list[Change]:
            self.read.append(page)
            await asyncio.sleep(0)
            return [change(1), change(2)]

    async def told(hub: ChangeHub, followed: Followed, after: int) -> list[Change | Watermark]:
        ended = asyncio.get_running_loop().create_future()
        async with aclosing(hub.follow(followed, after, ended)) as events:
            return [await anext(events) for _ in range(3)]

    async def all_told() -> None:
        hub = Hub()
        three = [told(hub, Followed("BRONX"), 0) for _ in range(3)]
        one, *others = await asyncio.gather(*three)
        assert [event.pos for event in one] == [0, 1, 2]
        assert all(found[1:] == one[1:] for found in others)
        assert hub.read == [Page("BRONX", None, 0, 2)]
        assert not hub.pages

    asyncio.run(all_told())
