"""Messages before and beside an incident: captured, read, changed on their platform, handed on."""

from datetime import timedelta

import pytest

from domain import commands as c
from domain import events as e
from domain.decisions import decide
from domain.errors import (
    ConfidenceOutOfRange,
    HoldsOthers,
    ReturnTooLate,
    SameRegion,
    UnderPersonalControl,
)
from domain.vocabulary import Clock, Kind, Status
from tests.domain import ladder
from tests.domain.ladder import (
    ACCEPT,
    ASSIGN,
    CAPTURE,
    CLASSIFY,
    CURATOR,
    DELETE,
    EDIT,
    ERASE,
    FINAL,
    GOVERNOR,
    HOUR,
    INCIDENT,
    MERGE,
    NOON,
    REGISTER_CAPTURED,
    RESOLVE,
    RETURN,
    SYSTEM,
    TAKE,
    TERMS,
    TRANSFER,
    UNMERGE,
    changed,
    due,
    life,
    sealed,
)

# Captured


def test_no_clock_runs_before_a_message_is_an_incident() -> None:
    it = life(CAPTURE, terms=TERMS)
    assert (it.it.status, due(it)) == (Status.CAPTURED, {})
    it.at += HOUR
    event = it.then(REGISTER_CAPTURED)
    assert isinstance(event, e.IncidentRegistered)
    assert due(it) == {Clock.FIRST_REPLY: NOON + 9 * HOUR}
    assert it.it.cycle.started_at == NOON + HOUR


def test_what_was_captured_stands_in_the_registration_but_what_the_monitor_corrects() -> None:
    captured = changed(CAPTURE, kind=Kind.QUESTION, latitude=40.8, longitude=-73.9)
    event = life(captured).then(REGISTER_CAPTURED)
    assert isinstance(event, e.IncidentRegistered)
    assert (event.channel, event.external_id) == ("VK", "wall-1_2")
    assert (event.kind, event.latitude, event.published_at) == (Kind.QUESTION, 40.8, NOON)
    corrected = c.RegisterCaptured(
        municipality="BRONX-02", kind=Kind.THANKS, latitude=40.9, longitude=-73.8
    )
    event = life(captured).then(corrected)
    assert isinstance(event, e.IncidentRegistered)
    assert (event.municipality, event.kind) == ("BRONX-02", Kind.THANKS)
    assert (event.latitude, event.longitude) == (40.9, -73.8)


def test_the_reply_counts_from_when_the_citizen_wrote_not_from_the_registration() -> None:
    it = life(CAPTURE, 2 * HOUR, REGISTER_CAPTURED, HOUR, terms=TERMS)
    event = it.then(FINAL)
    assert isinstance(event, e.ReplyPublished)
    assert event.elapsed_seconds == 3 * 60 * 60


def test_a_captured_message_goes_to_the_incident_it_belongs_to_and_back() -> None:
    it = life(CAPTURE, terms=TERMS)
    it.do(HOUR, MERGE)
    assert it.it.status is Status.MERGED
    assert it.master.cycle.clocks.running[Clock.NEXT_REPLY].due_at == NOON + 5 * HOUR
    assert INCIDENT in it.master.all_messages
    it.do(UNMERGE)
    assert it.it.status is Status.CAPTURED
    it.do(REGISTER_CAPTURED)


@pytest.mark.parametrize("confidence", [-0.1, 1.1, float("nan")])
def test_a_confidence_lies_between_nothing_and_certainty(confidence: float) -> None:
    guess = e.Reading(model="m", topics=(e.TopicGuess("roads.pothole", confidence),))
    for command in (
        c.NoteReading(reading=guess),
        c.Classify(topic="roads.pothole", model="m", confidence=confidence),
    ):
        with pytest.raises(ConfidenceOutOfRange):
            command.check(NOON)


# Changed on the platform


@pytest.mark.parametrize("command", [EDIT, DELETE])
def test_what_happens_to_a_post_moves_no_clock_and_no_state(command: c.Command) -> None:
    it = life(CLASSIFY, ASSIGN, terms=TERMS)
    before = (it.it.status, due(it), it.it.cycle.waiting_since)
    it.do(HOUR, command)
    assert (it.it.status, due(it), it.it.cycle.waiting_since) == before


