"""Tables of deadlines: how many fell due, were kept or missed, and by how much."""

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from domain.runs import Run
from domain.vocabulary import Clock
from projections.statistics.figures import share, told_by


class OverdueBy(StrEnum):
    """What a table of deadlines is told apart by: as the incidents stand now."""

    WHOLE = "WHOLE"
    MUNICIPALITY = "MUNICIPALITY"
    ORGANISATION = "ORGANISATION"
    TOPIC_GROUP = "TOPIC_GROUP"


class Side(StrEnum):
    """On which side of its deadlines an incident is: late if it missed any."""

    LATE = "LATE"
    KEPT = "KEPT"


@dataclass(slots=True)
class Overdue:
    """What became of some deadlines of one clock."""

    kept: int = 0
    running: int = 0  # not late so far
    open_late: int = 0  # of the missed, those that run still
    late: "array[float]" = field(default_factory=lambda: array("d"))  # by so many seconds

    @property
    def missed(self) -> int:
        return len(self.late)

    @property
    def due(self) -> int:
        return self.kept + self.missed

    @property
    def overdue_share(self) -> float | None:
        return share(self.missed, self.due)

    @property
    def lateness(self) -> tuple[float | None, float | None]:
        """Median and p90 of the missed, in seconds; nearest rank."""
        if not self.late:
            return None, None
        median, p90, *_ = told_by(sorted(self.late))
        return median, p90

    def add(self, run: Run, now: datetime) -> None:
        late = run.late_seconds(now)
        if late is not None:
            self.late.append(late)
            self.open_late += run.ended_at is None
        elif run.ended_at is not None:
            self.kept += 1
        else:
            self.running += 1


class Row(NamedTuple):
    """Which line of a table; `code` is "" where nobody knows it."""

    by: OverdueBy
    code: str
    clock: Clock


Table = dict[Row, Overdue]


def in_order(rows: Iterable[Row]) -> list[Row]:
    """The whole first; in each dimension by code, of each code clock by clock."""
    dimensions, clocks = list(OverdueBy), list(Clock)
    return sorted(
        rows, key=lambda row: (dimensions.index(row.by), row.code, clocks.index(row.clock))
    )
