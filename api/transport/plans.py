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
from api.types.backed import READ_FROM

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
        selected = self._selected(type_, [operation.selection_set])
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
        selected = self._selected(type_, [each.node.selection_set for each in at])
        if selected is None:
            return Plan(None, {}, frozenset({"directive"}))
        written = Written(type_)
        rest: GroupedFieldSet = {}
        reasons: set[str] = set()
        for name, details in selected.items():
            why = self._write(written, name, type_, details)
            if why:
                written.add(name, "None")
                rest[name] = details
                reasons |= why
        plain = len(rest) < len(selected)
        return Plan(written.compiled() if plain else None, rest, frozenset(reasons))

    def _selected(
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
        self, written: "Written", name: str, type_: GraphQLObjectType, at: FieldDetailsList
    ) -> frozenset[str]:
        """Add a field if it is plain; else tell why not."""
        asked = at[0].node.name.value
        if asked == "__typename":
            written.add(name, repr(type_.name))
            return PLAIN
        field = type_.fields[asked]
        definition = field.extensions.get(DEFINITION)
        why = _why_not(field, definition)
        if why:
            return frozenset({why})
        below = self._below(field.type, at)
        if below is not None and (below.answer is None or below.rest):
            return below.reasons
        written.value(definition)
        written.add(name, written.told(field.type, "v", below.answer if below else None))
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


class Written:
    """The text of a function that answers one selection of a type, and the names it uses."""

    def __init__(self, type_: GraphQLObjectType) -> None:
        origin = type_.extensions[DEFINITION].origin
        self._names: dict[str, Any] = {
            "of": origin,
            "Surprise": Surprise,
            "listed": listed,
            "date": date,
            "datetime": datetime,
        }
        self._read_from: Mapping[str, str] = getattr(origin, READ_FROM, {})
        backing = {path.partition(".")[0] for path in self._read_from.values()}
        self._lines = [
            "if s.__class__ is not of:",
            "    raise Surprise",
            *(f"{each} = s.{each}" for each in backing),
        ]
        self._answered: list[str] = []

    def value(self, definition: StrawberryField) -> None:
        """What a field of the object `s` has, as `v`."""
        resolver = definition.base_resolver
        if resolver is None:
            name = definition.python_name
            self._lines.append(f"v = {self._read_from.get(name, f's.{name}')}")
            return
        info = f", {resolver.info_parameter.name}=seen" if resolver.info_parameter else ""
        self._lines.append(f"v = {self._named(resolver.wrapped_func)}(s{info})")

    def add(self, name: str, told: str) -> None:
        """Answer a field with an expression."""
        self._lines.append(f"a{len(self._answered)} = {told}")
        self._answered.append(f"{name!r}: a{len(self._answered)}")

    def told(
        self, of: GraphQLOutputType, v: str, answer: Answer | None, *, null: bool = True
    ) -> str:
        """An expression: the variable `v`, of a type, as it is answered."""
        if is_non_null_type(of):
            return self.told(of.of_type, v, answer, null=False)
        if is_leaf_type(of):
            told = self._leaf(of, v)
        elif is_list_type(of):
            item = f"{v}i"
            told = f"[{self.told(of.of_type, item, answer)} for {item} in listed({v})]"
        else:
            told = f"{self._named(answer)}({v}, seen)"
        return f"None if {v} is None else {told}" if null else told

    def _leaf(self, of: GraphQLLeafType, v: str) -> str:
        otherwise = f"{self._named(coercion(of))}({v})"
        if isinstance(of, GraphQLEnumType):
            names = {each.value: name for name, each in of.values.items()}
            return f"{self._named(names)}.get({v}) or {otherwise}"
        quick = QUICK.get(of.name)
        return f"{quick.format(v=v)} else {otherwise}" if quick else otherwise

    def _named(self, used: object) -> str:
        name = f"n{len(self._names)}"
        self._names[name] = used
        return name

    def compiled(self) -> Answer:
        lines = [*self._lines, f"return {{{', '.join(self._answered)}}}"]
        text = "def answer(s, seen):\n" + "".join(f"    {line}\n" for line in lines)
        # Of names in the schema and in the document, which are letters, digits and underscores.
        exec(text, self._names)  # noqa: S102
        return cast("Answer", self._names["answer"])


def listed(value: Any) -> list[Any]:
    """Raises Surprise for what may be gone through but once, or is an error."""
    if not isinstance(value, list | tuple):
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
