"""What an operation may cost, told before it is executed: in points of some 20 microseconds.

Every object counts one, lists as many as they may have (`first` where it is given), and what asks
the database its weight. Sizes and weights are those of the Russian network with a million
incidents, as the benches measure them; a bound that is too high refuses nothing that tools ask.
"""

from collections.abc import Mapping
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLNamedType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_list_type,
)

from api.transport.operations import Document
from domain.errors import InvalidInput

COST_MAX = 50_000  # a second of the server; our own largest operation costs a fifth of it
LIST_SIZE = 10  # of lists that are not named below

SIZES: Mapping[str, int] = {
    "Query.regions": 89,
    "Query.topics": 130,
    "Query.channels": 15,
    "Query.projectionStatus": 89,
    "Query._entities": 100,
    "Region.municipalities": 20,
    "Region.organisations": 20,
    "Ranking.rows": 100,
    "Ranking.freshness": 89,
    "Publication.rows": 100,
    "Publication.positions": 89,
    "Board.parts": 20,
    "Board.series": 30,
    "Board.districts": 8,
    "Board.sideBySide": 100,
    "HeatMap.cells": 500,
    "RankExplanation.contributions": 100,
    "IncidentConnection.edges": 1,  # `first` stands at the connection
}
WEIGHTS: Mapping[str, int] = {
    "Query.ranking": 1_000,
    "Subscription.ranking": 1_000,
    "Query.rankExplanation": 10_000,
    "Query.countryBoard": 3_000,
    "Query.heatMap": 1_500,
    "Query.topicPulse": 1_500,
    "Query.briefing": 5_000,
    "Query.policyReplay": 20_000,
    "Query.incidents": 100,
    "Query.publication": 100,
    "Query.publications": 100,
    "Region.board": 150,
    "Municipality.board": 100,
    "Board.compared": 150,
    "Board.series": 300,
    "Board.sideBySide": 2_000,
    "Board.lateness": 1_000,
    "Board.flags": 1_500,
    "Board.districts": 1_000,
    "Incident.timeline": 20,
}


class TooCostly(InvalidInput):
    """The operation may cost {found} points, of at most {limit}; ask for fewer at once."""

    field = "query"


def cost_of(
    schema: GraphQLSchema,
    document: Document,
    operation: OperationDefinitionNode,
    variables: Mapping[str, Any],
) -> int:
    """Of a valid document. Each fragment is looked at once, so this is linear in its tokens."""
    definitions = document.node.definitions if document.node else ()
    fragments = {
        each.name.value: each for each in definitions if isinstance(each, FragmentDefinitionNode)
    }
    known: dict[str, int] = {}

    def of(selections: SelectionSetNode, parent: GraphQLNamedType) -> int:
        return sum(one(each, parent) for each in selections.selections)

    def one(selection: object, parent: GraphQLNamedType) -> int:
        match selection:
            case FieldNode(name=name) if name.value.startswith("__"):
                return 0
            case FieldNode():
                return of_field(selection, parent)
            case InlineFragmentNode(type_condition=condition, selection_set=inner):
                named = schema.type_map[condition.name.value] if condition else parent
                return of(inner, named)
            case FragmentSpreadNode(name=name):
                fragment = fragments[name.value]
                if name.value not in known:
                    named = schema.type_map[fragment.type_condition.name.value]
                    known[name.value] = of(fragment.selection_set, named)
                return known[name.value]
        return 0

    def of_field(node: FieldNode, parent: GraphQLNamedType) -> int:
        name = f"{parent.name}.{node.name.value}"
        field: GraphQLField = parent.fields[node.name.value]  # type: ignore[attr-defined]
        inner = 0
        if node.selection_set is not None:
            inner = 1 + of(node.selection_set, get_named_type(field.type))
        return WEIGHTS.get(name, 0) + _size(name, field, node, variables) * inner

    root = schema.get_root_type(operation.operation)
    return of(operation.selection_set, root) if root else 0


def _size(name: str, field: GraphQLField, node: FieldNode, variables: Mapping[str, Any]) -> int:
    """How often what stands below a field may be answered."""
    if "first" in field.args:
        return _first(field, node, variables)
    if name in SIZES:
        return SIZES[name]
    return LIST_SIZE if is_list_type(get_nullable_type(field.type)) else 1


def _first(field: GraphQLField, node: FieldNode, variables: Mapping[str, Any]) -> int:
    given: Any = field.args["first"].default_value
    for argument in node.arguments or ():
        if argument.name.value == "first":
            match argument.value:
                case IntValueNode(value=text):
                    given = int(text)
                case VariableNode(name=name):
                    given = variables.get(name.value, given)
    # What is out of bounds is refused by its resolver.
    return min(max(given, 1), 100) if isinstance(given, int) else 100
