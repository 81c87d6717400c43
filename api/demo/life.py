"""What becomes of a message in the demo network: the incident's steps, as far as the clock allows.

A step that would lie in the future is not taken: such incidents are the living backlog.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import NamedTuple

from api.demo.flow import DAY, HOUR, Calibration, Choice, Flow, Message
from domain.commands import (
    AcceptWork,
    Assign,
    Classify,
    Close,
    Command,
    PublishReply,
    Register,
    Reopen,
    Resolve,
    Return,
)
from domain.identifiers import derived_id
from domain.incident import SYSTEM, Actor
from domain.vocabulary import (
    Kind,
    Outcome,
    ReopenReason,
    ReplyAuthor,
    ReplyKind,
    ReturnReason,
    Role,
)
from regions.bulk import History, Step
from regions.catalogue import Catalogue, Municipality, Organisation

MINUTE = 60.0  # seconds

# First reply: "lognormal, median ~1-1.5 h, sigma 1.3-1.6"; true regional medians spread by 0.35
# (lifecycle-and-metrics 3.5, simulation). What is drawn lies below, nights add to both.
REPLY_MEDIAN = 58 * MINUTE
REPLY_MEDIAN_SIGMA = 0.30
REPLY_SIGMA = (1.3, 1.6)
REPLY_SECONDS = (MINUTE, 30 * DAY)  # nobody is faster or slower

# Weekly solved/new 0.65-0.75 (Смоленск 1561/2360, Рязань 3153/4440): the rest waits for long.
UNANSWERED_SHARE = 0.03
LINGERING_SHARE = 0.27
PLANNED_SHARE = 0.7  # of the lingering: a deadline months away; the others are late and open

# Solved at this part of the deadline in the median: "mean 8 days" of 10 on the fast track
# (Мурманск ПОС, 2025); with this sigma one in ten is late.
SOLVED_AT = 0.6
SOLVED_SIGMA = 0.4

# Own estimates: no source counts these.
RETURNED_SHARE = 0.06
REOPENED_SHARE = 0.03
AUTO_SHARE = 0.12
INTERIM_SHARE = 0.25
POINT_SHARE = 0.82  # of the located
REST_AT_NIGHT = 0.75  # steps that fall into the night and wait for the morning
NIGHT = (22, 8)  # local hours
RESIDENTS_PER_KM2 = 2500

KINDS = Choice(
    {
        Kind.COMPLAINT: 74,
        Kind.QUESTION: 13,
        Kind.MESSAGE: 8,
        Kind.SUGGESTION: 4,
        Kind.THANKS: 1,
    }
)
OUTCOMES = Choice(
    {
        Outcome.SOLVED: 56,
        Outcome.EXPLAINED: 28,
        Outcome.PLANNED: 8,
        Outcome.REFUSED: 4,
        Outcome.NOT_CONFIRMED: 3,
        Outcome.OUT_OF_COMPETENCE: 1,
    }
)
RETURN_REASONS = Choice(
    {
        ReturnReason.NOT_COMPETENT: 60,
        ReturnReason.WRONG_TOPIC: 15,
        ReturnReason.OTHER_TERRITORY: 15,
        ReturnReason.NOT_ENOUGH_DETAIL: 10,
    }
)
REOPEN_REASONS = Choice(
    {
        ReopenReason.NOT_SOLVED: 55,
        ReopenReason.RECURRED: 20,
        ReopenReason.FORMAL_REPLY: 20,
        ReopenReason.FIELD_CHECK_FAILED: 5,
    }
)

MONITOR = Actor("monitor", Role.MONITOR)
CURATOR = Actor("curator", Role.CURATOR)


class Draft(NamedTuple):
    """A step before it is known whether the clock reaches it."""

    at: float
    command: Command
    by: Actor


@dataclass(slots=True)
class Clock:
    """Moves along one incident's life; people mostly rest at night."""

    at: float
    utc_offset: int
    random: Random

    def pass_around(self, seconds: float, sigma: float = 0.8) -> float:
        """Go on by a lognormal span with this median, into the morning if it ends at night."""
        self.at = self.day_after(self.at + self.random.lognormvariate(math.log(seconds), sigma))
        return self.at

    def day_after(self, at: float) -> float:
        """`at`, or some time next morning. Never earlier than `at`."""
        second_of_day = (at + self.utc_offset) % DAY
        evening, morning = NIGHT[0] * HOUR, NIGHT[1] * HOUR
        if morning <= second_of_day < evening or self.random.random() > REST_AT_NIGHT:
            return at
        return at + (morning - second_of_day) % DAY + self.random.random() * 1.5 * HOUR


