"""What an incident tells the statistics: only what changes of it has to be counted anew."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from operator import attrgetter
from typing import NamedTuple
from uuid import UUID

from projections.incidents import COLUMNS, IncidentRow
from projections.measures import DURATION_NAMES, WORDS, Cohort, UnitDay

MEASURED = [name for name in COLUMNS if any(name in words for words in WORDS.values())]
# Where among these stand the cells that a cohort is counted by, or a duration measured.
PLACES = {
    of: [place for place, name in enumerate(MEASURED) if name in words]
    for of, words in WORDS.items()
}
DAYS, CELLS = attrgetter(*Cohort), attrgetter(*MEASURED)


class Fact(NamedTuple):
    unit_day: UnitDay
    of: Cohort | str  # in which cohort it counts, or which duration this is
    cells: tuple[object, ...]


class Told(NamedTuple):
    """What one incident tells, at a moment."""

    region: str = ""
    municipalities: tuple[str, ...] = ()  # "", and its own if it is known; none: it is not counted
    days: tuple[date | None, ...] = ()  # by cohort
    cells: tuple[object, ...] = ()  # by MEASURED

    def facts(self) -> set[Fact]:
        return {
            Fact(UnitDay(self.region, day, municipality), of, cells)
            for municipality in self.municipalities
            for day, of, cells in self._of_days()
        }

    def _of_days(self) -> Iterator[tuple[date, Cohort | str, tuple[object, ...]]]:
        for cohort, day in zip(Cohort, self.days, strict=True):
            if day is not None:
                yield day, cohort, self._cells_of(cohort)
            if day is not None and cohort is Cohort.REGISTERED:
                for name in DURATION_NAMES:
                    cells = self._cells_of(name)
                    if None not in cells and () not in cells:
                        yield day, name, cells

    def _cells_of(self, of: str) -> tuple[object, ...]:
        return tuple(self.cells[place] for place in PLACES[of])


def told_of(row: IncidentRow) -> Told:
    if not row.counted:
        return Told()
    return Told(
        row.region,
        ("",) if row.municipality is None else ("", row.municipality),
        DAYS(row),
        # A list grows in place; what it was is to be compared with what it is.
        tuple(tuple(cell) if isinstance(cell, list) else cell for cell in CELLS(row)),
    )


class Touched(NamedTuple):
    """What is to be counted anew, and which durations are."""

    days: set[UnitDay]
    durations: set[tuple[UnitDay, str]]


def touched(before: Mapping[UUID, Told], rows: Iterable[IncidentRow]) -> Touched:
    """What the rows tell otherwise than before: where they told it, and where they tell it now."""
    changed: set[Fact] = set()
    for row in rows:
        was, is_now = before.get(row.id, Told()), told_of(row)
        if was != is_now:
            changed |= was.facts() ^ is_now.facts()
    return Touched(
        {fact.unit_day for fact in changed if isinstance(fact.of, Cohort)},
        {(fact.unit_day, fact.of) for fact in changed if not isinstance(fact.of, Cohort)},
    )
