"""What Odnoklassniki sends: the private messages to a group.

apiok.ru/dev/graph_api/methods/graph.user/graph.user.subscribe/post. Webhooks tell of chats only:
for comments in discussions the documentation knows none, so those come through the signed door
from whoever watches them. Nothing is signed, so the address we register holds a token that cannot
be guessed, and the networks the requests come from are published.
"""

import hmac
from datetime import datetime
from ipaddress import ip_address, ip_network

import msgspec

from workers.platforms.bodies import (
    Attachment,
    Milliseconds,
    Token,
    decode,
    digest,
    display_name,
    moment,
    says_nothing,
    words,
)
from workers.platforms.facts import Fact, Ignored, NotUnderstood, Posted, ReplyTo

NETWORKS = tuple(
    ip_network(network)
    for network in ("217.20.145.192/28", "217.20.151.160/28", "217.20.153.48/28")
)


class Sender(msgspec.Struct, frozen=True):
    user_id: Token  # user:123456789012
    name: str | None = None


class Recipient(msgspec.Struct, frozen=True):
    chat_id: Token  # chat:C3ecb9d02a600


class Message(msgspec.Struct, frozen=True):
    mid: Token  # mid:C3ecb9d02a600.15cea67d78d2059
    text: str = ""
    reply_to: Token | None = None  # a mid
    attachments: tuple[Attachment, ...] = ()


class Webhook(msgspec.Struct, frozen=True, rename={"type": "webhookType"}):
    type: str = "MESSAGE_CREATED"  # older subscriptions do not name it
    sender: Sender | None = None
    recipient: Recipient | None = None
    message: Message | None = None
    timestamp: Milliseconds | None = None


def authentic(given: str, *, token: str) -> bool:
    """Whether the last part of the path is the token of the address we registered."""
    known = hmac.compare_digest(given.encode("utf-8", "replace"), token.encode())
    return known and token != ""


def is_from_odnoklassniki(address: str) -> bool:
    """Whether the peer is in the published networks: for servers that see it, with no proxy."""
    try:
        peer = ip_address(address)
    except ValueError:
        return False
    return any(peer in network for network in NETWORKS)


def asks_confirmation(body: bytes) -> bool:
    """Whether the answer is the string of the settings. Raises NotUnderstood.

    apiok.ru/en/apps/features/webhook_events
    """
    return decode(body, Webhook).type == "CONFIRMATION"


def update_key(body: bytes) -> str:
    """The same for the same message sent again. Raises NotUnderstood."""
    message = decode(body, Webhook).message
    return message.mid if message else digest(body)


def facts(body: bytes, *, received_at: datetime) -> list[Fact]:
    """Raises NotUnderstood."""
    webhook = decode(body, Webhook)
    if webhook.type == "CONFIRMATION":
        return [Ignored("CONFIRMATION")]
    if webhook.type != "MESSAGE_CREATED" or webhook.message is None:
        return [Ignored("OTHER_TYPE")]
    return [_posted(webhook, webhook.message)]


def _posted(webhook: Webhook, message: Message) -> Fact:
    sender, recipient, timestamp = webhook.sender, webhook.recipient, webhook.timestamp
    if sender is None or recipient is None or timestamp is None:
        raise NotUnderstood("FIELD_INVALID", "sender, recipient or timestamp is missing")
    kinds = [attachment.type.lower() for attachment in message.attachments]
    if says_nothing(message.text, kinds):
        return Ignored("NO_MESSAGE")
    return Posted(
        external_id=message.mid,
        text=words(message.text, kinds),
        published_at=moment(timestamp / 1000, "timestamp"),
        author=display_name(sender.name),
        # No link: the ids of users differ from one application to another.
        contact=sender.user_id,
        author_key=f"ok:{sender.user_id}",
        place=ReplyTo(recipient.chat_id),
        direct=True,
        answers=message.reply_to,
    )
