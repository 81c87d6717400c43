"""Daily statistics, computed by hand for a few incidents and compared."""

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from uuid import uuid4
from zoneinfo import ZoneInfo

import numpy as np
import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from domain.commands import (
    Reject,
    Relocate,
)
from domain.vocabulary import (
    RejectReason,
)
from projections import incidents, versions
from projections.incidents import IncidentRow
from projections.projector import Projector
from projections.statistics import days
from projections.statistics.facts import Touched
from projections.statistics.histogram import (
    COUNT_MAX,
    GAMMA,
    PAIR_BYTES,
    RELATIVE_ERROR,
    counts,
    quantiles,
)
from projections.statistics.measures import UnitDay
from regions.node import Node
from tests.projections.lives import (
    AUTO,
    CURATOR,
    DISPUTE,
    FINAL,
    MONDAY,
    NEW_YORK,
    REOPEN,
    RESOLVE,
    RETURN,
    TUESDAY,
    due,
    live,
    local,
)
from tests.scenarios import NOON, ask, registered

Project = Callable[[], int]
BRONX_MONDAY = UnitDay("BRONX", MONDAY)
TOUCHED = Touched({BRONX_MONDAY}, {(BRONX_MONDAY, "reply")})
REPLIES = "SELECT histogram FROM daily_duration WHERE measure = 'reply'"


def of_day(measure: str, column: str = "coalesce(sum(seconds), 0)::int") -> str:
    """What `daily_duration` says of the day of a row of `daily`."""
    return (
        f"(SELECT {column} FROM daily_duration AS lasted WHERE measure = '{measure}'"
        " AND (lasted.region, lasted.day, lasted.municipality)"
        " = (daily.region, daily.day, daily.municipality))"
    )


COLUMNS = f"""
    region, municipality, day, registered, answered, {of_day("reply")}, resolved,
    {of_day("resolution")}, reopened, returned, due, kept
"""


def daily(read: psycopg.Connection) -> list[tuple[object, ...]]:
    return read.execute(
        f"SELECT {COLUMNS} FROM daily ORDER BY region, municipality, day"
    ).fetchall()


def test_the_days_of_a_few_incidents(
    node: Node, project: Project, read: psycopg.Connection
) -> None:
    bronx, queens = node.centre("BRONX"), node.centre("QUEENS")
    # Answered 20 minutes after it was written, resolved in an hour, an hour before it was due.
    live(
        bronx,
        local(2, 9),
        (5, due(bronx, local(2, 11))),
        (10, FINAL),
        (60, RESOLVE),
        waited=10,
        municipality="BRONX-01",
    )
    # Answered by a machine only; overdue since Monday noon.
    live(bronx, local(2, 10), (5, due(bronx, local(2, 12))), (6, AUTO), municipality="BRONX-01")
    # Not located, half an hour before midnight; resolved after two hours, an hour too late.
    live(
        bronx,
        local(2, 23, 30),
        (5, due(bronx, local(3, 0, 30))),
        (30, FINAL),
        (120, RESOLVE),
    )
    # Ten past midnight: sent back once, resolved, reopened; without a deadline.
    live(
        bronx,
        local(3, 0, 10),
        (1, due(bronx)),
        (2, RETURN),
        (3, due(bronx)),
        (4, FINAL),
        (5, RESOLVE),
        (6, DISPUTE),
        (6, REOPEN),
        municipality="BRONX-02",
    )
    live(queens, local(2, 12), municipality="QUEENS-09")
    project()
    assert daily(read) == [
        ("BRONX", "", MONDAY, 3, 2, 20 * 60 + 30 * 60, 2, 60 * 60 + 120 * 60, 0, 0, 2, 1),
        ("BRONX", "", TUESDAY, 1, 1, 4 * 60, 0, 0, 1, 1, 1, 0),
        ("BRONX", "BRONX-01", MONDAY, 2, 1, 20 * 60, 1, 60 * 60, 0, 0, 2, 1),
        ("BRONX", "BRONX-02", TUESDAY, 1, 1, 4 * 60, 0, 0, 1, 1, 0, 0),
        ("QUEENS", "", MONDAY, 1, 0, 0, 0, 0, 0, 0, 0, 0),
        ("QUEENS", "QUEENS-09", MONDAY, 1, 0, 0, 0, 0, 0, 0, 0, 0),
    ]


