"""Connections for readers: asynchronous, read-only, on the read models in use."""

import psycopg
from psycopg_pool import AsyncConnectionPool

from projections.readers import Reader, ReadersCursor
from projections.watched import is_readable

READERS = 8  # connections; a query holds one for a few milliseconds
QUERY_SECONDS_MAX = 10  # no answer is worth more of the server's time

# A plan for any period and place is a poor one for each; planning costs half a ms. Many ask at
# once: workers in parallel would take processors from each other, and cost to be started.
OPTIONS = (
    "-c search_path=read,public -c plan_cache_mode=force_custom_plan"
    " -c max_parallel_workers_per_gather=0"
)


class ReadPool(AsyncConnectionPool[Reader]):
    """Gives connections that live: those that a restart of the database has ended are replaced.

    The end of one is heard on its socket, which is looked at whatever the event loop has heard: it
    may have been busy meanwhile. A `check` of the pool's own would wait a second before it looks at
    the next, then two: after a restart each question would give up before it has seen all that had
    been idle.
    """

    async def getconn(self, timeout: float | None = None) -> Reader:  # noqa: ASYNC109 - as the pool
        while True:
            connection = await super().getconn(timeout)
            if not connection.closed and not is_readable(connection.fileno()):
                return connection  # nothing was said to it
            lives = False
            try:
                lives = await is_alive(connection)
            finally:
                if not lives:
                    await connection.close()
                    await self.putconn(connection)
            if lives:
                return connection


def read_pool(url: str) -> ReadPool:
    """Not open yet: it belongs to the event loop that opens it."""
    return ReadPool(
        url,
        connection_class=Reader,
        min_size=1,
        max_size=READERS,
        open=False,
        timeout=5.0,  # seconds a query waits for a connection before it says so
        kwargs={
            "autocommit": True,
            "cursor_factory": ReadersCursor,
            "options": f"{OPTIONS} -c statement_timeout={QUERY_SECONDS_MAX}s "
            "-c default_transaction_read_only=on",
        },
        name="readers",
    )


async def is_alive(connection: Reader) -> bool:
    """Of one that was told something."""
    try:
        await AsyncConnectionPool.check_connection(connection)
    except psycopg.OperationalError:
        return False
    return True
