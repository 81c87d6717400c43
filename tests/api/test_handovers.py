"""An incident for a region of another node: posted there, recorded at both ends exactly once."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import httpx
import msgspec
import psycopg
import pytest

from api import handovers
from api.processes import free_port
from domain.commands import TEXT_MAX, AddMessage, Capture, Citizen, ErasePersonalData, TransferOut
from domain.errors import RegionElsewhere
from domain.events import MessageCaptured
from domain.rights import Actor, Scope
from domain.vocabulary import Role
from regions import audit
from regions.centre import Result
from regions.federation.topology import FEDERATION_KEY, Membership, load_topology
from regions.federation.transfers import Handover, hand_over
from regions.node import Node, command_pool
from regions.reference.catalogue import Catalogue
from regions.store.event_store import decode_event
from regions.store.jobs import job
from regions.store.postgres import Server
from regions.store.vault import Vault
from tests.api.conftest import SECRET, Api, serving
from tests.conftest import NEW_YORK
from tests.federated import database, write_topology
from tests.scenarios import NOON, ask, registered
from tests.waiting import until
from workers import broker
from workers.broker import quarantined_jobs
from workers.crew import crew
from workers.handovers import DIGEST_HEADER, PATH
from workers.platforms.signed import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign

MONITOR = Actor("Смирнова", Role.MONITOR, Scope("BRONX"))
LATER = NOON + timedelta(hours=24)  # the moment of the APIs
WORDS = "Нет воды"
MANY = 420  # of the longest messages: 16 MiB
CAPTURE = """
mutation ($input: CaptureMessageInput!) {
  captureMessage(input: $input) { incidentId userErrors { code } }
}
"""


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses of the workers that a test can wait for."""
    monkeypatch.setattr(broker, "BACKOFF_MILLISECONDS", (20, 100))


@dataclass
class Two:
    """Two nodes: `bronx` hands over with its worker, `queens` takes over with its API."""

    bronx: Node
    queens: Node
    home: Path
    topology: Path
    ports: dict[str, int]

    @contextmanager
    def api(self, name: str = "second") -> Iterator[Api]:
        url = {"first": self.bronx, "second": self.queens}[name].url
        with serving(url, LATER, port=self.ports[name], topology=self.topology, node=name) as api:
            yield api

    @contextmanager
    def at_work(self) -> Iterator[None]:
        with crew(self.bronx, NEW_YORK, self.home, lambda: LATER, threads=1):
            yield

    def transfer(self, *, to: str = "QUEENS") -> Result:
        centre = self.bronx.centre("BRONX")
        incident = registered(centre, external_id="wall-1_2").incident_id
        again = AddMessage(channel="PHONE", published_at=NOON, citizen=Citizen(text="И газа"))
        ask(centre, incident, again, 5)
        return ask(centre, incident, TransferOut(to_region=to), 10, by=MONITOR)

    def repeat(self, left: Result) -> None:
        """As if nobody had heard how it ended."""
        work = job(
            "receive_transfer", "BRONX", f"{left.incident_id}", left.version, available_at=NOON
        )
        execute(
            self.bronx,
            "INSERT INTO dramatiq.queue (message_id, queue_name, state, message, available_at)"
            " VALUES (%s, %s, 'queued', %s::jsonb, %s)",
            *(work.message_id, work.queue, work.body.decode(), work.available_at),
        )

    def wait(self) -> None:
        """Until the worker has nothing more to do."""
        until(lambda: not execute(self.bronx, "SELECT 1 FROM dramatiq.queue"))

    def amiss(self) -> list[str]:
        with psycopg.connect(self.bronx.url) as one, psycopg.connect(self.queens.url) as other:
            unpaired = map(str, audit.of_transfers(one, other))
            return [*unpaired, *audit.of_log(one), *audit.of_log(other)]


