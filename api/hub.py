"""Live changes for all subscribers of this process: read once, handed to each.

A subscriber joins the hub first and replays the past second. The hub notes how far it has come when
somebody joins: the replay ends there, the live part begins there, so the seam has no gap and no
repetition. Data always comes from the read models by position; there is nothing to lose on the way.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import suppress
from typing import NamedTuple
from weakref import WeakSet, WeakValueDictionary

import psycopg

from api.source_event import Began, SourceEvent, Watermark
from api.subscriber import HEARTBEAT_TURNS, Change, Ended, Followed, Subscriber
from domain.errors import CursorInvalid, DomainError
from projections.feed import changes_between, changes_of_place, positions, progress
from projections.incident_list import incidents_by_id
from projections.pool import ReadPool

log = logging.getLogger(__name__)

POLL_SECONDS = 0.02
UNHEARD_SECONDS = 1.0  # between two looks while nobody follows
RETRY_SECONDS = 0.5
PAGE_CHANGES = 500  # read at once, in a replay or of one region
TURN_SECONDS = 1.0
COALESCE_SECONDS = 5.0  # between two ticks


class Tick(SourceEvent):
    """The read models of a region, or of all, as they stand; over once they have moved on."""

    repeats = False
    is_paid = True

    def __init__(self, taken_in: int, began: float) -> None:
        super().__init__()
        self.taken_in = taken_in  # events
        self.began = began  # by the clock of the loop
        self.over = asyncio.get_running_loop().create_future()


class Page(NamedTuple):
    """A piece of the feed of a place: after < pos <= upto, at most PAGE_CHANGES."""

    region: str
    municipality: str | None
    after: int
    upto: int


class ChangeHub:
    def __init__(self, readers: ReadPool) -> None:
        self.readers = readers
        self.positions: dict[str, int] = {}  # handed to the subscribers
        self.taken_in: dict[str, int] = {}  # by the read models
        self.subscribers: dict[str, set[Subscriber]] = {}
        self.pages: dict[Page, asyncio.Task[list[Change]]] = {}  # that are being read
        self.ticks: WeakValueDictionary[str | None, Tick] = WeakValueDictionary()
        self.turn, self.turned = 0, 0.0
        self.joined = asyncio.Event()
        self.open: WeakSet[Ended] = WeakSet()
        self.stopping: Callable[[], DomainError] | None = None

    def opened(self) -> Ended:
        """Of streams that begin: what will end them."""
        ended: Ended = asyncio.get_running_loop().create_future()
        if self.stopping:
            ended.set_result(self.stopping())
        self.open.add(ended)
        return ended

    def end(self, reason: Callable[[], DomainError]) -> None:
        """All streams: each is told its cursor, and so is who comes from now on."""
        self.stopping = reason
        for ended in self.open:
            if not ended.done():
                ended.set_result(reason())

    async def start(self) -> None:
        """Note where every region stands; what comes later is live."""
        async with self.readers.connection() as connection:
            self.positions = await positions(connection)
        self.taken_in = dict(self.positions)

    async def run(self) -> None:
        """Follow the feed until cancelled."""
        while True:
            try:
                await self._look()
                await asyncio.sleep(POLL_SECONDS)
                await self._until_heard()
            except psycopg.Error as error:
                log.warning("The change hub waits for the database: %s", type(error).__name__)
                await asyncio.sleep(RETRY_SECONDS)
            except Exception:
                # Every stream of this process hangs on this loop: it must not end.
                log.exception("The change hub looks again")
                await asyncio.sleep(RETRY_SECONDS)

    async def _until_heard(self) -> None:
        """Wait for somebody to follow, not for ever; who comes is told what was not looked at."""
        if not (self.ticks or any(self.subscribers.values())):
            self.joined.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(UNHEARD_SECONDS):
                    await self.joined.wait()

    async def follow(
        self, followed: Followed, after: int | None, ended: Ended
    ) -> AsyncGenerator[Change | Watermark, None]:
        """Every change after a position, or from now on: the past first, then live, for ever.

        Tells first where it begins. Raises CursorInvalid for a position never given out,
        StreamLagging when too slow, and what `ended` tells.
        """
        region, seam = followed.region, self.positions.get(followed.region, 0)
        position = seam if after is None else after
        subscriber = Subscriber(followed, ended, position)
        self.subscribers.setdefault(region, set()).add(subscriber)
        self.joined.set()
        try:
            if position > seam:
                await self._check_given_out(region, position)
            yield Began(region, position, subscriber.tell_by)
            async for change in self._replay(subscriber, position, seam):
                yield change
            while True:
                yield await subscriber.take()
        finally:
            subscriber.leave()
            self.subscribers[region].discard(subscriber)

    async def moments(self, region: str | None, ended: Ended) -> AsyncGenerator[Tick, None]:
        """Now, and again whenever events of a region (of any, if None) were taken in, at most once
        in COALESCE_SECONDS. Raises what `ended` tells."""
        while not ended.done():
            tick = self.ticks.get(region)
            if tick is None:
                now = asyncio.get_running_loop().time()
                tick = self.ticks[region] = Tick(self._taken_in(region), now)
                self.joined.set()
            yield tick
            await asyncio.wait({tick.over, ended}, return_when=asyncio.FIRST_COMPLETED)
        raise ended.result()

    async def _replay(self, subscriber: Subscriber, after: int, upto: int) -> AsyncIterator[Change]:
        followed = subscriber.followed
        while after < upto and not subscriber.ended.done():
            page = await self._page(Page(followed.region, followed.municipality, after, upto))
            for change in page:
                if followed.includes(change):
                    yield change
            after = page[-1].pos if len(page) == PAGE_CHANGES else upto

    async def _page(self, page: Page) -> list[Change]:
        """Read once for all who wait for it, as many do who come back at the same moment."""
        reading = self.pages.get(page)
        if reading is None:
            reading = self.pages[page] = asyncio.create_task(self._read(page))
            reading.add_done_callback(lambda _: self.pages.pop(page))
        return await asyncio.shield(reading)

    async def _read(self, page: Page) -> list[Change]:
        region, municipality, after, upto = page
        async with self.readers.connection() as connection:
            rows = await changes_of_place(
                connection, region, municipality, after=after, upto=upto, limit=PAGE_CHANGES
            )
            incidents = await incidents_by_id(connection, [row.incident_id for row in rows])
        return [Change(row, incidents.get(row.incident_id)) for row in rows]

    async def _check_given_out(self, region: str, position: int) -> None:
        async with self.readers.connection() as connection:
            heads = {part.region: part.head for part in await progress(connection)}
        if position > heads.get(region, 0):
            raise CursorInvalid(field="after")

    async def _look(self) -> None:
        async with self.readers.connection() as connection:
            now = await positions(connection)
            ranges = {
                region: (before, min(pos, before + PAGE_CHANGES))
                for region, pos in now.items()
                if pos > (before := self.positions.get(region, 0)) and self.subscribers.get(region)
            }
            fresh = await changes_between(connection, ranges) if ranges else []
            ids = [row.incident_id for row in fresh]
            incidents = await incidents_by_id(connection, ids) if ids else {}
        # From here to the end nothing is awaited: nobody joins between delivery and the new seam.
        self._deliver(Change(row, incidents.get(row.incident_id)) for row in fresh)
        for region, pos in now.items():
            if region in ranges:
                self.positions[region] = ranges[region][1]
            elif not self.subscribers.get(region):
                # Whoever joined while we were reading keeps the old seam, and is served next time.
                self.positions[region] = pos
        self.taken_in = now
        self._tell_time(asyncio.get_running_loop().time())

    def _deliver(self, changes: Iterable[Change]) -> None:
        for change in changes:
            for subscriber in self.subscribers.get(change.change.region, ()):
                subscriber.offer(change)

    def _tell_time(self, now: float) -> None:
        """End the ticks that are over; tell those whose turn it is how far they are."""
        for region, tick in list(self.ticks.items()):
            if tick.taken_in != self._taken_in(region) and now >= tick.began + COALESCE_SECONDS:
                del self.ticks[region]
                tick.over.set_result(None)
        if now < self.turned + TURN_SECONDS:
            return
        self.turn, self.turned = (self.turn + 1) % HEARTBEAT_TURNS, now
        for region, members in self.subscribers.items():
            mark = Watermark(region, self.positions.get(region, 0))
            for subscriber in members:
                if subscriber.turn == self.turn:
                    subscriber.beat(mark)

    def _taken_in(self, region: str | None) -> int:
        return sum(self.taken_in.values()) if region is None else self.taken_in.get(region, 0)
