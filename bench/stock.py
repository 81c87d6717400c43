"""The eventsourcing library as it comes: its recorder, its JSON mapper, its projection runner.

The projection keeps our tables, one transaction an event, as the library's runner works.
"""

import threading
import time
from dataclasses import make_dataclass
from datetime import UTC, datetime
from typing import Any, LiteralString, cast
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from eventsourcing.application import Application
from eventsourcing.domain import DomainEvent
from eventsourcing.persistence import Tracking
from eventsourcing.postgres import PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from psycopg import Connection, sql
from psycopg.conninfo import conninfo_to_dict

from domain import events
from domain.events import EVENTS, Event
from domain.incident import StreamEvent
from projections import incidents
from projections.incidents import IncidentRow
from projections.statistics import days, facts
from regions.reference.catalogue import Catalogue


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
    """The stock transcoder knows no structs, no enums and no bytes."""
    return msgspec.to_builtins(value, builtin_types=KNOWN)


KNOWN = (datetime, UUID)


def our_event(stored: Any) -> Event:
    """Back again."""
    fields = {name: value for name, value in vars(stored).items() if name not in OF_LIBRARY}
    return msgspec.convert(fields, EVENTS[type(stored).__name__], builtin_types=KNOWN)


OF_LIBRARY = frozenset({"originator_id", "originator_version", "timestamp"})


class StockView(PostgresTrackingRecorder):
    """Our tables of incidents, changes and statistics, kept event by event."""

    catalogue: Catalogue  # set before the runner makes it

    def take_in(self, stored: Any, tracking: Tracking) -> None:
        event = our_event(stored)
        zone = self.catalogue.zone_of(event.region, event.municipality)
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            row = self._row(cursor.connection, stored.originator_id, event, zone)
            before = {row.id: facts.told_of(row)}
            incidents.change(row, event, zone)
            row.version, row.pos = stored.originator_version, tracking.notification_id
            cursor.execute(WRITE, incidents.CELLS(row))
            change = (row.municipality, None, row.id, row.version, event.TOPIC, row.status)
            cursor.execute(FEED, [row.region, row.pos, *change, event.occurred_at])
            days.recompute(cursor.connection, facts.touched(before, [row]))

    def _row(
        self, connection: Connection[Any], incident_id: UUID, event: Event, zone: ZoneInfo
    ) -> IncidentRow:
        if isinstance(event, events.IncidentRegistered):
            return incidents.begun(incident_id, event, zone)
        return incidents.load(connection, [incident_id])[incident_id]


WRITE = (
    sql.SQL("INSERT INTO incident VALUES ({values}) ON CONFLICT (id) DO UPDATE SET {changes}")
    .format(
        values=sql.SQL(", ").join(sql.Placeholder() for _ in incidents.COLUMNS),
        changes=sql.SQL(", ").join(
            sql.SQL("{0} = excluded.{0}").format(sql.Identifier(column))
            for column in incidents.COLUMNS
            if column != "id"
        ),
    )
    .as_bytes(None)
)
FEED: LiteralString = """
INSERT INTO change (region, pos, municipality, moved_from, incident_id, version, event, status,
                    occurred_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
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
