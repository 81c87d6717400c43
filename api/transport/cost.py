"""What an operation may cost, told before it is executed: in points of some 20 microseconds.

Every object counts one, lists as many as they may have, and what asks the database its weight: as
the schema declares it (api/cost_directives.py). A bound that is too high refuses nothing that
tools ask.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLArgument,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    Undefined,
    get_named_type,
    get_nullable_type,
    is_list_type,
    value_from_ast_untyped,
)
from strawberry.schema.schema_converter import GraphQLCoreConverter

from api.cost_directives import Cost, ListSize
from api.transport.operations import Document
from domain.errors import InvalidInput

COST_MAX = 50_000  # a second of the server; our own largest operation costs a fifth of it
OPERATION_COST = 50  # of any: to take it in, to read it, to answer
REFUSED_COST = 100  # of what is none, or may not be asked
SCHEMA_COST = 3_000  # of introspection, which is bounded by the schema
LIST_SIZE = 10  # of lists that declare none
COSTS_KEPT = 100  # of a document with different variables
SLICE_MAX = 100  # more is refused by the resolver


class TooCostly(InvalidInput):
    """The operation may cost {found} points, of at most {limit}; ask for fewer at once."""

    field = "query"


@dataclass(frozen=True, slots=True)
class Price:
    """Of a field, as it is declared."""

    weight: int
    arguments: Mapping[str, int]  # weights of those that have one
    size: int  # of the list that it is, 1 where it is none
    slicing: str | None  # the argument that tells the size instead
    sized: frozenset[str]  # the lists below whose size that tells; none: its own


class Sized(NamedTuple):
    """What a slicing argument says of the fields below it."""

    fields: frozenset[str] = frozenset()
    size: int = 1


NOT_SIZED = Sized()


class Prices:
    """Of all fields of a schema."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self.schema = schema
        self._prices = {
            (of.name, name): _price(field)
            for of in schema.type_map.values()
            if isinstance(of, GraphQLObjectType | GraphQLInterfaceType)
            for name, field in of.fields.items()
        }

    def of(self, parent: GraphQLNamedType, name: str) -> Price:
        return self._prices[parent.name, name]

    def cost_of(
        self, document: Document, operation: OperationDefinitionNode, variables: Mapping[str, Any]
    ) -> int:
        """Of a valid document. A fragment is looked at once for each list size it is spread in."""
        of = operation.name.value if operation.name else ""
        named = [each.variable.name.value for each in operation.variable_definitions or ()]
        key = of, *(_weighed(variables.get(name, Undefined)) for name in named)
        cost = document.costs.get(key)
        if cost is None:
            cost = self._cost_of(document, operation, variables)
            if len(document.costs) < COSTS_KEPT:
                document.costs[key] = cost
        return cost

    def _cost_of(
        self, document: Document, operation: OperationDefinitionNode, variables: Mapping[str, Any]
    ) -> int:
        root = self.schema.get_root_type(operation.operation)
        defaults = {
            each.variable.name.value: value_from_ast_untyped(each.default_value)
            for each in operation.variable_definitions or ()
            if each.default_value
        }
        asked = _Asked(self, document, {**defaults, **variables})
        return OPERATION_COST + (asked.selected(operation.selection_set, root) if root else 0)


def _weighed(value: object) -> object:
    """What of a variable may matter: how many, and whether there is any."""
    return (
        value if value is None or value is Undefined or isinstance(value, int) else (bool(value),)
    )


def _price(field: GraphQLField) -> Price:
    declared = _directives(field)
    costs = (each for each in declared if isinstance(each, Cost))
    sizes = (each for each in declared if isinstance(each, ListSize))
    list_size = next(sizes, ListSize())
    usual = LIST_SIZE if is_list_type(get_nullable_type(field.type)) else 1
    return Price(
        weight=sum(int(each.weight) for each in costs),
        arguments={
            name: int(each.weight)
            for name, argument in field.args.items()
            for each in _directives(argument)
            if isinstance(each, Cost)
        },
        size=list_size.assumed_size or usual,
        slicing=next(iter(list_size.slicing_arguments or ()), None),
        sized=frozenset(list_size.sized_fields or ()),
    )


def _directives(of: GraphQLField | GraphQLArgument) -> Iterable[object]:
    definition = of.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    return getattr(definition, "directives", ())


class _Asked:
    """A document with its variables."""

    def __init__(self, prices: Prices, document: Document, variables: dict[str, Any]) -> None:
        self.prices = prices
        self.variables = variables
        self.fragments = {
            each.name.value: each
            for each in (document.node.definitions if document.node else ())
            if isinstance(each, FragmentDefinitionNode)
        }
        self._known: dict[tuple[str, Sized], int] = {}  # of fragments

    def selected(
        self, selections: SelectionSetNode, parent: GraphQLNamedType, sized: Sized = NOT_SIZED
    ) -> int:
        return sum(self._one(each, parent, sized) for each in selections.selections)

    def _one(self, selection: SelectionNode, parent: GraphQLNamedType, sized: Sized) -> int:
        match selection:
            case FieldNode(name=name) if name.value.startswith("__"):
                return 0 if name.value == "__typename" else SCHEMA_COST
            case FieldNode():
                return self._field(selection, parent, sized)
            case InlineFragmentNode(type_condition=condition, selection_set=inner):
                named = self.prices.schema.type_map[condition.name.value] if condition else parent
                return self.selected(inner, named, sized)
            case FragmentSpreadNode(name=name):
                return self._fragment(name.value, sized)
        return 0

    def _fragment(self, name: str, sized: Sized) -> int:
        if (name, sized) not in self._known:
            fragment = self.fragments[name]
            named = self.prices.schema.type_map[fragment.type_condition.name.value]
            self._known[name, sized] = self.selected(fragment.selection_set, named, sized)
        return self._known[name, sized]

    def _field(self, node: FieldNode, parent: GraphQLNamedType, sized: Sized) -> int:
        name = node.name.value
        price = self.prices.of(parent, name)
        field: GraphQLField = parent.fields[name]  # type: ignore[attr-defined]
        size = sized.size if name in sized.fields else price.size
        below = NOT_SIZED
        if price.slicing:
            sliced = _within_bounds(self._given(price.slicing, field, node))
            size, below = (1, Sized(price.sized, sliced)) if price.sized else (sliced, below)
        cost = price.weight + sum(
            weight for each, weight in price.arguments.items() if self._given(each, field, node)
        )
        if node.selection_set is None:
            return cost
        return cost + size * (
            1 + self.selected(node.selection_set, get_named_type(field.type), below)
        )

    def _given(self, name: str, field: GraphQLField, node: FieldNode) -> Any:
        for argument in node.arguments or ():
            if argument.name.value == name:
                value = value_from_ast_untyped(argument.value, self.variables)
                if value is not Undefined:
                    return value
        return field.args[name].default_value


def _within_bounds(first: object) -> int:
    """What is out of bounds is refused by its resolver."""
    return min(max(first, 1), SLICE_MAX) if isinstance(first, int) else SLICE_MAX
