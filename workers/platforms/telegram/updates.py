"""What Telegram sends to a bot: private messages, and messages in the groups it sits in.

core.telegram.org/bots/api#update and #setwebhook. A comment on a post of a channel is a message in
the group linked to the channel. Telegram tells bots nothing about deletions.
"""

import hmac
from collections.abc import Collection
from datetime import datetime

from workers.platforms.bodies import (
    decode,
    is_given,
    moment,
    sane_point,
    says_nothing,
    some_id,
    words,
)
from workers.platforms.facts import Edited, Fact, Ignored, NotUnderstood, Posted
from workers.platforms.telegram.message import (
    Chat,
    Message,
    Update,
    User,
    profile,
    shown_name,
)
from workers.platforms.telegram.places import InChat, in_chat, message_id

SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - the name, not the secret


def authentic(given: str | None, *, secret: str) -> bool:
    """Whether the header SECRET_HEADER holds the secret that the webhook was set with."""
    known = hmac.compare_digest((given or "").encode(), secret.encode())
    return known and secret != ""


def update_key(body: bytes) -> str:
    """The same for the same update sent again. Raises NotUnderstood."""
    return str(decode(body, Update).update_id)


def facts(body: bytes, *, received_at: datetime, ours: Collection[int] = frozenset()) -> list[Fact]:
    """Raises NotUnderstood.

    `ours`: ids of the centre's own channels, in whose name its people write in groups. Telegram
    shows that such a message is ours only when it stands directly under a post of the channel.
    """
    update = decode(body, Update)
    if update.message is not None:
        return [_message(update.message, ours)]
    if update.edited_message is not None:
        return [_edited(update.edited_message, ours, received_at)]
    # Among them the posts of a channel: a bot sits only in channels of its own.
    return [Ignored("OTHER_TYPE")]


def _edited(message: Message, ours: Collection[int], received_at: datetime) -> Fact:
    if message.location is not None and message.location.live_period:
        return Ignored("NO_MESSAGE")  # the citizen walks, and wrote nothing new
    now = _message(message, ours)
    if not isinstance(now, Posted):
        return now
    at = moment(message.edit_date, "edit_date") if message.edit_date else received_at
    return Edited(external_id=now.external_id, text=now.text, edited_at=at, message=now)


def _message(message: Message, ours: Collection[int]) -> Fact:
    author = _author(message, ours)
    if author is None:
        return Ignored("OWN")
    if is_given(message.rich_message) and not message.words():
        raise NotUnderstood("RICH_MESSAGE", "`$.message.rich_message`")
    if message.is_command() or says_nothing(message.words(), message.kinds()):
        return Ignored("NO_MESSAGE")
    if message.media_group_id and not message.words():
        return Ignored("ALBUM")  # one of its pictures has the words of all
    return _posted(message, author)


def _author(message: Message, ours: Collection[int]) -> User | Chat | None:
    """None: the bot itself, another bot, the group or the channel it belongs to.

    A message in the name of a chat comes with a made-up sender, which tells nothing.
    """
    chat = message.sender_chat
    if chat is None:
        return message.sender if message.sender and not message.sender.is_bot else None
    original = message.reply_to_message
    linked = original.sender_chat if original and original.is_automatic_forward else None
    own = {*ours, message.chat.id, linked.id if linked else 0}
    return None if message.is_automatic_forward or chat.id in own else chat


def _posted(message: Message, author: User | Chat) -> Posted:
    chat, location, original = message.chat, message.location, message.reply_to_message
    some_id(chat.id, "chat.id")
    latitude = location.latitude if location else None
    longitude = location.longitude if location else None
    sane_point(latitude, longitude)
    return Posted(
        external_id=message_id(chat.id, message.message_id),
        text=words(message.words(), message.kinds()),
        published_at=moment(message.date),
        author=shown_name(author),
        contact=profile(author),
        author_key=f"tg:{author.id}",
        place=in_chat(_place(message)),
        direct=chat.type == "private" or chat.is_direct_messages,
        answers=message_id(chat.id, original.message_id) if original else None,
        latitude=latitude,
        longitude=longitude,
    )


def _place(message: Message) -> InChat:
    topic = message.direct_messages_topic
    return InChat(
        message.chat.id,
        message.message_id,
        thread=message.message_thread_id if message.is_topic_message else None,
        topic=topic.topic_id if topic else None,
    )
