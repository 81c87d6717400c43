"""Addresses: street and house from a text, in one form, without anything about a person."""

import csv
import re
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regions.reading.addresses import find_addresses
from regions.reading.place_aliases import load_place_aliases
from regions.reading.places import PlaceReader
from regions.reference.catalogue import Catalogue
from tests.conftest import CHECKOUT, RUSSIA

with (Path(__file__).parent / "address_phrases.csv").open(encoding="utf-8", newline="") as file:
    PHRASES = list(csv.DictReader(file))

PIECES = (
    *("ул. Мирная", "на Мирной", "Ленина", "пр-т", "улица", "дом 5", "д. 12", "кв. 7", "Иванова"),
    *("89271234567", "8-927-123-45-67", "5", "10А", "к 2", ",", ".", "(", "яма", "Мария", "мкр. 3"),
)


@pytest.fixture(scope="module")
def samara(russia: Catalogue) -> PlaceReader:
    return PlaceReader(russia, "63", load_place_aliases(RUSSIA, russia))


@pytest.mark.parametrize("row", PHRASES, ids=lambda row: row["text"])
def test_a_phrase_gives_its_address(row: dict[str, str], samara: PlaceReader) -> None:
    assert samara.read(row["text"]).address == (row["address"] or None)


def demo_phrases() -> list[str]:
    lines = (CHECKOUT / "api/demo/phrases.ru.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if "{street}" in line]


@pytest.mark.parametrize("phrase", demo_phrases())
@pytest.mark.parametrize("street", ["ул. Садовая", "пр. Строителей", "пер. Тихий", "б-р Юности"])
def test_the_address_of_a_demonstration_phrase_is_read_back(
    phrase: str, street: str, samara: PlaceReader
) -> None:
    fields = {"place": "Самара", "street": street, "house": "58", "topic": "яма", "Topic": "Яма"}
    text = phrase.format(days="5", **fields)
    # «от дома 58 до остановки темнота. ул. Садовая»: which street the house is in, is not said.
    house = "{house}" in phrase and "от дома" not in phrase
    assert samara.read(text).address == (f"{street}, 58" if house else street)


@given(st.lists(st.sampled_from(PIECES), max_size=12).map(" ".join))
def test_an_address_holds_no_flat_and_no_telephone(text: str) -> None:
    for address in find_addresses(text):
        assert "кв" not in address.text
        assert not re.search(r"\d{4}", address.text)


@given(st.lists(st.sampled_from(PIECES), max_size=12).map(" ".join))
def test_addresses_lie_in_the_text_in_order_and_apart(text: str) -> None:
    found = find_addresses(text)
    assert all(0 <= each.start < each.end <= len(text) for each in found)
    assert all(one.end <= other.start for one, other in pairwise(found))


@given(st.text(max_size=80))
def test_any_text_can_be_read(text: str) -> None:
    find_addresses(text)
