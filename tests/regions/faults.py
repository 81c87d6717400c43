"""A line to PostgreSQL that breaks: it loses requests and answers of chosen saves."""

import select
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from enum import Enum, auto
from pathlib import Path
from threading import Event as Signal
from threading import Thread

from psycopg.conninfo import conninfo_to_dict, make_conninfo

SAVE = b"occurred_at"  # only a request that carries events holds this word
READY = b"Z\x00\x00\x00\x05"  # how the server's answer to a request ends


class Fault(Enum):
    REQUEST_LOST = auto()  # the server never hears of it
    ANSWER_LOST = auto()  # the server has done it
    CALLER_GONE = auto()  # the server is still at it, or has not all of a long request


Fate = Callable[[], Fault | None]  # asked once for every save


@contextmanager
def broken_line(url: str, folder: Path, fate: Fate) -> Iterator[str]:
    """The URL of a proxy in front of the server, whose socket lies in `folder`."""
    real = conninfo_to_dict(url)
    name = f".s.PGSQL.{real['port']}"
    ended = Signal()
    with closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(str(folder / name))
        listener.listen(100)
        listener.settimeout(0.05)
        server = str(Path(str(real["host"])) / name)
        accepting = Thread(target=_accept, args=(listener, server, fate, ended))
        accepting.start()
        try:
            yield make_conninfo(url, host=str(folder))
        finally:
            ended.set()
            accepting.join()


def _accept(listener: socket.socket, server: str, fate: Fate, ended: Signal) -> None:
    lines: list[Thread] = []
    while not ended.is_set():
        with suppress(TimeoutError):
            client, _ = listener.accept()
            lines.append(Thread(target=_carry, args=(client, server, fate, ended)))
            lines[-1].start()
    for line in lines:
        line.join()


def _carry(client: socket.socket, server: str, fate: Fate, ended: Signal) -> None:
    """Carry bytes both ways until either side hangs up or fate cuts the line."""
    fault: Fault | None = None
    with client, closing(socket.socket(socket.AF_UNIX)) as upstream, suppress(OSError):
        client.setblocking(True)
        upstream.connect(server)
        while not ended.is_set():
            for side in select.select([client, upstream], [], [], 0.05)[0]:
                sent = side.recv(1 << 20)
                if side is client and SAVE in sent and fault is None:
                    fault = fate()
                if not sent or fault is Fault.REQUEST_LOST:
                    return
                if side is client:
                    upstream.sendall(sent)
                elif fault is None:
                    client.sendall(sent)
                if fault is Fault.CALLER_GONE or (side is upstream and fault and READY in sent):
                    return
