"""The end of what a token opened, when it has expired."""

import asyncio
from contextlib import suppress

from api.context import Context
from domain.errors import NotPermitted

# graphql-ws reconnects after it, with a new token; 4401 it takes for final.
EXPIRED_CODE = 4403
EXPIRED_REASON = "Token expired"
LOOK_SECONDS_MAX = 30  # between two looks at the clock, which may be set meanwhile
LAST_WORDS_SECONDS = 1.0  # for streams to be told why they end


async def end_when_expired(context: Context) -> None:
    """Wait for the end of the token, of a visitor for ever; then end the streams.

    Returns early when they end for another reason, or somebody notices it first.
    """
    while not context.ended.done():
        if (left := context.seconds_left()) <= 0:
            context.end(NotPermitted())
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(min(left, LOOK_SECONDS_MAX)):
                await asyncio.shield(context.ended)
