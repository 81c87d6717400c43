"""Likeness: what makes texts alike, and that a sketch tells it without telling the text."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regions.reading.likeness import (
    FINGERPRINT_BYTES,
    SKETCH_BYTES,
    alike,
    fingerprint,
    likeness,
    likenesses,
    shingles,
    sketch,
)
from regions.reading.suggestions import NEAR_TEXT

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
TOLERANCE = 0.22  # five times 0.044, the standard deviation of 128 minima at a likeness of 0.5

VOCABULARY = [
    *(
        "яма",
        "дорога",
        "двор",
        "подъезд",
        "лифт",
        "вода",
        "свет",
        "снег",
        "мусор",
        "автобус",
        "дом",
    ),
    *("школа", "крыша", "фонарь", "улица", "сосед", "третий", "день", "никто", "не", "убирает"),
    *("течёт", "сломан", "холодно", "темно", "просим", "примите", "меры", "когда", "починят", "12"),
]
texts = st.lists(st.sampled_from(VOCABULARY), min_size=1, max_size=25).map(" ".join)

HOLE = "Яма на дороге, ул. Мирная, напротив дома 5. Пробил колесо."

SAME_STORY = [
    (HOLE, "На ул. Мирной напротив дома 5 яма на дороге, колесо пробил"),
    ("Нет горячей воды третий день, Садовая 12", "Третий день нету горячей воды на Садовой 12"),
    (
        "Уберите стихийную свалку в нашем дворе! Садовая, 5",
        "Уберите стихийню свалку в нашем дваре, Садовая 5 😡",
    ),
    (
        "В подъезде выбиты стёкла, света нет, грязь. Садовая 5",
        "в подъезде выбиты стекла, нет света и грязь, Садовая 5",
    ),
    (
        "Автобус 35 не пришёл, ждали 40 минут на морозе",
        "Ждали автобус 35 сорок минут на морозе, не пришёл",
    ),
    (
        "Не горят фонари на всей улице Полевой, вечером страшно ходить",
        "На улице Полевой не горят фонари, страшно ходить вечером с ребёнком",
    ),
    ("Лифт стоит вторую неделю, дом 7", "лифт стоит уже вторую неделю!! дом 7"),
    ("Горку на площадке сломали, торчат гвозди", "Сломали горку на площадке, гвозди торчат!!!"),
]
OTHER_STORY = [
    ("Нет горячей воды третий день, Садовая 12", "Нет холодной воды с самого утра, Лесная 3"),
    ("Яма на дороге, ул. Мирная, 5", "Снег на дороге не убирают, ул. Мирная, 5"),
    ("В подъезде нет света", "В подъезде грязь и нет уборки"),
    ("Мусор не вывозят неделю", "Автобус не ходит неделю"),
    ("Прошу принять меры: свалка во дворе", "Прошу принять меры: лифт не работает"),
    ("Когда дадут тепло? Садовая 5", "Когда отремонтируют крышу? Садовая 5"),
    ("Здравствуйте! Собаки у школы", "Здравствуйте! Скользко у школы"),
]


# The same text


@pytest.mark.parametrize(
    "same",
    [
        HOLE.upper(),
        HOLE.replace(",", "").replace(".", ""),
        "  " + HOLE.replace(" ", "\n ") + " 😡😡😡",
        HOLE + "!!!",
    ],
)
def test_case_punctuation_spaces_and_emoji_change_nothing(same: str) -> None:
    assert fingerprint(same, KEY) == fingerprint(HOLE, KEY)
    assert sketch(same, KEY) == sketch(HOLE, KEY)


def test_yo_and_decomposed_letters_change_nothing() -> None:
    assert fingerprint("ещё не убран", KEY) == fingerprint("еще не убран", KEY)
    assert fingerprint("мои\u0306 двор", KEY) == fingerprint("мой двор", KEY)


@pytest.mark.parametrize("other", ["Яма на дороге", HOLE.replace("5", "7"), HOLE + " Опять"])
def test_another_word_or_number_is_another_text(other: str) -> None:
    assert fingerprint(other, KEY) != fingerprint(HOLE, KEY)


def test_order_makes_another_text_that_is_entirely_alike() -> None:
    one, other = "снег не убран во дворе", "во дворе не убран снег"
    assert fingerprint(one, KEY) != fingerprint(other, KEY)
    assert alike(one, other) == 1


# Near texts


@pytest.mark.parametrize(("one", "other"), SAME_STORY)
def test_the_same_story_in_other_words_is_near(one: str, other: str) -> None:
    assert alike(one, other) >= NEAR_TEXT
    assert likeness(sketch(one, KEY), sketch(other, KEY)) >= NEAR_TEXT


@pytest.mark.parametrize(("one", "other"), OTHER_STORY)
def test_another_complaint_in_similar_words_is_not(one: str, other: str) -> None:
    assert alike(one, other) < NEAR_TEXT
    assert likeness(sketch(one, KEY), sketch(other, KEY)) < NEAR_TEXT


@given(texts, texts)
def test_likeness_is_symmetric_and_from_0_to_1(one: str, other: str) -> None:
    left, right = sketch(one, KEY), sketch(other, KEY)
    assert alike(one, other) == alike(other, one)
    assert likeness(left, right) == likeness(right, left)
    assert 0 <= alike(one, other) <= 1
    assert 0 <= likeness(left, right) <= 1


@given(texts)
def test_a_text_is_entirely_like_itself(text: str) -> None:
    assert alike(text, text) == 1
    assert likeness(sketch(text, KEY), sketch(text, KEY)) == 1


@settings(max_examples=300)
@given(texts, texts)
def test_a_sketch_estimates_the_true_likeness(one: str, other: str) -> None:
    estimated = likeness(sketch(one, KEY), sketch(other, KEY))
    assert abs(estimated - alike(one, other)) <= TOLERANCE


def test_the_estimate_is_right_on_average(
    record_testsuite_property: Callable[[str, Any], None],
) -> None:
    chance = random.Random(20260301)
    errors = []
    for _ in range(300):
        one, other = (" ".join(chance.sample(VOCABULARY, 12)) for _ in range(2))
        errors.append(likeness(sketch(one, KEY), sketch(other, KEY)) - alike(one, other))
    record_testsuite_property("sketch_mean_error", round(sum(errors) / len(errors), 4))
    assert abs(sum(errors) / len(errors)) < 0.01
    assert sum(error**2 for error in errors) / len(errors) < 0.05**2


@given(texts)
def test_texts_without_a_common_shingle_have_nothing_in_common(text: str) -> None:
    stranger = "qqqq wwww zzzz"
    assert alike(text, stranger) == 0
    assert likeness(sketch(text, KEY), sketch(stranger, KEY)) < 0.05


@pytest.mark.parametrize("wordless", ["", " \n", "😡😡", "!?"])
def test_a_text_without_words_is_like_nothing_not_even_itself(wordless: str) -> None:
    empty = sketch(wordless, KEY)
    assert (empty, fingerprint(wordless, KEY)) == (b"", b"")
    assert alike(wordless, wordless) == likeness(empty, empty) == 0
    assert likeness(empty, sketch(HOLE, KEY)) == likeness(sketch(HOLE, KEY), empty) == 0


# The key


@given(texts)
def test_another_key_makes_an_unrelated_sketch_and_fingerprint(text: str) -> None:
    assert likeness(sketch(text, KEY), sketch(text, OTHER_KEY)) < 0.05
    assert fingerprint(text, KEY) != fingerprint(text, OTHER_KEY)


@pytest.mark.parametrize("key", [b"", b"short", b"k" * 65])
def test_a_key_that_can_be_guessed_or_not_be_used_is_refused(key: bytes) -> None:
    with pytest.raises(ValueError, match="a key of"):
        sketch(HOLE, key)
    with pytest.raises(ValueError, match="a key of"):
        fingerprint(HOLE, key)


# What is stored


@given(texts)
def test_sketch_and_fingerprint_have_a_fixed_size_and_hold_no_word(text: str) -> None:
    kept = sketch(text, KEY)
    assert len(kept) == SKETCH_BYTES
    assert len(fingerprint(text, KEY)) == FINGERPRINT_BYTES
    assert not any(
        shingle.strip().encode() in kept for shingle in shingles(text) if len(shingle) > 3
    )


def test_a_stored_sketch_and_fingerprint_stay_what_they_were() -> None:
    assert fingerprint("нет воды", KEY).hex() == "90a2f2f64393d383914c3557d3f90698"
    assert sketch("нет воды", KEY).hex()[:32] == "cb916de7174382237575f6327501b1d5"


# Many


def test_many_sketches_are_compared_as_one_by_one() -> None:
    new = sketch(HOLE, KEY)
    kept = [sketch(text, KEY) for pair in (*SAME_STORY, *OTHER_STORY) for text in pair] + [b""]
    assert likenesses(new, kept) == [likeness(new, each) for each in kept]
    assert likenesses(new, []) == []
    assert likenesses(b"", kept) == [0.0] * len(kept)


def test_a_sketch_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="size"):
        likeness(sketch(HOLE, KEY), b"12")


def test_a_thousand_recent_messages_are_searched_at_once() -> None:
    chance = random.Random(20260301)
    kept = [sketch(" ".join(chance.sample(VOCABULARY, 12)), KEY) for _ in range(1_000)]
    found = likenesses(sketch(HOLE, KEY), kept)
    assert len(found) == 1_000
    assert max(found) < NEAR_TEXT
