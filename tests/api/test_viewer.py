"""Who may see what: tokens, scopes, personal data. What is not theirs stays closed."""

import base64
import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID, uuid4

import jwt
import pytest

from api.types.node import incident_id, read_incident_id, write_id
from api.viewer import AUDIENCE, VISITOR, Viewer, issue_token, of_topic_groups
from domain.commands import Assign, Citizen, Classify, PublishReply, Reassign
from domain.rights import Scope
from domain.vocabulary import ReassignReason, ReplyKind, Role
from projections import incident_list
from regions.node import Node
from regions.reference.catalogue import Catalogue
from regions.store.postgres import Server
from tests.api.commands import GIVEN, TOPIC, given
from tests.api.conftest import (
    SECRET,
    Api,
    catch_up,
    fresh_database,
    node_on,
    projecting,
    recorded,
    serving,
)
from tests.scenarios import NOON, answered, ask, assigned, bodies, registered

SCOPES = [
    *(None, "country", "BRONX", "QUEENS", "BRONX-01", "BRONX-02", "QUEENS-01"),
    *("BRONX-DEP", "QUEENS-DEP"),
]
# Region, municipality, and the organisation that holds it.
PLACES = [
    *(("BRONX", "BRONX-01", None), ("BRONX", "BRONX-02", None), ("BRONX", None, None)),
    *(("QUEENS", "QUEENS-01", None), ("QUEENS", None, None)),
    *(("BRONX", "BRONX-01", "BRONX-DEP"), ("BRONX", None, "BRONX-DEP")),
    *(("BRONX", "BRONX-02", "BRONX-DOT"), ("QUEENS", "QUEENS-01", "QUEENS-DEP")),
]
NAME, CONTACT, TEXT, REPLY = "Анна Каренина", "+7 900 000-00-01", "Тайна", "Секрет"


@dataclass(frozen=True)
class Case:
    """An incident of which the tests know where it is."""

    id: str
    region: str
    municipality: str | None
    organisation: str | None

    def of(self, region: str) -> str:
        """Its id, were it an incident of that region."""
        return incident_id(region, read_incident_id(self.id)[1])

    def is_in(self, scope: str | None) -> bool:
        return scope in ("country", self.region) or (
            scope is not None and scope in (self.municipality, self.organisation)
        )


@dataclass(frozen=True)
class Network:
    api: Api
    node: Node
    cases: list[Case]

    def token(self, scope: str | None, **changes: Any) -> str | None:
        return self.api.token(scope, **changes) if scope else None


@pytest.fixture(scope="module")
def network(server: Server, template: str, catalogue: Catalogue) -> Iterator[Network]:
    """An answered incident in each place, all by the same citizen, some of them assigned."""
    url = fresh_database(server, template)
    with serving(url) as api, projecting(url, catalogue), node_on(url, catalogue) as node:
        cases = []
        for region, municipality, organisation in PLACES:
            citizen = Citizen(name=NAME, contact=CONTACT, text=TEXT)
            result = registered(node.centre(region), municipality=municipality, citizen=citizen)
            reply = PublishReply(kind=ReplyKind.FIRST, text=REPLY)
            ask(node.centre(region), result.incident_id, reply, 10)
            if organisation is not None:
                ask(node.centre(region), result.incident_id, Classify(topic=TOPIC), 20)
                assign = Assign(organisation=organisation)
                ask(node.centre(region), result.incident_id, assign, 30)
            id = incident_id(region, result.incident_id)
            cases.append(Case(id, region, municipality, organisation))
        catch_up(url)
        yield Network(api, node, cases)


# Tokens


def claims(**changes: Any) -> dict[str, Any]:
    facts = {
        "aud": AUDIENCE,
        "exp": datetime.now(UTC) + timedelta(hours=1),
        "sub": "operator",
        "role": "MONITOR",
        "scope": "country",
    }
    return {name: value for name, value in (facts | changes).items() if value is not None}


def signed(key: bytes = SECRET, algorithm: str = "HS256", **changes: Any) -> str:
    return jwt.encode(claims(**changes), key, algorithm)


