"""What the author of a Russian message wants: to complain, propose, ask, tell or thank."""

import re
from collections.abc import Sequence

from domain.vocabulary import Kind
from regions.reading.signs import Sentence, group, has, sentences, shown, sign

_THANKS = group("спасиб* благодар* поблагодар* признательн* поклон молодц* молодец приятно")
# Courtesy at the end of a request is no thanks.
_COURTESY = re.compile(r"заранее \w+|\w+ заранее|спасибо за (?:внимание|понимание|ответ)")
# «Спасибо, но воды как не было, так и нет».
_TROUBLE = group(
    "но однако опять снова почему когда нет никто ничего прошу просим помогите жалоб* сломан*"
    " сколько хватит примите не_работ* не_дела* надоел* требу* разберитесь уберите верните неужели"
)

_PROPOSES = (
    sign("предлагаю предлагаем предложени* предложить идея идеи инициатив* давайте"),
    sign("бы", "хорошо здорово неплохо отлично почему замечательно лучше стоило не_помешало"),
    sign("рассмотр*", "прошу просим", "возможност* предложени* вопрос* строительств* установ*"),
)
_INFORMS = (
    sign("сообщаю сообщаем информирую информируем довожу доводим"),
    sign("передайте передать имейте примите", "кому дорожникам службам сведению виду прошу"),
    sign("для", "информации сведения"),
)

_ASKS = group(
    "когда кто что где как куда кому сколько какой какая какие какое какого какую каких каким"
    " каком какому чей ли можно положен* есть будет будут планиру* действует входит попадет готов"
    " работает нужно ищут обязат* законно почему зачем привлекают разрешено безопасно во"
)
ASKS_EARLY = 3  # words: «нет света, когда дадут?» tells first, and then it reproaches
_ASKS_OPENLY = group("подскажите скажите интересует уточните")
_TO_KNOW = re.compile(r"(?:как|где|куда|кому) \w+(?:ть|ться|ти)\b")  # «куда сдать батарейки»
_REPROACHES = group(
    "совесть доколе норма нормально издеваетесь издеваются смотрит прекратится терпеть неужели"
    " опять снова ждать"
)
# «Почему нет воды?» says what is wrong, «почему закрыли проезд?» asks.
_WHY = group("почему зачем")
_WRONG = group("нет не_* опять снова всегда такой такая такие")


def kind_of(text: str) -> Kind:
    """COMPLAINT where no words say otherwise: most are, and a plain request is one too."""
    said = sentences(text)
    if thanks(text):
        return Kind.THANKS
    if shown(_PROPOSES, said):
        return Kind.SUGGESTION
    if _asks(said):
        return Kind.QUESTION
    return Kind.MESSAGE if shown(_INFORMS, said) else Kind.COMPLAINT


def thanks(text: str) -> bool:
    """Whether it thanks and tells of no trouble beside it."""
    words = [word for sentence in sentences(text) for word in sentence.words]
    return (
        has(_THANKS, words) and not has(_TROUBLE, words) and not _COURTESY.search(" ".join(words))
    )


def _asks(said: Sequence[Sentence]) -> bool:
    """More than half of the words ask to be told something."""
    asking = sum(len(sentence.words) for sentence in said if _is_question(sentence))
    return 2 * asking > sum(len(sentence.words) for sentence in said)


def _is_question(sentence: Sentence) -> bool:
    words = sentence.words
    if has(_REPROACHES, words) or (has(_WHY, words) and has(_WRONG, words)):
        return False
    if has(_ASKS_OPENLY, words) or _TO_KNOW.match(" ".join(words)):
        return True
    return sentence.asks and has(_ASKS, words[:ASKS_EARLY])
