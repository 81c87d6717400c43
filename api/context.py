"""What a resolver is given: the node, the viewer, the clock, and connections to read with."""

import math
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property, partial
from typing import Any, TypeVar
from uuid import UUID

from anyio import CapacityLimiter, to_thread
from psycopg import AsyncConnection
from psycopg.pq import PipelineStatus
from strawberry.dataloader import DataLoader
from strawberry.types.info import Info as StrawberryInfo

from api.drill_down import DrillDown, Look, Opened
from api.hub import ChangeHub
from api.loaders import Sight, open_all, repeated_all
from api.subscriber import Ended
from api.telemetry.caller import Caller
from api.transport.budget import Principal
from api.viewer import Viewer
from domain.errors import DomainError, NotPermitted
from projections.history import HistoryKey, PastEvent, histories
from projections.incident_list import incidents_by_id
from projections.incidents import IncidentRow
from projections.pool import ReadPool
from projections.walls import wall_of
from regions.node import Node
from regions.reading.suggestions import Suggestion
from regions.reference.catalogue import Catalogue
from regions.store import tracing

Answer = TypeVar("Answer")


@dataclass(eq=False)
class Context:
    """One per request, or per socket."""

    node: Node
    readers: ReadPool
    hub: ChangeHub
    principal: Principal  # for whom budgets and limits are kept
    bearer: Viewer  # who the token named when the request, or the socket, began
    clock: Callable[[], datetime]
    threads: CapacityLimiter
    token_key: bytes  # signs the links to exports
    drill_down: DrillDown
    caller: Caller = field(default_factory=Caller)
    authorization: str | None = field(default=None, repr=False)  # as it was shown, to forward it
    resume: str | None = None  # the cursor that its browser remembers for it

    @cached_property
    def ended(self) -> Ended:
        """Its streams end, for this reason."""
        return self.hub.opened()

    # Loaders of batches only: the context of a socket lives long, and what they kept would grow
    # old. Each is made for whoever asks first; most operations need none.

    @cached_property
    def incidents(self) -> DataLoader[UUID, IncidentRow | None]:
        return DataLoader(self._incidents_seen, cache=False)

    @cached_property
    def looks(self) -> DataLoader[Look, Opened]:
        return DataLoader(self._looked, cache=False)

    @cached_property
    def histories(self) -> DataLoader[HistoryKey, Sequence[PastEvent]]:
        return DataLoader(self._past, cache=False)

    @cached_property
    def sights(self) -> DataLoader[Sight, bytes | None]:
        return DataLoader(self._opened, cache=False)

    @cached_property
    def repeats(self) -> DataLoader[HistoryKey, list[Suggestion]]:
        return DataLoader(self._repeated, cache=False)

    async def _incidents_seen(self, ids: Sequence[UUID]) -> list[IncidentRow | None]:
        """Those the viewer may see, in the order of the ids. Raises NotPermitted for a visitor."""
        viewer = self.viewer
        async with self.reading() as connection:
            rows = await incidents_by_id(connection, ids)
        found = [rows.get(incident_id) for incident_id in ids]
        return [
            row
            if row and viewer.sees(row.region, row.municipality, row.organisation, row.topic)
            else None
            for row in found
        ]

    async def _looked(self, wanted: list[Look]) -> Sequence[Opened | DomainError]:
        return await self.drill_down.look(self.authorization, wanted)

    async def _past(self, keys: list[HistoryKey]) -> list[Sequence[PastEvent]]:
        wanted = list(dict.fromkeys(keys))
        async with self.reading_all() as connection:
            found = dict(zip(wanted, await histories(connection, wanted), strict=True))
        return [found[key] for key in keys]

    async def _opened(self, wanted: list[Sight]) -> list[bytes | None]:
        return await self.in_thread(partial(open_all, self.node, wanted))

    async def _repeated(self, wanted: list[HistoryKey]) -> list[list[Suggestion]]:
        return await self.in_thread(partial(repeated_all, self.node, wanted, self.clock()))

    @property
    def viewer(self) -> Viewer:
        """Who asks. Raises NotPermitted once the token has expired: a socket may live longer."""
        if self.seconds_left() <= 0:
            self.end(NotPermitted())
            raise NotPermitted
        return self.bearer

    def end(self, refusal: DomainError) -> None:
        """End its streams; the first reason counts."""
        if not self.ended.done():
            self.ended.set_result(refusal)

    @property
    def rights(self) -> Viewer:
        """What is equal of viewers who see the same. Who may open personal data is logged by name,
        and so is equal to nobody."""
        name = self.bearer.name if self.bearer.personal_data else ""
        return replace(self.bearer, name=name, expires_at=None)

    def shared(self) -> "Context":
        """For what is executed once for all of equal rights, whoever of them leaves meanwhile."""
        return replace(self, bearer=self.rights)

    def seconds_left(self) -> float:
        """Until the token expires; a visitor has none that could."""
        if self.bearer.expires_at is None:
            return math.inf
        return (self.bearer.expires_at - self.clock()).total_seconds()

    @property
    def catalogue(self) -> Catalogue:
        return self.node.catalogue

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection[Any]]:
        """What the viewer may see: no incident of another scope is found, whatever is asked.

        Raises NotPermitted for a visitor.
        """
        wall = wall_of(self.viewer.actor().scope)
        # Each statement is committed with its wall: a block of the pool's would commit once more.
        connection = await self.readers.getconn()
        try:
            with connection.behind(wall):
                yield connection
        finally:
            # Whoever is cancelled leaves answers behind that nobody collects.
            if connection.pgconn.pipeline_status != PipelineStatus.OFF:
                await connection.close()
            await self.readers.putconn(connection)

    @asynccontextmanager
    async def reading_all(self) -> AsyncIterator[AsyncConnection[Any]]:
        """All there is: for figures, and for whom the right to the place was checked of."""
        async with self.readers.connection() as connection:
            yield connection

    async def in_thread(self, call: Callable[[], Answer]) -> Answer:
        """Commands are synchronous: each has a thread while it holds a connection."""
        with tracing.span("command"):
            return await to_thread.run_sync(call, limiter=self.threads)


Info = StrawberryInfo[Context, None]
