"""What makes the texts of two replies the same, however their dates and forms of address differ.

Left out are case, spaces, punctuation, digits, the greeting with the name after it, and what a
template asks for only to say when or by whom: its fields `{body}` and `{…_on}`. What was found,
done or decided, and where, stays. So the same template filled for two citizens, as it is meant to
be, makes two texts; sent unfilled, or filled with the same words for the same street, it makes one.
"""

import hmac
import re
from collections.abc import Collection

from regions.reference.templates import Template

GREETING = re.compile(
    r"""^\W*
    (?:[A-ZА-ЯЁ][\w-]*(?:\s+[A-ZА-ЯЁ][\w-]*){0,2},\s+)?    # a name before it
    (?i:здравствуйте|добрый\s+(?:день|вечер)|доброе\s+утро|уважаем\w+
       |hello|good\s+(?:morning|day|afternoon|evening)|dear)\b
    (?:,?\s+[A-ZА-ЯЁ][\w-]*(?:\s+[A-ZА-ЯЁ][\w-]*){0,2}(?=\s*[!.,]))?  # or after it
    """,
    re.VERBOSE,
)
WORD = re.compile(r"[^\W\d_]+")
FINGERPRINT_BYTES = 16


def text_fingerprint(text: str, key: bytes, templates: Collection[Template] = ()) -> bytes:
    """By which the same text is known again; without the key nobody can try guesses against it."""
    said = essence(text, templates)
    return hmac.digest(key, said.encode(), "sha256")[:FINGERPRINT_BYTES]


def essence(text: str, templates: Collection[Template] = ()) -> str:
    """The words that tell, in their order; a text without any is told by all it has."""
    plain = " ".join(text.split())
    for template in templates:
        values = _values(plain, template)
        if values is not None:
            said = [value for name, value in values if not _says_when_or_who(name)]
            return " ".join([template.code, *map(_words, said)])
    return _words(GREETING.sub("", plain, count=1)) or text


def _words(text: str) -> str:
    return " ".join(WORD.findall(text.casefold().replace("ё", "е")))


def _values(text: str, template: Template) -> list[tuple[str, str]] | None:
    """What the fields of the template were filled with, in its order; None: it is another text.

    Looks for each piece between the fields once: a pattern would try every way to divide the text.
    """
    (_, first), *rest = template.pieces
    last = rest[-1][1] if rest else ""
    if not (text.startswith(first) and text.endswith(last)):
        return None
    at, end, found = len(first), len(text) - len(last), []
    for name, piece in rest[:-1]:
        until = text.find(piece, at, end)
        if until < 0:
            return None
        found.append((name, text[at:until]))
        at = until + len(piece)
    if rest:
        found.append((rest[-1][0], text[at:end]))
        at = end
    return found if at == end else None


def _says_when_or_who(field: str) -> bool:
    return field == "body" or field.endswith("_on")
