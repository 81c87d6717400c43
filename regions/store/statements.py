"""Statements of SQL, counted for whoever has them run, and told to their trace."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Self

from opentelemetry.trace import SpanKind
from psycopg import AsyncCursor, Cursor
from psycopg.abc import Params, Query
from psycopg.rows import Row

from regions.store import tracing

STATEMENT_CHARACTERS_MAX = 2_000  # of a span


@dataclass(slots=True)
class Spent:
    """On SQL, on behalf of one operation."""

    statements: int = 0
    seconds: float = 0.0  # until the answer was here


spent: ContextVar[Spent | None] = ContextVar("spent", default=None)


class CountedCursor(Cursor[Row]):
    def execute(self, query: Query, params: Params | None = None, **options: Any) -> Self:
        with _counted(query):
            return super().execute(query, params, **options)  # type: ignore[arg-type]  # overloaded


class CountedAsyncCursor(AsyncCursor[Row]):
    async def execute(self, query: Query, params: Params | None = None, **options: Any) -> Self:
        with _counted(query):
            return await super().execute(query, params, **options)  # type: ignore[arg-type]  # the same


@contextmanager
def _counted(query: Query) -> Iterator[None]:
    if not query:  # a pool asks whether the connection lives
        yield
        return
    account, begun = spent.get(), time.perf_counter()
    try:
        with _told(query) if tracing.is_traced() else nullcontext():
            yield
    finally:
        if account is not None:
            account.statements += 1
            account.seconds += time.perf_counter() - begun


@contextmanager
def _told(query: Query) -> Iterator[None]:
    with tracing.span("SQL", kind=SpanKind.CLIENT) as span:
        span.set_attribute("db.system.name", "postgresql")
        if isinstance(query, str):  # a literal without values, which mypy checks
            span.set_attribute("db.query.text", query[:STATEMENT_CHARACTERS_MAX])
        yield
