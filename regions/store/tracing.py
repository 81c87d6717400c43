"""Spans of OpenTelemetry, for whatever is done on the way to an answer. No provider: no spans.

A span tells what was done, how long it took and the kind of its error: never a variable, a text or
a name. So no exception is recorded with its message.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

PARENT = "traceparent"  # https://www.w3.org/TR/trace-context/

tracer = trace.get_tracer("tsur")
_propagator = TraceContextTextMapPropagator()


def is_traced() -> bool:
    """Whether what runs now belongs to a span that somebody will see."""
    return trace.get_current_span().is_recording()


@contextmanager
def span(
    name: str, *, parent: str | None = None, kind: SpanKind = SpanKind.INTERNAL
) -> Iterator[Span]:
    """What the block does; with `parent`, a traceparent, as part of the trace it names."""
    begun = tracer.start_span(name, context=context_of(parent), kind=kind)
    try:
        with under(begun):
            yield begun
    except Exception as error:
        failed(begun, error)
        raise
    finally:
        begun.end()


def under(span: Span) -> AbstractContextManager[Span]:
    """What the block does is below the span, which may go on after it."""
    return trace.use_span(span, record_exception=False, set_status_on_exception=False)


def failed(span: Span, error: BaseException) -> None:
    span.set_status(Status(StatusCode.ERROR, type(error).__name__))


def context_of(parent: str | None) -> Context | None:
    """None: below what runs now. A traceparent that is none begins a trace of its own."""
    return None if parent is None else _propagator.extract({PARENT: parent}, context=Context())


def carried() -> Mapping[str, str]:
    """What a message takes along so that its reader goes on with this trace; empty without one."""
    carrier: dict[str, str] = {}
    if is_traced():
        _propagator.inject(carrier)
    return carrier
