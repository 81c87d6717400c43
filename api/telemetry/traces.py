"""Where spans go: to a collector of OpenTelemetry, by OTLP over HTTP.

Names, samplers and headers are set by the standard variables (OTEL_SERVICE_NAME,
OTEL_TRACES_SAMPLER, OTEL_EXPORTER_OTLP_HEADERS …), which the library reads.
"""

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor


def provider_for(endpoint: str, process: str) -> TracerProvider:
    """Sends in the background, and once more at the end of the process."""
    ours = Resource.create({SERVICE_NAME: f"tsur-{process}"})
    provider = TracerProvider(resource=ours.merge(OTELResourceDetector().detect()))
    exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def send_to(endpoint: str, process: str) -> None:
    """All spans of this process from now on."""
    trace.set_tracer_provider(provider_for(endpoint, process))
