"""Global ids: which type, and its key, in one opaque text."""

import base64
import binascii
from uuid import UUID

import strawberry

from domain.errors import NotFound
from projections.views.columns import incident_node_id

ID = "Opaque and stable. Holding an id grants no right to what it names."


@strawberry.interface(description="Anything that can be asked for again by its id.")
class Node:
    @strawberry.field(description=ID)
    def id(self) -> strawberry.ID:
        return self.node_id()

    def node_id(self) -> strawberry.ID:
        raise NotImplementedError


def write_id(of: str, key: str) -> strawberry.ID:
    return strawberry.ID(base64.urlsafe_b64encode(f"{of}:{key}".encode()).decode())


def incident_id(region: str, id: UUID) -> strawberry.ID:
    return strawberry.ID(incident_node_id(region, id))


def read_id(given: str, *, field: str = "id") -> tuple[str, str]:
    """The type's name and the key. Raises NotFound for what was never an id of ours."""
    try:
        of, _, key = base64.b64decode(given, altchars=b"-_", validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        raise NotFound(field=field) from None
    return of, key


def read_incident_id(node_id: str, *, field: str = "id") -> tuple[str, UUID]:
    """Region and UUID of an incident's id. Raises NotFound, naming the field."""
    of, key = read_id(node_id, field=field)
    region, _, uuid = key.partition("/")
    try:
        if of == "Incident":
            return region, UUID(uuid)
    except ValueError:
        pass
    raise NotFound(field=field)
