"""A reply stands once where the citizen wrote, whatever happens on the way."""

import json
import socket
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from domain.identifiers import new_id
from domain.vocabulary import Status
from tests.platforms import StandIns, listening
from tests.workers.platforms.calls import (
    PLACES,
    PLATFORMS,
    SAFE,
    TEXT,
    Connect,
    written,
)
from workers.platforms import wire
from workers.platforms.clients import (
    Postponed,
    Uncertain,
    asked_at,
)


@pytest.mark.parametrize(
    ("platform", "action"),
    [
        ("vk", "post"),
        ("vk", "comment"),
        ("vk", "message"),
        ("telegram", "comment"),
        ("telegram", "message"),
        ("ok", "message"),
        ("pos", "message"),
    ],
)
def test_a_reply_stands_under_what_it_answers(
    platforms: StandIns, connect: Connect, platform: str, action: str
) -> None:
    place = written(platforms, platform, action).place
    client = connect(platform, platforms.at(platform))
    published = client.publish(place, TEXT, uuid4())
    (reply,) = platforms.replies()
    assert (reply["id"], reply["text"]) == (published, TEXT)
    assert reply["place"]


@pytest.mark.parametrize("action", ["post", "comment", "message"])
def test_vk_publishes_a_repeated_call_once(
    platforms: StandIns, connect: Connect, action: str
) -> None:
    place, key = written(platforms, "vk", action).place, uuid4()
    client = connect("vk", platforms.at("vk"))
    assert client.publish(place, TEXT, key) == client.publish(place, TEXT, key)
    assert client.publish(place, TEXT, uuid4()) != client.publish(place, TEXT, key)
    assert len(platforms.replies()) == 2


def test_a_random_id_that_was_used_before_sends_nothing_and_is_noticed(connect: Connect) -> None:
    with listening() as vk:
        older = {"peer_id": 5, "message_id": 70, "conversation_message_id": 7}
        vk.says = json.dumps({"response": [older]}).encode()
        client = connect("vk", vk.address)
        assert client.publish("im:5:6", TEXT, uuid4()) == "im-1001_m70"
        for place in ("im:5:7", "im:5:8", "im:6:1"):  # before what it answers, or elsewhere
            with pytest.raises(Uncertain):
                client.publish(place, TEXT, uuid4())


@pytest.mark.parametrize("platform", SAFE)
def test_a_lost_answer_is_asked_for_again_where_that_is_safe(
    platforms: StandIns, connect: Connect, platform: str
) -> None:
    place, key = written(platforms, platform).place, uuid4()
    client = connect(platform, platforms.at(platform))
    platforms.fail_next(platform, lost=True)
    with pytest.raises(Postponed):
        client.publish(place, TEXT, key)
    published = client.publish(place, TEXT, key)
    assert [reply["id"] for reply in platforms.replies()] == [published]


@pytest.mark.parametrize("platform", ["telegram", "ok"])
def test_a_lost_answer_is_uncertain_where_a_repeated_call_is_a_second_message(
    platforms: StandIns, connect: Connect, platform: str
) -> None:
    place = written(platforms, platform).place
    client = connect(platform, platforms.at(platform))
    platforms.fail_next(platform, lost=True)
    with pytest.raises(Uncertain):
        client.publish(place, TEXT, uuid4())
    assert len(platforms.replies()) == 1


@pytest.mark.parametrize("platform", ["vk", "ok", "pos"])
def test_our_own_reply_is_found_where_it_can_be_read(
    platforms: StandIns, connect: Connect, platform: str
) -> None:
    place, key = written(platforms, platform).place, new_id(datetime.now(UTC))
    client = connect(platform, platforms.at(platform))
    assert client.finds
    assert client.find(place, TEXT, key) is None
    published = client.publish(place, TEXT, key)
    assert client.find(place, TEXT, key) == published


@pytest.mark.parametrize("action", ["post", "comment"])
def test_our_own_comment_is_found_in_its_thread(
    platforms: StandIns, connect: Connect, action: str
) -> None:
    place, key = written(platforms, "vk", action).place, new_id(datetime.now(UTC))
    client = connect("vk", platforms.at("vk"))
    assert client.find(place, TEXT, key) is None
    published = client.publish(place, TEXT, key)
    assert client.find(place, f"  {TEXT}\n", key) == published
    assert client.find(place, "Другой ответ", key) is None
    tomorrow = new_id(datetime.now(UTC) + timedelta(days=1))
    assert client.find(place, TEXT, tomorrow) is None  # the same words, of an older reply


