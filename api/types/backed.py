"""Types that read their fields from what they are made of, when they are asked for."""

from collections.abc import Callable
from operator import attrgetter
from typing import TypeVar

from strawberry.types.base import get_object_definition

READ_FROM = "__read_from__"  # of a type: by field, where a compiled plan reads it at once

Type = TypeVar("Type", bound=type)


def backed_by(attribute: str, **other_names: str) -> Callable[[Type], Type]:
    """Each plain field of a type is the attribute of its name of what an instance has there.

    `other_names` tells by field what is called otherwise there. To make an instance then costs the
    same however many fields it has: most are never asked for.
    """

    def backed(type_: Type) -> Type:
        plain = [
            field.python_name
            for field in get_object_definition(type_, strict=True).fields
            if field.base_resolver is None
        ]
        read_from = {name: f"{attribute}.{other_names.get(name, name)}" for name in plain}
        for name, path in read_from.items():
            setattr(type_, name, property(attrgetter(path)))
        setattr(type_, READ_FROM, read_from)
        return type_

    return backed
