"""What does GraphQL cost here, against other servers and against none, on the same rows?

Each server is a process of its own and answers the same two questions to one client, in turns, over
a connection that stays open. What counts is the processor time of the server's process and of
PostgreSQL. Only `tsur api` reads a token, weighs the operation, and asks behind the wall.
"""

import http.client
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from pathlib import Path
from statistics import median

import orjson
from psycopg.conninfo import conninfo_to_dict

from api.processes import free_port
from api.progress import bar
from api.viewer import Viewer, issue_token, read_token_key
from bench.cost import Cost, Meter
from bench.peers import questions
from bench.rebuild import ready
from bench.result import Result, at_least, info
from bench.scratch import RUSSIA, Scratch
from bench.year import SEED_INCIDENTS
from domain.rights import Scope
from domain.vocabulary import Role

ROUNDS, ASKED = 12, 50
WARM = 30  # questions before anything counts: what compiles has compiled
START_SECONDS, SETTLE_SECONDS, IDLE_SECONDS = 60.0, 2.0, 3.0
SERVED = [sys.executable, "-m", "bench.peers.servers"]
ARIADNE = "ariadne==1.1.1"
MERCURIUS = Path(__file__).parent / "peers" / "mercurius"
GOALS = {
    ("page", "strawberry"): 8.0,
    ("ranking", "strawberry"): 10.0,
    ("page", "endpoint"): 0.7,
    ("ranking", "endpoint"): 0.7,
    ("ranking_anew", "endpoint"): 0.7,
}
LEFT_OUT = {
    ("ranking", "mercurius"),
    ("ranking_anew", "mercurius"),
}  # the statistics are ours, in Python


@dataclass(slots=True)
class Measured:
    """Of one question at one server; seconds a question."""

    clock: list[float] = field(default_factory=list)
    own: list[float] = field(default_factory=list)
    postgres: list[float] = field(default_factory=list)

    def add(self, cost: Cost, idle: Cost) -> None:
        self.clock.append(cost.clock / ASKED)
        self.own.append((cost.client - idle.client * cost.clock) / ASKED)
        self.postgres.append((cost.server - idle.server * cost.clock) / ASKED)

    @property
    def processor(self) -> float:
        # Not the mean: processes of PostgreSQL end and begin, which is told by a clock of 10 ms.
        return median(self.own) + median(self.postgres)


class Peer:
    """A server that runs, and a connection to it."""

    def __init__(self, port: int, meter: Meter, headers: Mapping[str, str]) -> None:
        self.port = port
        self.meter = meter
        self.headers = {"content-type": "application/json", **headers}
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def connected(self) -> "Peer":
        """Itself, anew: who was silent for seconds is let go. Raises TimeoutError."""
        self.connection.close()
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self.connection.connect()
            except OSError:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"nobody answers at {self.port}") from None
                time.sleep(0.1)
            else:
                return self

    def ask(self, body: bytes) -> bytes:
        self.connection.request("POST", "/graphql", body, self.headers)
        answer = self.connection.getresponse().read()
        assert b'"errors"' not in answer, answer[:500]
        return answer

    def ask_each(self, bodies: Iterable[bytes], times: int) -> None:
        for body in islice(cycle(bodies), times):
            self.ask(body)

    def idle(self) -> Cost:
        """A second of it."""
        with self.meter.measure() as cost:
            time.sleep(IDLE_SECONDS)
        return Cost(1.0, cost.client / cost.clock, cost.server / cost.clock)


def run(scratch: Scratch) -> list[Result]:
    filled = ready(scratch, SEED_INCIDENTS)
    bodies = _bodies()
    with ExitStack() as stack:
        peers = _started(scratch, filled.url, stack)
        for question, (body, *_) in bodies.items():
            answers = {
                name: orjson.loads(peer.connected().ask(body))
                for name, peer in peers.items()
                if (question, name) not in LEFT_OUT
            }
            for name, answer in answers.items():
                assert answer["data"] == answers["tsur"]["data"], (
                    f"{name} answers another {question}"
                )
        time.sleep(SETTLE_SECONDS)
        found = _asked(peers, bodies, stack)
    return list(_results(found))


