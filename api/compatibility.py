"""Whether clients of a released schema can live with this one: what changes, what may go.

A field, argument or enum value goes only when the released schema said so: deprecated, and its day
has come. The reason of a deprecation names that day and the successor.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from typing import Any, NamedTuple

from graphql import (
    REMOVE,
    BreakingChange,
    DangerousChange,
    DirectiveNode,
    GraphQLNamedType,
    GraphQLSchema,
    Node,
    StringValueNode,
    Visitor,
    build_ast_schema,
    build_schema,
    find_breaking_changes,
    find_dangerous_changes,
    parse,
    visit,
)

REASON = re.compile(r"Until (\d{4}-\d{2}-\d{2}): use (\S.*)\.")


class Deprecation(NamedTuple):
    until: date  # from this day on it may be removed
    successor: str


def read_reason(reason: str) -> Deprecation:
    """Raises ValueError unless it is as in "Until 2027-06-01: use Query.incidents."."""
    found = REASON.fullmatch(reason)
    if found is None:
        raise ValueError(f"A deprecation names its day and the successor, not {reason!r}")
    return Deprecation(date.fromisoformat(found[1]), found[2])


class Changes(NamedTuple):
    breaking: list[BreakingChange]
    dangerous: list[DangerousChange]


def changes_since(released: str, schema: GraphQLSchema, *, today: date) -> Changes:
    """What a client of the released schema, in the schema language, would meet in this one."""
    return Changes(
        find_breaking_changes(_still_promised(released, today), schema),
        find_dangerous_changes(build_schema(released), schema),
    )


def _still_promised(released: str, today: date) -> GraphQLSchema:
    """Without what was to go by today, and without the types that nothing else leads to."""
    left = build_ast_schema(visit(parse(released), _Due(today)), assume_valid=True)
    return GraphQLSchema(
        left.query_type,
        left.mutation_type,
        left.subscription_type,
        types=_implementations(left),
        directives=left.directives,
        assume_valid=True,
    )


class _Due(Visitor):
    """Removes what was to go."""

    def __init__(self, today: date) -> None:
        super().__init__()
        self.today = today

    def enter(self, node: Node, *_: Any) -> Any:
        for directive in getattr(node, "directives", None) or ():
            if directive.name.value == "deprecated":
                return REMOVE if _until(directive) <= self.today else None
        return None


def _until(deprecated: DirectiveNode) -> date:
    """The last of all days, where the reason names none: it was never said when."""
    for argument in deprecated.arguments or ():
        if isinstance(argument.value, StringValueNode):
            with suppress(ValueError):
                return read_reason(argument.value.value).until
    return date.max


def _implementations(schema: GraphQLSchema) -> list[GraphQLNamedType]:
    """Of interfaces, which a query may answer although no field names them."""
    return [each for each in schema.type_map.values() if getattr(each, "interfaces", None)]


def deprecations(schema: GraphQLSchema) -> Iterator[tuple[str, str]]:
    """Everything deprecated as `Type.field`, `Type.field(argument:)`, `Enum.VALUE`; its reason."""
    for kind in schema.type_map.values():
        parts = {**getattr(kind, "fields", {}), **getattr(kind, "values", {})}
        for name, part in parts.items():
            if part.deprecation_reason is not None:
                yield f"{kind.name}.{name}", part.deprecation_reason
            for argument, each in getattr(part, "args", {}).items():
                if each.deprecation_reason is not None:
                    yield f"{kind.name}.{name}({argument}:)", each.deprecation_reason
