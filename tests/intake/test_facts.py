"""What becomes of what a platform tells: captured, changed, deleted, added, merged, or waiting."""

import itertools
import time
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from domain import commands as c
from domain import events as e
from domain.vocabulary import (
    Kind,
    Priority,
    PriorityReason,
    Regime,
    RejectReason,
    Status,
)
from tests.intake.doors import (
    appeal,
    numbers,
    signed,
    telegram,
    vk,
)
from tests.intake.faults import break_off_at, overtaken, together
from tests.intake.network import CURATOR, EXECUTOR, REGION, Network, now
from tests.waiting import until
from tests.workers.platforms.bodies import raw, tg_message, vk_comment
from workers.memory import Memory

MONITOR_NEEDED = ["MessageCaptured", "MessageRead"]
houses = itertools.count(1)  # five of one topic at one address would be one incident
authors = itertools.count(600_001)


def dump() -> str:
    """A complaint that is like no other in its place."""
    return f"Уберите стихийную свалку у дома {next(houses)} на ул. Мирной в Самаре"


def somebody() -> dict[str, Any]:
    number = next(authors)
    return {"id": number, "name": f"Житель {number}"}


def wrote(net: Network, platform: str, action: str, text: str = "", **more: Any) -> UUID:
    """Where it stands what somebody wrote."""
    external_id = net.citizen(platform, action, text or dump(), **more)
    net.settle()
    return net.incident_of(external_id)


def citizen(net: Network, incident: UUID) -> c.Citizen:
    captured = net.event(incident, e.MessageCaptured)
    content = net.node.centre(REGION).open(incident, captured.citizen, c.Capture)
    return msgspec.json.decode(content or b"", type=c.Citizen)


def status(net: Network, incident: UUID) -> Status:
    return net.node.centre(REGION).incident(incident).status


def holds(net: Network, incident: UUID) -> str:
    """The text of the first message as it stands on its platform: the latest edit holds."""
    edits = [event for event in net.events(incident) if isinstance(event, e.MessageEdited)]
    if not edits:
        return citizen(net, incident).text
    latest = max(edits, key=lambda edit: edit.edited_at)
    return str(net.opened(incident, latest.text, c.EditMessage))


# Changed and deleted


@pytest.mark.parametrize(
    ("platform", "action"),
    [
        *(("vk", "comment"), ("vk", "message"), ("telegram", "comment"), ("telegram", "message")),
        ("pos", "message"),
    ],
)
def test_what_a_citizen_changes_is_an_event_of_the_message(
    net: Network, platform: str, action: str
) -> None:
    text = dump()
    written = net.citizen(platform, action, text)
    net.settle()
    net.citizen(platform, "edit", text + " Срочно!", id=written)
    net.settle()
    incident = net.incident_of(written)
    assert net.told(incident).count("MessageEdited") == 1
    assert net.event(incident, e.MessageEdited).external_id.endswith(written)
    assert citizen(net, incident).text == text  # what was written first stays in the log
    assert holds(net, incident) == text + " Срочно!"


@pytest.mark.parametrize(("platform", "action"), [("vk", "comment"), ("pos", "message")])
def test_what_a_citizen_deletes_is_an_event_and_still_to_be_answered(
    net: Network, platform: str, action: str
) -> None:
    written = net.citizen(platform, action, dump())
    net.settle()
    net.citizen(platform, "delete", id=written)
    net.settle()
    incident = net.incident_of(written)
    assert net.event(incident, e.MessageDeleted).external_id.endswith(written)
    assert status(net, incident) is Status.ASSIGNED


def test_what_is_restored_is_the_same_message(net: Network) -> None:
    written = net.citizen("vk", "comment", dump())
    for action in ("delete", "restore"):
        net.settle()
        net.citizen("vk", action, id=written)
    before = len(net.incidents())
    net.settle()
    assert len(net.incidents()) == before
    assert net.told(net.incident_of(written)).count("MessageDeleted") == 1


# In another order


