"""What a dictionary knows about a word: its part of speech, its forms, what else it can mean."""

from enum import Enum
from functools import lru_cache

from regions.reading.words import WORDS_KNOWN, morphology

_PERSONS = frozenset({"Surn", "Name", "Patr"})
_OBLIQUE = frozenset({"gent", "datv", "accs", "ablt", "loct", "loc2", "gen2"})

RARE_SHARE = 0.1  # of readings that need no thought: «сочи» is hardly ever a verb

Reading = frozenset[str]  # the grammemes of one way to read a word, as OpenCorpora names them


class Meaning(Enum):
    """What else a place name is, and so how much must stand beside it before it is read as one."""

    PLACE = "only a place, or a word no dictionary has"
    PLACE_FIRST = "a place at least as likely as a common word: Калуга (a fish), Родники"
    PERSON = "a name of people too: Киров, Владимир"
    WORD = "a common word first: Шахты, Мирный"


@lru_cache(maxsize=WORDS_KNOWN)
def readings(word: str) -> tuple[Reading, ...]:
    """The likely first; guessed by its ending if no dictionary has the word."""
    return tuple(frozenset(parse.tag.grammemes) for parse in morphology().parse(word))


@lru_cache(maxsize=WORDS_KNOWN)
def is_known(word: str) -> bool:
    return bool(morphology().word_is_known(word))


@lru_cache(maxsize=WORDS_KNOWN)
def meaning(word: str) -> Meaning:
    """Of one form: other forms of the same name may mean other things."""
    found = morphology().parse(word) if is_known(word) else []
    others = [parse for parse in found if not parse.tag.grammemes & {"Geox", "Abbr"}]
    rest = sum(parse.score for parse in others)
    if rest < RARE_SHARE:
        return Meaning.PLACE
    if all(parse.tag.grammemes & _PERSONS for parse in others):
        return Meaning.PERSON
    if rest <= 1 / 2 and not any("Qual" in parse.tag.grammemes for parse in others):
        return Meaning.PLACE_FIRST
    return Meaning.WORD


@lru_cache(maxsize=WORDS_KNOWN)
def is_adjective(word: str) -> bool:
    return "ADJF" in readings(word)[0]


@lru_cache(maxsize=WORDS_KNOWN)
def agree(adjective: str, noun: str) -> bool:
    """Whether the adjective can belong to the noun: «мирном» to «доме», not to «воды»."""
    return any(
        _same_form(one, other)
        for one in readings(adjective)
        if "ADJF" in one and "Fixd" not in one
        for other in readings(noun)
        if "NOUN" in other
    )


def _same_form(adjective: Reading, noun: Reading) -> bool:
    cases = _case(adjective) & _case(noun)
    if not cases or ("plur" in adjective) != ("plur" in noun):
        return False
    genders = {"masc", "femn", "neut"}
    return "plur" in adjective or bool(adjective & noun & genders)


def _case(reading: Reading) -> frozenset[str]:
    """The prepositional has two forms and one meaning."""
    found = reading & (_OBLIQUE | {"nomn"})
    return frozenset({"loct"}) if found & {"loct", "loc2"} else found


@lru_cache(maxsize=WORDS_KNOWN)
def nominative(adjective: str, gender: str) -> str | None:
    """«мирной» with femn: «мирная». None if the word is no adjective in that gender."""
    for parse in morphology().parse(adjective):
        grammemes = parse.tag.grammemes
        if "ADJF" in grammemes and gender in grammemes and "Apro" not in grammemes:
            inflected = parse.inflect({"nomn", "sing", gender})
            return str(inflected.word) if inflected else None
    return None
