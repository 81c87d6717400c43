"""Other terms in place of a region's own: which policies give way, and which calendar counts."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from domain.deadlines import Deadline, Matter, Term
from domain.errors import UnknownRegion, UnknownTopic
from domain.vocabulary import Clock, Priority, Regime, TermUnit
from regions.node import read_terms
from regions.reference.catalogue import Catalogue, CatalogueInvalid
from regions.reference.terms import NetworkTerms
from regions.reference.what_if import (
    OtherTerm,
    TermAbsurd,
    TermRepeated,
    no_terms,
    with_calendar_of,
    with_calendars,
    with_policies,
    with_terms,
    without_closing,
)
from tests.conftest import RUSSIA

HOUR = timedelta(hours=1)
START = datetime(2026, 3, 2, 7, tzinfo=UTC)  # Monday, 10:00 in Sevastopol
MATTER = Matter(Regime.IM, Priority.NORMAL, None, None)
HIGH = MATTER._replace(priority=Priority.HIGH)
FOUR = OtherTerm(Clock.FIRST_REPLY, Term(4, TermUnit.HOURS))


@pytest.fixture(scope="module")
def terms(russia: Catalogue) -> NetworkTerms:
    return read_terms(RUSSIA, russia)


def first_reply(
    terms: NetworkTerms, region: str, matter: Matter = MATTER, *, start: datetime = START
) -> Deadline:
    found = terms.of(region).deadline(Clock.FIRST_REPLY, matter, start=start)
    assert found is not None
    return found


def test_a_term_takes_the_place_of_the_regions_own_for_the_same(terms: NetworkTerms) -> None:
    """Sevastopol has one for HIGH too: it stays, as more specific; the network's own does not."""
    other = with_terms(terms, "92", [FOUR])
    assert first_reply(terms, "92").policy == "IM_SEVASTOPOL"
    assert first_reply(other, "92").due_at == START + 4 * HOUR
    assert first_reply(other, "92", HIGH) == first_reply(terms, "92", HIGH)
    assert first_reply(other, "92", HIGH).policy == "IM_SEVASTOPOL"
    elsewhere = with_terms(terms, "63", [FOUR])
    assert first_reply(elsewhere, "63", HIGH).due_at == START + 4 * HOUR
    assert first_reply(elsewhere, "92") == first_reply(terms, "92")


def test_a_term_counts_whenever_and_for_what_it_names_alone(terms: NetworkTerms) -> None:
    roads = OtherTerm(Clock.FIRST_REPLY, Term(1, TermUnit.HOURS), topic_group="roads")
    other = with_terms(terms, "92", [FOUR, roads])
    long_ago = datetime(2019, 6, 3, tzinfo=UTC)
    assert first_reply(other, "92", start=long_ago).due_at == long_ago + 4 * HOUR
    assert first_reply(other, "92", MATTER._replace(topic="roads.pothole")).due_at == START + HOUR
    crisis = other.of("92").in_crisis((), None)
    found = crisis.deadline(Clock.FIRST_REPLY, MATTER, start=START)
    assert found is not None
    assert found.policy == "IM_CRISIS"


def test_a_pause_gives_back_the_time_that_each_of_several_terms_counts(
    terms: NetworkTerms,
) -> None:
    working = OtherTerm(Clock.FIRST_REPLY, Term(4, TermUnit.WORKING_HOURS), topic_group="roads")
    other = with_terms(terms, "92", [working, FOUR]).of("92")
    # Paused at 11:00 with three hours left, resumed on Tuesday at 01:00.
    pause = {"paused_at": START + HOUR, "resumed_at": START + 15 * HOUR}
    for topic, due_at in ((None, START + 18 * HOUR), ("roads.pothole", START + 26 * HOUR)):
        deadline = other.deadline(Clock.FIRST_REPLY, MATTER._replace(topic=topic), start=START)
        assert deadline is not None
        assert other.after_pause(deadline, **pause).due_at == due_at


@pytest.mark.parametrize(
    ("others", "refusal"),
    [
        ([OtherTerm(Clock.SOLUTION, Term(0, TermUnit.DAYS))], TermAbsurd),
        ([OtherTerm(Clock.SOLUTION, Term(1001, TermUnit.DAYS))], TermAbsurd),
        ([FOUR, OtherTerm(Clock.FIRST_REPLY, Term(5, TermUnit.DAYS))], TermRepeated),
        ([OtherTerm(Clock.SOLUTION, Term(1, TermUnit.DAYS), topic_group="unheard")], UnknownTopic),
        (
            [OtherTerm(Clock.SOLUTION, Term(1, TermUnit.DAYS), topic_group="roads.pothole")],
            UnknownTopic,
        ),
    ],
)
def test_an_absurd_term_is_refused(
    terms: NetworkTerms, others: list[OtherTerm], refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        with_terms(terms, "92", others)


def test_another_regions_days_off_count_and_the_local_time_stays(terms: NetworkTerms) -> None:
    """Radonitsa, 21 April 2026, is off in Adygea; Kamchatka keeps its own hours."""
    other = with_calendar_of(terms, "41", "01")
    off = date(2026, 4, 21)
    assert terms.calendars.of("41").working_day(off)
    assert not other.calendars.of("41").working_day(off)
    assert other.calendars.of("41").zone == terms.calendars.of("41").zone
    assert other.calendars.of("63").working_day(off)
    with pytest.raises(UnknownRegion):
        with_calendar_of(terms, "41", "MARS")


def test_around_the_clock_nothing_ever_closes(terms: NetworkTerms) -> None:
    found = first_reply(without_closing(terms), "92")
    assert found.due_at == START + 9 * HOUR


def test_without_policies_nothing_has_a_deadline(russia: Catalogue) -> None:
    empty = no_terms(russia).of("92")
    assert all(empty.deadline(clock, MATTER, start=START) is None for clock in Clock)


def test_a_file_of_the_catalogue_is_given_instead_of_its_own(
    terms: NetworkTerms, tmp_path: Path
) -> None:
    head = (RUSSIA / "policies.csv").read_text(encoding="utf-8").splitlines()[0]
    policies = tmp_path / "other.csv"
    policies.write_text(f"{head}\nP,IM,,,,,,FIRST_REPLY,2,HOURS,,,,,,x\n")
    assert first_reply(with_policies(terms, policies), "92").due_at == START + 2 * HOUR
    days_off = tmp_path / "days_off.csv"
    days_off.write_text("region,first,last,name,source\n92,2026-03-02,,Off,x\n")
    for place in (days_off, tmp_path):
        other = with_calendars(terms, place, RUSSIA).calendars.of("92")
        assert not other.working_day(date(2026, 3, 2))
        assert other.working_day(date(2026, 3, 3))  # the week is the catalogue's
    for nothing in (policies, tmp_path / "nowhere"):
        with pytest.raises(CatalogueInvalid, match=r"calendar\.toml"):
            with_calendars(terms, nothing, RUSSIA)