def unsigned(**changes: Any) -> str:
    return jwt.encode(claims(**changes), None, "none")  # type: ignore[arg-type]


def tampered() -> str:
    """A valid signature over a narrower scope."""
    header, _, signature = signed(scope="BRONX-01").split(".")
    body = json.dumps(claims() | {"exp": 4_000_000_000}).encode()
    return f"{header}.{base64.urlsafe_b64encode(body).decode().rstrip('=')}.{signature}"


FORGERIES: dict[str, Callable[[], str]] = {
    "nonsense": lambda: "nonsense",
    "dots": lambda: "..",
    "not UTF-8": lambda: base64.urlsafe_b64encode(b"\xff" * 30).decode(),
    "unsigned": unsigned,
    "unsigned with a signature": lambda: unsigned() + signed().rpartition(".")[2],
    "another key": lambda: signed(b"1" * 32),
    "another algorithm": lambda: signed(b"0" * 64, "HS512"),
    "another algorithm of our key": lambda: signed(SECRET * 2, "HS384"),
    "tampered": tampered,
    "expired": lambda: signed(exp=datetime.now(UTC) - timedelta(seconds=1)),
    "not valid yet": lambda: signed(nbf=datetime.now(UTC) + timedelta(hours=1)),
    "issued in the future": lambda: signed(iat=datetime.now(UTC) + timedelta(hours=1)),
    "for somebody else": lambda: signed(aud="somebody else"),
    "never expires": lambda: signed(exp=None),
    "no audience": lambda: signed(aud=None),
    "no subject": lambda: signed(sub=None),
    "no role": lambda: signed(role=None),
    "no scope": lambda: signed(scope=None),
    "unknown role": lambda: signed(role="TSAR"),
    "unknown scope": lambda: signed(scope="MOSCOW"),
    "empty scope": lambda: signed(scope=""),
    "scope of two": lambda: signed(scope=["BRONX", "QUEENS"]),
    "scope with NUL": lambda: signed(scope="BRONX\0"),
    "basic": lambda: "Basic b3BlcmF0b3I6MTIz",
}


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_token_is_refused_whatever_it_asks(forgery: str, network: Network) -> None:
    token = FORGERIES[forgery]()
    for header in (f"Bearer {token}", token):
        answer = network.api.client.post(
            "/graphql", json={"query": "{ __typename }"}, headers={"authorization": header}
        )
        assert answer.status_code == 401
        (error,) = answer.json()["errors"]
        assert error["extensions"]["code"] == "NOT_PERMITTED"
        assert "data" not in answer.json()
    with network.api.raw_socket() as client:
        client.send({"type": "connection_init", "payload": {"Authorization": f"Bearer {token}"}})
        assert client.closed_with() == 4403


def test_a_token_of_ours_is_accepted(network: Network) -> None:
    text = "{ incidents { edges { cursor } } }"
    assert network.api.ask(text, token=signed())["incidents"]["edges"]
    assert network.api.ask(text, token=signed(scope="STATEN-ISLAND")) == {
        "incidents": {"edges": []}
    }


def test_a_visitor_gets_no_token() -> None:
    with pytest.raises(ValueError, match="visitor"):
        issue_token(SECRET, VISITOR, now=datetime.now(UTC), valid=timedelta(hours=1))


def test_a_socket_that_outlives_its_token_shows_nothing_more(
    url: str, catalogue: Catalogue
) -> None:
    text = 'subscription { incidentChanges(region: "BRONX", after: "BRONX:0") { cursor } }'
    with (
        serving(url) as api,
        projecting(url, catalogue),
        node_on(url, catalogue) as node,
        api.open_socket(api.token()) as client,
    ):
        client.subscribe(text)
        registered(node.centre("BRONX"))
        assert client.change() == {"cursor": "BRONX:1"}
        api.clock.now = max(datetime.now(UTC), api.clock.now) + timedelta(hours=1)
        registered(node.centre("BRONX"))
        (error,) = client.failure()
        assert error["extensions"]["code"] == "NOT_PERMITTED"
        assert client.closed_with() == 4403


