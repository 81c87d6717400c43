"""What we read out of the webhooks of a group on Odnoklassniki."""

from typing import Any

import pytest
from hypothesis import given

from tests.workers.platforms import fuzz
from tests.workers.platforms.bodies import RECEIVED, WRITTEN, ok_webhook, raw
from workers.platforms import odnoklassniki
from workers.platforms.bodies import moment
from workers.platforms.facts import Fact, Ignored, NotUnderstood, Posted

MID = "mid:C3ecb9d02a600.15cea67d78d2059"


def read(webhook: dict[str, Any]) -> Fact:
    (fact,) = odnoklassniki.facts(raw(webhook), received_at=RECEIVED)
    return fact


def content(**changes: Any) -> dict[str, Any]:
    return ok_webhook(message=ok_webhook()["message"] | changes)


def test_a_message_to_the_group_is_private() -> None:
    message = read(ok_webhook())
    assert isinstance(message, Posted)
    assert (message.text, message.direct) == ("Не горит фонарь", True)
    assert (message.author, message.contact) == ("Пётр Примеров", "user:123456789012")
    assert (message.external_id, message.place) == (MID, "chat:C3ecb9d02a600")
    assert message.published_at == moment(WRITTEN)


def test_an_older_subscription_does_not_name_the_type() -> None:
    older = ok_webhook()
    del older["webhookType"]
    assert read(older) == read(ok_webhook())


def test_a_reply_names_the_message_before() -> None:
    reply = read(content(reply_to="mid:C3ecb9d02a600.1"))
    assert isinstance(reply, Posted)
    assert reply.answers == "mid:C3ecb9d02a600.1"


def test_a_picture_without_words_shows_what_came() -> None:
    picture = read(content(text="", attachments=[{"type": "IMAGE", "payload": {"url": "x"}}]))
    assert isinstance(picture, Posted)
    assert picture.text == "[фото]"


@pytest.mark.parametrize(
    ("webhook", "reason"),
    [
        ({"webhookType": "CONFIRMATION"}, "CONFIRMATION"),
        (ok_webhook(webhookType="CHAT_SYSTEM"), "OTHER_TYPE"),
        (ok_webhook(webhookType="MESSAGE_CALLBACK"), "OTHER_TYPE"),
        (content(text="", attachments=[{"type": "STICKER"}]), "NO_MESSAGE"),
    ],
)
def test_what_is_not_for_us_is_ignored(webhook: dict[str, Any], reason: str) -> None:
    assert read(webhook) == Ignored(reason)


@pytest.mark.parametrize(
    ("webhook", "code"),
    [
        (ok_webhook(sender=None), "FIELD_INVALID"),
        (ok_webhook(recipient={"chat_id": "../me"}), "FIELD_INVALID"),
        (ok_webhook(timestamp=None), "FIELD_INVALID"),
        (ok_webhook(timestamp=WRITTEN), "DATE_ABSURD"),  # seconds instead of milliseconds
        (ok_webhook(timestamp=10**400), "FIELD_INVALID"),
        (content(mid=""), "FIELD_INVALID"),
        (content(text="а\x00"), "CONTROL_CHARACTER"),
    ],
)
def test_what_is_absurd_is_not_understood(webhook: dict[str, Any], code: str) -> None:
    with pytest.raises(NotUnderstood) as refused:
        read(webhook)
    assert refused.value.code == code


def test_only_who_knows_the_path_is_believed() -> None:
    assert odnoklassniki.authentic("long-token", token="long-token")
    assert not odnoklassniki.authentic("long-toke", token="long-token")
    assert not odnoklassniki.authentic("", token="")
    assert not odnoklassniki.authentic("\udcff", token="long-token")


def test_the_published_networks_are_known() -> None:
    assert odnoklassniki.is_from_odnoklassniki("217.20.145.200")
    assert odnoklassniki.is_from_odnoklassniki("217.20.153.63")
    assert not odnoklassniki.is_from_odnoklassniki("217.20.153.64")
    assert not odnoklassniki.is_from_odnoklassniki("nowhere")


def test_the_confirmation_of_an_application_is_recognised() -> None:
    assert odnoklassniki.asks_confirmation(raw({"webhookType": "CONFIRMATION"}))
    assert not odnoklassniki.asks_confirmation(raw(ok_webhook()))


def test_a_message_sent_again_has_the_same_key() -> None:
    assert odnoklassniki.update_key(raw(ok_webhook())) == MID
    assert odnoklassniki.update_key(raw({"webhookType": "CHAT_SYSTEM"}))


@given(fuzz.damaged([ok_webhook(), content(attachments=[{"type": "IMAGE"}], reply_to="mid:1")]))
def test_a_damaged_webhook_is_read_or_not_understood(body: bytes) -> None:
    fuzz.reads(lambda: odnoklassniki.facts(body, received_at=RECEIVED))


@given(fuzz.anything.map(raw))
def test_any_json_is_read_or_not_understood(body: bytes) -> None:
    fuzz.reads(lambda: odnoklassniki.facts(body, received_at=RECEIVED))
    fuzz.reads(lambda: [Ignored(odnoklassniki.update_key(body))])
