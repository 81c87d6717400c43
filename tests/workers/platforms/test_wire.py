"""What goes over the wire, and what may come back."""

import logging
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from tests.platforms import OK, POS, TELEGRAM, VK, Listener, StandIns, listening
from tests.workers.platforms.calls import (
    PLACES,
    PLATFORMS,
    SAFE,
    TEXT,
    Connect,
    refusal,
    written,
)
from workers.platforms import wire
from workers.platforms.clients import (
    Postponed,
    RefusalReason,
    Refused,
    Secret,
    Uncertain,
)
from workers.platforms.telegram import TelegramClient
from workers.platforms.wire import AddressInvalid, checked_address


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_redirect_is_never_followed(platforms: StandIns, connect: Connect, platform: str) -> None:
    with listening() as elsewhere:
        platforms.fail_next(platform, status=307, location=f"{elsewhere.address}/steal")
        client = connect(platform, platforms.at(platform))
        assert refusal(client, PLACES[platform]) is RefusalReason.CHANNEL_UNAVAILABLE
        assert not elsewhere.got


@pytest.mark.parametrize("platform", PLATFORMS)
def test_an_answer_without_end_is_cut_off(
    platforms: StandIns, connect: Connect, platform: str
) -> None:
    platforms.fail_next(platform, oversize=True)
    expected = Postponed if platform in SAFE else Uncertain
    with pytest.raises(expected, match="too long"):
        connect(platform, platforms.at(platform)).publish(PLACES[platform], TEXT, uuid4())


def test_what_is_sent_may_take_longer_than_what_is_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr(wire, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def slowly() -> Iterator[bytes]:
        yield b"{}"
        now[0] += 2 * wire.TIMEOUT_SECONDS

    headers = {"Content-Length": "2"}
    with listening() as elsewhere:
        line = wire.Wire(elsewhere.address, repeats_safely=True)
        request = wire.Request("/", content=slowly(), headers=headers)  # type: ignore[arg-type]
        assert line.send(request).status == 200
        line.close()


@pytest.mark.parametrize("platform", PLATFORMS)
def test_an_answer_of_something_else_is_no_answer(connect: Connect, platform: str) -> None:
    with listening() as portal:  # it says «ok» to everything
        expected = Postponed if platform in SAFE else Uncertain
        with pytest.raises(expected, match="unreadable"):
            connect(platform, portal.address).publish(PLACES[platform], TEXT, uuid4())


@pytest.mark.parametrize(
    "address",
    [
        "http://api.vk.com",
        "http://127.0.0.1.example.org",
        "http://[::ffff:127.0.0.1]",
        "http://2130706433",
        "ftp://127.0.0.1",
        "https://user:password@api.vk.com",
        "https://api.vk.com?x=1",
        "https://api.vk.com#x",
        "https://",
        "api.vk.com",
        "",
    ],
)
def test_an_address_must_be_safe(address: str) -> None:
    with pytest.raises(AddressInvalid) as invalid:
        checked_address(address)
    assert "password" not in str(invalid.value).replace(AddressInvalid.__doc__ or "", "")


@pytest.mark.parametrize(
    "address",
    ["https://api.vk.com", "http://127.0.0.1:8000/vk", "http://localhost", "http://[::1]"],
)
def test_plain_http_goes_to_this_machine_only(address: str) -> None:
    assert checked_address(address) == address


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_secret_is_in_no_log_and_in_no_error(
    platforms: StandIns, connect: Connect, platform: str, caplog: pytest.LogCaptureFixture
) -> None:
    account = {"vk": VK, "telegram": TELEGRAM, "ok": OK, "pos": POS}[platform]
    for name in (None, "httpx", "httpcore"):  # the command line makes some of them quieter
        caplog.set_level(logging.DEBUG, logger=name)
    client = connect(platform, platforms.at(platform))
    shown = [repr(client), repr(vars(client))]
    faults: list[dict[str, Any]] = [
        {"lost": True},
        {"status": 502},
        {"status": 404},
        {"status": 307, "location": "/x"},
        {"oversize": True},
    ]
    for fault in faults:
        platforms.fail_next(platform, **fault)
        with pytest.raises((Refused, Postponed, Uncertain)) as raised:
            client.publish(PLACES[platform], TEXT, uuid4())
        assert raised.value.__context__ is None
        shown += [str(raised.value), repr(raised.value)]
    client.publish(written(platforms, platform).place, TEXT, uuid4())
    assert "HTTP Request" in caplog.text
    assert account.token not in "\n".join([caplog.text, *shown])


def test_vk_is_told_the_token_in_the_body(connect: Connect) -> None:
    with listening() as vk:
        with pytest.raises(Postponed):
            connect("vk", vk.address).publish(PLACES["vk"], TEXT, uuid4())
        (call,) = vk.got
    assert VK.token not in call.path
    assert VK.token.encode() in call.body


def test_only_what_the_platform_must_know_is_sent(connect: Connect) -> None:
    for platform in PLATFORMS:
        with listening() as there:
            with pytest.raises((Postponed, Uncertain)):
                connect(platform, there.address).publish(PLACES[platform], TEXT, uuid4())
            assert _agents(there) == {"tsur"}


def _agents(there: Listener) -> set[str]:
    return {delivery.headers["user-agent"] for delivery in there.got}


def test_a_token_that_would_change_the_address_is_refused() -> None:
    for token in ("", "x", "1:a/../b", "1:a?b", "1:a#b", "1:a b"):
        with pytest.raises(ValueError, match="token"):
            TelegramClient("https://api.telegram.org", token=Secret(token))


def test_a_secret_shows_itself_to_nobody() -> None:
    assert "canary" not in f"{Secret('canary')} {Secret('canary')!r} {[Secret('canary')]}"
