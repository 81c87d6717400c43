"""What is refused although the state would allow it: replies, promises, control.

Disputes: test_disputes.py; clocks: test_deadlines.py and test_pauses.py.
"""

from datetime import date

import msgspec
import pytest

from domain import commands as c
from domain import events as e
from domain.decisions import decide
from domain.errors import (
    AlreadyUnderControl,
    ClarificationsExhausted,
    DoneAlready,
    EvidenceMissing,
    FirstReplyRepeated,
    ForbiddenTransition,
    InterimReplyMissing,
    NotClassified,
    OwnDraft,
    PromiseInPast,
    PromiseTooLate,
    ReplyFlawed,
    ReplyNotApproved,
    ReplyPending,
    UnderPersonalControl,
)
from domain.rights import Actor
from domain.vocabulary import (
    Outcome,
    RejectReason,
    ReplyAuthor,
    ReplyFlaw,
    ReplyKind,
    Role,
    Status,
)
from tests.domain.ladder import (
    ACCEPT,
    ANSWER,
    APPROVE,
    ASK,
    ASSIGN,
    CLASSIFY,
    CLOSE,
    CURATOR,
    DAY,
    DECLINE,
    DISPUTE,
    DRAFT,
    EASE,
    EMPTY_WORDS,
    EXECUTOR,
    FAST_TRACK,
    FINAL,
    FIRST,
    GOVERNOR,
    HEAD,
    HOUR,
    INTERIM,
    LIFT,
    LINK,
    MONITOR,
    MOVE,
    NOON,
    RAISE,
    REASSIGN,
    RECLASSIFY,
    REJECT,
    REOPEN,
    RESOLVE,
    SCHEDULE,
    SEND_BACK,
    SUBMIT,
    SYSTEM,
    TAKE,
    TERMS,
    TIME_OUT,
    TOPIC,
    WAYS,
    FixedTerms,
    Life,
    changed,
    life,
)

IN_WORK = WAYS[Status.IN_PROGRESS]
REVIEWED = WAYS[Status.REPLY_IN_REVIEW]
RESOLVED = WAYS[Status.RESOLVED]
MINISTER = Actor("Министр", Role.FEDERAL_OVERSEER)

# Triage


@pytest.mark.parametrize("reason", RejectReason)
def test_a_message_is_rejected_for_a_reason_of_the_list(reason: RejectReason) -> None:
    assert life().then(c.Reject(reason=reason)).reason is reason


def test_a_rejection_without_a_reason_of_the_list_is_not_understood() -> None:
    for payload in (b'{"type":"Reject"}', b'{"type":"Reject","reason":"BORING"}'):
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(payload, type=c.Reject)


@pytest.mark.parametrize(
    ("before", "command"),
    [
        ([LINK], LINK),
        ([CLASSIFY, RECLASSIFY], RECLASSIFY),
        ([], EASE),
        ([RAISE], RAISE),
        ([FAST_TRACK], FAST_TRACK),
    ],
)
def test_what_is_so_already_is_not_recorded_again(
    before: list[c.Command], command: c.Command
) -> None:
    life(*before).refuses(command, DoneAlready)


def test_what_has_no_topic_yet_is_not_reclassified() -> None:
    life().refuses(RECLASSIFY, NotClassified)


# Clarifications


def test_the_citizen_is_asked_twice_in_a_cycle_at_most() -> None:
    it = life(*IN_WORK, ASK, ANSWER, ASK, TIME_OUT)
    assert it.refuses(ASK, ClarificationsExhausted).facts == {"limit": 2}
    it.do(FINAL, RESOLVE, DISPUTE, REOPEN, ASSIGN, ASK)
    assert it.it.status is Status.AWAITING_CITIZEN


def test_the_citizen_is_waited_for_five_days() -> None:
    it = life(*IN_WORK)
    (asked, *_) = it.do(ASK)
    assert asked.until == NOON + 5 * DAY
    it.do(5 * DAY - HOUR)
    assert it.told() == []
    it.do(HOUR)
    assert [type(event) for event in it.told()] == [e.ClarificationTimedOut]
    assert it.it.status is Status.IN_PROGRESS


# Replies


def test_who_drafted_a_reply_does_not_approve_it() -> None:
    it = life(*IN_WORK)
    it.do(DRAFT, by=HEAD)
    it.refuses(APPROVE, OwnDraft, by=HEAD)
    it.do(APPROVE, by=CURATOR)


def test_a_flawed_reply_is_approved_only_by_who_answers_for_it() -> None:
    it = life(*IN_WORK, changed(DRAFT, text=EMPTY_WORDS), terms=TERMS)
    assert it.refuses(APPROVE, ReplyFlawed).facts == {"flaws": "FORMAL"}
    event = it.then(changed(APPROVE, despite_flaws=True))
    assert event.despite == (ReplyFlaw.FORMAL,)


