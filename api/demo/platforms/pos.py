"""ПОС, or any system that signs: takes replies and statuses, sends messages to us.

The format is ours: docstrings of workers/platforms/signed/client.py and messages.py.
"""

import hmac
import time
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import JSONResponse

from api.demo.platforms.accounts import Account
from api.demo.platforms.delivery import signature
from api.demo.platforms.stage import Stage
from api.demo.platforms.world import Entry

WINDOW_SECONDS = 5 * 60


class Error(Exception):
    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code


async def answer(request: Request) -> JSONResponse:
    stage: Stage = request.app.state.stage
    try:
        account = await _account(stage, request)
        if request.method == "GET":
            return _reply(stage, account, request.path_params["key"])
        if request.url.path.endswith("/statuses"):
            return _take_status(stage, request, await request.json())
        return _take_reply(stage, account, request, await request.json())
    except Error as error:
        return JSONResponse({"code": error.code}, status_code=error.status)


async def _account(stage: Stage, request: Request) -> Account:
    if fault := stage.faults.take_code("pos"):
        raise Error(fault.code or 500, fault.description)
    account = stage.accounts.of("pos", request.headers.get("x-tsur-source"))
    timestamp = request.headers.get("x-tsur-timestamp", "0")
    given = request.headers.get("x-tsur-signature", "")
    known = signature(account.token if account else "", timestamp, await request.body())
    recent = timestamp.isdecimal() and abs(time.time() - int(timestamp)) < WINDOW_SECONDS
    if account is None or not recent or not hmac.compare_digest(given, known):
        raise Error(401, "CHANNEL_UNAVAILABLE")
    return account


def _take_reply(
    stage: Stage, account: Account, request: Request, body: dict[str, str]
) -> JSONResponse:
    key = request.headers["idempotency-key"]
    if known := stage.world.keyed("pos", account.source, key):
        return JSONResponse({"id": known.name})
    message = _message(stage, account, body["messageId"])
    if stage.world.is_barred(message.name):
        raise Error(409, "COMMENTS_CLOSED")
    done = stage.publish(
        account, "message", body["text"], chat=message.chat, key=key, reply_to=message.number
    )
    done = stage.world.rename(done.number, f"reply-{done.number}")
    return JSONResponse({"id": done.name}, status_code=201)


def _take_status(stage: Stage, request: Request, body: dict[str, str]) -> JSONResponse:
    stage.world.rows.execute(
        "INSERT OR IGNORE INTO status (message, status, at, key) VALUES (?, ?, ?, ?)",
        [body["messageId"], body["status"], body["at"], request.headers["idempotency-key"]],
    )
    return JSONResponse({"accepted": True})


def _reply(stage: Stage, account: Account, key: str) -> JSONResponse:
    if known := stage.world.keyed("pos", account.source, key):
        return JSONResponse({"id": known.name})
    raise Error(404, "NO_REPLY")


def _message(stage: Stage, account: Account, name: str) -> Entry:
    try:
        message = stage.world.named(name)
    except LookupError:
        raise Error(404, "MESSAGE_DELETED") from None
    if message.deleted or message.source != account.source:
        raise Error(410, "MESSAGE_DELETED")
    return message


def tell(stage: Stage, account: Account, event: str, entry: Entry) -> None:
    """Signed when it leaves (delivery.py)."""
    body: dict[str, object] = {"event": event, "id": entry.name}
    if event == "posted":
        body |= _posted(entry)
    elif event == "edited":
        body |= {"text": entry.text, "editedAt": _time(entry.edited_at or time.time())}
    else:
        body["deletedAt"] = _time(time.time())
    headers = {"X-Tsur-Source": account.source}
    stage.deliverer.add(account.source, "/intake/v1/messages", body, headers)


def _posted(entry: Entry) -> dict[str, object]:
    author = {"name": entry.author_name, "contact": f"citizen-{entry.author}@example.org"}
    shown: dict[str, object] = {
        "text": entry.text,
        "publishedAt": _time(entry.at),
        "author": author,
        "regime": "POS_MESSAGE",
    }
    if entry.latitude is not None:
        shown |= {"latitude": entry.latitude, "longitude": entry.longitude}
    return shown


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()
