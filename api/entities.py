"""What a federation router asks: the schema with its keys, and entities by their keys.

https://www.apollographql.com/docs/graphos/schema-design/federated-schemas/reference/subgraph-spec
"""

from collections.abc import Mapping
from functools import cache
from typing import Annotated, NamedTuple
from uuid import UUID

import strawberry
from strawberry.federation.schema import FederationAny
from strawberry.printer import print_schema
from strawberry.schema.base import BaseSchema

from api.context import Info
from api.cost_directives import ListSize
from api.types.catalogue import Municipality, Region
from api.types.incident import Incident, incidents_seen
from api.types.node import read_incident_id
from domain.errors import InvalidInput, ListTooLong, NotFound, NotPermitted

ENTITIES_MAX = 100  # as many as a page may have

Found = Region | Municipality | Incident | None
Entity = Annotated[
    Region | Municipality | Incident,
    strawberry.union("_Entity", description="What other subgraphs may add fields to."),
]


class RepresentationInvalid(InvalidInput):
    """{field} name a type and its key: a Region or Municipality its code, an Incident its id."""

    field = "representations"


class Named(NamedTuple):
    """An incident that a representation names."""

    region: str
    id: UUID


@strawberry.type(name="_Service", description="This API as a subgraph.")
class Subgraph:
    @strawberry.field(description="The schema with the keys of its entities.")
    def sdl(self, info: Info) -> str:
        return sdl(info.schema)


@cache
def sdl(schema: BaseSchema) -> str:
    return print_schema(schema)


@strawberry.type
class EntityQuery:
    @strawberry.field(name="_service", description="For a federation router: what is here.")
    def service(self) -> Subgraph:
        return Subgraph()

    @strawberry.field(
        name="_entities",
        description="For a federation router: up to 100 entities by their keys, in the order asked "
        "for; null where there is nothing, or nothing for who asks. A visitor who asks "
        "for an incident gets an error in its place.",
        directives=[ListSize(assumed_size=100)],
    )
    async def entities(
        self, info: Info, representations: list[FederationAny]
    ) -> list[Entity | None]:
        if len(representations) > ENTITIES_MAX:
            raise ListTooLong(field="representations", limit=ENTITIES_MAX)
        named = [_named(info, each) for each in representations]
        incidents = await _incidents(info, {each for each in named if isinstance(each, Named)})
        # An exception in the list is the error of its place, and of no other.
        return [incidents[each] if isinstance(each, Named) else each for each in named]  # type: ignore[misc]


def _named(info: Info, representation: object) -> Found | Named:
    """What needs no database, or the incident to be looked up. Raises RepresentationInvalid."""
    catalogue = info.context.catalogue
    match representation:
        case {"__typename": "Region", "code": str(code)}:
            entry = catalogue.regions.get(code)
            return Region(entry, catalogue) if entry else None
        case {"__typename": "Municipality", "code": str(code)}:
            place = catalogue.municipalities.get(code)
            return Municipality(place) if place else None
        case {"__typename": "Incident", "id": str(node_id)}:
            try:
                return Named(*read_incident_id(node_id))
            except NotFound:
                return None
    raise RepresentationInvalid


async def _incidents(
    info: Info, named: set[Named]
) -> Mapping[Named, Incident | NotPermitted | None]:
    """All of them by one statement; None for what is not there, or not for the viewer."""
    if not named:
        return {}
    if info.context.viewer.scope is None:  # a visitor does not even learn that there is none
        return {each: NotPermitted() for each in named}
    rows = await incidents_seen(info, [each.id for each in named])
    return {
        each: Incident(row) if (row := rows.get(each.id)) and row.region == each.region else None
        for each in named
    }
