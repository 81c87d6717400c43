"""Histories recorded in bulk: whole or not at all, once, and each for itself."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest

from domain.commands import Close, ErasePersonalData, PublishReply, Register
from domain.errors import (
    DateInFuture,
    ForbiddenTransition,
    TextTooLong,
    TimeGoesBackwards,
    UnknownMunicipality,
)
from domain.rights import Actor, Scope
from domain.vocabulary import ReplyKind, Role
from regions.bulk import BulkReport, History, Step, record_histories
from regions.centre import Centre
from regions.node import Node, command_pool
from tests.regions.faults import Fault, broken_line
from tests.scenarios import NOON, OPERATOR, contents, history, message, registered

TOMORROW = NOON + timedelta(days=1)
EVENTS = 12  # of one history
TOO_LONG = PublishReply(kind=ReplyKind.FINAL, text="a" * 99_999)


@pytest.fixture
def bronx(node: Node) -> Centre:
    return node.centre("BRONX")


def record(centre: Centre, *histories: History) -> BulkReport:
    return record_histories(centre, histories, now=TOMORROW)


def numbers(histories: list[History]) -> list[object]:
    return [history.command_id for history in histories]


def streams(url: str) -> dict[object, int]:
    """How many events each incident has."""
    with psycopg.connect(url) as connection:
        return dict(
            connection.execute(
                "SELECT originator_id, count(*) FROM events GROUP BY originator_id"
            ).fetchall()
        )


def test_histories_are_recorded_whole(node: Node, bronx: Centre) -> None:
    lives = [history(bronx, number) for number in range(50)]
    report = record(bronx, *lives)
    assert (report.recorded, report.events) == (numbers(lives), 50 * EVENTS)
    assert (report.repeated, report.refused) == ([], [])
    assert streams(node.url) == {life.incident_id: EVENTS for life in lives}
    assert bronx.recorder.max_notification_id() == 50 * EVENTS


def test_a_history_is_told_as_if_it_had_been_lived(bronx: Centre) -> None:
    record(bronx, history(bronx, 1))
    incident = bronx.incident(history(bronx, 1).incident_id)
    assert (incident.version, incident.status, incident.number) == (EVENTS, "RESOLVED", 2)
    assert incident.last_at == NOON + timedelta(minutes=165)


def test_another_system_s_roles_and_approvals_are_not_judged_again(bronx: Centre) -> None:
    """The states must fit; who might do what there is not our question."""
    by = Actor("там", Role.CITIZEN, Scope("QUEENS"))
    life = history(bronx, 1)
    foreign = replace(life, by=by, steps=[replace(step, by=by) for step in life.steps])
    assert record(bronx, foreign).recorded == [life.command_id]
    assert {event.event.role for event in bronx.events.get(life.incident_id)} == {Role.CITIZEN}


def test_each_history_s_command_leads_to_its_last_event(node: Node, bronx: Centre) -> None:
    record(bronx, history(bronx, 1), history(bronx, 2))
    with psycopg.connect(node.url) as connection:
        rows = connection.execute(
            "SELECT incident_id, version, pos FROM command_result ORDER BY pos"
        ).fetchall()
    lives = (history(bronx, 1), history(bronx, 2))
    assert rows == [(life.incident_id, EVENTS, EVENTS * (n + 1)) for n, life in enumerate(lives)]


def test_a_second_run_changes_nothing(node: Node, bronx: Centre) -> None:
    lives = [history(bronx, number) for number in range(10)]
    record(bronx, *lives)
    before = contents(node.url)
    report = record(bronx, *lives)
    assert set(report.repeated) == set(numbers(lives))
    assert (report.recorded, report.events) == ([], 0)
    assert contents(node.url) == before


def test_a_run_that_was_broken_off_is_taken_up_where_it_ended(node: Node, bronx: Centre) -> None:
    lives = [history(bronx, number) for number in range(10)]
    record(bronx, *lives[:4])
    report = record(bronx, *lives)
    assert set(report.repeated) == set(numbers(lives[:4]))
    assert report.recorded == numbers(lives[4:])
    assert len(streams(node.url)) == 10


def without(life: History, place: int) -> History:
    return replace(life, steps=[*life.steps[:place], *life.steps[place + 1 :]])


REFUSED: list[tuple[Callable[[History], History], type[Exception]]] = [
    (lambda life: without(life, 1), ForbiddenTransition),  # never assigned, yet accepted
    (lambda life: replace(life, steps=life.steps[::-1]), ForbiddenTransition),
    (
        lambda life: replace(
            life, steps=[*life.steps, Step(Close(), NOON + timedelta(hours=1), OPERATOR)]
        ),
        TimeGoesBackwards,
    ),
    (
        lambda life: replace(
            life, steps=[*life.steps, Step(Close(), TOMORROW + timedelta(hours=1), OPERATOR)]
        ),
        DateInFuture,
    ),
    (
        lambda life: replace(life, registration=message(municipality="QUEENS-09")),
        UnknownMunicipality,
    ),
    (
        lambda life: replace(life, registration=message(published_at=TOMORROW)),
        DateInFuture,
    ),
    (
        lambda life: replace(
            life,
            steps=[Step(TOO_LONG, NOON, OPERATOR)],
        ),
        TextTooLong,
    ),
]


def test_a_refused_step_refuses_its_whole_history_and_no_other(node: Node, bronx: Centre) -> None:
    good = [history(bronx, number) for number in range(len(REFUSED) + 1)]
    bad = [spoil(history(bronx, 100 + number)) for number, (spoil, _) in enumerate(REFUSED)]
    mixed = [life for pair in zip(good, bad, strict=False) for life in pair] + good[-1:]
    report = record(bronx, *mixed)
    assert report.recorded == numbers(good)
    assert [(number, type(why)) for number, why in report.refused] == [
        (life.command_id, error) for life, (_, error) in zip(bad, REFUSED, strict=True)
    ]
    assert streams(node.url) == {life.incident_id: EVENTS for life in good}
    for table in ("command_result", "message_key", "subject_key"):
        assert len(contents(node.url)[f"public.{table}"]) == len(good)


def test_a_batch_of_refused_histories_only_leaves_no_trace(node: Node, bronx: Centre) -> None:
    before = contents(node.url)
    report = record(bronx, without(history(bronx, 1), 1))
    assert (report.recorded, report.events, len(report.refused)) == ([], 0, 1)
    assert record(bronx) == BulkReport()
    assert contents(node.url) == before


def test_duplicates_inside_one_batch_are_recorded_once(node: Node, bronx: Centre) -> None:
    lives = [history(bronx, number) for number in (1, 2, 1, 3, 2, 1)]
    report = record(bronx, *lives)
    assert sorted(report.recorded) == sorted({life.command_id for life in lives})
    assert sorted(report.repeated) == sorted(numbers([lives[0], lives[1], lives[0]]))
    assert report.events == 3 * EVENTS
    assert set(streams(node.url).values()) == {EVENTS}


def test_a_message_registered_before_under_another_command_is_a_repetition(
    node: Node, bronx: Centre
) -> None:
    lives = [history(bronx, number) for number in range(8)]
    first = registered(bronx, external_id=lives[3].registration.external_id).incident_id
    report = record(bronx, *lives)
    assert report.repeated == [lives[3].command_id]
    assert streams(node.url) == {first: 1} | {
        life.incident_id: EVENTS for life in lives if life is not lives[3]
    }


def test_a_refusal_beside_a_repetition_is_reported_once(bronx: Centre) -> None:
    record(bronx, replace(history(bronx, 1), command_id=history(bronx, 100).command_id))
    refused = without(history(bronx, 2), 1)
    report = record(bronx, history(bronx, 1), refused, history(bronx, 3))
    assert report.repeated == [history(bronx, 1).command_id]
    assert [number for number, _ in report.refused] == [refused.command_id]
    assert report.recorded == [history(bronx, 3).command_id]


def test_imports_of_the_same_histories_at_once_record_each_once(node: Node, bronx: Centre) -> None:
    lives = [history(bronx, number) for number in range(40)]
    halves = [lives, lives[::-1], lives[10:30], lives[20:]]
    with ThreadPoolExecutor(4) as threads:
        reports = list(threads.map(lambda half: record(bronx, *half), halves))
    assert streams(node.url) == {life.incident_id: EVENTS for life in lives}
    assert sorted(n for report in reports for n in report.recorded) == sorted(numbers(lives))
    for half, report in zip(halves, reports, strict=True):
        assert sorted(report.recorded + report.repeated) == sorted(numbers(half))
    assert bronx.recorder.max_notification_id() == 40 * EVENTS


def test_an_erasure_in_a_history_leaves_no_key(node: Node, bronx: Centre) -> None:
    life = history(bronx, 1)
    at = life.steps[-1].at
    erased = replace(life, steps=[*life.steps, Step(ErasePersonalData(), at, OPERATOR)])
    answered_after = replace(
        history(bronx, 2),
        steps=[
            Step(ErasePersonalData(), at, OPERATOR),
            Step(PublishReply(kind=ReplyKind.FINAL, text="Вода есть"), at, OPERATOR),
        ],
    )
    assert len(record(bronx, erased, answered_after).recorded) == 2
    first, *_ = bronx.events.get(erased.incident_id)
    assert bronx.open(erased.incident_id, first.event.citizen, Register) is None
    assert len(contents(node.url)["public.subject_key"]) == 1


def test_an_import_survives_lost_answers_and_terminated_connections(node: Node) -> None:
    faults = iter([Fault.ANSWER_LOST, Fault.REQUEST_LOST])
    with (
        TemporaryDirectory() as folder,
        broken_line(node.url, Path(folder), lambda: next(faults, None)) as url,
        command_pool(url) as pool,
    ):
        centre = Centre("BRONX", pool, node.catalogue, node.vault)
        record(centre, *[history(centre, number) for number in range(5)])
        with psycopg.connect(node.url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        record(centre, *[history(centre, number) for number in range(10)])
    assert list(streams(node.url).values()) == [EVENTS] * 10
