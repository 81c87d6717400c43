"""Lines of the log: text for a person, JSON for a collector. Of an exception never its message.

What an exception says may quote what a citizen wrote, and a statement its values: its kind and
where it was raised tell enough. Lines of an operation name it, and the viewer's role and scope.
"""

import json
import logging
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from types import TracebackType

from opentelemetry import trace

from api.telemetry.observing import observed
from api.viewer import write_scope

ExceptionInfo = (
    tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
)


def configure(*, as_json: bool) -> None:
    """All loggers of the process, on standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if as_json else TextLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for noisy in ("httpx", "pymorphy3"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


class TextLines(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        record.exc_text = None  # what another handler made of it
        return super().format(record)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - of the library
        facts = " ".join(f"{name}={value}" for name, value in facts_of(record).items())
        return f"{super().formatMessage(record)} {facts}".rstrip()

    def formatException(self, ei: ExceptionInfo) -> str:  # noqa: N802 - of the library
        return "\n".join(stack_of(ei[1]))


class JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **facts_of(record),
        }
        if record.exc_info and record.exc_info[1]:
            line["exception"] = type(record.exc_info[1]).__name__
            line["stack"] = list(stack_of(record.exc_info[1]))
        return json.dumps(line, ensure_ascii=False, default=str)


def facts_of(record: logging.LogRecord) -> dict[str, object]:
    """What its `extra` calls facts, and during which operation it was written."""
    facts: dict[str, object] = dict(getattr(record, "facts", {}))
    operation, span = observed(), trace.get_current_span().get_span_context()
    if operation.name:
        facts |= {"operation": operation.name, "type": operation.kind}
        facts |= {"role": operation.viewer.role.value}
        scope = operation.viewer.scope
        if scope is not None:
            facts["scope"] = ",".join(scope.regions or ()) or write_scope(scope)
    if span.is_valid:
        facts["traceId"] = trace.format_trace_id(span.trace_id)
    return facts


def stack_of(error: BaseException | None) -> Iterator[str]:
    """Where it was raised, and what it came from, innermost cause first; no message."""
    if error is None:
        return
    yield from stack_of(
        error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    )
    for frame in traceback.extract_tb(error.__traceback__):
        yield f"{frame.filename}:{frame.lineno} in {frame.name}"
    yield type(error).__name__
