"""Jobs enqueued with events: on the real queue, run by a real worker."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID, uuid5

import dramatiq
import psycopg
import pytest
from dramatiq_postgres import PostgresBroker

from domain.commands import Close, Dispute, Reopen, Resolve
from domain.errors import FinalReplyMissing, ForbiddenTransition
from domain.vocabulary import DisputeBy, Outcome, ReopenReason
from regions.node import Node
from tests import scenarios
from workers.outbox import outbox_message


@pytest.fixture
def broker(node: Node) -> Iterator[PostgresBroker]:
    broker = PostgresBroker(url=node.url, results=False)
    yield broker
    broker.close()


@pytest.fixture
def close_incident(broker: PostgresBroker, node: Node) -> dramatiq.Actor:
    """Closes an incident, by a command id of the incident: a second run changes nothing."""

    @dramatiq.actor(broker=broker)
    def close_incident(region: str, incident: str) -> None:
        scenarios.ask(
            node.centre(region),
            UUID(incident),
            Close(),
            120,
            command_id=uuid5(UUID(incident), "close"),
        )

    return close_incident


def enqueued(read: psycopg.Connection) -> int:
    row = read.execute("SELECT count(*) FROM dramatiq.queue").fetchone()
    assert row is not None
    return int(row[0])


def resolve(node: Node, incident: UUID, close_incident: dramatiq.Actor) -> None:
    scenarios.ask(
        node.centre("BRONX"),
        incident,
        Resolve(outcome=Outcome.SOLVED),
        90,
        outbox=lambda resolved: [
            outbox_message(
                close_incident, resolved.region, str(resolved.id), available_at=datetime.now(UTC)
            )
        ],
    )


def work_off(broker: PostgresBroker, read: psycopg.Connection) -> None:
    """Let a worker run until the queue is empty; an acknowledged message leaves it."""
    worker = dramatiq.Worker(broker, worker_threads=2, worker_timeout=100)
    worker.start()
    try:
        deadline = time.monotonic() + 20
        while enqueued(read):
            assert time.monotonic() < deadline
    finally:
        worker.stop()


def test_a_job_is_enqueued_with_the_event_and_done(
    node: Node,
    broker: PostgresBroker,
    close_incident: dramatiq.Actor,
    read: psycopg.Connection,
) -> None:
    incident = scenarios.answered(node.centre("BRONX")).incident_id
    resolve(node, incident, close_incident)
    assert enqueued(read) == 1
    work_off(broker, read)
    assert node.centre("BRONX").incident(incident).status == "CLOSED"


def test_a_refused_command_enqueues_nothing(
    node: Node, close_incident: dramatiq.Actor, read: psycopg.Connection
) -> None:
    incident = scenarios.accepted(node.centre("BRONX")).incident_id
    with pytest.raises(FinalReplyMissing):
        resolve(node, incident, close_incident)
    assert enqueued(read) == 0


def test_a_job_may_run_twice_and_late(node: Node, close_incident: dramatiq.Actor) -> None:
    incident = scenarios.resolved(node.centre("BRONX")).incident_id
    close_incident("BRONX", str(incident))
    version = node.centre("BRONX").incident(incident).version
    close_incident("BRONX", str(incident))
    assert node.centre("BRONX").incident(incident).version == version
    scenarios.ask(node.centre("BRONX"), incident, Dispute(by=DisputeBy.AUTHOR), 170)
    scenarios.ask(node.centre("BRONX"), incident, Reopen(reason=ReopenReason.NOT_SOLVED), 180)
    close_incident("BRONX", str(incident))
    assert node.centre("BRONX").incident(incident).status == "REOPENED"
    with pytest.raises(ForbiddenTransition):
        scenarios.ask(node.centre("BRONX"), incident, Close(), 200)
