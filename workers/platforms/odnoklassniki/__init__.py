"""Odnoklassniki: the messages of a group."""

from workers.platforms.odnoklassniki.webhook import (
    asks_confirmation,
    authentic,
    facts,
    is_from_odnoklassniki,
    update_key,
)

__all__ = [
    "asks_confirmation",
    "authentic",
    "facts",
    "is_from_odnoklassniki",
    "update_key",
]
