"""Clocks: when they start, pause, are warned of, missed, extended, and end.

The terms are of a fixed number of hours: the working calendar is tested with the regions.
"""

from datetime import timedelta

import pytest

from domain import commands as c
from domain import events as e
from domain.deadlines import MANUAL, Deadline
from domain.errors import ClockNotRunning, DoneAlready, NotDueYet, NotLater
from domain.vocabulary import Clock, PromiseReason, Role, Status
from tests.domain.ladder import (
    ASK,
    ASSIGN,
    AUTO,
    CLASSIFY,
    DAY,
    DISPUTE,
    EASE,
    ESCALATE,
    EXTEND,
    FAST_TRACK,
    FINAL,
    FIRST,
    HOUR,
    INTERIM,
    MISS,
    MOVE,
    NOON,
    RAISE,
    REASSIGN,
    RECLASSIFY,
    REJECT,
    RELOCATE,
    REOPEN,
    RESOLVE,
    RETURN,
    SCHEDULE,
    WARN,
    WAYS,
    changed,
    clocked,
    due,
    life,
    said,
)

FIRST_REPLY, SOLUTION = Clock.FIRST_REPLY, Clock.SOLUTION
IN_WORK = WAYS[Status.IN_PROGRESS]
RESOLVED = WAYS[Status.RESOLVED]


# Starting and stopping


def test_registration_starts_the_clock_of_the_first_reply() -> None:
    it = clocked()
    (deadline,) = it.stream[0].event.deadlines
    assert deadline == Deadline(
        clock=FIRST_REPLY,
        policy="USUAL",
        started_at=NOON,
        due_at=NOON + 8 * HOUR,
        warn_at=NOON + 6 * HOUR,
    )
    assert due(it) == {FIRST_REPLY: NOON + 8 * HOUR}


def test_the_first_assignment_starts_the_clock_of_the_solution_from_the_cycles_start() -> None:
    it = clocked(CLASSIFY, 5 * HOUR)
    (deadline,) = it.then(ASSIGN).deadlines
    assert (deadline.clock, deadline.started_at) == (SOLUTION, NOON)
    assert deadline.due_at == NOON + 72 * HOUR


def test_a_region_without_policies_has_no_deadlines() -> None:
    it = life(*IN_WORK, 100 * DAY)
    assert due(it) == {}
    assert it.told() == []
    it.refuses(MISS, ClockNotRunning)


def test_who_assigns_may_name_the_date() -> None:
    it = clocked(CLASSIFY)
    (deadline,) = it.then(changed(ASSIGN, due_at=NOON + HOUR)).deadlines
    assert (deadline.policy, deadline.due_at, deadline.warn_at) == (MANUAL, NOON + HOUR, None)


@pytest.mark.parametrize("reply", [FIRST, INTERIM, FINAL])
def test_a_human_reply_stops_the_clock_of_the_reply_and_no_other(reply: c.Command) -> None:
    it = clocked(*IN_WORK, HOUR, reply)
    assert set(due(it)) == {SOLUTION}
    it.refuses(MISS, ClockNotRunning)


@pytest.mark.parametrize("end", [[FINAL, RESOLVE], [RETURN]], ids=["resolved", "returned"])
def test_the_solution_ends_with_the_resolution(end: list[c.Command]) -> None:
    it = clocked(CLASSIFY, ASSIGN, *end)
    assert (SOLUTION in due(it)) == (it.it.status is Status.RETURNED)


def test_a_rejection_stops_all() -> None:
    it = clocked(REJECT, 100 * DAY)
    assert due(it) == {}
    assert it.told() == []


@pytest.mark.parametrize(
    "command", [REASSIGN, RECLASSIFY, RELOCATE, RAISE, RETURN], ids=lambda it: it.NAME
)
def test_passing_it_on_starts_no_clock_anew(command: c.Command) -> None:
    it = clocked(CLASSIFY, ASSIGN)
    before = {clock: each.started_at for clock, each in it.it.cycle.clocks.running.items()}
    it.do(3 * HOUR, command)
    after = {clock: each.started_at for clock, each in it.it.cycle.clocks.running.items()}
    assert before == after == {FIRST_REPLY: NOON, SOLUTION: NOON}
    if command is not RAISE:
        assert due(it) == {FIRST_REPLY: NOON + 8 * HOUR, SOLUTION: NOON + 72 * HOUR}


def test_an_assignment_after_a_return_starts_no_clock_anew() -> None:
    it = clocked(CLASSIFY, ASSIGN, RETURN, 3 * HOUR)
    assert it.then(ASSIGN).deadlines == ()
    assert due(it)[SOLUTION] == NOON + 72 * HOUR


def test_a_date_named_after_a_return_does_not_hide_that_the_earlier_one_was_missed() -> None:
    it = clocked(CLASSIFY, ASSIGN, RETURN, 80 * HOUR)
    missed, assigned = it.do(changed(ASSIGN, due_at=NOON + 100 * HOUR))
    assert (missed.clock, missed.due_at) == (SOLUTION, NOON + 72 * HOUR)
    assert assigned.deadlines[0].due_at == NOON + 100 * HOUR


