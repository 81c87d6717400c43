"""What a message shows by its words: what is wanted, how urgent it is, whether it is one at all."""

import time
from collections.abc import Callable
from datetime import date

import pytest

from domain.vocabulary import Kind, PriorityReason, RejectReason
from regions.reading.phrases import Part, Phrase, load_phrases
from regions.reading.signals import kind_of, unfit, urgency_of
from regions.reference.catalogue import Catalogue
from tests.conftest import RUSSIA

WINTER, SUMMER = date(2026, 1, 15), date(2026, 7, 15)

DANGER = PriorityReason.DANGER_TO_LIFE
CHILDREN = PriorityReason.CHILDREN
OUT = PriorityReason.UTILITIES_OUT
OBSCENE, ADVERT, CHATTER = RejectReason.OBSCENE, RejectReason.ADVERT, RejectReason.NOT_A_PROBLEM


@pytest.fixture(scope="module")
def check(russia: Catalogue) -> list[Phrase]:
    return [each for each in load_phrases(RUSSIA, russia) if each.part is Part.CHECK]


# What is wanted


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Подъезд грязный, никто не моет полы", Kind.COMPLAINT),
        ("Прошу заменить фонарь у дома 5", Kind.COMPLAINT),
        ("Когда же это прекратится? Опять нет воды!", Kind.COMPLAINT),
        ("Почему у нас до сих пор нет автобуса?", Kind.COMPLAINT),
        ("Сколько можно терпеть эти ямы?!", Kind.COMPLAINT),
        ("Заранее спасибо за ответ, почините лифт", Kind.COMPLAINT),
        ("Спасибо, но воды как не было, так и нет", Kind.COMPLAINT),
        ("", Kind.COMPLAINT),
        ("Подскажите, как записать ребёнка в кружок?", Kind.QUESTION),
        ("Здравствуйте! Когда откроют бассейн на Лесной?", Kind.QUESTION),
        ("Куда сдать старые батарейки", Kind.QUESTION),
        ("kogda budet salyut?", Kind.QUESTION),
        ("Предлагаю поставить велопарковку у библиотеки", Kind.SUGGESTION),
        ("Хорошо бы сделать в парке беговую дорожку", Kind.SUGGESTION),
        ("А почему бы не открыть каток?", Kind.SUGGESTION),
        ("Сообщаю: на Мира, 5 упал дорожный знак", Kind.MESSAGE),
        ("Передайте дорожникам: возле школы стёрлась разметка", Kind.MESSAGE),
        ("Спасибо за новый асфальт на Садовой!", Kind.THANKS),
        ("Низкий поклон врачам второй больницы", Kind.THANKS),
    ],
)
def test_the_words_tell_what_is_wanted(text: str, kind: Kind) -> None:
    assert kind_of(text) is kind


def test_most_kinds_of_the_phrases_to_check_are_found(check: list[Phrase]) -> None:
    right = sum(kind_of(each.text) is each.kind for each in check)
    assert right >= 0.96 * len(check)


# What cannot wait


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("В подъезде пахнет газом", DANGER),
        ("ul lenina 5 pahnet gazom", DANGER),
        ("На улице Красной открыт люк", DANGER),
        ("Колодец без крышки у школы", DANGER),
        ("Оборванный провод лежит на тротуаре", DANGER),
        ("Столб накренился и держится на проводах", DANGER),
        ("Горит трава за огородами, огонь идёт к домам", DANGER),
        ("С крыши свисает огромная сосулька", DANGER),
        ("Кусок бетона упал с балкона рядом с ребёнком", DANGER),
        ("Кипяток хлещет на дорогу", DANGER),
        ("Река вышла из берегов", DANGER),
        ("Человеку плохо, скорая не едет второй час", DANGER),
        ("Собака покусала почтальона", DANGER),
        ("Дети отравились в школьной столовой", CHILDREN),
        ("Мальчик сломал руку на горке", CHILDREN),
        ("Нет света на всей улице", OUT),
        ("net vody vtoroy den", OUT),
        ("Посёлок без электричества с ночи", OUT),
        ("Отключили газ, когда дадут, неизвестно", OUT),
        ("Деревня отрезана: мост смыло", PriorityReason.MASS),
        ("Если не почините, выйдем на митинг", PriorityReason.RESONANCE),
    ],
)
def test_what_cannot_wait_is_seen_in_every_season(text: str, reason: PriorityReason) -> None:
    assert urgency_of(text, on=SUMMER) is reason
    assert urgency_of(text, on=WINTER) is reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Второй день нет отопления", OUT),
        ("Батареи ледяные, спим в пальто", OUT),
        ("В школе нет отопления, дети сидят в куртках", CHILDREN),
    ],
)
def test_heating_matters_in_the_cold_only(text: str, reason: PriorityReason) -> None:
    assert urgency_of(text, on=WINTER) is reason
    assert urgency_of(text, on=SUMMER) is None
    assert urgency_of(f"На улице мороз. {text}", on=date(2026, 5, 20)) is reason


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Никакой опасности нет",
        "Люк открыт рабочими, стоит ограждение, никакой опасности нет",
        "Запаха газа больше нет, утечку устранили",
        "В подъезде газом не пахнет",
        "Газон не косят, трава по пояс",
        "Газету не приносят",
        "Фонарь не горит у дома 5",
        "Красный на светофоре горит слишком долго",
        "Лавочка сломана",
        "Нет горячей воды",
        "На кладбище нет воды",
        "В подъезде нет света",
        "Проведите воду, живём без воды двадцать лет",
        "Слабый напор воды на пятом этаже",
        "Вчера отключили свет, через час включили",
        "Если вдруг почувствуете запах газа, звоните 104",
        "Спасибо, открытый люк закрыли за час",
        "Контейнеры без крышек",
        "Дети идут в школу по обочине",
        "Говорят, что всё в порядке",
    ],
)
def test_what_can_wait_does(text: str) -> None:
    assert urgency_of(text, on=WINTER) is None


