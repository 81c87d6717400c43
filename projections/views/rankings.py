"""Who is faster, more punctual, better liked: units of one kind side by side, and how sure that is.

Method SHRUNK_1, which a ranking names (docs/decisions/0027-fair-rankings.md):

    value     median time (working or calendar) of the cohort, or a share, or a mean rating
    score     the value drawn towards the median of its tier, the more the fewer cases it has:
              exp((n ln value + K ln tier) / (n + K)) of times, (n value + K tier) / (n + K) else
    interval  95 %: of a median by ranks, of a share by Wilson, of a mean by its standard error
    place     dense; whoever's interval overlaps that of the first of a place shares the place

STANDARDISED_1 is the same of values in which every topic weighs what it weighs in the network
(projections/views/standardised.py).

Source: lifecycle-and-metrics 3.5. Nothing here is drawn at random.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median
from typing import NamedTuple

from domain.vocabulary import RankedBy, Unranked
from projections.statistics.figures import Figures, share

SHRINKAGE = 30  # K: cases of its tier that each unit is given (lifecycle-and-metrics 3.5.4)
RANKED_CASES_MIN = 5  # below this nothing can be said (the same)
Z = 1.96  # of 95 %
RATING_MIN, RATING_MAX = 1.0, 5.0


class Measured(NamedTuple):
    """What a unit is compared by; `high` is None where nothing bounds it."""

    n: int
    value: float | None
    low: float | None
    high: float | None


NOTHING = Measured(0, None, None, None)


class Standing(NamedTuple):
    """A unit in a ranking of its tier."""

    unit: str
    tier: str
    place: int | None  # None: see `unranked`
    position: int | None  # one plus the number of units with a better score
    unranked: Unranked | None
    measured: Measured
    score: float | None  # None: more than half of the cohort wait, or nothing is known
    figures: Figures


def compared_by(by: RankedBy, *, working: bool) -> tuple[str, ...]:
    """The durations of the figures that are compared."""
    match by:
        case RankedBy.FIRST_REPLY:
            return ("reply_working",) if working else ("reply",)
        case RankedBy.RESOLUTION:
            return ("resolution_working",) if working else ("resolution",)
        case _:
            return ()


def measured(figures: Figures, by: RankedBy, *, working: bool) -> Measured:
    """Times in seconds, shares from 0 to 1, ratings from 1 to 5."""
    match by:
        case RankedBy.FIRST_REPLY | RankedBy.RESOLUTION:
            (name,) = compared_by(by, working=working)
            lasted = figures.lasted(name)
            return Measured(lasted.whole, lasted.median, lasted.low, lasted.high)
        case RankedBy.SATISFACTION:
            n, mean = figures.rated, figures.satisfaction
            return of_mean(n, mean, share(figures.rating_squares, n), cases=n)
        case _:
            part, whole = share_of(figures, by)
            return of_share(share(part, whole), whole)


def share_of(figures: Figures, by: RankedBy) -> tuple[int, int]:
    """The part and the whole of what is compared, where that is a share."""
    match by:
        case RankedBy.OVERDUE:
            return figures.missed, figures.due
        case RankedBy.REOPENING:
            return figures.reopened_soon, figures.first_resolved
        case RankedBy.PROMISES:
            return figures.promise_kept, figures.promised
        case _:
            raise ValueError(f"{by} is no share")


def of_share(value: float | None, n: int) -> Measured:
    """Wilson, "Probable inference", JASA 22 (1927)."""
    if value is None or n == 0:
        return NOTHING
    middle = (value + Z**2 / (2 * n)) / (1 + Z**2 / n)
    spread = math.sqrt(value * (1 - value) / n + Z**2 / (4 * n**2)) / (1 + Z**2 / n)
    return Measured(n, value, max(0.0, middle - Z * spread), min(1.0, middle + Z * spread))


def of_mean(n: int, mean: float | None, mean_square: float | None, *, cases: int) -> Measured:
    """`n` cases tell as much as the `cases` there are, if these are weighed."""
    if mean is None or mean_square is None or n == 0:
        return NOTHING
    variance = max(0.0, mean_square - mean**2) * cases / max(1, cases - 1)
    spread = Z * math.sqrt(variance / n)
    return Measured(n, mean, max(RATING_MIN, mean - spread), min(RATING_MAX, mean + spread))


def standings(
    units: Mapping[str, Figures],
    by: RankedBy,
    *,
    working: bool = True,
    tier_of: Callable[[str], str] = lambda unit: "",
    stale: frozenset[str] = frozenset(),
    values: Mapping[str, Measured] | None = None,
) -> list[Standing]:
    """By tier, in it the best first, then whoever has no place. `values` replace what is measured.

    Whoever leaves more than half of the cohort unanswered has no median and comes last.
    """
    found = {
        unit: (
            measured(figures, by, working=working) if values is None else values.get(unit, NOTHING)
        )
        for unit, figures in units.items()
    }
    tiers: dict[str, list[str]] = {}
    for unit in sorted(units):
        tiers.setdefault(tier_of(unit), []).append(unit)
    return [
        standing
        for tier, members in sorted(tiers.items())
        for standing in _ranked({unit: found[unit] for unit in members}, by, tier, units, stale)
    ]


def _ranked(
    found: Mapping[str, Measured],
    by: RankedBy,
    tier: str,
    units: Mapping[str, Figures],
    stale: frozenset[str],
) -> list[Standing]:
    compared = {
        unit: of
        for unit, of in found.items()
        if of.n >= RANKED_CASES_MIN and unit not in stale and _can_be_told(of, by)
    }
    towards = tier_value(compared.values(), by)
    scores = {unit: shrunk(of.value, of.n, towards, by) for unit, of in compared.items()}
    order = sorted(compared, key=lambda unit: (_rank_key(scores[unit], by), unit))
    places = _places([_interval(compared[unit], towards, by) for unit in order])
    keys = [_rank_key(scores[unit], by) for unit in order]
    return [
        *(
            Standing(
                unit, tier, place, 1 + keys.index(key), None, found[unit], scores[unit], units[unit]
            )
            for unit, place, key in zip(order, places, keys, strict=True)
        ),
        *(
            Standing(
                unit,
                tier,
                None,
                None,
                Unranked.STALE_DATA if unit in stale else Unranked.INSUFFICIENT_DATA,
                of,
                None,
                units[unit],
            )
            for unit, of in found.items()
            if unit not in compared
        ),
    ]


def _can_be_told(of: Measured, by: RankedBy) -> bool:
    """No value tells something only of the first reply: that most people still wait for it."""
    return of.value is not None or by is RankedBy.FIRST_REPLY


def tier_value(of: Iterable[Measured], by: RankedBy) -> float | None:
    """The median of the units' values; None if none has one."""
    values = [each.value for each in of if each.value is not None]
    if not values:
        return None
    if by in TIMES:
        return math.exp(median(math.log(max(1.0, value)) for value in values))
    return float(median(values))


