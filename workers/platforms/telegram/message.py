"""The objects of an update, as far as we read them (core.telegram.org/bots/api#message)."""

import re
from typing import Annotated

import msgspec

from workers.platforms.bodies import ABSENT, Id, SignedId, display_name, is_given

USERNAME = re.compile(r"\w{1,64}", re.ASCII)
COMMAND = re.compile(r"/[A-Za-z0-9_]{1,64}(@\w{1,64})?", re.ASCII)


class User(msgspec.Struct, frozen=True):
    id: Id
    is_bot: bool = False
    first_name: str = ""
    last_name: str | None = None
    username: str | None = None


class Chat(msgspec.Struct, frozen=True):
    id: SignedId
    type: str
    title: str | None = None
    username: str | None = None
    is_direct_messages: bool = False


class Location(msgspec.Struct, frozen=True):
    latitude: float
    longitude: float
    live_period: int | None = None


class Topic(msgspec.Struct, frozen=True):
    topic_id: Id


class Original(msgspec.Struct, frozen=True):
    """A message that was replied to."""

    message_id: Annotated[int, msgspec.Meta(ge=0)]
    sender_chat: Chat | None = None
    is_automatic_forward: bool = False


class Message(msgspec.Struct, frozen=True, rename={"sender": "from"}):
    message_id: Id  # 0 is a message that the server has yet to send: nothing to answer
    date: int
    chat: Chat
    sender: User | None = None
    sender_chat: Chat | None = None
    is_automatic_forward: bool = False
    is_topic_message: bool = False
    message_thread_id: Id | None = None
    direct_messages_topic: Topic | None = None
    reply_to_message: Original | None = None
    edit_date: int | None = None
    media_group_id: str | None = None
    text: str = ""
    caption: str = ""
    location: Location | None = None
    # Of all these we need to know no more than that they are there.
    rich_message: msgspec.Raw = ABSENT
    photo: msgspec.Raw = ABSENT
    video: msgspec.Raw = ABSENT
    video_note: msgspec.Raw = ABSENT
    animation: msgspec.Raw = ABSENT
    live_photo: msgspec.Raw = ABSENT
    paid_media: msgspec.Raw = ABSENT
    document: msgspec.Raw = ABSENT
    audio: msgspec.Raw = ABSENT
    voice: msgspec.Raw = ABSENT
    contact: msgspec.Raw = ABSENT
    poll: msgspec.Raw = ABSENT
    checklist: msgspec.Raw = ABSENT
    sticker: msgspec.Raw = ABSENT
    dice: msgspec.Raw = ABSENT
    game: msgspec.Raw = ABSENT
    story: msgspec.Raw = ABSENT

    def kinds(self) -> list[str]:
        """What it holds beside the text."""
        found = [name for name in CONTENTS if is_given(getattr(self, name))]
        return [*found, "location"] if self.location else found

    def words(self) -> str:
        return self.text or self.caption

    def is_command(self) -> bool:
        return COMMAND.fullmatch(self.text.strip()) is not None


CONTENTS = Message.__struct_fields__[Message.__struct_fields__.index("rich_message") :]


class Update(msgspec.Struct, frozen=True):
    update_id: Id  # the same when the update is sent again
    message: Message | None = None
    edited_message: Message | None = None


def profile(user: User | Chat) -> str | None:
    """A link to who wrote; without a public name that only the platform's own programs follow."""
    if user.username and USERNAME.fullmatch(user.username):
        return f"https://t.me/{user.username}"
    return f"tg://user?id={user.id}" if isinstance(user, User) else None


def shown_name(user: User | Chat) -> str | None:
    if isinstance(user, User):
        return display_name(user.first_name, user.last_name)
    return display_name(user.title)
