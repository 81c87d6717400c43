"""Which period another is compared with."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.statistics.comparisons import ComparedWith, compared
from projections.statistics.figures import Period

PREVIOUS, YEAR_AGO, LAUNCH = ComparedWith


def period(first: str, last: str) -> Period:
    return Period(date.fromisoformat(first), date.fromisoformat(last))


@pytest.mark.parametrize(
    ("of", "by", "wanted"),
    [
        (period("2026-03-01", "2026-03-31"), PREVIOUS, period("2026-02-01", "2026-02-28")),
        (period("2026-01-01", "2026-03-31"), PREVIOUS, period("2025-10-01", "2025-12-31")),
        (period("2026-03-10", "2026-03-16"), PREVIOUS, period("2026-03-03", "2026-03-09")),
        (period("2024-02-01", "2024-02-29"), YEAR_AGO, period("2023-02-01", "2023-02-28")),
        (period("2024-02-29", "2024-02-29"), YEAR_AGO, period("2023-02-28", "2023-02-28")),
        (period("2026-03-01", "2026-03-31"), LAUNCH, period("2020-12-01", "2020-12-31")),
        (period("2026-03-10", "2026-03-16"), LAUNCH, period("2020-11-25", "2020-12-01")),
        (period("2020-11-01", "2020-11-30"), LAUNCH, None),
    ],
)
def test_periods_are_compared_with_their_like(
    of: Period, by: ComparedWith, wanted: Period | None
) -> None:
    assert compared(of, by, launched_on=date(2020, 11, 25)) == wanted


def test_where_no_launch_is_known_nothing_is_compared_with_it() -> None:
    assert compared(period("2026-03-01", "2026-03-31"), LAUNCH, launched_on=None) is None


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.integers(0, 1000))
def test_the_period_before_ends_where_this_begins(first: date, days: int) -> None:
    of = Period(first, first + timedelta(days=days))
    before = compared(of, PREVIOUS, launched_on=None)
    assert before is not None
    assert before.last == of.first - timedelta(days=1)
    assert before.first <= before.last
