"""What is plain in a selection, as one generated Python function for each type and place.

Plain is a field whose resolver is synchronous and has no arguments: it reads what is in memory, so
asking it twice harms nobody. A generated function that meets anything unexpected raises, and
graphql-core answers the same once more: errors, their paths and what they null are its own.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeAlias, cast

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLField,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLLeafType,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    GraphQLString,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    Undefined,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)
from graphql.execution.collect_fields import (
    CollectFieldsContext,
    FieldDetailsList,
    FragmentDetails,
    GroupedFieldSet,
    visit_selection_sets,
)
from graphql.execution.values import VariableValues
from strawberry.types.field import StrawberryField

from api.context import Context
from api.types.backed import BACKING, Backing, Made, OfRows
from projections.rows import Columns, Rows, types_of

DEFINITION = "strawberry-definition"  # where strawberry notes what a type or field was made from

# Values that are told as they are: moments and days too, which orjson writes as `isoformat` does,
# ten times as fast. All else is coerced by its type.
QUICK: Mapping[str, str] = {
    GraphQLString.name: "{v} if {v}.__class__ is str",
    GraphQLID.name: "{v} if {v}.__class__ is str",
    GraphQLBoolean.name: "{v} if {v}.__class__ is bool",
    GraphQLInt.name: "{v} if {v}.__class__ is int and -0x80000000 <= {v} <= 0x7FFFFFFF",
    GraphQLFloat.name: "{v} if {v}.__class__ is float and {v} - {v} == 0",  # no infinity, no NaN
    "DateTime": "{v} if {v}.__class__ is datetime",
    "Date": "{v} if {v}.__class__ is date",
}


SAME: Mapping[str, type] = {
    GraphQLString.name: str,
    GraphQLID.name: str,
    GraphQLBoolean.name: bool,
    "DateTime": datetime,
    "Date": date,
}


class Surprise(Exception):
    """A value that graphql-core may know what to do with."""


@dataclass(slots=True)
class Seen:
    """All that a plain resolver finds in its `info`."""

    context: Context


Answer: TypeAlias = Callable[[Any, Seen], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Plan:
    """Of the objects of one type at one place of a document."""

    answer: Answer | None  # the plain fields, and None for each of the rest
    rest: GroupedFieldSet
    reasons: frozenset[str]  # why there is a rest
    each: "Each | None" = None  # answers a list of them, where there is no rest


class Each:
    """Answers a list of plain objects, or the rows that they would be made of."""

    def __init__(
        self, plans: "Plans", type_: GraphQLObjectType, at: FieldDetailsList, answer: Answer
    ) -> None:
        self._plans = plans
        self._type = type_
        self._at = at
        self._answer = answer
        self._of_rows: dict[tuple[Columns, type | None], Callable[..., Any] | None] = {}

    def __call__(self, items: object, seen: Seen) -> list[dict[str, Any]]:
        """Raises Surprise, and whatever resolvers raise."""
        if isinstance(items, OfRows):
            answer = self._of(items.rows)
            if answer is not None:
                return cast("list[dict[str, Any]]", answer(items.rows.tuples))
        return [self._answer(item, seen) for item in listed(items)]

    def _of(self, rows: Rows[Any]) -> Callable[..., Any] | None:
        key = rows.columns, rows.of
        if key not in self._of_rows:
            self._of_rows[key] = RowsCode(self._plans, rows).answer(self._type, self._at)
        return self._of_rows[key]


@dataclass(frozen=True, slots=True)
class Only:
    """The one field that a query asks for, of a resolver that is awaited."""

    name: str  # as it is answered
    of: GraphQLObjectType
    field: GraphQLField
    resolve: Callable[..., Awaitable[Any]]
    at: FieldDetailsList
    nodes: list[FieldNode]


class Plans:
    """Of one document, whose nodes they are known by: they must not outlive it."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode) -> None:
        self._schema = schema
        self._document = document
        self._fragments = {
            each.name.value: FragmentDetails(each)
            for each in document.definitions
            if isinstance(each, FragmentDefinitionNode)
        }
        self._made: dict[tuple[str, tuple[int, ...]], Plan] = {}
        self._only: dict[int, Only | None] = {}  # by operation

    def of(self, type_: GraphQLObjectType, at: FieldDetailsList) -> Plan:
        key = type_.name, tuple([id(each.node) for each in at])
        plan = self._made.get(key)
        if plan is None:
            plan = self._made[key] = self._make(type_, at)
        return plan

    def only(self, operation: OperationDefinitionNode) -> Only | None:
        """None of a mutation, and of a query that asks for more, or for less."""
        if id(operation) not in self._only:
            self._only[id(operation)] = self._find_only(operation)
        return self._only[id(operation)]

    def _find_only(self, operation: OperationDefinitionNode) -> Only | None:
        type_ = self._schema.query_type
        if operation.operation is not OperationType.QUERY or type_ is None:
            return None
        selected = self.selected(type_, [operation.selection_set])
        if selected is None or len(selected) != 1:
            return None
        ((name, at),) = selected.items()
        field = type_.fields.get(at[0].node.name.value)
        definition = field.extensions.get(DEFINITION) if field else None
        if field is None or field.resolve is None or not (definition and definition.is_async):
            return None
        return Only(name, type_, field, field.resolve, at, [each.node for each in at])

    def _make(self, type_: GraphQLObjectType, at: FieldDetailsList) -> Plan:
        if DEFINITION not in type_.extensions:
            return Plan(None, {}, frozenset({"introspection"}))
        selected = self.selected(type_, [each.node.selection_set for each in at])
        if selected is None:
            return Plan(None, {}, frozenset({"directive"}))
        code = ObjectCode(type_)
        rest: GroupedFieldSet = {}
        reasons: set[str] = set()
        for name, details in selected.items():
            why = self._write(code, name, type_, details)
            if why:
                code.add(name, "None")
                rest[name] = details
                reasons |= why
        if len(rest) == len(selected):
            return Plan(None, rest, frozenset(reasons))
        answer = code.answer()
        each = None if rest else Each(self, type_, at, answer)
        return Plan(answer, rest, frozenset(reasons), each)

    def selected(
        self, type_: GraphQLObjectType, sets: Iterable[SelectionSetNode | None]
    ) -> GroupedFieldSet | None:
        """None where other variables may select something else."""
        visited = CollectFieldsContext(
            schema=self._schema,
            fragments=self._fragments,
            variable_values=VariableValues({}, {}),
            operation=cast("OperationDefinitionNode", None),  # nobody looks at it
            runtime_type=type_,
            visited_fragment_names={},
            hide_suggestions=True,
            forbidden_directive_instances=[],
            forbid_skip_and_include=True,
        )
        selected: GroupedFieldSet = defaultdict(list)
        for each in sets:
            if each is not None:
                visit_selection_sets(visited, each, selected, [])
        return None if visited.forbidden_directive_instances else selected

    def _write(
        self, code: "ObjectCode", name: str, type_: GraphQLObjectType, at: FieldDetailsList
    ) -> frozenset[str]:
        """Add a field if it is plain; else tell why not."""
        asked = at[0].node.name.value
        if asked == "__typename":
            code.add(name, repr(type_.name))
            return PLAIN
        field = type_.fields[asked]
        definition = field.extensions.get(DEFINITION)
        why = _why_not(field, definition)
        if why:
            return frozenset({why})
        below = self._below(field.type, at)
        if below is not None and (below.answer is None or below.rest):
            return below.reasons
        code.value(definition)
        code.add(name, code.told(field.type, "v", below))
        return PLAIN

    def _below(self, of: GraphQLOutputType, at: FieldDetailsList) -> Plan | None:
        """None for what has no selection."""
        named = get_named_type(of)
        if is_leaf_type(named):
            return None
        if is_object_type(named):
            return self.of(named, at)
        return Plan(None, {}, frozenset({"abstract"}))


