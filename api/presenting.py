"""Errors as they may leave: refusals in full, failures without their inside."""

import logging
from uuid import uuid4

import psycopg
from graphql import GraphQLError
from psycopg.errors import QueryCanceled

from api.telemetry.observing import observed
from api.transport.budget import RateLimited
from domain.errors import DomainError
from projections.snapshot import ServedAnew
from regions.store.event_store import StoreUnavailable

log = logging.getLogger(__name__)


def presented(error: GraphQLError) -> GraphQLError:
    """The error as it may leave; once presented it stays as it is."""
    if error.extensions:
        return error
    cause = error.original_error
    if cause is None or isinstance(cause, GraphQLError):
        return _with(error, error.message, {"code": "BAD_REQUEST"})
    if isinstance(cause, QueryCanceled | TimeoutError):
        message = "The question takes too long to answer; narrow its filter or period."
        return _with(error, message, {"code": "TOO_EXPENSIVE"})
    if isinstance(cause, DomainError):
        return _with(error, str(cause), extensions_of(cause))
    error_id = str(uuid4())
    facts = {"errorId": error_id, "path": error.path}
    log.error("Failed to answer", exc_info=cause, extra={"facts": facts})
    if isinstance(cause, psycopg.OperationalError | StoreUnavailable | ServedAnew):
        message = "The database does not answer; try again in a moment."
        return _with(error, message, {"code": "UNAVAILABLE", "errorId": error_id})
    return _with(error, "Something failed on our side.", {"code": "INTERNAL", "errorId": error_id})


def extensions_of(refusal: DomainError) -> dict[str, object]:
    told: dict[str, object] = {"code": refusal.code, "field": refusal.field}
    if isinstance(refusal, RateLimited):
        told["retryAfterSeconds"] = refusal.retry_after_seconds
    return told


def _with(error: GraphQLError, message: str, extensions: dict[str, object]) -> GraphQLError:
    observed().codes.append(str(extensions["code"]))
    return GraphQLError(
        message,
        nodes=error.nodes,
        source=error.source,
        positions=error.positions,
        path=error.path,
        extensions=extensions,
    )