def test_that_there_is_no_danger_is_not_believed_when_it_is_only_reported() -> None:
    said = "Нам ответили, что опасности нет, а провода лежат на земле"
    assert urgency_of(said, on=SUMMER) is DANGER


def test_a_street_named_after_a_garden_or_a_school_is_no_school() -> None:
    assert urgency_of("Садовая 5, отопления нет, батареи холодные", on=WINTER) is OUT
    assert urgency_of("Школьная 5, нет отопления", on=WINTER) is OUT


def test_most_of_what_is_urgent_among_the_phrases_to_check_is_found(check: list[Phrase]) -> None:
    found = [(each.urgency, urgency_of(each.text, on=WINTER)) for each in check]
    urgent = [seen for labelled, seen in found if labelled]
    brought = [labelled for labelled, seen in found if seen]
    assert sum(seen is not None for seen in urgent) >= 0.85 * len(urgent)
    assert sum(labelled is not None for labelled in brought) >= 0.85 * len(brought)


# What is no incident


@pytest.mark.parametrize(
    "text",
    [
        "Да вы охуели там все",
        "БЛЯДЬ",
        "заебали ваши ямы",
        "pizdec doroga",
        "х*й вам, а не дороги",
        "пиз*ец какой-то",
        "бл@ть, опять",
        "п***ц",
        "ёбаный стыд",
        "хуй, пизда, блядь, и вот так каждый день, когда нет воды, света, газа и автобуса"
        " в нашем районе, на нашей улице и в нашем доме",  # the third is one too many
    ],
)
def test_swearing_with_little_else_is_obscene(text: str) -> None:
    assert unfit(text) is OBSCENE


def test_one_swearword_does_not_take_the_answer_from_a_complaint() -> None:
    text = "Вторую неделю нет воды на Садовой 5, дети без воды, вы охуели, сколько можно ждать"
    assert unfit(text) is None


INNOCENT = """
    страховать застрахуй оскорблять оскорблял хлебать употреблять употребляли потребитель требовать
    ребёнок рубля корабля ансамбля сабля бляшка художник худой хутор хулиган плохую сухую тихую
    команда мандарин мандат мудрый мебель лебедь хлеб погреб учебный лечебный гребля небо сука
    Себастьян Екатеринбург Ёбург психуют духи гандбол шлюпка
"""


@pytest.mark.parametrize("word", INNOCENT.split())
def test_a_word_that_only_looks_like_a_swearword_is_none(word: str) -> None:
    assert unfit(f"{word} дом") is None


@pytest.mark.parametrize("text", ["Какая-то сволочь сломала лавочку", "говно из колодца течёт"])
def test_rude_is_not_obscene(text: str) -> None:
    assert unfit(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "Натяжные потолки недорого! Звоните 8 (927) 000-00-00",
        "Заработок в интернете от 5000 руб в день, пиши в директ",
        "Кредит без отказа за 10 минут https://example.org",
        "Подписывайтесь на наш канал t.me/example",
        "Продам гараж, 150 000 руб",
        "Скидки до 70%! Заходите к нам",
        "Казино онлайн, бонус 5000 руб",
    ],
)
def test_an_offer_with_a_way_to_take_it_is_an_advert(text: str) -> None:
    assert unfit(text) is ADVERT


@pytest.mark.parametrize(
    "text",
    [
        "Проезд подорожал: было 30 руб, стало 45",
        "Магазин обещал скидку и обманул, чек на 1500 руб",
        "Телефон аварийной 8 927 000-00-00 не отвечает, нет света",
        "Вот фото ямы: https://example.org/1.jpg",
        "Окна поставили криво, дует, фирма трубку не берёт",
        "Школьникам продают вейпы",
    ],
)
def test_a_complaint_about_trade_is_no_advert(text: str) -> None:
    assert unfit(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "😀",
        "+",
        "...",
        "Первый!",
        "Согласен с автором",
        "ахахаха",
        "Всем доброе утро",
        "Спасибо",
    ],
)
def test_where_there_is_nothing_to_work_on_it_is_no_problem(text: str) -> None:
    assert unfit(text) is CHATTER


@pytest.mark.parametrize("text", ["Воды нет", "Яма", "u nas net vody", "Спасибо за дорогу"])
def test_a_short_message_with_a_matter_in_it_is_fit(text: str) -> None:
    assert unfit(text) is None


def test_no_phrase_to_check_is_thrown_away(check: list[Phrase]) -> None:
    assert [each.text for each in check if unfit(each.text)] == []


# Whatever is sent


@pytest.mark.parametrize(
    "text", ["как где? " * 2200, "а." * 10_000, "аб" * 10_000, "х*" * 10_000, "заеб" * 5_000]
)
@pytest.mark.parametrize(
    "read",
    [kind_of, unfit, lambda text: urgency_of(text, on=WINTER)],
    ids=["kind", "unfit", "urgency"],
)
def test_a_text_of_twenty_thousand_characters_takes_no_time(
    read: Callable[[str], object], text: str
) -> None:
    began = time.process_time()
    read(text)
    assert time.process_time() - began < 2
