"""Villages in a Russian text that no catalogue names: «с. Алексеевка», «д. Новый Буян»."""

import re

from regions.reading.grammar import is_adjective
from regions.reading.tokens import plain

# The type as an address has it, and how a text says it. One letter alone may be a preposition.
_TYPES = (
    ("с.", r"с\.|сел(?:о|е|а|у)"),
    ("д.", r"д\.|дер\.|деревн(?:я|е|и|ю)"),
    ("п.", r"п\.|пос\.|пос[её]лок|пос[её]лк(?:е|а|у)"),
    ("х.", r"х\.|хутор(?:е|а|у)?"),
    ("ст-ца", r"ст-ц(?:а|е|ы|у)|станиц(?:а|е|ы|у)"),
    ("аул", r"аул(?:е|а|у)?"),
    ("пгт", r"пгт\.?"),
    ("рп", r"рп\.?|р\.\s?п\."),
)
_TYPE = "|".join(f"(?P<type{at}>{said})" for at, (_, said) in enumerate(_TYPES))
_SETTLEMENT = re.compile(
    rf"(?<![\w-])(?:{_TYPE})\s*(?P<name>[А-ЯЁ][а-яё]+(?:-[А-ЯЁа-яё]+)*)(?:\s(?P<second>[А-ЯЁ][а-яё]+))?"
)


def settlement(text: str) -> str | None:
    """The first one, its name as written: the nominative of an unknown name is a guess."""
    found = _SETTLEMENT.search(text)
    if found is None:
        return None
    said = next(written for at, (written, _) in enumerate(_TYPES) if found[f"type{at}"])
    name, second = found["name"], found["second"]
    both = second and is_adjective(plain(name)) and not is_adjective(plain(second))
    return f"{said} {name} {second}" if both else f"{said} {name}"
