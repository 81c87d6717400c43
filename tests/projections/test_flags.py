"""Flags: where they are raised, where they are not, and what chance alone raises.

In the Bronx everything is as it should not be, in Queens nearly so. Both had a quiet March.
"""

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from uuid import uuid4

import numpy as np
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import commands as c
from domain.vocabulary import RejectReason, ReplyKind
from projections import versions
from projections.incident_list import IncidentFilter, evidence_of, incident_page
from projections.projector import Projector
from projections.statistics.figures import Period
from projections.statistics.units import Area
from projections.views import flags as raising
from projections.views.chance import binomial_tail, excess_tail
from projections.views.flag_counts import Asked, Counted, Flagged, FlagKind, Lags, Share
from projections.views.flags import CHANCE_MAX, ComparedTo, Flag, excesses, of_share
from regions.bulk import History
from regions.centre import Centre
from regions.node import Node, command_pool
from regions.reference.catalogue import Catalogue
from regions.store.postgres import Server
from regions.store.server import create_database
from regions.store.vault import Vault
from tests.projections.lives import AUTO, NEW_YORK, RESOLVE, due, life, record
from tests.scenarios import OPERATOR

APRIL = Period(date(2026, 4, 1), date(2026, 4, 30))
LATER = datetime(2026, 5, 10, tzinfo=UTC)
DAY = 24 * 60  # minutes


def on(month: int, day: int, hour: int = 10) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=NEW_YORK)


def final(text: str, external_id: str | None = None) -> c.PublishReply:
    return c.PublishReply(kind=ReplyKind.FINAL, text=text, external_id=external_id)


def deleted(external_id: str) -> c.NoteDeletedReply:
    return c.NoteDeletedReply(channel="PHONE", external_id=external_id, deleted_at=on(4, 29))


def rejected(centre: Centre, at: datetime, waited: int) -> History:
    return life(centre, at, (5, c.Reject(reason=RejectReason.ADVERT)), waited=waited)


def april(
    centre: Centre,
    *,
    waited: int,
    plain: int,
    auto: int,
    same: int,
    others: int,
    gone: int,
    on_the_last_day: int,
    unfit: int,
) -> list[History]:
    """All came on the first; `same` of the final replies are alike, the `others` are not.

    Of all those answered two are resolved on each of six days, and some on the thirtieth.
    """
    at, code = on(4, 1), centre.region.code
    resolved_after = [day for day in range(1, 7) for _ in range(2)] + [29] * on_the_last_day
    texts = ["Вопрос решён"] * same + [f"Сделали {'а' * (k + 1)}" for k in range(others)]
    answered = []
    for number, text in enumerate(texts):
        key = f"{code}-{number}"
        steps: list[tuple[int, c.Command]] = [(10, due(centre)), (20, final(text, key))]
        if number < len(resolved_after):
            steps.append((resolved_after[number] * DAY, RESOLVE))
        if number < gone:
            steps.append((29 * DAY, deleted(key)))
        answered.append(life(centre, at, *steps, waited=waited))
    return [
        *answered,
        *(life(centre, at, waited=waited) for _ in range(plain)),
        *(life(centre, at, (1, AUTO), waited=waited) for _ in range(auto)),
        *(rejected(centre, at, waited) for _ in range(unfit)),
    ]


def march(centre: Centre, plain: int) -> list[History]:
    at = on(3, 2)
    return [rejected(centre, at, 10), *(life(centre, at, waited=10) for _ in range(plain))]


def merge(centre: Centre, burst: int, apart: int) -> None:
    """So many on the tenth between ten and eleven, all of the second; the others on other days."""
    master, *merged = [life(centre, on(4, 2), waited=10) for _ in range(1 + burst + apart)]
    record(centre, [master, *merged], now=LATER)
    days = [10] * burst + [11 + number for number in range(apart)]
    for number, (one, day) in enumerate(zip(merged, days, strict=True)):
        centre.handle(
            one.incident_id,
            c.Merge(into=master.incident_id),
            command_id=uuid4(),
            at=on(4, day) + timedelta(minutes=number),
            by=OPERATOR,
        )


