"""Telegram: the updates of a bot, and the method by which it answers."""

from workers.platforms.telegram.client import TelegramClient
from workers.platforms.telegram.updates import SECRET_HEADER, authentic, facts, update_key

__all__ = ["SECRET_HEADER", "TelegramClient", "authentic", "facts", "update_key"]
