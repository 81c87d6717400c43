"""What stands beside a name and says that it is a place, of which kind, or that it is none."""

import re
from dataclasses import dataclass

from regions.reading.grammar import Meaning, agree, meaning
from regions.reading.place_names import DISTRICT, OKRUG
from regions.reading.tokens import Token

Spans = list[tuple[int, int]]  # from and to, in characters of a text

_REACH = 32  # characters before a name that are looked at, twice as many behind it
_NEXT = 3  # characters between a name and its address: «Шахты, ул. Мира»

# One more adjective may stand between: «Красноярский и Кинельский районы».
_CHAIN = r"(?:\s*(?:,|и)\s+[а-яё-]+(?:ий|ой|ый|ого|ом|ому))?"
_DISTRICT = r"район\w{0,3}|р[-./]?\s?н(?:е|а|у|ом|ы)?"
_OKRUG = r"округ\w{0,3}|образовани\w{1,2}|г\.?\s?о|м\.?\s?[ор]"
_AFTER_DISTRICT = re.compile(
    rf"{_CHAIN}\s+(?:муниципальн\w+\s+|городск\w+\s+|сельск\w+\s+)?"
    rf"(?:(?P<district>{_DISTRICT})|(?P<okrug>{_OKRUG}))\b",
    re.IGNORECASE,
)
_AFTER_REGION = re.compile(
    r"\s+(?:автономн\w+\s+|народн\w+\s+)?(?:обл(?:аст\w{1,3})?|кра[йяюеи]\w{0,2}|республик\w+|округ\w{0,2}|ао)\b",
    re.IGNORECASE,
)
_BEFORE_ADJECTIVE = re.compile(rf"\b(?:(?P<district>{_DISTRICT})|(?P<okrug>{_OKRUG}))\.?\s+$", re.I)
_TOWN = re.compile(
    r"(?<!\w)(?:г|гор|город(?:а|е|у|ом)?|г\.?\s?о|городск\w+\s+округ\w*|зато|м\.?\s?о)\.?\s*$", re.I
)
_SETTLEMENT = re.compile(r"(?<!\w)(?:п|пос|пос[её]л\w+|пгт|рп|р\.\s?п)\.?\s*$", re.IGNORECASE)
_VILLAGE = re.compile(
    r"(?<!\w)(?:с\.|сел[оаеу]м?|д|дер|деревн\w+|х|хутор\w*|ст|ст-ц\w|станиц\w+|аул\w*)\.?\s*$",
    re.IGNORECASE,
)
_VILLAGE_NO_DOT = re.compile(r"(?<!\w)с\s+$", re.IGNORECASE)  # or the preposition: «с Самары»
_IN = re.compile(r"(?<!\w)(?:во?|из)\s+$", re.IGNORECASE)
_NEAR = re.compile(r"(?<!\w)(?:под|до|по|около|возле|от)\s+$", re.IGNORECASE)
_OF = re.compile(
    r"(?<!\w)(?:администраци\w+|глав\w{1,3}|жител\w{1,3}|мэр\w{0,2}|окраин\w{1,3}|район\w{0,2}|центр\w{0,2})"
    r"\s+(?:г\.\s*|города\s+)?$",
    re.IGNORECASE,
)
_WATER_OR_HONOUR = re.compile(
    r"(?<!\w)(?:рек[аиеу]|рекой|озер\w+|им\.?|имени|метро|ст\.\s?м\.?)\s*[«\"]?$", re.IGNORECASE
)
_BRAND = re.compile(
    r"[«\"]$|(?<!\w)(?:тц|трк?ц?|тк|жк|ук|ооо|оао|пао|ао|фк|хк|кафе|завод|стадион|парк|сквер|магазин|"
    r"гостиница|кинотеатр|санаторий|газета|школа|станция|станции|остановк[аеиу]|ост|компания)"
    r"\.?\s*[«\"]?$",
    re.IGNORECASE,
)
_HEADING = re.compile(r"\s*[.,:;!?—–\n-]")


