"""Each way in which a platform can refuse a reply, by its documentation."""

from typing import Any
from uuid import uuid4

import pytest

from domain.vocabulary import FallbackReason
from tests.platforms import StandIns
from tests.workers.platforms.calls import (
    PLATFORMS,
    TEXT,
    Connect,
    refusal,
    written,
)
from workers.platforms.clients import (
    RefusalReason,
    Refused,
    Secret,
)


@pytest.mark.parametrize(
    ("platform", "action"),
    [("vk", "post"), ("vk", "comment"), ("telegram", "comment"), ("pos", "message")],
)
def test_what_was_deleted_cannot_be_answered(
    platforms: StandIns, connect: Connect, platform: str, action: str
) -> None:
    message = written(platforms, platform, action)
    platforms.citizen(platform, "delete", id=message.id)
    client = connect(platform, platforms.at(platform))
    assert refusal(client, message.place) is RefusalReason.MESSAGE_DELETED


@pytest.mark.parametrize(
    ("platform", "action"), [("vk", "post"), ("telegram", "comment"), ("pos", "message")]
)
def test_closed_comments_take_no_reply(
    platforms: StandIns, connect: Connect, platform: str, action: str
) -> None:
    message = written(platforms, platform, action)
    group = message.place.split(":")[1]
    platforms.control(close=[f"closed:{group}" if platform == "telegram" else message.id])
    client = connect(platform, platforms.at(platform))
    assert refusal(client, message.place) is RefusalReason.COMMENTS_CLOSED


@pytest.mark.parametrize("platform", ["vk", "telegram", "ok"])
def test_who_does_not_want_to_be_written_to_is_not(
    platforms: StandIns, connect: Connect, platform: str
) -> None:
    place = written(platforms, platform).place
    platforms.control(block=[f"{platform}:500001"])
    client = connect(platform, platforms.at(platform))
    assert refusal(client, place) is RefusalReason.PROFILE_CLOSED


@pytest.mark.parametrize(
    ("platform", "changes"),
    [
        ("vk", {"token": Secret("another")}),
        ("telegram", {"token": Secret("2002:another")}),
        ("ok", {"token": Secret("another")}),
        ("pos", {"key": Secret("another")}),
        ("pos", {"source": "another"}),
    ],
)
def test_a_token_that_does_not_hold_makes_the_channel_unavailable(
    platforms: StandIns, connect: Connect, platform: str, changes: dict[str, Any]
) -> None:
    place = written(platforms, platform).place
    client = connect(platform, platforms.at(platform), **changes)
    assert refusal(client, place) is RefusalReason.CHANNEL_UNAVAILABLE


@pytest.mark.parametrize(
    ("code", "description", "reason"),
    [
        (5, "", RefusalReason.CHANNEL_UNAVAILABLE),
        (7, "", RefusalReason.CHANNEL_UNAVAILABLE),
        (15, "", RefusalReason.CHANNEL_UNAVAILABLE),
        (18, "", RefusalReason.PROFILE_CLOSED),
        (19, "", RefusalReason.MESSAGE_DELETED),
        (30, "", RefusalReason.PROFILE_CLOSED),
        (100, "One of the parameters … invalid: post_id", RefusalReason.MESSAGE_DELETED),
        (100, "… invalid: reply_to_comment is incorrect", RefusalReason.MESSAGE_DELETED),
        (100, "… invalid: message is undefined", RefusalReason.TEXT_REFUSED),
        (100, "… invalid: from_group", RefusalReason.CHANNEL_UNAVAILABLE),
        (203, "", RefusalReason.CHANNEL_UNAVAILABLE),
        (210, "", RefusalReason.MESSAGE_DELETED),
        (211, "", RefusalReason.MESSAGE_DELETED),
        (212, "", RefusalReason.COMMENTS_CLOSED),
        (213, "", RefusalReason.COMMENTS_CLOSED),
        (214, "", RefusalReason.COMMENTS_CLOSED),
        (222, "", RefusalReason.TEXT_REFUSED),
        (900, "", RefusalReason.PROFILE_CLOSED),
        (901, "", RefusalReason.PROFILE_CLOSED),
        (902, "", RefusalReason.PROFILE_CLOSED),
        (914, "", RefusalReason.TEXT_REFUSED),
        (99999, "", RefusalReason.CHANNEL_UNAVAILABLE),
    ],
)
def test_the_errors_of_vk(
    platforms: StandIns, connect: Connect, code: int, description: str, reason: RefusalReason
) -> None:
    place = written(platforms, "vk", "post").place
    platforms.fail_next("vk", code=code, description=description)
    assert refusal(connect("vk", platforms.at("vk")), place) is reason
    assert not platforms.replies()


