"""Telegram: methods at /telegram/bot<token>/<name>, and updates to the webhook of a bot.

core.telegram.org/bots/api; descriptions of errors by the Bot API server Telegram publishes.
"""

import json
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse

from api.demo.platforms.accounts import Account
from api.demo.platforms.stage import Stage, number, parameters
from api.demo.platforms.world import Entry

TEXT_MAX = 4_096
CALLS_MAX = 30  # a second
BURST_MAX = 5  # in one chat within BURST_SECONDS: short bursts over 1 a second are allowed
BURST_SECONDS = 3.0
GROUP_MAX = 20  # a minute


class Error(Exception):
    def __init__(self, code: int, description: str, retry_after: int | None = None) -> None:
        super().__init__(description)
        self.body: dict[str, object] = {"ok": False, "error_code": code, "description": description}
        if retry_after is not None:
            self.body["parameters"] = {"retry_after": retry_after}
        self.code = code


async def answer(request: Request) -> JSONResponse:
    stage: Stage = request.app.state.stage
    try:
        account = stage.accounts.by_token("telegram", request.path_params["token"])
        if account is None:
            raise Error(401, "Unauthorized")
        if request.path_params["method"].lower() != "sendmessage":
            raise Error(404, "Not Found: method not found")
        return JSONResponse(
            {"ok": True, "result": _send(stage, account, await parameters(request))}
        )
    except Error as error:
        return JSONResponse(error.body, status_code=error.code)


def group_chat(account: Account) -> int:
    """The group linked to the channel of the account, where its posts are commented on."""
    return -(1_000_000_000_000 + account.number)


def _send(stage: Stage, account: Account, given: Mapping[str, str]) -> dict[str, object]:
    if fault := stage.faults.take_code("telegram"):
        raise Error(fault.code or 500, fault.description or "as ordered", fault.retry_after)
    chat, text = number(given, "chat_id"), given.get("text", "")
    if chat is None or (chat < 0 and chat != group_chat(account)):
        raise Error(400, "Bad Request: chat not found")
    _check_chat(stage, chat)
    if not text.strip():
        raise Error(400, "Bad Request: message text is empty")
    if len(text) > TEXT_MAX:
        raise Error(400, "Bad Request: message is too long")
    reply_to = _replied(stage, account, chat, given)
    _check_limits(stage, account, chat)
    sent = stage.publish(account, "message", text, chat=chat, reply_to=reply_to)
    return message(stage, account, stage.world.rename(sent.number, name(sent)))


def _check_chat(stage: Stage, chat: int) -> None:
    if chat > 0 and stage.world.is_barred(f"telegram:{chat}"):
        raise Error(403, "Forbidden: bot was blocked by the user")
    if chat < 0 and stage.world.is_barred(f"telegram:{chat}"):
        raise Error(403, "Forbidden: bot was kicked from the supergroup chat")
    if stage.world.is_barred(f"closed:{chat}"):
        raise Error(400, "Bad Request: not enough rights to send text messages to the chat")


def _replied(stage: Stage, account: Account, chat: int, given: Mapping[str, str]) -> int | None:
    wanted = json.loads(given.get("reply_parameters", "{}"))
    found = stage.world.find(wanted.get("message_id"))
    if found and found.chat == chat and found.source == account.source and not found.deleted:
        return found.number
    if wanted and not wanted.get("allow_sending_without_reply"):
        raise Error(400, "Bad Request: message to be replied not found")
    return None


def _check_limits(stage: Stage, account: Account, chat: int) -> None:
    faults, source = stage.faults, account.source
    waits = [
        faults.too_many(("telegram", source), CALLS_MAX, 1.0),
        faults.too_many(("telegram", source, chat), BURST_MAX, BURST_SECONDS),
        faults.too_many(("telegram", source, "group", chat), GROUP_MAX, 60.0) if chat < 0 else None,
    ]
    wait = max((wait for wait in waits if wait is not None), default=None)
    if wait is not None:
        seconds = int(wait) + 1
        raise Error(429, f"Too Many Requests: retry after {seconds}", seconds)


def name(entry: Entry) -> str:
    return f"{entry.chat}_{entry.number}" if entry.chat < 0 else f"pm{entry.number}"


def update(stage: Stage, account: Account, type: str, entry: Entry) -> None:
    body = {"update_id": stage.world.next_delivery(), type: message(stage, account, entry)}
    headers = {"X-Telegram-Bot-Api-Secret-Token": account.secret("webhook")}
    stage.deliverer.add(account.source, f"/intake/telegram/{account.source}", body, headers)


def message(stage: Stage, account: Account, entry: Entry) -> dict[str, object]:
    shown: dict[str, object] = {
        "message_id": entry.number,
        "date": int(entry.at),
        "chat": _chat(account, entry),
        "from": _sender(account, entry),
    }
    if entry.text:
        shown["text"] = entry.text
    if entry.kind == "post" and entry.ours:  # of the channel, forwarded into its group
        shown |= {"sender_chat": channel(account), "is_automatic_forward": True}
    if entry.edited_at is not None:
        shown["edit_date"] = int(entry.edited_at)
    if entry.latitude is not None:
        shown["location"] = {"latitude": entry.latitude, "longitude": entry.longitude}
    if replied := stage.world.find(entry.reply_to):
        original = message(stage, account, replied)
        original.pop("reply_to_message", None)
        shown["reply_to_message"] = original
    return shown


def channel(account: Account) -> dict[str, object]:
    return {"id": group_chat(account) - 1, "type": "channel", "title": account.name}


def _chat(account: Account, entry: Entry) -> dict[str, object]:
    if entry.chat > 0:
        return {"id": entry.chat, "type": "private", "first_name": entry.author_name}
    return {"id": entry.chat, "type": "supergroup", "title": account.name}


def _sender(account: Account, entry: Entry) -> dict[str, object]:
    if entry.kind == "post" and entry.ours:  # in the name of a chat comes a made-up sender
        return {"id": 777_000, "is_bot": False, "first_name": "Telegram"}
    if entry.ours:
        return {"id": account.number, "is_bot": True, "first_name": account.name}
    return {"id": entry.author, "is_bot": False, "first_name": entry.author_name}
