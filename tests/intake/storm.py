"""Workers of a node that are killed at random: `python -m tests.intake.storm URL HOME COUNT SEED`.

Each kill is a line on stdout. What the workers read with is loaded once: a new one costs nothing.
"""

import random
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

from regions.node import Node, command_pool
from regions.reference.catalogue import load_catalogue
from regions.store.vault import Vault
from tests.api.conftest import SECRET
from tests.conftest import RUSSIA
from tests.intake.network import REGION
from tests.workers.nursery import hurry, keep_alive
from workers import crew


def main(url: str, home: Path, count: int, seed: int) -> None:
    catalogue, chance = load_catalogue(RUSSIA), random.Random(seed)
    reader = crew.load_reader(RUSSIA, catalogue)
    reader.read("Яма у дома 1 на улице Мирной в Самаре", REGION, on=datetime.now(UTC).date())
    crew.load_reader = lambda folder, catalogue: reader

    def work() -> None:
        with command_pool(url) as pool:
            node = Node(url, catalogue, Vault(SECRET), pool)
            crew.run(node, RUSSIA, home, threading.Event(), lambda: datetime.now(UTC))

    keep_alive(work, count, kill_every=lambda: chance.uniform(1.0, 2.0))


if __name__ == "__main__":
    hurry()
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
