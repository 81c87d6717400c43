"""The stand-ins for the platforms: they deliver as the platforms do, and can be led astray."""

from collections import Counter
from pathlib import Path

import httpx

from tests.platforms import OK, TELEGRAM, VK, Delivery, listening, stand_ins
from tests.waiting import until


def test_each_platform_tells_what_its_citizens_wrote() -> None:
    with listening() as listener, stand_ins("--webhooks", listener.address) as platforms:
        platforms.citizen("vk", "post", "Яма")
        platforms.citizen("telegram", "comment", "Темно")
        platforms.citizen("ok", "message", "Холодно")
        platforms.citizen("pos", "message", "Течёт")
        until(lambda: platforms.pending() == 0)
        by_path = Counter(delivery.path for delivery in listener.got)
    assert by_path[f"/intake/vk/{VK.source}"] == 2  # with the confirmation
    assert by_path[f"/intake/telegram/{TELEGRAM.source}"] == 2  # with the channel's own post
    assert by_path[f"/intake/ok/{OK.source}/{OK.secret('path')}"] == 1
    assert by_path["/intake/v1/messages"] == 1


def test_an_event_comes_again_with_the_same_id_until_it_is_answered_ok() -> None:
    with listening() as listener, stand_ins("--webhooks", listener.address) as platforms:
        platforms.control(retry_seconds=0.05)
        listener.refuse = lambda delivery: len(listener.bodies("/vk/")) < 3
        platforms.citizen("vk", "post", "Яма")
        until(lambda: platforms.pending() == 0)
        events = [body for body in listener.bodies("/vk/") if b"wall_post_new" in body]
    assert len(events) >= 3
    assert len(set(events)) == 1


def test_webhooks_come_twice_and_overtake_each_other_when_asked_to() -> None:
    with listening() as listener, stand_ins("--webhooks", listener.address) as platforms:
        platforms.control(duplicates=1.0, shuffle=True)
        for number in range(20):
            platforms.citizen("telegram", "message", f"{number}")
        until(lambda: platforms.pending() == 0)
        ids = [delivery.json()["update_id"] for delivery in listener.got if _is_telegram(delivery)]
    assert len(ids) == 40
    assert len(set(ids)) == 20
    assert ids != sorted(ids)


def test_a_kill_loses_neither_what_was_written_nor_what_is_to_be_delivered(tmp_path: Path) -> None:
    state = str(tmp_path / "platforms.sqlite")
    with listening() as listener:
        listener.refuse = lambda delivery: True
        options = ("--state", state, "--webhooks", listener.address)
        with stand_ins(*options) as platforms:
            platforms.control(retry_seconds=0.05)
            post = platforms.citizen("vk", "post", "Яма")
            until(lambda: bool(listener.bodies("/vk/")))
            platforms.process.kill()
        listener.refuse = lambda delivery: False
        with stand_ins(*options) as platforms:
            until(lambda: platforms.pending() == 0)
            later = platforms.citizen("vk", "post", "Ещё яма")
            until(lambda: platforms.pending() == 0)
    events = [body for body in listener.bodies("/vk/") if b"wall_post_new" in body]
    assert len(set(events)) == 2
    assert later["number"] > post["number"]


def test_the_page_shows_posts_and_answers_and_runs_nothing() -> None:
    with stand_ins() as platforms:
        post = platforms.citizen("vk", "post", "<script>alert(1)</script>")
        call = {"access_token": VK.token, "v": "5.199", "message": "Заделаем", "guid": "1"}
        call |= {"owner_id": f"{-VK.number}", "post_id": f"{post['number']}"}
        httpx.post(platforms.at("vk/method/wall.createComment"), data=call)
        page = platforms.http.get("/")
    assert "&lt;script&gt;" in page.text
    assert "<script" not in page.text
    assert page.text.index("alert(1)") < page.text.index("Заделаем")
    assert "default-src 'none'" in page.headers["content-security-policy"]


def test_a_wrong_control_is_named() -> None:
    with stand_ins() as platforms:
        answer = platforms.http.post("/_control", json={"duplicate": 1})
        assert (answer.status_code, "duplicate" in answer.text) == (400, True)
        assert platforms.http.post("/_citizen", json={"platform": "mail"}).status_code == 400
        deed = {"platform": "vk", "action": "delete", "id": "wall-1_1"}
        assert platforms.http.post("/_citizen", json=deed).status_code == 404


def _is_telegram(delivery: Delivery) -> bool:
    return "/telegram/" in delivery.path
