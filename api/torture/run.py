"""Writers at every node, one fault after the other, and what is amiss afterwards."""

import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from api.torture import verdict
from api.torture.faults import any_fault
from api.torture.network import Network
from api.torture.writer import Writer
from regions.federation import replication

WRITERS = 2  # at each node
CALM_SECONDS = (0.3, 2.0)  # between two faults


@dataclass
class Report:
    seed: int
    acknowledged: int = 0  # commands
    refused: int = 0
    events: int = 0
    transfers: int = 0
    faults: Counter[str] = field(default_factory=Counter)  # by their kind
    amiss: list[str] = field(default_factory=list)


def torture(
    catalogue: Path, *, seconds: float, nodes: int, seed: int, tell: Callable[[str], None]
) -> Report:
    """Do it, then look for what is amiss; `tell` hears of each fault as it begins."""
    report, random = Report(seed), Random(seed)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tsur-torture-")))
        folder.chmod(0o711)
        network = Network(folder, catalogue, nodes, stack)
        with _writing(network, seed) as writers:
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                fault = any_fault(network, random)
                tell(f"{fault.kind}: {fault.where}")
                report.faults[fault.kind] += 1
                fault.happen(network, random)
                time.sleep(random.uniform(*CALM_SECONDS))
        network.start()
        report.amiss += verdict.of_network(network, writers)
        _count(network, writers, report)
    return report


@contextmanager
def _writing(network: Network, seed: int) -> Iterator[list[Writer]]:
    stop = threading.Event()
    writers = [
        Writer(network, name, f"{seed}:{name}:{number}")
        for name in network.parts
        for number in range(WRITERS)
    ]
    with ThreadPoolExecutor(len(writers)) as threads:
        runs = [threads.submit(writer.run, stop) for writer in writers]
        try:
            yield writers
        finally:
            stop.set()
        for run in runs:
            run.result()  # raises what a writer did not expect


def _count(network: Network, writers: list[Writer], report: Report) -> None:
    report.acknowledged = sum(len(writer.acknowledged) for writer in writers)
    report.refused = sum(writer.refused for writer in writers)
    with network.hub() as hub:
        report.events = replication.recorded(hub, network.catalogue.regions)
        report.transfers = hub.execute(
            "SELECT FROM events WHERE topic = 'IncidentTransferredIn'"
        ).rowcount
