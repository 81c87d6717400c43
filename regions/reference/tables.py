"""The tables of a catalogue folder that rest on the catalogue: how their rows are read."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from regions.reference.catalogue import Catalogue, CatalogueInvalid, Row, rows

T = TypeVar("T")


def parsed(path: Path, make: Callable[[Row], T]) -> list[T]:
    """What `make` makes of each row; nothing if there is no such file.

    Raises CatalogueInvalid, naming file and line, if it finds a column or a value wrong.
    """
    found: list[T] = []
    for line, row in enumerate(rows(path) if path.is_file() else (), start=2):
        try:
            found.append(make(row))
        except (KeyError, ValueError) as error:
            raise CatalogueInvalid(f"{path}, line {line}: {error}") from error
    return found


def sourced(row: Row) -> Row:
    """Raises ValueError if it does not say where it is known from."""
    if not row["source"]:
        raise ValueError("no source")
    return row


def region_in(row: Row, catalogue: Catalogue) -> str | None:
    """None where the row is of every region. Raises ValueError for a region that is none."""
    code = row["region"]
    if code and code not in catalogue.regions:
        raise ValueError(f"region {code!r} does not exist")
    return code or None
