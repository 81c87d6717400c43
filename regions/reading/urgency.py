"""Whether a Russian message cannot wait (острое): danger to life, children, no heating in frost.

A reader decides. These words bring a message to the top, so they rather bring one too many; the
few that say that nothing is the matter are believed of the author only.
"""

import re
from collections.abc import Sequence
from datetime import date

from domain.vocabulary import PriorityReason
from regions.reading.kinds import thanks
from regions.reading.signs import Sentence, Sign, group, has, sentences, shown, sign

# Rules for utilities, Постановление Правительства РФ от 06.05.2011 № 354, 5: heating is on from the
# end of five days with a mean below 8 °C until five days above. In most regions that is in these
# months; where it is cold earlier people write of frost.
HEATING_MONTHS = frozenset({10, 11, 12, 1, 2, 3, 4})

_WELLS = "люк люка люке люки колодец колодца колодце колодцы"
_LIVING = "дет* ребен* люд* человек* прохож* пешеход* жител* бабушк* машин* авто* коляск* голов*"
_FALLING = "пада* упал* упад* рухн* обруш* обвал* отвал* откол* сып* свалит* оторв* треснул*"
_LEANING = "накрен* наклон* навис* трещит треснул* раскачива* качается рухн* шатается повали*"

# «Топит» is «floods» and «heats»; a neighbour or a roof floods one flat.
_TOPIT_OTHERWISE = "ливн* сосед* крыш* подвал* котельн* батаре* отоплени* печк* плохо слабо"

_DANGER = (
    # An explosion.
    sign("запах* пахнет воняет тянет несет утечк* угарн* чувству*", "газ газа газом"),
    sign("запах*", "газовый"),
    sign(
        "шип* свист* повред* задел* пробил* травит подтравлива*", "газопровод* газовая газовую газ"
    ),
    sign("утечка", "есть", "газ газа газовики газовщики горгаз"),
    # A fall into a well.
    sign("открыт* раскрыт* распахнут* зия* дыр* провал* переверн* сдвину*", _WELLS),
    sign("без_крышк* без_люк*", _WELLS),
    sign("пустой", "люк"),
    sign(
        "нет украл* укра* стащил* пропал* слома* сдвину* трес* провал* переверн* разбит*",
        "крышк* чугун*",
        "колод* люк люка тротуар* дорог* проезж* асфальт* камеры",
        unless="контейнер* бак* бачк* почин*",
    ),
    # An electric shock.
    sign(
        "оборв* лежит лежат валя* упал* вис* свис* провис* болта* оголен* голые искр* рван*",
        "провод* кабел* лэп электропровод* сип",
        unless="интернет* оптик* связи",
    ),
    sign("искрит искрят", "провод* столб* щит* линия опор* ветк*"),
    sign("бьет бьется", "током"),
    sign("столб* опор*", "накрен* наклон* пада* упал* упад* сгнил* качается трес* рухн*"),
    sign("электрощит* трансформатор* щиток щит будк*", "открыт* распахнут* нараспашку"),
    # A fire.
    sign(
        "горит горят полыхает загорел* пылает",
        "трава траву камыш лес дом квартир* сарай* мусор балкон поле торф подъезд крыша",
    ),
    sign("огонь пожар", "идет подход* рядом близко сейчас"),
    # Something heavy above people.
    sign(
        _FALLING,
        "балкон* фасад* бетон* плит* карниз* лепнин* кирпич* штукатурк* стен* потол* глыб* козырек"
        " крыш*",
        _LIVING,
    ),
    sign("карниз* балкон* фасад*", "куски кусок плитка", "пада* сып* отвал* откол*"),
    sign(
        "дерево дерева деревья тополь тополя берез* сосн* ясень клен* липа ель ива",
        _LEANING,
        unless="могил*",
    ),
    sign("сосульк* глыб* наледь лавина", "крыш* кровл* вход* тротуар* голов* опасно крыльц*"),
    sign("снег снега", "крыш* кровл* козырьк*", "упал* упад* рухн* сход* сошел голов*"),
    sign("ледян* снежн*", "козырек глыба", "рухнет упадет крыльц* вход*"),
    sign("стен* склад* здани* дом", "навис* рухнет рухнула ляжет лягут обруш*"),
    # Scalding.
    sign(
        "кипят*",
        "улиц* дорог* двор* тротуар* люк* фонтан* хлещ* асфальт* земл* рядом",
        unless="подвал*",
    ),
    sign("горяч*", "вода воду", "провал* обвар* хлещет бьет", unless="кран* подвал*"),
    # Water that reaches houses, ground that gives way.
    sign("вода река", "подошл* подступ* прибыва* разлил*", unless="подвал* кран* канализ*"),
    sign("вышла вышел", "берегов"),
    sign("топит", "дома нас огород* поселок деревн*", unless=_TOPIT_OTHERWISE),
    sign("ополз* склон", "дом* подмыва* угрожа* пополз* сарай"),
    # Somebody who needs help now.
    sign(
        "скорая скорую скорой неотложк* вызвали",
        "не_едет ждем ждет никто никого нет",
        "задыха* без_сознания приступ* плохо умира* лежит хрипит",
    ),
    sign("собак* стая свора пес псы", "укусил* покусал* искусал* загрыз* напал* набросил*"),
    sign("грозит угрожает угрожают", "нож* убить убийств* расправ* оруж* ружь*"),
)

