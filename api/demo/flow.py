"""Who writes in the demo network: when, where and about what, after published figures.

Everything is drawn from generators seeded by text, so the same seed gives the same network in every
process. Times are seconds since 1970, UTC.
"""

import csv
import heapq
import math
import tomllib
from bisect import bisect
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import Generic, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from api.demo.phrases import DEFAULT_LANGUAGE, Phrases
from domain.vocabulary import Regime
from regions.reference.catalogue import Catalogue, Municipality, Topic
from regions.settings import SHIPPED_CATALOGUES

HOUR = 60 * 60  # seconds
DAY = 24 * HOUR

# Messages per 1000 residents a year, a flow as large on the feedback platform: derived defaults.
YEARLY_PER_1000 = (13.0, 32.0)
# "Capital 50-62 %": Курск 53 % (February 2026), Пенза 62 % (January 2024).
CAPITAL_SHARE = (0.50, 0.62)
UNLOCATED_SHARE = 0.03  # own estimate; no source says it

# "Night and weekend dips by local time"; the figures say no shape, this one is our estimate.
HOUR_WEIGHTS = (
    *(0.25, 0.15, 0.10, 0.08, 0.10, 0.20, 0.45, 0.80),
    *(1.20, 1.50, 1.60, 1.55, 1.45, 1.45, 1.45, 1.40),
    *(1.40, 1.40, 1.45, 1.50, 1.45, 1.30, 0.95, 0.55),
)
WEEKEND_WEIGHT = 0.6

# One topic in one place floods ×3-5 for some days: Курск, snow, roads +300 %, public spaces +450 %.
BURST_FACTOR = (3.0, 5.0)
BURST_DAYS = (3.0, 10.0)
BURST_EVERY_DAYS = 20  # in a region; own estimate
OUT_OF_SEASON = 0.03  # what is left of a topic's weight


class Message(NamedTuple):
    """A citizen's message as it appears on its channel."""

    at: float
    utc_offset: int  # seconds, of the place at that moment
    place: Municipality | None
    topic: str


class Burst(NamedTuple):
    start: float
    end: float
    place: Municipality | None
    topics: Sequence[str]
    extra: float  # messages on top, as a part of the whole flow


class Hour(NamedTuple):
    """An hour of the period, or what the period has of it."""

    at: float
    seconds: float
    utc_offset: int
    month: int
    weight: float
    bursts: tuple[Burst, ...]


class Period(NamedTuple):
    start: float
    end: float

    @property
    def days(self) -> float:
        return (self.end - self.start) / DAY


@dataclass(frozen=True, slots=True)
class Season:
    topics: tuple[str, ...]
    months: frozenset[int]
    bursts: frozenset[int]  # months


T = TypeVar("T")


class Choice(Generic[T]):
    """A weighted choice among a few things; weights that are all zero count as equal."""

    def __init__(self, weights: Mapping[T, float]) -> None:
        values = list(weights.values()) if any(weights.values()) else [1.0] * len(weights)
        in_all = sum(values)
        self.share = {thing: v / in_all for thing, v in zip(weights, values, strict=True)}
        self._things = list(weights)
        self._cumulative = list(accumulate(self.share.values()))
        self._last = len(weights) - 1  # rounding may leave the sum a little below 1

    def pick(self, random: Random) -> T:
        return self._things[min(bisect(self._cumulative, random.random()), self._last)]


class Calibration:
    """What the catalogue's folder and calibration.toml tell about its topics and channels."""

    def __init__(self, catalogue: Catalogue, folder: Path | None = None) -> None:
        """Without a folder, the shipped one of the catalogue's name; without any, equal shares."""
        folder = folder or SHIPPED_CATALOGUES / catalogue.code
        self._table = tomllib.loads((Path(__file__).parent / "calibration.toml").read_text("utf-8"))
        self.phrases = Phrases(_language(folder))
        self.topics: dict[str, Topic] = {t.code: t for t in catalogue.topics.values() if t.group}
        self._shares = _topic_shares(folder, self.topics)
        self.seasons = [
            Season(tuple(row["topics"]), frozenset(row["months"]), frozenset(row["bursts"]))
            for row in self._table["seasons"]
            if self.topics.keys() >= set(row["topics"])
        ]
        self.platforms: frozenset[str] = frozenset(self._table["channels"]["platform"])
        self._channels = catalogue.channels
        self._deadlines: dict[str, Choice[int]] = {
            name: Choice(dict(rows)) for name, rows in self._table["deadlines"].items()
        }

    @cached_property
    def topics_by_month(self) -> Mapping[int, Choice[str]]:
        return {month: Choice(self._weights(month)) for month in range(1, 13)}

    def _weights(self, month: int) -> dict[str, float]:
        """The year's share of each topic, gathered in its months."""
        weights = dict(self._shares)
        for season in self.seasons:
            factor = 12 / len(season.months) if month in season.months else OUT_OF_SEASON
            for topic in season.topics:
                weights[topic] *= factor
        return weights

    def channels(self, media: float, platform: float) -> Choice[str]:
        """The channels of a region with these two flows; equal if the table knows none of them."""
        flows = {"media": media, "platform": platform}
        weights = dict.fromkeys(self._channels, 0.0)
        for flow, rate in flows.items():
            known = {c: w for c, w in self._table["channels"][flow].items() if c in self._channels}
            for channel, weight in known.items():
                weights[channel] = rate * weight / sum(known.values())
        return Choice(weights)

    def regime(self, channel: str) -> Regime:
        return Regime.POS_MESSAGE if channel in self.platforms else Regime.IM

    def deadline_days(self, channel: str, random: Random) -> int:
        flow = "platform" if channel in self.platforms else "media"
        return (self._deadlines.get(channel) or self._deadlines[flow]).pick(random)


