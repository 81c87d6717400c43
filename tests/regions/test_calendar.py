"""Working time: dates worked out by hand, and laws that hold for every calendar."""

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.deadlines import Term
from domain.errors import UnknownRegion
from domain.vocabulary import TermUnit
from regions.reference.calendar import AROUND_THE_CLOCK, Hours, Opening, WorkCalendar, moment
from regions.reference.calendars import Calendars, load_calendars
from regions.reference.catalogue import Catalogue, CatalogueInvalid, load_catalogue
from tests.conftest import NEW_YORK, RUSSIA

VOLGOGRAD = ZoneInfo("Europe/Volgograd")  # 28.10.2018 02:00 +03 -> +04, 27.12.2020 02:00 -> +03
YORK = ZoneInfo("America/New_York")
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def calendars(russia: Catalogue) -> Calendars:
    return load_calendars(RUSSIA, russia)


def hours(*openings: tuple[float, float]) -> Hours:
    return tuple(Opening(start * HOUR, end * HOUR) for start, end in openings)


def open_on(weekday: int, zone: ZoneInfo, *openings: tuple[float, float]) -> WorkCalendar:
    """Open on one day of the week only."""
    week = [hours(*openings) if day == weekday else () for day in range(7)]
    return WorkCalendar(zone, tuple(week))  # type: ignore[arg-type]


def at(calendar: WorkCalendar, wall: str) -> datetime:
    return datetime.fromisoformat(wall).replace(tzinfo=calendar.zone)


# Which days are worked


@pytest.mark.parametrize(
    ("day", "working"),
    [
        ("2018-04-28", True),  # Saturday for Monday 30 April
        ("2018-04-30", False),
        ("2018-12-29", True),
        ("2020-04-15", False),  # decree 239
        ("2020-06-24", False),  # decree 345: the parade
        ("2021-02-20", True),  # Saturday for Monday 22 February
        ("2021-02-22", False),
        ("2021-05-06", False),  # decree 242
        ("2022-03-05", True),
        ("2024-04-27", True),  # Saturday for Monday 29 April
        ("2024-04-29", False),
        ("2024-04-30", False),  # for Saturday 2 November
        ("2024-11-02", True),
        ("2024-12-28", True),
        ("2024-12-30", False),
        ("2024-12-31", False),
        ("2025-11-01", True),
        ("2025-11-03", False),
        ("2026-01-09", False),  # for Saturday 3 January
        ("2026-12-31", False),
        ("2026-01-12", True),
    ],
)
def test_moved_days_of_russia_are_as_its_government_moved_them(
    calendars: Calendars, day: str, working: bool
) -> None:
    assert calendars.of("77").working_day(date.fromisoformat(day)) is working


@pytest.mark.parametrize(
    ("year", "days", "short"),
    # The published norm of the 40-hour week is 8 hours a day less one a short day:
    # 1970, 1970, 1973, 1973, 1979, 1972, 1972.
    [
        (2018, 247, 6),
        (2019, 247, 6),
        (2022, 247, 3),
        (2023, 247, 3),
        (2024, 248, 5),
        (2025, 247, 4),
        (2026, 247, 4),
    ],
)
def test_a_year_has_as_many_working_hours_as_its_production_calendar(
    calendars: Calendars, year: int, days: int, short: int
) -> None:
    calendar = calendars.of("77")
    start, end = at(calendar, f"{year}-01-01"), at(calendar, f"{year + 1}-01-01")
    assert calendar.working_time(start, end) == (days * 9 - short) * HOUR


def test_regions_have_holidays_of_their_own(calendars: Calendars) -> None:
    tatarstan, samara = calendars.of("16"), calendars.of("63")
    assert not tatarstan.working_day(date(2024, 8, 30))
    assert samara.working_day(date(2024, 8, 30))
    year = (date(2025, 1, 1) + n * DAY for n in range(365))
    assert sum(map(tatarstan.working_day, year)) == 245  # as its ministry of labour counts


