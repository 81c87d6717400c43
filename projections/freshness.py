"""Reading one's own write: waiting until the read models have a position."""

import asyncio
import time
from collections.abc import Sequence

from domain.errors import CursorInvalid, ReadAfterTimeout
from projections.pool import ReadPool
from regions.centre import Position

WAIT_SECONDS = 5.0
POLL_SECONDS = 0.005


async def wait_for(readers: ReadPool, wanted: Sequence[Position]) -> None:
    """Return when every position is taken in.

    Raises CursorInvalid for a position never given out, ReadAfterTimeout after WAIT_SECONDS.
    """
    deadline = time.monotonic() + WAIT_SECONDS
    while missing := await _missing(readers, wanted):
        if time.monotonic() > deadline:
            raise ReadAfterTimeout(position=missing[0], seconds=WAIT_SECONDS)
        await asyncio.sleep(POLL_SECONDS)


async def _missing(readers: ReadPool, wanted: Sequence[Position]) -> list[Position]:
    async with readers.connection() as connection:
        cursor = await connection.execute(
            """
            SELECT region,
                   head.pos,
                   tracking.pos
              FROM region_head AS head
              JOIN tracking USING (region)
             WHERE region = ANY (%s)
            """,
            [[position.region for position in wanted]],
        )
        known = {region: (head, pos) async for region, head, pos in cursor}
    for position in wanted:
        if position.pos > known.get(position.region, (0, 0))[0]:
            raise CursorInvalid(field="readAfter")
    return [position for position in wanted if position.pos > known[position.region][1]]


def parse_position(text: str, *, field: str) -> Position:
    """`63:1042` as Position. Raises CursorInvalid."""
    region, _, pos = text.rpartition(":")
    # isdecimal alone would let other scripts' digits in, and int() take them.
    if not region or not (pos.isascii() and pos.isdecimal()) or len(pos) > 18:
        raise CursorInvalid(field=field)
    return Position(region, int(pos))