PLAIN: frozenset[str] = frozenset()


def _why_not(field: GraphQLField, definition: StrawberryField | None) -> str | None:
    """None of a plain field."""
    if definition is None or definition.extensions:
        return "extension"
    if definition.is_async:
        return "async"
    if field.args:
        return "arguments"
    resolver = definition.base_resolver
    return None if resolver is None or resolver.self_parameter else "resolver"


class Code:
    """The text of a function that answers, and the names it uses."""

    def __init__(self) -> None:
        self._names: dict[str, Any] = {
            "Surprise": Surprise,
            "listed": listed,
            "date": date,
            "datetime": datetime,
        }

    def told(self, of: GraphQLOutputType, v: str, plan: Plan | None, *, null: bool = True) -> str:
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
            names = {each.value: name for name, each in of.values.items()}
            return f"{self.named(names)}.get({v}) or {otherwise}"
        quick = QUICK.get(of.name)
        return f"{quick.format(v=v)} else {otherwise}" if quick else otherwise

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


class RowsCode(Code):
    """Answers what is made of rows (api/types/backed.py) from their columns, without making it."""

    def __init__(self, plans: Plans, rows: Rows[Any]) -> None:
        super().__init__()
        self._plans = plans
        self._columns = rows.columns
        self._types = types_of(rows.of) if rows.of else {}

    def answer(self, type_: GraphQLObjectType, at: FieldDetailsList) -> Callable[..., Any] | None:
        """Of a list of tuples; None where anything is more than columns."""
        told = self._object(type_, at)
        if told is None:
            return None
        variables = ", ".join(f"c_{column}" for column in self._columns)
        return self.compiled(f"def answer(rows):\n    return [{told} for {variables}, in rows]\n")

    def _object(self, type_: GraphQLObjectType, at: FieldDetailsList) -> str | None:
        backing = getattr(type_.extensions[DEFINITION].origin, BACKING, None)
        selected = self._plans.selected(type_, [each.node.selection_set for each in at])
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
        """What PostgreSQL gives as it is told needs no look at each value."""
        v, leaf = f"c_{column}", get_nullable_type(of)
        if not is_leaf_type(leaf) or SAME.get(leaf.name, object) is not self._types.get(column):
            return self.told(of, v, None)
        if not is_non_null_type(of):
            return v
        return f"{v} if {v} is not None else {self.named(coercion(leaf))}({v})"


def listed(value: Any) -> list[Any]:
    """Raises Surprise for what may be gone through but once, or is an error."""
    if not isinstance(value, list | tuple | OfRows):
        raise Surprise
    return value  # type: ignore[return-value]


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