def test_a_solution_at_the_very_deadline_keeps_it(
    node: Node, project: Project, read: psycopg.Connection
) -> None:
    bronx = node.centre("BRONX")
    for late in (0, 1):
        steps = [(1, due(bronx, local(2, 10))), (2, FINAL), (60 + late, RESOLVE)]
        live(bronx, local(2, 9), *steps)
    project()
    assert read.execute("SELECT due, kept FROM daily").fetchall() == [(2, 1)]


def test_the_second_cycle_is_measured_from_its_reopening(
    node: Node, project: Project, read: psycopg.Connection
) -> None:
    bronx = node.centre("BRONX")
    again = [(999, DISPUTE), (1000, REOPEN), (1001, due(bronx)), (1002, FINAL), (1030, RESOLVE)]
    live(bronx, local(2, 0), (1, due(bronx)), (2, FINAL), (3, RESOLVE), *again)
    project()
    rows = read.execute(
        f"SELECT registered, resolved, {of_day('resolution')}, answered, {of_day('reply')},"
        " reopened FROM daily"
    ).fetchall()
    assert rows == [(1, 1, 30 * 60, 1, 2 * 60, 1)]


def test_a_deadline_that_was_moved_is_counted_on_its_last_day_only(
    node: Node, read: psycopg.Connection
) -> None:
    """The day it has left is counted anew as well, whether in one batch or in two."""
    bronx = node.centre("BRONX")
    first, moved = due(bronx, local(5, 12)), due(bronx, local(6, 12))
    for batch_events in (20_000, 1):
        read.execute("TRUNCATE incident, change, daily, daily_duration")
        read.execute("UPDATE tracking SET pos = 0")
        if batch_events > 1:
            live(bronx, local(2, 9), (1, first), (2, RETURN), (3, moved))
            # A reopening takes the deadline away.
            done = [(1, first), (2, FINAL), (3, RESOLVE)]
            live(bronx, local(2, 9), *done, (4, DISPUTE), (4, REOPEN))
        sum(iter(Projector(read, node.catalogue, batch_events=batch_events).step, 0))
        rows = read.execute("SELECT day, registered, due FROM daily ORDER BY day").fetchall()
        assert rows == [(MONDAY, 2, 0), (date(2026, 3, 6), 0, 1)]


def test_a_rejected_incident_is_in_no_figure(
    node: Node, project: Project, read: psycopg.Connection
) -> None:
    bronx = node.centre("BRONX")
    reject = Reject(reason=RejectReason.NOT_A_PROBLEM)
    live(bronx, local(2, 9), (5, FINAL), municipality="BRONX-01")
    live(bronx, local(2, 9), (5, FINAL), (10, reject), municipality="BRONX-01")
    live(bronx, local(3, 9), (5, AUTO), (10, reject), municipality="BRONX-02")
    project()
    assert daily(read) == [
        ("BRONX", "", MONDAY, 1, 1, 5 * 60, 0, 0, 0, 0, 0, 0),
        ("BRONX", "BRONX-01", MONDAY, 1, 1, 5 * 60, 0, 0, 0, 0, 0, 0),
    ]


def test_a_rejection_takes_an_incident_out_of_figures_that_had_it(
    node: Node, project: Project, read: psycopg.Connection
) -> None:
    bronx = node.centre("BRONX")
    incident = registered(bronx).incident_id
    project()
    assert [row[3] for row in daily(read)] == [1]
    ask(bronx, incident, Reject(reason=RejectReason.ADVERT), 10, by=CURATOR)
    project()
    assert daily(read) == []


