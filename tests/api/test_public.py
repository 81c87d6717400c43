"""Everything is closed but what is marked: the whole schema, asked by a visitor."""

from collections.abc import Iterator
from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLObjectType,
    build_schema,
    get_named_type,
    is_list_type,
    is_non_null_type,
    is_required_argument,
    is_required_input_field,
)

from api.public import PUBLIC
from api.schema import schema
from regions.store.postgres import Server
from tests.api.conftest import Api, fresh_database, recorded, serving

SCHEMA = build_schema(schema.as_str())
TYPES = (SCHEMA.query_type, SCHEMA.mutation_type, SCHEMA.subscription_type)
ROOTS = [root for root in TYPES if root]
FIELDS = [(root, name, field) for root in ROOTS for name, field in root.fields.items()]
CLOSED = [each for each in FIELDS if each[1] not in PUBLIC]
VALUES = {
    "Boolean": True,
    "DateTime": "2026-03-02T12:00:00Z",
    "Date": "2026-03-02",
    "Float": 1.0,
    "ID": "SW5jaWRlbnQ6QlJPTlgvMA==",
    "Int": 1,
    "String": "BRONX",
    "UUID": "01890000-0000-7000-8000-000000000000",
}


def value(of: GraphQLInputType) -> Any:
    """Whatever the schema accepts there, with nothing that may be left out."""
    if is_non_null_type(of):
        return value(of.of_type)
    if is_list_type(of):
        return [value(of.of_type)]
    if isinstance(of, GraphQLEnumType):
        return next(iter(of.values))
    if isinstance(of, GraphQLInputObjectType):
        needed = {name for name, part in of.fields.items() if is_required_input_field(part)}
        return {name: value(of.fields[name].type) for name in needed}
    return VALUES[of.name]  # type: ignore[attr-defined]


def asked(root: GraphQLObjectType, name: str, field: GraphQLField) -> tuple[str, dict[str, Any]]:
    """The shortest operation that asks it, and its variables."""
    needed = {arg: each for arg, each in field.args.items() if is_required_argument(each)}
    declared = ", ".join(f"${arg}: {each.type}" for arg, each in needed.items())
    passed = ", ".join(f"{arg}: ${arg}" for arg in needed)
    inside = {"Query": "", "Subscription": ""}.get(root.name, " { userErrors { code } }")
    if not inside and isinstance(get_named_type(field.type), GraphQLObjectType):
        inside = " { __typename }"
    text = f"{root.name.lower()}{f'({declared})' if declared else ''}"
    call = f"{name}{f'({passed})' if passed else ''}{inside}"
    return f"{text} {{ {call} }}", {arg: value(each.type) for arg, each in needed.items()}


@pytest.fixture(scope="module")
def api(server: Server, template: str) -> Iterator[Api]:
    with serving(fresh_database(server, template)) as api:
        yield api


@pytest.mark.parametrize(
    ("root", "name", "field"), CLOSED, ids=[f"{root.name}.{name}" for root, name, _ in CLOSED]
)
def test_what_is_not_marked_refuses_a_visitor_before_it_does_anything(
    root: GraphQLObjectType, name: str, field: GraphQLField, api: Api
) -> None:
    text, variables = asked(root, name, field)
    before = recorded(api.url)
    if root.name == "Subscription":
        with api.open_socket() as client:
            client.subscribe(text, **variables)
            found = client.message()["payload"]
            errors = found["errors"] if isinstance(found, dict) else found
            assert [error["extensions"]["code"] for error in errors] == ["NOT_PERMITTED"]
    elif root.name == "Mutation":
        payload = api.ask(text, **variables)[name]
        assert payload == {"userErrors": [{"code": "NOT_PERMITTED"}]}
    else:
        answer = api.answer(text, **variables)
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["NOT_PERMITTED"]
        assert not (answer["data"] or {}).get(name)
    assert recorded(api.url) == before


def test_the_public_fields_exist_and_are_marked_in_the_schema() -> None:
    marked = {
        f"{root.name}.{name}"
        for root, name, field in FIELDS
        for directive in (field.ast_node and field.ast_node.directives) or ()
        if directive.name.value == "public"
    }
    assert marked == {*(f"Query.{name}" for name in PUBLIC), "Subscription.ranking"}
