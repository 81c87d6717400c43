"""The case forms of a Russian place name, by its endings.

A dictionary has only part of the names; their declension is regular. Forms that do not exist are
made too («тюменя»): nobody writes them, so they cost nothing.
"""

import re
from collections.abc import Iterator
from itertools import product

# Ending of the nominative, then of genitive, dative, accusative, instrumental, prepositional;
# «/» parts what may stand there, the longest ending comes first.
_ENDINGS = tuple(
    (ending, tuple(tuple(case.split("/")) for case in cases))
    for ending, *cases in (
        ("кий", "кого", "кому", "кий/кого", "ким", "ком"),
        ("ний", "него", "нему", "ний/него", "ним", "нем"),  # Нижний, Дальний
        ("ий", "его/ия", "ему/ию", "ий/его", "им/ием", "ем/ии"),  # Горячий
        ("ый", "ого", "ому", "ый/ого", "ым", "ом"),
        ("ой", "ого/оя", "ому/ою", "ой/ого", "ым/им/оем", "ом/ое"),  # Лесной, Джанкой
        ("ая", "ой/ей", "ой/ей", "ую", "ой/ей", "ой/ей"),
        ("яя", "ей", "ей", "юю", "ей", "ей"),
        ("ое", "ого", "ому", "ое", "ым/им", "ом"),
        ("ее", "его", "ему", "ее", "им", "ем"),
        ("ые", "ых", "ым", "ые", "ыми", "ых"),
        ("ие", "их", "им", "ие", "ими", "их"),
        ("ия", "ии", "ии", "ию", "ией", "ии"),
        ("я", "и", "е", "ю", "ей", "е"),
        ("а", "ы/и", "е", "у", "ой/ей", "е"),
        ("амень", "амня", "амню", "амень", "амнем", "амне"),
        ("ь", "я/и", "ю/и", "ь", "ем/ью", "е/и"),  # Ярославль, Казань
        ("й", "я", "ю", "й", "ем", "е"),
        ("о", "а/о", "у/о", "о", "ом/о", "е/о"),  # в Иванове and в Иваново
        ("е", "я", "ю", "е", "ем", "е/и"),
        ("ец", "ца/ьца", "цу/ьцу", "ец", "цом/ьцом", "це/ьце"),  # Череповец, Елец
        ("чек", "чка", "чку", "чек", "чком", "чке"),  # Волочёк
        ("ок", "ка/ока", "ку/оку", "ок", "ком/оком", "ке/оке"),  # Торжок, Владивосток
        ("орел", "орла", "орлу", "орел", "орлом", "орле"),
        ("цы", "ец/цов/цев", "цам", "цы", "цами", "цах"),  # Люберцы, Клинцы, Сланцы
        ("вны", "вен", "внам", "вны", "внами", "внах"),  # Ливны
        ("ы", "/ов", "ам", "ы", "ами", "ах"),  # Чебоксары, Челны
        ("ки", "ок/ек/ков/к", "кам", "ки", "ками", "ках"),  # Химки, Березники, Великие Луки
        ("и", "/ей/ов/ев/ь", "ам/ям", "и", "ами/ями", "ах/ях"),  # Мытищи, Зори
    )
)
# Псков, in Сосновый Бор «в бору», in Сергиев Посад «в Сергиевом».
_CONSONANT = (("а",), ("у",), ("",), ("ом", "ем", "ым"), ("е", "у", "ом"))
_INDECLINABLE = tuple("еиоуыэю")

CASES = 6  # the nominative is the first


def case_forms(name: str) -> dict[tuple[str, ...], bool]:
    """The words of every form of a name in `plain` letters; true for the nominative.

    What follows «на» stays («на Дону»), the first part of a hyphened word may («Гусь-Хрустальном»).
    """
    parts = re.findall(r"\w+-?", name)
    fixed = next((at for at, part in enumerate(parts) if part.rstrip("-") == "на"), len(parts))
    forms: dict[tuple[str, ...], bool] = {}
    for case in range(CASES):
        choices = [_forms(part, case if at < fixed else 0) for at, part in enumerate(parts)]
        for words in product(*choices):
            forms.setdefault(words, case == 0)
    return forms


def _forms(part: str, case: int) -> set[str]:
    word = part.rstrip("-")
    declined = {word} if case == 0 else set(_declined(word, case))
    return declined | {word} if part != word else declined


def _declined(word: str, case: int) -> Iterator[str]:
    for ending, cases in _ENDINGS:
        if word.endswith(ending):
            stem = word.removesuffix(ending)
            return (stem + other for other in cases[case - 1])
    if word.endswith(_INDECLINABLE):
        return iter((word,))
    return (word + other for other in _CONSONANT[case - 1])
