"""What a piece of work costs: time on the clock, and processor time of us and of PostgreSQL.

The processor time is the steadier figure on a machine that others use too.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import psutil


@dataclass(slots=True)
class Cost:
    """In seconds."""

    clock: float = 0.0
    client: float = 0.0  # processor time of the process that asks
    server: float = 0.0  # processor time of all processes of PostgreSQL

    @property
    def processor(self) -> float:
        return self.client + self.server

    def each(self, number: int) -> "Cost":
        """Microseconds of one out of `number` equal pieces."""
        part = 1e6 / number
        return Cost(self.clock * part, self.client * part, self.server * part)


class Meter:
    """Measures what `client` and the server of `postmaster` spend; both are process ids."""

    def __init__(self, postmaster: int, client: int | None = None) -> None:
        self._postmaster = psutil.Process(postmaster)
        self._client = psutil.Process(client) if client else None

    @contextmanager
    def measure(self) -> Iterator[Cost]:
        """The cost is filled in at the end."""
        cost = Cost()
        server, client, clock = self._server(), self._asking(), time.perf_counter()
        yield cost
        cost.clock = time.perf_counter() - clock
        cost.client = self._asking() - client
        cost.server = self._server() - server

    def _asking(self) -> float:
        return time.process_time() if self._client is None else spent(self._client)

    def _server(self) -> float:
        """Of the living, and of those that ended: the kernel adds them to their parent's."""
        own = self._postmaster.cpu_times()
        found = spent(self._postmaster) + float(own.children_user + own.children_system)
        for process in self._postmaster.children(recursive=True):
            with suppress(psutil.NoSuchProcess, OSError):
                found += spent(process)
        return found


def spent(process: psutil.Process) -> float:
    """Seconds of its threads, those that ended too: to the nanosecond, elsewhere to 10 ms."""
    if psutil.LINUX:
        # The clock that clock_getcpuclockid(3) names: Python has it of threads only.
        return time.clock_gettime(~process.pid << 3 | 2)
    times = process.cpu_times()
    return float(times.user + times.system)
