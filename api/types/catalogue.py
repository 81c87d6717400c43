"""Regions, municipalities, topics, organisations: the reference data of the country."""

from datetime import date
from typing import Annotated

import strawberry

from api.context import Info
from api.cost_directives import Cost, ListSize
from api.types.backed import backed_by
from api.types.figures import Board, BoardOf, PeriodInput
from api.types.node import Node, write_id
from api.types.office import Crisis, SystemicDecision
from domain.rights import region_proper
from projections import offices
from projections.statistics.units import Area
from projections.views.municipal import municipality_board
from projections.views.regional import region_board
from regions.reference import catalogue as entries

EXACT = (
    "Quantiles from the incidents themselves instead of within 1 %: slower, and only with a token."
)
Exact = Annotated[
    bool, strawberry.argument(description=EXACT, directives=[Cost(weight="30000")])
]  # of the country
ExactHere = Annotated[
    bool, strawberry.argument(description=EXACT, directives=[Cost(weight="3000")])
]  # of a region, or less


def check_exact(info: Info, exact: bool) -> None:
    """Raises NotPermitted: an exact answer costs the incidents of its period."""
    if exact:
        info.context.viewer.require_scope()


@backed_by("entry")
@strawberry.federation.type(keys=["code"], description="A region with its centre (ЦУР).")
class Region(Node):
    entry: strawberry.Private[entries.Region]
    catalogue: strawberry.Private[entries.Catalogue]

    def __init__(self, entry: entries.Region, catalogue: entries.Catalogue) -> None:
        self.entry = entry
        self.catalogue = catalogue

    def node_id(self) -> strawberry.ID:
        return write_id("Region", self.entry.code)

    code: str = strawberry.field(description="The subject's two-digit code, as text.")
    name: str = strawberry.field(description="Name in the country's language.")
    name_en: str = strawberry.field(description="Name in English.")

    @strawberry.field(description="Name of the federal district; null where the region is in none.")
    def district(self) -> str | None:
        code = self.entry.district
        return self.catalogue.districts[code].name if code else None

    oktmo: str | None = strawberry.field(description="ОКТМО; null where it could not be verified.")

    @strawberry.field(description="IANA name of the zone its days are counted in.")
    def zone(self) -> str:
        return self.entry.zone.key

    launched_on: date | None = strawberry.field(description="When the centre began, where known.")
    population: int | None = strawberry.field(description="Residents, where known.")

    @strawberry.field(
        description="Its municipalities, in the order of the catalogue.",
        directives=[ListSize(assumed_size=20)],
    )
    def municipalities(self, info: Info) -> list["Municipality"]:
        places = info.context.catalogue.municipalities_of.get(region_proper(self.code), ())
        return [Municipality(place) for place in places]

    @strawberry.field(
        description="Bodies that can be made responsible for an incident.",
        directives=[ListSize(assumed_size=20)],
    )
    def organisations(self, info: Info) -> list["Organisation"]:
        bodies = info.context.catalogue.organisations_of.get(region_proper(self.code), ())
        return [Organisation(body) for body in bodies]

    @strawberry.field(description="When it worked by the rules of a crisis, the last first.")
    async def crises(self, info: Info) -> list[Crisis]:
        async with info.context.reading_all() as connection:
            return [Crisis.of(row) for row in await offices.crises(connection, self.code)]

    @strawberry.field(description="What it changed so that problems do not return; the last first.")
    async def systemic_decisions(
        self,
        info: Info,
        topic: Annotated[
            str | None, strawberry.argument(description="Code; null: of all topics.")
        ] = None,
    ) -> list[SystemicDecision]:
        async with info.context.reading_all() as connection:
            rows = await offices.systemic_decisions(connection, self.code, topic)
        return [SystemicDecision.of(row) for row in rows]

    @strawberry.field(
        description="What the region sees of itself over a period.", directives=[Cost(weight="150")]
    )
    async def board(self, info: Info, period: PeriodInput, exact: ExactHere = False) -> Board:
        check_exact(info, exact)
        catalogue, now, checked = info.context.catalogue, info.context.clock(), period.period()
        async with info.context.reading_all() as connection:
            measured = await region_board(
                connection, checked, catalogue=catalogue, now=now, region=self.code, exact=exact
            )
        of_what = BoardOf(Area(self.code), checked, self.population, self.launched_on)
        return Board.of(measured, of_what, catalogue.municipalities, now=now)


