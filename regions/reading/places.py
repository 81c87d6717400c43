"""Where a message is about: municipality and address, read from text, group and point.

What stays open stays open: a reading keeps every municipality that fits nearly as well as the best.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import NamedTuple

from regions.reading.addresses import Address, best_address, find_addresses
from regions.reading.distance import Point
from regions.reading.nearness import Nearness
from regions.reading.place_aliases import PlaceAlias
from regions.reading.place_index import Mention, PlaceIndex
from regions.reading.place_names import Sort, municipality_names, namesakes, region_names
from regions.reading.place_signs import Written
from regions.reading.settlements import settlement
from regions.reading.tokens import tokens
from regions.reference.catalogue import Catalogue

GROUP = 0.55  # how sure it is that a group's posts are about its own municipality
UNDECIDED = 0.8  # «Кинель» alone: the town …
NAMESAKE = 0.6  # … or the district around it
KEPT = 0.7  # of the best confidence; a guess below it is dropped
CHARACTERS_READ = 4_000  # of a text; a place is named early, and spam may not cost seconds

_OF_TOWN = re.compile(r"\s+[\w./-]+(?:\s+[\w./-]+)?\s+(?:г\.|города?\s)?\s*")  # «район города»


class PlaceGuess(NamedTuple):
    municipality: str  # code
    confidence: float  # 0 to 1; the order matters, not the figure
    found: str  # the words it was read from, or "group", or "point"


@dataclass(frozen=True, slots=True)
class PlaceReading:
    guesses: tuple[PlaceGuess, ...]  # the best first; more than one: ambiguous
    address: str | None  # «ул. Мирная, 5», «с. Красный Яр, ул. Мира, 5»
    elsewhere: str | None  # code of the one other region that is named, if no place of this one is

    @property
    def municipality(self) -> str | None:
        """None if there is none, or more than one."""
        return self.guesses[0].municipality if len(self.guesses) == 1 else None


class PlaceReader:
    """Of one region. `regions` are the names of all of them, to be shared between readers."""

    def __init__(
        self,
        catalogue: Catalogue,
        region: str,
        aliases: tuple[PlaceAlias, ...] = (),
        *,
        regions: PlaceIndex | None = None,
    ) -> None:
        """Raises UnknownRegion."""
        self._catalogue = catalogue
        self._region = catalogue.region(region).code
        names = municipality_names(catalogue, region, aliases)
        self._places = PlaceIndex(names, catalogue.language)
        self._namesakes = namesakes(names)
        self._regions = regions or region_index(catalogue, aliases)
        self._nearness = Nearness(catalogue.municipalities_of.get(region, ()))

    def read(
        self, text: str, *, posted_in: str | None = None, point: Point | None = None
    ) -> PlaceReading:
        """`posted_in` is the municipality of the group it was posted in.

        Raises UnknownMunicipality if that is none of this region.
        """
        # Some keyboards write «й» in two characters.
        text = unicodedata.normalize("NFC", text[:CHARACTERS_READ])
        addresses = find_addresses(text)
        written = Written(text, tokens(text), [(each.start, each.end) for each in addresses])
        mentions = _without_parts(text, list(self._places.mentions(written)))
        named = [guess for mention in mentions for guess in self._guesses(text, mention)]
        return PlaceReading(
            guesses=_kept([_best(named), self._group(posted_in), self._near(point)]),
            address=_address(text, mentions, best_address(addresses)),
            elsewhere=None if mentions else self._elsewhere(written),
        )

    def _guesses(self, text: str, mention: Mention) -> Iterator[PlaceGuess]:
        """More than one if the name may be that of the district too."""
        found = text[mention.start : mention.end]
        others = () if mention.decided else self._namesakes.get(mention.name, ())
        sure = min(mention.confidence, UNDECIDED) if others else mention.confidence
        yield PlaceGuess(mention.name.place, sure, found)
        for other in others:
            yield PlaceGuess(other, min(mention.confidence, NAMESAKE), found)

    def _group(self, posted_in: str | None) -> list[PlaceGuess]:
        if posted_in is None:
            return []
        place = self._catalogue.municipality(posted_in, region=self._region)
        return [PlaceGuess(place.code, GROUP, "group")]

    def _near(self, point: Point | None) -> list[PlaceGuess]:
        found = self._nearness.confidences(point) if point else {}
        return [PlaceGuess(code, confidence, "point") for code, confidence in found.items()]

    def _elsewhere(self, written: Written) -> str | None:
        """The other region, if it is the only one named."""
        named = {mention.name.place for mention in self._regions.mentions(written)}
        return named.pop() if len(named) == 1 and self._region not in named else None


class PlaceReaders:
    """Of all regions of a catalogue, each made when it is first asked for."""

    def __init__(self, catalogue: Catalogue, aliases: tuple[PlaceAlias, ...] = ()) -> None:
        self._catalogue = catalogue
        self._aliases = aliases
        self._regions = region_index(catalogue, self._aliases)
        self._made: dict[str, PlaceReader] = {}

    def of(self, region: str) -> PlaceReader:
        """Raises UnknownRegion."""
        if region not in self._made:
            self._made[region] = PlaceReader(
                self._catalogue, region, self._aliases, regions=self._regions
            )
        return self._made[region]


def region_index(catalogue: Catalogue, aliases: tuple[PlaceAlias, ...] = ()) -> PlaceIndex:
    """The names of all regions and their capitals, to tell where else a message belongs."""
    return PlaceIndex(region_names(catalogue, aliases), catalogue.language)


def _without_parts(text: str, mentions: list[Mention]) -> list[Mention]:
    """Without those the text itself says to be part of another.

    A village lies in the district named («с. Алексеевка Кинельского района»), a district with a
    town behind it inside the town («Пролетарский район Ростова»).
    """
    districts = {each.name.place for each in mentions if each.name.sort is Sort.ADJECTIVE}
    inner = {
        district
        for district, town in pairwise(mentions)
        if district.name.sort is Sort.ADJECTIVE
        and town.name.sort is Sort.TOWN
        and district.name.place != town.name.place
        and _OF_TOWN.fullmatch(text[district.end : town.start])
    }
    return [
        each
        for each in mentions
        if each not in inner
        and (each.name.sort is not Sort.VILLAGE or districts <= {each.name.place})
    ]


def _best(guesses: Iterable[PlaceGuess]) -> list[PlaceGuess]:
    """The most confident of each municipality."""
    best: dict[str, PlaceGuess] = {}
    for guess in guesses:
        known = best.setdefault(guess.municipality, guess)
        best[guess.municipality] = max(known, guess, key=lambda one: one.confidence)
    return list(best.values())


def _kept(sources: Iterable[list[PlaceGuess]]) -> tuple[PlaceGuess, ...]:
    """What text, group and point say together; a source that agrees makes surer."""
    together: dict[str, PlaceGuess] = {}
    for guess in chain.from_iterable(sources):
        known = together.get(guess.municipality, guess._replace(confidence=0.0))
        doubt = (1 - known.confidence) * (1 - guess.confidence)
        together[guess.municipality] = known._replace(confidence=round(1 - doubt, 3))
    best = max((guess.confidence for guess in together.values()), default=0.0)
    kept = [guess for guess in together.values() if guess.confidence >= KEPT * best]
    return tuple(sorted(kept, key=lambda guess: (-guess.confidence, guess.municipality)))


def _address(text: str, mentions: list[Mention], street: Address | None) -> str | None:
    labels = {each.name.label for each in mentions if each.name.label}
    village = labels.pop() if len(labels) == 1 else settlement(text)
    return ", ".join(filter(None, (village, street and street.text))) or None
