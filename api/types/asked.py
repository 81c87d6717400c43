"""What an operation asks for below the field that is resolved."""

import re
from functools import lru_cache

from graphql import FieldNode, FragmentSpreadNode, InlineFragmentNode

from api.context import Info

NAMES_KEPT = 1_000  # more than the schema has fields


def names_asked(info: Info) -> set[str]:
    """Fields at any depth below, by their names in Python. Each fragment is looked at once."""
    raw = info._raw_info
    names: set[str] = set()
    fragments = dict(raw.fragments)
    waiting = [each.selection_set for each in raw.field_nodes]
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
    return names


@lru_cache(NAMES_KEPT)
def to_snake_case(name: str) -> str:
    """`replyP90Seconds` as `reply_p90_seconds`."""
    return re.sub(r"(?=[A-Z])", "_", name).lower()
