"""A history replayed under other terms: what people did stays, each deadline is decided again."""

from contextlib import suppress
from datetime import datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from domain import events as e
from domain.deadlines import NO_TERMS, Deadline, Matter, Terms
from domain.errors import DomainError
from domain.lifecycle import transition_of
from domain.replaying import deadlines_of, replayed
from domain.runs import Run, runs_of
from domain.vocabulary import Clock, Regime
from tests.domain.ladder import (
    ACCEPT,
    ADD,
    ANSWER,
    ASK,
    ASSIGN,
    CAPTURE,
    CLASSIFY,
    DAY,
    DISPUTE,
    EASE,
    EXTEND,
    FAST_TRACK,
    FINAL,
    FIRST,
    HOUR,
    INCIDENT,
    INTERIM,
    MERGE,
    MOVE,
    NOON,
    RAISE,
    REASSIGN,
    RECLASSIFY,
    REGISTER_CAPTURED,
    REJECT,
    RELOCATE,
    REOPEN,
    RESOLVE,
    RETURN,
    SCHEDULE,
    TERMS,
    TIME_OUT,
    UNMERGE,
    WAYS,
    FixedTerms,
    Life,
    changed,
    clocked,
    life,
    said,
)

FIRST_REPLY, NEXT_REPLY, SOLUTION = Clock
MINUTE = timedelta(minutes=1)
EXTEND_SOLUTION = changed(EXTEND, clock=SOLUTION)
BY_DATE = changed(ASSIGN, due_at=NOON + 5 * DAY)


class ShortTerms(FixedTerms):
    hours = {FIRST_REPLY: 4, NEXT_REPLY: 2, SOLUTION: 24}  # noqa: RUF012


SHORT = ShortTerms()


def again(it: Life, terms: Terms) -> list[e.Event]:
    return replayed(INCIDENT, [(each.event, terms) for each in it.stream]).events


def runs(it: Life, terms: Terms) -> list[Run]:
    return runs_of(INCIDENT, again(it, terms))


def due(it: Life, terms: Terms) -> dict[Clock, timedelta]:
    """How long after NOON each clock had time, the last one of its name."""
    return {run.clock: run.deadline.due_at - NOON for run in runs(it, terms)}


# By hand


def test_a_shorter_term_is_missed_exactly_where_the_reply_came_after_it() -> None:
    for waited, late in ((4 * HOUR, None), (4 * HOUR + MINUTE, 60.0)):
        (run,) = runs(clocked(waited, FIRST), SHORT)
        assert (run.deadline.due_at, run.ended_at) == (NOON + 4 * HOUR, NOON + waited)
        assert run.late_seconds(NOON + 9 * DAY) == late


def test_what_is_open_is_late_until_now() -> None:
    (run,) = runs(clocked(HOUR, CLASSIFY), SHORT)
    assert run.late_seconds(NOON + 4 * HOUR) is None
    assert run.late_seconds(NOON + 5 * HOUR) == 60 * 60


def test_a_pause_gives_its_time_back() -> None:
    it = clocked(CLASSIFY, ASSIGN, FIRST, 10 * HOUR, ASK, 5 * HOUR, ANSWER)
    assert due(it, TERMS)[SOLUTION] == 77 * HOUR
    assert due(it, SHORT)[SOLUTION] == 29 * HOUR


def test_a_pause_does_not_save_what_the_shorter_term_missed_before_it() -> None:
    it = clocked(CLASSIFY, ASSIGN, FIRST, 30 * HOUR, ASK, 5 * HOUR, TIME_OUT)
    assert due(it, SHORT)[SOLUTION] == 24 * HOUR
    assert due(it, TERMS)[SOLUTION] == 77 * HOUR


def test_what_stands_still_is_late_for_nothing_unless_it_was_so_before() -> None:
    it = clocked(CLASSIFY, ASSIGN, FIRST, 30 * HOUR, ASK)
    usual, shorter = (runs(it, terms)[-1] for terms in (TERMS, SHORT))
    assert usual.late_seconds(NOON + 99 * DAY) is None
    assert shorter.late_seconds(NOON + 99 * DAY) == 6 * 60 * 60


