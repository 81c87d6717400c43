"""The actors: what each job of the queue does. Each may run twice and late."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from uuid import UUID

import dramatiq
from dramatiq.middleware import CurrentMessage
from opentelemetry.trace import SpanKind

from regions.exports import WRITE_EXPORT
from regions.node import Node
from regions.reference.routing import Routing
from regions.store import tracing
from regions.store.jobs import Queue
from workers.deliveries import Deliveries
from workers.exports import EXPORT_SECONDS_MAX, ExportWriter
from workers.handovers import Handovers
from workers.intake import Intake
from workers.routes import route


@dataclass(frozen=True)
class Work:
    """What the actors need."""

    node: Node
    intake: Intake
    routing: Routing
    deliveries: Deliveries
    handovers: Handovers
    now: Callable[[], datetime]

    def take_in(self, delivery_id: str) -> None:
        self.intake.take_in(UUID(delivery_id), at=self.now())

    def route(self, region: str, incident_id: str, version: int) -> None:
        centre = self.node.centre(region)
        route(centre, self.routing, UUID(incident_id), version, at=self.now())

    def receive_transfer(self, region: str, incident_id: str, version: int) -> None:
        self.handovers.carry(region, UUID(incident_id), version)

    def plan_deliveries(self, region: str, incident_id: str, version: int) -> None:
        self.deliveries.plan(region, UUID(incident_id), version, at=self.now())

    def deliver(self, delivery_id: str) -> None:
        self.deliveries.deliver(UUID(delivery_id), at=self.now)


def declare(broker: dramatiq.Broker, work: Work) -> None:
    """Make the actors of the default queue; their names are those of regions/store/jobs.py."""
    actors: tuple[Callable[..., None], ...] = (
        work.take_in,
        work.route,
        work.receive_transfer,
        work.plan_deliveries,
        work.deliver,
    )
    for actor in actors:
        dramatiq.actor(actor_name=actor.__name__, broker=broker)(traced(actor))


def declare_exports(
    broker: dramatiq.Broker, writer: ExportWriter, now: Callable[[], datetime]
) -> None:
    """Make the actor of the queue of exports."""

    def write_export(export_id: str) -> None:
        writer.write(UUID(export_id), at=now)

    dramatiq.actor(
        actor_name=WRITE_EXPORT,
        queue_name=Queue.EXPORTS,
        broker=broker,
        time_limit=EXPORT_SECONDS_MAX * 1000,  # milliseconds
    )(traced(write_export))


def traced(actor: Callable[..., None]) -> Callable[..., None]:
    """The same, as part of the trace in which its job was enqueued."""

    @wraps(actor)
    def run(*identifiers: str | int) -> None:
        message = CurrentMessage.get_current_message()
        parent = message.options.get(tracing.PARENT) if message else None
        with tracing.span(actor.__name__, parent=parent, kind=SpanKind.CONSUMER):
            actor(*identifiers)

    return run