def test_a_socket_is_closed_when_its_token_expires_though_nothing_happens(
    network: Network,
) -> None:
    api, kept = network.api, network.api.clock.now
    token = api.token()
    try:
        api.clock.now = max(datetime.now(UTC), kept) + timedelta(hours=1, seconds=-1.1)
        with api.open_socket(token) as client, api.open_socket() as visitor:
            quiet = "STATEN-ISLAND"  # of the others the hub may still tell what was just recorded
            client.subscribe(f'subscription {{ incidentChanges(region: "{quiet}") {{ cursor }} }}')
            with pytest.raises(TimeoutError):
                client.receive(0.3)
            api.clock.now += timedelta(seconds=2)
            assert client.closed_with() == 4403
            visitor.subscribe("{ topics { code } }")  # nobody's token expired there
            assert visitor.message()["type"] == "next"
    finally:
        api.clock.now = kept


# Without a token

PUBLIC = {
    "catalogue": "{ regions { code municipalities { code } organisations { code } } topics { code }"
    ' channels { code } region(code: "BRONX") { id } municipality(code: "BRONX-01") { id } }',
    "node": f'{{ node(id: "{write_id("Region", "BRONX")}") {{ id }} }}',
    "ranking": '{ ranking(period: {first: "2026-03-02", last: "2026-03-02"}) {'
    " rows { place figures { registered replyMedianSeconds } } } }",
    "boards": '{ countryBoard(period: {first: "2026-03-02", last: "2026-03-02"}) { overdue'
    ' parts { code } } region(code: "BRONX") { board(period: {first: "2026-03-02",'
    ' last: "2026-03-02"}) { overdue parts { code } } } }',
    "status": "{ projectionStatus { region lag } }",
}


@pytest.mark.parametrize("text", PUBLIC.values(), ids=PUBLIC)
def test_aggregates_and_the_catalogue_are_public(text: str, network: Network) -> None:
    assert network.api.ask(text)


CLOSED = {
    "incidents": "{ incidents { edges { cursor } } }",
    "incidents of a place": '{ incidents(filter: {municipality: "BRONX-01"}) {'
    " pageInfo { hasNextPage } } }",
    "incident": "query ($id: ID!) { incident(id: $id) { id } }",
    "node": "query ($id: ID!) { node(id: $id) { id } }",
    "timeline": "query ($id: ID!) { incident(id: $id) { timeline { actor } } }",
    "citizen": "query ($id: ID!) { incident(id: $id) { citizen { name } } }",
}


@pytest.mark.parametrize("text", CLOSED.values(), ids=CLOSED)
def test_incidents_are_not_public(text: str, network: Network) -> None:
    nothing = incident_id("BRONX", uuid4())
    for id in (network.cases[0].id, nothing):
        answer = network.api.answer(text, id=id)
        (error,) = answer["errors"]
        assert error["extensions"]["code"] == "NOT_PERMITTED"
        assert not any((answer["data"] or {}).values())


# Commands on a centre, not on an incident: tests/regions/test_offices.py tries each role.
OF_CENTRES = {"declareCrisis", "liftCrisis", "makeSystemicDecision", "openSource", "closeSource"}
# And on none of an incident: tests/api/test_exports.py, tests/projections/test_verification.py.
OF_NOTHING = {"requestExport", "publishRanking"}


def test_every_command_is_tried_here(network: Network) -> None:
    text = '{ __type(name: "Mutation") { fields { name } } }'
    fields = network.api.ask(text)["__type"]["fields"]
    assert {field["name"] for field in fields} == set(GIVEN) | OF_CENTRES | OF_NOTHING


def mutation(command: str) -> str:
    return f"""
    mutation ($input: {GIVEN[command].input}!) {{
      payload: {command}(input: $input) {{
        incidentId version position userErrors {{ code }} incident {{ id status }}
      }}
    }}
    """


