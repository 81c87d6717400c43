"""What is put together once for a resolver gives it what strawberry would."""

import asyncio
from enum import StrEnum
from inspect import isawaitable
from typing import Annotated, Any

import pytest
import strawberry
from graphql import ExecutionResult, execute, parse, validate
from strawberry.extensions import FieldExtension

from api.transport.resolvers import Resolvers


@strawberry.enum
class Colour(StrEnum):
    RED = "red"


@strawberry.input
class Wish:
    colour: Colour
    words: list[str] | None = None
    inner: "Wish | None" = None


class Louder(FieldExtension):
    async def resolve_async(self, next_: Any, source: Any, info: Any, **given: Any) -> Any:
        return f"{await next_(source, info, **given)}!"


class Refusing(FieldExtension):
    async def resolve_async(self, next_: Any, source: Any, info: Any, **given: Any) -> Any:
        return "refused" if info.context["refused"] else await next_(source, info, **given)


@strawberry.type
class Query:
    @strawberry.field
    async def told(
        self,
        wish: Wish | None = None,
        wishes: list[Wish] | None = None,
        some_words: list[str] = ["kept"],  # noqa: B006 - what strawberry copies
        colour: Colour = Colour.RED,
        named: Annotated[int | None, strawberry.argument(name="called")] = None,
    ) -> str:
        told = repr((wish, wishes, some_words, colour, named))
        some_words.append("more")  # of this call only
        return told

    @strawberry.field(extensions=[Refusing(), Louder()])
    async def wrapped(self, info: strawberry.Info, n: int) -> str:
        return f"{info.field_name} {info.context['refused']} {n}"

    @strawberry.field(extensions=[Louder()])
    async def bare(self) -> str:
        return "bare"

    @strawberry.field
    def at_once(self, n: int = 1) -> int:
        return n


SCHEMA = strawberry.Schema(Query)._schema


async def answered(
    text: str, *, refused: bool, middleware: Resolvers | None = None
) -> dict[str, Any]:
    document = parse(text)
    assert not validate(SCHEMA, document)
    variables = {"wish": {"colour": "RED"}, "none": None}
    found = execute(SCHEMA, document, None, {"refused": refused}, variables, middleware=middleware)
    result = await found if isawaitable(found) else found
    assert isinstance(result, ExecutionResult)
    return result.formatted


@pytest.mark.parametrize("refused", [False, True])
@pytest.mark.parametrize(
    "text",
    [
        "{ told }",
        '{ told(wish: {colour: RED, words: ["a"], inner: {colour: RED}}, someWords: []) }',
        "{ told(called: 2) }",
        "{ told(wish: null, wishes: [{colour: RED}, {colour: RED}], colour: RED, called: null) }",
        "query ($wish: Wish, $none: Wish) { one: told(wish: $wish) two: told(wish: $none) }",
        "{ wrapped(n: 1) two: wrapped(n: 2) }",
        "{ bare atOnce more: atOnce(n: 2) }",
    ],
)
def test_resolvers_are_given_what_strawberry_gives_them(text: str, refused: bool) -> None:
    ours = Resolvers(SCHEMA)
    expected = asyncio.run(answered(text, refused=refused))
    assert "errors" not in expected
    for _ in range(2):  # what was appended to a list is not there the next time
        assert asyncio.run(answered(text, refused=refused, middleware=ours)) == expected
