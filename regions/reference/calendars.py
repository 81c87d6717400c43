"""The calendars of all places, as a catalogue folder tells them.

How one of them counts working time: regions/reference/calendar.py.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec
from holidays import country_holidays

from regions.reference.calendar import (
    AROUND_THE_CLOCK,
    DAY,
    NOTHING,
    Hours,
    Opening,
    Week,
    WorkCalendar,
)
from regions.reference.catalogue import Catalogue, CatalogueInvalid, Row
from regions.reference.tables import parsed, region_in, sourced

YEARS = range(2000, 2061)  # whose holidays `holidays` is asked for; outside only the week counts
HOLIDAY_MAX = 60 * DAY  # the longest row of days_off.csv; a longer one is a slip of the pen
OPENING = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)")


@dataclass(frozen=True, slots=True)
class SpecialDays:
    """What differs from the week, by date: names of days off, and hours."""

    days_off: dict[date, str] = field(default_factory=dict)
    other_hours: dict[date, Hours] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Calendars:
    """The calendar of every place, made when it is first asked for."""

    catalogue: Catalogue
    week: Week
    common: SpecialDays  # of every region
    by_region: Mapping[str, SpecialDays]
    _made: dict[tuple[str, str], WorkCalendar] = field(default_factory=dict, init=False)

    def of(self, region: str, municipality: str | None = None) -> WorkCalendar:
        """By the municipality's own clock. Raises UnknownRegion."""
        self.catalogue.region(region)
        zone = self.catalogue.zone_of(region, municipality)
        # Regions of one zone without days of their own share a calendar, and so its layout.
        key = (zone.key, region if region in self.by_region else "")
        made = self._made.get(key)
        if made is None:
            made = self._made[key] = self._calendar(zone, region)
        return made

    def _calendar(self, zone: ZoneInfo, region: str) -> WorkCalendar:
        own = self.by_region.get(region, SpecialDays())
        return WorkCalendar(
            zone,
            self.week,
            self.common.days_off | own.days_off,
            self.common.other_hours | own.other_hours,
        )


class CalendarFiles(NamedTuple):
    """Where the calendars of a catalogue are written; any may be missing."""

    week: Path
    days_off: Path
    moved_days: Path

    @staticmethod
    def of(folder: Path) -> "CalendarFiles":
        return CalendarFiles(*(folder / name for name in CALENDAR_FILES))


CALENDAR_FILES = ("calendar.toml", "days_off.csv", "moved_days.csv")


def load_calendars(folder: Path, catalogue: Catalogue) -> Calendars:
    """Read calendar.toml, days_off.csv and moved_days.csv of a catalogue folder.

    Without calendar.toml every place is open around the clock and the other two are not read.
    Raises CatalogueInvalid, naming file and line.
    """
    return read_calendars(CalendarFiles.of(folder), catalogue)


def around_the_clock(catalogue: Catalogue) -> Calendars:
    """Every place is always open."""
    return Calendars(catalogue, AROUND_THE_CLOCK, SpecialDays(), {})


def read_calendars(files: CalendarFiles, catalogue: Catalogue) -> Calendars:
    """The same from files that may lie apart."""
    if not files.week.is_file():
        return around_the_clock(catalogue)
    week, common = _country(files.week)
    by_region: dict[str, SpecialDays] = {}
    for off in parsed(files.days_off, lambda row: _day_off(row, catalogue)):
        special = by_region.setdefault(off.region, SpecialDays()) if off.region else common
        for n in range((off.last - off.first).days + 1):
            special.days_off.setdefault(off.first + n * DAY, off.name)
    for moved in parsed(files.moved_days, lambda row: _moved(row, catalogue)):
        special = by_region.setdefault(moved.region, SpecialDays())
        special.days_off[moved.off] = moved.name
        special.other_hours[moved.worked] = _longest(week)
    return Calendars(catalogue, week, common, by_region)


class DayOff(NamedTuple):
    """A row of days_off.csv."""

    region: str | None  # None: of every region, by a decree that `holidays` does not know
    first: date
    last: date  # included
    name: str


