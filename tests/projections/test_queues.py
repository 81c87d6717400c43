"""The queues: each holds exactly what waits for somebody, and the boards count the same."""

import asyncio
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import AsyncConnection

from domain.commands import (
    Assign,
    Capture,
    Command,
    Dispute,
    DraftReply,
    LiftPersonalControl,
    NoteFailedDelivery,
    Prioritize,
    PublishReply,
    Reject,
    Resolve,
    TakePersonalControl,
)
from domain.rights import SYSTEM, Actor
from domain.vocabulary import (
    DeliveryFailure,
    DisputeBy,
    Outcome,
    Priority,
    PriorityReason,
    RejectReason,
    ReplyAuthor,
    ReplyKind,
    Role,
)
from projections.incident_list import IncidentFilter, incident_page
from projections.queues import Queue
from projections.statistics.figures import Period
from projections.views.federal import country_board
from projections.views.municipal import municipality_board
from projections.views.regional import Board, region_board
from regions.centre import Centre, Result
from regions.node import Node
from tests.scenarios import (
    NOON,
    PlainTerms,
    accepted,
    ask,
    assigned,
    classified,
    closed,
    registered,
    reopened,
    resolved,
    returned,
    some_body,
)

Project = Callable[[], int]

NOW = NOON + timedelta(hours=30)
PERIOD = Period(date(2026, 3, 1), date(2026, 3, 31))

CURATOR = Actor("curator", Role.CURATOR)
HEAD = Actor("head", Role.REGION_HEAD)

INTERIM = PublishReply(kind=ReplyKind.INTERIM, text="Едем")
FINAL = PublishReply(kind=ReplyKind.FINAL, text="Вода есть")
AUTO = PublishReply(kind=ReplyKind.FIRST, author=ReplyAuthor.AUTO)
DRAFT = DraftReply(kind=ReplyKind.FINAL, text="Вода есть")
RESOLVE = Resolve(outcome=Outcome.SOLVED)
URGENT = Prioritize(priority=Priority.HIGH, reason=PriorityReason.MASS)
EASED = Prioritize(priority=Priority.NORMAL, reason=PriorityReason.EASED)
DISPUTE = Dispute(by=DisputeBy.AUTHOR)
CONTROL = (TakePersonalControl(), HEAD)
LIFT = (LiftPersonalControl(), HEAD)
REJECT = (Reject(reason=RejectReason.ADVERT), CURATOR)


def due(hours: float) -> Callable[..., Result]:
    """An incident at work whose solution is due so many hours after noon."""

    def rung(centre: Centre, **changes: object) -> Result:
        return accepted(centre, due_in_hours=hours, **changes)

    return rung


Given = tuple[Callable[..., Result], list[Command | tuple[Command, Actor]], set[Queue]]

# A rung of the ladder, what is asked then, and the queues it waits in thirty hours after noon.
# A reply was due after four hours: who does not reply waits for that as well.
LIVES: dict[str, Given] = {
    "new": (registered, [], {Queue.UNASSIGNED, Queue.STALLED, Queue.REPLY_OVERDUE}),
    "classified": (classified, [INTERIM], {Queue.UNASSIGNED, Queue.STALLED}),
    "answered by a machine": (
        registered,
        [AUTO],
        {Queue.UNASSIGNED, Queue.STALLED, Queue.REPLY_OVERDUE},
    ),
    "answered": (registered, [INTERIM], {Queue.UNASSIGNED, Queue.STALLED}),
    "rejected": (registered, [REJECT], set()),
    "urgent": (registered, [INTERIM, URGENT], {Queue.UNASSIGNED, Queue.STALLED, Queue.URGENT}),
    "urgent no more": (registered, [INTERIM, URGENT, EASED], {Queue.UNASSIGNED, Queue.STALLED}),
    "urgent and solved": (due(90), [URGENT, FINAL, RESOLVE], set()),
    "returned": (
        returned,
        [INTERIM],
        {Queue.UNASSIGNED, Queue.STALLED, Queue.RETURNED, Queue.OVERDUE},
    ),
    "assigned": (assigned, [INTERIM], {Queue.OVERDUE}),
    "late": (due(29), [INTERIM], {Queue.OVERDUE}),
    "late and solved": (due(1), [FINAL, RESOLVE], set()),
    "due now": (due(30), [INTERIM], {Queue.DUE_SOON}),
    "due soon": (due(40), [INTERIM], {Queue.DUE_SOON}),
    "due in a day": (due(54), [INTERIM], {Queue.DUE_SOON}),
    "due later": (due(54.1), [INTERIM], set()),
    "in review": (due(90), [INTERIM, DRAFT], {Queue.IN_REVIEW}),
    "in review, unanswered": (due(90), [DRAFT], {Queue.IN_REVIEW, Queue.REPLY_OVERDUE}),
    "solved": (resolved, [], set()),
    "closed": (closed, [], set()),
    "disputed": (resolved, [DISPUTE], {Queue.DISPUTED}),
    "disputed once closed": (closed, [DISPUTE], {Queue.DISPUTED}),
    "reopened": (reopened, [INTERIM], {Queue.UNASSIGNED, Queue.STALLED}),
    "reopened, unanswered": (reopened, [], {Queue.UNASSIGNED, Queue.STALLED, Queue.REPLY_OVERDUE}),
    "under control": (due(90), [INTERIM, CONTROL], {Queue.UNDER_CONTROL}),
    "let go": (due(90), [INTERIM, CONTROL, LIFT], set()),
    "solved under control": (resolved, [CONTROL], {Queue.UNDER_CONTROL}),
    "disputed under control": (
        resolved,
        [CONTROL, DISPUTE],
        {Queue.UNDER_CONTROL, Queue.DISPUTED},
    ),
}


