"""What each event changes in the row of its incident: given these commands, then this row."""

import random
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from datetime import date, datetime, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import msgspec
import psycopg
import pytest

from domain.commands import (
    AcceptWork,
    AddMessage,
    ApproveReply,
    Assign,
    Classify,
    Close,
    Command,
    ContactCitizen,
    DeclineReopen,
    Dispute,
    DraftReply,
    ErasePersonalData,
    Escalate,
    ExtendDeadline,
    GrantFastTrack,
    LiftPersonalControl,
    Link,
    MissDeadline,
    MovePromise,
    Prioritize,
    PublishReply,
    Rate,
    Reassign,
    ReceiveClarification,
    Reclassify,
    RecordRootCause,
    Reject,
    Relocate,
    ReportFieldCheck,
    RequestClarification,
    RequestFieldCheck,
    Resolve,
    Return,
    ReturnReply,
    ScheduleSolution,
    TakePersonalControl,
    TimeOutClarification,
    WarnDeadline,
)
from domain.decisions import alarms_due, decide, register
from domain.errors import RuleBroken
from domain.events import IncidentRegistered
from domain.identifiers import derived_id
from domain.incident import Incident
from domain.lifecycle import transition_of
from domain.rights import SYSTEM, Actor
from domain.vocabulary import (
    Cause,
    Clock,
    DeclineReason,
    DisputeBy,
    Kind,
    Outcome,
    Priority,
    PriorityReason,
    PromiseReason,
    ReassignReason,
    RejectReason,
    ReplyAuthor,
    ReplyFlaw,
    ReplyKind,
    ReturnReason,
    Role,
    Verdict,
)
from projections import incidents
from projections.incidents import IncidentRow
from regions.bulk import record_histories
from regions.centre import Centre, Result
from regions.node import Node
from regions.reference.reply_texts import text_fingerprint
from regions.store.vault import Vault
from tests.scenarios import (
    NOON,
    PlainTerms,
    accepted,
    answered,
    any_actor,
    any_command,
    ask,
    assigned,
    classified,
    closed,
    history,
    message,
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
def timed(node: Node) -> Centre:
    """The Bronx with terms: 4 hours for a reply, 48 for a solution, a warning at half time."""
    return Centre("BRONX", node.pool, node.catalogue, node.vault, PlainTerms())


@pytest.fixture
def row(project: Callable[[], int], read: psycopg.Connection) -> Callable[[UUID], IncidentRow]:
    """The incident's row, with everything recorded taken in."""

    def look(incident: UUID) -> IncidentRow:
        project()
        return incidents.load(read, [incident])[incident]

    return look


Look = Callable[[UUID], IncidentRow]


def minutes(amount: float) -> datetime:
    return NOON + timedelta(minutes=amount)


def hours(amount: float) -> datetime:
    return NOON + timedelta(hours=amount)


def alarms(**moments: list[datetime]) -> dict[str, object]:
    """The two columns of the alarms, the clocks in the order in which they were started."""
    return {
        "alarms": msgspec.json.encode(moments).decode() if moments else None,
        "alarm_at": min((at for of_clock in moments.values() for at in of_clock), default=None),
    }


def expected(incident: UUID, **changes: object) -> IncidentRow:
    """The row of an incident that was only registered, with these changes."""
    row = IncidentRow(
        id=incident,
        region="BRONX",
        municipality=None,
        version=1,
        pos=1,
        status="REGISTERED",
        open=True,
        counted=True,
        channel="PHONE",
        kind="COMPLAINT",
        regime="IM",
        published_at=NOON,
        captured_at=NOON,
        registered_at=NOON,
        registered_on=date(2026, 3, 2),
        cycle_started_at=NOON,
        changed_at=NOON,
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
    assert row(incident) == expected(incident, cell="892a100f6b3ffff", **facts)


# Each rung of the ladder stands on the one before; so does what the row shows.
CLASSIFIED: dict[str, object] = {
    "version": 2,
    "pos": 2,
    "topic": "noise.noise",
    "changed_at": minutes(10),
}
ASSIGNED = (
    CLASSIFIED
    | {
        "version": 3,
        "pos": 3,
        "status": "ASSIGNED",
        "organisation": "BRONX-DCA",
        "assigned_at": minutes(20),
        "triage_working_seconds": 20 * 60,
        "due_at": hours(24),
        "due_on": date(2026, 3, 3),
        "first_due_at": hours(24),
        "changed_at": minutes(20),
    }
    | alarms(SOLUTION=[hours(24)])
)
RETURNED = ASSIGNED | {
    "version": 4,
    "pos": 4,
    "status": "RETURNED",
    "organisation": None,
    "returns": 1,
    "hops": 1,
    "changed_at": minutes(25),
}
ACCEPTED = ASSIGNED | {
    "version": 4,
    "pos": 4,
    "status": "IN_PROGRESS",
    "accepted_at": minutes(30),
    "accept_working_seconds": 10 * 60,
    "changed_at": minutes(30),
}
ANSWERED = ACCEPTED | {
    "version": 5,
    "pos": 5,
    "first_replied_at": minutes(60),
    "reply_working_seconds": 60 * 60,
    "final_replies": 1,
    "final_replies_on_source": 1,
    "reply_fingerprint": text_fingerprint("Вода есть", Vault(b"0" * 32).pepper(b"reply text")),
    "changed_at": minutes(60),
}
RESOLVED = (
    ANSWERED
    | {
        "version": 6,
        "pos": 6,
        "status": "RESOLVED",
        "open": False,
        "outcome": "SOLVED",
        "resolved_at": minutes(90),
        "resolution_working_seconds": 90 * 60,
        "first_resolved_at": minutes(90),
        "first_resolved_on": date(2026, 3, 2),
        "first_resolution_working_seconds": 90 * 60,
        "changed_at": minutes(90),
    }
    | alarms(CLOSING=[minutes(90) + timedelta(days=14)])
)
CLOSED = (
    RESOLVED
    | {
        "version": 7,
        "pos": 7,
        "status": "CLOSED",
        "closed_at": minutes(120),
        "changed_at": minutes(120),
    }
    | alarms()
)
REOPENED = CLOSED | {
    "version": 9,
    "pos": 9,
    "status": "REOPENED",
    "open": True,
    "disputes": 1,
    "cycle": 2,
    "cycle_started_at": minutes(150),
    "organisation": None,
    "outcome": None,
    "due_at": None,
    "due_on": None,
    "first_due_at": None,
    "resolved_at": None,
    "resolution_working_seconds": None,
    "first_reopened_at": minutes(150),
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


CURATOR = Actor("куратор", Role.CURATOR)
HEAD = Actor("глава", Role.REGION_HEAD)
MARCH_5 = date(2026, 3, 5)

DRAFT = DraftReply(kind=ReplyKind.FINAL, text="Вода есть")
INTERIM = PublishReply(kind=ReplyKind.INTERIM, text="Едем")
QUESTION = RequestClarification(question="Какой дом?")
DISPUTE = Dispute(by=DisputeBy.AUTHOR)
CONTROL = TakePersonalControl()


def promise(day: int) -> ScheduleSolution:
    return ScheduleSolution(promised_on=date(2026, 3, day), reason=PromiseReason.SUPPLY)


def given(*asked: tuple[Command, Actor] | Command) -> list[tuple[Command, Actor | None]]:
    """Commands with who gives them; None is the usual operator."""
    return [command if isinstance(command, tuple) else (command, None) for command in asked]


# Stands in for a body of the Bronx that is not the one the ladder assigns to.
ELSEWHERE = "BRONX-NYPD"

DUE_ON = date(2026, 3, 3)  # of what the ladder assigns
ANOTHER = derived_id(NOON, "BRONX", "7")  # what `history` calls its number 7


def beside_another(centre: Centre) -> Result:
    record_histories(centre, [history(centre, 7)], now=NOON + timedelta(days=1))
    return registered(centre)


Change = tuple[Callable[[Centre], object], list[tuple[Command, Actor | None]], dict[str, object]]

# Of the commands only the last one's change is told, two hours and a half after noon.
CHANGES: dict[str, Change] = {
    "rejected": (
        registered,
        given((Reject(reason=RejectReason.ADVERT), CURATOR)),
        {"status": "REJECTED", "open": False, "counted": False, "closed_at": minutes(150)},
    ),
    "written about again": (
        registered,
        given(AddMessage(channel="PHONE", published_at=NOON)),
        {"messages": 2},
    ),
    "linked": (beside_another, given(Link(to=ANOTHER)), {}),
    "assigned to a person": (
        classified,
        given(Assign(organisation=ELSEWHERE, holder="Петров")),
        {
            "status": "ASSIGNED",
            "organisation": ELSEWHERE,
            "holder": "Петров",
            "assigned_at": minutes(150),
            "triage_working_seconds": 150 * 60,
        },
    ),
    "assigned to another body after a return, which was the hop": (
        returned,
        given(Assign(organisation=ELSEWHERE)),
        {"status": "ASSIGNED", "organisation": ELSEWHERE},
    ),
    "reassigned": (
        accepted,
        given(Reassign(organisation=ELSEWHERE, holder="Иванова", reason=ReassignReason.WRONG_BODY)),
        {"status": "ASSIGNED", "organisation": ELSEWHERE, "holder": "Иванова", "hops": 1},
    ),
    "returned from a person": (
        classified,
        given(
            Assign(organisation=ELSEWHERE, holder="Петров"),
            Return(reason=ReturnReason.NOT_COMPETENT),
        ),
        {
            "status": "RETURNED",
            "organisation": None,
            "holder": None,
            "returns": 1,
            "hops": 1,
        },
    ),
    "reclassified": (
        accepted,
        given(Reclassify(topic="noise.noise-commercial")),
        {"topic": "noise.noise-commercial"},
    ),
    "relocated": (
        accepted,
        given(Relocate(municipality="BRONX-02", latitude=40.8, longitude=-73.9)),
        {
            "municipality": "BRONX-02",
            "cell": "892a100f6b3ffff",
            "latitude": 40.8,
            "longitude": -73.9,
        },
    ),
    "prioritized": (
        accepted,
        given(Prioritize(priority=Priority.HIGH, reason=PriorityReason.CHILDREN)),
        {"priority": "HIGH"},
    ),
    "eased": (
        accepted,
        given(
            Prioritize(priority=Priority.HIGH, reason=PriorityReason.CHILDREN),
            Prioritize(priority=Priority.NORMAL, reason=PriorityReason.EASED),
        ),
        {"priority": "NORMAL"},
    ),
    "granted the fast track": (accepted, given(GrantFastTrack()), {}),
    "contacted": (accepted, given(ContactCitizen(channel="PHONE", note="Ждут")), {}),
    "drafted": (accepted, given(DRAFT), {"status": "REPLY_IN_REVIEW"}),
    "sent back by its reviewer": (
        accepted,
        given(DRAFT, (ReturnReply(reasons=(ReplyFlaw.FORMAL,)), CURATOR)),
        {"status": "IN_PROGRESS"},
    ),
    "approved": (accepted, given(DRAFT, (ApproveReply(), CURATOR)), {"status": "IN_PROGRESS"}),
    "promised before it is due": (
        accepted,
        given(INTERIM, promise(2)),
        {"status": "SCHEDULED", "promised_on": date(2026, 3, 2)},
    ),
    "promised": (
        accepted,
        given(INTERIM, promise(5)),
        {
            "version": 2,
            "status": "SCHEDULED",
            "promised_on": MARCH_5,
            "due_at": datetime.fromisoformat("2026-03-06T00:00Z"),
            "due_on": MARCH_5,
        }
        | alarms(SOLUTION=[datetime.fromisoformat("2026-03-06T00:00Z")]),
    ),
    "promised later": (
        accepted,
        given(
            INTERIM,
            promise(9),
            MovePromise(promised_on=MARCH_5, reason=PromiseReason.WEATHER),
        ),
        {"promised_on": MARCH_5, "promise_moves": 1},
    ),
    "given more time": (
        accepted,
        given(ExtendDeadline(due_at=hours(96), reason=PromiseReason.CONTRACT)),
        {"due_at": hours(96), "due_on": date(2026, 3, 6)} | alarms(SOLUTION=[hours(96)]),
    ),
    "asked back": (
        accepted,
        given(QUESTION),
        {"version": 2, "status": "AWAITING_CITIZEN", "due_at": None, "due_on": None}
        | alarms(CLARIFICATION=[minutes(150) + timedelta(days=5)])
        | {
            "alarms": '{"CLARIFICATION":["2026-03-07T14:30:00Z"],'
            '"PAUSED SOLUTION":["2026-03-03T12:00:00Z"]}'
        },
    ),
    # It was asked a minute before; that much later it is due.
    "clarified": (
        accepted,
        given(QUESTION, ReceiveClarification(answer="Пятый")),
        {"version": 2, "status": "IN_PROGRESS", "due_at": hours(24) + timedelta(minutes=1)}
        | {"due_on": DUE_ON}
        | alarms(SOLUTION=[hours(24) + timedelta(minutes=1)]),
    ),
    "waited for in vain": (
        accepted,
        given(QUESTION, TimeOutClarification()),
        {"version": 2, "status": "IN_PROGRESS", "due_at": hours(24) + timedelta(minutes=1)}
        | {"due_on": DUE_ON}
        | alarms(SOLUTION=[hours(24) + timedelta(minutes=1)]),
    ),
    "reassigned while the citizen is asked": (
        accepted,
        given(QUESTION, Reassign(organisation=ELSEWHERE, reason=ReassignReason.TO_MUNICIPALITY)),
        {
            "version": 2,
            "status": "ASSIGNED",
            "organisation": ELSEWHERE,
            "hops": 1,
            "due_at": hours(24) + timedelta(minutes=1),
            "due_on": DUE_ON,
        }
        | alarms(SOLUTION=[hours(24) + timedelta(minutes=1)]),
    ),
    "taken under control": (accepted, given((CONTROL, HEAD)), {"controller": HEAD.name}),
    "let go": (
        accepted,
        given((CONTROL, HEAD), (LiftPersonalControl(), HEAD)),
        {"controller": None},
    ),
    "taken under control when it was done": (
        resolved,
        given((CONTROL, HEAD)),
        {"status": "UNDER_CONTROL", "controller": HEAD.name, "alarm_at": None},
    ),
    "let go when it was done": (
        resolved,
        given((CONTROL, HEAD), (LiftPersonalControl(), HEAD)),
        {
            "status": "RESOLVED",
            "controller": None,
            "alarm_at": minutes(90) + timedelta(days=14),
        },
    ),
    "resolved under control": (
        answered,
        given((CONTROL, HEAD), Resolve(outcome=Outcome.EXPLAINED)),
        {
            "status": "UNDER_CONTROL",
            "open": False,
            "outcome": "EXPLAINED",
            "resolved_at": minutes(150),
            "resolution_working_seconds": 150 * 60,
            "first_resolved_at": minutes(150),
            "first_resolved_on": date(2026, 3, 2),
            "first_resolution_working_seconds": 150 * 60,
        }
        | alarms(CLOSING=[minutes(150) + timedelta(days=14)])
        | {"alarm_at": None},
    ),
    "closed by who controls it": (
        resolved,
        given((CONTROL, HEAD), (Close(), HEAD)),
        {"status": "CLOSED", "controller": None, "closed_at": minutes(150)} | alarms(),
    ),
    "rated": (resolved, given(Rate(score=5)), {"rating": 5}),
    "rated badly": (
        resolved,
        given(Rate(score=2)),
        {"version": 2, "rating": 2, "disputes": 1, "status": "REOPEN_REQUESTED"} | alarms(),
    ),
    "disputed": (
        closed,
        given(DISPUTE),
        {"status": "REOPEN_REQUESTED", "disputes": 1, "closed_at": None},
    ),
    "disputed in vain": (
        closed,
        given(DISPUTE, (DeclineReopen(reason=DeclineReason.NO_GROUNDS), CURATOR)),
        {"status": "CLOSED", "closed_at": minutes(150)},
    ),
    "to be looked at": (accepted, given((RequestFieldCheck(), HEAD)), {}),
    "looked at": (
        accepted,
        given((ReportFieldCheck(verdict=Verdict.PARTLY), CURATOR)),
        {},
    ),
    "found not done": (
        resolved,
        given((ReportFieldCheck(verdict=Verdict.NOT_DONE), CURATOR)),
        {"version": 2, "status": "REOPEN_REQUESTED", "disputes": 1} | alarms(),
    ),
    "explained": (resolved, given(RecordRootCause(cause=Cause.WEAR)), {"root_cause": "WEAR"}),
}


@pytest.mark.parametrize(("rung", "commands", "changes"), CHANGES.values(), ids=CHANGES)
def test_each_later_event_changes_its_columns_and_no_other(
    bronx: Centre,
    row: Look,
    rung: Callable[[Centre], object],
    commands: list[tuple[Command, Actor | None]],
    changes: dict[str, object],
) -> None:
    """`version` in the changes says how many events they are, if not one."""
    incident = rung(bronx).incident_id  # type: ignore[attr-defined]
    give_all(bronx, incident, commands[:-1], until=149)
    before = row(incident)
    give_all(bronx, incident, commands[-1:], until=150)
    events = changes.get("version", 1)
    wanted = {"changed_at": minutes(150)} | changes
    wanted |= {"version": before.version + events, "pos": before.pos + events}  # type: ignore[operator]
    assert row(incident) == replace(before, **wanted)  # type: ignore[arg-type]


def give_all(
    centre: Centre, incident: UUID, commands: list[tuple[Command, Actor | None]], until: int
) -> None:
    """A minute after each other; the last one so many minutes after noon."""
    for at, (command, by) in enumerate(commands, start=until + 1 - len(commands)):
        ask(centre, incident, command, at, **({"by": by} if by else {}))


# Clocks


def test_a_registration_starts_the_clock_of_the_first_reply(timed: Centre, row: Look) -> None:
    incident = registered(timed).incident_id
    assert row(incident) == expected(
        incident, reply_due_at=hours(4), **alarms(FIRST_REPLY=[hours(2), hours(4)])
    )


def test_an_assignment_starts_the_clock_of_the_solution_with_the_cycle(
    timed: Centre, row: Look
) -> None:
    incident = classified(timed).incident_id
    before = row(incident)
    ask(timed, incident, Assign(organisation=some_body(timed)), 60)
    after = row(incident)
    assert (after.due_at, after.due_on) == (hours(48), date(2026, 3, 4))
    assert (after.first_due_at, after.reply_due_at) == (hours(48), before.reply_due_at)
    assert (after.alarms, after.alarm_at) == tuple(
        alarms(FIRST_REPLY=[hours(2), hours(4)], SOLUTION=[hours(24), hours(48)]).values()
    )


def test_a_deadline_has_three_things_to_say_and_each_of_them_once(timed: Centre, row: Look) -> None:
    """That it comes, that it was missed, and who up the chain hears of it."""
    incident = registered(timed).incident_id
    seen = [row(incident).alarm_at]
    clock = Clock.FIRST_REPLY
    for command in (
        WarnDeadline(clock=clock),
        MissDeadline(clock=clock),
        Escalate(clock=clock),
        Escalate(clock=clock),
    ):
        at = seen[-1] + timedelta(seconds=1)  # type: ignore[operator]
        timed.handle(incident, command, command_id=uuid4(), at=at, by=SYSTEM)
        before = row(incident)
        assert before.status == "REGISTERED"
        assert before.reply_due_at == hours(4)
        seen.append(before.alarm_at)
    missed_at = hours(4) + timedelta(seconds=1)
    escalations = [missed_at + timedelta(hours=step) for step in (1, 2)]
    assert seen == [hours(2), hours(4), *escalations, None]


def test_a_reply_by_a_human_silences_the_clocks_of_replies_only(timed: Centre, row: Look) -> None:
    incident = classified(timed).incident_id
    ask(timed, incident, Assign(organisation=some_body(timed)), 20)
    before = row(incident)
    ask(timed, incident, PublishReply(kind=ReplyKind.FIRST, author=ReplyAuthor.AUTO), 30)
    assert row(incident).alarms == before.alarms
    ask(timed, incident, INTERIM, 40)
    after = row(incident)
    assert (after.reply_due_at, after.due_at) == (None, hours(48))
    assert after.alarm_at == hours(24)
    assert after.alarms == alarms(SOLUTION=[hours(24), hours(48)])["alarms"]


def test_a_citizen_who_answers_waits_for_the_next_reply(timed: Centre, row: Look) -> None:
    incident = in_work(timed)
    ask(timed, incident, QUESTION, 60)
    assert row(incident).alarm_at == hours(1) + timedelta(days=5)
    ask(timed, incident, ReceiveClarification(answer="Пятый"), 120)
    after = row(incident)
    assert (after.reply_due_at, after.due_at, after.first_due_at) == (
        hours(4),
        hours(49),
        hours(48),
    )
    assert after.alarm_at == hours(3)


def in_work(centre: Centre) -> UUID:
    """An incident whose deadline is by the terms, answered in the first hour."""
    incident = classified(centre).incident_id
    for command in (Assign(organisation=some_body(centre)), AcceptWork(), INTERIM):
        ask(centre, incident, command, 20)
    return incident


@pytest.mark.parametrize(
    "command",
    [
        Prioritize(priority=Priority.HIGH, reason=PriorityReason.UTILITIES_OUT),
        GrantFastTrack(),
    ],
)
def test_what_becomes_urgent_is_due_earlier_and_its_first_deadline_stays_known(
    timed: Centre, row: Look, command: Command
) -> None:
    incident = in_work(timed)
    ask(timed, incident, command, 30)
    after = row(incident)
    assert (after.due_at, after.due_on) == (hours(24), date(2026, 3, 3))
    assert (after.first_due_at, after.alarm_at) == (hours(48), hours(12))


def test_more_time_moves_the_deadline_and_the_first_one_stays_known(
    timed: Centre, row: Look
) -> None:
    incident = in_work(timed)
    for day in (4, 5):
        extended = ExtendDeadline(due_at=NOON + timedelta(days=day), reason=PromiseReason.BUDGET)
        ask(timed, incident, extended, 30)
        after = row(incident)
        assert after.due_at == NOON + timedelta(days=day)
        assert after.due_on == date(2026, 3, 2 + day)
        assert after.first_due_at == hours(48)


def test_a_missed_reply_is_told_before_its_clock_stops(timed: Centre, row: Look) -> None:
    incident = registered(timed).incident_id
    ask(timed, incident, INTERIM, 5 * 60)
    after = row(incident)
    assert (after.version, after.reply_due_at, after.alarms) == (3, None, None)
    assert after.reply_working_seconds == 5 * 3600


@pytest.mark.parametrize(
    ("rung", "command"),
    [
        (registered, Reject(reason=RejectReason.OBSCENE)),
        (answered, Resolve(outcome=Outcome.SOLVED)),
    ],
)
def test_what_is_done_has_no_deadline_to_speak_of(
    timed: Centre, row: Look, rung: Callable[[Centre], object], command: Command
) -> None:
    incident = rung(timed).incident_id  # type: ignore[attr-defined]
    ask(timed, incident, command, 100, by=Actor("кто-то", min(transition_of(command).roles)))
    after = row(incident)
    assert after.reply_due_at is None
    assert "FIRST_REPLY" not in (after.alarms or "")
    assert "SOLUTION" not in (after.alarms or "")


def test_a_reopened_incident_waits_for_a_reply_again(timed: Centre, row: Look) -> None:
    incident = reopened(timed).incident_id
    after = row(incident)
    again = minutes(150)
    assert (after.reply_due_at, after.due_at, after.first_due_at) == (
        again + timedelta(hours=4),
        None,
        None,
    )
    assert after.alarm_at == again + timedelta(hours=2)


def test_a_pause_is_no_time_of_the_solution(timed: Centre, row: Look) -> None:
    incident = in_work(timed)
    ask(timed, incident, QUESTION, 60)
    ask(timed, incident, ReceiveClarification(answer="Пятый"), 100)
    ask(timed, incident, PublishReply(kind=ReplyKind.FINAL, text="Вода есть"), 110)
    ask(timed, incident, Resolve(outcome=Outcome.SOLVED), 120)
    after = row(incident)
    assert (after.paused_seconds, after.resolution_working_seconds) == (40 * 60, 80 * 60)


@pytest.mark.parametrize("seed", range(40))
def test_an_alarm_goes_off_when_there_is_something_to_say_and_only_then(
    bronx: Centre, seed: int
) -> None:
    """The row's next alarm is the moment from which on the domain finds something due."""
    terms, zone = PlainTerms(), ZoneInfo("America/New_York")
    for incident, row in random_life(bronx, terms, zone, random.Random(seed)):
        assert incident.last_at is not None
        if row.alarm_at is None:
            far = incident.last_at + timedelta(days=400)
            assert alarms_due(incident, far, terms) == [], row.status
        else:
            just_before = row.alarm_at - timedelta(microseconds=1)
            just_after = row.alarm_at + timedelta(microseconds=1)
            assert alarms_due(incident, just_before, terms) == [], row.status
            assert alarms_due(incident, just_after, terms) != [], row.status


def random_life(
    centre: Centre, terms: PlainTerms, zone: ZoneInfo, chance: random.Random
) -> Iterator[tuple[Incident, IncidentRow]]:
    """The incident and its row after each command; alarms that go off are obeyed, mostly."""
    incident = register(uuid4(), "BRONX", message(), at=NOON, by=SYSTEM, terms=terms)
    row: IncidentRow | None = None
    at = NOON
    for _ in range(150):
        for recorded in incident.collect_events():
            if isinstance(recorded.event, IncidentRegistered):
                row = incidents.begun(incident.id, recorded.event, zone)
            assert row is not None
            incidents.change(row, recorded.event, zone)
        assert row is not None
        yield incident, row
        at += timedelta(minutes=chance.choice([1, 10, 100, 1000]))
        due = alarms_due(incident, at, terms)
        command = chance.choice(due or [any_command(centre, chance)])
        by = SYSTEM if due else any_actor(command, chance)
        try:
            decide(incident, command, at=at, by=by, terms=terms)
        except RuleBroken:
            continue


# Lives


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
