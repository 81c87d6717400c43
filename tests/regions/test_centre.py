"""The centre: a command is answered once, refused without a trace, and never lost."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Barrier, Lock
from uuid import UUID, uuid4

import psycopg
import pytest

from domain.commands import (
    AcceptWork,
    AddMessage,
    ApproveReply,
    Assign,
    Capture,
    Citizen,
    Classify,
    Close,
    Command,
    ContactCitizen,
    DeclineReopen,
    DeleteMessage,
    Dispute,
    DraftReply,
    EditMessage,
    ErasePersonalData,
    Escalate,
    ExtendDeadline,
    GrantFastTrack,
    LiftPersonalControl,
    Link,
    Merge,
    MissDeadline,
    MovePromise,
    NoteDeletedReply,
    NoteDelivery,
    NoteFailedDelivery,
    NoteReading,
    Prioritize,
    PublishReply,
    Rate,
    Reassign,
    ReceiveClarification,
    Reclassify,
    RecordRootCause,
    Register,
    RegisterCaptured,
    Reject,
    Relocate,
    Reopen,
    ReportFieldCheck,
    RequestClarification,
    RequestFieldCheck,
    Resolve,
    Return,
    ReturnReply,
    ScheduleSolution,
    SubmitReply,
    TakePersonalControl,
    TimeOutClarification,
    TransferIn,
    TransferOut,
    Unmerge,
    WarnDeadline,
)
from domain.errors import (
    CommandIdReused,
    DomainError,
    DuplicateMessage,
    FinalReplyMissing,
    ForbiddenTransition,
    IncidentNotFound,
    NotClassified,
    NotPermitted,
    OtherChannel,
    RuleBroken,
    TextEmpty,
    TimeGoesBackwards,
    UnknownChannel,
    UnknownMunicipality,
    UnknownOrganisation,
    UnknownRegion,
    UnknownTopic,
    VersionConflict,
)
from domain.events import Reading
from domain.lifecycle import EVENT_OF, transition_of
from domain.rights import Actor, Scope
from domain.vocabulary import (
    Cause,
    Clock,
    DeclineReason,
    DeliveryFailure,
    DisputeBy,
    Outcome,
    Priority,
    PriorityReason,
    PromiseReason,
    ReassignReason,
    RejectReason,
    ReopenReason,
    ReplyFlaw,
    ReplyKind,
    ReturnReason,
    Role,
    Verdict,
)
from regions import centre as centre_module
from regions.centre import Centre, Result
from regions.node import Node, command_pool
from regions.store.event_store import StoreUnavailable
from tests.regions.faults import Fate, Fault, broken_line
from tests.scenarios import (
    NOON,
    OPERATOR,
    ask,
    assigned,
    classified,
    closed,
    contents,
    message,
    registered,
    some_body,
    some_topic,
)

FINAL = PublishReply(kind=ReplyKind.FINAL, text="Готово")
DISPUTE = Dispute(by=DisputeBy.AUTHOR)


@pytest.fixture
def bronx(node: Node) -> Centre:
    return node.centre("BRONX")


@contextmanager
def nothing_recorded(url: str) -> Iterator[None]:
    before = contents(url)
    yield
    assert contents(url) == before


# A command given again


def test_a_command_given_again_gets_the_first_result(node: Node, bronx: Centre) -> None:
    incident, command_id = classified(bronx).incident_id, uuid4()
    body = some_body(bronx)
    first = ask(bronx, incident, Assign(organisation=body), 20, command_id=command_id)
    with nothing_recorded(node.url):
        # Now an assigned incident could not be assigned.
        assert ask(bronx, incident, Assign(organisation=body), 21, command_id=command_id) == first
    assert first == Result(incident, 3, ("BRONX", 3))


def test_a_command_that_became_legal_again_is_still_not_done_twice(
    node: Node, bronx: Centre
) -> None:
    incident, command_id = closed(bronx).incident_id, uuid4()
    reopen = Reopen(reason=ReopenReason.NOT_SOLVED)
    ask(bronx, incident, DISPUTE, 125)
    first = ask(bronx, incident, reopen, 130, command_id=command_id)
    ask(bronx, incident, Assign(organisation=some_body(bronx)), 140)
    ask(bronx, incident, FINAL, 150)
    ask(bronx, incident, Resolve(outcome=Outcome.SOLVED), 160)
    ask(bronx, incident, DISPUTE, 165)
    with nothing_recorded(node.url):
        assert ask(bronx, incident, reopen, 170, command_id=command_id) == first


def test_a_registration_given_again_is_the_same_incident(node: Node, bronx: Centre) -> None:
    for command in (message(), message(external_id="wall-1_2")):
        command_id = uuid4()
        first = bronx.register(command, command_id=command_id, at=NOON, by=OPERATOR)
        # A day before, on a clock that is behind, the message would be from the future.
        for days in (1, -1):
            at = NOON + timedelta(days=days)
            with nothing_recorded(node.url):
                again = bronx.register(command, command_id=command_id, at=at, by=OPERATOR)
            assert again == first


def test_a_command_given_again_with_a_version_long_past_gets_the_first_result(
    bronx: Centre,
) -> None:
    incident, command_id = registered(bronx).incident_id, uuid4()
    classify = Classify(topic=some_topic(bronx))
    options = {"command_id": command_id, "expected_version": 1}
    first = ask(bronx, incident, classify, 10, **options)
    ask(bronx, incident, Assign(organisation=some_body(bronx)), 20)
    assert ask(bronx, incident, classify, 30, **options) == first


@pytest.mark.parametrize("legal", [True, False])
def test_another_command_under_the_same_id_is_refused(
    node: Node, bronx: Centre, legal: bool
) -> None:
    incident, command_id = classified(bronx).incident_id, uuid4()
    ask(bronx, incident, Assign(organisation=some_body(bronx)), 20, command_id=command_id)
    other = AcceptWork() if legal else Close()
    with nothing_recorded(node.url), pytest.raises(CommandIdReused) as refusal:
        ask(bronx, incident, other, 30, command_id=command_id)
    assert (refusal.value.code, refusal.value.field) == ("COMMAND_ID_REUSED", "commandId")


def test_the_same_command_for_another_incident_or_region_needs_its_own_id(node: Node) -> None:
    bronx, queens, command_id = node.centre("BRONX"), node.centre("QUEENS"), uuid4()
    classify = Classify(topic=some_topic(bronx))
    others = [(centre, registered(centre).incident_id) for centre in (bronx, queens)]
    ask(bronx, registered(bronx).incident_id, classify, 10, command_id=command_id)
    for centre, incident in others:
        with nothing_recorded(node.url), pytest.raises(CommandIdReused):
            ask(centre, incident, classify, 10, command_id=command_id)


def test_of_one_command_given_twice_at_once_both_get_the_one_result(
    node: Node, bronx: Centre
) -> None:
    for _ in range(20):
        incident, command_id = registered(bronx).incident_id, uuid4()
        classify = Classify(topic=some_topic(bronx))
        give = partial(ask, bronx, incident, classify, 10, command_id=command_id)
        first, second = at_once(give, give)
        assert first == second
        assert first.version == bronx.incident(incident).version == 2


def at_once(*calls: Callable[[], object]) -> list[object]:
    """The results of calls begun at the same moment; a refusal counts as a result."""
    start = Barrier(len(calls))

    def call(of: Callable[[], object]) -> object:
        start.wait()
        try:
            return of()
        except DomainError as refusal:
            return refusal

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(call, calls))


# Somebody else was there first


def test_a_message_is_registered_once(node: Node) -> None:
    first = registered(node.centre("BRONX"), external_id="wall-1_2")
    with nothing_recorded(node.url), pytest.raises(DuplicateMessage) as refusal:
        registered(node.centre("QUEENS"), external_id="wall-1_2")
    assert refusal.value.facts["incident"] == first.incident_id
    assert str(first.incident_id) in str(refusal.value)
    registered(node.centre("QUEENS"), external_id="wall-1_2", channel="ONLINE")


def test_messages_without_an_id_of_their_own_are_all_different(bronx: Centre) -> None:
    assert registered(bronx).incident_id != registered(bronx).incident_id


def test_of_one_message_in_two_regions_at_once_one_becomes_an_incident(node: Node) -> None:
    bronx, queens = node.centre("BRONX"), node.centre("QUEENS")
    for number in range(20):
        one, other = at_once(
            partial(registered, bronx, external_id=str(number)),
            partial(registered, queens, external_id=str(number)),
        )
        won, lost = (one, other) if isinstance(one, Result) else (other, one)
        assert isinstance(lost, DuplicateMessage)
        assert lost.facts["incident"] == won.incident_id


def test_an_expected_version_that_is_not_the_incident_s_is_a_conflict(
    node: Node, bronx: Centre
) -> None:
    incident = assigned(bronx).incident_id
    for expected in (0, 2, 4):
        with nothing_recorded(node.url), pytest.raises(VersionConflict) as refusal:
            ask(bronx, incident, AcceptWork(), 30, expected_version=expected)
        assert refusal.value.field == "expectedVersion"
    assert ask(bronx, incident, AcceptWork(), 30, expected_version=3).version == 4


def test_of_two_operators_at_once_one_wins_and_the_other_is_told(node: Node, bronx: Centre) -> None:
    returning = Return(reason=ReturnReason.WRONG_TOPIC)
    for _ in range(20):
        incident = assigned(bronx).incident_id
        results = at_once(
            partial(ask, bronx, incident, AcceptWork(), 30),
            partial(ask, bronx, incident, returning, 30),
        )
        (refusal,) = [result for result in results if isinstance(result, DomainError)]
        # Who comes while the first is being saved meets a conflict, who comes later the new state.
        assert isinstance(refusal, VersionConflict | ForbiddenTransition)
        assert bronx.incident(incident).version == 4


def test_of_many_at_once_each_who_is_answered_has_the_version_of_the_answer(bronx: Centre) -> None:
    incident = assigned(bronx).incident_id
    reply = PublishReply(kind=ReplyKind.INTERIM, text="Работаем")
    results = at_once(*[lambda: ask(bronx, incident, reply, 30)] * 8)
    versions = sorted(result.version for result in results if isinstance(result, Result))
    assert versions == list(range(4, 4 + len(versions)))
    assert bronx.incident(incident).version == 3 + len(versions)
    assert all(isinstance(result, Result | VersionConflict) for result in results)


# Refusals


REFUSED: list[tuple[Callable[[Centre], Result], Command, type[DomainError], str | None]] = [
    (registered, Classify(topic="unheard"), UnknownTopic, "topic"),
    (registered, Classify(topic="noise"), UnknownTopic, "topic"),
    (classified, Assign(organisation="unheard"), UnknownOrganisation, "organisation"),
    (classified, Assign(organisation="QUEENS-NYPD"), UnknownOrganisation, "organisation"),
    (
        assigned,
        Return(reason=ReturnReason.NOT_COMPETENT, suggested_organisation="unheard"),
        UnknownOrganisation,
        "suggestedOrganisation",
    ),
    (assigned, PublishReply(kind=ReplyKind.FINAL, channel="PIGEON"), UnknownChannel, "channel"),
    (assigned, PublishReply(kind=ReplyKind.FINAL, text=" "), TextEmpty, "text"),
    (registered, AcceptWork(), ForbiddenTransition, None),
    (registered, message(), ForbiddenTransition, None),
    (registered, Assign(organisation="BRONX-NYPD"), NotClassified, "topic"),
    (assigned, Resolve(outcome=Outcome.SOLVED), FinalReplyMissing, None),
    (assigned, PublishReply(kind=ReplyKind.FINAL, channel="ONLINE"), OtherChannel, "channel"),
]


@pytest.mark.parametrize(
    ("rung", "command", "error", "named"),
    REFUSED,
    ids=[f"{rung.__name__}-{error.__name__}" for rung, _, error, _ in REFUSED],
)
def test_what_is_refused_leaves_no_trace(
    node: Node,
    bronx: Centre,
    rung: Callable[[Centre], Result],
    command: Command,
    error: type[DomainError],
    named: str | None,
) -> None:
    incident = rung(bronx).incident_id
    with nothing_recorded(node.url), pytest.raises(error) as refusal:
        ask(bronx, incident, command, 200)
    assert type(refusal.value) is error
    assert refusal.value.field == named


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"channel": "PIGEON"}, UnknownChannel),
        ({"municipality": "unheard"}, UnknownMunicipality),
        ({"municipality": "QUEENS-09"}, UnknownMunicipality),
        ({"external_id": ""}, TextEmpty),
        ({"citizen": Citizen(text="")}, TextEmpty),
    ],
)
def test_a_registration_that_is_refused_leaves_no_trace(
    node: Node, bronx: Centre, changes: dict[str, object], error: type[DomainError]
) -> None:
    with nothing_recorded(node.url), pytest.raises(error):
        registered(bronx, **changes)


def test_a_region_that_is_not_in_the_catalogue_has_no_centre(node: Node) -> None:
    with pytest.raises(UnknownRegion):
        node.centre("ATLANTIS")


def test_an_incident_is_found_in_its_own_region_only(node: Node, bronx: Centre) -> None:
    incident = registered(bronx).incident_id
    classify = Classify(topic=some_topic(bronx))
    with nothing_recorded(node.url):
        with pytest.raises(IncidentNotFound, match="QUEENS"):
            ask(node.centre("QUEENS"), incident, classify, 10)
        with pytest.raises(IncidentNotFound):
            ask(bronx, uuid4(), classify, 10)


def test_what_was_refused_may_be_asked_again_under_the_same_id(bronx: Centre) -> None:
    incident, command_id = registered(bronx).incident_id, uuid4()
    accept = Assign(organisation=some_body(bronx))
    with pytest.raises(NotClassified):
        ask(bronx, incident, accept, 5, command_id=command_id)
    ask(bronx, incident, Classify(topic=some_topic(bronx)), 10)
    assert ask(bronx, incident, accept, 15, command_id=command_id).version == 3


# Rights


ONE_OF_EACH: list[Command] = [
    AcceptWork(),
    ApproveReply(),
    Assign(organisation="BRONX-DCA"),
    Classify(topic="noise.noise"),
    Close(),
    ContactCitizen(channel="PHONE"),
    DeclineReopen(reason=DeclineReason.NO_GROUNDS),
    DISPUTE,
    DraftReply(kind=ReplyKind.FINAL, text="Готово"),
    ErasePersonalData(),
    Escalate(clock=Clock.SOLUTION),
    ExtendDeadline(due_at=NOON + timedelta(days=9), reason=PromiseReason.WEATHER),
    GrantFastTrack(),
    LiftPersonalControl(),
    AddMessage(channel="PHONE", published_at=NOON),
    Link(to=UUID(int=7)),
    Merge(into=UUID(int=7)),
    Unmerge(),
    MissDeadline(clock=Clock.SOLUTION),
    MovePromise(promised_on=date(2026, 3, 9), reason=PromiseReason.SUPPLY),
    Prioritize(priority=Priority.HIGH, reason=PriorityReason.MASS),
    FINAL,
    SubmitReply(text="Взяли в работу"),
    Rate(score=5),
    Reassign(organisation="BRONX-DCA", reason=ReassignReason.OVERDUE),
    ReceiveClarification(answer="Пятый"),
    Reclassify(topic="noise.noise"),
    RecordRootCause(cause=Cause.WEAR),
    Reject(reason=RejectReason.ADVERT),
    Relocate(municipality="BRONX-02"),
    Reopen(reason=ReopenReason.NOT_SOLVED),
    ReportFieldCheck(verdict=Verdict.DONE),
    RequestClarification(question="Какой дом?"),
    RequestFieldCheck(),
    Resolve(outcome=Outcome.SOLVED),
    Return(reason=ReturnReason.NOT_COMPETENT),
    ReturnReply(reasons=(ReplyFlaw.FORMAL,)),
    ScheduleSolution(promised_on=date(2026, 3, 9), reason=PromiseReason.SUPPLY),
    TakePersonalControl(),
    TimeOutClarification(),
    WarnDeadline(clock=Clock.SOLUTION),
    NoteReading(reading=Reading(model="test")),
    EditMessage(channel="PHONE", external_id="1", edited_at=NOON, text="Нет воды"),
    DeleteMessage(channel="PHONE", external_id="1", deleted_at=NOON),
    RegisterCaptured(),
    TransferIn(origin_region="QUEENS", origin=UUID(int=7), correlation=UUID(int=7)),
    NoteDelivery(draft=1, message=UUID(int=7), channel="PHONE"),
    NoteFailedDelivery(
        draft=1, message=UUID(int=7), channel="PHONE", reason=DeliveryFailure.UNCERTAIN
    ),
    NoteDeletedReply(channel="PHONE", external_id="1", deleted_at=NOON),
    TransferOut(to_region="QUEENS"),
]


@contextmanager
def only_noted(url: str) -> Iterator[None]:
    """Nothing is recorded but, in the access log, that it was refused."""
    log, before = "public.access_log", contents(url)
    yield
    after = contents(url)
    assert len(after.pop(log)) > len(before.pop(log))
    assert after == before


def test_each_role_may_give_the_commands_that_the_lifecycle_says_and_no_other(
    node: Node, bronx: Centre
) -> None:
    assert {type(command) for command in ONE_OF_EACH} == set(EVENT_OF) - {Register, Capture}
    incident = assigned(bronx).incident_id
    with only_noted(node.url):
        for command in ONE_OF_EACH:
            for role in set(Role) - transition_of(command).roles:
                with pytest.raises(NotPermitted):
                    ask(bronx, incident, command, 30, by=Actor("somebody", role))
    for command in ONE_OF_EACH:
        for role in transition_of(command).roles:
            # A rule may refuse it, the right to it may not.
            with suppress(RuleBroken, IncidentNotFound):
                ask(bronx, incident, command, 30, by=Actor("somebody", role))


def test_whoever_may_register_may_and_no_other(node: Node, bronx: Centre) -> None:
    allowed = transition_of(message()).roles
    with only_noted(node.url):
        for role in set(Role) - allowed:
            with pytest.raises(NotPermitted):
                register_as(bronx, Actor("somebody", role))
    for role in allowed:
        assert register_as(bronx, Actor("somebody", role)).version == 1


def register_as(centre: Centre, by: Actor, **changes: object) -> Result:
    return centre.register(message(**changes), command_id=uuid4(), at=NOON, by=by)


BODY = "BRONX-DCA"  # whom `assigned` assigns to
OTHER_BODY = "BRONX-NYPD"


@pytest.mark.parametrize(
    ("scope", "covered"),
    [
        (Scope(), True),
        (Scope("BRONX"), True),
        (Scope("BRONX", "BRONX-01"), True),
        (Scope("BRONX", organisation=BODY), True),
        (Scope("BRONX", "BRONX-01", BODY), True),
        (Scope("QUEENS"), False),
        (Scope("QUEENS", "QUEENS-09"), False),
        (Scope("BRONX", "BRONX-02"), False),
        (Scope("BRONX", organisation=OTHER_BODY), False),
        (Scope("BRONX", "BRONX-02", BODY), False),
        (Scope("BRONX", "BRONX-01", OTHER_BODY), False),
        (Scope("QUEENS", organisation=BODY), False),
    ],
)
def test_an_executor_works_on_what_their_scope_covers(
    node: Node, bronx: Centre, scope: Scope, covered: bool
) -> None:
    assert some_body(bronx) == BODY
    incident = assigned(bronx, municipality="BRONX-01").incident_id
    executor = Actor("executor", Role.EXECUTOR, scope)
    if covered:
        assert ask(bronx, incident, AcceptWork(), 30, by=executor).version == 4
    else:
        with only_noted(node.url), pytest.raises(NotPermitted):
            ask(bronx, incident, AcceptWork(), 30, by=executor)


def test_what_is_not_located_or_not_assigned_is_in_no_smaller_scope(
    node: Node, bronx: Centre
) -> None:
    incident = registered(bronx).incident_id
    track = RecordRootCause(cause=Cause.WEAR)
    with only_noted(node.url):
        for scope in (Scope("BRONX", "BRONX-01"), Scope("BRONX", organisation=BODY)):
            with pytest.raises(NotPermitted):
                ask(bronx, incident, track, 10, by=Actor("curator", Role.CURATOR, scope))
    of_region = Actor("curator", Role.CURATOR, Scope("BRONX"))
    assert ask(bronx, incident, track, 10, by=of_region).version == 2


def test_a_municipality_registers_what_happened_there(node: Node, bronx: Centre) -> None:
    operator = Actor("operator", Role.MCU_OPERATOR, Scope("BRONX", "BRONX-01"))
    with only_noted(node.url):
        for place in (None, "BRONX-02"):
            with pytest.raises(NotPermitted):
                register_as(bronx, operator, municipality=place)
    assert register_as(bronx, operator, municipality="BRONX-01").version == 1


def test_an_incident_leaves_the_scope_of_who_relocated_it(node: Node, bronx: Centre) -> None:
    incident = assigned(bronx, municipality="BRONX-01").incident_id
    here = Actor("here", Role.CURATOR, Scope("BRONX", "BRONX-01"))
    there = Actor("there", Role.CURATOR, Scope("BRONX", "BRONX-02"))
    cause = RecordRootCause(cause=Cause.WEAR)
    with only_noted(node.url), pytest.raises(NotPermitted):
        ask(bronx, incident, cause, 30, by=there)
    ask(bronx, incident, Relocate(municipality="BRONX-02"), 30, by=here)
    with only_noted(node.url), pytest.raises(NotPermitted):
        ask(bronx, incident, cause, 40, by=here)
    assert ask(bronx, incident, cause, 40, by=there).version == 5


def test_who_gave_an_incident_away_still_gets_the_answer_to_that(node: Node, bronx: Centre) -> None:
    """And nobody else without the right to it, by whatever name or command."""
    incident, command_id = assigned(bronx).incident_id, uuid4()
    returning = Return(reason=ReturnReason.NOT_COMPETENT)
    executor = Actor("executor", Role.EXECUTOR, Scope("BRONX", organisation=BODY))
    first = ask(bronx, incident, returning, 30, by=executor, command_id=command_id)
    again = {"command_id": command_id}
    with only_noted(node.url):
        assert ask(bronx, incident, returning, 31, by=executor, **again) == first
        with pytest.raises(NotPermitted):
            ask(bronx, incident, returning, 31, by=executor._replace(name="another"), **again)
        with pytest.raises(NotPermitted):
            ask(bronx, incident, AcceptWork(), 31, by=executor, **again)
        with pytest.raises(NotPermitted):
            ask(bronx, incident, returning, 31, by=executor)


def test_the_result_of_a_command_is_told_to_nobody_without_the_right_to_it(
    node: Node, bronx: Centre
) -> None:
    incident, command_id = classified(bronx).incident_id, uuid4()
    assign = Assign(organisation=BODY)
    ask(bronx, incident, assign, 20, command_id=command_id)
    stranger = Actor("stranger", Role.CURATOR, Scope("QUEENS"))
    with only_noted(node.url), pytest.raises(NotPermitted):
        ask(bronx, incident, assign, 20, command_id=command_id, by=stranger)


def test_who_was_refused_what_is_noted(node: Node, bronx: Centre) -> None:
    incident = assigned(bronx).incident_id
    stranger = Actor("stranger", Role.EXECUTOR, Scope("QUEENS"))
    with pytest.raises(NotPermitted):
        ask(bronx, incident, AcceptWork(), 30, by=stranger)
    with pytest.raises(NotPermitted):
        register_as(bronx, stranger)
    with psycopg.connect(node.url) as connection:
        rows = connection.execute(
            "SELECT region, actor, role, action, incident_id, outcome FROM access_log ORDER BY at"
        ).fetchall()
    who = ("BRONX", "stranger", "EXECUTOR")
    assert rows == [
        (*who, "acceptWork", incident, "REFUSED"),
        (*who, "register", None, "REFUSED"),
    ]


# Clocks of several nodes


def test_a_clock_a_little_behind_another_node_s_does_not_turn_time_back(bronx: Centre) -> None:
    incident = classified(bronx).incident_id  # ten minutes past noon
    ask(bronx, incident, Assign(organisation=some_body(bronx)), 5)
    last = bronx.incident(incident).last_at
    assert last == NOON + timedelta(minutes=10)


def test_a_clock_far_behind_is_refused(node: Node, bronx: Centre) -> None:
    incident = classified(bronx).incident_id
    with nothing_recorded(node.url), pytest.raises(TimeGoesBackwards):
        ask(bronx, incident, Assign(organisation=some_body(bronx)), 4.9)


def test_a_message_from_a_clock_a_little_ahead_counts_as_written_now(bronx: Centre) -> None:
    incident = registered(bronx, published_at=NOON + timedelta(minutes=5)).incident_id
    (first,) = bronx.events.get(incident)
    assert first.event.published_at == NOON


# Lost answers


COMMANDS = 200


@contextmanager
def behind_a_broken_line(node: Node, fate: Fate) -> Iterator[Centre]:
    """A centre of the Bronx whose line to the server breaks when `fate` says so."""
    with (
        TemporaryDirectory() as folder,  # short, as the path of a socket must be
        broken_line(node.url, Path(folder), fate) as url,
        command_pool(url) as pool,
    ):
        yield Centre("BRONX", pool, node.catalogue, node.vault)


def test_a_lost_answer_costs_neither_an_event_nor_a_second_one(node: Node) -> None:
    """5 % of the saves lose their request or their answer; every caller gets its one result."""
    fate = Fortune(share=0.05)
    with behind_a_broken_line(node, fate) as centre, ThreadPoolExecutor(4) as threads:
        results = list(threads.map(lambda _: registered(centre), range(COMMANDS // 2)))
        classify = Classify(topic=some_topic(centre))
        results += threads.map(
            lambda result: ask(centre, result.incident_id, classify, 10), list(results)
        )
    assert all(fate.lost[fault] for fault in Fault)
    assert sorted(result.position.pos for result in results) == list(range(1, COMMANDS + 1))
    with psycopg.connect(node.url) as connection:
        rows = connection.execute("SELECT pos, originator_id, originator_version FROM events")
        assert sorted(rows) == sorted((r.position.pos, r.incident_id, r.version) for r in results)
        assert connection.execute("SELECT count(*) FROM command_result").fetchone() == (COMMANDS,)


class Fortune:
    """Loses this share of all saves, each way in turn."""

    def __init__(self, share: float) -> None:
        self.every = round(1 / share)
        self.saves = 0
        self.lost = dict.fromkeys(Fault, 0)
        self.lock = Lock()

    def __call__(self) -> Fault | None:
        with self.lock:
            self.saves += 1
            if self.saves % self.every:
                return None
            fault = list(Fault)[self.saves // self.every % len(Fault)]
            self.lost[fault] += 1
            return fault


def test_a_lost_answer_to_a_refused_command_is_still_a_refusal(node: Node) -> None:
    """The line breaks whenever anything is saved, until the other operator has won."""
    incident = assigned(node.centre("BRONX")).incident_id
    won = []

    def fate() -> Fault | None:
        if won:
            return None
        won.append(ask(node.centre("BRONX"), incident, AcceptWork(), 30))
        return Fault.REQUEST_LOST

    with behind_a_broken_line(node, fate) as centre, pytest.raises(ForbiddenTransition):
        ask(centre, incident, Return(reason=ReturnReason.WRONG_TOPIC), 30)
    assert node.centre("BRONX").incident(incident).version == 4


def test_connections_that_the_server_terminated_are_replaced_unnoticed(
    node: Node, bronx: Centre
) -> None:
    for _ in range(5):
        at_once(*[lambda: registered(bronx)] * 4)
        with psycopg.connect(node.url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        assert isinstance(registered(bronx), Result)
    assert bronx.recorder.max_notification_id() == 25


def test_a_database_that_stays_away_is_reported(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(centre_module, "RETRY_SECONDS", 0.2)
    always = behind_a_broken_line(node, lambda: Fault.REQUEST_LOST)
    with always as centre, pytest.raises(StoreUnavailable):
        registered(centre)
    assert contents(node.url)["public.events"] == []
