"""What we read out of the updates of a Telegram bot."""

from typing import Any

import pytest
from hypothesis import given

from tests.workers.platforms import fuzz
from tests.workers.platforms.bodies import (
    CHANNEL,
    CITIZEN,
    GROUP_CHAT,
    RECEIVED,
    WRITTEN,
    raw,
    tg_comment,
    tg_message,
    tg_user,
    update,
)
from workers.platforms import telegram
from workers.platforms.bodies import moment
from workers.platforms.facts import Edited, Fact, Ignored, NotUnderstood, Posted

PHOTO = {"photo": [{"file_id": "A", "width": 90, "height": 90}]}
POINT = {"location": {"latitude": 53.2, "longitude": 50.1}}


def read(message: dict[str, Any], type: str = "message") -> Fact:
    (fact,) = telegram.facts(update(type, message), received_at=RECEIVED)
    return fact


def posted(message: dict[str, Any]) -> Posted:
    fact = read(message)
    assert isinstance(fact, Posted)
    return fact


def without_text(message: dict[str, Any]) -> dict[str, Any]:
    del message["text"]
    return message


def test_a_private_message_has_an_author_and_a_name_without_them() -> None:
    message = posted(tg_message())
    assert (message.text, message.published_at) == ("Не вывозят мусор", moment(WRITTEN))
    assert (message.author, message.author_key) == ("Мария Примерова", "tg:500001")
    assert (message.external_id, message.direct) == ("pm7", True)
    assert message.place == "chat:500001:7"


def test_a_public_name_makes_a_link() -> None:
    assert posted(tg_message()).contact == "tg://user?id=500001"
    named = posted(tg_message(**{"from": tg_user(username="maria_p")}))
    assert named.contact == "https://t.me/maria_p"
    strange = posted(tg_message(**{"from": tg_user(username="../x")}))
    assert strange.contact == "tg://user?id=500001"


def test_a_comment_on_a_post_of_a_channel_is_a_message_in_its_group() -> None:
    comment = posted(tg_comment())
    assert (comment.external_id, comment.direct) == (f"{GROUP_CHAT}_8", False)
    assert comment.place == f"chat:{GROUP_CHAT}:8"
    assert comment.answers == f"{GROUP_CHAT}_3"


def test_a_message_in_a_topic_of_a_forum_is_answered_there() -> None:
    assert posted(tg_comment(is_topic_message=True)).place == f"chat:{GROUP_CHAT}:8:t3"


def test_a_message_to_a_channel_is_private() -> None:
    chat = {"id": GROUP_CHAT, "type": "supergroup", "is_direct_messages": True}
    message = posted(tg_message(chat=chat, direct_messages_topic={"topic_id": 9}))
    assert (message.direct, message.place) == (True, f"chat:{GROUP_CHAT}:7:d9")


def test_what_is_written_in_the_name_of_a_channel_of_somebody_elses_is_a_message() -> None:
    fake = tg_user(id=136817688, is_bot=True, first_name="Channel")
    theirs = {"id": -1005, "type": "channel", "title": "Двор на Мирной", "username": "dvor"}
    message = posted(tg_comment(sender_chat=theirs, **{"from": fake}))
    assert (message.author, message.contact) == ("Двор на Мирной", "https://t.me/dvor")
    assert message.author_key == "tg:-1005"


def test_our_channel_is_known_anywhere_in_the_group_once_it_is_named() -> None:
    channel = {"id": CHANNEL, "type": "channel", "title": "Новости"}
    to_a_citizen = tg_comment(sender_chat=channel)
    to_a_citizen["reply_to_message"] = tg_message(message_id=5)
    body = update("message", to_a_citizen)
    assert isinstance(telegram.facts(body, received_at=RECEIVED)[0], Posted)
    assert telegram.facts(body, received_at=RECEIVED, ours={CHANNEL}) == [Ignored("OWN")]


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (tg_message(**{"from": tg_user(is_bot=True)}), "OWN"),
        (tg_comment()["reply_to_message"], "OWN"),  # our post, forwarded into the group
        (tg_comment(sender_chat={"id": GROUP_CHAT, "type": "supergroup"}), "OWN"),
        (tg_comment(sender_chat={"id": CHANNEL, "type": "channel"}), "OWN"),
        (without_text(tg_message(new_chat_members=[tg_user()])), "NO_MESSAGE"),
        (without_text(tg_message(pinned_message=tg_message())), "NO_MESSAGE"),
        (without_text(tg_message(sticker={"file_id": "S"})), "NO_MESSAGE"),
        (tg_message(text="/start"), "NO_MESSAGE"),
        (tg_message(text="/help@our_bot"), "NO_MESSAGE"),
        (without_text(tg_message(media_group_id="9", **PHOTO)), "ALBUM"),
    ],
)
def test_what_is_not_for_us_is_ignored(message: dict[str, Any], reason: str) -> None:
    assert read(message) == Ignored(reason)