@pytest.fixture(scope="module")
def flagged(server: Server, template: str, catalogue: Catalogue) -> Iterator[Node]:
    url = create_database(server.url, "flagged", template=template)
    with command_pool(url) as pool:
        node = Node(url, catalogue, Vault(b"0" * 32), pool)
        bronx, queens = node.centre("BRONX"), node.centre("QUEENS")
        many = {"plain": 0, "auto": 12, "same": 30, "others": 20, "gone": 8, "unfit": 15}
        few = {"plain": 80, "auto": 1, "same": 4, "others": 46, "gone": 1, "unfit": 1}
        record(bronx, march(bronx, 120), now=LATER)
        record(queens, march(queens, 40), now=LATER)
        record(bronx, april(bronx, waited=60, on_the_last_day=15, **many), now=LATER)
        record(queens, april(queens, waited=10, on_the_last_day=9, **few), now=LATER)
        merge(bronx, burst=12, apart=3)
        merge(queens, burst=9, apart=3)
        with versions.connect(url) as connection:
            projector = Projector(connection, catalogue)
            assert sum(iter(projector.step, 0))
        yield node


async def _raised(node: Node, area: Area) -> list[Flag]:
    async with await psycopg.AsyncConnection.connect(
        node.url, options="-c search_path=read,public", autocommit=True
    ) as connection:
        return await raising.flags(connection, APRIL, area, node.catalogue, LATER)


def raised(node: Node, area: Area) -> list[Flag]:
    return asyncio.run(_raised(node, area))


def behind(node: Node, area: Area, kind: FlagKind) -> int:
    """How many the list of incidents has, page by page."""

    async def listed() -> int:
        async with await psycopg.AsyncConnection.connect(
            node.url, options="-c search_path=read,public"
        ) as connection:
            chosen = IncidentFilter(region=area.region, municipality=area.municipality)
            flagged = Flagged(kind, APRIL)
            found = await evidence_of(
                connection, chosen, flagged, catalogue=node.catalogue, now=LATER
            )
            rows = await incident_page(
                connection, chosen, first=500, after=None, now=LATER, evidence=found
            )
            return len(rows)

    return asyncio.run(listed())


# Kind, cases, of how many, and how many were to be expected.
BRONX = [
    (FlagKind.AUTO_REPLIES, 12, 63, 63 * 1 / 132),
    (FlagKind.REPLIES_DELETED, 8, 63, 63 * 1 / 132),
    (FlagKind.BULK_CLOSING, 15, 27, 2.0),
    (FlagKind.IDENTICAL_REPLIES, 30, 50, 5.0),
    (FlagKind.MASS_REJECTION, 15, 78, 78 * 1 / 121),
    (FlagKind.MERGE_BURST, 12, 15, 3 / 239),
    (FlagKind.CAPTURE_LAG, 62, 63, 0.0),
]


def test_each_flag_is_as_worked_out_by_hand(flagged: Node) -> None:
    found = raised(flagged, Area("BRONX"))
    assert [(flag.excess.kind, flag.excess.n, flag.excess.of) for flag in found] == [
        (kind, n, of) for kind, n, of, _ in BRONX
    ]
    for flag, (kind, *_, expected) in zip(found, BRONX, strict=True):
        assert flag.excess.expected == pytest.approx(expected), kind
        assert flag.excess.chance < CHANCE_MAX
        assert flag.threshold
    assert (found[-1].median_seconds, found[-1].usual_seconds) == (3600, 600)


def test_the_neighbour_raises_none(flagged: Node) -> None:
    assert raised(flagged, Area("QUEENS")) == []


