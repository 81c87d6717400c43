"""Commands through the API: a whole life, each given once; what is refused leaves no trace."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from api.types.node import write_id
from domain.commands import TEXT_MAX
from domain.identifiers import new_id
from domain.vocabulary import Role
from regions.node import Node
from tests.api.conftest import Api, recorded
from tests.scenarios import NOON, assigned, registered, resolved

Ask = Callable[..., dict[str, Any]]

REGISTER = """
mutation ($input: RegisterIncidentInput!) {
  registerIncident(input: $input) {
    incidentId version position
    userErrors { code field message }
    incident { status version channel kind municipality { code } citizen { name contact text } }
  }
}
"""

# Every other command, by the type of its input.
COMMANDS = {
    "classifyIncident": "ClassifyIncidentInput",
    "assignIncident": "AssignIncidentInput",
    "returnIncident": "ReturnIncidentInput",
    "acceptWork": "CommandInput",
    "publishReply": "PublishReplyInput",
    "resolveIncident": "ResolveIncidentInput",
    "closeIncident": "CommandInput",
    "reopenIncident": "ReopenIncidentInput",
    "erasePersonalData": "CommandInput",
}

TOPIC = "noise.noise-helicopter"
BODY = "BRONX-DEP"


def mutation(command: str) -> str:
    return f"""
    mutation ($input: {COMMANDS[command]}!) {{
      payload: {command}(input: $input) {{
        incidentId version position
        userErrors {{ code field message }}
        incident {{ status version cycle returns outcome topicCode organisationCode dueAt }}
      }}
    }}
    """


def registration(**changes: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "commandId": str(uuid4()),
        "region": "BRONX",
        "channel": "PHONE",
        "publishedAt": NOON.isoformat(),
        "citizen": {"text": "Нет воды", "name": "Анна", "contact": "+7 900 000-00-00"},
    }
    return facts | changes


@pytest.fixture
def register(shared_api: Api) -> Ask:
    """Register with these fields, as the operator of the country; gives the payload."""

    def ask(token: str | None = None, **fields: Any) -> dict[str, Any]:
        token = token or shared_api.token(personal_data=True)
        answer = shared_api.ask(REGISTER, token=token, input=registration(**fields))
        payload: dict[str, Any] = answer["registerIncident"]
        return payload

    return ask


@pytest.fixture
def command(shared_api: Api) -> Ask:
    """Give an incident a command; gives the payload."""

    def ask(name: str, incident: str, token: str | None = None, **fields: Any) -> dict[str, Any]:
        given = {"commandId": str(uuid4()), "incidentId": incident} | fields
        token = token or shared_api.token(personal_data=True)
        answer = shared_api.ask(mutation(name), token=token, input=given)
        payload: dict[str, Any] = answer["payload"]
        return payload

    return ask


def refusal(payload: dict[str, Any]) -> tuple[str, str | None]:
    """Code and field of the only user error of a payload that says nothing else."""
    assert payload["incidentId"] is payload["version"] is payload["position"] is None
    assert payload["incident"] is None
    (error,) = payload["userErrors"]
    assert error["message"]
    return error["code"], error["field"]


def node_id(node: Node, incident: UUID, region: str = "BRONX") -> str:
    return write_id("Incident", f"{region}/{incident}")


# What is recorded


def test_a_registration_answers_with_the_incident(register: Ask) -> None:
    payload = register(municipality="BRONX-01", kind="QUESTION", latitude=40.8, longitude=-73.9)
    assert payload["userErrors"] == []
    assert payload["version"] == 1
    assert payload["position"].startswith("BRONX:")
    assert payload["incident"] == {
        "status": "REGISTERED",
        "version": 1,
        "channel": "PHONE",
        "kind": "QUESTION",
        "municipality": {"code": "BRONX-01"},
        "citizen": {"text": "Нет воды", "name": "Анна", "contact": "+7 900 000-00-00"},
    }


def test_an_incident_lives_its_whole_life(register: Ask, command: Ask) -> None:
    incident = register()["incidentId"]
    due_at = (NOON + timedelta(days=3)).isoformat()
    steps: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
        ("classifyIncident", {"topic": TOPIC}, {"status": "REGISTERED", "topicCode": TOPIC}),
        ("assignIncident", {"organisation": BODY, "dueAt": due_at}, {"dueAt": due_at}),
        ("returnIncident", {"reason": "WRONG_TOPIC"}, {"status": "RETURNED", "returns": 1}),
        ("assignIncident", {"organisation": BODY}, {"organisationCode": BODY}),
        ("acceptWork", {}, {"status": "IN_PROGRESS"}),
        ("publishReply", {"kind": "FIRST", "text": "Едем"}, {"status": "IN_PROGRESS"}),
        ("publishReply", {"kind": "FINAL", "text": "Вода есть"}, {"status": "IN_PROGRESS"}),
        ("resolveIncident", {"outcome": "SOLVED"}, {"status": "RESOLVED", "outcome": "SOLVED"}),
        ("closeIncident", {}, {"status": "CLOSED"}),
        ("reopenIncident", {"reason": "RECURRED"}, {"status": "REOPENED", "cycle": 2}),
        ("erasePersonalData", {}, {"status": "REOPENED"}),
    ]
    for version, (name, fields, shown) in enumerate(steps, start=2):
        payload = command(name, incident, expectedVersion=version - 1, **fields)
        assert payload["userErrors"] == [], name
        assert payload["incidentId"] == incident
        assert payload["version"] == version
        assert payload["incident"] | shown == payload["incident"], name


def test_an_event_names_who_gave_its_command_and_when(
    shared_api: Api, register: Ask, command: Ask
) -> None:
    incident = register()["incidentId"]
    token = shared_api.token("BRONX", name="Ольга", role=Role.CURATOR)
    position = command("classifyIncident", incident, token, topic=TOPIC)["position"]
    text = "query ($id: ID!) { incident(id: $id) { history { actor role occurredAt position } } }"
    history = shared_api.ask(text, token=token, id=incident)["incident"]["history"]
    now = shared_api.clock().isoformat()
    assert history[1] == {
        "actor": "Ольга",
        "role": "CURATOR",
        "occurredAt": now,
        "position": position,
    }


# Once


def test_a_command_repeated_gets_its_first_answer(
    shared_api: Api, register: Ask, command: Ask
) -> None:
    command_id = str(uuid4())
    first = register(commandId=command_id)
    before = recorded(shared_api.url)
    assert register(commandId=command_id) == first
    assert recorded(shared_api.url) == before
    classify = str(uuid4())
    once = command("classifyIncident", first["incidentId"], commandId=classify, topic=TOPIC)
    command("assignIncident", first["incidentId"], organisation=BODY)
    again = command("classifyIncident", first["incidentId"], commandId=classify, topic=TOPIC)
    assert again | {"incident": None} == once | {"incident": None}
    assert again["incident"]["status"] == "ASSIGNED"


def test_a_command_given_ten_times_at_once_is_recorded_once(shared_api: Api, register: Ask) -> None:
    before = recorded(shared_api.url)["events"]
    command_id = str(uuid4())
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: register(commandId=command_id), range(10)))
    assert all(answer == answers[0] for answer in answers)
    assert recorded(shared_api.url)["events"] == before + 1


def test_a_command_id_serves_one_command_only(shared_api: Api, register: Ask, command: Ask) -> None:
    command_id = str(uuid4())
    incident = register(commandId=command_id)["incidentId"]
    before = recorded(shared_api.url)
    for payload in (
        register(commandId=command_id, channel="ONLINE"),
        register(commandId=command_id, citizen={"text": "Нет света"}),
        command("classifyIncident", incident, commandId=command_id, topic=TOPIC),
    ):
        assert refusal(payload) == ("COMMAND_ID_REUSED", "commandId")
    assert recorded(shared_api.url) == before


def test_a_message_becomes_one_incident(shared_api: Api, register: Ask) -> None:
    assert register(externalId="№ 1")["userErrors"] == []
    before = recorded(shared_api.url)
    assert refusal(register(externalId="№ 1")) == ("DUPLICATE_MESSAGE", "externalId")
    assert recorded(shared_api.url) == before
    assert register(externalId="№ 1", channel="ONLINE")["userErrors"] == []


def test_of_two_who_read_the_same_version_one_wins(register: Ask, command: Ask) -> None:
    incident = register()["incidentId"]
    fields = {"expectedVersion": 1, "topic": TOPIC}
    assert command("classifyIncident", incident, **fields)["userErrors"] == []
    assert refusal(command("classifyIncident", incident, **fields)) == (
        "VERSION_CONFLICT",
        "expectedVersion",
    )


@pytest.mark.parametrize("version", [-1, 0, 2, 2**31 - 1])
def test_a_version_that_is_not_the_incidents_is_refused(
    version: int, shared_api: Api, register: Ask, command: Ask
) -> None:
    incident = register()["incidentId"]
    before = recorded(shared_api.url)
    payload = command("classifyIncident", incident, expectedVersion=version, topic=TOPIC)
    assert refusal(payload) == ("VERSION_CONFLICT", "expectedVersion")
    assert recorded(shared_api.url) == before


# What is refused

LONG = "ы" * 1_048_576  # over a megabyte, two in UTF-8
LATER = NOON + timedelta(hours=24)  # the clock of the API


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"region": "NOWHERE"}, "UNKNOWN_REGION", "region"),
        ({"region": ""}, "UNKNOWN_REGION", "region"),
        ({"region": "BRONX\0"}, "UNKNOWN_REGION", "region"),
        ({"municipality": "NOWHERE"}, "UNKNOWN_MUNICIPALITY", "municipality"),
        ({"municipality": "QUEENS-01"}, "UNKNOWN_MUNICIPALITY", "municipality"),
        ({"municipality": "\0"}, "UNKNOWN_MUNICIPALITY", "municipality"),
        ({"channel": "PIGEON"}, "UNKNOWN_CHANNEL", "channel"),
        ({"publishedAt": "2026-03-02T12:00:00"}, "DATE_WITHOUT_ZONE", "publishedAt"),
        (
            {"publishedAt": (LATER + timedelta(minutes=6)).isoformat()},
            "DATE_IN_FUTURE",
            "publishedAt",
        ),
        ({"publishedAt": "1999-12-31T23:59:59Z"}, "DATE_ABSURD", "publishedAt"),
        ({"publishedAt": "0001-01-01T00:00:00+14:00"}, "DATE_ABSURD", "publishedAt"),
        ({"publishedAt": "9999-12-31T23:59:59-14:00"}, "DATE_ABSURD", "publishedAt"),
        ({"citizen": {"text": LONG}}, "TEXT_TOO_LONG", "citizen.text"),
        ({"citizen": {"text": "ы" * (TEXT_MAX + 1)}}, "TEXT_TOO_LONG", "citizen.text"),
        ({"citizen": {"text": " \n"}}, "TEXT_EMPTY", "citizen.text"),
        ({"citizen": {"text": "вода\0"}}, "CONTROL_CHARACTER", "citizen.text"),
        ({"citizen": {"text": "да", "name": "А" * 201}}, "TEXT_TOO_LONG", "citizen.name"),
        ({"citizen": {"text": "да", "name": "\0"}}, "CONTROL_CHARACTER", "citizen.name"),
        ({"citizen": {"text": "да", "contact": "\x1b[2J"}}, "CONTROL_CHARACTER", "citizen.contact"),
        ({"externalId": "1\0"}, "CONTROL_CHARACTER", "externalId"),
        ({"externalId": ""}, "TEXT_EMPTY", "externalId"),
        ({"externalId": LONG}, "TEXT_TOO_LONG", "externalId"),
        ({"latitude": 90.1, "longitude": 0}, "COORDINATE_OUT_OF_RANGE", "latitude"),
        ({"latitude": 0, "longitude": -180.1}, "COORDINATE_OUT_OF_RANGE", "longitude"),
        ({"latitude": 40.8}, "POINT_INCOMPLETE", "longitude"),
    ],
)
def test_a_registration_with_a_bad_field_is_refused_by_its_name(
    fields: dict[str, Any], code: str, field: str, shared_api: Api, register: Ask
) -> None:
    before = recorded(shared_api.url)
    assert refusal(register(**fields)) == (code, field)
    assert recorded(shared_api.url) == before
    assert shared_api.is_alive()


@pytest.mark.parametrize(
    ("name", "fields", "code", "field"),
    [
        ("classifyIncident", {"topic": "nonsense"}, "UNKNOWN_TOPIC", "topic"),
        ("classifyIncident", {"topic": "noise"}, "UNKNOWN_TOPIC", "topic"),  # a group
        ("classifyIncident", {"topic": "\0"}, "UNKNOWN_TOPIC", "topic"),
        ("assignIncident", {"organisation": BODY}, "NOT_CLASSIFIED", "topic"),
        ("assignIncident", {"organisation": "NOBODY"}, "UNKNOWN_ORGANISATION", "organisation"),
        ("assignIncident", {"organisation": "QUEENS-DEP"}, "UNKNOWN_ORGANISATION", "organisation"),
        (
            "assignIncident",
            {"organisation": BODY, "dueAt": "2026-03-09T12:00:00"},
            "DATE_WITHOUT_ZONE",
            "dueAt",
        ),
        (
            "assignIncident",
            {"organisation": BODY, "dueAt": "2036-03-09T12:00:00Z"},
            "DATE_ABSURD",
            "dueAt",
        ),
        ("publishReply", {"kind": "FINAL", "text": LONG}, "TEXT_TOO_LONG", "text"),
        ("publishReply", {"kind": "FINAL", "text": "да\0"}, "CONTROL_CHARACTER", "text"),
        ("publishReply", {"kind": "FINAL", "text": ""}, "TEXT_EMPTY", "text"),
        ("publishReply", {"kind": "FINAL", "channel": "PIGEON"}, "UNKNOWN_CHANNEL", "channel"),
        ("publishReply", {"kind": "FINAL", "channel": "ONLINE"}, "OTHER_CHANNEL", "channel"),
        ("acceptWork", {}, "FORBIDDEN_TRANSITION", None),
        ("returnIncident", {"reason": "WRONG_TOPIC"}, "FORBIDDEN_TRANSITION", None),
        ("resolveIncident", {"outcome": "SOLVED"}, "FORBIDDEN_TRANSITION", None),
        ("closeIncident", {}, "FORBIDDEN_TRANSITION", None),
        ("reopenIncident", {"reason": "RECURRED"}, "FORBIDDEN_TRANSITION", None),
    ],
)
def test_a_bad_command_on_a_registered_incident_is_refused_by_its_field(
    name: str,
    fields: dict[str, Any],
    code: str,
    field: str | None,
    shared_api: Api,
    shared_node: Node,
    command: Ask,
) -> None:
    incident = registered(shared_node.centre("BRONX")).incident_id
    before = recorded(shared_api.url)
    assert refusal(command(name, node_id(shared_node, incident), **fields)) == (code, field)
    assert recorded(shared_api.url) == before
    assert shared_api.is_alive()


def test_a_rule_of_the_incidents_state_is_told(shared_node: Node, command: Ask) -> None:
    centre = shared_node.centre("BRONX")
    at_work = node_id(shared_node, assigned(centre).incident_id)
    assert refusal(command("classifyIncident", at_work, topic=TOPIC))[0] == "FORBIDDEN_TRANSITION"
    assert refusal(command("resolveIncident", at_work, outcome="SOLVED"))[0] == (
        "FINAL_REPLY_MISSING"
    )
    done = node_id(shared_node, resolved(centre).incident_id)
    assert refusal(command("publishReply", done, kind="FINAL"))[0] == "FORBIDDEN_TRANSITION"
    assert command("erasePersonalData", done)["userErrors"] == []
    assert refusal(command("erasePersonalData", done)) == ("NO_PERSONAL_DATA", None)


def test_personal_data_is_erased_by_who_may_see_it(
    shared_api: Api, register: Ask, command: Ask
) -> None:
    incident = register()["incidentId"]
    before = recorded(shared_api.url)
    payload = command("erasePersonalData", incident, shared_api.token())
    assert refusal(payload) == ("NOT_PERMITTED", None)
    assert recorded(shared_api.url) == before


def test_a_first_reply_is_given_once(register: Ask, command: Ask) -> None:
    incident = register()["incidentId"]
    assert command("publishReply", incident, kind="FIRST")["userErrors"] == []
    assert refusal(command("publishReply", incident, kind="FIRST")) == (
        "FIRST_REPLY_REPEATED",
        "kind",
    )


def test_time_does_not_go_back_in_the_life_of_an_incident(
    shared_api: Api, register: Ask, command: Ask
) -> None:
    incident = register()["incidentId"]
    now = shared_api.clock.now
    try:
        shared_api.clock.now = now - timedelta(hours=1)
        payload = command("classifyIncident", incident, topic=TOPIC)
    finally:
        shared_api.clock.now = now
    assert refusal(payload) == ("TIME_GOES_BACKWARDS", "at")


@pytest.mark.parametrize(
    ("incident", "code"),
    [
        ("", "NOT_FOUND"),
        ("nonsense", "NOT_FOUND"),
        ("№", "NOT_FOUND"),
        ("\0", "NOT_FOUND"),
        (write_id("Incident", "BRONX/nonsense"), "NOT_FOUND"),
        (write_id("Region", "BRONX"), "NOT_FOUND"),
        (write_id("Incident", f"BRONX/{new_id(NOON)}"), "INCIDENT_NOT_FOUND"),
        (write_id("Incident", f"NOWHERE/{new_id(NOON)}"), "UNKNOWN_REGION"),
        (write_id("Incident", f"BRONX\0/{new_id(NOON)}"), "UNKNOWN_REGION"),
    ],
)
def test_an_incident_that_is_none_is_not_found(
    incident: str, code: str, shared_api: Api, command: Ask
) -> None:
    before = recorded(shared_api.url)
    for name, fields in (("acceptWork", {}), ("classifyIncident", {"topic": TOPIC})):
        field = "region" if code == "UNKNOWN_REGION" else "incidentId"
        assert refusal(command(name, incident, **fields)) == (code, field)
    assert recorded(shared_api.url) == before


def test_an_incident_of_another_region_is_not_found(
    shared_api: Api, shared_node: Node, command: Ask
) -> None:
    incident = registered(shared_node.centre("QUEENS")).incident_id
    before = recorded(shared_api.url)
    payload = command("classifyIncident", node_id(shared_node, incident, "BRONX"), topic=TOPIC)
    assert refusal(payload) == ("INCIDENT_NOT_FOUND", "incidentId")
    assert recorded(shared_api.url) == before


@pytest.mark.parametrize(
    "fields",
    [
        {"commandId": "nonsense"},
        {"commandId": 5},
        {"publishedAt": "yesterday"},
        {"publishedAt": 5},
        {"publishedAt": "2026-02-30T12:00:00Z"},
        {"kind": "NONSENSE"},
        {"latitude": "nonsense"},
        {"region": None},
        {"region": 5},
        {"channel": ["PHONE"]},
        {"citizen": "Анна"},
        {"citizen": {"name": "Анна"}},
        {"nonsense": 1},
    ],
)
def test_what_is_not_of_the_inputs_type_is_a_bad_request(
    fields: dict[str, Any], shared_api: Api
) -> None:
    before = recorded(shared_api.url)
    given = registration(**fields)
    answer = shared_api.answer(REGISTER, token=shared_api.token(), input=given)
    assert answer["data"] is None
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"BAD_REQUEST"}
    assert recorded(shared_api.url) == before


def test_commands_of_one_request_are_given_in_order(shared_api: Api, register: Ask) -> None:
    incident = register()["incidentId"]
    text = f"""
    mutation ($id: ID!, $a: UUID!, $b: UUID!, $c: UUID!) {{
      a: classifyIncident(input: {{commandId: $a, incidentId: $id, topic: "{TOPIC}"}}) {{
        version incident {{ history {{ version }} }}
      }}
      b: assignIncident(input: {{commandId: $b, incidentId: $id, organisation: "{BODY}"}}) {{
        version incident {{ history {{ version }} }}
      }}
      c: closeIncident(input: {{commandId: $c, incidentId: $id}}) {{
        version userErrors {{ code }}
      }}
    }}
    """
    ids = {name: str(uuid4()) for name in "abc"}
    answer = shared_api.ask(text, token=shared_api.token(), id=incident, **ids)
    assert answer["a"]["version"] == len(answer["a"]["incident"]["history"]) == 2
    assert answer["b"]["version"] == len(answer["b"]["incident"]["history"]) == 3
    assert answer["c"] == {"version": None, "userErrors": [{"code": "FORBIDDEN_TRANSITION"}]}
