"""Finds the names of places in a text, in any case form and with a letter wrong."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

from rapidfuzz import process
from rapidfuzz.distance import OSA

from regions.reading.declension import case_forms
from regions.reading.grammar import Meaning, is_adjective, is_known
from regions.reading.place_names import REGION, PlaceName, Sort
from regions.reading.place_signs import Signs, Written
from regions.reading.tokens import tokens

# How sure a name makes us, 0 to 1: by judgement, only their order has meaning.
MARKED = 0.95  # «г. Самара», «Красноярский район»
NAMED = 0.9  # «в Самаре»
SETTLEMENT = 0.8  # «с. Красный Яр» of which the catalogue knows one
HOMONYM = 0.65  # «в Орле», where the word has another meaning too
VILLAGE = 0.6  # «в Красном Яре»: there are more of that name
MISSPELT = 0.6  # «в Новокуйбишевске»

LONG_NAME = 7  # letters from which on one wrong letter does not make another name


class Mention(NamedTuple):
    name: PlaceName
    confidence: float
    start: int
    end: int
    decided: bool  # False: might as well be the district of the same name


class _Spelling(NamedTuple):
    name: PlaceName
    words: tuple[str, ...]
    nominative: bool


class PlaceIndex:
    """Of the names given, in the language of their catalogue: only Russian ones are declined."""

    def __init__(self, names: Iterable[PlaceName], language: str) -> None:
        self._russian = language == "ru"
        self._by_first: dict[str, list[_Spelling]] = {}  # the longest first
        self._long: dict[str, list[_Spelling]] = {}
        for spelling in sorted(self._spellings(names), key=lambda one: -len(one.words)):
            self._by_first.setdefault(spelling.words[0], []).append(spelling)
            if len(spelling.words) == 1 and len(spelling.words[0]) >= LONG_NAME:
                self._long.setdefault(spelling.words[0], []).append(spelling)
        self._long_words = list(self._long)

    def mentions(self, written: Written) -> Iterator[Mention]:
        """In the order of the text; several at one place if several places fit equally."""
        at = 0
        while at < len(written.tokens):
            length, here = self._longest(written, at)
            yield from here
            at += length

    def _spellings(self, names: Iterable[PlaceName]) -> Iterator[_Spelling]:
        for name in names:
            if self._russian:
                for words, nominative in case_forms(name.core).items():
                    yield _Spelling(name, words, nominative)
            else:
                yield _Spelling(name, tuple(token.word for token in tokens(name.core)), True)

    def _longest(self, written: Written, at: int) -> tuple[int, list[Mention]]:
        """How many words to go on by, and what they mean."""
        if written.in_address(at):
            return 1, []
        words = [token.word for token in written.tokens[at : at + 5]]
        starting = self._by_first.get(words[0], ())
        fitting = (one for one in starting if one.words == tuple(words[: len(one.words)]))
        for length, spelt in groupby(fitting, key=lambda one: len(one.words)):
            here = [] if self._is_part(written, at, length) else self._read(spelt, written, at)
            if here:
                return length, here
        return 1, [] if starting else self._misspelt(written, at)

    def _read(self, spelt: Iterable[_Spelling], written: Written, at: int) -> list[Mention]:
        found = {one: self._mention(one, written, at) for one in spelt}
        sure = [mention for mention in found.values() if mention.confidence]
        said = written.signs(at, max(len(one.words) for one in found), nominative=False)
        of_kind = [one for one in sure if one.name.kind and one.name.kind == said.district_kind]
        return of_kind or sure

    def _mention(
        self, spelling: _Spelling, written: Written, at: int, at_most: float = 1.0
    ) -> Mention:
        length = len(spelling.words)
        said = written.signs(at, length, nominative=spelling.nominative)
        sure = _confidence(spelling.name, said) if self._russian else NAMED
        return Mention(
            name=spelling.name,
            confidence=min(sure, at_most),
            start=written.tokens[at].start,
            end=written.tokens[at + length - 1].end,
            decided=said.is_town or (not is_adjective(said.form) and said.is_oblique),
        )

    def _misspelt(self, written: Written, at: int) -> list[Mention]:
        """Names that differ in one letter from a word no dictionary has."""
        word = written.tokens[at].word
        if not self._russian or len(word) < LONG_NAME or is_known(word):
            return []
        near = process.extract(word, self._long_words, scorer=OSA.distance, score_cutoff=1)
        found = [
            self._mention(spelling, written, at, MISSPELT)
            for name, _, _ in near
            for spelling in self._long[name]
            if spelling.name.sort is Sort.ADJECTIVE or not is_adjective(word)
        ]
        return [mention for mention in found if mention.confidence]

    def _is_part(self, written: Written, at: int, length: int) -> bool:
        """Of a longer word: «Самара-сити», but not «Самара-Тольятти»."""
        return any(
            written.is_hyphened(edge) and written.tokens[beside].word not in self._by_first
            for edge, beside in ((at, at - 1), (at + length, at + length))
        )


def _confidence(name: PlaceName, said: Signs) -> float:
    """0 if the name is not meant here."""
    if name.kind == REGION:
        return MARKED if said.is_region else 0
    if name.sort is Sort.ADJECTIVE:
        return MARKED if said.district_kind else 0
    if said.is_no_place or (said.district_kind and is_adjective(said.form)):
        return 0
    if name.sort is Sort.VILLAGE:
        return _village_confidence(said)
    if said.is_town:
        return MARKED
    if said.is_village:
        return 0
    if said.is_settlement:
        return SETTLEMENT
    return _bare_confidence(said)


def _village_confidence(said: Signs) -> float:
    if said.is_village or said.is_settlement:
        return SETTLEMENT
    return VILLAGE if said.is_enough and not said.is_town else 0


def _bare_confidence(said: Signs) -> float:
    if not said.is_enough:
        return 0
    return NAMED if said.meaning in (Meaning.PLACE, Meaning.PLACE_FIRST) else HOMONYM
