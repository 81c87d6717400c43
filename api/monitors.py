"""The door for monitors: how regions stand, and this process, in the words of Prometheus."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import psycopg
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from api.telemetry.metrics import Metrics
from api.viewer import IssuerUnavailable, ViewerOf
from domain.errors import NotPermitted
from domain.rights import Scope
from domain.vocabulary import OPEN
from projections.pool import ReadPool
from projections.views.monitoring import (
    WATCHED_DAYS,
    NodeState,
    RegionState,
    node_state,
    region_states,
)
from regions.federation.replication import Slot
from regions.reference.catalogue import Catalogue


@dataclass
class Monitors:
    readers: ReadPool
    catalogue: Catalogue
    viewer_of: ViewerOf
    clock: Callable[[], datetime]
    metrics: Metrics  # of this process

    async def answer(self, request: Request) -> Response:
        """Of the regions that the token covers."""
        return await self._answer(request, self._states)

    async def answer_server(self, request: Request) -> Response:
        """Of this process, and of what waits for an operator: for who sees the whole country."""
        return await self._answer(request, self._server)

    async def _answer(
        self, request: Request, look: Callable[[Request], Awaitable[CollectorRegistry]]
    ) -> Response:
        try:
            registry = await look(request)
        except NotPermitted as refusal:
            error = {"code": refusal.code, "message": str(refusal), "field": refusal.field}
            headers = {"WWW-Authenticate": "Bearer"}
            return JSONResponse({"error": error}, status_code=401, headers=headers)
        except (psycopg.OperationalError, IssuerUnavailable):
            return PlainTextResponse("", 503)
        try:
            encode, content_type = choose_encoder(request.headers.get("accept", ""))
        except (TypeError, ValueError):  # a version that is none
            encode, content_type = choose_encoder("")
        return Response(encode(registry), headers={"Content-Type": content_type})

    async def _states(self, request: Request) -> CollectorRegistry:
        """Raises NotPermitted."""
        viewer = await self.viewer_of(request.headers.get("authorization"))
        if viewer.scope is None:
            raise NotPermitted
        async with self.readers.connection() as connection:
            states = await region_states(
                connection, viewer.scope, catalogue=self.catalogue, now=self.clock()
            )
        # A registry of its own: what one may see stays in no other answer.
        registry = CollectorRegistry()
        registry.register(States(states))
        return registry

    async def _server(self, request: Request) -> CollectorRegistry:
        """Raises NotPermitted."""
        viewer = await self.viewer_of(request.headers.get("authorization"))
        if viewer.scope != Scope():
            raise NotPermitted
        async with self.readers.connection() as connection:
            state = await node_state(connection, now=self.clock())
        registry = CollectorRegistry()
        registry.register(ServerState(state, self.readers.get_stats()))
        registry.register(self.metrics.registry)
        return registry


@dataclass(eq=False)  # a registry keeps it in a set
class States(Collector):
    states: Sequence[RegionState]

    def collect(self) -> Iterator[Metric]:
        yield self._of_each("tsur_open_incidents", "Open now.", "status", _open)
        yield self._of_each("tsur_waiting_incidents", "In a queue now.", "queue", _waiting)
        days = f"on the last {WATCHED_DAYS} full local days"
        yield self._gauge(
            "tsur_registered_incidents", f"Registered {days}.", lambda state: state.registered
        )
        yield self._gauge(
            "tsur_answered_incidents",
            f"Of those registered {days}, with a reply by a human.",
            lambda state: state.answered,
        )
        recorded = CounterMetricFamily(
            "tsur_events_recorded", "Events of the region.", labels=["region"]
        )
        for state in self.states:
            recorded.add_metric([state.progress.region], state.progress.head)
        yield recorded
        yield self._gauge(
            "tsur_position", "Last event taken in.", lambda state: state.progress.position
        )
        yield self._gauge(
            "tsur_lag_events",
            "Recorded but not taken in yet.",
            lambda state: state.progress.lag,
        )
        yield self._gauge(
            "tsur_stopped",
            "1 while an event cannot be taken in.",
            lambda state: int(state.progress.stopped),
        )

    def _gauge(
        self, name: str, description: str, value_of: Callable[[RegionState], int | None]
    ) -> Metric:
        gauge = GaugeMetricFamily(name, description, labels=["region"])
        for state in self.states:
            value = value_of(state)
            if value is not None:
                gauge.add_metric([state.progress.region], value)
        return gauge

    def _of_each(
        self,
        name: str,
        description: str,
        label: str,
        counts_of: Callable[[RegionState], dict[str, int]],
    ) -> Metric:
        gauge = GaugeMetricFamily(name, description, labels=["region", label])
        for state in self.states:
            for word, count in counts_of(state).items():
                gauge.add_metric([state.progress.region, word], count)
        return gauge


@dataclass(eq=False)
class ServerState(Collector):
    state: NodeState
    pool: Mapping[str, int]

    def collect(self) -> Iterator[Metric]:
        state, busy = self.state, self.pool.get("requests_waiting", 0)
        yield from (
            GaugeMetricFamily(f"tsur_{name}", description, value)
            for name, description, value in (
                ("dead_letters", "Events to mend or to skip.", state.dead_letters),
                ("quarantined_jobs", "Jobs given up.", state.quarantined_jobs),
                ("failing_jobs", "Jobs tried again.", state.failing_jobs),
                ("quarantined_deliveries", "Not understood.", state.quarantined_deliveries),
                ("job_waiting_seconds", "Of the next job, since it is due.", state.waiting_seconds),
                ("questions_waiting", "For a connection to the database.", busy),
            )
        )
        differences = GaugeMetricFamily(
            "tsur_federation_differences", "Events not as at their node.", labels=["region"]
        )
        for region, number in state.differences.items():
            differences.add_metric([region], number)
        yield differences
        yield self._of_slots("retained_bytes", "Of the log, kept for a hub.", _retained)
        yield self._of_slots("safe_bytes", "Written before it may be lost.", _safe)
        yield self._of_slots("lost", "1: its hub needs a resync.", lambda slot: int(slot.lost))

    def _of_slots(
        self, name: str, description: str, value_of: Callable[[Slot], int | None]
    ) -> Metric:
        gauge = GaugeMetricFamily(f"tsur_replication_slot_{name}", description, labels=["slot"])
        for slot in self.state.slots:
            value = value_of(slot)
            if value is not None:
                gauge.add_metric([slot.name], value)
        return gauge


def _retained(slot: Slot) -> int:
    return slot.retained_bytes


def _safe(slot: Slot) -> int | None:
    return slot.safe_bytes


def _open(state: RegionState) -> dict[str, int]:
    """Zeros too: a series that comes and goes cannot be drawn, nor alarm."""
    return {status.value: state.open_by_status.get(status, 0) for status in sorted(OPEN)}


def _waiting(state: RegionState) -> dict[str, int]:
    return {queue.value: count for queue, count in state.queues.items()}
