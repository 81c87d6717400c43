"""What a format is: it turns a file into rows, each a whole history or a refusal with its reason.

A format reads line by line and holds one row at a time: its memory does not grow with the file.
"""

import codecs
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Protocol
from uuid import NAMESPACE_URL, uuid5

from domain.commands import Register
from domain.errors import DomainError, ImportRowInvalid, InvalidInput
from domain.identifiers import derived_id
from domain.rights import Actor
from regions.bulk import History, Step
from regions.reference.catalogue import Catalogue

ROW_BYTES_MAX = 512 * 1024  # more than any incident of 200 steps needs; a longer row is not kept
IMPORTS = uuid5(NAMESPACE_URL, "tsur:import")  # the name space of command ids


class FileInvalid(InvalidInput):
    """The file cannot be imported: {reason}."""

    field = "file"


class RowTooLong(ImportRowInvalid):
    """The row is longer than {limit} bytes; it is counted, not kept."""

    field = "row"


class NotUtf8(ImportRowInvalid):
    """The row is not UTF-8: its byte {byte} begins no character."""

    field = "row"


class RowMalformed(ImportRowInvalid):
    """The row cannot be read: {reason}."""

    field = "row"


@dataclass(frozen=True, slots=True)
class Accepted:
    """A row that tells a whole history; the rules of the domain have not judged it yet."""

    line: int
    row_key: str
    region: str
    history: History
    content: bytes  # the row as it came


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that tells none."""

    line: int
    row_key: str | None  # None: the row is too damaged to name itself
    error: DomainError
    content: bytes | None  # None: the row is refused, which means it is not even kept


Row = Accepted | Rejected


class Format(Protocol):
    """The shape of one kind of file."""

    name: str  # also the source its rows are remembered by

    def read(self, file: BinaryIO, catalogue: Catalogue) -> Iterator[Row]:
        """The rows of a file, in its order. Raises FileInvalid before the first."""
        ...


def history(
    source: str,
    row_key: str,
    registration: Register,
    *,
    at: datetime,
    by: Actor,
    steps: Sequence[Step],
) -> History:
    """A history whose ids follow from its source and row: the same row is the same incident."""
    return History(
        incident_id=derived_id(at, source, row_key),
        command_id=uuid5(IMPORTS, f"{source}\x1f{row_key}"),
        registration=registration,
        at=at,
        by=by,
        steps=steps,
    )


@dataclass(frozen=True, slots=True)
class Line:
    number: int  # from 1, as editors count
    content: bytes  # with its line end; of a line that is not whole, the first ROW_BYTES_MAX bytes
    whole: bool = True


def lines(file: BinaryIO) -> Iterator[Line]:
    """The lines of a file, without a byte order mark. Raises FileInvalid if it is empty, UTF-16."""
    number = 0
    while content := file.readline(ROW_BYTES_MAX):
        number += 1
        whole = content.endswith(b"\n") or len(content) < ROW_BYTES_MAX
        if not whole:
            _skip_line(file)
        yield Line(number, _without_mark(content) if number == 1 else content, whole)
    if number == 0:
        raise FileInvalid(reason="it is empty")


def _without_mark(first: bytes) -> bytes:
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise FileInvalid(reason="it is UTF-16; save it as UTF-8")
    return first.removeprefix(codecs.BOM_UTF8)


def _skip_line(file: BinaryIO) -> None:
    while (part := file.readline(ROW_BYTES_MAX)) and not part.endswith(b"\n"):
        pass


def text_of(content: bytes) -> str:
    """Raises NotUtf8."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotUtf8(byte=error.start + 1) from None


def too_long(line: Line) -> Rejected:
    return Rejected(line.number, None, RowTooLong(limit=ROW_BYTES_MAX), None)