def test_a_region_may_work_on_a_saturday_for_a_day_off(calendars: Calendars) -> None:
    adygea = calendars.of("01")
    assert adygea.working_day(date(2025, 4, 26))
    assert not adygea.working_day(date(2025, 4, 30))


def test_a_regional_holiday_is_off_on_a_saturday_worked_elsewhere(calendars: Calendars) -> None:
    assert calendars.of("77").working_day(date(2024, 12, 28))
    assert not calendars.of("08").working_day(date(2024, 12, 28))


def test_the_day_before_a_holiday_is_an_hour_shorter(calendars: Calendars) -> None:
    moscow = calendars.of("77")
    assert moscow.is_working(at(moscow, "2024-05-08 16:59"))
    assert not moscow.is_working(at(moscow, "2024-05-08 17:00"))
    assert moscow.is_working(at(moscow, "2024-04-27 17:30"))  # as long as the 29th would have been
    assert not moscow.is_working(at(moscow, "2024-11-02 17:30"))  # as short as 30 April


def test_a_municipality_works_by_its_own_clock(calendars: Calendars, russia: Catalogue) -> None:
    place = next(m for m in russia.municipalities.values() if m.name.startswith("Северо-Курил"))
    assert calendars.of("65", place.code).zone == place.zone != calendars.of("65").zone
    assert calendars.of("65", "unheard").zone == calendars.of("65").zone


def test_regions_that_work_alike_share_a_calendar(calendars: Calendars) -> None:
    assert calendars.of("77") is calendars.of("50")
    assert calendars.of("77") is not calendars.of("23")  # Радоница


def test_a_region_that_does_not_exist_has_no_calendar(calendars: Calendars) -> None:
    with pytest.raises(UnknownRegion):
        calendars.of("ATLANTIS")


# By when


@pytest.mark.parametrize(
    ("start", "amount", "unit", "due"),
    [
        # Monday to Friday 09:00-18:00. 22 March 2024 is a Friday.
        ("2024-03-22 17:00", 2, TermUnit.WORKING_HOURS, "2024-03-25 10:00"),
        ("2024-03-22 09:00", 9, TermUnit.WORKING_HOURS, "2024-03-22 18:00"),  # not Monday 09:00
        ("2024-03-22 18:00", 1, TermUnit.WORKING_HOURS, "2024-03-25 10:00"),
        ("2024-03-22 08:15", 1, TermUnit.WORKING_HOURS, "2024-03-22 10:00"),
        ("2024-03-20 10:00", 27, TermUnit.WORKING_HOURS, "2024-03-25 10:00"),
        # 27 April is a worked Saturday, 28 April to 1 May are off.
        ("2024-04-26 17:00", 12, TermUnit.WORKING_HOURS, "2024-05-02 11:00"),
        # 8 May is short: 3 hours to 17:00, 9 to 12 May are off.
        ("2024-05-08 14:00", 4, TermUnit.WORKING_HOURS, "2024-05-13 10:00"),
        ("2024-03-22 23:30", 48, TermUnit.HOURS, "2024-03-24 23:30"),
        ("2024-03-22 23:30", 1, TermUnit.DAYS, "2024-03-24 00:00"),
        ("2024-02-28 00:00", 1, TermUnit.DAYS, "2024-03-01 00:00"),
        ("2024-03-22 00:00", 1, TermUnit.WORKING_DAYS, "2024-03-25 18:00"),
        ("2024-03-23 12:00", 1, TermUnit.WORKING_DAYS, "2024-03-25 18:00"),
        ("2024-12-27 12:00", 2, TermUnit.WORKING_DAYS, "2025-01-09 18:00"),  # 28.12. and 9.1.
    ],
)
def test_a_term_is_over_at_the_moment_worked_out_by_hand(
    calendars: Calendars, start: str, amount: int, unit: TermUnit, due: str
) -> None:
    moscow = calendars.of("77")
    found = moscow.due_at(at(moscow, start), Term(amount, unit))
    assert found == at(moscow, due)
    assert found.tzinfo is UTC


