"""The life of an incident: given these events, when this command, then these events.

No database and no clock: time is an argument. What is refused: test_lifecycle.py, test_guards.py.
"""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from domain import commands as c
from domain import events as e
from domain.decisions import register
from domain.errors import (
    FinalReplyMissing,
    FirstReplyRepeated,
    NotClassified,
    OtherChannel,
    TimeGoesBackwards,
)
from domain.incident import StreamEvent
from domain.rights import Actor
from domain.vocabulary import (
    Cause,
    DisputeBy,
    FallbackReason,
    Kind,
    LinkKind,
    Outcome,
    Priority,
    PriorityReason,
    PromiseReason,
    RatingReason,
    ReassignReason,
    Regime,
    RejectReason,
    ReopenReason,
    ReplyAuthor,
    ReplyFlaw,
    ReplyKind,
    ReturnReason,
    Role,
    Status,
    Verdict,
)
from tests.domain.ladder import (
    ACCEPT,
    ANOTHER,
    ANSWER,
    APPROVE,
    ASK,
    ASSIGN,
    AUTO,
    CLASSIFY,
    CLOSE,
    CURATOR,
    DECLINE,
    DISPUTE,
    DRAFT,
    ERASE,
    FAST_TRACK,
    FINAL,
    FIRST,
    HOUR,
    INCIDENT,
    INTERIM,
    LIFT,
    LINK,
    MONITOR,
    MOVE,
    NOON,
    RAISE,
    REASSIGN,
    RECLASSIFY,
    REGISTER,
    REJECT,
    RELOCATE,
    REOPEN,
    REQUEST_CHECK,
    RESOLVE,
    RETURN,
    SCHEDULE,
    SEND_BACK,
    SUBJECT,
    TAKE,
    TIME_OUT,
    WAYS,
    changed,
    life,
    sealed,
)
from tests.domain.ladder import CAUSE as RECORD_CAUSE

COMMON = {
    "region": "BRONX",
    "municipality": "BRONX-01",
    "occurred_at": NOON,
    "actor": "Иванова",
    "role": Role.CURATOR,
}
AT_ONCE = {"elapsed_seconds": 0.0, "working_seconds": 0.0}
RESOLVED = [CLASSIFY, ASSIGN, FINAL, RESOLVE]

# Each command's event


def test_a_message_becomes_a_registered_incident() -> None:
    it = register(INCIDENT, "BRONX", REGISTER, at=NOON, by=CURATOR, sealed=sealed())
    event = e.IncidentRegistered(channel="VK", published_at=NOON, citizen=sealed(), **COMMON)
    assert it.collect_events() == [StreamEvent(INCIDENT, 1, event)]
    assert (it.status, it.version, it.number) == (Status.REGISTERED, 1, 1)
    assert (it.cycle.started_at, it.channel, it.subject) == (NOON, "VK", SUBJECT)


def test_a_registration_keeps_what_the_citizen_wants_and_where() -> None:
    facts = {"external_id": "7", "kind": Kind.QUESTION, "regime": Regime.POS_MESSAGE}
    point = {"latitude": 40.8, "longitude": -73.9}
    command = changed(REGISTER, **facts, **point)
    (first,) = register(INCIDENT, "BRONX", command, at=NOON, by=MONITOR).collect_events()
    for name, value in (facts | point).items():
        assert getattr(first.event, name) == value


def test_a_message_dated_after_its_registration_was_written_at_that_moment() -> None:
    early = NOON - timedelta(minutes=2)
    (first,) = register(INCIDENT, "BRONX", REGISTER, at=early, by=MONITOR).collect_events()
    assert first.event.published_at == early


