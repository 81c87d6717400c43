"""Messages, sandboxes and centres through the API."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from domain.vocabulary import Role
from regions.federation.transfers import hand_over, receive
from regions.node import Node
from tests.api.commands import GIVEN, TOPIC, given
from tests.api.conftest import Api
from tests.scenarios import NOON

Ask = Callable[..., dict[str, Any]]
STATE = """
status version capturedAt transferredTo origin { region } municipalityCode
timeline { event text } citizen { text }
"""


@pytest.fixture
def command(shared_api: Api) -> Ask:
    """Give a command with its usual fields, as somebody who may; the payload."""

    def ask(name: str, incident: str = "", role: Role | None = None, **fields: Any) -> Any:
        token = shared_api.token(
            fields.pop("scope", "country"), role=role or GIVEN[name].may, personal_data=True
        )
        query = (
            f"mutation ($input: {GIVEN[name].input}!) {{ payload: {name}(input: $input) {{"
            f" incidentId position userErrors {{ code field }} incident {{ {STATE} }} }} }}"
        )
        return shared_api.ask(query, token=token, input=given(name, incident, **fields))["payload"]

    return ask


def centre(shared_api: Api, command: str, of: str, role: Role, /, **fields: Any) -> dict[str, Any]:
    query = (
        f"mutation ($input: {of}!) {{ payload: {command}(input: $input) {{"
        " version position userErrors { code field } } }"
    )
    asked = {"commandId": str(uuid4()), "region": "BRONX"} | fields
    payload: dict[str, Any] = shared_api.ask(
        query, token=shared_api.token("BRONX", role=role), input=asked
    )["payload"]
    return payload


def codes(payload: dict[str, Any]) -> list[str]:
    return [error["code"] for error in payload["userErrors"]]


def test_a_message_is_captured_waits_in_the_inbox_and_becomes_an_incident(
    shared_api: Api, command: Ask
) -> None:
    kept = command("captureMessage", citizen={"text": "Нет воды"}, source="bronx-vk")
    assert kept["incident"]["status"] == "CAPTURED"
    assert kept["incident"]["citizen"] == {"text": "Нет воды"}
    inbox = "{ incidents(filter: {queue: INBOX}) { edges { node { id source } } } }"
    waiting = shared_api.ask(inbox, token=shared_api.token())["incidents"]["edges"]
    assert {"node": {"id": kept["incidentId"], "source": "bronx-vk"}} in waiting
    made = command("registerCaptured", kept["incidentId"])
    assert made["incident"]["status"] == "REGISTERED"
    assert made["incident"]["municipalityCode"] == "BRONX-02"
    waiting = shared_api.ask(inbox, token=shared_api.token())["incidents"]["edges"]
    assert kept["incidentId"] not in str(waiting)


def test_what_happened_on_the_platform_stands_in_the_timeline(command: Ask) -> None:
    kept = command("captureMessage", externalId="7", citizen={"text": "Нет воды"})["incidentId"]
    for name in ("editMessage", "deleteMessage", "noteDeletedReply"):
        told = command(name, kept)
        assert told["userErrors"] == []
    assert [(one["event"], one["text"]) for one in told["incident"]["timeline"]] == [
        ("MessageCaptured", None),
        ("MessageEdited", "Нет газа"),
        ("MessageDeleted", None),
        ("ReplyDeleted", None),
    ]


def test_an_incident_handed_on_is_found_in_the_other_region(
    shared_api: Api, shared_node: Node, command: Ask
) -> None:
    here = command("registerIncident", externalId=str(uuid4()), citizen={"text": "Нет воды"})
    left = command("transferIncident", here["incidentId"])
    assert left["incident"]["status"] == "TRANSFERRED"
    assert left["incident"]["transferredTo"] == "QUEENS"
    uuid = shared_node.centre("BRONX").recorder.select_notifications(None, 10_000)[-1]
    bronx = shared_node.centre("BRONX")
    left = hand_over(bronx, uuid.originator_id, uuid.originator_version)
    there = receive(shared_node, left, at=NOON)
    found = shared_api.ask(
        'query ($after: [String!]) { incidents(filter: {region: "QUEENS"}, readAfter: $after)'
        " { edges { node { status origin { region incident } citizen { text } } } } }",
        token=shared_api.token("QUEENS", personal_data=True),
        after=[str(there.position)],
    )["incidents"]["edges"]
    assert found == [
        {
            "node": {
                "status": "CAPTURED",
                "origin": {"region": "BRONX", "incident": here["incidentId"]},
                "citizen": {"text": "Нет воды"},
            }
        }
    ]


# The sandbox


def test_a_trainee_practises_and_reaches_no_figure_list_or_stream_of_others(
    shared_api: Api, command: Ask
) -> None:
    figures = (
        '{ ranking(period: {first: "2026-03-01", last: "2026-03-03"})'
        " { rows { region { code } figures { registered } } }"
        ' countryBoard(period: {first: "2026-03-01", last: "2026-03-03"})'
        " { queues { queue incidents } } projectionStatus { region head } }"
    )
    before = shared_api.ask(figures)
    made = command("registerIncident", role=Role.TRAINEE, scope="BRONX")
    assert made["position"].startswith("BRONX~sandbox:")
    for name, fields in (("classifyIncident", {"topic": TOPIC}), ("assignIncident", {})):
        step = command(name, made["incidentId"], role=Role.TRAINEE, scope="BRONX", **fields)
        assert step["userErrors"] == []
    assert shared_api.ask(figures) == before
    seen = "{ incidents(first: 100) { edges { node { id } } } }"
    everybody = shared_api.ask(seen, token=shared_api.token())
    assert made["incidentId"] not in str(everybody)
    trainee = shared_api.token("BRONX", role=Role.TRAINEE)
    own = shared_api.ask(seen, token=trainee)["incidents"]["edges"]
    assert own == [{"node": {"id": made["incidentId"]}}]


def test_a_trainee_sees_and_changes_nothing_real(shared_api: Api, command: Ask) -> None:
    real = command("registerIncident")["incidentId"]
    refused = command("classifyIncident", real, role=Role.TRAINEE, scope="BRONX")
    assert codes(refused) == ["NOT_PERMITTED"]
    seen = shared_api.ask(
        "query ($id: ID!) { incident(id: $id) { status } }",
        token=shared_api.token("BRONX", role=Role.TRAINEE),
        id=real,
    )
    assert seen == {"incident": None}


# The centre itself


def test_a_crisis_is_declared_shown_and_lifted(shared_api: Api) -> None:
    head = Role.REGION_HEAD
    declared = centre(shared_api, "declareCrisis", "DeclareCrisisInput", head, reason="WEATHER")
    assert codes(declared) == []
    again = centre(shared_api, "declareCrisis", "DeclareCrisisInput", head, reason="WEATHER")
    assert codes(again) == ["CRISIS_ALREADY"]
    lifted = centre(shared_api, "liftCrisis", "OfficeCommandInput", head)
    assert codes(lifted) == []
    shown = shared_api.ask(
        'query ($after: [String!]) { region(code: "BRONX", readAfter: $after)'
        " { crises { reason topicGroups liftedAt } } }",
        after=[lifted["position"]],
    )["region"]["crises"]
    (crisis,) = shown
    assert (crisis["reason"], crisis["topicGroups"]) == ("WEATHER", [])
    assert crisis["liftedAt"] is not None


def test_a_systemic_decision_is_recorded_and_shown(shared_api: Api) -> None:
    fields = {
        "number": "12",
        "title": "Меняем трубы",
        "topic": TOPIC,
        "cause": "WEAR",
        "decidedOn": "2026-03-01",
    }
    of = "MakeSystemicDecisionInput"
    made = centre(shared_api, "makeSystemicDecision", of, Role.CURATOR, **fields)
    assert codes(made) == []
    assert codes(centre(shared_api, "makeSystemicDecision", of, Role.CURATOR, **fields)) == [
        "DECISION_EXISTS"
    ]
    assert codes(centre(shared_api, "makeSystemicDecision", of, Role.MONITOR, **fields)) == [
        "NOT_PERMITTED"
    ]
    shown = shared_api.ask(
        'query ($topic: String, $after: [String!]) { region(code: "BRONX", readAfter: $after)'
        " { systemicDecisions(topic: $topic) { number title cause decidedOn } } }",
        topic=TOPIC,
        after=[made["position"]],
    )["region"]["systemicDecisions"]
    assert shown == [
        {"number": "12", "title": "Меняем трубы", "cause": "WEAR", "decidedOn": "2026-03-01"}
    ]


def test_sources_are_opened_and_closed(shared_api: Api) -> None:
    fields = {"code": "BRONX-vk", "channel": "PHONE", "name": "Бронкс", "address": "1"}
    head = Role.REGION_HEAD
    opened = centre(shared_api, "openSource", "OpenSourceInput", head, **fields)
    assert codes(opened) == []
    closed = centre(shared_api, "closeSource", "CloseSourceInput", head, code="BRONX-vk")
    assert codes(closed) == []
    assert codes(centre(shared_api, "closeSource", "CloseSourceInput", head, code="BRONX-vk")) == [
        "SOURCE_UNKNOWN"
    ]
