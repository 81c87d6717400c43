"""After the resolution: ratings, disputes, field checks, and who decides on reopening."""

import pytest

from domain import commands as c
from domain import events as e
from domain.decisions import decide
from domain.errors import (
    OwnDecision,
    RatedAlready,
    WindowPassed,
)
from domain.rights import Actor
from domain.vocabulary import (
    DisputeBy,
    Role,
    Status,
    Verdict,
)
from tests.domain.ladder import (
    ASSIGN,
    CITIZEN,
    CLOSE,
    CURATOR,
    DAY,
    DECLINE,
    DISPUTE,
    EXECUTOR,
    FINAL,
    HEAD,
    HOUR,
    NOON,
    RATE,
    REOPEN,
    REPORT_CHECK,
    RESOLVE,
    TAKE,
    WAYS,
    changed,
    life,
)

IN_WORK = WAYS[Status.IN_PROGRESS]
RESOLVED = WAYS[Status.RESOLVED]
DISPUTED = WAYS[Status.REOPEN_REQUESTED]


@pytest.mark.parametrize("score", [1, 2, 3, 4, 5])
def test_who_is_dissatisfied_disputes(score: int) -> None:
    it = life(*RESOLVED)
    rated, *more = it.do(c.Rate(score=score))
    assert (rated.score, rated.occurred_at) == (score, NOON)
    assert [(type(event), event.by) for event in more] == (
        [(e.ResolutionDisputed, DisputeBy.AUTHOR)] if score <= 2 else []
    )
    assert it.it.status is (Status.REOPEN_REQUESTED if score <= 2 else Status.RESOLVED)


def test_a_cycle_is_rated_once() -> None:
    it = life(*RESOLVED, RATE)
    it.refuses(RATE, RatedAlready)
    it.do(DISPUTE, REOPEN, ASSIGN, FINAL, RESOLVE, RATE)


@pytest.mark.parametrize("command", [RATE, DISPUTE], ids=lambda command: command.NAME)
def test_the_window_is_fourteen_days_from_the_resolution(command: c.Command) -> None:
    life(*RESOLVED, 14 * DAY).do(command)
    life(*RESOLVED, 13 * DAY, CLOSE, DAY).do(command)
    it = life(*RESOLVED, 14 * DAY + HOUR)
    assert it.refuses(command, WindowPassed).facts == {"days": 14}
    it.do(CLOSE)
    it.refuses(command, WindowPassed)


@pytest.mark.parametrize("command", [RATE, DISPUTE], ids=lambda command: command.NAME)
def test_another_system_may_have_left_more_time(command: c.Command) -> None:
    it = life(*RESOLVED)
    decide(it.it, command, at=NOON + 100 * DAY, by=CITIZEN, taken_over=True)
    assert it.do()


def test_an_incident_nobody_disputes_is_closed_when_the_window_has_passed() -> None:
    it = life(*RESOLVED, 14 * DAY)
    assert it.stream[-1].event.closes_at == NOON + 14 * DAY
    assert it.told() == []
    it.do(HOUR)
    assert [type(event) for event in it.told()] == [e.IncidentClosed]
    held = life(*RESOLVED, TAKE, 30 * DAY)
    assert held.told() == []


@pytest.mark.parametrize("verdict", Verdict)
@pytest.mark.parametrize("status", [Status.RESOLVED, Status.UNDER_CONTROL, Status.CLOSED])
def test_a_field_check_that_finds_it_undone_disputes_however_late(
    status: Status, verdict: Verdict
) -> None:
    it = life(*WAYS[status], 100 * DAY)
    reported, *more = it.do(c.ReportFieldCheck(verdict=verdict))
    assert reported.verdict is verdict
    expected = [] if verdict is Verdict.DONE else [DisputeBy.FIELD_CHECK]
    assert [event.by for event in more] == expected
    assert (it.it.status is Status.REOPEN_REQUESTED) == bool(expected)


def test_a_field_check_of_what_is_still_open_disputes_nothing() -> None:
    it = life(*IN_WORK)
    it.then(changed(REPORT_CHECK, verdict=Verdict.NOT_DONE))
    assert it.it.status is Status.IN_PROGRESS


@pytest.mark.parametrize("command", [REOPEN, DECLINE], ids=lambda command: command.NAME)
def test_nobody_decides_on_reopening_what_they_resolved_or_closed(command: c.Command) -> None:
    same, other = Actor(EXECUTOR.name, Role.CURATOR), Actor("Кузнецов", Role.CURATOR)
    resolved = life(*DISPUTED)
    assert resolved.refuses(command, OwnDecision, by=same).facts == {"name": "ЖЭК № 3"}
    resolved.then(command, by=CURATOR)
    closed = life(*RESOLVED)
    closed.do(CLOSE, by=CURATOR)
    closed.do(DISPUTE)
    closed.refuses(command, OwnDecision, by=CURATOR)
    closed.then(command, by=other)


def test_who_declined_once_does_not_decide_again() -> None:
    it = life(*DISPUTED, DECLINE, DISPUTE)
    it.refuses(REOPEN, OwnDecision, by=CURATOR)


def test_a_new_cycle_has_other_deciders() -> None:
    it = life(*DISPUTED, REOPEN, ASSIGN, FINAL)
    it.do(RESOLVE, by=HEAD)
    it.do(DISPUTE)
    it.then(REOPEN, by=Actor(EXECUTOR.name, Role.CURATOR))
