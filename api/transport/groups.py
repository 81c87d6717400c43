"""Equal subscriptions of viewers with equal rights: what they are told is executed once for all."""

import asyncio
import re
from collections.abc import Coroutine, Hashable, Mapping
from typing import Any, NamedTuple

import orjson
from graphql import (
    ArgumentNode,
    ExecutionResult,
    Executor,
    FieldNode,
    GraphQLSchema,
    OperationDefinitionNode,
    VariableNode,
)
from graphql.execution import execute_subscription_event

from api.context import Context
from api.presenting import presented
from api.source_event import SourceEvent
from api.transport.operations import Document
from api.viewer import Viewer

CURSOR_ARGUMENT = "after"


class Told(NamedTuple):
    """What a client is told of an operation: a result, how far its stream is, or why it ends."""

    payload: bytes | None = None  # `data`, `errors`, `extensions`, as JSON
    errors: list[Any] | None = None  # without a result: nothing comes after them
    cursor: str | None = None  # nothing up to it will come any more

    def ended(self, cursor: str | None) -> "Told":
        """The same errors, with the cursor to go on from."""
        behind = {} if cursor is None else {"cursor": cursor}
        errors = [
            {**error, "extensions": error["extensions"] | behind} for error in self.errors or ()
        ]
        return Told(errors=errors, cursor=cursor)


class Sent(NamedTuple):
    """An operation as somebody sent it."""

    document: Document
    operation: OperationDefinitionNode
    variables: Mapping[str, Any]

    def executor(self, schema: GraphQLSchema, context: Context) -> Executor[Any]:
        """Raises ExceptionGroup of what is wrong with the variables."""
        assert self.document.node is not None, "it was found valid"  # noqa: S101
        built = Executor.build(
            schema,
            self.document.node,
            context_value=context,
            raw_variable_values=dict(self.variables),
            operation_name=self.operation.name.value if self.operation.name else None,
            hide_suggestions=True,
        )
        if isinstance(built, list):
            raise ExceptionGroup("variables", built)
        return built

    def key(self, rights: Viewer) -> Hashable:
        """What equal operations of equal rights have in common."""
        return self._key(rights, set())

    def group_key(self, rights: Viewer) -> Hashable:
        """The same, wherever in a stream each begins."""
        return self._key(rights, {_cursor_variable(self.operation)})

    def _key(self, rights: Viewer, besides: set[str | None]) -> Hashable:
        declared = {each.variable.name.value for each in self.operation.variable_definitions or ()}
        names = sorted(declared & self.variables.keys() - besides)
        given = orjson.dumps([(name, self.variables[name]) for name in names])
        return id(self.document), id(self.operation), given, rights


class Group:
    """Those whose key is equal. `executor` has a context of its own."""

    def __init__(self, document: Document, executor: Executor[Any]) -> None:
        self.document = document  # while a group holds it, its id is nobody else's
        self.executor = executor

    async def answer(self, event: SourceEvent) -> Told:
        answer = self.begun(event)
        # Who leaves while it is executed takes it from nobody.
        return answer if isinstance(answer, Told) else await asyncio.shield(answer)

    def begun(self, event: SourceEvent) -> Told | asyncio.Task[Told]:
        """The answer, executed and encoded by the first member who comes."""
        answer: Told | asyncio.Task[Told] | None = event.answers.get(self)
        if answer is None:
            found = self._execute(event)
            answer = found if isinstance(found, Told) else asyncio.create_task(found)
            event.answers[self] = answer
        return answer

    def _execute(self, event: SourceEvent) -> Told | Coroutine[Any, Any, Told]:
        """At once, where no resolver has to wait."""
        found = execute_subscription_event(self.executor.build_per_event_executor(event))
        if isinstance(found, ExecutionResult):
            return _told(found, event)

        async def waited() -> Told:
            return _told(await found, event)

        return waited()


def _told(result: ExecutionResult, event: SourceEvent) -> Told:
    errors = [presented(error).formatted for error in result.errors or ()]
    if result.data is None:
        return Told(errors=errors)
    answer = {"data": result.data, "errors": errors} if errors else {"data": result.data}
    return Told(orjson.dumps(answer), cursor=event.cursor or None)


def _cursor_variable(operation: OperationDefinitionNode) -> str | None:
    """The variable that says where a stream begins, and nothing else."""
    for field in operation.selection_set.selections:
        for argument in (field.arguments or ()) if isinstance(field, FieldNode) else ():
            match argument:
                case ArgumentNode(name=name, value=VariableNode() as variable) if (
                    name.value == CURSOR_ARGUMENT
                ):
                    text = operation.loc.source.body if operation.loc else ""
                    uses = re.findall(rf"\${variable.name.value}\b", text)
                    # Where it is declared, and here.
                    return variable.name.value if len(uses) == 2 else None
    return None
