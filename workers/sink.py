"""Where a file goes as it is written, and what takes its rows."""

from collections.abc import Callable, Sequence
from typing import Protocol

from projections.views.tables import Row


class Sink(Protocol):
    """Where the bytes of a file go, in order."""

    def write(self, piece: bytes) -> int: ...


Write = Callable[[Sequence[Row]], None]
