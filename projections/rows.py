"""Rows of a few columns, as PostgreSQL gave them."""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import starmap
from types import NoneType, UnionType
from typing import Any, TypeVar, cast, get_args, get_type_hints, overload

from msgspec import defstruct

Row_co = TypeVar("Row_co", covariant=True)
Columns = tuple[str, ...]


class Rows(Sequence[Row_co]):
    """Each is made when it is asked for: it has its columns as attributes, and no others.

    PostgreSQL gives each column as `of` says, a class with all of them, or as None.
    """

    def __init__(
        self, columns: Columns, tuples: list[tuple[Any, ...]], of: type[Row_co] | None = None
    ) -> None:
        self.columns = columns
        self.tuples = tuples
        self.of = of

    def __len__(self) -> int:
        return len(self.tuples)

    @overload
    def __getitem__(self, at: int) -> Row_co: ...
    @overload
    def __getitem__(self, at: slice) -> "Rows[Row_co]": ...
    def __getitem__(self, at: int | slice) -> "Row_co | Rows[Row_co]":
        if isinstance(at, slice):
            return Rows(self.columns, self.tuples[at], self.of)
        return cast("Row_co", _row_of(self.columns)(*self.tuples[at]))

    def __iter__(self) -> Iterator[Row_co]:
        return cast("Iterator[Row_co]", starmap(_row_of(self.columns), self.tuples))


def types_of(row: type) -> dict[str, type]:
    """By column: of its values that are not None. Columns of several types are left out."""
    found = {}
    for name, hint in get_type_hints(row).items():
        of = get_args(hint) if isinstance(hint, UnionType) else (hint,)
        types = [each for each in of if each is not NoneType]
        if len(types) == 1:
            found[name] = types[0]
    return found


@lru_cache(maxsize=500)
def _row_of(columns: Columns) -> Callable[..., object]:
    return defstruct("Row", columns, gc=False)  # no value of PostgreSQL refers back to its row
