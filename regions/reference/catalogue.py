"""The reference data of one country: regions, municipalities, organisations, topics, channels.

A catalogue is a folder of CSV files (docs/catalogue.md); no country stands in code.
"""

import csv
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

from domain.errors import (
    UnknownChannel,
    UnknownMunicipality,
    UnknownOrganisation,
    UnknownRegion,
    UnknownTopic,
)
from domain.rights import NETWORK, is_sandbox, region_proper, sandbox_of


class CatalogueInvalid(Exception):
    """A catalogue folder contradicts itself; the message names the file and the row."""


@dataclass(frozen=True, slots=True)
class District:
    code: str
    name: str
    name_en: str


@dataclass(frozen=True, slots=True)
class Region:
    code: str
    name: str
    name_en: str
    district: str | None
    oktmo: str | None
    zone: ZoneInfo
    launched_on: date | None  # when its centre began to work
    population: int | None


@dataclass(frozen=True, slots=True)
class Municipality:
    code: str
    region: str
    oktmo: str | None
    name: str
    kind: str
    zone: ZoneInfo  # the region's where the file names none
    population: int | None
    latitude: float | None
    longitude: float | None
    capital: bool


@dataclass(frozen=True, slots=True)
class Organisation:
    code: str
    region: str
    municipality: str | None  # None: responsible for the whole region
    kind: str
    name: str
    topic_groups: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Topic:
    code: str
    group: str | None  # None: this is a group itself, nothing is classified as it
    name: str
    name_en: str


@dataclass(frozen=True, slots=True)
class Channel:
    code: str
    name: str
    name_en: str


@dataclass(frozen=True)
class Catalogue:
    """All of it in memory, by code. Looking up an unknown code raises Unknown…."""

    code: str
    name: str
    name_en: str
    zone: ZoneInfo  # for the view of the whole country
    language: str  # of its names and of what citizens are told, ISO 639-1
    districts: Mapping[str, District]
    regions: Mapping[str, Region]
    municipalities: Mapping[str, Municipality]
    organisations: Mapping[str, Organisation]
    topics: Mapping[str, Topic]
    channels: Mapping[str, Channel]

    def region(self, code: str) -> Region:
        """A region, or the sandbox of one, which is like it in all but its code and name."""
        found = self.regions.get(region_proper(code))
        if found is None:
            raise UnknownRegion(value=code)
        return _sandbox(found) if is_sandbox(code) else found

    @property
    def network(self) -> Region:
        """Where the network's own stream lies; no incident does, and no viewer can name it."""
        return Region(NETWORK, self.name, self.name_en, None, None, self.zone, None, None)

    def municipality(self, code: str, *, region: str | None = None) -> Municipality:
        """With `region`, a municipality of another region is as unknown as none."""
        found = self.municipalities.get(code)
        if found is None or (region is not None and found.region != region_proper(region)):
            raise UnknownMunicipality(value=code, region=region or "?")
        return found

    def organisation(self, code: str, *, region: str, field: str = "organisation") -> Organisation:
        found = self.organisations.get(code)
        if found is None or found.region != region_proper(region):
            raise UnknownOrganisation(value=code, region=region, field=field)
        return found

    def topic(self, code: str, *, field: str = "topic") -> Topic:
        """A topic incidents can be classified as; a group is refused like an unknown code."""
        found = self.topics.get(code)
        if found is None or found.group is None:
            raise UnknownTopic(field=field, value=code)
        return found

    def topic_group(self, code: str) -> Topic:
        found = self.topics.get(code)
        if found is None or found.group is not None:
            raise UnknownTopic(value=code, field="topicGroups")
        return found

    def channel(self, code: str, *, field: str = "channel") -> Channel:
        try:
            return self.channels[code]
        except KeyError:
            raise UnknownChannel(field=field, value=code) from None

    def zone_of(self, region: str, municipality: str | None) -> ZoneInfo:
        """The zone whose days an incident of this place is counted by."""
        place = self.municipalities.get(municipality) if municipality else None
        return place.zone if place else self.regions[region_proper(region)].zone

    @cached_property
    def municipalities_of(self) -> Mapping[str, tuple[Municipality, ...]]:
        """Municipalities by region code, in the order of the file."""
        return _grouped((place.region, place) for place in self.municipalities.values())

    @cached_property
    def organisations_of(self) -> Mapping[str, tuple[Organisation, ...]]:
        """Organisations by region code, in the order of the file."""
        return _grouped((body.region, body) for body in self.organisations.values())


def _sandbox(region: Region) -> Region:
    name, name_en = f"{region.name}: учебный стенд", f"{region.name_en}: sandbox"
    return replace(region, code=sandbox_of(region.code), name=name, name_en=name_en)


