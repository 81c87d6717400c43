"""What a process counts, in the words of Prometheus."""

from collections.abc import Callable, Iterator, Mapping
from functools import cache

from graphql import OperationType
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from api.telemetry.observing import Observed

SUBSCRIPTION = OperationType.SUBSCRIPTION.value
NO_OPERATION = "none"  # what was refused before a document was read
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 70)  # seconds


# They would be a series beside each, of when it was first seen.
disable_created_metrics()  # type: ignore[no-untyped-call]  # the library has no types here


class Metrics(Collector):
    """Of one process; a registry of its own, so that two applications may live in one.

    Each attribute gives the series of its labels; to look a series up costs more than to count.
    """

    def __init__(self, open_streams: Callable[[], Mapping[str, int]]) -> None:
        self.open_streams = open_streams
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        seconds = Histogram(
            "tsur_operation_seconds",
            "Queries and mutations, until their answer was there.",
            ["operation", "type"],
            buckets=BUCKETS,
            registry=self.registry,
        )
        self.seconds = cache(seconds.labels)
        self.cost = self._counter("operation_cost", "Points that operations cost.")
        self.slow = self._counter("slow_operations", "That took longer than TSUR_SLOW_SECONDS.")
        self.statements = self._counter("operation_sql_statements", "Statements of SQL.")
        self.sql_seconds = self._counter("operation_sql_seconds", "Seconds waited for SQL.")
        self.executor = self._counter(
            "executor_parts",
            "Parts of answers: compiled, or why they were not.",
            "operation",
            "how",
        )
        self.errors = self._counter("operation_errors", "Errors, refusals.", "operation", "code")
        self.by_client = self._counter("client_operations", "Operations, by who asks.", "client")
        self.results = self._counter("stream_results", "Results handed to subscribers.")
        self.registry.register(self)

    def _counter(self, name: str, description: str, *labels: str) -> Callable[..., Counter]:
        labelled = labels or ("operation",)
        return cache(Counter(f"tsur_{name}", description, labelled, registry=self.registry).labels)

    def collect(self) -> Iterator[Metric]:
        """What stands still until somebody looks."""
        description = "Subscriptions that are followed now."
        streams = GaugeMetricFamily("tsur_open_streams", description, labels=["operation"])
        for name, number in self.open_streams().items():
            streams.add_metric([name], number)
        yield streams

    def count(self, ended: Observed, *, name: str, client: str) -> None:
        """With the names as they may be labels."""
        self.by_client(client).inc()
        for code in ended.codes:
            self.errors(name, code).inc()
        if ended.kind != SUBSCRIPTION:
            self.seconds(name, ended.kind or NO_OPERATION).observe(ended.seconds)
        self.cost(name).inc(ended.cost + ended.extra_cost)
        self.statements(name).inc(ended.spent.statements)
        self.sql_seconds(name).inc(ended.spent.seconds)
        for how, number in ended.executor.items():
            self.executor(name, how).inc(number)
