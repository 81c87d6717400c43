"""One call of a method of VK's API, and what VK answers.

dev.vk.com/api/api-requests; objects by the schema VK publishes (version 5.199).
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

import msgspec

from workers.platforms.clients import Secret
from workers.platforms.pace import Limit, Pace
from workers.platforms.vk.refusals import failure
from workers.platforms.wire import Request, Wire

T = TypeVar("T")

VERSION = "5.199"
COMMUNITY_LIMIT = Limit(20, 1.0)  # with the token of a community; a user's has 3 a second


class Error(msgspec.Struct, frozen=True):
    error_code: int
    error_msg: str = ""


class Envelope(msgspec.Struct, frozen=True):
    """The response waits until we know that there is no error."""

    response: msgspec.Raw = msgspec.Raw(b"")
    error: Error | None = None


class Commented(msgspec.Struct, frozen=True):
    comment_id: int


class MessageError(msgspec.Struct, frozen=True):
    code: int
    description: str = ""


class Sent(msgspec.Struct, frozen=True):
    peer_id: int
    message_id: int = 0
    conversation_message_id: int = 0
    error: MessageError | None = None


class Comment(msgspec.Struct, frozen=True):
    id: int
    from_id: int
    date: int
    text: str = ""
    reply_to_comment: int | None = None


class Message(msgspec.Struct, frozen=True):
    id: int
    peer_id: int
    conversation_message_id: int
    from_id: int
    random_id: int = 0


class Comments(msgspec.Struct, frozen=True):
    items: tuple[Comment, ...]


class History(msgspec.Struct, frozen=True):
    items: tuple[Message, ...]


class Calls:
    """The methods of one community, no more often than allowed."""

    def __init__(self, address: str, limit: Limit, pace: Pace) -> None:
        # Every call that changes something carries its guid or random_id.
        self.wire = Wire(address, repeats_safely=True)
        self.limit = limit
        self.pace = pace

    def call(self, method: str, form: Mapping[str, str], token: Secret, kind: type[T]) -> T:
        """Raises Refused, Postponed."""
        self.pace.take([("all", self.limit)])
        # In the body, not in the address: addresses are logged on the way.
        access = {"access_token": token.reveal(), "v": VERSION}
        answer = self.wire.send(Request(f"/method/{method}", form={**form, **access}))
        self.wire.check_status(answer)
        envelope = self.wire.read(answer, Envelope)
        if envelope.error:
            raise failure(envelope.error.error_code, envelope.error.error_msg)
        return self.wire.read(replace(answer, body=bytes(envelope.response)), kind)
