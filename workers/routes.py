"""After a message from a source is classified: whoever is in charge gets it, by rule."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from domain import commands as c
from domain.errors import DomainError
from domain.events import IncidentAssigned
from domain.incident import Incident
from domain.lifecycle import TRIAGE
from domain.vocabulary import LinkKind
from regions.centre import Centre
from regions.reference.routing import Matter, Routing
from workers.asking import ask

RECURRENCE = timedelta(days=90)  # the same topic and place again (lifecycle-and-metrics 3.4)


def route(
    centre: Centre, routing: Routing, incident_id: UUID, version: int, *, at: datetime
) -> None:
    """Link it to what was solved there before, and assign it, if nobody has done so meanwhile."""
    incident = centre.incident(incident_id)
    if incident.topic is None:
        return
    earlier = _solved_before(centre, incident, at)
    if earlier is not None and earlier not in incident.links:
        link = c.Link(to=earlier, kind=LinkKind.RECURRENCE)
        _try(centre, incident_id, link, uuid5(incident_id, f"recurrence {version}"), at)
    if incident.status not in TRIAGE or _was_assigned_since(centre, incident_id, version):
        return
    matter = Matter(incident.topic, incident.municipality, incident.channel, at)
    found = routing.route(centre.region.code, matter)
    if found is not None:
        assign = c.Assign(organisation=found.organisation, holder=found.curator, rule=found.rule)
        _try(centre, incident_id, assign, uuid5(incident_id, f"route {version}"), at)


def _was_assigned_since(centre: Centre, incident_id: UUID, version: int) -> bool:
    """Then this job has nothing to say any more, not even if it was returned."""
    since = centre.recorder.select_events(incident_id, gt=version)
    return any(event.topic == IncidentAssigned.TOPIC for event in since)


def _try(
    centre: Centre, incident_id: UUID, command: c.Command, command_id: UUID, at: datetime
) -> None:
    """A person who was quicker, or decided otherwise, is right."""
    try:
        ask(centre, incident_id, command, command_id=command_id, at=at)
    except DomainError:
        return


def _solved_before(centre: Centre, incident: Incident, at: datetime) -> UUID | None:
    """The last one of its topic that was solved in its cell within RECURRENCE."""
    row: tuple[Any, ...] | None = centre.row(
        """
        SELECT earlier.id
          FROM read.incident AS new
          JOIN read.incident AS earlier ON earlier.region = new.region
                                       AND earlier.cell = new.cell
                                       AND earlier.topic = %s
                                       AND earlier.id <> new.id
         WHERE new.id = %s
           AND earlier.outcome = 'SOLVED'
           AND earlier.resolved_at BETWEEN %s AND %s
         ORDER BY earlier.resolved_at DESC
         LIMIT 1
        """,
        incident.topic,
        incident.id,
        at - RECURRENCE,
        at,
    )
    return row[0] if row else None