class Flow:
    """The messages of one region."""

    def __init__(
        self, catalogue: Catalogue, calibration: Calibration, region: str, seed: int
    ) -> None:
        self.region = catalogue.region(region)
        self.calibration = calibration
        self._key = f"{seed}:{region}"
        random = Random(f"{self._key}:rates")
        self.media_per_1000 = random.uniform(*YEARLY_PER_1000)
        self.platform_per_1000 = random.uniform(*YEARLY_PER_1000)
        self.channels = calibration.channels(self.media_per_1000, self.platform_per_1000)
        places = catalogue.municipalities_of.get(region, ())
        self.places = Choice(place_shares(places, random.uniform(*CAPITAL_SHARE)))

    @property
    def per_1000(self) -> float:
        """Messages per 1000 residents a year on all channels."""
        return self.media_per_1000 + self.platform_per_1000

    def messages(self, count: int, period: Period) -> Iterator[Message]:
        """Exactly `count` messages in order of time, made while they are asked for."""
        parts = self._by_zone()
        counts = apportion(count, [sum(places.values()) for places in parts.values()])
        streams = [
            self._of_zone(zone, places, part, period)
            for (zone, places), part in zip(parts.items(), counts, strict=True)
        ]
        return heapq.merge(*streams, key=lambda message: message.at)

    def bursts(self, period: Period) -> list[Burst]:
        """What floods some places beyond their usual messages."""
        return [
            burst
            for zone, places in self._by_zone().items()
            for burst in self._bursts(zone, places, period)
        ]

    def message_at(self, at: float, random: Random, *, at_any_hour: bool) -> Message | None:
        """A message of this very moment; None if it falls to an hour when fewer write."""
        place = self.places.pick(random)
        there = datetime.fromtimestamp(at, place.zone if place else self.region.zone)
        if not at_any_hour and random.random() * max(HOUR_WEIGHTS) > HOUR_WEIGHTS[there.hour]:
            return None
        topic = self.calibration.topics_by_month[there.month].pick(random)
        return Message(at, _offset(there), place, topic)

    def _by_zone(self) -> dict[ZoneInfo, dict[Municipality | None, float]]:
        """Shares of the places of each zone: the dips follow the clock of the place."""
        parts: dict[ZoneInfo, dict[Municipality | None, float]] = {}
        for place, share in self.places.share.items():
            zone = place.zone if place else self.region.zone
            parts.setdefault(zone, {})[place] = share
        return parts

    def _of_zone(
        self,
        zone: ZoneInfo,
        places: Mapping[Municipality | None, float],
        count: int,
        period: Period,
    ) -> Iterator[Message]:
        random = Random(f"{self._key}:{zone.key}:{period}")
        hours = _hours(zone, period, self._bursts(zone, places, period))
        place = Choice(places)
        topics = self.calibration.topics_by_month
        for at, hour in _arrivals(count, hours, random):
            burst = _burst_of(hour, random)
            if burst:
                yield Message(at, hour.utc_offset, burst.place, random.choice(burst.topics))
            else:
                topic = topics[hour.month].pick(random)
                yield Message(at, hour.utc_offset, place.pick(random), topic)

    def _bursts(
        self, zone: ZoneInfo, places: Mapping[Municipality | None, float], period: Period
    ) -> list[Burst]:
        random = Random(f"{self._key}:{zone.key}:{period}:bursts")
        in_all = sum(places.values())
        count = int(period.days / BURST_EVERY_DAYS * in_all + random.random())
        located = Choice({place: share for place, share in places.items() if place})
        return [
            self._burst(located.pick(random), places, in_all, period, random)
            for _ in range(count if located.share else 0)
        ]

    def _burst(
        self,
        place: Municipality,
        places: Mapping[Municipality | None, float],
        in_all: float,
        period: Period,
        random: Random,
    ) -> Burst:
        start = random.uniform(period.start, period.end)
        month = datetime.fromtimestamp(start, UTC).month
        usual = self.calibration.topics_by_month[month]
        seasonal = [s.topics for s in self.calibration.seasons if month in s.bursts]
        topics = random.choice(seasonal) if seasonal else (usual.pick(random),)
        share = places[place] / in_all * sum(usual.share[topic] for topic in topics)
        extra = (random.uniform(*BURST_FACTOR) - 1) * share
        return Burst(start, start + random.uniform(*BURST_DAYS) * DAY, place, topics, extra)


