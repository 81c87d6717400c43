"""What is plain in a selection, as one generated Python function for each type and place.

Plain is a field whose resolver is synchronous and has no arguments: it reads what is in memory, so
asking it twice harms nobody.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLField,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    get_named_type,
    is_leaf_type,
    is_object_type,
)
from graphql.execution.collect_fields import FieldDetailsList, GroupedFieldSet
from strawberry.types.field import StrawberryField

from api.transport.code import DEFINITION, ObjectCode, Plan
from api.transport.lists import ListAnswer
from api.transport.selections import Selections


@dataclass(frozen=True, slots=True)
class Only:
    """The one field that a query asks for, of a resolver that is awaited."""

    name: str  # as it is answered
    of: GraphQLObjectType
    field: GraphQLField
    resolve: Callable[..., Awaitable[Any]]
    at: FieldDetailsList
    nodes: list[FieldNode]


CONDITIONAL = Plan(None, {}, frozenset({"directive"}))


class Plans:
    """Of one document, whose nodes they are known by: they must not outlive it."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode) -> None:
        self._selections = Selections(schema, document)
        self._queries = schema.query_type
        self._made: dict[tuple[str, tuple[int, ...]], Plan] = {}
        self._only: dict[int, Only | None] = {}  # by operation

    def of(self, type_: GraphQLObjectType, at: FieldDetailsList) -> Plan:
        key = type_.name, tuple([id(each.node) for each in at])
        plan = self._made.get(key)
        if plan is None:
            # Other variables may merge other fields: of twenty repeated ones a million sets.
            if len(at) > 1 and self._selections.are_conditional:
                return CONDITIONAL
            plan = self._made[key] = self._make(type_, at)
        return plan

    def only(self, operation: OperationDefinitionNode) -> Only | None:
        """None of what is no query, asks for several fields, or may ask for none."""
        if id(operation) not in self._only:
            self._only[id(operation)] = self._find_only(operation)
        return self._only[id(operation)]

    def _find_only(self, operation: OperationDefinitionNode) -> Only | None:
        type_ = self._queries
        if operation.operation is not OperationType.QUERY or type_ is None:
            return None
        selected = self._selections.root(type_, operation)
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
        selected = self._selections.below(type_, at)
        if selected is None:
            return CONDITIONAL
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
        each = None if rest else ListAnswer(self._selections, type_, at, answer)
        return Plan(answer, rest, frozenset(reasons), each)

    def _write(
        self, code: ObjectCode, name: str, type_: GraphQLObjectType, at: FieldDetailsList
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