@pytest.mark.parametrize("scope", [None, "QUEENS", "BRONX-02", "BRONX-DEP", "QUEENS-DEP"])
@pytest.mark.parametrize("command", GIVEN)
def test_a_command_outside_the_viewers_scope_is_refused(
    command: str, scope: str | None, network: Network
) -> None:
    text, input_ = mutation(command), given(command, network.cases[0].id)
    token = network.token(scope, role=GIVEN[command].may, personal_data=True)
    before = recorded(network.api.url)
    payload = network.api.ask(text, token=token, input=input_)["payload"]
    assert payload == {
        "incidentId": None,
        "version": None,
        "position": None,
        "userErrors": [{"code": "NOT_PERMITTED"}],
        "incident": None,
    }
    assert recorded(network.api.url) == before


@pytest.mark.parametrize(
    "chosen",
    [
        {"organisation": "BRONX-DOT"},
        {"region": "QUEENS"},
        {"municipality": "QUEENS-01"},
    ],
)
def test_an_organisation_lists_nobody_elses_incidents(
    chosen: dict[str, str], network: Network
) -> None:
    text = "query ($f: IncidentFilterInput) { incidents(filter: $f) { edges { cursor } } }"
    assert network.api.refusal(text, token=network.token("BRONX-DEP"), f=chosen)[0] in (
        "NOT_PERMITTED",
        "UNKNOWN_MUNICIPALITY",
    )


def test_a_municipality_registers_no_incident_that_is_not_located(network: Network) -> None:
    text = """
    mutation ($id: UUID!) {
      registerIncident(input: {
        commandId: $id, region: "BRONX", channel: "PHONE", publishedAt: "2026-03-02T12:00:00Z"
      }) { userErrors { code } }
    }
    """
    answer = network.api.ask(text, token=network.token("BRONX-01"), id=str(uuid4()))
    assert answer["registerIncident"]["userErrors"] == [{"code": "NOT_PERMITTED"}]


# Whatever is asked, nothing of another scope

REVEALING = {
    "incidents": """
    query ($f: IncidentFilterInput) { incidents(filter: $f) { edges { node { ...I } } } }
    """,
    "incident": "query ($id: ID!) { incident(id: $id) { ...I } }",
    "node": "query ($id: ID!) { node(id: $id) { ...I } }",
    "aliases": """
    query ($id: ID!, $other: ID!) {
      a: node(id: $id) { id }
      b: node(id: $other) { id }
      c: incident(id: $other) { ...I }
    }
    """,
}
REVEALING = {
    name: text + "fragment I on Incident { id regionCode timeline { position actor } }"
    for name, text in REVEALING.items()
}


@pytest.mark.parametrize("scope", SCOPES)
def test_a_viewer_finds_exactly_the_incidents_of_their_scope(
    scope: str | None, network: Network
) -> None:
    token = network.token(scope)
    mine = {case.id for case in network.cases if case.is_in(scope)}
    for case in network.cases:
        for field in ("incident", "node"):
            answer = network.api.answer(REVEALING[field], token=token, id=case.id)
            if case.id in mine:
                assert answer["data"][field]["id"] == case.id
            else:
                nothing = {"id": incident_id(case.region, uuid4())}
                assert not (answer["data"] or {}).get(field)
                assert answer == network.api.answer(REVEALING[field], token=token, **nothing)
    if scope is not None:
        edges = network.api.ask(REVEALING["incidents"], token=token)["incidents"]["edges"]
        assert {edge["node"]["id"] for edge in edges} == mine


def signed_for(network: Network, role: Role, scope: Scope) -> str:
    now = max(datetime.now(UTC), network.api.clock.now)
    return issue_token(SECRET, Viewer("ivanov", role, scope), now=now, valid=timedelta(hours=1))


def noise_of(network: Network, region: str) -> str:
    """A curator's token for the noise of a region."""
    scope = of_topic_groups(Scope(region), ["noise"], network.node.catalogue)
    return signed_for(network, Role.CURATOR, scope)


LISTED = "query ($f: IncidentFilterInput) { incidents(filter: $f) { edges { node { id } } } }"


def listed(network: Network, token: str, **chosen: Any) -> set[str]:
    found = network.api.ask(LISTED, token=token, f=chosen)["incidents"]["edges"]
    return {edge["node"]["id"] for edge in found}


