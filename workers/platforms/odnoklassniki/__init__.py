"""Odnoklassniki: the messages of a group."""

from workers.platforms.odnoklassniki.client import OdnoklassnikiClient
from workers.platforms.odnoklassniki.webhook import (
    asks_confirmation,
    authentic,
    facts,
    is_from_odnoklassniki,
    update_key,
)

__all__ = [
    "OdnoklassnikiClient",
    "asks_confirmation",
    "authentic",
    "facts",
    "is_from_odnoklassniki",
    "update_key",
]
