"""The pages and bots of the stand-in platforms, as sources of the demo network."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from uuid import NAMESPACE_OID, uuid5

import msgspec

from api.demo.platforms.accounts import Account
from domain.errors import SourceExists
from domain.office import OpenSource
from domain.rights import Actor
from domain.vocabulary import Regime
from regions.node import Node
from regions.offices import command_office
from regions.reference.catalogue import Catalogue
from regions.sources import FILE

CHANNELS = {"vk": "VK", "telegram": "TELEGRAM", "ok": "OK", "pos": "POS"}
NAMES = {
    "vk": "Подслушано: {region}",
    "telegram": "Чат жителей: {region}",
    "ok": "Наш край: {region}",
    "pos": "Госуслуги. Решаем вместе: {region}",
}
SILENCE_HOURS = 24
REGIONS = ("63", "77", "23")  # with pages: more would only be more of the same
# Whose group it is: a town's page tells where what is written there happened.
TOWNS = {"63": "63-samara"}


def regions_with_pages(catalogue: Catalogue) -> list[str]:
    """Those that the catalogue has; another country's has none."""
    return [code for code in REGIONS if code in catalogue.regions]


def accounts_of(region: str, name: str = "") -> tuple[Account, ...]:
    """One page of each platform."""
    number = int.from_bytes(region.encode()) % 100_000
    return tuple(
        Account(
            platform=platform,  # type: ignore[arg-type]  # the keys of CHANNELS
            source=f"{region}-{platform}",
            name=NAMES[platform].format(region=name or region),
            number=1000 * (place + 1) * 1_000 + number,
        )
        for place, platform in enumerate(CHANNELS)
    )


def write_accounts(file: Path, accounts: Sequence[Account]) -> None:
    """For the stand-ins, which are a process of their own."""
    file.write_bytes(msgspec.json.encode(accounts))


def access_of(accounts: Sequence[Account], platforms: str) -> str:
    """A sources.toml with the secrets the stand-ins know. `platforms`: where they are reached."""
    lines = []
    for account in accounts:
        secret = {
            "vk": account.secret("webhook"),
            "telegram": account.secret("webhook"),
            "ok": account.secret("path"),
            "pos": account.token,
        }[account.platform]
        lines += [
            f'["{account.source}"]',
            f'secret = "{secret}"',
            f'confirmation = "{account.secret("confirmation")}"',
            f'token = "{account.token}"',
            f'reading_token = "{account.secret("service token")}"',
            f'address = "{platforms}/{account.platform}"',
            "",
        ]
    return "\n".join(lines)


MARK = "# Made by the demo, which makes it again at each start.\n"


def may_write_access(home: Path) -> bool:
    """Whether the file is the demo's own, or none: real secrets are not overwritten."""
    file = home / FILE
    return not file.exists() or file.read_text(encoding="utf-8").startswith(MARK)


def write_access(home: Path, access: str) -> None:
    """For the doors and the workers; readable by their own user only."""
    file = home / FILE
    file.touch(mode=0o600)
    file.write_text(MARK + access, encoding="utf-8")


def open_sources(
    node: Node, region: str, accounts: Sequence[Account], *, at: datetime, by: Actor
) -> None:
    """Once: what is open already stays."""
    for account in accounts:
        pos = account.platform == "pos"
        command = OpenSource(
            code=account.source,
            channel=CHANNELS[account.platform],
            name=account.name,
            address=str(account.number),
            regime=Regime.POS_MESSAGE if pos else Regime.IM,
            municipality=None if pos else TOWNS.get(region),
            silence_hours=SILENCE_HOURS,
        )
        try:
            command_office(
                node.centre(region),
                command,
                command_id=uuid5(NAMESPACE_OID, f"demo source {account.source}"),
                at=at,
                by=by,
            )
        except SourceExists:
            continue
