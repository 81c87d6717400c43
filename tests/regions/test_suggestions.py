"""Suggestions: which incidents a message may repeat, why, in which order, and what is left out."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from regions.reading.distance import metres_between
from regions.reading.likeness import fingerprint, sketch
from regions.reading.suggestions import (
    NEAR_METRES,
    SUGGESTED,
    SUGGESTIONS_MAX,
    WINDOW,
    LikenessReason,
    Remembered,
    suggestions,
)

KEY = b"k" * 32
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
HERE = (53.195878, 50.100202)
SAME_TEXT, NEAR_TEXT = LikenessReason.SAME_TEXT, LikenessReason.NEAR_TEXT
SAME_PLACE, SAME_TOPIC = LikenessReason.SAME_PLACE, LikenessReason.SAME_TOPIC
SAME_AUTHOR = LikenessReason.SAME_AUTHOR

HOLE = "Яма на дороге, ул. Мирная, напротив дома 5. Пробил колесо."
RETOLD = "На Мирной напротив дома 5 яма на дороге, колесо пробил!"
OTHER = "Лифт стоит вторую неделю, пожилые не могут выйти"


def remembered(number: int, text: str = "", **known: Any) -> Remembered:
    facts = {"written_at": NOW - timedelta(hours=1), **known}
    return Remembered(
        incident=UUID(int=number),
        fingerprint=fingerprint(text, KEY),
        sketch=sketch(text, KEY),
        **facts,
    )


def north(metres: float) -> tuple[float, float]:
    return HERE[0] + metres / 111_195, HERE[1]


def reasons(new: Remembered, *others: Remembered) -> list[tuple[LikenessReason, ...]]:
    return [each.reasons for each in suggestions(new, others, now=NOW)]


# What is suggested


def test_the_same_text_is_suggested() -> None:
    assert reasons(remembered(1, HOLE), remembered(2, HOLE.upper())) == [(SAME_TEXT,)]


def test_nearly_the_same_text_is_suggested() -> None:
    assert reasons(remembered(1, HOLE), remembered(2, RETOLD)) == [(NEAR_TEXT,)]


def test_the_same_topic_at_the_same_address_is_suggested() -> None:
    at = {"municipality": "63-samara", "address": "ул. Мирная, 5", "topic": "roads.pothole"}
    found = reasons(remembered(1, HOLE, **at), remembered(2, OTHER, **at))
    assert found == [(SAME_PLACE, SAME_TOPIC)]


@pytest.mark.parametrize(("metres", "near"), [(0, True), (249, True), (252, False)])
def test_the_same_topic_within_250_metres_is_suggested(metres: float, near: bool) -> None:
    one = remembered(1, HOLE, topic="roads.pothole", point=HERE)
    other = remembered(2, OTHER, topic="roads.pothole", point=north(metres))
    assert bool(suggestions(one, [other], now=NOW)) is near


@pytest.mark.parametrize(
    "known",
    [
        {"topic": "roads.pothole"},
        {"author": b"a"},
        {"municipality": "63-samara"},
        {"topic": "roads.pothole", "municipality": "63-samara"},
        {"topic": "roads.pothole", "author": b"a"},
        {"municipality": "63-samara", "address": "ул. Мирная, 5"},
    ],
)
def test_topic_author_or_place_alone_is_not_enough(known: dict[str, Any]) -> None:
    assert suggestions(remembered(1, HOLE, **known), [remembered(2, OTHER, **known)], now=NOW) == []


def test_what_is_not_known_is_no_reason() -> None:
    assert suggestions(remembered(1), [remembered(2)], now=NOW) == []
    assert suggestions(remembered(1, "😡"), [remembered(2, "😡")], now=NOW) == []


def test_the_same_address_in_another_municipality_is_another_place() -> None:
    at = {"address": "ул. Мирная, 5", "topic": "roads.pothole"}
    one = remembered(1, HOLE, municipality="63-samara", **at)
    assert suggestions(one, [remembered(2, OTHER, municipality="63-syzran", **at)], now=NOW) == []


# Scores


def score(new: Remembered, other: Remembered) -> float:
    (found,) = suggestions(new, [other], now=NOW)
    return found.score


def test_more_reasons_make_a_higher_score() -> None:
    new = remembered(1, HOLE, topic="roads.pothole", author=b"a", point=HERE)
    scores = [
        score(new, remembered(2, RETOLD)),
        score(new, remembered(2, RETOLD, topic="roads.pothole")),
        score(new, remembered(2, RETOLD, topic="roads.pothole", author=b"a")),
        score(new, remembered(2, RETOLD, topic="roads.pothole", author=b"a", point=HERE)),
    ]
    assert scores == sorted(set(scores))
    assert SUGGESTED <= scores[0] < scores[-1] <= 1


def test_the_nearer_the_higher() -> None:
    new = remembered(1, HOLE, topic="roads.pothole", point=HERE)
    scores = [
        score(new, remembered(2, OTHER, topic="roads.pothole", point=north(metres)))
        for metres in (240, 120, 0)
    ]
    assert scores == sorted(set(scores))


def test_a_copied_text_from_another_place_counts_less() -> None:
    new = remembered(1, HOLE, municipality="63-samara")
    here = score(new, remembered(2, HOLE, municipality="63-samara"))
    there = score(new, remembered(2, HOLE, municipality="63-syzran"))
    assert here > there >= SUGGESTED


def test_an_author_may_post_the_same_text_in_several_groups() -> None:
    new = remembered(1, HOLE, municipality="63-samara", author=b"a")
    there = remembered(2, HOLE, municipality="63-syzran", author=b"a")
    assert score(new, there) > score(new, remembered(2, HOLE, municipality="63-samara"))


def test_the_score_is_the_same_from_both_sides() -> None:
    one = remembered(1, HOLE, topic="roads.pothole", point=HERE)
    other = remembered(2, RETOLD, topic="roads.pothole", point=north(100))
    assert score(one, other) == score(other, one)


# What is left out


def test_an_incident_is_not_suggested_for_its_own_message() -> None:
    assert suggestions(remembered(1, HOLE), [remembered(1, HOLE)], now=NOW) == []


@pytest.mark.parametrize(
    ("age", "suggested"),
    [
        (timedelta(0), True),
        (WINDOW, True),
        (WINDOW + timedelta(seconds=1), False),
        (-timedelta(seconds=1), False),
    ],
)
def test_only_messages_of_the_window_before_now_count(age: timedelta, suggested: bool) -> None:
    old = remembered(2, HOLE, written_at=NOW - age)
    assert bool(suggestions(remembered(1, HOLE), [old], now=NOW)) is suggested


def test_the_window_can_be_another() -> None:
    old = remembered(2, HOLE, written_at=NOW - timedelta(days=2))
    assert suggestions(remembered(1, HOLE), [old], now=NOW, window=timedelta(days=1)) == []


def test_an_incident_with_several_messages_is_suggested_once_by_its_best() -> None:
    found = suggestions(
        remembered(1, HOLE),
        [remembered(2, RETOLD), remembered(2, HOLE), remembered(2, OTHER)],
        now=NOW,
    )
    assert [(each.incident, each.reasons) for each in found] == [(UUID(int=2), (SAME_TEXT,))]


def test_the_likeliest_come_first_equal_ones_by_incident_and_never_too_many() -> None:
    others = [remembered(number, HOLE) for number in range(2, 30)]
    best = remembered(40, HOLE, topic="roads.pothole")
    random.Random(1).shuffle(others)
    found = suggestions(remembered(1, HOLE, topic="roads.pothole"), [*others, best], now=NOW)
    assert [each.incident.int for each in found] == [40, *range(2, SUGGESTIONS_MAX + 1)]


# Distance


def test_distance_is_that_of_the_sphere() -> None:
    # A degree of a meridian is 111.195 km on a sphere of the mean radius.
    assert metres_between((0, 0), (1, 0)) == pytest.approx(111_195, abs=1)
    assert metres_between((0, 179.5), (0, -179.5)) == pytest.approx(111_195, abs=1)
    assert metres_between(HERE, HERE) == 0
    assert metres_between(HERE, north(NEAR_METRES)) == pytest.approx(NEAR_METRES, abs=0.1)
    # Samara to Tolyatti by air.
    assert metres_between(HERE, (53.5078, 49.4204)) == pytest.approx(57_000, rel=0.03)
