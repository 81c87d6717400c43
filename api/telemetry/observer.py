"""Who is told of every operation, and passes it on: to metrics, usage, its trace, the slow log."""

import logging
import math
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager

from opentelemetry.trace import SpanKind

from api.context import Context
from api.telemetry.metrics import NO_OPERATION, SUBSCRIPTION, Metrics
from api.telemetry.names import Names
from api.telemetry.observing import Observed, observed
from api.telemetry.usage import Usage
from api.transport.groups import Told
from regions.store import tracing

NAMES_MAX = 200  # of operations
CLIENTS_MAX = 50

log = logging.getLogger("tsur.slow")


class Observer:
    """Of one process."""

    def __init__(
        self,
        usage: Usage | None = None,
        *,
        slow_seconds: float = math.inf,
    ) -> None:
        self.usage = usage
        self.slow_seconds = slow_seconds
        self.metrics = Metrics(self._open_streams)
        self.running: set[Observed] = set()
        self.name_of = Names(NAMES_MAX, of_visitors=NAMES_MAX // 4)
        self.client_of = Names(CLIENTS_MAX, of_visitors=CLIENTS_MAX // 4)

    @contextmanager
    def operation(self, context: Context) -> Iterator[Observed]:
        """Tells of it when the block ends, however it does."""
        caller = context.caller
        span = tracing.tracer.start_span(
            "operation", context=tracing.context_of(caller.traceparent), kind=SpanKind.SERVER
        )
        observed = Observed(caller, context.bearer, span)
        self.running.add(observed)
        try:
            yield observed
        except Exception as error:
            tracing.failed(span, error)
            raise
        finally:
            self.running.discard(observed)
            self._tell(observed)

    async def each(
        self, results: AsyncGenerator[Told, None], context: Context
    ) -> AsyncGenerator[Told, None]:
        """The same, as what an operation is answered that is told of."""
        with self.operation(context) as seen:
            async with aclosing(results):
                while True:
                    with seen.under_way():
                        told = await anext(results, None)
                    if told is None:
                        return
                    yield told
                    if seen.kind == SUBSCRIPTION and told.payload is not None:
                        self.metrics.results[self._name(seen),] += 1

    def counting(self, send: Callable[[Told], bool]) -> Callable[[Told], bool]:
        """The same, with what it sends counted as the operation's that is under way."""
        results, name = self.metrics.results, (self._name(observed()),)

        def counted(told: Told) -> bool:
            sent = send(told)
            if sent:
                results[name] += 1
            return sent

        return counted

    def _open_streams(self) -> Counter[str]:
        """By name of the operation."""
        streams = (each for each in list(self.running) if each.kind == SUBSCRIPTION)
        return Counter(map(self._name, streams))

    def refused(self, code: str) -> None:
        """A request that asked for no operation."""
        self.metrics.errors[NO_OPERATION, code] += 1

    def _name(self, operation: Observed) -> str:
        return self.name_of(operation.name or NO_OPERATION, operation.viewer)

    def _tell(self, ended: Observed) -> None:
        name = self._name(ended)
        client = self.client_of(ended.caller.client or "unnamed", ended.viewer)
        self.metrics.count(ended, name=name, client=client)
        if self.usage is not None and ended.document is not None:
            self.usage.count(client, ended.document)
        # How long a stream was followed is its reader's business.
        if ended.kind != SUBSCRIPTION and ended.seconds >= self.slow_seconds:
            self.metrics.slow[name,] += 1
            with ended.under_way():
                log.warning("Slow operation", extra={"facts": {"client": client, **_facts(ended)}})
        if ended.span.is_recording():
            _trace(ended)


def _facts(ended: Observed) -> dict[str, object]:
    return {
        "document": ended.document.digest if ended.document else None,
        "cost": ended.cost,
        "seconds": round(ended.seconds, 3),
        "sqlStatements": ended.spent.statements,
        "sqlSeconds": round(ended.spent.seconds, 3),
    }


def _trace(ended: Observed) -> None:
    span = ended.span
    span.update_name(f"{ended.kind} {ended.name}" if ended.name else "no operation")
    span.set_attributes(
        {
            "graphql.operation.name": ended.name,
            "graphql.operation.type": ended.kind,
            "graphql.document.hash": ended.document.digest if ended.document else "",
            "tsur.cost": ended.cost,
            "tsur.errors": sorted(set(ended.codes)),
            "tsur.sql.statements": ended.spent.statements,
            **{f"tsur.executor.{how}": number for how, number in ended.executor.items()},
        }
    )
    span.end()
