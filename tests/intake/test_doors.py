"""The doors for platforms: who is let in, what is kept of it, and that nothing of it is lost."""

import logging
import socket
from collections.abc import Callable, Sequence
from datetime import timedelta
from uuid import UUID

import httpx
import pytest

from api import intake
from api.intake import BODY_BYTES_MAX
from domain.commands import EditMessage, SubmitReply
from domain.events import MessageCaptured, MessageEdited
from tests.api.conftest import recorded
from tests.intake.doors import (
    appeal,
    numbers,
    ok,
    ok_body,
    signed,
    telegram,
    tg_body,
    vk,
    vk_body,
    vk_sent,
    vk_wall_post,
)
from tests.intake.network import CURATOR, Network, now
from tests.scenarios import contents
from tests.workers.platforms.bodies import raw
from workers.platforms.telegram import SECRET_HEADER

Send = Callable[[Network], httpx.Response]
DUMP = "Уберите свалку на улице Мирной"
MINUTE = timedelta(minutes=1)


def kept(net: Network) -> int:
    return net.count("SELECT count(*) FROM inbox")


def stored(net: Network) -> dict[str, int]:
    """How much there is of all that a request could leave behind."""
    jobs = net.count("SELECT count(*) FROM dramatiq.queue")
    return recorded(net.api.url) | {"inbox": kept(net), "jobs": jobs}


def quarantined(net: Network, source: str) -> list[tuple[UUID, str | None, str | None]]:
    """Of a source, with why."""
    return [
        (each.id, each.reason, each.detail)
        for each in net.inbox.kept(limit=1000)
        if each.state == "QUARANTINED" and each.source == source
    ]


# Who is not let in

BIG = b"x" * (BODY_BYTES_MAX + 1)
REFUSED: Sequence[tuple[str, int, str, Send]] = [
    # VK
    *(
        (f"VK: {name}", 401, "NOT_PERMITTED", send)
        for name, send in (
            ("wrong secret", lambda net: vk(net, "wall_post_new", {}, secret="guess")),
            ("no secret", lambda net: vk(net, "wall_post_new", {}, secret=None)),
            ("empty secret", lambda net: vk(net, "wall_post_new", {}, secret="")),
            ("another group", lambda net: vk(net, "wall_post_new", {}, group_id=1)),
            ("no event", lambda net: vk_sent(net, b"[]")),
            ("confirmation, another group", lambda net: vk(net, "confirmation", {}, group_id=1)),
        )
    ),
    ("VK: no JSON", 400, "DELIVERY_INVALID", lambda net: vk_sent(net, b'{"type":')),
    ("VK: no UTF-8", 400, "DELIVERY_INVALID", lambda net: vk_sent(net, b'"\xff"')),
    ("VK: too deep", 400, "DELIVERY_INVALID", lambda net: vk_sent(net, b"[" * 100_000)),
    ("VK: too large", 413, "BODY_TOO_LARGE", lambda net: vk_sent(net, BIG)),
    ("VK: unknown", 404, "UNKNOWN_SOURCE", lambda net: vk_sent(net, b"{}", "63-nobody")),
    ("VK: another platform's", 404, "UNKNOWN_SOURCE", lambda net: vk_sent(net, b"{}", "63-pos")),
    # Telegram
    *(
        (f"Telegram: {name!r}", 401, "NOT_PERMITTED", send)
        for name, send in (
            ("wrong", lambda net: telegram(net, tg_body(), **{SECRET_HEADER: "guess"})),
            ("empty", lambda net: telegram(net, tg_body(), **{SECRET_HEADER: ""})),
            ("wrong, no JSON", lambda net: telegram(net, b"{", **{SECRET_HEADER: "guess"})),
        )
    ),
    ("Telegram: no JSON", 400, "DELIVERY_INVALID", lambda net: telegram(net, b"{")),
    ("Telegram: too large", 413, "BODY_TOO_LARGE", lambda net: telegram(net, BIG)),
    # Odnoklassniki
    ("OK: wrong", 401, "NOT_PERMITTED", lambda net: ok(net, ok_body(), "guess")),
    ("OK: no JSON", 400, "DELIVERY_INVALID", lambda net: ok(net, b"{")),
    ("OK: too large", 413, "BODY_TOO_LARGE", lambda net: ok(net, BIG)),
    # Who signs
    *(
        (f"signed: {name}", 401, "NOT_PERMITTED", send)
        for name, send in (
            ("unsigned", lambda net: signed(net, appeal(), **{"X-Tsur-Signature": ""})),
            ("no time", lambda net: signed(net, appeal(), **{"X-Tsur-Timestamp": ""})),
            ("no number", lambda net: signed(net, appeal(), **{"X-Tsur-Timestamp": "now"})),
            ("another key", lambda net: signed(net, appeal(), key="guess")),
            ("another's key", lambda net: signed(net, appeal(), key="key of 63-news")),
            ("of another time", lambda net: signed(net, appeal(), **{"X-Tsur-Timestamp": "1"})),
            ("old", lambda net: signed(net, appeal(), at=now() - 6 * MINUTE)),
            ("of tomorrow", lambda net: signed(net, appeal(), at=now() + 6 * MINUTE)),
        )
    ),
    ("signed: no JSON", 400, "DELIVERY_INVALID", lambda net: signed(net, b"{")),
    ("signed: too large", 413, "BODY_TOO_LARGE", lambda net: signed(net, BIG)),
    ("signed: unknown", 404, "UNKNOWN_SOURCE", lambda net: signed(net, appeal(), "63-nobody")),
    ("signed: not open", 404, "UNKNOWN_SOURCE", lambda net: signed(net, appeal(), "63-letters")),
    ("signed: VK's", 404, "UNKNOWN_SOURCE", lambda net: signed(net, appeal(), "63-vk")),
    (
        "signed: no source",
        404,
        "UNKNOWN_SOURCE",
        lambda net: signed(net, appeal(), **{"X-Tsur-Source": ""}),
    ),
]


