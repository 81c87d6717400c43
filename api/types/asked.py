"""What an operation asks for below the field that is resolved."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from graphql import FieldNode, FragmentDefinitionNode, FragmentSpreadNode, InlineFragmentNode

from api.context import Info
from api.telemetry.observing import observed

NAMES_KEPT = 1_000  # more than the schema has fields


def names_asked(info: Info) -> frozenset[str]:
    """Fields at any depth below, by their names in Python; kept with the document."""
    raw = info._raw_info
    document, (first, *merged) = observed().document, raw.field_nodes
    if document is None or merged:  # with others the next time
        return _names(raw.field_nodes, raw.fragments)
    node, names = document.asked.get(id(first), (None, frozenset()))
    if node is not first:
        names = _names(raw.field_nodes, raw.fragments)
        document.asked[id(first)] = first, names
    return names


def _names(
    nodes: Sequence[FieldNode], known: Mapping[str, FragmentDefinitionNode]
) -> frozenset[str]:
    """Each fragment is looked at once."""
    names: set[str] = set()
    fragments = dict(known)
    waiting = [each.selection_set for each in nodes]
    while waiting:
        selections = waiting.pop()
        for selection in selections.selections if selections else ():
            if isinstance(selection, FieldNode):
                names.add(to_snake_case(selection.name.value))
                if selection.selection_set is not None:
                    waiting.append(selection.selection_set)
            elif isinstance(selection, InlineFragmentNode):
                waiting.append(selection.selection_set)
            elif isinstance(selection, FragmentSpreadNode):
                fragment = fragments.pop(selection.name.value, None)
                waiting.append(fragment.selection_set if fragment else None)
    return frozenset(names)


@lru_cache(NAMES_KEPT)
def to_snake_case(name: str) -> str:
    """`replyP90Seconds` as `reply_p90_seconds`."""
    return re.sub(r"(?=[A-Z])", "_", name).lower()
