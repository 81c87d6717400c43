"""The projector: every event once and in order, whatever is killed, poisoned or rebuilt."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from threading import Event as Signal
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from domain.errors import DomainError
from projections import audit, projector, versions
from projections.projector import (
    LEADER_LOCK,
    LostLead,
    Projector,
    Range,
    VersionChanged,
    retry,
)
from projections.release import version_of
from regions.bulk import record_histories
from regions.centre import Centre
from regions.node import Node
from tests.conftest import CHECKOUT, NEW_YORK, PAST_TRIGGERS
from tests.scenarios import (
    NOON,
    OPERATOR,
    any_actor,
    any_command,
    ask,
    closed,
    history,
    message,
    registered,
    resolved,
)
from tests.waiting import until

Project = Callable[[], int]

KILLS = 12


def digests(url: str) -> dict[str, tuple[int, int]]:
    with versions.connect(url) as connection:
        return audit.digests(connection)


def rebuild(node: Node) -> dict[str, tuple[int, int]]:
    """The fingerprint of a version built from the first event on."""
    versions.rebuild(node.url, node.catalogue, lambda done, in_all: None)
    return digests(node.url)


def caught_up(connection: psycopg.Connection) -> bool:
    return connection.execute(
        "SELECT bool_and(head.pos = tracking.pos) FROM region_head AS head JOIN tracking"
        " USING (region)"
    ).fetchone() == (True,)


def positions(connection: psycopg.Connection) -> dict[str, tuple[int, bool]]:
    """How far each region is, and whether it is stopped, for those with any events."""
    rows = connection.execute(
        "SELECT region, tracking.pos, stopped FROM tracking JOIN region_head AS head"
        " USING (region) WHERE head.pos > 0"
    )
    return {region: (pos, stopped) for region, pos, stopped in rows}


def live(node: Node, seed: int, incidents: int = 40) -> None:
    """Random lives in three regions: whatever the rules allow."""
    chance = random.Random(seed)
    centres = [node.centre(region) for region in ("BRONX", "BROOKLYN", "QUEENS")]
    begun: list[tuple[Centre, UUID]] = []
    for minutes in range(incidents * 10):
        if minutes % 10 == 0:
            centre = chance.choice(centres)
            at = NOON + timedelta(minutes=minutes * 20)
            result = centre.register(message(), command_id=uuid4(), at=at, by=OPERATOR)
            begun.append((centre, result.incident_id))
        centre, incident = chance.choice(begun)
        command = any_command(centre, chance)
        try:
            ask(centre, incident, command, minutes * 20, by=any_actor(command, chance))
        except DomainError:
            continue


def write_in_bulk(node: Node, first: int, amount: int = 60) -> None:
    for region in ("BRONX", "BROOKLYN", "QUEENS"):
        centre = node.centre(region)
        lives = [history(centre, number) for number in range(first, first + amount)]
        record_histories(centre, lives, now=NOON + timedelta(days=1))


# Killed


PROJECTOR = """
import os, sys
from pathlib import Path
from threading import Event
from projections import versions
from projections.projector import run
from regions.reference.catalogue import load_catalogue

catalogue = load_catalogue(Path(sys.argv[2]))
for _ in sys.stdin:  # a line asks for one more projector; importing all this once saves seconds
    child = os.fork()
    if not child:
        run(lambda: versions.connect(sys.argv[1]), catalogue, Event())
    print(child, flush=True)
    os.waitpid(child, 0)