@pytest.mark.parametrize("start", ["2024-03-22 18:00", "2024-03-24 03:00", "2024-03-25 09:00"])
def test_what_is_filed_on_a_day_off_starts_at_the_first_working_minute(
    calendars: Calendars, start: str
) -> None:
    """frappe/helpdesk#2075: there it started when it was filed."""
    moscow = calendars.of("77")
    assert moscow.due_at(at(moscow, start), Term(4, TermUnit.WORKING_HOURS)) == at(
        moscow, "2024-03-25 13:00"
    )


@pytest.mark.parametrize(
    ("end", "amount", "unit", "since"),
    [
        ("2024-03-22 18:00", 2, TermUnit.WORKING_HOURS, "2024-03-22 16:00"),
        ("2024-03-25 00:00", 2, TermUnit.WORKING_HOURS, "2024-03-22 16:00"),
        ("2024-03-25 10:00", 2, TermUnit.WORKING_HOURS, "2024-03-22 17:00"),
        ("2024-03-25 18:00", 9, TermUnit.WORKING_HOURS, "2024-03-25 09:00"),  # not Friday 18:00
        ("2024-03-25 18:00", 1, TermUnit.WORKING_DAYS, "2024-03-25 09:00"),
        ("2024-03-25 09:00", 1, TermUnit.WORKING_DAYS, "2024-03-22 09:00"),
        ("2024-05-02 00:00", 3, TermUnit.WORKING_DAYS, "2024-04-25 09:00"),  # 25, 26, 27 April
    ],
)
def test_a_warning_is_given_in_working_hours(
    calendars: Calendars, end: str, amount: int, unit: TermUnit, since: str
) -> None:
    """zammad/zammad#4432: reminders came at midnight and on Sunday."""
    moscow = calendars.of("77")
    found = moscow.with_left(at(moscow, end), Term(amount, unit))
    assert found == at(moscow, since)
    assert moscow.is_working(found)


def test_nobody_can_be_warned_outside_working_time(calendars: Calendars) -> None:
    with pytest.raises(ValueError, match="3 DAYS"):
        calendars.of("77").with_left(datetime(2024, 1, 1, tzinfo=UTC), Term(3, TermUnit.DAYS))


def test_a_moment_without_a_zone_is_refused(calendars: Calendars) -> None:
    moscow, naive = calendars.of("77"), datetime(2024, 3, 22, 9)  # noqa: DTZ001  # the point
    aware = naive.replace(tzinfo=UTC)
    for ask in (
        lambda: moscow.working_time(naive, aware),
        lambda: moscow.working_time(aware, naive),
        lambda: moscow.due_at(naive, Term(1, TermUnit.HOURS)),
        lambda: moscow.is_working(naive),
        lambda: moscow.next_working(naive),
    ):
        with pytest.raises(ValueError, match="2024-03-22T09:00:00 has no zone"):
            ask()


def test_a_calendar_that_never_opens_is_refused() -> None:
    with pytest.raises(ValueError, match="never"):
        WorkCalendar(YORK, ((), (), (), (), (), (), ()))


# Clocks that are moved


def test_a_working_hour_is_an_hour_although_the_clock_was_moved(calendars: Calendars) -> None:
    volgograd = calendars.of("34")
    two_hours = Term(2, TermUnit.WORKING_HOURS)
    # Friday 17:00 +03, Monday 10:00 +04.
    due = volgograd.due_at(datetime(2018, 10, 26, 14, tzinfo=UTC), two_hours)
    assert due == datetime(2018, 10, 29, 6, tzinfo=UTC)
    # Friday 17:00 +04, Monday 10:00 +03.
    due = volgograd.due_at(datetime(2020, 12, 25, 13, tzinfo=UTC), two_hours)
    assert due == datetime(2020, 12, 28, 7, tzinfo=UTC)


