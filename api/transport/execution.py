"""Answers to operations, whatever carries them: one result, or a stream of results."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
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
from api.transport.budget import Budgets, Principal, RateLimited
from api.transport.compiled import CompiledExecutor
from api.transport.cost import COST_MAX, REFUSED_COST, Prices, TooCostly
from api.transport.groups import Sent, Told
from api.transport.operations import Document, Operations, digest_of
from api.transport.resolvers import Resolvers
from api.transport.shared import SharedAnswers
from api.transport.streams import Send, Streams
from domain.errors import DomainError, InvalidInput, NotFound

OPERATION_SECONDS_MAX = 70  # above the longest that a resolver allows itself (a policy replay)
VALUES_MAX = 2_000  # in variables; our own lists have at most 200

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
    document_id: str | None = None

    @property
    def digest(self) -> str | None:
        """Of `documentId`, or of an automatic persisted query as Apollo's clients send it."""
        if self.document_id is not None:
            return self.document_id.removeprefix("sha256:")
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
    document_id = given.get("documentId")
    if not isinstance(document_id, str | None):
        raise BodyInvalid(reason="documentId must be a text")
    if not _are_few(variables):
        raise BodyInvalid(reason=f"variables have more than {VALUES_MAX} values")
    asked = Asked(query, name or None, variables or {}, extensions or {}, document_id)
    if query is None and asked.digest is None:
        raise BodyInvalid(reason="query must be a text")
    return asked


def _are_few(variables: object) -> bool:
    """Each value is looked at several times before a resolver could say that they are too many."""
    waiting, found = [variables], 0
    while waiting and found <= VALUES_MAX:
        found += 1
        match waiting.pop():
            case dict(inner):
                waiting += inner.values()
            case list(inner):
                waiting += inner
    return found <= VALUES_MAX


class PersistedQueryNotFound(NotFound):
    """PersistedQueryNotFound"""  # what clients look for, to send the text with its hash


class PersistedQueryMismatch(InvalidInput):
    """The hash is not that of the query."""

    field = "extensions"


class DocumentNotTrusted(InvalidInput):
    """This server answers the operations of its own clients only."""

    field = "query"


class Refused(Exception):
    """Nothing was executed: the document, its variables or its kind are not answered here."""

    def __init__(self, *errors: GraphQLError, retry_after_seconds: int | None = None) -> None:
        super().__init__()
        self.errors = [presented(error).formatted for error in errors]
        self.retry_after_seconds = retry_after_seconds  # of a principal without budget

    def result(self) -> Result:
        return {"errors": self.errors}


@dataclass(frozen=True, slots=True)
class Admitted:
    """An operation that may be executed, and is paid for."""

    document: Document
    operation: OperationDefinitionNode
    cost: Mapping[str, int]  # what the answer says of it


