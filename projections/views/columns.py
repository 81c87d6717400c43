"""The columns of tables that leave as files: their names stay, new ones come at the end.

Names in the country's language stand beside the codes. What names a person, what was written, and
the point where it happened are in no column.
"""

from binascii import b2a_base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from operator import attrgetter
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import UUID

from domain.vocabulary import OPEN, Ranked
from projections.incidents import IncidentRow
from projections.queues import Queue
from projections.rows import types_of
from projections.statistics.figures import Duration, Figures, share
from projections.statistics.measures import DURATION_NAMES
from projections.views import federal
from projections.views.rankings import Standing
from projections.views.regional import Board
from regions.reference.catalogue import Catalogue

URL_SAFE = bytes.maketrans(b"+/", b"-_")

Cell = str | int | float | bool | datetime | date | None
T = TypeVar("T")


class Kind(StrEnum):
    TEXT = "TEXT"
    WHOLE = "WHOLE"
    NUMBER = "NUMBER"
    FLAG = "FLAG"
    MOMENT = "MOMENT"
    DAY = "DAY"


@dataclass(frozen=True, slots=True)
class Column(Generic[T]):
    name: str
    kind: Kind
    of: Callable[[T], Cell]  # what it tells of a thing


class BoardLine(NamedTuple):
    """A unit on a board: the board's own, or one set beside the others."""

    level: str
    code: str | None  # None: the country
    name: str
    figures: Figures
    population: int | None = None  # these two of the board's own unit only
    board: Board | None = None


def incident_node_id(region: str, id: UUID) -> str:
    """What clients know an incident by (api/types/node.py)."""
    # A page has a hundred: `str` makes calls of its own for each, a specifier takes twice as long.
    told = b"Incident:%b/%032x" % (region.encode(), id.int)
    return b2a_base64(told, newline=False).translate(URL_SAFE).decode()


def incident_columns(catalogue: Catalogue) -> list[Column[IncidentRow]]:
    return [
        Column("id", Kind.TEXT, lambda row: incident_node_id(row.region, row.id)),
        _plain("region"),
        Column("region_name", Kind.TEXT, lambda row: catalogue.region(row.region).name),
        _plain("municipality"),
        _named("municipality", catalogue.municipalities),
        *map(_plain, ("status", "open", "kind", "regime", "priority", "channel")),
        _named("channel", catalogue.channels),
        _plain("topic"),
        _named("topic", catalogue.topics),
        _plain("organisation"),
        _named("organisation", catalogue.organisations),
        *map(_plain, PLAIN),
    ]


PLAIN = (
    "outcome",
    "cycle",
    "returns",
    "hops",
    "messages",
    "transferred_to",
    "origin_region",
    "undelivered",
    "promised_on",
    "promise_moves",
    "promise_kept",
    "rating",
    "disputes",
    "root_cause",
    "published_at",
    "captured_at",
    "registered_at",
    "registered_on",
    "assigned_at",
    "accepted_at",
    "first_replied_at",
    "reply_due_at",
    "due_at",
    "first_due_at",
    "resolved_at",
    "closed_at",
    "changed_at",
    "triage_working_seconds",
    "accept_working_seconds",
    "reply_working_seconds",
    "resolution_working_seconds",
    "paused_seconds",
)
KIND_OF: dict[type, Kind] = {
    str: Kind.TEXT,
    int: Kind.WHOLE,
    float: Kind.NUMBER,
    bool: Kind.FLAG,
    datetime: Kind.MOMENT,
    date: Kind.DAY,
}
TYPES = types_of(IncidentRow)


def _plain(name: str) -> Column[IncidentRow]:
    """As it stands in the row."""
    return Column(name, KIND_OF[TYPES[name]], attrgetter(name))


def _named(name: str, entries: Mapping[str, Any]) -> Column[IncidentRow]:
    """The name of a code; none of what the catalogue does not know any more."""
    code_of = attrgetter(name)

    def name_of(row: IncidentRow) -> str | None:
        entry = entries.get(code_of(row))
        return entry.name if entry else None

    return Column(f"{name}_name", Kind.TEXT, name_of)


def ranking_columns(of: Ranked, catalogue: Catalogue) -> list[Column[Standing]]:
    return [
        Column("tier", Kind.TEXT, lambda one: one.tier),
        Column("place", Kind.WHOLE, lambda one: one.place),
        Column("position", Kind.WHOLE, lambda one: one.position),
        Column("unranked", Kind.TEXT, lambda one: one.unranked),
        Column("region", Kind.TEXT, lambda one: federal.region_of(one.unit, of, catalogue)),
        Column("unit", Kind.TEXT, lambda one: one.unit),
        Column("unit_name", Kind.TEXT, lambda one: _unit_name(one.unit, of, catalogue)),
        Column("n", Kind.WHOLE, lambda one: one.measured.n),
        Column("value", Kind.NUMBER, lambda one: one.measured.value),
        Column("low", Kind.NUMBER, lambda one: one.measured.low),
        Column("high", Kind.NUMBER, lambda one: one.measured.high),
        Column("score", Kind.NUMBER, lambda one: one.score),
        *figure_columns(lambda one: one.figures),
    ]