@pytest.mark.parametrize(
    "type", ["channel_post", "edited_channel_post", "my_chat_member", "poll_answer", "new_in_2030"]
)
def test_other_updates_are_ignored(type: str) -> None:
    assert read(tg_message(), type) == Ignored("OTHER_TYPE")


def test_a_caption_is_the_text_of_a_picture() -> None:
    message = without_text(tg_message(caption="Свалка", media_group_id="9", **PHOTO))
    assert posted(message).text == "Свалка"
    assert posted(without_text(tg_message(**PHOTO))).text == "[фото]"
    assert posted(without_text(tg_message(voice={"file_id": "V"}))).text == "[голосовое сообщение]"


def test_a_location_is_a_point() -> None:
    message = posted(without_text(tg_message(**POINT)))
    assert (message.text, message.latitude, message.longitude) == ("[геопозиция]", 53.2, 50.1)


def test_a_reply_to_the_bot_names_its_message() -> None:
    ours = tg_message(message_id=6, **{"from": tg_user(id=1, is_bot=True)})
    assert posted(tg_message(reply_to_message=ours)).answers == "pm6"


def test_an_edit_brings_the_whole_message_in_case_the_original_never_came() -> None:
    edit = read(tg_message(text="Вывезли", edit_date=WRITTEN + 60), "edited_message")
    assert isinstance(edit, Edited)
    assert (edit.external_id, edit.text, edit.edited_at) == ("pm7", "Вывезли", moment(WRITTEN + 60))
    assert edit.message == posted(tg_message(text="Вывезли"))


def test_a_citizen_who_walks_edits_nothing() -> None:
    walking = {"location": POINT["location"] | {"live_period": 900}}
    moved = without_text(tg_message(edit_date=WRITTEN, **walking))
    assert read(moved, "edited_message") == Ignored("NO_MESSAGE")
    assert isinstance(read(moved), Posted)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (tg_message(message_id=0), "FIELD_INVALID"),
        (tg_message(date=5), "DATE_ABSURD"),
        (tg_message(chat={"id": 0, "type": "private"}), "FIELD_INVALID"),
        (tg_message(chat=None), "FIELD_INVALID"),
        (tg_message(text=5), "FIELD_INVALID"),
        (tg_message(text="\x07"), "CONTROL_CHARACTER"),
        (tg_message(location={"latitude": 91, "longitude": 0}), "COORDINATE_OUT_OF_RANGE"),
        (without_text(tg_message(rich_message={"blocks": []})), "RICH_MESSAGE"),
    ],
)
def test_what_is_absurd_is_not_understood(message: dict[str, Any], code: str) -> None:
    with pytest.raises(NotUnderstood) as refused:
        read(message)
    assert refused.value.code == code


def test_only_who_knows_the_secret_of_the_webhook_is_believed() -> None:
    assert telegram.authentic("s3cret", secret="s3cret")
    for given_secret in (None, "", "s3cre", "s3cret ", "яма"):
        assert not telegram.authentic(given_secret, secret="s3cret")
    assert not telegram.authentic("", secret="")


def test_an_update_sent_again_has_the_same_key() -> None:
    assert telegram.update_key(update("message", tg_message())) == "42"
    with pytest.raises(NotUnderstood):
        telegram.update_key(raw({"message": tg_message()}))


UPDATES = [
    {"update_id": 1, "message": tg_message(**POINT)},
    {"update_id": 2, "message": tg_comment(sender_chat={"id": CHANNEL, "type": "channel"})},
    {"update_id": 3, "edited_message": tg_message(edit_date=WRITTEN)},
    {"update_id": 4, "message": tg_message(chat={"id": CITIZEN, "type": "private"}, **PHOTO)},
]


@given(fuzz.damaged(UPDATES))
def test_a_damaged_update_is_read_or_not_understood(body: bytes) -> None:
    fuzz.reads(lambda: telegram.facts(body, received_at=RECEIVED))


@given(fuzz.anything.map(raw))
def test_any_json_is_read_or_not_understood(body: bytes) -> None:
    fuzz.reads(lambda: telegram.facts(body, received_at=RECEIVED))
    fuzz.reads(lambda: [Ignored(telegram.update_key(body))])
