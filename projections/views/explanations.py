"""Why a unit stands where it stands: what of its cases makes it slower than the middle of its tier.

A case is slow if it took longer than the median of the tier, or waits still; of a unit in the
middle half of the cases are. So the gap is the share of slow cases less one half, and every
category of a dimension contributes

    (slow cases in it - cases in it / 2) / all cases,

which add up to the gap exactly, in each dimension by itself. Nothing is fitted.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from psycopg import AsyncConnection

from domain.errors import InvalidInput
from domain.publications import RankingQuestion
from domain.vocabulary import RankedBy, Unranked
from projections.statistics.exact import UNITS
from projections.statistics.figures import told_by
from projections.views.federal import Ranking, ranking, region_of, tier_of_unit
from projections.views.rankings import NOTHING, Measured, Standing, standings, tier_value
from regions.reference.catalogue import Catalogue


class NotRanked(InvalidInput):
    """This unit has no incidents in the period: there is nothing to explain."""

    field = "unit"


class Dimension(StrEnum):
    TOPIC = "TOPIC"
    HOUR = "HOUR"  # local, of the publication: 00 to 23
    ORGANISATION = "ORGANISATION"
    CHANNEL = "CHANNEL"


class Case(NamedTuple):
    """One incident of the cohort; a code is "" where nobody knows it."""

    seconds: float  # infinite while it waits
    codes: tuple[str, ...]  # in the order of Dimension


@dataclass(frozen=True, slots=True)
class Without:
    """Which cases a what-if leaves out: those of any of these codes."""

    topics: Collection[str] = ()
    hours: Collection[str] = ()
    organisations: Collection[str] = ()
    channels: Collection[str] = ()

    def leaves_out(self, case: Case) -> bool:
        out = (self.topics, self.hours, self.organisations, self.channels)
        return any(code in codes for code, codes in zip(case.codes, out, strict=True))


class Contribution(NamedTuple):
    dimension: Dimension
    code: str
    cases: int
    slow: int
    share: float  # of the gap, in shares of the unit's cases; positive makes it slower


@dataclass(frozen=True, slots=True)
class Explanation:
    standing: Standing
    tier_median: float | None  # seconds; None: the tier has none, and nothing is slow
    slow_share: float | None
    contributions: list[Contribution]  # by dimension, the weightiest first
    what_if: Standing | None  # without some of the cases
    ranking: Ranking


async def explain(
    connection: AsyncConnection[Any],
    question: RankingQuestion,
    unit: str,
    *,
    catalogue: Catalogue,
    now: datetime,
    without: Without | None = None,
) -> Explanation:
    """Of its place by the first reply, from the incidents themselves. Raises NotRanked.

    The other units are as an exact ranking tells them; of this one every case is looked at.
    """
    found = await ranking(connection, question, catalogue=catalogue, now=now, exact=True)
    standing = next((each for each in found.standings if each.unit == unit), None)
    cases = await _cases(connection, question, unit, catalogue)
    if standing is None or not cases:
        raise NotRanked
    compared = [
        each.measured
        for each in found.standings
        if each.tier == standing.tier and each.place is not None
    ]
    median = tier_value(compared, RankedBy.FIRST_REPLY)
    what_if = _what_if(found, standing, cases, without, question, catalogue) if without else None
    return Explanation(
        standing,
        median,
        None if median is None else _slow(cases, median) / len(cases),
        [] if median is None else contributions(cases, median),
        what_if,
        found,
    )


def contributions(cases: Sequence[Case], median: float) -> list[Contribution]:
    """By dimension; in it the weightiest first."""
    found = []
    for number, dimension in enumerate(Dimension):
        whole = Counter(case.codes[number] for case in cases)
        slow = Counter(case.codes[number] for case in cases if case.seconds > median)
        shares = [
            Contribution(dimension, code, n, slow[code], (slow[code] - n / 2) / len(cases))
            for code, n in sorted(whole.items())
        ]
        found += sorted(shares, key=lambda each: -each.share)
    return found


def _slow(cases: Sequence[Case], median: float) -> int:
    return sum(case.seconds > median for case in cases)


def _what_if(
    found: Ranking,
    standing: Standing,
    cases: Sequence[Case],
    without: Without,
    question: RankingQuestion,
    catalogue: Catalogue,
) -> Standing:
    """The ranking once more, with what is left of this unit in its place."""
    left = sorted(case.seconds for case in cases if not without.leaves_out(case))
    values = {each.unit: each.measured for each in found.standings}
    values[standing.unit] = measured_of(left)
    again = standings(
        {each.unit: each.figures for each in found.standings},
        RankedBy.FIRST_REPLY,
        tier_of=lambda unit: tier_of_unit(unit, question.of, catalogue),
        stale=frozenset(
            each.unit for each in found.standings if each.unranked is Unranked.STALE_DATA
        ),
        values=values,
    )
    return next(each for each in again if each.unit == standing.unit)


def measured_of(ordered: Sequence[float]) -> Measured:
    """What a unit with these times would be compared by; infinite ones wait still."""
    if not ordered:
        return NOTHING
    median, _, low, high = told_by(ordered)
    return Measured(len(ordered), median, low, high)


async def _cases(
    connection: AsyncConnection[Any], question: RankingQuestion, unit: str, catalogue: Catalogue
) -> list[Case]:
    region = region_of(unit, question.of, catalogue)
    column = UNITS[question.of].value
    cursor = await connection.execute(
        """
        SELECT CASE WHEN first_replied_at IS NULL THEN 'infinity'
                    WHEN %(working)s THEN reply_working_seconds
                    ELSE date_part('epoch', first_replied_at - published_at) END AS seconds,
               coalesce(topic, ''),
               to_char(published_at AT TIME ZONE %(zone)s, 'HH24'),
               coalesce(organisation, ''),
               channel
          FROM incident
         WHERE region = %(region)s
           AND """
        + column
        + """ = %(unit)s
           AND registered_on BETWEEN %(first)s AND %(last)s
           AND counted
        """,
        {
            "working": question.working,
            "zone": catalogue.region(region).zone.key,
            "region": region,
            "unit": unit,
            "first": question.first,
            "last": question.last,
        },
        binary=True,
    )
    rows = [(seconds, tuple(codes)) async for seconds, *codes in cursor]
    # What was answered where no calendar is known has no working time.
    return [Case(seconds, codes) for seconds, codes in rows if seconds is not None]