def test_an_overseer_of_a_district_sees_its_regions(network: Network) -> None:
    token = signed_for(network, Role.DISTRICT_OVERSEER, Scope(regions=("BRONX", "MANHATTAN")))
    mine = {case.id for case in network.cases if case.region == "BRONX"}
    assert listed(network, token) == listed(network, token, region="BRONX") == mine
    assert listed(network, token, municipality="BRONX-01") < mine
    for chosen in ({"region": "QUEENS"}, {"municipality": "QUEENS-01"}):
        assert network.api.refusal(LISTED, token=token, f=chosen)[0] == "NOT_PERMITTED"
    for case in network.cases:
        found = network.api.ask(REVEALING["node"], token=token, id=case.id)["node"]
        assert (found is not None) == (case.id in mine)
    figures = network.api.client.get("/metrics", headers={"authorization": f"Bearer {token}"}).text
    assert 'region="BRONX"' in figures
    assert 'region="QUEENS"' not in figures


def test_a_curator_of_topic_groups_sees_what_is_about_them(network: Network) -> None:
    token = noise_of(network, "BRONX")
    # What is assigned was classified as noise before.
    mine = {c.id for c in network.cases if c.region == "BRONX" and c.organisation is not None}
    assert listed(network, token) == listed(network, token, topics=[TOPIC]) == mine
    for case in network.cases:
        found = network.api.ask(REVEALING["incident"], token=token, id=case.id)["incident"]
        assert (found is not None) == (case.id in mine)
    named = [{"__typename": "Incident", "id": case.id} for case in network.cases]
    text = "query ($r: [_Any!]!) { _entities(representations: $r) { ... on Incident { id } } }"
    entities = network.api.ask(text, token=token, r=named)["_entities"]
    assert {each["id"] for each in entities if each} == mine
    other = next(
        code
        for code, topic in network.node.catalogue.topics.items()
        if topic.group not in (None, "noise")
    )
    assert network.api.refusal(LISTED, token=token, f={"topics": [other]})[0] == "NOT_PERMITTED"
    briefing = """{ briefing(region: "BRONX", period: {first: "2026-03-02", last: "2026-03-02"}) {
      position } }"""
    assert network.api.refusal(briefing, token=token)[0] == "NOT_PERMITTED"


def test_a_curator_of_topic_groups_commands_nothing_else(network: Network) -> None:
    """And what is not classified yet is nobody's of them."""
    text, case = mutation("reclassifyIncident"), network.cases[0]  # it has no topic
    input_ = given("reclassifyIncident", case.id)
    payload = network.api.ask(text, token=noise_of(network, "BRONX"), input=input_)["payload"]
    assert payload["userErrors"] == [{"code": "NOT_PERMITTED"}]


def test_a_curator_of_topic_groups_follows_what_is_about_them(network: Network) -> None:
    text = """
    subscription { incidentChanges(region: "BRONX", after: "BRONX:0") { incident { id } } }
    """
    mine = {c.id for c in network.cases if c.region == "BRONX" and c.organisation is not None}
    with network.api.open_socket(noise_of(network, "BRONX")) as client:
        client.subscribe(text)
        told = [client.change()["incident"]["id"] for _ in range(4 * len(mine))]
    assert set(told) == mine  # registered, answered, classified, assigned


CHOICES: dict[str, list[Any]] = {
    "region": [None, "BRONX", "QUEENS", "MANHATTAN", "NOWHERE", "BRONX-01"],
    "municipality": [None, "BRONX-01", "BRONX-02", "QUEENS-01", "MANHATTAN-01", "BRONX"],
    "statuses": [None, [], ["REGISTERED"], ["REGISTERED", "CLOSED"]],
    "channels": [None, ["PHONE"], ["PHONE", "ONLINE"]],
    "overdue": [None, False, True],
    "organisation": [None, "BRONX-DEP", "BRONX-DOT", "QUEENS-DEP", "BRONX"],
    "queue": [None, "UNASSIGNED", "OVERDUE"],
    "registeredFrom": [None, NOON.isoformat()],
}


