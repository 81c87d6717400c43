"""Messages taken in with all that follows from them at once: everything is recorded, or nothing."""

from uuid import uuid4

import msgspec
import pytest

from domain.commands import (
    Assign,
    Capture,
    Citizen,
    Classify,
    EditMessage,
    NoteReading,
    PublishReply,
    RegisterCaptured,
)
from domain.errors import (
    CommandIdReused,
    DuplicateMessage,
    NotClassified,
    NotPermitted,
    UnknownChannel,
    UnknownMunicipality,
    UnknownTopic,
)
from domain.events import Reading
from domain.rights import SYSTEM, Actor
from domain.vocabulary import ReplyKind, Role, Status
from regions.centre import Centre, Result
from regions.node import Node
from tests.scenarios import NOON, ask, contents, registered, some_body, some_topic

POST = Capture(
    channel="PHONE",
    external_id="wall-1_2",
    published_at=NOON,
    citizen=Citizen(name="Анна", text="Нет воды", reply_to="wall:-1_2"),
)


@pytest.fixture
def bronx(node: Node) -> Centre:
    return node.centre("BRONX")


def captured(centre: Centre, *then: object, **changes: object) -> Result:
    facts: dict[str, object] = {"command_id": uuid4(), "at": NOON, "by": SYSTEM, "then": then}
    return centre.capture(POST, **(facts | changes))  # type: ignore[arg-type]


def test_a_message_is_kept_sealed_and_is_no_incident_yet(node: Node, bronx: Centre) -> None:
    result = captured(bronx)
    assert bronx.incident(result.incident_id).status is Status.CAPTURED
    assert "Нет воды" not in str(contents(node.url))
    assert "wall:-1_2" not in str(contents(node.url))
    sealed = bronx.incident(result.incident_id).captured
    assert sealed is not None
    assert sealed.citizen is not None
    opened = bronx.open(result.incident_id, sealed.citizen, Capture)
    assert msgspec.json.decode(opened or b"", type=Citizen) == POST.citizen


def test_all_that_follows_at_once_is_one_command(bronx: Centre) -> None:
    topic, body = some_topic(bronx), some_body(bronx)
    result = captured(
        bronx,
        NoteReading(reading=Reading(model="test")),
        RegisterCaptured(municipality="BRONX-01"),
        Classify(topic=topic, model="test", confidence=0.9),
        Assign(organisation=body, rule="all"),
    )
    incident = bronx.incident(result.incident_id)
    assert (incident.status, incident.version, incident.topic) == (Status.ASSIGNED, 5, topic)
    assert (result.version, result.position.pos) == (5, 5)


@pytest.mark.parametrize(
    ("then", "refusal"),
    [
        ([RegisterCaptured(), Assign(organisation="BRONX-DCA")], NotClassified),
        ([RegisterCaptured(municipality="QUEENS-09")], UnknownMunicipality),
        ([RegisterCaptured(), Classify(topic="nothing")], UnknownTopic),
    ],
)
def test_if_one_step_is_refused_nothing_is_recorded(
    node: Node, bronx: Centre, then: list[object], refusal: type[Exception]
) -> None:
    before = contents(node.url)
    with pytest.raises(refusal):
        captured(bronx, *then)
    assert contents(node.url) == before


def test_nobody_gives_by_the_way_a_command_that_is_not_theirs(node: Node, bronx: Centre) -> None:
    with pytest.raises(NotPermitted):
        captured(
            bronx,
            NoteReading(reading=Reading(model="test")),
            by=Actor("Смирнова", Role.MONITOR),
        )
    assert not contents(node.url)["public.events"]


def test_a_post_captured_twice_is_one_message(bronx: Centre) -> None:
    command_id = uuid4()
    first = captured(bronx, RegisterCaptured(), command_id=command_id)
    assert captured(bronx, RegisterCaptured(), command_id=command_id) == first
    with pytest.raises(DuplicateMessage, match=str(first.incident_id)):
        captured(bronx)
    with pytest.raises(DuplicateMessage):
        registered(bronx, external_id="wall-1_2")
    with pytest.raises(CommandIdReused):
        bronx.capture(
            msgspec.structs.replace(POST, external_id="other"),
            command_id=command_id,
            at=NOON,
            by=SYSTEM,
        )
    with pytest.raises(UnknownChannel):
        bronx.capture(
            msgspec.structs.replace(POST, channel="PIGEON"), command_id=uuid4(), at=NOON, by=SYSTEM
        )


def test_the_reply_to_a_captured_message_counts_from_its_publication(bronx: Centre) -> None:
    incident = captured(bronx, RegisterCaptured()).incident_id
    edited = EditMessage(channel="PHONE", external_id="wall-1_2", edited_at=NOON, text="Нет света")
    ask(bronx, incident, edited, 5)
    ask(bronx, incident, PublishReply(kind=ReplyKind.FIRST), 30)
    assert bronx.incident(incident).cycle.waiting_since is None