def load_catalogue(folder: Path) -> Catalogue:
    """Read and check a catalogue folder. Raises CatalogueInvalid, naming file and row."""
    about = tomllib.loads((folder / "catalogue.toml").read_text(encoding="utf-8"))
    regions = _by_code(folder, "regions.csv", _region)
    catalogue = Catalogue(
        code=about["code"],
        name=about["name"],
        name_en=about["name_en"],
        zone=ZoneInfo(about["zone"]),
        language=about.get("language", "en"),
        districts=_by_code(folder, "districts.csv", _named(District)),
        regions=regions,
        municipalities=_by_code(folder, "municipalities.csv", _municipality_in(regions)),
        organisations=_by_code(folder, "organisations.csv", _organisation),
        topics=_by_code(folder, "topics.csv", _topic),
        channels=_by_code(folder, "channels.csv", _named(Channel)),
    )
    _check_references(catalogue)
    return catalogue


Row = Mapping[str, str]


def rows(path: Path) -> Iterator[Row]:
    """The rows of a catalogue file, cells stripped. Raises CatalogueInvalid if it is no table."""
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        try:
            for row in reader:
                if None in row:
                    raise CatalogueInvalid(f"{path}, line {reader.line_num}: a cell too many")
                yield {name: (cell or "").strip() for name, cell in row.items()}
        except UnicodeDecodeError as error:
            raise CatalogueInvalid(f"{path}: {error}") from error


T = TypeVar("T")


def _by_code(folder: Path, file: str, make: Callable[[Row], T]) -> dict[str, T]:
    found: dict[str, T] = {}
    for line, row in enumerate(rows(folder / file), start=2):
        try:
            code = row["code"]
            if not code or code in found:
                raise CatalogueInvalid(f"code {code!r} is empty or stands there twice")
            found[code] = make(row)
        except (KeyError, ValueError, CatalogueInvalid) as error:
            # ZoneInfo raises a KeyError for an unknown zone, date and int a ValueError.
            raise CatalogueInvalid(f"{folder / file}, line {line}: {error}") from error
    return found


def _named(of: Callable[[str, str, str], T]) -> Callable[[Row], T]:
    return lambda row: of(row["code"], row["name"], row["name_en"])


def _region(row: Row) -> Region:
    return Region(
        code=row["code"],
        name=row["name"],
        name_en=row["name_en"],
        district=row["district"] or None,
        oktmo=row["oktmo"] or None,
        zone=ZoneInfo(row["zone"]),
        launched_on=date.fromisoformat(row["launched_on"]) if row["launched_on"] else None,
        population=int(row["population"]) if row["population"] else None,
    )


def _municipality_in(regions: Mapping[str, Region]) -> Callable[[Row], Municipality]:
    def make(row: Row) -> Municipality:
        return Municipality(
            code=row["code"],
            region=row["region"],
            oktmo=row["oktmo"] or None,
            name=row["name"],
            kind=row["kind"],
            zone=ZoneInfo(row["zone"]) if row["zone"] else regions[row["region"]].zone,
            population=int(row["population"]) if row["population"] else None,
            latitude=float(row["latitude"]) if row["latitude"] else None,
            longitude=float(row["longitude"]) if row["longitude"] else None,
            capital=row["capital"] == "1",
        )

    return make


def _organisation(row: Row) -> Organisation:
    return Organisation(
        code=row["code"],
        region=row["region"],
        municipality=row["municipality"] or None,
        kind=row["kind"],
        name=row["name"],
        topic_groups=tuple(row["topic_groups"].split()),
    )


def _topic(row: Row) -> Topic:
    return Topic(row["code"], row["group"] or None, row["name"], row["name_en"])


def _check_references(catalogue: Catalogue) -> None:
    """Raises CatalogueInvalid for the first code that names nothing."""
    regions, places, topics = catalogue.regions, catalogue.municipalities, catalogue.topics
    for file, code, missing in (
        *(
            ("regions.csv", r.code, r.district not in (None, *catalogue.districts))
            for r in regions.values()
        ),
        *(("municipalities.csv", m.code, m.region not in regions) for m in places.values()),
        *(
            ("organisations.csv", o.code, o.region not in regions or not _placed(o, places))
            for o in catalogue.organisations.values()
        ),
        *(
            ("topics.csv", t.code, t.group is not None and t.group not in topics)
            for t in topics.values()
        ),
    ):
        if missing:
            raise CatalogueInvalid(f"{file}: {code} refers to a code that does not exist")


def _placed(body: Organisation, places: Mapping[str, Municipality]) -> bool:
    return body.municipality is None or (
        body.municipality in places and places[body.municipality].region == body.region
    )


def _grouped(pairs: Iterable[tuple[str, T]]) -> Mapping[str, tuple[T, ...]]:
    groups: dict[str, list[T]] = {}
    for key, member in pairs:
        groups.setdefault(key, []).append(member)
    return {key: tuple(members) for key, members in groups.items()}
