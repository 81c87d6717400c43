"""`POST /_citizen`: somebody writes, changes or deletes something on one of the platforms."""

import time
from collections.abc import Callable
from typing import Annotated, Literal

import msgspec

from api.demo.platforms import ok, pos, telegram, vk_objects
from api.demo.platforms.accounts import Account, Platform
from api.demo.platforms.stage import Stage
from api.demo.platforms.world import Entry


class Author(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: Annotated[int, msgspec.Meta(ge=1, le=2**52)] = 500_001
    name: str = "Мария Примерова"


class Deed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    platform: Platform
    action: Literal["post", "comment", "message", "edit", "delete", "restore"]
    source: str | None = None  # None: the first of the platform
    text: str = ""
    author: Author = Author()
    id: str | None = None  # of what is edited, deleted or restored
    under: str | None = None  # the post commented on; None: the page's own latest
    reply_to: str | None = None
    suggested: bool = False
    latitude: float | None = None
    longitude: float | None = None
    at: float | None = None  # Unix time; None: now


def act(stage: Stage, deed: Deed) -> Entry:
    """What came of it. Raises LookupError if what it names is not there."""
    account = stage.accounts.of(deed.platform, deed.source)
    if account is None:
        raise LookupError("no such source")
    if deed.action in ("post", "comment", "message"):
        entry, change = _write(stage, account, deed), "posted"
    else:
        entry, change = _change(stage, deed)
    TELL[deed.platform](stage, account, entry, change)
    return entry


def _write(stage: Stage, account: Account, deed: Deed) -> Entry:
    under = _under(stage, account, deed) if deed.action == "comment" else None
    replied = stage.world.named(deed.reply_to) if deed.reply_to else None
    if replied is None and deed.platform == "telegram":
        replied = under
    entry = stage.world.add(
        Entry(
            platform=deed.platform,
            source=account.source,
            kind=deed.action,
            chat=_chat(account, deed),
            parent=under.number if under else None,
            reply_to=replied.number if replied else None,
            author=deed.author.id,
            author_name=deed.author.name,
            text=deed.text,
            at=time.time() if deed.at is None else deed.at,
            suggested=deed.suggested,
            latitude=deed.latitude,
            longitude=deed.longitude,
        )
    )
    return stage.world.rename(entry.number, _name(account, entry, under))


def _change(stage: Stage, deed: Deed) -> tuple[Entry, str]:
    entry = stage.world.named(deed.id or "")
    if deed.action == "edit":
        return stage.world.edit(entry.number, deed.text), "edited"
    gone = deed.action == "delete"
    return stage.world.set_deleted(entry.number, gone), "deleted" if gone else "restored"


def _under(stage: Stage, account: Account, deed: Deed) -> Entry:
    """The post commented on: by its name, by a comment under it, else one of the page itself."""
    if deed.under:
        return stage.world.named(deed.under)
    replied = stage.world.named(deed.reply_to) if deed.reply_to else None
    if replied and (post := stage.world.find(replied.parent)):
        return post
    own = stage.world.select("source = ? AND kind = 'post' AND ours", account.source)
    if own:
        return own[-1]
    post = stage.publish(account, "post", "Новости дня", chat=_chat(account, deed))
    post = stage.world.rename(post.number, _name(account, post, None))
    TELL[account.platform](stage, account, post, "posted")
    return post


def _chat(account: Account, deed: Deed) -> int:
    if deed.action == "message" or deed.platform in ("ok", "pos"):
        return deed.author.id
    return telegram.group_chat(account) if deed.platform == "telegram" else -account.number


def _name(account: Account, entry: Entry, under: Entry | None) -> str:
    match account.platform, entry.kind:
        case "vk", "post":
            return f"wall{entry.chat}_{entry.number}"
        case "vk", "comment":
            return f"{under.name if under else ''}_r{entry.number}"
        case "vk", _:
            return f"im-{account.number}_m{entry.number}"
        case "telegram", _:
            return telegram.name(entry)
        case "ok", _:
            return ok.mid(entry)
        case _:
            return f"POS-{account.number}-{entry.number}"


def _tell_vk(stage: Stage, account: Account, entry: Entry, change: str) -> None:
    type = VK_EVENTS.get((entry.kind, change))
    if type is None:
        return  # of changed posts and deleted messages VK says nothing
    if entry.kind == "post":
        about = vk_objects.post(entry)
    elif entry.kind == "message":
        about = vk_objects.message(stage.world, entry)
        about = {"message": about, "client_info": {}} if change == "posted" else about
    elif change == "deleted":
        about = vk_objects.deleted_comment(entry)
    else:
        about = vk_objects.comment(stage.world, entry)
    vk_objects.tell(stage, account, type, about)


VK_EVENTS = {
    ("post", "posted"): "wall_post_new",
    ("comment", "posted"): "wall_reply_new",
    ("comment", "edited"): "wall_reply_edit",
    ("comment", "deleted"): "wall_reply_delete",
    ("comment", "restored"): "wall_reply_restore",
    ("message", "posted"): "message_new",
    ("message", "edited"): "message_edit",
}


def _tell_telegram(stage: Stage, account: Account, entry: Entry, change: str) -> None:
    if change in ("posted", "edited"):  # of what is deleted a bot hears nothing
        type = "message" if change == "posted" else "edited_message"
        telegram.update(stage, account, type, entry)


def _tell_ok(stage: Stage, account: Account, entry: Entry, change: str) -> None:
    if change == "posted":
        ok.tell(stage, account, entry)


def _tell_pos(stage: Stage, account: Account, entry: Entry, change: str) -> None:
    pos.tell(stage, account, "posted" if change == "restored" else change, entry)


TELL: dict[str, Callable[[Stage, Account, Entry, str], None]] = {
    "vk": _tell_vk,
    "telegram": _tell_telegram,
    "ok": _tell_ok,
    "pos": _tell_pos,
}