def test_a_reply_without_flaws_needs_nobody_to_answer_for_them() -> None:
    event = life(*REVIEWED, terms=TERMS).then(changed(APPROVE, despite_flaws=True))
    assert event.despite == ()


@pytest.mark.parametrize("kind", [ReplyKind.INTERIM, ReplyKind.FINAL])
@pytest.mark.parametrize("by", [EXECUTOR, MONITOR], ids=lambda by: by.role)
def test_who_may_not_approve_publishes_only_what_was_approved(kind: ReplyKind, by: Actor) -> None:
    reply, it = c.PublishReply(kind=kind), life(*IN_WORK)
    it.refuses(reply, ReplyNotApproved, by=by)
    it.do(changed(DRAFT, kind=kind))
    it.refuses(reply, ReplyNotApproved, by=by)
    it.do(APPROVE)
    assert it.then(reply, by=by).draft == it.it.version - 2
    it.refuses(reply, ReplyNotApproved, by=by)


def test_what_was_approved_is_published_and_nothing_else() -> None:
    it = life(*REVIEWED, APPROVE)
    it.refuses(INTERIM, ReplyNotApproved, by=EXECUTOR)
    it.refuses(changed(FINAL, text="Другой ответ"), ReplyNotApproved, by=EXECUTOR)
    assert it.then(changed(FINAL, text="Другой ответ"), by=CURATOR).draft is None


@pytest.mark.parametrize("lost", [[SEND_BACK], [REASSIGN], [APPROVE, REASSIGN]])
def test_a_draft_sent_back_or_of_another_body_is_not_published(lost: list[c.Command]) -> None:
    life(*REVIEWED, *lost).refuses(FINAL, ReplyNotApproved, by=EXECUTOR)


def test_that_it_was_taken_up_an_executor_says_without_approval() -> None:
    assert life(*IN_WORK).then(FIRST, by=EXECUTOR).kind is ReplyKind.FIRST


# Promises


def test_a_solution_is_planned_for_later_only_after_an_interim_reply() -> None:
    for replies in ([], [FIRST], [FINAL], [changed(INTERIM, author=ReplyAuthor.AUTO)]):
        life(*IN_WORK, *replies).refuses(SCHEDULE, InterimReplyMissing)
    life(*IN_WORK, INTERIM).then(SCHEDULE)


def test_the_interim_reply_of_an_earlier_cycle_promises_nothing() -> None:
    it = life(*IN_WORK, INTERIM, FINAL, RESOLVE, DISPUTE, REOPEN, ASSIGN)
    it.refuses(SCHEDULE, InterimReplyMissing)


@pytest.mark.parametrize(
    ("promised_on", "refusal"),
    [
        (date(2026, 3, 1), PromiseInPast),  # the day before
        (date(2026, 3, 2), None),
        (date(2026, 4, 1), None),  # 30 days
        (date(2026, 4, 2), PromiseTooLate),
    ],
)
def test_a_promise_is_in_the_future_and_within_the_limit(
    promised_on: date, refusal: type[PromiseInPast | PromiseTooLate] | None
) -> None:
    planned = life(*IN_WORK, INTERIM, terms=TERMS)
    moved = life(*WAYS[Status.SCHEDULED], terms=TERMS)
    for it, command in ((planned, SCHEDULE), (moved, MOVE)):
        command = changed(command, promised_on=promised_on)
        if refusal:
            it.refuses(command, refusal)
        else:
            it.do(command)
            assert it.it.cycle.promised_on == promised_on


def test_a_day_cannot_be_promised_once_it_is_over() -> None:
    it = life(*IN_WORK, INTERIM, 12 * HOUR, terms=TERMS)
    it.refuses(changed(SCHEDULE, promised_on=NOON.date()), PromiseInPast)


@pytest.mark.parametrize("review", [SEND_BACK, APPROVE])
def test_a_promise_stays_one_while_a_reply_is_reviewed(review: c.Command) -> None:
    it = life(*WAYS[Status.SCHEDULED], DRAFT)
    assert it.it.status is Status.REPLY_IN_REVIEW
    it.do(review)
    assert it.it.status is Status.SCHEDULED


def test_a_promise_made_anew_by_another_body_was_moved() -> None:
    it = life(*WAYS[Status.SCHEDULED], REASSIGN)
    again, moved = it.do(changed(SCHEDULE, promised_on=date(2026, 3, 27)))
    assert isinstance(again, e.SolutionScheduled)
    assert isinstance(moved, e.PromiseMoved)
    assert (moved.before, moved.promised_on) == (SCHEDULE.promised_on, date(2026, 3, 27))


# Evidence


@pytest.mark.parametrize("outcome", Outcome)
def test_a_solution_that_can_be_seen_must_be_shown(outcome: Outcome) -> None:
    command = c.Resolve(outcome=outcome)
    it = life(*IN_WORK, FINAL, terms=FixedTerms(visible=TOPIC))
    if outcome is Outcome.SOLVED:
        it.refuses(command, EvidenceMissing)
        it.then(changed(command, evidence=("photo/1",)))
    else:
        it.then(command)


