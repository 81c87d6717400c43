"""An incident that belongs to another region: two streams, one correlation id, nothing twice."""

from uuid import UUID, uuid4

import msgspec
import psycopg
import pytest

from domain.commands import (
    AddMessage,
    Capture,
    Citizen,
    ErasePersonalData,
    RegisterCaptured,
    TransferOut,
)
from domain.errors import (
    ForbiddenTransition,
    IncidentNotFound,
    NotPermitted,
    SameRegion,
    UnknownRegion,
)
from domain.events import IncidentTransferredIn, MessageAdded, MessageCaptured
from domain.rights import Actor, Scope
from domain.vocabulary import Role, Status
from regions.centre import Centre, Result
from regions.federation.transfers import hand_over, receive
from regions.node import Node
from regions.store.event_store import decode_event
from tests.scenarios import NOON, ask, contents, registered

MONITOR = Actor("Смирнова", Role.MONITOR, Scope("BRONX"))
LATER = NOON.replace(hour=15)


@pytest.fixture
def bronx(node: Node) -> Centre:
    return node.centre("BRONX")


def handed_on(centre: Centre, to: str = "QUEENS", **changes: object) -> Result:
    incident = registered(centre, external_id="wall-1_2", **changes).incident_id
    again = AddMessage(
        channel="PHONE", external_id="wall-1_3", published_at=NOON, citizen=Citizen(text="И газа")
    )
    ask(centre, incident, again, 5)
    return ask(centre, incident, TransferOut(to_region=to), 10, by=MONITOR)


def arrived(node: Node, result: Result, region: str = "BRONX") -> Result:
    handover = hand_over(node.centre(region), result.incident_id, result.version)
    return receive(node, handover, at=LATER)


def events(centre: Centre, incident: UUID) -> list[object]:
    return [decode_event(e.topic, e.state) for e in centre.recorder.select_events(incident)]


def test_it_arrives_as_a_message_with_all_that_was_written(node: Node, bronx: Centre) -> None:
    left = handed_on(bronx)
    there = arrived(node, left)
    queens = node.centre("QUEENS")
    captured, came, added = events(queens, there.incident_id)
    assert isinstance(captured, MessageCaptured)
    assert isinstance(came, IncidentTransferredIn)
    assert isinstance(added, MessageAdded)
    assert (captured.external_id, captured.published_at) == ("wall-1_2", NOON)
    assert (came.origin_region, came.origin) == ("BRONX", left.incident_id)
    assert came.correlation == bronx.incident(left.incident_id).correlation
    assert queens.incident(there.incident_id).status is Status.CAPTURED
    assert bronx.incident(left.incident_id).status is Status.TRANSFERRED


def test_the_words_are_sealed_anew_by_the_region_that_has_them_now(
    node: Node, bronx: Centre
) -> None:
    left = handed_on(bronx)
    there, queens = arrived(node, left), node.centre("QUEENS")
    captured = events(queens, there.incident_id)[0]
    assert isinstance(captured, MessageCaptured)
    assert captured.citizen is not None
    ask(bronx, left.incident_id, ErasePersonalData(), 400)
    opened = queens.open(there.incident_id, captured.citizen, Capture)
    assert msgspec.json.decode(opened or b"", type=Citizen).text == "Нет воды"
    log = str(contents(node.url)["public.access_log"])
    assert "transferOut" in log
    assert "OPENED" in log


def test_however_often_it_is_received_it_arrives_once(node: Node, bronx: Centre) -> None:
    left = handed_on(bronx)
    first = arrived(node, left)
    before = contents(node.url)["public.events"]
    assert arrived(node, left) == first
    assert contents(node.url)["public.events"] == before


def test_what_is_erased_before_it_is_received_again_arrived_all_the_same(
    node: Node, bronx: Centre
) -> None:
    left = handed_on(bronx)
    first = arrived(node, left)
    ask(bronx, left.incident_id, ErasePersonalData(), 400)
    assert arrived(node, left) == first


def test_the_message_is_the_other_region_s_from_then_on(
    node: Node, bronx: Centre, read: psycopg.Connection
) -> None:
    there = arrived(node, handed_on(bronx))
    keys = read.execute("SELECT region, incident_id FROM message_key ORDER BY external_id")
    assert keys.fetchall() == [("QUEENS", there.incident_id)] * 2


def test_it_may_be_sent_back_under_the_same_correlation(node: Node, bronx: Centre) -> None:
    left = handed_on(bronx)
    there, queens = arrived(node, left), node.centre("QUEENS")
    here = Actor("Борисов", Role.MONITOR, Scope("QUEENS"))
    back = queens.handle(
        there.incident_id,
        TransferOut(to_region="BRONX"),
        command_id=uuid4(),
        at=LATER,
        by=here,
    )
    again = arrived(node, back, "QUEENS")
    assert again.incident_id != left.incident_id
    correlation = bronx.incident(left.incident_id).correlation
    assert bronx.incident(again.incident_id).correlation == correlation == left.incident_id
    registered_there = bronx.handle(
        again.incident_id, RegisterCaptured(), command_id=uuid4(), at=LATER, by=MONITOR
    )
    assert bronx.incident(registered_there.incident_id).status is Status.REGISTERED


def test_who_does_not_act_for_the_region_hands_nothing_over(bronx: Centre) -> None:
    incident = registered(bronx).incident_id
    for by in (Actor("Кто-то", Role.MONITOR, Scope("QUEENS")), Actor("Кто-то", Role.EXECUTOR)):
        with pytest.raises(NotPermitted):
            ask(bronx, incident, TransferOut(to_region="QUEENS"), 10, by=by)
    with pytest.raises(UnknownRegion):
        ask(bronx, incident, TransferOut(to_region="ATLANTIS"), 10, by=MONITOR)
    with pytest.raises(SameRegion):
        ask(bronx, incident, TransferOut(to_region="BRONX"), 10, by=MONITOR)


def test_what_was_not_handed_over_is_not_received(node: Node, bronx: Centre) -> None:
    result = registered(bronx)
    with pytest.raises(IncidentNotFound):
        arrived(node, result)
    left = handed_on(bronx)
    with pytest.raises(IncidentNotFound):
        hand_over(bronx, left.incident_id, 1)
    with pytest.raises(ForbiddenTransition):
        ask(bronx, left.incident_id, TransferOut(to_region="QUEENS"), 20, by=MONITOR)


def test_trainees_hand_over_between_sandboxes(node: Node) -> None:
    sandbox = node.centre("BRONX~sandbox")
    trainee = Actor("Елена", Role.TRAINEE, Scope("BRONX~sandbox"))
    incident = registered(sandbox).incident_id
    left = ask(sandbox, incident, TransferOut(to_region="QUEENS"), 10, by=trainee)
    there = arrived(node, left, "BRONX~sandbox")
    assert there.position.region == "QUEENS~sandbox"
