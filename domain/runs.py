"""How each clock of an incident ran: until when it had time, and when it was stopped."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from domain import events as e
from domain.deadlines import Deadline
from domain.incident import Incident
from domain.vocabulary import Clock

# Nobody has to answer any more, or somebody elsewhere: the deadline is neither kept nor missed.
WITHDRAWING = e.IncidentRejected | e.IncidentMerged | e.IncidentTransferredOut


class Run(NamedTuple):
    """A clock from its start to its end, with the deadline that counted last."""

    deadline: Deadline
    ended_at: datetime | None  # by the reply or the resolution; None: it runs still
    paused_at: datetime | None  # since when it stands still

    @property
    def clock(self) -> Clock:
        return self.deadline.clock

    def late_seconds(self, now: datetime) -> float | None:
        """By how much the deadline was missed, so far; None if it was not.

        A clock that stands still is late for nothing, unless it was so before.
        """
        late = ((self.paused_at or self.ended_at or now) - self.deadline.due_at).total_seconds()
        return late if late > 0 else None


def runs_of(incident_id: UUID, events: Iterable[e.Event]) -> list[Run]:
    """All clocks that were ever started and not withdrawn, those that run still at the end."""
    incident, ended = Incident(incident_id), list[Run]()
    for event in events:
        running = _running(incident)
        incident.apply(event)
        if not isinstance(event, WITHDRAWING):
            left = incident.cycle.clocks.running
            ended += [
                run._replace(ended_at=event.occurred_at) for run in running if run.clock not in left
            ]
    return ended + _running(incident)


def _running(incident: Incident) -> list[Run]:
    clocks, pauses = incident.cycle.clocks, incident.cycle.pauses
    return [
        Run(deadline, None, pauses[-1].start if clock in clocks.paused and pauses else None)
        for clock, deadline in clocks.running.items()
    ]