def test_the_country_tells_whose_each_is(flagged: Node) -> None:
    found = raised(flagged, Area())
    assert {flag.region for flag in found} == {"BRONX"}
    assert [flag.excess for flag in found] == [
        flag.excess for flag in raised(flagged, Area("BRONX"))
    ]


@pytest.mark.parametrize("kind", FlagKind)
def test_as_many_incidents_are_listed_as_were_counted(flagged: Node, kind: FlagKind) -> None:
    wanted = {each: n for each, n, *_ in BRONX}
    assert behind(flagged, Area("BRONX"), kind) == wanted[kind]


def test_a_municipality_is_compared_with_the_others_of_its_region(
    node: Node, project: Callable[[], int]
) -> None:
    bronx = node.centre("BRONX")
    lives = [
        life(bronx, on(4, 1), *steps, municipality=place)
        for place, steps, times in (
            ("BRONX-01", ((1, AUTO),), 12),
            ("BRONX-01", (), 20),
            ("BRONX-02", ((1, AUTO),), 1),
            ("BRONX-02", (), 119),
        )
        for _ in range(times)
    ]
    record(bronx, lives, now=LATER)
    project()
    (flag,) = raised(node, Area("BRONX", "BRONX-01"))
    assert (flag.municipality, flag.excess.n, flag.excess.of) == ("BRONX-01", 12, 32)
    assert flag.excess.expected == pytest.approx(32 / 120)
    assert raised(node, Area("BRONX", "BRONX-02")) == []
    assert behind(node, Area("BRONX", "BRONX-01"), FlagKind.AUTO_REPLIES) == 12


def test_an_erasure_changes_no_flag(node: Node, project: Callable[[], int]) -> None:
    bronx = node.centre("BRONX")
    lives = [life(bronx, on(4, 1), (5, due(bronx)), (9, final("Готово"))) for _ in range(20)]
    record(bronx, lives, now=LATER)
    project()
    before = raised(node, Area("BRONX"))
    for one in lives:
        bronx.handle(
            one.incident_id, c.ErasePersonalData(), command_id=uuid4(), at=LATER, by=OPERATOR
        )
    project()
    assert [flag.excess.kind for flag in before] == [FlagKind.IDENTICAL_REPLIES]
    assert raised(node, Area("BRONX")) == before


def test_months_that_end_within_the_period_have_last_days_too(catalogue: Catalogue) -> None:
    spring = Period(date(2026, 3, 10), date(2026, 5, 20))
    asked = Asked(spring, Area("BRONX"), catalogue, datetime(2026, 5, 10, tzinfo=UTC))
    assert asked.last_days("BRONX") == [date(2026, 3, 31), date(2026, 4, 30)]


# What is compared


def test_a_unit_without_a_past_is_compared_with_the_others_alone() -> None:
    found = of_share(
        FlagKind.MASS_REJECTION, Share(20, 100), before=Share(0, 0), others=Share(40, 1000)
    )
    assert found is not None
    assert (found.compared_to, found.expected) == (ComparedTo.OTHER_UNITS, 4)
    assert of_share(FlagKind.MASS_REJECTION, Share(20, 100), others=Share(0, 0)) is None


def test_who_always_did_it_is_told_by_the_others_only_where_these_are_asked() -> None:
    always, others = Share(200, 1000), Share(40, 1000)
    assert of_share(FlagKind.AUTO_REPLIES, always, others=others)
    assert not of_share(FlagKind.MASS_REJECTION, always, before=always, others=others)


@pytest.mark.parametrize(
    ("found", "others", "is_raised"),
    [
        (Share(20, 200), Share(66, 2000), True),
        (Share(9, 200), Share(2, 2000), False),  # too few
        (Share(20, 200), Share(68, 2000), False),  # not three times as many
        (Share(10, 100), Share(0, 60), False),  # the others are too few: 0.007 by chance
    ],
)
def test_a_flag_needs_cases_a_ratio_and_more_than_chance(
    found: Share, others: Share, is_raised: bool
) -> None:
    assert (of_share(FlagKind.AUTO_REPLIES, found, others=others) is not None) == is_raised


