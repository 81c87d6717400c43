"""NYC Open Data's "311 Service Requests" as CSV; the rules for its rows stand in docs/import.md."""

import csv
import io
import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO
from zoneinfo import ZoneInfo

from api.formats import (
    ROW_BYTES_MAX,
    Accepted,
    FileInvalid,
    Line,
    Rejected,
    Row,
    RowMalformed,
    history,
    lines,
    text_of,
    too_long,
)
from domain.commands import Assign, Classify, Close, PublishReply, Register, Resolve, check_date
from domain.errors import (
    ControlCharacter,
    CoordinateOutOfRange,
    DomainError,
    ImportRowInvalid,
    UnknownTopic,
)
from domain.rights import Actor
from domain.vocabulary import Outcome, ReplyKind, Role
from regions.bulk import History, Step
from regions.reference.catalogue import Catalogue, CatalogueInvalid, rows

COLUMNS = (
    "Unique Key",
    "Created Date",
    "Closed Date",
    "Agency",
    "Complaint Type",
    "Status",
    "Due Date",
    "Resolution Description",
    "Community Board",
    "Borough",
    "Open Data Channel Type",
    "Latitude",
    "Longitude",
)
MOMENT = "%m/%d/%Y %I:%M:%S %p"
KEY = re.compile(r"\d{1,20}")
KEY_FIRST = re.compile(rb'"?(\d{1,20})"?,')  # of a row too damaged to be split into cells
RECORD_LINES_MAX = 100  # lines that one row may reach over, through line breaks in quoted cells
DISPATCHER = Actor("nyc311", Role.SYSTEM)


class NoBorough(ImportRowInvalid):
    """Borough is not given: no region can be responsible."""

    field = "Borough"


class DateUnreadable(ImportRowInvalid):
    """{field} is not a time of the form MM/DD/YYYY HH:MM:SS AM."""


class ClosedBeforeCreated(ImportRowInvalid):
    """Closed Date ({closed}) lies before Created Date ({created})."""

    field = "Closed Date"


class ClosingDateMissing(ImportRowInvalid):
    """Status is Closed, but when it was closed is not given."""

    field = "Closed Date"


class OutcomeUnknown(ImportRowInvalid):
    """No prefix of outcomes.csv fits the Resolution Description; add one and import again."""

    field = "Resolution Description"


class Nyc311:
    """`outcomes` is the table that tells outcomes from the openings of resolution texts."""

    name = "nyc311"

    def __init__(self, outcomes: Path) -> None:
        self.outcomes = _outcomes(outcomes)

    def read(self, file: BinaryIO, catalogue: Catalogue) -> Iterator[Row]:
        source = lines(file)
        header = _header(source)
        translation = Translation(catalogue, self.outcomes)
        for line, found in _records(source, len(header)):
            if not isinstance(found, DomainError):
                yield _row(line, dict(zip(header, found, strict=True)), translation)
            elif line.whole:
                yield Rejected(line.number, _first_key(header, line), found, _kept(line))
            else:
                yield too_long(line)


def _row(line: Line, cells: Mapping[str, str], translation: "Translation") -> Row:
    row_key = None
    try:
        row_key = _key(cells)
        region, told = translation.history(row_key, cells)
    except DomainError as error:
        return Rejected(line.number, row_key, error, _kept(line))
    return Accepted(line.number, row_key, region, told, _kept(line))