def test_who_cannot_read_says_so(platforms: StandIns, connect: Connect) -> None:
    telegram = connect("telegram", platforms.at("telegram"))
    assert not telegram.finds
    with pytest.raises(Uncertain):
        telegram.find(written(platforms, "telegram").place, TEXT, uuid4())
    blind = connect("vk", platforms.at("vk"), reading_token=None)
    with pytest.raises(Uncertain):
        blind.find(written(platforms, "vk", "post").place, TEXT, uuid4())


def test_the_status_of_an_incident_is_pushed_once(platforms: StandIns, connect: Connect) -> None:
    place, key, now = written(platforms, "pos").place, uuid4(), datetime.now(UTC)
    client = connect("pos", platforms.at("pos"))
    for _ in range(2):
        client.push_status(place, Status.RESOLVED, at=now, key=key)
    (status,) = platforms.http.get("/_replies").json()["statuses"]
    assert (status["status"], status["key"]) == ("RESOLVED", str(key))


@pytest.mark.parametrize(
    ("platform", "code", "seconds"),
    [
        ("vk", 1, 60.0),
        ("vk", 6, 1.0),
        ("vk", 9, 60.0),
        ("vk", 10, 30.0),
        ("vk", 14, 600.0),
        ("vk", 29, 3600.0),
        ("ok", 2, 60.0),
        ("ok", 8, 60.0),
        ("ok", 11, 3600.0),
    ],
)
def test_a_platform_that_wants_us_to_wait_is_waited_for(
    platforms: StandIns, connect: Connect, platform: str, code: int, seconds: float
) -> None:
    place, key = written(platforms, platform).place, uuid4()
    platforms.fail_next(platform, code=code)
    client = connect(platform, platforms.at(platform))
    with pytest.raises(Postponed) as postponed:
        client.publish(place, TEXT, key)
    assert postponed.value.after_seconds == seconds
    assert client.publish(place, TEXT, key)


def test_telegram_says_how_long_to_wait(platforms: StandIns, connect: Connect) -> None:
    place = written(platforms, "telegram").place
    platforms.fail_next("telegram", code=429, retry_after=17)
    with pytest.raises(Postponed) as postponed:
        connect("telegram", platforms.at("telegram")).publish(place, TEXT, uuid4())
    assert postponed.value.after_seconds == 17


@pytest.mark.parametrize("code", [1, 9999])
def test_odnoklassniki_broken_down_over_a_call_is_uncertain(
    platforms: StandIns, connect: Connect, code: int
) -> None:
    place = written(platforms, "ok").place
    platforms.fail_next("ok", code=code)
    with pytest.raises(Uncertain):
        connect("ok", platforms.at("ok")).publish(place, TEXT, uuid4())


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_platform_that_is_out_of_service_is_asked_again(
    platforms: StandIns, connect: Connect, platform: str
) -> None:
    place = written(platforms, platform).place
    platforms.control(outage=[platform])
    with pytest.raises(Postponed):
        connect(platform, platforms.at(platform)).publish(place, TEXT, uuid4())


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_server_error_may_have_published_it(
    platforms: StandIns, connect: Connect, platform: str
) -> None:
    place = written(platforms, platform).place
    platforms.fail_next(platform, status=502)
    expected = Postponed if platform in SAFE else Uncertain
    with pytest.raises(expected):
        connect(platform, platforms.at(platform)).publish(place, TEXT, uuid4())


@pytest.mark.parametrize("platform", PLATFORMS)
def test_where_nobody_listens_nothing_was_sent(connect: Connect, platform: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    client = connect(platform, f"http://127.0.0.1:{port}")
    with pytest.raises(Postponed):
        client.publish(PLACES[platform], TEXT, uuid4())


@pytest.mark.parametrize("platform", PLATFORMS)
def test_an_answer_that_takes_too_long_is_not_waited_for(
    platforms: StandIns, connect: Connect, platform: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "TIMEOUT_SECONDS", 0.2)
    place = written(platforms, platform).place
    platforms.fail_next(platform, hang_seconds=1.0)
    expected = Postponed if platform in SAFE else Uncertain
    with pytest.raises(expected):
        connect(platform, platforms.at(platform)).publish(place, TEXT, uuid4())


def test_a_key_tells_when_a_reply_was_asked_for() -> None:
    now = datetime(2026, 3, 2, tzinfo=UTC)
    assert asked_at(new_id(now)) == now - timedelta(minutes=5)
    assert asked_at(UUID(int=5)) is None