class Practice:
    """How one region works: how fast it replies, and who is in charge of what."""

    def __init__(
        self, catalogue: Catalogue, calibration: Calibration, flow: Flow, seed: int
    ) -> None:
        self.calibration = calibration
        self.flow = flow
        random = Random(f"{seed}:{flow.region.code}:practice")
        factor = random.lognormvariate(0, REPLY_MEDIAN_SIGMA)
        self.reply_median = REPLY_MEDIAN * factor
        self.reply_sigma = random.uniform(*REPLY_SIGMA)
        self._bodies = catalogue.organisations_of.get(flow.region.code, ())
        self._in_charge: dict[tuple[str | None, str | None], Sequence[Organisation]] = {}

    def in_charge(self, place: str | None, topic: str) -> Sequence[Organisation]:
        """Bodies of the place for the topic's group, else the region's, else any; maybe none."""
        group = self.calibration.topics[topic].group
        if (place, group) not in self._in_charge:
            able = [body for body in self._bodies if group in body.topic_groups]
            own = [body for body in able if body.municipality == place]
            regional = [body for body in able if body.municipality is None]
            self._in_charge[place, group] = own or regional or able or self._bodies
        return self._in_charge[place, group]

    def register(
        self, message: Message, random: Random, *, external_id: str, number: int
    ) -> Register:
        kind = KINDS.pick(random)
        topic = self.calibration.topics[message.topic]
        where = (message.place or self.flow.region).name
        latitude, longitude = point_near(message.place, random)
        return Register(
            municipality=message.place.code if message.place else None,
            channel=self.flow.channels.pick(random),
            external_id=external_id,
            kind=kind,
            published_at=_moment(message.at),
            latitude=latitude,
            longitude=longitude,
            citizen=self.calibration.phrases.citizen(random, number, kind, topic, where),
        )

    def reply(
        self,
        kind: ReplyKind,
        random: Random,
        author: ReplyAuthor = ReplyAuthor.HUMAN,
        outcome: Outcome | None = None,
    ) -> PublishReply:
        text = self.calibration.phrases.reply(random, kind, author, outcome)
        return PublishReply(kind=kind, author=author, text=text)

    def due_days(self, channel: str, random: Random) -> int:
        return self.calibration.deadline_days(channel, random)

    def reply_seconds(self, random: Random) -> float:
        seconds = random.lognormvariate(math.log(self.reply_median), self.reply_sigma)
        shortest, longest = REPLY_SECONDS
        return min(max(seconds, shortest), longest)


