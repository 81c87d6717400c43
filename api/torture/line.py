"""The line between the hub and a node: what a cable does, and what becomes of one."""

import socket
import threading
from contextlib import suppress
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from regions.store.postgres import PORT

SLOW_BYTES_PER_SECOND = 56_000 // 8  # a modem
SLOW_LATENCY_SECONDS = 0.3
PIECE_BYTES, SLOW_PIECE_BYTES = 65_536, 2_048


class Line:
    """Listens in `folder`, and carries what comes to the server of the conninfo `to` and back."""

    def __init__(self, folder: Path, to: str) -> None:
        folder.mkdir()
        folder.chmod(0o711)
        self.conninfo = make_conninfo(to, host=str(folder))
        self.far = f"{conninfo_to_dict(to)['host']}/.s.PGSQL.{PORT}"
        self.near = socket.socket(socket.AF_UNIX)
        path = folder / f".s.PGSQL.{PORT}"
        self.near.bind(str(path))
        path.chmod(0o777)  # the server's user comes this way
        self.near.listen()
        self.whole = True
        self.quick, self.questions, self.answers = (threading.Event() for _ in range(3))
        self.ends: set[socket.socket] = set()
        self.threads = [threading.Thread(target=self._accept)]
        self.mend()
        self.threads[0].start()

    def _accept(self) -> None:
        with suppress(OSError):  # ended
            while True:
                near, _ = self.near.accept()
                thread = threading.Thread(target=self._connect, args=[near])
                self.threads.append(thread)
                thread.start()

    def _connect(self, near: socket.socket) -> None:
        with near, socket.socket(socket.AF_UNIX) as far, suppress(OSError):
            if not self.whole:
                return
            far.connect(self.far)
            self.ends |= {near, far}
            back = threading.Thread(target=self._carry, args=(far, near, self.answers))
            back.start()
            self._carry(near, far, self.questions)
            back.join()
            self.ends -= {near, far}

    def _carry(self, one: socket.socket, other: socket.socket, passes: threading.Event) -> None:
        with suppress(OSError):
            while sent := one.recv(PIECE_BYTES if self.quick.is_set() else SLOW_PIECE_BYTES):
                if not self.quick.is_set():
                    self.quick.wait(SLOW_LATENCY_SECONDS + len(sent) / SLOW_BYTES_PER_SECOND)
                passes.wait()
                other.sendall(sent)
        _shut(one)
        _shut(other)

    def cut(self) -> None:
        self.whole = False
        for end in [*self.ends]:
            _shut(end)

    def slow_down(self) -> None:
        self.quick.clear()

    def swallow_answers(self) -> None:
        """The node hears the hub, the hub hears nothing, and both think that they are connected."""
        self.answers.clear()

    def swallow_questions(self) -> None:
        """The other way round: the node goes on telling, and nothing is ever confirmed."""
        self.questions.clear()

    def mend(self) -> None:
        self.whole = True
        for each in (self.quick, self.questions, self.answers):
            each.set()

    def end(self) -> None:
        _shut(self.near)
        self.near.close()
        self.mend()
        self.cut()
        for thread in self.threads:
            thread.join()


def _shut(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
