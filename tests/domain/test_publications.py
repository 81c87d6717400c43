"""Publishing a ranking: once, when its period is settled; a correction names what it restates."""

import json
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import msgspec
import pytest

from domain.errors import (
    DomainError,
    NotTheLatest,
    PeriodUnsettled,
    PublishedAlready,
    RestatementReasonMissing,
)
from domain.publications import (
    SETTLES_AFTER_DAYS,
    Publications,
    PublishRanking,
    RankingFound,
    RankingPublished,
    RankingQuestion,
    publications_of,
    publish,
)
from domain.rights import NETWORK, Actor
from domain.vocabulary import RankedBy, RestatementReason, Role

OVERSEER = Actor("Оксана", Role.FEDERAL_OVERSEER)
QUESTION = RankingQuestion(first=date(2026, 3, 1), last=date(2026, 3, 31))
SETTLED = datetime(2026, 3, 31, tzinfo=UTC) + timedelta(days=SETTLES_AFTER_DAYS)
LATE = RestatementReason.LATE_EVENTS


def found(inputs: str = "0") -> RankingFound:
    return RankingFound(rows=(), inputs_hash=inputs, positions={"63": 7})


def asked(
    before: Publications,
    restates: UUID | None = None,
    reason: RestatementReason | None = None,
    *,
    at: datetime = SETTLED,
) -> RankingPublished:
    command = PublishRanking(question=QUESTION, restates=restates, reason=reason)
    publish(before, command, found(), at=at, by=OVERSEER)
    event = before.pending[-1].event
    assert isinstance(event, RankingPublished)
    return event


def test_a_settled_period_is_published_with_all_that_was_found() -> None:
    event = asked(Publications(QUESTION))
    assert (event.region, event.actor, event.occurred_at) == (NETWORK, "Оксана", SETTLED)
    assert (event.question, event.found, event.restates) == (QUESTION, found(), None)


def test_a_period_with_open_deadlines_is_not_published() -> None:
    with pytest.raises(PeriodUnsettled, match="2026-04-30"):
        asked(Publications(QUESTION), at=SETTLED - timedelta(seconds=1))


def test_a_correction_restates_the_latest_and_says_why() -> None:
    publications = Publications(QUESTION)
    first = asked(publications)
    second = asked(publications, first.publication, LATE)
    assert (second.restates, second.reason) == (first.publication, LATE)
    assert [event.originator_version for event in publications.pending] == [1, 2]
    assert publications_of(QUESTION, [first, second]).latest == second


@pytest.mark.parametrize(
    ("restates", "reason", "refusal"),
    [
        ("nothing", None, PublishedAlready),
        ("first", LATE, NotTheLatest),
        ("another", LATE, NotTheLatest),
        ("second", None, RestatementReasonMissing),
    ],
)
def test_what_is_no_correction_is_refused(
    restates: str, reason: RestatementReason | None, refusal: type[DomainError]
) -> None:
    publications = Publications(QUESTION)
    first = asked(publications)
    second = asked(publications, first.publication, LATE)
    named = {"first": first.publication, "second": second.publication, "another": uuid4()}
    with pytest.raises(refusal):
        asked(publications, named.get(restates), reason)


def test_a_first_publication_restates_nothing() -> None:
    with pytest.raises(NotTheLatest):
        asked(Publications(QUESTION), uuid4(), LATE)
    with pytest.raises(RestatementReasonMissing):
        asked(Publications(QUESTION), None, LATE)


def test_each_question_has_a_stream_of_its_own() -> None:
    other = RankingQuestion(first=QUESTION.first, last=QUESTION.last, by=RankedBy.OVERDUE)
    again = RankingQuestion(first=QUESTION.first, last=QUESTION.last)
    assert QUESTION.id == again.id != other.id


RECORDED = """
{"region":"~network","occurred_at":"2026-04-30T00:00:00Z","actor":"Оксана",
"role":"FEDERAL_OVERSEER","publication":"019d0000-0000-7000-8000-000000000001",
"question":{"first":"2026-03-01","last":"2026-03-31","of":"REGIONS","by":"FIRST_REPLY",
"working":true,"method":"SHRUNK_1","only_region":null},
"found":{"rows":[{"unit":"63","tier":"","place":1,"position":1,"unranked":null,"n":7,"value":60.5,
"low":60.0,"high":null,"score":61.25,"p90_seconds":120.0,"registered":7,"answered":6,
"mean_reply_seconds":70.0}],"inputs_hash":"00","positions":{"63":7},"stale":[],
"skipped":{}},
"restates":"019d0000-0000-7000-8000-000000000000","reason":"LATE_EVENTS"}
"""


def test_what_was_recorded_once_is_read_for_ever() -> None:
    event = msgspec.json.decode(RECORDED, type=RankingPublished)
    assert json.loads(msgspec.json.encode(event)) == json.loads(RECORDED)
    # By which its stream is found: the next release must ask for the same.
    assert event.question.id == UUID("ce0ba3dd-282f-55f3-94f5-2ace09036fd6")
