"""The words of a Russian text, and the form in which a dictionary has them."""

from functools import cache, lru_cache

import pymorphy3

WORDS_KNOWN = 100_000  # words whose dictionary form is remembered; a large city's posts use fewer


@cache
def morphology() -> pymorphy3.MorphAnalyzer:
    """Made when it is first asked for: it takes a tenth of a second and 15 MB."""
    return pymorphy3.MorphAnalyzer(lang="ru")


@lru_cache(maxsize=WORDS_KNOWN)
def lemma(word: str) -> str:
    """The dictionary form in small letters, ё as е: «дорогах» and «дорогу» are «дорога»."""
    return str(morphology().parse(word)[0].normal_form).replace("ё", "е")
