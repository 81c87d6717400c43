"""The words of a text with their places in it, so that what was found can be shown and cut out."""

import re
from typing import NamedTuple

WORD_LETTERS_MAX = 40  # a longer run of letters is no word, and costs time

_WORD = re.compile(rf"[^\W_]{{1,{WORD_LETTERS_MAX}}}")


class Token(NamedTuple):
    word: str  # lower case, ё as е
    start: int
    end: int
    capital: bool  # «Шахты», not «шахты»; «ШАХТЫ» tells nothing


def tokens(text: str) -> list[Token]:
    """Words and numbers in order; a hyphen divides, «Ростов-на-Дону» is three."""
    return [_token(found) for found in _WORD.finditer(text)]


def plain(text: str) -> str:
    """Lower case, ё as е: how words are compared."""
    return text.lower().replace("ё", "е")


def _token(found: re.Match[str]) -> Token:
    written = found[0]
    capital = written[0].isupper() and not written[1:].isupper()
    return Token(plain(written), found.start(), found.end(), capital)
