"""The number of a house in a text, never that of a flat, and never a count of days."""

import re
from typing import NamedTuple

# A number with one of these behind it is no house; a date, a time, a telephone number neither.
_COUNTED = (
    "дн|день|сут|час|мин|сек|лет|год|мес|недел|раз|чел|руб|тыс|млн|км|см|метр|"
    "ребен|дет[еи]|январ|феврал|март|апрел|ма[йя]\\b|июн|июл|август|сентябр|октябр|ноябр|декабр|"
    "числ|утра|вечера|ночи|градус|процент|маршрут|автобус|ч\\b|г\\b|м\\b"
)
_NO_HOUSE = rf"(?!\d|[.:]\d|\s?%|\s?°|[-\s]?\(?\d{{3}}|[-\s]?(?:{_COUNTED}))"
_LETTER = (
    r"(?:-?(?P<letter>[а-жзи])(?![а-яё\d])|\s?«?(?P<apart>[А-ЖЗИК])»?(?![а-яёА-ЯЁ.])|"
    r"\s(?P<last>[абгде])(?=\s*(?:[,.;)]|$)))"
)
_NUMBER = (
    rf"(?P<number>\d{{1,3}})(?:/(?P<corner>\d{{1,3}}[а-я]?))?(?:{_LETTER})?"
    r"(?:[\s,]*(?P<part>к|корп|корпус\w?|стр|строени\w)\.?\s?(?P<part_number>\d{1,2}[а-я]?))?"
)
_BESIDE = r"(?:(?:у|возле|около|напротив|за|от|в районе|рядом с|во дворе|двор)\s+)?"
_SAID = r"(?:дом(?:а|е|у|ом)?|д|№|зд|здани\w)\b\.?\s*№?\s*"
_BEHIND = re.compile(
    rf"(?i:[\s,;:(]*{_BESIDE}(?:{_SAID})|\s?№\s?|,?\s?)(?-i:{_NUMBER})(?i:{_NO_HOUSE})"
)
_BEFORE = re.compile(
    rf"(?i:(?<!\w){_SAID}){_NUMBER}(?:\s?[(,]\s?|\s+)(?:(?:по|на|в)\s+)?(?:адрес\w\s+)?$"
)
_REACH = 48  # characters before a street that may hold its house


class House(NamedTuple):
    text: str  # «12», «10А», «12/1», «12 к. 2»
    start: int
    end: int


def house_behind(text: str, at: int) -> House | None:
    """Of the street whose name ends at `at`: «…, 5», «…, возле дома 5»."""
    return _house(_BEHIND.match(text, at))


def house_before(text: str, at: int) -> House | None:
    """Of the street whose name begins at `at`: «дом 5 по …», «дома 5 (…)»."""
    return _house(_BEFORE.search(text, max(0, at - _REACH), at))


def _house(found: re.Match[str] | None) -> House | None:
    if found is None:
        return None
    letter = found["letter"] or found["apart"] or found["last"] or ""
    corner = f"/{found['corner']}" if found["corner"] else ""
    part = ""
    if found["part_number"]:
        part = f" {'стр.' if found['part'].startswith('стр') else 'к.'} {found['part_number']}"
    return House(f"{found['number']}{corner}{letter.upper()}{part}", found.start(), found.end())
