"""Rows of a few columns, as PostgreSQL gave them."""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import starmap
from typing import TypeVar, cast, overload

from msgspec import defstruct

Row_co = TypeVar("Row_co", covariant=True)
Columns = tuple[str, ...]


class Rows(Sequence[Row_co]):
    """Each is made when it is asked for: it has its columns as attributes, and no others."""

    def __init__(self, columns: Columns, tuples: list[tuple[object, ...]]) -> None:
        self.columns = columns
        self.tuples = tuples

    def __len__(self) -> int:
        return len(self.tuples)

    @overload
    def __getitem__(self, at: int) -> Row_co: ...
    @overload
    def __getitem__(self, at: slice) -> "Rows[Row_co]": ...
    def __getitem__(self, at: int | slice) -> "Row_co | Rows[Row_co]":
        if isinstance(at, slice):
            return Rows(self.columns, self.tuples[at])
        return cast("Row_co", _row_of(self.columns)(*self.tuples[at]))

    def __iter__(self) -> Iterator[Row_co]:
        return cast("Iterator[Row_co]", starmap(_row_of(self.columns), self.tuples))


@lru_cache(maxsize=500)
def _row_of(columns: Columns) -> Callable[..., object]:
    return defstruct("Row", columns, gc=False)
