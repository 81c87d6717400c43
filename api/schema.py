"""The schema: everything that can be asked, commanded and followed."""

import re
from dataclasses import replace
from typing import Final, cast
from uuid import UUID

import strawberry
from graphql import GraphQLObjectType
from strawberry.federation.schema import FederationAny
from strawberry.printer import print_schema
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.types.base_scalars import UUIDDefinition
from strawberry.types.scalar import ScalarDefinition, ScalarWrapper

from api.mutations import Mutation
from api.public import close
from api.queries import Query
from api.subscriptions import Subscription, shown
from api.types.catalogue import Municipality, Region
from api.types.incident import Incident

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
    scalar_overrides=DESCRIBED,
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
