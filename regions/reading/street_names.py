"""The name of a street: where it ends in a text, and how it stands in an address."""

import re
from dataclasses import dataclass

from regions.reading.grammar import agree, is_adjective, nominative, readings
from regions.reading.streets import NO_STREETS, NUMBERED, SECOND, TITLES, USUAL, USUAL_FIRST, WOMEN
from regions.reading.tokens import plain

_WORD = r"[А-Яа-яЁё]{1,40}(?:-[А-Яа-яЁё]{1,40}){0,3}"
_NAME = re.compile(
    r"(?:(?P<ordinal>\d{1,3}(?:\s?-?\s?(?:летия|летие|лет|ая|ой|го|я|й|ю))?)\s+)?"
    rf"(?P<first>{_WORD})(?:\s+(?P<second>{_WORD}))?"
)
_SMALL = frozenset({"лет", "летия", "летие"})
_INITIALS = frozenset({"ссср", "влксм"})
_PEOPLE = frozenset({"Surn", "Patr", "Name"})


@dataclass(frozen=True, slots=True)
class StreetName:
    words: tuple[str, ...]  # as written
    has_number: bool
    end: int
    next_word: str | None  # behind it, if nothing but space parts them

    @property
    def has_capital(self) -> bool:
        first = self.words[-1] if self.has_number else self.words[0]
        return first[0].isupper() and not first[1:].isupper()

    @property
    def text(self) -> str:
        return " ".join(capital(word) for word in self.words)

    @property
    def is_complete(self) -> bool:
        """One word, or two that are one name: no «Верхняя Пышма»."""
        return len(self.words) == 1 or self.is_usual or plain(self.words[-1]) in SECOND

    @property
    def is_numbered(self) -> bool:
        """«8 Марта», «50 лет Октября», not «15 км»."""
        return self.has_number and (self.has_capital or plain(self.words[-1]) in NUMBERED)

    @property
    def is_usual(self) -> bool:
        """A name that is a street even without «улица»."""
        first, last = plain(self.words[0]), plain(self.words[-1])
        if self.has_number:
            return last in NUMBERED
        return last in USUAL if len(self.words) == 1 else first in USUAL_FIRST and last in SECOND

    @property
    def is_name(self) -> bool:
        """What can stand behind «улица» at all: no verb, no preposition."""
        first = readings(plain(self.words[-1 if self.has_number else 0]))[0]
        return bool(first & {"NOUN", "ADJF", "ADJS"}) and not first & {"Apro", "PRTF"}

    def is_feminine(self, case: str | None = None) -> bool:
        """An adjective that agrees with «улица» understood; in the case, if one is given."""
        word = plain(self.words[0])
        cases = {case} if case else {"nomn", "gent", "datv", "loct"}
        if "Surn" in readings(word)[0] or nominative(word, "femn") in {None, *NO_STREETS}:
            return False
        found = (each for each in readings(word) if {"ADJF", "femn"} <= each)
        return any(each & cases and "Poss" not in each for each in found)

    def written(self, gender: str) -> str:
        """In the nominative if all its words are adjectives and none may be a surname."""
        agreeing = [_agreeing(plain(word), gender) for word in self.words]
        names = [name for name in agreeing if name]
        if len(names) < len(self.words) or (self.has_number and len(names) < 2):
            names = list(self.words)
        return " ".join(capital(name) for name in names)


def street_name(text: str, at: int) -> StreetName | None:
    found = _NAME.match(text, at)
    if found is None:
        return None
    ordinal, first, second = found["ordinal"], found["first"], found["second"]
    both = second is not None and _belong(first, second)
    words = [*(ordinal.split() if ordinal else ()), first, *((second,) if both else ())]
    return StreetName(
        words=tuple(words),
        has_number=ordinal is not None,
        end=found.end("second") if both else found.end("first"),
        next_word=None if both else second,
    )


def _belong(first: str, second: str) -> bool:
    """«Маршала Жукова», «Красной Армии», «Большая Садовая», but not «Мирной Иванова»."""
    one, two = plain(first), plain(second)
    if one in TITLES or (one in USUAL_FIRST and two in SECOND):
        return True
    if "Name" in readings(one)[0]:
        return second[0].isupper() and any("Surn" in each for each in readings(two))
    if not is_adjective(one) or any(each & _PEOPLE for each in readings(two)):
        return False
    if not second[0].isupper():
        return two in SECOND
    return agree(one, two) or (is_adjective(two) and one[-2:] == two[-2:])


def _agreeing(word: str, gender: str) -> str | None:
    """None if it is no adjective, or «Островского», «Крупской»: then it does not agree."""
    if not is_adjective(word) or word in WOMEN or word.endswith(("ого", "его")):
        return None
    return nominative(word, gender)


def capital(word: str) -> str:
    """«ново-садовая» and «МИРА» as a name is written."""
    if word in _SMALL or word[0].isdigit():
        return word
    word = word.lower() if word.isupper() and plain(word) not in _INITIALS else word
    return "-".join(part[:1].upper() + part[1:] for part in word.split("-"))
