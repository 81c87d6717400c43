"""What all stand-ins share: what stands there, whose it is, what goes wrong, what is delivered."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.requests import Request

from api.demo.platforms.accounts import Account, Accounts
from api.demo.platforms.delivery import Deliverer
from api.demo.platforms.faults import Faults
from api.demo.platforms.world import Entry, World


@dataclass(frozen=True, slots=True)
class Stage:
    world: World
    accounts: Accounts
    faults: Faults
    deliverer: Deliverer

    def publish(
        self,
        account: Account,
        kind: str,
        text: str,
        *,
        chat: int,
        key: str | None = None,
        parent: int | None = None,
        reply_to: int | None = None,
    ) -> Entry:
        """Something the centre wrote."""
        return self.world.add(
            Entry(
                platform=account.platform,
                source=account.source,
                kind=kind,
                chat=chat,
                parent=parent,
                reply_to=reply_to,
                author=-account.number,
                author_name=account.name,
                text=text,
                at=time.time(),
                ours=True,
                key=key,
            )
        )


async def parameters(request: Request) -> dict[str, str]:
    """Of the address and of the body, which is a form or JSON; what is no text is JSON."""
    body = (await request.body()).decode()
    if request.headers.get("content-type", "").startswith("application/json"):
        sent = {name: _text(value) for name, value in json.loads(body).items()}
    else:
        sent = dict(parse_qsl(body, keep_blank_values=True))
    return dict(request.query_params) | sent


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def number(given: Mapping[str, str], name: str) -> int | None:
    """None if it is missing or none."""
    text = given.get(name, "").removeprefix("-")
    return int(given[name]) if text.isascii() and text.isdecimal() else None
