"""Messages to a community (dev.vk.com/reference/objects/message)."""

from datetime import datetime

import msgspec

from workers.platforms.bodies import (
    ABSENT,
    Attachment,
    Id,
    SignedId,
    is_given,
    moment,
    says_nothing,
    some_id,
    words,
)
from workers.platforms.facts import Edited, Fact, Ignored, Posted
from workers.platforms.vk.event import Event, Geo, author, kinds, point, read_object
from workers.platforms.vk.places import CHATS_FROM, InConversation, in_conversation, message_id

START = '{"command":"start"}'  # the button «Начать», with which a conversation begins


class Replied(msgspec.Struct, frozen=True):
    conversation_message_id: int
    id: int = 0


class Message(msgspec.Struct, frozen=True):
    peer_id: SignedId
    from_id: SignedId
    date: int
    conversation_message_id: Id
    id: int = 0
    text: str = ""
    out: int = 0
    update_time: int | None = None
    payload: str = ""  # of the button that wrote it
    action: msgspec.Raw = ABSENT  # somebody joined, a title changed
    reply_message: Replied | None = None
    fwd_messages: tuple[msgspec.Raw, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    geo: Geo | None = None

    def kinds(self) -> list[str]:
        """What it holds beside the text."""
        found = kinds(self.attachments)
        found += ["forwarded"] if self.fwd_messages else []
        return [*found, "location"] if self.geo else found


class NewMessage(msgspec.Struct, frozen=True):
    message: Message | None = None


def message_new(event: Event, received_at: datetime) -> Fact:
    # Before version 5.103 the object was the message itself, and a server that was set up with such
    # a version keeps it.
    return _message(
        event.group_id, read_object(event, NewMessage).message or read_object(event, Message)
    )


def message_edit(event: Event, received_at: datetime) -> Fact:
    message = read_object(event, Message)
    now = _message(event.group_id, message)
    if not isinstance(now, Posted):
        return now
    at = moment(message.update_time, "update_time") if message.update_time else received_at
    return Edited(external_id=now.external_id, text=now.text, edited_at=at, message=now)


def _message(group: int, message: Message) -> Fact:
    if message.out or message.from_id == -group:
        return Ignored("OWN")
    if is_given(message.action):
        return Ignored("SERVICE")
    if message.payload == START or says_nothing(message.text, message.kinds()):
        return Ignored("NO_MESSAGE")
    return _posted(group, message)


def _posted(group: int, message: Message) -> Posted:
    peer, replied = some_id(message.peer_id, "peer_id"), message.reply_message
    latitude, longitude = point(message.geo)
    return Posted(
        external_id=message_id(group, peer, message.id, message.conversation_message_id),
        text=words(message.text, message.kinds()),
        published_at=moment(message.date),
        place=in_conversation(InConversation(peer, message.conversation_message_id)),
        direct=peer < CHATS_FROM,
        answers=message_id(group, peer, replied.id, replied.conversation_message_id)
        if replied
        else None,
        latitude=latitude,
        longitude=longitude,
        author_key=author(message.from_id).key,
        contact=author(message.from_id).profile,
    )
