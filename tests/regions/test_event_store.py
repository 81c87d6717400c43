"""The event store: positions without a gap, in the order of the commits, all or nothing."""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Event as Signal
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from dramatiq_postgres import schema as dramatiq_schema
from eventsourcing.application import Application, Repository
from eventsourcing.persistence import JSONTranscoder, StoredEvent

from domain.commands import Classify, TransferOut
from domain.errors import RegionElsewhere, SameRegion
from domain.events import IncidentClassified, IncidentRegistered
from domain.incident import StreamEvent
from domain.rights import Actor
from domain.vocabulary import Role
from regions.node import Node
from regions.store.event_store import (
    Alongside,
    CommandRecord,
    CommandRepeated,
    EventMapper,
    MessageRepeated,
    OutboxMessage,
    RegionRecorder,
    StoreUnavailable,
    StreamConflict,
)
from tests.scenarios import (
    NOON,
    OPERATOR,
    ask,
    assigned,
    closed,
    contents,
    registered,
    resolved,
    some_topic,
)

REGIONS = ("BRONX", "BROOKLYN", "QUEENS")
WRITERS = 8
SAVES = 300  # of each writer
READERS = 2  # of each region
KILLED = 25  # connections of writers, terminated in the middle of whatever they do
MAPPER = EventMapper(JSONTranscoder())


@pytest.fixture
def store(node: Node) -> RegionRecorder:
    return RegionRecorder(node.pool, "BRONX")


def stored(incident: UUID, version: int, region: str = "BRONX") -> StoredEvent:
    common = {"region": region, "occurred_at": NOON, "actor": OPERATOR.name, "role": OPERATOR.role}
    event = (
        IncidentRegistered(channel="PHONE", published_at=NOON, **common)
        if version == 1
        else IncidentClassified(topic="noise.noise", **common)
    )
    return MAPPER.to_stored_event(StreamEvent(incident, version, event))


@dataclass
class Written:
    """What one writer was told."""

    kept: list[tuple[str, int, UUID, int]] = field(default_factory=list)
    refused: list[UUID] = field(default_factory=list)  # incidents only refused saves held
    unknown: int = 0  # saves whose answer was lost


def test_no_reader_ever_sees_a_gap_a_loss_a_repetition_or_another_order(node: Node) -> None:
    done = Signal()
    rivals = {region: uuid4() for region in REGIONS}  # the incidents all writers fight over
    with ThreadPoolExecutor(WRITERS + len(REGIONS) * READERS + 1) as threads:
        tails = [threads.submit(tail, node.url, region, done) for region in REGIONS * READERS]
        killer = threads.submit(kill_connections, node.url, done)
        writers = [threads.submit(write, node, seed, rivals) for seed in range(WRITERS)]
        try:
            written = [writer.result() for writer in writers]
        finally:
            done.set()
        seen = [reader.result() for reader in tails]

    with psycopg.connect(node.url) as connection:
        heads = dict(connection.execute("SELECT region, pos FROM region_head").fetchall())
        rows = connection.execute(
            "SELECT region, pos, originator_id, originator_version FROM events ORDER BY region, pos"
        ).fetchall()
    for place, region in enumerate(REGIONS * READERS):
        there = [row for row in rows if row[0] == region]
        assert [row[1] for row in there] == list(range(1, heads[region] + 1))
        assert seen[place] == there
    kept = [row for writer in written for row in writer.kept]
    assert len(kept) == len(set(kept))
    assert set(kept) <= set(rows)
    refused = {incident for writer in written for incident in writer.refused}
    assert not refused & {row[2] for row in rows}
    # Else this run would have proved nothing.
    assert len(refused) > 50
    assert killer.result() > KILLED // 2  # fast writers end before all are killed
    assert len(rows) - len(kept) <= 4 * sum(writer.unknown for writer in written)


