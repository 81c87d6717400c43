"""How the application is served: by uvicorn, which lets clients go in order."""

import gc
import socket
from contextlib import suppress

import uvicorn
from starlette.applications import Starlette
from uvicorn.config import STARTUP_FAILURE

from api.transport.http import BODY_BYTES_MAX

STOP_SECONDS = 5
STALLED_SECONDS = 30  # a client that takes nothing for so long is cut off


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
                ws="websockets-sansio",
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
