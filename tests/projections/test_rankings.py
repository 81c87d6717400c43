"""Rankings: the method by hand, its laws, and what it does to small units."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.statistics.figures import Duration, Figures, told_by
from projections.statistics.histogram import median_bounds
from projections.views.rankings import (
    RANKED_CASES_MIN,
    SHRINKAGE,
    RankedBy,
    Standing,
    Unranked,
    measured,
    standings,
)

MINUTE = 60.0


def replied(*minutes: float | None) -> Figures:
    """A unit whose replies came after so many working minutes; None: not yet."""
    ordered = sorted(math.inf if each is None else each * MINUTE for each in minutes)
    over = [each for each in ordered if not math.isinf(each)]
    median, p90, low, high = told_by(ordered)
    lasted = Duration(
        len(over), sum(over) / len(over) if over else None, median, p90, low, high, len(ordered)
    )
    return Figures(
        lambda name: lasted if name == "reply_working" else Duration(),
        registered=len(ordered),
        answered=len(over),
    )


def places(found: list[Standing]) -> dict[str, int | None]:
    return {standing.unit: standing.place for standing in found}


def test_a_score_is_drawn_towards_the_middle_of_its_tier() -> None:
    units = {
        "quick": replied(*[10] * 10),
        "middle": replied(*[20] * 90),
        "slow": replied(*[40] * 70),
    }
    scores = {each.unit: each.score for each in standings(units, RankedBy.FIRST_REPLY)}
    tier = math.log(20 * MINUTE)
    assert scores == {
        "quick": pytest.approx(math.exp((10 * math.log(10 * MINUTE) + 30 * tier) / 40)),
        "middle": pytest.approx(20 * MINUTE),
        "slow": pytest.approx(math.exp((70 * math.log(40 * MINUTE) + 30 * tier) / 100)),
    }


def test_places_are_dense_and_shared_by_whoever_cannot_be_told_apart() -> None:
    units = {
        "first": replied(*range(5, 105)),
        "like the first": replied(*range(6, 106)),
        "clearly slower": replied(*range(200, 300)),
        "nobody answered": replied(*[None] * 60, *[1] * 40),
    }
    found = standings(units, RankedBy.FIRST_REPLY)
    assert places(found) == {
        "first": 1,
        "like the first": 1,
        "clearly slower": 2,
        "nobody answered": 3,
    }
    assert [standing.position for standing in found] == [1, 2, 3, 4]
    assert found[-1].score is None


def test_few_cases_and_stale_data_get_no_place_and_say_why() -> None:
    units = {
        "few": replied(*[1] * (RANKED_CASES_MIN - 1)),
        "enough": replied(*[1] * RANKED_CASES_MIN),
        "stale": replied(*[1] * 100),
    }
    found = standings(units, RankedBy.FIRST_REPLY, stale=frozenset({"stale"}))
    assert {each.unit: (each.place, each.unranked) for each in found} == {
        "enough": (1, None),
        "few": (None, Unranked.INSUFFICIENT_DATA),
        "stale": (None, Unranked.STALE_DATA),
    }


def test_each_is_ranked_among_its_like() -> None:
    units = {
        name: replied(*[minutes] * 50) for name, minutes in {"a": 9, "b": 8, "c": 7, "d": 6}.items()
    }
    found = standings(units, RankedBy.FIRST_REPLY, tier_of=lambda unit: "ab".count(unit) * "big")
    assert [(each.tier, each.unit, each.place) for each in found] == [
        ("", "d", 1),
        ("", "c", 2),
        ("big", "b", 1),
        ("big", "a", 2),
    ]


@pytest.mark.parametrize(
    ("by", "better", "worse"),
    [
        (RankedBy.OVERDUE, {"due": 200, "kept": 190}, {"due": 200, "kept": 120}),
        (
            RankedBy.REOPENING,
            {"first_resolved": 200, "reopened_soon": 4},
            {"first_resolved": 200, "reopened_soon": 60},
        ),
        (
            RankedBy.PROMISES,
            {"promised": 200, "promise_kept": 190},
            {"promised": 200, "promise_kept": 90},
        ),
        (
            RankedBy.SATISFACTION,
            {"rated": 100, "rating_sum": 450, "rating_squares": 2050},
            {"rated": 100, "rating_sum": 250, "rating_squares": 700},
        ),
    ],
)
def test_whatever_is_compared_the_better_comes_first(
    by: RankedBy, better: dict[str, int], worse: dict[str, int]
) -> None:
    units = {"worse": replace(Figures(), **worse), "better": replace(Figures(), **better)}
    assert list(places(standings(units, by)).items()) == [("better", 1), ("worse", 2)]


def test_the_intervals_are_those_of_the_books() -> None:
    # Wilson for 8 of 10; Conover's ranks for the median of 16: the 4th and the 13th, rounded out.
    overdue = measured(replace(Figures(), due=10, kept=2), RankedBy.OVERDUE, working=True)
    assert (overdue.low, overdue.high) == (
        pytest.approx(0.4902, abs=1e-3),
        pytest.approx(0.9433, abs=1e-3),
    )
    assert median_bounds(16) == (4, 13)
    assert median_bounds(1) == (1, 1)


@pytest.mark.parametrize("cases", [5, 6, 25, 100])
def test_the_interval_of_a_median_holds_it_in_95_of_a_hundred_samples(cases: int) -> None:
    random = np.random.default_rng(20261126)
    low, high = median_bounds(cases)
    samples = np.sort(random.lognormal(0, 1.5, (20_000, cases)))
    held = (samples[:, low - 1] <= 1) & (samples[:, high - 1] >= 1)
    assert held.mean() >= 0.93


MINUTES = st.lists(st.one_of(st.none(), st.floats(0.1, 10_000)), min_size=1, max_size=40)


@given(
    st.dictionaries(st.text("abcdef", min_size=1, max_size=3), MINUTES, max_size=8), st.randoms()
)
def test_the_order_in_which_units_come_changes_nothing(
    waited: dict[str, list[float | None]], random: object
) -> None:
    units = {unit: replied(*minutes) for unit, minutes in waited.items()}
    shuffled = list(units.items())
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    found = standings(units, RankedBy.FIRST_REPLY)
    assert found == standings(dict(shuffled), RankedBy.FIRST_REPLY)
    ranked = [each.place for each in found if each.place is not None]
    assert sorted(set(ranked)) == list(range(1, len(set(ranked)) + 1))
    assert ranked == sorted(ranked)


@given(MINUTES)
def test_to_leave_people_unanswered_never_makes_a_score_better(minutes: list[float | None]) -> None:
    """Whoever stops answering the slowest is no faster for it."""
    answered = [each for each in minutes if each is not None]
    ignoring: list[float | None] = [*answered]
    if answered:
        ignoring[answered.index(max(answered))] = None
    others = {"other": replied(*[60] * 50)}
    honest = standings(
        others | {"it": replied(*answered)} if answered else others, RankedBy.FIRST_REPLY
    )
    silent = standings(
        others | {"it": replied(*ignoring)} if answered else others, RankedBy.FIRST_REPLY
    )
    before = next((each.position for each in honest if each.unit == "it"), None)
    after = next((each.position for each in silent if each.unit == "it"), None)
    assert before is None or after is None or after >= before


@pytest.mark.parametrize(
    ("units", "smallest", "largest"), [(89, 300, 7000), (37, 5, 800)], ids=["regions", "МЦУ"]
)
def test_small_units_do_not_fill_the_top(units: int, smallest: int, largest: int) -> None:
    """The simulation of lifecycle-and-metrics 3.5.4, through our own code.

    True medians spread by 0.35, replies by 1.5 (of logarithms); sizes are even on a logarithm. A
    method that is fair to small units gives their quarter a quarter of the top ten, or less.
    """
    random = np.random.default_rng(3504)
    sizes = np.geomspace(smallest, largest, units).astype(int)
    small = {str(number) for number in range(units // 4)}
    rounds, held = 20, 0
    for _ in range(rounds):
        figures = {}
        for number, size in enumerate(sizes):
            centre = math.log(7200) + random.normal(0, 0.35)
            figures[str(number)] = replied(*(random.lognormal(centre, 1.5, size) / MINUTE))
        found = standings(figures, RankedBy.FIRST_REPLY)
        top = sorted((each for each in found if each.position), key=lambda each: each.position or 0)
        held += sum(each.unit in small for each in top[:10])
    assert held / (10 * rounds) <= 0.25


def test_the_constants_are_those_of_the_source() -> None:
    assert (SHRINKAGE, RANKED_CASES_MIN) == (30, 5)
