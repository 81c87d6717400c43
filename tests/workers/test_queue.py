"""The queue: what is asked for is done, tried again, or shown to an operator; never lost."""

import itertools
import logging
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import dramatiq
import psycopg
import pytest
from dramatiq import worker
from dramatiq.errors import ConnectionClosed
from pika.exceptions import ChannelClosedByBroker

from api.processes import free_port
from regions.node import Node
from regions.store.jobs import job
from tests.conftest import CHECKOUT
from tests.scenarios import contents
from tests.waiting import until
from tests.workers.nursery import MOMENT_SECONDS
from workers import broker as brokers
from workers.broker import (
    ATTEMPTS_MAX,
    QuorumBroker,
    postgres_broker,
    quarantined_jobs,
    relay,
    requeue_job,
    working,
)

CANARY = "kanarejka7f3a"
FIRST_PAUSE = 0.02  # seconds
OURS = "who looks on"  # application_name
RABBITMQ_URL = os.environ.get("TSUR_TEST_RABBITMQ_URL")

Act = Callable[..., None]


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses that a test can wait for, of ours and of dramatiq's threads without a database."""
    monkeypatch.setattr(worker, "CONSUMER_RESTART_DELAY_SECS", 0.1)
    monkeypatch.setattr(worker, "POST_PROCESS_MESSAGE_RETRY_DELAY_SECS", 0.1)
    monkeypatch.setattr(brokers, "BACKOFF_MILLISECONDS", (FIRST_PAUSE * 1000, 10_000))


def enqueue(node: Node, actor: str, *identifiers: Any) -> str:
    """As a save does; the id of the message."""
    work = job(actor, *identifiers, available_at=datetime.now(UTC) - timedelta(seconds=1))
    execute(
        node,
        """
        INSERT INTO dramatiq.queue (message_id, queue_name, state, message, available_at)
        VALUES (%s, %s, 'queued', %s::jsonb, %s)
        """,
        *(work.message_id, work.queue, work.body.decode(), work.available_at),
    )
    return str(work.message_id)


