"""Connections for readers: asynchronous, read-only, on the read models in use."""

import select

from psycopg_pool import AsyncConnectionPool

from projections.readers import Reader, ReadersCursor

READERS = 8  # connections; a query holds one for a few milliseconds
QUERY_SECONDS_MAX = 10  # no answer is worth more of the server's time

# A plan for any period and place is a poor one for each; planning costs half a ms. Many ask at
# once: workers in parallel would take processors from each other, and cost to be started.
OPTIONS = (
    "-c search_path=read,public -c plan_cache_mode=force_custom_plan"
    " -c max_parallel_workers_per_gather=0"
)

ReadPool = AsyncConnectionPool[Reader]


def read_pool(url: str) -> ReadPool:
    """Not open yet: it belongs to the event loop that opens it."""
    return AsyncConnectionPool(
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
        check=check,
        name="readers",
    )


async def check(connection: Reader) -> None:
    """Raises OperationalError for one that a restart of the database has ended.

    Its end is heard on the socket: by the loop, which then watches it no more, or by a look at it
    where nobody watched. Only who was told something is asked, not each before its use.
    """
    if connection.is_watched:
        return
    heard = select.poll()
    heard.register(connection.fileno(), select.POLLIN)
    if heard.poll(0):
        await AsyncConnectionPool.check_connection(connection)
