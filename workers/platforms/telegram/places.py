"""How we name what stands on Telegram, and where a reply goes."""

import re
from dataclasses import dataclass

from workers.platforms.facts import ReplyTo

PLACE = re.compile(r"chat:(-?\d{1,19}):(\d{1,19})(?::(t|d)(\d{1,19}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class InChat:
    chat: int  # below zero: a group; above: a citizen's private chat with the bot
    message: int
    thread: int | None = None  # a topic of a forum
    topic: int | None = None  # of the direct messages of a channel

    @property
    def is_group(self) -> bool:
        return self.chat < 0


def message_id(chat: int, message: int) -> str:
    """In private chats without the chat, whose id is the citizen's.

    All private chats of a bot count their messages together (core.telegram.org/api/updates, message
    box), so the number alone is enough.
    """
    return f"{chat}_{message}" if chat < 0 else f"pm{message}"


def in_chat(place: InChat) -> ReplyTo:
    tail = f":t{place.thread}" if place.thread else f":d{place.topic}" if place.topic else ""
    return ReplyTo(f"chat:{place.chat}:{place.message}{tail}")


def read_place(place: str) -> InChat:
    """Raises ValueError for what this module did not make."""
    match = PLACE.fullmatch(place)
    if match is None:
        raise ValueError("not a place on Telegram")
    chat, message, kind, number = match.groups()
    return InChat(
        int(chat),
        int(message),
        thread=int(number) if kind == "t" else None,
        topic=int(number) if kind == "d" else None,
    )
