"""Every metric of a small history computed by hand, from the daily rows and from the incidents.

minute  0     5      15     20     40       55     60      70      71    75    80     100
one     reg.  assig. acc.   reply  further  reply  SOLVED
two     reg.  assig. acc.   reply                  SOLVED  rated 2 -> reopened, assigned, reply,
                                                           resolved at 100
three   reg.  returned, assigned again to another body; promised for the day and late
four    registered, answered by a machine only
"""

import asyncio
from collections.abc import Callable
from datetime import date, datetime, timedelta

import psycopg
import pytest

from domain import commands as c
from domain.vocabulary import (
    FallbackReason,
    LinkKind,
    Outcome,
    PromiseReason,
    ReassignReason,
    ReplyKind,
)
from projections.statistics.figures import Duration, Figures, Period
from projections.statistics.units import municipality_figures
from regions.node import Node
from tests.projections.lives import AUTO, FINAL, REOPEN, RESOLVE, RETURN, due, live, local
from tests.scenarios import OPERATOR, ask, bodies

PERIOD = Period(date(2026, 3, 2), date(2026, 3, 4))
LATER = local(31, 12)
MINUTE = 60.0


ELSEWHERE = c.PublishReply(
    kind=ReplyKind.FINAL, channel="ONLINE", fallback_reason=FallbackReason.CHANNEL_UNAVAILABLE
)


def lived(node: Node) -> None:
    bronx = node.centre("BRONX")
    other = bodies(bronx)[1]
    start = local(2, 9)
    once = live(
        bronx,
        start,
        (5, due(bronx, local(2, 11))),
        (15, c.AcceptWork()),
        (20, c.PublishReply(kind=ReplyKind.INTERIM)),
        (40, c.AddMessage(channel="PHONE", published_at=start + timedelta(minutes=40))),
        (55, FINAL),
        (60, RESOLVE),
        waited=10,
    )
    live(
        bronx,
        start,
        (5, due(bronx, local(2, 11))),
        (15, c.AcceptWork()),
        (20, ELSEWHERE),
        (60, c.Resolve(outcome=Outcome.EXPLAINED)),
        (70, c.Rate(score=2)),
        (75, REOPEN),
        (80, due(bronx, local(2, 10))),
        (90, FINAL),
        (100, c.Resolve(outcome=Outcome.EXPLAINED)),
        waited=10,
    )
    live(
        bronx,
        start,
        (5, due(bronx, local(2, 11))),
        (6, RETURN),
        (10, due(bronx, local(3, 9))),
        (12, c.Reassign(organisation=other, reason=ReassignReason.WRONG_BODY)),
        (15, c.AcceptWork()),
        (30, c.PublishReply(kind=ReplyKind.INTERIM)),
        (31, c.ScheduleSolution(promised_on=date(2026, 3, 3), reason=PromiseReason.WEATHER)),
    )
    again = live(bronx, start, (10, AUTO))
    ask(bronx, again, c.Link(to=once, kind=LinkKind.RECURRENCE), 200, by=OPERATOR)


def told(node: Node, *, exact: bool, now: datetime = LATER) -> Figures:
    async def asked() -> Figures:
        async with await psycopg.AsyncConnection.connect(
            node.url, options="-c search_path=read,public"
        ) as connection:
            found = await municipality_figures(
                connection, PERIOD, catalogue=node.catalogue, now=now, region="BRONX", exact=exact
            )
            return found[""]

    return asyncio.run(asked())


COUNTS = {
    "registered": 4,
    "answered": 3,
    "resolved": 2,
    "reopened": 1,
    "assigned": 3,
    "returned": 1,
    "hops": 2,
    "disputed": 1,
    "rated": 1,
    "rating_sum": 2,
    "rating_squares": 4,
    "final_replies": 3,
    "final_on_source": 2,
    "ended": 2,
    "solved": 1,
    "recurred": 1,
    "due": 3,
    "kept": 1,
    "first_resolved": 2,
    "reopened_soon": 1,
    "promised": 1,
    "promise_kept": 0,
}

# Cases, mean, median and p90 in minutes; nearest rank; who has no reply is slower than all.
DURATIONS = {
    "reply": (3, 30, 30, None),
    "capture": (4, 5, 0, 10),
    "triage": (3, 5, 5, 5),
    "accept": (3, 10, 10, 10),
    "next_reply": (2, 15, 15, 15),
    "resolution": (2, 42.5, 25, 60),
    "first_resolution": (2, 60, 60, 60),
    "full_resolution": (2, 80, 60, 100),
}


@pytest.mark.parametrize("exact", [True, False])
def test_the_figures_are_as_worked_out_by_hand(
    node: Node, project: Callable[[], int], exact: bool
) -> None:
    lived(node)
    project()
    found = told(node, exact=exact)
    assert {name: getattr(found, name) for name in COUNTS} == COUNTS
    for name, (cases, *seconds) in DURATIONS.items():
        wanted = [None if each is None else each * MINUTE for each in seconds]
        assert_near(found.lasted(name), cases, wanted, name, exact=exact)
    for name in ("reply", "triage", "accept", "next_reply", "resolution", "first_resolution"):
        # The rules of New York here know no nights.
        assert found.lasted(f"{name}_working").cases == found.lasted(name).cases


def assert_near(
    found: Duration, cases: int, wanted: list[float | None], name: str, *, exact: bool
) -> None:
    mean, *quantiles = wanted
    assert (found.cases, found.mean) == (cases, pytest.approx(mean)), name
    for told, value in zip((found.median, found.p90), quantiles, strict=True):
        if value is None or told is None:
            assert (told, value) == (None, None), name
        else:
            # A bucket holds no duration below a second.
            close = value if exact else pytest.approx(max(value, 1), rel=0.0101)
            assert told == close, name


def test_a_reopening_is_told_of_once_no_more_can_come(
    node: Node, project: Callable[[], int]
) -> None:
    lived(node)
    project()
    for exact in (True, False):
        for days, wanted in ((14, 0), (15, 2)):
            now = local(2, 12) + timedelta(days=days)
            assert told(node, exact=exact, now=now).first_resolved == wanted


def test_what_is_not_over_is_in_no_share(node: Node, project: Callable[[], int]) -> None:
    lived(node)
    project()
    for exact in (True, False):
        found = told(node, exact=exact, now=local(2, 23))
        assert (found.due, found.promised, found.overdue_share) == (0, 0, None)