@pytest.mark.parametrize(
    ("status", "code", "send"),
    [case[1:] for case in REFUSED],
    ids=[case[0] for case in REFUSED],
)
def test_who_is_not_let_in_is_told_why_and_nothing_is_stored(
    net: Network, status: int, code: str, send: Send
) -> None:
    before = stored(net)
    answer = send(net)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert error.keys() == {"code", "message", "field"}
    assert error["code"] == code
    assert error["message"]
    assert stored(net) == before


def test_a_signature_is_good_for_one_body(net: Network) -> None:
    mine = appeal(DUMP)
    answer = signed(net, mine)
    assert answer.status_code == 202
    net.settle()
    names = ("x-tsur-source", "x-tsur-timestamp", "x-tsur-signature")
    shown = {name: answer.request.headers[name] for name in names}
    before = stored(net)
    forged = net.api.client.post(
        "/intake/v1/messages", content=raw(mine | {"text": "Всё хорошо"}), headers=shown
    )
    assert forged.status_code == 401
    assert stored(net) == before


def test_a_closed_source_is_listened_to_no_more(net: Network) -> None:
    net.open("63-letters", "OFFICIAL_SITE")
    assert signed(net, appeal(DUMP), "63-letters").status_code == 202
    net.settle()
    net.close("63-letters")
    before = stored(net)
    answer = signed(net, appeal(DUMP), "63-letters")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "UNKNOWN_SOURCE")
    assert stored(net) == before


