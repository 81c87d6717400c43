"""What we read out of VK's Callback API."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from tests.workers.platforms import fuzz
from tests.workers.platforms.bodies import (
    CITIZEN,
    GROUP,
    RECEIVED,
    WRITTEN,
    raw,
    vk_comment,
    vk_event,
    vk_message,
    vk_post,
)
from workers.platforms import vk
from workers.platforms.bodies import moment
from workers.platforms.facts import Deleted, Edited, Fact, Ignored, NotUnderstood, Posted


def read(type: str, about: dict[str, Any], **changes: Any) -> Fact:
    (fact,) = vk.facts(vk_event(type, about, **changes), received_at=RECEIVED)
    return fact


def posted(type: str, about: dict[str, Any]) -> Posted:
    fact = read(type, about)
    assert isinstance(fact, Posted)
    return fact


def refusal(type: str, about: dict[str, Any]) -> str:
    with pytest.raises(NotUnderstood) as refused:
        read(type, about)
    return refused.value.code


def test_a_post_of_a_citizen_is_a_message() -> None:
    assert posted("wall_post_new", vk_post()) == Posted(
        external_id="wall-1001_45",
        text="Яма на Мирной",
        published_at=moment(WRITTEN),
        contact="https://vk.com/id500001",
        author_key="vk:500001",
        place=posted("wall_post_new", vk_post()).place,
    )
    assert posted("wall_post_new", vk_post()).place == "wall:-1001_45"


def test_a_suggested_post_is_answered_in_a_message() -> None:
    suggested = posted("wall_post_new", vk_post(post_type="suggest"))
    assert (suggested.external_id, suggested.place) == ("wall-1001_45", "im:500001")


@pytest.mark.parametrize(
    ("type", "about", "reason"),
    [
        ("wall_post_new", vk_post(from_id=-GROUP), "OWN"),
        ("wall_reply_new", vk_comment(from_id=-GROUP), "OWN"),
        ("wall_reply_edit", vk_comment(from_id=-GROUP), "OWN"),
        ("message_new", {"message": vk_message(out=1)}, "OWN"),
        ("message_reply", vk_message(out=1), "OWN"),
        ("wall_post_new", vk_post(post_type="postpone"), "NO_MESSAGE"),
        ("wall_post_new", vk_post(text="", attachments=[]), "NO_MESSAGE"),
        ("wall_reply_new", vk_comment(text=" ", attachments=[{"type": "sticker"}]), "NO_MESSAGE"),
        ("message_new", {"message": vk_message(payload='{"command":"start"}')}, "NO_MESSAGE"),
        ("message_new", {"message": vk_message(action={"type": "chat_title_update"})}, "SERVICE"),
        ("confirmation", {}, "CONFIRMATION"),
        ("like_add", {"liker_id": 5}, "OTHER_TYPE"),
        ("group_join", {"user_id": 5}, "OTHER_TYPE"),
        ("something_of_next_year", {}, "OTHER_TYPE"),
    ],
)
def test_what_is_not_for_us_is_ignored(type: str, about: dict[str, Any], reason: str) -> None:
    assert read(type, about) == Ignored(reason)


def test_a_comment_tells_what_it_replies_to() -> None:
    first = posted("wall_reply_new", vk_comment())
    assert (first.external_id, first.answers) == ("wall-1001_45_r67", "wall-1001_45")
    reply = posted("wall_reply_new", vk_comment(id=68, reply_to_comment=67, parents_stack=[67]))
    assert reply.answers == first.external_id
    assert reply.place == "wall:-1001_45:68:67"  # with the thread, in which a reply is looked for


def test_the_wall_of_a_comment_has_two_names() -> None:
    of_the_page, of_the_schema = vk_comment(), vk_comment()
    del of_the_page["owner_id"], of_the_schema["post_owner_id"]
    assert posted("wall_reply_new", of_the_page) == posted("wall_reply_new", of_the_schema)
    del of_the_page["post_owner_id"]
    assert refusal("wall_reply_new", of_the_page) == "FIELD_INVALID"


def test_a_restored_comment_is_there_again() -> None:
    assert read("wall_reply_restore", vk_comment()) == read("wall_reply_new", vk_comment())


def test_an_edit_brings_the_whole_comment_in_case_the_original_never_came() -> None:
    edit = read("wall_reply_edit", vk_comment(text="И у нас нет"))
    assert isinstance(edit, Edited)
    assert (edit.external_id, edit.text) == ("wall-1001_45_r67", "И у нас нет")
    assert edit.edited_at == RECEIVED  # VK does not say when
    assert edit.message == posted("wall_reply_new", vk_comment(text="И у нас нет"))


def test_a_deleted_comment_is_known_by_the_same_name() -> None:
    gone = {"owner_id": -GROUP, "id": 67, "user_id": CITIZEN, "deleter_id": 1, "post_id": 45}
    assert read("wall_reply_delete", gone) == Deleted(
        external_id="wall-1001_45_r67", deleted_at=RECEIVED
    )


def test_a_message_is_private_and_its_name_is_not_the_citizens() -> None:
    message = posted("message_new", {"message": vk_message(), "client_info": {}})
    assert (message.external_id, message.direct) == ("im-1001_m890", True)
    assert message.place == "im:500001:12"
    without_number = posted("message_new", {"message": vk_message(id=0)})
    assert str(CITIZEN) not in without_number.external_id


def test_a_message_of_an_older_version_is_not_wrapped() -> None:
    assert read("message_new", vk_message()) == read("message_new", {"message": vk_message()})


def test_a_message_in_a_conversation_of_several_is_not_private() -> None:
    assert not posted("message_new", {"message": vk_message(peer_id=2_000_000_001)}).direct


def test_an_edited_message_knows_its_time() -> None:
    edit = read("message_edit", vk_message(update_time=WRITTEN + 60))
    assert isinstance(edit, Edited)
    assert edit.edited_at == moment(WRITTEN + 60)


def test_a_reply_in_a_conversation_names_our_message() -> None:
    ours = vk_message(id=891, conversation_message_id=13, from_id=-GROUP)
    reply = posted("message_new", {"message": vk_message(reply_message=ours)})
    assert reply.answers == "im-1001_m891"


def test_a_message_without_words_shows_what_came() -> None:
    photos = [{"type": "photo"}, {"type": "photo"}, {"type": "newer_than_we"}]
    assert posted("wall_post_new", vk_post(text="", attachments=photos)).text == "[фото] [вложение]"
    forwarded = {"message": vk_message(text="", fwd_messages=[vk_message()])}
    assert posted("message_new", forwarded).text == "[пересланное сообщение]"


def test_a_point_is_taken_from_posts_and_messages() -> None:
    post = posted("wall_post_new", vk_post(geo={"type": "point", "coordinates": "53.2 50.1"}))
    coordinates = {"latitude": 53.2, "longitude": 50.1}
    message = posted("message_new", {"message": vk_message(geo={"coordinates": coordinates})})
    assert (post.latitude, post.longitude) == (message.latitude, message.longitude) == (53.2, 50.1)


@pytest.mark.parametrize(
    ("about", "code"),
    [
        (vk_post(date=0), "DATE_ABSURD"),
        (vk_post(date=10**30), "DATE_ABSURD"),
        (vk_post(date=4_102_444_800), "DATE_ABSURD"),  # 2100
        (vk_post(date="yesterday"), "FIELD_INVALID"),
        (vk_post(id=0), "FIELD_INVALID"),
        (vk_post(id=-5), "FIELD_INVALID"),
        (vk_post(id=True), "FIELD_INVALID"),
        (vk_post(id=10**40), "FIELD_INVALID"),
        (vk_post(from_id=0), "FIELD_INVALID"),
        (vk_post(owner_id=0), "FIELD_INVALID"),
        (vk_post(text=None), "FIELD_INVALID"),
        (vk_post(text="а" * 20_001), "TEXT_TOO_LONG"),
        (vk_post(text="яма\x00"), "CONTROL_CHARACTER"),
        (vk_post(geo={"coordinates": "here"}), "FIELD_INVALID"),
        (vk_post(geo={"coordinates": "99 50"}), "COORDINATE_OUT_OF_RANGE"),
        (vk_post(geo={"coordinates": "nan nan"}), "COORDINATE_OUT_OF_RANGE"),
        ({}, "FIELD_INVALID"),
    ],
)
def test_what_is_absurd_is_not_understood(about: dict[str, Any], code: str) -> None:
    assert refusal("wall_post_new", about) == code


def test_what_is_not_understood_quotes_nothing() -> None:
    for about in (vk_post(id="Иван Петров"), vk_post(text=["Иван Петров"]), vk_post(date="Иван")):
        with pytest.raises(NotUnderstood) as refused:
            read("wall_post_new", about)
        assert "Иван" not in str(refused.value)
        assert refused.value.detail


def test_what_a_citizen_wrote_is_not_in_the_representation() -> None:
    shown = repr(replace(posted("wall_post_new", vk_post()), author="Мария"))
    assert not any(part in shown for part in ("Яма", "Мария", "500001", "vk.com"))


def test_only_who_knows_the_secret_of_the_community_is_believed() -> None:
    event = vk_event("wall_post_new", vk_post())
    assert vk.authentic(event, group_id=GROUP, secret="s3cret")
    assert not vk.authentic(event, group_id=GROUP, secret="other")
    assert not vk.authentic(event, group_id=GROUP + 1, secret="s3cret")
    assert not vk.authentic(event, group_id=GROUP, secret="")
    assert not vk.authentic(vk_event("x", {}, secret=None), group_id=GROUP, secret="s3cret")
    assert not vk.authentic(vk_event("x", {}, secret=""), group_id=GROUP, secret="")
    assert not vk.authentic(b"\xff", group_id=GROUP, secret="s3cret")


def test_a_confirmation_may_come_without_the_secret() -> None:
    asked = raw({"type": "confirmation", "group_id": GROUP})
    assert vk.asks_confirmation(asked)
    assert vk.authentic(asked, group_id=GROUP, secret="s3cret")
    assert not vk.authentic(asked, group_id=GROUP + 1, secret="s3cret")
    wrong = raw({"type": "confirmation", "group_id": GROUP, "secret": "other"})
    assert not vk.authentic(wrong, group_id=GROUP, secret="s3cret")
    assert not vk.asks_confirmation(vk_event("wall_post_new", vk_post()))


def test_an_event_sent_again_has_the_same_key() -> None:
    event = vk_event("wall_post_new", vk_post())
    assert vk.update_key(event) == vk.update_key(event)
    again = vk_event("wall_post_new", vk_post(), secret="changed meanwhile")
    assert vk.update_key(event) == vk.update_key(again)
    other = vk_event("wall_post_new", vk_post(), event_id="f3c2")
    elsewhere = vk_event("wall_post_new", vk_post(), group_id=GROUP + 1)
    assert len({vk.update_key(one) for one in (event, other, elsewhere)}) == 3


def test_without_an_event_id_two_edits_have_two_keys() -> None:
    edits = [vk_event("wall_reply_edit", vk_comment(text=t), event_id=None) for t in ("а", "б")]
    assert vk.update_key(edits[0]) != vk.update_key(edits[1])


EVENTS = [
    {"type": "wall_post_new", "group_id": GROUP, "object": vk_post(geo={"coordinates": "5 5"})},
    {"type": "wall_reply_new", "group_id": GROUP, "object": vk_comment(reply_to_comment=5)},
    {"type": "wall_reply_edit", "group_id": GROUP, "object": vk_comment()},
    {"type": "wall_reply_delete", "group_id": GROUP, "object": vk_comment()},
    {"type": "message_new", "group_id": GROUP, "object": {"message": vk_message()}},
    {"type": "message_edit", "group_id": GROUP, "object": vk_message(reply_message=vk_message())},
]


@given(fuzz.damaged(EVENTS))
def test_a_damaged_event_is_read_or_not_understood(body: bytes) -> None:
    fuzz.reads(lambda: vk.facts(body, received_at=RECEIVED))


@given(fuzz.anything.map(raw))
def test_any_json_is_read_or_not_understood(body: bytes) -> None:
    fuzz.reads(lambda: vk.facts(body, received_at=RECEIVED))
    fuzz.reads(lambda: [Ignored(vk.update_key(body))])
    vk.authentic(body, group_id=GROUP, secret="s3cret")


@pytest.mark.parametrize(
    "body", [b"", b"\xff", b"[" * 100_000, b'{"object":' * 5_000, b'"\\ud800"']
)
def test_what_is_no_json_is_not_understood(body: bytes) -> None:
    with pytest.raises(NotUnderstood):
        vk.facts(body, received_at=RECEIVED)
