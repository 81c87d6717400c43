"""What a visitor without a token may ask: the fields listed here, and nothing else."""

import inspect
from typing import Any

import strawberry
from strawberry.extensions import FieldExtension
from strawberry.schema_directive import Location
from strawberry.types.base import get_object_definition
from strawberry.types.field import StrawberryField
from strawberry.utils.str_converters import to_camel_case

from api.context import Info
from domain.errors import NotPermitted

# Root fields. The catalogue, figures that tell of no incident, and how old they are. What lies
# behind one of them and tells of incidents (an incident by `node`, bodies in `ranking`, `exact`,
# `sideBySide`) asks for a right of its own.
PUBLIC = frozenset(
    {
        "_entities",
        "_service",
        "channels",
        "countryBoard",
        "heatMap",
        "municipality",
        "node",
        "projectionStatus",
        "publication",
        "publications",
        "ranking",
        "region",
        "regions",
        "topicPulse",
        "topics",
    }
)


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION],
    description="Answers without a token. What is not marked refuses it with NOT_PERMITTED.",
)
class Public:
    pass


class Closed(FieldExtension):
    """Refuses a visitor before the resolver begins."""

    def apply(self, field: StrawberryField) -> None:
        # A command's refusal is part of its answer.
        self.refused = getattr(field.type, "refused", None)

    def resolve(self, next_: Any, source: Any, info: Info, **given: Any) -> Any:
        refusal = self._refusal(info)
        return refusal if refusal is not None else next_(source, info, **given)

    async def resolve_async(self, next_: Any, source: Any, info: Info, **given: Any) -> Any:
        refusal = self._refusal(info)
        if refusal is not None:
            return refusal
        answer = next_(source, info, **given)
        return await answer if inspect.isawaitable(answer) else answer

    def _refusal(self, info: Info) -> Any:
        try:
            info.context.viewer.require_scope()
        except NotPermitted as refusal:
            if self.refused is None:
                raise
            return self.refused(refusal)
        return None


def close(*roots: type) -> None:
    """Mark the public fields of the root types, and close all the others."""
    for root in roots:
        for field in get_object_definition(root, strict=True).fields:
            if (field.graphql_name or to_camel_case(field.python_name)) in PUBLIC:
                field.directives = [*field.directives, Public()]
            else:
                field.extensions = [Closed(), *field.extensions]
