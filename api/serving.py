"""How the application is served: by uvicorn, which lets clients go in order."""

import gc
import socket
import struct
from contextlib import suppress
from typing import Any, cast

import uvicorn
from starlette.applications import Starlette
from uvicorn.config import STARTUP_FAILURE
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from api.transport.http import BODY_BYTES_MAX
from api.transport.sockets import OFFER

STOP_SECONDS = 5
TEXT = 0x81  # the first byte of a frame: the last of its message, and of text
STALLED_SECONDS = 30  # a client that takes nothing for so long is cut off


class PromptSockets(WebSocketsSansIOProtocol):
    """Takes a text of the application at once, if its client keeps up: most of what thousands are
    told needs no task of its own for each."""

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if not self.close_sent:
            cast("dict[str, Any]", self.scope["extensions"])[OFFER] = self.offer

    def offer(self, text: bytes) -> bool:
        """Whether it was taken."""
        closed = self.close_sent or self.disconnected or self.transport.is_closing()
        if closed or not self.writable.is_set():
            return False
        self.transport.write(framed(text))
        return True


def framed(text: bytes) -> bytes:
    """As a whole message of a server (RFC 6455, 5.2): a library's takes four times as long."""
    length = len(text)
    if length < 126:
        return struct.pack(">BB", TEXT, length) + text
    if length < 1 << 16:
        return struct.pack(">BBH", TEXT, 126, length) + text
    return struct.pack(">BBQ", TEXT, 127, length) + text


class GracefulServer(uvicorn.Server):
    """Streams are told where to go on before their connections are closed."""

    def __init__(self, app: Starlette, host: str, port: int) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                host=host,
                port=port,
                log_config=None,  # in the form of all others
                log_level="warning",
                access_log=False,  # of what was asked the path tells nothing
                ws=PromptSockets,
                ws_max_size=BODY_BYTES_MAX,
                # Compression costs 38 KiB a socket and twice the CPU; answers are small.
                ws_per_message_deflate=False,
                timeout_graceful_shutdown=STOP_SECONDS,
            )
        )
        self.say_goodbye = app.state.say_goodbye

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self.say_goodbye()
        await super().shutdown(sockets)


def serve(app: Starlette, host: str, port: int) -> None:
    """Until SIGINT or SIGTERM. Raises SystemExit if the application does not start."""
    # What lives as long as the process need not be looked through again and again, and what a
    # request makes dies with it: as Python is set, 80,000 lists in a body cost 100 ms, so 5.
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    server = GracefulServer(app, host, port)
    with server.config.bind_socket() as listener, suppress(KeyboardInterrupt):
        cut_stalled(listener)
        server.run([listener])
    if not server.started:
        raise SystemExit(STARTUP_FAILURE)


def cut_stalled(listener: socket.socket, seconds: float = STALLED_SECONDS) -> None:
    """Of its connections, those whose client acknowledges and takes nothing for so long.

    uvicorn waits for such a client for ever, with all that it was to be told. Linux only.
    """
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(1000 * seconds))
