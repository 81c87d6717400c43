"""What a federation router asks: the schema with its keys, and entities by their keys."""

from typing import Any

import pytest

from api.entities import ENTITIES_MAX
from api.types.node import incident_id, write_id
from domain.identifiers import derived_id
from regions.node import Node
from tests.api.conftest import Api, catch_up
from tests.scenarios import NOON, registered

ENTITIES = """
query ($representations: [_Any!]!) {
  _entities(representations: $representations) {
    __typename
    ... on Region { code name }
    ... on Municipality { code region { name } }
    ... on Incident { id status }
  }
}
"""
BRONX = {"__typename": "Region", "code": "BRONX"}
FIRST = {"__typename": "Municipality", "code": "BRONX-01"}
NOBODY = {"__typename": "Incident", "id": incident_id("BRONX", derived_id(NOON, "none"))}


@pytest.fixture(scope="module")
def incident(shared_api: Api, shared_node: Node) -> dict[str, str]:
    """How a router names one that is in the read models."""
    known = registered(shared_node.centre("BRONX")).incident_id
    catch_up(shared_api.url)
    return {"__typename": "Incident", "id": incident_id("BRONX", known)}


def entities(api: Api, *representations: Any, token: str | None = None) -> list[Any]:
    found: list[Any] = api.ask(ENTITIES, token=token, representations=representations)["_entities"]
    return found


def test_the_subgraph_names_its_entities_by_their_keys(shared_api: Api) -> None:
    sdl = shared_api.ask("{ _service { sdl } }")["_service"]["sdl"]
    assert "https://specs.apollo.dev/federation/v2.3" in sdl
    for type_, key in {"Region": "code", "Municipality": "code", "Incident": "id"}.items():
        assert f'type {type_} implements Node @key(fields: "{key}")' in sdl


def test_the_schema_for_clients_has_no_directives_of_federation(shared_api: Api) -> None:
    schema = shared_api.client.get("/schema.graphql").text
    assert "@key" not in schema
    assert "@link" not in schema
    assert "link__" not in schema


def test_entities_come_in_the_order_asked_for(shared_api: Api, incident: dict[str, str]) -> None:
    nowhere = {"__typename": "Region", "code": "NOWHERE"}
    token = shared_api.token()
    asked = (FIRST, incident, nowhere, BRONX, NOBODY, incident)
    first, known, none, bronx, nobody, again = entities(shared_api, *asked, token=token)
    assert first == {**FIRST, "region": {"name": "Bronx"}}
    assert known == again == {**incident, "status": "REGISTERED"}
    assert bronx == {**BRONX, "name": "Bronx"}
    assert none is None
    assert nobody is None


@pytest.mark.parametrize("scope", ["QUEENS", "BRONX-02", "BRONX-DEP"])
def test_an_incident_outside_the_scope_is_as_one_that_is_not_there(
    scope: str, shared_api: Api, incident: dict[str, str]
) -> None:
    token = shared_api.token(scope)
    found = shared_api.ask(ENTITIES, token=token, representations=[BRONX, incident])["_entities"]
    assert [each and each["__typename"] for each in found] == ["Region", None]


def test_to_a_visitor_an_incident_is_refused_at_its_place_alone(
    shared_api: Api, incident: dict[str, str]
) -> None:
    answer = shared_api.answer(ENTITIES, representations=[BRONX, incident])
    assert [each and each["__typename"] for each in answer["data"]["_entities"]] == ["Region", None]
    (error,) = answer["errors"]
    assert error["path"] == ["_entities", 1]
    assert error["extensions"]["code"] == "NOT_PERMITTED"


def test_a_visitor_does_not_learn_which_incidents_there_are(shared_api: Api) -> None:
    assert shared_api.refusal(ENTITIES, representations=[NOBODY])[0] == "NOT_PERMITTED"


@pytest.mark.parametrize(
    "representation",
    [
        *(5, "Region", [], {}),
        *({"code": "BRONX"}, {"__typename": "Region"}, {"__typename": "Region", "code": 5}),
        *({"__typename": "Topic", "code": "noise"}, {"__typename": "Query", "code": "BRONX"}),
        {"__typename": None, "code": "BRONX"},
    ],
)
def test_what_names_no_entity_is_refused(representation: Any, shared_api: Api) -> None:
    refusal = shared_api.refusal(ENTITIES, representations=[representation])
    assert refusal == ("REPRESENTATION_INVALID", "representations")


@pytest.mark.parametrize("id", ["", "nonsense", "№", "\0", write_id("Region", "BRONX")])
def test_an_id_that_was_never_one_finds_nothing(id: str, shared_api: Api) -> None:
    named = {"__typename": "Incident", "id": id}
    assert entities(shared_api, named, token=shared_api.token()) == [None]


def test_more_entities_than_a_page_are_refused(shared_api: Api) -> None:
    assert len(entities(shared_api, *[BRONX] * ENTITIES_MAX)) == ENTITIES_MAX
    many = [BRONX] * (ENTITIES_MAX + 1)
    assert shared_api.refusal(ENTITIES, representations=many) == (
        "LIST_TOO_LONG",
        "representations",
    )
