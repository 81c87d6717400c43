"""Compiled answers are those of graphql-core, byte for byte, whatever a resolver gives."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from inspect import isawaitable
from itertools import product
from typing import Any
from uuid import UUID

import orjson
import pytest
import strawberry
from graphql import ExecutionResult, execute, parse, validate

from api.transport.compiled import CompiledExecutor
from api.transport.plans import Plans
from api.transport.resolvers import Resolvers
from api.types.backed import Made, OfRows, backed_by
from projections.rows import Rows
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


def joined(text: str, number: int) -> str:
    return f"{text}:{number}"


@backed_by("row", label=Made(joined, ("text", "number")), many="number")
@strawberry.type
class Kept:
    row: strawberry.Private[Any]

    def __init__(self, row: Any) -> None:
        self.row = row

    label: str
    many: int
    text: str
    at: datetime
    colour: Colour
    maybe_colour: Colour | None
    words: list[str]

    @strawberry.field
    def loud(self) -> str:
        return str(self.row.text).upper()


MADE: list["Edge"] = []


@backed_by("row", kept=Made(Kept), place=Made(joined, ("text", "number")))
@strawberry.type
class Edge:
    row: strawberry.Private[Any]

    def __init__(self, row: Any) -> None:
        self.row = row
        MADE.append(self)

    kept: Kept
    place: str


@strawberry.type
class Query:
    @strawberry.field
    def kept(self, info: strawberry.Info) -> Sequence[Edge]:
        return OfRows(Edge, info.context["thing"])

    @strawberry.field
    def kept_or_not(self, info: strawberry.Info) -> Sequence[Edge | None]:
        return OfRows(Edge, info.context["thing"])

    @strawberry.field
    async def asked(self, info: strawberry.Info, by: int = 3) -> Thing | None:
        if by == 0:
            raise ValueError(by)
        return info.context["thing"] if by < 5 else None

    @strawberry.field
    async def needed(self, by: int = 3) -> Thing:
        raise ValueError(by)

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
    how = {
        "executor_class": CompiledExecutor,
        "plans": plans,
        "counted": counted,
        "middleware": Resolvers(SCHEMA),
    }
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


def test_whatever_variables_merge_a_document_keeps_few_plans() -> None:
    """Of twenty fields that may be merged there are a million sets."""
    variables = ", ".join(f"$v{n}: Boolean!" for n in range(6))
    fields = " ".join(f"thing @include(if: $v{n}) {{ f{n}: number }}" for n in range(6))
    document = parse(f"query ({variables}) {{ {fields} }}")
    plans = Plans(SCHEMA, document)
    for chosen in product([False, True], repeat=6):
        given = {f"v{n}": yes for n, yes in enumerate(chosen)}
        context = {"thing": thing()}
        common: dict[str, Any] = {"context_value": context, "variable_values": given}
        counted: Counter[str] = Counter()
        how = {"executor_class": CompiledExecutor, "plans": plans, "counted": counted}
        found = execute(SCHEMA, document, **common, **how)
        assert found == execute(SCHEMA, document, **common)
    assert len(plans._made) <= 6


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


ROW = {
    "text": "Яма", "number": 7, "at": NOON, "colour": "blue", "maybe_colour": None, "words": ["a"],
}  # fmt: skip
PLAIN_ROW = "label many text at colour maybeColour words __typename"


@dataclass
class Columns:
    """What PostgreSQL would give."""

    text: str
    number: int
    at: datetime
    colour: str
    maybe_colour: str | None
    words: list[str]


def rows(
    columns: tuple[str, ...] = tuple(ROW), of: type[Any] | None = None, **changes: object
) -> Rows[Any]:
    """Two of them: the second has the changes."""
    tuples = [tuple(each[name] for name in columns) for each in (ROW, ROW | changes)]
    return Rows(columns, tuples, of)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        (f"{{ kept {{ kept {{ {PLAIN_ROW} }} place __typename }} }}", True),
        ("{ kept { kept { label } kept { again: label } } }", True),
        ("{ kept { kept { ...F } } } fragment F on Kept { many text }", True),
        ("{ kept { kept { text loud } } }", False),
        ("{ keptOrNot { kept { text } place } }", False),
        ("{ kept { kept { text @skip(if: true) many } } }", False),
    ],
)
def test_rows_are_answered_as_what_would_be_made_of_them(text: str, plain: bool) -> None:
    for given in (rows(text="Яма\0"), rows()[:1], rows()[2:]):
        MADE.clear()
        found = answers(text, given)
        assert found.compiled == found.reference
        by_reference = len(given)
        assert len(MADE) == by_reference + (0 if plain else len(given))


def test_a_column_that_was_not_read_is_missed_as_by_graphql_core() -> None:
    found = answers("{ kept { kept { text at } } }", rows(columns=("text", "number")))
    assert found.compiled == found.reference
    assert b"errors" in found.reference


@pytest.mark.parametrize("column", [*ROW])
def test_whatever_a_column_holds_answers_and_errors_are_those_of_graphql_core(column: str) -> None:
    for wrong in WRONG:
        found = answers(
            "{ kept { kept { many text at colour maybeColour words } } }", rows(**{column: wrong})
        )
        assert found.compiled == found.reference, wrong


@pytest.mark.parametrize(
    ("column", "given"),
    [
        *((column, None) for column in ROW),
        ("number", 2**40),
        ("text", "other"),
        ("colour", "green"),  # a word that the schema does not have
        ("maybe_colour", "green"),
        ("maybe_colour", "red"),
        ("words", ["a", None]),
    ],
)
def test_what_postgresql_may_give_is_answered_as_by_graphql_core(
    column: str, given: object
) -> None:
    text = "{ kept { kept { many text at colour maybeColour words } } }"
    found = answers(text, rows(of=Columns, **{column: given}))
    assert found.compiled == found.reference


def test_of_rows_each_is_made_when_it_is_asked_for() -> None:
    made = OfRows(Edge, rows(text="Фонарь"))
    assert [each.place for each in made] == ["Яма:7", "Фонарь:7"]
    assert (len(made), made[1].place, made[-1].kept.label) == (2, "Фонарь:7", "Фонарь:7")
    assert [each.place for each in made[1:]] == ["Фонарь:7"]


@pytest.mark.parametrize(
    "text",
    [
        "{ asked { text later { text } } }",
        "{ again: asked(by: 4) { number } }",
        "{ asked(by: 9) { number } }",
        "{ asked(by: 0) { number } }",
        "{ needed { number } }",
        "{ asked { number } needed { number } }",
        "{ asked { number } __typename }",
        "query ($by: Int) { asked(by: $by) { number } }",
        "query ($by: Int! = 0) { asked(by: $by) { number } }",
        "query ($s: Boolean = true) { asked @skip(if: $s) { number } }",
        "{ ...F ...F } fragment F on Query { asked { text } asked { number } }",
    ],
)
def test_what_asks_for_one_thing_is_answered_as_by_graphql_core(text: str) -> None:
    for given in (thing(maybe_thing=thing()), None, ValueError("no")):
        found = answers(text, given)
        assert found.compiled == found.reference


@pytest.mark.parametrize("given", [None, "thing", 3, ValueError("no"), [], object()])
def test_a_thing_that_is_none_is_answered_as_by_graphql_core(given: object) -> None:
    for text in ("{ thing { __typename } }", "{ things { __typename text } }"):
        found = answers(text, given)
        assert found.compiled == found.reference