def test_who_sends_too_much_is_asked_to_come_later_and_nothing_is_stored(
    net: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    net.open("63-forum", "FORUM")
    monkeypatch.setattr(intake, "BURST", 3)
    monkeypatch.setattr(intake, "PER_SECOND", 0)
    for _ in range(9):  # who knows no secret uses up nothing of the share
        assert signed(net, appeal(DUMP), "63-forum", key="guess").status_code == 401
    before = kept(net)
    answers = [signed(net, appeal(DUMP), "63-forum") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [202, 202, 202, 429, 429]
    assert answers[-1].json()["error"]["code"] == "RATE_LIMITED"
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert kept(net) == before + 3
    assert signed(net, appeal(DUMP)).status_code == 202  # others have a share of their own


def test_a_group_that_is_named_by_no_number_is_no_source(net: Network) -> None:
    net.open("63-club", "VK", address="samara_online")
    assert vk_sent(net, vk_body(net, "wall_post_new", {}), "63-club").status_code == 404


def test_half_a_request_leaves_no_trace(net: Network, caplog: pytest.LogCaptureFixture) -> None:
    host, _, port = net.api.address.removeprefix("http://").partition(":")
    net.settle()
    before = stored(net)
    with caplog.at_level(logging.WARNING):
        with socket.create_connection((host, int(port))) as line:
            line.sendall(
                f"POST /intake/vk/{net.source('vk')} HTTP/1.1\r\nHost: x\r\n"
                "Content-Length: 100\r\n\r\n{".encode()
            )
        for _ in range(20):
            assert vk(net, "wall_post_new", {}, secret="guess").status_code == 401
    assert not caplog.records
    assert stored(net) == before


# What the platforms want to hear


def test_vk_reads_the_string_it_asks_for_and_nothing_is_stored(net: Network) -> None:
    before = stored(net)
    for secret in (None, net.account("vk").secret("webhook")):
        answer = vk(net, "confirmation", {}, secret=secret)
        assert (answer.status_code, answer.text) == (200, net.account("vk").secret("confirmation"))
    assert stored(net) == before


def test_odnoklassniki_reads_the_string_it_asks_for_and_nothing_is_stored(net: Network) -> None:
    before = stored(net)
    answer = ok(net, raw({"webhookType": "CONFIRMATION"}))
    assert (answer.status_code, answer.text) == (200, net.account("ok").secret("confirmation"))
    assert stored(net) == before


def vk_twice(net: Network) -> tuple[Send, tuple[int, str]]:
    body = vk_body(net, "wall_post_new", vk_wall_post(net, DUMP))
    return lambda net: vk_sent(net, body), (200, "ok")


def telegram_twice(net: Network) -> tuple[Send, tuple[int, str]]:
    body = tg_body(DUMP)
    return lambda net: telegram(net, body), (200, "")


def ok_twice(net: Network) -> tuple[Send, tuple[int, str]]:
    body = ok_body(DUMP)
    return lambda net: ok(net, body), (200, '{"success":true}')


def signed_twice(net: Network) -> tuple[Send, tuple[int, str]]:
    """Signed anew each time, as whoever tries again does."""
    message, sent_at = appeal(DUMP), iter((now() - MINUTE, now()))
    return lambda net: signed(net, message, at=next(sent_at)), (202, '{"accepted":true}')


@pytest.mark.parametrize("twice", [vk_twice, telegram_twice, ok_twice, signed_twice])
def test_the_same_delivery_twice_is_answered_twice_and_stored_once(
    net: Network, twice: Callable[[Network], tuple[Send, tuple[int, str]]]
) -> None:
    send, expected = twice(net)
    before, incidents = kept(net), len(net.incidents())
    for _ in range(2):
        answer = send(net)
        assert (answer.status_code, answer.text) == expected
    net.settle()
    assert kept(net) == before + 1
    assert len(net.incidents()) == incidents + 1


def test_a_key_of_the_sender_tells_a_repeated_request(net: Network) -> None:
    before, message = kept(net), appeal(DUMP)
    key = {"Idempotency-Key": f"{next(numbers)}"}
    assert [signed(net, message, **key).status_code for _ in range(2)] == [202, 202]
    assert kept(net) == before + 1
    # The same key of another source is another one.
    net.open("63-news", "NEWS_SITE")
    assert signed(net, message, "63-news", **key).status_code == 202
    assert kept(net) == before + 2


def test_another_message_under_a_used_key_is_not_lost(net: Network) -> None:
    key = {"Idempotency-Key": f"{next(numbers)}"}
    first, second = appeal(DUMP), appeal("Не горит фонарь на улице Садовой")
    signed(net, first, **key)
    answer = signed(net, second, **key)
    net.settle()
    assert answer.status_code >= 400 or net.is_known(f"63-pos:{second['id']}")


# What is kept


def ahead(net: Network, *bodies: bytes) -> None:
    """VK sends these; the clock is fast, so that no worker takes them in before it is time."""
    for body in bodies:
        assert vk_sent(net, body, ahead=4 * MINUTE).text == "ok"


def test_what_was_answered_stands_in_the_inbox_with_its_job(net: Network) -> None:
    ahead(net, vk_body(net, "wall_post_new", vk_wall_post(net, DUMP)))
    ((delivery, state, sealed),) = net.rows(
        "SELECT id, state, sealed_body IS NOT NULL FROM inbox WHERE received_at > now()"
    )
    assert (state, sealed) == ("WAITING", True)
    jobs = net.rows(
        "SELECT message -> 'actor_name', message -> 'args' FROM dramatiq.queue"
        " WHERE available_at > now()"
    )
    assert jobs == [("take_in", [str(delivery)])]
    net.settle_in_time()
    ((state, sealed),) = net.rows(
        "SELECT state, sealed_body IS NOT NULL FROM inbox WHERE id = %s", delivery
    )
    assert (state, sealed) == ("TAKEN", False)


CANARY = "kanarejka7f3a"
CITIZEN = 987_650_123


def test_nobody_reads_in_the_database_what_was_sent(net: Network) -> None:
    """Not while it waits, not in quarantine, not once it is taken in and answered."""
    # Of nothing else that is written here: what many write of becomes one incident.
    written = vk_wall_post(net, f"Бродячие собаки в Сызрани, {CANARY}", from_id=CITIZEN)
    broken = {"text": CANARY, "from_id": CITIZEN, "id": "?"}
    ahead(net, *(vk_body(net, "wall_post_new", about) for about in (written, broken)))
    assert_unreadable(net)
    net.settle_in_time()
    incident = net.incident_of(f"wall{written['owner_id']}_{written['id']}")
    net.ask(incident, SubmitReply(text=f"Едем. {CANARY}"), CURATOR)
    net.settle_in_time()
    assert "ReplyPublicationFailed" in net.told(incident)  # VK knows nothing of this post
    assert_unreadable(net)
    assert net.count("SELECT count(*) FROM inbox WHERE state = 'TAKEN'") > 0
    left = "SELECT count(*) FROM inbox WHERE state = 'TAKEN' AND sealed_body IS NOT NULL"
    assert net.count(left) == 0


def assert_unreadable(net: Network) -> None:
    """That no row of any table holds the words or whose they are, as text or as bytes."""
    schemas = net.rows("SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_|^information'")
    tables = contents(net.api.url, *(schema for (schema,) in schemas))
    for wanted in ("public.inbox", "public.job", "public.delivery", "dramatiq.queue"):
        assert wanted in tables
    for told in (CANARY, CANARY.encode().hex(), str(CITIZEN), str(CITIZEN).encode().hex()):
        assert [name for name, rows in tables.items() if told in str(rows).lower()] == []


# What cannot be taken in


def vk_unreadable(net: Network) -> tuple[str, httpx.Response]:
    return net.source("vk"), vk(net, "wall_post_new", vk_wall_post(net, DUMP, date="yesterday"))


def telegram_unreadable(net: Network) -> tuple[str, httpx.Response]:
    return net.source("telegram"), telegram(net, tg_body(message={"message_id": 7}))


def ok_unreadable(net: Network) -> tuple[str, httpx.Response]:
    return net.source("ok"), ok(net, ok_body(timestamp="yesterday"))


def signed_unreadable(net: Network) -> tuple[str, httpx.Response]:
    return net.source("pos"), signed(net, appeal(DUMP, reply_to="https://example.org"))


@pytest.mark.parametrize(
    "send", [vk_unreadable, telegram_unreadable, ok_unreadable, signed_unreadable]
)
def test_what_parses_and_is_not_understood_is_kept_with_the_reason(
    net: Network, send: Callable[[Network], tuple[str, httpx.Response]]
) -> None:
    incidents = net.incidents()
    source, answer = send(net)
    assert answer.is_success
    net.settle()
    delivery, reason, detail = quarantined(net, source)[-1]
    assert reason == "FIELD_INVALID"
    assert detail
    assert "yesterday" not in detail
    # Replayed it is the same, as long as we read no better.
    assert net.inbox.replay(delivery, at=now())
    net.settle()
    assert quarantined(net, source)[-1] == (delivery, reason, detail)
    assert net.incidents() == incidents


def test_a_code_that_nobody_knows_is_kept_with_the_reason(net: Network) -> None:
    signed(net, appeal(DUMP, municipality="63-atlantis"))
    net.settle()
    assert quarantined(net, "63-pos")[-1][1] == "UNKNOWN_MUNICIPALITY"


def test_an_edit_whose_original_never_came_is_kept_and_replayed_once_it_has_come(
    net: Network,
) -> None:
    original = appeal(DUMP)
    edited = {"event": "edited", "id": original["id"], "text": "Уберите две свалки"}
    signed(net, edited)
    net.settle_in_time()
    delivery, reason, _ = quarantined(net, "63-pos")[-1]
    assert reason == "ORIGINAL_UNKNOWN"
    signed(net, original)
    net.settle()
    incident = net.incident_of(f"63-pos:{original['id']}")
    assert net.inbox.replay(delivery, at=now())
    net.settle()
    assert delivery not in [each.id for each in net.inbox.kept(limit=1000)]
    text = net.event(incident, MessageEdited).text
    assert net.opened(incident, text, EditMessage) == "Уберите две свалки"
    # What is taken in is not replayed.
    assert not net.inbox.replay(delivery, at=now())


def test_of_a_batch_with_one_bad_message_the_good_ones_are_taken(net: Network) -> None:
    first, second, bad = appeal(DUMP), appeal("Яма на улице Садовой"), appeal(DUMP, latitude=53.2)
    before = len(net.incidents())
    assert signed(net, {"messages": [first, bad, second]}).status_code == 202
    net.settle()
    delivery, reason, _ = quarantined(net, "63-pos")[-1]
    assert reason == "POINT_INCOMPLETE"
    assert net.is_known(f"63-pos:{first['id']}")
    assert net.is_known(f"63-pos:{second['id']}")
    assert net.inbox.replay(delivery, at=now())
    net.settle()
    assert quarantined(net, "63-pos")[-1][:2] == (delivery, reason)
    new = net.incidents()[before:]
    ids = [net.event(incident, MessageCaptured).external_id for incident in new]
    assert ids == [f"63-pos:{each['id']}" for each in (first, second)]


@pytest.mark.parametrize(
    "bad",
    [
        lambda: appeal(DUMP, municipality="63-atlantis"),
        lambda: {"event": "edited", "id": f"never-{next(numbers)}", "text": DUMP},
    ],
    ids=["unknown code", "unknown original"],
)
def test_a_message_of_a_batch_that_is_refused_keeps_back_no_other(
    net: Network, bad: Callable[[], dict[str, str]]
) -> None:
    good = appeal(DUMP)
    signed(net, {"messages": [bad(), good]})
    net.settle_in_time()
    assert quarantined(net, "63-pos")[-1][1] in ("UNKNOWN_MUNICIPALITY", "ORIGINAL_UNKNOWN")
    assert net.is_known(f"63-pos:{good['id']}")
