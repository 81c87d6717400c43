"""Not calling a platform more often than it allows."""

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field

from workers.platforms.clients import Postponed

KEYS_MAX = 10_000  # chats whose calls are remembered, before those at rest are forgotten
SLEEP_SECONDS_MIN = 0.001  # a shorter pause may be lost in the rounding of a clock


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `count` calls in any `seconds`."""

    count: int
    seconds: float


@dataclass(slots=True)
class Pace:
    """The limits of one source, for all threads of one process.

    It counts the calls of this process only: where several share a source, divide the limits.
    """

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    wait_seconds_max: float = 5.0  # a worker sleeps so long; for more the call is postponed
    _calls: dict[Hashable, deque[float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, limits: Iterable[tuple[Hashable, Limit]]) -> None:
        """Wait until one more call keeps all the limits, each counted under its key.

        Raises Postponed.
        """
        wanted = list(limits)
        while (pause := self._reserve(wanted)) > 0:
            if pause > self.wait_seconds_max:
                raise Postponed(pause, "our own limit of calls")
            self.sleep(max(pause, SLEEP_SECONDS_MIN))

    def _reserve(self, limits: list[tuple[Hashable, Limit]]) -> float:
        """Count the call and return 0, or how long to wait for it to be possible."""
        with self._lock:
            now = self.clock()
            pause = max(self._pause(key, limit, now) for key, limit in limits)
            if pause <= 0:
                for key, limit in limits:
                    self._calls.setdefault(key, deque(maxlen=limit.count)).append(now)
                self._forget(now)
            return pause

    def _pause(self, key: Hashable, limit: Limit, now: float) -> float:
        calls = self._calls.get(key)
        if calls is None or len(calls) < limit.count:
            return 0.0
        return calls[0] + limit.seconds - now

    def _forget(self, now: float) -> None:
        if len(self._calls) > KEYS_MAX:
            longest = 60.0  # seconds; no platform counts over a longer time
            resting = [key for key, calls in self._calls.items() if calls[-1] < now - longest]
            for key in resting:
                del self._calls[key]
