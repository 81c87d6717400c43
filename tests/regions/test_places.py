"""Places: which municipality a message is about, what stays open, and what is no place."""

import csv
import re
import shutil
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from domain.errors import UnknownMunicipality, UnknownRegion
from regions.reading.place_aliases import PlaceAlias, load_place_aliases
from regions.reading.places import PlaceReader, PlaceReaders, PlaceReading
from regions.reading.words import morphology
from regions.reference.catalogue import Catalogue, CatalogueInvalid
from tests.conftest import CHECKOUT, NEW_YORK, RUSSIA

CITIES = CHECKOUT.parent / "shared" / "data" / "hflabs-city.csv"
FOUND_MIN = 0.98  # of the cities of the list that lie in a municipality of the catalogue

Read = Callable[..., PlaceReading]
Properties = Callable[[str, Any], None]


def table(name: str) -> list[dict[str, str]]:
    with (Path(__file__).parent / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


PHRASES = table("place_phrases.csv")


@pytest.fixture(scope="module")
def aliases(russia: Catalogue) -> tuple[PlaceAlias, ...]:
    return load_place_aliases(RUSSIA, russia)


@pytest.fixture(scope="module")
def readers(russia: Catalogue, aliases: tuple[PlaceAlias, ...]) -> PlaceReaders:
    return PlaceReaders(russia, aliases)


@pytest.fixture(scope="module")
def samara(readers: PlaceReaders) -> Read:
    return readers.of("63").read


def codes(reading: PlaceReading) -> list[str]:
    return [guess.municipality for guess in reading.guesses]


# What a text names


@pytest.mark.parametrize("row", PHRASES, ids=lambda row: f"{row['region']} {row['text']}")
def test_a_phrase_gives_the_municipalities_it_names(
    row: dict[str, str], readers: PlaceReaders
) -> None:
    wanted = {f"{row['region']}-{name}" for name in row["municipalities"].split()}
    assert set(codes(readers.of(row["region"]).read(row["text"]))) == wanted


def test_the_table_of_phrases_is_wide_and_has_many_that_name_nothing() -> None:
    assert len(PHRASES) >= 250
    assert len({row["region"] for row in PHRASES}) >= 30
    assert sum(not row["municipalities"] for row in PHRASES) >= 55


def test_a_reading_says_from_which_words(samara: Read) -> None:
    assert samara("Яма в Тольятти").guesses[0].found == "Тольятти"
    assert samara("мусор, г.о. Кинель").guesses[0].found == "Кинель"


def test_a_named_place_is_surer_than_a_homonym_and_than_a_misspelt_one(samara: Read) -> None:
    (marked,) = samara("г. Отрадный").guesses
    (named,) = samara("в Самаре").guesses
    (homonym,) = samara("в Отрадном нет воды").guesses
    (misspelt,) = samara("в Новокуйбишевске").guesses
    assert marked.confidence > named.confidence > homonym.confidence > misspelt.confidence


def test_two_letters_wrong_are_another_word(samara: Read) -> None:
    assert codes(samara("в Новокуйбишивске")) == []


def test_a_text_with_decomposed_letters_is_read_like_any_other(samara: Read) -> None:
    assert codes(samara("в Новокуи\u0306бышевске")) == ["63-novokujbyshevsk"]


@pytest.mark.parametrize("text", ["", " ", "😡😡😡", "12", "-", "«»", "в", "ул.", "г."])
def test_a_text_without_names_gives_nothing(text: str, samara: Read) -> None:
    assert samara(text) == PlaceReading((), None, None)


def test_a_name_that_is_part_of_a_longer_word_is_not_read(samara: Read) -> None:
    assert codes(samara("Самара-сити, парковка")) == []
    assert codes(samara("Самара- яма на яме")) == ["63-samara"]


@pytest.mark.parametrize(
    "spam", ["ул. Мира 5 ", "а", " ", "5", "Самара-", "на ", "((", "НетТакого "]
)
def test_a_very_long_text_is_read_in_bounded_time(spam: str, samara: Read) -> None:
    began = time.perf_counter()
    samara(spam * 100_000)
    assert time.perf_counter() - began < 2


def test_an_ambiguous_reading_names_no_municipality(samara: Read) -> None:
    assert samara("Кинель").municipality is None
    assert samara("в Кинеле").municipality == "63-kinel"
    assert samara("во дворе").municipality is None


# Phrases of the demonstration and of answers, which name no place of any region

TEMPLATE_FIELD = re.compile(r"\{\w+\}")


def placeless() -> Iterator[str]:
    for line in (CHECKOUT / "api/demo/phrases.ru.txt").read_text(encoding="utf-8").splitlines():
        if line and line[0] not in "#[":
            yield TEMPLATE_FIELD.sub("5", line)
    for row in table(str(RUSSIA / "templates.csv")):
        yield TEMPLATE_FIELD.sub("5", row["text"])


def test_no_region_reads_a_place_where_none_is_named(
    russia: Catalogue, readers: PlaceReaders
) -> None:
    texts = list(placeless())
    # Each text in a third of the regions, other ones for the next; a tenth is enough without
    # capitals.
    regions = list(russia.regions)
    asked = [
        (region, text) for number, text in enumerate(texts) for region in regions[number % 3 :: 3]
    ]
    asked += [(region, text.lower()) for region in regions[::10] for text in texts]
    wrong = [
        (region, text, reading)
        for region, text in asked
        if (reading := readers.of(region).read(text)).guesses or reading.elsewhere
    ]
    assert wrong == []
    assert len(texts) > 250


# Group and point


def test_a_group_tells_the_municipality_if_the_text_does_not(samara: Read) -> None:
    (guess,) = samara("Яма во дворе", posted_in="63-syzran").guesses
    assert (guess.municipality, guess.found) == ("63-syzran", "group")


def test_the_text_wins_over_the_group(samara: Read) -> None:
    assert codes(samara("Яма в Тольятти", posted_in="63-samara")) == ["63-tolyatti"]


def test_an_unsure_text_is_kept_beside_the_group(samara: Read) -> None:
    reading = samara("В Отрадном нет воды", posted_in="63-samara")
    assert codes(reading) == ["63-otradnyj", "63-samara"]


def test_text_and_group_that_agree_are_surer_than_the_text(samara: Read) -> None:
    (alone,) = samara("Яма в Самаре").guesses
    (both,) = samara("Яма в Самаре", posted_in="63-samara").guesses
    assert alone.confidence < both.confidence <= 1


def test_a_group_puts_its_own_municipality_first_but_closes_nothing(samara: Read) -> None:
    reading = samara("Кинель замело", posted_in="63-kinelskij-rajon")
    assert codes(reading) == ["63-kinelskij-rajon", "63-kinel"]


@pytest.mark.parametrize("code", ["23-sochi", "63-nowhere", ""])
def test_a_group_of_no_municipality_of_the_region_is_refused(code: str, samara: Read) -> None:
    with pytest.raises(UnknownMunicipality):
        samara("Яма", posted_in=code)


def test_a_point_beside_a_centre_gives_that_municipality(samara: Read) -> None:
    (guess,) = samara("Яма", point=(53.2, 50.15)).guesses
    assert (guess.municipality, guess.found) == ("63-samara", "point")


def test_a_point_between_centres_gives_both(samara: Read) -> None:
    reading = samara("Яма", point=(53.35, 50.3))
    assert codes(reading) == ["63-krasnoyarskij-rajon", "63-samara"]
    assert reading.municipality is None


def test_the_text_wins_over_a_point_in_the_next_town(samara: Read) -> None:
    assert codes(samara("в Тольятти", point=(53.35, 50.3))) == ["63-tolyatti"]


@pytest.mark.parametrize(
    "point", [(55.75, 37.62), (0.0, 0.0), (float("nan"), 50.0), (53.2, 500.0), (-91.0, 0.0)]
)
def test_a_point_far_outside_or_of_no_earth_gives_nothing(
    point: tuple[float, float], samara: Read
) -> None:
    assert codes(samara("Яма", point=point)) == []


# Other regions


@pytest.mark.parametrize(
    ("region", "text", "elsewhere"),
    [
        ("63", "пишу из Москвы", "77"),
        ("63", "в Казани чисто", "16"),
        ("63", "в Подмосковье лучше", "50"),
        ("63", "в Питере убирают", "78"),
        ("63", "спб, невский", "78"),
        ("63", "Ульяновская область, Димитровград", "73"),
        ("63", "в Оренбургской обл. дороги лучше", "56"),
        ("63", "Республика Башкортостан", "02"),
        ("63", "в Башкирии", "02"),
        ("63", "на Кубани", "23"),
        ("63", "Чеченская Республика", "20"),
        ("63", "ХМАО", "86"),
        ("63", "в Ростове-на-Дону", "61"),
        ("63", "во Владимире", "33"),
        ("50", "работаю в Москве", "77"),
        ("47", "живу в Санкт-Петербурге", "78"),
        # Two other regions, or none.
        ("63", "из Москвы в Казань", None),
        ("63", "московская прописка", None),
        ("63", "Московское шоссе, 5", None),
        ("63", "Владимир не отвечает", None),
        ("63", "алтайский мёд", None),
        ("63", "до 12:00 мск", None),
        # This one too.
        ("63", "в Самаре не то что в Москве", None),
        ("63", "поезд Самара – Москва", None),
        ("63", "Самарская область", None),
        ("77", "в Москве гололёд", None),
        ("61", "в Донецке", None),
    ],
)
def test_another_region_is_told_if_it_is_the_only_place_named(
    region: str, text: str, elsewhere: str | None, readers: PlaceReaders
) -> None:
    assert readers.of(region).read(text).elsewhere == elsewhere


def test_another_region_gives_no_guess_but_the_group_still_does(samara: Read) -> None:
    reading = samara("Пишу из Москвы: яма у дома мамы", posted_in="63-syzran")
    assert (codes(reading), reading.elsewhere) == (["63-syzran"], "77")


# The public list of cities


def prepositional(name: str) -> str:
    """By the dictionary, not by our own table of endings; «на Дону» stays."""
    head, on, tail = name.partition("-на-")
    return "".join(map(_prepositional, re.split(r"([ -])", head))) + on + tail


def _prepositional(word: str) -> str:
    for parse in morphology().parse(word.lower()):
        if "nomn" in parse.tag and parse.tag.POS in {"NOUN", "ADJF"}:
            inflected = parse.inflect({"loct"})
            return str(inflected.word).capitalize() if inflected else word
    return word


@pytest.mark.skipif(not CITIES.is_file(), reason="the list of cities is not here")
def test_every_city_of_the_public_list_is_found_in_its_municipality(
    russia: Catalogue, readers: PlaceReaders, record_testsuite_property: Properties
) -> None:
    # The first five digits of ОКТМО are the municipality's; they tell where a city lies.
    municipalities = {each.oktmo[:5]: each for each in russia.municipalities.values() if each.oktmo}
    asked, missed = 0, []
    for row in table(str(CITIES)):
        place = municipalities.get(row["oktmo"][:5])
        name = row["city"] or row["settlement"] or row["address"].rpartition("г ")[2]
        if place is None:
            continue
        asked += 1
        text = f"Яма на дороге в {prepositional(name)}"
        if place.code not in codes(readers.of(place.region).read(text)):
            missed.append(text)
    share = 1 - len(missed) / asked
    record_testsuite_property("cities_found", f"{share:.4f} of {asked}")
    assert asked > 900
    assert share >= FOUND_MIN, missed


# Other catalogues


def test_a_catalogue_in_another_language_reads_exact_names_only(catalogue: Catalogue) -> None:
    bronx = PlaceReaders(catalogue, load_place_aliases(NEW_YORK, catalogue)).of("BRONX")
    assert codes(bronx.read("Loud music in 01 bronx, again")) == ["BRONX-01"]
    assert codes(bronx.read("Loud music in 01 Bronks")) == []
    assert bronx.read("Noise on Brooklyn Bridge").elsewhere == "BROOKLYN"
    assert codes(bronx.read("Noise", point=(40.81, -73.91)))[0] == "BRONX-01"


def test_a_reader_of_an_unknown_region_is_refused(russia: Catalogue, readers: PlaceReaders) -> None:
    with pytest.raises(UnknownRegion):
        PlaceReader(russia, "00")
    with pytest.raises(UnknownRegion):
        readers.of("00")


def test_a_reader_is_made_once(readers: PlaceReaders) -> None:
    assert readers.of("63") is readers.of("63")


def test_a_reader_needs_no_aliases(russia: Catalogue) -> None:
    reader = PlaceReader(russia, "63")
    assert codes(reader.read("в Самаре")) == ["63-samara"]
    assert codes(reader.read("в Безенчуке")) == []


# The file of aliases


def test_the_shipped_aliases_give_every_one_its_reason(aliases: tuple[PlaceAlias, ...]) -> None:
    assert len(aliases) > 700
    assert {alias.reason for alias in aliases} <= {
        *("центр", "в составе", "краткое", "разговорное", "сокращение"),
        *("прежнее название", "другое написание"),
    }


def test_a_folder_without_the_file_has_no_aliases(tmp_path: Path, russia: Catalogue) -> None:
    assert load_place_aliases(tmp_path, russia) == ()


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("00,,Питер,,разговорное", "no region '00'"),
        ("63,63-nowhere,Самара,,краткое", "no municipality '63-nowhere'"),
        ("63,23-sochi,Сочи,,краткое", "no municipality '23-sochi' in region 63"),
        ("63,63-samara,,,краткое", "the name or the reason is empty"),
        ("63,63-samara,Смр,,", "the name or the reason is empty"),
        ("63,63-samara,Тлт,,краткое\n63,63-samara,Тлт,г,краткое", "stands there twice"),
    ],
)
def test_a_wrong_row_of_aliases_is_refused_with_its_line(
    row: str, why: str, tmp_path: Path, russia: Catalogue
) -> None:
    head = "region,municipality,name,type,reason"
    (tmp_path / "place_aliases.csv").write_text(f"{head}\n{row}\n", encoding="utf-8")
    with pytest.raises(CatalogueInvalid, match=r"place_aliases\.csv, line \d+: .*" + why):
        load_place_aliases(tmp_path, russia)


def test_a_missing_column_of_aliases_is_refused(tmp_path: Path, russia: Catalogue) -> None:
    shutil.copy(RUSSIA / "shares.csv", tmp_path / "place_aliases.csv")
    with pytest.raises(CatalogueInvalid, match="line 2"):
        load_place_aliases(tmp_path, russia)


# Time. The bounds are ten times what is measured, so that a busy machine breaks nothing.


def test_reading_takes_less_than_a_message_can_wait(
    russia: Catalogue, aliases: tuple[PlaceAlias, ...], record_testsuite_property: Properties
) -> None:
    began = time.perf_counter()
    reader = PlaceReader(russia, "63", aliases)
    built = time.perf_counter() - began
    texts = [row["text"] for row in PHRASES if row["region"] == "63"]
    took = [_seconds(reader, text) for text in (*texts, *texts)][len(texts) :]
    record_testsuite_property("reader_built_ms", round(built * 1e3, 1))
    record_testsuite_property("read_median_us", round(statistics.median(took) * 1e6))
    assert built < 3
    assert statistics.median(took) < 0.01


def _seconds(reader: PlaceReader, text: str) -> float:
    began = time.perf_counter()
    reader.read(text)
    return time.perf_counter() - began
