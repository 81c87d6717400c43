"""The text of functions that answer, and the names it uses.

A generated function that meets anything unexpected raises, and graphql-core answers the same once
more: errors, their paths and what they null are its own.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeAlias, cast

from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLLeafType,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLString,
    Undefined,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)
from graphql.execution.collect_fields import GroupedFieldSet
from strawberry.types.field import StrawberryField

from api.context import Context
from api.types.backed import BACKING, Backing, OfRows

DEFINITION = "strawberry-definition"  # where strawberry notes what a type or field was made from

# Of values that are told as they are: moments and days too, which orjson writes as `isoformat`
# does, ten times as fast.
TYPE_OF: Mapping[str, type] = {
    GraphQLString.name: str,
    GraphQLID.name: str,
    GraphQLBoolean.name: bool,
    "DateTime": datetime,
    "Date": date,
}
IN_RANGE = "-0x80000000 <= {v} <= 0x7FFFFFFF"  # of GraphQL's Int
# Whether a value is such a one; all else is coerced by its type.
CHECK_OF: Mapping[str, str] = {
    **{name: f"{{v}}.__class__ is {type_.__name__}" for name, type_ in TYPE_OF.items()},
    GraphQLInt.name: f"{{v}}.__class__ is int and {IN_RANGE}",
    GraphQLFloat.name: "{v}.__class__ is float and {v} - {v} == 0",  # no infinity, no NaN
}


class Surprise(Exception):
    """A value that graphql-core may know what to do with."""


@dataclass(slots=True)
class Seen:
    """All that a plain resolver finds in its `info`."""

    context: Context


Answer: TypeAlias = Callable[[Any, Seen], dict[str, Any]]
Answers: TypeAlias = Callable[[object, Seen], list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Plan:
    """Of the objects of one type at one place of a document."""

    answer: Answer | None  # the plain fields, and None for each of the rest
    rest: GroupedFieldSet
    reasons: frozenset[str]  # why there is a rest
    each: Answers | None = None  # a list of them, where there is no rest


class Code:
    """The text of a function that answers, and the names it uses."""

    def __init__(self) -> None:
        self._names: dict[str, Any] = {
            "Surprise": Surprise,
            "listed": listed,
            "date": date,
            "datetime": datetime,
        }

    def told(
        self, of: GraphQLOutputType, v: str, plan: Plan | None = None, *, null: bool = True
    ) -> str:
        """An expression: the variable `v`, of a type, as it is answered."""
        if is_non_null_type(of):
            return self.told(of.of_type, v, plan, null=False)
        if is_leaf_type(of):
            told = self._leaf(of, v)
        elif is_list_type(of):
            told = self._list(of.of_type, v, plan)
        else:
            told = f"{self.named(plan and plan.answer)}({v}, seen)"
        return f"None if {v} is None else {told}" if null else told

    def _list(self, of: GraphQLOutputType, v: str, plan: Plan | None) -> str:
        if plan is not None and is_non_null_type(of) and is_object_type(of.of_type):
            return f"{self.named(plan.each)}({v}, seen)"
        item = f"{v}i"
        return f"[{self.told(of, item, plan)} for {item} in listed({v})]"

    def _leaf(self, of: GraphQLLeafType, v: str) -> str:
        otherwise = f"{self.named(coercion(of))}({v})"
        if isinstance(of, GraphQLEnumType):
            return f"{self.named(words_of(of))}.get({v}) or {otherwise}"
        check = CHECK_OF.get(of.name)
        return f"{v} if {check.format(v=v)} else {otherwise}" if check else otherwise

    def named(self, used: object) -> str:
        name = f"n{len(self._names)}"
        self._names[name] = used
        return name

    def compiled(self, text: str) -> Callable[..., Any]:
        # Of names in the schema and in the document, which are letters, digits and underscores.
        exec(text, self._names)  # noqa: S102
        return cast("Callable[..., Any]", self._names["answer"])


class ObjectCode(Code):
    """Answers one selection of an object `s`."""

    def __init__(self, type_: GraphQLObjectType) -> None:
        super().__init__()
        origin = type_.extensions[DEFINITION].origin
        self._backing: Backing | None = getattr(origin, BACKING, None)
        self._lines = [f"if s.__class__ is not {self.named(origin)}:", "    raise Surprise"]
        if self._backing is not None:
            self._lines.append(f"row = s.{self._backing.attribute}")
        self._answered: list[str] = []

    def value(self, definition: StrawberryField) -> None:
        """What a field has, as `v`."""
        self._lines.append(f"v = {self._value(definition)}")

    def _value(self, definition: StrawberryField) -> str:
        resolver, name = definition.base_resolver, definition.python_name
        if resolver is not None:
            info = f", {resolver.info_parameter.name}=seen" if resolver.info_parameter else ""
            return f"{self.named(resolver.wrapped_func)}(s{info})"
        field = self._backing.fields[name] if self._backing else None
        if field is None:
            return f"s.{name}"
        if isinstance(field, str):
            return f"row.{field}"
        of = ", ".join(f"row.{each}" for each in field.of) or "row"
        return f"{self.named(field.make)}({of})"

    def add(self, name: str, told: str) -> None:
        """Answer a field with an expression."""
        self._lines.append(f"a{len(self._answered)} = {told}")
        self._answered.append(f"{name!r}: a{len(self._answered)}")

    def answer(self) -> Answer:
        lines = [*self._lines, f"return {{{', '.join(self._answered)}}}"]
        return self.compiled("def answer(s, seen):\n" + "".join(f"    {each}\n" for each in lines))


def words_of(of: GraphQLEnumType) -> dict[Any, str]:
    """What the schema calls its values."""
    return {each.value: name for name, each in of.values.items()}


def listed(value: object) -> Sequence[Any]:
    """Raises Surprise for what may be gone through but once, or is an error."""
    if not isinstance(value, list | tuple | OfRows):
        raise Surprise
    return value


def coercion(of: GraphQLLeafType) -> Callable[[Any], Any]:
    """As graphql-core completes a leaf that is not null. Raises Surprise."""

    def coerced(value: Any) -> Any:
        if value is None or isinstance(value, Exception):
            raise Surprise
        told = of.coerce_output_value(value)
        if told is None or told is Undefined:
            raise Surprise
        return told

    return coerced
