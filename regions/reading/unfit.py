"""Messages that are no incident: obscene ones, adverts, and those that leave nothing to work on.

The reason is a suggestion. A human confirms it, so that no message is lost by a list of words.
"""

import re
from collections.abc import Sequence

from domain.vocabulary import RejectReason
from regions.reading.signs import group, has, joined, sign
from regions.reading.spelling import spelled

# A swearword in an angry but substantial complaint does not make it obscene: what the author needs
# stands in the other words, and it is answered. It is obscene when more than one word in eight is
# a swearword, or from the third on.
SWEARING_SHARE = 1 / 8
SWEARWORDS_MAX = 2

# The obscene roots only. Rude words («сволочи», «говно», «задница») are no reason to leave a
# complaint alone. Beginnings are anchored: «страховать», «оскорблять», «хлебать», «употреблять»,
# «требовать», «рубля», «бляшка», «мандат», «мудрый» have the same letters in other places.
_BEFORE = "за на по вы у до от разъ раз рас съ объ об о подъ при про пере изъ въ долбо ни не"
_SWEARING = re.compile(
    rf"(?:{'|'.join(_BEFORE.split())})?еб(?:а|у|и|л|к|ы|о[тмшнк]|н|е[нтшц]|$)\w*"
    r"|(?:на|по|до|ни|не|о|от|за)?ху(?:й|е|и|ю|я)\w*"
    r"|\w*пизд\w*|\w*бляд\w*|блят\w*|бля|муда[кч]\w*|мудил\w*|мудоз\w*|залуп[аыеу]"
    r"|пид[ао]р\w*|[гк][ао]ндон\w*|шлюх\w*|манд[ауые]"
)
_INNOCENT = group("ебург* ебай")  # what Yekaterinburg calls itself; a shop

# What is written so is compared with these: «х*й», «бл@ть», «п***ц».
_HIDES = re.compile(r"\b[а-я]+(?:[*@#$%]+[а-я]*)+")
_MASK = re.compile(r"[*@#$%]+")
_MASKED_MAX = 20  # characters; a longer word is none of these
_OFTEN_HIDDEN = """
    бля бляди блядь блять выебываются гандон гандоны долбоеб долбоебы ебал ебали ебан ебаная ебаное
    ебаные ебаный ебанутые ебать ебет ебучая ебучие ебучий заебал заебали заебало заебись мудак
    мудаки наебали нахуй наебывают охуел охуели охуеть охуенно пизда пизде пиздец пизды пидор
    пидоры похуй проебали распиздяи уебаны уебки уебок хуево хуевый хуем хуи хуй хуйня хую хуя
"""
_SPACED = re.compile(r"\b(?:х у [йя]|б л я)\b")

_OFFERS = (
    sign("скидки распродажа акции промокод подарок", unless="обещал*"),
    sign("продам продаем куплю сдам сдаю сниму обменяю продается сдается"),
    sign("заработ* доход* подработ*", "интернет* дом* без_вложений день телефон* рекламу"),
    sign("кредит* займ* займы", "одобр* онлайн без_отказа выдаем без_справок быстро"),
    sign("казино ставки букмекер* крипт* инвестиц*", "выигр* доход* бонус* прибыл*"),
    sign("доставк* заказ* закажи*", "недорого дешево скидк* бесплатн* звоните пишите"),
    sign("ремонт* натяжн* потолки окна двери кухни мебель грузчики", "недорого ключ дешево"),
    sign("подписывай* подпиш* вступай* переходи* жми жмите", "канал* групп* ссылк*"),
    sign("маникюр* ресниц* массаж* гадани* таролог* приворот* похуд*", "запис* пишите звоните"),
    sign("выгодн* низк* лучшие", "цены цена предложени* условия"),
    sign("требу* набира* приглаша*", "водител* курьер* продав* сотрудник* операторы", "зарплат*"),
)
_PHONE = re.compile(r"(?:\+7|\b8)[ (-]*\d{3}[ )-]*\d{3}[ -]?\d\d[ -]?\d\d\b")
_LINK = re.compile(r"https?://|\bwww\.|\bt\.me/|\bwa\.me/|(?<!\w)@\w{4}|\bvk\.cc/")
_PRICE = re.compile(r"\d ?(?:р\b|руб|₽|%)")
_CALLS = group("звоните пишите пиши заказывайте записывайтесь подписывайтесь заходите директ жмите")
_COMPLAINS = group(
    "прошу просим примите жалоб* помогите обманул* обман* дует брак куда кому почему"
    " не_работ* не_отвеч* не_верн* не_привез* не_сделал* не_пришл*"
)

# What people write under a post when they have nothing to ask for.
_CHATTER = group(
    "а ага ах аха* да нет ну о ого ой ох эх хах* хех* хи хм ха лол кек ор ору жиза плюс"
    " плюсую ап топ лайк первый первая первые первонах согласен согласна согласны с автором"
    " поддерживаю верно точно именно факт правда класс классно супер отлично круто огонь"
    " красота красиво здорово молодцы молодец браво ура спасибо пожалуйста привет приветствую"
    " здравствуйте всем всех обычно добрый доброе доброго день утро вечер ночи дня доброй"
    " хорошего хороших выходных приятного друзья земляки дорогие уважаемые народ люди как что"
    " это вот так и все вас вам мне тоже очень просто какая какой тест проверка комментариев"
    " без пока ждем хочу кто за против интересно понятно ясно жесть ужас кошмар капец позор"
    " смешно грустно"
)
_GREETS = group("праздник* рождения годом днем новым рождеством пасхой поздравля* победы марта")


def unfit(text: str) -> RejectReason | None:
    """None where a human should work on it, as on everything that is not clearly unfit."""
    words = spelled(text)
    if _obscene(text, words):
        return RejectReason.OBSCENE
    if _advertises(text, words):
        return RejectReason.ADVERT
    return RejectReason.NOT_A_PROBLEM if _chats(words) else None


def _obscene(text: str, words: Sequence[str]) -> bool:
    plain = text.lower().replace("ё", "е")
    swearwords = sum(map(_swears, words)) + sum(map(_swears_hidden, _HIDES.findall(plain)))
    swearwords += len(_SPACED.findall(plain))
    return swearwords > SWEARWORDS_MAX or swearwords > len(words) * SWEARING_SHARE


def _swears(word: str) -> bool:
    return bool(_SWEARING.fullmatch(word)) and not _INNOCENT.fullmatch(word)


def _swears_hidden(word: str) -> bool:
    """A mask stands for as many letters as it has signs, or one more."""
    if len(word) > _MASKED_MAX:
        return False
    letters = _MASK.sub(lambda mask: f".{{{len(mask[0])},{len(mask[0]) + 1}}}", word)
    return any(re.fullmatch(letters, swearword) for swearword in _OFTEN_HIDDEN.split())


def _advertises(text: str, words: Sequence[str]) -> bool:
    """It offers something and says how to get it or what it costs, and does not complain."""
    said, lower = joined(words), text.lower()
    offers = sum(offer.stands_in(said) for offer in _OFFERS)
    ways = sum(bool(way.search(lower)) for way in (_PHONE, _LINK, _PRICE)) + has(_CALLS, said)
    return offers > 0 and offers + ways > 1 and not has(_COMPLAINS, said)


def _chats(words: Sequence[str]) -> bool:
    """Nothing but exclamations, agreement and greetings, or not a word at all."""
    return all(_CHATTER.fullmatch(word) or _GREETS.fullmatch(word) for word in words)