def test_an_incident_that_was_relocated_is_counted_where_it_is_now(
    node: Node, project: Project, read: psycopg.Connection
) -> None:
    bronx = node.centre("BRONX")
    incident = registered(bronx, municipality="BRONX-01").incident_id
    project()
    ask(bronx, incident, Relocate(municipality="BRONX-02"), 10)
    project()
    assert [row[1] for row in daily(read)] == ["", "BRONX-02"]


def test_an_incident_is_counted_on_the_day_of_its_own_place(
    node: Node, read: psycopg.Connection
) -> None:
    places = dict(node.catalogue.municipalities)
    places["BRONX-01"] = replace(places["BRONX-01"], zone=ZoneInfo("Asia/Kamchatka"))
    catalogue = replace(node.catalogue, municipalities=places)
    live(node.centre("BRONX"), local(2, 9), municipality="BRONX-01")
    live(node.centre("BRONX"), local(2, 9), municipality="BRONX-02")
    versions.ensure(node.url, catalogue, lambda done, in_all: None)
    rows = read.execute("SELECT municipality, day, registered FROM daily ORDER BY 1, 2").fetchall()
    assert rows == [
        ("", MONDAY, 1),
        ("", TUESDAY, 1),
        ("BRONX-01", TUESDAY, 1),
        ("BRONX-02", MONDAY, 1),
    ]


def test_days_of_23_and_25_hours_end_at_their_own_midnight(
    node: Node, project: Project, read: psycopg.Connection
) -> None:
    for month, day in ((3, 8), (11, 1)):  # clocks change in New York
        for hour, minute in ((0, 0), (23, 59)):
            at = datetime(2026, month, day, hour, minute, tzinfo=NEW_YORK)
            live(node.centre("BRONX"), at.astimezone(UTC))
    project()
    rows = read.execute("SELECT day, registered FROM daily ORDER BY day").fetchall()
    assert rows == [(date(2026, 3, 8), 2), (date(2026, 11, 1), 2)]


# Quantiles

SECONDS = st.one_of(
    st.integers(1, 10 * 365 * 86_400).map(float),
    st.floats(1, 10 * 365 * 86_400).map(lambda seconds: round(seconds, 6)),
    st.integers(0, 900).map(lambda bucket: round(GAMMA**bucket, 6)),  # the edges of buckets
)
SHARES = [Fraction(1, 100), Fraction(1, 2), Fraction(9, 10), Fraction(99, 100), Fraction(1)]


@pytest.fixture
def histogram_of(node: Node, read: psycopg.Connection) -> Callable[[list[float], int], bytes]:
    """Counts incidents answered after so many seconds, and some unanswered; the histogram."""
    incidents.prepare(read)
    base = IncidentRow(
        id=uuid4(),
        region="BRONX",
        municipality=None,
        status="REGISTERED",
        open=True,
        counted=True,
        channel="PHONE",
        kind="COMPLAINT",
        regime="IM",
        published_at=NOON,
        captured_at=NOON,
        registered_at=NOON,
        registered_on=MONDAY,
        cycle_started_at=NOON,
        changed_at=NOON,
    )

    def count(answered: list[float], unanswered: int) -> bytes:
        replies = [NOON + timedelta(seconds=seconds) for seconds in answered]
        rows = [
            replace(base, id=uuid4(), first_replied_at=at)
            for at in [*replies, *[None] * unanswered]
        ]
        with read.transaction():
            read.execute("DELETE FROM incident")
            incidents.store(read, rows)
            days.recompute(read, TOUCHED)
        row = read.execute(REPLIES).fetchone()
        return row[0] if row else b""

    return count


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answered=st.lists(SECONDS, max_size=50), unanswered=st.integers(0, 20))
@example(answered=[], unanswered=0)
@example(answered=[], unanswered=3)
def test_a_quantile_is_within_one_per_cent_of_the_exact_one(
    histogram_of: Callable[[list[float], int], bytes], answered: list[float], unanswered: int
) -> None:
    histogram = counts([histogram_of(answered, unanswered)])
    cases = len(answered) + unanswered
    assert histogram.sum() == len(answered)
    (found,) = quantiles(histogram, [cases], [float(share) for share in SHARES])
    for share, seconds in zip(SHARES, found, strict=True):
        rank = max(1, math.ceil(share * cases))
        if rank > len(answered):
            assert seconds is None
        else:
            exact = sorted(answered)[rank - 1]
            assert seconds == pytest.approx(exact, rel=RELATIVE_ERROR + 1e-9)