class Translation:
    """From the words of the file to those of the catalogue."""

    def __init__(self, catalogue: Catalogue, outcomes: Sequence[tuple[str, Outcome]]) -> None:
        self.catalogue = catalogue
        self.outcomes = outcomes
        self.topics = {t.name: t.code for t in catalogue.topics.values() if t.group}

    def history(self, row_key: str, cells: Mapping[str, str]) -> tuple[str, History]:
        """The region of a row and what happened. Raises DomainError."""
        _check_characters(cells)
        region = self._region(cells)
        zone = self.catalogue.region(region).zone
        created = _moment(cells, "Created Date", zone)
        if created is None:
            raise DateUnreadable(field="Created Date")
        steps = [
            Step(Classify(topic=self._topic(cells)), created, DISPATCHER),
            Step(_assign(cells, region, zone), created, DISPATCHER),
            *self._ending(cells, created, _closed(cells, created, zone)),
        ]
        registration = _registration(row_key, cells, created)
        told = history(Nyc311.name, row_key, registration, at=created, by=DISPATCHER, steps=steps)
        return region, told

    def _region(self, cells: Mapping[str, str]) -> str:
        borough = cells["Borough"]
        if borough in ("", "Unspecified"):
            raise NoBorough
        return self.catalogue.region(_hyphened(borough)).code

    def _topic(self, cells: Mapping[str, str]) -> str:
        found = self.topics.get(cells["Complaint Type"])
        if found is None:
            raise UnknownTopic(value=cells["Complaint Type"])
        return found

    def _ending(
        self, cells: Mapping[str, str], created: datetime, closed: datetime | None
    ) -> Iterator[Step]:
        """A closing date is an answer and a result; only Status Closed is the end."""
        if closed is None:
            return
        agency = Actor(cells["Agency"], Role.ORG_HEAD)  # nobody else approves its replies
        text = cells["Resolution Description"] or None
        yield Step(PublishReply(kind=ReplyKind.FINAL, text=text), closed, agency)
        yield Step(Resolve(outcome=self._outcome(text)), closed, agency)
        if cells["Status"] == "Closed":
            yield Step(Close(), closed, DISPATCHER)

    def _outcome(self, text: str | None) -> Outcome:
        """Of the longest prefix. No text claims no solution: EXPLAINED."""
        if text is None:
            return Outcome.EXPLAINED
        for prefix, outcome in self.outcomes:
            if text.startswith(prefix):
                return outcome
        raise OutcomeUnknown


def _registration(row_key: str, cells: Mapping[str, str], created: datetime) -> Register:
    return Register(
        municipality=_municipality(cells["Community Board"]),
        channel=cells["Open Data Channel Type"],
        external_id=row_key,
        published_at=created,
        latitude=_degrees(cells, "Latitude"),
        longitude=_degrees(cells, "Longitude"),
    )


def _assign(cells: Mapping[str, str], region: str, zone: ZoneInfo) -> Assign:
    organisation = f"{region}-{cells['Agency']}"
    return Assign(organisation=organisation, due_at=_moment(cells, "Due Date", zone))


def _municipality(board: str) -> str | None:
    """The code of "09 QUEENS"; None for a board that is not known."""
    if not board or "Unspecified" in board:
        return None
    number, _, borough = board.partition(" ")
    return f"{_hyphened(borough)}-{number}"


def _hyphened(borough: str) -> str:
    return borough.replace(" ", "-")


def _closed(cells: Mapping[str, str], created: datetime, zone: ZoneInfo) -> datetime | None:
    """Raises ClosingDateMissing or ClosedBeforeCreated."""
    closed = _moment(cells, "Closed Date", zone)
    if closed is None and cells["Status"] == "Closed":
        raise ClosingDateMissing
    if closed is not None and closed < created:
        raise ClosedBeforeCreated(closed=cells["Closed Date"], created=cells["Created Date"])
    return closed


def _moment(cells: Mapping[str, str], column: str, zone: ZoneInfo) -> datetime | None:
    """Local time as UTC; of the hour that comes twice in autumn, the first. Raises InvalidInput."""
    if not cells[column]:
        return None
    try:
        local = datetime.strptime(cells[column], MOMENT).replace(tzinfo=zone, fold=0)
    except ValueError:
        raise DateUnreadable(field=column) from None
    check_date(column, local)
    # Two times of one zone compare by their clock faces; as UTC they compare by what passed.
    return local.astimezone(UTC)


def _degrees(cells: Mapping[str, str], column: str) -> float | None:
    try:
        return float(cells[column]) if cells[column] else None
    except ValueError:
        raise CoordinateOutOfRange(field=column) from None


