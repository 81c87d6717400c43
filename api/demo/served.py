"""The stand-ins for the platforms, as a part of `tsur up --demo`."""

import uvicorn

from api.app import utc_now
from api.demo.platforms.accounts import Account, Accounts
from api.demo.platforms.app import create_app
from api.demo.sources import (
    access_of,
    accounts_of,
    may_write_access,
    open_sources,
    regions_with_pages,
    write_access,
)
from domain.rights import SYSTEM
from regions.node import Node
from regions.reference.catalogue import Catalogue, load_catalogue
from regions.settings import Settings

PLATFORMS_PORT = 8010


def demo_accounts(catalogue: Catalogue) -> tuple[Account, ...]:
    """The pages of the demo."""
    return tuple(
        account
        for code in regions_with_pages(catalogue)
        for account in accounts_of(code, catalogue.regions[code].name)
    )


def connect_platforms(node: Node, settings: Settings, port: int = PLATFORMS_PORT) -> None:
    """Open the sources of the demo, and write the secrets both sides know."""
    accounts = demo_accounts(node.catalogue)
    if not accounts or not may_write_access(settings.home):
        return
    write_access(settings.home, access_of(accounts, f"http://127.0.0.1:{port}"))
    for code in regions_with_pages(node.catalogue):
        of_region = [each for each in accounts if each.source.startswith(f"{code}-")]
        open_sources(node, code, of_region, at=utc_now(), by=SYSTEM)


def serve_platforms(settings: Settings, port: int) -> None:
    """On this machine, until told to stop; posts and replies survive a restart."""
    accounts = Accounts(demo_accounts(load_catalogue(settings.catalogue)))
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    state = str(settings.home / "platforms.sqlite")
    app = create_app(state, accounts, f"http://{host}:{settings.port}")
    uvicorn.run(
        app, host="127.0.0.1", port=port, log_config=None, log_level="warning", access_log=False
    )
