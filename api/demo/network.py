"""The demo network: histories of all regions, made up by seed and recorded in bulk.

The same arguments give the same histories with the same ids, in any number of processes, so that
generating twice records nothing twice.
"""

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from random import Random
from threading import Event, Lock

from api.demo.flow import Calibration, Flow, Period, apportion, region_choice
from api.demo.life import Life
from api.demo.practice import Practice
from regions.bulk import History, record_histories
from regions.node import Node
from regions.reference.catalogue import Catalogue

HISTORIES_AT_ONCE = 1000
# Threads: while PostgreSQL works for one, the other makes histories. On two cores 1.1x of a single
# thread; a third adds nothing, Python being the narrow part.
WRITERS = 2

Progress = Callable[[int, int], None]  # histories done, histories in all


class Network:
    """The regions of a catalogue as one seed sees them."""

    def __init__(self, catalogue: Catalogue, *, seed: int, folder: Path | None = None) -> None:
        """`folder` is the catalogue's own, for its shares and language; see Calibration."""
        calibration = Calibration(catalogue, folder)
        self.calibration = calibration
        self.seed = seed
        self.flows = {code: Flow(catalogue, calibration, code, seed) for code in catalogue.regions}
        self.practices = {
            code: Practice(catalogue, calibration, flow, seed) for code, flow in self.flows.items()
        }
        self.regions = region_choice(catalogue, self.flows)
        largest = sorted(self.regions.share, key=lambda code: -self.regions.share[code])[:10]
        self.practices[Random(f"{seed}:careless").choice(largest)].careless = True

    def counts(self, incidents: int) -> dict[str, int]:
        """How many of the incidents each region gets."""
        parts = apportion(incidents, self.regions.share.values())
        return dict(zip(self.regions.share, parts, strict=True))

    def region_histories(
        self, region: str, *, incidents: int, days: int, until: datetime
    ) -> Iterator[History]:
        """The region's part of `incidents`, in the order the messages were published.

        Made while they are asked for, so that millions of them need no memory.
        """
        count = self.counts(incidents)[region]
        period = Period((until - timedelta(days=days)).timestamp(), until.timestamp())
        run = f"{_run(self.seed, incidents, days, until)}-{region}"
        random = Random(run)
        messages = self.flows[region].messages(count, period)
        for number, message in enumerate(messages, start=1):
            life = Life(self.practices[region], message, random, now=period.end)
            yield life.history(run, number)


def histories(
    catalogue: Catalogue,
    *,
    incidents: int,
    days: int,
    until: datetime,
    seed: int,
    folder: Path | None = None,
) -> Iterator[tuple[str, History]]:
    """Exactly `incidents` histories of the `days` before `until`, each with its region's code.

    Region by region, in each by the time of the messages; no step lies after `until`.
    """
    network = Network(catalogue, seed=seed, folder=folder)
    for region in catalogue.regions:
        for history in network.region_histories(
            region, incidents=incidents, days=days, until=until
        ):
            yield region, history


def generate(
    node: Node,
    *,
    incidents: int,
    days: int,
    until: datetime,
    seed: int,
    progress: Progress = lambda done, in_all: None,
    folder: Path | None = None,
) -> int:
    """Record the histories of the regions that are written here; returns how many are new.

    `progress` is called after every save, by one thread at a time. Raises StoreUnavailable.
    Interrupted, it can be repeated with the same arguments: what is there is found again.
    """
    network = Network(node.catalogue, seed=seed, folder=folder)
    here = node.writes()
    counts = {code: count for code, count in network.counts(incidents).items() if code in here}
    largest_first = sorted(counts, key=lambda region: -counts[region])
    tally = _Tally(progress, sum(counts.values()))

    def record(region: str) -> None:
        batches = network.region_histories(region, incidents=incidents, days=days, until=until)
        while not tally.stop.is_set() and (batch := list(islice(batches, HISTORIES_AT_ONCE))):
            report = record_histories(node.centre(region), batch, now=until)
            for _, refusal in report.refused:
                raise refusal
            tally.add(len(batch), len(report.recorded))

    with ThreadPoolExecutor(WRITERS) as pool:
        try:
            for future in as_completed([pool.submit(record, region) for region in largest_first]):
                future.result()
        finally:
            tally.stop.set()
    return tally.recorded


class _Tally:
    """What the writers have done together."""

    def __init__(self, progress: Progress, in_all: int) -> None:
        self.stop = Event()
        self.done = 0
        self.recorded = 0
        self._progress = progress
        self._in_all = in_all
        self._lock = Lock()

    def add(self, done: int, recorded: int) -> None:
        with self._lock:
            self.done += done
            self.recorded += recorded
            self._progress(self.done, self._in_all)


def _run(seed: int, incidents: int, days: int, until: datetime) -> str:
    """What sets these histories apart from those of other arguments, in ids of their messages."""
    facts = f"{seed}:{incidents}:{days}:{until.timestamp()}"
    return hashlib.sha256(facts.encode()).hexdigest()[:12]
