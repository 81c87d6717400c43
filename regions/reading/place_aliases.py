"""What places are called besides their names in the catalogue: their towns, short and old names."""

from dataclasses import dataclass
from pathlib import Path

from regions.reference.catalogue import Catalogue, CatalogueInvalid, Row, rows

FILE = "place_aliases.csv"


@dataclass(frozen=True, slots=True)
class PlaceAlias:
    region: str
    municipality: str | None  # None: the name is the region's
    name: str
    type: str | None  # of the settlement, as it is written before its name: «г», «с», «ст-ца»
    reason: str


def load_place_aliases(folder: Path, catalogue: Catalogue) -> tuple[PlaceAlias, ...]:
    """A folder without the file has none. Raises CatalogueInvalid, naming file and line."""
    file = folder / FILE
    found: dict[tuple[str, str | None, str], PlaceAlias] = {}
    for line, row in enumerate(rows(file) if file.is_file() else (), start=2):
        try:
            alias = _alias(row, catalogue)
            key = alias.region, alias.municipality, alias.name
            if key in found:
                raise ValueError(f"{alias.name!r} stands there twice")
            found[key] = alias
        except (KeyError, ValueError) as error:
            raise CatalogueInvalid(f"{file}, line {line}: {error}") from error
    return tuple(found.values())


def _alias(row: Row, catalogue: Catalogue) -> PlaceAlias:
    """Raises KeyError for a missing column, ValueError for a cell that cannot be."""
    alias = PlaceAlias(
        region=row["region"],
        municipality=row["municipality"] or None,
        name=row["name"],
        type=row["type"] or None,
        reason=row["reason"],
    )
    if alias.region not in catalogue.regions:
        raise ValueError(f"no region {alias.region!r}")
    place = catalogue.municipalities.get(alias.municipality) if alias.municipality else None
    if alias.municipality and (place is None or place.region != alias.region):
        raise ValueError(f"no municipality {alias.municipality!r} in region {alias.region}")
    if not alias.name or not alias.reason:
        raise ValueError("the name or the reason is empty")
    return alias
