"""What time itself does to incidents: warnings, missed deadlines, escalations, closings.

Whoever looks, and however often: the incident says what has come due, and once it is recorded it
has nothing more to say. Two who look at once are told apart by the version of the incident.
"""

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from uuid import UUID

import psycopg

from domain.decisions import alarms_due
from domain.incident import Incident, StreamEvent, replay
from domain.rights import SYSTEM
from regions.centre import Centre
from regions.store.event_store import Alongside, AlreadyRecorded, decode_event, unavailable


def tell_time(centre: Centre, incident_ids: Sequence[UUID], *, at: datetime) -> int:
    """Record what has come due on incidents of the centre's region; returns the number of events.

    In one transaction, unless somebody changes one of them meanwhile: then that one waits for the
    next time. Raises StoreUnavailable.
    """
    return centre.patiently(lambda: _attempt(centre, incident_ids, at))


def _attempt(centre: Centre, incident_ids: Sequence[UUID], at: datetime) -> int:
    told = [it for it in _load(centre, incident_ids) if _tell(centre, it, at)]
    events = sum(len(it.pending) for it in told)
    if not told:
        return 0
    try:
        centre.save(*told, alongside=Alongside())
    except AlreadyRecorded:
        if len(incident_ids) == 1:
            return 0
        middle = len(incident_ids) // 2
        parts = (incident_ids[:middle], incident_ids[middle:])
        return sum(_attempt(centre, part, at) for part in parts)
    return events


def _tell(centre: Centre, incident: Incident, at: datetime) -> bool:
    """Whether anything has come due. A moment before its last event tells nothing."""
    if incident.last_at is not None and at < incident.last_at:
        return False
    while due := alarms_due(incident, at, centre.terms):
        for command in due:
            centre.proceed(incident, command, at=at, by=SYSTEM, alongside=Alongside())
    return bool(incident.pending)


def _load(centre: Centre, incident_ids: Sequence[UUID]) -> list[Incident]:
    """All of them in one question."""
    try:
        with centre.pool.connection() as connection, connection.cursor(binary=True) as cursor:
            cursor.execute(
                """
                SELECT originator_id,
                       originator_version,
                       topic,
                       payload::text
                  FROM events
                 WHERE region = %s
                   AND originator_id = ANY (%b)
                 ORDER BY originator_id, originator_version
                """,
                [centre.region.code, list(incident_ids)],
            )
            rows = cursor.fetchall()
    except psycopg.OperationalError as error:
        raise unavailable(error) from error
    streams = (
        replay(
            StreamEvent(of, version, decode_event(topic, payload))
            for of, version, topic, payload in rows
        )
        for _, rows in groupby(rows, key=lambda row: row[0])
    )
    return [incident for incident in streams if incident is not None]
