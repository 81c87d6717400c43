"""The record of an incident: its events tell all of it, for ever; personal data can be erased."""

import json
from pathlib import Path

import msgspec
import pytest

from domain import commands as c
from domain.errors import NoPersonalData
from domain.events import EVENTS
from domain.incident import StreamEvent, replay
from domain.vocabulary import Status
from tests.domain.ladder import (
    ANSWER,
    ASK,
    DISPUTE,
    DRAFT,
    ERASE,
    FINAL,
    OTHER_SUBJECT,
    TERMS,
    WAYS,
    Life,
    changed,
    life,
    sealed,
)

# The stream


@pytest.mark.parametrize("status", WAYS)
def test_the_stored_events_tell_the_whole_incident(status: Status) -> None:
    """Wherever it is; test_state_machine.py does the same with lives at random."""
    it = life(*WAYS[status], citizen=sealed(), terms=TERMS)
    assert it.it.status is status
    assert [event.originator_version for event in it.stream] == list(range(1, it.it.version + 1))
    assert replay(it.stream) == it.it
    assert replay(stored_and_read(event) for event in it.stream) == it.it


def stored_and_read(stream_event: StreamEvent) -> StreamEvent:
    event = stream_event.event
    again = msgspec.json.decode(msgspec.json.encode(event), type=EVENTS[event.TOPIC])
    return StreamEvent(stream_event.originator_id, stream_event.originator_version, again)


def test_without_events_there_is_no_incident() -> None:
    assert replay([]) is None


def test_the_topics_never_change() -> None:
    """One may be added, where it is in the life; none goes, none is renamed."""
    assert list(EVENTS) == TOPICS


TOPICS = [
    "MessageCaptured",
    "MessageRead",
    "MessageEdited",
    "MessageDeleted",
    "IncidentRegistered",
    "IncidentClassified",
    "IncidentRejected",
    "MessageAdded",
    "IncidentMerged",
    "IncidentUnmerged",
    "MessagesTaken",
    "MessagesGivenBack",
    "IncidentTransferredOut",
    "IncidentTransferredIn",
    "IncidentLinked",
    "IncidentAssigned",
    "IncidentReturned",
    "WorkAccepted",
    "IncidentReassigned",
    "IncidentReclassified",
    "IncidentRelocated",
    "IncidentPrioritized",
    "FastTrackGranted",
    "ClarificationRequested",
    "ClarificationReceived",
    "ClarificationTimedOut",
    "CitizenContacted",
    "ReplyDrafted",
    "ReplyReturned",
    "ReplyApproved",
    "ReplySubmitted",
    "ReplyPublished",
    "ReplyDelivered",
    "ReplyPublicationFailed",
    "ReplyDeleted",
    "SolutionScheduled",
    "PromiseMoved",
    "IncidentResolved",
    "IncidentClosed",
    "PersonalControlTaken",
    "PersonalControlLifted",
    "CitizenRated",
    "ResolutionDisputed",
    "ReopenDeclined",
    "IncidentReopened",
    "FieldCheckRequested",
    "FieldCheckReported",
    "RootCauseRecorded",
    "DeadlineSet",
    "DeadlineWarned",
    "DeadlineMissed",
    "DeadlinePaused",
    "DeadlineResumed",
    "DeadlineExtended",
    "EscalationRaised",
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


@pytest.mark.parametrize("topic", EVENTS)
def test_every_field_of_an_event_stands_in_a_sample(topic: str) -> None:
    assert {name for payload in GOLDEN[topic] for name in payload} == set(
        EVENTS[topic].__struct_fields__
    )


# Personal data


def test_there_is_nothing_to_erase_without_personal_data() -> None:
    life().refuses(ERASE, NoPersonalData)


def test_personal_data_is_erased_once() -> None:
    life(ERASE, citizen=sealed()).refuses(ERASE, NoPersonalData)


@pytest.mark.parametrize(
    ("status", "command"),
    [
        (Status.ASSIGNED, ASK),
        (Status.AWAITING_CITIZEN, ANSWER),
        (Status.ASSIGNED, c.ContactCitizen(channel="PHONE", note="Ждёт мастера")),
        (Status.ASSIGNED, DRAFT),
        (Status.REGISTERED, changed(FINAL, text="Вода есть")),
        (Status.RESOLVED, changed(DISPUTE, text="Яма на месте")),
    ],
    ids=lambda it: getattr(it, "NAME", it),
)
def test_what_is_said_after_the_erasure_can_be_erased_again(
    status: Status, command: c.Command
) -> None:
    it = life(*WAYS[status], citizen=sealed())
    it.do(ERASE)
    say(it, command)
    assert it.then(ERASE).subject == OTHER_SUBJECT
    it.refuses(ERASE, NoPersonalData)


def say(it: Life, command: c.Command) -> None:
    """Under another key: the first one is destroyed."""
    it.ask(command, private=sealed(OTHER_SUBJECT))
    it.do()
