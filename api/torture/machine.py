"""A PostgreSQL server with the processes of one node on it, all of which can be killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Collection, Mapping
from contextlib import ExitStack
from pathlib import Path

from api.processes import PARENT_HOLDS_STDIN
from projections import versions
from regions.node import prepare
from regions.reference.catalogue import Catalogue
from regions.store.postgres import embedded
from regions.store.server import create_database


class Machine:
    def __init__(
        self,
        home: Path,
        catalogue: Catalogue,
        regions: Collection[str],
        settings: Mapping[str, str],
    ) -> None:
        home.mkdir()
        home.chmod(0o711)
        self.home = home
        self.settings = settings
        self.stack = ExitStack()
        self._serve()
        self.url = create_database(self.server.url, "tsur_torture")
        prepare(self.url, catalogue, regions)
        versions.ensure(self.url, catalogue, lambda done, in_all: None)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}  # by the `tsur` command they run
        self.environment: dict[str, str] = {}

    def _serve(self) -> None:
        self.server = self.stack.enter_context(embedded(self.home / "postgres", self.settings))

    def run(self, commands: Collection[str], environment: Mapping[str, str]) -> None:
        own = {"TSUR_HOME": str(self.home), "TSUR_DATABASE_URL": self.url, PARENT_HOLDS_STDIN: "1"}
        self.environment = {**os.environ, **environment, **own}
        for command in commands:
            self._run(command)

    def _run(self, command: str) -> None:
        with (self.home / f"{command}.log").open("ab") as log:
            self.processes[command] = subprocess.Popen(  # noqa: S603 - nothing but tsur itself
                [sys.executable, "-m", "api.cli", command],
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
            )

    def start(self) -> None:
        """What is not running, the server first."""
        if self.server.process is None or self.server.process.poll() is not None:
            self.stack.close()
            self._serve()
        for command, process in self.processes.items():
            if process.poll() is not None:
                self.kill(command)  # its pipe is ours
                self._run(command)

    def kill_server(self) -> None:
        assert self.server.process is not None, "nobody else runs it"  # noqa: S101
        os.kill(self.server.process.pid, signal.SIGKILL)
        self.server.process.wait()

    def kill(self, command: str) -> None:
        process = self.processes[command]
        process.kill()
        process.wait()
        if process.stdin:
            process.stdin.close()

    def kill_all(self) -> None:
        self.kill_server()
        self.kill_processes()

    def kill_processes(self) -> None:
        for command in self.processes:
            self.kill(command)

    def end(self) -> None:
        self.kill_processes()
        self.stack.close()
