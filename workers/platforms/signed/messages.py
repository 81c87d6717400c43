"""What comes through `POST /intake/v1/messages`.

The body is one message, or `{"messages": [...]}` with up to 100, of which each is taken or refused
by itself. A message has

    event         "posted" (if it is missing), "edited" or "deleted"
    id            1-200 characters; the same in every event of a message, and no personal data
    text          1-20,000 characters                                (posted, edited)
    publishedAt   ISO 8601 with an offset from UTC                   (posted)
    editedAt, deletedAt   likewise; if missing, the arrival          (edited, deleted)

and a posted one may have

    author        {"name": …, "contact": …}, each up to 200 characters
    latitude, longitude   degrees, WGS 84; both or none
    municipality, topic   codes of the catalogue
    kind          COMPLAINT, SUGGESTION, QUESTION, MESSAGE or THANKS
    regime        IM, POS_MESSAGE or FZ59_APPEAL
    answers       id of the message it goes on from

A field that is not in this list is refused, above all an address to reply to: where replies go is
configuration of ours, never a part of a message.
"""

from datetime import datetime
from typing import Annotated

import msgspec

from domain.commands import TEXT_MAX
from domain.vocabulary import Kind, Regime
from workers.platforms.bodies import (
    ABSENT,
    decode,
    digest,
    is_given,
    sane_date,
    sane_point,
    sane_text,
)
from workers.platforms.facts import Deleted, Edited, Fact, NotUnderstood, Posted, ReplyTo

MESSAGES_MAX = 100  # of one body

Code = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9._-]{1,64}\Z")]  # of the catalogue
Time = Annotated[datetime, msgspec.Meta(tz=True)]
PRIVATE = frozenset({Regime.POS_MESSAGE, Regime.FZ59_APPEAL})  # between a citizen and the state


class Author(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str | None = None
    contact: str | None = None


class _Event(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel", kw_only=True):
    event: str
    id: str


class NewMessage(_Event, frozen=True, kw_only=True):
    event: str = "posted"
    text: str
    published_at: Time
    author: Author = Author()
    latitude: float | None = None
    longitude: float | None = None
    municipality: Code | None = None
    topic: Code | None = None
    kind: Kind | None = None
    regime: Regime | None = None
    answers: str | None = None


class EditedMessage(_Event, frozen=True, kw_only=True):
    text: str
    edited_at: Time | None = None


class DeletedMessage(_Event, frozen=True, kw_only=True):
    deleted_at: Time | None = None


class Named(msgspec.Struct, frozen=True):
    """Which event an object is, whatever else it holds."""

    event: str = "posted"


class Body(msgspec.Struct, frozen=True):
    messages: msgspec.Raw = ABSENT


class Batch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    messages: Annotated[
        tuple[msgspec.Raw, ...], msgspec.Meta(min_length=1, max_length=MESSAGES_MAX)
    ]


def update_key(body: bytes) -> str:
    """The same for the same body sent again."""
    return digest(body)


def facts(body: bytes, *, received_at: datetime) -> list[Fact | NotUnderstood]:
    """One for each message, in their order; raises NotUnderstood if the body itself is none."""
    if not is_given(decode(body, Body).messages):
        return [_fact(body, received_at)]
    return [_result(message, received_at) for message in decode(body, Batch).messages]


def _result(message: msgspec.Raw, received_at: datetime) -> Fact | NotUnderstood:
    try:
        return _fact(message, received_at)
    except NotUnderstood as not_understood:
        return not_understood


def _fact(message: bytes | msgspec.Raw, received_at: datetime) -> Fact:
    match decode(message, Named).event:
        case "posted":
            return _posted(decode(message, NewMessage))
        case "edited":
            return _edited(decode(message, EditedMessage), received_at)
        case "deleted":
            return _deleted(decode(message, DeletedMessage), received_at)
        case _:
            raise NotUnderstood("FIELD_INVALID", "`$.event`")


def _posted(message: NewMessage) -> Posted:
    external_id = sane_text(message.id, "id")
    sane_date(message.published_at, "publishedAt")
    sane_point(message.latitude, message.longitude)
    author = _optional(message.author.name, "author.name")
    contact = _optional(message.author.contact, "author.contact")
    return Posted(
        external_id=external_id,
        text=sane_text(message.text, "text", TEXT_MAX),
        published_at=message.published_at,
        author=author,
        contact=contact,
        # Who does not say who they are is somebody else each time.
        author_key=f"signed:{digest(contact or author or external_id)}",
        place=ReplyTo(f"message:{external_id}"),
        direct=message.regime in PRIVATE,
        answers=_optional(message.answers, "answers"),
        latitude=message.latitude,
        longitude=message.longitude,
        municipality=message.municipality,
        topic=message.topic,
        kind=message.kind,
        regime=message.regime,
    )


def _edited(message: EditedMessage, received_at: datetime) -> Edited:
    at = message.edited_at or received_at
    sane_date(at, "editedAt")
    text = sane_text(message.text, "text", TEXT_MAX)
    return Edited(external_id=sane_text(message.id, "id"), text=text, edited_at=at)


def _deleted(message: DeletedMessage, received_at: datetime) -> Deleted:
    at = message.deleted_at or received_at
    sane_date(at, "deletedAt")
    return Deleted(external_id=sane_text(message.id, "id"), deleted_at=at)


def _optional(text: str | None, name: str) -> str | None:
    return None if text is None else sane_text(text, name)
