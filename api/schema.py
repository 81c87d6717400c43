"""The schema: everything that can be asked, commanded and followed."""

import re
from dataclasses import replace
from datetime import date, datetime
from typing import Final, cast
from uuid import UUID

import strawberry
from graphql import GraphQLObjectType
from strawberry.exceptions import StrawberryInputCoercionError
from strawberry.federation.schema import FederationAny
from strawberry.printer import print_schema
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.types.base_scalars import (
    DateDefinition,
    DateTimeDefinition,
    UUIDDefinition,
)
from strawberry.types.scalar import ScalarDefinition, ScalarWrapper

from api.mutations import Mutation
from api.public import close
from api.queries import Query
from api.subscriptions import Subscription, shown
from api.types.catalogue import Municipality, Region
from api.types.incident import Incident

FEDERATION: Final = "2.3"  # the oldest with all that we use: routers of any age take it


def plain(scalar: ScalarDefinition, *, example: str) -> ScalarDefinition:
    """Tells what is wrong with a value without what Python calls it."""

    def read(given: object) -> object:
        try:
            return scalar.parse_value(given) if scalar.parse_value else given
        except (StrawberryInputCoercionError, OverflowError):
            refusal = f"This is no {scalar.name}: write it as in {example!r}."
            raise StrawberryInputCoercionError(refusal) from None

    return replace(scalar, parse_value=read)


# Strawberry leaves some without a description, and the tools of frontends ask for one.
SCALARS: dict[object, type | ScalarWrapper | ScalarDefinition] = {
    datetime: plain(DateTimeDefinition, example="2026-11-23T09:00:00+03:00"),
    date: plain(DateDefinition, example="2026-11-23"),
    UUID: replace(
        plain(UUIDDefinition, example="01890a5d-ac96-774b-bcce-b302099a8057"),
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


class Schema(strawberry.federation.Schema):
    def as_str(self) -> str:
        """For clients, whose tools know no `@key`: a router asks for `_service { sdl }` instead."""
        told = re.sub(r"schema @link\(.*?\) \{.*?\}\n\n", "", print_schema(self), flags=re.DOTALL)
        return re.sub(r" @(key|shareable)(\([^)]*\))?", "", told)


close(Query, Mutation, Subscription)
schema = Schema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    types=[Region, Municipality, Incident],
    config=StrawberryConfig(auto_camel_case=True),
    scalar_overrides=SCALARS,
    federation_version=FEDERATION,
)


def tell_events(asked: GraphQLObjectType, followed: GraphQLObjectType) -> None:
    """Resolve the fields that are followed from their source events, once for each group."""
    for name in ("incidentChanges", "deadlines", "urgentIncidents"):
        followed.fields[name].resolve = lambda event, info, **_: shown(event, info)
    # A tick says that there may be news; what they are, the query tells.
    followed.fields["ranking"].resolve = asked.fields["ranking"].resolve


tell_events(
    cast("GraphQLObjectType", schema._schema.query_type),
    cast("GraphQLObjectType", schema._schema.subscription_type),
)