def test_days_end_at_the_midnight_of_the_new_clock(calendars: Calendars) -> None:
    volgograd = calendars.of("34")
    start = datetime(2018, 10, 26, 9, tzinfo=UTC)  # 12:00 +03
    assert volgograd.due_at(start, Term(1, TermUnit.DAYS)) == datetime(2018, 10, 27, 21, tzinfo=UTC)
    assert volgograd.due_at(start, Term(2, TermUnit.DAYS)) == datetime(2018, 10, 28, 20, tzinfo=UTC)
    assert volgograd.due_at(start, Term(72, TermUnit.HOURS)) == start + 72 * HOUR


@pytest.mark.parametrize(
    ("opening", "day", "length"),
    [
        ((0, 24), date(2018, 10, 28), 23),
        ((0, 24), date(2020, 12, 27), 25),
        ((1, 4), date(2018, 10, 28), 2),  # 02:00 to 03:00 never was
        ((1, 4), date(2020, 12, 27), 4),  # 01:00 to 02:00 was twice
        ((2.5, 4), date(2018, 10, 28), 1),  # opens when the clock leaps
        ((1, 2.5), date(2018, 10, 28), 1),  # closes when it leaps
        ((2.25, 2.75), date(2018, 10, 28), 0),  # leapt over whole
        ((1.5, 2), date(2020, 12, 27), 1.5),  # from the first 01:30
    ],
)
def test_an_opening_across_a_leap_of_the_clock_is_as_long_as_it_really_was(
    opening: tuple[float, float], day: date, length: float
) -> None:
    sundays = open_on(6, VOLGOGRAD, opening)
    start, end = sundays.midnight(day), sundays.midnight(day + DAY)
    assert sundays.working_time(start, end) == length * HOUR


def test_an_opening_the_clock_leaps_over_is_none() -> None:
    quarter = open_on(6, VOLGOGRAD, (2.25, 2.75))
    assert quarter.next_working(quarter.midnight(date(2018, 10, 28))) == at(
        quarter, "2018-11-04 02:15"
    )


def test_openings_that_meet_do_not_overlap_when_an_hour_comes_twice() -> None:
    halves = open_on(6, VOLGOGRAD, (0, 1.5), (1.5, 24))
    start, end = halves.midnight(date(2020, 12, 27)), halves.midnight(date(2020, 12, 28))
    assert halves.working_time(start, end) == end - start == 25 * HOUR


def test_a_day_may_begin_when_the_clock_leaps_over_midnight() -> None:
    beirut = ZoneInfo("Asia/Beirut")
    assert moment(datetime(2022, 3, 27), beirut) == datetime(2022, 3, 26, 22, tzinfo=UTC)  # noqa: DTZ001
    always = WorkCalendar(beirut, AROUND_THE_CLOCK)
    start = datetime(2022, 3, 25, 12, tzinfo=UTC)
    assert always.due_at(start, Term(1, TermUnit.DAYS)) == datetime(2022, 3, 26, 22, tzinfo=UTC)


@pytest.fixture
def machine_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    yield monkeypatch
    monkeypatch.undo()
    time.tzset()


def test_the_zone_of_the_machine_does_not_matter(
    machine_zone: pytest.MonkeyPatch, russia: Catalogue
) -> None:
    start, end = datetime(2018, 10, 26, 14, tzinfo=UTC), datetime(2024, 5, 8, 13, 30, tzinfo=UTC)
    answers = set()
    for zone in ("UTC", "America/New_York", "Asia/Kamchatka", "Pacific/Apia"):
        machine_zone.setenv("TZ", zone)
        time.tzset()
        fresh = load_calendars(RUSSIA, russia).of("34")
        due = [fresh.due_at(start, Term(5, unit)) for unit in TermUnit]
        answers.add((*due, fresh.next_working(end), fresh.working_time(start, end)))
    assert len(answers) == 1


# Laws

