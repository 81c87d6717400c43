"""Webhooks on their way: each again and again until it is answered, as the platforms do."""

import asyncio
import hmac
import json
import logging
import random
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import httpx

from api.demo.platforms.accounts import Accounts
from api.demo.platforms.faults import Faults
from api.demo.platforms.world import World

log = logging.getLogger(__name__)

AT_ONCE = 20  # connections; Telegram opens up to 40 (setWebhook, max_connections)
TIMEOUT_SECONDS = 5.0  # Odnoklassniki waits so long (graph.user.subscribe)
SPREAD_SECONDS = 1.0  # within which shuffled webhooks overtake each other
RETRY_SECONDS_MAX = 60.0
LOOK_SECONDS = 0.1  # for what has come due, when nothing new was said


class Deliverer:
    """Delivers what is in the table, whoever put it there, also before this process began."""

    def __init__(
        self, world: World, accounts: Accounts, faults: Faults, target: str | None
    ) -> None:
        self.world = world
        self.accounts = accounts
        self.faults = faults
        self.target = target
        self._under_way: set[int] = set()
        # Threads: the asynchronous client takes several times as long for a request.
        self._threads = ThreadPoolExecutor(AT_ONCE)
        self._news = asyncio.Event()

    def add(
        self,
        source: str,
        path: str,
        body: Mapping[str, object],
        headers: Mapping[str, str] | None = None,
        expected: str | None = None,
    ) -> None:
        """Nothing, if there is nobody to deliver to."""
        if self.target is None:
            return
        raw = json.dumps(body, ensure_ascii=False).encode()
        settings = self.faults.settings
        for _ in range(2 if random.random() < settings.duplicates else 1):
            late = random.uniform(0, SPREAD_SECONDS) if settings.shuffle else 0.0
            self.world.rows.execute(
                "INSERT INTO delivery (source, path, headers, body, expected, due)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                [source, path, json.dumps(headers or {}), raw, expected, time.time() + late],
            )
        self._news.set()

    def counts(self) -> dict[str, int]:
        row = self.world.rows.execute(
            "SELECT count(*) FILTER (WHERE NOT done), count(*) FILTER (WHERE done),"
            " coalesce(sum(attempts), 0) FROM delivery"
        ).fetchone()
        return dict(zip(("pending", "delivered", "attempts"), row, strict=True))

    async def run(self) -> None:
        if self.target is None:
            return
        limits = httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE)
        with (
            self._threads,
            httpx.Client(
                base_url=self.target, timeout=TIMEOUT_SECONDS, limits=limits, trust_env=False
            ) as http,
        ):
            async with asyncio.TaskGroup() as tasks:
                while True:
                    self._news.clear()
                    for number in self._due():
                        self._under_way.add(number)
                        tasks.create_task(self._deliver(http, number))
                    await self._wait()

    async def _wait(self) -> None:
        try:
            await asyncio.wait_for(self._news.wait(), LOOK_SECONDS)
        except TimeoutError:
            return

    def _due(self) -> list[int]:
        free = AT_ONCE - len(self._under_way)
        rows = self.world.rows.execute(
            "SELECT number FROM delivery WHERE NOT done AND due <= ? ORDER BY due, number LIMIT ?",
            [time.time(), AT_ONCE],
        )
        return [number for (number,) in rows if number not in self._under_way][:free]

    async def _deliver(self, http: httpx.Client, number: int) -> None:
        row = self.world.rows.execute(
            "SELECT source, path, headers, body, expected FROM delivery WHERE number = ?", [number]
        ).fetchone()
        if row is not None:  # else everything was forgotten meanwhile
            source, path, headers, body, expected = row
            sent = json.loads(headers) | self._signature(source, body)
            arrived = await asyncio.get_running_loop().run_in_executor(
                self._threads, _post, http, path, body, sent, expected
            )
            self._note(number, arrived)
        self._under_way.discard(number)
        self._news.set()

    def _note(self, number: int, arrived: bool) -> None:
        """Done, or due again after a pause that doubles."""
        self.world.rows.execute(
            "UPDATE delivery SET done = ?, attempts = attempts + 1,"
            " due = ? + min(?, ? * (1 << min(attempts, 16))) WHERE number = ?",
            [arrived, time.time(), RETRY_SECONDS_MAX, self.faults.settings.retry_seconds, number],
        )

    def _signature(self, source: str, body: bytes) -> dict[str, str]:
        """Made at each attempt: an old one is not taken any more."""
        account = self.accounts.of("pos", source)
        if account is None:
            return {}
        now = f"{int(time.time())}"
        return {"X-Tsur-Timestamp": now, "X-Tsur-Signature": signature(account.token, now, body)}


def signature(key: str, timestamp: str, body: bytes) -> str:
    signed = f"{timestamp}.".encode() + body
    return "sha256=" + hmac.digest(key.encode(), signed, "sha256").hex()


def _post(
    http: httpx.Client, path: str, body: bytes, headers: dict[str, str], expected: str | None
) -> bool:
    headers = {"Content-Type": "application/json", **headers}
    try:
        answer = http.post(path, content=body, headers=headers)
    except httpx.HTTPError:
        return False
    return answer.is_success and expected in (None, answer.text)
