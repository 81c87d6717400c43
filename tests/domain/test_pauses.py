"""Waiting for the citizen: which clock stands still meanwhile, and with what it runs on."""

from datetime import timedelta

import pytest

from domain import commands as c
from domain import events as e
from domain.errors import ClockNotRunning
from domain.vocabulary import Clock, Status
from tests.domain.ladder import (
    ACCEPT,
    ANSWER,
    ASK,
    ASSIGN,
    CLASSIFY,
    DAY,
    EASE,
    FINAL,
    FIRST,
    HOUR,
    INTERIM,
    NOON,
    RAISE,
    REASSIGN,
    RESOLVE,
    TIME_OUT,
    WAYS,
    clocked,
    due,
    said,
)

FIRST_REPLY, NEXT_REPLY, SOLUTION = Clock.FIRST_REPLY, Clock.NEXT_REPLY, Clock.SOLUTION
IN_WORK = WAYS[Status.IN_PROGRESS]


def test_waiting_for_the_citizen_pauses_the_solution_and_not_the_reply() -> None:
    it = clocked(*IN_WORK, 5 * HOUR)
    asked, paused = it.do(ASK)
    assert isinstance(asked, e.ClarificationRequested)
    assert (type(paused), paused.clock) == (e.DeadlinePaused, SOLUTION)
    it.do(4 * HOUR)
    assert [event.clock for event in it.told()] == [FIRST_REPLY]
    it.at = NOON + 5 * HOUR + 4 * DAY
    assert all(event.clock is FIRST_REPLY for event in it.told())
    it.refuses(c.MissDeadline(clock=SOLUTION), ClockNotRunning)


@pytest.mark.parametrize("end", [ANSWER, TIME_OUT, REASSIGN], ids=lambda it: it.NAME)
def test_after_the_pause_there_is_left_what_was_left(end: c.Command) -> None:
    it = clocked(*IN_WORK, 70 * HOUR, ASK, 30 * HOUR, end)
    (resumed,) = said(it, e.DeadlineResumed)
    assert resumed.deadline.started_at == NOON
    assert resumed.deadline.due_at == due(it)[SOLUTION] == NOON + 102 * HOUR
    assert said(it, e.DeadlineMissed) == []


def test_each_pause_is_given_back() -> None:
    it = clocked(*IN_WORK, ASK, 10 * HOUR, ANSWER, HOUR, ASK, 20 * HOUR, TIME_OUT)
    assert due(it)[SOLUTION] == NOON + 102 * HOUR


@pytest.mark.parametrize("looked", [False, True])
def test_what_was_missed_before_the_pause_is_not_missed_again_after_it(looked: bool) -> None:
    it = clocked(*IN_WORK, FIRST, 73 * HOUR)
    if looked:
        it.told()
    it.do(ASK, 10 * HOUR, TIME_OUT, DAY)
    assert all(isinstance(event, e.EscalationRaised) for event in it.told())
    (only,) = said(it, e.DeadlineMissed)
    assert only.due_at == NOON + 72 * HOUR


def test_what_was_warned_of_before_the_pause_is_not_warned_of_again() -> None:
    it = clocked(*IN_WORK, FIRST, 71 * HOUR)
    it.told()
    it.do(ASK, 10 * HOUR, ANSWER, INTERIM)
    assert it.told() == []
    assert len(said(it, e.DeadlineWarned)) == 1


def test_urgency_while_waiting_keeps_the_pause() -> None:
    it = clocked(*IN_WORK, FIRST, 10 * HOUR, ASK, HOUR, RAISE)
    assert SOLUTION in it.it.cycle.clocks.paused
    it.do(4 * HOUR, TIME_OUT)
    assert due(it)[SOLUTION] == NOON + (36 + 5) * HOUR


def test_urgency_after_a_pause_gives_the_pause_back_too() -> None:
    it = clocked(*IN_WORK, FIRST, ASK, 20 * HOUR, TIME_OUT, RAISE)
    assert due(it)[SOLUTION] == NOON + (36 + 20) * HOUR


def test_easing_after_a_pause_takes_back_no_pause() -> None:
    it = clocked(*IN_WORK, RAISE, FIRST, ASK, 20 * HOUR, TIME_OUT)
    it.then(EASE)
    assert due(it)[SOLUTION] == NOON + (36 + 20) * HOUR


def test_the_resolution_counts_without_its_pauses_and_says_how_long_they_were() -> None:
    it = clocked(*IN_WORK, 6 * HOUR, ASK, 9 * HOUR, ANSWER, FINAL, 3 * HOUR)
    event = it.then(RESOLVE)
    assert event.paused_seconds == 9 * 3600
    assert event.elapsed_seconds == (6 + 3) * 3600
    assert event.working_seconds == pytest.approx((6 + 3) * 1200)


def test_a_cycle_that_was_nothing_but_pauses_took_no_time() -> None:
    """0.3 - (0.1 + 0.2) is less than nothing."""
    tenth = timedelta(seconds=0.1)
    it = clocked(*IN_WORK, FINAL, ASK, tenth, ANSWER, ASK, 2 * tenth, ANSWER)
    event = it.then(RESOLVE)
    assert (event.elapsed_seconds, event.working_seconds) == (0, 0)


# The citizen wrote again


def test_what_the_citizen_wrote_again_starts_a_clock_of_its_own() -> None:
    it = clocked(*IN_WORK, FIRST, ASK, HOUR)
    answered, _ = it.do(ANSWER)
    (deadline,) = answered.deadlines
    assert (deadline.clock, deadline.due_at) == (NEXT_REPLY, NOON + 5 * HOUR)
    it.do(2 * HOUR, INTERIM)
    assert set(due(it)) == {SOLUTION}
    assert it.stream[-1].event.elapsed_seconds == 2 * 3600


def test_of_several_messages_the_earliest_counts() -> None:
    it = clocked(*IN_WORK, FIRST, ASK, HOUR, ANSWER, ASK, 2 * HOUR)
    assert it.do(ANSWER)[0].deadlines == ()
    assert due(it)[NEXT_REPLY] == NOON + 5 * HOUR
    it.do(HOUR, INTERIM)
    assert it.stream[-1].event.elapsed_seconds == 3 * 3600


def test_accepting_the_work_is_no_reply() -> None:
    assert FIRST_REPLY in due(clocked(CLASSIFY, ASSIGN, ACCEPT))