def _key(cells: Mapping[str, str]) -> str:
    if not KEY.fullmatch(cells["Unique Key"]):
        raise ImportRowInvalid(field="Unique Key", reason="Unique Key is not a number")
    return cells["Unique Key"]


def _first_key(header: Sequence[str], line: Line) -> str | None:
    found = KEY_FIRST.match(line.content) if header[0] == "Unique Key" else None
    return found[1].decode() if found else None


def _check_characters(cells: Mapping[str, str]) -> None:
    for column, cell in cells.items():
        if "\0" in cell:
            raise ControlCharacter(field=column if column in COLUMNS else "row")


def _kept(line: Line) -> bytes:
    return line.content.rstrip(b"\r\n")


def _header(source: Iterator[Line]) -> list[str]:
    """The columns, in the file's order. Raises FileInvalid if one we need is missing."""
    try:
        header = _cells(next(source).content)
    except DomainError as error:
        if isinstance(error, FileInvalid):
            raise
        raise FileInvalid(reason="its first line is not a CSV header in UTF-8") from None
    missing = [column for column in COLUMNS if column not in header]
    if missing:
        raise FileInvalid(reason=f"its header lacks the columns {', '.join(missing)}")
    if len(set(header)) < len(header):
        raise FileInvalid(reason="its header names a column twice")
    return header


def _records(source: Iterator[Line], width: int) -> Iterator[tuple[Line, list[str] | DomainError]]:
    """Rows as cells. A row goes on while a quote is open; a quote that is never closed spoils its
    own line and no other: the lines after it are read anew."""
    waiting: deque[Line] = deque()
    while line := _next(waiting, source):
        if line.content.strip():
            yield _record(line, waiting, source, width)


def _record(
    line: Line, waiting: deque[Line], source: Iterator[Line], width: int
) -> tuple[Line, list[str] | DomainError]:
    following = _continuation(line, waiting, source)
    if following:
        joined = Line(line.number, b"".join(part.content for part in (line, *following)))
        found = _checked_cells(joined.content, width)
        if not isinstance(found, DomainError):
            return joined, found
        waiting.extendleft(reversed(following))
    return line, _checked_cells(line.content, width)


def _continuation(line: Line, waiting: deque[Line], source: Iterator[Line]) -> list[Line]:
    """The lines up to the one that closes the quote left open in `line`."""
    following: list[Line] = []
    quote_open = line.whole and line.content.count(b'"') % 2 == 1
    size = len(line.content)
    while quote_open and len(following) < RECORD_LINES_MAX and size <= ROW_BYTES_MAX:
        part = _next(waiting, source)
        if part is None:
            break
        following.append(part)
        size += len(part.content)
        quote_open = part.content.count(b'"') % 2 == 0 or not part.whole
    return following


def _next(waiting: deque[Line], source: Iterator[Line]) -> Line | None:
    return waiting.popleft() if waiting else next(source, None)


def _checked_cells(content: bytes, width: int) -> list[str] | DomainError:
    try:
        cells = _cells(content)
    except DomainError as error:
        return error
    if len(cells) != width:
        return RowMalformed(reason=f"it has {len(cells)} cells, the header has {width}")
    return cells


def _cells(content: bytes) -> list[str]:
    """Raises NotUtf8 or RowMalformed."""
    text = text_of(content)
    try:
        found = next(csv.reader(io.StringIO(text, newline=""), strict=True), [])
    except csv.Error:
        raise RowMalformed(reason="a quote is not closed, or a cell is too long") from None
    return [cell.strip() for cell in found]


def _outcomes(file: Path) -> list[tuple[str, Outcome]]:
    """Prefixes and outcomes, the longest prefix first. Raises CatalogueInvalid."""
    try:
        found = [(row["prefix"], Outcome(row["outcome"])) for row in rows(file)]
    except (OSError, KeyError, ValueError) as error:
        raise CatalogueInvalid(f"{file}: {error}") from error
    return sorted(found, key=lambda pair: -len(pair[0]))
