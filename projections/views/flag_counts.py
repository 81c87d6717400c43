"""What flags are told from: counts of a unit, and the conditions of the incidents behind them.

What is compared with all other units is read from partial indexes and daily rows, never from their
incidents. What is the unit's alone is read from its incidents of the period.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, LiteralString, NamedTuple

from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from projections.statistics.comparisons import previous
from projections.statistics.figures import Period
from projections.statistics.units import Area, regions_of, today_in
from regions.reference.catalogue import Catalogue

ANSWERED_WITHIN_HOURS = 24  # "one day per incident" (IM_2018_BASE, lifecycle-and-metrics 3.3)
MERGED_AFTER_HOURS = (
    24  # what repeats an incident is merged as it comes in; later is another matter
)
# How many incidents, and which part of a unit's final replies, a text goes to before it is the same
# for many. Our own choice; the part is for large units, where five of a kind come by themselves.
SAME_TEXT_MIN, SAME_TEXT_SHARE = 5, 0.01


class FlagKind(StrEnum):
    AUTO_REPLIES = "AUTO_REPLIES"
    REPLIES_DELETED = "REPLIES_DELETED"
    BULK_CLOSING = "BULK_CLOSING"
    IDENTICAL_REPLIES = "IDENTICAL_REPLIES"
    MASS_REJECTION = "MASS_REJECTION"
    MERGE_BURST = "MERGE_BURST"
    CAPTURE_LAG = "CAPTURE_LAG"


class Share(NamedTuple):
    n: int
    of: int


NONE = Share(0, 0)


class Lags(NamedTuple):
    """Publication until the centre had it, in seconds."""

    median: float | None
    usual_median: float  # of the period before
    later: Share  # than that
    later_before: Share  # the same of the period before: about half


@dataclass(slots=True)
class Counted:
    """All counts of one unit; `_before` are those of the period before."""

    days: int
    last_days: Sequence[date]  # that have begun: of the period, and of its calendar months
    auto_replies: Share = NONE
    auto_replies_of_others: Share = NONE
    replies_deleted: Share = NONE
    replies_deleted_of_others: Share = NONE
    rejected: Share = NONE
    rejected_before: Share = NONE
    rejected_of_others: Share = NONE
    resolved_by_day: Mapping[date, int] = field(default_factory=dict)
    same_texts: Share = NONE
    merged_by_hour: Mapping[datetime, int] = field(default_factory=dict)
    lags: Lags | None = None

    @property
    def busiest_hour(self) -> datetime | None:
        """The first of those with the most merges."""
        return min(
            self.merged_by_hour,
            key=lambda hour: (-self.merged_by_hour[hour], hour),
            default=None,
        )


class Flagged(NamedTuple):
    """By which flag of which board incidents are chosen."""

    kind: FlagKind
    period: Period


class Evidence(NamedTuple):
    """The incidents behind the figures of a kind, as a condition on their rows."""

    condition: LiteralString
    parameters: Mapping[str, object]


OWN: LiteralString = (
    "region = ANY (%(flag_regions)s)"
    " AND (%(flag_municipality)s::text IS NULL OR municipality = %(flag_municipality)s)"
)
COHORT: LiteralString = "counted AND registered_on BETWEEN %(flag_first)s AND %(flag_last)s"
# Each has an index in schema.sql, whose condition it repeats.
RARE: dict[FlagKind, LiteralString] = {
    FlagKind.AUTO_REPLIES: (
        "counted AND auto_replies > 0 AND published_at < %(flag_answered_by)s"
        " AND (first_replied_at IS NULL"
        # ANSWERED_WITHIN_HOURS, as a literal: the condition of an index has no parameters.
        " OR date_part('epoch', first_replied_at - published_at) > 24 * 60 * 60)"
    ),
    # Where only a machine had replied nothing was counted.
    FlagKind.REPLIES_DELETED: "counted AND replies_deleted > 0 AND first_replied_at IS NOT NULL",
    FlagKind.MASS_REJECTION: "status = 'REJECTED'",
}
# On local days of the place; the first condition finds them in the index.
MERGED: LiteralString = (
    "merged_at BETWEEN %(flag_first)s::date - 1 AND %(flag_last)s::date + 2"
    " AND (merged_at AT TIME ZONE (%(flag_zones)s::jsonb->>region))::date"
    " BETWEEN %(flag_first)s AND %(flag_last)s"
    " AND merged_at - registered_at > make_interval(hours => %(flag_merged_after)s)"
)
HOUR: LiteralString = "date_trunc('hour', merged_at AT TIME ZONE (%(flag_zones)s::jsonb->>region))"
LAG: LiteralString = "date_part('epoch', captured_at - published_at)"
# Each text of a region with how many it went to, and all of them.
TEXTS: LiteralString = (
    "SELECT region, reply_fingerprint, count(*) AS sent,"
    " sum(count(*)) OVER (PARTITION BY region) AS in_all FROM incident WHERE "
    + OWN
    + " AND "
    + COHORT
    + " AND reply_fingerprint IS NOT NULL GROUP BY region, reply_fingerprint"
)
SAME: LiteralString = "sent >= greatest(%(flag_same)s, %(flag_same_share)s * in_all)"


class Asked(NamedTuple):
    """Whose flags, over which days."""

    period: Period
    area: Area
    catalogue: Catalogue
    now: datetime

    @property
    def regions(self) -> list[str]:
        return regions_of(self.area, self.catalogue)

    @property
    def days(self) -> int:
        return (self.period.last - self.period.first).days + 1

    def zone(self, region: str) -> str:
        if self.area.municipality is not None:
            return self.catalogue.municipality(self.area.municipality).zone.key
        return self.catalogue.region(region).zone.key

    def last_days(self, region: str) -> list[date]:
        """Of the period and of the calendar months that end in it; those that have begun."""
        today = today_in(self.catalogue, region, self.now)
        days = (self.period.first + timedelta(days=n) for n in range(self.days))
        ends = [day for day in days if _ends_a_month(day) or day == self.period.last]
        return [day for day in ends if day <= today]

    def parameters(self) -> dict[str, object]:
        return {
            "flag_first": self.period.first,
            "flag_last": self.period.last,
            "flag_before": previous(self.period).first,
            "flag_merged_after": MERGED_AFTER_HOURS,
            "flag_answered_by": self.now - timedelta(hours=ANSWERED_WITHIN_HOURS),
            "flag_regions": self.regions,
            "flag_zones": Jsonb({region: self.zone(region) for region in self.regions}),
            "flag_municipality": self.area.municipality,
            "flag_others": (
                self.regions if self.area.municipality else list(self.catalogue.regions)
            ),
            "flag_same": SAME_TEXT_MIN,
            "flag_same_share": SAME_TEXT_SHARE,
        }


def _ends_a_month(day: date) -> bool:
    return (day + timedelta(days=1)).day == 1


async def counted(connection: AsyncConnection[Any], asked: Asked) -> dict[str, Counted]:
    """By the code of the municipality, or of each region."""
    found = {
        region: Counted(days=asked.days, last_days=asked.last_days(region))
        for region in asked.regions
    }
    await _compare_shares(connection, asked, found)
    await _count_days(connection, asked, found)
    await _count_texts(connection, asked, found)
    await _count_merges(connection, asked, found)
    await _time_captures(connection, asked, found)
    return {asked.area.municipality or region: of for region, of in found.items()}


async def _compare_shares(
    connection: AsyncConnection[Any], asked: Asked, found: Mapping[str, Counted]
) -> None:
    cases = await _rare(connection, asked)
    registered = await _registered(connection, asked)
    for region, of in found.items():
        unit = asked.area.municipality or region
        own, all_own = cases.get(unit, Counter()), registered.get(unit, Counter())
        others = sum((each for code, each in cases.items() if code != unit), Counter[Any]())
        all_others = sum(
            (each for code, each in registered.items() if code != unit), Counter[Any]()
        )
        of.auto_replies, of.replies_deleted, of.rejected = _shares(own, all_own, now=True)
        of.auto_replies_of_others, of.replies_deleted_of_others, of.rejected_of_others = _shares(
            others, all_others, now=True
        )
        *_, of.rejected_before = _shares(own, all_own, now=False)


def _shares(
    cases: Mapping[tuple[str, bool], int], registered: Mapping[bool, int], *, now: bool
) -> tuple[Share, Share, Share]:
    """Of the kinds of RARE. What is rejected is none of the registered, and added to them."""
    auto, deleted, rejected = (cases.get((kind, now), 0) for kind in RARE)
    of = registered.get(now, 0)
    return Share(auto, of), Share(deleted, of), Share(rejected, of + rejected)


async def _rare(
    connection: AsyncConnection[Any], asked: Asked
) -> dict[str, Counter[tuple[str, bool]]]:
    """By unit: cases of a kind, in the period (True) and in the one before."""
    unit: LiteralString = "region" if asked.area.municipality is None else "municipality"
    parts: list[LiteralString] = [
        "SELECT '"
        + kind.value
        + "' AS kind, "
        + unit
        + " AS unit, registered_on >= %(flag_first)s AS now, count(*) FROM incident WHERE "
        + condition
        + " AND region = ANY (%(flag_others)s)"
        " AND registered_on BETWEEN %(flag_before)s AND %(flag_last)s GROUP BY unit, now"
        for kind, condition in RARE.items()
    ]
    cursor = await connection.execute(" UNION ALL ".join(parts), asked.parameters(), binary=True)
    found: dict[str, Counter[tuple[str, bool]]] = {}
    async for kind, code, now, cases in cursor:
        if code is not None:  # what is not located is in no municipality
            found.setdefault(code, Counter())[kind, now] = cases
    return found


async def _registered(connection: AsyncConnection[Any], asked: Asked) -> dict[str, Counter[bool]]:
    """By unit: the cohort of the period (True) and of the one before."""
    unit: LiteralString = "region" if asked.area.municipality is None else "municipality"
    level: LiteralString = "= ''" if asked.area.municipality is None else "<> ''"
    cursor = await connection.execute(
        "SELECT "
        + unit
        + """ AS unit,
               day >= %(flag_first)s AS now,
               sum(registered)
          FROM daily
         WHERE region = ANY (%(flag_others)s)
           AND municipality """
        + level
        + """
           AND day BETWEEN %(flag_before)s AND %(flag_last)s
         GROUP BY unit, now
        """,
        asked.parameters(),
        binary=True,
    )
    found: dict[str, Counter[bool]] = {}
    async for code, now, cases in cursor:
        found.setdefault(code, Counter())[now] = cases
    return found


async def _count_days(
    connection: AsyncConnection[Any], asked: Asked, found: Mapping[str, Counted]
) -> None:
    resolved: LiteralString = (
        "counted AND first_resolved_on BETWEEN %(flag_first)s AND %(flag_last)s"
    )
    days = await _tallied(connection, asked, "first_resolved_on", resolved)
    for region, by_day in days.items():
        found[region].resolved_by_day = by_day


async def _tallied(
    connection: AsyncConnection[Any], asked: Asked, key: LiteralString, condition: LiteralString
) -> dict[str, dict[Any, int]]:
    """By region, how many incidents of each key meet the condition."""
    cursor = await connection.execute(
        "SELECT region, "
        + key
        + " AS key, count(*) FROM incident WHERE "
        + OWN
        + " AND "
        + condition
        + " GROUP BY region, key",
        asked.parameters(),
        binary=True,
    )
    tallied: dict[str, dict[Any, int]] = {}
    async for region, of, cases in cursor:
        tallied.setdefault(region, {})[of] = cases
    return tallied


async def _count_texts(
    connection: AsyncConnection[Any], asked: Asked, found: Mapping[str, Counted]
) -> None:
    cursor = await connection.execute(
        "SELECT region, coalesce(sum(sent) FILTER (WHERE "
        + SAME
        + "), 0)::int8, sum(sent)::int8 FROM ("
        + TEXTS
        + ") AS text GROUP BY region",
        asked.parameters(),
        binary=True,
    )
    async for region, same, of in cursor:
        found[region].same_texts = Share(same, of)


async def _count_merges(
    connection: AsyncConnection[Any], asked: Asked, found: Mapping[str, Counted]
) -> None:
    for region, by_hour in (await _tallied(connection, asked, HOUR, MERGED)).items():
        found[region].merged_by_hour = by_hour


async def _time_captures(
    connection: AsyncConnection[Any], asked: Asked, found: Mapping[str, Counted]
) -> None:
    cursor = await connection.execute(
        "WITH lag AS (SELECT region, registered_on >= %(flag_first)s AS now, "
        + LAG
        + " AS seconds FROM incident WHERE "
        + OWN
        + """
                  AND counted
                  AND registered_on BETWEEN %(flag_before)s AND %(flag_last)s
               ),
               usual AS (
               SELECT region,
                      percentile_disc(0.5) WITHIN GROUP (ORDER BY seconds) AS median
                 FROM lag
                WHERE NOT now
                GROUP BY region
               )
        SELECT region,
               percentile_disc(0.5) WITHIN GROUP (ORDER BY seconds) FILTER (WHERE now),
               median,
               count(*) FILTER (WHERE now AND seconds > median),
               count(*) FILTER (WHERE now),
               count(*) FILTER (WHERE NOT now AND seconds > median),
               count(*) FILTER (WHERE NOT now)
          FROM lag
          JOIN usual USING (region)
         GROUP BY region, median
        """,
        asked.parameters(),
        binary=True,
    )
    async for region, median, usual, later, of, later_before, of_before in cursor:
        found[region].lags = Lags(median, usual, Share(later, of), Share(later_before, of_before))


async def _same_texts(
    connection: AsyncConnection[Any], parameters: Mapping[str, object]
) -> list[bytes]:
    """The fingerprints: counted here, in all of the place, and not by who sees a part of it."""
    cursor = await connection.execute(
        "SELECT reply_fingerprint FROM (" + TEXTS + ") AS text WHERE " + SAME, parameters
    )
    return [fingerprint async for (fingerprint,) in cursor]


async def evidence(connection: AsyncConnection[Any], asked: Asked, kind: FlagKind) -> Evidence:
    """Behind the figures of one unit; `asked.area` is no country."""
    (region,) = asked.regions
    parameters = asked.parameters()
    match kind:
        case FlagKind.AUTO_REPLIES | FlagKind.REPLIES_DELETED | FlagKind.MASS_REJECTION:
            condition = RARE[kind] + " AND registered_on BETWEEN %(flag_first)s AND %(flag_last)s"
        case FlagKind.BULK_CLOSING:
            condition = "counted AND first_resolved_on = ANY (%(flag_days)s)"
            parameters["flag_days"] = asked.last_days(region)
        case FlagKind.IDENTICAL_REPLIES:
            condition = COHORT + " AND reply_fingerprint = ANY (%(flag_texts)s)"
            parameters["flag_texts"] = await _same_texts(connection, parameters)
        case FlagKind.MERGE_BURST:
            found = {region: Counted(asked.days, ())}
            await _count_merges(connection, asked, found)
            condition = MERGED + " AND " + HOUR + " = %(flag_hour)s"
            parameters["flag_hour"] = found[region].busiest_hour
        case FlagKind.CAPTURE_LAG:
            found = {region: Counted(asked.days, ())}
            await _time_captures(connection, asked, found)
            lags = found[region].lags
            condition = COHORT + " AND " + LAG + " > %(flag_usual)s"
            parameters["flag_usual"] = lags.usual_median if lags else None
    return Evidence(OWN + " AND " + condition, parameters)
