"""Templates of replies: what the shipped ones say, which are offered, what a file may not hold."""

from pathlib import Path

import pytest

from domain.errors import UnknownTopic
from domain.quality import flaws
from domain.vocabulary import Outcome, ReplyKind
from regions.reference.catalogue import Catalogue, CatalogueInvalid
from regions.reference.templates import (
    Template,
    TemplateFieldMissing,
    TemplateFieldUnknown,
    Templates,
    load_templates,
)
from tests.conftest import NEW_YORK, RUSSIA

FIRST, INTERIM, FINAL = ReplyKind.FIRST, ReplyKind.INTERIM, ReplyKind.FINAL

# What an executor may write; a template has no other fields.
VALUES = {
    "body": "управление городского хозяйства",
    "checked_on": "11 мая 2026 года",
    "done_on": "12 мая 2026 года",
    "found": "сломана опора, трещина в плите",
    "place": "ул. Садовая, 5",
    "promised_on": "20 мая 2026 года",
    "question": "номер дома и подъезда",
    "reason": "работы возможны только в сухую погоду",
    "reply_on": "14 мая 2026 года",
    "rule": "уборку проводят до 8 утра каждый день",
    "schedule": "понедельник, среда, пятница с 8:00 до 20:00",
    "works": "заменили три плиты, подсыпали песок",
}

HEAD = "code,topic_group,kind,outcome,text"


@pytest.fixture(scope="module")
def templates(russia: Catalogue) -> Templates:
    return load_templates(RUSSIA, russia)


def filled(template: Template) -> str:
    return template.filled({name: VALUES[name] for name in template.fields})


def codes(found: tuple[Template, ...]) -> list[str]:
    return [template.code for template in found]


def write(folder: Path, *lines: str) -> Path:
    (folder / "templates.csv").write_text("\n".join((HEAD, *lines)), encoding="utf-8")
    return folder


# What is shipped


def test_every_topic_group_has_its_own_first_interim_and_solved_reply(
    templates: Templates, russia: Catalogue
) -> None:
    groups = {topic.code for topic in russia.topics.values() if topic.group is None}
    assert len(groups) == 20
    assert len(templates.by_code) >= 60
    for kind, outcome in ((FIRST, None), (INTERIM, None), (FINAL, Outcome.SOLVED)):
        own = {
            template.topic_group
            for template in templates.by_code.values()
            if template.kind is kind and template.outcome is outcome
        }
        assert own - {None} == groups, kind


def test_a_final_reply_of_every_outcome_has_a_template_for_every_topic(
    templates: Templates, russia: Catalogue
) -> None:
    for topic in (code for code, topic in russia.topics.items() if topic.group):
        for outcome in Outcome:
            assert templates.find(topic, FINAL, outcome), (topic, outcome)


def test_every_filled_template_passes_the_rules_of_quality(templates: Templates) -> None:
    for template in templates.by_code.values():
        promises = template.outcome is Outcome.PLANNED
        assert flaws(filled(template), kind=template.kind, promises=promises) == (), template.code


def test_every_template_greets_and_says_who_when_or_what(templates: Templates) -> None:
    texts = [template.text for template in templates.by_code.values()]
    assert all(text.startswith("Здравствуйте! ") for text in texts)
    assert all(template.fields for template in templates.by_code.values())
    assert len(set(texts)) == len(texts)


def test_every_template_that_promises_names_the_day(templates: Templates) -> None:
    for template in templates.by_code.values():
        if template.kind is INTERIM or template.outcome is Outcome.PLANNED:
            assert "promised_on" in template.fields, template.code
        if template.kind is FIRST and template.code != "any.first-clarify":
            assert "reply_on" in template.fields, template.code


def test_no_filled_template_holds_a_double_stop_or_space(templates: Templates) -> None:
    for template in templates.by_code.values():
        assert not any(wrong in filled(template) for wrong in ("..", "  ", " .", " ,", "{", "}"))


# Which is offered


def test_the_templates_of_the_group_come_before_those_for_all(templates: Templates) -> None:
    found = templates.find("roads.pothole", FINAL, Outcome.SOLVED)
    assert codes(found) == ["roads.solved", "any.solved"]


def test_a_message_without_a_topic_is_offered_those_for_all(templates: Templates) -> None:
    found = templates.find(None, FIRST, None)
    assert codes(found) == ["any.first", "any.first-clarify"]


def test_while_the_outcome_is_open_the_templates_of_all_outcomes_are_offered(
    templates: Templates,
) -> None:
    found = templates.find("roads.pothole", FINAL, None)
    assert {template.outcome for template in found} == set(Outcome)
    assert [template.topic_group for template in found] == sorted(
        (template.topic_group for template in found), key=lambda group: group is None
    )


def test_an_interim_reply_is_offered_whatever_the_outcome_will_be(templates: Templates) -> None:
    assert codes(templates.find("gas.off", INTERIM, Outcome.PLANNED)) == [
        "gas.interim",
        "any.interim",
        "any.interim-moved",
    ]


