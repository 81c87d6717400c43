"""The demo network at work: a gentle stream of ordinary commands, for as long as it is wanted."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from threading import Event
from typing import NamedTuple
from uuid import UUID, uuid4

import httpx
import psycopg
from psycopg_pool import PoolTimeout

from api.demo.flow import Choice, Message
from api.demo.life import CITIZEN, CURATOR, MONITOR
from api.demo.network import Network
from api.demo.practice import (
    CLARIFIED_SHARE,
    INTERIM_SHARE,
    OUTCOMES,
    RATED_SHARE,
    RATING_REASONS,
    REOPEN_REASONS,
    REOPENED_SHARE,
    RETURN_REASONS,
    RETURNED_SHARE,
    SCORES,
    Practice,
)
from api.demo.sources import regions_with_pages
from domain.commands import (
    AcceptWork,
    ApproveReply,
    Assign,
    Citizen,
    Classify,
    Close,
    Command,
    Dispute,
    DraftReply,
    PublishReply,
    Rate,
    ReceiveClarification,
    RegisterCaptured,
    Reopen,
    RequestClarification,
    Resolve,
    Return,
    SubmitReply,
)
from domain.errors import DomainError
from domain.incident import Incident
from domain.rights import SYSTEM, Actor
from domain.vocabulary import DisputeBy, ReplyAuthor, ReplyKind, Role, Status
from regions.node import Node
from regions.store.event_store import StoreUnavailable

EXECUTOR = Actor("executor", Role.EXECUTOR)
HEAD = Actor("executor-head", Role.ORG_HEAD)

# One command in six begins an incident: they live 7.5 events, and not all come to their end.
REGISTERED_SHARE = 0.16
CANDIDATES_MAX = 1000  # open incidents to go on with; more of them make replies slower
POSTED_FIRST_SHARE = 0.5
POSTED_SHARE = 0.5  # of the messages, where pages are listened to
REFRESH_SECONDS = 10.0
PAUSE_SECONDS = 1.0  # while the database is away
BEHIND_SECONDS_MAX = 5.0  # what is missed beyond is not made up for
DAYTIME_TRIES = 20  # to find somebody for whom it is not night

AWAY = (StoreUnavailable, PoolTimeout, psycopg.OperationalError, psycopg.errors.UndefinedTable)


def live(
    node: Node,
    *,
    seed: int,
    per_second: float,
    stop: Event,
    now: Callable[[], datetime],
    folder: Path | None = None,
    platforms: str | None = None,
) -> None:
    """Give `per_second` commands on average until `stop`; begin with what the read model shows.

    A database that is away is waited for. Returns within a command's time, which while the database
    is away is regions.centre.RETRY_SECONDS at most.
    """
    regions = regions_with_pages(node.catalogue)
    pages = Pages(platforms, regions) if platforms and regions else None
    stream = Stream(node, Network(node.catalogue, seed=seed, folder=folder), now, pages)
    pace = Random(seed)
    due = time.monotonic()
    while True:
        due = max(due, time.monotonic() - BEHIND_SECONDS_MAX) + pace.expovariate(per_second)
        if stop.wait(max(0.0, due - time.monotonic())):
            return
        try:
            stream.step()
        except DomainError:
            continue  # somebody else changed the incident meanwhile: take another one
        except AWAY:
            stop.wait(PAUSE_SECONDS)


class Candidate(NamedTuple):
    """An incident to go on with."""

    incident: UUID
    region: str
    posted: bool  # on a page that is listened to


class Pages:
    """The pages of the stand-in platforms, where citizens of some regions write."""

    def __init__(self, address: str, regions: Sequence[str]) -> None:
        self.regions = regions
        self.http = httpx.Client(base_url=address, timeout=2.0, trust_env=False)

    def write(self, region: str, citizen: Citizen, number: int, random: Random) -> None:
        """Nothing happens while the platforms are away."""
        platform, action = random.choice(WAYS)
        deed = {
            "platform": platform,
            "action": action,
            "source": f"{region}-{platform}",
            "text": citizen.text,
            "author": {"id": 1_000_000 + number, "name": citizen.name or "Житель"},
        }
        with suppress(httpx.HTTPError):
            self.http.post("/_citizen", json=deed)


WAYS = (
    ("vk", "post"),
    ("vk", "comment"),
    ("vk", "comment"),
    ("telegram", "comment"),
    ("ok", "message"),
    ("pos", "message"),
)


class Stream:
    """Takes the next step somewhere in the network."""

    def __init__(
        self,
        node: Node,
        network: Network,
        now: Callable[[], datetime],
        pages: Pages | None = None,
    ) -> None:
        self.node = node
        self.network = network
        self.now = now
        self.pages = pages  # where citizens write on platforms; None: nowhere
        share, here = network.regions.share, node.writes()
        self.regions = Choice({code: share[code] for code in share if code in here})
        # With the start in it, a restart does not repeat the messages of the run before.
        self.random = Random(f"{network.seed}:{now().timestamp()}")
        self._open: list[Candidate] = []
        self._refreshed = float("-inf")
        self._topics: dict[UUID, str] = {}  # what the messages of this run are about

    def step(self) -> None:
        """One command. Raises DomainError and StoreUnavailable as the centre does."""
        self._refresh()
        if self._open and self.random.random() > REGISTERED_SHARE:
            self._proceed(self._some())
        elif self.pages is not None and self.random.random() < POSTED_SHARE:
            self._post(self.pages)
        else:
            self._register()

    def _some(self) -> Candidate:
        """One to go on with; whoever wrote on a page is answered sooner, for people look on."""
        posted = [candidate for candidate in self._open if candidate.posted]
        if posted and self.random.random() < POSTED_FIRST_SHARE:
            return self.random.choice(posted)
        return self.random.choice(self._open)

    def _post(self, pages: Pages) -> None:
        """Somebody writes on a page; what becomes of it is the centre's own doing."""
        region = self.random.choice(pages.regions)
        flow, practice = self.network.flows[region], self.network.practices[region]
        message = flow.message_at(self.now().timestamp(), self.random, at_any_hour=True)
        if message is None:
            return
        number = self.random.randrange(1_000_000)
        written = practice.register(message, self.random, external_id="", number=number)
        if written.citizen is not None:
            pages.write(region, written.citizen, number, self.random)

    def _refresh(self) -> None:
        if time.monotonic() < self._refreshed + REFRESH_SECONDS:
            return
        # By registration: changed_at has no index, and this list is asked for again and again.
        with self.node.pool.connection() as connection:
            rows = connection.execute(
                """
                SELECT id,
                       region,
                       source IS NOT NULL
                  FROM read.incident
                 WHERE status <> %s
                   AND strpos(region, '~') = 0
                 ORDER BY registered_at DESC, id DESC
                 LIMIT %s
                """,
                [Status.CLOSED, CANDIDATES_MAX],
            ).fetchall()
        self._open = [Candidate(*row) for row in rows]
        self._refreshed = time.monotonic()
        still_open = {candidate.incident for candidate in self._open}
        self._topics = {i: topic for i, topic in self._topics.items() if i in still_open}

    def _register(self) -> None:
        at = self.now()
        region, message = self._message(at.timestamp())
        practice = self.network.practices[region]
        register = practice.register(
            message,
            self.random,
            external_id=f"live-{uuid4()}",
            number=self.random.randrange(1_000_000),
        )
        by = SYSTEM if register.channel in self.network.calibration.platforms else MONITOR
        result = self.node.centre(region).register(register, command_id=uuid4(), at=at, by=by)
        self._topics[result.incident_id] = message.topic
        self._open.append(Candidate(result.incident_id, region, posted=False))

    def _message(self, at: float, tries_left: int = DAYTIME_TRIES) -> tuple[str, Message]:
        """Somebody's message; hardly from where it is night, unless it is night everywhere."""
        region = self.regions.pick(self.random)
        message = self.network.flows[region].message_at(
            at, self.random, at_any_hour=tries_left == 0
        )
        return (region, message) if message else self._message(at, tries_left - 1)

    def _proceed(self, candidate: Candidate) -> None:
        incident_id, region, posted = candidate
        centre = self.node.centre(region)
        incident = centre.incident(incident_id)
        step = self._next(incident, self.network.practices[region], posted=posted)
        if step is None:
            self._open.remove(candidate)
            return
        command, by = step
        centre.handle(
            incident_id,
            command,
            command_id=uuid4(),
            at=self.now(),
            by=by,
            expected_version=incident.version,
        )

    def _next(
        self, incident: Incident, practice: Practice, *, posted: bool
    ) -> tuple[Command, Actor] | None:
        """What the incident's state calls for; None if nothing.

        What was `posted` on a page is answered there by the workers, once a reply may go out.
        """
        draft = incident.cycle.draft
        if posted and draft is not None and draft.approved:
            return None
        match incident.status:
            case Status.CAPTURED:
                return RegisterCaptured(), MONITOR
            case Status.REGISTERED | Status.RETURNED | Status.REOPENED:
                return self._triage(incident, practice)
            case Status.ASSIGNED | Status.IN_PROGRESS | Status.SCHEDULED:
                return self._work(incident, practice, posted=posted)
            case Status.AWAITING_CITIZEN:
                return ReceiveClarification(answer=practice.answer(self.random)), CITIZEN
            case Status.REPLY_IN_REVIEW:
                return ApproveReply(despite_flaws=True), HEAD
            case Status.RESOLVED:
                return self._after(incident)
            case Status.REOPEN_REQUESTED:
                return Reopen(reason=REOPEN_REASONS.pick(self.random)), CURATOR
            case _:
                return None

    def _triage(self, incident: Incident, practice: Practice) -> tuple[Command, Actor] | None:
        if incident.topic is None:
            month = self.network.calibration.topics_by_month[self.now().month]
            topic = self._topics.pop(incident.id, None) or month.pick(self.random)
            return Classify(topic=topic), MONITOR
        bodies = practice.in_charge(incident.municipality, incident.topic)
        if not bodies:
            return None
        due_at = self.now() + timedelta(days=practice.due_days(incident.channel, self.random))
        return Assign(organisation=self.random.choice(bodies).code, due_at=due_at), CURATOR

    def _after(self, incident: Incident) -> tuple[Command, Actor]:
        chance = self.random.random()
        if chance < REOPENED_SHARE:
            return Dispute(by=DisputeBy.AUTHOR), CITIZEN
        if chance < REOPENED_SHARE + RATED_SHARE and not incident.cycle.rated:
            reasons = (RATING_REASONS.pick(self.random),)
            return Rate(score=SCORES.pick(self.random), reasons=reasons), CITIZEN
        return Close(), CURATOR

    def _work(
        self, incident: Incident, practice: Practice, *, posted: bool
    ) -> tuple[Command, Actor]:
        by, random, cycle = EXECUTOR, self.random, incident.cycle
        if cycle.draft is not None and cycle.draft.approved:
            return PublishReply(kind=cycle.draft.kind), SYSTEM
        if not any(author is ReplyAuthor.HUMAN for _, author in incident.cycle.replies):
            first = practice.reply(ReplyKind.FIRST, random)
            if posted:
                return SubmitReply(text=first.text or ""), CURATOR
            return first, MONITOR
        if incident.status is Status.ASSIGNED:
            if random.random() < RETURNED_SHARE:
                return Return(reason=RETURN_REASONS.pick(random)), by
            return AcceptWork(), by
        scheduled = incident.status is Status.SCHEDULED
        if not cycle.pauses and not scheduled and random.random() < CLARIFIED_SHARE:
            return RequestClarification(question=practice.question(random)), by
        # Drawn from the incident itself: the reply published speaks of the outcome to come.
        outcome = OUTCOMES.pick(Random(f"{incident.id}:{incident.number}"))
        if any(kind is ReplyKind.FINAL for kind, _ in incident.cycle.replies):
            return Resolve(outcome=outcome, evidence=(f"photo/{uuid4()}",)), by
        if random.random() < INTERIM_SHARE and not posted:
            return practice.reply(ReplyKind.INTERIM, random), CURATOR
        place = self.node.catalogue.municipalities.get(incident.municipality or "")
        text = practice.final_reply(
            random,
            outcome,
            topic=incident.topic or "",
            where=(place or practice.flow.region).name,
            number=incident.id.int,
        )
        return DraftReply(kind=ReplyKind.FINAL, text=text), by
