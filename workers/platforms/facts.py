"""What a platform tells us: a citizen wrote, changed or withdrew something, or nothing for us.

External ids are unique within one source (a community, a bot, a system that signs) and name no
person, so that they may be stored unsealed. Everything else a citizen or their profile could be
known by is kept out of the representation.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import NewType

from domain.vocabulary import Kind, Regime

# All that the platform's client needs to answer there, as only that client understands it. In a
# private conversation it names the citizen: seal it.
ReplyTo = NewType("ReplyTo", str)


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """A citizen wrote. It may come again: delivered twice, or restored after it was deleted."""

    external_id: str
    text: str = field(repr=False)
    published_at: datetime
    author: str | None = field(default=None, repr=False)  # as the platform shows the name
    contact: str | None = field(default=None, repr=False)  # profile, or the author's id there
    author_key: str = field(repr=False)  # the same for every message of one author
    place: ReplyTo = field(repr=False)
    direct: bool = False  # private, not for everybody to read
    # What it replies to: a message of ours or of a citizen, or a post we may never have seen.
    answers: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    # What a source that signs may already know.
    municipality: str | None = None
    topic: str | None = None
    kind: Kind | None = None
    regime: Regime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """A message has another text now. The latest `edited_at` holds, in whatever order they come."""

    external_id: str
    text: str = field(repr=False)
    edited_at: datetime
    # All of it as it now stands, where the platform says so: the original may never have come.
    message: Posted | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """A message is gone. It may have been ours: who moderates the page deletes those too."""

    external_id: str
    deleted_at: datetime


@dataclass(frozen=True, slots=True)
class Ignored:
    """Nothing a citizen wrote to us. `reason` is one of few words, never a part of the update."""

    reason: str


Fact = Posted | Edited | Deleted | Ignored


class NotUnderstood(Exception):
    """The update cannot be read as documented; it is kept, nothing in it is guessed.

    `code` is stable; `detail` says where, without a value of the update.
    """

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail
