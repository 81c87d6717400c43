"""How the made-up network works: what becomes of messages how often, and how fast."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from random import Random

from api.demo.flow import DAY, Calibration, Choice, Flow, Message
from domain.commands import PublishReply, Register
from domain.vocabulary import (
    Cause,
    Kind,
    Outcome,
    PriorityReason,
    PromiseReason,
    RatingReason,
    ReassignReason,
    ReopenReason,
    ReplyAuthor,
    ReplyFlaw,
    ReplyKind,
    ReturnReason,
)
from regions.reference.catalogue import Catalogue, Municipality, Organisation

MINUTE = 60.0  # seconds

# First reply: "lognormal, median ~1-1.5 h, sigma 1.3-1.6"; true regional medians spread by 0.35
# (lifecycle-and-metrics 3.5, simulation). What is drawn lies below, nights add to both.
REPLY_MEDIAN = 42 * MINUTE
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
HIGH_SHARE = 0.04
WRITTEN_AGAIN_SHARE = 0.03
REASSIGNED_SHARE = 0.02
CLARIFIED_SHARE = 0.05
CLARIFICATION_ANSWERED_SHARE = 0.7
DRAFT_RETURNED_SHARE = 0.12
PROMISE_MOVED_SHARE = 0.2
CONTROLLED_SHARE = 0.01
RATED_SHARE = 0.12
FIELD_CHECKED_SHARE = 0.02
CAUSE_SHARE = 0.05
# What the one careless region does, so that its board has flags to look at.
COPIED_SHARE = 0.5  # of its final replies: they say nothing of whom they answer
DELETED_SHARE = 0.1  # of them, gone some days later
RETURNED_SHARE = 0.06
REOPENED_SHARE = 0.03
AUTO_SHARE = 0.12
INTERIM_SHARE = 0.25
POINT_SHARE = 0.82  # of the located
REST_AT_NIGHT = 0.8  # steps that fall into the night and wait for the morning
NIGHT = (20, 9)  # local hours: centres keep office hours, or working time would count nothing
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

PRIORITY_REASONS = Choice(
    {
        PriorityReason.MASS: 30,
        PriorityReason.UTILITIES_OUT: 30,
        PriorityReason.DANGER_TO_LIFE: 20,
        PriorityReason.CHILDREN: 15,
        PriorityReason.RESONANCE: 5,
    }
)
PROMISE_REASONS = Choice(
    {
        PromiseReason.PLANNED_REPAIR: 40,
        PromiseReason.SEASON: 25,
        PromiseReason.BUDGET: 20,
        PromiseReason.CONTRACT: 10,
        PromiseReason.SUPPLY: 5,
    }
)
REASSIGN_REASONS = Choice(
    {
        ReassignReason.WRONG_BODY: 50,
        ReassignReason.TO_MUNICIPALITY: 30,
        ReassignReason.OVERDUE: 15,
        ReassignReason.TO_REGION: 5,
    }
)
DRAFT_FLAWS = Choice(
    {
        ReplyFlaw.FORMAL: 45,
        ReplyFlaw.REDIRECTS_CITIZEN: 25,
        ReplyFlaw.NO_DATE: 20,
        ReplyFlaw.WRONG_TONE: 7,
        ReplyFlaw.PERSONAL_DATA: 3,
    }
)
SCORES = Choice({5: 60, 4: 25, 3: 15})  # of the satisfied; the others dispute
RATING_REASONS = Choice({RatingReason.SOLVED: 50, RatingReason.FAST: 30, RatingReason.POLITE: 20})
CAUSES = Choice(
    {
        Cause.WEAR: 35,
        Cause.CONTRACTOR: 25,
        Cause.NO_INFORMATION: 15,
        Cause.NO_FUNDING: 10,
        Cause.NATURE: 10,
        Cause.RULES: 5,
    }
)


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
        self.careless = False
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
        channel = self.flow.channels.pick(random)
        latitude, longitude = point_near(message.place, random)
        return Register(
            municipality=message.place.code if message.place else None,
            channel=channel,
            external_id=external_id,
            kind=kind,
            regime=self.calibration.regime(channel),
            published_at=moment(message.at),
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

    def final_reply(
        self, random: Random, outcome: Outcome, *, topic: str, where: str, number: int
    ) -> str:
        """`number` tells one incident from another, so that no two are answered alike."""
        text = self.reply(ReplyKind.FINAL, random, outcome=outcome).text or ""
        if self.careless and _drawn(number, "copied") < COPIED_SHARE:
            return text
        about = self.calibration.phrases.about(self.calibration.topics[topic], where, number)
        return f"{text} {about}"

    def deletes(self, number: int) -> bool:
        """Whether the final reply to an incident is gone after a while."""
        return self.careless and _drawn(number, "deleted") < DELETED_SHARE

    def question(self, random: Random) -> str:
        return self.calibration.phrases.pick(random, "question")

    def answer(self, random: Random) -> str:
        return self.calibration.phrases.pick(random, "answer")

    def due_days(self, channel: str, random: Random) -> int:
        return self.calibration.deadline_days(channel, random)

    def reply_seconds(self, random: Random) -> float:
        seconds = random.lognormvariate(math.log(self.reply_median), self.reply_sigma)
        shortest, longest = REPLY_SECONDS
        return min(max(seconds, shortest), longest)


def _drawn(number: int, what: str) -> float:
    """From 0 to 1, by a generator of its own: what a careless region does shifts nothing else."""
    return Random(f"{number}:{what}").random()


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


def moment(at: float) -> datetime:
    return datetime.fromtimestamp(int(at), UTC)
