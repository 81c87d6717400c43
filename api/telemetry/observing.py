"""One operation as it is told of: its name and client, how long, at what cost, how it went.

Nothing here is a variable, a text or the name of a person.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from graphql import OperationDefinitionNode
from opentelemetry.trace import INVALID_SPAN, Span

from api.telemetry.caller import Caller
from api.transport.operations import Document
from api.viewer import VISITOR, Viewer
from regions.store import tracing
from regions.store.statements import Spent, spent

Numbers = defaultdict[str, int]


@dataclass(slots=True, eq=False)  # each is one of its own
class Observed:
    """An operation under way. Whoever learns something of it notes it here."""

    caller: Caller = field(default_factory=Caller)
    viewer: Viewer = VISITOR
    span: Span = INVALID_SPAN
    name: str = ""  # empty as long as no document is read
    kind: str = ""  # query, mutation or subscription
    document: Document | None = None
    cost: int = 0  # in points, as it was told before
    extra_cost: int = 0  # beyond that, as its resolvers found
    charge: Callable[[int], object] | None = None  # who is to pay for that
    executor: Numbers = field(default_factory=lambda: defaultdict(int))  # what it did how often
    codes: list[str] = field(default_factory=list)  # of errors and refusals
    spent: Spent = field(default_factory=Spent)
    begun: float = field(default_factory=time.perf_counter)

    def asks(self, document: Document, operation: OperationDefinitionNode) -> None:
        self.document = document
        self.name = operation.name.value if operation.name else "anonymous"
        self.kind = operation.operation.value

    def takes_more(self, points: int) -> None:
        """Than was told; paid at once, as nobody may wait for the end."""
        self.extra_cost += points
        if points and self.charge is not None:
            self.charge(points)

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.perf_counter() - self.begun

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """What the block does is done for this operation. Never around a `yield` of a stream."""
        tokens = _current.set(self), spent.set(self.spent)
        try:
            if self.span.is_recording():
                with tracing.under(self.span):
                    yield
            else:
                yield
        finally:
            _current.reset(tokens[0])
            spent.reset(tokens[1])


_current: ContextVar[Observed | None] = ContextVar("operation", default=None)


def observed() -> Observed:
    """The operation under way; where there is none, one that nobody will look at."""
    return _current.get() or Observed()
