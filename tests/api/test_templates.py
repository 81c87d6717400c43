"""Templates of replies: which are offered, how one is filled, what rules say of the text."""

from collections.abc import Iterator
from typing import Any

import pytest

from domain.commands import TEXT_MAX
from domain.vocabulary import Role
from projections import versions
from regions.node import prepare
from regions.reference.catalogue import Catalogue
from regions.store.postgres import Server
from regions.store.server import create_database
from tests.api.conftest import Api, serving
from tests.conftest import RUSSIA

OFFERED = """
query ($topic: String, $kind: ReplyKind!, $outcome: Outcome) {
  replyTemplates(topic: $topic, kind: $kind, outcome: $outcome) {
    code kind outcome topicGroup text fields
  }
}
"""
FILLED = """
query ($region: String!, $code: String!, $values: [FieldValueInput!]!) {
  fillTemplate(region: $region, code: $code, values: $values) { text flaws }
}
"""
CLARIFY = "any.first-clarify"  # its only field is {question}


@pytest.fixture(scope="module")
def russian(server: Server, russia: Catalogue) -> Iterator[Api]:
    """The API with the Russian catalogue: that of New York has no templates."""
    url = create_database(server.url, "api_templates")
    prepare(url, russia)
    versions.ensure(url, russia, lambda done, in_all: None)
    with serving(url, folder=RUSSIA) as api:
        yield api


@pytest.fixture(scope="module")
def token(russian: Api) -> str:
    return russian.token("63-roads", role=Role.EXECUTOR)


def values(**given: str) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in given.items()]


# What is offered


def test_the_template_of_the_topic_s_group_is_offered_before_that_for_all(
    russian: Api, token: str
) -> None:
    offered = russian.ask(
        OFFERED, token=token, topic="roads.pothole", kind="FINAL", outcome="SOLVED"
    )["replyTemplates"]
    told = [(each["code"], each["topicGroup"], each["outcome"]) for each in offered]
    assert told == [("roads.solved", "roads", "SOLVED"), ("any.solved", None, "SOLVED")]
    for each in offered:
        assert each["kind"] == "FINAL"
        assert each["fields"]
        assert all(f"{{{field}}}" in each["text"] for field in each["fields"])


def test_while_nothing_is_known_of_it_the_templates_for_all_are_offered(
    russian: Api, token: str
) -> None:
    offered = russian.ask(OFFERED, token=token, kind="FIRST")["replyTemplates"]
    assert [each["code"] for each in offered] == ["any.first", CLARIFY]
    assert [each["outcome"] for each in offered] == [None, None]


@pytest.mark.parametrize("topic", ["roads", "roads.unheard", "", "\0"])
def test_a_topic_that_is_none_is_refused(topic: str, russian: Api, token: str) -> None:
    refused = russian.refusal(OFFERED, token=token, topic=topic, kind="FIRST")
    assert refused == ("UNKNOWN_TOPIC", "topic")


def test_a_catalogue_without_templates_offers_none(shared_api: Api) -> None:
    token = shared_api.token("BRONX")
    assert shared_api.ask(OFFERED, token=token, kind="FINAL") == {"replyTemplates": []}
    refused = shared_api.refusal(FILLED, token=token, region="BRONX", code=CLARIFY, values=[])
    assert refused == ("UNKNOWN_TEMPLATE", "code")


# How it is filled


def test_a_filled_template_is_told_with_its_flaws(russian: Api, token: str) -> None:
    def fill(question: str) -> Any:
        given = values(question=question)
        return russian.ask(FILLED, token=token, region="63", code=CLARIFY, values=given)

    sound = fill(" номер дома и подъезда\n")["fillTemplate"]
    assert "уточните, пожалуйста: номер дома и подъезда. Ответить" in sound["text"]
    assert sound["flaws"] == []
    flawed = fill("адрес у Петрова Ивана Сергеевича, +7 900 123-45-67")["fillTemplate"]
    assert flawed["flaws"] == ["PERSONAL_DATA"]


def test_the_rules_are_those_of_the_template_s_kind_of_reply(russian: Api, token: str) -> None:
    """An interim reply promises, so it needs a date."""
    given = values(found="трещина в плите", works="меняем плиту", promised_on="когда получится")
    filled = russian.ask(FILLED, token=token, region="63", code="any.interim", values=given)
    assert filled["fillTemplate"]["flaws"] == ["NO_DATE"]


REFUSED = [
    ("any.unheard", values(question="дом"), ("UNKNOWN_TEMPLATE", "code")),
    ("", [], ("UNKNOWN_TEMPLATE", "code")),
    (CLARIFY, [], ("TEMPLATE_FIELD_MISSING", "question")),
    (CLARIFY, values(question=" \n"), ("TEMPLATE_FIELD_MISSING", "question")),
    (CLARIFY, values(question="дом", place="тут"), ("TEMPLATE_FIELD_UNKNOWN", "place")),
    (
        CLARIFY,
        [*values(question="дом"), *values(question="подъезд")],
        ("TEMPLATE_FIELD_REPEATED", "question"),
    ),
    (CLARIFY, values(question="дом\0"), ("CONTROL_CHARACTER", "values")),
    (CLARIFY, values(question="д" * TEXT_MAX), ("TEXT_TOO_LONG", "values")),
]


@pytest.mark.parametrize(("code", "given", "refusal"), REFUSED)
def test_what_cannot_be_filled_is_refused_by_name(
    code: str, given: list[dict[str, str]], refusal: tuple[str, str], russian: Api, token: str
) -> None:
    answer = russian.refusal(FILLED, token=token, region="63", code=code, values=given)
    assert answer == refusal


def test_a_region_that_is_none_has_no_rules_to_ask(russian: Api, token: str) -> None:
    given = values(question="дом")
    refused = russian.refusal(FILLED, token=token, region="00", code=CLARIFY, values=given)
    assert refused == ("UNKNOWN_REGION", "region")


def test_a_visitor_is_offered_nothing(russian: Api) -> None:
    for text in (OFFERED, FILLED):
        refused = russian.refusal(
            text, kind="FIRST", region="63", code=CLARIFY, values=values(question="дом")
        )
        assert refused == ("NOT_PERMITTED", None)
