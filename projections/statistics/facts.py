"""What an incident tells the statistics: only what changes of it has to be counted anew."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date
from operator import attrgetter
from typing import NamedTuple
from uuid import UUID

from projections.incidents import COLUMNS, IncidentRow
from projections.statistics.measures import DURATION_NAMES, WORDS, Cohort, UnitDay

MEASURED = [name for name in COLUMNS if any(name in words for words in WORDS.values())]
# Where among these stand the cells that a cohort is counted by, or a duration measured.
PLACES = {
    of: [place for place, name in enumerate(MEASURED) if name in words]
    for of, words in WORDS.items()
}
READ_BY = [
    [of for of, places in PLACES.items() if place in places] for place in range(len(MEASURED))
]
EVERYTHING: tuple[str, ...] = (*Cohort, *DURATION_NAMES)
COHORTS: dict[str, int] = {cohort: number for number, cohort in enumerate(Cohort)}
DAYS, CELLS = attrgetter(*Cohort), attrgetter(*MEASURED)


class Told(NamedTuple):
    """What one incident tells, at a moment."""

    region: str = ""
    municipalities: tuple[str, ...] = ()  # "", and its own if it is known; none: it is not counted
    days: tuple[date | None, ...] = ()  # by cohort
    cells: tuple[object, ...] = ()  # by MEASURED

    def units(self, of: str) -> Iterator[UnitDay]:
        """What it counts for in a cohort, or by a duration."""
        if self.municipalities:
            day = self.days[COHORTS.get(of, COHORTS[Cohort.REGISTERED])]
            if day is not None and (of in COHORTS or self._lasted(of)):
                for municipality in self.municipalities:
                    yield UnitDay(self.region, day, municipality)

    def _lasted(self, of: str) -> bool:
        cells = [self.cells[place] for place in PLACES[of]]
        return None not in cells and () not in cells


NOTHING = Told()


def told_of(row: IncidentRow) -> Told:
    if not row.counted:
        return NOTHING
    return Told(
        row.region,
        ("",) if row.municipality is None else ("", row.municipality),
        DAYS(row),
        # A list grows in place; what it was is to be compared with what it is.
        tuple([tuple(cell) if cell.__class__ is list else cell for cell in CELLS(row)]),
    )


class Touched(NamedTuple):
    """What is to be counted anew, and which durations are."""

    days: set[UnitDay]
    durations: set[tuple[UnitDay, str]]


def touched(before: Mapping[UUID, Told], rows: Iterable[IncidentRow]) -> Touched:
    """What the rows tell otherwise than before: where they told it, and where they tell it now."""
    found: dict[str, set[UnitDay]] = defaultdict(set)
    for row in rows:
        was, is_now = before.get(row.id, NOTHING), told_of(row)
        for of in _changed(was, is_now):
            found[of].update(was.units(of), is_now.units(of))
    days = set().union(*(found[cohort] for cohort in Cohort))
    return Touched(days, {(unit, name) for name in DURATION_NAMES for unit in found[name]})


def _changed(was: Told, is_now: Told) -> Collection[str]:
    """In which cohorts, and of which durations, it may tell something else."""
    if was == is_now:
        return ()
    if was[:2] != is_now[:2]:
        return EVERYTHING
    changed: set[str] = set()
    for cohort, day, new_day in zip(Cohort, was.days, is_now.days, strict=True):
        if day != new_day:
            changed.update(EVERYTHING if cohort is Cohort.REGISTERED else [cohort])
    for read_by, cell, new_cell in zip(READ_BY, was.cells, is_now.cells, strict=True):
        if cell != new_cell:
            changed.update(read_by)
    return changed