def comment(net: Network, **changes: Any) -> dict[str, Any]:
    """A comment under a post of the group's own."""
    group = -net.account("vk").number
    own = {"id": next(numbers), "owner_id": group, "post_owner_id": group, "date": int(time.time())}
    return vk_comment(**(own | changes))


def name_of(about: dict[str, Any]) -> str:
    return f"wall{about['owner_id']}_{about['post_id']}_r{about['id']}"


def test_a_vk_edit_that_overtakes_its_original_is_the_message_as_it_stands(net: Network) -> None:
    text = dump()
    first, changed = (written := comment(net, text=text)), comment(net) | written
    changed["text"] = f"{text}, у школы"
    before = len(net.incidents())
    vk(net, "wall_reply_edit", changed)
    net.settle()
    vk(net, "wall_reply_new", first)
    net.settle()
    assert len(net.incidents()) == before + 1
    assert holds(net, net.incident_of(name_of(first))) == changed["text"]


def tg_told(net: Network, *, of: int, text: str, edited: int | None = None) -> None:
    """What Telegram tells of a message; `edited`: so many seconds after it was written."""
    about = tg_message(message_id=of, text=text, date=(at := int(time.time()) - 100))
    if edited is not None:
        about["edit_date"] = at + edited
    name = "message" if edited is None else "edited_message"
    body = raw({"update_id": next(numbers), name: about})
    assert telegram(net, body).is_success
    net.settle()


@pytest.mark.parametrize(
    "order",
    [
        *((None, 10, 20), (None, 20, 10), (10, None, 20)),
        *((10, 20, None), (20, None, 10), (20, 10, None)),
    ],
)
def test_in_whatever_order_edits_come_the_latest_holds(
    net: Network, order: tuple[int | None, ...]
) -> None:
    text, number = dump(), next(numbers)
    before = len(net.incidents())
    for edited in order:
        tg_told(net, of=number, text=f"{text}, правка {edited}", edited=edited)
    assert len(net.incidents()) == before + 1
    incident = net.incident_of(f"pm{number}")
    assert holds(net, incident) == f"{text}, правка 20"


def waits_for_its_original(net: Network) -> bool:
    return net.count("SELECT count(*) FROM inbox WHERE state = 'WAITING' AND tries > 0") == 1


def test_a_deletion_that_overtakes_its_original_waits_for_it(net: Network) -> None:
    written = comment(net, text=dump())
    vk(net, "wall_reply_delete", written)
    until(lambda: waits_for_its_original(net))
    vk(net, "wall_reply_new", written)
    until(lambda: net.is_known(name_of(written)))
    net.settle_in_time()
    assert net.told(net.incident_of(name_of(written)))[-1] == "MessageDeleted"


def test_an_edit_that_does_not_tell_all_of_its_message_waits_for_it(net: Network) -> None:
    original = appeal(dump())
    text = dump()
    signed(net, {"event": "edited", "id": original["id"], "text": text})
    until(lambda: waits_for_its_original(net))
    signed(net, original)
    until(lambda: net.is_known(f"63-pos:{original['id']}"))
    net.settle_in_time()
    assert holds(net, net.incident_of(f"63-pos:{original['id']}")) == text


def test_the_deletion_of_what_never_came_is_let_go(net: Network) -> None:
    before = len(net.incidents())
    vk(net, "wall_reply_delete", comment(net))
    net.settle_in_time()
    assert not waits_for_its_original(net)
    ((state, reason),) = net.rows(
        "SELECT state, reason FROM inbox ORDER BY received_at DESC LIMIT 1"
    )
    assert (state, reason) == ("TAKEN", "IGNORED UNKNOWN")
    assert len(net.incidents()) == before


# Below a message


def answered(net: Network, platform: str, action: str, author: dict[str, Any]) -> tuple[UUID, str]:
    """An incident that was replied to, and what its platform calls our reply."""
    incident = wrote(net, platform, action, author=author)
    text = f"Взяли в работу, бригада выедет сегодня. {incident}"
    net.submit(incident, text)
    net.settle()
    (reply,) = net.replies(text)
    return incident, reply["id"]


