"""An actor's call as a message that is enqueued with the events, or not at all.

"Save, then send" loses the message when the process dies between the two; a message in the outbox
of the save is on the queue exactly if the events are stored.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

import dramatiq

from regions.event_store import OutboxMessage


def outbox_message(
    actor: dramatiq.Actor[..., Any], *identifiers: str | int, available_at: datetime
) -> OutboxMessage:
    """For `Centre.handle(outbox=…)`. Identifiers only: whatever else the actor needs, it reads."""
    message = actor.message(*identifiers)
    return OutboxMessage(
        message_id=UUID(message.message_id),
        queue=message.queue_name,
        body=message.encode(),
        available_at=available_at,
    )
