"""Commands on a centre itself: its rights, its codes, once; and what a crisis does to deadlines."""

from collections.abc import Callable
from datetime import date, timedelta
from uuid import uuid4

import psycopg
import pytest

from domain.deadlines import Deadline, Matter
from domain.errors import (
    CrisisAlready,
    DomainError,
    IncidentNotFound,
    NotPermitted,
    UnknownChannel,
    UnknownMunicipality,
    UnknownTopic,
)
from domain.office import (
    CloseSource,
    DeclareCrisis,
    LiftCrisis,
    MakeSystemicDecision,
    OfficeCommand,
    OpenSource,
    office_id,
)
from domain.rights import Actor, Scope
from domain.vocabulary import Cause, Clock, CrisisReason, Role
from regions.centre import Centre, Result
from regions.node import Node
from regions.offices import command_office, office
from tests.scenarios import NOON, PlainTerms, contents, registered

HEAD = Actor("Губернатор", Role.REGION_HEAD, Scope("BRONX"))
DECLARE = DeclareCrisis(reason=CrisisReason.ACCIDENT)


class CrisisTerms(PlainTerms):
    """An hour for a first reply while a crisis goes on."""

    def in_crisis(self, topic_groups: object, municipality: str | None) -> "Hasty":
        return Hasty()


class Hasty(PlainTerms):
    def deadline(self, clock: Clock, matter: Matter, *, start: object) -> Deadline | None:
        usual = super().deadline(clock, matter, start=start)  # type: ignore[arg-type]
        assert usual is not None
        return Deadline(
            clock=clock, policy="CRISIS", started_at=usual.started_at, due_at=NOON + HOUR
        )


HOUR = timedelta(hours=1)


@pytest.fixture
def bronx(node: Node) -> Centre:
    return Centre("BRONX", node.pool, node.catalogue, node.vault, CrisisTerms())


def ask(centre: Centre, command: OfficeCommand, **changes: object) -> Result:
    facts: dict[str, object] = {"command_id": uuid4(), "at": NOON, "by": HEAD}
    return command_office(centre, command, **(facts | changes))  # type: ignore[arg-type]


def policy(centre: Centre) -> str:
    incident = centre.incident(registered(centre).incident_id)
    return incident.cycle.clocks.running[Clock.FIRST_REPLY].policy


def test_deadlines_start_by_the_rules_of_a_crisis_from_its_declaration_to_its_end(
    bronx: Centre,
) -> None:
    assert policy(bronx) == "PLAIN"
    ask(bronx, DECLARE)
    assert policy(bronx) == "CRISIS"
    ask(bronx, LiftCrisis())
    assert policy(bronx) == "PLAIN"


def test_a_crisis_of_one_region_is_none_of_another(node: Node, bronx: Centre) -> None:
    queens = Centre("QUEENS", node.pool, node.catalogue, node.vault, CrisisTerms())
    ask(bronx, DECLARE)
    assert policy(queens) == "PLAIN"


def test_a_command_repeated_gets_its_result_and_another_one_is_refused(
    node: Node, bronx: Centre
) -> None:
    command_id = uuid4()
    first = ask(bronx, DECLARE, command_id=command_id)
    before = contents(node.url)
    assert ask(bronx, DECLARE, command_id=command_id) == first
    with pytest.raises(CrisisAlready):
        ask(bronx, DECLARE)
    assert contents(node.url) == before


COMMANDS = [
    DECLARE,
    LiftCrisis(),
    MakeSystemicDecision(
        number="1", title="т", topic="noise.noise", cause=Cause.WEAR, decided_on=date(2026, 3, 1)
    ),
    OpenSource(code="BRONX-vk", channel="PHONE", name="н", address="1"),
    CloseSource(code="BRONX-vk"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.NAME)
def test_only_its_roles_in_its_region_give_a_command_and_others_are_noted(
    node: Node, bronx: Centre, command: OfficeCommand
) -> None:
    for role in set(Role) - command.ROLES:
        with pytest.raises(NotPermitted):
            ask(bronx, command, by=Actor("Кто-то", role))
    with pytest.raises(NotPermitted):
        ask(bronx, command, by=Actor("Кто-то", next(iter(command.ROLES)), Scope("QUEENS")))
    assert not contents(node.url)["public.events"]
    assert command.NAME in str(contents(node.url)["public.access_log"])


@pytest.mark.parametrize(
    ("command", "refusal"),
    [
        (DeclareCrisis(reason=CrisisReason.WEATHER, topic_groups=("nothing",)), UnknownTopic),
        (DeclareCrisis(reason=CrisisReason.WEATHER, topic_groups=("noise.noise",)), UnknownTopic),
        (DeclareCrisis(reason=CrisisReason.WEATHER, municipality="QUEENS-09"), UnknownMunicipality),
        (OpenSource(code="BRONX-vk", channel="PIGEON", name="н", address="1"), UnknownChannel),
        (
            OpenSource(code="BRONX-vk", channel="PHONE", name="н", address="1", topic="x"),
            UnknownTopic,
        ),
    ],
)
def test_codes_that_the_catalogue_does_not_know_are_refused(
    bronx: Centre, command: OfficeCommand, refusal: type[DomainError]
) -> None:
    with pytest.raises(refusal):
        ask(bronx, command)


def test_crises_may_begin_and_end_at_one_instant(
    bronx: Centre, project: Callable[[], int], read: psycopg.Connection
) -> None:
    for command in (DECLARE, LiftCrisis(), DeclareCrisis(reason=CrisisReason.WEATHER)):
        ask(bronx, command)
    assert project() == 3
    crises = read.execute("SELECT number, declared_at, reason, lifted_at FROM crisis").fetchall()
    assert sorted(crises) == [(1, NOON, "ACCIDENT", NOON), (2, NOON, "WEATHER", None)]


def test_the_stream_of_the_centre_is_no_incident(bronx: Centre) -> None:
    ask(bronx, DECLARE)
    with pytest.raises(IncidentNotFound):
        bronx.incident(office_id("BRONX"))


def test_what_the_centre_did_is_read_from_the_read_models(
    bronx: Centre, project: object, read: psycopg.Connection
) -> None:
    ask(bronx, DECLARE)
    ask(bronx, LiftCrisis(), at=NOON + HOUR)
    decision = COMMANDS[2]
    assert isinstance(decision, MakeSystemicDecision)
    ask(bronx, decision)
    for command in (COMMANDS[3], COMMANDS[4], COMMANDS[3]):
        ask(bronx, command)
    assert project() == 6  # type: ignore[operator]
    crisis = read.execute("SELECT declared_at, reason, lifted_at FROM crisis").fetchall()
    assert crisis == [(NOON, "ACCIDENT", NOON + HOUR)]
    assert read.execute("SELECT number, topic FROM systemic_decision").fetchall() == [
        ("1", "noise.noise")
    ]
    assert read.execute("SELECT code, closed_at FROM source").fetchall() == [("BRONX-vk", None)]
    assert read.execute("SELECT count(*) FROM change").fetchone() == (0,)
    assert office(bronx).sources.keys() == {"BRONX-vk"}
