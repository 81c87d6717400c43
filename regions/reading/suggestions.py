"""Which incidents a new message may repeat, and why: what a person or a rule then merges.

Nothing here reads a text: messages are compared by sketches, addresses, points and topics.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from math import prod
from typing import NamedTuple
from uuid import UUID

from regions.reading.distance import Point, metres_between
from regions.reading.likeness import likenesses

WINDOW = timedelta(days=14)  # older messages are about something that was dealt with, or recurred
NEAR_TEXT = 0.6  # likeness from which texts tell the same; other complaints of a topic reach 0.5
NEAR_METRES = 250
SUGGESTED = 0.55  # a score below it is not worth a person's time
SUGGESTIONS_MAX = 10


class LikenessReason(StrEnum):
    SAME_TEXT = "SAME_TEXT"  # but for case, punctuation and spaces
    NEAR_TEXT = "NEAR_TEXT"  # nearly the same words
    SAME_PLACE = "SAME_PLACE"  # the same address, or points at most 250 m apart
    SAME_TOPIC = "SAME_TOPIC"
    SAME_AUTHOR = "SAME_AUTHOR"


# How much one reason alone makes sure, by judgement, such that place and topic together are
# suggested (0.58 to 0.65), and topic and author are not (0.44): people write about many things.
TEXT_WEIGHT = 0.9  # times the likeness where the text is only near
ADDRESS_WEIGHT = 0.5  # of points: 0.5 in one spot, 0.4 at NEAR_METRES
FAR_WEIGHT = 0.4
TOPIC_WEIGHT = 0.3
AUTHOR_WEIGHT = 0.2
OTHER_PLACE = 0.7  # of the score if the places are known and differ: a text can be copied


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What is kept of a message to compare others with it; None and b"" are not known."""

    incident: UUID
    written_at: datetime
    fingerprint: bytes
    sketch: bytes
    topic: str | None = None
    municipality: str | None = None
    address: str | None = None
    point: Point | None = None
    author: bytes | None = None  # a keyed hash, as secret as the sketch


class Suggestion(NamedTuple):
    incident: UUID
    score: float  # 0 to 1
    reasons: tuple[LikenessReason, ...]  # the weightiest first


def suggestions(
    new: Remembered, candidates: Iterable[Remembered], *, now: datetime, window: timedelta = WINDOW
) -> list[Suggestion]:
    """The likeliest first, an incident once, at most SUGGESTIONS_MAX.

    Left out: the message's own incident, what is older than the window or younger than `now`.
    """
    recent = [
        each
        for each in candidates
        if each.incident != new.incident and now - window <= each.written_at <= now
    ]
    alike = likenesses(new.sketch, [each.sketch for each in recent])
    best: dict[UUID, Suggestion] = {}
    for each, likeness in zip(recent, alike, strict=True):
        found = _suggestion(new, each, likeness)
        known = best.get(found.incident, found)
        if found.score >= SUGGESTED:
            best[found.incident] = max(known, found, key=lambda one: one.score)
    ranked = sorted(best.values(), key=lambda one: (-one.score, one.incident))
    return ranked[:SUGGESTIONS_MAX]


def _suggestion(new: Remembered, other: Remembered, likeness: float) -> Suggestion:
    weights = dict(_weights(new, other, likeness))
    # Reasons are taken as independent: each takes away its share of the doubt that is left.
    score = 1 - prod(1 - weight for weight in weights.values())
    if LikenessReason.SAME_PLACE not in weights and _is_apart(new, other):
        score *= OTHER_PLACE
    reasons = sorted(weights, key=lambda reason: -weights[reason])
    return Suggestion(other.incident, round(score, 3), tuple(reasons))


def _weights(
    new: Remembered, other: Remembered, likeness: float
) -> Iterator[tuple[LikenessReason, float]]:
    if new.fingerprint and new.fingerprint == other.fingerprint:
        yield LikenessReason.SAME_TEXT, TEXT_WEIGHT
    elif likeness >= NEAR_TEXT:
        yield LikenessReason.NEAR_TEXT, TEXT_WEIGHT * likeness
    place = _place_weight(new, other)
    if place:
        yield LikenessReason.SAME_PLACE, place
    if new.topic is not None and new.topic == other.topic:
        yield LikenessReason.SAME_TOPIC, TOPIC_WEIGHT
    if new.author is not None and new.author == other.author:
        yield LikenessReason.SAME_AUTHOR, AUTHOR_WEIGHT


def _place_weight(new: Remembered, other: Remembered) -> float:
    """0 if it is not known to be the same place. Points count before addresses."""
    if new.point is not None and other.point is not None:
        metres = metres_between(new.point, other.point)
        share = metres / NEAR_METRES
        return ADDRESS_WEIGHT - (ADDRESS_WEIGHT - FAR_WEIGHT) * share if share <= 1 else 0
    same_address = new.address is not None and new.address == other.address
    return ADDRESS_WEIGHT if same_address and not _is_elsewhere(new, other) else 0


def _is_apart(new: Remembered, other: Remembered) -> bool:
    """Both places are known, and it is not the same author on the move."""
    if new.author is not None and new.author == other.author:
        return False
    known = (new.point and other.point) or (new.address and other.address)
    return bool(known) or _is_elsewhere(new, other)


def _is_elsewhere(new: Remembered, other: Remembered) -> bool:
    return None not in (new.municipality, other.municipality) and (
        new.municipality != other.municipality
    )
