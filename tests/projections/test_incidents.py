"""What each event changes in the row of its incident: given these commands, then this row."""

from collections.abc import Callable
from dataclasses import fields, replace
from datetime import date, timedelta
from uuid import UUID

import psycopg
import pytest

from domain.commands import (
    Assign,
    Classify,
    Command,
    ErasePersonalData,
    PublishReply,
    Resolve,
    Return,
)
from domain.vocabulary import Kind, Outcome, ReplyAuthor, ReplyKind, ReturnReason
from projections import incidents
from projections.incidents import IncidentRow
from regions.centre import Centre
from regions.node import Node
from tests.scenarios import (
    NOON,
    accepted,
    answered,
    ask,
    assigned,
    classified,
    closed,
    registered,
    reopened,
    resolved,
    returned,
    some_body,
    some_topic,
)


@pytest.fixture
def bronx(node: Node) -> Centre:
    return node.centre("BRONX")


@pytest.fixture
def row(project: Callable[[], int], read: psycopg.Connection) -> Callable[[UUID], IncidentRow]:
    """The incident's row, with everything recorded taken in."""

    def look(incident: UUID) -> IncidentRow:
        project()
        return incidents.load(read, [incident])[incident]

    return look


Look = Callable[[UUID], IncidentRow]


def minutes(amount: float) -> object:
    return NOON + timedelta(minutes=amount)


def expected(incident: UUID, **changes: object) -> IncidentRow:
    """The row of an incident that was only registered, with these changes."""
    row = IncidentRow(
        id=incident,
        region="BRONX",
        municipality=None,
        version=1,
        pos=1,
        status="REGISTERED",
        channel="PHONE",
        kind="COMPLAINT",
        topic=None,
        organisation=None,
        outcome=None,
        cycle=1,
        returns=0,
        published_at=NOON,
        registered_at=NOON,
        registered_on=date(2026, 3, 2),
        cycle_started_at=NOON,
        assigned_at=None,
        first_replied_at=None,
        due_at=None,
        due_on=None,
        resolved_at=None,
        closed_at=None,
        changed_at=NOON,
        latitude=None,
        longitude=None,
    )
    return replace(row, **changes)  # type: ignore[arg-type]


def test_a_registration_begins_the_row(bronx: Centre, row: Look) -> None:
    incident = registered(bronx).incident_id
    assert row(incident) == expected(incident)


def test_the_row_says_where_how_and_when_the_citizen_wrote(bronx: Centre, row: Look) -> None:
    facts = {
        "municipality": "BRONX-01",
        "channel": "ONLINE",
        "kind": Kind.QUESTION,
        "published_at": NOON - timedelta(days=2),
        "latitude": 40.8,
        "longitude": -73.9,
    }
    incident = registered(bronx, **facts).incident_id
    assert row(incident) == expected(incident, **facts)


# Each rung of the ladder stands on the one before; so does what the row shows.
CLASSIFIED = {"version": 2, "pos": 2, "topic": "noise.noise", "changed_at": minutes(10)}
ASSIGNED = CLASSIFIED | {
    "version": 3,
    "pos": 3,
    "status": "ASSIGNED",
    "organisation": "BRONX-DCA",
    "assigned_at": minutes(20),
    "due_at": NOON + timedelta(hours=24),
    "due_on": date(2026, 3, 3),
    "changed_at": minutes(20),
}
RETURNED = ASSIGNED | {
    "version": 4,
    "pos": 4,
    "status": "RETURNED",
    "organisation": None,
    "returns": 1,
    "changed_at": minutes(25),
}
ACCEPTED = ASSIGNED | {
    "version": 4,
    "pos": 4,
    "status": "IN_PROGRESS",
    "changed_at": minutes(30),
}
ANSWERED = ACCEPTED | {
    "version": 5,
    "pos": 5,
    "first_replied_at": minutes(60),
    "changed_at": minutes(60),
}
RESOLVED = ANSWERED | {
    "version": 6,
    "pos": 6,
    "status": "RESOLVED",
    "outcome": "SOLVED",
    "resolved_at": minutes(90),
    "changed_at": minutes(90),
}
CLOSED = RESOLVED | {
    "version": 7,
    "pos": 7,
    "status": "CLOSED",
    "closed_at": minutes(120),
    "changed_at": minutes(120),
}
REOPENED = CLOSED | {
    "version": 8,
    "pos": 8,
    "status": "REOPENED",
    "cycle": 2,
    "cycle_started_at": minutes(150),
    "organisation": None,
    "outcome": None,
    "due_at": None,
    "due_on": None,
    "resolved_at": None,
    "closed_at": None,
    "changed_at": minutes(150),
}


