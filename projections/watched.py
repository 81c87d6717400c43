"""Connections whose socket is watched from their first question to their end.

psycopg has the event loop begin to watch for each answer and then end it, with a timer beside: a
twentieth of a page of incidents. This takes the place of its `wait`, whose version the lock file
names; what must hold is told by tests/projections/test_watched.py.
"""

import asyncio
import select
from typing import Any, TypeVar

from psycopg import AsyncConnection, OperationalError, errors
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus
from psycopg.waiting import READY_R, READY_W, WAIT_W, Ready, Wait, wait_async

Found = TypeVar("Found")

GIVEN_UP_SECONDS = 5.0  # within which PostgreSQL must let go of what nobody waits for


class WatchedConnection(AsyncConnection[Any]):
    """Of the event loop that waits on it first."""

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self._watched: int | None = None  # the socket
        self._heard: asyncio.Future[Ready] | None = None  # for whoever waits

    async def wait(
        self,
        gen: PQGen[Found],
        interval: float = 0.0,
        timeout: float | None = None,  # noqa: ASYNC109 - psycopg asks so
    ) -> Found:
        """As psycopg's, whose own keeps to a timeout where there is one."""
        if timeout is not None:
            self._unwatch()
            return await super().wait(gen, timeout=timeout)
        try:
            state = next(gen)
            while True:
                state = gen.send(await self._ready(state))
        except StopIteration as ended:
            found: Found = ended.value
            return found
        except OSError as error:
            self._unwatch()
            raise OperationalError("The connection's socket is closed") from error
        except BaseException as error:
            self._unwatch()  # libpq may have closed the socket: its number is soon another's
            if not isinstance(error, Exception):
                await self._give_up(gen)
            raise

    async def close(self) -> None:
        self._unwatch()
        await super().close()
        if self._heard is not None and not self._heard.done():
            self._heard.set_result(READY_R)  # libpq will tell whoever waits that it is closed

    async def _ready(self, state: Wait) -> Ready:
        loop = asyncio.get_running_loop()
        socket = self._watched
        if socket is None:
            socket = self._watched = self.pgconn.socket
            loop.add_reader(socket, self._hear, READY_R)
        elif is_readable(socket):
            # uvloop tells once of a connection that was reset, and watches it no more: whoever
            # read a goodbye before that, and waits for the rest, would wait for ever.
            loop.call_soon(self._hear, READY_R)
        if state & WAIT_W:  # more than the kernel takes at once
            loop.add_writer(socket, self._hear, READY_W)
        self._heard = loop.create_future()
        try:
            return await self._heard
        finally:
            self._heard = None
            if state & WAIT_W:
                loop.remove_writer(socket)

    def _hear(self, ready: Ready) -> None:
        if self._heard is None:
            # asyncio tells once more of what was read since it looked.
            if self._watched is not None and is_readable(self._watched):
                self._unwatch()  # PostgreSQL says goodbye: the next to ask will read it
        elif not self._heard.done():
            self._heard.set_result(ready)

    def _unwatch(self) -> None:
        if self._watched is not None:
            asyncio.get_running_loop().remove_reader(self._watched)
            self._watched = None

    async def _give_up(self, gen: PQGen[Any]) -> None:
        """Have PostgreSQL end what runs, and take in what it says of it."""
        if self.pgconn.transaction_status != TransactionStatus.ACTIVE:
            return
        try:
            await self._try_cancel(timeout=GIVEN_UP_SECONDS)
            await wait_async(gen, self.pgconn.socket, interval=0.1, timeout=GIVEN_UP_SECONDS)
        except errors.QueryCanceled:
            pass
        except BaseException as error:
            self.pgconn.finish()  # in what state it is nobody knows
            if not isinstance(error, Exception):
                raise


def is_readable(socket: int) -> bool:
    """Something was sent, or it was closed."""
    looked = select.poll()
    looked.register(socket, select.POLLIN)
    return bool(looked.poll(0))
