"""Commands through the API: a whole life, each given once; what is refused leaves no trace."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from api.inputs import GivenInput
from api.schema import schema
from api.transport.code import DEFINITION
from api.types.node import incident_id, write_id
from domain.commands import TEXT_MAX
from domain.identifiers import derived_id
from domain.vocabulary import Role
from regions.node import Node
from tests.api.commands import (
    BEGINNING,
    BODY,
    GIVEN,
    OTHER_BODY,
    OTHER_TOPIC,
    PROMISE,
    TOPIC,
    given,
)
from tests.api.conftest import Api, recorded
from tests.scenarios import (
    NOON,
    accepted,
    answered,
    assigned,
    classified,
    registered,
    resolved,
    some_body,
)

Ask = Callable[..., dict[str, Any]]

NOBODY = derived_id(NOON, "nobody")  # the same in each process of a run
REGISTER = """
mutation ($input: RegisterIncidentInput!) {
  registerIncident(input: $input) {
    incidentId version position
    userErrors { code field message }
    incident { status version channel kind municipality { code } citizen { name contact text } }
  }
}
"""


def mutation(command: str) -> str:
    return f"""
    mutation ($input: {GIVEN[command].input}!) {{
      payload: {command}(input: $input) {{
        incidentId version position
        userErrors {{ code field message }}
        incident {{
          status version cycle returns hops outcome topicCode organisationCode municipalityCode
          dueAt firstDueAt promisedOn promiseMoves rating disputes controller priority rootCause
        }}
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
    """Give an incident a command, as somebody who may; gives the payload."""

    def ask(
        name: str, incident: str, who: str = "", /, role: Role | None = None, **fields: Any
    ) -> dict[str, Any]:
        role = role or GIVEN[name].may
        token = shared_api.token(name=who or role.lower(), role=role, personal_data=True)
        asked = {"commandId": str(uuid4()), "incidentId": incident} | fields
        payload: dict[str, Any] = shared_api.ask(mutation(name), token=token, input=asked)[
            "payload"
        ]
        return payload

    return ask


def refusal(payload: dict[str, Any]) -> tuple[str, str | None]:
    """Code and field of the only user error of a payload that says nothing else."""
    assert payload["incidentId"] is payload["version"] is payload["position"] is None
    assert payload["incident"] is None
    (error,) = payload["userErrors"]
    assert error["message"]
    return error["code"], error["field"]


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


Step = tuple[str, str, Role, dict[str, Any], dict[str, Any]]
DUE, PROMISED, MOVED = "2026-03-05T12:00:00+00:00", "2026-03-20", "2026-03-27"

# Who does what in which role, with which fields, and what the incident shows then.
WHOLE_LIFE: list[Step] = [
    ("classifyIncident", "Ольга", Role.MONITOR, {"topic": TOPIC}, {"topicCode": TOPIC}),
    (
        "assignIncident",
        "Пётр",
        Role.CURATOR,
        {"organisation": BODY, "dueAt": DUE},
        {"status": "ASSIGNED", "organisationCode": BODY, "dueAt": DUE},
    ),
    (
        "returnIncident",
        "Иван",
        Role.EXECUTOR,
        {"reason": "NOT_COMPETENT", "suggestedOrganisation": OTHER_BODY},
        {"status": "RETURNED", "returns": 1, "organisationCode": None},
    ),
    (
        "assignIncident",
        "Пётр",
        Role.CURATOR,
        {"organisation": OTHER_BODY, "holder": "Иван"},
        {"organisationCode": OTHER_BODY, "dueAt": DUE},
    ),
    ("acceptWork", "Иван", Role.EXECUTOR, {}, {"status": "IN_PROGRESS"}),
    ("publishReply", "Иван", Role.EXECUTOR, {"kind": "FIRST", "text": "Едем"}, {}),
    (
        "draftReply",
        "Иван",
        Role.EXECUTOR,
        {"kind": "INTERIM", "text": "Починим"},
        {"status": "REPLY_IN_REVIEW"},
    ),
    ("returnReply", "Анна", Role.ORG_HEAD, {"reasons": ["NO_DATE"]}, {"status": "IN_PROGRESS"}),
    (
        "draftReply",
        "Иван",
        Role.EXECUTOR,
        {"kind": "INTERIM", "text": "Починим 20 марта"},
        {"status": "REPLY_IN_REVIEW"},
    ),
    ("approveReply", "Анна", Role.ORG_HEAD, {}, {"status": "IN_PROGRESS"}),
    ("publishReply", "Иван", Role.EXECUTOR, {"kind": "INTERIM"}, {"status": "IN_PROGRESS"}),
    (
        "scheduleSolution",
        "Иван",
        Role.EXECUTOR,
        {"promisedOn": PROMISED, "reason": "CONTRACT"},
        {"status": "SCHEDULED", "promisedOn": PROMISED, "promiseMoves": 0, "firstDueAt": DUE},
    ),
    (
        "movePromise",
        "Анна",
        Role.ORG_HEAD,
        {"promisedOn": MOVED, "reason": "WEATHER"},
        {"status": "SCHEDULED", "promisedOn": MOVED, "promiseMoves": 1, "firstDueAt": DUE},
    ),
    ("draftReply", "Иван", Role.EXECUTOR, {"kind": "FINAL", "text": "Вода есть"}, {}),
    ("approveReply", "Пётр", Role.CURATOR, {}, {"status": "SCHEDULED"}),
    ("publishReply", "Иван", Role.EXECUTOR, {"kind": "FINAL"}, {}),
    (
        "resolveIncident",
        "Иван",
        Role.EXECUTOR,
        {"outcome": "SOLVED", "evidence": ["photo/1", "act/2"]},
        {"status": "RESOLVED", "outcome": "SOLVED"},
    ),
    (
        "rateIncident",
        "citizen",
        Role.CITIZEN,
        {"score": 2, "reasons": ["NOT_SOLVED"]},
        {"status": "REOPEN_REQUESTED", "rating": 2, "disputes": 1},
    ),
    (
        "reopenIncident",
        "Пётр",
        Role.CURATOR,
        {"reason": "NOT_SOLVED"},
        {"status": "REOPENED", "cycle": 2},
    ),
    ("assignIncident", "Пётр", Role.CURATOR, {"organisation": BODY}, {"status": "ASSIGNED"}),
    # Who could approve a reply publishes one without asking.
    ("publishReply", "Анна", Role.ORG_HEAD, {"kind": "FINAL", "text": "Теперь есть"}, {}),
    ("resolveIncident", "Анна", Role.ORG_HEAD, {"outcome": "EXPLAINED"}, {"status": "RESOLVED"}),
    (
        "takePersonalControl",
        "Глава",
        Role.REGION_HEAD,
        {},
        {"status": "UNDER_CONTROL", "controller": "Глава"},
    ),
    (
        "liftPersonalControl",
        "Глава",
        Role.REGION_HEAD,
        {},
        {"status": "RESOLVED", "controller": None},
    ),
    ("closeIncident", "Пётр", Role.CURATOR, {}, {"status": "CLOSED"}),
    (
        "disputeResolution",
        "Ольга",
        Role.MONITOR,
        {"by": "THIRD_PARTY", "text": "Опять нет"},
        {"status": "REOPEN_REQUESTED", "disputes": 2},
    ),
    (
        "declineReopen",
        "Мария",
        Role.CURATOR,
        {"reason": "ANOTHER_MATTER"},
        {"status": "CLOSED", "cycle": 2},
    ),
    ("erasePersonalData", "Вера", Role.DATA_OFFICER, {}, {"status": "CLOSED"}),
]

# What need not happen in a life, and may.
EVENTFUL_LIFE: list[Step] = [
    ("classifyIncident", "Ольга", Role.MONITOR, {"topic": TOPIC}, {}),
    (
        "prioritizeIncident",
        "Пётр",
        Role.CURATOR,
        {"priority": "HIGH", "reason": "CHILDREN"},
        {"priority": "HIGH"},
    ),
    ("grantFastTrack", "Пётр", Role.CURATOR, {}, {}),
    ("assignIncident", "Ольга", Role.MCU_OPERATOR, {"organisation": BODY, "dueAt": DUE}, {}),
    (
        "reassignIncident",
        "Пётр",
        Role.CURATOR,
        {"organisation": OTHER_BODY, "reason": "WRONG_BODY"},
        {"status": "ASSIGNED", "organisationCode": OTHER_BODY, "hops": 1},
    ),
    (
        "reclassifyIncident",
        "Пётр",
        Role.CURATOR,
        {"topic": OTHER_TOPIC},
        {"topicCode": OTHER_TOPIC},
    ),
    (
        "relocateIncident",
        "Пётр",
        Role.CURATOR,
        {"municipality": "BRONX-02", "latitude": 40.8, "longitude": -73.9},
        {"municipalityCode": "BRONX-02"},
    ),
    (
        "requestClarification",
        "Иван",
        Role.EXECUTOR,
        {"question": "Какой дом?"},
        {"status": "AWAITING_CITIZEN"},
    ),
    (
        "receiveClarification",
        "citizen",
        Role.CITIZEN,
        {"answer": "Пятый"},
        {"status": "IN_PROGRESS"},
    ),
    ("contactCitizen", "Иван", Role.EXECUTOR, {"channel": "PHONE", "note": "Говорили"}, {}),
    (
        "extendDeadline",
        "Анна",
        Role.ORG_HEAD,
        {"dueAt": "2026-03-20T12:00:00+00:00", "reason": "SUPPLY"},
        {"dueAt": "2026-03-20T12:00:00+00:00", "firstDueAt": DUE},
    ),
    ("recordRootCause", "Пётр", Role.CURATOR, {"cause": "WEAR", "decision": "№ 1"}, {}),
    ("publishReply", "Пётр", Role.CURATOR, {"kind": "FINAL", "text": "Вода есть"}, {}),
    ("resolveIncident", "Иван", Role.EXECUTOR, {"outcome": "SOLVED"}, {"rootCause": "WEAR"}),
    ("requestFieldCheck", "Глава", Role.REGION_HEAD, {}, {"status": "RESOLVED"}),
    (
        "reportFieldCheck",
        "Семён",
        Role.MCU_OPERATOR,
        {"verdict": "NOT_DONE", "evidence": ["photo/3"]},
        {"status": "REOPEN_REQUESTED", "disputes": 1},
    ),
]


@pytest.mark.parametrize("life", [WHOLE_LIFE, EVENTFUL_LIFE], ids=["whole", "eventful"])
def test_an_incident_lives_its_whole_life(life: list[Step], register: Ask, command: Ask) -> None:
    payload = register()
    for name, who, role, fields, shown in life:
        incident, version = payload["incidentId"], payload["version"]
        payload = command(name, incident, who, role, expectedVersion=version, **fields)
        assert payload["userErrors"] == [], name
        assert payload["incidentId"] == incident
        assert payload["version"] == payload["incident"]["version"] > version
        assert payload["incident"] | shown == payload["incident"], name


def test_a_message_that_is_none_is_rejected_and_two_that_belong_together_linked(
    register: Ask, command: Ask
) -> None:
    first, second = register()["incidentId"], register()["incidentId"]
    linked = command("linkIncident", first, to=second, kind="SAME_CAUSE")
    assert (linked["userErrors"], linked["version"]) == ([], 2)
    assert refusal(command("linkIncident", first, to=second))[0] == "DONE_ALREADY"
    rejected = command("rejectIncident", second, reason="ADVERT")
    assert rejected["incident"]["status"] == "REJECTED"
    assert refusal(command("classifyIncident", second, topic=TOPIC))[0] == "FORBIDDEN_TRANSITION"


def facts_of(api: Api, incident: str) -> list[dict[str, str]]:
    """Of the last event in its life."""
    text = "query ($id: ID!) { incident(id: $id) { timeline { facts { name value } } } }"
    timeline = api.ask(text, token=api.token(), id=incident)["incident"]["timeline"]
    return timeline[-1]["facts"]  # type: ignore[no-any-return]


def test_two_incidents_that_are_one_are_merged_and_taken_apart(
    shared_api: Api, register: Ask, command: Ask
) -> None:
    one, other = register()["incidentId"], register()["incidentId"]
    again = {"channel": "PHONE", "publishedAt": NOON.isoformat(), "citizen": {"text": "И у нас"}}
    added = command("addMessage", one, **again)
    assert added["userErrors"] == []
    text = "query ($id: ID!) { incident(id: $id) { timeline { event text } } }"
    token = shared_api.token(personal_data=True)
    timeline = shared_api.ask(text, token=token, id=one)["incident"]["timeline"]
    assert timeline[-1] == {"event": "MessageAdded", "text": "И у нас"}
    merged = command("mergeIncident", one, into=other)
    assert merged["userErrors"] == []
    assert {"name": "into", "value": other} in facts_of(shared_api, one)
    assert {"name": "of", "value": one} in facts_of(shared_api, other)
    assert merged["incident"]["status"] == "MERGED"
    assert refusal(command("mergeIncident", one, into=other))[0] == "FORBIDDEN_TRANSITION"
    assert refusal(command("mergeIncident", other, into=other)) == ("SAME_INCIDENT", "into")
    apart = command("unmergeIncident", one)
    assert apart["userErrors"] == []
    assert apart["incident"]["status"] == "REGISTERED"


def test_every_command_is_part_of_a_life_here() -> None:
    lived = {step[0] for step in WHOLE_LIFE + EVENTFUL_LIFE}
    told_beside = {"registerIncident", "rejectIncident", "linkIncident"}
    told_beside |= {"addMessage", "mergeIncident", "unmergeIncident"}
    told_beside |= {"captureMessage", "registerCaptured", "editMessage", "deleteMessage"}
    told_beside |= {"noteDeletedReply", "transferIncident", "submitReply"}
    assert lived | told_beside == set(GIVEN)


def test_the_timeline_tells_every_step_with_what_was_written(
    shared_api: Api, register: Ask, command: Ask
) -> None:
    payload = register()
    for name, who, role, fields, _ in WHOLE_LIFE[:13]:
        command(name, payload["incidentId"], who, role, **fields)
    text = """
    query ($id: ID!) {
      incident(id: $id) {
        timeline { event actor role dueAt reason replyKind text facts { name value } }
      }
    }
    """
    token = shared_api.token(personal_data=True)
    timeline = shared_api.ask(text, token=token, id=payload["incidentId"])["incident"]["timeline"]
    told = {entry["event"]: entry for entry in timeline}  # the last of each
    assert [entry["event"] for entry in timeline] == [
        "IncidentRegistered",
        "IncidentClassified",
        "IncidentAssigned",
        "IncidentReturned",
        "IncidentAssigned",
        "WorkAccepted",
        "ReplyPublished",
        "ReplyDrafted",
        "ReplyReturned",
        "ReplyDrafted",
        "ReplyApproved",
        "ReplyPublished",
        "SolutionScheduled",
        "DeadlineExtended",
        "PromiseMoved",
        "DeadlineExtended",
    ]
    assert timeline[2]["dueAt"] == DUE
    assert told["ReplyReturned"]["reason"] == "NO_DATE"
    assert told["ReplyDrafted"]["text"] == "Починим 20 марта"
    assert (told["ReplyApproved"]["actor"], told["ReplyApproved"]["role"]) == ("Анна", "ORG_HEAD")
    assert {"name": "draft", "value": "10"} in told["ReplyPublished"]["facts"]
    assert {"name": "before", "value": PROMISED} in told["PromiseMoved"]["facts"]


def test_an_event_names_who_gave_its_command_and_when(
    shared_api: Api, register: Ask, command: Ask
) -> None:
    incident = register()["incidentId"]
    token = shared_api.token("BRONX", role=Role.CURATOR)
    position = command("classifyIncident", incident, "Ольга", Role.CURATOR, topic=TOPIC)["position"]
    text = "query ($id: ID!) { incident(id: $id) { timeline { actor role occurredAt position } } }"
    timeline = shared_api.ask(text, token=token, id=incident)["incident"]["timeline"]
    now = shared_api.clock().isoformat()
    assert timeline[1] == {
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


def test_no_command_of_ours_can_be_named_by_a_client() -> None:
    """Exports have a table of their own, where all ids are given."""
    types = schema._schema.type_map.values()
    kinds = [kind for kind in types if "commandId" in getattr(kind, "fields", ())]
    of = {kind.name: kind.extensions[DEFINITION].origin for kind in kinds}
    assert [name for name, origin in of.items() if not issubclass(origin, GivenInput)] == [
        "RequestExportInput"
    ]


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

LONG = "ы" * 100_000  # nearly as many bytes as a body may have
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
        ("linkIncident", {"to": "nonsense"}, "NOT_FOUND", "to"),
        ("linkIncident", {"to": write_id("Region", "BRONX")}, "NOT_FOUND", "to"),
        ("linkIncident", {"to": incident_id("QUEENS", uuid4())}, "NOT_FOUND", "to"),
        ("assignIncident", {"organisation": BODY, "holder": " "}, "TEXT_EMPTY", "holder"),
        (
            "returnIncident",
            {"reason": "WRONG_TOPIC", "suggestedOrganisation": "QUEENS-DEP"},
            "UNKNOWN_ORGANISATION",
            "suggestedOrganisation",
        ),
        (
            "reassignIncident",
            {"organisation": "NOBODY", "reason": "OVERDUE"},
            "UNKNOWN_ORGANISATION",
            "organisation",
        ),
        ("reclassifyIncident", {"topic": "noise"}, "UNKNOWN_TOPIC", "topic"),
        ("reclassifyIncident", {"topic": TOPIC}, "NOT_CLASSIFIED", "topic"),
        (
            "relocateIncident",
            {"municipality": "QUEENS-01"},
            "UNKNOWN_MUNICIPALITY",
            "municipality",
        ),
        (
            "relocateIncident",
            {"municipality": "BRONX-01", "latitude": 40.8},
            "POINT_INCOMPLETE",
            "longitude",
        ),
        (
            "prioritizeIncident",
            {"priority": "NORMAL", "reason": "EASED"},
            "DONE_ALREADY",
            None,
        ),
        ("requestClarification", {"question": ""}, "TEXT_EMPTY", "question"),
        ("receiveClarification", {"answer": LONG}, "TEXT_TOO_LONG", "answer"),
        ("contactCitizen", {"channel": "PIGEON"}, "UNKNOWN_CHANNEL", "channel"),
        ("contactCitizen", {"channel": "PHONE", "note": "\0"}, "CONTROL_CHARACTER", "note"),
        ("draftReply", {"kind": "FINAL", "text": " "}, "TEXT_EMPTY", "text"),
        ("draftReply", {"kind": "FINAL", "text": "да"}, "FORBIDDEN_TRANSITION", None),
        ("returnReply", {"reasons": []}, "REASON_MISSING", "reasons"),
        ("approveReply", {}, "FORBIDDEN_TRANSITION", None),
        ("publishReply", {"kind": "FINAL", "text": "да"}, "REPLY_NOT_APPROVED", "kind"),
        ("scheduleSolution", PROMISE, "FORBIDDEN_TRANSITION", None),
        ("movePromise", PROMISE, "FORBIDDEN_TRANSITION", None),
        (
            "resolveIncident",
            {"outcome": "SOLVED", "evidence": ["photo"] * 21},
            "LIST_TOO_LONG",
            "evidence",
        ),
        (
            "resolveIncident",
            {"outcome": "SOLVED", "evidence": ["photo", " "]},
            "TEXT_EMPTY",
            "evidence",
        ),
        ("liftPersonalControl", {}, "FORBIDDEN_TRANSITION", None),
        ("rateIncident", {"score": 6}, "SCORE_OUT_OF_RANGE", "score"),
        ("rateIncident", {"score": 0}, "SCORE_OUT_OF_RANGE", "score"),
        ("rateIncident", {"score": 5}, "FORBIDDEN_TRANSITION", None),
        ("disputeResolution", {"by": "AUTHOR", "text": ""}, "TEXT_EMPTY", "text"),
        ("disputeResolution", {"by": "AUTHOR"}, "FORBIDDEN_TRANSITION", None),
        ("declineReopen", {"reason": "NO_GROUNDS"}, "FORBIDDEN_TRANSITION", None),
        (
            "reportFieldCheck",
            {"verdict": "DONE", "evidence": ["photo"] * 21},
            "LIST_TOO_LONG",
            "evidence",
        ),
        ("recordRootCause", {"cause": "WEAR", "decision": "А" * 201}, "TEXT_TOO_LONG", "decision"),
        (
            "extendDeadline",
            {"dueAt": "2026-03-09T12:00:00", "reason": "SUPPLY"},
            "DATE_WITHOUT_ZONE",
            "dueAt",
        ),
        (
            "extendDeadline",
            {"dueAt": "2026-03-09T12:00:00Z", "reason": "SUPPLY"},
            "CLOCK_NOT_RUNNING",
            "clock",
        ),
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
    assert refusal(command(name, incident_id("BRONX", incident), **fields)) == (code, field)
    assert recorded(shared_api.url) == before
    assert shared_api.is_alive()


def test_a_rule_of_the_incidents_state_is_told(shared_node: Node, command: Ask) -> None:
    centre = shared_node.centre("BRONX")
    at_work = incident_id("BRONX", assigned(centre).incident_id)
    assert refusal(command("classifyIncident", at_work, topic=TOPIC))[0] == "FORBIDDEN_TRANSITION"
    assert refusal(command("resolveIncident", at_work, outcome="SOLVED"))[0] == (
        "FINAL_REPLY_MISSING"
    )
    done = incident_id("BRONX", resolved(centre).incident_id)
    assert refusal(command("publishReply", done, kind="FINAL"))[0] == "FORBIDDEN_TRANSITION"
    # What is resolved is disputed first; then somebody else decides.
    reopen = command("reopenIncident", done, reason="NOT_SOLVED")
    assert refusal(reopen)[0] == "FORBIDDEN_TRANSITION"
    assert command("erasePersonalData", done)["userErrors"] == []
    assert refusal(command("erasePersonalData", done)) == ("NO_PERSONAL_DATA", None)


@pytest.mark.parametrize("name", GIVEN)
def test_a_role_that_may_not_is_refused(
    name: str, shared_api: Api, shared_node: Node, command: Ask
) -> None:
    incident = incident_id("BRONX", registered(shared_node.centre("BRONX")).incident_id)
    before = recorded(shared_api.url)
    asked = given(name, incident)
    codes = {}
    # What a trainee begins, begins in the sandbox: test_messages.py.
    trainee = () if name in BEGINNING else (Role.TRAINEE,)
    for role in (GIVEN[name].may_not, *trainee, GIVEN[name].may):
        token = shared_api.token("BRONX", role=role, personal_data=True)
        payload = shared_api.ask(mutation(name), token=token, input=asked)["payload"]
        codes[role] = [(error["code"], error["field"]) for error in payload["userErrors"]]
        if role is not GIVEN[name].may:
            assert refusal(payload) == ("NOT_PERMITTED", None)
            assert recorded(shared_api.url) == before
    # Who may is refused for the state at most; the id was not used up by the others.
    assert ("NOT_PERMITTED", None) not in codes[GIVEN[name].may]


def test_a_reply_is_approved_by_somebody_else(shared_node: Node, command: Ask) -> None:
    incident = incident_id("BRONX", accepted(shared_node.centre("BRONX")).incident_id)
    unapproved = command("publishReply", incident, "Иван", kind="FINAL", text="Вода есть")
    assert refusal(unapproved) == ("REPLY_NOT_APPROVED", "kind")
    command("draftReply", incident, "Иван", kind="FINAL", text="Вода есть")
    assert refusal(command("publishReply", incident, "Иван", kind="FINAL")) == (
        "REPLY_NOT_APPROVED",
        "kind",
    )
    assert refusal(command("approveReply", incident, "Иван", Role.ORG_HEAD))[0] == "OWN_DRAFT"
    assert command("approveReply", incident, "Анна")["userErrors"] == []
    # What was approved was a final reply, not an interim one.
    assert refusal(command("publishReply", incident, "Иван", kind="INTERIM")) == (
        "REPLY_NOT_APPROVED",
        "kind",
    )
    # Nor other words than these.
    reworded = command("publishReply", incident, "Иван", kind="FINAL", text="Воды не будет")
    assert refusal(reworded) == ("REPLY_NOT_APPROVED", "kind")
    assert command("publishReply", incident, "Иван", kind="FINAL")["userErrors"] == []


def test_an_automatic_reply_resolves_nothing(shared_node: Node, command: Ask) -> None:
    incident = incident_id("BRONX", accepted(shared_node.centre("BRONX")).incident_id)
    assert command("publishReply", incident, kind="FINAL", author="AUTO")["userErrors"] == []
    resolve = command("resolveIncident", incident, outcome="EXPLAINED")
    assert refusal(resolve)[0] == "FINAL_REPLY_MISSING"


def test_a_solution_is_promised_after_telling_the_citizen_and_for_a_day_to_come(
    shared_node: Node, command: Ask
) -> None:
    incident = incident_id("BRONX", accepted(shared_node.centre("BRONX")).incident_id)
    promise = {"promisedOn": "2026-03-10", "reason": "SUPPLY"}
    early = command("scheduleSolution", incident, **promise)
    assert refusal(early)[0] == "INTERIM_REPLY_MISSING"
    command("publishReply", incident, role=Role.ORG_HEAD, kind="INTERIM", text="10 марта")
    past = command("scheduleSolution", incident, **promise | {"promisedOn": "2026-03-01"})
    assert refusal(past) == ("PROMISE_IN_PAST", "promisedOn")
    assert command("scheduleSolution", incident, **promise)["userErrors"] == []


def test_the_citizen_is_asked_twice_in_a_cycle(shared_node: Node, command: Ask) -> None:
    incident = incident_id("BRONX", accepted(shared_node.centre("BRONX")).incident_id)
    for _ in range(2):
        assert command("requestClarification", incident, question="Где?")["userErrors"] == []
        assert command("receiveClarification", incident, answer="Тут")["userErrors"] == []
    third = command("requestClarification", incident, question="Где?")
    assert refusal(third)[0] == "CLARIFICATIONS_EXHAUSTED"


def test_an_extension_is_later_than_the_deadline(shared_node: Node, command: Ask) -> None:
    incident = incident_id("BRONX", assigned(shared_node.centre("BRONX")).incident_id)
    earlier = command("extendDeadline", incident, dueAt=NOON.isoformat(), reason="SUPPLY")
    assert refusal(earlier) == ("NOT_LATER", "dueAt")


def test_who_closed_it_does_not_decide_on_its_reopening(shared_node: Node, command: Ask) -> None:
    incident = incident_id("BRONX", resolved(shared_node.centre("BRONX")).incident_id)
    command("closeIncident", incident, "Пётр")
    command("disputeResolution", incident, by="AUTHOR")
    for name, fields in (
        ("reopenIncident", {"reason": "RECURRED"}),
        ("declineReopen", {"reason": "NO_GROUNDS"}),
    ):
        assert refusal(command(name, incident, "Пётр", **fields))[0] == "OWN_DECISION"
    assert command("reopenIncident", incident, "Мария", reason="RECURRED")["userErrors"] == []


def test_a_cycle_is_rated_once_and_within_14_days(
    shared_api: Api, shared_node: Node, command: Ask
) -> None:
    incident = incident_id("BRONX", resolved(shared_node.centre("BRONX")).incident_id)
    assert command("rateIncident", incident, score=3)["incident"]["rating"] == 3
    assert refusal(command("rateIncident", incident, score=5))[0] == "RATED_ALREADY"
    now = shared_api.clock.now
    try:
        shared_api.clock.now = NOON + timedelta(days=15)
        assert refusal(command("disputeResolution", incident, by="AUTHOR"))[0] == "WINDOW_PASSED"
    finally:
        shared_api.clock.now = now


def test_what_is_under_personal_control_is_closed_by_who_holds_it(
    shared_node: Node, command: Ask
) -> None:
    incident = incident_id("BRONX", answered(shared_node.centre("BRONX")).incident_id)
    assert command("takePersonalControl", incident, "Глава")["userErrors"] == []
    again = command("takePersonalControl", incident, "Другой")
    assert refusal(again)[0] == "ALREADY_UNDER_CONTROL"
    solved = command("resolveIncident", incident, outcome="SOLVED")
    assert solved["incident"]["status"] == "UNDER_CONTROL"
    for name in ("closeIncident", "liftPersonalControl"):
        payload = command(name, incident, "Другой", Role.FEDERAL_OVERSEER)
        assert refusal(payload)[0] == "UNDER_PERSONAL_CONTROL"
    assert refusal(command("closeIncident", incident, "Пётр"))[0] == "UNDER_PERSONAL_CONTROL"
    closed = command("closeIncident", incident, "Глава", Role.REGION_HEAD)
    assert (closed["incident"]["status"], closed["incident"]["controller"]) == ("CLOSED", None)


def test_who_loses_sight_of_an_incident_by_a_command_is_told_that_it_was_recorded(
    shared_api: Api, shared_node: Node
) -> None:
    incident = incident_id("BRONX", classified(shared_node.centre("BRONX")).incident_id)
    body = some_body(shared_node.centre("BRONX"))
    assign = given("assignIncident", incident, organisation=body)
    curator = shared_api.token(role=Role.CURATOR)
    assert shared_api.ask(mutation("assignIncident"), token=curator, input=assign)
    token = shared_api.token(body, role=Role.EXECUTOR)
    asked = given("returnIncident", incident)
    payload = shared_api.ask(mutation("returnIncident"), token=token, input=asked)["payload"]
    assert (payload["incidentId"], payload["userErrors"]) == (incident, [])
    assert payload["incident"] is None
    again = shared_api.ask(mutation("returnIncident"), token=token, input=asked)["payload"]
    assert again == payload
    other = shared_api.token(body, role=Role.EXECUTOR, name="Другой")
    theirs = shared_api.ask(mutation("returnIncident"), token=other, input=asked)["payload"]
    assert refusal(theirs) == ("NOT_PERMITTED", None)


def test_personal_data_is_erased_by_who_may_see_it(
    shared_api: Api, register: Ask, command: Ask
) -> None:
    incident = register()["incidentId"]
    before = recorded(shared_api.url)
    for role, personal_data in ((Role.DATA_OFFICER, False), (Role.MONITOR, True)):
        token = shared_api.token(role=role, personal_data=personal_data)
        asked = given("erasePersonalData", incident)
        answer = shared_api.ask(mutation("erasePersonalData"), token=token, input=asked)
        assert refusal(answer["payload"]) == ("NOT_PERMITTED", None)
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
        (incident_id("BRONX", derived_id(NOON, "nobody")), "INCIDENT_NOT_FOUND"),
        (incident_id("NOWHERE", derived_id(NOON, "nobody")), "UNKNOWN_REGION"),
        (write_id("Incident", f"BRONX\0/{derived_id(NOON, 'nobody')}"), "UNKNOWN_REGION"),
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
    payload = command("classifyIncident", incident_id("BRONX", incident), topic=TOPIC)
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
    assert "data" not in answer
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"BAD_REQUEST"}
    assert recorded(shared_api.url) == before


def test_commands_of_one_request_are_given_in_order(shared_api: Api, register: Ask) -> None:
    incident = register()["incidentId"]
    text = f"""
    mutation ($id: ID!, $a: UUID!, $b: UUID!, $c: UUID!) {{
      a: classifyIncident(input: {{commandId: $a, incidentId: $id, topic: "{TOPIC}"}}) {{
        version incident {{ timeline {{ version }} }}
      }}
      b: assignIncident(input: {{commandId: $b, incidentId: $id, organisation: "{BODY}"}}) {{
        version incident {{ timeline {{ version }} }}
      }}
      c: closeIncident(input: {{commandId: $c, incidentId: $id}}) {{
        version userErrors {{ code }}
      }}
    }}
    """
    ids = {name: str(uuid4()) for name in "abc"}
    token = shared_api.token(role=Role.CURATOR)
    answer = shared_api.ask(text, token=token, id=incident, **ids)
    assert answer["a"]["version"] == len(answer["a"]["incident"]["timeline"]) == 2
    assert answer["b"]["version"] == len(answer["b"]["incident"]["timeline"]) == 3
    assert answer["c"] == {"version": None, "userErrors": [{"code": "FORBIDDEN_TRANSITION"}]}
