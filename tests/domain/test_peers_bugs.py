"""What went wrong in the systems of others, each as a test that it does not go wrong here."""

import pytest

from domain import commands as c
from domain.events import DeadlineMissed, IncidentResolved, ReplyPublished
from domain.vocabulary import Clock, DisputeBy, ReplyAuthor, Status
from tests.domain.ladder import (
    ANSWER,
    ASK,
    ASSIGN,
    AUTO,
    DAY,
    DISPUTE,
    EXTEND,
    FINAL,
    FIRST,
    HOUR,
    INTERIM,
    NOON,
    RATE,
    REASSIGN,
    RECLASSIFY,
    REOPEN,
    RESOLVE,
    WAYS,
    changed,
    clocked,
    due,
    said,
)

IN_WORK = WAYS[Status.IN_PROGRESS]


def test_the_first_reply_after_a_reopening_counts_from_the_reopening() -> None:
    """It was five days instead of ten minutes, counted from the creation.

    https://github.com/chatwoot/chatwoot/pull/12058
    https://github.com/chatwoot/chatwoot/pull/11787
    """
    it = clocked(*IN_WORK, HOUR, FINAL, RESOLVE, 5 * DAY, DISPUTE, REOPEN)
    start = it.at
    it.do(HOUR / 6, FIRST)
    before, after = said(it, ReplyPublished)
    assert before.elapsed_seconds == 3600
    assert (after.elapsed_seconds, after.working_seconds) == (600, 200)
    it.do(ASSIGN, FINAL, HOUR, RESOLVE)
    assert said(it, IncidentResolved)[-1].elapsed_seconds == (it.at - start).total_seconds()


def test_a_reopened_incident_is_not_overdue_for_the_time_before() -> None:
    """The same bug, of the deadline instead of the figure."""
    it = clocked(*IN_WORK, FINAL, RESOLVE, 10 * DAY, DISPUTE, REOPEN, ASSIGN)
    assert it.told() == []
    assert due(it) == {
        Clock.FIRST_REPLY: NOON + 10 * DAY + 8 * HOUR,
        Clock.SOLUTION: NOON + 10 * DAY + 72 * HOUR,
    }


@pytest.mark.parametrize("automatic", [AUTO, changed(FINAL, author=ReplyAuthor.AUTO)])
def test_an_automatic_reply_is_not_the_first_reply(automatic: c.Command) -> None:
    """Bots made the figures of first replies look good.

    https://github.com/chatwoot/chatwoot/pull/6409
    https://support.zendesk.com/hc/en-us/articles/4408821871642
    """
    it = clocked(automatic, 3 * HOUR)
    assert Clock.FIRST_REPLY in due(it)
    it.do(FIRST)
    auto, human = said(it, ReplyPublished)
    assert (auto.author, auto.elapsed_seconds, auto.working_seconds) == ("AUTO", None, None)
    assert (human.author, human.elapsed_seconds) == ("HUMAN", 3 * 3600)


def test_an_automatic_reply_does_not_end_the_wait_for_the_next_one() -> None:
    """https://github.com/chatwoot/chatwoot/pull/6409, for the replies after the first."""
    it = clocked(*IN_WORK, FIRST, ASK, ANSWER, HOUR, changed(INTERIM, author=ReplyAuthor.AUTO))
    assert Clock.NEXT_REPLY in due(it)
    it.do(HOUR, INTERIM)
    assert said(it, ReplyPublished)[-1].elapsed_seconds == 2 * 3600


def test_the_clock_of_the_next_reply_does_not_overrule_that_of_the_first() -> None:
    """An update set a new escalation, and the first response was never late.

    https://github.com/zammad/zammad/issues/5177
    """
    it = clocked(*IN_WORK, 7 * HOUR, ASK, HOUR / 2, ANSWER)
    assert due(it)[Clock.FIRST_REPLY] == NOON + 8 * HOUR
    assert Clock.NEXT_REPLY not in due(it)
    it.do(HOUR)
    assert [event.clock for event in it.told()] == [Clock.FIRST_REPLY]


def test_each_clock_has_alarms_of_its_own() -> None:
    """https://github.com/zammad/zammad/issues/5177, the other way round: nor does any other."""
    it = clocked(*IN_WORK, 80 * HOUR)
    it.told()
    missed = {event.clock: event.due_at for event in said(it, DeadlineMissed)}
    assert missed == {
        Clock.FIRST_REPLY: NOON + 8 * HOUR,
        Clock.SOLUTION: NOON + 72 * HOUR,
    }
    it.do(FIRST)
    assert set(due(it)) == {Clock.SOLUTION}


def test_of_several_messages_without_a_reply_the_earliest_counts() -> None:
    """Only the longest span was kept, and the ones before were lost.

    https://github.com/zammad/zammad/issues/3410
    """
    it = clocked(*IN_WORK, FIRST, ASK, ANSWER, HOUR, ASK, HOUR, ANSWER, HOUR, INTERIM)
    it.do(HOUR, FINAL)
    assert [event.elapsed_seconds for event in said(it, ReplyPublished)] == [0, 3 * 3600, None]


def test_an_edited_term_keeps_what_was_missed_under_the_old_one() -> None:
    """After an edit of the terms the statistics were null or wrong.

    https://github.com/zammad/zammad/issues/4516
    """
    it = clocked(9 * HOUR, changed(EXTEND, due_at=NOON + DAY), FIRST)
    assert [event.due_at for event in said(it, DeadlineMissed)] == [NOON + 8 * HOUR]


def test_passing_an_incident_on_does_not_make_it_new() -> None:
    """A reassigned ticket was counted by its last schedule only.

    https://github.com/fivetran/dbt_zendesk/issues/88
    """
    it = clocked(*IN_WORK, 6 * HOUR, REASSIGN, RECLASSIFY, 3 * HOUR, FIRST)
    (reply,) = said(it, ReplyPublished)
    assert reply.elapsed_seconds == 9 * 3600
    assert len(said(it, DeadlineMissed)) == 1


def test_others_may_say_that_it_is_not_fixed() -> None:
    """https://github.com/mysociety/fixmystreet/issues/897"""
    it = clocked(*WAYS[Status.CLOSED], RATE)
    it.then(c.Dispute(by=DisputeBy.THIRD_PARTY))
    assert it.it.status is Status.REOPEN_REQUESTED