@pytest.fixture
def lives(node: Node, project: Project) -> dict[str, UUID]:
    """All of them in two municipalities of the Bronx in turn, some again in Queens; by name."""
    bronx, queens = (
        Centre(region, node.pool, node.catalogue, node.vault, PlainTerms())
        for region in ("BRONX", "QUEENS")
    )
    found = {}
    for number, (name, (rung, asked, _)) in enumerate(LIVES.items()):
        place = ("BRONX-01", "BRONX-02", None)[number % 3]
        found[name] = lived(bronx, rung, asked, municipality=place)
        if number % 2:
            lived(queens, rung, asked)
    project()
    return found


def lived(
    centre: Centre,
    rung: Callable[..., Result],
    asked: list[Command | tuple[Command, Actor]],
    **changes: object,
) -> UUID:
    incident = rung(centre, **changes).incident_id
    for minutes, step in enumerate(asked, start=160):
        command, by = step if isinstance(step, tuple) else (step, None)
        ask(centre, incident, command, minutes, **({"by": by} if by else {}))
    return incident


def with_connection(node: Node, question: Callable[[AsyncConnection[Any]], Any]) -> Any:
    async def ask_it() -> Any:
        async with await psycopg.AsyncConnection.connect(
            node.url, options="-c search_path=read,public"
        ) as connection:
            return await question(connection)

    return asyncio.run(ask_it())


def waiting(node: Node, chosen: IncidentFilter, now: datetime = NOW) -> list[UUID]:
    async def question(connection: AsyncConnection[Any]) -> list[UUID]:
        rows = await incident_page(connection, chosen, first=1000, after=None, now=now)
        return [row.id for row in rows]

    found: list[UUID] = with_connection(node, question)
    return found


def test_each_queue_holds_exactly_what_waits_in_it(node: Node, lives: dict[str, UUID]) -> None:
    names = {incident: name for name, incident in lives.items()}
    for queue in Queue:
        found = waiting(node, IncidentFilter(region="BRONX", queue=queue))
        wanted = {name for name, (_, _, queues) in LIVES.items() if queue in queues}
        assert {names[incident] for incident in found} == wanted, queue
        assert len(found) == len(wanted), queue


def test_nothing_is_late_before_its_time(node: Node, lives: dict[str, UUID]) -> None:
    of_bronx = {"region": "BRONX"}
    at_four = NOON + timedelta(hours=4)
    replies = IncidentFilter(**of_bronx, queue=Queue.REPLY_OVERDUE)  # type: ignore[arg-type]
    assert waiting(node, replies, at_four) == []
    just_after = at_four + timedelta(microseconds=1)
    assert lives["new"] in waiting(node, replies, just_after)
    assert lives["reopened, unanswered"] not in waiting(node, replies, just_after)
    overdue = IncidentFilter(**of_bronx, queue=Queue.OVERDUE)  # type: ignore[arg-type]
    assert waiting(node, overdue, NOON + timedelta(hours=24)) == []
    late = waiting(node, overdue, NOON + timedelta(hours=25))
    assert set(late) == {lives["assigned"], lives["returned"]}


