"""Lists of plain objects, or of the rows that they would be made of (api/types/backed.py)."""

from collections.abc import Callable
from typing import Any, TypeAlias, cast

from graphql import (
    GraphQLEnumType,
    GraphQLInt,
    GraphQLObjectType,
    GraphQLOutputType,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
    is_non_null_type,
)
from graphql.execution.collect_fields import FieldDetailsList

from api.transport.code import (
    DEFINITION,
    IN_RANGE,
    TYPE_OF,
    Answer,
    Code,
    Seen,
    coercion,
    listed,
    words_of,
)
from api.transport.selections import Selections
from api.types.backed import BACKING, Backing, Made, OfRows
from projections.rows import Columns, Rows, types_of

LEAF_OF = {**TYPE_OF, GraphQLInt.name: int}

OfTuples: TypeAlias = Callable[[list[tuple[Any, ...]]], list[dict[str, Any]]]


class ListAnswer:
    """Answers the objects of one type at one place."""

    def __init__(
        self,
        selections: Selections,
        type_: GraphQLObjectType,
        at: FieldDetailsList,
        answer: Answer,
    ) -> None:
        self._selections = selections
        self._type = type_
        self._at = at
        self._answer = answer
        self._of_tuples: dict[tuple[Columns, type | None], OfTuples | None] = {}

    def __call__(self, items: object, seen: Seen) -> list[dict[str, Any]]:
        """Raises Surprise, and whatever resolvers raise."""
        if isinstance(items, OfRows):
            answer = self._answer_of(items.rows)
            if answer is not None:
                return answer(items.rows.tuples)
        return [self._answer(item, seen) for item in listed(items)]

    def _answer_of(self, rows: Rows[Any]) -> OfTuples | None:
        key = rows.columns, rows.of
        if key not in self._of_tuples:
            code = RowsCode(self._selections, rows)
            self._of_tuples[key] = code.answer(self._type, self._at)
        return self._of_tuples[key]


class RowsCode(Code):
    """Answers what is made of rows from their columns, without making it."""

    def __init__(self, selections: Selections, rows: Rows[Any]) -> None:
        super().__init__()
        self._selections = selections
        self._columns = rows.columns
        self._types = types_of(rows.of) if rows.of else {}

    def answer(self, type_: GraphQLObjectType, at: FieldDetailsList) -> OfTuples | None:
        """None where anything is more than columns."""
        told = self._object(type_, at)
        if told is None:
            return None
        variables = ", ".join(f"c_{column}" for column in self._columns)
        return self.compiled(f"def answer(rows):\n    return [{told} for {variables}, in rows]\n")

    def _object(self, type_: GraphQLObjectType, at: FieldDetailsList) -> str | None:
        backing = getattr(type_.extensions[DEFINITION].origin, BACKING, None)
        selected = self._selections.below(type_, at)
        if backing is None or selected is None:
            return None
        told = {name: self._field(type_, backing, each) for name, each in selected.items()}
        if not all(told.values()):
            return None
        return "{" + ", ".join(f"{name!r}: {value}" for name, value in told.items()) + "}"

    def _field(
        self, type_: GraphQLObjectType, backing: Backing, at: FieldDetailsList
    ) -> str | None:
        asked = at[0].node.name.value
        if asked == "__typename":
            return repr(type_.name)
        field = type_.fields[asked]
        of = backing.fields.get(field.extensions[DEFINITION].python_name)
        match of:
            case str() if of in self._columns:
                return self._column(field.type, of)
            case Made(of=()):
                return self._object(cast("GraphQLObjectType", get_named_type(field.type)), at)
            case Made() if set(of.of) <= set(self._columns):
                return f"{self.named(of.make)}({', '.join(f'c_{each}' for each in of.of)})"
        return None

    def _column(self, of: GraphQLOutputType, column: str) -> str:
        """Where the type of the column says enough, values are not looked at for theirs."""
        v, leaf, type_ = f"c_{column}", get_nullable_type(of), self._types.get(column)
        null = not is_non_null_type(of)
        if isinstance(leaf, GraphQLEnumType) and type_ is str:
            # An unknown word is a KeyError: the way through objects tells what is wrong with it.
            words = words_of(leaf)
            return f"{self.named(words | {None: None} if null else words)}[{v}]"
        if not is_leaf_type(leaf) or LEAF_OF.get(leaf.name, object) is not type_:
            return self.told(of, v)
        otherwise = f"{self.named(coercion(leaf))}({v})"
        if leaf is GraphQLInt:
            told = f"{v} if {IN_RANGE.format(v=v)} else {otherwise}"
            return f"None if {v} is None else {told}" if null else told
        return v if null else f"{v} if {v} is not None else {otherwise}"