LUNCH = hours((9, 13), (14, 18))
CALENDARS = [
    load_calendars(RUSSIA, load_catalogue(RUSSIA)).of(code) for code in ("77", "34", "16", "41")
] + [
    WorkCalendar(VOLGOGRAD, AROUND_THE_CLOCK),
    WorkCalendar(YORK, (LUNCH, LUNCH, LUNCH, LUNCH, hours((9, 15)), (), ())),
    open_on(6, YORK, (0.5, 2.5), (2.75, 24)),
]
calendar_of = st.sampled_from(CALENDARS)
FIRST, LAST = datetime(2018, 1, 1), datetime(2027, 12, 31)  # noqa: DTZ001  # hypothesis adds UTC
moments = st.datetimes(FIRST, LAST, timezones=st.just(UTC))
spans = st.timedeltas(timedelta(0), 40 * DAY)
amounts = st.timedeltas(timedelta(microseconds=1), 300 * HOUR)


@given(calendar_of, moments, spans, spans)
def test_working_time_adds_up(
    calendar: WorkCalendar, start: datetime, first: timedelta, second: timedelta
) -> None:
    middle, end = start + first, start + first + second
    whole = calendar.working_time(start, end)
    assert calendar.working_time(start, middle) + calendar.working_time(middle, end) == whole


@given(calendar_of, moments, spans)
def test_working_time_is_never_negative_and_never_more_than_time(
    calendar: WorkCalendar, start: datetime, span: timedelta
) -> None:
    assert timedelta(0) <= calendar.working_time(start, start + span) <= span
    assert calendar.working_time(start + span, start) == timedelta(0)


@given(calendar_of, moments, spans, spans)
def test_a_longer_span_holds_no_less_working_time(
    calendar: WorkCalendar, start: datetime, shorter: timedelta, longer: timedelta
) -> None:
    shorter, longer = sorted((shorter, longer))
    held = calendar.working_time(start, start + shorter)
    assert held <= calendar.working_time(start, start + longer)


@given(calendar_of, moments)
def test_there_is_no_working_time_until_the_next_opening(
    calendar: WorkCalendar, start: datetime
) -> None:
    opening = calendar.next_working(start)
    assert calendar.is_working(opening)
    assert calendar.working_time(start, opening) == timedelta(0)
    assert (opening == start) is calendar.is_working(start)


@given(calendar_of, moments, amounts)
def test_after_is_the_inverse_of_working_time(
    calendar: WorkCalendar, start: datetime, amount: timedelta
) -> None:
    end = calendar.after(start, amount)
    assert calendar.working_time(start, end) == amount
    assert calendar.working_time(start, end - timedelta.resolution) < amount
    assert calendar.after(start, timedelta(0)) == start


@given(calendar_of, moments, amounts)
def test_before_is_the_inverse_of_working_time_from_the_other_end(
    calendar: WorkCalendar, end: datetime, amount: timedelta
) -> None:
    start = calendar.before(end, amount)
    assert calendar.working_time(start, end) == amount
    assert calendar.is_working(start)
    assert calendar.before(end, timedelta(0)) == end


@given(calendar_of, moments, st.integers(1, 60), st.sampled_from(TermUnit))
def test_a_later_start_is_never_due_earlier(
    calendar: WorkCalendar, start: datetime, amount: int, unit: TermUnit
) -> None:
    term = Term(amount, unit)
    due = calendar.due_at(start, term)
    assert start < due <= calendar.due_at(start + HOUR, term)
    assert due <= calendar.due_at(start, Term(amount + 1, unit))


@settings(max_examples=40)
@given(calendar_of, moments, st.integers(0, 3000))
def test_working_time_is_the_minutes_at_which_the_local_clock_shows_working_hours(
    calendar: WorkCalendar, start: datetime, minutes: int
) -> None:
    """Another way to count it: look at the clock on the wall every minute."""
    start = start.replace(second=0, microsecond=0)
    walls = [(start + n * HOUR / 60).astimezone(calendar.zone) for n in range(minutes)]
    seen = sum(shows_working_hours(calendar, wall) for wall in walls)
    assert calendar.working_time(start, start + minutes * HOUR / 60) == seen * HOUR / 60


def shows_working_hours(calendar: WorkCalendar, wall: datetime) -> bool:
    since_midnight = timedelta(hours=wall.hour, minutes=wall.minute)
    return any(start <= since_midnight < end for start, end in calendar.hours(wall.date()))