@dataclass(frozen=True, slots=True)
class Signs:
    """Of one name in one text."""

    form: str  # the last word of the name, as declined there
    meaning: Meaning
    nominative: bool
    capital: bool
    first: bool  # the text begins with it
    before: str
    after: str
    following: str | None  # the next word, if nothing but space parts them
    addressed: bool  # an address follows

    @property
    def is_town(self) -> bool:
        return bool(_TOWN.search(self.before))

    @property
    def is_settlement(self) -> bool:
        return bool(_SETTLEMENT.search(self.before))

    @property
    def is_village(self) -> bool:
        no_dot = self.nominative and self.capital and _VILLAGE_NO_DOT.search(self.before)
        return bool(_VILLAGE.search(self.before) or no_dot)

    @property
    def district_kind(self) -> str | None:
        """DISTRICT or OKRUG where the text says so beside an adjective."""
        found = _AFTER_DISTRICT.match(self.after) or _BEFORE_ADJECTIVE.search(self.before)
        if found is None:
            return None
        return DISTRICT if found["district"] else OKRUG

    @property
    def is_region(self) -> bool:
        return bool(_AFTER_REGION.match(self.after))

    @property
    def is_no_place(self) -> bool:
        """«река Самара», «парк имени Чехова», «ТЦ «Самара»»."""
        brand = self.nominative and _BRAND.search(self.before)
        return bool(brand or _WATER_OR_HONOUR.search(self.before))

    @property
    def is_attribute(self) -> bool:
        """«в Мирном доме»."""
        return self.following is not None and agree(self.form, self.following)

    @property
    def is_oblique(self) -> bool:
        """Said in a sentence, not named as in a list: tells a town from its namesake."""
        return not self.nominative or self.is_located

    @property
    def is_located(self) -> bool:
        return self.is_inside or bool(_NEAR.search(self.before))

    @property
    def is_inside(self) -> bool:
        """«в Орле», «жители Орла», «Орёл, ул. Мира»: a bird or a man has neither."""
        return self.addressed or bool(_IN.search(self.before) or _OF.search(self.before))

    @property
    def is_enough(self) -> bool:
        """Whether a bare name is read as a place, given what else it means."""
        if self.is_attribute:
            return False
        if self.meaning is Meaning.PLACE:
            return True
        if self.meaning is Meaning.PLACE_FIRST:
            return self.capital or self.first or self.is_located
        if self.meaning is Meaning.PERSON:
            return self.is_inside or (self.first and bool(_HEADING.match(self.after)))
        return self.is_inside and self.capital


@dataclass(frozen=True, slots=True)
class Written:
    """A text to be read, with its words and the addresses already found in it."""

    text: str
    tokens: list[Token]
    addresses: Spans

    def in_address(self, at: int) -> bool:
        return any(start <= self.tokens[at].start < end for start, end in self.addresses)

    def signs(self, at: int, length: int, *, nominative: bool) -> Signs:
        """Of the name that `length` words from the word `at` are."""
        found = self.tokens[at : at + length]
        start, end = found[0].start, found[-1].end
        return Signs(
            form=found[-1].word,
            meaning=self._meaning(found),
            nominative=nominative,
            capital=found[0].capital,
            first=at == 0,
            before=self.text[max(0, start - _REACH) : start],
            after=self.text[end : end + 2 * _REACH],
            following=self._following(at + length),
            addressed=any(0 <= other - end <= _NEXT for other, _ in self.addresses),
        )

    def is_hyphened(self, at: int) -> bool:
        """Whether nothing but a hyphen parts a word from the one before it."""
        if not 0 < at < len(self.tokens):
            return False
        return self.text[self.tokens[at - 1].end : self.tokens[at].start] == "-"

    def _following(self, at: int) -> str | None:
        if at >= len(self.tokens):
            return None
        gap = self.text[self.tokens[at - 1].end : self.tokens[at].start]
        return self.tokens[at].word if gap.isspace() else None

    def _meaning(self, found: list[Token]) -> Meaning:
        """Of several words: «сосновый бор» may be a wood, «Нижний Тагил» is nothing else."""
        means = {meaning(token.word) for token in found}
        if len(found) == 1:
            return means.pop()
        hyphened = self.text[found[0].end] == "-"
        if hyphened or found[-1].capital or means & {Meaning.PLACE, Meaning.PLACE_FIRST}:
            return Meaning.PLACE
        return Meaning.PERSON
