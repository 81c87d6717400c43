"""Clients as the tests use them, and the places of what citizens wrote."""

from collections.abc import Callable
from typing import Any, NamedTuple
from uuid import uuid4

import pytest

from tests.platforms import OK, POS, TELEGRAM, VK, StandIns
from workers.platforms.clients import Client, RefusalReason, Refused, Secret
from workers.platforms.odnoklassniki import OdnoklassnikiClient
from workers.platforms.pace import Pace
from workers.platforms.signed import SignedClient
from workers.platforms.telegram import TelegramClient
from workers.platforms.vk import VkClient

PLATFORMS = ("vk", "telegram", "ok", "pos")
SAFE = ("vk", "pos")  # to repeat
TEXT = "Яму заделают до пятницы."

# Of messages that nobody wrote.
PLACES = {"vk": "wall:-1_2", "telegram": "chat:5:6", "ok": "chat:C1", "pos": "message:1"}

Connect = Callable[..., Any]


class Ticking:
    """A clock on which a minute passes whenever it is looked at: no limit is ever reached."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 61.0
        return self.now


def make(platform: str, address: str, **changes: Any) -> Any:
    pace = {"pace": Pace(sleep=lambda seconds: None, clock=Ticking())}
    match platform:
        case "vk":
            service = Secret(VK.secret("service token"))
            vk = {"group_id": VK.number, "token": Secret(VK.token), "reading_token": service}
            return VkClient(address, **(pace | vk | changes))
        case "telegram":
            return TelegramClient(address, **(pace | {"token": Secret(TELEGRAM.token)} | changes))
        case "ok":
            return OdnoklassnikiClient(address, **(pace | {"token": Secret(OK.token)} | changes))
        case _:
            pos = {"source": POS.source, "key": Secret(POS.token)}
            return SignedClient(address, **(pace | pos | changes))


class Written(NamedTuple):
    id: str
    place: str  # as the readers name it


def written(platforms: StandIns, platform: str, action: str = "message") -> Written:
    """Something a citizen wrote."""
    done = platforms.citizen(platform, action, "Яма на Мирной")
    number, chat, post = done["number"], done["chat"], done["id"].partition("_r")[0]
    places = {
        ("vk", "message"): f"im:{chat}:{number}",
        ("vk", "post"): f"wall:{chat}_{number}",
        ("vk", "comment"): f"{post.replace('wall', 'wall:')}:{number}",
        ("telegram", action): f"chat:{chat}:{number}",
        ("ok", action): f"chat:C{chat:x}",
        ("pos", action): f"message:{done['id']}",
    }
    return Written(done["id"], places[platform, action])


def refusal(client: Client, place: str, text: str = TEXT) -> RefusalReason:
    with pytest.raises(Refused) as refused:
        client.publish(place, text, uuid4())
    return refused.value.reason
