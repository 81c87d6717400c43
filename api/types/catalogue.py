"""Regions, municipalities, topics, organisations: the reference data of the country."""

from datetime import date
from typing import Annotated

import strawberry

from api.context import Info
from api.cost_directives import Cost, ListSize
from api.types.figures import Board, BoardOf, PeriodInput
from api.types.node import Node, write_id
from api.types.office import Crisis, SystemicDecision
from domain.rights import region_proper
from projections import offices
from projections.municipal import municipality_board
from projections.regional import region_board
from projections.units import Area
from regions import catalogue as entries

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


@strawberry.federation.type(keys=["code"], description="A region with its centre (ЦУР).")
class Region(Node):
    code: str = strawberry.field(description="The subject's two-digit code, as text.")
    name: str = strawberry.field(description="Name in the country's language.")
    name_en: str = strawberry.field(description="Name in English.")
    district: str | None = strawberry.field(
        description="Name of the federal district; null where the region is in none."
    )
    oktmo: str | None = strawberry.field(description="ОКТМО; null where it could not be verified.")
    zone: str = strawberry.field(description="IANA name of the zone its days are counted in.")
    launched_on: date | None = strawberry.field(description="When the centre began, where known.")
    population: int | None = strawberry.field(description="Residents, where known.")

    @classmethod
    def of(cls, entry: entries.Region, catalogue: entries.Catalogue) -> "Region":
        return cls(
            id=write_id("Region", entry.code),
            code=entry.code,
            name=entry.name,
            name_en=entry.name_en,
            district=catalogue.districts[entry.district].name if entry.district else None,
            oktmo=entry.oktmo,
            zone=entry.zone.key,
            launched_on=entry.launched_on,
            population=entry.population,
        )

    @strawberry.field(
        description="Its municipalities, in the order of the catalogue.",
        directives=[ListSize(assumed_size=20)],
    )
    def municipalities(self, info: Info) -> list["Municipality"]:
        places = info.context.catalogue.municipalities_of.get(region_proper(self.code), ())
        return [Municipality.of(place) for place in places]

    @strawberry.field(
        description="Bodies that can be made responsible for an incident.",
        directives=[ListSize(assumed_size=20)],
    )
    def organisations(self, info: Info) -> list["Organisation"]:
        bodies = info.context.catalogue.organisations_of.get(region_proper(self.code), ())
        return [Organisation.of(body) for body in bodies]

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


@strawberry.federation.type(
    keys=["code"], description="A municipality; where there is one, with its centre (МЦУ)."
)
class Municipality(Node):
    code: str = strawberry.field(description="Our own stable code: region code, hyphen, name.")
    name: str = strawberry.field(description="Name in the country's language.")
    kind: str = strawberry.field(description="Kind of municipality, a word of the catalogue.")
    oktmo: str | None = strawberry.field(description="ОКТМО; null where it could not be verified.")
    zone: str = strawberry.field(description="IANA name of its zone.")
    population: int | None = strawberry.field(description="Residents, where known.")
    latitude: float | None = strawberry.field(description="Of its centre, degrees.")
    longitude: float | None = strawberry.field(description="Of its centre, degrees.")
    capital: bool = strawberry.field(description="Whether the region is governed from here.")
    region_code: strawberry.Private[str]

    @classmethod
    def of(cls, entry: entries.Municipality) -> "Municipality":
        return cls(
            id=write_id("Municipality", entry.code),
            code=entry.code,
            name=entry.name,
            kind=entry.kind,
            oktmo=entry.oktmo,
            zone=entry.zone.key,
            population=entry.population,
            latitude=entry.latitude,
            longitude=entry.longitude,
            capital=entry.capital,
            region_code=entry.region,
        )

    @strawberry.field(description="The region it belongs to.")
    def region(self, info: Info) -> Region:
        catalogue = info.context.catalogue
        return Region.of(catalogue.region(self.region_code), catalogue)

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
        launched_on = catalogue.region(self.region_code).launched_on
        place = Area(self.region_code, self.code)
        of_what = BoardOf(place, checked, self.population, launched_on)
        return Board.of(measured, of_what, {}, now=now)


@strawberry.type(description="A body that can be made responsible for an incident.")
class Organisation:
    code: str = strawberry.field(description="Stable code.")
    name: str = strawberry.field(description="Name in the country's language.")
    kind: str = strawberry.field(description="MINISTRY, MUNICIPALITY, UTILITY and so on.")
    municipality: str | None = strawberry.field(
        description="Code of its municipality; null if it serves the whole region."
    )
    topic_groups: list[str] = strawberry.field(description="Codes of the topic groups it handles.")

    @classmethod
    def of(cls, entry: entries.Organisation) -> "Organisation":
        return cls(
            code=entry.code,
            name=entry.name,
            kind=entry.kind,
            municipality=entry.municipality,
            topic_groups=list(entry.topic_groups),
        )


@strawberry.type(description="What an incident is about.")
class Topic:
    code: str = strawberry.field(description="Stable code.")
    group: str | None = strawberry.field(description="Code of its group; null for a group itself.")
    name: str = strawberry.field(description="Name in the country's language.")
    name_en: str = strawberry.field(description="Name in English.")

    @classmethod
    def of(cls, entry: entries.Topic) -> "Topic":
        return cls(code=entry.code, group=entry.group, name=entry.name, name_en=entry.name_en)


@strawberry.type(description="Where citizens write, and are answered.")
class Channel:
    code: str = strawberry.field(description="Stable code.")
    name: str = strawberry.field(description="Name in the country's language.")
    name_en: str = strawberry.field(description="Name in English.")

    @classmethod
    def of(cls, entry: entries.Channel) -> "Channel":
        return cls(code=entry.code, name=entry.name, name_en=entry.name_en)
