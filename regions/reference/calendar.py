"""Working time of one place: its hours, its holidays, its own clock.

Moments are compared and subtracted in UTC, so an hour is an hour although the local clock was moved
in between. The openings of the years asked about are laid out once a calendar, with the working
time before each; from then on every question is a binary search or two, however long the span.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple, assert_never
from zoneinfo import ZoneInfo

from domain.deadlines import Term
from domain.vocabulary import TermUnit

DAY = timedelta(days=1)
YEAR = 366 * DAY
NOTHING = timedelta(0)


class Opening(NamedTuple):
    """From when to when, by the local clock since midnight; 24 hours are the end of the day."""

    start: timedelta
    end: timedelta


Hours = tuple[Opening, ...]  # of one day, in order; empty: closed
Week = tuple[Hours, Hours, Hours, Hours, Hours, Hours, Hours]  # from Monday

ALL_DAY: Hours = (Opening(NOTHING, DAY),)
AROUND_THE_CLOCK: Week = (ALL_DAY, ALL_DAY, ALL_DAY, ALL_DAY, ALL_DAY, ALL_DAY, ALL_DAY)


@dataclass(frozen=True, eq=False)
class WorkCalendar:
    """When a place works. Answers in UTC; a moment without a zone raises ValueError."""

    zone: ZoneInfo
    week: Week
    days_off: Mapping[date, str] = field(default_factory=dict)  # to their names; beat the others
    other_hours: Mapping[date, Hours] = field(default_factory=dict)  # moved and shortened days
    # In a list, as the calendar is frozen. A longer layout replaces it whole, so threads see the
    # old one or the new one; at worst two make the same.
    _laid_out: list["_Layout"] = field(default_factory=list, init=False, repr=False)

    def __post_init__(self) -> None:
        if not any(self.week):
            raise ValueError("a calendar that never opens would never reach a deadline")

    def working_time(self, start: datetime, end: datetime) -> timedelta:
        """Between two moments; nothing if the end is not later."""
        start, end = _utc(start), _utc(end)
        if end <= start:
            return NOTHING
        layout = self._layout(start, end)
        return layout.worked(end) - layout.worked(start)

    def due_at(self, start: datetime, term: Term) -> datetime:
        """When a term that begins at `start` is over.

        HOURS: so many hours later, open or not. WORKING_HOURS: once so much working time has
        passed; outside the hours it begins with the next working minute. DAYS: with the end of the
        local day that comes so many days after that of `start`. WORKING_DAYS: with the last closing
        of the n-th working day after the local day of `start`.
        """
        start = _utc(start)
        match term.unit:
            case TermUnit.HOURS:
                return start + timedelta(hours=term.amount)
            case TermUnit.WORKING_HOURS:
                return self.after(start, timedelta(hours=term.amount))
            case TermUnit.DAYS:
                return self.midnight(self.day(start) + (term.amount + 1) * DAY)
            case TermUnit.WORKING_DAYS:
                return self._closing(start, term.amount)
        assert_never(term.unit)

    def after(self, start: datetime, working: timedelta) -> datetime:
        """The first moment when so much working time has passed since `start`."""
        start = reach = _utc(start)
        if working <= NOTHING:
            return start
        while True:
            layout = self._layout(start, reach)
            if found := layout.first(layout.worked(start) + working):
                return found
            reach += YEAR

    def before(self, end: datetime, working: timedelta) -> datetime:
        """The last moment from which on so much working time is left until `end`."""
        end = reach = _utc(end)
        if working <= NOTHING:
            return end
        while True:
            layout = self._layout(reach, end)
            if found := layout.last(layout.worked(end) - working):
                return found
            reach -= YEAR

    def with_left(self, end: datetime, term: Term) -> datetime:
        """The working moment from which on only this term is left until `end`.

        WORKING_DAYS: the first opening of the n-th working day back, the day of `end` being the
        first. Raises ValueError for a term that is no working time: nobody is there to be told.
        """
        if term.unit is TermUnit.WORKING_HOURS:
            return self.before(end, timedelta(hours=term.amount))
        if term.unit is not TermUnit.WORKING_DAYS:
            raise ValueError(f"{term.amount} {term.unit} is no working time")
        end = reach = _utc(end)
        while True:
            if found := self._layout(reach, end).opening(end, term.amount):
                return found
            reach -= YEAR

    def is_working(self, at: datetime) -> bool:
        """Open at this moment; at the moment of closing it is not."""
        at = _utc(at)
        return self._layout(at, at).is_open(at)

    def next_working(self, at: datetime) -> datetime:
        """`at` itself if it is working, else the next opening."""
        at = reach = _utc(at)
        while True:
            layout = self._layout(at, reach)
            if found := at if layout.is_open(at) else layout.next_opening(at):
                return found
            reach += YEAR

    def working_day(self, day: date) -> bool:
        return bool(self.hours(day))

    def hours(self, day: date) -> Hours:
        if day in self.days_off:
            return ()
        return self.other_hours.get(day, self.week[day.weekday()])

    def midnight(self, day: date) -> datetime:
        """The moment a local day begins."""
        return moment(datetime.combine(day, time()), self.zone)

    def day(self, at: datetime) -> date:
        """The local day of a moment."""
        return _utc(at).astimezone(self.zone).date()

    def _closing(self, start: datetime, amount: int) -> datetime:
        day, reach = self.day(start), start
        while True:
            if found := self._layout(start, reach).closing(day, amount):
                return found
            reach += YEAR

    def _layout(self, first: datetime, last: datetime) -> "_Layout":
        """One that holds both moments, and some months around them."""
        years = [first.year - 1, last.year + 1]
        for known in self._laid_out:
            if known.begins <= first and last < known.ends:
                return known
            years += [known.years.start, known.years.stop - 1]
        made = _Layout.of(self, range(min(years), max(years) + 1))
        self._laid_out[:] = [made]
        return made


def moment(wall: datetime, zone: ZoneInfo) -> datetime:
    """When a local clock first shows this time; if it leaps over it, when it leaps. In UTC."""
    found = wall.replace(tzinfo=zone).astimezone(UTC)
    if found.astimezone(zone).replace(tzinfo=None) == wall:
        return found
    # PEP 495: in a gap fold=0 counts by the old offset and lands behind the leap, fold=1 before.
    before = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    offset = found.astimezone(zone).utcoffset()
    while found - before > timedelta.resolution:
        middle = before + (found - before) / 2
        if middle.astimezone(zone).utcoffset() == offset:
            found = middle
        else:
            before = middle
    return found


def _utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError(f"{at.isoformat()} has no zone, so nobody knows which moment it is")
    return at.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class _Layout:
    """The openings of some local years as moments in UTC: lists in parallel, for `bisect`."""

    years: range
    begins: datetime
    ends: datetime
    opens: list[datetime] = field(default_factory=list)
    closes: list[datetime] = field(default_factory=list)
    before: list[timedelta] = field(default_factory=list)  # working time up to each opening
    days: list[date] = field(default_factory=list)  # those with openings
    day_opens: list[datetime] = field(default_factory=list)
    day_closes: list[datetime] = field(default_factory=list)

    @staticmethod
    def of(calendar: WorkCalendar, years: range) -> "_Layout":
        """Takes some 3 ms a year."""
        first, end = date(years.start, 1, 1), date(years.stop, 1, 1)
        made = _Layout(years, calendar.midnight(first), calendar.midnight(end))
        for day in (first + n * DAY for n in range((end - first).days)):
            midnight = datetime.combine(day, time())
            moments = [
                (
                    moment(midnight + opening.start, calendar.zone),
                    moment(midnight + opening.end, calendar.zone),
                )
                for opening in calendar.hours(day)
            ]
            made._add(day, [(opens, closes) for opens, closes in moments if opens < closes])
        return made

    def _add(self, day: date, openings: list[tuple[datetime, datetime]]) -> None:
        if not openings:
            return
        self.days.append(day)
        self.day_opens.append(openings[0][0])
        self.day_closes.append(openings[-1][1])
        for opens, closes in openings:
            self.before.append(self.worked(opens))
            self.opens.append(opens)
            self.closes.append(closes)

    def worked(self, at: datetime) -> timedelta:
        """Working time from the beginning of the layout until then."""
        index = bisect_right(self.opens, at) - 1
        if index < 0:
            return NOTHING
        return self.before[index] + (min(at, self.closes[index]) - self.opens[index])

    def first(self, worked: timedelta) -> datetime | None:
        """The first moment by which so much is worked; None if that lies behind the layout."""
        index = bisect_left(self.before, worked) - 1
        found = self.opens[index] + (worked - self.before[index])
        return found if found <= self.closes[index] else None

    def last(self, worked: timedelta) -> datetime | None:
        """The last moment by which no more is worked; None if that lies before the layout."""
        index = bisect_right(self.before, worked) - 1
        return self.opens[index] + (worked - self.before[index]) if index >= 0 else None

    def is_open(self, at: datetime) -> bool:
        index = bisect_right(self.opens, at) - 1
        return index >= 0 and at < self.closes[index]

    def next_opening(self, at: datetime) -> datetime | None:
        index = bisect_right(self.opens, at)
        return self.opens[index] if index < len(self.opens) else None

    def closing(self, day: date, amount: int) -> datetime | None:
        """The last one of the n-th working day after this day."""
        index = bisect_right(self.days, day) + amount - 1
        return self.day_closes[index] if index < len(self.days) else None

    def opening(self, end: datetime, amount: int) -> datetime | None:
        """The first one of the n-th working day before `end`, counting backwards."""
        index = bisect_left(self.day_opens, end) - amount
        return self.day_opens[index] if index >= 0 else None
