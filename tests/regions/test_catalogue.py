"""Catalogues: what the shipped one of Russia holds, and what no catalogue may hold."""

import csv
import shutil
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from domain.errors import (
    DomainError,
    UnknownChannel,
    UnknownMunicipality,
    UnknownOrganisation,
    UnknownRegion,
    UnknownTopic,
)
from regions.reference.catalogue import Catalogue, CatalogueInvalid, load_catalogue
from tests.conftest import CHECKOUT, NEW_YORK, RUSSIA

# Public lists to compare with, lying beside the checkout; their licence keeps them out of it.
PUBLIC = CHECKOUT.parent / "shared" / "data"
SUMMER = datetime(2024, 6, 1, tzinfo=UTC)  # the lists give the offsets of 2024; no clock changes
AFTER_2022 = {"90", "93", "94", "95"}  # subjects the public lists do not have


def public(name: str) -> list[dict[str, str]]:
    if not (PUBLIC / name).is_file():
        pytest.skip(f"{PUBLIC / name} is not there")
    with (PUBLIC / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def offset(zone: ZoneInfo) -> timedelta | None:
    return SUMMER.astimezone(zone).utcoffset()


def utc_plus(text: str) -> timedelta:
    return timedelta(hours=float(text.removeprefix("UTC")))


# Russia


def test_russia_has_its_89_regions_in_8_districts(russia: Catalogue) -> None:
    assert len(russia.regions) == 89
    assert len(russia.districts) == 8
    without = {code for code, region in russia.regions.items() if region.district is None}
    assert without == AFTER_2022


def test_russia_has_topics_in_groups(russia: Catalogue) -> None:
    groups = {topic.code for topic in russia.topics.values() if topic.group is None}
    topics = [topic for topic in russia.topics.values() if topic.group is not None]
    assert len(groups) >= 12
    assert len(topics) >= 60
    assert {topic.group for topic in topics} == groups  # no group is empty, none lies in another


def test_three_regions_of_russia_have_all_their_municipalities(russia: Catalogue) -> None:
    """63: 10 okrugs, 27 districts. 23: 7 and 37. 66: 68 okrugs and 5 districts (about 2021)."""
    kinds = {
        code: Counter(place.kind for place in russia.municipalities_of[code])
        for code in ("63", "23", "66")
    }
    assert kinds == {
        "63": {"URBAN_OKRUG": 10, "MUNICIPAL_DISTRICT": 27},
        "23": {"URBAN_OKRUG": 7, "MUNICIPAL_DISTRICT": 37},
        "66": {"URBAN_OKRUG": 68, "MUNICIPAL_DISTRICT": 5},
    }


def test_every_region_has_a_capital_and_somebody_responsible_for_every_topic(
    russia: Catalogue,
) -> None:
    groups = {topic.code for topic in russia.topics.values() if topic.group is None}
    for code in russia.regions:
        assert sum(place.capital for place in russia.municipalities_of[code]) == 1, code
        served = {group for body in russia.organisations_of[code] for group in body.topic_groups}
        assert served == groups, code


def test_every_municipality_has_one_administration(russia: Catalogue) -> None:
    administrations = Counter(
        body.municipality for body in russia.organisations.values() if body.kind == "MUNICIPALITY"
    )
    assert {place: administrations[place] for place in russia.municipalities} == dict.fromkeys(
        russia.municipalities, 1
    )


def test_every_organisation_answers_for_groups_that_exist(
    russia: Catalogue, catalogue: Catalogue
) -> None:
    for each in (russia, catalogue):
        groups = {topic.code for topic in each.topics.values() if topic.group is None}
        for body in each.organisations.values():
            assert set(body.topic_groups) <= groups, body.code


def test_no_name_is_empty_or_repeated_where_it_must_tell_apart(russia: Catalogue) -> None:
    for things in (russia.regions, russia.districts, russia.channels):
        names = [thing.name for thing in things.values()]
        assert all(names)
        assert len(set(names)) == len(names)
    for places in russia.municipalities_of.values():
        named = Counter((place.name, place.kind) for place in places)
        assert not [name for name, times in named.items() if times > 1]


def test_places_lie_in_russia_and_codes_of_the_classifier_in_their_region(
    russia: Catalogue,
) -> None:
    codes = [place.oktmo for place in russia.municipalities.values() if place.oktmo]
    assert len(set(codes)) == len(codes)
    for place in russia.municipalities.values():
        region = russia.regions[place.region]
        if place.oktmo and region.oktmo:
            significant = region.oktmo.rstrip("0").ljust(2, "0")
            assert place.oktmo.startswith(significant), place.code
        if place.latitude is not None and place.longitude is not None:
            assert 41 <= place.latitude <= 82, place.code
            assert 19 <= place.longitude % 360 <= 191, place.code
        assert place.population is None or place.population > 0, place.code


def test_the_regions_of_russia_agree_with_the_public_list(russia: Catalogue) -> None:
    by_oktmo = {region.oktmo: region for region in russia.regions.values()}
    compared = 0
    for row in public("hflabs-region.csv"):
        if row["name"] == "Байконур":
            continue  # a rented town, no subject
        region = by_oktmo[row["oktmo"]]
        assert words(row["name"]) <= words(region.name), region
        assert russia.districts[str(region.district)].name.startswith(row["federal_district"])
        assert offset(region.zone) == utc_plus(row["timezone"]), region
        compared += 1
    assert compared == 89 - len(AFTER_2022)


def words(name: str) -> set[str]:
    return set("".join(c if c.isalpha() else " " for c in name.lower().replace("ё", "е")).split())


def test_the_towns_of_russia_agree_with_the_public_list(russia: Catalogue) -> None:
    by_oktmo: dict[str, list[dict[str, str]]] = {}
    for row in public("hflabs-city.csv"):
        by_oktmo.setdefault(row["oktmo"][:8], []).append(row)
    compared = 0
    for place in russia.municipalities.values():
        towns = by_oktmo.get(place.oktmo or "", [])
        if not towns:
            continue
        assert offset(place.zone) in {utc_plus(town["timezone"]) for town in towns}, place
        if place.latitude is not None and place.longitude is not None:
            nearest = min(
                abs(float(town["geo_lat"]) - place.latitude)
                + abs(float(town["geo_lon"]) - place.longitude)
                for town in towns
            )
            assert nearest < 1, place  # degrees
        compared += 1
    assert compared > 500


def test_a_place_may_have_another_zone_than_its_region(russia: Catalogue) -> None:
    place = next(m for m in russia.municipalities.values() if m.name.startswith("Северо-Курил"))
    assert russia.zone_of(place.region, place.code) == place.zone
    assert place.zone != russia.zone_of(place.region, None)
    assert russia.zone_of(place.region, "unheard") == russia.regions[place.region].zone


# Looking up


@pytest.mark.parametrize(
    ("look_up", "error"),
    [
        (lambda it: it.region("ATLANTIS"), UnknownRegion),
        (lambda it: it.municipality("unheard"), UnknownMunicipality),
        (lambda it: it.municipality("QUEENS-09", region="BRONX"), UnknownMunicipality),
        (lambda it: it.organisation("unheard", region="BRONX"), UnknownOrganisation),
        (lambda it: it.organisation("QUEENS-NYPD", region="BRONX"), UnknownOrganisation),
        (lambda it: it.topic("unheard"), UnknownTopic),
        (lambda it: it.topic("noise"), UnknownTopic),
        (lambda it: it.channel("PIGEON"), UnknownChannel),
    ],
)
def test_an_unknown_code_is_refused_by_name(
    catalogue: Catalogue, look_up: Callable[[Catalogue], object], error: type[DomainError]
) -> None:
    with pytest.raises(error) as refusal:
        look_up(catalogue)
    assert refusal.value.field == error.field is not None


def test_a_known_code_is_found(catalogue: Catalogue) -> None:
    assert catalogue.region("BRONX").name == "Bronx"
    assert catalogue.municipality("QUEENS-09").region == "QUEENS"
    assert catalogue.municipality("QUEENS-09", region="QUEENS").code == "QUEENS-09"
    assert catalogue.organisation("QUEENS-NYPD", region="QUEENS").region == "QUEENS"
    assert catalogue.topic("noise.noise").group == "noise"
    assert catalogue.channel("PHONE").name == "Phone"


# Broken folders


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sound catalogue to break."""
    return shutil.copytree(NEW_YORK, tmp_path / "catalogue")


BROKEN = [
    ("regions.csv", "MANHATTAN,Manhattan,Manhattan,mars,,America/New_York,,", "MANHATTAN"),
    ("regions.csv", "X,X,X,nyc,,America/Atlantis,,", "line 2.*Atlantis"),
    ("regions.csv", "X,X,X,nyc,,,,", "line 2"),
    ("regions.csv", "X,X,X,nyc,,UTC,yesterday,", "line 2.*yesterday"),
    ("regions.csv", "X,X,X,nyc,,UTC,,many", "line 2.*many"),
    ("regions.csv", ",X,X,nyc,,UTC,,", "line 2.*empty"),
    ("regions.csv", "BRONX,X,X,nyc,,UTC,,", "line 3.*BRONX.*twice"),
    ("regions.csv", "X,X,X,nyc,,UTC,,1,too,many", "line 2.*too many"),
    ("municipalities.csv", "X,ATLANTIS,,X,X,,,,,0", "line 2.*ATLANTIS"),
    ("municipalities.csv", "X,ATLANTIS,,X,X,UTC,,,,0", "X refers"),
    ("municipalities.csv", "X,BRONX,,X,X,,,north,,0", "line 2.*north"),
    ("organisations.csv", "X,ATLANTIS,,MINISTRY,X,", "X refers"),
    ("organisations.csv", "X,BRONX,unheard,MINISTRY,X,", "X refers"),
    ("organisations.csv", "X,BRONX,QUEENS-09,MINISTRY,X,", "X refers"),
    ("topics.csv", "x.y,unheard,X,X", "x.y refers"),
]


@pytest.mark.parametrize(("file", "row", "named"), BROKEN)
def test_a_broken_catalogue_is_refused_naming_file_and_row(
    folder: Path, file: str, row: str, named: str
) -> None:
    head, *rows = (folder / file).read_text(encoding="utf-8").splitlines()
    kept = [other for other in rows if not other.startswith("MANHATTAN,Manhattan")]
    (folder / file).write_text("\n".join([head, row, *kept]), encoding="utf-8")
    with pytest.raises(CatalogueInvalid, match=f"{file}.*{named}"):
        load_catalogue(folder)


def test_a_column_that_is_missing_is_named(folder: Path) -> None:
    text = (folder / "topics.csv").read_text(encoding="utf-8")
    (folder / "topics.csv").write_text(text.replace("name_en", "english", 1), encoding="utf-8")
    with pytest.raises(CatalogueInvalid, match=r"topics.csv, line 2: 'name_en'"):
        load_catalogue(folder)


def test_a_file_that_is_missing_is_named(folder: Path) -> None:
    (folder / "channels.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"channels.csv"):
        load_catalogue(folder)


def test_a_file_that_is_not_utf_8_is_named(folder: Path) -> None:
    (folder / "channels.csv").write_bytes("code,name,name_en\nVK,ВК,VK\n".encode("cp1251"))
    with pytest.raises(CatalogueInvalid, match=r"channels.csv"):
        load_catalogue(folder)


@pytest.mark.parametrize("path", [NEW_YORK, RUSSIA], ids=lambda path: path.name)
def test_a_shipped_catalogue_is_sound(path: Path) -> None:
    assert load_catalogue(path).regions
