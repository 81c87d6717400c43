"""Words of Russian addresses: kinds of streets, and names known as streets without one."""

import re
from pathlib import Path

from regions.reading.tokens import plain

# How it is written in an address, the gender of its adjective, how it is said in a text.
KINDS = (
    ("ул.", "femn", r"улиц(?:а|е|и|у|ей)|ул\.?"),
    ("пр-т", "masc", r"проспект\w{0,2}|пр-к?т\w?|просп\.?"),
    ("пер.", "masc", r"переул(?:ок|к\w{1,2})|пер\.?"),
    ("б-р", "masc", r"бульвар\w{0,2}|б-р\w?|бул\."),
    ("ш.", "neut", r"шоссе|ш\."),
    ("пр-д", "masc", r"проезд\w{0,2}|пр-д\w?"),
    ("пр.", "masc", r"(?<!и )пр\.?"),  # a проспект or a проезд: stays as written
    ("пл.", "femn", r"площад(?:ь|и|ью)|пл\."),
    ("наб.", "femn", r"набережн(?:ая|ой|ую)|наб\."),
    ("мкр.", "masc", r"микрорайон\w{0,2}|мкрн?\.?|мкр-н\w?|м-н\w?"),
    ("кв-л", "masc", r"квартал\w{0,2}|кв-л\w?"),
    ("туп.", "masc", r"тупик\w{0,2}|туп\."),
    ("тракт", "masc", r"тракт\w{0,2}"),
    ("аллея", "femn", r"алле(?:я|е|и|ю|ей)"),
    ("СНТ", "neut", r"СНТ|ДНТ|ТСН"),
)
KIND = "|".join(f"(?P<kind{at}>{said})" for at, (_, _, said) in enumerate(KINDS))

# These are streets whatever follows; «площадь двора» and «проезд закрыт» are not.
WITHOUT_CAPITAL = frozenset({"ул.", "пр-т", "пер.", "б-р", "мкр."})
# With an adjective before them these are streets also where a sentence begins.
REVERSIBLE = frozenset({"ул.", "пр-т", "пер.", "б-р", "ш.", "пл.", "наб.", "аллея"})


def kind_of(found: re.Match[str]) -> tuple[str, str, str]:
    """Of a match of `KIND`: how the kind is written, its gender, and the text's word for it."""
    at = next(at for at in range(len(KINDS)) if found[f"kind{at}"])
    written, gender, _ = KINDS[at]
    return written, gender, found[f"kind{at}"].strip(".")


def _sections(text: str) -> dict[str, frozenset[str]]:
    """The words of each [section] in `plain` letters."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    parts = re.split(r"^\[(.+)\]$", plain("\n".join(lines)), flags=re.MULTILINE)
    return {
        name: frozenset(words.split()) for name, words in zip(parts[1::2], parts[2::2], strict=True)
    }


_WORDS = _sections(Path(__file__).with_name("streets.ru.txt").read_text(encoding="utf-8"))

TITLES = _WORDS["titles"]
USUAL = _WORDS["usual"]
USUAL_FIRST = _WORDS["first"]
SECOND = _WORDS["second"] | USUAL
NUMBERED = _WORDS["numbered"]
WOMEN = _WORDS["women"]
NO_STREETS = _WORDS["adjectives"]
