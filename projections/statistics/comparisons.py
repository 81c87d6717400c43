"""With which period another is compared: the one before, the same a year ago, the first of all."""

from calendar import monthrange
from datetime import date, timedelta
from enum import StrEnum

from projections.statistics.figures import Period


class ComparedWith(StrEnum):
    PREVIOUS = "PREVIOUS"  # as long, just before; of whole months the whole months before
    YEAR_AGO = "YEAR_AGO"  # the same days of the year before
    LAUNCH = "LAUNCH"  # as long, from the first day of the unit; of whole months its first ones


def compared(period: Period, by: ComparedWith, *, launched_on: date | None) -> Period | None:
    """None where nothing is known of the launch, or the period reaches back to before it."""
    months = _whole_months(period)
    match by:
        case ComparedWith.PREVIOUS:
            return previous(period)
        case ComparedWith.YEAR_AGO:
            return year_ago(period)
        case ComparedWith.LAUNCH:
            if launched_on is None or launched_on > period.first:
                return None
            if months:
                whole = launched_on.replace(day=1)
                return _months_from(whole if launched_on.day == 1 else _shifted(whole, 1), months)
            return Period(launched_on, launched_on + (period.last - period.first))


def previous(period: Period) -> Period:
    if months := _whole_months(period):
        return _months_from(_shifted(period.first, -months), months)
    last = period.first - timedelta(days=1)
    return Period(last - (period.last - period.first), last)


def year_ago(period: Period) -> Period:
    months = _whole_months(period)
    if months:
        return _months_from(_shifted(period.first, -12), months)
    return Period(_shifted(period.first, -12), _shifted(period.last, -12))


def _whole_months(period: Period) -> int:
    """How many calendar months the period is; 0 if it is not whole ones."""
    first, last = period
    if first.day != 1 or last.day != monthrange(last.year, last.month)[1]:
        return 0
    return 12 * (last.year - first.year) + last.month - first.month + 1


def _months_from(first: date, months: int) -> Period:
    return Period(first, _shifted(first, months) - timedelta(days=1))


def _shifted(day: date, months: int) -> date:
    """The same day so many months later, or the last of a shorter month."""
    year, month = divmod(12 * day.year + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
