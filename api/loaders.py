"""What the incidents of one operation need alike, asked for once a region instead of once each."""

from collections.abc import Callable, Hashable, Sequence
from datetime import datetime
from typing import NamedTuple, TypeVar

from domain.rights import Actor
from projections.history import HistoryKey
from regions.centre import Opening
from regions.node import Node
from regions.reading.suggestions import Suggestion
from workers.memory import Memory

Wanted = TypeVar("Wanted")
Group = TypeVar("Group", bound=Hashable)
Found = TypeVar("Found")


class Sight(NamedTuple):
    """Who wants to see something sealed in a region."""

    region: str
    by: Actor
    opening: Opening


def open_all(node: Node, wanted: Sequence[Sight]) -> list[bytes | None]:
    """None of what is erased. Every look is written down. Raises StoreUnavailable."""

    def opened(place: tuple[str, Actor], sights: Sequence[Sight]) -> list[bytes | None]:
        region, by = place
        return node.centre(region).open_noted(by, [each.opening for each in sights])

    return by_group(wanted, lambda each: (each.region, each.by), opened)


def repeated_all(node: Node, wanted: Sequence[HistoryKey], now: datetime) -> list[list[Suggestion]]:
    """Which earlier incidents each may repeat. Raises StoreUnavailable."""
    memory = Memory(node.pool, node.vault)

    def repeated(region: str, keys: Sequence[HistoryKey]) -> list[list[Suggestion]]:
        return memory.repeated_by(region, [each.incident_id for each in keys], now=now)

    return by_group(wanted, lambda each: each.region, repeated)


def by_group(
    wanted: Sequence[Wanted],
    group_of: Callable[[Wanted], Group],
    find: Callable[[Group, Sequence[Wanted]], Sequence[Found]],
) -> list[Found]:
    """What `find` gives for each group, in the order of what is wanted."""
    groups: dict[Group, list[int]] = {}
    for index, each in enumerate(wanted):
        groups.setdefault(group_of(each), []).append(index)
    found: dict[int, Found] = {}
    for group, indices in groups.items():
        answers = find(group, [wanted[index] for index in indices])
        found |= dict(zip(indices, answers, strict=True))
    return [found[index] for index in range(len(wanted))]
