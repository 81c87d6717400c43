"""Every unit with the topics of the network: worked out by hand, and whatever the mix is."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.vocabulary import RankedBy
from projections.statistics.figures import Figures
from projections.views.standardised import Times, of_counts, of_times


def times(**topics: list[float]) -> Times:
    cases = sorted((seconds, topic) for topic, all_of in topics.items() for seconds in all_of)
    return Times([seconds for seconds, _ in cases], [topic for _, topic in cases])


def test_a_region_with_much_medicine_is_not_slower_for_that_alone() -> None:
    """Both answer roads in 10 and medicine in 100; one has mostly medicine, the other roads."""
    found = of_times(
        {
            "hospitals": times(roads=[10.0] * 20, medicine=[100.0] * 80),
            "roads": times(roads=[10.0] * 80, medicine=[100.0] * 20),
        }
    )
    assert found["hospitals"].value == found["roads"].value == 10
    # Weights 0.5/0.2/100 and 0.5/0.8/100: 1 / (20 * 0.025^2 + 80 * 0.00625^2) = 64 cases.
    assert {each.n for each in found.values()} == {64}


def test_who_waits_weighs_as_much_as_who_was_answered() -> None:
    found = of_times(
        {"one": times(a=[1.0, math.inf], b=[math.inf]), "two": times(a=[1.0], b=[1.0])}
    )
    # Of the network's five cases three are about a: 0.3 answered, 0.7 wait.
    assert (found["one"].value, found["two"].value) == (None, 1)


def test_a_share_by_hand() -> None:
    counted = {
        "one": {"a": Figures(due=10, kept=9), "b": Figures(due=10, kept=5)},
        "two": {"a": Figures(due=60, kept=0)},
    }
    found = of_counts(counted, RankedBy.OVERDUE)
    # Of 80 due 70 are about a: 7/8 of 0.1 missed and 1/8 of 0.5.
    assert found["one"].value == pytest.approx(0.15)
    assert found["two"].value == 1
    assert found["two"].n == 60


def test_a_mean_rating_by_hand() -> None:
    counted = {
        "one": {
            "a": Figures(rated=2, rating_sum=10, rating_squares=50),
            "b": Figures(rated=2, rating_sum=2, rating_squares=2),
        },
        "two": {"a": Figures(rated=4, rating_sum=8, rating_squares=16), "b": Figures()},
    }
    found = of_counts(counted, RankedBy.SATISFACTION)
    assert found["one"].value == pytest.approx((6 * 5 + 2 * 1) / 8)
    assert found["two"].value == 2


def test_without_a_case_nothing_is_told() -> None:
    assert of_counts({"one": {"a": Figures()}}, RankedBy.PROMISES)["one"].n == 0


CASES = st.lists(
    st.tuples(st.floats(1, 1e6), st.sampled_from(["a", "b", "c"])), min_size=1, max_size=40
)


@given(CASES)
def test_a_unit_with_the_mix_of_the_network_is_compared_by_its_own_median(
    cases: list[tuple[float, str]],
) -> None:
    ordered = sorted(cases)
    one = Times([seconds for seconds, _ in ordered], [topic for _, topic in ordered])
    found = of_times({"one": one, "like it": one})["one"]
    assert found.n == len(cases)
    assert found.value == ordered[math.ceil(len(cases) / 2) - 1][0]
    assert found.low is not None
    assert found.low <= found.value
    assert found.high is None or found.high >= found.value


@given(CASES, st.integers(2, 5))
def test_more_of_the_same_changes_no_value(cases: list[tuple[float, str]], more: int) -> None:
    once = of_times({"one": times(**_by_topic(cases))})["one"]
    often = of_times({"one": times(**_by_topic(cases * more))})["one"]
    assert often.value == once.value


def _by_topic(cases: list[tuple[float, str]]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for seconds, topic in cases:
        found.setdefault(topic, []).append(seconds)
    return found