def test_an_extension_grants_what_it_granted() -> None:
    it = clocked(CLASSIFY, ASSIGN, changed(EXTEND, clock=SOLUTION, due_at=NOON + 82 * HOUR))
    assert due(it, SHORT)[SOLUTION] == 34 * HOUR


def test_a_promise_reaches_to_its_day() -> None:
    it = clocked(CLASSIFY, ASSIGN, INTERIM, SCHEDULE, DAY, MOVE)
    assert (
        due(it, SHORT)[SOLUTION] == due(it, TERMS)[SOLUTION] == NOON.replace(day=26, hour=0) - NOON
    )
    # Within the usual term the promise moved nothing; the shorter one it extends.
    near = changed(SCHEDULE, promised_on=(NOON + DAY).date())
    it = clocked(CLASSIFY, ASSIGN, INTERIM, near)
    assert due(it, TERMS)[SOLUTION] == 72 * HOUR
    assert due(it, SHORT)[SOLUTION] == 36 * HOUR


def test_a_raised_priority_tightens_from_the_same_start() -> None:
    assert due(clocked(CLASSIFY, ASSIGN, HOUR, RAISE), SHORT) == {
        FIRST_REPLY: 2 * HOUR,
        SOLUTION: 12 * HOUR,
    }


def test_what_the_shorter_term_missed_is_not_tightened() -> None:
    assert due(clocked(5 * HOUR, RAISE), SHORT) == {FIRST_REPLY: 4 * HOUR}
    assert due(clocked(5 * HOUR, RAISE), TERMS) == {FIRST_REPLY: 4 * HOUR}
    assert said(clocked(5 * HOUR, RAISE), e.DeadlineSet)


def test_what_was_missed_before_a_pause_is_not_tightened_in_it() -> None:
    it = clocked(CLASSIFY, ASSIGN, FIRST, 80 * HOUR, ASK, HOUR, RAISE)
    assert due(it, TERMS)[SOLUTION] == 72 * HOUR
    assert due(it, SHORT)[SOLUTION] == 24 * HOUR


def test_an_extension_to_the_day_of_a_promise_is_granted_as_any_other() -> None:
    """Urgency took back what the promise had extended."""
    promised = NOON.replace(day=21, hour=0)
    extension = changed(EXTEND, clock=SOLUTION, due_at=promised)
    it = clocked(CLASSIFY, ASSIGN, INTERIM, SCHEDULE, RAISE, HOUR, extension)
    assert due(it, TERMS)[SOLUTION] == promised - NOON
    assert due(it, SHORT)[SOLUTION] == promised - NOON - 24 * HOUR


def test_a_registration_is_judged_by_its_place_and_its_regime() -> None:
    class Strict(FixedTerms):
        def deadline(self, clock: Clock, matter: Matter, *, start: datetime) -> Deadline | None:
            assert (matter.municipality, matter.regime) == ("BRONX-01", Regime.POS_MESSAGE)
            return super().deadline(clock, matter, start=start)

    for begun in (
        life(changed(CAPTURE, regime=Regime.POS_MESSAGE), REGISTER_CAPTURED),
        clocked(),
    ):
        told = [replace_regime(each.event) for each in begun.stream]
        found = replayed(INCIDENT, [(event, Strict()) for event in told])
        assert len([*deadlines_of(found.events)]) == 1


def replace_regime(event: e.Event) -> e.Event:
    return replace(event, regime=Regime.POS_MESSAGE)


def test_a_reopening_starts_anew() -> None:
    it = clocked(CLASSIFY, ASSIGN, HOUR, FINAL, RESOLVE, DISPUTE, DAY, REOPEN, HOUR, FIRST)
    first, _, again = runs(it, SHORT)
    assert (first.clock, again.clock) == (FIRST_REPLY, FIRST_REPLY)
    assert again.deadline.started_at == NOON + 25 * HOUR
    assert again.deadline.due_at == NOON + 29 * HOUR


def test_a_date_that_somebody_named_remains() -> None:
    it = clocked(CLASSIFY, changed(ASSIGN, due_at=NOON + 10 * DAY))
    assert due(it, SHORT)[SOLUTION] == due(it, NO_TERMS)[SOLUTION] == 10 * DAY


