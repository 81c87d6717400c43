"""The life of an incident: given these events, when this command, then these events or a refusal.

No database and no clock: time is an argument.
"""

import json
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.commands import (
    AcceptWork,
    Assign,
    Classify,
    Close,
    Command,
    ErasePersonalData,
    PublishReply,
    Register,
    Reopen,
    Resolve,
    Return,
)
from domain.errors import (
    FinalReplyMissing,
    FirstReplyRepeated,
    ForbiddenTransition,
    NoPersonalData,
    NotClassified,
    OtherChannel,
    RuleBroken,
    TimeGoesBackwards,
)
from domain.events import (
    EVENTS,
    IncidentAssigned,
    IncidentClassified,
    IncidentClosed,
    IncidentRegistered,
    IncidentReopened,
    IncidentResolved,
    IncidentReturned,
    PersonalDataErased,
    ReplyPublished,
    Sealed,
    WorkAccepted,
)
from domain.incident import EVENT_OF, TRANSITIONS, Actor, Incident, StreamEvent, replay
from domain.vocabulary import (
    FallbackReason,
    Outcome,
    ReopenReason,
    ReplyAuthor,
    ReplyKind,
    ReturnReason,
    Role,
    Status,
)

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
INCIDENT = UUID("019cae6b-6600-7f05-92c2-6fc844c42272")
SUBJECT = UUID("5a1ed000-0000-4000-8000-000000000001")
OTHER_SUBJECT = UUID("5a1ed000-0000-4000-8000-000000000002")
CURATOR = Actor("Иванова", Role.CURATOR)
COMMON = {
    "region": "BRONX",
    "municipality": "BRONX-01",
    "occurred_at": NOON,
    "actor": "Иванова",
    "role": Role.CURATOR,
}

REGISTER = Register(channel="VK", municipality="BRONX-01", published_at=NOON)
CLASSIFY = Classify(topic="roads.pothole")
ASSIGN = Assign(organisation="BRONX-DOT")
RETURN = Return(reason=ReturnReason.NOT_COMPETENT)
ACCEPT = AcceptWork()
FIRST = PublishReply(kind=ReplyKind.FIRST)
AUTO = PublishReply(kind=ReplyKind.FIRST, author=ReplyAuthor.AUTO)
INTERIM = PublishReply(kind=ReplyKind.INTERIM)
FINAL = PublishReply(kind=ReplyKind.FINAL)
RESOLVE = Resolve(outcome=Outcome.SOLVED)
CLOSE = Close()
REOPEN = Reopen(reason=ReopenReason.RECURRED)
ERASE = ErasePersonalData()


def sealed(subject: UUID = SUBJECT) -> Sealed:
    return Sealed(subject, "A256GCM", b"ciphertext")


def incident(*commands: Command, citizen: Sealed | None = None) -> Incident:
    """A registered incident of NOON after these commands, all at NOON, nothing pending."""
    it = Incident.register(INCIDENT, "BRONX", REGISTER, at=NOON, by=CURATOR, sealed=citizen)
    for command in commands:
        it.handle(command, at=NOON, by=CURATOR)
    it.collect_events()
    return it


def then(it: Incident, command: Command, **options: object) -> object:
    """The one event the command leads to."""
    facts: dict[str, object] = {"at": NOON, "by": CURATOR}
    it.handle(command, **(facts | options))  # type: ignore[arg-type]
    (stream_event,) = it.collect_events()
    assert (stream_event.originator_id, stream_event.originator_version) == (it.id, it.version)
    return stream_event.event


# The lifecycle: the whole table, said a second time.

