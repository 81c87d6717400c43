"""The subscriptions of one process: from a source of events to what each client is told."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Hashable, Iterator
from contextlib import aclosing, contextmanager, suppress
from functools import partial
from inspect import isawaitable
from typing import Any, cast
from weakref import WeakValueDictionary

from graphql import (
    ExecutionResult,
    Executor,
    GraphQLError,
    GraphQLSchema,
)
from graphql.execution import create_source_event_stream

from api.context import Context
from api.presenting import presented
from api.source_event import Began, SourceEvent, Watermark
from api.telemetry.observing import observed
from api.transport.budget import Principal
from api.transport.groups import Group, Sent, Told
from domain.errors import DomainError

STREAMS_MAX = 200  # at once of one name, or of one address without a token
RECONNECT_SECONDS_MIN, RECONNECT_SECONDS_MAX = 1.0, 10.0
LAST_WORDS_SECONDS = 2.0  # for clients that read slowly

Send = Callable[[Told], bool]  # whether it could be sent without waiting


class TooManySubscriptions(DomainError):
    """{limit} of your subscriptions are open; complete one first."""


class ServerStopping(DomainError):
    """The server is about to stop; connect again and resume after the cursor."""

    def __init__(self) -> None:
        super().__init__()
        # All clients are told at once; they must not all come back at once.
        seconds = random.uniform(RECONNECT_SECONDS_MIN, RECONNECT_SECONDS_MAX)
        self.reconnect_after_seconds = round(seconds, 1)


class Following:
    """How far a client was told, in its turn or at once."""

    def __init__(self, context: Context, send: Send | None) -> None:
        self.context = context
        self.send = send
        self.operation = observed()
        self.cursor: str | None = None
        self.last: bytes | None = None

    def is_news(self, event: SourceEvent, told: Told) -> bool:
        return event.repeats or told.payload != self.last

    def note(self, told: Told) -> None:
        self.cursor, self.last = told.cursor, told.payload

    def tell(self, group: Group, event: SourceEvent) -> bool:
        """Whether it was told at once: it is executed without waiting, and the client keeps up."""
        if self.send is None or self.context.seconds_left() <= 0:
            return False
        told = event.answers.get(group)
        if told is None:
            with self.operation.under_way():
                told = group.begun(event)
        if not isinstance(told, Told) or told.errors is not None:
            return False
        if self.is_news(event, told) and not self.send(told):
            return False
        self.note(told)
        return True


class Streams:
    def __init__(self, schema: GraphQLSchema) -> None:
        self.schema = schema
        self.groups: WeakValueDictionary[Hashable, Group] = WeakValueDictionary()
        self.open: Counter[Principal] = Counter()
        self.none_open = asyncio.Event()
        self.none_open.set()

    async def follow(
        self,
        asked: Sent,
        context: Context,
        *,
        pay: Callable[[], object],
        send: Send | None = None,
    ) -> AsyncGenerator[Told, None]:
        """What a client is told, in order; the last has the errors that ended it.

        Whatever `send` takes meanwhile was told by that. `pay` is called once for each paid event
        that is executed for this client; what it raises ends the stream.
        """
        with self._opened(context.principal):
            following = Following(context, send)
            try:
                if self.open[context.principal] > STREAMS_MAX:
                    raise TooManySubscriptions(limit=STREAMS_MAX)
                group = self._group(asked, context)
                source = await _source(asked.executor(self.schema, context))
                async with aclosing(source) as events:
                    async for event in events:
                        if isinstance(event, Began):
                            event.tell_by(partial(following.tell, group))
                        again = following.last is not None  # the first was paid by asking
                        if event.is_paid and again and group not in event.answers:
                            pay()
                        marked = isinstance(event, Watermark)
                        told = Told(cursor=event.cursor) if marked else await group.answer(event)
                        if told.errors is not None:
                            yield told.ended(following.cursor)
                            return
                        if following.is_news(event, told):
                            yield told
                        # Who comes for the next has sent this one.
                        following.note(told)
            except Exception as error:
                yield Told(errors=reasons(error)).ended(following.cursor)

    async def all_ended(self) -> None:
        """Wait for the end of all that are open now; those of slow clients are left behind."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS_SECONDS):
                await self.none_open.wait()

    @contextmanager
    def _opened(self, principal: Principal) -> Iterator[None]:
        self.open[principal] += 1
        self.none_open.clear()
        try:
            yield
        finally:
            self.open[principal] -= 1
            if not self.open[principal]:
                del self.open[principal]
            if not self.open:
                self.none_open.set()

    def _group(self, asked: Sent, context: Context) -> Group:
        # What of an incident a node opens for a hub, it opens by the token of who asks.
        token = context.authorization if context.bearer.personal_data else None
        key = asked.group_key(context.rights), token
        group = self.groups.get(key)
        if group is None:
            executor = asked.executor(self.schema, context.shared())
            group = self.groups[key] = Group(asked.document, executor)
        return group


async def _source(executor: Executor[Any]) -> AsyncGenerator[SourceEvent, None]:
    """Raises ExceptionGroup of what a resolver raised."""
    found = create_source_event_stream(executor)
    source = await found if isawaitable(found) else found
    if isinstance(source, ExecutionResult):
        raise ExceptionGroup("subscribe", source.errors or [])
    return cast("AsyncGenerator[SourceEvent, None]", source)


def reasons(error: Exception) -> list[dict[str, Any]]:
    """Why a stream ends, as it may be told."""
    told: list[dict[str, Any]] = []
    for cause in error.exceptions if isinstance(error, ExceptionGroup) else [error]:
        located = (
            cause
            if isinstance(cause, GraphQLError)
            else GraphQLError(str(cause), original_error=cause)
        )
        formatted: dict[str, Any] = dict(presented(located).formatted)
        if isinstance(cause, ServerStopping):
            formatted["extensions"]["reconnectAfterSeconds"] = cause.reconnect_after_seconds
        told.append(formatted)
    return told
