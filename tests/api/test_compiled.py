"""Compiled answers are those of graphql-core, byte for byte, whatever a resolver gives."""

import asyncio
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from inspect import isawaitable
from typing import Any
from uuid import UUID

import orjson
import pytest
import strawberry
from graphql import ExecutionResult, execute, parse, validate

from api.transport.compiled import CompiledExecutor
from api.transport.plans import Plans
from tests.scenarios import NOON


@strawberry.enum
class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@strawberry.interface
class Named:
    text: str


@strawberry.type
class Thing(Named):
    number: int
    measure: float
    yes: bool
    key: strawberry.ID
    at: datetime
    on: date
    uuid: UUID
    colour: Colour
    maybe: str | None
    maybe_colour: Colour | None
    words: list[str]
    maybe_words: list[str | None] | None
    maybe_thing: "Thing | None"
    things: list["Thing"]
    maybe_things: list["Thing | None"]

    @strawberry.field
    def doubled(self) -> int:
        return self.number * 2

    @strawberry.field
    def wish(self, info: strawberry.Info) -> str:
        return str(info.context["wish"])

    @strawberry.field
    def path(self, info: strawberry.Info) -> str:
        return ".".join(map(str, info.path.as_list()))

    @strawberry.field
    def times(self, by: int) -> int:
        return self.number * by

    @strawberry.field
    async def later(self) -> "Thing | None":
        return self.maybe_thing


@strawberry.type
class Query:
    @strawberry.field
    def thing(self, info: strawberry.Info) -> Thing | None:
        return info.context["thing"]  # type: ignore[no-any-return]

    @strawberry.field
    def named(self, info: strawberry.Info) -> Named | None:
        return info.context["thing"]  # type: ignore[no-any-return]

    @strawberry.field
    def things(self, info: strawberry.Info) -> list[Thing | None] | None:
        return [info.context["thing"], None, info.context["thing"]]


SCHEMA = strawberry.Schema(Query)._schema
LEAVES = "text number measure yes key at on uuid colour maybe maybeColour words maybeWords"
ALL = f"""
    {LEAVES} doubled __typename again: text
    maybeThing {{ {LEAVES} }} things {{ number }} maybeThings {{ number words }}
"""


def thing(**changes: Any) -> Thing:
    facts: dict[str, Any] = {
        "text": "Яма", "number": 7, "measure": 0.5, "yes": True, "key": strawberry.ID("k"),
        "at": NOON, "on": NOON.date(), "uuid": UUID(int=1), "colour": Colour.BLUE, "maybe": None,
        "maybe_colour": None, "words": ["a"], "maybe_words": [None, "b"], "maybe_thing": None,
        "things": [], "maybe_things": [None],
    }  # fmt: skip
    return Thing(**facts | changes)


@dataclass
class Answers:
    """Of one operation by both ways, as bytes, and what the compiled one counted."""

    compiled: bytes
    reference: bytes
    counted: Counter[str]


def answers(text: str, given: object, **variables: Any) -> Answers:
    document = parse(text)
    assert not validate(SCHEMA, document)
    counted: Counter[str] = Counter()
    common = {"context_value": {"thing": given, "wish": "peace"}, "variable_values": variables}

    async def answered(**how: Any) -> bytes:
        found = execute(SCHEMA, document, **common, **how)
        result = await found if isawaitable(found) else found
        assert isinstance(result, ExecutionResult)
        return orjson.dumps(result.formatted)

    plans = Plans(SCHEMA, document)
    how = {"executor_class": CompiledExecutor, "plans": plans, "counted": counted}
    return Answers(asyncio.run(answered(**how)), asyncio.run(answered()), counted)


@pytest.mark.parametrize(
    ("text", "counted"),
    [
        (f"{{ thing {{ {ALL} }} }}", {"compiled": 1}),
        (f"{{ things {{ {ALL} }} }}", {"compiled": 1}),
        (f"{{ named {{ text ... on Thing {{ {ALL} }} }} }}", {"compiled": 1}),
        ("{ thing { ...F ...F } } fragment F on Thing { number text wish }", {"compiled": 1}),
        ("{ thing { maybeThing { text } maybeThing { number } } }", {"compiled": 1}),
        ("{ things { times(by: 2) number } }", {"compiled": 2, "arguments": 2}),
        ("{ thing { text later { text } number } }", {"compiled": 2, "async": 1}),
        ("{ thing { number @skip(if: false) text } }", {"directive": 1}),
        ('{ __type(name: "Named") { name fields { name } } }', {"introspection": 2}),
        ("{ thing { number path text } }", {"compiled": 0, "raised": 1}),
    ],
)
def test_what_is_plain_is_compiled_and_what_is_not_is_counted(
    text: str, counted: dict[str, int]
) -> None:
    found = answers(text, thing(maybe_thing=thing(), things=[thing()]))
    assert found.compiled == found.reference
    assert found.counted == Counter(counted)


@pytest.mark.parametrize("skipped", [True, False])
def test_another_variable_selects_something_else(skipped: bool) -> None:
    text = "query ($s: Boolean!) { thing { number ... @skip(if: $s) { text words } } }"
    found = answers(text, thing(), s=skipped)
    assert found.compiled == found.reference


WRONG: list[object] = [
    None, "text", "", 7, 2**40, True, 0.5, float("nan"), float("inf"), Colour.RED, "red", NOON,
    NOON.date(), UUID(int=2), [], ["a"], [None], ("a", None), {}, ValueError("no"), object,
    thing(), [thing()], [thing(), None], [thing(), KeyError("item")], iter(()),
]  # fmt: skip


@pytest.mark.parametrize("field", [*vars(thing())])
def test_whatever_a_field_holds_answers_and_errors_are_those_of_graphql_core(field: str) -> None:
    for wrong in WRONG:
        holder = thing(maybe_thing=thing(**{field: wrong}))
        for given in (holder, holder.maybe_thing):
            found = answers(f"{{ things {{ {ALL} later {{ {ALL} }} }} }}", given)
            assert found.compiled == found.reference, wrong


@pytest.mark.parametrize("given", [None, "thing", 3, ValueError("no"), [], object()])
def test_a_thing_that_is_none_is_answered_as_by_graphql_core(given: object) -> None:
    for text in ("{ thing { __typename } }", "{ things { __typename text } }"):
        found = answers(text, given)
        assert found.compiled == found.reference
