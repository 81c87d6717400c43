"""A published ranking is found again from the log by anybody, or it is said what differs."""

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from uuid import UUID, uuid4

import psycopg
import pytest

from domain.commands import Reclassify
from domain.errors import (
    CommandIdReused,
    NotPermitted,
    PublishedAlready,
    UnknownPublication,
)
from domain.publications import PublishRanking, RankingPublished, RankingQuestion
from domain.rights import Actor, Scope
from domain.vocabulary import (
    Ranked,
    RankedBy,
    RankingMethod,
    RestatementReason,
    Role,
    Unranked,
)
from projections.past.publications import publication as read_publication
from projections.past.verification import Difference, find, verify
from projections.projector import retry
from projections.views.rankings import RANKED_CASES_MIN
from regions.node import Node
from regions.publications import publication, publish_ranking, published_lately
from tests.conftest import PAST_TRIGGERS
from tests.projections.lives import DISPUTE, FINAL, REOPEN, RESOLVE, due, live, local
from tests.projections.test_measures import lived
from tests.projections.test_past import reading
from tests.projections.test_projector import poison
from tests.scenarios import OPERATOR, ask

OVERSEER = Actor("Оксана", Role.FEDERAL_OVERSEER)
SETTLED = local(31, 12)


def question(**changes: object) -> RankingQuestion:
    # Of days of which nothing is due any more: thirty have passed.
    facts = {"first": date(2026, 2, 24), "last": date(2026, 3, 1)} | changes
    return RankingQuestion(**facts)  # type: ignore[arg-type]


@pytest.fixture
def quarter(node: Node, project: Callable[[], int]) -> Node:
    """Twelve incidents in each of two boroughs, more than a month before SETTLED."""
    for region, minutes in (("BRONX", 40), ("QUEENS", 10)):
        centre = node.centre(region)
        for number in range(12):
            live(
                centre,
                local(1, 9, number),
                (5, due(centre, local(1, 10))),
                (minutes + number, FINAL),
                (minutes + 20, RESOLVE),
                municipality=centre.catalogue.municipalities_of[region][0].code,
            )
    lived(node)
    project()
    return node


def publish(
    node: Node,
    asked: RankingQuestion,
    restates: UUID | None = None,
    reason: RestatementReason | None = None,
    by: Actor = OVERSEER,
) -> RankingPublished:
    found = reading(node, lambda one: find(one, asked, catalogue=node.catalogue, now=SETTLED))
    command = PublishRanking(question=asked, restates=restates, reason=reason)
    publish_ranking(node.network, command, found, command_id=uuid4(), at=SETTLED, by=by)
    with node.pool.connection() as connection:
        return published_lately(connection, asked.only_region)[0]


def verified(node: Node, event: RankingPublished) -> list[Difference]:
    with node.pool.connection() as connection:
        again = publication(connection, event.publication)
    return reading(node, lambda one: verify(one, again, node.catalogue, lambda done, of: None))


def test_whatever_is_published_is_found_again(quarter: Node) -> None:
    for of, by, method in itertools.product(Ranked, RankedBy, RankingMethod):
        event = publish(quarter, question(of=of, by=by, method=method))
        assert event.found.rows
        assert verified(quarter, event) == []


def test_what_is_compared_within_a_region_is_found_again(
    quarter: Node, project: Callable[[], int]
) -> None:
    """The Bronx has a second topic, by which it is weighed as the whole network has it."""
    bronx = quarter.centre("BRONX")
    place = bronx.catalogue.municipalities_of["BRONX"][0].code
    other = [code for code, topic in bronx.catalogue.topics.items() if topic.group][-1]
    for number in range(5):
        incident = live(
            bronx, local(1, 9), (5, due(bronx)), (90 + number, FINAL), municipality=place
        )
        ask(bronx, incident, Reclassify(topic=other), 4000, by=OPERATOR)
    project()
    for method in RankingMethod:
        asked = question(of=Ranked.MUNICIPALITIES, only_region="BRONX", method=method)
        event = publish(quarter, asked)
        assert (len(event.found.positions) == 1) is (method is RankingMethod.SHRUNK_1)
        assert verified(quarter, event) == []


def test_what_is_recorded_later_is_another_ranking(
    quarter: Node, project: Callable[[], int]
) -> None:
    first = publish(quarter, question())
    place = {row.unit: row.place for row in first.found.rows}
    assert place["QUEENS"] == 1
    centre = quarter.centre("QUEENS")
    for number in range(40):
        live(centre, local(1, 9, number), (300 + number, FINAL))
    project()
    assert verified(quarter, first) == []
    second = publish(quarter, question(), first.publication, RestatementReason.LATE_EVENTS)
    assert second.found != first.found
    assert verified(quarter, second) == []

    async def both(one: psycopg.AsyncConnection) -> tuple[UUID | None, UUID | None]:
        earlier = await read_publication(one, first.publication)
        later = await read_publication(one, second.publication)
        assert earlier.lines == list(first.found.rows), "it never changes"
        return earlier.restated_by, later.restates

    project()
    assert reading(quarter, both) == (second.publication, first.publication)


def test_a_tampered_event_is_named(quarter: Node, read: psycopg.Connection) -> None:
    event = publish(quarter, question())
    read.execute(PAST_TRIGGERS)
    moved = read.execute(
        """
        UPDATE events
           SET payload = jsonb_set(payload, '{occurred_at}', '"2026-03-01T20:00:00-05:00"')
         WHERE region = 'QUEENS'
           AND topic = 'ReplyPublished'
        """
    )
    assert moved.rowcount == 12
    found = verified(quarter, event)
    assert {each.unit for each in found} == {"QUEENS"}
    assert "value" not in {each.field for each in found}, "working seconds stand in the event"
    assert "mean_reply_seconds" in {each.field for each in found}