def test_a_solution_that_cannot_be_seen_needs_no_evidence() -> None:
    life(*IN_WORK, FINAL, terms=FixedTerms(visible="water.leak")).then(RESOLVE)


# Personal control


def test_what_is_resolved_under_personal_control_stays_there_until_it_is_lifted() -> None:
    it = life(*IN_WORK, FINAL, TAKE, RESOLVE)
    assert it.it.status is Status.UNDER_CONTROL
    it.do(LIFT)
    assert it.it.status is Status.RESOLVED


def test_one_holds_it_at_a_time() -> None:
    life(TAKE).refuses(TAKE, AlreadyUnderControl, by=MINISTER)
    life(TAKE).refuses(TAKE, AlreadyUnderControl, by=GOVERNOR)


def test_only_who_holds_it_lifts_it() -> None:
    it = life(TAKE)
    assert it.refuses(LIFT, UnderPersonalControl, by=MINISTER).facts == {"controller": "Губернатор"}
    it.then(LIFT, by=GOVERNOR)
    it.refuses(LIFT, ForbiddenTransition, by=GOVERNOR)


@pytest.mark.parametrize("by", [SYSTEM, CURATOR, MINISTER], ids=lambda by: by.role)
def test_only_who_holds_it_closes_it(by: Actor) -> None:
    it = life(*RESOLVED, TAKE)
    it.refuses(CLOSE, UnderPersonalControl, by=by)
    it.then(CLOSE, by=GOVERNOR)
    assert (it.it.status, it.it.controller) == (Status.CLOSED, None)


def test_who_controls_closes_only_what_they_hold() -> None:
    life(*RESOLVED).refuses(CLOSE, ForbiddenTransition, by=GOVERNOR)


def test_what_somebody_holds_is_neither_rejected_nor_its_dispute_declined() -> None:
    life(TAKE).refuses(REJECT, UnderPersonalControl)
    life(*RESOLVED, TAKE, DISPUTE).refuses(DECLINE, UnderPersonalControl)


def test_who_holds_a_message_and_rejects_it_holds_it_no_more() -> None:
    it = life(TAKE)
    it.do(REJECT, by=Actor(GOVERNOR.name, Role.CURATOR))
    assert it.it.controller is None


def test_control_lasts_beyond_a_reopening() -> None:
    it = life(*RESOLVED, TAKE, DISPUTE, REOPEN, ASSIGN, FINAL, RESOLVE)
    assert (it.it.status, it.it.controller) == (Status.UNDER_CONTROL, "Губернатор")


# What another system decided long ago


@pytest.mark.parametrize("taken_over", [False, True])
def test_who_decided_what_elsewhere_is_not_judged_again(taken_over: bool) -> None:
    it = life(*IN_WORK, terms=FixedTerms(visible=TOPIC)).it
    name = "Округ"

    def ask(command: c.Command, role: Role) -> None:
        by = Actor(name, role)
        decide(it, command, at=NOON, by=by, terms=FixedTerms(visible=TOPIC), taken_over=taken_over)

    steps = [(DRAFT, Role.EXECUTOR), (APPROVE, Role.ORG_HEAD), (FINAL, Role.EXECUTOR)]
    steps += [(RESOLVE, Role.EXECUTOR), (DISPUTE, Role.CITIZEN), (REOPEN, Role.CURATOR)]
    if taken_over:
        for command, role in steps:
            ask(command, role)
        assert it.status is Status.REOPENED
        with pytest.raises(ForbiddenTransition):
            ask(ACCEPT, Role.EXECUTOR)
    else:
        ask(*steps[0])
        with pytest.raises(OwnDraft):
            ask(*steps[1])


# What goes out without a review


def test_a_first_reply_goes_out_without_a_review_once_and_as_it_is() -> None:
    it = life(*IN_WORK, terms=TERMS)
    event = it.then(SUBMIT)
    assert isinstance(event, e.ReplySubmitted)
    it.refuses(SUBMIT, ReplyPending)
    published = it.then(FIRST, by=SYSTEM)
    assert isinstance(published, e.ReplyPublished)
    assert published.draft == event_version(it, event)
    it.refuses(SUBMIT, FirstReplyRepeated)


def event_version(it: Life, event: e.Event) -> int:
    return next(each.originator_version for each in it.stream if each.event is event)


def test_a_final_reply_without_a_review_only_from_who_could_approve_it() -> None:
    final = changed(SUBMIT, kind=ReplyKind.FINAL)
    life(*IN_WORK).refuses(final, ReplyNotApproved, by=MONITOR)
    life(*IN_WORK).do(final, by=HEAD)


def test_empty_words_do_not_go_out() -> None:
    life(*IN_WORK, terms=TERMS).refuses(changed(SUBMIT, text=EMPTY_WORDS), ReplyFlawed)
