"""What a resolver is given: the node, the viewer, the clock, and connections to read with."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from anyio import CapacityLimiter, to_thread
from psycopg import AsyncConnection
from strawberry.dataloader import DataLoader
from strawberry.types.info import Info as StrawberryInfo

from api.hub import ChangeHub
from api.transport.budget import Principal
from api.viewer import Viewer
from domain.errors import NotPermitted
from projections.history import HistoryKey, PastEvent
from projections.pool import ReadPool
from projections.walls import confine
from regions.catalogue import Catalogue
from regions.node import Node

Answer = TypeVar("Answer")


@dataclass
class Context:
    """One per request, or per socket."""

    node: Node
    readers: ReadPool
    hub: ChangeHub
    principal: Principal  # whose budget is spent
    bearer: Viewer  # who the token named when the request, or the socket, began
    clock: Callable[[], datetime]
    threads: CapacityLimiter
    token_key: bytes  # signs the links to exports
    histories: DataLoader[HistoryKey, Sequence[PastEvent]]
    expired: asyncio.Event = field(default_factory=asyncio.Event)  # somebody asked after that

    @property
    def viewer(self) -> Viewer:
        """Who asks. Raises NotPermitted once the token has expired: a socket may live longer."""
        if self.seconds_left() <= 0:
            self.expired.set()
            raise NotPermitted
        return self.bearer

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
        scope = self.viewer.actor().scope
        async with self.readers.connection() as connection, connection.transaction():
            await confine(connection, scope)
            yield connection

    @asynccontextmanager
    async def reading_all(self) -> AsyncIterator[AsyncConnection[Any]]:
        """All there is: for figures, and for whom the right to the place was checked of."""
        async with self.readers.connection() as connection:
            yield connection

    async def in_thread(self, call: Callable[[], Answer]) -> Answer:
        """Commands are synchronous: each has a thread while it holds a connection."""
        return await to_thread.run_sync(call, limiter=self.threads)


Info = StrawberryInfo[Context, None]
