"""Types that read their fields from what they are made of, when they are asked for."""

from collections.abc import Callable
from operator import attrgetter
from typing import TypeVar

from strawberry.types.base import get_object_definition

Type = TypeVar("Type", bound=type)


def backed_by(attribute: str) -> Callable[[Type], Type]:
    """Each plain field of a type is the attribute of its name of what an instance has there.

    To make an instance then costs the same however many fields it has: most are never asked for.
    """

    def backed(type_: Type) -> Type:
        for field in get_object_definition(type_, strict=True).fields:
            if field.base_resolver is None:
                setattr(
                    type_,
                    field.python_name,
                    property(attrgetter(f"{attribute}.{field.python_name}")),
                )
        return type_

    return backed
