"""Maps of incidents, as a client sees them."""

from typing import Annotated

import strawberry
from strawberry.scalars import JSON

from api.cache_control import A_SECOND
from api.context import Info
from api.cost_directives import Cost, ListSize
from api.types.figures import PeriodInput
from domain.errors import RegionMissing
from domain.rights import Scope
from projections.statistics.comparisons import year_ago
from projections.statistics.units import Area
from projections.views import heat_map as maps
from projections.views.heat_map import Box, Cell
from projections.views.heat_map import HeatMap as Measured
from regions.reference.catalogue import Catalogue

Resolution = Annotated[
    int, strawberry.argument(description="Of H3: 2 (87,000 km² a cell) to 9 (0.1 km²).")
]


def area_of(catalogue: Catalogue, region: str | None, municipality: str | None) -> Area:
    """Raises RegionMissing or Unknown…"""
    if region is None:
        if municipality is not None:
            raise RegionMissing
        return Area()
    catalogue.region(region)
    if municipality is not None:
        catalogue.municipality(municipality, region=region)
    return Area(region, municipality)


@strawberry.input(description="A box of the map, in degrees.")
class BoxInput:
    west: float = strawberry.field(description="Longitude, -180 to 180.")
    south: float = strawberry.field(description="Latitude, -90 to 90.")
    east: float = strawberry.field(description="Longitude, more than west.")
    north: float = strawberry.field(description="Latitude, more than south.")

    def box(self) -> Box:
        return Box(self.west, self.south, self.east, self.north)


@strawberry.type(description="A hexagon with its incidents.")
class HeatCell:
    cell: str = strawberry.field(description="Its H3 index.")
    incidents: int = strawberry.field(description="Registered in the period.")
    overdue: int = strawberry.field(description="Of them, resolved past the deadline or open so.")
    recurring: int = strawberry.field(
        description="Of them, about what was solved there within 90 days before."
    )
    per_1000: float = strawberry.field(
        name="per1000",
        description="For each 1,000 residents of their municipalities; those of unknown size left "
        "out.",
    )

    @classmethod
    def of(cls, cell: str, counted: Cell) -> "HeatCell":
        return cls(
            cell=cell,
            incidents=counted.incidents,
            overdue=counted.overdue,
            recurring=counted.recurring,
            per_1000=counted.per_1000,
        )


@strawberry.type(
    description="Where incidents lie. total = those of the cells + hidden + outside + unlocated."
)
class HeatMap:
    resolution: int = strawberry.field(description="Of H3.")
    total: int = strawberry.field(description="Registered in the period.")
    hidden: int = strawberry.field(
        description="In cells of fewer than 5, in the box or not, which are shown to who may see "
        "the incidents only."
    )
    outside: int = strawberry.field(description="Outside the box.")
    unlocated: int = strawberry.field(description="Nobody knows where.")
    cells: list[HeatCell] = strawberry.field(
        description="In the order of their index.", directives=[ListSize(assumed_size=500)]
    )
    measured: strawberry.Private[Measured]

    @strawberry.field(description="The cells as a GeoJSON FeatureCollection (RFC 7946).")
    def geo_json(self) -> JSON:
        return JSON(maps.geo_json(self.measured))

    @classmethod
    def of(cls, found: Measured) -> "HeatMap":
        return cls(
            resolution=found.resolution,
            total=found.total,
            hidden=found.hidden,
            outside=found.outside,
            unlocated=found.unlocated,
            cells=[HeatCell.of(cell, counted) for cell, counted in sorted(found.cells.items())],
            measured=found,
        )


@strawberry.type(description="How a topic stands against its own season.")
class TopicPulse:
    topic: str = strawberry.field(description="Its code.")
    incidents: int = strawberry.field(description="Registered in the period.")
    expected: float | None = strawberry.field(
        description="Its share of the same days a year ago, of this year's total; null: no past."
    )
    surprise: float | None = strawberry.field(
        description="How far above it, in standard deviations of a Poisson count; above 3 is "
        "hardly chance."
    )


@strawberry.type
class MapQuery:
    @strawberry.field(
        description="Where incidents registered in the period lie, in hexagons. Cells of fewer "
        "than 5 are hidden unless the viewer's scope covers all of it.",
        directives=[Cost(weight="1500"), A_SECOND],
    )
    async def heat_map(
        self,
        info: Info,
        period: PeriodInput,
        resolution: Resolution = 7,
        region: str | None = None,
        municipality: str | None = None,
        box: BoxInput | None = None,
        topics: list[str] | None = None,
    ) -> HeatMap:
        catalogue = info.context.catalogue
        area, checked = area_of(catalogue, region, municipality), period.period()
        for topic in topics or ():
            catalogue.topic(topic)
        async with info.context.reading_all() as connection:
            found = await maps.heat_map(
                connection,
                checked,
                area,
                catalogue=catalogue,
                now=info.context.clock(),
                resolution=resolution,
                box=box.box() if box else None,
                topics=topics,
                all_cells=sees_all(info, area),
            )
        return HeatMap.of(found)

    @strawberry.field(
        description="Which topics grow against their own season, the most first.",
        directives=[Cost(weight="1500"), A_SECOND],
    )
    async def topic_pulse(
        self,
        info: Info,
        period: PeriodInput,
        region: str | None = None,
        municipality: str | None = None,
    ) -> list[TopicPulse]:
        catalogue = info.context.catalogue
        area, checked = area_of(catalogue, region, municipality), period.period()
        async with info.context.reading_all() as connection:
            found = await maps.topic_pulse(
                connection, checked, year_ago(checked), area, catalogue=catalogue
            )
        return [
            TopicPulse(
                topic=each.topic,
                incidents=each.incidents,
                expected=each.expected,
                surprise=each.surprise,
            )
            for each in found
        ]


def sees_all(info: Info, area: Area) -> bool:
    """Whether the viewer may see every incident there."""
    return info.context.viewer.sees_all_of(Scope(area.region, area.municipality))