def test_a_template_of_the_outcome_comes_before_one_for_every_outcome(
    tmp_path: Path, russia: Catalogue
) -> None:
    write(tmp_path, "any,,FINAL,,А", "solved,,FINAL,SOLVED,Б", "roads,roads,FINAL,,В")
    found = load_templates(tmp_path, russia).find("roads.pothole", FINAL, Outcome.SOLVED)
    assert codes(found) == ["roads", "solved", "any"]


@pytest.mark.parametrize("topic", ["roads", "roads.unheard", ""])
def test_no_template_is_looked_for_under_a_topic_that_does_not_exist(
    templates: Templates, topic: str
) -> None:
    with pytest.raises(UnknownTopic):
        templates.find(topic, FIRST, None)


def test_a_catalogue_without_the_file_has_no_templates(catalogue: Catalogue) -> None:
    templates = load_templates(NEW_YORK, catalogue)
    assert templates.by_code == {}
    assert templates.find(None, FIRST, None) == ()


# How it is filled

POTHOLE = Template("x", None, FINAL, None, "Яму ({place}) засыпали {done_on}. Адрес: {place}.")


def test_the_fields_stand_in_the_order_of_the_text_each_once() -> None:
    assert POTHOLE.fields == ("place", "done_on")


def test_every_field_is_filled_wherever_it_stands() -> None:
    text = POTHOLE.filled({"place": " ул. Мира, 5\n", "done_on": "12 мая"})
    assert text == "Яму (ул. Мира, 5) засыпали 12 мая. Адрес: ул. Мира, 5."


def test_a_value_with_braces_is_text_and_is_not_filled_again() -> None:
    text = POTHOLE.filled({"place": "{done_on}", "done_on": "{0.__class__}"})
    assert text == "Яму ({done_on}) засыпали {0.__class__}. Адрес: {done_on}."


@pytest.mark.parametrize("values", [{"place": "тут"}, {"place": "тут", "done_on": " \n"}])
def test_a_field_without_a_value_is_refused_by_name(values: dict[str, str]) -> None:
    with pytest.raises(
        TemplateFieldMissing, match="Template x needs a value for done_on"
    ) as caught:
        POTHOLE.filled(values)
    assert caught.value.field == "done_on"
    assert caught.value.code == "TEMPLATE_FIELD_MISSING"


def test_a_value_for_no_field_is_refused_by_name() -> None:
    with pytest.raises(TemplateFieldUnknown, match="Template x has no field works") as caught:
        POTHOLE.filled({"place": "тут", "done_on": "вчера", "works": "яма"})
    assert caught.value.field == "works"
    assert caught.value.code == "TEMPLATE_FIELD_UNKNOWN"


# What a file may not hold

BROKEN = [
    (",,FIRST,,А", "line 3: the code is empty"),
    ("good,,FIRST,,А", "line 3: code 'good' stands there twice"),
    ("x,unheard,FIRST,,А", "line 3: no topic group 'unheard'"),
    ("x,roads.pothole,FIRST,,А", "line 3: no topic group 'roads.pothole'"),
    ("x,roads,SECOND,,А", "line 3: 'SECOND' is not a valid ReplyKind"),
    ("x,roads,,,А", "line 3: '' is not a valid ReplyKind"),
    ("x,roads,FINAL,DONE,А", "line 3: 'DONE' is not a valid Outcome"),
    ("x,roads,FIRST,SOLVED,А", "line 3: only a final reply has an outcome"),
    ("x,roads,FIRST,,", "line 3: the text is empty"),
    ("x,roads,FIRST", "line 3: the text is empty"),
    ("x,roads,FIRST,,А {Place}", "line 3: a brace that encloses no field name"),
    ("x,roads,FIRST,,А {place", "line 3: a brace that encloses no field name"),
    ("x,roads,FIRST,,А {{place}}", "line 3: a brace that encloses no field name"),
    ("x,roads,FIRST,,А {place.name}", "line 3: a brace that encloses no field name"),
    ("x,roads,FIRST,,А {}", "line 3: a brace that encloses no field name"),
    ("x,roads,FIRST,,А,Б", "line 3: a cell too many"),
]


@pytest.mark.parametrize(("row", "wrong"), BROKEN)
def test_a_broken_row_is_refused_naming_file_and_line(
    tmp_path: Path, russia: Catalogue, row: str, wrong: str
) -> None:
    write(tmp_path, "good,,FIRST,,Здравствуйте!", row)
    with pytest.raises(CatalogueInvalid, match=rf"templates\.csv, {wrong}"):
        load_templates(tmp_path, russia)


def test_a_column_that_is_missing_is_named(tmp_path: Path, russia: Catalogue) -> None:
    (tmp_path / "templates.csv").write_text("code,kind,outcome,text\nx,FIRST,,А", encoding="utf-8")
    with pytest.raises(CatalogueInvalid, match=r"templates\.csv, line 2: 'topic_group'"):
        load_templates(tmp_path, russia)


def test_a_file_that_is_not_utf_8_is_named(tmp_path: Path, russia: Catalogue) -> None:
    (tmp_path / "templates.csv").write_bytes(f"{HEAD}\nx,,FIRST,,Привет".encode("cp1251"))
    with pytest.raises(CatalogueInvalid, match=r"templates\.csv"):
        load_templates(tmp_path, russia)