class Life:
    """One incident's life, told from its message on."""

    def __init__(self, practice: Practice, message: Message, random: Random, *, now: float) -> None:
        self.practice = practice
        self.message = message
        self.random = random
        self.now = now
        self.clock = Clock(message.at, message.utc_offset, random)
        self.place = message.place.code if message.place else None
        self.channel = ""
        self.drafts: list[Draft] = []

    def history(self, run: str, number: int) -> History:
        """All of it up to now. `run` and `number` name it: the same ones give the same ids."""
        external_id = f"{run}-{number}"
        registration = self.practice.register(
            self.message, self.random, external_id=external_id, number=number
        )
        self.channel = registration.channel
        from_platform = self.channel in self.practice.calibration.platforms
        reply_at = self.clock.day_after(self.message.at + self.practice.reply_seconds(self.random))
        registered_at = self._registered_at(reply_at, from_platform)
        self._live(registered_at, reply_at)
        at = _moment(registered_at)
        return History(
            incident_id=derived_id(at, "incident", external_id),
            command_id=derived_id(at, "history", external_id),
            registration=registration,
            at=at,
            by=SYSTEM if from_platform else MONITOR,
            steps=self._steps(),
        )

    def _registered_at(self, reply_at: float, from_platform: bool) -> float:
        """The platform hands over at once; a post is found before it is answered."""
        if from_platform:
            return min(self.message.at + 2, self.now)
        lag = self.random.lognormvariate(math.log(12 * MINUTE), 0.9)
        return min(self.message.at + min(lag, 0.6 * (reply_at - self.message.at)), self.now)

    def _live(self, registered_at: float, reply_at: float) -> None:
        random, clock = self.random, self.clock
        clock.at = registered_at
        if random.random() < AUTO_SHARE and reply_at > registered_at + MINUTE:
            auto = self.practice.reply(ReplyKind.FIRST, random, ReplyAuthor.AUTO)
            self._draft(registered_at + 20, auto, SYSTEM)
        self._draft(clock.pass_around(6 * MINUTE), Classify(topic=self.message.topic), MONITOR)
        answered = random.random() >= UNANSWERED_SHARE
        self._cycle(reply_at if answered else None)

    def _cycle(self, reply_at: float | None) -> None:
        """From triage to closing; `reply_at` is the first human reply, None if it never comes."""
        bodies = self.practice.in_charge(self.place, self.message.topic)
        lingering = reply_at is None or self.random.random() < LINGERING_SHARE
        if reply_at is not None and (lingering or not bodies):
            self._first_reply(reply_at)
        if not bodies:
            return
        assigned_at = self.clock.pass_around(15 * MINUTE)
        due_days = self._due_days(lingering and reply_at is not None)
        body = self._assign(bodies, assigned_at + due_days * DAY)
        accepted_at = self.clock.pass_around(2 * HOUR)
        self._draft(accepted_at, AcceptWork(), body)
        if lingering:
            self._promise(reply_at, accepted_at)
        elif reply_at is not None:
            self._finish(reply_at, assigned_at, due_days, body)

    def _due_days(self, planned: bool) -> int:
        if planned and self.random.random() < PLANNED_SHARE:
            return self.random.randrange(60, 365)
        return self.practice.due_days(self.channel, self.random)

    def _assign(self, bodies: Sequence[Organisation], due_at: float) -> Actor:
        """Assign until it is not sent back; returns who has it then."""
        organisation = self.random.choice(bodies).code
        due = _moment(due_at)
        self._draft(self.clock.at, Assign(organisation=organisation, due_at=due), CURATOR)
        if self.random.random() < RETURNED_SHARE:
            by = Actor(organisation, Role.EXECUTOR)
            other = self.random.choice(bodies).code
            reason = RETURN_REASONS.pick(self.random)
            back = Return(
                reason=reason, suggested_organisation=other if other != organisation else None
            )
            self._draft(self.clock.pass_around(3 * HOUR), back, by)
            return self._assign_again(other, due_at)
        return Actor(organisation, Role.EXECUTOR)

    def _assign_again(self, organisation: str, due_at: float) -> Actor:
        assign = Assign(organisation=organisation, due_at=_moment(due_at))
        self._draft(self.clock.pass_around(HOUR), assign, CURATOR)
        return Actor(organisation, Role.EXECUTOR)

    def _first_reply(self, reply_at: float) -> None:
        first = self.practice.reply(ReplyKind.FIRST, self.random)
        self._draft(reply_at, first, MONITOR)

    def _promise(self, reply_at: float | None, accepted_at: float) -> None:
        """A lingering incident is told about now and then."""
        if reply_at is not None and self.random.random() < 2 * INTERIM_SHARE:
            interim_at = max(reply_at, accepted_at) + self.random.uniform(1, 9) * DAY
            self._draft(interim_at, self.practice.reply(ReplyKind.INTERIM, self.random), CURATOR)

    def _finish(self, reply_at: float, assigned_at: float, due_days: int, body: Actor) -> None:
        """Work until the final reply, then resolve, close, and perhaps begin anew."""
        random, clock = self.random, self.clock
        work = random.lognormvariate(math.log(SOLVED_AT * due_days * DAY), SOLVED_SIGMA)
        started_at = clock.at
        clock.at = clock.day_after(max(assigned_at + work, started_at + HOUR))
        outcome = OUTCOMES.pick(random)
        # A reply that would come after the final one is not written: the final one answers.
        if reply_at < clock.at:
            self._first_reply(reply_at)
            if random.random() < INTERIM_SHARE:
                interim_at = random.uniform(max(reply_at, started_at), clock.at)
                self._draft(interim_at, self.practice.reply(ReplyKind.INTERIM, random), body)
        final = self.practice.reply(ReplyKind.FINAL, random, outcome=outcome)
        self._draft(clock.at, final, body)
        self._draft(clock.pass_around(20 * MINUTE), Resolve(outcome=outcome), body)
        if random.random() < REOPENED_SHARE:
            self._reopen()
        else:
            # Signalen keeps the window for reopening at 14 days; a curator closes sooner.
            self._draft(clock.pass_around(3 * DAY, 0.6), Close(), CURATOR)

    def _reopen(self) -> None:
        """Within 14 days of the resolution (reopenRate, lifecycle-and-metrics 3.4)."""
        random, clock = self.random, self.clock
        clock.at = clock.day_after(clock.at + random.uniform(0.2, 13) * DAY)
        if clock.at > self.now:
            return
        self._draft(clock.at, Reopen(reason=REOPEN_REASONS.pick(random)), CURATOR)
        self._cycle(clock.day_after(clock.at + self.practice.reply_seconds(random)))

    def _draft(self, at: float, command: Command, by: Actor) -> None:
        if at <= self.now:
            self.drafts.append(Draft(at, command, by))

    def _steps(self) -> tuple[Step, ...]:
        """The drafts in order of time. Sorting is stable: what comes at once keeps its order."""
        return tuple(
            Step(draft.command, _moment(draft.at), draft.by)
            for draft in sorted(self.drafts, key=lambda draft: draft.at)
        )


def point_near(place: Municipality | None, random: Random) -> tuple[float | None, float | None]:
    """A point of the place's built-up area, five digits (about a metre); or no point at all."""
    if place is None or place.latitude is None or place.longitude is None:
        return None, None
    if random.random() > POINT_SHARE:
        return None, None
    radius_km = math.sqrt((place.population or 30_000) / RESIDENTS_PER_KM2 / math.pi)
    sigma = radius_km / 2 / 111.2  # km of a degree of latitude
    latitude = random.gauss(place.latitude, sigma)
    stretch = max(0.05, math.cos(math.radians(place.latitude)))
    longitude = random.gauss(place.longitude, sigma / stretch)
    return round(min(latitude, 90.0), 5), round((longitude + 180) % 360 - 180, 5)


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(int(at), UTC)