def place_shares(
    places: Sequence[Municipality], capital_share: float
) -> dict[Municipality | None, float]:
    """The share of each municipality; None is for what could not be located.

    The capital takes its share where it is the largest place, the others follow Zipf. A region
    without such a centre (a federal city, New York) goes by population, or equally if unknown.
    """
    if not places:
        return {None: 1.0}
    ordered = sorted(places, key=lambda place: -(place.population or 0))
    if len(ordered) > 1 and ordered[0].capital and ordered[0].population:
        zipf = [1 / rank for rank in range(1, len(ordered))]
        rest = [(1 - capital_share) * weight / sum(zipf) for weight in zipf]
        shares = [capital_share, *rest]
    else:
        weights = _filled([place.population for place in ordered])
        shares = [weight / sum(weights) for weight in weights]
    located: dict[Municipality | None, float] = {
        place: (1 - UNLOCATED_SHARE) * share for place, share in zip(ordered, shares, strict=True)
    }
    return {**located, None: UNLOCATED_SHARE}


def region_choice(catalogue: Catalogue, flows: Mapping[str, Flow]) -> Choice[str]:
    """The share of each region: its residents times their habit of writing."""
    residents = _filled([catalogue.regions[region].population for region in flows])
    return Choice(
        {
            region: people * flow.per_1000
            for (region, flow), people in zip(flows.items(), residents, strict=True)
        }
    )


def apportion(count: int, weights: Collection[float]) -> list[int]:
    """Whole parts of `count` in proportion to the weights, by largest remainder."""
    in_all = sum(weights)
    exact = [count * weight / in_all for weight in weights]
    parts = [math.floor(part) for part in exact]
    remainders = sorted(range(len(exact)), key=lambda i: (parts[i] - exact[i], i))
    for i in remainders[: count - sum(parts)]:
        parts[i] += 1
    return parts


def _filled(populations: Sequence[int | None]) -> list[float]:
    """Where a population is not known, the mean of the known ones, or 1."""
    known = [population for population in populations if population]
    mean = sum(known) / len(known) if known else 1.0
    return [population or mean for population in populations]


def _hours(zone: ZoneInfo, period: Period, bursts: Sequence[Burst]) -> list[Hour]:
    hours = []
    at = period.start
    while at < period.end:
        there = datetime.fromtimestamp(at, zone)
        seconds = min(HOUR, period.end - at)
        active = tuple(burst for burst in bursts if burst.start <= at < burst.end)
        weight = HOUR_WEIGHTS[there.hour] * (WEEKEND_WEIGHT if there.weekday() >= 5 else 1)
        weight *= (1 + sum(burst.extra for burst in active)) * seconds / HOUR
        hours.append(Hour(at, seconds, _offset(there), there.month, weight, active))
        at += HOUR
    return hours


def _offset(there: datetime) -> int:
    offset = there.utcoffset()
    return int(offset.total_seconds()) if offset else 0


def _arrivals(count: int, hours: Sequence[Hour], random: Random) -> Iterator[tuple[float, Hour]]:
    """`count` moments in order, as dense as the hours' weights, without holding them all.

    Each is the least of as many uniform numbers as are still to come (Bentley and Saxe, 1980).
    """
    in_all = sum(hour.weight for hour in hours)
    upcoming = iter(hours)
    hour, before, left = next(upcoming), 0.0, 1.0
    for to_come in range(count, 0, -1):
        left *= random.random() ** (1 / to_come)
        reached = in_all * (1 - left)
        while reached > before + hour.weight:
            following = next(upcoming, None)
            if following is None:
                break
            before += hour.weight
            hour = following
        yield hour.at + hour.seconds * min(1.0, (reached - before) / hour.weight), hour


def _burst_of(hour: Hour, random: Random) -> Burst | None:
    """The burst a message of this hour belongs to; None for an ordinary one."""
    if not hour.bursts:
        return None
    drawn = random.random() * (1 + sum(burst.extra for burst in hour.bursts))
    for burst in hour.bursts:
        drawn -= burst.extra
        if drawn < 0:
            return burst
    return None


def _language(folder: Path) -> str:
    file = folder / "catalogue.toml"
    if not file.is_file():
        return DEFAULT_LANGUAGE
    return str(tomllib.loads(file.read_text("utf-8")).get("language", DEFAULT_LANGUAGE))


def _topic_shares(folder: Path, topics: Mapping[str, Topic]) -> dict[str, float]:
    """Weights of shares.csv; equal ones if there is no such file or it names no topic."""
    file = folder / "shares.csv"
    weights = dict.fromkeys(topics, 0.0)
    if file.is_file():
        with file.open(encoding="utf-8", newline="") as opened:
            for row in csv.DictReader(opened):
                if row["topic"] in weights:
                    weights[row["topic"]] = float(row["weight"])
    return weights if any(weights.values()) else dict.fromkeys(topics, 1.0)
