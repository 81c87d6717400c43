"""What one subscriber follows, and what of it they have not taken yet."""

import asyncio
import itertools
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from api.source_event import AtOnce, SourceEvent, Watermark
from domain.errors import DomainError, StreamLagging
from domain.rights import Scope
from projections.changes import ChangeRow
from projections.incidents import IncidentRow

PENDING_MAX = 2_000  # changes a slow subscriber may be behind before it is sent away to resume
HEARTBEAT_TURNS = 10  # a tenth of the subscribers is told at once how far it is, if it was quiet

Ended = asyncio.Future[DomainError]  # why streams end, once they must


class Change(SourceEvent):
    """A change, with its incident as it stands when the change is delivered."""

    def __init__(self, change: ChangeRow, incident: IncidentRow | None) -> None:
        super().__init__()
        self.change = change
        self.incident = incident
        self.pos = change.pos
        self.cursor = f"{change.region}:{change.pos}"


def everything(change: Change) -> bool:
    return True


class Followed(NamedTuple):
    """What of a region somebody follows: all of it, one place, what one body holds, some topics."""

    region: str
    municipality: str | None = None
    organisation: str | None = None
    topics: tuple[str, ...] | None = None
    wanted: Callable[[Change], bool] = everything  # of these changes

    @property
    def scope(self) -> Scope:
        return Scope(self.region, self.municipality, self.organisation, topics=self.topics)

    def includes(self, found: Change) -> bool:
        change, incident = found.change, found.incident
        holder, topic = (incident.organisation, incident.topic) if incident else (None, None)
        # Who loses an incident to another place hears of that as well.
        here = self.municipality in (None, change.municipality, change.moved_from)
        theirs = self.organisation in (None, holder)
        topical = self.topics is None or topic in self.topics
        return here and theirs and topical and self.wanted(found)


class Subscriber:
    """Takes what they follow, one by one, and is told at once where that is possible."""

    numbers = itertools.count()

    def __init__(self, followed: Followed, ended: Ended, after: int) -> None:
        self.followed = followed
        self.ended = ended
        self.after = after  # a position: what is not behind it is known
        self.at_once: AtOnce | None = None
        self.pending: deque[Change | Watermark] = deque()
        self.overflown = False
        self.waiting = False  # for the next, with all before it told
        self.quiet = False  # since the last heartbeat
        self.turn = next(self.numbers) % HEARTBEAT_TURNS
        self.ready = asyncio.Event()
        ended.add_done_callback(self._wake)

    def leave(self) -> None:
        self.ended.remove_done_callback(self._wake)

    def tell_by(self, at_once: AtOnce) -> None:
        self.at_once = at_once

    def offer(self, change: Change) -> None:
        if change.pos <= self.after or not self.followed.includes(change):
            return
        self.quiet = False
        if self._tell(change):
            return
        if self.overflown or len(self.pending) >= PENDING_MAX:
            # Nothing may follow what was left out, or the cursor would pass over it.
            self.overflown = True
        else:
            self.pending.append(change)
        self.ready.set()

    def _tell(self, change: Change) -> bool:
        """Whether they were told at once, which costs a fraction of waking who waits for it."""
        free = self.waiting and not (self.pending or self.overflown or self.ended.done())
        try:
            return free and self.at_once is not None and self.at_once(change)
        except Exception:
            # It is met again in their turn, and ends their stream; here it would end everybody's.
            return False

    def beat(self, mark: Watermark) -> None:
        if self.quiet and not self.pending and not self.overflown:
            self.pending.append(mark)
            self.ready.set()
        self.quiet = True

    async def take(self) -> Change | Watermark:
        """The next change. Raises StreamLagging once what was kept for the subscriber is taken,
        and why the stream ends as soon as it does."""
        while not self.ended.done():
            if self.pending:
                return self.pending.popleft()
            if self.overflown:
                raise StreamLagging
            self.ready.clear()
            self.waiting = True
            try:
                await self.ready.wait()
            finally:
                self.waiting = False
        raise self.ended.result()

    def _wake(self, _: Ended) -> None:
        self.ready.set()