class Execution:
    """Of one schema. An operation is read and compiled once."""

    def __init__(
        self,
        schema: GraphQLSchema,
        budgets: Budgets,
        *,
        introspection: bool = True,
        trusted_only: bool = False,
        observer: Observer | None = None,
    ) -> None:
        self.schema = schema
        self.observer = observer or Observer()
        self.operations = Operations(schema, introspection=introspection)
        self.trusted_only = trusted_only
        self.budgets = budgets
        self.prices = Prices(schema)
        self.cost_max = min(COST_MAX, budgets.budget.points)
        self.streams = Streams(schema)
        self.shared = SharedAnswers(schema)
        self.resolvers = Resolvers(schema)

    def admit(self, asked: Asked, principal: Principal) -> Admitted:
        """What is asked for, paid by the principal. Raises Refused, which costs as well."""
        try:
            self.budgets.spend(principal, 0)  # who is in debt is not even read
            return self._paid(asked, principal)
        except RateLimited as refusal:
            seconds = refusal.retry_after_seconds
            raise Refused(_because_of(refusal), retry_after_seconds=seconds) from None
        except DomainError as refusal:
            self.budgets.charge(principal, REFUSED_COST)
            raise Refused(_because_of(refusal)) from None
        except Refused:
            self.budgets.charge(principal, REFUSED_COST)
            raise

    def _paid(self, asked: Asked, principal: Principal) -> Admitted:
        """Raises Refused, or a DomainError."""
        document = self._read(asked)
        if document.errors:
            raise Refused(*document.errors)
        operation = document.operation(asked.operation_name)
        observed().asks(document, operation)
        observed().charge = partial(self.budgets.charge, principal)
        cost = observed().cost = self.prices.cost_of(document, operation, asked.variables)
        if cost > self.cost_max:
            raise TooCostly(found=cost, limit=self.cost_max)
        told = {
            "requested": cost,
            "limit": self.cost_max,
            "remaining": self.budgets.spend(principal, cost),
            "restoreRate": self.budgets.budget.points_per_second,
        }
        return Admitted(document, operation, told)

    def _read(self, asked: Asked) -> Document:
        """Raises DocumentNotTrusted, PersistedQueryNotFound or PersistedQueryMismatch."""
        if asked.query is not None and asked.digest is None and not self.trusted_only:
            return self.operations.read(asked.query)  # as most ask: the digest is nobody's matter
        digest = (asked.digest or "") if asked.query is None else digest_of(asked.query)
        if self.trusted_only and not self.operations.trusts(digest):
            raise DocumentNotTrusted
        if asked.query is None:
            known = self.operations.known(digest)
            if known is None:
                raise PersistedQueryNotFound
            return known
        if asked.digest not in (None, digest):
            raise PersistedQueryMismatch
        return self.operations.read(asked.query)

    async def execute(self, admitted: Admitted, asked: Asked, context: Context) -> Result:
        """Of a query or a mutation. Raises Refused."""
        try:
            async with asyncio.timeout(OPERATION_SECONDS_MAX):
                result = await self._result(admitted, asked, context)
        except TimeoutError as error:
            raise Refused(_because_of(error)) from None
        return told(result) | {"extensions": {"cost": admitted.cost}}

    async def _result(self, admitted: Admitted, asked: Asked, context: Context) -> ExecutionResult:
        seconds = self.shared.seconds_of(admitted.operation)
        # Who may open personal data is logged each time, so that nothing is told to them again.
        if not seconds or context.bearer.personal_data:
            return await self._executed(admitted, asked, context)
        sent = Sent(admitted.document, admitted.operation, asked.variables)
        return await self.shared.answer(
            sent,
            context.rights,
            seconds,
            partial(self._executed, admitted, asked, context.shared()),
        )

    async def _executed(
        self, admitted: Admitted, asked: Asked, context: Context
    ) -> ExecutionResult:
        given = _given(admitted.document, asked, context)
        found = execute(self.schema, middleware=self.resolvers, **given)
        return found if isinstance(found, ExecutionResult) else await found

    def stream(
        self, asked: Asked, context: Context, send: Send | None = None
    ) -> AsyncGenerator[Told, None]:
        """What is told of any operation, in order; one that is refused ends with its errors.

        A subscription tells by `send` what that takes, and the rest by the stream.
        """
        return self.observer.each(self._told(asked, context, send), context)

    async def _told(
        self, asked: Asked, context: Context, send: Send | None
    ) -> AsyncGenerator[Told, None]:
        try:
            admitted = self.admit(asked, context.principal)
            if admitted.operation.operation is not OperationType.SUBSCRIPTION:
                yield Told(orjson.dumps(await self.execute(admitted, asked, context)))
                return
        except Refused as refused:
            yield Told(errors=refused.errors)
            return
        subscribed = Sent(admitted.document, admitted.operation, asked.variables)
        counted = send and self.observer.counting(send)
        pay = partial(self.budgets.spend, context.principal, admitted.cost["requested"])
        source = self.streams.follow(subscribed, context, pay=pay, send=counted)
        async with aclosing(source) as following:
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
