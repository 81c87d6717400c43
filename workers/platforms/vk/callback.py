"""What VK's Callback API sends: whose it is, whether it came before, what it tells.

dev.vk.com/api/callback/getting-started and dev.vk.com/api/community-events/json-schema; required
fields by the schema VK publishes beside them (callback_base, version 5.199).
"""

import hmac
from collections.abc import Callable
from datetime import datetime

from workers.platforms.bodies import decode, digest
from workers.platforms.facts import Fact, Ignored, NotUnderstood
from workers.platforms.vk.event import Event
from workers.platforms.vk.messages import message_edit, message_new
from workers.platforms.vk.wall import post_new, reply_delete, reply_edit, reply_new

READERS: dict[str, Callable[[Event, datetime], Fact]] = {
    "confirmation": lambda event, received_at: Ignored("CONFIRMATION"),
    "message_edit": message_edit,
    "message_new": message_new,
    "message_reply": lambda event, received_at: Ignored("OWN"),
    "wall_post_new": post_new,
    "wall_reply_delete": reply_delete,
    "wall_reply_edit": reply_edit,
    "wall_reply_new": reply_new,
    "wall_reply_restore": reply_new,
}


def authentic(body: bytes, *, group_id: int, secret: str) -> bool:
    """Whether it is about this community and knows its secret; VK signs nothing.

    A confirmation may come without the secret: it asks for a string and tells nothing.
    """
    try:
        event = decode(body, Event)
    except NotUnderstood:
        return False
    given = event.secret
    if given is None and event.type == "confirmation":
        given = secret
    known = hmac.compare_digest((given or "").encode(), secret.encode())
    return known and secret != "" and event.group_id == group_id


def asks_confirmation(body: bytes) -> bool:
    """Whether the answer is the community's confirmation string, not «ok». Raises NotUnderstood."""
    return decode(body, Event).type == "confirmation"


def update_key(body: bytes) -> str:
    """The same for the same event sent again. Raises NotUnderstood."""
    event = decode(body, Event)
    return f"{event.group_id}:{digest(event.event_id or body)}"


def facts(body: bytes, *, received_at: datetime) -> list[Fact]:
    """Raises NotUnderstood."""
    event = decode(body, Event)
    read = READERS.get(event.type)
    return [read(event, received_at) if read else Ignored("OTHER_TYPE")]