def execute(node: Node, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(node.url, autocommit=True) as connection:
        cursor = connection.execute(statement, parameters)  # type: ignore[arg-type]
        return cursor.fetchall() if cursor.description else []


def topics(node: Node) -> list[str]:
    return [topic for (topic,) in execute(node, "SELECT topic FROM events ORDER BY region, pos")]


@pytest.fixture
def two(server: Server, catalogue: Catalogue, tmp_path: Path) -> Iterator[Two]:
    ports = {"first": free_port(), "second": free_port()}
    regions = {"first": ("BRONX",), "second": ("QUEENS",)}
    topology = write_topology(
        tmp_path / "topology.toml",
        {"hub": (free_port(), ()), **{name: (ports[name], regions[name]) for name in ports}},
    )
    (tmp_path / FEDERATION_KEY).write_bytes(SECRET)
    urls = [database(server, catalogue, regions[name]) for name in ports]
    with command_pool(urls[0]) as first, command_pool(urls[1]) as second:
        bronx, queens = (
            Node(
                pool.conninfo,
                catalogue,
                Vault(vault),
                pool,
                membership=Membership(load_topology(topology, catalogue), name),
            )
            # Each has a vault of its own; that of the API of the second is SECRET.
            for name, pool, vault in (("first", first, b"1" * 32), ("second", second, SECRET))
        )
        yield Two(bronx, queens, tmp_path, topology, ports)


def test_it_arrives_once_with_all_that_was_written(two: Two) -> None:
    left = two.transfer()
    (named,) = two.amiss()
    assert "went to QUEENS 1 times, came there 0 times" in named
    with two.api(), two.at_work():
        two.wait()
        assert two.amiss() == []
        two.repeat(left)  # the origin's worker died before it heard the answer
        two.wait()
    assert two.amiss() == []
    assert topics(two.queens) == ["MessageCaptured", "IncidentTransferredIn", "MessageAdded"]
    correlation = two.bronx.centre("BRONX").incident(left.incident_id).correlation
    assert execute(
        two.queens,
        "SELECT (payload->>'origin')::uuid, (payload->>'correlation')::uuid FROM events"
        " WHERE topic = 'IncidentTransferredIn'",
    ) == [(left.incident_id, correlation)]
    assert opened(two.queens) == WORDS
    assert execute(two.queens, "SELECT count(*) FROM subject_key") == [(1,)]


def opened(node: Node) -> str:
    """What the citizen wrote, as the destination has it under a key of its own."""
    centre = node.centre("QUEENS")
    (first,) = centre.recorder.select_notifications(None, 1)
    captured = decode_event(first.topic, first.state)
    assert isinstance(captured, MessageCaptured)
    assert captured.citizen is not None
    content = centre.open(UUID(f"{first.originator_id}"), captured.citizen, Capture)
    return msgspec.json.decode(content or b"", type=Citizen).text


def test_what_is_erased_at_the_origin_meanwhile_does_not_arrive_twice(two: Two) -> None:
    left = two.transfer()
    with two.api(), two.at_work():
        two.wait()
        ask(two.bronx.centre("BRONX"), left.incident_id, ErasePersonalData(), 400)
        two.repeat(left)
        two.wait()
    assert quarantined_jobs(two.bronx.pool) == []
    assert two.amiss() == []


def test_while_the_other_node_is_away_it_waits_however_long(two: Two) -> None:
    two.transfer()
    attempts = "SELECT attempts FROM job WHERE error = 'Postponed'"
    with two.at_work():
        until(lambda: execute(two.bronx, attempts) > [(broker.ATTEMPTS_MAX + 1,)])
        assert [failed.quarantined for failed in quarantined_jobs(two.bronx.pool)] == [False]
        assert topics(two.queens) == []
        with two.api():
            two.wait()
    assert two.amiss() == []
    assert quarantined_jobs(two.bronx.pool) == []


def test_what_the_other_node_refuses_is_shown_to_an_operator(two: Two) -> None:
    """Here: it has another key."""
    (two.home / FEDERATION_KEY).write_bytes(b"9" * 32)
    left = two.transfer()
    with two.api(), two.at_work():
        until(lambda: any(failed.quarantined for failed in quarantined_jobs(two.bronx.pool)))
    (failed,) = quarantined_jobs(two.bronx.pool)
    assert (failed.actor, failed.error) == ("receive_transfer", "HandoverRefused")
    assert msgspec.json.decode(failed.arguments) == ["BRONX", f"{left.incident_id}", left.version]
    assert topics(two.queens) == []


def test_who_guesses_the_id_of_its_command_keeps_it_from_nobody(two: Two) -> None:
    left = two.transfer()
    guessed = str(uuid5(left.incident_id, f"transfer {left.version}"))
    given = {
        "commandId": guessed,
        "region": "QUEENS",
        "channel": "PHONE",
        "publishedAt": NOON.isoformat(),
    }
    with two.api() as api, two.at_work():
        token = api.token("QUEENS")
        told = [api.ask(CAPTURE, token=token, input=given)["captureMessage"] for _ in range(2)]
        two.wait()
    assert told[0] == told[1]
    assert not told[0]["userErrors"]
    assert two.amiss() == []
    assert quarantined_jobs(two.bronx.pool) == []


def test_nothing_personal_lies_in_the_queue(two: Two) -> None:
    two.transfer()
    assert WORDS not in str(execute(two.bronx, "SELECT message::text FROM dramatiq.queue"))


def test_a_region_of_no_topology_is_refused(two: Two) -> None:
    with pytest.raises(RegionElsewhere):
        two.transfer(to="BROOKLYN")


def posted(
    api: Api,
    body: bytes,
    *,
    key: bytes = SECRET,
    age: timedelta = timedelta(),
    sent: bytes | None = None,
    **headers: str,
) -> httpx.Response:
    digest = hashlib.sha256(body).hexdigest()
    timestamp = f"{int((LATER - age).timestamp())}"
    signed = {
        DIGEST_HEADER: digest,
        TIMESTAMP_HEADER: timestamp,
        SIGNATURE_HEADER: sign(digest.encode(), timestamp=timestamp, key=key),
    }
    return api.client.post(PATH, content=body if sent is None else sent, headers=signed | headers)


def told(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_who_does_not_sign_with_the_key_lately_is_turned_away(two: Two) -> None:
    left = two.transfer()
    body = handed(two, left)
    with two.api() as api:
        refused = [
            api.client.post(PATH, content=body),
            posted(api, body, key=b"9" * 32),
            posted(api, body, age=timedelta(minutes=6)),
            posted(api, body, age=timedelta(minutes=-6)),
            posted(api, body, sent=body.replace(b"QUEENS", b"BRONX ")),
            posted(api, body, **{SIGNATURE_HEADER: "sha256=no"}),
        ]
        assert {told(answer) for answer in refused} == {(401, "NOT_PERMITTED")}
        assert topics(two.queens) == []
        answers = [posted(api, body) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()
    assert answers[0].json()["position"] == "QUEENS:3"


def handed(two: Two, left: Result) -> bytes:
    origin = two.bronx.centre("BRONX")
    return msgspec.json.encode(hand_over(origin, left.incident_id, left.version))


def test_what_can_never_succeed_is_told_so(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    body = handed(two, two.transfer())
    with two.api() as api:
        assert told(posted(api, b"[]")) == (400, "HANDOVER_INVALID")
        given = json.loads(body)
        without_zone = json.dumps(given | {"at": given["at"][:19]}).encode()
        assert told(posted(api, without_zone)) == (400, "HANDOVER_INVALID")
        elsewhere = body.replace(b'"QUEENS"', b'"BROOKLYN"')
        assert told(posted(api, elsewhere)) == (422, "REGION_ELSEWHERE")
        nowhere = body.replace(b'"QUEENS"', b'"ATLANTIS"')
        assert told(posted(api, nowhere)) == (422, "UNKNOWN_REGION")
        monkeypatch.setattr(handovers, "BODY_BYTES_MAX", len(body))
        assert told(posted(api, body + b" ")) == (413, "BODY_TOO_LARGE")


def test_it_arrives_however_much_was_written(two: Two) -> None:
    handover = msgspec.json.decode(handed(two, two.transfer()), type=Handover)
    longest = Citizen(text="ы" * TEXT_MAX)
    further = [msgspec.structs.replace(handover.further[0], citizen=longest)] * MANY
    large = msgspec.structs.replace(handover, further=further)
    with two.api() as api:
        answer = posted(api, msgspec.json.encode(large))
    assert (answer.status_code, answer.json()["position"]) == (200, f"QUEENS:{MANY + 2}")


def test_a_node_alone_has_no_such_door(two: Two) -> None:
    with serving(two.queens.url) as api:
        assert posted(api, b"{}").status_code == 404
