"""Words that show something when they stand together: the way rules about a message are written.

A sign is there when each of its groups has a word in one sentence, close to one of the first
group. A group is words in lower case, ё as е, divided by spaces; `*` stands for any ending. «не»,
«ни» and «без» go with the word after them: what `не_греют` finds, `греют` does not.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from regions.reading.spelling import spelled

CLOSE = 7  # words
WORDS_MAX = 60  # of a sentence; a longer one is divided, as is a text without full stops


class Sentence(NamedTuple):
    words: tuple[str, ...]
    asks: bool  # ends with one question mark: «?!» and «???» reproach


@dataclass(frozen=True, slots=True)
class Sign:
    groups: tuple[re.Pattern[str], ...]
    unless: re.Pattern[str] | None  # anywhere in the sentence: something else is meant
    close: int

    def stands_in(self, words: Sequence[str]) -> bool:
        """In the words of one sentence."""
        places: list[list[int]] = []
        for group in self.groups:
            places.append(_places(words, group))
            if not places[-1]:
                return False
        if self.unless and has(self.unless, words):
            return False
        return any(self._together(start, places) for start in places[0])

    def _together(self, start: int, places: Iterable[Iterable[int]]) -> bool:
        return all(any(abs(at - start) < self.close for at in group) for group in places)


def sign(*groups: str, unless: str | None = None, close: int = CLOSE) -> Sign:
    return Sign(tuple(map(group, groups)), group(unless) if unless else None, close)


@lru_cache(maxsize=1000)
def group(words: str) -> re.Pattern[str]:
    """For `fullmatch` with a word."""
    return re.compile("|".join(word.replace("*", ".*") for word in words.split()))


def has(group: re.Pattern[str], words: Iterable[str]) -> bool:
    return any(group.fullmatch(word) for word in words)


def shown(signs: Iterable[Sign], sentences: Sequence[Sentence]) -> bool:
    return any(sign.stands_in(sentence.words) for sign in signs for sentence in sentences)


# A full stop after a short word may be that of «ул.» or «д.».
_SENTENCE = re.compile(r"((?:[^.!?…\n]|(?<!\w{4})\.)+)([.!?…]*)")


def sentences(text: str) -> list[Sentence]:
    """Those that have words."""
    return [
        Sentence(words[at : at + WORDS_MAX], end == "?")
        for written, end in _SENTENCE.findall(text)
        for words in [joined(spelled(written))]
        for at in range(0, len(words), WORDS_MAX)
    ]


_GOES_WITH_THE_NEXT = ("не", "ни", "без")


def joined(words: Sequence[str]) -> tuple[str, ...]:
    """«не греют» as one word, не_греют."""
    found: list[str] = []
    for before, word in zip(("", *words), words, strict=False):
        if before in _GOES_WITH_THE_NEXT:
            found[-1] = f"{before}_{word}"
        else:
            found.append(word)
    return tuple(found)


def _places(words: Sequence[str], group: re.Pattern[str]) -> list[int]:
    return [place for place, word in enumerate(words) if group.fullmatch(word)]