def test_a_text_changed_after_the_erasure_can_be_erased_again() -> None:
    it = life(citizen=sealed())
    it.do(ERASE)
    it.ask(EDIT, private=sealed(ladder.OTHER_SUBJECT))
    it.do()
    assert it.it.subject == ladder.OTHER_SUBJECT


def test_a_platform_s_clock_that_runs_ahead_does_not_move_ours() -> None:
    early = changed(EDIT, edited_at=NOON + timedelta(minutes=3))
    event = life().then(early)
    assert isinstance(event, e.MessageEdited)
    assert event.edited_at == NOON


# Handed to another region


def test_an_incident_that_is_handed_on_is_nothing_to_wait_for_here() -> None:
    it = life(CLASSIFY, ASSIGN, terms=TERMS)
    event = it.then(TRANSFER)
    assert isinstance(event, e.IncidentTransferredOut)
    assert (event.to_region, event.correlation) == ("QUEENS", INCIDENT)
    assert (it.it.status, due(it)) == (Status.TRANSFERRED, {})


def test_what_was_missed_before_it_was_handed_on_was_missed_here() -> None:
    it = life(10 * HOUR, terms=TERMS)
    missed, _ = it.do(TRANSFER)
    assert isinstance(missed, e.DeadlineMissed)


def test_the_correlation_goes_with_it_through_all_regions() -> None:
    arrived = c.TransferIn(
        origin_region="QUEENS", origin=ladder.ANOTHER, correlation=ladder.SUBJECT
    )
    event = life(CAPTURE, arrived).then(changed(TRANSFER, to_region="BROOKLYN"))
    assert isinstance(event, e.IncidentTransferredOut)
    assert event.correlation == ladder.SUBJECT


def test_nobody_hands_it_to_its_own_region_or_from_under_control_or_with_others_in_it() -> None:
    life().refuses(changed(TRANSFER, to_region="BRONX"), SameRegion)
    life(TAKE).refuses(TRANSFER, UnderPersonalControl)
    life(TAKE).do(TRANSFER, by=GOVERNOR)
    it = life()
    decide(it.master, c.Merge(into=INCIDENT), at=NOON, by=CURATOR, other=it.it)
    it.do()
    it.refuses(TRANSFER, HoldsOthers)


# How long the steps took


def test_the_first_assignment_of_a_cycle_tells_how_long_triage_took() -> None:
    it = life(CLASSIFY, 3 * HOUR, terms=TERMS)
    first = it.then(ASSIGN)
    assert isinstance(first, e.IncidentAssigned)
    assert (first.elapsed_seconds, first.working_seconds) == (3 * 3600, 3600)
    it.do(RETURN)
    again = it.then(ASSIGN)
    assert isinstance(again, e.IncidentAssigned)
    assert again.elapsed_seconds is None


def test_taking_up_work_counts_from_the_last_assignment() -> None:
    it = life(CLASSIFY, ASSIGN, HOUR, ladder.REASSIGN, 2 * HOUR, terms=TERMS)
    event = it.then(ACCEPT)
    assert isinstance(event, e.WorkAccepted)
    assert (event.elapsed_seconds, event.working_seconds) == (2 * 3600, 2400)


def test_who_kept_it_for_more_than_a_working_day_cannot_send_it_back() -> None:
    it = life(CLASSIFY, ASSIGN, 27 * HOUR, terms=TERMS)  # a third of it is worked
    it.do(RETURN)
    late = life(CLASSIFY, ASSIGN, 28 * HOUR, terms=TERMS)
    assert late.refuses(RETURN, ReturnTooLate).facts == {"hours": 9}
    late.do(RETURN, by=SYSTEM)


def test_deliveries_are_told_whatever_has_become_of_the_incident() -> None:
    it = life(CLASSIFY, ASSIGN, FINAL, RESOLVE)
    it.do(ladder.DELIVERED, ladder.NOT_DELIVERED, ladder.REPLY_DELETED)
    assert it.it.status is Status.RESOLVED
