"""Attacks on the walls between scopes: whoever asks whatever, nothing of another scope is told.

`pytest tests/api/test_tenancy.py --hypothesis-profile attack` tries fifteen times as much.
"""

import gc
import json
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from itertools import count
from random import Random
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from api.types.node import incident_id, write_id
from api.viewer import VISITOR, Viewer
from domain.commands import ExtendDeadline
from domain.identifiers import new_id
from domain.rights import Scope, is_sandbox
from domain.vocabulary import PromiseReason, Role
from projections.views import monitoring
from projections.views.heat_map import SHOWN_MIN
from regions.reference.catalogue import Catalogue
from regions.store.postgres import Server
from tests.api.attacks import SCHEMA, Operation, Values, Writer, query
from tests.api.commands import BEGINNING, GIVEN
from tests.api.commands import given as input_of
from tests.api.conftest import Socket, fresh_database, recorded
from tests.api.marked import NOISE, REGIONS, SCOPES, STREET, Network, marked_network
from tests.api.test_error_codes import DOCS, named
from tests.scenarios import NOON, ask
from workers.exports import ExportWriter

# Once an error has settled an answer, graphql-core drops what it has begun beside it: Python then
# says, whenever it collects that, that nobody awaited it.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

QUERY = SCHEMA.query_type
TELLING = ("_entities", "incident", "incidents", "node")  # of incidents themselves
numbers = count(1)
CODES = named((DOCS / "api.md").read_text())
NOBODY = incident_id("BRONX", new_id(NOON))