WAYS = {
    Status.REGISTERED: [],
    Status.ASSIGNED: [ASSIGN],
    Status.RETURNED: [ASSIGN, RETURN],
    Status.IN_PROGRESS: [ASSIGN, ACCEPT],
    Status.RESOLVED: [ASSIGN, ACCEPT, RESOLVE],
    Status.CLOSED: [ASSIGN, RESOLVE, CLOSE],
    Status.REOPENED: [ASSIGN, RESOLVE, REOPEN],
}
TRIAGE = {Status.REGISTERED, Status.RETURNED, Status.REOPENED}
LIFECYCLE: list[tuple[Command, set[Status], Status | None]] = [
    (REGISTER, set(), None),
    (CLASSIFY, TRIAGE, None),
    (ASSIGN, TRIAGE, Status.ASSIGNED),
    (RETURN, {Status.ASSIGNED}, Status.RETURNED),
    (ACCEPT, {Status.ASSIGNED}, Status.IN_PROGRESS),
    (INTERIM, TRIAGE | {Status.ASSIGNED, Status.IN_PROGRESS}, None),
    (RESOLVE, {Status.ASSIGNED, Status.IN_PROGRESS}, Status.RESOLVED),
    (CLOSE, {Status.RESOLVED}, Status.CLOSED),
    (REOPEN, {Status.RESOLVED, Status.CLOSED}, Status.REOPENED),
    (ERASE, set(Status), None),
]


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize(
    ("command", "sources", "target"), LIFECYCLE, ids=[command.NAME for command, _, _ in LIFECYCLE]
)
def test_a_command_is_possible_in_its_states_and_refused_in_all_others(
    status: Status, command: Command, sources: set[Status], target: Status | None
) -> None:
    it = incident(CLASSIFY, FINAL, *WAYS[status], citizen=sealed())
    assert it.status is status
    if status in sources:
        it.handle(command, at=NOON, by=CURATOR)
        assert it.status is (target or status)
    else:
        before = deepcopy(it)
        with pytest.raises(ForbiddenTransition) as refusal:
            it.handle(command, at=NOON, by=CURATOR)
        assert refusal.value.facts == {"command": command.NAME, "status": status}
        assert it == before


def test_every_command_and_every_event_stands_in_the_lifecycle() -> None:
    assert {type(command) for command, _, _ in LIFECYCLE} == set(EVENT_OF)
    assert set(EVENT_OF.values()) == set(TRANSITIONS) == set(EVENTS.values())


# Each command's event


def test_a_message_becomes_a_registered_incident() -> None:
    it = Incident.register(INCIDENT, "BRONX", REGISTER, at=NOON, by=CURATOR, sealed=sealed())
    assert it.collect_events() == [
        StreamEvent(
            INCIDENT,
            1,
            IncidentRegistered(channel="VK", published_at=NOON, citizen=sealed(), **COMMON),
        )
    ]
    assert (it.status, it.version, it.cycle) == (Status.REGISTERED, 1, 1)


def test_a_message_dated_after_its_registration_was_written_at_that_moment() -> None:
    early = NOON - timedelta(minutes=2)
    it = Incident.register(INCIDENT, "BRONX", REGISTER, at=early, by=CURATOR)
    (first,) = it.collect_events()
    assert first.event.published_at == early


EVENTS_OF_COMMANDS = [
    ([], CLASSIFY, IncidentClassified(topic="roads.pothole", **COMMON)),
    (
        [CLASSIFY],
        Assign(organisation="BRONX-DOT", due_at=NOON),
        IncidentAssigned(organisation="BRONX-DOT", due_at=NOON, **COMMON),
    ),
    (
        [CLASSIFY, ASSIGN],
        Return(reason=ReturnReason.NOT_COMPETENT, suggested_organisation="BRONX-NYPD"),
        IncidentReturned(
            reason=ReturnReason.NOT_COMPETENT, suggested_organisation="BRONX-NYPD", **COMMON
        ),
    ),
    ([CLASSIFY, ASSIGN], ACCEPT, WorkAccepted(**COMMON)),
    (
        [],
        FINAL,
        ReplyPublished(kind=ReplyKind.FINAL, author=ReplyAuthor.HUMAN, channel="VK", **COMMON),
    ),
    ([CLASSIFY, ASSIGN, FINAL], RESOLVE, IncidentResolved(outcome=Outcome.SOLVED, **COMMON)),
    ([CLASSIFY, ASSIGN, FINAL, RESOLVE], CLOSE, IncidentClosed(**COMMON)),
    (
        [CLASSIFY, ASSIGN, FINAL, RESOLVE],
        REOPEN,
        IncidentReopened(reason=ReopenReason.RECURRED, **COMMON),
    ),
    ([], ERASE, PersonalDataErased(subject=SUBJECT, **COMMON)),
]


