"""A process that writes exports; a killed one is replaced at once, as by `tsur up`.

python -m tests.workers.exporting URL FOLDER MOMENT
"""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import psutil

from regions.node import Node, command_pool
from regions.reference.catalogue import load_catalogue
from regions.store.jobs import Queue
from regions.store.vault import Vault
from tests.api.conftest import SECRET
from tests.conftest import CHECKOUT
from tests.workers.nursery import keep_alive
from workers import crew


@contextmanager
def exporting(url: str, folder: Path, at: datetime) -> Iterator[psutil.Process]:
    """Its only child is at work, always at the moment `at`."""
    command = [sys.executable, "-m", "tests.workers.exporting", url, str(folder), at.isoformat()]
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline()  # all is loaded
            yield psutil.Process(process.pid)
        finally:
            process.terminate()


def main(url: str, folder: Path, at: datetime) -> None:
    catalogue = load_catalogue(folder)

    def work() -> None:
        with command_pool(url) as pool:
            node = Node(url, catalogue, Vault(SECRET), pool)
            stop = threading.Event()
            crew.run(node, folder, folder, stop, lambda: at, queue=Queue.EXPORTS)

    os.write(1, b"loaded\n")
    keep_alive(work, 1)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), datetime.fromisoformat(sys.argv[3]))
