"""Posts, comments and messages as VK shows them (dev.vk.com/reference/objects)."""

from collections.abc import Mapping
from uuid import uuid4

from api.demo.platforms.accounts import Account
from api.demo.platforms.stage import Stage
from api.demo.platforms.world import Entry, World


def tell(stage: Stage, account: Account, type: str, about: Mapping[str, object]) -> None:
    """An event; its event_id stays the same, however often it is delivered."""
    event = {
        "type": type,
        "event_id": uuid4().hex,
        "v": "5.199",
        "group_id": account.number,
        "secret": account.secret("webhook"),
        "object": about,
    }
    stage.deliverer.add(account.source, f"/intake/vk/{account.source}", event, expected="ok")


def ask_confirmation(stage: Stage, account: Account) -> None:
    """What the button of the settings does: VK wants to read a string that only we know."""
    event = {"type": "confirmation", "group_id": account.number}
    path, expected = f"/intake/vk/{account.source}", account.secret("confirmation")
    stage.deliverer.add(account.source, path, event, expected=expected)


def post(entry: Entry) -> dict[str, object]:
    shown: dict[str, object] = {
        "inner_type": "wall_wallpost",
        "id": entry.number,
        "owner_id": entry.chat,
        "from_id": entry.author,
        "date": int(entry.at),
        "text": entry.text,
        "post_type": "suggest" if entry.suggested else "post",
        "attachments": [],
    }
    if entry.latitude is not None:
        place = f"{entry.latitude} {entry.longitude}"
        shown["geo"] = {"type": "point", "coordinates": place, "showmap": 1}
    return shown


def comment(world: World, entry: Entry) -> dict[str, object]:
    shown: dict[str, object] = {
        "id": entry.number,
        "from_id": entry.author,
        "date": int(entry.at),
        "text": entry.text,
        "post_id": entry.parent,
        "owner_id": entry.chat,
        "post_owner_id": entry.chat,
        "parents_stack": parents(world, entry),
    }
    if replied := world.find(entry.reply_to):
        shown |= {"reply_to_comment": replied.number, "reply_to_user": replied.author}
    return shown


def deleted_comment(entry: Entry) -> dict[str, object]:
    return {
        "owner_id": entry.chat,
        "id": entry.number,
        "user_id": entry.author,
        "deleter_id": entry.author,
        "post_id": entry.parent,
    }


def message(world: World, entry: Entry) -> dict[str, object]:
    shown: dict[str, object] = {
        "id": entry.number,
        "conversation_message_id": entry.number,
        "peer_id": entry.chat,
        "from_id": entry.author,
        "date": int(entry.at),
        "text": entry.text,
        "out": int(entry.ours),
        "random_id": random_id(entry),
        "attachments": [],
        "version": 10_000_000 + entry.number,
    }
    if entry.edited_at is not None:
        shown["update_time"] = int(entry.edited_at)
    if entry.latitude is not None:
        point = {"latitude": entry.latitude, "longitude": entry.longitude}
        shown["geo"] = {"type": "point", "coordinates": point}
    if replied := world.find(entry.reply_to):
        shown["reply_message"] = message(world, replied)
    return shown


def random_id(entry: Entry) -> int:
    return int(entry.key.partition(":")[2]) if entry.key else 0


def parents(world: World, entry: Entry) -> list[int]:
    """The comment at the top of the thread; empty for one that stands there itself."""
    replied = world.find(entry.reply_to)
    if replied is None:
        return []
    return parents(world, replied) or [replied.number]