def test_an_answer_within_a_second_counts_as_one_of_a_second(
    histogram_of: Callable[[list[float], int], bytes],
) -> None:
    (of_all,) = quantiles(counts([histogram_of([0.0, 0.2], 0)]), [2], [1])
    assert of_all == (pytest.approx(1, rel=RELATIVE_ERROR + 1e-9),)


def test_a_bucket_of_more_cases_than_a_pair_holds_takes_several(
    node: Node, project: Project, read: psycopg.Connection
) -> None:
    cases = 2 * COUNT_MAX + 1
    live(node.centre("BRONX"), local(2, 9), (60, FINAL))
    project()
    columns = ", ".join(name for name in incidents.COLUMNS if name != "id")
    read.execute(
        f"INSERT INTO incident (id, {columns})"
        f" SELECT gen_random_uuid(), {columns} FROM incident, generate_series(2, {cases})".encode()
    )
    days.recompute(read, TOUCHED)
    row = read.execute(REPLIES).fetchone()
    assert row is not None
    assert len(row[0]) == 3 * PAIR_BYTES
    assert counts([row[0]]).sum() == cases


def stored(pairs: list[tuple[int, int]]) -> bytes:
    return np.array(pairs, ">i2").tobytes()


HISTOGRAMS = st.dictionaries(st.integers(0, 1200), st.integers(1, 10_000), max_size=8)


@settings(max_examples=200)
@given(parts=st.lists(st.lists(HISTOGRAMS, max_size=6), max_size=4))
def test_histograms_put_together_are_the_histogram_of_all(
    parts: list[list[dict[int, int]]],
) -> None:
    """Several units at once, of several days each."""
    together = counts(
        [b"".join(stored(sorted(day.items())) for day in of_unit) for of_unit in parts]
    )
    for found, of_unit in zip(together, parts, strict=True):
        sums: dict[int, int] = {}
        for day in of_unit:
            for bucket, cases in day.items():
                sums[bucket] = sums.get(bucket, 0) + cases
        assert {int(at): int(found[at]) for at in np.flatnonzero(found)} == sums


def test_every_sum_and_histogram_agrees_with_its_count(
    node: Node, project: Project, read: psycopg.Connection
) -> None:
    bronx = node.centre("BRONX")
    for minutes in (1, 10, 100):
        live(bronx, local(2, 9), (0, due(bronx)), (minutes, FINAL), (2 * minutes, RESOLVE))
    project()
    row = read.execute(
        f"SELECT answered, {of_day('reply', 'seconds')}, {of_day('reply', 'histogram')},"
        f" resolved, {of_day('resolution', 'seconds')}, {of_day('resolution', 'histogram')}"
        " FROM daily"
    ).fetchone()
    assert row is not None
    answered, reply_seconds, replies, resolved, resolution_seconds, resolutions = row
    histograms = counts([replies, resolutions])
    assert (answered, resolved) == tuple(histograms.sum(axis=1)) == (3, 3)
    assert (reply_seconds, resolution_seconds) == (Decimal(111 * 60), Decimal(222 * 60))
    assert quantiles(histograms, [3, 3], [0.5]) == [
        (pytest.approx(600, rel=RELATIVE_ERROR),),
        (pytest.approx(1200, rel=RELATIVE_ERROR),),
    ]