def _bodies() -> dict[str, list[bytes]]:
    """What is asked in turn. A ranking is asked by many at once; anew, each asks another."""
    rankings = [
        orjson.dumps({"query": questions.RANKING, "variables": {"period": period}})
        for period in questions.periods(datetime.now(UTC).date())
    ]
    page = orjson.dumps({"query": questions.PAGE})
    return {"page": [page], "ranking": rankings[:1], "ranking_anew": rankings}


def _asked(
    peers: Mapping[str, Peer], bodies: Mapping[str, list[bytes]], stack: ExitStack
) -> dict[tuple[str, str], Measured]:
    """By question and server."""
    found = {
        (question, name): Measured()
        for question in bodies
        for name in peers
        if (question, name) not in LEFT_OUT
    }
    for question, name in found:
        peer = peers[name].connected()
        peer.ask_each(bodies[question], WARM)
    idle = {name: peer.idle() for name, peer in peers.items()}
    progress = stack.enter_context(bar("Asking each in turn"))
    for turn in range(ROUNDS):
        for (question, name), measured in found.items():
            peer = peers[name].connected()
            with peer.meter.measure() as cost:
                peer.ask_each(bodies[question], ASKED)
            measured.add(cost, idle[name])
        progress(turn + 1, ROUNDS)
    return found


def _results(found: Mapping[tuple[str, str], Measured]) -> Iterator[Result]:
    for (question, name), measured in found.items():
        if name != "tsur":
            ratio = measured.processor / found[question, "tsur"].processor
            told = f"graphql.{question}.to_{name}", ratio, "x processor of ours"
            goal = GOALS.get((question, name))
            yield info(*told) if goal is None else at_least(*told, goal)
    for (question, name), measured in found.items():
        full = f"graphql.{question}.{name}"
        yield info(f"{full}.server", 1000 * median(measured.own), "ms processor")
        yield info(f"{full}.postgres", 1000 * median(measured.postgres), "ms processor")
        yield info(f"{full}.rate", 1 / median(measured.clock), "answers/s, one client")


def _started(scratch: Scratch, url: str, stack: ExitStack) -> dict[str, Peer]:
    viewer = Viewer("bench", Role.FEDERAL_OVERSEER, Scope())
    token = issue_token(
        read_token_key(scratch.home), viewer, now=datetime.now(UTC), valid=timedelta(hours=12)
    )
    port = free_port()
    process = stack.enter_context(scratch.running(url, "api", port=port))
    ours = Peer(port, scratch.meter(process.pid), {"authorization": f"Bearer {token}"})
    paths = {"ariadne": _ariadne(stack)}
    commands = {name: [*SERVED, name] for name in ("strawberry", "endpoint", "ariadne")}
    if shutil.which("npm"):
        commands["mercurius"] = ["node", str(_mercurius())]
    found = {"tsur": ours}
    for name, command in commands.items():
        port = free_port()
        peer = stack.enter_context(served(scratch, url, [*command, str(port)], paths.get(name, "")))
        found[name] = Peer(port, scratch.meter(peer.pid), {})
    return found


def _ariadne(stack: ExitStack) -> str:
    """A folder with it and the graphql-core it asks for, which is not ours."""
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", folder, ARIADNE]
    subprocess.run(pip, check=True)
    return folder


def _mercurius() -> Path:
    if not (MERCURIUS / "node_modules").exists():
        npm = ["npm", "ci", "--no-progress", "--loglevel=error"]
        subprocess.run(npm, cwd=MERCURIUS, check=True)
    return MERCURIUS / "server.js"


@contextmanager
def served(
    scratch: Scratch, url: str, command: list[str], path: str = ""
) -> Iterator[subprocess.Popen[bytes]]:
    """A peer, on a database of ours, until the end of the block."""
    place = conninfo_to_dict(url)
    environment = {
        **os.environ,
        **{
            f"PG{key.upper()}": str(place[key])
            for key in ("host", "port", "user", "password")
            if key in place
        },
        "PGDATABASE": str(place["dbname"]),
        "TSUR_DATABASE_URL": url,
        "TSUR_HOME": str(scratch.home),
        "TSUR_CATALOGUE": str(RUSSIA),
        "PYTHONPATH": path,
    }
    process = subprocess.Popen(command, env=environment, start_new_session=True)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)