# What went before, the command, and its event.
EVENTS_OF_COMMANDS: list[tuple[list[c.Command], c.Command, e.Event]] = [
    ([], REJECT, e.IncidentRejected(reason=RejectReason.ADVERT, **COMMON)),
    ([], LINK, e.IncidentLinked(to=ANOTHER, kind=LinkKind.SAME_CAUSE, **COMMON)),
    ([], CLASSIFY, e.IncidentClassified(topic="roads.pothole", **COMMON)),
    (
        [CLASSIFY],
        changed(ASSIGN, holder="Сидоров"),
        e.IncidentAssigned(organisation="BRONX-DOT", holder="Сидоров", **AT_ONCE, **COMMON),
    ),
    (
        [CLASSIFY, ASSIGN],
        changed(RETURN, suggested_organisation="BRONX-NYPD"),
        e.IncidentReturned(
            reason=ReturnReason.NOT_COMPETENT, suggested_organisation="BRONX-NYPD", **COMMON
        ),
    ),
    (
        [CLASSIFY, ASSIGN],
        changed(REASSIGN, holder="Сидоров"),
        e.IncidentReassigned(
            organisation="BRONX-NYPD",
            holder="Сидоров",
            reason=ReassignReason.WRONG_BODY,
            **COMMON,
        ),
    ),
    ([CLASSIFY], RECLASSIFY, e.IncidentReclassified(topic="water.leak", **COMMON)),
    (
        [],
        changed(RELOCATE, latitude=40.8, longitude=-73.9),
        e.IncidentRelocated(
            latitude=40.8, longitude=-73.9, **(COMMON | {"municipality": "BRONX-02"})
        ),
    ),
    (
        [],
        RAISE,
        e.IncidentPrioritized(priority=Priority.HIGH, reason=PriorityReason.CHILDREN, **COMMON),
    ),
    ([], FAST_TRACK, e.FastTrackGranted(**COMMON)),
    ([CLASSIFY, ASSIGN], ACCEPT, e.WorkAccepted(**AT_ONCE, **COMMON)),
    ([CLASSIFY, ASSIGN, ASK], ANSWER, e.ClarificationReceived(answer=sealed(), **COMMON)),
    ([CLASSIFY, ASSIGN, ASK], TIME_OUT, e.ClarificationTimedOut(**COMMON)),
    (
        [CLASSIFY, ASSIGN],
        c.ContactCitizen(channel="PHONE", note="Ждёт мастера"),
        e.CitizenContacted(channel="PHONE", note=sealed(), **COMMON),
    ),
    (
        [CLASSIFY, ASSIGN],
        DRAFT,
        e.ReplyDrafted(kind=ReplyKind.FINAL, text=sealed(), **COMMON),
    ),
    (
        [CLASSIFY, ASSIGN, DRAFT],
        SEND_BACK,
        e.ReplyReturned(reasons=(ReplyFlaw.FORMAL,), **COMMON),
    ),
    ([CLASSIFY, ASSIGN, DRAFT], APPROVE, e.ReplyApproved(kind=ReplyKind.FINAL, **COMMON)),
    (
        [CLASSIFY, ASSIGN, INTERIM],
        SCHEDULE,
        e.SolutionScheduled(promised_on=date(2026, 3, 20), reason=PromiseReason.SEASON, **COMMON),
    ),
    (
        [CLASSIFY, ASSIGN, INTERIM, SCHEDULE],
        MOVE,
        e.PromiseMoved(
            promised_on=date(2026, 3, 25),
            before=date(2026, 3, 20),
            reason=PromiseReason.WEATHER,
            **COMMON,
        ),
    ),
    ([CLASSIFY, ASSIGN], TAKE, e.PersonalControlTaken(**COMMON)),
    (RESOLVED, CLOSE, e.IncidentClosed(**COMMON)),
    (
        RESOLVED,
        c.Rate(score=4, reasons=(RatingReason.FAST,)),
        e.CitizenRated(score=4, reasons=(RatingReason.FAST,), **COMMON),
    ),
    (
        RESOLVED,
        c.Dispute(by=DisputeBy.THIRD_PARTY, text="Яма на месте"),
        e.ResolutionDisputed(by=DisputeBy.THIRD_PARTY, text=sealed(), **COMMON),
    ),
    (
        [*RESOLVED, DISPUTE],
        REOPEN,
        e.IncidentReopened(reason=ReopenReason.RECURRED, **COMMON),
    ),
    ([*RESOLVED, DISPUTE], DECLINE, e.ReopenDeclined(reason=DECLINE.reason, **COMMON)),
    ([], REQUEST_CHECK, e.FieldCheckRequested(**COMMON)),
    (
        [],
        c.ReportFieldCheck(verdict=Verdict.PARTLY, evidence=("photo/1",)),
        e.FieldCheckReported(verdict=Verdict.PARTLY, evidence=("photo/1",), **COMMON),
    ),
    (
        [],
        changed(RECORD_CAUSE, decision="12-р"),
        e.RootCauseRecorded(cause=Cause.WEAR, decision="12-р", **COMMON),
    ),
    ([], ERASE, e.PersonalDataErased(subject=SUBJECT, **COMMON)),
]


@pytest.mark.parametrize(
    ("before", "command", "event"),
    EVENTS_OF_COMMANDS,
    ids=[command.NAME for _, command, _ in EVENTS_OF_COMMANDS],
)
def test_a_command_leads_to_its_event(
    before: list[c.Command], command: c.Command, event: e.Event
) -> None:
    assert life(*before, citizen=sealed()).then(command, by=CURATOR) == event


def test_a_resolution_says_how_long_it_took() -> None:
    it = life(CLASSIFY, ASSIGN, 3 * HOUR, FINAL, HOUR)
    event = it.then(changed(RESOLVE, evidence=("photo/1",)))
    assert (event.outcome, event.evidence) == (Outcome.SOLVED, ("photo/1",))
    assert event.elapsed_seconds == event.working_seconds == 4 * 3600
    assert event.paused_seconds == 0


