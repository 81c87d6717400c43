"""Answers to operations, whatever carries them: one result, or a stream of results."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import orjson
from graphql import (
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    execute,
)

from api.context import Context
from api.presenting import presented
from api.telemetry.observer import Observer
from api.telemetry.observing import observed
from api.transport.compiled import CompiledExecutor
from api.transport.cost import COST_MAX, TooCostly, cost_of
from api.transport.groups import Subscribed, Told
from api.transport.operations import Document, Operations
from api.transport.streams import Streams
from domain.errors import DomainError, InvalidInput, NotFound

OPERATION_SECONDS_MAX = 70  # above the longest that a resolver allows itself (a policy replay)

Result = dict[str, Any]  # `data`, `errors`, `extensions`, as JSON


class BodyInvalid(InvalidInput):
    """This is no GraphQL request: {reason}."""

    field = "body"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, by whatever protocol it came."""

    query: str | None  # None: the document is named by its hash
    operation_name: str | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    extensions: Mapping[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str | None:
        """Of an automatic persisted query, as Apollo's clients send it."""
        persisted = self.extensions.get("persistedQuery")
        digest = persisted.get("sha256Hash") if isinstance(persisted, dict) else None
        return digest if isinstance(digest, str) else None


def asked_in(given: object) -> Asked:
    """Of decoded JSON. Raises BodyInvalid."""
    if not isinstance(given, dict):
        raise BodyInvalid(reason="it is not a JSON object")
    query, name = given.get("query"), given.get("operationName")
    variables, extensions = given.get("variables"), given.get("extensions")
    if not isinstance(query, str | None):
        raise BodyInvalid(reason="query must be a text")
    if not isinstance(name, str | None):
        raise BodyInvalid(reason="operationName must be a text")
    if not isinstance(variables, dict | None):
        raise BodyInvalid(reason="variables must be an object")
    if not isinstance(extensions, dict | None):
        raise BodyInvalid(reason="extensions must be an object")
    asked = Asked(query, name or None, variables or {}, extensions or {})
    if query is None and asked.digest is None:
        raise BodyInvalid(reason="query must be a text")
    return asked


class PersistedQueryNotFound(NotFound):
    """PersistedQueryNotFound"""  # what clients look for, to send the text with its hash


class PersistedQueryMismatch(InvalidInput):
    """The sha256Hash is not that of the query."""

    field = "extensions"


class Refused(Exception):
    """Nothing was executed: the document, its variables or its kind are not answered here."""

    def __init__(self, *errors: GraphQLError) -> None:
        super().__init__()
        self.errors = [presented(error).formatted for error in errors]

    def result(self) -> Result:
        return {"errors": self.errors}


class Execution:
    """Of one schema. An operation is read and compiled once."""

    def __init__(
        self,
        schema: GraphQLSchema,
        *,
        introspection: bool = True,
        observer: Observer | None = None,
    ) -> None:
        self.schema = schema
        self.observer = observer or Observer()
        self.operations = Operations(schema, introspection=introspection)
        self.streams = Streams(schema)

    def document(self, asked: Asked) -> tuple[Document, OperationDefinitionNode]:
        """What is asked for. Raises Refused."""
        try:
            document = self._read(asked)
            if document.errors:
                raise Refused(*document.errors)
            operation = document.operation(asked.operation_name)
            observed().asks(document, operation)
            self._check_cost(document, operation, asked)
            return document, operation
        except DomainError as refusal:
            raise Refused(GraphQLError(str(refusal), original_error=refusal)) from None

    def _check_cost(
        self, document: Document, operation: OperationDefinitionNode, asked: Asked
    ) -> None:
        """Raises TooCostly."""
        found = cost_of(self.schema, document, operation, asked.variables)
        observed().cost = found
        if found > COST_MAX:
            raise TooCostly(found=found, limit=COST_MAX)

    def _read(self, asked: Asked) -> Document:
        """Raises PersistedQueryNotFound or PersistedQueryMismatch."""
        if asked.query is None:
            known = self.operations.known(asked.digest or "")
            if known is None:
                raise PersistedQueryNotFound
            return known
        if asked.digest not in (None, sha256(asked.query.encode()).hexdigest()):
            raise PersistedQueryMismatch
        return self.operations.read(asked.query)

    async def execute(self, document: Document, asked: Asked, context: Context) -> Result:
        """Of a query or a mutation that `document` gave. Raises Refused."""
        try:
            async with asyncio.timeout(OPERATION_SECONDS_MAX):
                found = execute(self.schema, **_given(document, asked, context))
                result = found if isinstance(found, ExecutionResult) else await found
        except TimeoutError as error:
            raise Refused(_because_of(error)) from None
        return told(result)

    def stream(self, asked: Asked, context: Context) -> AsyncGenerator[Told, None]:
        """What is told of any operation, in order; one that is refused ends with its errors."""
        return self.observer.each(self._told(asked, context), context)

    async def _told(self, asked: Asked, context: Context) -> AsyncGenerator[Told, None]:
        try:
            document, operation = self.document(asked)
            if operation.operation is not OperationType.SUBSCRIPTION:
                yield Told(orjson.dumps(await self.execute(document, asked, context)))
                return
        except Refused as refused:
            yield Told(errors=refused.errors)
            return
        subscribed = Subscribed(document, operation, asked.variables)
        async with aclosing(self.streams.follow(subscribed, context)) as following:
            async for told in following:
                yield told


def _given(document: Document, asked: Asked, context: Context) -> dict[str, Any]:
    """The arguments that graphql-core executes by."""
    return {
        "document": document.node,
        "context_value": context,
        "variable_values": dict(asked.variables),
        "operation_name": asked.operation_name,
        "hide_suggestions": True,
        "executor_class": CompiledExecutor,
        "plans": document.plans,
        "counted": observed().executor,
    }


def _because_of(error: Exception) -> GraphQLError:
    return GraphQLError(str(error), original_error=error)


def told(result: ExecutionResult) -> Result:
    """Raises Refused where nothing was executed."""
    errors = result.errors or []
    if result.data is None and errors and all(error.path is None for error in errors):
        raise Refused(*errors)
    answer: Result = {"data": result.data}
    if errors:
        answer["errors"] = [presented(error).formatted for error in errors]
    return answer
