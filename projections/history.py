"""What happened to an incident, event by event. Read from the log itself: it is never projected."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection

from domain.events import Event
from projections import incidents
from projections.incidents import IncidentRow
from regions.reference.catalogue import Catalogue
from regions.store.event_store import decode_event


class HistoryKey(NamedTuple):
    region: str
    incident_id: UUID


class PastEvent(NamedTuple):
    pos: int
    version: int
    event: Event


def as_of(
    past: Sequence[PastEvent], moment: datetime, key: HistoryKey, catalogue: Catalogue
) -> IncidentRow | None:
    """The row of the incident as it stood at a moment; None before it was registered."""
    row: IncidentRow | None = None
    for pos, version, event in past:
        if event.occurred_at > moment:
            break
        zone = catalogue.zone_of(event.region, event.municipality)
        row = incidents.taken(row, key.incident_id, event, zone, version=version, pos=pos)
    return row


async def histories(
    connection: AsyncConnection[Any], keys: Sequence[HistoryKey]
) -> list[list[PastEvent]]:
    """The events of each incident in the order of the keys, by version."""
    found: dict[HistoryKey, list[PastEvent]] = {key: [] for key in keys}
    cursor = await connection.execute(
        """
        SELECT events.region,
               originator_id,
               pos,
               originator_version,
               topic,
               payload::text
          FROM unnest(%s::text[], %s::uuid[]) AS wanted (region, id)
          JOIN events ON events.region = wanted.region
                     AND originator_id = wanted.id
         ORDER BY originator_id, originator_version
        """,
        [[key.region for key in keys], [key.incident_id for key in keys]],
        binary=True,
    )
    async for region, incident_id, pos, version, topic, payload in cursor:
        event = decode_event(topic, payload)
        found[HistoryKey(region, incident_id)].append(PastEvent(pos, version, event))
    return [found[key] for key in keys]
