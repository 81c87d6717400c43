"""Deadlines: by which policy, until when, and what a pause does to them."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.deadlines import MANUAL, Deadline, Escalation, Matter, Terms
from domain.errors import UnknownRegion
from domain.vocabulary import Clock, Priority, Regime, ReplyKind, Role
from regions.reference.calendars import load_calendars
from regions.reference.catalogue import Catalogue, CatalogueInvalid, load_catalogue
from regions.reference.terms import NetworkTerms, load_terms
from tests.conftest import NEW_YORK, RUSSIA

HOUR = timedelta(hours=1)
MATTER = Matter(regime=Regime.IM, priority=Priority.NORMAL, topic=None, municipality=None)
HIGH = MATTER._replace(priority=Priority.HIGH)
POS = MATTER._replace(regime=Regime.POS_MESSAGE)
APPEAL = MATTER._replace(regime=Regime.FZ59_APPEAL)


@pytest.fixture(scope="module")
def terms(russia: Catalogue) -> NetworkTerms:
    return load_terms(RUSSIA, russia, load_calendars(RUSSIA, russia))


def at(terms: NetworkTerms, region: str, wall: str) -> datetime:
    zone = terms.calendars.of(region).zone
    return datetime.fromisoformat(wall).replace(tzinfo=zone)


# The policies of Russia. The working day is 09:00-18:00.


@pytest.mark.parametrize(
    ("region", "clock", "matter", "start", "due", "policy"),
    [
        # Sevastopol: 9 working hours, 4 if urgent. 22 March 2024 is a Friday.
        ("92", "FIRST_REPLY", MATTER, "2024-03-22 19:00", "2024-03-25 18:00", "IM_SEVASTOPOL"),
        ("92", "FIRST_REPLY", MATTER, "2024-03-25 09:00", "2024-03-25 18:00", "IM_SEVASTOPOL"),
        ("92", "FIRST_REPLY", MATTER, "2024-03-25 12:00", "2024-03-26 12:00", "IM_SEVASTOPOL"),
        ("92", "FIRST_REPLY", HIGH, "2024-03-25 09:00", "2024-03-25 13:00", "IM_SEVASTOPOL"),
        ("92", "FIRST_REPLY", HIGH, "2024-03-22 16:00", "2024-03-25 11:00", "IM_SEVASTOPOL"),
        # Monday 18 March is a holiday of Sevastopol: the first working minute is on Tuesday.
        ("92", "FIRST_REPLY", MATTER, "2024-03-16 11:00", "2024-03-19 18:00", "IM_SEVASTOPOL"),
        ("92", "FIRST_REPLY", MATTER, "2024-03-18 11:00", "2024-03-19 18:00", "IM_SEVASTOPOL"),
        # 7 working days: 26 and (a Saturday) 27 April, 2, 3, 6, 7 and 8 May, which ends at 17:00.
        ("92", "SOLUTION", MATTER, "2024-04-25 12:00", "2024-05-08 17:00", "IM_SEVASTOPOL"),
        # Before the rule of 25 February 2020 there was that of the network only.
        ("92", "FIRST_REPLY", MATTER, "2020-02-20 12:00", "2020-02-21 12:00", "IM_2018_BASE"),
        # Ulyanovsk: 8 hours, at night too.
        ("73", "FIRST_REPLY", MATTER, "2024-06-18 10:00", "2024-06-18 18:00", "IM_ULYANOVSK"),
        ("73", "FIRST_REPLY", MATTER, "2024-06-18 20:00", "2024-06-19 04:00", "IM_ULYANOVSK"),
        # Bashkortostan: 3 hours, the draft in 8 working hours, since December 2025.
        ("02", "FIRST_REPLY", MATTER, "2025-12-08 10:00", "2025-12-08 13:00", "IM_BASHKORTOSTAN"),
        ("02", "SOLUTION", MATTER, "2025-12-08 11:00", "2025-12-09 10:00", "IM_BASHKORTOSTAN"),
        ("02", "FIRST_REPLY", MATTER, "2025-11-10 10:00", "2025-11-11 10:00", "IM_2018_BASE"),
        # Elsewhere a day for each reply.
        ("77", "FIRST_REPLY", MATTER, "2024-05-09 10:00", "2024-05-10 10:00", "IM_2018_BASE"),
        ("92", "NEXT_REPLY", MATTER, "2024-05-09 10:00", "2024-05-10 10:00", "IM_2018_BASE"),
        # 30 days after 1 April is 1 May, to its midnight; 10 days is 11 April.
        ("34", "SOLUTION", POS, "2024-04-01 15:30", "2024-05-02 00:00", "POS_STANDARD"),
        (
            "34",
            "SOLUTION",
            POS._replace(fast_track=True),
            "2024-04-01 15:30",
            "2024-04-12 00:00",
            "POS_FAST_TRACK",
        ),
        # 30 days after 1 February of a leap year is 2 March.
        ("77", "SOLUTION", APPEAL, "2024-02-01 10:00", "2024-03-03 00:00", "FZ59_APPEAL"),
        # St Petersburg, 12 June 2024 being off: 4-7, 10, 11, 13, 14, 17-21, 24-28 June, 1 July.
        ("78", "FIRST_REPLY", POS, "2024-06-03 10:00", "2024-06-04 18:00", "SPB_CLASSIFIER"),
        ("78", "SOLUTION", POS, "2024-06-03 10:00", "2024-07-01 18:00", "SPB_CLASSIFIER"),
        (
            "78",
            "SOLUTION",
            POS._replace(topic="improvement.trees"),
            "2024-06-03 10:00",
            "2024-06-17 18:00",
            "SPB_CLASSIFIER",
        ),
    ],
)
def test_a_deadline_of_russia_is_as_its_source_says(
    terms: NetworkTerms, region: str, clock: str, matter: Matter, start: str, due: str, policy: str
) -> None:
    found = terms.of(region).deadline(Clock(clock), matter, start=at(terms, region, start))
    assert found is not None
    assert (found.policy, found.due_at) == (policy, at(terms, region, due))
    assert (found.clock, found.started_at) == (clock, at(terms, region, start))


@pytest.mark.parametrize(
    ("region", "clock", "matter"),
    [
        ("77", Clock.SOLUTION, MATTER),
        ("77", Clock.FIRST_REPLY, POS),
        ("77", Clock.FIRST_REPLY, APPEAL),
    ],
)
def test_where_no_source_gives_a_term_there_is_no_deadline(
    terms: NetworkTerms, region: str, clock: Clock, matter: Matter
) -> None:
    start = datetime(2024, 6, 3, tzinfo=UTC)
    assert terms.of(region).deadline(clock, matter, start=start) is None


def test_every_policy_and_every_step_of_russia_names_its_source(terms: NetworkTerms) -> None:
    assert {each.code for each in terms.policies} == {
        "IM_2018_BASE",
        "IM_SEVASTOPOL",
        "IM_ULYANOVSK",
        "IM_BASHKORTOSTAN",
        "POS_STANDARD",
        "POS_FAST_TRACK",
        "FZ59_APPEAL",
        "SPB_CLASSIFIER",
        "IM_CRISIS",
    }
    assert all(policy.source for policy in terms.policies)
    assert all(step.source for chain in terms.chains.values() for step in chain)


def test_only_an_appeal_has_a_limit_for_promises(terms: NetworkTerms) -> None:
    """30 days and at most 30 more: 1 April 2024 is 60 days after 1 February."""
    start = at(terms, "77", "2024-02-01 23:30")
    assert terms.of("77").promise_limit(APPEAL, start=start) == date(2024, 4, 1)
    assert terms.of("77").promise_limit(POS, start=start) is None
    assert terms.of("77").promise_limit(MATTER, start=start) is None


def test_the_terms_of_a_region_are_what_the_domain_asks_for(terms: NetworkTerms) -> None:
    sevastopol: Terms = terms.of("92")
    start, end = at(terms, "92", "2024-03-22 17:00"), at(terms, "92", "2024-03-25 10:00")
    assert sevastopol.working_seconds(start, end, None) == 2 * 60 * 60
    assert sevastopol.working_seconds(end, start, None) == 0
    assert sevastopol.day_end(date(2024, 3, 22), None) == at(terms, "92", "2024-03-23 00:00")
    assert sevastopol.evidence_needed("roads.pothole")
    assert not sevastopol.evidence_needed("utilities.charges")
    assert sevastopol.flaws("Обратитесь в управляющую компанию", ReplyKind.FINAL)
    assert terms.of("92") is terms.of("92")


def test_a_start_without_a_zone_is_refused(terms: NetworkTerms) -> None:
    naive = datetime(2024, 3, 22, 17)  # noqa: DTZ001  # the point
    with pytest.raises(ValueError, match="no zone"):
        terms.of("77").deadline(Clock.SOLUTION, MATTER, start=naive)


def test_a_region_that_does_not_exist_has_no_terms(terms: NetworkTerms) -> None:
    with pytest.raises(UnknownRegion):
        terms.of("ATLANTIS")


# Warnings


@pytest.mark.parametrize(
    ("region", "clock", "matter", "start", "warned"),
    [
        ("92", "FIRST_REPLY", MATTER, "2024-03-25 09:00", "2024-03-25 16:00"),
        ("92", "FIRST_REPLY", HIGH, "2024-03-22 16:00", "2024-03-25 10:00"),
        # Due on 2 May at midnight: three working days before are 25, 26 and 27 April.
        ("34", "SOLUTION", POS, "2024-04-01 15:30", "2024-04-25 09:00"),
        # Due on Saturday at 01:00: two working hours before is Friday at 16:00.
        ("73", "FIRST_REPLY", MATTER, "2024-06-21 17:00", None),
        ("77", "FIRST_REPLY", MATTER, "2024-06-21 15:00", "2024-06-21 16:00"),
    ],
)
def test_a_warning_comes_while_there_is_time_to_work(
    terms: NetworkTerms, region: str, clock: str, matter: Matter, start: str, warned: str | None
) -> None:
    found = terms.of(region).deadline(Clock(clock), matter, start=at(terms, region, start))
    assert found is not None
    assert found.warn_at == (at(terms, region, warned) if warned else None)


# Pauses


def test_a_pause_keeps_the_working_time_that_was_left(terms: NetworkTerms) -> None:
    """Nine hours from Monday 12:00; paused at 15:00 with six left, resumed on Thursday evening."""
    sevastopol = terms.of("92")
    start = at(terms, "92", "2024-03-25 12:00")
    deadline = sevastopol.deadline(Clock.FIRST_REPLY, MATTER, start=start)
    assert deadline is not None
    resumed = sevastopol.after_pause(
        deadline,
        paused_at=at(terms, "92", "2024-03-25 15:00"),
        resumed_at=at(terms, "92", "2024-03-28 20:00"),
    )
    assert resumed.due_at == at(terms, "92", "2024-03-29 15:00")
    assert resumed.warn_at == at(terms, "92", "2024-03-29 13:00")  # two hours before, still
    assert (resumed.policy, resumed.started_at) == (deadline.policy, deadline.started_at)


def test_a_pause_moves_calendar_days_by_its_length(terms: NetworkTerms) -> None:
    volgograd = terms.of("34")
    deadline = volgograd.deadline(Clock.SOLUTION, POS, start=at(terms, "34", "2024-04-01 15:30"))
    assert deadline is not None
    paused_at = at(terms, "34", "2024-04-10 12:00")
    resumed = volgograd.after_pause(deadline, paused_at=paused_at, resumed_at=paused_at + 50 * HOUR)
    assert resumed.due_at == at(terms, "34", "2024-05-04 02:00")
    # As much working time before as three days were: 3 and 2 May, and 27 April.
    assert resumed.warn_at == at(terms, "34", "2024-04-27 09:00")


def test_a_date_that_somebody_named_moves_by_the_pause(terms: NetworkTerms) -> None:
    start = datetime(2024, 6, 3, 9, tzinfo=UTC)
    deadline = Deadline(
        clock=Clock.SOLUTION, policy=MANUAL, started_at=start, due_at=start + 24 * HOUR
    )
    resumed = terms.of("92").after_pause(
        deadline, paused_at=start + HOUR, resumed_at=start + 6 * HOUR
    )
    assert resumed.due_at == start + 29 * HOUR


def test_a_pause_does_not_save_what_was_missed_before_it(terms: NetworkTerms) -> None:
    start = at(terms, "92", "2024-03-25 09:00")
    deadline = terms.of("92").deadline(Clock.FIRST_REPLY, MATTER, start=start)
    assert deadline is not None
    late = deadline.due_at + HOUR
    resumed = terms.of("92").after_pause(deadline, paused_at=late, resumed_at=late + 9 * HOUR)
    assert resumed == deadline


def test_a_warning_that_was_due_before_the_pause_is_not_repeated(terms: NetworkTerms) -> None:
    start = at(terms, "92", "2024-03-25 09:00")
    deadline = terms.of("92").deadline(Clock.FIRST_REPLY, MATTER, start=start)
    assert deadline is not None
    paused_at = at(terms, "92", "2024-03-25 17:00")
    resumed = terms.of("92").after_pause(
        deadline, paused_at=paused_at, resumed_at=paused_at + 24 * HOUR
    )
    assert resumed.due_at == deadline.due_at + 24 * HOUR
    assert resumed.warn_at is None


# Going up the chain


@pytest.mark.parametrize(
    ("region", "clock", "missed", "told"),
    [
        # 25 March 2024 is a Monday.
        (
            "92",
            Clock.FIRST_REPLY,
            "2024-03-25 11:00",
            ["2024-03-25 11:00", "2024-03-25 12:00", "2024-03-25 14:00", "2024-03-26 11:00"],
        ),
        # Nobody is called at night: missed on Saturday, the executor is told on Monday.
        (
            "73",
            Clock.NEXT_REPLY,
            "2024-03-23 01:00",
            ["2024-03-25 09:00", "2024-03-25 10:00", "2024-03-25 12:00", "2024-03-26 09:00"],
        ),
        # One, two and five working days later have ended; the next morning they are told.
        (
            "34",
            Clock.SOLUTION,
            "2024-03-25 11:00",
            ["2024-03-25 11:00", "2024-03-27 09:00", "2024-03-28 09:00", "2024-04-02 09:00"],
        ),
    ],
)
def test_a_missed_deadline_goes_up_to_the_head_of_the_region(
    terms: NetworkTerms, region: str, clock: Clock, missed: str, told: list[str]
) -> None:
    chain = [
        terms.of(region).escalation(
            clock, step, missed_at=at(terms, region, missed), municipality=None
        )
        for step in range(6)
    ]
    roles = (Role.EXECUTOR, Role.ORG_HEAD, Role.CURATOR, Role.REGION_HEAD)
    steps = zip((1, 2, 3, 4), roles, (at(terms, region, wall) for wall in told), strict=True)
    assert chain == [None, *(Escalation(*step) for step in steps), None]


# Laws

ALL = load_terms(RUSSIA, load_catalogue(RUSSIA), load_calendars(RUSSIA, load_catalogue(RUSSIA)))
FIRST, LAST = datetime(2018, 1, 1), datetime(2026, 12, 31)  # noqa: DTZ001  # hypothesis adds UTC
matters = st.builds(
    Matter,
    st.sampled_from(Regime),
    st.sampled_from(Priority),
    st.sampled_from([None, "roads.pothole", "improvement.trees"]),
    st.none(),
    st.booleans(),
)
starts = st.datetimes(FIRST, LAST, timezones=st.just(UTC))
regions = st.sampled_from(["02", "34", "73", "77", "78", "92"])
lengths = st.timedeltas(timedelta(minutes=1), timedelta(days=60))


@given(regions, st.sampled_from(Clock), matters, starts)
def test_a_warning_lies_between_the_start_and_the_end_and_in_working_time(
    region: str, clock: Clock, matter: Matter, start: datetime
) -> None:
    deadline = ALL.of(region).deadline(clock, matter, start=start)
    if deadline is not None:
        assert start < deadline.due_at
        if deadline.warn_at:
            assert start < deadline.warn_at < deadline.due_at
            assert ALL.calendars.of(region).is_working(deadline.warn_at)


@given(regions, st.sampled_from(Clock), matters, starts, lengths, lengths)
def test_after_a_pause_as_much_is_left_as_before_it(
    region: str,
    clock: Clock,
    matter: Matter,
    start: datetime,
    worked: timedelta,
    paused: timedelta,
) -> None:
    terms, calendar = ALL.of(region), ALL.calendars.of(region)
    deadline = terms.deadline(clock, matter, start=start)
    if deadline is None or start + worked >= deadline.due_at:
        return
    paused_at, resumed_at = start + worked, start + worked + paused
    resumed = terms.after_pause(deadline, paused_at=paused_at, resumed_at=resumed_at)
    in_time = resumed.due_at - resumed_at == deadline.due_at - paused_at
    left = calendar.working_time(paused_at, deadline.due_at)
    assert in_time or calendar.working_time(resumed_at, resumed.due_at) == left
    assert resumed.warn_at is None or resumed_at < resumed.warn_at < resumed.due_at


# The files

HEAD = (
    "code,regime,region,topic_group,priority,fast_track,clock,amount,unit,warn_amount,warn_unit,"
    "promise_days_max,valid_from,valid_until,source"
)
CHAIN_HEAD = "code,clock,step,after_amount,after_unit,role,source"


def new_york(folder: Path, catalogue: Catalogue, *policies: str, chain: str = "") -> NetworkTerms:
    (folder / "policies.csv").write_text("\n".join([HEAD, *policies]), encoding="utf-8")
    if chain:
        (folder / "escalations.csv").write_text(f"{CHAIN_HEAD}\n{chain}", encoding="utf-8")
    return load_terms(folder, catalogue, load_calendars(folder, catalogue))


def test_of_the_policies_that_match_the_most_specific_one_counts(
    tmp_path: Path, catalogue: Catalogue
) -> None:
    """Region before fast track before priority before topic group."""
    rows = [
        f"{region}{fast}{priority}{group},IM,{region},{group},{priority},{fast},SOLUTION,1,HOURS"
        ",,,,,,x"
        for region in ("", "BRONX")
        for fast in ("", "1")
        for priority in ("", "HIGH")
        for group in ("", "noise")
    ]
    rows[0] = f"ANY{rows[0]}"
    matter = Matter(Regime.IM, Priority.HIGH, "noise.noise", None, fast_track=True)
    start = datetime(2024, 6, 3, tzinfo=UTC)
    for known in range(1, len(rows) + 1):
        bronx = new_york(tmp_path, catalogue, *rows[:known]).of("BRONX")
        found = bronx.deadline(Clock.SOLUTION, matter, start=start)
        assert found is not None
        assert found.policy == rows[known - 1].split(",")[0]


@pytest.mark.parametrize(
    "matter",
    [
        MATTER._replace(regime=Regime.FZ59_APPEAL),
        MATTER._replace(priority=Priority.NORMAL),
        MATTER._replace(priority=Priority.HIGH, fast_track=False),
        MATTER._replace(priority=Priority.HIGH, fast_track=True, topic=None),
        MATTER._replace(priority=Priority.HIGH, fast_track=True, topic="animals.noise"),
    ],
)
def test_a_policy_does_not_count_for_what_it_is_not_for(
    tmp_path: Path, catalogue: Catalogue, matter: Matter
) -> None:
    row = "P,IM,BRONX,noise,HIGH,1,SOLUTION,1,HOURS,,,,,,x"
    start = datetime(2024, 6, 3, tzinfo=UTC)
    terms = new_york(tmp_path, catalogue, row)
    assert terms.of("BRONX").deadline(Clock.SOLUTION, matter, start=start) is None
    full = Matter(Regime.IM, Priority.HIGH, "noise.noise", None, fast_track=True)
    assert terms.of("QUEENS").deadline(Clock.SOLUTION, full, start=start) is None
    assert terms.of("BRONX").deadline(Clock.FIRST_REPLY, full, start=start) is None
    assert terms.of("BRONX").deadline(Clock.SOLUTION, full, start=start)


def test_a_policy_is_valid_from_its_first_to_its_last_local_day(
    tmp_path: Path, catalogue: Catalogue
) -> None:
    bronx = new_york(
        tmp_path,
        catalogue,
        "OLD,IM,,,,,SOLUTION,1,HOURS,,,,,2024-06-03,x",
        "NEW,IM,,,,,SOLUTION,1,HOURS,,,,2024-06-04,,x",
    ).of("BRONX")
    midnight = datetime(2024, 6, 4, 4, tzinfo=UTC)  # in New York
    for start, code in ((midnight - HOUR, "OLD"), (midnight, "NEW")):
        found = bronx.deadline(Clock.SOLUTION, MATTER, start=start)
        assert found is not None
        assert found.policy == code


def test_a_catalogue_without_policies_has_no_deadlines(catalogue: Catalogue) -> None:
    bronx = load_terms(NEW_YORK, catalogue, load_calendars(NEW_YORK, catalogue)).of("BRONX")
    start = datetime(2024, 6, 1, tzinfo=UTC)
    assert all(bronx.deadline(clock, MATTER, start=start) is None for clock in Clock)
    assert bronx.promise_limit(MATTER, start=start) is None
    for clock in Clock:
        assert bronx.escalation(clock, 1, missed_at=start, municipality=None) is None
    assert not bronx.evidence_needed("noise.noise")
    assert bronx.working_seconds(start, start + 48 * HOUR, None) == 48 * 60 * 60


SOUND = "P,IM,,,,,SOLUTION,1,HOURS,,,,,,x"


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        ([",IM,,,,,SOLUTION,1,HOURS,,,,,,x"], "line 2.*code"),
        (["P,XX,,,,,SOLUTION,1,HOURS,,,,,,x"], "line 2.*XX"),
        (["P,IM,ATLANTIS,,,,SOLUTION,1,HOURS,,,,,,x"], "line 2.*ATLANTIS"),
        (["P,IM,,unheard,,,SOLUTION,1,HOURS,,,,,,x"], "line 2.*unheard"),
        (["P,IM,,noise.noise,,,SOLUTION,1,HOURS,,,,,,x"], "line 2.*noise.noise"),
        (["P,IM,,,LOW,,SOLUTION,1,HOURS,,,,,,x"], "line 2.*LOW"),
        (["P,IM,,,,yes,SOLUTION,1,HOURS,,,,,,x"], "line 2.*yes"),
        (["P,IM,,,,,LUNCH,1,HOURS,,,,,,x"], "line 2.*LUNCH"),
        (["P,IM,,,,,SOLUTION,0,HOURS,,,,,,x"], "line 2.*amount 0"),
        (["P,IM,,,,,SOLUTION,9999,HOURS,,,,,,x"], "line 2.*9999"),
        (["P,IM,,,,,SOLUTION,1,MINUTES,,,,,,x"], "line 2.*MINUTES"),
        (["P,IM,,,,,SOLUTION,1,HOURS,1,HOURS,,,,x"], "line 2.*working time"),
        (["P,IM,,,,,SOLUTION,1,HOURS,,,soon,,,x"], "line 2.*soon"),
        (["P,IM,,,,,SOLUTION,1,HOURS,,,,today,,x"], "line 2.*today"),
        (["P,IM,,,,,SOLUTION,1,HOURS,,,,,,"], "line 2.*source"),
        ([SOUND, "Q,IM,,,,,SOLUTION,2,HOURS,,,,,,x"], "P and Q"),
        (
            [
                "P,IM,,,,,SOLUTION,1,HOURS,,,,,2024-06-03,x",
                "Q,IM,,,,,SOLUTION,1,HOURS,,,,2024-06-03,,x",
            ],
            "P and Q",
        ),
        ([SOUND, "P,IM,,,HIGH,,SOLUTION,1,WORKING_HOURS,,,,,,x"], "P counts SOLUTION"),
    ],
)
def test_a_broken_policy_is_refused_naming_file_and_line(
    tmp_path: Path, catalogue: Catalogue, rows: list[str], named: str
) -> None:
    with pytest.raises(CatalogueInvalid, match=f"policies.csv.*{named}"):
        new_york(tmp_path, catalogue, *rows)


@pytest.mark.parametrize(
    ("chain", "named"),
    [
        (",SOLUTION,1,1,WORKING_HOURS,CURATOR,x", "line 2.*code"),
        ("A,SOLUTION,2,1,WORKING_HOURS,CURATOR,x", "SOLUTION are"),
        (
            "A,SOLUTION,1,1,WORKING_HOURS,CURATOR,x\nB,SOLUTION,1,1,WORKING_HOURS,CURATOR,x",
            "SOLUTION are",
        ),
        ("A,SOLUTION,1,1,HOURS,CURATOR,x", "line 2.*HOURS"),
        ("A,SOLUTION,1,-1,WORKING_HOURS,CURATOR,x", "line 2.*-1"),
        ("A,SOLUTION,1,1,WORKING_HOURS,KING,x", "line 2.*KING"),
        ("A,SOLUTION,first,1,WORKING_HOURS,CURATOR,x", "line 2.*first"),
        ("A,SOLUTION,1,1,WORKING_HOURS,CURATOR,", "line 2.*source"),
    ],
)
def test_a_broken_chain_is_refused_naming_file_and_line(
    tmp_path: Path, catalogue: Catalogue, chain: str, named: str
) -> None:
    with pytest.raises(CatalogueInvalid, match=f"escalations.csv.*{named}"):
        new_york(tmp_path, catalogue, SOUND, chain=chain)


def test_a_catalogue_may_ask_for_evidence_where_a_solution_can_be_seen(
    tmp_path: Path, catalogue: Catalogue
) -> None:
    file = tmp_path / "visible_topics.csv"
    file.write_text("topic,source\nnoise.noise,x\n", encoding="utf-8")
    bronx = new_york(tmp_path, catalogue).of("BRONX")
    assert bronx.evidence_needed("noise.noise")
    assert not bronx.evidence_needed(None)
    for row in ("noise,x", "unheard,x", "noise.noise,"):
        file.write_text(f"topic,source\n{row}\n", encoding="utf-8")
        with pytest.raises(CatalogueInvalid, match=r"visible_topics.csv, line 2"):
            new_york(tmp_path, catalogue)


def test_the_terms_of_russia_begin_when_their_sources_say(terms: NetworkTerms) -> None:
    since = {each.code: each.valid_from for each in terms.policies if each.valid_from > date.min}
    assert since == {"IM_SEVASTOPOL": date(2020, 2, 25), "IM_BASHKORTOSTAN": date(2025, 12, 5)}


# Crisis


def test_in_a_crisis_deadlines_start_by_its_policies_and_running_ones_stay(
    terms: NetworkTerms,
) -> None:
    usual, start = terms.of("63"), at(terms, "63", "2026-04-22 10:00")
    crisis = usual.in_crisis((), None)
    before = usual.deadline(Clock.FIRST_REPLY, MATTER, start=start)
    during = crisis.deadline(Clock.FIRST_REPLY, MATTER, start=start)
    assert before is not None
    assert during is not None
    assert (before.policy, before.due_at - start) == ("IM_2018_BASE", 24 * HOUR)
    assert (during.policy, during.due_at - start) == ("IM_CRISIS", 4 * HOUR)
    assert usual.deadline(Clock.FIRST_REPLY, MATTER, start=start) == before


@pytest.mark.parametrize(
    ("topic", "municipality", "policy"),
    [
        ("roads.pothole", "63-samara", "IM_CRISIS"),
        ("roads.pothole", "63-tolyatti", "IM_2018_BASE"),
        ("medicine.appointment", "63-samara", "IM_2018_BASE"),
        (None, "63-samara", "IM_2018_BASE"),
    ],
)
def test_a_crisis_is_one_of_its_topics_and_its_place(
    terms: NetworkTerms, topic: str | None, municipality: str, policy: str
) -> None:
    crisis = terms.of("63").in_crisis(("roads",), "63-samara")
    matter = MATTER._replace(topic=topic, municipality=municipality)
    start = at(terms, "63", "2026-04-22 10:00")
    deadline = crisis.deadline(Clock.FIRST_REPLY, matter, start=start)
    assert deadline is not None
    assert deadline.policy == policy


def test_what_has_no_policy_for_a_crisis_has_its_usual_one(terms: NetworkTerms) -> None:
    start = at(terms, "63", "2026-04-22 10:00")
    deadline = terms.of("63").in_crisis((), None).deadline(Clock.SOLUTION, POS, start=start)
    assert deadline is not None
    assert deadline.policy == "POS_STANDARD"


def test_the_sandbox_of_a_region_has_its_terms(terms: NetworkTerms) -> None:
    assert terms.of("63~sandbox") is terms.of("63")