@pytest.mark.parametrize(
    ("before", "command", "event"),
    EVENTS_OF_COMMANDS,
    ids=[command.NAME for _, command, _ in EVENTS_OF_COMMANDS],
)
def test_a_command_leads_to_its_event(
    before: list[Command], command: Command, event: object
) -> None:
    assert then(incident(*before, citizen=sealed()), command) == event


def test_the_event_tells_who_acted_and_when() -> None:
    later, executor = NOON + timedelta(hours=1), Actor("ЖЭК № 3", Role.EXECUTOR)
    event = then(incident(CLASSIFY, ASSIGN), ACCEPT, at=later, by=executor)
    assert (event.occurred_at, event.actor, event.role) == (later, "ЖЭК № 3", Role.EXECUTOR)


# Classification and assignment


def test_an_incident_without_a_topic_is_not_assigned() -> None:
    with pytest.raises(NotClassified):
        incident().handle(ASSIGN, at=NOON, by=CURATOR)


def test_a_reopened_incident_keeps_its_topic() -> None:
    it = incident(CLASSIFY, ASSIGN, FINAL, RESOLVE, REOPEN)
    then(it, ASSIGN)
    assert (it.topic, it.status) == ("roads.pothole", Status.ASSIGNED)


# Replies


def test_an_incident_is_not_resolved_without_a_final_reply() -> None:
    for replies in ([], [FIRST], [AUTO, FIRST, INTERIM]):
        with pytest.raises(FinalReplyMissing):
            incident(CLASSIFY, ASSIGN, *replies).handle(RESOLVE, at=NOON, by=CURATOR)


def test_an_automatic_final_reply_resolves_nothing() -> None:
    automatic = PublishReply(kind=ReplyKind.FINAL, author=ReplyAuthor.AUTO)
    with pytest.raises(FinalReplyMissing):
        incident(CLASSIFY, ASSIGN, automatic).handle(RESOLVE, at=NOON, by=CURATOR)


def test_the_final_reply_of_an_earlier_cycle_resolves_nothing() -> None:
    it = incident(CLASSIFY, ASSIGN, FINAL, RESOLVE, REOPEN, ASSIGN)
    assert it.cycle == 2
    with pytest.raises(FinalReplyMissing):
        it.handle(RESOLVE, at=NOON, by=CURATOR)
    then(it, FINAL)
    then(it, RESOLVE)
    assert it.status is Status.RESOLVED


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
    replies: list[PublishReply], reply: PublishReply, refused: bool
) -> None:
    it = incident(*replies)
    if refused:
        with pytest.raises(FirstReplyRepeated):
            it.handle(reply, at=NOON, by=CURATOR)
    else:
        then(it, reply)


def test_a_new_cycle_has_its_own_first_reply() -> None:
    then(incident(CLASSIFY, ASSIGN, FIRST, FINAL, RESOLVE, REOPEN), FIRST)


def test_the_citizen_is_answered_on_their_own_channel() -> None:
    elsewhere = PublishReply(kind=ReplyKind.FINAL, channel="PHONE")
    with pytest.raises(OtherChannel, match="VK"):
        incident().handle(elsewhere, at=NOON, by=CURATOR)
    own = PublishReply(kind=ReplyKind.FINAL, channel="VK")
    assert then(incident(), own).channel == "VK"
    assert then(incident(), FINAL).channel == "VK"


