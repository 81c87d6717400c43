"""How late events are at a hub, counted from the return of their commit at the node."""

import threading
import time
from collections.abc import Callable, Mapping

from bench.visibility import percentiles

LOOK_SECONDS = 0.001

Place = tuple[str, int]  # region and position


def lateness(
    write: Callable[[int], Place],
    last: Callable[[], Mapping[str, int]],
    *,
    rate: int,
    seconds: int,
) -> dict[int, float]:
    """Percentiles in ms. `write` commits the n-th event, `last` looks up to where the hub has each
    region, on a connection of its own."""
    known = last()
    seen: dict[Place, float] = {}
    ended = threading.Event()

    def look() -> None:
        nonlocal known
        while not ended.is_set():
            found, now = last(), time.monotonic()
            for region, pos in found.items():
                new = range(known.get(region, 0) + 1, pos + 1)
                seen.update(dict.fromkeys([(region, n) for n in new], now))
            known = found
            time.sleep(LOOK_SECONDS)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        began = time.monotonic()
        committed: dict[Place, float] = {}
        for number in range(rate * seconds):
            time.sleep(max(0.0, began + number / rate - time.monotonic()))
            committed[write(number)] = time.monotonic()
        wait_until(lambda: committed.keys() <= seen.keys())
    finally:
        ended.set()
        looking.join()
    # One that was seen before its commit returned is not late.
    return percentiles([1000 * max(0.0, seen[place] - at) for place, at in committed.items()])


def wait_until(true: Callable[[], bool]) -> None:
    while not true():
        time.sleep(LOOK_SECONDS)
