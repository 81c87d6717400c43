"""VK: methods at /vk/method/<name>.

dev.vk.com/api/api-requests, …/reference/errors and the pages of the methods. Which error a deleted
post or comment gives is not said there; of those that fit, 210 and 211 are taken.
"""

import json
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse

from api.demo.platforms.accounts import Account
from api.demo.platforms.stage import Stage, number, parameters
from api.demo.platforms.vk_objects import comment, message, parents, tell
from api.demo.platforms.world import Entry

COMMENT_MAX = 16_384
MESSAGE_MAX = 9_000
CALLS_MAX = 20  # a second, with the token of a community
Parameters = Mapping[str, str]


class Error(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


async def answer(request: Request) -> JSONResponse:
    """Always 200: errors are a part of the body."""
    stage: Stage = request.app.state.stage
    given = await parameters(request)
    try:
        return JSONResponse({"response": respond(stage, request.path_params["method"], given)})
    except Error as error:
        body = {"error_code": error.code, "error_msg": error.message, "request_params": []}
        return JSONResponse({"error": body})


def respond(stage: Stage, method: str, given: Parameters) -> object:
    if "v" not in given:
        raise Error(8, "Invalid request: v is required")
    account = _account(stage, method, given.get("access_token", ""))
    if stage.faults.too_many(("vk", account.source), CALLS_MAX, 1.0) is not None:
        raise Error(6, "Too many requests per second")
    if fault := stage.faults.take_code("vk"):
        raise Error(fault.code or 1, fault.description or "as ordered")
    if method not in METHODS:
        raise Error(3, "Unknown method passed")
    return METHODS[method](stage, account, given)


def _account(stage: Stage, method: str, token: str) -> Account:
    if account := stage.accounts.by_token("vk", token):
        if method == "wall.getComments":
            raise Error(27, "Group authorization failed: method is unavailable with group auth.")
        return account
    for account in stage.accounts.all:
        if account.platform == "vk" and token == account.secret("service token"):
            return account
    raise Error(5, "User authorization failed: invalid access_token (4).")


def _create_comment(stage: Stage, account: Account, given: Parameters) -> object:
    post, text, guid = _post(stage, account, given), given.get("message", ""), given.get("guid")
    if not text.strip() or len(text) > COMMENT_MAX:
        raise Error(100, "One of the parameters specified was missing or invalid: message")
    if guid and (known := stage.world.keyed("vk", account.source, guid)):
        return {"comment_id": known.number, "parents_stack": parents(stage.world, known)}
    if stage.world.is_barred(post.name):
        raise Error(213, "Access to status replies denied")
    to = _replied(stage, post, given)
    done = stage.publish(
        account, "comment", text, chat=post.chat, key=guid, parent=post.number, reply_to=to
    )
    done = stage.world.rename(done.number, f"{post.name}_r{done.number}")
    # VK tells a community also what it has written itself.
    tell(stage, account, "wall_reply_new", comment(stage.world, done))
    return {"comment_id": done.number, "parents_stack": parents(stage.world, done)}


def _post(stage: Stage, account: Account, given: Parameters) -> Entry:
    post = stage.world.find(number(given, "post_id"))
    if post is None or post.kind != "post" or post.source != account.source:
        raise Error(210, "Access to wall's post denied")
    if post.deleted or post.suggested or number(given, "owner_id") != post.chat:
        raise Error(210, "Access to wall's post denied")
    return post


def _replied(stage: Stage, post: Entry, given: Parameters) -> int | None:
    wanted = number(given, "reply_to_comment")
    found = stage.world.find(wanted)
    if wanted and (found is None or found.parent != post.number or found.deleted):
        raise Error(211, "Access to wall's comment denied")
    return wanted


def _get_comments(stage: Stage, account: Account, given: Parameters) -> object:
    post, top = _post(stage, account, given), number(given, "comment_id")
    found = stage.world.select("parent = ? AND NOT deleted", post.number)
    stack = [top] if top else []
    wanted = [entry for entry in found if parents(stage.world, entry) == stack]
    if given.get("sort") == "desc":
        wanted.reverse()
    shown = wanted[: number(given, "count") or 10]
    return {"count": len(wanted), "items": [comment(stage.world, entry) for entry in shown]}


def _send(stage: Stage, account: Account, given: Parameters) -> object:
    peer, text = number(given, "peer_ids") or 0, given.get("message", "")
    if stage.world.is_barred(f"vk:{peer}"):
        return [_failed(peer, 901, "Can't send messages for users without permission")]
    if len(text) > MESSAGE_MAX:
        return [_failed(peer, 914, "Message is too long")]
    sent = _sent(stage, account, peer, given)
    ids = {"message_id": sent.number, "conversation_message_id": sent.number}
    return [{"peer_id": peer, **ids}]


def _sent(stage: Stage, account: Account, peer: int, given: Parameters) -> Entry:
    key = f"{peer}:{given.get('random_id', '0')}"
    if not key.endswith(":0") and (known := stage.world.keyed("vk", account.source, key)):
        return known
    text, to = given.get("message", ""), _forwarded(given)
    done = stage.publish(account, "message", text, chat=peer, key=key, reply_to=to)
    done = stage.world.rename(done.number, f"im-{account.number}_m{done.number}")
    tell(stage, account, "message_reply", message(stage.world, done))
    return done


def _forwarded(given: Parameters) -> int | None:
    wanted = json.loads(given.get("forward", "{}")).get("conversation_message_ids", [])
    return int(wanted[0]) if wanted else None


def _failed(peer: int, code: int, description: str) -> dict[str, object]:
    error = {"code": code, "description": description}
    return {"peer_id": peer, "message_id": 0, "conversation_message_id": 0, "error": error}


def _get_history(stage: Stage, account: Account, given: Parameters) -> object:
    found = stage.world.select(
        "source = ? AND chat = ? AND kind = 'message'", account.source, number(given, "peer_id")
    )
    found.reverse()
    shown = found[: number(given, "count") or 20]
    return {"count": len(found), "items": [message(stage.world, entry) for entry in shown]}


METHODS = {
    "wall.createComment": _create_comment,
    "wall.getComments": _get_comments,
    "messages.send": _send,
    "messages.getHistory": _get_history,
}
