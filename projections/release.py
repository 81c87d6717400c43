"""Which read models this release makes: told by their schema and by what shapes the rows."""

import hashlib
from pathlib import Path

from projections.statistics.measures import COLUMNS
from regions.reference.catalogue import Catalogue

SCHEMA = (
    (Path(__file__).parent / "schema.sql")
    .read_text(encoding="utf-8")
    .replace("/* the columns of statistics/measures.py */", ",\n    ".join(COLUMNS) + ",")
)

# Raise it when a handler of an event changes what it writes; the rest counts by itself.
NUMBER = 4


def version_of(catalogue: Catalogue) -> str:
    """Zones of the catalogue decide on which day an incident is counted, so they are part of it."""
    regions = [f"{region.code} {region.zone.key}" for region in catalogue.regions.values()]
    places = [f"{place.code} {place.zone.key}" for place in catalogue.municipalities.values()]
    shape = "\n".join([SCHEMA, *sorted(regions), *sorted(places)])
    return f"{NUMBER}.{hashlib.sha256(shape.encode()).hexdigest()[:8]}"
