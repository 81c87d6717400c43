"""Telegram: the updates of a bot."""

from workers.platforms.telegram.updates import SECRET_HEADER, authentic, facts, update_key

__all__ = ["SECRET_HEADER", "authentic", "facts", "update_key"]