class MovedDay(NamedTuple):
    """A row of moved_days.csv: a region worked on one day and was off on another instead."""

    region: str
    worked: date
    off: date
    name: str


def _day_off(row: Row, catalogue: Catalogue) -> DayOff:
    first = date.fromisoformat(sourced(row)["first"])
    last = date.fromisoformat(row["last"]) if row["last"] else first
    if not first <= last < first + HOLIDAY_MAX:
        raise ValueError(f"from {first} to {last} is no holiday")
    return DayOff(region_in(row, catalogue), first, last, row["name"])


def _moved(row: Row, catalogue: Catalogue) -> MovedDay:
    region = region_in(sourced(row), catalogue)
    if region is None:
        raise ValueError("days moved for the whole country are known to `holidays`")
    worked, off = date.fromisoformat(row["worked"]), date.fromisoformat(row["off"])
    return MovedDay(region, worked, off, row["name"])


class _Hours(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Openings by weekday, each `09:00-18:00`; a weekday that is missing is closed."""

    monday: tuple[str, ...] = ()
    tuesday: tuple[str, ...] = ()
    wednesday: tuple[str, ...] = ()
    thursday: tuple[str, ...] = ()
    friday: tuple[str, ...] = ()
    saturday: tuple[str, ...] = ()
    sunday: tuple[str, ...] = ()


class _ShortDays(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    minutes_less: int = 0
    days: tuple[date, ...] = ()


class _About(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """calendar.toml."""

    country: str  # as `holidays` calls it
    language: str  # of the names of its holidays
    hours: _Hours
    short_days: _ShortDays = _ShortDays()


def _country(path: Path) -> tuple[Week, SpecialDays]:
    """The week and the special days of every region. Raises CatalogueInvalid."""
    try:
        about = msgspec.toml.decode(path.read_bytes(), type=_About)
        week = _week(about.hours)
        known = country_holidays(about.country, years=YEARS, language=about.language)
        special = SpecialDays(dict(known), dict.fromkeys(known.weekend_workdays, _longest(week)))
        _shorten(special, week, about.short_days)
    except (msgspec.MsgspecError, ValueError, NotImplementedError) as error:
        # NotImplementedError: `holidays` does not know the country.
        raise CatalogueInvalid(f"{path}: {error}") from error
    return week, special


def _shorten(special: SpecialDays, week: Week, short: _ShortDays) -> None:
    less = timedelta(minutes=short.minutes_less)
    for day in short.days:
        hours = special.other_hours.get(day, week[day.weekday()])
        if day in special.days_off or not hours or hours[-1].end - less <= hours[-1].start:
            raise ValueError(f"{day} cannot be shortened")
        special.other_hours[day] = (*hours[:-1], Opening(hours[-1].start, hours[-1].end - less))


def _week(by_day: _Hours) -> Week:
    week = (
        _openings(by_day.monday),
        _openings(by_day.tuesday),
        _openings(by_day.wednesday),
        _openings(by_day.thursday),
        _openings(by_day.friday),
        _openings(by_day.saturday),
        _openings(by_day.sunday),
    )
    if not any(week):
        raise ValueError("a week that never opens")
    return week


def _openings(texts: tuple[str, ...]) -> Hours:
    """Raises ValueError unless each ends after it begins and after the one before."""
    hours = tuple(_opening(text) for text in texts)
    walls = [wall for opening in hours for wall in opening]
    if any(later <= earlier for earlier, later in pairwise(walls)) or walls[-1:] > [DAY]:
        raise ValueError(f"openings {', '.join(texts)} do not follow one another")
    return hours


def _opening(text: str) -> Opening:
    match = OPENING.fullmatch(text)
    if not match:
        raise ValueError(f"opening {text!r} is not written like 09:00-18:00")
    hour, minute, end_hour, end_minute = map(int, match.groups())
    return Opening(
        timedelta(hours=hour, minutes=minute), timedelta(hours=end_hour, minutes=end_minute)
    )


def _longest(week: Week) -> Hours:
    """How a weekend day is worked for which another day is off."""
    return max(week, key=lambda hours: sum((end - start for start, end in hours), NOTHING))
