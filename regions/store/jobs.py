"""What events ask of the workers: jobs that the statement of their save puts on the queue.

"Save, then send" loses the job when the process dies between the two. A job of a save is on the
queue exactly if its events are stored. It names identifiers only; whatever else its actor needs, it
reads.
"""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import dramatiq

from domain import events as e
from domain.incident import Incident
from regions.store import tracing
from regions.store.event_store import OutboxMessage


class Queue(StrEnum):
    """Each is worked on by processes of its own."""

    DEFAULT = "default"
    EXPORTS = "exports"  # a file takes minutes, and no reply waits for one


QUEUE_OF = {"write_export": Queue.EXPORTS}

# The actors are in workers/; they take region, incident and the version of the event.
ACTOR_OF: dict[type[e.Event], str] = {
    e.IncidentTransferredOut: "receive_transfer",
    e.ReplyApproved: "plan_deliveries",
    e.ReplySubmitted: "plan_deliveries",
}
ACTOR_OF_CAPTURED = ACTOR_OF | {e.IncidentClassified: "route"}  # others are assigned by people


def jobs_of(region: str, incident: Incident, *, at: datetime) -> list[OutboxMessage]:
    """The jobs of the events of an incident that are about to be saved."""
    actor_of = ACTOR_OF_CAPTURED if incident.source is not None else ACTOR_OF
    return [
        job(
            actor_of[type(each.event)],
            region,
            str(each.originator_id),
            each.originator_version,
            available_at=at,
        )
        for each in incident.pending
        if type(each.event) in actor_of
    ]


def job(actor: str, *identifiers: str | int, available_at: datetime) -> OutboxMessage:
    """A call of an actor, as a save takes it along."""
    message: dramatiq.Message[None] = dramatiq.Message(
        QUEUE_OF.get(actor, Queue.DEFAULT), actor, identifiers, {}, {**tracing.carried()}
    )
    return OutboxMessage(
        message_id=UUID(message.message_id),
        queue=message.queue_name,
        body=message.encode(),
        available_at=available_at,
    )
