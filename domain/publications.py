"""Rankings as they were published: frozen, with their method and what they were told from.

What is compared over which days is a question; its publications are a stream. The first stands
until a further one restates it, by name and with a reason; none is ever changed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import ClassVar
from uuid import NAMESPACE_OID, UUID, uuid5

import msgspec

from domain.errors import NotTheLatest, PeriodUnsettled, PublishedAlready, RestatementReasonMissing
from domain.identifiers import new_id
from domain.office import OfficeEvent, OfficeStreamEvent
from domain.rights import NETWORK, Actor
from domain.vocabulary import (
    Ranked,
    RankedBy,
    RankingMethod,
    RestatementReason,
    Role,
    Unranked,
)

SETTLES_AFTER_DAYS = 30  # the longest ordinary term (lifecycle-and-metrics 3.3)
NETWORK_ROLES = frozenset({Role.FEDERAL_OVERSEER, Role.NETWORK_OPERATOR})
REGION_ROLES = NETWORK_ROLES | {Role.REGION_HEAD}  # of what is compared within their region


class RankingQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """What is compared, and over which days."""

    first: date
    last: date  # included
    of: Ranked = Ranked.REGIONS
    by: RankedBy = RankedBy.FIRST_REPLY
    working: bool = True  # which time: working, or calendar
    method: RankingMethod = RankingMethod.SHRUNK_1
    only_region: str | None = None  # its units alone

    @property
    def id(self) -> UUID:
        """Of the stream of its publications."""
        return uuid5(NAMESPACE_OID, f"tsur ranking {msgspec.json.encode(self).decode()}")


class PublishedRow(msgspec.Struct, frozen=True, kw_only=True):
    """A unit's line: docs/api.md, Rankings. Values of times are seconds."""

    unit: str
    tier: str
    place: int | None = None
    position: int | None = None
    unranked: Unranked | None = None
    n: int
    value: float | None = None
    low: float | None = None
    high: float | None = None
    score: float | None = None
    p90_seconds: float | None = None  # of a time that is compared
    registered: int
    answered: int
    mean_reply_seconds: float | None = None  # in calendar time, as in the network's own list


class RankingFound(msgspec.Struct, frozen=True, kw_only=True):
    """An exact answer to a question, and all that somebody else needs to find it again."""

    rows: tuple[PublishedRow, ...]
    inputs_hash: str  # SHA-256 of the incidents counted and how far each had come
    positions: dict[str, int]  # by region: the last event that was taken into account
    stale: tuple[str, ...] = ()  # regions whose events were not all taken in
    skipped: dict[str, list[int]] = {}  # positions an operator let the read models pass over


class RankingPublished(OfficeEvent, frozen=True, kw_only=True):
    TOPIC: ClassVar = "RankingPublished"

    publication: UUID
    question: RankingQuestion
    found: RankingFound
    restates: UUID | None = None  # the publication it takes the place of
    reason: RestatementReason | None = None


class PublishRanking(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What the network is asked to publish; the answer is found beside it."""

    NAME: ClassVar = "publishRanking"

    question: RankingQuestion
    restates: UUID | None = None
    reason: RestatementReason | None = None


@dataclass(slots=True)
class Publications:
    """The answers that were published to one question."""

    question: RankingQuestion
    latest: RankingPublished | None = None
    version: int = 0
    pending: list[OfficeStreamEvent] = field(default_factory=list)

    @property
    def id(self) -> UUID:
        return self.question.id

    def collect_events(self) -> list[OfficeStreamEvent]:
        """Hand over the events that are not stored yet."""
        pending, self.pending = self.pending, []
        return pending

    def apply(self, event: RankingPublished) -> None:
        self.latest = event
        self.version += 1


def publications_of(question: RankingQuestion, events: Sequence[RankingPublished]) -> Publications:
    publications = Publications(question)
    for event in events:
        publications.apply(event)
    return publications


def check_settled(question: RankingQuestion, at: datetime) -> None:
    """Raises PeriodUnsettled."""
    settled_on = question.last + timedelta(days=SETTLES_AFTER_DAYS)
    if at.date() < settled_on:
        raise PeriodUnsettled(settled_on=settled_on)


def publish(
    publications: Publications,
    command: PublishRanking,
    found: RankingFound,
    *,
    at: datetime,
    by: Actor,
) -> None:
    """Append the publication to `pending`.

    Raises PeriodUnsettled, PublishedAlready, NotTheLatest or RestatementReasonMissing.
    """
    question, latest = command.question, publications.latest
    check_settled(question, at)
    if latest is not None and command.restates is None:
        raise PublishedAlready(publication=latest.publication)
    if command.restates != (latest.publication if latest else None):
        raise NotTheLatest(latest=latest.publication if latest else "none")
    if (command.restates is None) != (command.reason is None):
        raise RestatementReasonMissing
    event = RankingPublished(
        region=NETWORK,
        occurred_at=at,
        actor=by.name,
        role=by.role,
        publication=new_id(at),
        question=question,
        found=found,
        restates=command.restates,
        reason=command.reason,
    )
    publications.apply(event)
    publications.pending.append(OfficeStreamEvent(question.id, publications.version, event))
