"""Answering where the citizen wrote: one visible reply, or a reason why there is none."""

import random
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import ClassVar, Protocol
from uuid import UUID

CLOCK_SKEW_MAX = timedelta(minutes=5)  # between the platform's clock and ours


class RefusalReason(StrEnum):
    """Why a platform will not publish; all but the last are a FallbackReason of the domain."""

    MESSAGE_DELETED = "MESSAGE_DELETED"
    COMMENTS_CLOSED = "COMMENTS_CLOSED"
    PROFILE_CLOSED = "PROFILE_CLOSED"  # the citizen cannot or will not be written to
    CHANNEL_UNAVAILABLE = "CHANNEL_UNAVAILABLE"  # we may not write there at all
    TEXT_REFUSED = "TEXT_REFUSED"


class Refused(Exception):
    """The platform will not publish this, now or later: somebody must decide.

    `told` is the platform's code, or the limit that was passed; never a text of the platform,
    which can quote the message or the token.
    """

    def __init__(self, reason: RefusalReason, told: str) -> None:
        super().__init__(f"{reason}: {told}")
        self.reason = reason
        self.told = told


class Postponed(Exception):
    """Nothing was published, or what was is not published twice: try again after the pause."""

    def __init__(self, after_seconds: float, told: str) -> None:
        super().__init__(f"again after {after_seconds:g} s: {told}")
        self.after_seconds = after_seconds
        self.told = told


class Uncertain(Exception):
    """It may have been published, and to repeat the call could publish it twice."""

    def __init__(self, told: str) -> None:
        super().__init__(told)
        self.told = told


class Client(Protocol):
    """How one source is answered. Keep one for each source and process: threads may share it, and
    its pace knows of its own calls only.

    After Uncertain ask `find`; where `finds` is False a human must look.
    """

    # Whether the platform recognises a repeated call by its key: a lost answer is Postponed then.
    repeats_safely: ClassVar[bool]
    finds: ClassVar[bool]  # whether our own replies can be read there

    def publish(self, place: str, text: str, key: UUID) -> str:
        """The external id of the published reply. `key` is one for each reply, not each attempt.

        Raises Refused, Postponed, Uncertain; ValueError for a place of another platform.
        """

    def find(self, place: str, text: str, key: UUID) -> str | None:
        """The external id of the reply if it stands there already; None if it does not.

        Raises Refused, Postponed; Uncertain where nobody can tell.
        """

    def close(self) -> None:
        """Close the connections it keeps."""


class Secret:
    """A token or key: it shows itself to nobody who does not ask for it by name."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"


def check_length(text: str, limit: int, *, platform: str) -> None:
    """Raises Refused. Counts UTF-16 units, as phones do: never fewer than a platform may count."""
    if not text.strip():
        raise Refused(RefusalReason.TEXT_REFUSED, f"{platform}: the text is empty")
    try:
        length = len(text.encode("utf-16-le")) // 2
    except UnicodeEncodeError:
        raise Refused(RefusalReason.TEXT_REFUSED, f"{platform}: a lone surrogate") from None
    if length > limit:
        raise Refused(RefusalReason.TEXT_REFUSED, f"{platform}: {length} characters of {limit}")


def same_text(published: str, ours: str) -> bool:
    """Platforms trim and join white space."""
    return published.split() == ours.split()


def asked_at(key: UUID) -> datetime | None:
    """When a reply was asked for, if its key is a UUIDv7: what is older is another reply."""
    if key.version != 7:
        return None
    return datetime.fromtimestamp((key.int >> 80) / 1000, UTC) - CLOCK_SKEW_MAX


def spread(seconds: float) -> float:
    """So that those who were turned away together do not come back together."""
    return seconds * random.uniform(1.0, 1.5)
