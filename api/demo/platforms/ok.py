"""Odnoklassniki: messages at /ok/graph/me/messages/<chat>, webhooks of a group's chats.

apiok.ru/dev/graph_api/methods/graph.user (messages, subscribe), apiok.ru/en/dev/errors.
"""

from starlette.requests import Request
from starlette.responses import JSONResponse

from api.demo.platforms.accounts import Account
from api.demo.platforms.stage import Stage
from api.demo.platforms.world import Entry


class Error(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


async def answer(request: Request) -> JSONResponse:
    """An error has its code in a header too."""
    stage: Stage = request.app.state.stage
    try:
        account = _account(stage, request)
        if request.method == "GET":
            return JSONResponse(_history(stage, account, request))
        return JSONResponse(_send(stage, account, await request.json()))
    except Error as error:
        body = {"error_code": error.code, "error_msg": error.message, "error_data": None}
        return JSONResponse(body, headers={"invocation-error": f"{error.code}"})


def _account(stage: Stage, request: Request) -> Account:
    account = stage.accounts.by_token("ok", request.query_params.get("access_token", ""))
    if account is None:
        raise Error(103, "PARAM_SESSION_KEY : Invalid session key")
    if fault := stage.faults.take_code("ok"):
        raise Error(fault.code or 1, fault.description or "as ordered")
    return account


def _send(stage: Stage, account: Account, body: dict[str, dict[str, str]]) -> dict[str, object]:
    chat = _citizen(body["recipient"]["chat_id"])
    if stage.world.is_barred(f"ok:{chat}"):
        raise Error(455, "FRIEND_RESTRICTION")
    # For the page only: the platform does not show what a message answers.
    before = stage.world.select("source = ? AND chat = ? AND NOT ours", account.source, chat)
    sent = stage.publish(
        account,
        "message",
        body["message"]["text"],
        chat=chat,
        reply_to=before[-1].number if before else None,
    )
    sent = stage.world.rename(sent.number, mid(sent))
    return {"recipient_id": chat_id(chat), "message_id": sent.name}


def _history(stage: Stage, account: Account, request: Request) -> dict[str, object]:
    chat = _citizen(request.path_params["chat"])
    found = stage.world.select("source = ? AND chat = ?", account.source, chat)
    found.reverse()
    shown = found[: int(request.query_params.get("count", "10"))]
    return {"messages": [message(account, entry) for entry in shown]}


def _citizen(chat: str) -> int:
    digits = chat.removeprefix("chat:C")
    try:
        return int(digits, 16)
    except ValueError:
        raise Error(705, "CHAT_NOT_FOUND") from None


def chat_id(citizen: int) -> str:
    return f"chat:C{citizen:x}"


def mid(entry: Entry) -> str:
    return f"mid:C{entry.chat:x}.{entry.number:x}"


def tell(stage: Stage, account: Account, entry: Entry) -> None:
    path = f"/intake/ok/{account.source}/{account.secret('path')}"
    body = {"webhookType": "MESSAGE_CREATED", **message(account, entry)}
    stage.deliverer.add(account.source, path, body)


def message(account: Account, entry: Entry) -> dict[str, object]:
    sender = f"group:{account.number}" if entry.ours else f"user:{entry.author}"
    return {
        "sender": {"name": entry.author_name, "user_id": sender},
        "recipient": {"chat_id": chat_id(entry.chat)},
        "message": {"text": entry.text, "seq": entry.number, "mid": mid(entry)},
        "timestamp": int(entry.at * 1000),
    }
