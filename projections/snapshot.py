"""One moment of the read models, for what takes longer to tell than a query may."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from psycopg import AsyncConnection


class ServedAnew(Exception):
    """Other read models took the place of those that were being told of: begin again."""


@asynccontextmanager
async def snapshot(url: str, *, seconds_max: int) -> AsyncIterator[AsyncConnection[Any]]:
    """A connection that sees one moment; no statement of it lasts longer than `seconds_max`.

    Raises ServedAnew at its end.
    """
    connection = await AsyncConnection.connect(
        url,
        autocommit=True,
        options=f"-c search_path=read,public -c statement_timeout={seconds_max}s "
        "-c plan_cache_mode=force_custom_plan",
    )
    async with connection:
        await connection.set_read_only(True)
        async with one_moment(connection):
            yield connection


@asynccontextmanager
async def one_moment(connection: AsyncConnection[Any]) -> AsyncIterator[None]:
    """A transaction that sees one moment.

    Raises ServedAnew at its end: names are looked up as they are now, rows as they were, so that
    read models of after the moment are found empty.
    """
    async with connection.transaction():
        await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        served = await _served(connection)
        yield
        if await _served(connection) != served:
            raise ServedAnew


async def _served(connection: AsyncConnection[Any]) -> int:
    cursor = await connection.execute("SELECT 'incident'::regclass::oid::bigint")
    ((served,),) = await cursor.fetchall()
    found: int = served
    return found
