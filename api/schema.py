"""The schema: everything that can be asked, commanded and followed."""

import strawberry
from strawberry.schema.config import StrawberryConfig

from api.mutations import Mutation
from api.queries import Query
from api.subscriptions import Subscription
from api.types import words
from api.types.catalogue import Municipality, Region
from api.types.incident import Incident

words.register()
schema = strawberry.Schema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    types=[Region, Municipality, Incident],
    config=StrawberryConfig(auto_camel_case=True),
)
