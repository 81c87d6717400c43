"""Global ids: which type, and its key, in one opaque text."""

import base64
import binascii

import strawberry

from domain.errors import NotFound


@strawberry.interface(description="Anything that can be asked for again by its id.")
class Node:
    id: strawberry.ID = strawberry.field(
        description="Opaque and stable. Holding an id grants no right to what it names."
    )


def write_id(of: str, key: str) -> strawberry.ID:
    return strawberry.ID(base64.urlsafe_b64encode(f"{of}:{key}".encode()).decode())


def read_id(node_id: str, *, field: str = "id") -> tuple[str, str]:
    """The type's name and the key. Raises NotFound for what was never an id of ours."""
    try:
        of, _, key = (
            base64.b64decode(node_id, altchars=b"-_", validate=True).decode().partition(":")
        )
    except (binascii.Error, ValueError):
        raise NotFound(field=field) from None
    return of, key
