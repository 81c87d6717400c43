"""Reading one's own write: waiting until the read models have a position."""

import asyncio
import time
from collections.abc import Sequence

from domain.errors import CursorInvalid, ReadAfterTimeout
from projections.pool import ReadPool
from regions.centre import Position

WAIT_SECONDS = 5.0
POLL_SECONDS_MIN, POLL_SECONDS_MAX = 0.005, 0.1


async def wait_for(readers: ReadPool, wanted: Sequence[Position]) -> None:
    """Return when every position is taken in; at a hub, when it has come from its node as well.

    Raises CursorInvalid for a position never given out, ReadAfterTimeout after WAIT_SECONDS.
    """
    deadline, pause = time.monotonic() + WAIT_SECONDS, POLL_SECONDS_MIN
    while missing := await _missing(readers, wanted):
        if time.monotonic() > deadline:
            raise ReadAfterTimeout(position=missing[0], seconds=WAIT_SECONDS)
        await asyncio.sleep(pause)
        # Who makes a position up, and that is not to be told at a hub, asks for little.
        pause = min(1.5 * pause, POLL_SECONDS_MAX)


async def _missing(readers: ReadPool, wanted: Sequence[Position]) -> list[Position]:
    async with readers.connection() as connection:
        cursor = await connection.execute(
            """
            SELECT region,
                   tracking.pos,
                   CASE WHEN followed.region IS NULL THEN head.pos END
              FROM tracking
              LEFT JOIN region_head AS head USING (region)
              LEFT JOIN followed USING (region)
             WHERE region = ANY (%s)
               AND num_nonnulls(head.region, followed.region) > 0
            """,
            [[position.region for position in wanted]],
        )
        known = {region: (taken_in, last) async for region, taken_in, last in cursor}
    for position in wanted:
        _, last = known.get(position.region, (0, 0))
        # What was given out elsewhere only its node knows.
        if last is not None and position.pos > last:
            raise CursorInvalid(field="readAfter")
    return [position for position in wanted if position.pos > known[position.region][0]]


def parse_position(text: str, *, field: str) -> Position:
    """`63:1042` as Position. Raises CursorInvalid."""
    region, _, pos = text.rpartition(":")
    # isdecimal alone would let other scripts' digits in, and int() take them.
    if not region or not (pos.isascii() and pos.isdecimal()) or len(pos) > 18:
        raise CursorInvalid(field=field)
    return Position(region, int(pos))