def test_the_same_date_named_again_is_not_missed_again() -> None:
    by_noon = changed(ASSIGN, due_at=NOON + HOUR)
    it = clocked(CLASSIFY, by_noon, RETURN, 2 * HOUR)
    it.told()
    assert it.then(by_noon).deadlines == ()
    assert it.told() == []
    assert len(said(it, e.DeadlineMissed)) == 1


def test_a_new_cycle_has_new_clocks() -> None:
    it = clocked(*RESOLVED, DISPUTE, 5 * HOUR)
    start = it.at
    (deadline,) = it.then(REOPEN).deadlines
    assert due(it) == {FIRST_REPLY: deadline.due_at} == {FIRST_REPLY: start + 8 * HOUR}
    it.do(HOUR, ASSIGN)
    assert due(it) == {FIRST_REPLY: start + 8 * HOUR, SOLUTION: start + 72 * HOUR}


# Warned, missed, escalated


def test_a_deadline_is_warned_of_once() -> None:
    it = clocked(6 * HOUR - timedelta(seconds=1))
    it.refuses(WARN, NotDueYet)
    assert it.told() == []
    it.do(timedelta(seconds=1))
    (warned,) = it.told()
    assert (warned.clock, warned.due_at) == (FIRST_REPLY, NOON + 8 * HOUR)
    it.refuses(WARN, DoneAlready)
    it.do(HOUR)
    assert it.told() == []


def test_a_missed_deadline_is_recorded_once_and_not_warned_of_any_more() -> None:
    it = clocked(8 * HOUR)
    it.refuses(MISS, NotDueYet)
    it.do(timedelta(seconds=1))
    (missed,) = it.told()
    assert (missed.clock, missed.due_at) == (FIRST_REPLY, NOON + 8 * HOUR)
    assert missed.next_at == it.at + 2 * HOUR
    it.refuses(MISS, DoneAlready)
    it.refuses(WARN, DoneAlready)
    it.do(HOUR)
    assert it.told() == []


@pytest.mark.parametrize("looked", [False, True])
def test_a_miss_is_recorded_by_the_late_reply_if_nobody_looked(looked: bool) -> None:
    it = clocked(9 * HOUR)
    if looked:
        it.told()
    *missed, replied = it.do(FIRST)
    assert [type(event) for event in missed] == [] if looked else [e.DeadlineMissed]
    assert isinstance(replied, e.ReplyPublished)
    (only,) = said(it, e.DeadlineMissed)
    assert only.due_at == NOON + 8 * HOUR


@pytest.mark.parametrize("looked", [False, True])
def test_a_miss_is_recorded_by_the_late_resolution_if_nobody_looked(looked: bool) -> None:
    it = clocked(*IN_WORK, FINAL, 73 * HOUR)
    if looked:
        it.told()
    it.do(RESOLVE)
    (only,) = said(it, e.DeadlineMissed)
    assert (only.clock, only.due_at) == (SOLUTION, NOON + 72 * HOUR)


def test_a_miss_is_recorded_by_the_late_rejection() -> None:
    it = clocked(9 * HOUR, REJECT)
    assert [event.clock for event in said(it, e.DeadlineMissed)] == [FIRST_REPLY]


def test_an_automatic_reply_records_no_miss_and_stops_no_clock() -> None:
    it = clocked(9 * HOUR, AUTO)
    assert said(it, e.DeadlineMissed) == []
    assert [event.clock for event in it.told()] == [FIRST_REPLY]


def test_a_missed_deadline_goes_up_the_chain_step_by_step() -> None:
    it = clocked(9 * HOUR)
    it.refuses(ESCALATE, NotDueYet)
    it.told()
    missed_at = it.at
    it.refuses(ESCALATE, NotDueYet)
    heard = []
    for hours in range(1, 100):
        it.at = missed_at + hours * HOUR
        heard += [(event.step, event.to, hours, event.next_at) for event in it.told()]
    assert heard == [
        (1, Role.ORG_HEAD, 2, missed_at + 10 * HOUR),
        (2, Role.CURATOR, 10, missed_at + 3 * DAY),
        (3, Role.REGION_HEAD, 72, None),
    ]
    it.refuses(ESCALATE, NotDueYet)


def test_steps_that_nobody_told_in_time_are_told_one_after_the_other() -> None:
    it = clocked(9 * HOUR)
    it.told()
    it.do(10 * DAY)
    assert [event.step for event in it.told()] == [1, 2, 3]


def test_a_reply_ends_the_chain() -> None:
    it = clocked(9 * HOUR)
    it.told()
    it.do(FIRST, 10 * DAY)
    assert it.told() == []
    it.refuses(ESCALATE, ClockNotRunning)


# Extended


def test_an_extension_is_later_and_keeps_the_original() -> None:
    it = clocked()
    for due_at in (NOON + 7 * HOUR, NOON + 8 * HOUR):
        it.refuses(changed(EXTEND, due_at=due_at), NotLater)
    event = it.then(changed(EXTEND, due_at=NOON + 10 * HOUR))
    assert (event.before, event.reason) == (NOON + 8 * HOUR, PromiseReason.SUPPLY)
    assert (event.deadline.due_at, event.deadline.warn_at) == (NOON + 10 * HOUR, NOON + 8 * HOUR)
    assert (event.deadline.started_at, event.deadline.policy) == (NOON, "USUAL")
    assert due(it) == {FIRST_REPLY: NOON + 10 * HOUR}


