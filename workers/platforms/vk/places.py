"""How we name what stands on VK, and where a reply goes."""

import re
from dataclasses import dataclass

from workers.platforms.bodies import digest
from workers.platforms.facts import ReplyTo

CHATS_FROM = 2_000_000_000  # peers above are conversations of several (messages.send, peer_id)

WALL = re.compile(r"wall:(-?\d{1,19})_(\d{1,19})(?::(\d{1,19})(?::(\d{1,19}))?)?", re.ASCII)
CONVERSATION = re.compile(r"im:(-?\d{1,19})(?::(\d{1,19}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class OnWall:
    owner: int  # below zero: a community
    post: int
    comment: int | None = None  # None: the post itself
    thread: int | None = None  # the comment at its top, where that is another one


@dataclass(frozen=True, slots=True)
class InConversation:
    peer: int
    message: int | None = None  # in the conversation; None: the author of a suggested post


def post_id(owner: int, post: int) -> str:
    return f"wall{owner}_{post}"


def comment_id(owner: int, post: int, comment: int) -> str:
    return f"wall{owner}_{post}_r{comment}"


def message_id(group: int, peer: int, message: int, in_conversation: int) -> str:
    """By VK's own number where it gives one: the peer, who may be a citizen, never stands in it."""
    if message > 0:
        return f"im-{group}_m{message}"
    return f"im-{group}_{digest(str(group), str(peer))}_{in_conversation}"


def on_wall(place: OnWall) -> ReplyTo:
    comment = f":{place.comment}" if place.comment else ""
    thread = f":{place.thread}" if place.thread else ""
    return ReplyTo(f"wall:{place.owner}_{place.post}{comment}{thread}")


def in_conversation(place: InConversation) -> ReplyTo:
    return ReplyTo(f"im:{place.peer}" + (f":{place.message}" if place.message else ""))


def read_place(place: str) -> OnWall | InConversation:
    """Raises ValueError for what this module did not make."""
    if match := WALL.fullmatch(place):
        owner, post, comment, thread = match.groups()
        return OnWall(int(owner), int(post), _optional(comment), _optional(thread))
    if match := CONVERSATION.fullmatch(place):
        return InConversation(int(match[1]), _optional(match[2]))
    raise ValueError("not a place on VK")


def _optional(number: str | None) -> int | None:
    return int(number) if number else None
