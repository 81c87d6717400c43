"""The end of a socket whose token has expired."""

import asyncio
from contextlib import suppress

from api.context import Context

# graphql-ws reconnects after it, with a new token; 4401 it takes for final.
EXPIRED_CODE = 4403
EXPIRED_REASON = "Token expired"
LOOK_SECONDS_MAX = 30  # between two looks at the clock, which may be set meanwhile
LAST_WORDS_SECONDS = 0.1  # for a stream that has just been told why it ends


async def until_expired(context: Context) -> None:
    """Wait for the end of the token; of a visitor for ever. A stream that notices it wakes us."""
    while (left := context.seconds_left()) > 0 and not context.expired.is_set():
        with suppress(TimeoutError):
            await asyncio.wait_for(context.expired.wait(), min(left, LOOK_SECONDS_MAX))