@pytest.mark.parametrize(
    ("rung", "changes"),
    [
        (classified, CLASSIFIED),
        (assigned, ASSIGNED),
        (returned, RETURNED),
        (accepted, ACCEPTED),
        (answered, ANSWERED),
        (resolved, RESOLVED),
        (closed, CLOSED),
        (reopened, REOPENED),
    ],
)
def test_each_event_changes_its_columns_and_no_other(
    bronx: Centre, row: Look, rung: Callable[[Centre], object], changes: dict[str, object]
) -> None:
    changes = changes | {"topic": some_topic(bronx)}
    if changes.get("organisation"):
        changes["organisation"] = some_body(bronx)
    incident = rung(bronx).incident_id  # type: ignore[attr-defined]
    assert row(incident) == expected(incident, **changes)


@pytest.mark.parametrize(
    "batches", [1, 11], ids=["taken in at once", "taken in one event at a time"]
)
def test_a_second_cycle_begins_with_clocks_of_its_own(
    node: Node, bronx: Centre, row: Look, batches: int
) -> None:
    incident = reopened(bronx).incident_id
    steps: list[Command] = [
        Assign(organisation=some_body(bronx), due_at=NOON + timedelta(days=7)),
        PublishReply(kind=ReplyKind.FINAL),
        Resolve(outcome=Outcome.EXPLAINED),
    ]
    for place, command in enumerate(steps, start=1):
        if batches > 1:
            row(incident)
        ask(bronx, incident, command, 150 + 10 * place)
    it = row(incident)
    assert (it.cycle, it.status, it.outcome) == (2, "RESOLVED", "EXPLAINED")
    assert (it.cycle_started_at, it.resolved_at) == (minutes(150), minutes(180))
    assert (it.assigned_at, it.first_replied_at) == (minutes(20), minutes(60))
    assert it.due_on == date(2026, 3, 9)


def test_an_assignment_without_a_deadline_keeps_the_one_there_is(bronx: Centre, row: Look) -> None:
    incident = returned(bronx).incident_id
    before = row(incident)
    ask(bronx, incident, Assign(organisation=some_body(bronx)), 30)
    assert (row(incident).due_at, row(incident).due_on) == (before.due_at, before.due_on)


def test_each_return_is_counted(bronx: Centre, row: Look) -> None:
    incident = returned(bronx).incident_id
    ask(bronx, incident, Assign(organisation=some_body(bronx)), 30)
    ask(bronx, incident, Return(reason=ReturnReason.OTHER_TERRITORY), 40)
    assert row(incident).returns == 2


def test_an_automatic_reply_is_no_first_reply(bronx: Centre, row: Look) -> None:
    incident = registered(bronx).incident_id
    automatic = PublishReply(kind=ReplyKind.FIRST, author=ReplyAuthor.AUTO)
    ask(bronx, incident, automatic, 1)
    assert row(incident).first_replied_at is None
    ask(bronx, incident, PublishReply(kind=ReplyKind.INTERIM), 30)
    ask(bronx, incident, PublishReply(kind=ReplyKind.FINAL), 60)
    assert row(incident).first_replied_at == minutes(30)


def test_an_incident_classified_anew_has_its_last_topic(bronx: Centre, row: Look) -> None:
    incident = classified(bronx).incident_id
    other = [topic.code for topic in bronx.catalogue.topics.values() if topic.group][-1]
    ask(bronx, incident, Classify(topic=other), 20)
    assert row(incident).topic == other


def test_an_erasure_changes_nothing_but_when_the_incident_last_changed(
    bronx: Centre, row: Look
) -> None:
    incident = closed(bronx).incident_id
    before = row(incident)
    ask(bronx, incident, ErasePersonalData(), 500)
    assert row(incident) == replace(before, version=8, pos=8, changed_at=minutes(500))


def test_the_columns_of_the_row_are_those_of_the_table_in_its_order(
    read: psycopg.Connection,
) -> None:
    cursor = read.execute("SELECT * FROM incident")
    columns = [(column.name, column.type_display) for column in cursor.description or ()]
    assert [name for name, _ in columns] == [field.name for field in fields(IncidentRow)]
    assert [type_name for _, type_name in columns] == list(incidents.COLUMN_TYPES)


def test_every_event_stands_in_the_feed_with_the_status_after_it(
    bronx: Centre, project: Callable[[], int], read: psycopg.Connection
) -> None:
    incident = closed(bronx, municipality="BRONX-01").incident_id
    project()
    feed = read.execute(
        "SELECT pos, version, event, status, occurred_at, incident_id, municipality"
        " FROM change WHERE region = 'BRONX' ORDER BY pos"
    ).fetchall()
    assert [change[:5] for change in feed] == [
        (1, 1, "IncidentRegistered", "REGISTERED", NOON),
        (2, 2, "IncidentClassified", "REGISTERED", minutes(10)),
        (3, 3, "IncidentAssigned", "ASSIGNED", minutes(20)),
        (4, 4, "WorkAccepted", "IN_PROGRESS", minutes(30)),
        (5, 5, "ReplyPublished", "IN_PROGRESS", minutes(60)),
        (6, 6, "IncidentResolved", "RESOLVED", minutes(90)),
        (7, 7, "IncidentClosed", "CLOSED", minutes(120)),
    ]
    assert {change[5:] for change in feed} == {(incident, "BRONX-01")}
