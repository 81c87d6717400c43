"""Types that read their fields from what they are made of, when they are asked for."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, TypeVar, overload

from strawberry.types.base import get_object_definition

from projections.rows import Rows

BACKING = "__backing__"  # of a type, where a compiled plan reads it

Type = TypeVar("Type", bound=type)
Thing_co = TypeVar("Thing_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Made:
    """A field that `make` makes of some attributes, or of none: of the whole.

    What is made of some is told as it is: `make` gives what is JSON already.
    """

    make: Callable[..., Any]
    of: tuple[str, ...] = ()

    def __call__(self, whole: Any) -> Any:
        return self.make(*(getattr(whole, name) for name in self.of) if self.of else (whole,))


@dataclass(frozen=True, slots=True)
class Backing:
    attribute: str  # of an instance: what it is made of
    fields: Mapping[str, str | Made]  # by name in Python: the attribute there, or what is made


def backed_by(attribute: str, **others: str | Made) -> Callable[[Type], Type]:
    """Each plain field of a type is the attribute of its name of what an instance has there.

    `others` tells by field what is called otherwise there, or made. To make an instance then costs
    the same however many fields it has: most are never asked for.
    """

    def backed(type_: Type) -> Type:
        plain = [
            field.python_name
            for field in get_object_definition(type_, strict=True).fields
            if field.base_resolver is None
        ]
        backing = Backing(attribute, {name: others.get(name, name) for name in plain})
        for name, field in backing.fields.items():
            setattr(type_, name, property(_getter(attribute, field)))
        setattr(type_, BACKING, backing)
        return type_

    return backed


def _getter(attribute: str, field: str | Made) -> Callable[[Any], Any]:
    if isinstance(field, str):
        return attrgetter(f"{attribute}.{field}")
    return lambda thing: field(getattr(thing, attribute))


class OfRows(Sequence[Thing_co]):
    """As many things as there are rows; each is made when it is asked for.

    A compiled plan answers from the rows themselves.
    """

    def __init__(self, make: Callable[[Any], Thing_co], rows: Rows[Any]) -> None:
        self.make = make
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, at: int) -> Thing_co: ...
    @overload
    def __getitem__(self, at: slice) -> "OfRows[Thing_co]": ...
    def __getitem__(self, at: int | slice) -> "Thing_co | OfRows[Thing_co]":
        if isinstance(at, slice):
            return OfRows(self.make, self.rows[at])
        return self.make(self.rows[at])

    def __iter__(self) -> Iterator[Thing_co]:
        return map(self.make, self.rows)
