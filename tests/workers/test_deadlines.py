"""The clock of the network: what time brings is recorded once, on time or late."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from domain.commands import (
    AcceptWork,
    Dispute,
    PublishReply,
    RequestClarification,
    TakePersonalControl,
)
from domain.rights import Actor
from domain.vocabulary import DisputeBy, ReplyKind, Role
from regions.node import Node
from regions.reference.calendars import load_calendars
from regions.reference.terms import load_terms
from tests.conftest import PAST_TRIGGERS
from tests.scenarios import NOON, ask, assigned, registered, resolved
from workers import deadlines
from workers.deadlines import sweep

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
HEAD = Actor("глава", Role.REGION_HEAD)
POLICIES = """\
code,regime,region,topic_group,priority,fast_track,clock,amount,unit,warn_amount,warn_unit,\
promise_days_max,valid_from,valid_until,source
TEST,IM,,,,,FIRST_REPLY,24,HOURS,2,WORKING_HOURS,,,,the test
TEST,IM,,,,,SOLUTION,240,HOURS,24,WORKING_HOURS,,,,the test
"""
ESCALATIONS = """\
code,clock,step,after_amount,after_unit,role,source
TEST,FIRST_REPLY,1,3,WORKING_HOURS,ORG_HEAD,the test
TEST,FIRST_REPLY,2,9,WORKING_HOURS,REGION_HEAD,the test
"""


@pytest.fixture(autouse=True)
def terms(node: Node, tmp_path: Path) -> None:
    """A day for the first reply, ten for the solution, open around the clock."""
    (tmp_path / "policies.csv").write_text(POLICIES)
    (tmp_path / "escalations.csv").write_text(ESCALATIONS)
    calendars = load_calendars(tmp_path, node.catalogue)
    node.terms = load_terms(tmp_path, node.catalogue, calendars)


@pytest.fixture
def pass_to(node: Node, project: Callable[[], int]) -> Callable[[datetime], int]:
    """Let it be then: project what is there, sweep, project what came of it."""

    def run(moment: datetime) -> int:
        project()
        told = sweep(node, moment)
        project()
        return told

    return run


def said(read: psycopg.Connection, incident: UUID) -> list[str]:
    """What the clock had to say, with who hears of it."""
    rows = read.execute(
        """
        SELECT topic || coalesce(' ' || (payload ->> 'to'), '')
          FROM events
         WHERE originator_id = %s
           AND payload ->> 'actor' = 'system'
         ORDER BY originator_version
        """,
        [incident],
    )
    return [text for (text,) in rows]


def test_a_deadline_is_warned_of_missed_and_goes_up_the_chain(
    node: Node, read: psycopg.Connection, pass_to: Callable[[datetime], int]
) -> None:
    incident = registered(node.centre("BRONX")).incident_id
    for hours, wanted in (
        (21.9, []),
        (22, ["DeadlineWarned"]),
        (24, ["DeadlineWarned"]),
        (24.1, ["DeadlineWarned", "DeadlineMissed"]),
        (27, ["DeadlineWarned", "DeadlineMissed"]),
        (27.2, ["DeadlineWarned", "DeadlineMissed", "EscalationRaised ORG_HEAD"]),
        (
            99,
            [
                "DeadlineWarned",
                "DeadlineMissed",
                "EscalationRaised ORG_HEAD",
                "EscalationRaised REGION_HEAD",
            ],
        ),
    ):
        pass_to(NOON + hours * HOUR)
        assert said(read, incident) == wanted, hours
    assert pass_to(NOON + 365 * DAY) == 0


def test_workers_that_were_down_for_weeks_record_a_missed_deadline_once(
    node: Node, read: psycopg.Connection, project: Callable[[], int]
) -> None:
    incidents = [registered(node.centre(region)).incident_id for region in ("BRONX", "QUEENS")]
    project()
    later = NOON + 40 * DAY
    with ThreadPoolExecutor(8) as pool:
        told = sum(pool.map(lambda _: sweep(node, later), range(8)))
    assert told == 2
    assert [said(read, incident) for incident in incidents] == [["DeadlineMissed"]] * 2


def test_a_second_sweep_before_the_read_models_have_moved_records_nothing(
    node: Node, project: Callable[[], int]
) -> None:
    registered(node.centre("BRONX"))
    project()
    assert sweep(node, NOON + 25 * HOUR) == 1
    assert sweep(node, NOON + 25 * HOUR) == 0


def test_more_than_a_batch_is_told_in_one_sweep(
    node: Node,
    read: psycopg.Connection,
    pass_to: Callable[[datetime], int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(deadlines, "BATCH_INCIDENTS", 3)
    for _ in range(7):
        registered(node.centre("BRONX"))
    assert pass_to(NOON + 25 * HOUR) == 7


def test_an_incident_that_cannot_be_read_stops_the_clock_of_no_other(
    node: Node, read: psycopg.Connection, pass_to: Callable[[datetime], int]
) -> None:
    whole = [registered(node.centre("BRONX")).incident_id for _ in range(3)]
    broken = registered(node.centre("BRONX")).incident_id
    pass_to(NOON)
    read.execute(PAST_TRIGGERS)
    read.execute("UPDATE events SET topic = 'FromTheFuture' WHERE originator_id = %s", [broken])
    assert sweep(node, NOON + 25 * HOUR) == 3
    assert [said(read, incident) for incident in whole] == [["DeadlineMissed"]] * 3


def test_who_was_answered_in_time_is_not_spoken_of(
    node: Node, read: psycopg.Connection, pass_to: Callable[[datetime], int]
) -> None:
    incident = registered(node.centre("BRONX")).incident_id
    ask(node.centre("BRONX"), incident, PublishReply(kind=ReplyKind.FIRST), 30)
    assert pass_to(NOON + 5 * DAY) == 0


def test_a_miss_that_nobody_saw_is_recorded_with_the_reply_that_ends_it(
    node: Node, read: psycopg.Connection, pass_to: Callable[[datetime], int]
) -> None:
    incident = registered(node.centre("BRONX")).incident_id
    ask(node.centre("BRONX"), incident, PublishReply(kind=ReplyKind.FIRST), 25 * 60)
    topics = read.execute("SELECT topic FROM events ORDER BY pos").fetchall()
    assert topics == [("IncidentRegistered",), ("DeadlineMissed",), ("ReplyPublished",)]
    assert pass_to(NOON + 26 * HOUR) == 0


def test_the_solution_clock_waits_for_the_citizen_five_days_at_most(
    node: Node, read: psycopg.Connection, pass_to: Callable[[datetime], int]
) -> None:
    centre = node.centre("BRONX")
    incident = assigned(centre, due_in_hours=48).incident_id
    ask(centre, incident, PublishReply(kind=ReplyKind.FIRST), 25)
    ask(centre, incident, AcceptWork(), 30)
    ask(centre, incident, RequestClarification(question="Какой подъезд?"), 60)
    assert pass_to(NOON + 5 * DAY) == 0
    assert pass_to(NOON + 5 * DAY + HOUR) == 2
    assert said(read, incident) == ["ClarificationTimedOut", "DeadlineResumed"]
    # 47 hours were left.
    row = read.execute("SELECT due_at, first_due_at, status FROM incident").fetchone()
    assert row == (NOON + 7 * DAY, NOON + 2 * DAY, "IN_PROGRESS")


def test_what_nobody_disputes_within_two_weeks_is_closed(
    node: Node, read: psycopg.Connection, pass_to: Callable[[datetime], int]
) -> None:
    centre = node.centre("BRONX")
    quiet, disputed, controlled = (resolved(centre).incident_id for _ in range(3))
    ask(centre, disputed, Dispute(by=DisputeBy.AUTHOR), 100)
    ask(centre, controlled, TakePersonalControl(), 100, by=HEAD)
    resolved_at = NOON + timedelta(minutes=90)
    assert pass_to(resolved_at + 14 * DAY) == 0
    assert pass_to(resolved_at + 14 * DAY + HOUR) == 1
    assert said(read, quiet) == ["IncidentClosed"]
    assert pass_to(NOON + 400 * DAY) == 0