def write(node: Node, seed: int, rivals: dict[str, UUID]) -> Written:
    """Save again and again, every other time also the next version of an incident all want."""
    chance, written = random.Random(seed), Written()
    for _ in range(SAVES):
        region = chance.choice(REGIONS)
        store = RegionRecorder(node.pool, region)
        incident = uuid4()
        events = [stored(incident, version, region) for version in range(1, chance.randint(2, 4))]
        try:
            if chance.random() < 0.5:
                version = len(store.select_events(rivals[region])) + 1
                events.append(stored(rivals[region], version, region))
            positions = store.insert_events(events)
        except StreamConflict:
            written.refused.append(incident)
        except StoreUnavailable:
            written.unknown += 1
        else:
            written.kept += [
                (region, pos, event.originator_id, event.originator_version)
                for pos, event in zip(positions, events, strict=True)
            ]
    return written


def tail(url: str, region: str, done: Signal) -> list[tuple[str, int, UUID, int]]:
    """Follow a region by position as the projector does; returns all in the order it came."""
    seen: list[tuple[str, int, UUID, int]] = []
    with psycopg.connect(url, autocommit=True, application_name="reader") as connection:
        while True:
            finished = done.is_set()
            news = connection.execute(
                """
                SELECT region,
                       pos,
                       originator_id,
                       originator_version
                  FROM events
                 WHERE region = %s
                   AND pos > %s
                 ORDER BY pos
                """,
                [region, len(seen)],
            ).fetchall()
            seen += news
            if finished and not news:
                return seen
            done.wait(0.002)


def kill_connections(url: str, done: Signal) -> int:
    killed = 0
    with psycopg.connect(url, autocommit=True, application_name="killer") as connection:
        while not done.is_set() and killed < KILLED:
            killed += connection.execute(
                """
                SELECT pg_terminate_backend(pid)
                  FROM pg_stat_activity
                 WHERE datname = current_database()
                   AND state = 'active'
                   AND application_name NOT IN ('reader', 'killer')
                 LIMIT 1
                """
            ).rowcount
            done.wait(0.01)
    return killed


def test_a_save_takes_consecutive_positions_of_its_own_region(node: Node) -> None:
    bronx, queens = RegionRecorder(node.pool, "BRONX"), RegionRecorder(node.pool, "QUEENS")
    one, other = uuid4(), uuid4()
    assert list(bronx.insert_events([stored(one, 1), stored(one, 2)])) == [1, 2]
    assert list(queens.insert_events([stored(other, 1, "QUEENS")])) == [1]
    assert list(bronx.insert_events([stored(one, 3)])) == [3]
    assert (bronx.max_notification_id(), queens.max_notification_id()) == (3, 1)


def test_a_region_without_events_has_no_last_position(store: RegionRecorder) -> None:
    assert store.max_notification_id() is None
    assert list(store.insert_events([])) == []
    assert store.max_notification_id() is None


def test_a_save_whose_last_event_conflicts_leaves_no_trace(
    node: Node, store: RegionRecorder
) -> None:
    incident = uuid4()
    store.insert_events([stored(incident, 1)], alongside=beside(incident))
    before = contents(node.url)
    with pytest.raises(StreamConflict):
        store.insert_events([stored(uuid4(), 1), stored(incident, 1)], alongside=beside(uuid4()))
    assert contents(node.url) == before


def beside(incident: UUID) -> Alongside:
    """One row for every table that a save writes beside its events."""
    return Alongside(
        commands=[CommandRecord(uuid4(), b"fingerprint", incident, 1, 1)],
        messages=[("PHONE", f"message-{incident}", incident)],
        new_keys=[(uuid4(), b"wrapped")],
    )


def test_a_command_recorded_before_is_refused_without_a_trace(
    node: Node, store: RegionRecorder
) -> None:
    first = beside(uuid4())
    store.insert_events([stored(uuid4(), 1)], alongside=first)
    before = contents(node.url)
    again = beside(uuid4())
    again.commands = first.commands
    with pytest.raises(CommandRepeated):
        store.insert_events([stored(uuid4(), 1)], alongside=again)
    assert contents(node.url) == before


