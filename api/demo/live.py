"""The demo network at work: a gentle stream of ordinary commands, for as long as it is wanted."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from threading import Event
from uuid import UUID, uuid4

import psycopg
from psycopg_pool import PoolTimeout

from api.demo.flow import Message
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
from domain.commands import (
    AcceptWork,
    ApproveReply,
    Assign,
    Classify,
    Close,
    Command,
    Dispute,
    DraftReply,
    PublishReply,
    Rate,
    ReceiveClarification,
    Reopen,
    RequestClarification,
    Resolve,
    Return,
)
from domain.errors import DomainError
from domain.incident import Incident
from domain.rights import SYSTEM, Actor
from domain.vocabulary import DisputeBy, ReplyAuthor, ReplyKind, Role, Status
from regions.event_store import StoreUnavailable
from regions.node import Node

EXECUTOR = Actor("executor", Role.EXECUTOR)
HEAD = Actor("executor-head", Role.ORG_HEAD)

# One command in six begins an incident: they live 7.5 events, and not all come to their end.
REGISTERED_SHARE = 0.16
CANDIDATES_MAX = 1000  # open incidents to go on with; more of them make replies slower
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
) -> None:
    """Give `per_second` commands on average until `stop`; begin with what the read model shows.

    A database that is away is waited for. Returns within a command's time, which while the database
    is away is regions.centre.RETRY_SECONDS at most.
    """
    stream = Stream(node, Network(node.catalogue, seed=seed, folder=folder), now)
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


class Stream:
    """Takes the next step somewhere in the network."""

    def __init__(self, node: Node, network: Network, now: Callable[[], datetime]) -> None:
        self.node = node
        self.network = network
        self.now = now
        # With the start in it, a restart does not repeat the messages of the run before.
        self.random = Random(f"{network.seed}:{now().timestamp()}")
        self._open: list[tuple[UUID, str]] = []
        self._refreshed = float("-inf")
        self._topics: dict[UUID, str] = {}  # what the messages of this run are about

    def step(self) -> None:
        """One command. Raises DomainError and StoreUnavailable as the centre does."""
        self._refresh()
        if self._open and self.random.random() > REGISTERED_SHARE:
            self._proceed(*self.random.choice(self._open))
        else:
            self._register()

    def _refresh(self) -> None:
        if time.monotonic() < self._refreshed + REFRESH_SECONDS:
            return
        # By registration: changed_at has no index, and this list is asked for again and again.
        with self.node.pool.connection() as connection:
            self._open = connection.execute(
                """
                SELECT id,
                       region
                  FROM read.incident
                 WHERE status <> %s
                 ORDER BY registered_at DESC, id DESC
                 LIMIT %s
                """,
                [Status.CLOSED, CANDIDATES_MAX],
            ).fetchall()
        self._refreshed = time.monotonic()
        still_open = {incident for incident, _ in self._open}
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
        self._open.append((result.incident_id, region))

    def _message(self, at: float, tries_left: int = DAYTIME_TRIES) -> tuple[str, Message]:
        """Somebody's message; hardly from where it is night, unless it is night everywhere."""
        region = self.network.regions.pick(self.random)
        message = self.network.flows[region].message_at(
            at, self.random, at_any_hour=tries_left == 0
        )
        return (region, message) if message else self._message(at, tries_left - 1)

    def _proceed(self, incident_id: UUID, region: str) -> None:
        centre = self.node.centre(region)
        incident = centre.incident(incident_id)
        step = self._next(incident, self.network.practices[region])
        if step is None:
            self._open.remove((incident_id, region))
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

    def _next(self, incident: Incident, practice: Practice) -> tuple[Command, Actor] | None:
        """What the incident's state calls for; None if nothing."""
        match incident.status:
            case Status.REGISTERED | Status.RETURNED | Status.REOPENED:
                return self._triage(incident, practice)
            case Status.ASSIGNED | Status.IN_PROGRESS:
                return self._work(incident, practice)
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

    def _work(self, incident: Incident, practice: Practice) -> tuple[Command, Actor]:
        by, random, cycle = EXECUTOR, self.random, incident.cycle
        if cycle.draft is not None and cycle.draft.approved:
            return PublishReply(kind=cycle.draft.kind), SYSTEM
        if not any(author is ReplyAuthor.HUMAN for _, author in incident.cycle.replies):
            return practice.reply(ReplyKind.FIRST, random), MONITOR
        if incident.status is Status.ASSIGNED:
            if random.random() < RETURNED_SHARE:
                return Return(reason=RETURN_REASONS.pick(random)), by
            return AcceptWork(), by
        if not cycle.pauses and random.random() < CLARIFIED_SHARE:
            return RequestClarification(question=practice.question(random)), by
        # Drawn from the incident itself: the reply published speaks of the outcome to come.
        outcome = OUTCOMES.pick(Random(f"{incident.id}:{incident.number}"))
        if any(kind is ReplyKind.FINAL for kind, _ in incident.cycle.replies):
            return Resolve(outcome=outcome, evidence=(f"photo/{uuid4()}",)), by
        if random.random() < INTERIM_SHARE:
            return practice.reply(ReplyKind.INTERIM, random), CURATOR
        final = practice.reply(ReplyKind.FINAL, random, outcome=outcome)
        return DraftReply(kind=ReplyKind.FINAL, text=final.text or ""), by
