"""What makes a unit slow adds up to its gap, whatever its cases are."""

import math
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.views.explanations import Case, Dimension, Without, contributions, measured_of

SECONDS = st.one_of(st.floats(0, 1e6), st.just(math.inf))
CODES = st.tuples(*(st.sampled_from(["", "one", "two", "three"]) for _ in Dimension))
CASES = st.lists(st.builds(Case, SECONDS, CODES), min_size=1, max_size=60)


@given(CASES, st.floats(1, 1e6))
def test_in_each_dimension_the_contributions_are_the_gap(cases: list[Case], median: float) -> None:
    slow = sum(case.seconds > median for case in cases) / len(cases)
    sums: dict[Dimension, float] = defaultdict(float)
    for each in contributions(cases, median):
        sums[each.dimension] += each.share
    assert sums == {dimension: pytest.approx(slow - 0.5) for dimension in Dimension}


def test_contributions_by_hand() -> None:
    """Ten cases; roads are slow in all four, lamps in one of six: 5 of 10 are slow, no gap."""
    cases = [Case(100, ("roads", "09", "a", "VK"))] * 4
    cases += [Case(10, ("lamps", "10", "b", "VK"))] * 5 + [
        Case(math.inf, ("lamps", "10", "b", "OK"))
    ]
    told = {
        (each.dimension, each.code): (each.cases, each.slow, each.share)
        for each in contributions(cases, 60)
    }
    assert told == {
        (Dimension.TOPIC, "roads"): (4, 4, pytest.approx(0.2)),
        (Dimension.TOPIC, "lamps"): (6, 1, pytest.approx(-0.2)),
        (Dimension.HOUR, "09"): (4, 4, pytest.approx(0.2)),
        (Dimension.HOUR, "10"): (6, 1, pytest.approx(-0.2)),
        (Dimension.ORGANISATION, "a"): (4, 4, pytest.approx(0.2)),
        (Dimension.ORGANISATION, "b"): (6, 1, pytest.approx(-0.2)),
        (Dimension.CHANNEL, "VK"): (9, 4, pytest.approx(-0.05)),
        (Dimension.CHANNEL, "OK"): (1, 1, pytest.approx(0.05)),
    }


def test_a_what_if_leaves_out_what_it_names() -> None:
    case = Case(1, ("roads", "09", "a", "VK"))
    assert not Without().leaves_out(case)
    for of in (
        Without(topics=["roads"]),
        Without(hours=["09"]),
        Without(organisations=["a"]),
        Without(channels=["VK"]),
    ):
        assert of.leaves_out(case)
    assert not Without(topics=["VK"], channels=["roads"]).leaves_out(case)


def test_who_waits_counts_as_slower_than_all_who_do_not() -> None:
    assert measured_of([1, 2, math.inf]).value == 2
    assert measured_of([1, math.inf, math.inf]).value is None
    assert measured_of([]).n == 0
