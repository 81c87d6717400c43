"""Spans: one of an operation, below it what was done for it; nothing of what was asked about."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import uuid4

import dramatiq
import pytest
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware import CurrentMessage
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from api.telemetry.traces import provider_for
from regions.store import tracing
from regions.store.jobs import job
from tests.api.conftest import Api
from tests.api.test_telemetry import CHANGES, told
from tests.waiting import until
from workers.actors import traced

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"
REGISTER = """
mutation Register($id: UUID!) {
  registerIncident(input: {commandId: $id, region: "BRONX", channel: "PHONE",
    publishedAt: "2026-03-02T12:00:00Z", citizen: {name: "Kanarejka", text: "Kanarejka"}}) {
    position userErrors { code }
  }
}
"""


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "tracer", provider.get_tracer("tests"))
    yield exporter
    provider.shutdown()


def named(spans: InMemorySpanExporter, name: str) -> ReadableSpan:
    """The only one of this name, once it has ended."""
    until(lambda: any(each.name == name for each in spans.get_finished_spans()))
    (found,) = (each for each in spans.get_finished_spans() if each.name == name)
    return found


def attributes(span: ReadableSpan) -> dict[str, object]:
    return dict(span.attributes or {})


def test_an_operation_is_a_span_of_the_client_s_trace(
    shared_api: Api, spans: InMemorySpanExporter
) -> None:
    token = shared_api.token("BRONX", name="petrova")
    headers = {"authorization": f"Bearer {token}", "traceparent": PARENT}
    body = {"query": REGISTER, "variables": {"id": str(uuid4())}}
    answer = shared_api.client.post("/graphql", json=body, headers=headers).json()
    assert answer["data"]["registerIncident"]["userErrors"] == []
    operation = named(spans, "mutation Register")
    assert f"{operation.context.trace_id:032x}" == TRACE
    told_of = attributes(operation)
    assert told_of["graphql.operation.name"] == "Register"
    assert told_of["tsur.sql.statements"] > 0  # type: ignore[operator]
    assert told_of["tsur.errors"] == ()
    command = named(spans, "command")
    assert command.parent == operation.context
    statements = [each for each in spans.get_finished_spans() if each.name == "SQL"]
    assert command.context in [each.parent for each in statements]
    assert any("record_events" in str(attributes(each)) for each in statements)
    everything = "".join(each.to_json() for each in spans.get_finished_spans())
    assert not any(word in everything for word in ("Kanarejka", "petrova", body["variables"]["id"]))  # type: ignore[index]


def test_a_refusal_is_told_by_its_code(shared_api: Api, spans: InMemorySpanExporter) -> None:
    shared_api.answer("query Closed { incidents { edges { cursor } } }")
    assert attributes(named(spans, "query Closed"))["tsur.errors"] == ("NOT_PERMITTED",)
    shared_api.answer("{ nothing }")
    assert attributes(named(spans, "no operation"))["tsur.errors"] == ("BAD_REQUEST",)


def test_a_stream_is_a_span_once_it_has_ended(shared_api: Api, spans: InMemorySpanExporter) -> None:
    with shared_api.open_socket(shared_api.token("BRONX")) as client:
        client.subscribe(CHANGES)
        until(lambda: told(shared_api).get(("tsur_open_streams", "Live")) == 1)
        assert "subscription Live" not in [each.name for each in spans.get_finished_spans()]
    assert attributes(named(spans, "subscription Live"))["graphql.operation.type"] == "subscription"


def test_a_traceparent_that_is_none_begins_a_trace(
    shared_api: Api, spans: InMemorySpanExporter
) -> None:
    body = {"query": "query Plain { __typename }"}
    shared_api.client.post("/graphql", json=body, headers={"traceparent": "nonsense"})
    assert named(spans, "query Plain").parent is None


def test_a_job_goes_on_with_the_trace_of_what_asked_for_it(spans: InMemorySpanExporter) -> None:
    broker = StubBroker(middleware=[CurrentMessage()])

    def act(name: str) -> None:
        if name == "fails":
            raise ValueError("Kanarejka")

    dramatiq.actor(actor_name="act", broker=broker)(traced(act))
    with tracing.span("asks", parent=PARENT):
        for name in ("works", "fails"):
            body = job("act", name, available_at=datetime.now(UTC)).body
            broker.enqueue(dramatiq.Message.decode(body))
    worker = dramatiq.Worker(broker, worker_timeout=10)
    worker.start()
    broker.join("default", fail_fast=False)
    worker.join()
    worker.stop()
    asked = named(spans, "asks")
    jobs = [each for each in spans.get_finished_spans() if each.name == "act"]
    assert [each.parent.span_id for each in jobs if each.parent] == [asked.context.span_id] * 2
    assert {f"{each.context.trace_id:032x}" for each in jobs} == {TRACE}
    failed = [each for each in jobs if each.status.status_code is StatusCode.ERROR]
    assert [each.status.description for each in failed] == ["ValueError"]
    assert "Kanarejka" not in "".join(each.to_json() for each in jobs)


def test_without_a_collector_a_job_carries_nothing() -> None:
    body = job("act", "works", available_at=datetime.now(UTC)).body
    assert dramatiq.Message.decode(body).options == {}


def test_spans_are_sent_to_the_collector_of_the_settings() -> None:
    received: list[tuple[str, bytes]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            received.append((self.path, body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        threading.Thread(target=server.serve_forever).start()
        provider = provider_for(f"http://127.0.0.1:{server.server_port}/", "api")
        provider.get_tracer("tests").start_span("query Sent").end()
        provider.shutdown()
        server.shutdown()
    ((path, body),) = received
    assert path == "/v1/traces"
    assert b"query Sent" in body
    assert b"tsur-api" in body