def test_a_reply_on_another_channel_needs_a_reason() -> None:
    reason = FallbackReason.PROFILE_CLOSED
    reply = PublishReply(kind=ReplyKind.FINAL, channel="PHONE", fallback_reason=reason)
    event = then(incident(), reply)
    assert (event.channel, event.fallback_reason) == ("PHONE", reason)


# Time


def test_nothing_happens_before_what_happened_last() -> None:
    it = incident()
    before = deepcopy(it)
    with pytest.raises(TimeGoesBackwards) as refusal:
        it.handle(CLASSIFY, at=NOON - timedelta(microseconds=1), by=CURATOR)
    assert refusal.value.facts["previous"] == NOON.isoformat()
    assert it == before
    then(it, CLASSIFY, at=NOON)


# Personal data


def test_there_is_nothing_to_erase_without_personal_data() -> None:
    with pytest.raises(NoPersonalData):
        incident().handle(ERASE, at=NOON, by=CURATOR)


def test_personal_data_is_erased_once() -> None:
    it = incident(ERASE, citizen=sealed())
    with pytest.raises(NoPersonalData):
        it.handle(ERASE, at=NOON, by=CURATOR)


def test_a_reply_after_the_erasure_can_be_erased_again() -> None:
    it = incident(ERASE, citizen=sealed())
    then(it, FINAL, sealed=sealed(OTHER_SUBJECT))
    assert then(it, ERASE).subject == OTHER_SUBJECT
    with pytest.raises(NoPersonalData):
        it.handle(ERASE, at=NOON, by=CURATOR)


# The record

COMMANDS = [
    CLASSIFY,
    ASSIGN,
    RETURN,
    ACCEPT,
    FIRST,
    AUTO,
    INTERIM,
    FINAL,
    RESOLVE,
    CLOSE,
    REOPEN,
    ERASE,
]
STEPS = st.lists(
    st.tuples(st.sampled_from(COMMANDS), st.integers(-1, 30), st.booleans()), max_size=40
)


@settings(max_examples=300, deadline=None, database=None)
@given(steps=STEPS)
def test_the_events_tell_the_whole_incident_and_a_refusal_changes_nothing(
    steps: list[tuple[Command, int, bool]],
) -> None:
    it = Incident.register(INCIDENT, "BRONX", REGISTER, at=NOON, by=CURATOR, sealed=sealed())
    at = NOON
    for command, minutes, private in steps:
        before, at = deepcopy(it), at + timedelta(minutes=minutes)
        text = sealed(OTHER_SUBJECT) if private and isinstance(command, PublishReply) else None
        try:
            it.handle(command, at=at, by=CURATOR, sealed=text)
        except RuleBroken:
            assert it == before
    stream = it.collect_events()
    assert [event.originator_version for event in stream] == list(range(1, it.version + 1))
    assert replay(stream) == it
    assert replay(stored_and_read(event) for event in stream) == it


def stored_and_read(stream_event: StreamEvent) -> StreamEvent:
    event = stream_event.event
    again = msgspec.json.decode(msgspec.json.encode(event), type=EVENTS[event.TOPIC])
    return StreamEvent(stream_event.originator_id, stream_event.originator_version, again)


def test_without_events_there_is_no_incident() -> None:
    assert replay([]) is None


def test_the_topics_never_change() -> None:
    assert list(EVENTS) == [
        "IncidentRegistered",
        "IncidentClassified",
        "IncidentAssigned",
        "IncidentReturned",
        "WorkAccepted",
        "ReplyPublished",
        "IncidentResolved",
        "IncidentClosed",
        "IncidentReopened",
        "PersonalDataErased",
    ]


GOLDEN = json.loads(Path(__file__).with_name("golden_events.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("topic", EVENTS)
def test_events_stored_by_earlier_releases_are_still_read(topic: str) -> None:
    """The samples are what the first release wrote: add to them, never change one."""
    assert GOLDEN[topic]
    for payload in GOLDEN[topic]:
        event = msgspec.json.decode(json.dumps(payload), type=EVENTS[topic])
        assert json.loads(msgspec.json.encode(event)) == payload