_PUPILS = "дет* ребен* школьник* ученик* ребят* мальчик* девочк* внук* внучк* сын* дочк* первоклас*"
_SCHOOL = "школа школе школы школу саду садик* детсад* гимнази* лицей лицее интернат*"
_CHILDREN = (
    sign(_PUPILS, "отрав* рвот* ротавирус* травм* поран* порез* сбил* придавил*"),
    sign(_PUPILS, "слома*", "руку ногу нос ключицу"),
    sign(_PUPILS, "упал упала вылетел* сорвал*", "качел* горк* площадк* лесенк*"),
    sign(f"{_SCHOOL} класс классе", "потолок потолка", "обвал* рухн* обруш*"),
)
# In the heating season only.
_CHILDREN_COLD = (
    sign(
        _SCHOOL,
        "отоплени* батаре* тепл*",
        "нет отключ* отруб* без_отоплени* холодн* ледян* не_работает пуховик* куртк*",
    ),
)

# Was cut off, and not «is cut off each summer» or «was never laid».
_CUT = "отключили отключен отключена отключено отключены вырубил* выключили пропал* погас* отрубил*"
_CUT += " перекры* отрезали не_дают приостанов* отключение"
_NEVER = "лет год* год никогда провест* проведите подключ* построй* программ* присоединен* участ*"
_NOT_NOW = f"{_NEVER} кажд* постоянн* плат* счетчик* животн* клетк* еды кладбищ* включили"
_NO_WATER = f"{_NOT_NOW} горяч* гвс подвал* качеств* напор* давлени* хватает"
_NO_LIGHT = f"{_NOT_NOW} под*езд* фонар* уличн* освещ* столб* остановк* сквер* парк* лифт*"
_OUTAGE = (
    sign("нет нету", "воды водоснабжени*", unless=_NO_WATER, close=5),
    sign(_CUT, "воды воду вода водоснабжени*", unless=_NO_WATER),
    sign("сухие сухо шипит", "кран* колонк*", unless=_NO_WATER),
    sign("ни_капли", "вода воды кран* день сутки утра", unless=_NO_WATER),
    sign("колонк* водопровод", "не_работает не_качает замерз", unless=f"{_NO_WATER} газов*"),
    sign("без_воды без_водоснабжени*", unless=_NO_WATER),
    sign("нет нету", "света электричества электроэнергии", unless=_NO_LIGHT, close=5),
    sign(_CUT, "свет электричеств* электроэнерги* электроснабжени*", unless=_NO_LIGHT),
    sign("без_света без_электричеств* без_электроэнерги* без_электроснабжени*", unless=_NO_LIGHT),
    sign("обесточ*"),
    sign("сидим сидят сижу", "темноте"),
    sign("трансформатор подстанци*", "сгорел* выбило", unless="техник* приборы"),
    sign("нет нету", "газа", unless=f"{_NOT_NOW} запах*", close=5),
    sign(_CUT, "газ газа газоснабжени*", unless=f"{_NOT_NOW} долг* неуплат* договор* тяг* вытяж*"),
    sign("без_газа не_горят не_горит", "без_газа конфорк* горелк*", unless=_NOT_NOW),
    sign(
        "когда",
        "дадут включат будет восстановят",
        "вода воду свет газ",
        unless=f"{_NO_WATER} {_NO_LIGHT}",
    ),
    sign(
        "скважин* насос* водозабор* башн*",
        "сгорел* авария вышел вышла не_работает",
        "воды воду село",
    ),
)
# In the heating season only.
_LUKEWARM = "чуть едва еле только слабо верх* низ"
_OUTAGE_COLD = (
    sign(f"{_CUT} не_дали не_подали не_пустили", "отоплени* тепла тепло", close=5),
    sign("нет нету", "отопления тепла", close=5),
    sign("дайте", "тепло тепла отопление"),
    sign("без_отопления без_тепла"),
    sign(
        "батаре* радиатор*",
        "холодн* ледян* лед не_греют не_работают не_заработали мертвые",
        unless=_LUKEWARM,
    ),
    sign("трубы", "ледяные"),
    sign("не_топят не_греют", unless=_LUKEWARM),
    sign("котельн*", "встал* остановил* не_работает умер вышла сломал*"),
    sign("котел", "встал умер остановился", unless="газовый"),
    sign("замерза* мерзнем", "дом* люди дети пенсионер* студент* квартир* радиатор*"),
)

