"""Russian typed in Latin letters, read back: «u nas net vody», «zhkh», «вoда» with a Latin o.

There are many ways to spell Russian so. This reads the usual ones, and need not be exact: what
compares words (regions/reading/vectors.py) forgives a letter.
"""

import re
from functools import lru_cache

_SOUNDS = {
    **{"shch": "щ", "sch": "щ", "zh": "ж", "kh": "х", "ts": "ц", "ch": "ч", "sh": "ш"},
    **{"yo": "е", "jo": "е", "yu": "ю", "ju": "ю", "iu": "ю", "ya": "я", "ja": "я", "ye": "е"},
    **{"a": "а", "b": "б", "c": "ц", "d": "д", "e": "е", "f": "ф", "g": "г", "h": "х", "i": "и"},
    **{"j": "й", "k": "к", "l": "л", "m": "м", "n": "н", "o": "о", "p": "п", "q": "к", "r": "р"},
    **{"s": "с", "t": "т", "u": "у", "v": "в", "w": "в", "x": "х", "y": "ы", "z": "з", "'": "ь"},
}
_SOUND = re.compile("|".join(sorted(_SOUNDS, key=len, reverse=True)))
_E_OPEN = re.compile(r"^e(?=[tlnmvpr]|k(?!h)|s[^tlh])")  # «etazh», «elektrichestvo», not «est»
_Y_AFTER_VOWEL = re.compile(r"(?<=[аеиоуыэюя])ы")  # «novyy», «moy»

# In a word that has Cyrillic letters too, Latin ones were typed for their looks.
_LOOKS = str.maketrans("aceopxykmthb", "асеорхукмтнв")
_CYRILLIC = re.compile(r"[а-я]")
_LATIN = re.compile(r"[a-z']")


@lru_cache(maxsize=10_000)
def cyrillic(word: str) -> str:
    """A word in lower case; one that is Cyrillic comes back as it is."""
    if not _LATIN.search(word):
        return word
    if _CYRILLIC.search(word):
        word = word.translate(_LOOKS)
    read = _SOUND.sub(lambda sound: _SOUNDS[sound[0]], _E_OPEN.sub("э", word))
    return _Y_AFTER_VOWEL.sub("й", read)