@pytest.mark.parametrize("scope", [scope for scope in SCOPES if scope])
def test_a_question_that_forgets_its_conditions_reveals_nothing_either(
    scope: str, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incident_list, "_conditions", lambda *_: ([], {}))
    edges = network.api.ask(REVEALING["incidents"], token=network.token(scope))["incidents"][
        "edges"
    ]
    mine = {case.id for case in network.cases if case.is_in(scope)}
    assert {edge["node"]["id"] for edge in edges} == mine


@pytest.mark.parametrize("seed", range(4))
def test_no_question_reveals_an_incident_of_another_scope(seed: int, network: Network) -> None:
    chance = Random(seed)
    shown = set()
    for _ in range(60):
        scope = chance.choice(SCOPES)
        case, other = chance.choice(network.cases), chance.choice(network.cases)
        chosen = {name: chance.choice(CHOICES[name]) for name in CHOICES if chance.random() < 0.4}
        answer = network.api.answer(
            REVEALING[chance.choice(sorted(REVEALING))],
            token=network.token(scope),
            f=chosen,
            id=case.of(chance.choice([case.region, "BRONX", "QUEENS", "MANHATTAN"])),
            other=other.id,
        )
        told = json.dumps(answer)
        for one in network.cases:
            if one.is_in(scope):
                shown.add(one.id in told)
            else:
                assert one.id not in told
    assert shown == {True, False}  # else nothing was tried


def is_at(case: Case, place: dict[str, str | None]) -> bool:
    return case.region == place["region"] and place["municipality"] in (None, case.municipality)


def test_no_stream_reveals_a_change_of_another_scope(network: Network) -> None:
    text = """
    subscription ($region: String, $municipality: String, $after: String) {
      incidentChanges(region: $region, municipality: $municipality, after: $after) {
        cursor
        incident { id }
      }
    }
    """
    for scope in SCOPES:
        with network.api.open_socket(network.token(scope)) as client:
            for case in network.cases:
                place = {"region": case.region, "municipality": case.municipality}
                client.subscribe(text, **place, after=f"{case.region}:0", id=case.id)
                body = scope in network.node.catalogue.organisations
                allowed = scope in ("country", case.region) or (
                    scope is not None
                    and (scope == case.municipality or (body and scope.startswith(case.region)))
                )
                if allowed:
                    there = [c for c in network.cases if is_at(c, place) and c.is_in(scope)]
                    for _ in there[:1]:  # of a body that holds nothing there nothing is told
                        change = client.change(case.id)
                        assert change["incident"]["id"] in {c.id for c in there}
                    client.send({"id": case.id, "type": "complete"})
                else:
                    (error,) = client.failure(case.id)
                    assert error["extensions"]["code"] == "NOT_PERMITTED"


# Personal data

PERSONAL = """
query ($id: ID!) {
  incident(id: $id) { id citizen { name contact text } timeline { event text } }
}
"""


def test_personal_data_is_opened_for_who_has_the_right(network: Network) -> None:
    token = network.token("BRONX-01", personal_data=True)
    incident = network.api.ask(PERSONAL, token=token, id=network.cases[0].id)["incident"]
    assert incident["citizen"] == {"name": NAME, "contact": CONTACT, "text": TEXT}
    assert incident["timeline"] == [
        {"event": "IncidentRegistered", "text": None},
        {"event": "ReplyPublished", "text": REPLY},
    ]


@pytest.mark.parametrize("scope", ["country", "BRONX", "BRONX-01"])
def test_without_the_right_the_rest_of_the_incident_is_shown(scope: str, network: Network) -> None:
    answer = network.api.answer(PERSONAL, token=network.token(scope), id=network.cases[0].id)
    assert answer["data"]["incident"]["id"] == network.cases[0].id
    assert answer["data"]["incident"]["citizen"] is None
    assert [event["text"] for event in answer["data"]["incident"]["timeline"]] == [None, None]
    assert [(error["path"][1], error["extensions"]["code"]) for error in answer["errors"]] == [
        ("citizen", "NOT_PERMITTED"),
        ("timeline", "NOT_PERMITTED"),
    ]
    told = json.dumps(answer, ensure_ascii=False)
    assert not any(secret in told for secret in (NAME, CONTACT, TEXT, REPLY))


