"""When the texts of two replies are the same: what only dates and addresses them is left out."""

import base64
import time

import pytest

from domain.commands import ApproveReply, DraftReply, PublishReply
from domain.rights import Actor
from domain.vocabulary import ReplyAuthor, ReplyKind, Role
from regions.centre import Centre
from regions.node import Node
from regions.reference.catalogue import Catalogue
from regions.reference.reply_texts import essence, text_fingerprint
from regions.reference.templates import Template, load_templates
from tests.conftest import RUSSIA
from tests.scenarios import accepted, ask

SOLVED = Template(
    "any.solved",
    None,
    ReplyKind.FINAL,
    None,
    "Здравствуйте! Всё готово ({place}): {works}. Закончили {done_on}, ответственный – {body}.",
)
FILLED = {"place": "ул. Мира, 5", "works": "яму засыпали", "done_on": "3 марта", "body": "ДРСУ"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Вопрос решён.", "вопрос   РЕШЕН"),
        ("Здравствуйте! Вопрос решён.", "Добрый день, Анна Петровна! Вопрос решён."),
        ("Анна, здравствуйте! Вопрос решён.", "Уважаемый Пётр Ильич! Вопрос решён."),
        ("Дом 5 подключён 3.03.2026", "Дом 17 подключён 12.04.2026"),
        (
            SOLVED.filled(FILLED),
            SOLVED.filled(FILLED | {"done_on": "7 апреля", "body": "Благоустройство"}),
        ),
        (SOLVED.filled(FILLED), SOLVED.filled(FILLED | {"place": "ул. Мира, 17"})),
    ],
)
def test_it_is_the_same_text(one: str, other: str) -> None:
    assert essence(one, [SOLVED]) == essence(other, [SOLVED])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Яма засыпана.", "Свет включён."),
        ("Добрый день, яма засыпана. Спасибо!", "Добрый день, свет включён. Спасибо!"),
        ("Добрый день, Яма засыпана. Спасибо!", "Добрый день, Свет включён. Спасибо!"),
        ("101", "102"),
        (SOLVED.filled(FILLED), SOLVED.filled(FILLED | {"works": "люк закрыли"})),
        (SOLVED.filled(FILLED), SOLVED.filled(FILLED | {"place": "ул. Садовая, 5"})),
    ],
)
def test_it_is_another_text(one: str, other: str) -> None:
    assert essence(one, [SOLVED]) != essence(other, [SOLVED])


def test_without_the_key_a_fingerprint_cannot_be_made() -> None:
    assert text_fingerprint("Вода есть", b"0" * 32) != text_fingerprint("Вода есть", b"1" * 32)


def test_every_shipped_template_is_known_again_when_it_is_filled(russia: Catalogue) -> None:
    templates = load_templates(RUSSIA, russia).by_code.values()
    for template in templates:
        text = template.filled({name: f"то. Да, и {name}." for name in template.fields})
        assert essence(text, templates).split()[0] == template.code, text


def test_the_longest_text_costs_no_more_than_its_length(russia: Catalogue) -> None:
    templates = load_templates(RUSSIA, russia).by_code.values()
    began = time.perf_counter()
    essence("Здравствуйте! Дом осмотрели ( (" * 600, templates)
    assert time.perf_counter() - began < 0.5


def test_a_reply_carries_the_fingerprint_of_its_draft(node: Node) -> None:
    centre = Centre("BRONX", node.pool, node.catalogue, node.vault, templates=[SOLVED])
    incident = accepted(centre).incident_id
    ask(centre, incident, DraftReply(kind=ReplyKind.FINAL, text=SOLVED.filled(FILLED)), 40)
    ask(centre, incident, ApproveReply(), 50, by=Actor("head", Role.ORG_HEAD))
    ask(centre, incident, PublishReply(kind=ReplyKind.FINAL), 60)
    auto = PublishReply(kind=ReplyKind.INTERIM, author=ReplyAuthor.AUTO, text="Ждите")
    ask(centre, incident, auto, 70)
    with node.pool.connection() as connection:
        found = connection.execute(
            "SELECT topic, payload ->> 'text_fingerprint' FROM events WHERE originator_id = %s"
            " AND topic IN ('ReplyDrafted', 'ReplyPublished') ORDER BY pos",
            [incident],
        ).fetchall()
    other_day = SOLVED.filled(FILLED | {"done_on": "7 апреля"})
    expected = text_fingerprint(other_day, node.vault.pepper(b"reply text"), [SOLVED])
    told = base64.b64encode(expected).decode()
    assert found == [("ReplyDrafted", told), ("ReplyPublished", told), ("ReplyPublished", None)]
