"""From the door to the body in charge: how long, how many a second; is anything lost or doubled?

API and workers are processes of their own; messages are posted over HTTP as a system that signs
posts them. The storm at the end kills processes at random, shuffles and repeats deliveries, and
counts.
"""

import random
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import orjson

from api.demo.sources import access_of, accounts_of, open_sources, write_access
from api.processes import free_port, wait_until_ready
from api.progress import bar
from bench.result import Result, at_most, info
from bench.scratch import RUSSIA, Scratch, count
from bench.visibility import percentiles
from domain.rights import SYSTEM
from regions.node import make_node
from regions.reference.catalogue import rows
from regions.store.vault import Vault, read_secret
from workers.platforms import signed

REGION = "63"
PER_SECOND, SECONDS = 20, 30  # of the latency
FLOOD = 2_000  # messages of the throughput
STORM = 10_000  # deliveries, a fifth of them repeated
REPEATED_SHARE, EDITED_SHARE = 0.2, 0.1
KILL_SECONDS = 4.0
CLIENTS = 8
PATIENCE_SECONDS = 600.0


def run(scratch: Scratch) -> list[Result]:
    return [*_latency(scratch), *_flood(scratch), *_storm(scratch)]


def _latency(scratch: Scratch) -> list[Result]:
    """What is read from the log: captured when, assigned when, against when it was posted."""
    with listening(scratch) as centre:
        posts = _posts(PER_SECOND * SECONDS)
        with bar("Posting 20 messages a second") as progress:
            began = time.monotonic()
            sent_at: dict[str, datetime] = {}
            for number, post in enumerate(posts):
                time.sleep(max(0.0, began + number / PER_SECOND - time.monotonic()))
                sent_at[post["id"]] = datetime.now(UTC)
                centre.post([post])
                progress(number + 1, len(posts))
        centre.settle()
        captured = centre.recorded("MessageCaptured")
        assigned = centre.recorded("IncidentAssigned")
    spans = [
        1000 * (assigned[key] - sent_at[key]).total_seconds() for key in sent_at if key in assigned
    ]
    every = percentiles(spans)
    return [
        info("intake.assigned.p50", every[50], "ms, posted to assigned"),
        info("intake.assigned.p99", every[99], "ms, posted to assigned"),
        info("intake.assigned.share", len(spans) / len(posts), "of the messages, without a person"),
        at_most("intake.lost", len(posts) - len(captured), "messages", 0),
    ]


def _flood(scratch: Scratch) -> list[Result]:
    with listening(scratch) as centre:
        posts = _posts(FLOOD)
        began = time.monotonic()
        centre.post_all([[post] for post in posts])
        accepted = time.monotonic() - began
        centre.settle()
        settled = time.monotonic() - began
        lost = FLOOD - len(centre.recorded("MessageCaptured"))
    return [
        info("intake.accepted", FLOOD / accepted, "messages/s at the door"),
        info("intake.sustained", FLOOD / settled, "messages/s captured, read and assigned"),
        at_most("intake.flood.lost", lost, "messages", 0),
    ]


def _storm(scratch: Scratch) -> list[Result]:
    """Every message once, whatever is killed; edits may come before what they change."""
    chance = random.Random(1)
    with listening(scratch) as centre:
        posts = _posts(int(STORM / (1 + REPEATED_SHARE + EDITED_SHARE)))
        edits = [
            {"event": "edited", "id": post["id"], "text": post["text"] + " Срочно!"}
            for post in chance.sample(posts, int(len(posts) * EDITED_SHARE))
        ]
        deliveries = [[each] for each in (*posts, *edits)]
        deliveries += [[dict(post)] for post in chance.sample(posts, STORM - len(deliveries))]
        chance.shuffle(deliveries)
        with centre.killing(chance) as killed:
            centre.post_all(deliveries)
        centre.settle()
        captured = count(centre.url, "SELECT count(*) FROM events WHERE topic = 'MessageCaptured'")
        edited = count(centre.url, "SELECT count(*) FROM events WHERE topic = 'MessageEdited'")
        keys = count(centre.url, "SELECT count(*) FROM message_key WHERE NOT ours")
        waiting = count(centre.url, "SELECT count(*) FROM inbox WHERE state = 'WAITING'")
        quarantined = count(centre.url, "SELECT count(*) FROM inbox WHERE state = 'QUARANTINED'")
    return [
        info("intake.storm.deliveries", len(deliveries), "deliveries"),
        info("intake.storm.killed", killed[0], "processes killed"),
        at_most("intake.storm.lost", len(posts) - keys, "messages", 0),
        at_most("intake.storm.doubled", captured - keys, "messages", 0),
        at_most("intake.storm.waiting", waiting, "deliveries left in the inbox", 0),
        info("intake.storm.quarantined", quarantined, "deliveries, each with a reason"),
        info("intake.storm.edited", edited, f"of {len(edits)} edits"),
    ]


