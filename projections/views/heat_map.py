"""Where incidents lie: hexagons (H3) of a map, whose sum with the rest is always the total.

Few incidents in one hexagon may point at one person: who has no right to the incidents is not
shown hexagons of fewer than SHOWN_MIN. If only so few are hidden in all, the next smallest is
hidden as well, or the total would give them away. What is hidden is the same for every box: small
ones would tell what each hexagon has.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import h3
from psycopg import AsyncConnection

from domain.errors import InvalidInput
from projections.statistics.figures import Period
from projections.statistics.units import Area, regions_of
from regions.reading.cells import RESOLUTION
from regions.reference.catalogue import Catalogue

RESOLUTIONS_SHOWN = range(2, RESOLUTION + 1)  # from 87,000 to 0.1 km²
SHOWN_MIN = 5  # k of k-anonymity
CELLS_MAX = 20_000  # a picture; more are asked for by a coarser resolution or a smaller box


class ResolutionInvalid(InvalidInput):
    """The resolution of a map is {first} to {last}."""

    field = "resolution"


class BoxInvalid(InvalidInput):
    """A box is west, south, east, north in degrees, west of east and south of north."""

    field = "box"


class TooManyCells(InvalidInput):
    """More than {limit} cells have incidents: ask for a coarser resolution or a smaller box."""

    field = "resolution"


class Box(NamedTuple):
    """Of degrees; the order of GeoJSON."""

    west: float
    south: float
    east: float
    north: float

    def checked(self) -> "Box":
        """Itself. Raises BoxInvalid."""
        if not (-180 <= self.west < self.east <= 180 and -90 <= self.south < self.north <= 90):
            raise BoxInvalid
        return self

    def holds(self, cell: str) -> bool:
        """Whether the middle of the cell lies in it."""
        latitude, longitude = h3.cell_to_latlng(cell)
        inside = self.west <= longitude < self.east and self.south <= latitude < self.north
        return bool(inside)


@dataclass(slots=True)
class Cell:
    """Counts of one hexagon."""

    incidents: int = 0
    overdue: int = 0  # past their deadline: open, or resolved too late
    recurring: int = 0  # the same topic was solved there within 90 days before
    per_1000: float = 0.0  # for each 1,000 residents of their municipalities, where known

    def add(self, other: "Cell") -> None:
        self.incidents += other.incidents
        self.overdue += other.overdue
        self.recurring += other.recurring
        self.per_1000 += other.per_1000


@dataclass(slots=True)
class HeatMap:
    """total = the cells' + hidden + outside + unlocated."""

    resolution: int
    total: int = 0
    cells: dict[str, Cell] = field(default_factory=dict)
    hidden: int = 0  # in cells of so few that nobody may see them
    outside: int = 0  # of the box
    unlocated: int = 0


async def heat_map(
    connection: AsyncConnection[Any],
    period: Period,
    area: Area,
    *,
    catalogue: Catalogue,
    now: datetime,
    resolution: int,
    box: Box | None = None,
    topics: Sequence[str] | None = None,
    all_cells: bool = False,
) -> HeatMap:
    """Of the incidents registered in the period; `all_cells`: hide none.

    Raises ResolutionInvalid, BoxInvalid or TooManyCells.
    """
    if resolution not in RESOLUTIONS_SHOWN:
        raise ResolutionInvalid(first=RESOLUTIONS_SHOWN[0], last=RESOLUTIONS_SHOWN[-1])
    if box is not None:
        box.checked()
    found = HeatMap(resolution)
    for cell, part in await _cells(connection, period, area, catalogue, now, topics):
        found.total += part.incidents
        if cell is None:
            found.unlocated += part.incidents
            continue
        found.cells.setdefault(h3.cell_to_parent(cell, resolution), Cell()).add(part)
    if not all_cells:
        hide(found)
    for cell in [each for each in found.cells if box is not None and not box.holds(each)]:
        found.outside += found.cells.pop(cell).incidents
    if len(found.cells) > CELLS_MAX:
        raise TooManyCells(limit=CELLS_MAX)
    return found


def hide(found: HeatMap) -> None:
    """Take out what is too few to be shown."""
    few = [cell for cell, of in found.cells.items() if of.incidents < SHOWN_MIN]
    for cell in few:
        found.hidden += found.cells.pop(cell).incidents
    if 0 < found.hidden < SHOWN_MIN and found.cells:
        smallest = min(found.cells, key=lambda cell: (found.cells[cell].incidents, cell))
        found.hidden += found.cells.pop(smallest).incidents


