"""Live changes for all subscribers of this process: read once, handed to each.

A subscriber joins the hub first and replays the past second. The hub notes how far it has come when
somebody joins: the replay ends there, the live part begins there, so the seam has no gap and no
repetition. Data always comes from the read models by position; there is nothing to lose on the way.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from typing import NamedTuple

import psycopg

from domain.errors import CursorInvalid, StreamLagging
from domain.rights import Scope
from projections.changes import ChangeRow
from projections.feed import changes_between, changes_of_place, positions, progress
from projections.incident_list import incidents_by_id
from projections.incidents import IncidentRow
from projections.pool import ReadPool

log = logging.getLogger(__name__)

POLL_SECONDS = 0.02
RETRY_SECONDS = 0.5
PAGE_CHANGES = 500  # read at once, in a replay or of one region
PENDING_MAX = 2_000  # changes a slow subscriber may be behind before it is sent away to resume


class Change(NamedTuple):
    """A change, with its incident as it stands when the change is delivered."""

    change: ChangeRow
    incident: IncidentRow | None


class Followed(NamedTuple):
    """What of a region somebody follows: all of it, one place, what one body holds, some topics."""

    region: str
    municipality: str | None = None
    organisation: str | None = None
    topics: tuple[str, ...] | None = None

    @property
    def scope(self) -> Scope:
        return Scope(self.region, self.municipality, self.organisation, topics=self.topics)

    def includes(self, found: Change) -> bool:
        change, incident = found
        holder, topic = (incident.organisation, incident.topic) if incident else (None, None)
        # Who loses an incident to another place hears of that as well.
        here = self.municipality in (None, change.municipality, change.moved_from)
        theirs = self.organisation in (None, holder)
        return here and theirs and (self.topics is None or topic in self.topics)


class Subscriber:
    """The changes one subscriber has not taken yet."""

    def __init__(self, followed: Followed) -> None:
        self.followed = followed
        self.pending: deque[Change] = deque()
        self.overflown = False
        self.ready = asyncio.Event()

    def offer(self, change: Change) -> None:
        if not self.followed.includes(change):
            return
        if self.overflown or len(self.pending) >= PENDING_MAX:
            # Nothing may follow what was left out, or the cursor would pass over it.
            self.overflown = True
        else:
            self.pending.append(change)
        self.ready.set()

    async def take(self) -> Change:
        """The next change. Raises StreamLagging once what was kept for the subscriber is taken."""
        while not self.pending:
            if self.overflown:
                raise StreamLagging
            self.ready.clear()
            await self.ready.wait()
        return self.pending.popleft()


class ChangeHub:
    def __init__(self, readers: ReadPool) -> None:
        self.readers = readers
        self.positions: dict[str, int] = {}
        self.subscribers: dict[str, set[Subscriber]] = {}

    async def start(self) -> None:
        """Note where every region stands; what comes later is live."""
        async with self.readers.connection() as connection:
            self.positions = await positions(connection)

    async def run(self) -> None:
        """Follow the feed until cancelled."""
        while True:
            try:
                await self._look()
                await asyncio.sleep(POLL_SECONDS)
            except psycopg.Error as error:
                log.warning("The change hub waits for the database: %s", type(error).__name__)
                await asyncio.sleep(RETRY_SECONDS)
            except Exception:
                # Every stream of this process hangs on this loop: it must not end.
                log.exception("The change hub looks again")
                await asyncio.sleep(RETRY_SECONDS)

    async def follow(self, followed: Followed, after: int | None) -> AsyncGenerator[Change, None]:
        """Every change after a position, or from now on: the past first, then live, for ever.

        Raises CursorInvalid for a position never given out, StreamLagging when too slow.
        """
        region, subscriber = followed.region, Subscriber(followed)
        self.subscribers.setdefault(region, set()).add(subscriber)
        seam = self.positions.get(region, 0)
        try:
            position = seam if after is None else after
            if position > seam:
                await self._check_given_out(region, position)
            async for change in self._replay(followed, position, seam):
                yield change
            while True:
                change = await subscriber.take()
                if change.change.pos > position:
                    yield change
        finally:
            self.subscribers[region].discard(subscriber)

    async def _replay(self, followed: Followed, after: int, upto: int) -> AsyncIterator[Change]:
        region, municipality = followed.region, followed.municipality
        while after < upto:
            async with self.readers.connection() as connection:
                page = await changes_of_place(
                    connection, region, municipality, after=after, upto=upto, limit=PAGE_CHANGES
                )
                incidents = await incidents_by_id(connection, [row.incident_id for row in page])
            for row in page:
                change = Change(row, incidents.get(row.incident_id))
                if followed.includes(change):
                    yield change
            after = page[-1].pos if len(page) == PAGE_CHANGES else upto

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
            incidents = await incidents_by_id(connection, [row.incident_id for row in fresh])
        # From here to the end nothing is awaited: nobody joins between delivery and the new seam.
        self._deliver(Change(row, incidents.get(row.incident_id)) for row in fresh)
        for region, pos in now.items():
            if region in ranges:
                self.positions[region] = ranges[region][1]
            elif not self.subscribers.get(region):
                # Whoever joined while we were reading keeps the old seam, and is served next time.
                self.positions[region] = pos

    def _deliver(self, changes: Iterable[Change]) -> None:
        for change in changes:
            for subscriber in self.subscribers.get(change.change.region, ()):
                subscriber.offer(change)