_MASS = (
    sign("отрезан*", "деревн* сел* поселок поселка мир* мы дорог*"),
    sign("мост*", "смыл* снес* рухнул*"),
    sign("сотни сотен тысячи тысяч", "людей жителей домов семей человек", unless="рублей руб"),
    sign("массов*", "отравл* заболе* отключ* ави* гибел*"),
    sign("замело занесло", "деревн* сел* поселок", unless="улиц*"),
)

_RESONANCE = (
    sign("митинг* пикет* голодовк* забастовк*", unless="запрет* отмен*"),
    sign("перекро* перекрывать перекрыть", "дорог* трасс*", "выйдем будем готовы мы придется"),
    sign("телевидени* журналист* сми прессу президент*", "обрат* напиш* сним*"),
    sign("репост* лайк* просмотр*", "тысяч* набра* разош* разлет*"),
)

# Nobody is in danger: said by the author, not reported of somebody who should see to it.
_ALL_CLEAR = re.compile(
    r"\b(?:опасности|угрозы)(?: \w+)? нет\b|\bнет (?:никакой )?(?:опасности|угрозы)\b"
    r"|\bне_представля\w+(?: \w+)? (?:опасност|угроз)\w+|\bне_?опасно\b|\bбез_опасности\b"
    r"|\b(?:запаха|утечки)(?: газа)?(?: уже| больше)? нет\b|\bутечк\w+(?: газа)? (?:уже )?устран"
    r"|\b(?:уже|быстро|наконец) (?:все )?(?:устранили|починили|закрыли|потушили|восстановили)\b"
)
_REPORTED = group("говор* сказа* отвеча* ответил* уверя* утвержд* якобы мол пиш* обеща* считают")
_SUPPOSED = re.compile(r"(?:\w+ ){0,3}(?:если|вдруг) (?!не_|вы )|.*\b(?:учения|учений|тренировк)")
_FROST = group("мороз* минус снег* метел* замерза* мерзнем минусов* стуж*")

# The first that is there is the reason; the second signs count when it is cold.
_URGENT: tuple[tuple[PriorityReason, Sequence[Sign], Sequence[Sign]], ...] = (
    (PriorityReason.DANGER_TO_LIFE, _DANGER, ()),
    (PriorityReason.CHILDREN, _CHILDREN, _CHILDREN_COLD),
    (PriorityReason.UTILITIES_OUT, _OUTAGE, _OUTAGE_COLD),
    (PriorityReason.MASS, _MASS, ()),
    (PriorityReason.RESONANCE, _RESONANCE, ()),
)


def urgency_of(text: str, *, on: date) -> PriorityReason | None:
    """The gravest reason why it cannot wait, if any is seen. `on`: the day it was written."""
    said = [each for each in sentences(text) if not _SUPPOSED.match(" ".join(each.words))]
    if thanks(text) or _all_clear(said):
        return None
    cold = on.month in HEATING_MONTHS or any(has(_FROST, sentence.words) for sentence in said)
    for reason, always, in_the_cold in _URGENT:
        if shown(always, said) or (cold and shown(in_the_cold, said)):
            return reason
    return None


def _all_clear(said: Sequence[Sentence]) -> bool:
    own = [sentence.words for sentence in said if not has(_REPORTED, sentence.words)]
    return any(_ALL_CLEAR.search(" ".join(words)) for words in own)
