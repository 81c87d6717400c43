"""The stand-ins for the platforms, as a process of their own, and who listens to their webhooks."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from api.demo.platforms.accounts import ACCOUNTS
from api.processes import free_port
from tests.waiting import DEADLINE_SECONDS, until

CHECKOUT = Path(__file__).parent.parent

VK, TELEGRAM, OK, POS = ACCOUNTS


@dataclass
class StandIns:
    """How a test leads them."""

    address: str
    http: httpx.Client
    process: subprocess.Popen[bytes]

    def control(self, **changes: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self.http.post("/_control", json=changes).raise_for_status().json()
        return answer

    def fail_next(self, platform: str, **fault: Any) -> None:
        self.control(fail_next=[{"platform": platform, **fault}])

    def citizen(self, platform: str, action: str, text: str = "", **more: Any) -> dict[str, Any]:
        deed = {"platform": platform, "action": action, "text": text, **more}
        answer: dict[str, Any] = self.http.post("/_citizen", json=deed).raise_for_status().json()
        return answer

    def replies(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.http.get("/_replies").json()["replies"]
        return found

    def pending(self) -> int:
        return int(self.http.get("/_control").json()["webhooks"]["pending"])

    def at(self, platform: str) -> str:
        return f"{self.address}/{platform}"


@contextmanager
def stand_ins(*options: str, port: int | None = None) -> Iterator[StandIns]:
    """Until the block ends, or they are killed within it."""
    port = port or free_port()
    command = [sys.executable, "-m", "api.demo.platforms", "--port", f"{port}", *options]
    address = f"http://127.0.0.1:{port}"
    with (
        subprocess.Popen(command, cwd=CHECKOUT) as process,
        httpx.Client(base_url=address, timeout=DEADLINE_SECONDS) as http,
    ):
        try:
            until(lambda: _answers(http) or process.poll() is not None)
            yield StandIns(address, http, process)
        finally:
            process.kill()


def _answers(http: httpx.Client) -> bool:
    try:
        return http.get("/_control").is_success
    except httpx.TransportError:
        return False


@dataclass
class Delivery:
    path: str
    headers: dict[str, str]  # names in small letters
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Listener:
    """Stands where our API will stand, and answers what a test tells it to."""

    address: str
    got: list[Delivery] = field(default_factory=list)
    refuse: Callable[[Delivery], bool] = lambda delivery: False
    says: bytes = b"ok"

    def bodies(self, part: str) -> list[bytes]:
        """What came to paths with this part, confirmations left out."""
        found = [delivery.body for delivery in self.got if part in delivery.path]
        return [body for body in found if b'"confirmation"' not in body]


@contextmanager
def listening() -> Iterator[Listener]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            delivery = Delivery(self.path, headers, body)
            refused = listener.refuse(delivery)
            listener.got.append(delivery)
            answer = b"no" if refused else _expected(delivery) or listener.says
            self.send_response(500 if refused else 200)
            self.send_header("Content-Length", f"{len(answer)}")
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *about: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listener = Listener(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, name="listener")
    thread.start()
    try:
        yield listener
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _expected(delivery: Delivery) -> bytes:
    asked = b'"confirmation"' in delivery.body
    return VK.secret("confirmation").encode() if asked else b""
