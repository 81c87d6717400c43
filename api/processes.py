"""Everything `tsur up` runs: PostgreSQL here, projector, API and demo as children, all or none.

A child ends with us, however we end: it reads from a pipe that only we hold open. A child that dies
alone is started again. If PostgreSQL dies, all children end and everything starts over.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPException

CHILD_STOP_SECONDS = 15


class Children:
    """Child processes by the `tsur` command they run; of some there are several."""

    def __init__(self, commands: Sequence[str], environment: Mapping[str, str]) -> None:
        self.environment = {**os.environ, **environment}
        self.running = [(command, self._start(command)) for command in commands]

    def _start(self, command: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "api.cli", *command.split()],
            stdin=subprocess.PIPE,
            env=self.environment,
            # A group of its own: Ctrl-C reaches only us, and we stop the children in order.
            start_new_session=True,
        )

    def restart_dead(self) -> list[str]:
        """Start again what has died; returns the commands that had."""
        dead = self.ended()
        for number, (command, child) in enumerate(self.running):
            if child.returncode is not None:
                self._close_pipe(child)
                self.running[number] = (command, self._start(command))
        return dead

    def ended(self) -> list[str]:
        """The commands that have ended and were not started again."""
        return [command for command, child in self.running if child.poll() is not None]

    def stop(self) -> None:
        """Ask, wait, and end what did not listen."""
        children = [child for _, child in self.running]
        for child in children:
            child.terminate()
        deadline = time.monotonic() + CHILD_STOP_SECONDS
        for child in children:
            try:
                child.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            self._close_pipe(child)

    @staticmethod
    def _close_pipe(child: subprocess.Popen[bytes]) -> None:
        if child.stdin:
            child.stdin.close()


def end_with_parent() -> None:
    """In a child: end when the parent's side of our standard input closes, as its death does.

    Who cannot end in order (PostgreSQL died with the parent) ends all the same: what is under way
    is not acknowledged and will be done again.
    """
    if os.environ.get(PARENT_HOLDS_STDIN) != "1":
        return

    def wait() -> None:
        while os.read(0, 1024):
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(CHILD_STOP_SECONDS)
        os._exit(1)

    threading.Thread(target=wait, daemon=True, name="end-with-parent").start()


PARENT_HOLDS_STDIN = "TSUR_PARENT_HOLDS_STDIN"


@contextmanager
def stop_signal() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set, instead of ending the process at once."""
    stop = threading.Event()
    previous = {
        number: signal.signal(number, lambda *_: stop.set())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def wait_until_ready(address: str, stop: threading.Event, timeout_seconds: float = 60.0) -> bool:
    """Whether /readyz answered 200 before the time was up or `stop` was set."""
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline and not stop.is_set():
        if is_ready(address):
            return True
        stop.wait(0.1)
    return False


def is_ready(address: str) -> bool:
    """Whether /readyz answers 200 now."""
    try:
        with DIRECT.open(f"{address}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, HTTPException):  # an URLError is an OSError, and so is a connection reset
        return False


def free_port() -> int:
    """Of this machine, until somebody takes it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


# Past any proxy of the environment: it is our own machine that is asked.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
