"""The figures of a unit over a period: how many, how fast, how late. One definition for every view.

What is counted and timed: measures.py. The cohort are the incidents registered on the
period's local days; who has no reply yet counts as slower than everybody answered: ignoring people
improves nothing. Deadlines and promises count on the day they fall on, once it is over; open and
late is missed. Reopenings count for the day of the first resolution, once they can no more come.

Sources: lifecycle-and-metrics 3.4 and 3.5 (docs/decisions/0007-unanswered-counts-as-not-yet.md).
Quantiles are nearest rank: within 1 % from daily rows (sums.py), or exact from the
incident rows (exact.py).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import NamedTuple

from domain.errors import PeriodInvalid
from domain.publications import SETTLES_AFTER_DAYS
from projections.statistics.histogram import median_bounds

PERIOD_DAYS_MAX = 3 * 366  # a daily row of each region and day is read: the bound keeps it one page


class Period(NamedTuple):
    """Whole local days, both included."""

    first: date
    last: date

    def checked(self, *, days_max: int = PERIOD_DAYS_MAX) -> "Period":
        """Itself. Raises PeriodInvalid."""
        if not 0 <= (self.last - self.first).days < days_max:
            raise PeriodInvalid(limit=days_max)
        return self


def is_provisional(period: Period, now: datetime) -> bool:
    """Whether deadlines of the period may be open: the longest ordinary one is thirty days."""
    return now.date() < period.last + timedelta(days=SETTLES_AFTER_DAYS)


class Duration(NamedTuple):
    """How long something took, in seconds; None where there is nothing to tell it from."""

    cases: int = 0  # that are over
    mean: float | None = None  # of these
    median: float | None = None  # with those that are not over, where they count (CENSORED)
    p90: float | None = None
    low: float | None = None  # between them the true median lies with 95 %
    high: float | None = None  # None with a median: it has no upper bound
    whole: int = 0  # cases with those that are not over, where they count


def _nothing_lasted(name: str) -> Duration:
    return Duration()


@dataclass(frozen=True, slots=True)
class Figures:
    """How long things took, by their name, then the counts in the order of COUNT_NAMES."""

    # Told when asked: of a ranking most are not, and each costs as much as all the counts.
    lasted: Callable[[str], Duration] = field(default=_nothing_lasted, compare=False, repr=False)
    registered: int = 0
    answered: int = 0
    resolved: int = 0
    reopened: int = 0
    assigned: int = 0
    returned: int = 0
    hops: int = 0
    disputed: int = 0
    rated: int = 0
    rating_sum: int = 0
    rating_squares: int = 0
    final_replies: int = 0
    final_on_source: int = 0
    ended: int = 0
    solved: int = 0
    recurred: int = 0
    due: int = 0
    kept: int = 0
    first_resolved: int = 0
    reopened_soon: int = 0
    promised: int = 0
    promise_kept: int = 0

    @property
    def missed(self) -> int:
        return self.due - self.kept

    @property
    def unanswered_share(self) -> float | None:
        return share(self.registered - self.answered, self.registered)

    @property
    def return_share(self) -> float | None:
        return share(self.returned, self.assigned)

    @property
    def hops_per_incident(self) -> float | None:
        return share(self.hops, self.registered)

    @property
    def same_platform_share(self) -> float | None:
        return share(self.final_on_source, self.final_replies)

    @property
    def overdue_share(self) -> float | None:
        return share(self.missed, self.due)

    @property
    def reopen_rate(self) -> float | None:
        return share(self.reopened_soon, self.first_resolved)

    @property
    def satisfaction(self) -> float | None:
        return share(self.rating_sum, self.rated)

    @property
    def promise_share(self) -> float | None:
        return share(self.promise_kept, self.promised)

    @property
    def rated_share(self) -> float | None:
        return share(self.rated, self.ended)

    @property
    def dispute_rate(self) -> float | None:
        return share(self.disputed, self.ended)

    @property
    def recurrence_rate(self) -> float | None:
        return share(self.recurred, self.solved)


TOTAL = ""  # the key of all units together


def ranks_of(cases: int) -> tuple[int, int, int, int]:
    """Of the median, the p90 and the bounds of the median; nearest rank, 1 is the shortest."""
    low, high = median_bounds(cases)
    return max(1, math.ceil(0.5 * cases)), max(1, math.ceil(0.9 * cases)), low, max(1, high)


def told_by(ordered: Sequence[float]) -> tuple[float | None, ...]:
    """Median, p90 and the bounds of the median of some ascending times; None for infinite ones."""
    found = (ordered[rank - 1] for rank in ranks_of(len(ordered)))
    return tuple(None if math.isinf(each) else each for each in found)


def share(part: float, whole: int) -> float | None:
    """None of nothing."""
    return part / whole if whole else None
