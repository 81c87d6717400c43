"""A node that listens and answers: API, workers, projector and platforms, over real sockets."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import psycopg

from api.demo.platforms.accounts import Account
from api.demo.sources import access_of, accounts_of, open_sources, write_access, write_accounts
from api.processes import free_port
from api.types.node import incident_id
from domain import commands as c
from domain.office import CloseSource, OpenSource
from domain.rights import SYSTEM, Actor
from domain.vocabulary import Role
from regions.centre import Result
from regions.inbox import Inbox
from regions.node import Node
from regions.offices import command_office
from regions.store.event_store import decode_event
from regions.store.jobs import job
from tests.api.conftest import Api, catch_up, node_on, projecting, serving
from tests.conftest import RUSSIA
from tests.platforms import StandIns, stand_ins
from tests.waiting import until
from workers.crew import crew

REGION = "63"
CURATOR = Actor("Иванова", Role.CURATOR)
HEAD = Actor("Петров", Role.ORG_HEAD)
EXECUTOR = Actor("Сидоров", Role.EXECUTOR)
OFFICER = Actor("Орлова", Role.DATA_OFFICER)

# Secrets of sources that a test may open; they sign, and are answered nowhere.
FURTHER = {
    code: f"key of {code}" for code in ("63-news", "63-forum", "63-roads", "63-letters", "63-club")
}


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Network:
    api: Api
    node: Node
    platforms: StandIns
    accounts: Sequence[Account]
    home: Path
    line: psycopg.Connection  # to look with

    def account(self, platform: str) -> Account:
        return next(each for each in self.accounts if each.platform == platform)

    def source(self, platform: str) -> str:
        return self.account(platform).source

    def open(self, code: str, channel: str, **facts: Any) -> None:
        """Listen to a source; `facts` as OpenSource has them."""
        given = {"name": code, "address": code} | facts
        self._office(OpenSource(code=code, channel=channel, **given))

    def close(self, code: str) -> None:
        self._office(CloseSource(code=code))

    def _office(self, command: OpenSource | CloseSource) -> None:
        centre = self.node.centre(REGION)
        command_office(centre, command, command_id=uuid4(), at=now(), by=SYSTEM)
        catch_up(self.api.url)

    def citizen(self, platform: str, action: str, text: str = "", **more: Any) -> str:
        """What the platform calls what came of it."""
        self.api.clock.now = now()
        more = {"source": self.source(platform)} | more
        return str(self.platforms.citizen(platform, action, text, **more)["id"])

    @property
    def inbox(self) -> Inbox:
        return Inbox(self.node.pool, self.node.vault)

    def rows(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        return self.line.execute(statement, parameters).fetchall()  # type: ignore[arg-type]

    def count(self, statement: str, *parameters: object) -> int:
        return int(self.rows(statement, *parameters)[0][0])

    def settle(self) -> None:
        """Wait until nothing is on its way any more."""
        until(lambda: self.platforms.pending() == 0)
        until(lambda: not self.rows("SELECT FROM dramatiq.queue WHERE state <> 'rejected'"))
        catch_up(self.api.url)

    def settle_in_time(self) -> None:
        """The same, where what was put off comes due at once."""
        until(lambda: self.platforms.pending() == 0)
        until(self._nothing_is_due)
        catch_up(self.api.url)

    def _nothing_is_due(self) -> bool:
        waiting = "SELECT FROM dramatiq.queue WHERE state <> 'rejected'"
        return not self.let_time_pass() and not self.rows(waiting)

    def enqueue(self, actor: str, *identifiers: str | int) -> None:
        """Have a job done, perhaps once more."""
        work = job(actor, *identifiers, available_at=now())
        self.rows(
            """
            INSERT INTO dramatiq.queue (message_id, queue_name, state, message, available_at)
            VALUES (%s, %s, 'queued', %s::jsonb, %s)
            RETURNING message_id
            """,
            *(work.message_id, work.queue, work.body.decode(), work.available_at),
        )

    def let_time_pass(self) -> bool:
        """What was put off is due now; whether anything was."""
        put_off = self.rows(
            """
               UPDATE dramatiq.queue
                  SET available_at = now()
                WHERE available_at > now()
            RETURNING message_id
            """
        )
        return bool(put_off)

    def incidents(self) -> list[UUID]:
        """Captured here, the first first."""
        rows = self.rows(
            """
            SELECT originator_id
              FROM events
             WHERE region = %s
               AND topic = 'MessageCaptured'
             ORDER BY pos
            """,
            REGION,
        )
        return [incident for (incident,) in rows]

    def incident_of(self, external_id: str) -> UUID:
        """Where a message stands; its id as its platform has it."""
        ((incident,),) = self.rows(
            "SELECT incident_id FROM message_key WHERE external_id IN (%s, %s)",
            external_id,
            self.scoped(external_id),
        )
        return incident  # type: ignore[no-any-return]  # a column of uuid

    def is_known(self, external_id: str) -> bool:
        statement = "SELECT count(*) FROM message_key WHERE external_id IN (%s, %s)"
        return self.count(statement, external_id, self.scoped(external_id)) == 1

    def scoped(self, external_id: str) -> str:
        """As the log has it: ids of one source have its code before them, those of walls not."""
        prefixes = {"im-": "vk", "mid:": "ok", "POS-": "pos"}
        found = (of for prefix, of in prefixes.items() if external_id.startswith(prefix))
        if external_id.startswith("wall"):
            return external_id
        return f"{self.source(next(found, 'telegram'))}:{external_id}"

    def events(self, incident: UUID) -> list[Any]:
        stored = self.node.centre(REGION).recorder.select_events(incident)
        return [decode_event(each.topic, each.state) for each in stored]

    def told(self, incident: UUID) -> list[str]:
        return [event.TOPIC for event in self.events(incident)]

    def event(self, incident: UUID, of: type) -> Any:
        """The only event of a type."""
        (found,) = (event for event in self.events(incident) if isinstance(event, of))
        return found

    def opened(self, incident: UUID, sealed: Any, by: type[c.Command]) -> Any:
        content = self.node.centre(REGION).open(incident, sealed, by)
        return msgspec.json.decode(content) if content else None

    def ask(self, incident: UUID, command: c.Command, by: Actor) -> Result:
        centre = self.node.centre(REGION)
        return centre.handle(incident, command, command_id=uuid4(), at=now(), by=by)

    def answer(self, incident: UUID, text: str) -> None:
        """Let an executor draft a final reply, and the head approve it."""
        self.ask(incident, c.DraftReply(kind=c.ReplyKind.FINAL, text=text), EXECUTOR)
        self.ask(incident, c.ApproveReply(despite_flaws=True), HEAD)

    def submit(self, incident: UUID, text: str) -> None:
        """Let a first reply out that needs no review."""
        self.ask(incident, c.SubmitReply(text=text), SYSTEM)

    def replies(self, text: str) -> list[dict[str, Any]]:
        """Where a text of ours stands."""
        return [each for each in self.platforms.replies() if each["text"] == text]

    def is_in(self, queue: str, incident: UUID) -> bool:
        """Whether it waits in a queue, as the API tells."""
        query = (
            "query ($of: IncidentFilterInput!, $after: String) { incidents(filter: $of, first: 100,"
            " after: $after) { edges { node { id } } pageInfo { hasNextPage endCursor } } }"
        )
        chosen, after = {"queue": queue, "region": REGION}, None
        while True:
            page = self.api.ask(query, token=self.api.token(), of=chosen, after=after)["incidents"]
            if incident_id(REGION, incident) in (edge["node"]["id"] for edge in page["edges"]):
                return True
            if not page["pageInfo"]["hasNextPage"]:
                return False
            after = page["pageInfo"]["endCursor"]


@contextmanager
def network(url: str, home: Path, *options: str) -> Iterator[Network]:
    """On a prepared database with the Russian catalogue; `options` are the stand-ins'."""
    with unattended(url, home, *options) as net, crew(net.node, RUSSIA, home, now):
        yield net


@contextmanager
def unattended(url: str, home: Path, *options: str) -> Iterator[Network]:
    """The same without anybody who works."""
    port = free_port()
    accounts = accounts_of(REGION)
    write_accounts(home / "accounts.json", accounts)
    access = access_of(accounts, f"http://127.0.0.1:{port}") + further_access()
    write_access(home, access)
    with ExitStack() as stack:
        api = stack.enter_context(serving(url, now(), folder=RUSSIA, sources=access))
        node = stack.enter_context(node_on(url, api.catalogue))
        stack.enter_context(projecting(url, api.catalogue))
        open_sources(node, REGION, accounts, at=now(), by=SYSTEM)
        catch_up(url)
        to_us = ("--webhooks", api.address, "--accounts", str(home / "accounts.json"))
        platforms = stack.enter_context(stand_ins(*to_us, *options, port=port))
        line = stack.enter_context(psycopg.connect(url, autocommit=True))
        yield Network(api, node, platforms, accounts, home, line)


def further_access() -> str:
    return "".join(f'\n["{code}"]\nsecret = "{key}"\n' for code, key in FURTHER.items())