# The files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sound calendar to break."""
    (tmp_path / "calendar.toml").write_text(
        'country = "RU"\nlanguage = "ru"\n[hours]\nmonday = ["09:00-13:00", "14:00-24:00"]\n',
        encoding="utf-8",
    )
    return tmp_path


def test_a_catalogue_without_a_calendar_is_open_around_the_clock(catalogue: Catalogue) -> None:
    bronx = load_calendars(NEW_YORK, catalogue).of("BRONX", "BRONX-01")
    start = datetime(2024, 12, 25, 3, tzinfo=UTC)
    assert bronx.is_working(start)
    assert bronx.working_time(start, start + 400 * DAY) == 400 * DAY
    assert bronx.zone == YORK


def test_a_weekday_that_is_not_named_is_closed(folder: Path, russia: Catalogue) -> None:
    moscow = load_calendars(folder, russia).of("77")
    assert moscow.hours(date(2024, 3, 18)) == hours((9, 13), (14, 24))
    assert moscow.hours(date(2024, 3, 19)) == ()
    assert moscow.days_off[date(2024, 4, 29)] == "Выходной (перенесено с 27.04.2024)"


@pytest.mark.parametrize(
    ("file", "text", "named"),
    [
        ("calendar.toml", "country = ", "Invalid value"),
        ("calendar.toml", 'country = "RU"\nlanguage = "ru"\n', "hours"),
        ("calendar.toml", 'country = "XX"\nlanguage = "ru"\n[hours]\nmonday=["09:00-18:00"]', "XX"),
        ("calendar.toml", 'country = "RU"\nlanguage = "ru"\n[hours]\nmunday=[]', "munday"),
        ("calendar.toml", 'country = "RU"\nlanguage = "ru"\n[hours]\nmonday=[]', "never"),
        ("calendar.toml", 'country = "RU"\nlanguage = "ru"\n[hours]\nmonday=["9-18"]', "9-18"),
        (
            "calendar.toml",
            'country = "RU"\nlanguage = "ru"\n[hours]\nmonday=["09:00-25:00"]',
            "09:00-25:00",
        ),
        (
            "calendar.toml",
            'country = "RU"\nlanguage = "ru"\n[hours]\nmonday=["09:00-18:00", "17:00-19:00"]',
            "do not follow",
        ),
        (
            "calendar.toml",
            'country = "RU"\nlanguage = "ru"\n[hours]\nmonday=["09:00-18:00"]\n'
            "[short_days]\nminutes_less = 60\ndays = [2024-01-01]",
            "2024-01-01",
        ),
        ("days_off.csv", "ATLANTIS,2024-01-01,,X,law", "line 2.*ATLANTIS"),
        ("days_off.csv", "77,yesterday,,X,law", "line 2.*yesterday"),
        ("days_off.csv", "77,2024-01-02,2024-01-01,X,law", "line 2.*no holiday"),
        ("days_off.csv", "77,2024-01-02,2034-01-01,X,law", "line 2.*no holiday"),
        ("days_off.csv", "77,2024-01-02,,X,", "line 2.*source"),
        ("days_off.csv", "77,2024-01-02,,X,law,more", "line 2.*too many"),
        ("moved_days.csv", ",2024-01-06,2024-01-09,X,law", "line 2.*whole country"),
        ("moved_days.csv", "77,2024-01-06,,X,law", "line 2"),
        ("moved_days.csv", "77,2024-01-06,2024-01-09,X,", "line 2.*source"),
    ],
)
def test_a_broken_calendar_is_refused_naming_file_and_line(
    folder: Path, russia: Catalogue, file: str, text: str, named: str
) -> None:
    heads = {
        "days_off.csv": "region,first,last,name,source\n",
        "moved_days.csv": "region,worked,off,name,source\n",
    }
    (folder / file).write_text(heads.get(file, "") + text, encoding="utf-8")
    with pytest.raises(CatalogueInvalid, match=f"(?s){file}.*{named}"):
        load_calendars(folder, russia)