async def _cells(
    connection: AsyncConnection[Any],
    period: Period,
    area: Area,
    catalogue: Catalogue,
    now: datetime,
    topics: Sequence[str] | None,
) -> list[tuple[str | None, Cell]]:
    """By the finest cell and municipality."""
    cursor = await connection.execute(
        """
        SELECT cell,
               municipality,
               count(*),
               count(*) FILTER (WHERE due_at < coalesce(resolved_at, %(now)s)),
               count(recurrence_of)
          FROM incident
         WHERE region = ANY (%(regions)s)
           AND (%(municipality)s::text IS NULL OR municipality = %(municipality)s)
           AND (%(topics)s::text[] IS NULL OR topic = ANY (%(topics)s))
           AND registered_on BETWEEN %(first)s AND %(last)s
           AND counted
         GROUP BY cell, municipality
        """,
        {
            "now": now,
            "regions": regions_of(area, catalogue),
            "municipality": area.municipality,
            "topics": topics if topics is None else list(topics),
            "first": period.first,
            "last": period.last,
        },
        binary=True,
    )
    return [
        (cell, Cell(incidents, overdue, recurring, _per_1000(incidents, place, catalogue)))
        async for cell, place, incidents, overdue, recurring in cursor
    ]


def _per_1000(incidents: int, municipality: str | None, catalogue: Catalogue) -> float:
    place = catalogue.municipalities.get(municipality or "")
    return 1000 * incidents / place.population if place and place.population else 0.0


def geo_json(found: HeatMap) -> dict[str, Any]:
    """A FeatureCollection (RFC 7946) of the cells as polygons, the order of their ids."""
    return {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "id": cell,
                "properties": {
                    "incidents": of.incidents,
                    "overdue": of.overdue,
                    "recurring": of.recurring,
                    "per1000": of.per_1000,
                },
                "geometry": {"type": "Polygon", "coordinates": [_ring(cell)]},
            }
            for cell, of in sorted(found.cells.items())
        ],
    }


def _ring(cell: str) -> list[tuple[float, float]]:
    """Longitude first, counterclockwise, closed; a cell over the date line does not jump back."""
    corners = [(longitude, latitude) for latitude, longitude in h3.cell_to_boundary(cell)]
    east = corners[0][0]
    ring = [(_near(longitude, east), latitude) for longitude, latitude in corners]
    return [*ring, ring[0]]


def _near(longitude: float, other: float) -> float:
    return longitude + 360 * round((other - longitude) / 360)


class TopicPulse(NamedTuple):
    """How a topic stands against its own season."""

    topic: str
    incidents: int
    expected: float | None  # None: the topic, or the season, has no past
    surprise: float | None  # in standard deviations of a Poisson count; above 3 is no chance


async def topic_pulse(
    connection: AsyncConnection[Any],
    period: Period,
    year_ago: Period,
    area: Area,
    *,
    catalogue: Catalogue,
) -> list[TopicPulse]:
    """What grows most first. Expected is last year's share of the topic in this year's total."""
    this, then = [await _by_topic(connection, each, area, catalogue) for each in (period, year_ago)]
    growth = sum(this.values()) / sum(then.values()) if then else None
    found = [_pulse(topic, this, then, growth) for topic in sorted({*this, *then})]
    return sorted(found, key=lambda each: -(each.surprise if each.surprise is not None else 0.0))


def _pulse(
    topic: str, this: Mapping[str, int], then: Mapping[str, int], growth: float | None
) -> TopicPulse:
    incidents = this.get(topic, 0)
    if growth is None or not then.get(topic):
        return TopicPulse(topic, incidents, None, None)
    expected = then[topic] * growth
    surprise = (incidents - expected) / expected**0.5 if expected else None
    return TopicPulse(topic, incidents, expected, surprise)


async def _by_topic(
    connection: AsyncConnection[Any], period: Period, area: Area, catalogue: Catalogue
) -> Counter[str]:
    cursor = await connection.execute(
        """
        SELECT topic,
               count(*)
          FROM incident
         WHERE region = ANY (%(regions)s)
           AND (%(municipality)s::text IS NULL OR municipality = %(municipality)s)
           AND registered_on BETWEEN %(first)s AND %(last)s
           AND counted
           AND topic IS NOT NULL
         GROUP BY topic
        """,
        {
            "regions": regions_of(area, catalogue),
            "municipality": area.municipality,
            "first": period.first,
            "last": period.last,
        },
        binary=True,
    )
    return Counter({topic: incidents async for topic, incidents in cursor})