def _unit_name(unit: str, of: Ranked, catalogue: Catalogue) -> str:
    match of:
        case Ranked.REGIONS:
            return catalogue.region(unit).name
        case Ranked.MUNICIPALITIES:
            return catalogue.municipality(unit).name
        case Ranked.ORGANISATIONS:
            return catalogue.organisations[unit].name


def board_columns() -> list[Column[BoardLine]]:
    return [
        Column("level", Kind.TEXT, lambda line: line.level),
        Column("code", Kind.TEXT, lambda line: line.code),
        Column("name", Kind.TEXT, lambda line: line.name),
        *figure_columns(lambda line: line.figures),
        Column("registered_per_1000", Kind.NUMBER, _per_1000),
        *(
            Column(f"open_{status.lower()}", Kind.WHOLE, _open_in(status))
            for status in sorted(OPEN)
        ),
        *(Column(f"queue_{queue.lower()}", Kind.WHOLE, _waiting_in(queue)) for queue in Queue),
    ]


def _per_1000(line: BoardLine) -> float | None:
    per_resident = share(line.figures.registered, line.population or 0)
    return None if per_resident is None else 1000 * per_resident


def _open_in(status: str) -> Callable[[BoardLine], Cell]:
    return lambda line: line.board.open_by_status.get(status, 0) if line.board else None


def _waiting_in(queue: Queue) -> Callable[[BoardLine], Cell]:
    return lambda line: line.board.queues[queue] if line.board else None


def figure_columns(figures_of: Callable[[T], Figures]) -> list[Column[T]]:
    """Named as the API names them, in snake case; each duration as four columns."""
    counted: list[Column[T]] = [
        Column(name, kind, _figure(figures_of, behind)) for name, kind, behind in FIGURES
    ]
    lasted: list[Column[T]] = [
        Column(f"{TOLD_AS.get(name, name)}_{what}", kind, _lasted(figures_of, name, behind))
        for name in DURATION_NAMES
        for what, kind, behind in LASTED
    ]
    return counted + lasted


FIGURES: Sequence[tuple[str, Kind, str]] = (
    *((name, Kind.WHOLE, name) for name in ("registered", "answered", "resolved", "reopened")),
    ("unanswered_share", Kind.NUMBER, "unanswered_share"),
    ("returned", Kind.WHOLE, "returned"),
    ("return_share", Kind.NUMBER, "return_share"),
    ("hops_per_incident", Kind.NUMBER, "hops_per_incident"),
    ("same_platform_share", Kind.NUMBER, "same_platform_share"),
    ("due", Kind.WHOLE, "due"),
    ("missed", Kind.WHOLE, "missed"),
    ("overdue_share", Kind.NUMBER, "overdue_share"),
    ("first_resolved", Kind.WHOLE, "first_resolved"),
    ("reopen_rate", Kind.NUMBER, "reopen_rate"),
    ("promised", Kind.WHOLE, "promised"),
    ("promise_kept_share", Kind.NUMBER, "promise_share"),
    ("rated", Kind.WHOLE, "rated"),
    ("rated_share", Kind.NUMBER, "rated_share"),
    ("satisfaction", Kind.NUMBER, "satisfaction"),
    ("dispute_rate", Kind.NUMBER, "dispute_rate"),
    ("recurrence_rate", Kind.NUMBER, "recurrence_rate"),
)
# As the API calls them.
TOLD_AS = {"capture": "capture_lag", "accept": "acceptance", "accept_working": "acceptance_working"}
LASTED = (
    ("n", Kind.WHOLE, "cases"),
    ("mean_seconds", Kind.NUMBER, "mean"),
    ("median_seconds", Kind.NUMBER, "median"),
    ("p90_seconds", Kind.NUMBER, "p90"),
)


def _figure(figures_of: Callable[[T], Figures], name: str) -> Callable[[T], Cell]:
    return lambda one: _cell(figures_of(one), name)


def _lasted(figures_of: Callable[[T], Figures], duration: str, name: str) -> Callable[[T], Cell]:
    return lambda one: _cell(figures_of(one).lasted(duration), name)


def _cell(told: Figures | Duration, name: str) -> Cell:
    cell: Cell = getattr(told, name)
    return cell
