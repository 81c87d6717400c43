"""From the webhook to the answer under the same post, and on: readers and clients fit together."""

from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

import pytest

from domain.identifiers import new_id
from tests.platforms import Listener, StandIns, listening, stand_ins
from tests.waiting import until
from tests.workers.platforms.bodies import RECEIVED
from tests.workers.platforms.calls import TEXT, make
from workers.platforms import odnoklassniki, signed, telegram, vk
from workers.platforms.facts import Fact, NotUnderstood, Posted

READERS: dict[str, Callable[..., Sequence[Fact | NotUnderstood]]] = {
    "vk": vk.facts,
    "telegram": telegram.facts,
    "ok": odnoklassniki.facts,
    "pos": signed.facts,
}


@pytest.mark.parametrize(
    ("platform", "action", "again"),
    [
        ("vk", "post", "comment"),
        ("vk", "comment", "comment"),
        ("vk", "message", "message"),
        ("telegram", "post", "post"),
        ("telegram", "comment", "comment"),
        ("telegram", "message", "message"),
        ("ok", "message", None),  # these two do not say what a message answers
        ("pos", "message", None),
    ],
)
def test_an_answer_stands_under_the_message_and_is_known_when_it_is_answered(
    platform: str, action: str, again: str | None
) -> None:
    with listening() as listener, stand_ins("--webhooks", listener.address) as platforms:
        written = platforms.citizen(platform, action, "Яма на Мирной")
        (message,) = arrived(platform, platforms, listener)
        assert message.external_id == written["id"]
        published = publish(platform, platforms, message)
        (reply,) = platforms.replies()
        assert (reply["id"], reply["place"]) == (published, message.external_id)
        if again:
            platforms.citizen(platform, again, "Не заделали", reply_to=published)
            (later,) = arrived(platform, platforms, listener)[1:]
            assert (later.text, later.answers) == ("Не заделали", published)


def arrived(platform: str, platforms: StandIns, listener: Listener) -> list[Posted]:
    until(lambda: platforms.pending() == 0)
    bodies = listener.bodies("/v1/" if platform == "pos" else f"/{platform}/")
    found = [READERS[platform](body, received_at=RECEIVED) for body in bodies]
    return [fact for facts in found for fact in facts if isinstance(fact, Posted)]


def publish(platform: str, platforms: StandIns, message: Posted) -> Any:
    with closing(make(platform, platforms.at(platform))) as client:
        return client.publish(message.place, TEXT, new_id(RECEIVED))