TIMES = frozenset({RankedBy.FIRST_REPLY, RankedBy.RESOLUTION})
MORE_IS_BETTER = frozenset({RankedBy.SATISFACTION, RankedBy.PROMISES})


def shrunk(value: float | None, n: int, towards: float | None, by: RankedBy) -> float | None:
    """The value drawn towards its tier's, as if SHRINKAGE cases of that were added."""
    if value is None or towards is None:
        return None
    if by in TIMES:
        # A reply within the same second counts as one second: a logarithm must exist.
        logs = n * math.log(max(1.0, value)) + SHRINKAGE * math.log(max(1.0, towards))
        return math.exp(logs / (n + SHRINKAGE))
    return (n * value + SHRINKAGE * towards) / (n + SHRINKAGE)


def _rank_key(score: float | None, by: RankedBy) -> float:
    if score is None:
        return math.inf
    return -score if by in MORE_IS_BETTER else score


def _interval(of: Measured, towards: float | None, by: RankedBy) -> tuple[float, float]:
    """Of the score, the better end first, as keys of the order."""
    if of.value is None:
        return math.inf, math.inf
    ends = [_rank_key(shrunk(end, of.n, towards, by), by) for end in (of.low, of.high)]
    return min(ends), max(ends)


def _places(intervals: Sequence[tuple[float, float]]) -> list[int]:
    """Dense. Who overlaps the first of a place shares it; who has no value comes after all."""
    places: list[int] = []
    first = (-math.inf, -math.inf)
    for best, worst in intervals:
        apart = best > first[1] or math.isinf(best) != math.isinf(first[0])
        if not places or apart:
            places.append(places[-1] + 1 if places else 1)
            first = (best, worst)
        else:
            places.append(places[-1])
    return places
