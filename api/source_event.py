"""What subscribers are told together: each group of equal ones executes and encodes it once."""

from collections.abc import Callable
from typing import Any, TypeAlias


class SourceEvent:
    """As GraphQL calls it: the root value of an execution. All who are told it share the object."""

    cursor: str = ""  # where to go on behind it, of a stream that can be resumed
    repeats = True  # is told though its answer is the one before: it happened again
    is_paid = False  # whether who has it executed pays for it as for a query

    def __init__(self) -> None:
        self.answers: dict[object, Any] = {}  # by group; gone with the event


class Watermark(SourceEvent):
    """Nothing happened, but the stream is complete up to here."""

    def __init__(self, region: str, pos: int) -> None:
        super().__init__()
        self.pos = pos
        self.cursor = f"{region}:{pos}"


# Whether a subscriber was told of an event then and there. Who was not, is told in their turn.
AtOnce: TypeAlias = Callable[[SourceEvent], bool]


class Began(Watermark):
    """The first of a stream: its reader may say by it how they can be told at once."""

    def __init__(self, region: str, pos: int, tell_by: Callable[[AtOnce], None]) -> None:
        super().__init__(region, pos)
        self.tell_by = tell_by
