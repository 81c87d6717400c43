"""The centre itself: crisis mode, systemic decisions, sources."""

import json
from copy import deepcopy
from datetime import date, timedelta

import msgspec
import pytest

from domain.errors import (
    CrisisAlready,
    DateInFuture,
    DecisionExists,
    DomainError,
    NoCrisis,
    SourceExists,
    SourceUnknown,
    TextEmpty,
)
from domain.office import (
    DECISIONS,
    OFFICE_EVENTS,
    CloseSource,
    DeclareCrisis,
    LiftCrisis,
    MakeSystemicDecision,
    Office,
    OfficeCommand,
    OfficeEvent,
    OpenSource,
    decide,
    office_id,
    office_of,
)
from domain.vocabulary import Cause, CrisisReason
from tests.domain.ladder import GOVERNOR, NOON

DECLARE = DeclareCrisis(reason=CrisisReason.WEATHER, topic_groups=("roads",))
DECIDE = MakeSystemicDecision(
    number="12-п",
    title="Контейнеры на Мирной вывозят каждый день",
    topic="waste.dump",
    cause=Cause.CONTRACTOR,
    decided_on=date(2026, 3, 1),
)
OPEN = OpenSource(code="63-vk", channel="VK", name="ЦУР Самара", address="1")
CLOSE = CloseSource(code="63-vk")


def done(*commands: OfficeCommand) -> Office:
    office = Office("BRONX")
    for command in commands:
        decide(office, command, at=NOON, by=GOVERNOR)
    return office


@pytest.mark.parametrize(
    ("before", "command", "refusal"),
    [
        ([DECLARE], DECLARE, CrisisAlready),
        ([], LiftCrisis(), NoCrisis),
        ([DECLARE, LiftCrisis()], LiftCrisis(), NoCrisis),
        ([DECIDE], DECIDE, DecisionExists),
        ([OPEN], OPEN, SourceExists),
        ([], CLOSE, SourceUnknown),
        ([OPEN, CLOSE], CLOSE, SourceUnknown),
    ],
)
def test_what_is_so_already_is_refused_and_changes_nothing(
    before: list[OfficeCommand], command: OfficeCommand, refusal: type[DomainError]
) -> None:
    office = done(*before)
    as_it_was = deepcopy(office)
    with pytest.raises(refusal):
        decide(office, command, at=NOON, by=GOVERNOR)
    assert office == as_it_was


def test_each_command_leads_to_its_event_with_the_same_facts() -> None:
    office = done(DECLARE, LiftCrisis(), DECIDE, OPEN, CLOSE)
    events = [each.event for each in office.collect_events()]
    assert [type(event) for event in events] == [of for of, _ in DECISIONS.values()]
    for event, command in zip(events, (DECLARE, LiftCrisis(), DECIDE, OPEN, CLOSE), strict=True):
        facts = msgspec.structs.asdict(event)
        assert facts | msgspec.structs.asdict(command) == facts
        assert (facts["region"], facts["actor"], facts["occurred_at"]) == (
            "BRONX",
            GOVERNOR.name,
            NOON,
        )


def test_its_events_tell_the_whole_centre() -> None:
    office = done(DECLARE, DECIDE, OPEN)
    pending = office.collect_events()
    assert [each.originator_version for each in pending] == [1, 2, 3]
    assert {each.originator_id for each in pending} == {office_id("BRONX")}
    assert office_of("BRONX", [stored_and_read(each.event) for each in pending]) == office


def stored_and_read(event: OfficeEvent) -> OfficeEvent:
    return msgspec.json.decode(msgspec.json.encode(event), type=OFFICE_EVENTS[event.TOPIC])


def test_a_crisis_declared_anew_is_another_one() -> None:
    office = done(DECLARE, LiftCrisis(), DeclareCrisis(reason=CrisisReason.ACCIDENT))
    assert office.crisis is not None
    assert office.crisis.reason is CrisisReason.ACCIDENT


def test_no_decision_is_made_tomorrow_and_none_without_words() -> None:
    with pytest.raises(DateInFuture):
        msgspec.structs.replace(DECIDE, decided_on=(NOON + timedelta(days=3)).date()).check(NOON)
    with pytest.raises(TextEmpty):
        msgspec.structs.replace(DECIDE, title=" ").check(NOON)


# As an earlier release stored them: add to them, never change one.
STORED = {
    "CrisisDeclared": {"reason": "WEATHER", "topic_groups": ["roads"]},
    "CrisisLifted": {},
    "SystemicDecisionMade": {
        "number": "12-п",
        "title": "Контейнеры вывозят каждый день",
        "topic": "waste.dump",
        "cause": "CONTRACTOR",
        "decided_on": "2026-03-01",
    },
    "SourceOpened": {
        "code": "63-vk",
        "channel": "VK",
        "name": "ЦУР Самара",
        "address": "1",
        "regime": "POS_MESSAGE",
        "topic": "waste.dump",
        "silence_hours": 24,
    },
    "SourceClosed": {"code": "63-vk"},
}


@pytest.mark.parametrize("topic", OFFICE_EVENTS)
def test_events_of_earlier_releases_are_still_read(topic: str) -> None:
    common = {"region": "BRONX", "municipality": "BRONX-01", "occurred_at": "2026-03-02T12:00:00Z"}
    payload = common | {"actor": "Губернатор", "role": "REGION_HEAD"} | STORED[topic]
    event = msgspec.json.decode(json.dumps(payload), type=OFFICE_EVENTS[topic])
    assert json.loads(msgspec.json.encode(event)) == payload