def test_personal_control_is_lifted_by_its_event() -> None:
    it = life(TAKE)
    assert it.it.controller == "Губернатор"
    event = it.then(LIFT)
    assert isinstance(event, e.PersonalControlLifted)
    assert it.it.controller is None


def test_the_event_tells_who_acted_and_when() -> None:
    it = life(CLASSIFY, ASSIGN, HOUR)
    event = it.then(ACCEPT, by=Actor("ЖЭК № 3", Role.EXECUTOR))
    assert event.occurred_at == NOON + HOUR
    assert (event.actor, event.role) == ("ЖЭК № 3", Role.EXECUTOR)


def test_each_event_has_the_next_version() -> None:
    it = life(CLASSIFY)
    before = it.it.version
    it.ask(ASSIGN)
    (stream_event,) = it.it.collect_events()
    assert stream_event.originator_id == INCIDENT
    assert stream_event.originator_version == it.it.version == before + 1


# Classification and assignment


def test_an_incident_without_a_topic_is_not_assigned() -> None:
    life().refuses(ASSIGN, NotClassified)


def test_a_reopened_incident_keeps_its_topic() -> None:
    it = life(*WAYS[Status.REOPENED])
    it.then(ASSIGN)
    assert (it.it.topic, it.it.status) == ("roads.pothole", Status.ASSIGNED)


def test_what_was_sent_back_to_triage_is_nobodys() -> None:
    it = life(CLASSIFY, ASSIGN)
    assert it.it.organisation == "BRONX-DOT"
    it.do(RETURN)
    assert it.it.organisation is None


def test_what_happened_elsewhere_is_elsewhere_from_then_on() -> None:
    it = life(RELOCATE)
    assert it.then(CLASSIFY).municipality == it.it.municipality == "BRONX-02"


# Replies


def test_an_incident_is_not_resolved_without_a_final_reply() -> None:
    for replies in ([], [FIRST], [AUTO, FIRST, INTERIM]):
        life(CLASSIFY, ASSIGN, *replies).refuses(RESOLVE, FinalReplyMissing)


def test_an_automatic_final_reply_resolves_nothing() -> None:
    automatic = changed(FINAL, author=ReplyAuthor.AUTO)
    life(CLASSIFY, ASSIGN, automatic).refuses(RESOLVE, FinalReplyMissing)


def test_the_final_reply_of_an_earlier_cycle_resolves_nothing() -> None:
    it = life(*WAYS[Status.REOPENED], ASSIGN)
    assert it.it.number == 2
    it.refuses(RESOLVE, FinalReplyMissing)
    it.do(FINAL, RESOLVE)
    assert it.it.status is Status.RESOLVED


@pytest.mark.parametrize(
    ("replies", "reply", "refused"),
    [
        ([], FIRST, False),
        ([], AUTO, False),
        ([AUTO], FIRST, False),
        ([FIRST], FIRST, True),
        ([INTERIM], FIRST, True),
        ([FINAL], FIRST, True),
        ([AUTO, FIRST], FIRST, True),
        ([AUTO], AUTO, True),
        ([FIRST], AUTO, True),
        ([FINAL], AUTO, True),
        ([INTERIM], INTERIM, False),
        ([FINAL], FINAL, False),
        ([FINAL], INTERIM, False),
    ],
)
def test_only_the_first_reply_is_a_first_reply_and_an_automatic_one_stops_no_human(
    replies: list[c.Command], reply: c.Command, refused: bool
) -> None:
    it = life(*replies)
    if refused:
        it.refuses(reply, FirstReplyRepeated)
    else:
        it.then(reply)


def test_a_new_cycle_has_its_own_first_reply() -> None:
    life(CLASSIFY, ASSIGN, FIRST, FINAL, RESOLVE, DISPUTE, REOPEN).then(FIRST)


def test_the_citizen_is_answered_on_their_own_channel() -> None:
    it = life()
    refusal = it.refuses(changed(FINAL, channel="PHONE"), OtherChannel)
    assert refusal.facts == {"channel": "VK"}
    assert it.then(changed(FINAL, channel="VK")).channel == "VK"
    assert it.then(FINAL).channel == "VK"


def test_a_reply_on_another_channel_needs_a_reason() -> None:
    reason = FallbackReason.PROFILE_CLOSED
    event = life().then(changed(FINAL, channel="PHONE", fallback_reason=reason))
    assert (event.channel, event.fallback_reason) == ("PHONE", reason)


# Time


def test_nothing_happens_before_what_happened_last() -> None:
    it = replace(life(), at=NOON - timedelta(microseconds=1))
    assert it.refuses(CLASSIFY, TimeGoesBackwards).facts["previous"] == NOON.isoformat()
    replace(it, at=NOON).then(CLASSIFY)
