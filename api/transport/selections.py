"""What a document selects of a type, where that is the same whatever its variables are."""

from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property
from typing import cast

from graphql import (
    BREAK,
    DirectiveNode,
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    SelectionSetNode,
    Visitor,
    visit,
)
from graphql.execution.collect_fields import (
    CollectFieldsContext,
    FieldDetailsList,
    FragmentDetails,
    GroupedFieldSet,
    visit_selection_sets,
)
from graphql.execution.values import VariableValues


class Conditions(Visitor):
    """Whether there is a @skip or an @include."""

    any = False

    def enter_directive(self, node: DirectiveNode, *_: object) -> object:
        self.any |= node.name.value in ("skip", "include")
        return BREAK if self.any else None


class Selections:
    """Of one document. None where other variables may select something else."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode) -> None:
        self._schema = schema
        self._document = document
        self._fragments = {
            each.name.value: FragmentDetails(each)
            for each in document.definitions
            if isinstance(each, FragmentDefinitionNode)
        }

    @cached_property
    def are_conditional(self) -> bool:
        found = Conditions()
        visit(self._document, found)
        return found.any

    def below(self, type_: GraphQLObjectType, at: FieldDetailsList) -> GroupedFieldSet | None:
        """Of what a field gives."""
        return self._of(type_, [each.node.selection_set for each in at])

    def root(
        self, type_: GraphQLObjectType, operation: OperationDefinitionNode
    ) -> GroupedFieldSet | None:
        return self._of(type_, [operation.selection_set])

    def _of(
        self, type_: GraphQLObjectType, sets: Iterable[SelectionSetNode | None]
    ) -> GroupedFieldSet | None:
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