def some(share: int) -> settings:
    """Of costly attacks a share of what the profile says."""
    return settings(max_examples=max(settings.default.max_examples // share, 3))


def viewer_of(role: Role, scope: Scope | None, personal_data: bool) -> Viewer:
    """Trainees, and nobody else, work in the sandbox."""
    if scope is None:
        return VISITOR
    here = Role.TRAINEE if scope == SCOPES["sandbox"] else role
    return Viewer("ivanov", here, scope, personal_data)


def any_viewer(chance: Random, role: Role | None = None) -> Viewer:
    return viewer_of(
        role or chance.choice(ROLES), chance.choice(list(SCOPES.values())), chance.random() < 0.5
    )


ROLES = [role for role in Role if role not in (Role.SYSTEM, Role.TRAINEE)]
CHANCES = st.randoms(use_true_random=True)  # a seed for each attempt


@pytest.fixture(scope="module")
def network(server: Server, template: str, catalogue: Catalogue) -> Iterator[Network]:
    with marked_network(fresh_database(server, template), catalogue) as network:
        yield network
    gc.collect()  # what is left of it is said here, not in another test


@pytest.fixture(scope="module")
def values(network: Network) -> Values:
    """What exists, what does not, and what is somebody else's."""
    ids = [*(each.id for each in network.incidents.values()), NOBODY]
    regions = [*REGIONS, "MANHATTAN", "NOWHERE"]
    municipalities = ["BRONX-01", "BRONX-02", "QUEENS-01", "BRONX"]
    bodies = ["BRONX-DEP", "BRONX-DOT", "QUEENS-DOT"]
    return {
        "Boolean": [False, True],
        "Date": ["2026-03-01", "2026-03-02", "2026-03-03"],
        "DateTime": [(NOON + timedelta(hours=hours)).isoformat() for hours in (-1, 0, 1, 24)],
        "Float": [-74.0, -73.9, 0.0, 40.8, 40.9, 3600.0],
        "ID": [*ids, write_id("Region", "QUEENS"), write_id("Municipality", "BRONX-01")],
        "Int": [1, 5, 7, 9, 100],
        "String": ["", "nonsense", *regions, *municipalities],
        "String after": [each.ids[2] for each in network.incidents.values()],
        "String channel": ["PHONE", "ONLINE"],
        "String channels": ["PHONE", "ONLINE"],
        "String municipality": municipalities,
        "String organisation": bodies,
        "String readAfter": ["BRONX:1", "QUEENS:2", "NOWHERE:1"],
        "String region": regions,
        "String topic": [NOISE, STREET],
        "String topics": [NOISE, STREET],
        "String unit": [*regions, *municipalities, *bodies],
        "UUID": [str(new_id(NOON))],
        "_Any": [
            *({"__typename": "Incident", "id": id} for id in ids),
            {"__typename": "Region", "code": "QUEENS"},
            {"__typename": "Municipality", "code": "BRONX-01"},
        ],
    }


def check_cells(operation: Operation, answer: dict[str, Any], viewer: Viewer) -> None:
    """Few incidents in one hexagon are shown to whom all of the area is open."""
    for key, (name, asked) in operation.calls.items():
        found = (answer.get("data") or {}).get(key)
        area = Scope(asked.get("region"), asked.get("municipality"))
        if name == "heatMap" and found and not viewer.sees_all_of(area):
            cells = [each["properties"] for each in found["geoJson"]["features"]]
            assert all(cell["incidents"] >= SHOWN_MIN for cell in cells)


def test_no_question_tells_anything_of_another_scope(network: Network, values: Values) -> None:
    told = set()

    @given(CHANCES)
    def ask_it(chance: Random) -> None:
        viewer, names = any_viewer(chance), chance.choice((list(QUERY.fields), TELLING))
        operation = query(chance, names, values)
        token = network.token(viewer)
        answer = network.api.post(operation.text, token=token, **operation.variables)
        assert answer.status_code == 200
        assert network.betrayed(answer.text, viewer) == set()
        check_cells(operation, answer.json(), viewer)
        for error in answer.json().get("errors", ()):
            assert error["extensions"]["code"] in CODES - {"INTERNAL", "UNAVAILABLE"}
        told.update(id for id, each in network.incidents.items() if each.id in answer.text)

    ask_it()
    assert len(told) > len(network.incidents) / 2  # else nothing was tried


def command(name: str) -> str:
    return f"""mutation ($input: {GIVEN[name].input}!) {{
      {name}(input: $input) {{ incidentId version userErrors {{ code field message }} }}
    }}"""


SECOND = {"mergeIncident": "into", "linkIncident": "to"}  # commands that name another incident


def test_no_command_reaches_another_scope_or_tells_what_is_there(network: Network) -> None:
    refused, before = set(), recorded(network.api.url)

    @some(2)
    @given(CHANCES)
    def give(chance: Random) -> None:
        name = chance.choice(sorted({*GIVEN} - BEGINNING))
        # Half of them may give it, but for the scope.
        viewer = any_viewer(chance, chance.choice((None, GIVEN[name].may)))
        target, own = (chance.choice(list(network.incidents.values())) for _ in range(2))
        assume(not target.is_for(viewer))
        second = SECOND.get(name) if own.is_for(viewer) else None
        nobody = incident_id(target.row.region, new_id(NOON))
        payloads = []
        for incident in (target.id, nobody):
            input_ = input_of(name, incident) | ({second: incident} if second else {})
            if second:
                input_["incidentId"] = own.id
            answer = network.api.ask(command(name), token=network.token(viewer), input=input_)
            payloads.append(answer[name])
        assert payloads[0] == payloads[1]
        assert payloads[0]["incidentId"] is None
        refused.update(error["code"] for error in payloads[0]["userErrors"])

    give()
    assert "NOT_PERMITTED" in refused
    assert recorded(network.api.url) == before


@pytest.mark.parametrize("name", sorted(BEGINNING))
def test_a_message_of_another_scope_is_known_but_not_which_incident_it_is(
    name: str, network: Network
) -> None:
    for theirs in network.incidents.values():
        for scope in ("region", "municipality"):
            viewer = Viewer("ivanov", GIVEN[name].may, SCOPES[scope])
            input_ = input_of(name, "", externalId=f"post{theirs.open_marks[0]}")
            payload = network.api.ask(command(name), token=network.token(viewer), input=input_)
            (error,) = payload[name]["userErrors"]
            assert error["code"] == "DUPLICATE_MESSAGE"
            assert (str(theirs.row.id) in error["message"]) == theirs.is_for(viewer)


def test_no_export_tells_anything_of_another_scope(network: Network, values: Values) -> None:
    request = """mutation ($input: RequestExportInput!) {
      requestExport(input: $input) { export { id } userErrors { code } }
    }"""
    find = "query ($id: ID!) { export(id: $id) { state url rowsTotal } }"
    rows = []

    @some(5)
    @given(CHANCES)
    def export(chance: Random) -> None:
        viewer, api = any_viewer(chance), network.api
        token = network.token(viewer)
        chosen = Writer(chance, values).value(SCHEMA.type_map["IncidentFilterInput"], "incidents")
        input_ = {"commandId": str(uuid4()), "format": "CSV", "incidents": chosen}
        payload = api.ask(request, token=token, input=input_)["requestExport"]
        if payload["export"] is None:
            return
        id = payload["export"]["id"]
        ExportWriter(network.node).write(UUID(id), at=api.clock)
        for other in SCOPES.values():  # of the same name
            seen = Viewer("ivanov", Role.MONITOR, other)
            found = api.answer(find, token=network.token(seen), id=id)["data"]["export"]
            assert bool(found) == (viewer.scope and seen.sees_all_of(viewer.scope))
        export = api.ask(find, token=token, id=id)["export"]
        told = api.client.get(export["url"]).text
        assert network.betrayed(told, viewer) == set()
        rows.append(export["rowsTotal"])

    export()
    assert any(rows)


@pytest.mark.parametrize("forgetful", [False, True])
@pytest.mark.parametrize("scope", [name for name, scope in SCOPES.items() if scope])
def test_a_monitor_is_told_of_its_scope_only(
    scope: str, forgetful: bool, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    if forgetful:  # the database knows whose question it is
        monkeypatch.setattr(monitoring, "_within", lambda *_: ("", {}))
    viewer = viewer_of(Role.MONITOR, SCOPES[scope], personal_data=False)
    headers = {"authorization": f"Bearer {network.token(viewer)}"}
    answer = network.api.client.get("/metrics", headers=headers)
    assert network.betrayed(answer.text, viewer) == set()
    open_ = [
        sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
        if sample.name == "tsur_open_incidents"
    ]
    rows = [each.row for each in network.incidents.values() if each.is_for(viewer)]
    whole = viewer.scope == Scope()  # of which practice in the sandboxes is no part
    assert sum(open_) == sum(row.open and not (whole and is_sandbox(row.region)) for row in rows)


FOLLOW = """
subscription ($region: String, $municipality: String, $after: String) {
  STREAM(region: $region, municipality: $municipality, after: $after) {
    cursor
    incident {
      id holder duplicates { incident } timeline { actor facts { value } text } citizen { text }
    }
  }
}
"""


def test_no_stream_tells_anything_of_another_scope(network: Network) -> None:
    """Many viewers ask the very same at once: what one is told comes to no other."""
    heard = set()

    @some(30)
    @given(CHANCES)
    def follow(chance: Random) -> None:
        stream = chance.choice(["incidentChanges", "deadlines", "urgentIncidents"])
        region = chance.choice(REGIONS)
        municipality = chance.choice([None, None, "BRONX-01", "BRONX-02", "QUEENS-01"])
        asked = {"region": region, "municipality": municipality, "after": f"{region}:0"}
        viewers = [
            viewer_of(chance.choice(ROLES), scope, chance.random() < 0.5)
            for scope in SCOPES.values()
        ]
        with ExitStack() as stack:
            followed = []
            for viewer in viewers:
                client = stack.enter_context(network.api.open_socket(network.token(viewer)))
                client.subscribe(FOLLOW.replace("STREAM", stream), **asked)
                followed.append((viewer, client))
            last = {viewer: push(network, viewer, region, municipality) for viewer in viewers}
            for viewer, client in followed:
                for message in messages_until(client, stream, last[viewer]):
                    assert network.betrayed(json.dumps(message), viewer) == set()
                    heard.add(message["type"])

    follow()
    assert "next" in heard


def push(network: Network, viewer: Viewer, region: str, municipality: str | None) -> str | None:
    """Let something happen that all three streams tell the viewer; None if nothing can."""
    for id, each in network.incidents.items():
        row, here = each.row, municipality in (None, each.row.municipality)
        if row.region == region and here and row.organisation and each.is_for(viewer):
            later = NOON + timedelta(days=1, minutes=next(numbers))
            extend = ExtendDeadline(due_at=later, reason=PromiseReason.SUPPLY)
            return str(ask(network.node.centre(region), id, extend, 60).position)
    return None


def messages_until(client: Socket, stream: str, last: str | None) -> Iterator[dict[str, Any]]:
    """Up to the change at a position, or the refusal; nothing of whom there is nothing to tell."""
    while last is not None:
        message = client.message()
        yield message
        if message["type"] == "error" or message["payload"]["data"][stream]["cursor"] == last:
            return
