"""From a post to the answer under it, on each platform."""

import pytest

from domain import commands as c
from domain.events import IncidentAssigned, MessageCaptured, MessageRead, ReplyPublished
from tests.intake.network import CURATOR, EXECUTOR, Network

# Each elsewhere: five of one topic at one address would be one incident.
DUMP = "Уберите стихийную свалку у дома {house} на ул. Мирной в Самаре, контейнеров нет"
FIXED = "Свалку на улице Мирной убрали 24 ноября, контейнеры поставим до 1 декабря 2026 года."


CASES = [
    ("vk", "post"),
    ("vk", "comment"),
    ("vk", "message"),
    ("telegram", "comment"),
    ("telegram", "message"),
    ("ok", "message"),
    ("pos", "message"),
]


@pytest.mark.parametrize(("platform", "action"), CASES)
def test_who_writes_is_sorted_out_and_answered_there(
    net: Network, platform: str, action: str
) -> None:
    before = set(net.incidents())
    text = DUMP.format(house=1 + CASES.index((platform, action)))
    written = net.citizen(platform, action, text)
    net.settle()
    (incident,) = set(net.incidents()) - before
    captured, read, *_ = net.events(incident)
    assert isinstance(captured, MessageCaptured)
    assert captured.source == net.source(platform)
    assert isinstance(read, MessageRead)
    assert net.told(incident)[2:5] == [
        "IncidentRegistered",
        "IncidentClassified",
        "IncidentAssigned",
    ]
    assigned = net.events(incident)[4]
    assert isinstance(assigned, IncidentAssigned)
    assert (assigned.rule, assigned.municipality) == ("place", "63-samara")
    net.ask(incident, c.AcceptWork(), EXECUTOR)
    net.answer(incident, FIXED)
    net.settle()
    published = net.events(incident)[-1]
    assert isinstance(published, ReplyPublished)
    assert published.external_id is not None
    replies = [each for each in net.platforms.replies() if each["text"] == FIXED]
    under = [each for each in replies if each["place"] == written or platform != "vk"]
    assert any(each["platform"] == platform for each in under)


def test_a_first_reply_goes_out_at_once(net: Network) -> None:
    net.citizen("vk", "post", "На улице Гагарина в Самаре открыт люк, опасно!")
    net.settle()
    incident = net.incidents()[-1]
    text = "Взяли в работу, бригада выедет сегодня до 18:00."
    net.ask(incident, c.SubmitReply(text=text), CURATOR)
    net.settle()
    assert "ReplyPublished" in net.told(incident)
    assert [each["text"] for each in net.platforms.replies()].count(text) == 1
