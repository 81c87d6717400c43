"""Whose pages and bots the stand-ins hold, and the secrets both sides know."""

import hashlib
from pathlib import Path
from typing import Literal

import msgspec

Platform = Literal["vk", "telegram", "ok", "pos"]


class Account(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A community, a bot, a group, a system that signs."""

    platform: Platform
    source: str  # our code for it, the last part of the path its webhooks go to
    name: str
    number: int  # the platform's own id of it

    def secret(self, use: str) -> str:
        """The same in every process: made-up pages need no secrets that are kept."""
        return hashlib.sha256(f"{self.platform}:{self.source}:{use}".encode()).hexdigest()[:32]

    @property
    def token(self) -> str:
        """With which the centre calls the platform."""
        token = self.secret("token")
        return f"{self.number}:{token}" if self.platform == "telegram" else token


ACCOUNTS = (
    Account(platform="vk", source="vk-demo", name="Подслушано в области", number=1001),
    Account(platform="telegram", source="telegram-demo", name="Чат области", number=2002),
    Account(platform="ok", source="ok-demo", name="Наша область", number=3003),
    Account(platform="pos", source="pos-demo", name="Госуслуги. Решаем вместе", number=4004),
)


class Accounts:
    """Found by source, by the platform's number, or the only one of a platform."""

    def __init__(self, accounts: tuple[Account, ...]) -> None:
        self.all = accounts
        self._by_source = {account.source: account for account in accounts}

    def of(self, platform: str, source: str | None) -> Account | None:
        """Without a source, the first of the platform."""
        if source is not None:
            found = self._by_source.get(source)
            return found if found and found.platform == platform else None
        return next((one for one in self.all if one.platform == platform), None)

    def by_token(self, platform: str, token: str) -> Account | None:
        held = (one for one in self.all if one.platform == platform)
        return next((one for one in held if one.token == token), None)


def load(file: Path | None) -> Accounts:
    """The accounts of a JSON file, or one of each platform."""
    if file is None:
        return Accounts(ACCOUNTS)
    return Accounts(msgspec.json.decode(file.read_bytes(), type=tuple[Account, ...]))