def test_a_message_recorded_before_is_refused_without_a_trace_in_any_region(node: Node) -> None:
    first = beside(uuid4())
    RegionRecorder(node.pool, "BRONX").insert_events([stored(uuid4(), 1)], alongside=first)
    before = contents(node.url)
    again = beside(uuid4())
    again.messages = first.messages
    with pytest.raises(MessageRepeated):
        RegionRecorder(node.pool, "QUEENS").insert_events([stored(uuid4(), 1)], alongside=again)
    assert contents(node.url) == before


def test_a_region_unknown_to_the_database_is_refused_without_a_trace(node: Node) -> None:
    before = contents(node.url)
    with pytest.raises(RegionElsewhere, match="ATLANTIS"):
        RegionRecorder(node.pool, "ATLANTIS").insert_events(
            [stored(uuid4(), 1, "ATLANTIS")], alongside=beside(uuid4())
        )
    assert contents(node.url) == before


def test_keys_of_a_refused_save_are_not_destroyed(node: Node, store: RegionRecorder) -> None:
    incident, subject = uuid4(), uuid4()
    store.insert_events([stored(incident, 1)], alongside=Alongside(new_keys=[(subject, b"key")]))
    destroying = Alongside(destroyed_keys=[subject])
    with pytest.raises(StreamConflict):
        store.insert_events([stored(incident, 1)], alongside=destroying)
    assert len(contents(node.url)["public.subject_key"]) == 1
    store.insert_events([stored(incident, 2)], alongside=destroying)
    assert contents(node.url)["public.subject_key"] == []


