"""What units would be compared by if each had the topics of the network: direct standardisation.

A region with many clinics is not slower for that alone. Method STANDARDISED_1: every case weighs

    (share of its topic in all cases of the network) / (share of its topic in the unit's cases),

over the topics that the unit has, so that its weights add up to one. Medians, shares and means are
weighed; they tell as much as 1 / sum(weight^2) cases that weigh the same, which is the n of the
interval and of the shrinkage (rankings.py). Source: lifecycle-and-metrics 3.5.5; Kish,
Survey Sampling (1965), 11.7, for the effective number.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache
from typing import Any, LiteralString, NamedTuple

import numpy as np
from psycopg import AsyncConnection

from domain.publications import RankingQuestion
from domain.vocabulary import RankedBy, RankingMethod
from projections.statistics.exact import UNITS, Unit, given, incidents_of
from projections.statistics.figures import Figures, Period
from projections.statistics.measures import CENSORED, COUNTS, DURATIONS, Cohort
from projections.statistics.units import Area, regions_of, today_in
from projections.views.rankings import (
    NOTHING,
    TIMES,
    Measured,
    Z,
    compared_by,
    of_mean,
    of_share,
    share_of,
)
from regions.reference.catalogue import Catalogue

COHORTS = {
    RankedBy.OVERDUE: Cohort.DUE,
    RankedBy.REOPENING: Cohort.RESOLVED,
    RankedBy.PROMISES: Cohort.PROMISED,
    RankedBy.SATISFACTION: Cohort.REGISTERED,
}


class Times(NamedTuple):
    """The cases of a unit, in ascending order of their times; what waits is infinite."""

    seconds: list[float]
    topics: list[str]  # "" where it is not known


async def standardised(
    connection: AsyncConnection[Any],
    question: RankingQuestion,
    *,
    catalogue: Catalogue,
    now: datetime,
) -> dict[str, Measured]:
    """By unit; units without a case are absent. Told from the incidents, so it is always exact."""
    regions = regions_behind(question, catalogue)
    parameters = given(
        Period(question.first, question.last),
        {code: today_in(catalogue, code, now) for code in regions},
    )
    unit = UNITS[question.of]
    if question.by in TIMES:
        (name,) = compared_by(question.by, working=question.working)
        cursor = await connection.execute(_times_query(unit, name), parameters, binary=True)
        return of_times({code: Times(*times) async for code, *times in cursor})
    cohort = COHORTS[question.by]
    cursor = await connection.execute(_counts_query(unit, cohort), parameters, binary=True)
    counted: dict[str, dict[str, Figures]] = {}
    async for code, topic, *counts in cursor:
        figures = Figures(**dict(zip(COUNTS[cohort], counts, strict=True)))
        counted.setdefault(code, {})[topic] = figures
    return of_counts(counted, question.by)


def regions_behind(question: RankingQuestion, catalogue: Catalogue) -> list[str]:
    """Whose incidents an answer is told from: the weights are those of the whole network."""
    network = question.method is RankingMethod.STANDARDISED_1
    return regions_of(Area(None if network else question.only_region), catalogue)


def of_times(times: Mapping[str, Times]) -> dict[str, Measured]:
    shares = _shares(topic for each in times.values() for topic in each.topics)
    return {code: _median(each, shares) for code, each in times.items()}


def _shares(topics: Iterable[str]) -> dict[str, float]:
    counted = Counter(topics)
    return {topic: cases / counted.total() for topic, cases in counted.items()}


def _median(times: Times, shares: Mapping[str, float]) -> Measured:
    own = Counter(times.topics)
    present = sum(shares[topic] for topic in own)
    weights = np.array([shares[topic] / own[topic] for topic in times.topics]) / present
    effective = 1 / float(np.square(weights).sum())
    reached = weights.cumsum()
    spread = Z * 0.5 / math.sqrt(effective)

    def at(part: float) -> float | None:
        rank = int(np.searchsorted(reached, part - 1e-9))
        seconds = times.seconds[rank] if rank < len(times.seconds) else math.inf
        return None if math.isinf(seconds) else seconds

    return Measured(int(effective + 1e-9), at(0.5), at(max(0.0, 0.5 - spread)), at(0.5 + spread))


def of_counts(counted: Mapping[str, Mapping[str, Figures]], by: RankedBy) -> dict[str, Measured]:
    """`counted` by unit and topic."""
    network: Counter[str] = Counter()
    for topics in counted.values():
        network.update({topic: _cases(figures, by) for topic, figures in topics.items()})
    return {code: _weighed(topics, network, by) for code, topics in counted.items()}


def _cases(figures: Figures, by: RankedBy) -> int:
    return figures.rated if by is RankedBy.SATISFACTION else share_of(figures, by)[1]


def _weighed(topics: Mapping[str, Figures], network: Mapping[str, int], by: RankedBy) -> Measured:
    own = {topic: n for topic, figures in topics.items() if (n := _cases(figures, by))}
    present = sum(network[topic] for topic in own)
    if not present:
        return NOTHING
    weights = {topic: network[topic] / present for topic in own}
    effective = int(1 / sum(weights[topic] ** 2 / n for topic, n in own.items()) + 1e-9)

    def mean(of: Mapping[str, float]) -> float:
        return sum(weights[topic] * of[topic] / n for topic, n in own.items())

    if by is RankedBy.SATISFACTION:
        return of_mean(
            effective,
            mean({topic: topics[topic].rating_sum for topic in own}),
            mean({topic: topics[topic].rating_squares for topic in own}),
            cases=sum(own.values()),
        )
    return of_share(mean({topic: share_of(topics[topic], by)[0] for topic in own}), effective)


@cache
def _times_query(unit: Unit, name: str) -> LiteralString:
    """Rows of: the unit, its times in ascending order, the topics of these."""
    seconds = DURATIONS[name]
    if name in CENSORED:
        seconds = "CASE WHEN first_replied_at IS NULL THEN 'infinity' ELSE " + seconds + " END"
    return (
        "SELECT unit, array_agg(seconds ORDER BY seconds, topic),"
        " array_agg(topic ORDER BY seconds, topic)"
        " FROM (SELECT unit, coalesce(topic, '') AS topic, "
        + seconds
        + " AS seconds FROM "
        + incidents_of(Cohort.REGISTERED, unit)
        + ") AS lasted WHERE unit IS NOT NULL AND seconds IS NOT NULL GROUP BY unit"
    )


@cache
def _counts_query(unit: Unit, cohort: Cohort) -> LiteralString:
    """Rows of: the unit, a topic, the counts of the cohort."""
    counts: LiteralString = ", ".join(COUNTS[cohort].values())
    return (
        "SELECT unit, coalesce(topic, ''), "
        + counts
        + " FROM "
        + incidents_of(cohort, unit)
        + " WHERE unit IS NOT NULL GROUP BY unit, coalesce(topic, '')"
    )
