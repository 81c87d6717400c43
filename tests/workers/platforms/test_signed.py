"""What we read out of what comes through the signed door."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.vocabulary import Kind, Regime
from tests.workers.platforms import fuzz
from tests.workers.platforms.bodies import RECEIVED, raw, signed_message
from workers.platforms import signed
from workers.platforms.facts import Deleted, Edited, Fact, Ignored, NotUnderstood, Posted

KEY = b"0" * 32
NOW = f"{int(RECEIVED.timestamp())}"


def read(body: object) -> list[Fact | NotUnderstood]:
    return signed.facts(raw(body), received_at=RECEIVED)


def posted(**changes: Any) -> Posted:
    (fact,) = read(signed_message(**changes))
    assert isinstance(fact, Posted)
    return fact


def test_a_message_of_the_feedback_platform() -> None:
    message = posted()
    assert (message.external_id, message.text) == ("POS-1", "Течёт крыша")
    assert message.published_at == datetime.fromisoformat("2026-03-02T12:00:00Z")
    assert (message.author, message.contact) == ("Мария Примерова", "maria@example.org")
    assert (message.regime, message.direct) == (Regime.POS_MESSAGE, True)
    assert message.place == "message:POS-1"


def test_what_the_source_knows_already_is_taken_over() -> None:
    message = posted(
        municipality="36701000",
        topic="utilities.roof",
        kind="QUESTION",
        latitude=53.2,
        longitude=50.1,
        answers="POS-0",
    )
    assert (message.municipality, message.topic) == ("36701000", "utilities.roof")
    assert (message.kind, message.answers) == (Kind.QUESTION, "POS-0")
    assert (message.latitude, message.longitude) == (53.2, 50.1)


def test_a_message_of_a_forum_is_for_everybody_to_read() -> None:
    assert not posted(regime="IM").direct


def test_who_does_not_say_who_they_are_is_somebody_else_each_time() -> None:
    assert posted(id="1").author_key == posted(id="2").author_key
    assert posted(id="1", author={}).author_key != posted(id="2", author={}).author_key


def test_edits_and_deletions_are_events_of_the_same_id() -> None:
    edit = {"event": "edited", "id": "POS-1", "text": "Течёт", "editedAt": "2026-03-02T12:01:00Z"}
    at = RECEIVED + timedelta(minutes=1)
    assert read(edit) == [Edited(external_id="POS-1", text="Течёт", edited_at=at)]
    gone = {"event": "deleted", "id": "POS-1"}
    assert read(gone) == [Deleted(external_id="POS-1", deleted_at=RECEIVED)]


def test_each_message_of_a_batch_is_taken_or_refused_by_itself() -> None:
    good, bad, gone = read(
        {"messages": [signed_message(), {"id": "2"}, {"event": "deleted", "id": "3"}]}
    )
    assert isinstance(good, Posted)
    assert isinstance(bad, NotUnderstood)
    assert bad.code == "FIELD_INVALID"
    assert isinstance(gone, Deleted)


@pytest.mark.parametrize(
    "body",
    [
        {"messages": []},
        {"messages": [signed_message()] * 101},
        {"messages": {}},
        {"messages": [signed_message()], "id": "1"},
        [signed_message()],
        "text",
    ],
)
def test_a_body_that_is_neither_is_refused_whole(body: object) -> None:
    with pytest.raises(NotUnderstood):
        read(body)


@pytest.mark.parametrize(
    "changes",
    [
        {"replyUrl": "https://example.org/"},
        {"url": "https://example.org/"},
        {"publishedAt": "2026-03-02T15:00:00"},
        {"publishedAt": "1999-12-31T00:00:00Z"},
        {"publishedAt": 1772452800},
        {"id": ""},
        {"id": "x" * 201},
        {"id": 5},
        {"text": " "},
        {"text": "x" * 20_001},
        {"text": "\x00"},
        {"kind": "RANT"},
        {"regime": "SECRET"},
        {"municipality": "36 701"},
        {"topic": ""},
        {"latitude": 53.2},
        {"latitude": 91, "longitude": 0},
        {"author": {"name": "x" * 201}},
        {"author": {"phone": "5"}},
        {"author": "Мария"},
        {"event": "shouted"},
    ],
)
def test_a_field_we_do_not_know_or_cannot_take_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(NotUnderstood) as refused:
        read(signed_message(**changes))
    assert refused.value.detail


def test_what_is_refused_quotes_no_value() -> None:
    for changes in ({"kind": "Иван"}, {"topic": "Иван"}, {"author": "Иван"}, {"Иван": 1}):
        with pytest.raises(NotUnderstood) as refused:
            read(signed_message(**changes))
        assert "Иван" not in str(refused.value)


def authentic(body: bytes = b"{}", seconds: int = 0, **changes: Any) -> bool:
    given_headers = {
        "timestamp": NOW,
        "signature": signed.sign(b"{}", timestamp=NOW, key=KEY),
        "key": KEY,
        "now": RECEIVED + timedelta(seconds=seconds),
    }
    return signed.authentic(body, **(given_headers | changes))


def test_only_who_holds_the_key_is_believed_and_for_five_minutes() -> None:
    assert authentic()
    assert authentic(seconds=300)
    assert authentic(seconds=-300)
    assert not authentic(seconds=301)
    assert not authentic(seconds=-301)
    assert not authentic(b"{ }")
    assert not authentic(key=b"1" * 32)
    assert not authentic(key=b"")
    assert not authentic(timestamp=f"{int(NOW) + 1}")  # another than the one signed


@pytest.mark.parametrize("timestamp", [None, "", "now", "-5", "1e9", "٣", "9" * 400])
def test_a_timestamp_that_is_none_is_not_believed(timestamp: str | None) -> None:
    signature = signed.sign(b"{}", timestamp=timestamp or "", key=KEY)
    assert not authentic(timestamp=timestamp, signature=signature)


@pytest.mark.parametrize("signature", [None, "", "sha256=", "sha1=00", "\udcff"])
def test_a_signature_that_is_none_is_not_believed(signature: str | None) -> None:
    assert not authentic(signature=signature)


def test_the_same_body_has_the_same_key() -> None:
    assert signed.update_key(b"{}") == signed.update_key(b"{}")
    assert signed.update_key(b"{}") != signed.update_key(b"{ }")


MESSAGES = [
    signed_message(latitude=53.2, longitude=50.1, kind="THANKS", answers="POS-0"),
    {"event": "edited", "id": "1", "text": "x", "editedAt": "2026-03-02T12:00:00Z"},
    {"event": "deleted", "id": "1", "deletedAt": "2026-03-02T12:00:00Z"},
]


@given(fuzz.damaged([*MESSAGES, {"messages": MESSAGES}]))
def test_a_damaged_body_is_read_or_not_understood(body: bytes) -> None:
    fuzz.reads(lambda: signed.facts(body, received_at=RECEIVED))


@given(fuzz.anything.map(raw))
def test_any_json_is_read_or_not_understood(body: bytes) -> None:
    fuzz.reads(lambda: signed.facts(body, received_at=RECEIVED))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_not_understood(body: bytes) -> None:
    fuzz.reads(lambda: signed.facts(body, received_at=RECEIVED))
    fuzz.reads(lambda: [Ignored(signed.update_key(body))])