def test_the_right_reaches_no_further_than_the_scope(network: Network) -> None:
    token = network.token("BRONX-02", personal_data=True)
    answer = network.api.answer(PERSONAL, token=token, id=network.cases[0].id)
    assert answer["data"] == {"incident": None}


@pytest.mark.parametrize("given", ["true", 1, "yes", [True], None])
def test_only_true_gives_the_right(given: object, network: Network) -> None:
    answer = network.api.answer(PERSONAL, token=signed(personal_data=given), id=network.cases[0].id)
    assert answer["data"]["incident"]["citizen"] is None
    assert answer["errors"]


def test_each_opening_is_logged_without_what_was_opened(
    network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    token = network.token("BRONX", personal_data=True, name="Ольга", role=Role.CURATOR)
    with caplog.at_level(logging.DEBUG):
        network.api.ask(PERSONAL, token=token, id=network.cases[0].id)
        network.api.answer(PERSONAL, token=network.token("BRONX"), id=network.cases[0].id)
    _, uuid = read_incident_id(network.cases[0].id)
    opened = [record.getMessage() for record in caplog.records if record.name == "tsur.access"]
    assert opened == [
        f"Ольга (CURATOR) opens register of {uuid}",
        f"Ольга (CURATOR) opens publishReply of {uuid}",
    ]
    assert not any(secret in caplog.text for secret in (NAME, CONTACT, TEXT, REPLY))


def test_what_is_erased_is_null_for_everybody(network: Network) -> None:
    centre = network.node.centre("BROOKLYN")
    result = answered(centre)
    catch_up(network.api.url)
    id = incident_id("BROOKLYN", result.incident_id)
    erase = """
    mutation ($id: ID!, $command: UUID!) {
      erasePersonalData(input: {commandId: $command, incidentId: $id}) {
        userErrors { code }
        incident { citizen { name } timeline { event text } }
      }
    }
    """
    token = network.token("BROOKLYN", personal_data=True, role=Role.DATA_OFFICER)
    before = network.api.ask(PERSONAL, token=token, id=id)["incident"]
    assert before["citizen"]["name"] == "Анна"
    after = network.api.ask(erase, token=token, id=id, command=str(uuid4()))["erasePersonalData"]
    assert after["userErrors"] == []
    assert after["incident"]["citizen"] is None
    assert {event["text"] for event in after["incident"]["timeline"]} == {None}
    assert after["incident"]["timeline"][-1]["event"] == "PersonalDataErased"


def test_an_incident_without_personal_data_opens_none(
    network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    result = registered(network.node.centre("BROOKLYN"), citizen=None)
    catch_up(network.api.url)
    id = incident_id("BROOKLYN", result.incident_id)
    with caplog.at_level(logging.INFO, "tsur.access"):
        answer = network.api.ask(PERSONAL, token=network.token("BROOKLYN"), id=id)
    assert answer["incident"]["citizen"] is None
    assert not caplog.records


# What a body holds; in Brooklyn, of which no other test asks


def test_an_organisation_commands_its_own_incidents(network: Network) -> None:
    centre = network.node.centre("BROOKLYN")
    ours, theirs = assigned(centre).incident_id, assigned(centre).incident_id
    body, other, *_ = bodies(centre)
    reassign = Reassign(organisation=other, reason=ReassignReason.WRONG_BODY)
    ask(centre, theirs, reassign, 30)
    catch_up(network.api.url)
    token = network.token(body, role=Role.EXECUTOR)

    def accept(incident: UUID) -> Any:
        input_ = given("acceptWork", incident_id("BROOKLYN", incident))
        return network.api.ask(mutation("acceptWork"), token=token, input=input_)["payload"]

    assert accept(ours)["incident"]["status"] == "IN_PROGRESS"
    assert accept(theirs)["userErrors"] == [{"code": "NOT_PERMITTED"}]
    ask(centre, ours, reassign, 24 * 60)
    input_ = given("contactCitizen", incident_id("BROOKLYN", ours))
    answer = network.api.ask(mutation("contactCitizen"), token=token, input=input_)
    assert answer["payload"]["userErrors"] == [{"code": "NOT_PERMITTED"}]