THREADS = [("vk", "comment"), ("vk", "message"), ("telegram", "comment"), ("telegram", "message")]


@pytest.mark.parametrize(("platform", "action"), THREADS)
def test_what_a_citizen_writes_below_our_reply_is_added_to_the_incident(
    net: Network, platform: str, action: str
) -> None:
    author = somebody()
    incident, reply = answered(net, platform, action, author)
    before = len(net.incidents())
    again = net.citizen(platform, action, "Никто не приехал", author=author, reply_to=reply)
    net.settle()
    assert net.incident_of(again) == incident
    assert len(net.incidents()) == before
    assert net.told(incident)[-1] == "MessageAdded"
    assert status(net, incident) is Status.ASSIGNED


@pytest.mark.parametrize(("platform", "action"), THREADS)
def test_what_a_citizen_writes_while_we_wait_for_it_answers_our_question(
    net: Network, platform: str, action: str
) -> None:
    author = somebody()
    incident, reply = answered(net, platform, action, author)
    net.ask(incident, c.RequestClarification(question="Какой подъезд?"), EXECUTOR)
    net.citizen(platform, action, "Второй подъезд", author=author, reply_to=reply)
    net.settle()
    assert {"MessageAdded", "ClarificationReceived"} <= {*net.told(incident)}
    answer = net.event(incident, e.ClarificationReceived).answer
    assert net.opened(incident, answer, c.ReceiveClarification) == "Второй подъезд"
    assert status(net, incident) is Status.IN_PROGRESS