@backed_by("entry")
@strawberry.federation.type(
    keys=["code"], description="A municipality; where there is one, with its centre (МЦУ)."
)
class Municipality(Node):
    entry: strawberry.Private[entries.Municipality]

    def __init__(self, entry: entries.Municipality) -> None:
        self.entry = entry

    def node_id(self) -> strawberry.ID:
        return write_id("Municipality", self.entry.code)

    code: str = strawberry.field(description="Our own stable code: region code, hyphen, name.")
    name: str = strawberry.field(description="Name in the country's language.")
    kind: str = strawberry.field(description="Kind of municipality, a word of the catalogue.")
    oktmo: str | None = strawberry.field(description="ОКТМО; null where it could not be verified.")

    @strawberry.field(description="IANA name of its zone.")
    def zone(self) -> str:
        return self.entry.zone.key

    population: int | None = strawberry.field(description="Residents, where known.")
    latitude: float | None = strawberry.field(description="Of its centre, degrees.")
    longitude: float | None = strawberry.field(description="Of its centre, degrees.")
    capital: bool = strawberry.field(description="Whether the region is governed from here.")

    @strawberry.field(description="The region it belongs to.")
    def region(self, info: Info) -> Region:
        catalogue = info.context.catalogue
        return Region(catalogue.region(self.entry.region), catalogue)

    @strawberry.field(
        description="What the municipality sees of itself over a period.",
        directives=[Cost(weight="100")],
    )
    async def board(self, info: Info, period: PeriodInput, exact: ExactHere = False) -> Board:
        check_exact(info, exact)
        catalogue, now, checked = info.context.catalogue, info.context.clock(), period.period()
        async with info.context.reading_all() as connection:
            measured = await municipality_board(
                connection,
                checked,
                catalogue=catalogue,
                now=now,
                municipality=catalogue.municipality(self.code),
                exact=exact,
            )
        launched_on = catalogue.region(self.entry.region).launched_on
        place = Area(self.entry.region, self.code)
        of_what = BoardOf(place, checked, self.population, launched_on)
        return Board.of(measured, of_what, {}, now=now)


@backed_by("entry")
@strawberry.type(description="A body that can be made responsible for an incident.")
class Organisation:
    entry: strawberry.Private[entries.Organisation]

    def __init__(self, entry: entries.Organisation) -> None:
        self.entry = entry

    code: str = strawberry.field(description="Stable code.")
    name: str = strawberry.field(description="Name in the country's language.")
    kind: str = strawberry.field(description="MINISTRY, MUNICIPALITY, UTILITY and so on.")
    municipality: str | None = strawberry.field(
        description="Code of its municipality; null if it serves the whole region."
    )
    topic_groups: list[str] = strawberry.field(description="Codes of the topic groups it handles.")


@backed_by("entry")
@strawberry.type(description="What an incident is about.")
class Topic:
    entry: strawberry.Private[entries.Topic]

    def __init__(self, entry: entries.Topic) -> None:
        self.entry = entry

    code: str = strawberry.field(description="Stable code.")
    group: str | None = strawberry.field(description="Code of its group; null for a group itself.")
    name: str = strawberry.field(description="Name in the country's language.")
    name_en: str = strawberry.field(description="Name in English.")


@backed_by("entry")
@strawberry.type(description="Where citizens write, and are answered.")
class Channel:
    entry: strawberry.Private[entries.Channel]

    def __init__(self, entry: entries.Channel) -> None:
        self.entry = entry

    code: str = strawberry.field(description="Stable code.")
    name: str = strawberry.field(description="Name in the country's language.")
    name_en: str = strawberry.field(description="Name in English.")
