"""The formats that a table is written in, page by page; a file goes where its bytes are taken.

No cell is ever a formula: spreadsheets carry out what a citizen wrote, if it begins with `=`.
"""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import xlsxwriter

from projections.views.columns import Cell, Kind
from projections.views.tables import Row, Table, Told
from regions.exports import ExportFormat
from workers.sink import Sink, Write

TRIGGERS = ("=", "+", "-", "@", "\t", "\r")  # OWASP, "CSV Injection"


class About(NamedTuple):
    """The words of the second sheet of a workbook."""

    sheet: str
    at: str
    zone: str
    period: str
    provisional: str
    yes: str
    no: str
    method: str
    position: str


ENGLISH = About(
    "About", "As of", "Moments", "Period", "Provisional", "yes", "no", "Method", "Position"
)
WORDS = {
    "ru": About(
        "О выгрузке",
        "Состояние на",
        "Моменты времени",
        "Период",
        "Предварительно",
        "да",
        "нет",
        "Метод",
        "Позиция",
    )
}


def writer(format: ExportFormat, sink: Sink, table: Table) -> AbstractContextManager[Write]:
    """What takes the rows; the file is whole when the block ends without an error."""
    match format:
        case ExportFormat.CSV:
            return _csv(sink, table)
        case ExportFormat.XLSX:
            return _xlsx(sink, table)
        case ExportFormat.PARQUET:
            from workers import parquet  # noqa: PLC0415 - who writes none does without its library

            return parquet.written(sink, table)


@contextmanager
def _csv(sink: Sink, table: Table) -> Iterator[Write]:
    """RFC 4180 in UTF-8; moments in ISO 8601, null is an empty cell."""

    def write(rows: Sequence[Sequence[Cell]]) -> None:
        text = io.StringIO(newline="")
        csv.writer(text).writerows([_text(cell) for cell in row] for row in rows)
        sink.write(text.getvalue().encode())

    write([[column.name for column in table.columns]])
    yield write


def _text(cell: Cell) -> str | int | float | None:
    match cell:
        case bool():
            return "true" if cell else "false"
        case str():
            return f"'{cell}" if cell.startswith(TRIGGERS) else cell
        case datetime():
            return cell.astimezone(UTC).isoformat()
        case int() | float() | None:
            return cell
        case _:
            return cell.isoformat()


@contextmanager
def _xlsx(sink: Sink, table: Table) -> Iterator[Write]:
    """A sheet of rows and one that tells of what; moments are in UTC: a cell has no offset."""
    with TemporaryDirectory() as folder:
        options = {
            "constant_memory": True,
            "tmpdir": folder,
            "remove_timezone": True,
            "use_zip64": True,  # a million rows are some 2 GiB before they are packed
        }
        book = xlsxwriter.Workbook(sink, options)
        sheet = book.add_worksheet("export")
        put = _putters(book, sheet)
        sheet.write_row(0, 0, [column.name for column in table.columns])
        sheet.freeze_panes(1, 0)
        written = 0

        def write(rows: Sequence[Row]) -> None:
            nonlocal written
            for row in rows:
                written += 1
                for number, (column, cell) in enumerate(zip(table.columns, row, strict=True)):
                    if cell is not None:
                        put[column.kind](written, number, cell)

        try:
            yield write
            words = WORDS.get(table.told.language, ENGLISH)
            about = book.add_worksheet(words.sheet)
            for line, pair in enumerate(_about(table.told, words)):
                about.write_string(line, 0, pair[0])
                about.write_string(line, 1, pair[1])
            book.close()
        finally:
            sheet.row_data_fh.close()  # of a file that was broken off


def _putters(book: Any, sheet: Any) -> dict[Kind, Callable[[int, int, Cell], None]]:
    moment = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
    day = book.add_format({"num_format": "yyyy-mm-dd"})
    return {
        Kind.TEXT: sheet.write_string,
        Kind.WHOLE: sheet.write_number,
        Kind.NUMBER: sheet.write_number,
        Kind.FLAG: sheet.write_boolean,
        Kind.MOMENT: lambda line, at, cell: sheet.write_datetime(
            line,
            at,
            cell.astimezone(UTC),
            moment,
        ),
        Kind.DAY: lambda line, at, cell: sheet.write_datetime(line, at, cell, day),
    }


def _about(told: Told, words: About) -> Iterator[tuple[str, str]]:
    yield words.at, told.at.astimezone(UTC).isoformat()
    yield words.zone, "UTC"
    if told.period is not None:
        yield words.period, f"{told.period.first} — {told.period.last}"
        yield words.provisional, words.yes if told.provisional else words.no
    if told.method is not None:
        yield words.method, told.method
    for position in told.positions:
        yield words.position, position