def test_an_answer_is_not_lost_where_its_taking_in_was_broken_off(
    net: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    author = somebody()
    incident, reply = answered(net, "vk", "comment", author)
    net.ask(incident, c.RequestClarification(question="Какой подъезд?"), EXECUTOR)
    with break_off_at(net, c.ReceiveClarification, monkeypatch) as broken_off:
        net.citizen("vk", "comment", "Второй подъезд", author=author, reply_to=reply)
        until(lambda: bool(broken_off))
    net.settle()
    assert net.told(incident).count("MessageAdded") == 1
    assert net.told(incident).count("ClarificationReceived") == 1


def test_who_goes_on_below_their_own_post_goes_on_with_the_incident(net: Network) -> None:
    author = somebody()
    post = net.citizen("vk", "post", dump(), author=author)
    net.settle()
    again = net.citizen("vk", "comment", "И контейнеров нет", author=author, under=post)
    net.settle()
    assert net.incident_of(again) == net.incident_of(post)


def test_what_another_writes_below_a_post_is_a_message_of_its_own(net: Network) -> None:
    post = net.citizen("vk", "post", dump(), author=somebody())
    net.settle()
    other = net.citizen("vk", "comment", dump(), author=somebody(), under=post)
    below = net.citizen("vk", "comment", dump(), author=somebody(), reply_to=other)
    net.settle()
    assert len({net.incident_of(each) for each in (post, other, below)}) == 3
    for each in (post, other, below):
        assert net.told(net.incident_of(each))[-1] == "IncidentAssigned"


def test_what_is_written_below_a_rejected_message_is_a_message_of_its_own(net: Network) -> None:
    author = somebody()
    post = net.citizen("vk", "post", "Спасибо за снег!", author=author)
    net.settle()
    net.ask(net.incident_of(post), c.Reject(reason=RejectReason.NOT_A_PROBLEM), CURATOR)
    again = net.citizen("vk", "comment", dump(), author=author, under=post)
    net.settle()
    assert net.incident_of(again) != net.incident_of(post)
    assert net.told(net.incident_of(again))[-1] == "IncidentAssigned"


def test_what_is_written_below_a_merged_message_is_added_where_it_is_answered(
    net: Network,
) -> None:
    text, author = dump(), somebody()
    first = wrote(net, "vk", "post", text, author=somebody())
    post = net.citizen("vk", "post", text, author=author)
    net.settle()
    assert net.incident_of(post) != first
    again = net.citizen("vk", "comment", "Уже неделю", author=author, under=post)
    net.settle()
    assert net.incident_of(again) == first


def test_a_fact_that_is_overtaken_by_another_is_recorded_all_the_same(
    net: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = net.citizen("vk", "comment", dump())
    net.settle()
    incident = net.incident_of(written)
    with overtaken(net, c.EditMessage, monkeypatch) as by_others:
        net.citizen("vk", "edit", "Уже две свалки", id=written)
        net.settle()
    assert by_others == [incident]
    assert [each.reason for each in net.inbox.kept() if each.reason == "VERSION_CONFLICT"] == []
    assert holds(net, incident) == "Уже две свалки"


# The same again


def taken(net: Network, incident: UUID) -> list[UUID]:
    """What was merged into it."""
    return [event.of for event in net.events(incident) if isinstance(event, e.MessagesTaken)]


def test_the_same_text_is_merged_and_each_author_is_answered_on_their_own_platform(
    net: Network,
) -> None:
    text = dump()
    first = wrote(net, "vk", "post", text, author=somebody())
    second = wrote(net, "telegram", "message", text.upper() + "!!!", author=somebody())
    assert taken(net, first) == [second]
    assert status(net, second) is Status.MERGED
    net.ask(first, c.AcceptWork(), EXECUTOR)
    reply = f"Свалку убрали 24 ноября. {first}"
    net.answer(first, reply)
    net.settle()
    assert sorted(each["platform"] for each in net.replies(reply)) == ["telegram", "vk"]
    assert "ReplyPublished" in net.told(first)


def test_appeals_of_the_same_words_are_answered_each_by_itself(net: Network) -> None:
    text = dump()
    one, other = (wrote(net, "pos", "message", text, author=somebody()) for _ in range(2))
    assert taken(net, one) == taken(net, other) == []
    assert status(net, other) is Status.ASSIGNED


def test_the_same_words_about_another_region_are_not_merged(net: Network) -> None:
    """What waits for a monitor is no answer to anybody."""
    text = "В Казани не горят фонари на улице Баумана"
    one, other = (wrote(net, "vk", "post", text, author=somebody()) for _ in range(2))
    assert [status(net, each) for each in (one, other)] == [Status.CAPTURED] * 2


def test_of_two_who_write_the_same_at_once_one_is_merged_into_the_other(
    net: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each looks for the other before either goes on."""
    text = dump()
    with together(Memory, "recent", monkeypatch):
        ids = [net.citizen("vk", "post", text, author=somebody()) for _ in range(2)]
        net.settle()
    incidents = [net.incident_of(each) for each in ids]
    assert sorted(status(net, each) for each in incidents) == [Status.ASSIGNED, Status.MERGED]


POTHOLE = (
    "Яма на дороге, ул. Тихая, {}, Самара",
    "на Тихой {} в Самаре провал в асфальте, огромная яма",
    "яма возле дома ул Тихая, {} колесо пробил",
    "Огромная яма на дороге, Тихая ул., {}",
    "Заделайте яму на дороге: ул. Тихая, {}",
)


def burst(net: Network, *texts: str, **more: Any) -> list[UUID]:
    """Each written by somebody else, once the one before is taken in."""
    house = next(houses)
    return [
        wrote(net, "vk", "post", text.format(house), author=somebody(), **more) for text in texts
    ]


def test_five_of_one_topic_at_one_address_are_urgent(net: Network) -> None:
    incidents = burst(net, *POTHOLE[:4])
    assert all("IncidentPrioritized" not in net.told(each) for each in incidents)
    incidents = burst(net, *POTHOLE)
    urgent = net.event(incidents[0], e.IncidentPrioritized)
    assert (urgent.priority, urgent.reason) == (Priority.HIGH, PriorityReason.MASS)
    assert net.is_in("URGENT", incidents[0])
    assert status(net, incidents[4]) is Status.MERGED


def test_five_of_one_topic_at_one_address_are_one_incident_and_one_reply_reaches_all(
    net: Network,
) -> None:
    first, *others = burst(net, *POTHOLE)
    assert sorted(taken(net, first)) == others
    net.ask(first, c.AcceptWork(), EXECUTOR)
    reply = f"Яму заделали 24 ноября. {first}"
    net.answer(first, reply)
    net.settle()
    assert len(net.replies(reply)) == 5
    assert len({each["place"] for each in net.replies(reply)}) == 5


def test_five_at_other_addresses_are_five_incidents(net: Network) -> None:
    incidents = [burst(net, text)[0] for text in POTHOLE]
    assert [status(net, each) for each in incidents] == [Status.ASSIGNED] * 5


NEAR = (
    "Яма на дороге, обращение {}",
    "провал в асфальте, огромная яма, обращение {}",
    "яма, колесо пробил, обращение {}",
    "Заделайте яму на дороге, обращение {}",
)
HERE, ELSEWHERE = {"latitude": 53.24, "longitude": 50.22}, {"latitude": 53.15, "longitude": 50.1}


def test_five_of_one_topic_near_one_point_are_urgent(net: Network) -> None:
    first, *_ = burst(net, *NEAR, "Огромная яма на дороге, обращение {}", **ELSEWHERE)
    assert net.event(first, e.IncidentPrioritized).reason is PriorityReason.MASS


def test_who_gives_thanks_is_no_part_of_a_burst(net: Network) -> None:
    *complaints, thanks = burst(net, *NEAR, "Спасибо, яму на дороге заделали! {}", **HERE)
    assert status(net, thanks) is Status.CAPTURED
    assert all("IncidentPrioritized" not in net.told(each) for each in complaints)


def test_the_same_words_about_another_place_are_another_incident(net: Network) -> None:
    """Ten kilometres apart."""
    text = f"Яма на дороге, обращение {next(houses)}"
    for place in ({"latitude": 53.19, "longitude": 50.1}, {"latitude": 53.28, "longitude": 50.25}):
        incident = wrote(net, "vk", "post", text, author=somebody(), **place)
        assert status(net, incident) is Status.ASSIGNED


# Who waits for a monitor, and who does not


def test_thanks_wait_in_the_inbox_with_what_was_read(net: Network) -> None:
    incident = wrote(net, "vk", "comment", "Спасибо за убранный двор на улице Мирной!")
    assert net.told(incident) == MONITOR_NEEDED
    assert net.event(incident, e.MessageRead).reading.kind is Kind.THANKS
    assert net.is_in("INBOX", incident)


def test_what_is_obscene_waits_in_the_inbox_with_what_was_read(net: Network) -> None:
    incident = wrote(net, "vk", "comment", "блять нахуй хуйня")
    assert net.told(incident) == MONITOR_NEEDED
    assert net.event(incident, e.MessageRead).reading.unfit is RejectReason.OBSCENE
    assert net.is_in("INBOX", incident)


def test_what_nobody_is_sure_of_waits_with_the_likeliest_topics(net: Network) -> None:
    incident = wrote(net, "vk", "post", "Нет света на улице Победы, 12")
    assert net.told(incident) == MONITOR_NEEDED
    suggested = [guess.topic for guess in net.event(incident, e.MessageRead).reading.topics]
    assert {"electricity.off", "roads.lighting"} <= {*suggested}
    assert net.is_in("INBOX", incident)


def test_what_names_another_region_waits_for_a_monitor(net: Network) -> None:
    incident = wrote(net, "vk", "post", "В Казани не горят фонари на улице Баумана, 3")
    assert net.told(incident) == MONITOR_NEEDED
    assert net.event(incident, e.MessageRead).reading.elsewhere == "16"
    assert net.is_in("INBOX", incident)


@pytest.mark.parametrize(
    "text",
    ["Спасибо за ремонт!", "блять нахуй хуйня", "Ничего не понимаю", "В Казани темно"],
)
def test_what_comes_by_law_is_always_an_incident(net: Network, text: str) -> None:
    incident = wrote(net, "pos", "message", text)
    assert net.event(incident, e.IncidentRegistered).regime is Regime.POS_MESSAGE
    assert not net.is_in("INBOX", incident)


def test_danger_to_life_is_urgent_at_once(net: Network) -> None:
    incident = wrote(net, "vk", "post", "На улице Гагарина в Самаре открыт люк, опасно!")
    prioritized = net.event(incident, e.IncidentPrioritized)
    assert (prioritized.priority, prioritized.reason) == (
        Priority.HIGH,
        PriorityReason.DANGER_TO_LIFE,
    )


def test_a_source_about_one_topic_presets_it(net: Network) -> None:
    net.open("63-roads", "FORUM", topic="roads.pothole")
    message = appeal("Когда это кончится?! Улица Мирная, Самара")
    signed(net, message, "63-roads")
    net.settle()
    incident = net.incident_of(f"63-roads:{message['id']}")
    classified = net.event(incident, e.IncidentClassified)
    assert (classified.topic, classified.model) == ("roads.pothole", None)
    assert net.event(incident, e.IncidentAssigned).rule == "place"


def test_a_source_that_was_opened_anew_is_what_it_is_now(net: Network) -> None:
    net.open("63-forum", "FORUM")
    signed(net, appeal("Когда это кончится?!"), "63-forum")
    net.settle()
    net.close("63-forum")
    net.open("63-forum", "FORUM", topic="roads.pothole")
    message = appeal("Сколько можно?!")
    signed(net, message, "63-forum")
    net.settle()
    incident = net.incident_of(f"63-forum:{message['id']}")
    assert net.event(incident, e.IncidentClassified).topic == "roads.pothole"


def test_what_lay_there_when_its_source_was_closed_is_kept_until_it_is_open_again(
    net: Network,
) -> None:
    net.open("63-letters", "OFFICIAL_SITE")
    message = appeal(dump())
    signed(net, message, "63-letters", ahead=timedelta(minutes=4))
    net.close("63-letters")
    net.settle_in_time()
    (kept,) = (each for each in net.inbox.kept() if each.source == "63-letters")
    assert (kept.state, kept.reason) == ("QUARANTINED", "SOURCE_CLOSED")
    net.open("63-letters", "OFFICIAL_SITE")
    assert net.inbox.replay(kept.id, at=now())
    net.settle()
    assert net.is_known(f"63-letters:{message['id']}")


def test_what_a_source_knows_already_is_taken_from_it(net: Network) -> None:
    message = appeal("Ничего не понимаю", municipality="63-tolyatti", topic="roads.pothole")
    signed(net, message)
    net.settle()
    incident = net.incident_of(f"63-pos:{message['id']}")
    assigned = net.event(incident, e.IncidentAssigned)
    assert (assigned.municipality, assigned.rule) == ("63-tolyatti", "place")
    assert net.event(incident, e.IncidentClassified).topic == "roads.pothole"


def test_the_kind_that_a_source_knows_is_taken_from_it(net: Network) -> None:
    message = appeal(dump(), kind="SUGGESTION")
    signed(net, message)
    net.settle()
    incident = net.incident_of(f"63-pos:{message['id']}")
    assert net.event(incident, e.IncidentRegistered).kind is Kind.SUGGESTION


# Our own


@pytest.mark.parametrize(("platform", "action"), [("vk", "post"), ("vk", "comment")])
def test_our_reply_that_is_deleted_on_its_platform_is_an_event(
    net: Network, platform: str, action: str
) -> None:
    incident, reply = answered(net, platform, action, somebody())
    net.citizen(platform, "delete", id=reply)
    net.settle()
    assert net.event(incident, e.ReplyDeleted).external_id == reply
    assert "MessageDeleted" not in net.told(incident)


def test_what_we_write_ourselves_is_no_message(net: Network) -> None:
    answered(net, "vk", "post", somebody())
    about = comment(net, from_id=-net.account("vk").number)
    before = net.incidents()
    vk(net, "wall_reply_new", about)
    net.settle()
    assert net.incidents() == before
    assert not net.is_known(name_of(about))
