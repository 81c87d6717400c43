"""Who writes: registers incidents and leads them on, to the end or into another region."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import NamedTuple
from uuid import UUID

import psycopg
from psycopg_pool import PoolTimeout

from api.torture.network import Network
from domain.commands import (
    AcceptWork,
    Assign,
    Citizen,
    Classify,
    Command,
    PublishReply,
    Register,
    Resolve,
    TransferOut,
)
from domain.errors import DomainError, RegionElsewhere
from domain.rights import SYSTEM, Actor
from domain.vocabulary import Outcome, ReplyKind, Role
from regions.centre import Result
from regions.store.event_store import StoreUnavailable

NEW_SHARE, TRANSFERRED_SHARE = 0.3, 0.02  # of commands
PAUSE_SECONDS = (0.0, 0.05)  # between two commands: the machine has more to do than this
MOVING_SECONDS = 0.05  # between two tries while a region is written nowhere
AWAY = (StoreUnavailable, PoolTimeout, psycopg.OperationalError)
MONITOR = Actor("torture", Role.MONITOR)
CANARY = "Канарейка"  # stands in all that is written, and may stand in plain nowhere
DUE_AFTER = timedelta(days=2)

Give = Callable[[UUID], Result]


class Open(NamedTuple):
    """An incident, and how many steps of its life it has made."""

    region: str
    incident: UUID
    steps: int


class Writer:
    """What got no answer is given again, under the same id, until it has one."""

    def __init__(self, network: Network, node: str, seed: str) -> None:
        self.network = network
        self.node = node  # whose regions they wrote at first, and whose clock they read
        self.regions = [*network.parts[node]]
        self.random = Random(seed)
        self.topics = [topic.code for topic in network.catalogue.topics.values() if topic.group]
        self.acknowledged: dict[UUID, Result] = {}  # by the id of the command
        self.refused = 0
        self.open: list[Open] = []

    def run(self, stop: threading.Event) -> None:
        while not stop.wait(self.random.uniform(*PAUSE_SECONDS)):
            command_id, give = UUID(int=self.random.getrandbits(128), version=4), self._next()
            # Told to stop we ask on: what got no answer may be recorded, and must be known.
            while command_id not in self.acknowledged:
                try:
                    self.acknowledged[command_id] = give(command_id)
                except RegionElsewhere:
                    time.sleep(MOVING_SECONDS)
                except DomainError:  # a clock was wrong: it would go backwards
                    self.refused += 1
                    break
                except AWAY:
                    continue

    def _next(self) -> Give:
        if not self.open or self.random.random() < NEW_SHARE:
            return self._register()
        known = self.open.pop(self.random.randrange(len(self.open)))
        if self.network.hands_over and self.random.random() < TRANSFERRED_SHARE:
            others = sorted(self.network.catalogue.regions.keys() - {known.region})
            return self._ask(known, TransferOut(to_region=self.random.choice(others)), MONITOR)
        return self._ask(known, self._step(known), SYSTEM)

    def _register(self) -> Give:
        region, now = self.random.choice(self.regions), self.network.now(self.node)
        register = Register(
            channel=next(iter(self.network.catalogue.channels)),
            published_at=now,
            citizen=Citizen(name=CANARY, contact=CANARY, text=f"{CANARY} {self.random.random()}"),
        )

        def give(command_id: UUID) -> Result:
            centre = self.network.centre(region)
            found = centre.register(register, command_id=command_id, at=now, by=SYSTEM)
            self.open.append(Open(region, found.incident_id, 0))
            return found

        return give

    def _ask(self, known: Open, command: Command, by: Actor) -> Give:
        now = self.network.now(self.node)

        def give(command_id: UUID) -> Result:
            centre = self.network.centre(known.region)
            found = centre.handle(known.incident, command, command_id=command_id, at=now, by=by)
            if not isinstance(command, TransferOut | Resolve):
                self.open.append(known._replace(steps=known.steps + 1))
            return found

        return give

    def _step(self, known: Open) -> Command:
        match known.steps:
            case 0:
                return Classify(topic=self.random.choice(self.topics))
            case 1:
                bodies = self.network.catalogue.organisations_of[known.region]
                due_at = self.network.now(self.node) + DUE_AFTER
                return Assign(organisation=self.random.choice(bodies).code, due_at=due_at)
            case 2:
                return AcceptWork()
            case 3:
                return PublishReply(kind=ReplyKind.FINAL, text=f"{CANARY} {self.random.random()}")
            case _:
                return Resolve(outcome=Outcome.SOLVED)
