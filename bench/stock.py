"""The eventsourcing library as it comes: its recorder, its JSON mapper, its projection runner.

The projection keeps our tables, one transaction an event, as the library's runner works.
"""

import base64
import threading
import time
from dataclasses import make_dataclass
from datetime import UTC, datetime
from typing import Any, LiteralString, cast
from uuid import UUID

import msgspec
from eventsourcing.application import Application
from eventsourcing.domain import DomainEvent
from eventsourcing.persistence import Tracking
from eventsourcing.postgres import PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict

from domain.events import EVENTS, Sealed
from domain.incident import TRANSITIONS, StreamEvent
from domain.vocabulary import ReplyAuthor
from projections import statistics
from regions.catalogue import Catalogue


class StockApplication(Application[UUID]):
    name = "stock"


def environment(url: str) -> dict[str, str]:
    parts = conninfo_to_dict(url)
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": str(parts["dbname"]),
        "POSTGRES_HOST": str(parts["host"]),
        "POSTGRES_PORT": str(parts["port"]),
        "POSTGRES_USER": str(parts["user"]),
        "POSTGRES_PASSWORD": "",
    }


def _stock_class(topic: str) -> type[Any]:
    """The library's frozen dataclass with the fields of our event."""
    names = [(field.name, Any) for field in msgspec.structs.fields(EVENTS[topic])]
    namespace = {"__module__": __name__}
    return make_dataclass(topic, names, bases=(DomainEvent,), namespace=namespace, frozen=True)


CLASSES = {topic: _stock_class(topic) for topic in EVENTS}
globals().update(CLASSES)  # the library finds a class again by its module and name


def stock_event(recorded: StreamEvent) -> Any:
    """The same fact as the library's event."""
    fields = {name: _plain(value) for name, value in msgspec.structs.asdict(recorded.event).items()}
    return CLASSES[recorded.event.TOPIC](
        originator_id=recorded.originator_id,
        originator_version=recorded.originator_version,
        timestamp=datetime.now(UTC),
        **fields,
    )


def _plain(value: object) -> object:
    """The stock transcoder knows no structs and no bytes."""
    if isinstance(value, Sealed):
        ciphertext = base64.b64encode(value.ciphertext).decode()
        return {"subject": value.subject, "algorithm": value.algorithm, "ciphertext": ciphertext}
    return value


class StockView(PostgresTrackingRecorder):
    """Our tables `incident`, `change` and `daily`, kept event by event."""

    catalogue: Catalogue  # set before the runner makes it

    def take_in(self, event: Any, tracking: Tracking) -> None:
        topic = type(event).__name__
        target = TRANSITIONS[EVENTS[topic]].target
        zone = self.catalogue.zone_of(event.region, event.municipality)
        facts = {
            **vars(event),
            "pos": tracking.notification_id,
            "topic_code": getattr(event, "topic", None),
            "event_topic": topic,
            "new_status": target,
            "local_day": event.occurred_at.astimezone(zone).date(),
            "by_human": getattr(event, "author", None) == ReplyAuthor.HUMAN,
            "new_due_on": _local_day(getattr(event, "due_at", None), zone),
        }
        facts.pop("citizen", None)
        facts.pop("text", None)
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            cursor.execute(WRITE[topic], facts)
            row = cursor.fetchone()
            assert row is not None, "the incident was registered"
            days = {row["registered_on"], row["due_on"], row["old_due_on"]} - {None}
            cursor.execute(FEED, facts | row)
            _recompute(cursor.connection, [(event.region, day) for day in days])


def _recompute(connection: Connection[Any], touched: list[tuple[str, Any]]) -> None:
    statistics.recompute(connection, touched)


def _local_day(moment: datetime | None, zone: Any) -> Any:
    return moment.astimezone(zone).date() if moment else None


REGISTER: LiteralString = """
INSERT INTO incident
VALUES (%(originator_id)s, %(region)s, %(municipality)s, 1, %(pos)s, %(new_status)s, %(channel)s,
        %(kind)s, NULL, NULL, NULL, 1, 0, %(published_at)s, %(occurred_at)s, %(local_day)s,
        %(occurred_at)s, NULL, NULL, NULL, NULL, NULL, NULL, %(occurred_at)s, %(latitude)s,
        %(longitude)s)
RETURNING municipality, status, registered_on, due_on, NULL::date AS old_due_on
"""


def _update(changes: LiteralString = "") -> LiteralString:
    return (
        """
        UPDATE incident
           SET version = %(originator_version)s,
               pos = %(pos)s,
               status = coalesce(%(new_status)s, incident.status),
               changed_at = %(occurred_at)s"""
        + changes
        + """
          FROM (SELECT due_on FROM incident WHERE id = %(originator_id)s) AS old
         WHERE id = %(originator_id)s
        RETURNING municipality, status, registered_on, incident.due_on, old.due_on AS old_due_on
        """
    )


WRITE: dict[str, LiteralString] = {
    "IncidentRegistered": REGISTER,
    "IncidentClassified": _update(", topic = %(topic_code)s"),
    "IncidentAssigned": _update(
        ", organisation = %(organisation)s"
        ", assigned_at = coalesce(assigned_at, %(occurred_at)s)"
        ", due_at = coalesce(%(due_at)s, due_at)"
        ", due_on = coalesce(%(new_due_on)s, incident.due_on)"
    ),
    "IncidentReturned": _update(", organisation = NULL, returns = returns + 1"),
    "WorkAccepted": _update(),
    "ReplyPublished": _update(
        ", first_replied_at = CASE WHEN %(by_human)s"
        " THEN coalesce(first_replied_at, %(occurred_at)s) ELSE first_replied_at END"
    ),
    "IncidentResolved": _update(", outcome = %(outcome)s, resolved_at = %(occurred_at)s"),
    "IncidentClosed": _update(", closed_at = %(occurred_at)s"),
    "IncidentReopened": _update(
        ", cycle = cycle + 1, cycle_started_at = %(occurred_at)s, outcome = NULL"
        ", organisation = NULL, due_at = NULL, due_on = NULL, resolved_at = NULL, closed_at = NULL"
    ),
    "PersonalDataErased": _update(),
}

FEED: LiteralString = """
INSERT INTO change
VALUES (%(region)s, %(pos)s, %(municipality)s, %(originator_id)s, %(originator_version)s,
        %(event_topic)s, %(status)s, %(occurred_at)s)
"""


class StockProjection(Projection[StockView]):
    """Notes when it took in the first and the last of the events that are waited for."""

    name = "stock_view"
    last = 0  # notification id; set before the runner makes it

    def __init__(self, view: StockView) -> None:
        super().__init__(view)
        self.began: float | None = None
        self.seconds = 0.0
        self.done = threading.Event()

    def process_event(self, domain_event: Any, tracking: Tracking) -> None:
        self.began = self.began or time.perf_counter()
        self.view.take_in(domain_event, tracking)
        if tracking.notification_id == self.last:
            self.seconds = time.perf_counter() - self.began
            self.done.set()


def run_projection(url: str, catalogue: Catalogue, last: int) -> float:
    """Take in all events up to `last`; seconds from the first to the last of them."""
    StockView.catalogue, StockProjection.last = catalogue, last
    with ProjectionRunner(
        application_class=StockApplication,
        projection_class=StockProjection,
        view_class=StockView,
        env=environment(url),
    ) as runner:
        projection = cast(StockProjection, runner.projection)  # the runner knows only its base
        while not projection.done.wait(0.1):
            runner.run_forever(timeout=0)  # raises what went wrong
        return projection.seconds
