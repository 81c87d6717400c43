"""Flags: what in a unit's figures looks like gaming and can hardly be chance. No verdict.

A flag is raised where as many cases as were found are at least CASES_MIN of its kind, and RATIO_MIN
times what was to be expected, and chance alone does that less than once in 1 / CHANCE_MAX times:

    AUTO_REPLIES, REPLIES_DELETED   against the other units, MASS_REJECTION against these and the
                                    unit's own period before: Fisher's exact test of two shares
    CAPTURE_LAG                     cases above the median of the period before, the same: Mood's
                                    median test (Introduction to the Theory of Statistics, 1950)
    BULK_CLOSING                    last days against the others: of two Poisson counts one, given
                                    both, is binomial (Przyborowski, Wilenski, Biometrika 31, 1940)
    MERGE_BURST                     the busiest hour: binomial, times the hours it was chosen from
                                    (Bonferroni)
    IDENTICAL_REPLIES               binomial, against a share of our own choice

Ratios and numbers of cases are our own choice; a real difference of that size between honest units
is told as well. Sources: lifecycle-and-metrics 3.5.9; tails: projections/views/chance.py.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from functools import partial
from typing import Any, NamedTuple

from psycopg import AsyncConnection

from projections.statistics.figures import Period
from projections.statistics.units import Area
from projections.views.chance import binomial_tail, excess_tail
from projections.views.flag_counts import (
    ANSWERED_WITHIN_HOURS,
    SAME_TEXT_MIN,
    SAME_TEXT_SHARE,
    Asked,
    Counted,
    FlagKind,
    Lags,
    Share,
    counted,
)
from regions.reference.catalogue import Catalogue

CHANCE_MAX = 0.001
LAG_MIN = 15 * 60  # seconds; who finds a message within a quarter of an hour listens well
WORKED_HOURS = 8 / 24  # in which incidents are merged
SAME_TEXT_USUAL = 0.1  # of the final replies: one text to all houses that an outage hit
OTHER_DAYS_MIN = 5
BUSIEST_RATIO_MIN = 2  # of the last day to the busiest of the others


class ComparedTo(StrEnum):
    """Where what is expected comes from."""

    OTHER_UNITS = "OTHER_UNITS"  # together, over the same days
    PERIOD_BEFORE = "PERIOD_BEFORE"  # of the same unit, as long, just before
    OTHER_DAYS = "OTHER_DAYS"  # of the period on which anything was resolved
    OTHER_HOURS = "OTHER_HOURS"  # of the period in which people work
    FIXED_SHARE = "FIXED_SHARE"  # of our own choice


class Threshold(NamedTuple):
    cases_min: int
    ratio_min: float


THRESHOLDS = {
    FlagKind.AUTO_REPLIES: Threshold(10, 3),
    FlagKind.REPLIES_DELETED: Threshold(5, 3),
    FlagKind.BULK_CLOSING: Threshold(10, 3),
    FlagKind.IDENTICAL_REPLIES: Threshold(20, 2),
    FlagKind.MASS_REJECTION: Threshold(10, 2),
    FlagKind.MERGE_BURST: Threshold(10, 3),
    FlagKind.CAPTURE_LAG: Threshold(20, 2),  # the ratio is that of the medians
}

WORDS = {
    FlagKind.AUTO_REPLIES: "incidents with an automatic reply and none by a human within "
    f"{ANSWERED_WITHIN_HOURS} hours",
    FlagKind.REPLIES_DELETED: "incidents of which a reply is gone from its platform",
    FlagKind.BULK_CLOSING: "first resolutions on the last day of the period, or of its months",
    FlagKind.IDENTICAL_REPLIES: "final replies whose text went to "
    f"{SAME_TEXT_MIN} incidents and {SAME_TEXT_SHARE:.0%} of them or more",
    FlagKind.MASS_REJECTION: "incidents and messages that were rejected",
    FlagKind.MERGE_BURST: "merges within one hour, of incidents older than a day",
    FlagKind.CAPTURE_LAG: "messages found later than half of those of the period before",
}


class Excess(NamedTuple):
    """`n` cases of `of`, where `expected` were to be expected."""

    kind: FlagKind
    n: int
    of: int
    expected: float
    compared_to: ComparedTo
    usual_cases: int | None  # from how many cases it is expected; None: from none
    chance: float


class Flag(NamedTuple):
    """What exceeds the threshold of its kind, and whose it is."""

    excess: Excess
    region: str
    municipality: str | None
    median_seconds: float | None = None  # CAPTURE_LAG: of the lag, now …
    usual_seconds: float | None = None  # … and in the period before

    @property
    def threshold(self) -> str:
        """In words."""
        kind = self.excess.kind
        cases, ratio = THRESHOLDS[kind]
        match kind:
            case FlagKind.CAPTURE_LAG:
                times = f"a median {ratio:g} times the usual, of {LAG_MIN // 60} minutes or more"
            case FlagKind.BULK_CLOSING:
                times = f"{ratio:g} times what is expected, {BUSIEST_RATIO_MIN} times any other day"
            case _:
                times = f"{ratio:g} times what is expected"
        return f"{cases} {WORDS[kind]}; {times}; by chance less than once in {1 / CHANCE_MAX:g}"


async def flags(
    connection: AsyncConnection[Any],
    period: Period,
    area: Area,
    catalogue: Catalogue,
    now: datetime,
) -> list[Flag]:
    """Of a municipality or a region itself; of the country those of each region."""
    asked = Asked(period, area, catalogue, now)
    async with connection.transaction():
        await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        found = await counted(connection, asked)
    return [
        Flag(excess, area.region or unit, area.municipality, *_medians(excess, of.lags))
        for unit, of in sorted(found.items())
        for excess in excesses(of)
    ]


def _medians(excess: Excess, lags: Lags | None) -> tuple[float | None, float | None]:
    if excess.kind is not FlagKind.CAPTURE_LAG or lags is None:
        return None, None
    return lags.median, lags.usual_median


def excesses(of: Counted) -> Iterator[Excess]:
    """All of a unit, in the order of the kinds."""
    found = [
        of_share(FlagKind.AUTO_REPLIES, of.auto_replies, others=of.auto_replies_of_others),
        of_share(FlagKind.REPLIES_DELETED, of.replies_deleted, others=of.replies_deleted_of_others),
        of_last_days(of.resolved_by_day, of.last_days),
        of_texts(of.same_texts),
        of_share(
            FlagKind.MASS_REJECTION,
            of.rejected,
            before=of.rejected_before,
            others=of.rejected_of_others,
        ),
        of_busiest_hour(of.merged_by_hour, of.days),
        of_lags(of.lags),
    ]
    return (each for each in found if each is not None)


def of_share(
    kind: FlagKind, found: Share, *, before: Share | None = None, others: Share | None = None
) -> Excess | None:
    """Above each share it is compared to that is known; told against the highest of them."""
    compared = [
        _told(
            kind,
            found,
            found.of * usual.n / usual.of,
            to,
            usual.n,
            partial(excess_tail, *found, *usual),
        )
        for usual, to in (
            (before, ComparedTo.PERIOD_BEFORE),
            (others, ComparedTo.OTHER_UNITS),
        )
        if usual is not None and usual.of
    ]
    told = [each for each in compared if each is not None]
    if not told or len(told) < len(compared):
        return None
    return max(told, key=lambda each: each.expected)


def of_last_days(by_day: Mapping[date, int], last_days: Sequence[date]) -> Excess | None:
    """Also above the busiest of the others: days differ by more than a Poisson count does.

    Days on which nothing was resolved are left out: weekends make no day of work a burst.
    """
    n = sum(by_day.get(day, 0) for day in last_days)
    others = [cases for day, cases in by_day.items() if day not in last_days and cases]
    if len(others) < OTHER_DAYS_MIN or not last_days:
        return None
    if n < BUSIEST_RATIO_MIN * len(last_days) * max(others):
        return None
    of, share = n + sum(others), len(last_days) / (len(last_days) + len(others))
    return _told(
        FlagKind.BULK_CLOSING,
        Share(n, of),
        len(last_days) * sum(others) / len(others),
        ComparedTo.OTHER_DAYS,
        sum(others),
        partial(binomial_tail, n, of, share),
    )


def of_texts(same: Share) -> Excess | None:
    """Of the replies whose text is known by its fingerprint."""
    return _told(
        FlagKind.IDENTICAL_REPLIES,
        same,
        same.of * SAME_TEXT_USUAL,
        ComparedTo.FIXED_SHARE,
        None,
        partial(binomial_tail, *same, SAME_TEXT_USUAL),
    )


def of_busiest_hour(by_hour: Mapping[datetime, int], days: int) -> Excess | None:
    n, of = max(by_hour.values(), default=0), sum(by_hour.values())
    hours = 24 * days * WORKED_HOURS
    return _told(
        FlagKind.MERGE_BURST,
        Share(n, of),
        (of - n) / (hours - 1),
        ComparedTo.OTHER_HOURS,
        of - n,
        lambda: min(1.0, hours * binomial_tail(n, of, 1 / hours)),
    )


def of_lags(lags: Lags | None) -> Excess | None:
    """The ratio is that of the medians: of the cases above one no more than all can be."""
    if lags is None or lags.median is None:
        return None
    cases_min, ratio_min = THRESHOLDS[FlagKind.CAPTURE_LAG]
    if lags.median < max(LAG_MIN, ratio_min * lags.usual_median) or lags.later.n < cases_min:
        return None
    chance = excess_tail(*lags.later, *lags.later_before)
    if chance >= CHANCE_MAX:
        return None
    usual = lags.later_before
    return Excess(
        FlagKind.CAPTURE_LAG,
        *lags.later,
        lags.later.of * usual.n / usual.of,
        ComparedTo.PERIOD_BEFORE,
        usual.n,
        chance,
    )


def _told(
    kind: FlagKind,
    found: Share,
    expected: float,
    compared_to: ComparedTo,
    usual_cases: int | None,
    chance: Callable[[], float],
) -> Excess | None:
    """None below the threshold; how likely it is by chance is reckoned only above the others."""
    cases_min, ratio_min = THRESHOLDS[kind]
    if found.n < cases_min or found.n < ratio_min * expected:
        return None
    likely = chance()
    if likely >= CHANCE_MAX:
        return None
    return Excess(kind, *found, expected, compared_to, usual_cases, likely)
