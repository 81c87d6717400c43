"""The schema, and how errors leave it: refusals in full, failures without their inside."""

import logging
import re
from dataclasses import replace
from typing import Any, Final
from uuid import UUID, uuid4

import psycopg
import strawberry
from graphql import GraphQLError
from psycopg.errors import QueryCanceled
from strawberry.extensions import (
    MaskErrors,
    MaxAliasesLimiter,
    MaxTokensLimiter,
    QueryDepthLimiter,
)
from strawberry.federation.schema import FederationAny
from strawberry.printer import print_schema
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.exceptions import CannotGetOperationTypeError
from strawberry.schema.types.base_scalars import UUIDDefinition
from strawberry.types import ExecutionContext, ExecutionResult
from strawberry.types.graphql import OperationType
from strawberry.types.scalar import ScalarDefinition, ScalarWrapper

from api.mutations import Mutation
from api.public import close
from api.queries import Query
from api.subscriptions import Subscription
from api.types.catalogue import Municipality, Region
from api.types.incident import Incident
from domain.errors import DomainError
from projections.snapshot import ServedAnew
from regions.event_store import StoreUnavailable

log = logging.getLogger(__name__)

# An operation beyond these is an attack or a mistake: our own largest has a fifth of each.
TOKENS_MAX = 2_000
DEPTH_MAX = 5  # one more, and regions in municipalities in regions are millions
ALIASES_MAX = 20

FEDERATION: Final = "2.3"  # the oldest with all that we use: routers of any age take it


# Strawberry leaves these two without a description, and the tools of frontends ask for one.
DESCRIBED: dict[object, type | ScalarWrapper | ScalarDefinition] = {
    UUID: replace(
        UUIDDefinition,
        description="As RFC 9562 writes it, in any case; given back in lower case.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc9562",
    ),
    FederationAny: strawberry.scalar(
        name="_Any",
        description="Names an entity: its `__typename`, and its key.",
        serialize=lambda given: given,
        parse_value=lambda given: given,
    ),
}


class PresentErrors(MaskErrors):
    """Gives every error its stable code; what is not a refusal of ours is told by an id only."""

    def anonymise_error(self, error: GraphQLError) -> GraphQLError:
        return presented(error)


def presented(error: GraphQLError) -> GraphQLError:
    """The error as it may leave; once presented it stays as it is."""
    if error.extensions:
        return error
    cause = error.original_error
    if isinstance(cause, CannotGetOperationTypeError):
        return _with(error, cause.as_http_error_reason(), {"code": "BAD_REQUEST"})
    if cause is None or isinstance(cause, GraphQLError):
        return _with(error, error.message, {"code": "BAD_REQUEST"})
    if isinstance(cause, QueryCanceled):
        message = "The question takes too long to answer; narrow its filter or period."
        return _with(error, message, {"code": "TOO_EXPENSIVE"})
    if isinstance(cause, DomainError):
        return _with(error, str(cause), {"code": cause.code, "field": cause.field})
    error_id = str(uuid4())
    log.error("Error %s at %s", error_id, error.path, exc_info=cause)
    if isinstance(cause, psycopg.OperationalError | StoreUnavailable | ServedAnew):
        message = "The database does not answer; try again in a moment."
        return _with(error, message, {"code": "UNAVAILABLE", "errorId": error_id})
    return _with(error, "Something failed on our side.", {"code": "INTERNAL", "errorId": error_id})


def _with(error: GraphQLError, message: str, extensions: dict[str, object]) -> GraphQLError:
    return GraphQLError(
        message,
        nodes=error.nodes,
        source=error.source,
        positions=error.positions,
        path=error.path,
        extensions=extensions,
    )


class Schema(strawberry.federation.Schema):
    async def execute(self, *given: Any, **named: Any) -> ExecutionResult:
        """The one answer to a POST: who asks for a stream there is told so, with a 400."""
        named["allowed_operation_types"] = {OperationType.QUERY, OperationType.MUTATION}
        return await super().execute(*given, **named)

    def as_str(self) -> str:
        """For clients, whose tools know no `@key`: a router asks for `_service { sdl }` instead."""
        told = re.sub(r"schema @link\(.*?\) \{.*?\}\n\n", "", print_schema(self), flags=re.DOTALL)
        return re.sub(r" @(key|shareable)(\([^)]*\))?", "", told)

    def process_errors(
        self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None
    ) -> None:
        """Present them: a failure outside of any field passes no extension, only this.

        Strawberry would log every refusal with its stack here; presented() logs our failures.
        """
        errors[:] = map(presented, errors)


close(Query, Mutation, Subscription)
schema = Schema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    types=[Region, Municipality, Incident],
    extensions=[
        PresentErrors,
        lambda: MaxTokensLimiter(max_token_count=TOKENS_MAX),
        lambda: QueryDepthLimiter(max_depth=DEPTH_MAX),
        lambda: MaxAliasesLimiter(max_alias_count=ALIASES_MAX),
    ],
    config=StrawberryConfig(auto_camel_case=True),
    scalar_overrides=DESCRIBED,
    federation_version=FEDERATION,
)