@pytest.mark.parametrize(
    ("code", "description", "reason"),
    [
        (400, "Bad Request: message to be replied not found", RefusalReason.MESSAGE_DELETED),
        (400, "Bad Request: message thread not found", RefusalReason.MESSAGE_DELETED),
        (400, "Bad Request: TOPIC_CLOSED", RefusalReason.COMMENTS_CLOSED),
        (400, "Bad Request: CHAT_WRITE_FORBIDDEN", RefusalReason.COMMENTS_CLOSED),
        (
            400,
            "Bad Request: not enough rights to send text messages to the chat",
            RefusalReason.COMMENTS_CLOSED,
        ),
        (400, "Bad Request: message is too long", RefusalReason.TEXT_REFUSED),
        (400, "Bad Request: chat not found", RefusalReason.CHANNEL_UNAVAILABLE),
        (
            400,
            "Bad Request: group chat was upgraded to a supergroup chat",
            RefusalReason.CHANNEL_UNAVAILABLE,
        ),
        (401, "Unauthorized", RefusalReason.CHANNEL_UNAVAILABLE),
        (403, "Forbidden: bot was blocked by the user", RefusalReason.PROFILE_CLOSED),
        (403, "Forbidden: user is deactivated", RefusalReason.PROFILE_CLOSED),
        (
            403,
            "Forbidden: bot was kicked from the supergroup chat",
            RefusalReason.CHANNEL_UNAVAILABLE,
        ),
        (404, "Not Found", RefusalReason.CHANNEL_UNAVAILABLE),
    ],
)
def test_the_errors_of_telegram(
    platforms: StandIns, connect: Connect, code: int, description: str, reason: RefusalReason
) -> None:
    place = written(platforms, "telegram").place
    platforms.fail_next("telegram", code=code, description=description)
    assert refusal(connect("telegram", platforms.at("telegram")), place) is reason


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (10, RefusalReason.CHANNEL_UNAVAILABLE),
        (102, RefusalReason.CHANNEL_UNAVAILABLE),
        (300, RefusalReason.MESSAGE_DELETED),
        (454, RefusalReason.TEXT_REFUSED),
        (455, RefusalReason.PROFILE_CLOSED),
        (456, RefusalReason.COMMENTS_CLOSED),
        (705, RefusalReason.MESSAGE_DELETED),
    ],
)
def test_the_errors_of_odnoklassniki(
    platforms: StandIns, connect: Connect, code: int, reason: RefusalReason
) -> None:
    place = written(platforms, "ok").place
    platforms.fail_next("ok", code=code)
    assert refusal(connect("ok", platforms.at("ok")), place) is reason


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        (403, "", RefusalReason.CHANNEL_UNAVAILABLE),
        (404, "", RefusalReason.MESSAGE_DELETED),
        (409, "", RefusalReason.COMMENTS_CLOSED),
        (410, "", RefusalReason.MESSAGE_DELETED),
        (422, "", RefusalReason.TEXT_REFUSED),
        (400, "PROFILE_CLOSED", RefusalReason.PROFILE_CLOSED),
        (418, "TEAPOT", RefusalReason.CHANNEL_UNAVAILABLE),
    ],
)
def test_the_errors_of_a_system_that_signs(
    platforms: StandIns, connect: Connect, status: int, code: str, reason: RefusalReason
) -> None:
    place = written(platforms, "pos").place
    platforms.fail_next("pos", code=status, description=code)
    assert refusal(connect("pos", platforms.at("pos")), place) is reason


def test_what_a_platform_refuses_has_a_reason_in_the_domain() -> None:
    ours = {reason.value for reason in FallbackReason}
    assert {reason.value for reason in RefusalReason} - ours == {"TEXT_REFUSED"}


@pytest.mark.parametrize(
    ("platform", "limit"), [("vk", 9_000), ("telegram", 4_096), ("ok", 4_000), ("pos", 20_000)]
)
def test_a_text_that_is_too_long_is_refused_with_the_limit(
    platforms: StandIns, connect: Connect, platform: str, limit: int
) -> None:
    place = written(platforms, platform).place
    client = connect(platform, platforms.at(platform))
    client.publish(place, "я" * limit, uuid4())
    with pytest.raises(Refused, match=f"{limit}") as refused:
        client.publish(place, "я" * (limit - 1) + "😀", uuid4())  # two UTF-16 units
    assert refused.value.reason is RefusalReason.TEXT_REFUSED
    assert refusal(client, place, " ") is RefusalReason.TEXT_REFUSED
    assert len(platforms.replies()) == 1


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_place_of_another_platform_is_a_mistake_of_ours(
    platforms: StandIns, connect: Connect, platform: str
) -> None:
    client = connect(platform, platforms.at(platform))
    for place in ("", "mail:1", "chat:../1", "wall:1_2:x", "im:", "message:"):
        with pytest.raises(ValueError, match="not a"):
            client.publish(place, TEXT, uuid4())
