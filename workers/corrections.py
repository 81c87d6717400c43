"""What people made of what the model said: texts with the topic a person gave them, to learn from.

Each text is personal data: it is opened under the name of who asks, and that is written down.
"""

from collections.abc import Iterator
from typing import NamedTuple
from uuid import UUID

import msgspec

from domain import commands as c
from domain import events as e
from domain.rights import Actor
from regions.centre import Centre
from regions.node import Node
from regions.store.event_store import decode_event


class Correction(NamedTuple):
    text: str
    said: str | None  # the model's best topic
    topic: str  # the person's


def corrections(node: Node, region: str, by: Actor) -> Iterator[Correction]:
    """Of a region, in the order of the decisions; those agreed to by silence are none."""
    centre = node.centre(region)
    with node.pool.connection() as connection:
        rows = connection.execute(
            """
            SELECT DISTINCT originator_id
              FROM events
             WHERE region = %s
               AND topic = 'MessageRead'
             ORDER BY originator_id
            """,
            [region],
        ).fetchall()
    for (incident_id,) in rows:
        found = _of(centre, incident_id, by)
        if found is not None:
            yield found


def _of(centre: Centre, incident_id: UUID, by: Actor) -> Correction | None:
    said = decided = began = None
    for stored in centre.recorder.select_events(incident_id):
        event = decode_event(stored.topic, stored.state)
        match event:
            case e.MessageCaptured():
                began = event
            case e.MessageRead(reading=reading):
                said = reading.topics[0].topic if reading.topics else None
            case e.IncidentClassified(model=None) | e.IncidentReclassified():
                decided = event.topic
    if began is None or began.citizen is None or decided in (None, said):
        return None
    centre.note_opening(by, c.Capture, incident_id)
    content = centre.open(incident_id, began.citizen, c.Capture)
    if content is None or decided is None:
        return None
    return Correction(msgspec.json.decode(content, type=c.Citizen).text, said, decided)