def test_where_there_was_no_policy_another_may_have_one() -> None:
    it = Life(clocked().it, NO_TERMS)
    it.it.cycle.clocks.running.clear()
    it.do(CLASSIFY, ASSIGN, HOUR, FINAL, RESOLVE)
    it.stream = [*clocked().stream, *it.stream]
    assert [run.clock for run in runs(it, SHORT)] == [FIRST_REPLY, SOLUTION]
    assert runs(clocked(CLASSIFY, ASSIGN), NO_TERMS) == []


def test_what_nobody_has_to_answer_is_neither_kept_nor_missed() -> None:
    assert runs(clocked(9 * HOUR, REJECT), TERMS) == []
    merged = clocked(CLASSIFY, ASSIGN, MERGE)
    assert runs(merged, SHORT) == []
    merged.do(DAY, UNMERGE)
    assert due(merged, SHORT) == {FIRST_REPLY: 4 * HOUR, SOLUTION: 24 * HOUR}


def test_a_deadline_that_came_from_another_incident_stays_and_is_told() -> None:
    merged = clocked(2 * HOUR, CLASSIFY, MERGE)
    taken = [(each.event, SHORT) for each in merged.master.collect_events()[-1:]]
    begun = [(each.event, SHORT) for each in clocked(HOUR, FIRST).stream]
    found = replayed(INCIDENT, [*begun, *taken])
    assert found.took_deadline
    assert [each.due_at for each in deadlines_of(found.events)] == [
        NOON + 4 * HOUR,
        NOON + 8 * HOUR,
    ]
    # Who waits already is not waited for by the other one's clock.
    assert not replayed(INCIDENT, [*begun[:1], *taken]).took_deadline
    answered = clocked(FIRST, CLASSIFY, MERGE)
    taken = [(each.event, SHORT) for each in answered.master.collect_events()[-1:]]
    assert not replayed(INCIDENT, [*begun, *taken]).took_deadline


# The law

STEPS = [
    ACCEPT, ADD, ANSWER, ASK, ASSIGN, BY_DATE, CLASSIFY, DISPUTE, EASE, EXTEND_SOLUTION, FAST_TRACK,
    FINAL, FIRST, INTERIM, MERGE, MOVE, RAISE, REASSIGN, RECLASSIFY, REGISTER_CAPTURED, RELOCATE,
    REOPEN, RESOLVE, RETURN, SCHEDULE, TIME_OUT, UNMERGE,
]  # fmt: skip


@given(st.integers(0))
def test_under_its_own_terms_a_history_has_its_own_deadlines(seed: int) -> None:
    """A walk through the states: steps drawn one by one would seldom get far."""
    chance = Random(seed)
    it = clocked(*chance.choice([[CAPTURE], [CLASSIFY, ASSIGN], *WAYS.values()]))
    for _ in range(30):
        it.do(chance.choice([MINUTE, HOUR, 7 * HOUR, 2 * DAY]))
        if chance.random() < 0.5:
            it.told()
        possible = [step for step in STEPS if it.it.status in transition_of(step).sources]
        with suppress(DomainError):
            it.do(*chance.sample(possible, min(1, len(possible))))
    stored = [each.event for each in it.stream]
    found = again(it, TERMS)
    assert [*deadlines_of(found)] == [*deadlines_of(stored)]
    assert runs_of(INCIDENT, found) == runs_of(INCIDENT, stored)


@pytest.mark.parametrize("terms", [SHORT, NO_TERMS])
def test_other_terms_change_nothing_but_deadlines(terms: Terms) -> None:
    it = clocked(CLASSIFY, ASSIGN, HOUR, RAISE, ASK, DAY, ANSWER, 2 * DAY, FINAL, RESOLVE)
    timing = e.DeadlineSet | e.DeadlinePaused | e.DeadlineResumed | e.DeadlineMissed
    kinds = [type(each.event) for each in it.stream if not isinstance(each.event, timing)]
    assert [type(each) for each in again(it, terms) if not isinstance(each, timing)] == kinds