@dataclass
class ListeningCentre:
    """A region that listens to a system that signs."""

    scratch: Scratch
    url: str
    port: int
    source: str
    key: bytes
    processes: dict[tuple[str, ...], subprocess.Popen[bytes]]
    http: httpx.Client
    stack: ExitStack  # what ends all of them

    def post(self, messages: Sequence[dict[str, str]]) -> None:
        """As a platform does: again and again until it is answered 2xx."""
        body = orjson.dumps(messages[0] if len(messages) == 1 else {"messages": messages})
        while True:
            timestamp = str(int(time.time()))
            headers = {
                "X-Tsur-Source": self.source,
                signed.TIMESTAMP_HEADER: timestamp,
                signed.SIGNATURE_HEADER: signed.sign(body, timestamp=timestamp, key=self.key),
            }
            try:
                answer = self.http.post("/intake/v1/messages", content=body, headers=headers)
            except httpx.TransportError:
                time.sleep(0.1)
                continue
            if answer.status_code not in (429, 503):
                answer.raise_for_status()
                return
            time.sleep(0.2)

    def post_all(self, deliveries: Sequence[Sequence[dict[str, str]]]) -> None:
        with ThreadPoolExecutor(CLIENTS) as clients, bar("Posting") as progress:
            for done, _ in enumerate(clients.map(self.post, deliveries), start=1):
                progress(done, len(deliveries))

    def settle(self) -> None:
        """Wait until nothing is in the queue or waits in the inbox."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            queued = count(
                self.url, "SELECT count(*) FROM dramatiq.queue WHERE state <> 'rejected'"
            )
            if queued == 0:
                return
            self._restart_dead()
            time.sleep(0.1)
        raise TimeoutError("the workers did not come to an end")

    def recorded(self, topic: str) -> dict[str, datetime]:
        """When an event of this topic was recorded, by the message's own id."""
        with self.scratch.node(self.url) as node, node.pool.connection() as connection:
            found = connection.execute(
                """
                SELECT split_part(external_id, ':', 2),
                       min(recorded_at)
                  FROM message_key
                  JOIN events ON events.region = message_key.region
                             AND events.originator_id = message_key.incident_id
                 WHERE topic = %s
                 GROUP BY 1
                """,
                [topic],
            ).fetchall()
        return dict(found)

    @contextmanager
    def killing(self, chance: random.Random) -> Iterator[list[int]]:
        """SIGKILL for one of the processes every few seconds, until the end of the block."""
        killed, done = [0], threading.Event()

        def kill() -> None:
            while not done.wait(KILL_SECONDS * chance.random() * 2):
                command = chance.choice(list(self.processes))
                self.processes[command].send_signal(signal.SIGKILL)
                self.processes[command].wait()
                killed[0] += 1
                self._restart_dead()

        killer = threading.Thread(target=kill)
        killer.start()
        try:
            yield killed
        finally:
            done.set()
            killer.join()
            self._restart_dead()

    def _restart_dead(self) -> None:
        for command, process in list(self.processes.items()):
            if process.poll() is not None:
                running = self.scratch.running(self.url, *command, port=self.port)
                self.processes[command] = self.stack.enter_context(running)


@contextmanager
def listening(scratch: Scratch) -> Iterator[ListeningCentre]:
    url, port = scratch.database(), free_port()
    accounts = [each for each in accounts_of(REGION) if each.platform == "pos"]
    write_access(scratch.home, access_of(accounts, "http://127.0.0.1:9"))
    vault = Vault(read_secret(scratch.home / "vault.key"))
    with scratch.node(url) as plain:
        node = make_node(RUSSIA, url, scratch.catalogue, vault, plain.pool)
        open_sources(node, REGION, accounts, at=datetime.now(UTC), by=SYSTEM)
    commands: list[tuple[str, ...]] = [("api",), ("projector",), ("worker",)]
    with ExitStack() as stack:
        processes = {
            command: stack.enter_context(scratch.running(url, *command, port=port))
            for command in commands
        }
        address = f"http://127.0.0.1:{port}"
        assert wait_until_ready(address, threading.Event())
        http = stack.enter_context(httpx.Client(base_url=address, timeout=30, trust_env=False))
        key = accounts[0].token.encode()
        centre = ListeningCentre(
            scratch, url, port, accounts[0].source, key, processes, http, stack
        )
        _until_open(centre)
        yield centre


def _until_open(centre: ListeningCentre) -> None:
    """The doors know a source once the projection does; the workers have learnt by then."""
    while count(centre.url, "SELECT count(*) FROM read.source") == 0:
        time.sleep(0.05)
    centre.post([{"id": str(uuid4()), "event": "deleted"}])
    while (
        count(centre.url, "SELECT count(*) FROM job") == 0
        and count(centre.url, "SELECT count(*) FROM inbox WHERE tries > 0") == 0
    ):
        time.sleep(0.05)
    with centre.scratch.node(centre.url) as node, node.pool.connection() as connection:
        connection.execute("DELETE FROM inbox")
        connection.execute("DELETE FROM dramatiq.queue")


def _posts(number: int) -> list[dict[str, str]]:
    """Messages as people write them, each with an id of its own."""
    phrases = [row["text"] for row in rows(RUSSIA / "phrases.csv")]
    written = datetime.now(UTC) - timedelta(minutes=5)
    return [
        {
            "id": str(uuid4()),
            "text": f"{phrases[place % len(phrases)]} Самара, ул. Мирная, {place}",
            "publishedAt": written.isoformat(),
            "regime": "IM",
        }
        for place in range(number)
    ]