def test_a_queue_is_narrowed_by_who_holds_the_incident(node: Node, project: Project) -> None:
    bronx = node.centre("BRONX")
    mine, other = accepted(bronx).incident_id, classified(bronx).incident_id
    ask(bronx, other, Assign(organisation="BRONX-NYPD", due_at=NOON + timedelta(hours=1)), 20)
    project()
    assert set(waiting(node, IncidentFilter(queue=Queue.OVERDUE))) == {mine, other}
    of_body = IncidentFilter(queue=Queue.OVERDUE, organisation=some_body(bronx))
    assert waiting(node, of_body) == [mine]


def board(node: Node, unit: str, now: datetime) -> Board:
    async def question(connection: AsyncConnection[Any]) -> Board:
        if unit == "country":
            return await country_board(connection, PERIOD, catalogue=node.catalogue, now=now)
        if unit in node.catalogue.municipalities:
            return await municipality_board(
                connection,
                PERIOD,
                catalogue=node.catalogue,
                now=now,
                municipality=node.catalogue.municipality(unit, region="BRONX"),
            )
        return await region_board(
            connection, PERIOD, catalogue=node.catalogue, now=now, region=unit
        )

    found: Board = with_connection(node, question)
    return found


UNITS = {
    "country": IncidentFilter(),
    "BRONX": IncidentFilter(region="BRONX"),
    "QUEENS": IncidentFilter(region="QUEENS"),
    "BROOKLYN": IncidentFilter(region="BROOKLYN"),
    "BRONX-01": IncidentFilter(region="BRONX", municipality="BRONX-01"),
    "BRONX-02": IncidentFilter(region="BRONX", municipality="BRONX-02"),
}


def test_a_board_counts_what_the_lists_hold(node: Node, lives: dict[str, UUID]) -> None:
    for hours in (0, 5, 30, 240):
        now = NOON + timedelta(hours=hours)
        for unit, chosen in UNITS.items():
            counted = board(node, unit, now)
            listed = {
                queue: len(
                    waiting(
                        node, IncidentFilter(chosen.region, chosen.municipality, queue=queue), now
                    )
                )
                for queue in Queue
            }
            assert counted.queues == listed, (unit, hours)
            assert counted.overdue == listed[Queue.OVERDUE]
            statuses = sum(counted.open_by_status.values())
            assert statuses >= max(listed[Queue.UNASSIGNED], listed[Queue.OVERDUE])


def test_a_board_of_nothing_has_every_queue_and_nobody_in_it(node: Node) -> None:
    assert board(node, "BRONX", NOW).queues == dict.fromkeys(Queue, 0)


def test_unassigned_is_an_alarm_after_half_an_hour(node: Node, project: Project) -> None:
    incident = registered(node.centre("BRONX")).incident_id
    project()
    stalled = IncidentFilter(queue=Queue.STALLED)
    assert waiting(node, stalled, NOON + timedelta(minutes=30)) == []
    assert waiting(node, stalled, NOON + timedelta(minutes=31)) == [incident]


def test_a_message_that_is_no_incident_yet_waits_in_the_inbox(node: Node, project: Project) -> None:
    bronx = node.centre("BRONX")
    capture = Capture(channel="PHONE", published_at=NOON)
    kept = bronx.capture(capture, command_id=uuid4(), at=NOON, by=SYSTEM).incident_id
    project()
    assert waiting(node, IncidentFilter(queue=Queue.INBOX)) == [kept]


def test_a_reply_that_its_platform_does_not_take_waits_for_a_person(
    node: Node, project: Project
) -> None:
    bronx = node.centre("BRONX")
    incident = accepted(bronx).incident_id
    failed = NoteFailedDelivery(
        draft=1, message=incident, channel="PHONE", reason=DeliveryFailure.COMMENTS_CLOSED
    )
    ask(bronx, incident, failed, 40, by=SYSTEM)
    project()
    assert waiting(node, IncidentFilter(queue=Queue.UNDELIVERED)) == [incident]
