"""Bodies as the platforms document them; every value is made up."""

import json
from datetime import UTC, datetime
from typing import Any

RECEIVED = datetime(2026, 3, 2, 12, 0, 0, tzinfo=UTC)
WRITTEN = 1_772_452_800  # 2026-03-02T12:00:00Z
GROUP = 1001
CITIZEN = 500001


def raw(body: object) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()


# VK: dev.vk.com/api/community-events/json-schema


def vk_event(type: str, about: dict[str, Any], **changes: Any) -> bytes:
    event = {
        "type": type,
        "event_id": "f3c1",
        "v": "5.199",
        "group_id": GROUP,
        "secret": "s3cret",
        "object": about,
    }
    return raw(event | changes)


def vk_post(**changes: Any) -> dict[str, Any]:
    return {
        "inner_type": "wall_wallpost",
        "id": 45,
        "owner_id": -GROUP,
        "from_id": CITIZEN,
        "date": WRITTEN,
        "text": "Яма на Мирной",
        "post_type": "post",
        "attachments": [],
    } | changes


def vk_comment(**changes: Any) -> dict[str, Any]:
    return {
        "id": 67,
        "from_id": CITIZEN,
        "date": WRITTEN,
        "text": "И у нас нет воды",
        "post_id": 45,
        "owner_id": -GROUP,
        "post_owner_id": -GROUP,
        "parents_stack": [],
    } | changes


def vk_message(**changes: Any) -> dict[str, Any]:
    return {
        "id": 890,
        "conversation_message_id": 12,
        "peer_id": CITIZEN,
        "from_id": CITIZEN,
        "date": WRITTEN,
        "text": "Когда включат отопление?",
        "out": 0,
        "attachments": [],
        "version": 10000001,
    } | changes


# Telegram: core.telegram.org/bots/api#update

GROUP_CHAT = -1001234567890
CHANNEL = -1009876543210


def update(type: str, message: dict[str, Any], **changes: Any) -> bytes:
    return raw({"update_id": 42, type: message} | changes)


def tg_user(**changes: Any) -> dict[str, Any]:
    name = {"first_name": "Мария", "last_name": "Примерова"}
    return {"id": CITIZEN, "is_bot": False, **name} | changes


def tg_message(**changes: Any) -> dict[str, Any]:
    return {
        "message_id": 7,
        "date": WRITTEN,
        "chat": {"id": CITIZEN, "type": "private", "first_name": "Мария"},
        "from": tg_user(),
        "text": "Не вывозят мусор",
    } | changes


def tg_comment(**changes: Any) -> dict[str, Any]:
    """A comment on a post of a channel: a message in the group linked to it."""
    group = {"id": GROUP_CHAT, "type": "supergroup", "title": "Обсуждение"}
    channel = {"id": CHANNEL, "type": "channel", "title": "Новости"}
    forwarded = {
        "message_id": 3,
        "date": WRITTEN - 60,
        "chat": group,
        "from": {"id": 777000, "is_bot": False, "first_name": "Telegram"},
        "sender_chat": channel,
        "is_automatic_forward": True,
        "text": "Новости дня",
    }
    return tg_message(
        message_id=8, chat=group, message_thread_id=3, reply_to_message=forwarded, **changes
    )


# Odnoklassniki: apiok.ru/dev/graph_api/methods/graph.user/graph.user.subscribe/post


def ok_webhook(**changes: Any) -> dict[str, Any]:
    return {
        "webhookType": "MESSAGE_CREATED",
        "sender": {"user_id": "user:123456789012", "name": "Пётр Примеров"},
        "recipient": {"chat_id": "chat:C3ecb9d02a600"},
        "message": {
            "text": "Не горит фонарь",
            "seq": 98211023614189660,
            "mid": "mid:C3ecb9d02a600.15cea67d78d2059",
        },
        "timestamp": WRITTEN * 1000,
    } | changes


# The signed door: workers/platforms/signed/messages.py


def signed_message(**changes: Any) -> dict[str, Any]:
    return {
        "id": "POS-1",
        "text": "Течёт крыша",
        "publishedAt": "2026-03-02T15:00:00+03:00",
        "author": {"name": "Мария Примерова", "contact": "maria@example.org"},
        "regime": "POS_MESSAGE",
    } | changes
