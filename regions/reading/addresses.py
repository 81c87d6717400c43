"""Streets and houses in a Russian text, brought to the form «ул. Мирная, 5».

Nothing else of a text gets into an address: no flat, no telephone number, and no surname that is
not behind the word for a street, or known as the name of many.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from regions.reading.grammar import agree, nominative, readings
from regions.reading.houses import house_before, house_behind
from regions.reading.street_names import StreetName, capital, street_name
from regions.reading.streets import KIND, NO_STREETS, REVERSIBLE, WITHOUT_CAPITAL, kind_of
from regions.reading.tokens import plain

_FORWARD = re.compile(rf"(?<![\w-])(?i:{KIND})(?:(?<=\.)|(?!\w))\s*[«\"]?(?=[А-Яа-яЁё\d])")
_REVERSED = re.compile(
    rf"(?<![\w-])(?P<name>[А-ЯЁ][а-яё]{{1,40}}(?:-[А-ЯЁа-яё]{{1,40}})?)\s+(?i:{KIND})(?![\w-])"
)
_NUMBERED = re.compile(
    r"(?<!\d)(?P<before>\d{1,3}[а-е]?)(?:-?(?:й|м|го|ом))?\s+(?i:мкрн?|мкр-н\w?|микрорайон\w{0,2})\b|"
    r"(?<!\w)(?i:мкрн?\.?|мкр-н\w?|микрорайон\w{0,2})\s*(?P<behind>\d{1,3}[а-е]?)(?![\w-])"
)
_BARE = re.compile(
    r"(?<![\w-])(?:(?P<on>на|по|с|у|возле|около)\s+(?=[А-Яа-яЁё]{3}|\d\d?\s[А-ЯЁ])|(?=[А-ЯЁ][а-яё]{2}))"
)
_CASE_BEHIND = {"на": "loct", "по": "datv"}
_ABBREVIATION = 4  # letters at most: «пр-т»; «улица» may be about something else


class Address(NamedTuple):
    text: str
    start: int
    end: int
    has_house: bool


def find_addresses(text: str) -> list[Address]:
    """In the order of the text, none within another."""
    found: list[Address] = []
    for finder in (_reversed, _forward, _numbered, _bare):
        for address in finder(text):
            if all(address.end <= each.start or each.end <= address.start for each in found):
                found.append(address)
    return sorted(found, key=lambda each: each.start)


def best_address(found: list[Address]) -> Address | None:
    """The first that has a house, else the first."""
    return next((each for each in found if each.has_house), found[0] if found else None)


def _forward(text: str) -> Iterator[Address]:
    """«ул. Мирная», «по улице Красной», «проспект Кирова»."""
    for found in _FORWARD.finditer(text):
        kind, gender, said = kind_of(found)
        name = street_name(text, found.end())
        if name and name.is_name and _can_follow(name, kind, said):
            yield _with_house(text, f"{kind} {name.written(gender)}", found.start(), name.end)


def _can_follow(name: StreetName, kind: str, said: str) -> bool:
    """«на улице ленина», but not «на улице яма»."""
    if name.has_capital or name.is_numbered:
        return True
    if kind not in WITHOUT_CAPITAL:
        return False
    if len(said) <= _ABBREVIATION or name.is_usual or len(name.words) > 1:
        return True
    first, behind = plain(name.words[0]), name.next_word
    return agree(first, plain(said)) and not (behind and agree(first, plain(behind)))


def _reversed(text: str) -> Iterator[Address]:
    """«Мирная улица», «на Московском шоссе», but not «Динская ул. Красная»."""
    for found in _REVERSED.finditer(text):
        kind, gender, said = kind_of(found)
        adjective = plain(found["name"])
        behind = street_name(text, found.end() + 1)
        if behind and _is_name_of(behind, said):
            continue
        if kind not in REVERSIBLE and _begins_sentence(text, found.start()):
            continue
        named = nominative(adjective, gender)
        agrees = len(said) <= _ABBREVIATION or agree(adjective, plain(said))
        if named and agrees and named not in NO_STREETS and "PRTF" not in readings(adjective)[0]:
            yield _with_house(text, f"{kind} {capital(named)}", found.start(), found.end())


def _begins_sentence(text: str, at: int) -> bool:
    """Where a capital letter says nothing: «Пожарный проезд заставлен»."""
    before = text[:at].rstrip()
    return not before or before[-1] in ".!?…"


def _is_name_of(behind: StreetName, said: str) -> bool:
    if not (behind.has_capital or behind.is_numbered):
        return False
    return len(said) <= _ABBREVIATION or behind.is_usual or behind.is_feminine()


def _numbered(text: str) -> Iterator[Address]:
    """«5-й микрорайон», «мкр. 10А»."""
    for found in _NUMBERED.finditer(text):
        number = found["before"] or found["behind"]
        yield _with_house(text, f"мкр. {number.upper()}", found.start(), found.end())


def _bare(text: str) -> Iterator[Address]:
    """«на Мирной», «Ленина 10А», «дом 5 по Гагарина»."""
    for found in _BARE.finditer(text):
        name = street_name(text, found.end())
        if name is None or not (found["on"] or name.has_capital):
            continue
        written = f"ул. {name.written('femn')}" if name.is_feminine() else name.text
        address = _with_house(text, written, found.start(), name.end)
        housed = address.has_house and name.is_complete and (name.is_usual or name.is_feminine())
        if housed or (name.has_capital and _is_on(name, found["on"])):
            yield address


def _is_on(name: StreetName, preposition: str | None) -> bool:
    """«на Мирной», but not «на Северной стороне», «по Самарской обл.»."""
    case = _CASE_BEHIND.get(preposition or "")
    if case is None:
        return False
    if name.is_usual:
        return True
    behind = plain(name.next_word or "")
    return name.is_feminine(case) and not behind.startswith("обл") and not _agrees(name, behind)


def _agrees(name: StreetName, behind: str) -> bool:
    return bool(behind) and agree(plain(name.words[0]), behind)


def _with_house(text: str, street: str, start: int, end: int) -> Address:
    behind, before = house_behind(text, end), house_before(text, start)
    house = behind or before
    if house is None:
        return Address(street, start, end, False)
    return Address(f"{street}, {house.text}", min(start, house.start), max(end, house.end), True)