def test_a_missing_incident_is_named(quarter: Node, read: psycopg.Connection) -> None:
    event = publish(quarter, question())
    read.execute(PAST_TRIGGERS)
    read.execute(
        """
        DELETE FROM events
         WHERE originator_id = (SELECT originator_id
                                  FROM events
                                 WHERE region = 'QUEENS'
                                 LIMIT 1)
        """
    )
    differences = verified(quarter, event)
    named = {(each.unit, each.field): (each.published, each.found) for each in differences}
    assert named["QUEENS", "n"] == (12, 11)
    assert ("", "inputs_hash") in named


def test_the_read_models_are_not_believed(quarter: Node, read: psycopg.Connection) -> None:
    read.execute("UPDATE incident SET reply_working_seconds = 1 WHERE region = 'BRONX'")
    named = {(each.unit, each.field) for each in verified(quarter, publish(quarter, question()))}
    assert ("BRONX", "value") in named


def test_what_an_operator_passed_over_is_passed_over_again(
    quarter: Node, project: Callable[[], int], read: psycopg.Connection
) -> None:
    poison(quarter.url, "QUEENS", "Unheard", {})
    project()
    assert retry(read, "QUEENS", skip=True)
    project()
    event = publish(quarter, question())
    (skipped,) = event.found.skipped["QUEENS"]
    assert skipped == event.found.positions["QUEENS"]
    assert verified(quarter, event) == []


def test_of_so_few_that_they_are_people_nothing_is_published(quarter: Node) -> None:
    asked = question(of=Ranked.ORGANISATIONS, first=date(2026, 3, 1))
    few = [row for row in publish(quarter, asked).found.rows if row.n < RANKED_CASES_MIN]
    rows = {row.unit: row for row in publish(quarter, question()).found.rows}
    empty = rows["MANHATTAN"]
    assert empty.unranked is Unranked.INSUFFICIENT_DATA
    for row in [*few, empty]:
        told = (row.value, row.low, row.high, row.score, row.p90_seconds, row.mean_reply_seconds)
        assert told == (None,) * 6


def test_rivals_are_told_that_one_of_them_was_first(quarter: Node) -> None:
    asked = question()
    found = reading(quarter, lambda one: find(one, asked, catalogue=quarter.catalogue, now=SETTLED))

    def attempt(number: int) -> str:
        try:
            publish_ranking(
                quarter.network,
                PublishRanking(question=asked),
                found,
                command_id=uuid4(),
                at=SETTLED,
                by=OVERSEER,
            )
        except PublishedAlready:
            return "later"
        return "first"

    with ThreadPoolExecutor(6) as threads:
        assert sorted(threads.map(attempt, range(6))) == ["first", *["later"] * 5]


def test_the_same_command_is_published_once(quarter: Node) -> None:
    asked = question()
    found = reading(quarter, lambda one: find(one, asked, catalogue=quarter.catalogue, now=SETTLED))
    command_id, command = uuid4(), PublishRanking(question=asked)
    results = [
        publish_ranking(
            quarter.network, command, found, command_id=command_id, at=SETTLED, by=OVERSEER
        )
        for _ in range(2)
    ]
    assert results[0] == results[1]
    other = PublishRanking(question=question(by=RankedBy.OVERDUE))
    with pytest.raises(CommandIdReused):
        publish_ranking(
            quarter.network, other, found, command_id=command_id, at=SETTLED, by=OVERSEER
        )


@pytest.mark.parametrize(
    ("by", "only_region", "may"),
    [
        (Actor("a", Role.FEDERAL_OVERSEER), None, True),
        (Actor("a", Role.NETWORK_OPERATOR), "BRONX", True),
        (Actor("a", Role.REGION_HEAD, Scope("BRONX")), "BRONX", True),
        (Actor("a", Role.REGION_HEAD, Scope("BRONX")), None, False),
        (Actor("a", Role.REGION_HEAD), None, False),
        (Actor("a", Role.REGION_HEAD, Scope("QUEENS")), "BRONX", False),
        (Actor("a", Role.MONITOR), None, False),
        (Actor("a", Role.FEDERAL_OVERSEER, Scope("BRONX")), None, False),
    ],
)
def test_who_may_publish(node: Node, by: Actor, only_region: str | None, may: bool) -> None:
    asked = question(of=Ranked.MUNICIPALITIES, only_region=only_region)
    if may:
        assert publish(node, asked, by=by).role == by.role
    else:
        with pytest.raises(NotPermitted):
            publish(node, asked, by=by)


def test_nothing_is_published_under_a_name_that_was_made_up(node: Node) -> None:
    with node.pool.connection() as connection, pytest.raises(UnknownPublication):
        publication(connection, uuid4())
    with pytest.raises(UnknownPublication):
        reading(node, lambda one: read_publication(one, uuid4()))


def test_a_dispute_after_the_publication_leaves_it_as_it_is(
    quarter: Node, project: Callable[[], int]
) -> None:
    bronx = quarter.centre("BRONX")
    incident = live(bronx, local(1, 9), (5, due(bronx)), (10, FINAL), (20, RESOLVE))
    project()
    event = publish(quarter, question(by=RankedBy.REOPENING))
    ask(bronx, incident, DISPUTE, 4000, by=OPERATOR)
    ask(bronx, incident, REOPEN, 4001, by=OPERATOR)
    project()
    assert verified(quarter, event) == []
