"""Answering on VK: comments and messages in the name of a community.

dev.vk.com/method/wall.createComment, …/messages.send, …/wall.getComments, …/messages.getHistory.
"""

import hashlib
import json
from typing import ClassVar
from uuid import UUID

from workers.platforms.clients import Client, Secret, Uncertain, asked_at, check_length, same_text
from workers.platforms.pace import Limit, Pace
from workers.platforms.vk.calls import (
    COMMUNITY_LIMIT,
    Calls,
    Comment,
    Commented,
    Comments,
    History,
    Sent,
)
from workers.platforms.vk.places import (
    InConversation,
    OnWall,
    comment_id,
    message_id,
    read_place,
)
from workers.platforms.vk.refusals import failure

COMMENT_MAX = 16_384  # characters; VK documents no limit, its pages take so many
MESSAGE_MAX = 9_000  # characters (messages.send, message); VK may refuse fewer, with 914
LOOK_BACK = 100  # comments or messages looked through for a reply of ours: one page


class VkClient(Client):
    """A community. VK knows a repeated comment by its guid, a repeated message by its random_id."""

    repeats_safely: ClassVar = True
    finds: ClassVar = True

    def __init__(
        self,
        address: str,
        *,
        group_id: int,
        token: Secret,
        reading_token: Secret | None = None,
        limit: Limit = COMMUNITY_LIMIT,
        pace: Pace | None = None,
    ) -> None:
        """`reading_token`: a user's or a service's; wall.getComments takes no community's."""
        self._group_id = group_id
        self._token = token
        self._reading_token = reading_token
        self._calls = Calls(address, limit, pace or Pace())

    def publish(self, place: str, text: str, key: UUID) -> str:
        where = read_place(place)
        if isinstance(where, OnWall):
            return self._comment(where, text, key)
        return self._message(where, text, key)

    def find(self, place: str, text: str, key: UUID) -> str | None:
        where = read_place(place)
        if isinstance(where, OnWall):
            return self._find_comment(where, text, key)
        return self._find_message(where, key)

    def close(self) -> None:
        self._calls.wire.close()

    def _comment(self, where: OnWall, text: str, key: UUID) -> str:
        check_length(text, COMMENT_MAX, platform="VK")
        form = {
            "owner_id": f"{where.owner}",
            "post_id": f"{where.post}",
            "from_group": f"{self._group_id}",
            "message": text,
            "guid": key.hex,
        }
        if where.comment:
            form["reply_to_comment"] = f"{where.comment}"
        done = self._calls.call("wall.createComment", form, self._token, Commented)
        return comment_id(where.owner, where.post, done.comment_id)

    def _message(self, where: InConversation, text: str, key: UUID) -> str:
        check_length(text, MESSAGE_MAX, platform="VK")
        # With peer_ids VK tells the message's number in the conversation too, with peer_id not.
        form = {"peer_ids": f"{where.peer}", "message": text, "random_id": f"{random_id(key)}"}
        if where.message:
            form["forward"] = _as_reply(where.peer, where.message)
        (sent,) = self._calls.call("messages.send", form, self._token, tuple[Sent])
        if sent.error:
            raise failure(sent.error.code, sent.error.description)
        return self._sent(where, sent)

    def _sent(self, where: InConversation, sent: Sent) -> str:
        # 32 bits can repeat: then VK names an older message and sends nothing.
        number = sent.conversation_message_id
        if sent.peer_id != where.peer or number <= (where.message or 0):
            raise Uncertain("VK: random_id belongs to an older message")
        return message_id(self._group_id, sent.peer_id, sent.message_id, number)

    def _find_comment(self, where: OnWall, text: str, key: UUID) -> str | None:
        if self._reading_token is None:
            raise Uncertain("VK: without the token of a user or a service nobody reads comments")
        form = {
            "owner_id": f"{where.owner}",
            "post_id": f"{where.post}",
            "count": f"{LOOK_BACK}",
            "sort": "desc",
            "preview_length": "0",
        }
        if where.comment:
            form["comment_id"] = f"{where.thread or where.comment}"
        found = self._calls.call("wall.getComments", form, self._reading_token, Comments)
        ours = (old for old in found.items if self._is_ours(old, where, text, key))
        return next((comment_id(where.owner, where.post, old.id) for old in ours), None)

    def _is_ours(self, old: Comment, where: OnWall, text: str, key: UUID) -> bool:
        since = asked_at(key)
        recent = since is None or old.date >= since.timestamp()
        replied = where.comment is None or old.reply_to_comment in (where.comment, None)
        return old.from_id == -self._group_id and recent and replied and same_text(old.text, text)

    def _find_message(self, where: InConversation, key: UUID) -> str | None:
        form = {"peer_id": f"{where.peer}", "count": f"{LOOK_BACK}"}
        found = self._calls.call("messages.getHistory", form, self._token, History)
        for old in found.items:
            if old.from_id == -self._group_id and old.random_id == random_id(key):
                number = old.conversation_message_id
                return message_id(self._group_id, old.peer_id, old.id, number)
        return None


def random_id(key: UUID) -> int:
    """32 bits with a sign, as VK keeps them; 0 would switch the recognition off."""
    return int.from_bytes(hashlib.sha256(key.bytes).digest()[:4], signed=True) or 1


def _as_reply(peer: int, message: int) -> str:
    return json.dumps(
        {"peer_id": peer, "conversation_message_ids": [message], "is_reply": True},
    )