@contextmanager
def queue(url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(url, autocommit=True) as connection:
        with connection.transaction(), connection.cursor() as cursor:
            dramatiq_schema.init(cursor)
        yield connection


def job() -> OutboxMessage:
    return OutboxMessage(uuid4(), "replies", b'{"incident": "1"}', NOON + timedelta(hours=1))


def test_a_job_is_on_its_queue_if_and_only_if_the_events_are_stored(node: Node) -> None:
    centre = node.centre("BRONX")
    incident = assigned(centre).incident_id
    first, second = job(), job()
    with queue(node.url) as connection:
        centre.recorder.insert_events([stored(incident, 4)], alongside=Alongside(outbox=[first]))
        with pytest.raises(StreamConflict):
            centre.recorder.insert_events(
                [stored(incident, 1)], alongside=Alongside(outbox=[second])
            )
        found = connection.execute(
            "SELECT message_id, queue_name, state, message, available_at FROM dramatiq.queue"
        ).fetchall()
    assert found == [(first.message_id, "replies", "queued", {"incident": "1"}, first.available_at)]


def test_a_clock_that_runs_ahead_delays_no_job(node: Node) -> None:
    centre = node.centre("BRONX")
    incident = assigned(centre).incident_id
    ahead = datetime.now(UTC) + timedelta(hours=3)
    ask(centre, incident, TransferOut(to_region="QUEENS"), 0, **by(uuid4()) | {"at": ahead})
    with queue(node.url) as connection:
        due = connection.execute("SELECT available_at <= now() FROM dramatiq.queue").fetchall()
    assert due == [(True,)]


def test_a_command_given_again_enqueues_its_job_once(node: Node) -> None:
    centre, command_id = node.centre("BRONX"), uuid4()
    incident = assigned(centre).incident_id
    with queue(node.url) as connection:
        for _ in range(3):
            ask(centre, incident, TransferOut(to_region="QUEENS"), 30, **by(command_id))
        ((name, arguments),) = connection.execute(
            "SELECT message->>'actor_name', message->'args' FROM dramatiq.queue"
        ).fetchall()
    assert (name, arguments) == ("receive_transfer", ["BRONX", str(incident), 4])


def by(command_id: UUID) -> dict[str, Any]:
    return {"command_id": command_id, "by": Actor("Смирнова", Role.MONITOR)}


def test_a_refused_command_enqueues_nothing(node: Node) -> None:
    centre = node.centre("BRONX")
    incident = assigned(centre).incident_id
    with queue(node.url) as connection:
        with pytest.raises(SameRegion):
            ask(centre, incident, TransferOut(to_region="BRONX"), 30, **by(uuid4()))
        assert connection.execute("SELECT count(*) FROM dramatiq.queue").fetchone() == (0,)


def test_notifications_are_the_events_of_a_window_of_positions(node: Node) -> None:
    closed(node.centre("BRONX"))
    registered(node.centre("QUEENS"))
    recorder = node.centre("BRONX").recorder
    for window, positions in (
        ({"start": None, "limit": 10}, [1, 2, 3, 4, 5, 6, 7]),
        ({"start": 0, "limit": 10, "inclusive_of_start": False}, [1, 2, 3, 4, 5, 6, 7]),
        ({"start": None, "limit": 2, "inclusive_of_start": False}, [1, 2]),
        ({"start": 1, "limit": 3}, [1, 2, 3]),
        ({"start": 3, "limit": 2, "inclusive_of_start": False}, [4, 5]),
        ({"start": 2, "limit": 10, "stop": 4}, [2, 3, 4]),
        ({"start": 1, "limit": 10, "stop": 0}, []),
        ({"start": 8, "limit": 10}, []),
        ({"start": 1, "limit": 10, "topics": ["ReplyPublished", "IncidentClosed"]}, [5, 7]),
        ({"start": 1, "limit": 10, "topics": ["Unheard"]}, []),
    ):
        found = recorder.select_notifications(**window)  # type: ignore[arg-type]
        assert [notification.id for notification in found] == positions, window


def test_the_events_of_an_incident_come_by_version(node: Node) -> None:
    centre = node.centre("BRONX")
    incident = resolved(centre).incident_id
    for window, versions in (
        ({}, [1, 2, 3, 4, 5, 6]),
        ({"gt": 4}, [5, 6]),
        ({"lte": 2}, [1, 2]),
        ({"gt": 1, "lte": 5, "limit": 2}, [2, 3]),
        ({"desc": True}, [6, 5, 4, 3, 2, 1]),
        ({"desc": True, "limit": 1}, [6]),
        ({"lte": 0}, []),
    ):
        found = centre.recorder.select_events(incident, **window)  # type: ignore[arg-type]
        assert [event.originator_version for event in found] == versions, window
    assert node.centre("QUEENS").recorder.select_events(incident) == []


def test_the_application_and_repository_of_the_library_are_used_unchanged(node: Node) -> None:
    centre = node.centre("BRONX")
    result = resolved(centre)
    assert type(centre).save is Application.save
    assert type(centre.repository) is Repository
    assert centre.repository.get(result.incident_id).version == result.version == 6
    assert centre.repository.get(result.incident_id, version=2).topic == some_topic(centre)
    assert result.incident_id in centre.repository
    section = centre.notification_log["1,10"]
    assert [item.id for item in section.items] == [1, 2, 3, 4, 5, 6]
    assert [centre.mapper.to_domain_event(item).originator_version for item in section.items] == [
        item.id for item in section.items
    ]


def test_an_event_comes_back_from_the_store_as_it_was_given(node: Node) -> None:
    centre = node.centre("BRONX")
    incident = registered(centre, latitude=40.8, longitude=-73.9).incident_id
    ask(centre, incident, Classify(topic=some_topic(centre)), 1.5)
    for event in centre.events.get(incident):
        again = centre.mapper.to_domain_event(centre.mapper.to_stored_event(event))
        assert again == event


def test_only_events_of_a_stream_are_stored() -> None:
    with pytest.raises(TypeError, match="StreamEvent"):
        MAPPER.to_stored_event(object())  # type: ignore[arg-type]