# Chance


@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 10))
def test_the_binomial_tail_is_exact(n: int, cases: int, tenths: int) -> None:
    p = Fraction(tenths, 10)
    exact = sum(math.comb(cases, k) * p**k * (1 - p) ** (cases - k) for k in range(n, cases + 1))
    assert binomial_tail(n, cases, tenths / 10) == pytest.approx(float(exact), abs=1e-12)


@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 12), st.integers(0, 12))
def test_the_tail_of_fishers_test_is_exact(n: int, rest: int, usual: int, others: int) -> None:
    of, in_all, found = n + rest, n + rest + usual + others, n + usual
    ways = sum(math.comb(found, k) * math.comb(in_all - found, of - k) for k in range(n, of + 1))
    exact = Fraction(ways, math.comb(in_all, of))
    assert excess_tail(n, of, usual, usual + others) == pytest.approx(float(exact), abs=1e-12)


def test_large_counts_cost_nothing_and_stay_in_bounds() -> None:
    assert excess_tail(30_000, 500_000, 29_000, 500_000) < CHANCE_MAX
    assert binomial_tail(0, 10, 0.5) == 1
    assert 0.45 < binomial_tail(250_000, 500_000, 0.5) < 0.55


def test_chance_raises_a_flag_in_no_more_than_one_of_a_hundred_periods() -> None:
    """Honest units of many sizes; their days and shares differ by more than chance, as in life."""
    chance = np.random.default_rng(20260401)
    units = [honest(chance) for _ in range(2000)]
    with_flags = sum(any(True for _ in excesses(unit)) for unit in units)
    assert with_flags <= len(units) / 100


WEEK = (1.3, 1.2, 1.0, 1.0, 1.1, 0.2, 0.1)  # how much is resolved, from Monday


def honest(chance: np.random.Generator) -> Counted:
    size, before, others = (int(n) for n in chance.lognormal(5.5, 1, 3) + 10)
    start = date(2026, 4, 1) + timedelta(days=int(chance.integers(0, 7)))
    days = [start + timedelta(days=n) for n in range(int(chance.choice([7, 30])))]
    resolved = {
        day: int(chance.poisson(size / 40 * WEEK[day.weekday()] * some(chance, 0.3)))
        for day in days
    }
    auto, gone, unfit = chance.uniform([0.002, 0.001, 0.02], [0.02, 0.01, 0.10])

    def share(probability: float, of: int) -> Share:
        return Share(int(chance.binomial(of, probability * some(chance, 0.15))), of)

    return Counted(
        days=len(days),
        last_days=days[-1:],
        auto_replies=share(auto, size),
        auto_replies_of_others=share(auto, 20 * others),
        replies_deleted=share(gone, size),
        replies_deleted_of_others=share(gone, 20 * others),
        rejected=share(unfit, size),
        rejected_before=share(unfit, before),
        rejected_of_others=share(unfit, 20 * others),
        resolved_by_day=resolved,
        same_texts=share(0.1, size),
        merged_by_hour=Counter(
            datetime(2026, 4, 1 + int(day), 9 + int(hour), tzinfo=UTC)
            for day, hour in zip(
                chance.integers(0, len(days), size // 20),
                chance.integers(0, 9, size // 20),
                strict=True,
            )
        ),
        lags=lags(chance.lognormal(7, 1.2, size), chance.lognormal(7, 1.2, before)),
    )


def some(chance: np.random.Generator, variation: float) -> float:
    """Around one."""
    return float(chance.gamma(variation**-2, variation**2))


def lags(now: np.ndarray, before: np.ndarray) -> Lags:
    usual = float(np.median(before))
    return Lags(
        float(np.median(now)),
        usual,
        Share(int((now > usual).sum()), len(now)),
        Share(int((before > usual).sum()), len(before)),
    )
