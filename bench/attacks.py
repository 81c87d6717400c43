"""What can an attacker buy? Requests that are refused, and the processor time each costs the API.

Each differs from the one before, so that nothing is found ready. The budget is out of the way: in
production it ends a series after some thousands.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from functools import partial
from http.client import HTTPConnection, HTTPException
from typing import NamedTuple
from urllib.parse import quote

import orjson
import psutil
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from api.processes import free_port, wait_until_ready
from api.progress import bar
from bench.cost import spent
from bench.result import Result, at_most
from bench.scratch import Scratch

REPEATED = 100
CLIENTS = 25
REJECTED_MAX = 10.0  # ms of the server's processor
IDLE_SECONDS = 4.0
PROTOCOL = Subprotocol("graphql-transport-ws")
BOARD = 'countryBoard(period: {first: "2026-03-02", last: "2026-03-02"}) { overdue }'


class Request(NamedTuple):
    body: bytes = b""
    method: str = "POST"
    path: str = "/graphql"


class Attack(NamedTuple):
    code: str  # of the refusal
    request: Callable[[int], Request]  # the n-th


def document(code: str, text: Callable[[int], str]) -> Attack:
    return Attack(code, lambda n: Request(orjson.dumps({"query": text(n)})))


def many(number: int, part: Callable[[int], str]) -> str:
    return " ".join(part(k) for k in range(number))


def nested(depth: int, opening: str, inner: str) -> str:
    return opening * depth + inner + "}" * depth * opening.count("{")


def body(text: bytes) -> Callable[[int], Request]:
    return lambda n: Request(text.replace(b"#", str(n).encode(), 1))


ATTACKS: dict[str, Attack] = {
    "aliases": document(
        "TOO_COMPLEX", lambda n: f"{{ {many(300, lambda k: f'a{n}_{k}: __typename')} }}"
    ),
    "aliases_of_boards": document(
        "TOO_COSTLY", lambda n: f"{{ {many(18, lambda k: f'a{n}_{k}: {BOARD}')} }}"
    ),
    "tokens": document("TOO_COMPLEX", lambda n: f"query Q{n} {{{' a' * 10_000} }}"),
    "directives": document(
        "TOO_COMPLEX", lambda n: f"query Q{n} {{ __typename {'@skip(if: false) ' * 130} }}"
    ),
    "unknown_directives": document(
        "TOO_COMPLEX", lambda n: f"query Q{n} {{ __typename {many(400, lambda k: f'@x{k}')} }}"
    ),
    "circular_fragments": document(
        "BAD_REQUEST",
        lambda n: (
            f"query Q{n} {{ ...F0 }} "
            + many(20, lambda k: f"fragment F{k} on Query {{ {many(15, lambda j: f'...F{j}')} }}")
        ),
    ),
    "many_fragments": document(
        "BAD_REQUEST",
        lambda n: (
            f"query Q{n} {{ {many(20, lambda k: f'...F{k}')} ...G }} "
            + many(20, lambda k: f"fragment F{k} on Query {{ regions {{ code }} }}")
        ),
    ),
    "deep": document(
        "TOO_COMPLEX",
        lambda n: (
            f"query Q{n} {{ regions {{ {nested(60, 'municipalities {region {', 'code')} }} }}"
        ),
    ),
    "deeper": document("BAD_REQUEST", lambda n: f"query Q{n} {nested(5_000, '{a', '')}"),
    "repeated_fields": document(
        "TOO_COMPLEX", lambda n: f"query Q{n} {{ {'regions { municipalities { code } } ' * 120} }}"
    ),
    "repeated_inline": document(
        "TOO_COMPLEX", lambda n: f"query Q{n} {{ regions {{ {'... { code } ' * 190} }} }}"
    ),
    "unknown_fields": document(
        "BAD_REQUEST", lambda n: f"{{ {many(900, lambda k: f'x{n}_{k}')} }}"
    ),
    "unknown_arguments": document(
        "BAD_REQUEST", lambda n: f"{{ region({many(140, lambda k: f'x{n}_{k}: 1')}) {{ code }} }}"
    ),
    "unknown_variables": document(
        "BAD_REQUEST", lambda n: f"query ({many(140, lambda k: f'$x{n}_{k}: X')}) {{ __typename }}"
    ),
    "suggestions": document(
        "BAD_REQUEST", lambda n: f"{{ {many(240, lambda k: f'region{k} {{ cod }}')} a{n} }}"
    ),
    "wide_input": document(
        "BAD_REQUEST",
        lambda n: (
            f"query Q{n} {{ incidents(filter: {{ {many(140, lambda k: f'x{k}: 1')} }}) "
            "{ edges { cursor } } }"
        ),
    ),
    "wider_input": document(
        "TOO_COMPLEX",
        lambda n: f"query Q{n} {{ incidents(filter: {{ {many(300, lambda k: f'x{k}: 1')} }}) }}",
    ),
    "long_literal": document(
        "TOO_COMPLEX", lambda n: f'{{ region(code: "{n}{"x" * 200_000}") {{ code }} }}'
    ),
    "largest_literal": document(
        "BAD_REQUEST", lambda n: f'{{ region(code: "{n}{"x" * 39_000}") {{ nonsense }} }}'
    ),
    "introspection_in_depth": document(
        "BAD_REQUEST",
        lambda n: (
            f"query Q{n} {{ __schema {{ types {{ {nested(20, 'fields {type {', 'name')} }} }} }}"
        ),
    ),
    "deep_json": Attack(
        "BODY_INVALID", body(b'{"query": "{ a# }", "variables": {"a": ' + b"[" * 200_000)
    ),
    "nested_json": Attack(
        "BODY_INVALID",
        body(b'{"query": "{ a# }", "variables": ' + b'{"a":' * 40_000 + b"1" + b"}" * 40_001),
    ),
    "wide_json": Attack(
        "BODY_INVALID",
        body(b'{"query": "{ a# }", "variables": {"a": [' + b"[]," * 80_000 + b"[]]}}"),
    ),
    "malformed_json": Attack("BODY_INVALID", body(b'{"query": "{ a# }"' + b" " * 200_000)),
    "malformed_utf_8": Attack(
        "BODY_INVALID", body(b'{"query": "{ a# }' + b"x" * 200_000 + b'\xff"}')
    ),
    "batch": Attack("BODY_INVALID", body(b'[{"query": "{ a# }"}' + b',{"query": "{ b }"}' * 9_000)),
    "whole_batch": Attack(
        "BODY_INVALID", body(b'[{"query": "{ a# }"}' + b',{"query": "{ b }"}' * 9_000 + b"]")
    ),
    "body_of_30_megabytes": Attack("BODY_TOO_LARGE", body(b" " * 30_000_000)),
    "mutation_by_get": Attack(
        "METHOD_NOT_ALLOWED",
        lambda n: Request(
            method="GET", path=f"/graphql?query={quote(f'mutation M{n} {{ __typename }}')}"
        ),
    ),
    "unknown_hash": Attack(
        "PERSISTED_QUERY_NOT_FOUND", lambda n: Request(orjson.dumps({"documentId": f"sha256:{n}"}))
    ),
}


class Call(NamedTuple):
    """What is said on a socket."""

    code: int  # that it is closed with
    messages: tuple[str | bytes, ...] = ()
    protocol: str = "graphql-transport-ws"


INIT = '{"type": "connection_init"}'
CALLS: dict[str, Call] = {
    "silence": Call(4408),
    "another_protocol": Call(4406, protocol="graphql-ws"),
    "no_json": Call(4400, ("{",)),
    "no_object": Call(4400, ("[" * 1_000,)),
    "binary": Call(4400, (b"\xff" * 1_000,)),
    "no_greeting": Call(4401, ('{"type": "subscribe", "id": "1"}',)),
    "no_type": Call(4400, (INIT, '{"type": "nonsense"}')),
    "greeted_twice": Call(4429, (INIT, INIT)),
    "too_large": Call(1009, ("x" * 1_000_000,)),
}


def post(address: str, request: Request) -> bytes:
    """The answer; empty where the server hung up before it was read."""
    headers = {"content-type": "application/json"}
    with closing(HTTPConnection(address, timeout=60)) as line:
        with suppress(OSError, HTTPException):
            line.request(request.method, request.path, request.body or None, headers)
        with suppress(OSError, HTTPException):
            return line.getresponse().read()
    return b""


def call(address: str, asked: Call) -> int | None:
    """The code that the server closes the socket with."""
    protocol = Subprotocol(asked.protocol)
    with connect(f"ws://{address}/graphql", subprotocols=[protocol], compression=None) as line:
        try:
            for message in asked.messages:
                line.send(message)
            while True:
                line.recv(timeout=60)
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else None


def run(scratch: Scratch) -> list[Result]:
    port = free_port()
    address = f"127.0.0.1:{port}"
    with scratch.running(scratch.database(), "api", port=port) as process:
        if not wait_until_ready(f"http://{address}", threading.Event()):
            raise TimeoutError("tsur api does not become ready")
        spent = Spent(process.pid)
        with bar("Attacking") as progress:
            found = {}
            for number, (name, attack) in enumerate(ATTACKS.items(), start=1):
                found[name] = spent.by(partial(attacked, address, attack))
                progress(number, len(ATTACKS) + len(CALLS))
            for number, (name, asked) in enumerate(CALLS.items(), start=len(ATTACKS) + 1):
                found[f"socket_{name}"] = spent.by(partial(called, address, asked))
                progress(number, len(ATTACKS) + len(CALLS))
    return [at_most(f"attacks.{name}", ms, "ms of CPU", REJECTED_MAX) for name, ms in found.items()]


def attacked(address: str, attack: Attack, n: int) -> None:
    answer = post(address, attack.request(n))
    assert not answer or attack.code.encode() in answer, answer[:500]


def called(address: str, asked: Call, _: int) -> None:
    assert call(address, asked) in (asked.code, None)


class Spent:
    """Processor time of the API, without what it spends while nobody asks."""

    def __init__(self, process: int) -> None:
        self.process = psutil.Process(process)
        time.sleep(IDLE_SECONDS)  # what follows a start
        began = self._seconds()
        time.sleep(IDLE_SECONDS)
        self.idle = (self._seconds() - began) / IDLE_SECONDS

    def by(self, attack: Callable[[int], None]) -> float:
        """Milliseconds of each, some at once as attackers do."""
        began, clock = self._seconds(), time.perf_counter()
        with ThreadPoolExecutor(CLIENTS) as clients:
            for _ in clients.map(attack, range(REPEATED)):
                pass
        idle = self.idle * (time.perf_counter() - clock)
        return 1000 * (self._seconds() - began - idle) / REPEATED

    def _seconds(self) -> float:
        return spent(self.process)