def test_what_was_missed_before_its_extension_stays_missed() -> None:
    it = clocked(9 * HOUR)
    missed, _ = it.do(changed(EXTEND, due_at=NOON + 10 * HOUR))
    assert missed.due_at == NOON + 8 * HOUR
    it.do(2 * HOUR)
    (again,) = it.told()
    assert again.due_at == NOON + 10 * HOUR


def test_an_extended_deadline_is_warned_of_and_goes_up_the_chain_anew() -> None:
    it = clocked(6 * HOUR)
    it.told()
    it.do(changed(EXTEND, due_at=NOON + 20 * HOUR), 12 * HOUR)
    assert [type(event) for event in it.told()] == [e.DeadlineWarned]
    it.do(3 * HOUR)
    it.told()
    it.do(3 * HOUR)
    assert [event.step for event in it.told()] == [1]
    it.do(changed(EXTEND, due_at=NOON + 40 * HOUR), 20 * HOUR)
    it.told()
    it.do(3 * HOUR)
    assert [event.step for event in it.told()] == [1]


def test_a_promise_beyond_the_deadline_extends_it() -> None:
    it = clocked(*IN_WORK, INTERIM)
    _, extended = it.do(SCHEDULE)
    assert (extended.before, extended.reason) == (NOON + 72 * HOUR, SCHEDULE.reason)
    assert due(it)[SOLUTION] == NOON.replace(day=21, hour=0)
    _, moved = it.do(MOVE)
    assert (moved.before, moved.deadline.due_at) == (
        NOON.replace(day=21, hour=0),
        NOON.replace(day=26, hour=0),
    )


def test_a_promise_before_the_deadline_changes_no_deadline() -> None:
    it = clocked(*IN_WORK, INTERIM)
    it.then(changed(SCHEDULE, promised_on=NOON.date()))
    assert due(it)[SOLUTION] == NOON + 72 * HOUR


def test_only_what_runs_is_extended() -> None:
    clocked(FIRST).refuses(EXTEND, ClockNotRunning)
    clocked(CLASSIFY, ASSIGN, ASK).refuses(changed(EXTEND, clock=SOLUTION), ClockNotRunning)


# Tightened


@pytest.mark.parametrize("command", [RAISE, FAST_TRACK], ids=lambda it: it.NAME)
def test_urgency_tightens_from_the_same_start(command: c.Command) -> None:
    it = clocked(CLASSIFY, ASSIGN, 3 * HOUR)
    happened = it.do(command)[1:]
    clocks = [FIRST_REPLY, SOLUTION] if command is RAISE else [SOLUTION]
    assert [event.deadline.clock for event in happened] == clocks
    assert all(event.deadline.started_at == NOON for event in happened)
    assert due(it) == {
        FIRST_REPLY: NOON + (4 if command is RAISE else 8) * HOUR,
        SOLUTION: NOON + 36 * HOUR,
    }


def test_easing_never_loosens() -> None:
    it = clocked(CLASSIFY, ASSIGN, RAISE)
    before = due(it)
    it.then(EASE)
    assert due(it) == before == {FIRST_REPLY: NOON + 4 * HOUR, SOLUTION: NOON + 36 * HOUR}


def test_what_is_urgent_already_is_not_set_again() -> None:
    it = clocked(CLASSIFY, ASSIGN, RAISE, EASE)
    it.then(FAST_TRACK)
    assert due(it)[SOLUTION] == NOON + 36 * HOUR


def test_easing_takes_back_no_extension() -> None:
    it = clocked(*IN_WORK, RAISE, changed(EXTEND, clock=SOLUTION, due_at=NOON + 10 * DAY))
    it.then(EASE)
    assert due(it)[SOLUTION] == NOON + 10 * DAY


def test_urgency_takes_an_extension_back() -> None:
    it = clocked(*IN_WORK, FIRST, changed(EXTEND, clock=SOLUTION, due_at=NOON + 10 * DAY), RAISE)
    assert due(it)[SOLUTION] == NOON + 36 * HOUR
    assert said(it, e.DeadlineExtended)[0].before == NOON + 72 * HOUR


def test_a_date_that_somebody_named_is_not_tightened() -> None:
    it = clocked(CLASSIFY, changed(ASSIGN, due_at=NOON + 10 * DAY), FIRST)
    it.then(RAISE)
    assert due(it)[SOLUTION] == NOON + 10 * DAY


@pytest.mark.parametrize("looked", [False, True])
def test_what_was_missed_is_not_missed_again_for_being_urgent(looked: bool) -> None:
    it = clocked(9 * HOUR)
    if looked:
        it.told()
    it.do(RAISE)
    assert it.told() == []
    (only,) = said(it, e.DeadlineMissed)
    assert only.due_at == NOON + 8 * HOUR
