"""What if a period had gone on under other terms: counted by hand, and equal under its own."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from random import Random
from uuid import UUID, uuid4

import pytest

from domain.commands import Assign, Classify, Prioritize, PublishReply, Reject, Resolve
from domain.deadlines import Term, Terms
from domain.errors import DomainError, PageTooLarge, PeriodInvalid, RuleBroken
from domain.office import DeclareCrisis, LiftCrisis
from domain.replaying import Unreplayed
from domain.rights import Actor, Scope
from domain.vocabulary import (
    Clock,
    CrisisReason,
    Outcome,
    Priority,
    PriorityReason,
    RejectReason,
    ReplyKind,
    Role,
)
from domain.vocabulary import TermUnit as Unit
from projections import versions
from projections.past import policy_replay as replaying
from projections.past.policy_replay import PolicyReplay, policy_replay
from projections.pool import read_pool
from projections.projector import Projector
from projections.statistics.figures import Period
from projections.statistics.overdue import Overdue, OverdueBy, Row, Side
from regions.centre import Centre
from regions.node import command_pool, read_terms
from regions.offices import command_office
from regions.reference.catalogue import Catalogue
from regions.reference.terms import NetworkTerms
from regions.reference.what_if import OtherTerm, with_calendars, with_terms, without_closing
from regions.store.postgres import Server
from regions.store.server import create_database
from regions.store.vault import Vault
from tests.scenarios import (
    NOON,
    OPERATOR,
    PlainTerms,
    any_actor,
    any_command,
    ask,
    message,
    some_body,
    some_topic,
)

HOUR, DAY = 60, 24 * 60  # minutes
MONITOR = Actor("Смирнова", Role.MONITOR)
HEAD = Actor("Губернатор", Role.REGION_HEAD, Scope("BRONX"))
FIRST = PublishReply(kind=ReplyKind.FIRST)
NOW = NOON + timedelta(days=4)
MONDAY = Period(date(2026, 3, 2), date(2026, 3, 2))
SEVERAL = Period(date(2026, 3, 1), date(2026, 4, 1))

POLICIES = """\
code,regime,region,topic_group,priority,fast_track,crisis,clock,amount,unit,warn_amount,warn_unit,\
promise_days_max,valid_from,valid_until,source
USUAL,IM,,,,,,FIRST_REPLY,24,HOURS,2,WORKING_HOURS,,,,x
USUAL,IM,,,,,,SOLUTION,2,WORKING_DAYS,,,,,,x
USUAL,IM,,,,,,NEXT_REPLY,9,WORKING_HOURS,1,WORKING_HOURS,,,,x
URGENT,IM,,,HIGH,,,FIRST_REPLY,12,HOURS,,,,,,x
URGENT,IM,,,HIGH,,,SOLUTION,9,WORKING_HOURS,2,WORKING_HOURS,,,,x
SIMPLE,IM,,noise,,1,,SOLUTION,5,HOURS,,,,,,x
CRISIS,IM,,,,,1,FIRST_REPLY,6,HOURS,,,,,,x
"""
OFFICE_HOURS = """\
country = "US"
language = "en_US"
[hours]
""" + "".join(
    f'{day} = ["09:00-18:00"]\n' for day in ("monday", "tuesday", "wednesday", "thursday", "friday")
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """New York with office hours and a day for the first reply."""
    folder = tmp_path_factory.mktemp("terms")
    (folder / "policies.csv").write_text(POLICIES)
    (folder / "calendar.toml").write_text(OFFICE_HOURS)
    return folder


@pytest.fixture(scope="module")
def terms(folder: Path, catalogue: Catalogue) -> NetworkTerms:
    return read_terms(folder, catalogue)


Lived = dict[str, UUID]


class Bronx:
    """A region of a database of its own, and what is asked of it."""

    def __init__(self, url: str, catalogue: Catalogue, own: Terms) -> None:
        self.url, self.catalogue, self.own = url, catalogue, own
        self.pool = command_pool(url)
        self.centre = Centre("BRONX", self.pool, catalogue, Vault(b"0" * 32), own)

    def registered(self, municipality: str = "BRONX-01", minutes: int = 0) -> UUID:
        at = NOON + timedelta(minutes=minutes)
        command = message(municipality=municipality)
        result = self.centre.register(command, command_id=uuid4(), at=at, by=OPERATOR)
        return result.incident_id

    def project(self) -> None:
        with versions.connect(self.url) as connection:
            projector = Projector(connection, self.catalogue)
            assert sum(iter(projector.step, 0))

    def replay(self, other: Terms, period: Period = MONDAY, **options: object) -> PolicyReplay:
        async def ask_for() -> PolicyReplay:
            async with read_pool(self.url) as pool:
                facts: dict[str, object] = {"own": self.own, "other": other, "now": NOW}
                facts |= {"region": "BRONX", "catalogue": self.catalogue} | options
                return await policy_replay(pool.connection, period, **facts)  # type: ignore[arg-type]

        return asyncio.run(ask_for())


@pytest.fixture(scope="module")
def new_bronx(
    server: Server, template: str, catalogue: Catalogue
) -> Iterator[Callable[[Terms], Bronx]]:
    made: list[Bronx] = []

    def make(own: Terms) -> Bronx:
        url = create_database(server.url, f"replay_{uuid4().hex}", template=template)
        made.append(Bronx(url, catalogue, own))
        made[-1].pool.open()
        return made[-1]

    yield make
    for bronx in made:
        bronx.pool.close()


@pytest.fixture(scope="module")
def monday(new_bronx: Callable[[Terms], Bronx], terms: NetworkTerms) -> tuple[Bronx, Lived]:
    """Six incidents of Monday, 2 March 2026, 07:00 in New York, and one that was none."""
    bronx = new_bronx(terms.of("BRONX"))
    centre = bronx.centre
    lived = {
        name: bronx.registered(place)
        for name, place in (
            ("after 3 h", "BRONX-01"),
            ("after 5 h", "BRONX-02"),
            ("never", "BRONX-01"),
            ("urgent, after 5 h", "BRONX-01"),
            ("solved on Thursday", "BRONX-01"),
        )
    }
    office(bronx, DeclareCrisis(reason=CrisisReason.ACCIDENT), 1)
    lived["in the crisis, after 5 h"] = bronx.registered(minutes=2)
    office(bronx, LiftCrisis(), 3)
    raised = Prioritize(priority=Priority.HIGH, reason=PriorityReason.MASS)
    ask(centre, lived["urgent, after 5 h"], raised, HOUR)
    solved = lived["solved on Thursday"]
    ask(centre, solved, Classify(topic=some_topic(centre)), HOUR)
    ask(centre, solved, Assign(organisation=some_body(centre)), HOUR)
    for name in ("after 3 h", "solved on Thursday"):
        ask(centre, lived[name], FIRST, 3 * HOUR)
    for name in ("after 5 h", "urgent, after 5 h", "in the crisis, after 5 h"):
        ask(centre, lived[name], FIRST, 5 * HOUR)
    ask(centre, solved, PublishReply(kind=ReplyKind.FINAL, text="Вода есть"), 3 * DAY)
    ask(centre, solved, Resolve(outcome=Outcome.EXPLAINED), 3 * DAY)
    ask(centre, bronx.registered(), Reject(reason=RejectReason.ADVERT), 9 * HOUR, by=MONITOR)
    bronx.project()
    # Recorded, but not taken in: the read models, and so the answer, do not know it yet.
    ask(centre, lived["never"], FIRST, 2 * DAY)
    return bronx, lived


def office(bronx: Bronx, command: DeclareCrisis | LiftCrisis, minutes: int) -> None:
    at = NOON + timedelta(minutes=minutes)
    command_office(bronx.centre, command, command_id=uuid4(), at=at, by=HEAD)


def told(of: Overdue) -> tuple[object, ...]:
    """Due, kept, missed, of these open, running, and the hours of median and p90 lateness."""
    hours = [seconds / 3600 if seconds else None for seconds in of.lateness]
    return of.due, of.kept, of.missed, of.open_late, of.running, *hours


def whole(clock: Clock) -> Row:
    return Row(OverdueBy.WHOLE, "", clock)


def four_hours(terms: NetworkTerms) -> Terms:
    other = OtherTerm(Clock.FIRST_REPLY, Term(4, Unit.HOURS))
    return with_terms(terms, "BRONX", [other]).of("BRONX")


def test_four_hours_for_the_first_reply_are_missed_by_whom_they_are(
    monday: tuple[Bronx, Lived], terms: NetworkTerms
) -> None:
    """The crisis has its own six hours, then as now; who was never answered was late already."""
    bronx, lived = monday
    found = bronx.replay(four_hours(terms))
    assert (found.incidents, found.unreplayed.total()) == (6, 0)
    assert told(found.actual[whole(Clock.FIRST_REPLY)]) == (6, 5, 1, 1, 0, 72, 72)
    assert told(found.replayed[whole(Clock.FIRST_REPLY)]) == (6, 3, 3, 1, 0, 1, 92)
    assert found.became == {Side.LATE: 2}
    assert {(each.id, each.becomes) for each in found.changed} == {
        (lived["after 5 h"], Side.LATE),
        (lived["urgent, after 5 h"], Side.LATE),
    }
    # Of the solutions nothing was asked: due on Wednesday at 18:00, solved on Thursday at 07:00.
    solution = whole(Clock.SOLUTION)
    assert told(found.actual[solution]) == told(found.replayed[solution]) == (1, 0, 1, 0, 0, 13, 13)


def test_the_parts_of_each_dimension_are_the_whole(
    monday: tuple[Bronx, Lived], terms: NetworkTerms, catalogue: Catalogue
) -> None:
    found = monday[0].replay(four_hours(terms))
    assert list(found.actual) == list(found.replayed)
    for table in (found.actual, found.replayed):
        for by in OverdueBy:
            parts = [of for row, of in table.items() if row.by is by]
            assert sum(of.due for of in parts) == 7
    place = Row(OverdueBy.MUNICIPALITY, "BRONX-02", Clock.FIRST_REPLY)
    assert told(found.replayed[place]) == (1, 0, 1, 0, 0, 1, 1)
    centre = monday[0].centre
    body = Row(OverdueBy.ORGANISATION, some_body(centre), Clock.SOLUTION)
    group = Row(
        OverdueBy.TOPIC_GROUP, catalogue.topics[some_topic(centre)].group or "", Clock.SOLUTION
    )
    assert told(found.actual[body]) == told(found.actual[group]) == (1, 0, 1, 0, 0, 13, 13)


def test_one_municipality_is_told_by_itself(
    monday: tuple[Bronx, Lived], terms: NetworkTerms
) -> None:
    bronx, lived = monday
    found = bronx.replay(four_hours(terms), municipality="BRONX-02")
    assert found.incidents == 1
    assert [each.id for each in found.changed] == [lived["after 5 h"]]


def test_a_holiday_keeps_what_was_late_without_it(
    monday: tuple[Bronx, Lived], terms: NetworkTerms, folder: Path, tmp_path: Path
) -> None:
    """Tuesday off: two working days after Monday end on Thursday at 18:00."""
    days_off = tmp_path / "days_off.csv"
    days_off.write_text("region,first,last,name,source\nBRONX,2026-03-03,,Holiday,x\n")
    bronx, lived = monday
    found = bronx.replay(with_calendars(terms, days_off, folder).of("BRONX"))
    assert told(found.replayed[whole(Clock.SOLUTION)]) == (1, 1, 0, 0, 0, None, None)
    assert found.became == {Side.KEPT: 1}
    assert [each.id for each in found.changed] == [lived["solved on Thursday"]]


def test_around_the_clock_a_working_day_ends_at_midnight(
    monday: tuple[Bronx, Lived], terms: NetworkTerms
) -> None:
    found = monday[0].replay(without_closing(terms).of("BRONX"))
    assert told(found.replayed[whole(Clock.SOLUTION)]) == (1, 0, 1, 0, 0, 7, 7)


def test_only_so_many_changes_are_named_and_all_are_counted(
    monday: tuple[Bronx, Lived], terms: NetworkTerms
) -> None:
    found = monday[0].replay(four_hours(terms), first=1)
    assert (len(found.changed), found.became[Side.LATE]) == (1, 2)


def test_what_was_recorded_under_terms_that_nobody_knows_stays_as_it_was(
    monday: tuple[Bronx, Lived], terms: NetworkTerms
) -> None:
    wrong = four_hours(terms)
    found = monday[0].replay(wrong, own=wrong)
    assert found.unreplayed == {Unreplayed.OTHER_TERMS: 5, Unreplayed.MESSAGES_TAKEN: 0}
    assert found.actual == found.replayed
    assert found.changed == []


@pytest.mark.parametrize(
    ("period", "first", "refusal"),
    [
        (Period(MONDAY.last, MONDAY.first - timedelta(days=1)), 1, PeriodInvalid),
        (Period(MONDAY.first, MONDAY.first + timedelta(days=366)), 1, PeriodInvalid),
        (MONDAY, 0, PageTooLarge),
        (MONDAY, 101, PageTooLarge),
    ],
)
def test_more_than_can_be_told_is_refused(
    monday: tuple[Bronx, Lived], period: Period, first: int, refusal: type[DomainError]
) -> None:
    with pytest.raises(refusal):
        monday[0].replay(monday[0].own, period, first=first)


# The law

LIVES = 15


@pytest.fixture(scope="module")
def anything(new_bronx: Callable[[Terms], Bronx], terms: NetworkTerms) -> Bronx:
    """Lives of whatever the rules allow, in a crisis now and then."""
    bronx, chance = new_bronx(terms.of("BRONX")), Random(1)
    for number in range(LIVES):
        if number % 5 in (2, 4):
            crisis = LiftCrisis() if number % 5 == 4 else DeclareCrisis(reason=CrisisReason.WEATHER)
            office(bronx, crisis, number)
        incident, at = bronx.registered(), 0
        for _ in range(40):
            at += chance.choice([1, 10, 100])
            command = any_command(bronx.centre, chance)
            try:
                ask(bronx.centre, incident, command, at, by=any_actor(command, chance))
            except RuleBroken:
                continue
    bronx.project()
    return bronx


def test_under_its_own_terms_a_period_is_what_it_was(
    monday: tuple[Bronx, Lived], anything: Bronx
) -> None:
    for bronx, incidents in ((monday[0], 6), (anything, LIVES)):
        found = bronx.replay(bronx.own, SEVERAL)
        assert (found.incidents, found.unreplayed.total()) == (incidents, 0)
        assert found.actual == found.replayed
        assert (found.became.total(), found.changed) == (0, [])


def test_pages_change_nothing(anything: Bronx, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = anything.replay(PlainTerms(), SEVERAL)
    assert at_once.became.total() > 3
    monkeypatch.setattr(replaying, "PAGE_INCIDENTS", 3)
    assert anything.replay(PlainTerms(), SEVERAL) == at_once
