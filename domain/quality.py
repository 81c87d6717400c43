"""What a rule can find wrong with a Russian reply before a head approves it.

A finding is advice to who reviews: rules read words, not the matter. Every pattern is bounded, so
that the longest text a command accepts takes milliseconds, whatever stands in it.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import NamedTuple

from domain.vocabulary import ReplyFlaw, ReplyKind


def flaws(text: str, *, kind: ReplyKind, promises: bool = False) -> tuple[ReplyFlaw, ...]:
    """In the order of the enum. `promises`: the solution is planned for later."""
    draft = _draft(text, kind=kind, promises=promises or kind is ReplyKind.INTERIM)
    return tuple(flaw for flaw in ReplyFlaw if RULES[flaw](draft))


class Draft(NamedTuple):
    text: str  # one space between words, ё as е, one kind of dash
    plain: str  # the same in lower case
    sentences: tuple[str, ...]  # of `plain`, those of two words or more
    kind: ReplyKind
    promises: bool


# After these a full stop ends no sentence; «2026 г.» may end one, «г. Самара» does not.
_ABBREVIATION = re.compile(
    r"\b((?<!\d )г|ул|пл|пр|просп|пер|им|д|кв|корп|стр|п|пп|ст|тел|т|е|руб|тыс|млн)\. ?"
)
_SENTENCE_END = re.compile(r"[.!?;]+(?: |$)")


def _draft(text: str, *, kind: ReplyKind, promises: bool) -> Draft:
    text = " ".join(text.replace("ё", "е").replace("Ё", "Е").split())
    for dash in "\u2010\u2011\u2013\u2014":
        text = text.replace(dash, "-")
    plain = text.lower()
    sentences = _SENTENCE_END.split(_ABBREVIATION.sub(r"\1 ", plain))
    return Draft(text, plain, tuple(each for each in sentences if " " in each), kind, promises)


def _word(*alternatives: str) -> re.Pattern[str]:
    """Whole words or phrases; an alternative says itself where a word may go on.

    (?=\\w) spares the ends of words, which are boundaries too, all the alternatives.
    """
    return re.compile(rf"\b(?=\w)(?:{'|'.join(alternatives)})\b")


# How many words must be left without courtesy. FINAL: what, what was done to it, where, and the day
# («Люк на Красной закрыли 12 мая»); INTERIM: what will be and the day; FIRST: that it is taken up.
WORDS_MIN = {ReplyKind.FIRST: 2, ReplyKind.INTERIM: 3, ReplyKind.FINAL: 5}

_COURTESY = (
    r"здравствуйте|добр(?:ый|ое|ого)|день|дня|утро|вечер|хорошего|уважаем\w*|уважением|коллеги",
    r"спасибо|благодар\w*|признательн\w*|извин\w*|неудобств\w*|пониман\w*|терпени\w*|внимани\w*",
    r"неравнодуш\w*|активную|гражданскую|позицию|бдительность|пожалуйста|вас|вам|ваш\w*|что|это",
    r"обращени\w*|сообщени\w*|сигнал\w*|доверие|обратную|мнение|очень|важно|нас|для",
)
_PROCEDURE = (
    r"вопрос\w*|проблем\w*|заявк\w*|жалоб\w*|информаци\w*|ситуаци\w*|данн(?:ый|ая|ое|ой|ому|ого)",
    r"приня\w+|взя\w+|переда\w+|направлен\w*|направили|поступи\w+|получен\w*|зарегистриров\w+",
    r"рассм[ао]тр\w+|находится|остается|стоит|учтен\w*|отработан\w*|работ[аеуы]|контрол\w+|меры",
    r"сведению|исполнени[еяю]|проработк\w+|установленн\w+|поряд\w+|срок[иа]?|рамках|компетенции",
    r"полномочи\w+|соответствующ\w+|необходимые|ответственн\w+|профильн\w+|специалист\w*|ведомств\w*",
    r"исполнител\w*|администраци\w*|сообща(?:ем|ет)|сообщим|следующее|результат\w*|существу",
    r"проинформир\w+|дополнительно|ответ\w*|решен\w*|решается|ведется|проводится|постоянно",
    r"направлении|настоящее|время|ближайшее|внимательно|подробно|доведен\w*|также|будет|будут",
)
_LAW = (
    r"соответстви[ие]|согласно|основании|руководствуясь|федеральн\w+",
    r"закон(?:а|у|ом|е|ов|одательств\w+)?|кодекс\w*|постановлени\w+|правительств\w+|приказ\w*|регламент\w*|российск\w+|федераци\w+",
    r"стать\w+|част(?:ь|и|ью)|пункт\w*|\d{1,4}-?фз|граждан|действующ\w+|норм\w*|правил\w*",
)
_THANKS = re.compile(r"спасибо,? что [^.,:;!?-]{0,80}")


def _substance(*empty: str) -> re.Pattern[str]:
    """A word of three letters or more, or a number, that says something."""
    return re.compile(rf"\b(?=\w{{3}}|\d)(?!(?:{'|'.join(empty)})\b)\w+")


_SUBSTANCE = _substance(*_COURTESY, *_PROCEDURE, *_LAW)
_SUBSTANCE_FIRST = _substance(*_COURTESY)


def _formal(draft: Draft) -> bool:
    """Thanks, «принято в работу» and articles of law answer nothing.

    A first reply says just that it was taken up, so procedure counts for it.
    """
    words = _SUBSTANCE_FIRST if draft.kind is ReplyKind.FIRST else _SUBSTANCE
    least = WORDS_MIN[draft.kind]
    said = _THANKS.sub(" ", draft.plain)
    return sum(1 for _ in islice(words.finditer(said), least)) < least


# The single window, as the governor of Samara asked it of his centre on 8 April 2021: «не надо
# человека больше никуда направлять, ни в какое министерство».

_REACH = 90  # characters of a sentence that are read around a verb
_READ_MAX = 100  # places read closely; a text that has more of them is no reply

# To turn to somebody, in person or by telephone: wherever that is.
_TURN = (
    "обратитесь|обращайтесь|адресуйте|свяжитесь|позвоните|звоните|явитесь|обратиться|обращаться"
    "|адресовать|связаться|позвонить|звонить|явиться|обратившись|позвонив"
)
# To hand something in or to find it out: only where a paper or a place is named.
_HAND = (
    "напишите|пишите|направьте|направляйте|отправьте|отправляйте|подайте|подавайте|оставьте"
    "|оставляйте|заполните|уточните|уточняйте|узнайте|приходите|подойдите|приезжайте|зайдите"
    "|предоставьте|оформите|воспользуйтесь|зарегистрируйтесь|запишитесь|написать|писать|направить"
    "|направлять|отправить|подать|подавать|оставить|оставлять|заполнить|уточнить|узнать|прийти"
    "|подойти|приехать|зайти|предоставить|оформить|воспользоваться|зарегистрироваться|записаться"
    "|написав|направив|отправив|подав|оставив|заполнив"
    r"|получить(?= по тел| (?:\w+ )?(?:информаци|консультаци|разъяснени|сведени))"
)
_TURNING = re.compile(_TURN)
_VERB = _word(_TURN, _HAND)
_SOMEWHERE = re.compile(r"\b(?:в|во|к|ко|на|по|через|с|со)\b|\d")
_PAPER = r"(?:заявлени|жалоб|претензи|ходатайств|обращени|заявк)\w+"
_PLACE = (
    r"(?:администраци|компани|министерств|департамент|комитет|отдел|управлени|прокуратур|полици"
    r"|инспекци|оператор|организаци|учреждени|поликлиник|больниц|регистратур|школ|центр|портал|сайт"
    r"|госуслуг|телефон|номер|лини|диспетчер|почт|приемн|служб|ведомств|застройщик|подрядчик|участков"
    r"|росреестр|роспотреб|соцзащит|фонд|водоканал|приложени|офис|кабинет|врач|прием)\w*"
    r"|ук|тсж|мфц|жэк|еддс|пос|тел|адресу"
)
_HANDED = _word(
    _PAPER,
    rf"(?:в|во|на|к|ко|через|по|у) (?:(?!как|котор)[\w«»-]{{1,30}} ){{0,3}}«?(?:{_PLACE})",
    r"(?:портал|сервис|форм|приложени|сайт|платформ)(?:ом|ой|ем)",
)
# «Уточните, обращались ли вы в управляющую компанию» asks, it does not send.
_ASKED = _word(r"когда|как\w*|котор\w+|ли|обращались|звонили|писали|подавали")
_HERE = _word(
    r"нам|нами|сюда|здесь|личн\w+ (?:сообщени\w+|переписк\w+)|лс|комментари\w+",
    r"в эт\w{2} (?:чат|диалог|обсуждени|сообществ|групп|тем|ветк)\w*",
    r"сообщени\w+ (?:сообщества|группы|страницы)",
    # Nobody sues in somebody else's place, and in danger nobody waits for a centre.
    r"(?:в|во) (?:\w+ )?суд\w{0,2}(?! (?:или|либо|и) )|101|102|103|104|112",
)
_UNTOLD = re.compile(r"\b(?:не|если вы|когда вы|что вы) $")
_THERE = _word(r"по тел(?:ефон\w+)?|кабинет\w*|приемную")

_NOT_NEEDED = r"(?<!\bне )"
_ADVICE = _word(
    rf"{_NOT_NEEDED}(?:рекоменду(?:ем|ю)|советуем|предлагаем|прос(?:им|ьба)|можете|сможете)",
    rf"{_NOT_NEEDED}(?:вправе|имеете право|целесообразно|желательно)",
)
_DUTY = _word(
    rf"{_NOT_NEEDED}(?:необходимо|нужно|надо|следует|стоит|можно|требуется|придется|достаточно)",
    rf"{_NOT_NEEDED}(?:должн[аоы]|обязан[аоы]?|может|могут)",
)
_DUTY_AFTER = re.compile(
    r"^ (?:[\w-]{1,20} ){0,3}?(?<!\bне )(?:можно|можете|нужно|необходимо|следует|надо|стоит)\b"
)
_CITIZEN = _word(
    r"вам|вы|вас|заявител\w*|жител\w*|граждан\w*|собственник\w*|родител\w*|пациент\w*",
    r"абонент\w*|потребител\w*|желающ\w*",
)
_BODY = _word(
    r"мы|нам|ук|тсж|(?:администраци|компани|организаци|учреждени|управлени|служб|поликлиник)\w+",
    r"(?:подрядчик|специалист|министерств|департамент|комитет|руководител|исполнител)\w*",
)
_ABOUT = re.compile(r"\bпо (?:\w+ )?(?:информации|данным|вопрос\w{0,3}|поводу|факту)\b[^,]*")
# Words that send somewhere without a verb.
_POINTER = _word(
    r"(?:вопрос\w{0,3}|подробностями|справками):? (?:обращаться|звонить) (?:в|во|к|ко|по|на)",
    r"(?:справки|подробности|запись|консультации?|информация) (?:ведется )?по тел\w*",
    r"телефон\w{0,2} (?:для|диспетчер|горяч|регистратур|аварийн|приемн)\D{0,40}(?:8|\+7)[ (-]\S+",
    r"(?:информаци|консультаци|разъяснени|ответ)\w{0,2} (?:[\w-]{1,20} ){0,4}"
    r"(?:можно|можете|сможете) (?:\w+ )?получить (?:в|на|по|у|через)(?! личн| эт| коммент)",
    r"контакт\w{1,3}(?: \w+){0,3}: \S+",
    r"при (?:личном|вашем|письменном) обращении (?:в|во|на|к)",
)


def _redirects(draft: Draft) -> bool:
    """The body that got the message finds who answers, and forwards it itself.

    «Направили в министерство», «мы обратились в компанию» is its own work and no flaw.
    """
    return any(_sends_away(sentence) for sentence in draft.sentences)


def _sends_away(sentence: str) -> bool:
    verbs = islice(_VERB.finditer(sentence), _READ_MAX)
    return any(_told(sentence, verb) for verb in verbs) or bool(_POINTER.search(sentence))


def _told(sentence: str, verb: re.Match[str]) -> bool:
    before = sentence[max(0, verb.start() - _REACH) : verb.start()]
    after = sentence[verb.end() : verb.end() + _REACH]
    if _UNTOLD.search(before):
        return False
    imperative = verb[0].endswith(("те", "тесь"))
    if not imperative and not _advised(before, after):
        return False
    return _elsewhere(after, handed=not _TURNING.fullmatch(verb[0]))


def _elsewhere(after: str, *, handed: bool) -> bool:
    """Is somewhere else meant than this conversation?"""
    if _HERE.search(after) and not _THERE.search(after):
        return False
    if handed:
        return bool(_HANDED.search(_ASKED.split(after, maxsplit=1)[0]))
    return bool(_SOMEWHERE.search(after))


def _advised(before: str, after: str) -> bool:
    """Is it the citizen who should? What a body must do it does itself."""
    if _ADVICE.search(before) or _DUTY_AFTER.search(after):
        return True
    if not _DUTY.search(before):
        return False
    return bool(_CITIZEN.search(before)) or not _BODY.search(_ABOUT.sub("", before))


def _forms(stems: str, endings: str) -> str:
    """Every stem, divided by spaces, with every ending."""
    return "|".join(f"{stem}(?:{endings})" for stem in stems.split())


_FUTURE = (
    _forms(
        "устран выполн восстанов почин установ замен исправ очист прочист скос покос запуст постро"
        " приступ отлов спил удал постав пуст закуп выплат добав выдел обустро благоустро налад",
        "им|ят|ит",
    ),
    _forms(
        "отремонтиру заасфальтиру демонтиру сдела пересчита заработа залата закро откро",
        "ем|ют|ет",
    ),
    _forms("провед убер вывез привез выйд выед начн верн нанес обреж", "ем|ут|ет"),
    _forms("заверш законч подключ отключ включ реш увелич", "им|ат|ит|атся|ится"),
    _forms("начн откро", "ется|утся|ются"),
    r"привед(?:ем|ут)|дадим|дадут|появ(?:ится|ятся)|отсып(?:ем|лют|лет|ят)|засып(?:ем|лют|лет|ят)",
)
# To be told, considered or passed on is no work that is promised.
_TOLD = r"направлен|сообщен|проинформирован|уведомлен|передан|рассмотрен|должен|обязан|вынужден"
_PROMISE = _word(
    r"планиру(?:ем|ет|ют)(?:ся)?|запланирован[аоы]?|намечен[аоы]?|обеща(?:ем|ет|ют)|намерен[аы]?",
    r"включен[аоы]? в (?:план|программ|переч|график)\w*|при (?:наличии|выделении|поступлении) \w+",
    r"в (?:ближайш|кратчайш|скор)\w{2,3} (?:врем|срок|дн|недел|месяц|перспектив)\w*|вскоре",
    r"по мере (?:возможност|поступлени)\w+",
    rf"буд(?:ет|ут|ем) (?:[\w-]{{1,30}} ){{0,3}}?(?!{_TOLD})"
    r"(?:\w{2,20}(?:[ея]н|ан|ят|ут|ыт)[аоы]?"
    r"|(?:проводи|выполня|производи|осуществля|ремонтирова|устраня|убира|чисти|вывози)\w{2,4})",
    *_FUTURE,
)
_UNPROMISED = re.compile(r"\bне $|\b(?:если|чтобы|когда)\b[^,]*$")

_MONTH = (
    r"(?:(?:январ|феврал|апрел|июн|июл|сентябр|октябр|ноябр|декабр)\w{1,2}|март[аеу]?|август[аеу]?"
    r"|ма[йяею])\b"
)
_WEEKDAY = r"(?:понедельник|вторник|сред[уыа]|четверг|пятниц|суббот|воскресень|выходн)\w{0,3}"
_PERIOD = (
    r"(?:час(?:а|ов|ы)?|сут(?:ки|ок)|дн(?:я|ей)|день|недел[июьея]|месяц(?:а|ев)?|смен[ыу]|год[ау]?"
    rf"|лета?|весны|осени|зимы|квартала|{_MONTH})\b"
)
_DAY = (
    rf"(?:\d{{1,2}}(?:-?(?:го|е|ое|му))? {_MONTH}|\d{{1,2}}\.(?:0\d|1[0-2])(?:\.(?:20)?\d\d)?\b"
    rf"|20\d\d-\d\d-\d\d|20[2-4]\d\b|{_MONTH}|{_WEEKDAY}|\d{{1,2}}[:.]\d\d\b"
    r"|(?:\w+ )?(?:квартал|полугоди|сегодня|завтра)\w*)"
)
# A term looks forward by itself: it counts in any sentence, also «выдали предписание до 15 мая».
_TERM = re.compile(
    rf"\b(?:(?:до|к|ко|не поздн?ее|не позже) (?:(?:конц[ау]|начал[ау]|середин[ыеу]) )?{_DAY}"
    r"|до конца (?:\w+ )?(?:дня|смены|недели|месяца|года|весны|лета|осени|зимы)"
    rf"|(?:в течени[еи]|через) (?!ближайш)(?:[\w(),-]{{1,30}} ){{0,3}}?{_PERIOD}"
    r"|к началу (?:учебного|отопительного)|в \S{1,12}дневный срок"
    r"|срок\w{0,2}(?: [а-я]{1,20}){0,2}[ :-]{1,3}\d)"
)
_DATE = re.compile(
    rf"(?<!\bот )\b(?:\d{{1,2}}(?:-?(?:го|е|ое))? {_MONTH}|\d{{1,2}}\.(?:0\d|1[0-2])\.(?:20)?\d\d\b"
    rf"|20\d\d-\d\d-\d\d|(?:в|с|на|конце|начале|середине) {_MONTH}|20[2-4]\d(?: ?г\b| год|-20)"
    r"|(?:эт|текущ|следующ|будущ|нынешн|перв|втор|треть|четверт|[1-4i]{1,3}v?)[\w-]{0,4} "
    r"(?:недел|месяц|год|весн|лет|осен|зим|сезон|квартал|полугоди|половин)\w*"
    rf"|(?:в|во|по|кажд\w{{2}}) {_WEEKDAY}|(?<!на )сегодня\b|завтра|послезавтра|ежедневно"
    rf"|еженедельно|за (?:[\w-]{{1,20}} )?{_PERIOD})"
)
_STREET = re.compile(
    r"\b(?:ул|улиц\w{1,2}|пл|площад\w{1,2}|пер|переулк\w{1,2}|просп|проспект\w{0,2}|парк\w{0,2})"
    r" (?:имени )?\d{1,4}(?:-?\w{1,3})? \w+"
)
_PAST = _word(
    r"был[аои]?",
    r"(?!если|школ|отдел|филиал|материал|квартал|начал|числ)\w{3,20}л(?:[аио]|ся|ась|ись|ось)?",
    r"(?:выполн|провед|устран|осмотр|направл|установл|заверш|обследов|приня|переда|выда)\w{1,5}",
)


def _undated(draft: Draft) -> bool:
    """A promise counts from the day it names; «в ближайшее время» names none."""
    promises = draft.promises or any(_promised(sentence) for sentence in draft.sentences)
    return promises and not any(_dated(sentence) for sentence in draft.sentences)


def _promised(sentence: str) -> bool:
    """«Если проблема появится снова» and «не планируется» promise nothing."""
    found = islice(_PROMISE.finditer(sentence), _READ_MAX)
    return any(
        not _UNPROMISED.search(sentence, max(0, each.start() - _REACH), each.start())
        for each in found
    )


def _dated(sentence: str) -> bool:
    """Does it say until when? The day of what has happened already does not."""
    sentence = _STREET.sub(" ", sentence)
    if _TERM.search(sentence):
        return True
    if not _DATE.search(sentence):
        return False
    return _promised(sentence) or not _PAST.search(sentence)


_NUMBERS = re.compile(
    r"\b(?=\d)(?:[78](?![ -]?\(?800)[ -]?\(?\d{3,5}\)?[ -]?\d{1,3}-?[ ]?\d\d-?[ ]?\d\d"
    r"|\d{3}-\d\d-\d\d(?<!800[ -]\d{3}-\d\d-\d\d)(?<!800\) \d{3}-\d\d-\d\d)"
    r"|\d{3}-\d{3}-\d{3}[ -]\d\d"  # СНИЛС
    r"|\d\d ?\d\d (?:№ ?)?\d{6}"  # паспорт
    r"|\d{4} \d{4} \d{4} \d{4})(?![\d-])"  # card
)
_NAMED_NUMBERS = _word(
    r"тел(?:ефон\w{0,3})?[.:]? (?:\d-\d\d-\d\d|\d\d-\d\d-\d\d|9\d{9})",
    r"года рождения|(?:паспорт|снилс|полис)[^\d.]{0,25}\d\d ?\d{2,16}|инн\D{0,8}\d{12}",
    r"лицев\w{2,3} счет\D{0,12}\d{5,20}|дат\w{1,2} рождения\W{0,3}\d+|\d{4} г\. ?р",
)
_EMAIL = re.compile(r"\w@[\w-]{1,60}\.\w")
_NAME = r"[А-Я][А-Яа-я]{1,30}"
_PATRONYMIC = r"[А-Я][А-Яа-я]{0,30}(?i:ович|евич|ьич|овн|евн|ичн)(?i:а|у|ом|ем|е|ы|ой)?"
_SURNAME = rf"{_NAME}(?:-{_NAME})?"
_FULL_NAME = re.compile(
    rf"\b(?:{_SURNAME} {_NAME} {_PATRONYMIC}|{_NAME} {_PATRONYMIC} {_SURNAME})\b"
)
_POST = (
    r"(?:глав|губернатор|мэр|министр|директор|начальни|руководител|заместител|председател|врач"
    r"|заведующ|депутат|инженер|инспектор|участков|куратор|мастер|представител|секретар|советни"
    r"|уполномоченн|консультант|специалист|учител|тренер|прокурор)\w*"
)
# Between post and person stands the name of the body, no other clause and no verb.
_VERB_PAST = r"\w{2,20}(?:ил|ял|ал|или|яли|али|лся|лась|лись)"
_POST_BEFORE = re.compile(rf"\b{_POST}(?: (?!{_VERB_PAST} )[^ ,;!?]{{1,40}}){{0,9}} ?-? $")
_POST_AFTER = re.compile(rf"^(?:,| -) (?:[\w-]{{1,20}} )?{_POST}")
_NAMED_AFTER = re.compile(r"\b(?:имени|им\.|улиц\w{1,2}|ул\.|площад\w{1,2}|памятник\w{0,2}) $")
_FLAT = re.compile(r"\bкв(?:\.|артир\w{1,3})? ?(?:№ ?)?\d{1,4}\b")
_HOUSE = re.compile(
    r"\b(?:д\.|дом\w{0,2}|ул\.|улиц\w{1,2}|просп\w*|пр-т|пер\.|переул\w*|мкр|шоссе)"
)


def _personal(draft: Draft) -> bool:
    """The answer is public: a person could be found, called or robbed by it (152-ФЗ).

    Officials in their post and hotlines («122», «8-800-…») are public themselves.
    """
    return (
        any(pattern.search(draft.plain) for pattern in (_NUMBERS, _NAMED_NUMBERS, _EMAIL))
        or any(_private(draft.text, name) for name in _some(_FULL_NAME, draft.text))
        or any(_flat(draft.plain, number) for number in _some(_FLAT, draft.plain))
    )


def _some(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    return islice(pattern.finditer(text), _READ_MAX)


def _private(text: str, name: re.Match[str]) -> bool:
    """A full name beside a post is an official's, after «улица» or «имени» a street's."""
    before = text[max(0, name.start() - _REACH) : name.start()].lower()
    after = text[name.end() : name.end() + _REACH].lower()
    return not (
        _POST_BEFORE.search(before) or _POST_AFTER.search(after) or _NAMED_AFTER.search(before)
    )


def _flat(plain: str, number: re.Match[str]) -> bool:
    """A flat tells who lives there only with its house; «кв. 12» alone may be a forest plot."""
    around = plain[max(0, number.start() - _REACH) : number.end() + _REACH]
    return bool(_HOUSE.search(around))


_QUOTED = re.compile(r"[«\"][^«»\"]{0,100}[»\"]")
_SHOUTED = re.compile(r"\b[А-Я]{5,} (?:[А-Я]+ )?[А-Я]{5,}\b")
_SHOUT_MARKS = re.compile(r"!{3}|\?{2}|\?!|!\?|\){3}")
_RUDE = _word(
    r"дурак\w*|дур[аы]|идиот\w*|кретин\w*|туп(?:ой|ая|ые|ых|ость|ица)|хам|хамка|нытик\w*|бред|чушь",
    r"заткни\w*|отстаньте|успокойтесь|хватит (?:писать|жаловаться|ныть)",
    r"вы (?:нас |всех |уже ){0,2}(?:достали|надоели)|сам[аи]? виноват\w*",
    r"руки из|не выдумывайте|не врите|вы врете|научитесь читать|читайте внимательн\w+",
    r"(?:больше |вам |вам больше )нечем заняться|мечтать не вредно|а (?:что|чего) вы хотели",
    r"может,? вам еще|ага, (?:щас|сейчас|конечно)|ну конечно|как же, как же|какая неожиданность",
)


def _rude(draft: Draft) -> bool:
    """Shouting, insults and mockery; a finer ear has who reviews.

    Names in quotes are not read as shouting: «РЕМСТРОЙ САМАРА».
    """
    if _RUDE.search(draft.plain) or _SHOUT_MARKS.search(draft.plain):
        return True
    return bool(_SHOUTED.search(_QUOTED.sub(" ", draft.text)))


RULES: Mapping[ReplyFlaw, Callable[[Draft], bool]] = {
    ReplyFlaw.FORMAL: _formal,
    ReplyFlaw.REDIRECTS_CITIZEN: _redirects,
    ReplyFlaw.NO_DATE: _undated,
    ReplyFlaw.PERSONAL_DATA: _personal,
    ReplyFlaw.WRONG_TONE: _rude,
}
