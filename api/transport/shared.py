"""Equal questions at about the same time: what is statistics is reckoned once for all who ask.

Only operations all of whose root fields say so in the schema (api/cache_control.py).
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import orjson
from graphql import (
    ExecutionResult,
    FieldNode,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
)
from strawberry.schema.schema_converter import GraphQLCoreConverter

from api.cache_control import CacheControl
from api.transport.groups import Sent
from api.transport.operations import Document
from api.viewer import Viewer

ANSWERS_MAX = 500
KEPT_BYTES_MAX = 128 * 1024  # of an answer, as JSON; a larger one is told to those who wait for it


@dataclass(eq=False)
class Shared:
    """An answer that is reckoned, or was a moment ago."""

    task: asyncio.Future[ExecutionResult]
    until: float
    document: Document  # while it is held, the ids in its key are nobody else's
    waiting: int = 0


@dataclass
class SharedAnswers:
    """Of one process."""

    schema: GraphQLSchema
    clock: Callable[[], float] = time.monotonic
    answers: dict[Hashable, Shared] = field(default_factory=dict)
    seconds: dict[str, int] = field(init=False)  # by root field

    def __post_init__(self) -> None:
        root = self.schema.query_type
        self.seconds = {
            name: directive.max_age
            for name, of in (root.fields if root else {}).items()
            for directive in getattr(
                of.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF), "directives", ()
            )
            if isinstance(directive, CacheControl)
        }

    def seconds_of(self, operation: OperationDefinitionNode) -> int:
        """For how long others may have its answer; 0 of what nobody else may have."""
        if operation.operation is not OperationType.QUERY:
            return 0
        return min(
            self.seconds.get(each.name.value, 0) if isinstance(each, FieldNode) else 0
            for each in operation.selection_set.selections
        )

    async def answer(
        self,
        sent: Sent,
        rights: Viewer,
        seconds: int,
        reckon: Callable[[], Coroutine[Any, Any, ExecutionResult]],
    ) -> ExecutionResult:
        """What `reckon` finds, or found for somebody who began to ask less than `seconds` ago.

        It ends when all who wait for it have left. Not to be changed by who gets it.
        """
        now, key = self.clock(), sent.key(rights)
        shared = self.answers.get(key)
        if shared is None or shared.until <= now:
            if len(self.answers) >= ANSWERS_MAX:
                self.answers.clear()  # who comes next has it reckoned anew
            shared = Shared(asyncio.ensure_future(reckon()), now + seconds, sent.document)
            shared.task.add_done_callback(partial(self._ended, key, shared))
            self.answers[key] = shared
            asyncio.get_running_loop().call_later(seconds, self._drop, key, shared)
        shared.waiting += 1
        try:
            return await asyncio.shield(shared.task)
        finally:
            shared.waiting -= 1
            if not shared.waiting and not shared.task.done():
                self._drop(key, shared)
                shared.task.cancel()

    def _ended(self, key: Hashable, shared: Shared, task: asyncio.Future[ExecutionResult]) -> None:
        if task.cancelled() or task.exception() or task.result().errors or _is_large(task.result()):
            self._drop(key, shared)

    def _drop(self, key: Hashable, shared: Shared) -> None:
        if self.answers.get(key) is shared:
            del self.answers[key]


def _is_large(result: ExecutionResult) -> bool:
    return len(orjson.dumps(result.data, default=str)) > KEPT_BYTES_MAX