def execute(node: Node, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(node.url, autocommit=True, application_name=OURS) as connection:
        cursor = connection.execute(statement, parameters)  # type: ignore[arg-type]
        return cursor.fetchall() if cursor.description else []


def is_done(node: Node) -> bool:
    """Whether nothing is on its way any more."""
    return not execute(node, "SELECT 1 FROM dramatiq.queue")


@contextmanager
def at_work(node: Node, *, threads: int = 2, **actors: Act) -> Iterator[None]:
    """Workers in this process with actors of these names."""
    broker = postgres_broker(node.url, node.pool)
    declare(broker, actors)
    with working(broker, threads=threads):
        yield


def declare(broker: dramatiq.Broker, actors: dict[str, Act]) -> None:
    for name, act in actors.items():
        dramatiq.actor(actor_name=name, broker=broker)(act)


# Done


def test_an_attempt_is_counted_before_the_work_and_forgotten_after_it(node: Node) -> None:
    seen: list[tuple[Any, ...]] = []

    def look(name: str) -> None:
        seen.extend(execute(node, "SELECT actor, arguments, attempts, error FROM job"))

    enqueue(node, "look", "one")
    with at_work(node, look=look):
        until(lambda: is_done(node))
    assert seen == [("look", ["one"], 1, None)]
    assert execute(node, "SELECT 1 FROM job") == []
    assert quarantined_jobs(node.pool) == []


def test_workers_at_one_queue_do_each_job_once(node: Node) -> None:
    done: list[int] = []
    for number in range(100):
        enqueue(node, "do", number)
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(at_work(node, do=done.append))
        until(lambda: is_done(node))
    assert sorted(done) == list(range(100))


def test_what_is_not_due_yet_is_left_alone(node: Node) -> None:
    done: list[str] = []
    later = enqueue(node, "do", "later")
    statement = "UPDATE dramatiq.queue SET available_at = now() + %s WHERE message_id = %s"
    execute(node, statement, timedelta(hours=1), later)
    enqueue(node, "do", "now")
    with at_work(node, do=done.append):
        until(lambda: done == ["now"])
        execute(node, statement, timedelta(), later)
        until(lambda: done == ["now", "later"])


# Not done


def test_what_fails_is_tried_again_with_growing_pauses_and_given_up_at_the_fifth(
    node: Node,
) -> None:
    began: list[float] = []

    def fail(name: str) -> None:
        began.append(time.monotonic())
        raise ValueError(name)

    message = enqueue(node, "fail", "one")
    with at_work(node, fail=fail):
        until(lambda: is_done(node))
    assert len(began) == ATTEMPTS_MAX == 5
    pauses = [after - before for before, after in itertools.pairwise(began)]
    # Half of it is left to chance, so that those who failed together do not come back together.
    shortest = [FIRST_PAUSE * 2**attempt / 2 for attempt in range(1, 5)]
    assert all(pause >= least for pause, least in zip(pauses, shortest, strict=True)), pauses
    (failed,) = quarantined_jobs(node.pool)
    assert (str(failed.message_id), failed.actor, failed.arguments) == (message, "fail", '["one"]')
    assert (failed.attempts, failed.error, failed.quarantined) == (5, "ValueError", True)


def test_what_succeeds_in_the_end_leaves_nothing(node: Node) -> None:
    attempts: list[str] = []

    def fail_twice(name: str) -> None:
        attempts.append(name)
        if len(attempts) < 3:
            raise ValueError(name)

    enqueue(node, "fail_twice", "one")
    with at_work(node, fail_twice=fail_twice):
        until(lambda: is_done(node))
    assert attempts == ["one"] * 3
    assert execute(node, "SELECT 1 FROM job") == []


def test_what_was_given_up_is_tried_again_when_an_operator_says_so(node: Node) -> None:
    mended, done = list[bool](), list[str]()

    def fail_until_mended(name: str) -> None:
        if not mended:
            raise ValueError(name)
        done.append(name)

    enqueue(node, "fail_until_mended", "one")
    with at_work(node, fail_until_mended=fail_until_mended):
        until(lambda: is_done(node))
        (failed,) = quarantined_jobs(node.pool)
        mended.append(True)
        assert requeue_job(node.pool, failed.message_id)
        until(lambda: done == ["one"])
        assert not requeue_job(node.pool, failed.message_id)
    assert quarantined_jobs(node.pool) == []


def test_of_an_error_only_its_kind_is_stored(node: Node) -> None:
    def quote(name: str) -> None:
        raise ValueError(CANARY)

    enqueue(node, "quote", "one")
    with at_work(node, quote=quote):
        until(lambda: len(quarantined_jobs(node.pool)) == 1)
        tables = contents(node.url, "public", "dramatiq")  # while it waits for another attempt
        until(lambda: is_done(node))
    for rows in (tables, contents(node.url, "public", "dramatiq")):
        assert CANARY not in str(rows)
        assert "ValueError" in str(rows["public.job"])


def test_no_log_quotes_an_error(node: Node, caplog: pytest.LogCaptureFixture) -> None:
    def quote(name: str) -> None:
        raise ValueError(CANARY)

    enqueue(node, "quote", "one")
    with caplog.at_level(logging.DEBUG), at_work(node, quote=quote):
        until(lambda: is_done(node))
    assert "ValueError" in caplog.text
    assert CANARY not in caplog.text


def test_a_job_that_nobody_here_can_do_is_shown_to_an_operator(node: Node) -> None:
    """As when a newer release has enqueued it."""
    enqueue(node, "of_the_future", "one")
    with at_work(node, do=lambda name: None):
        until(lambda: not execute(node, "SELECT 1 FROM dramatiq.queue WHERE state = 'queued'"))
        until(lambda: not execute(node, "SELECT 1 FROM dramatiq.queue WHERE state = 'consumed'"))
    (failed,) = quarantined_jobs(node.pool)
    assert (failed.actor, failed.arguments, failed.quarantined) == (
        "of_the_future",
        '["one"]',
        True,
    )


# Killed


@contextmanager
def nursery(node: Node, count: int, *rabbitmq: str) -> Iterator[None]:
    """So many workers as processes of their own, replaced when they die."""
    for table in ("began", "done"):
        execute(node, f"CREATE TABLE {table} (name text NOT NULL)")
    command = [sys.executable, "-m", "tests.workers.nursery", node.url, f"{count}", *rabbitmq]
    with subprocess.Popen(command, cwd=CHECKOUT) as process:
        try:
            yield
        finally:
            process.terminate()


def times(node: Node, table: str) -> Counter[str]:
    return Counter(name for (name,) in execute(node, f"SELECT name FROM {table}"))


def test_a_job_that_kills_its_worker_is_given_up_at_the_fifth_while_others_are_done(
    node: Node,
) -> None:
    enqueue(node, "die", "killer")
    others = [f"bystander {number}" for number in range(20)]
    with nursery(node, 2):
        until(lambda: times(node, "began")["killer"] == 1)
        for name in others:
            enqueue(node, "do", name)
        until(lambda: is_done(node))
    assert times(node, "began")["killer"] == ATTEMPTS_MAX
    assert times(node, "done").keys() == {*others}
    (failed,) = quarantined_jobs(node.pool)
    assert (failed.actor, failed.error, failed.quarantined) == ("die", "WorkerDied", True)


def test_a_job_whose_worker_was_killed_is_done_by_the_next(node: Node) -> None:
    enqueue(node, "die_at_first", "victim")
    with nursery(node, 1):
        until(lambda: is_done(node))
    assert (times(node, "began")["victim"], times(node, "done")["victim"]) == (2, 1)
    assert execute(node, "SELECT 1 FROM job") == []


def test_what_began_beside_a_job_that_kills_is_not_given_up_with_it(node: Node) -> None:
    enqueue(node, "die", "killer")
    enqueue(node, "do", "neighbour", 1.5 * MOMENT_SECONDS)
    with nursery(node, 1):
        until(lambda: is_done(node))
    assert "neighbour" in times(node, "done")
    assert [each.actor for each in quarantined_jobs(node.pool)] == ["die"]


def test_a_job_that_fails_while_the_database_hangs_up_is_not_lost(node: Node) -> None:
    attempts: list[str] = []

    def hang_up_once(name: str) -> None:
        attempts.append(name)
        if len(attempts) == 1:
            hang_up_on_everybody(node)
            raise ValueError(name)

    enqueue(node, "hang_up_once", "one")
    with at_work(node, hang_up_once=hang_up_once):
        until(lambda: is_done(node))
    assert len(attempts) == 2


def test_workers_on_whom_the_database_hangs_up_go_on(node: Node) -> None:
    done: list[int] = []
    for number in range(150):
        enqueue(node, "do", number)
    with at_work(node, do=done.append):
        until(lambda: len(done) > 30)
        hang_up_on_everybody(node)
        until(lambda: is_done(node))
    assert {*done} == {*range(150)}


def hang_up_on_everybody(node: Node) -> None:
    """As a restart of the server does; only who looks on is spared."""
    execute(
        node,
        """
        SELECT pg_terminate_backend(pid)
          FROM pg_stat_activity
         WHERE datname = current_database()
           AND application_name <> %s
        """,
        OURS,
    )


# RabbitMQ


def test_what_rabbitmq_does_not_confirm_stays_in_the_database(node: Node) -> None:
    enqueue(node, "do", "one")
    broker = QuorumBroker(f"amqp://127.0.0.1:{free_port()}/?connection_attempts=1", node.pool)
    declare(broker, {"do": lambda name: None})
    with pytest.raises(ConnectionClosed):
        relay(node.pool, broker)
    assert len(execute(node, "SELECT 1 FROM dramatiq.queue WHERE state = 'queued'")) == 1
    broker.close()


def test_who_works_on_one_queue_hands_over_nothing_of_another(node: Node) -> None:
    enqueue(node, "write_export", "one")
    broker = QuorumBroker(f"amqp://127.0.0.1:{free_port()}/?connection_attempts=1", node.pool)
    declare(broker, {"do": lambda name: None})
    assert relay(node.pool, broker) == 0  # though nobody could be reached
    broker.close()


@pytest.fixture
def rabbit(node: Node) -> Iterator[QuorumBroker]:
    if RABBITMQ_URL is None:
        pytest.skip("TSUR_TEST_RABBITMQ_URL is not set")
    broker = QuorumBroker(RABBITMQ_URL, node.pool)
    for queue in ("default", "default.DQ", "default.XQ"):
        broker.channel.queue_delete(queue)
    yield broker
    broker.close()


def test_jobs_are_handed_to_rabbitmq_and_done_there(node: Node, rabbit: QuorumBroker) -> None:
    done: list[int] = []
    for number in range(150):
        enqueue(node, "do", number)
    declare(rabbit, {"do": done.append})
    assert relay(node.pool, rabbit) == 100
    assert relay(node.pool, rabbit) == 50
    assert relay(node.pool, rabbit) == 0
    assert is_done(node)
    with working(rabbit, threads=2):
        until(lambda: len(done) == 150)
        until(lambda: not execute(node, "SELECT 1 FROM job"))
    assert sorted(done) == list(range(150))


def test_what_fails_at_rabbitmq_is_tried_again_and_given_up_at_the_fifth(
    node: Node, rabbit: QuorumBroker
) -> None:
    attempts: list[str] = []

    def fail(name: str) -> None:
        attempts.append(name)
        raise ValueError(name)

    enqueue(node, "fail", "one")
    declare(rabbit, {"fail": fail})
    relay(node.pool, rabbit)
    with working(rabbit, threads=2):
        until(lambda: any(each.quarantined for each in quarantined_jobs(node.pool)))
    assert attempts == ["one"] * ATTEMPTS_MAX


def test_a_job_that_kills_its_worker_at_rabbitmq_is_given_up_at_the_fifth(
    node: Node, rabbit: QuorumBroker
) -> None:
    enqueue(node, "die", "killer")
    enqueue(node, "do", "bystander")
    declare(rabbit, {"die": lambda name: None, "do": lambda name: None})
    relay(node.pool, rabbit)
    with nursery(node, 2, RABBITMQ_URL or ""):
        until(lambda: any(each.quarantined for each in quarantined_jobs(node.pool)))
        until(lambda: times(node, "done")["bystander"] > 0)
    assert times(node, "began")["killer"] == ATTEMPTS_MAX
    assert [each.actor for each in quarantined_jobs(node.pool)] == ["die"]


def test_what_rabbitmq_has_confirmed_stands_in_a_queue_that_survives_a_node(
    node: Node, rabbit: QuorumBroker
) -> None:
    enqueue(node, "do", "one")
    declare(rabbit, {"do": lambda name: None})
    relay(node.pool, rabbit)
    declared = rabbit.channel.queue_declare("default", passive=True)
    assert declared.method.message_count == 1
    dead_letters = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "default.XQ"}
    with pytest.raises(ChannelClosedByBroker, match=r"x-queue-type.*'quorum'"):
        rabbit.channel.queue_declare("default", durable=True, arguments=dead_letters)
