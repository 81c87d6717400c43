"""Requests as the platforms send them, each part of them open to be spoilt."""

import itertools
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from tests.intake.network import FURTHER, Network, now
from tests.workers.platforms.bodies import ok_webhook, raw, tg_message, vk_event, vk_post
from workers.platforms.signed.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from workers.platforms.telegram import SECRET_HEADER

numbers = itertools.count(70_001)  # of messages that no platform holds


def knock(
    net: Network, path: str, body: bytes, ahead: timedelta = timedelta(), **headers: str
) -> httpx.Response:
    """`ahead`: so fast is our clock. Till then no worker takes it in."""
    net.api.clock.now = now() + ahead
    return net.api.client.post(path, content=body, headers=headers)


# VK


def vk_body(net: Network, type: str, about: dict[str, Any], **changes: Any) -> bytes:
    account = net.account("vk")
    known = {
        "event_id": f"{next(numbers)}",
        "group_id": account.number,
        "secret": account.secret("webhook"),
    }
    return vk_event(type, about, **(known | changes))


def vk_wall_post(net: Network, text: str, **changes: Any) -> dict[str, Any]:
    """A post on the wall of the group that `net` listens to."""
    own = {"id": next(numbers), "owner_id": -net.account("vk").number, "date": int(time.time())}
    return vk_post(text=text, **(own | changes))


def vk(net: Network, type: str, about: dict[str, Any], **changes: Any) -> httpx.Response:
    return vk_sent(net, vk_body(net, type, about, **changes))


def vk_sent(
    net: Network, body: bytes, source: str = "", ahead: timedelta = timedelta()
) -> httpx.Response:
    return knock(net, f"/intake/vk/{source or net.source('vk')}", body, ahead)


# Telegram


def tg_body(text: str = "Не вывозят мусор", **changes: Any) -> bytes:
    written = tg_message(message_id=next(numbers), date=int(time.time()), text=text)
    return raw({"update_id": next(numbers), "message": written} | changes)


def telegram(net: Network, body: bytes, **headers: str) -> httpx.Response:
    shown = {SECRET_HEADER: net.account("telegram").secret("webhook")} | headers
    return knock(net, f"/intake/telegram/{net.source('telegram')}", body, **shown)


# Odnoklassniki


def ok_body(text: str = "Не горит фонарь", **changes: Any) -> bytes:
    number = next(numbers)
    written = {"text": text, "seq": number, "mid": f"mid:C7.{number:x}"}
    return raw(ok_webhook(message=written, timestamp=int(time.time() * 1000)) | changes)


def ok(net: Network, body: bytes, token: str | None = None) -> httpx.Response:
    shown = net.account("ok").secret("path") if token is None else token
    return knock(net, f"/intake/ok/{net.source('ok')}/{shown}", body)


# Signed sources


def appeal(text: str = "Течёт крыша", **changes: Any) -> dict[str, Any]:
    facts = {"id": f"P-{next(numbers)}", "text": text, "publishedAt": datetime.now(UTC).isoformat()}
    return facts | changes


def signed(
    net: Network,
    body: object,
    source: str = "63-pos",
    *,
    key: str | None = None,
    at: datetime | None = None,
    ahead: timedelta = timedelta(),
    **headers: str,
) -> httpx.Response:
    """`body` is sent as it is, if it is bytes already; a header that is empty is left out."""
    content = body if isinstance(body, bytes) else raw(body)
    timestamp = f"{int((now() + ahead if at is None else at).timestamp())}"
    known = FURTHER.get(source) or net.account("pos").token
    shown = {
        "X-Tsur-Source": source,
        TIMESTAMP_HEADER: timestamp,
        SIGNATURE_HEADER: sign(content, timestamp=timestamp, key=(key or known).encode()),
    }
    sent = {name: value for name, value in (shown | headers).items() if value}
    return knock(net, "/intake/v1/messages", content, ahead, **sent)
