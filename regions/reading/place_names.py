"""The names by which a text may call the municipalities of a region, or the regions."""

import re
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import NamedTuple

from regions.reading.place_aliases import PlaceAlias
from regions.reading.tokens import plain
from regions.reference.catalogue import Catalogue

DISTRICT, OKRUG, REGION = "район", "округ", "область"  # what an adjective stands before
_KIND_WORDS = frozenset(
    {"район", "округ", "городской", "муниципальный", "муниципальное", "образование", "зато"}
    | {"область", "край", "республика", "народная", "автономный", "автономная"}
)
_VILLAGE_TYPES = frozenset({"с", "д", "п", "х", "аул", "ст-ца"})


class Sort(Enum):
    TOWN = "a name of its own: Самара, Верхняя Пышма"
    VILLAGE = "the same of a village, and so hardly the only one of that name"
    ADJECTIVE = "nothing without «район» or «область»: Красноярский"


class PlaceName(NamedTuple):
    place: str  # code of a municipality, or of a region
    core: str  # in `plain` letters, without «район» and the like
    sort: Sort
    kind: str | None = None  # of an adjective: DISTRICT, OKRUG or REGION
    label: str | None = None  # of a settlement inside the municipality: «с. Красный Яр»


def municipality_names(
    catalogue: Catalogue, region: str, aliases: Iterable[PlaceAlias]
) -> list[PlaceName]:
    """Of one region: what the catalogue calls them, their settlements, short and old names."""
    found = [
        name
        for place in catalogue.municipalities_of.get(region, ())
        for name in _names(place.code, place.name, catalogue)
    ]
    for alias in aliases:
        if alias.region == region and alias.municipality:
            found += _settled(alias, _names(alias.municipality, alias.name, catalogue))
    return found


def region_names(catalogue: Catalogue, aliases: Iterable[PlaceAlias]) -> list[PlaceName]:
    """Of all regions: their names, the names of their capitals, the aliases of both."""
    capitals = [place for place in catalogue.municipalities.values() if place.capital]
    codes = {place.code for place in capitals}
    called = [
        *((each.code, each.name) for each in catalogue.regions.values()),
        *((place.region, place.name) for place in capitals if _is_town(place.name, catalogue)),
        *((a.region, a.name) for a in aliases if a.municipality is None or a.municipality in codes),
    ]
    names = [name for code, called_so in called for name in _names(code, called_so, catalogue)]
    return [each._replace(kind=REGION) if each.kind else each for each in names]


def namesakes(names: Iterable[PlaceName]) -> Mapping[PlaceName, tuple[str, ...]]:
    """Of each town the codes of the districts called after it: «Кинель» and «Кинельский район»."""
    districts: dict[str, set[str]] = {}
    for name in names:
        if name.sort is Sort.ADJECTIVE:
            districts.setdefault(_root(name.core), set()).add(name.place)
    return {
        name: tuple(sorted(districts[_root(name.core)] - {name.place}))
        for name in names
        if name.sort is Sort.TOWN and _root(name.core) in districts
    }


def _root(core: str) -> str:
    """What a town and its adjective share: «кинел» of «кинель» and «кинельский»."""
    core = re.sub(r"(?:ий|ой|ое|ая|[аеоыиь])$", "", core.replace("-", ""))
    core = re.sub(r"ск$", "", core)
    return re.sub(r"(?<=ц)к$|ь$", "", core)


def _names(place: str, name: str, catalogue: Catalogue) -> Iterator[PlaceName]:
    if catalogue.language != "ru":
        yield PlaceName(place, plain(name), Sort.TOWN)
        return
    for part in re.split(r"\s+и\s+|\s*[—()]\s*", plain(name)):
        words = part.split()
        core = " ".join(word for word in words if word not in _KIND_WORDS)
        if core and words[-1] in _KIND_WORDS:
            # «Алапаевское образование» is «Алапаевский район» to those who live there.
            for said in dict.fromkeys((core, re.sub(r"ое$", "ий", core))):
                kind = DISTRICT if words[-1] == DISTRICT else OKRUG
                yield PlaceName(place, said, Sort.ADJECTIVE, kind)
        elif core:
            yield PlaceName(place, core, Sort.TOWN)


def _is_town(name: str, catalogue: Catalogue) -> bool:
    return any(each.sort is Sort.TOWN for each in _names("", name, catalogue))


def _settled(alias: PlaceAlias, names: Iterable[PlaceName]) -> Iterator[PlaceName]:
    """With what an address needs to know of a settlement inside a municipality."""
    if alias.type is None:
        return iter(names)
    sort = Sort.VILLAGE if alias.type in _VILLAGE_TYPES else Sort.TOWN
    dot = "." if len(alias.type) == 1 else ""
    label = f"{alias.type}{dot} {alias.name}"
    return (name._replace(sort=sort, label=label) for name in names)
