"""Several messages, one matter: added, merged, taken apart, and everybody is answered."""

from datetime import timedelta
from uuid import UUID

import psycopg
import pytest

from domain.commands import AddMessage, Citizen, Close, Merge, PublishReply, Resolve, Unmerge
from domain.errors import (
    DuplicateMessage,
    ForbiddenTransition,
    IncidentNotFound,
    NotPermitted,
    OtherClosed,
    OtherNotOpen,
    SameIncident,
    TimeGoesBackwards,
)
from domain.rights import Actor, Scope
from domain.vocabulary import Clock, Outcome, ReplyKind, Role, Status
from regions.centre import Centre
from regions.node import Node
from tests.scenarios import NOON, PlainTerms, answered, ask, closed, registered

CURATOR = Actor("Иванова", Role.CURATOR)
FINAL = PublishReply(kind=ReplyKind.FINAL, text="Вода есть")


@pytest.fixture
def bronx(node: Node) -> Centre:
    return node.centre("BRONX")


def another(external_id: str = "wall-1_2", minutes: int = 5) -> AddMessage:
    return AddMessage(
        channel="PHONE",
        external_id=external_id,
        published_at=NOON + timedelta(minutes=minutes),
        citizen=Citizen(text="И у нас нет воды"),
    )


def merged(centre: Centre, one: UUID, into: UUID, minutes: float = 20) -> None:
    ask(centre, one, Merge(into=into), minutes, by=CURATOR)


def test_everybody_who_wrote_about_it_is_in_the_reply(bronx: Centre) -> None:
    master, slave = registered(bronx).incident_id, registered(bronx).incident_id
    ask(bronx, slave, another(), 10)
    merged(bronx, slave, master)
    ask(bronx, master, another("wall-1_3"), 30)
    ask(bronx, master, FINAL, 40)
    (reply,) = [
        event.event
        for event in bronx.repository.event_store.get(master)
        if event.event.TOPIC == "ReplyPublished"
    ]
    added = bronx.incident(slave).messages | bronx.incident(master).messages
    assert len(added) == 2
    assert set(reply.messages) == {master, slave, *added}


def test_a_single_message_is_answered_without_being_named(bronx: Centre) -> None:
    incident = registered(bronx).incident_id
    ask(bronx, incident, FINAL, 40)
    last = list(bronx.repository.event_store.get(incident))[-1].event
    assert last.messages == ()


def test_a_message_is_added_once(bronx: Centre) -> None:
    incident = registered(bronx).incident_id
    ask(bronx, incident, another(), 10)
    with pytest.raises(DuplicateMessage):
        ask(bronx, incident, another(), 11)
    with pytest.raises(DuplicateMessage):
        registered(bronx, external_id="wall-1_2")


def test_merging_is_recorded_on_both_at_once_and_answers_for_the_one(bronx: Centre) -> None:
    master, slave = registered(bronx).incident_id, registered(bronx).incident_id
    result = ask(bronx, slave, Merge(into=master), 20, by=CURATOR)
    assert (result.incident_id, result.version, result.position.pos) == (slave, 2, 3)
    assert bronx.incident(slave).status is Status.MERGED
    assert bronx.incident(master).taken == {slave: frozenset({slave})}
    with pytest.raises(ForbiddenTransition):
        ask(bronx, slave, FINAL, 30)


def test_taken_apart_it_stands_where_it_stood_and_its_clock_runs_on(
    node: Node, bronx: Centre
) -> None:
    bronx.terms = PlainTerms()
    master, slave = registered(bronx).incident_id, registered(bronx).incident_id
    before = bronx.incident(slave).cycle.clocks.running
    merged(bronx, slave, master)
    assert bronx.incident(slave).cycle.clocks.running == {}
    ask(bronx, slave, Unmerge(), 30, by=CURATOR)
    assert bronx.incident(slave).status is Status.REGISTERED
    assert bronx.incident(slave).cycle.clocks.running == before
    assert bronx.incident(master).taken == {}


def test_a_citizen_who_still_waits_starts_the_clock_of_the_incident_that_takes_them(
    bronx: Centre,
) -> None:
    bronx.terms = PlainTerms()
    master, slave = registered(bronx).incident_id, registered(bronx).incident_id
    due_at = bronx.incident(slave).cycle.clocks.running[Clock.FIRST_REPLY].due_at
    ask(bronx, master, PublishReply(kind=ReplyKind.FIRST), 10)
    merged(bronx, slave, master)
    taken = bronx.incident(master).cycle
    assert taken.clocks.running[Clock.NEXT_REPLY].due_at == due_at
    assert taken.waiting_since == NOON


def test_what_cannot_be_merged_is_refused_and_nothing_is_recorded(bronx: Centre) -> None:
    one, done = registered(bronx).incident_id, closed(bronx).incident_id
    head = bronx.recorder.max_notification_id()
    for into, refusal in (
        (one, SameIncident),
        (done, OtherNotOpen),
        (UUID(int=7), IncidentNotFound),
    ):
        with pytest.raises(refusal):
            merged(bronx, one, into, 140)
    elsewhere = Actor("Петров", Role.CURATOR, Scope("BRONX", "BRONX-02"))
    other = registered(bronx, municipality="BRONX-01").incident_id
    mine = registered(bronx, municipality="BRONX-02").incident_id
    with pytest.raises(NotPermitted):
        ask(bronx, mine, Merge(into=other), 20, by=elsewhere)
    assert bronx.recorder.max_notification_id() == head + 2


def test_nothing_happens_to_the_other_before_what_happened_to_it_last(bronx: Centre) -> None:
    master, slave = registered(bronx).incident_id, registered(bronx).incident_id
    ask(bronx, master, FINAL, 60)
    with pytest.raises(TimeGoesBackwards):
        merged(bronx, slave, master, 20)


def test_nothing_is_taken_out_of_a_closed_incident(bronx: Centre) -> None:
    master, slave = answered(bronx).incident_id, registered(bronx).incident_id
    merged(bronx, slave, master, 70)
    ask(bronx, master, Resolve(outcome=Outcome.SOLVED), 80)
    ask(bronx, master, Close(), 90)
    with pytest.raises(OtherClosed):
        ask(bronx, slave, Unmerge(), 100, by=CURATOR)


def test_a_merged_incident_is_counted_with_its_master_only(
    node: Node, bronx: Centre, project: object, read: psycopg.Connection
) -> None:
    master, slave = registered(bronx).incident_id, registered(bronx).incident_id
    merged(bronx, slave, master)
    project()  # type: ignore[operator]
    rows = read.execute(
        "SELECT id, status, counted, open, messages, merged_into FROM incident ORDER BY id"
    ).fetchall()
    assert sorted(rows) == sorted(
        [
            (master, "REGISTERED", True, True, 2, None),
            (slave, "MERGED", False, False, 1, master),
        ]
    )
    assert read.execute("SELECT registered FROM daily").fetchall() == [(1,)]