"""


@contextmanager
def projectors(url: str) -> Iterator[Callable[[], int]]:
    """Starts processes that project, one after the death of the other; gives their ids."""
    command = [sys.executable, "-c", PROJECTOR, url, str(NEW_YORK)]
    with subprocess.Popen(
        command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as nursery:

        def start() -> int:
            nursery.stdin.write("\n")
            return int(nursery.stdout.readline())

        yield start


def leader(connection: psycopg.Connection) -> tuple[int] | None:
    return connection.execute(
        """
        SELECT pid
          FROM pg_locks
         WHERE locktype = 'advisory'
           AND objid = %s
           AND granted
           AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        """,
        [LEADER_LOCK],
    ).fetchone()


def test_a_projector_killed_at_any_moment_repeats_nothing_and_loses_nothing(
    node: Node, read: psycopg.Connection
) -> None:
    chance, halfway = random.Random(7), 0
    with projectors(node.url) as start, ThreadPoolExecutor(2) as threads:
        for kill in range(KILLS):
            writing = threads.submit(write_in_bulk, node, kill * 60)
            also_writing = threads.submit(live, node, kill, 4)
            victim = start()
            until(lambda: leader(read) is not None)
            time.sleep(chance.uniform(0, 0.15))  # seconds: the random moment
            os.kill(victim, signal.SIGKILL)
            until(lambda: leader(read) is None)
            halfway += not caught_up(read)
            writing.result()
            also_writing.result()
        last = start()
        until(lambda: caught_up(read))
        os.kill(last, signal.SIGKILL)
        until(lambda: leader(read) is None)
    survived = digests(node.url)
    assert survived == rebuild(node)
    assert halfway > 0  # else no kill came at an interesting moment
    assert read.execute("SELECT count(*) FROM dead_letter").fetchone() == (0,)
    assert read.execute("SELECT count(*) > 20000 FROM change").fetchone() == (True,)


def test_a_projector_whose_connection_is_terminated_starts_over(
    node: Node, read: psycopg.Connection
) -> None:
    stop = Signal()
    with following(node, stop):
        for _ in range(3):
            closed(node.centre("BRONX"))
            until(lambda: caught_up(read))
            read.execute("SELECT pg_terminate_backend(%s)", leader(read))
    assert positions(read) == {"BRONX": (21, False)}


@contextmanager
def following(node: Node, stop: Signal) -> Iterator[Future[None]]:
    """A running projector, ended with the block."""
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(
            projector.run, lambda: versions.connect(node.url), node.catalogue, stop
        )
        try:
            yield running
        finally:
            stop.set()
        running.result()


# Batches and leaders


def test_the_size_of_the_batches_changes_nothing(node: Node) -> None:
    live(node, seed=1)
    digest = rebuild(node)
    with versions.connect(node.url) as connection:
        for batch_events in (1, 7, 20_000):
            connection.execute("TRUNCATE incident, change, daily, daily_duration, monthly_duration")
            connection.execute("UPDATE tracking SET pos = 0")
            projector = Projector(connection, node.catalogue, batch_events=batch_events)
            assert max(iter(projector.step, 0)) <= batch_events
            assert digests(node.url) == digest


def test_a_step_with_nothing_new_changes_nothing(node: Node, project: Project) -> None:
    closed(node.centre("BRONX"))
    assert project() == 7
    before = digests(node.url)
    assert project() == 0
    assert digests(node.url) == before


def test_the_region_that_lags_least_goes_first(node: Node, read: psycopg.Connection) -> None:
    closed(node.centre("BRONX"))
    registered(node.centre("QUEENS"))
    Projector(read, node.catalogue, batch_events=3).step()
    assert positions(read) == {"BRONX": (2, False), "QUEENS": (1, False)}


def test_one_of_two_projectors_leads_until_its_session_ends(node: Node) -> None:
    with versions.connect(node.url) as first:
        assert Projector(first, node.catalogue).lead(wait=False)
        with versions.connect(node.url) as second:
            other = Projector(second, node.catalogue)
            assert not other.lead(wait=False)
            first.close()
            assert other.lead(wait=True)


def test_two_projectors_at_once_take_in_every_event_once(node: Node) -> None:
    """Even if the lock of the leader failed us, the tracking stands."""
    live(node, seed=2, incidents=20)

    def project_in_small_steps() -> int:
        lost = 0
        with versions.connect(node.url) as connection:
            projector = Projector(connection, node.catalogue, batch_events=3)
            while not caught_up(connection):
                try:
                    projector.step()
                except LostLead:
                    lost += 1
        return lost

    with ThreadPoolExecutor(2) as threads:
        one, other = (threads.submit(project_in_small_steps) for _ in range(2))
        assert one.result() + other.result() > 0
    assert digests(node.url) == rebuild(node)


# Poison


def poison(url: str, region: str, topic: str, payload: object, version: int = 1) -> int:
    """Record what our own commands never would; returns its position."""
    with psycopg.connect(url, autocommit=True) as connection:
        (pos,) = connection.execute(
            """
              WITH head AS (
                   UPDATE region_head SET pos = pos + 1 WHERE region = %(region)s RETURNING pos
                   )
            INSERT INTO events (region, pos, originator_id, originator_version, topic, payload)
            SELECT %(region)s, pos, %(incident)s, %(version)s, %(topic)s, %(payload)s
              FROM head
         RETURNING pos
            """,
            {
                "region": region,
                "incident": uuid4(),
                "version": version,
                "topic": topic,
                "payload": Jsonb(payload),
            },
        ).fetchone()
    return pos


WORK_ACCEPTED = {
    "region": "BRONX",
    "occurred_at": NOON.isoformat(),
    "actor": "operator",
    "role": "EXECUTOR",
}
REGISTERED = WORK_ACCEPTED | {"channel": "PHONE", "published_at": NOON.isoformat()}

POISONS = {
    "unknown topic": ("Unheard", {}, 1, "KeyError"),
    "foreign payload": ("WorkAccepted", {"hello": "world"}, 2, "ValidationError"),
    "unknown role": ("WorkAccepted", WORK_ACCEPTED | {"role": "KING"}, 2, "ValidationError"),
    "no registration": ("WorkAccepted", WORK_ACCEPTED, 2, "Orphan"),
    "unknown region": ("IncidentRegistered", REGISTERED | {"region": "ATLANTIS"}, 1, "KeyError"),
}


@pytest.mark.parametrize("kind", POISONS)
def test_a_poison_event_stops_its_region_and_no_other(
    node: Node, project: Project, read: psycopg.Connection, kind: str
) -> None:
    topic, payload, version, error = POISONS[kind]
    resolved(node.centre("BRONX"))
    pos = poison(node.url, "BRONX", topic, payload, version)
    closed(node.centre("BRONX"))
    closed(node.centre("QUEENS"))
    project()
    assert positions(read) == {"BRONX": (pos - 1, True), "QUEENS": (7, False)}
    letters = read.execute("SELECT region, pos, topic, error, skipped FROM dead_letter").fetchall()
    assert letters == [("BRONX", pos, topic, error, False)]
    assert read.execute("SELECT status FROM incident WHERE region = 'BRONX'").fetchall() == [
        ("RESOLVED",)
    ]
    assert digests(node.url) == rebuild(node)


def test_a_stopped_region_stays_stopped_and_the_others_go_on(
    node: Node, project: Project, read: psycopg.Connection
) -> None:
    poison(node.url, "BRONX", "Unheard", {})
    project()
    closed(node.centre("BRONX"))
    closed(node.centre("QUEENS"))
    assert project() == 7
    assert positions(read) == {"BRONX": (0, True), "QUEENS": (7, False)}


def test_a_retried_region_stops_again_while_the_event_is_still_poison(
    node: Node, project: Project, read: psycopg.Connection
) -> None:
    poison(node.url, "BRONX", "Unheard", {})
    project()
    assert retry(read, "BRONX")
    project()
    assert positions(read) == {"BRONX": (0, True)}
    assert retry(read, "BRONX")


def test_a_retried_region_goes_on_once_the_event_can_be_taken_in(
    node: Node, project: Project, read: psycopg.Connection
) -> None:
    poison(node.url, "BRONX", "IncidentRegistered", {})
    closed(node.centre("BRONX"))
    project()
    # A new release understands it; here the event is mended instead.
    read.execute(PAST_TRIGGERS)
    read.execute("UPDATE events SET payload = %s WHERE payload = '{}'", [Jsonb(REGISTERED)])
    assert retry(read, "BRONX")
    project()
    assert positions(read) == {"BRONX": (8, False)}
    assert digests(node.url) == rebuild(node)


def test_a_skipped_event_is_passed_over_and_kept_as_a_dead_letter(
    node: Node, project: Project, read: psycopg.Connection
) -> None:
    registered(node.centre("BRONX"))
    first = poison(node.url, "BRONX", "Unheard", {})
    closed(node.centre("BRONX"))
    second = poison(node.url, "BRONX", "Unheard", {})
    project()
    assert retry(read, "BRONX", skip=True)
    project()
    assert positions(read) == {"BRONX": (second - 1, True)}
    letters = read.execute("SELECT pos, skipped FROM dead_letter ORDER BY pos").fetchall()
    assert letters == [(first, True), (second, False)]


def test_a_region_that_is_not_stopped_cannot_be_retried(
    node: Node, project: Project, read: psycopg.Connection
) -> None:
    closed(node.centre("BRONX"))
    project()
    before = digests(node.url)
    assert not retry(read, "BRONX")
    assert not retry(read, "BRONX", skip=True)
    assert not retry(read, "ATLANTIS", skip=True)
    assert digests(node.url) == before


def test_what_was_skipped_stays_skipped_in_a_rebuilt_version(
    node: Node, project: Project, read: psycopg.Connection
) -> None:
    poison(node.url, "BRONX", "Unheard", {})
    closed(node.centre("BRONX"))
    project()
    retry(read, "BRONX", skip=True)
    project()
    before = digests(node.url)
    assert positions(read) == {"BRONX": (8, False)}
    assert rebuild(node) == before


def test_what_is_skipped_during_a_rebuild_stays_skipped(
    node: Node, project: Project, read: psycopg.Connection
) -> None:
    poison(node.url, "BRONX", "Unheard", {})
    closed(node.centre("BRONX"))
    project()

    def skip_meanwhile(done: int, in_all: int) -> None:
        retry(read, "BRONX", skip=True)
        project()

    versions.rebuild(node.url, node.catalogue, skip_meanwhile)
    assert positions(read) == {"BRONX": (8, False)}
    assert digests(node.url) == rebuild(node)


# Rebuilt


def test_a_rebuild_reports_its_progress_and_how_many_events_it_took_in(node: Node) -> None:
    write_in_bulk(node, first=0)
    seen: list[tuple[int, int]] = []
    taken = versions.rebuild(node.url, node.catalogue, lambda *progress: seen.append(progress))
    assert taken == 3 * 60 * 12
    assert seen[-1] == (taken, taken)


def test_a_rebuild_beside_readers_and_writers_is_noticed_by_nobody(
    node: Node, read: psycopg.Connection
) -> None:
    """Each reader sees as many changes as positions, and never an older position than before."""
    write_in_bulk(node, first=0)
    project_all = versions.connect(node.url)
    with project_all, ThreadPoolExecutor(6) as threads:
        sum(iter(Projector(project_all, node.catalogue).step, 0))
        stop = Signal()
        with following(node, stop):
            working = [threads.submit(write_until, node, seed, stop) for seed in range(2)]
            reading = [threads.submit(read_until, node.url, stop) for _ in range(3)]
            try:
                for _ in range(3):
                    versions.rebuild(node.url, node.catalogue, lambda done, in_all: None)
            finally:
                stop.set()
            written = sum(writer.result() for writer in working)
            looks = [reader.result() for reader in reading]
    assert written > 10
    assert min(looks) > 10
    with versions.connect(node.url) as connection:
        sum(iter(Projector(connection, node.catalogue).step, 0))
    assert read.execute("SELECT count(*) FROM dead_letter").fetchone() == (0,)
    assert digests(node.url) == rebuild(node)


def write_until(node: Node, seed: int, stop: Signal) -> int:
    """Write events of ever the same incidents, one by one."""
    centre = node.centre(("BRONX", "QUEENS")[seed])
    chance, written = random.Random(seed), 0
    incidents = [registered(centre).incident_id for _ in range(5)]
    for minutes in count():
        if stop.is_set():
            return written
        try:
            ask(centre, chance.choice(incidents), any_command(centre, chance), minutes)
            written += 1
        except DomainError:
            continue
    raise AssertionError


def read_until(url: str, stop: Signal) -> int:
    seen = looks = 0
    with versions.connect(url) as connection:
        while not stop.is_set():
            tracked, changes, ahead = connection.execute(
                """
                SELECT (SELECT sum(pos) FROM tracking),
                       (SELECT count(*) FROM change),
                       (SELECT count(*) FROM incident JOIN tracking USING (region)
                         WHERE incident.pos > tracking.pos)
                """
            ).fetchone()
            assert (tracked, ahead) == (changes, 0)
            assert tracked >= seen
            seen = tracked
            looks += 1
    return looks


def test_one_rebuild_at_a_time(node: Node) -> None:
    live(node, seed=3, incidents=10)
    with ThreadPoolExecutor(2) as threads:
        one, other = (threads.submit(rebuild, node) for _ in range(2))
        assert one.result() == other.result()


def test_read_models_of_another_version_are_rebuilt_at_start(
    node: Node, project: Project, read: psycopg.Connection
) -> None:
    closed(node.centre("BRONX"))
    project()
    before = digests(node.url)
    read.execute("UPDATE built SET version = 'older'")
    read.execute("TRUNCATE incident")
    versions.ensure(node.url, node.catalogue, lambda done, in_all: None)
    assert versions.served_version(node.url) == version_of(node.catalogue)
    assert digests(node.url) == before


def test_read_models_of_this_version_are_kept_at_start(
    node: Node, read: psycopg.Connection
) -> None:
    built = read.execute("SELECT built_at FROM built").fetchone()
    versions.ensure(node.url, node.catalogue, lambda done, in_all: None)
    assert read.execute("SELECT built_at FROM built").fetchone() == built


def test_passing_over_a_registration_passes_over_what_followed_it(
    node: Node, project: Project, read: psycopg.Connection
) -> None:
    bronx = node.centre("BRONX")
    with psycopg.connect(node.url, autocommit=True) as connection:
        resolved(bronx)
        connection.execute(PAST_TRIGGERS)
        connection.execute(
            """
            UPDATE events
               SET payload = payload - 'channel'
             WHERE topic = 'IncidentRegistered'
            """
        )
        resolved(bronx)
    project()
    assert positions(read) == {"BRONX": (0, True)}
    assert retry(read, "BRONX", skip=True)
    project()
    assert positions(read) == {"BRONX": (12, False)}
    letters = read.execute("SELECT pos, error, skipped FROM dead_letter ORDER BY pos").fetchall()
    assert letters == [(1, "ValidationError", True), *((n, "Orphan", True) for n in range(2, 7))]


def test_a_projector_of_another_release_writes_nothing(
    node: Node, read: psycopg.Connection
) -> None:
    resolved(node.centre("BRONX"))
    read.execute("UPDATE built SET version = 'the next one'")
    with pytest.raises(VersionChanged):
        Projector(read, node.catalogue).step()
    assert read.execute("SELECT count(*) FROM incident").fetchone() == (0,)
    assert read.execute("SELECT count(*) FROM dead_letter").fetchone() == (0,)


def test_a_late_burial_takes_no_region_back(
    node: Node, project: Project, read: psycopg.Connection
) -> None:
    resolved(node.centre("BRONX"))
    project()
    projector = Projector(read, node.catalogue)
    with pytest.raises(LostLead):
        projector._bury(Range("BRONX", 1, 2), ValueError())
    assert positions(read) == {"BRONX": (6, False)}
    assert read.execute("SELECT count(*) FROM dead_letter").fetchone() == (0,)


def test_a_database_that_cannot_be_used_is_no_reason_to_bury(
    node: Node, read: psycopg.Connection
) -> None:
    resolved(node.centre("BRONX"))
    read.execute("ALTER TABLE daily RENAME TO hidden")
    with pytest.raises(psycopg.errors.UndefinedTable):
        Projector(read, node.catalogue).step()
    assert read.execute("SELECT count(*) FROM dead_letter").fetchone() == (0,)
