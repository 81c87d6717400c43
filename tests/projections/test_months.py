"""Durations of whole months: the sum of their days, whatever happens to these."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import psycopg
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from domain.commands import Reject
from domain.vocabulary import RejectReason
from projections.statistics.figures import Period
from projections.statistics.histogram import COUNT_MAX, PAIR_BYTES, counts, merged
from projections.statistics.measures import DURATION_NAMES
from projections.statistics.months import whole_months
from projections.statistics.sums import Sums, sums_of
from regions.node import Node
from tests.projections.lives import CURATOR, FINAL, NEW_YORK, RESOLVE, due, live
from tests.projections.test_past import reading
from tests.scenarios import NOON, ask, registered

BEGIN, END = date(2026, 1, 1), date(2026, 4, 30)
DAYS = (date(2026, 1, 31), date(2026, 2, 1), date(2026, 2, 28), date(2026, 3, 1), date(2026, 3, 9))


@pytest.mark.parametrize(
    ("first", "last", "months"),
    [
        (date(2026, 2, 1), date(2026, 2, 28), (date(2026, 2, 1), date(2026, 2, 28))),
        (date(2026, 1, 15), date(2026, 4, 2), (date(2026, 2, 1), date(2026, 3, 31))),
        (date(2025, 12, 31), date(2026, 1, 31), (date(2026, 1, 1), date(2026, 1, 31))),
        (date(2025, 1, 1), date(2026, 12, 31), (date(2025, 1, 1), date(2026, 12, 31))),
        (date(2026, 2, 2), date(2026, 3, 30), None),
        (date(2026, 2, 1), date(2026, 2, 27), None),
        (date(2026, 2, 1), date(2026, 2, 1), None),
    ],
)
def test_months_that_lie_whole_in_a_period(
    first: date, last: date, months: tuple[date, date] | None
) -> None:
    assert whole_months(Period(first, last)) == months


def at(day: date, hour: int) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=NEW_YORK)


def lived(node: Node) -> None:
    bronx, queens = node.centre("BRONX"), node.centre("QUEENS")
    for number, day in enumerate(DAYS):
        waited = 10 * number
        live(bronx, at(day, 9), (1, due(bronx)), (5, FINAL), waited=waited, municipality="BRONX-01")
        live(bronx, at(day, 10), (1, due(bronx)), (60, FINAL), (90, RESOLVE), waited=waited)
        live(queens, at(day, 11), (1, due(queens)))


def told(node: Node, period: Period, place: str = "") -> dict[tuple[str, str], Sums]:
    today = dict.fromkeys(("BRONX", "QUEENS"), END + timedelta(days=1))

    async def asked(one: psycopg.AsyncConnection[Any]) -> dict[tuple[str, str], Sums]:
        return await sums_of(one, period, today, [place])

    return reading(node, asked)


@pytest.fixture(params=["", "BRONX-01"])
def place(node: Node, project: Callable[[], int], request: pytest.FixtureRequest) -> str:
    """Where incidents have lived: the whole region, or a municipality."""
    lived(node)
    project()
    found: str = request.param
    return found


@pytest.mark.parametrize("first", [BEGIN, date(2026, 1, 31), date(2026, 2, 1), date(2026, 2, 2)])
@pytest.mark.parametrize("last", [date(2026, 2, 28), date(2026, 3, 1), date(2026, 3, 31), END])
def test_a_period_is_the_sum_of_its_days(node: Node, place: str, first: date, last: date) -> None:
    by_day = [told(node, Period(day, day), place) for day in DAYS if first <= day <= last]
    found = told(node, Period(first, last), place)
    assert found.keys() == {unit for day in by_day for unit in day}
    for unit, sums in found.items():
        days = [day[unit] for day in by_day if unit in day]
        assert sums.counts == tuple(map(sum, zip(*(each.counts for each in days), strict=True)))
        for number in range(len(DURATION_NAMES)):
            whole = b"".join(each.histograms[number] for each in days)
            assert pairs_of([sums.histograms[number]]) == pairs_of([whole])
            seconds = sum(each.seconds[number] for each in days)
            assert sums.seconds[number] == pytest.approx(seconds)


def pairs_of(stored: list[bytes]) -> list[dict[int, int]]:
    return [
        {int(bucket): int(row[bucket]) for bucket in np.flatnonzero(row)} for row in counts(stored)
    ]


def months(read: psycopg.Connection) -> list[tuple[Any, ...]]:
    return read.execute(
        "SELECT region, month, seconds::int, length(histogram) FROM monthly_duration"
        " WHERE measure = 'capture' ORDER BY region, month"
    ).fetchall()


def test_a_month_follows_what_happens_to_its_days(
    node: Node, project: Callable[[], int], read: psycopg.Connection
) -> None:
    bronx = node.centre("BRONX")
    live(bronx, at(date(2026, 3, 2), 9), waited=10)
    project()
    assert months(read) == [("BRONX", date(2026, 3, 1), 600, PAIR_BYTES)]
    incident = registered(bronx, published_at=NOON - timedelta(minutes=30)).incident_id
    project()
    assert months(read) == [("BRONX", date(2026, 3, 1), 2400, 2 * PAIR_BYTES)]
    ask(bronx, incident, Reject(reason=RejectReason.ADVERT), 60, by=CURATOR)
    project()
    assert months(read) == [("BRONX", date(2026, 3, 1), 600, PAIR_BYTES)]


HISTOGRAMS = st.lists(st.tuples(st.integers(0, 1200), st.integers(1, COUNT_MAX)), max_size=12)


@settings(max_examples=200)
@given(parts=st.lists(HISTOGRAMS, max_size=5))
@example(parts=[[(7, COUNT_MAX)] * 3, [], [(7, 1)]])
def test_merged_histograms_tell_the_same_in_no_more_pairs_than_they_need(
    parts: list[list[tuple[int, int]]],
) -> None:
    given = [np.array(pairs, ">i2").tobytes() for pairs in parts]
    found = merged(given)
    assert pairs_of(found) == pairs_of(given)
    for one, of_part in zip(found, pairs_of(given), strict=True):
        needed = sum(-(-cases // COUNT_MAX) for cases in of_part.values())
        assert len(one) == PAIR_BYTES * needed
