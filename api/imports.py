"""Import of a file: its rows become incidents, stay in quarantine, or are refused; all are counted.

    INVARIANT  read = recorded + repeated + quarantined + refused

An import may be broken off and run again at any point: what is recorded is found as repeated.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from uuid import UUID

from api.formats import Accepted, FileInvalid, Format, Rejected, Row
from api.formats.jsonl import JsonLines
from api.formats.nyc311 import Nyc311
from domain.errors import DomainError, Unknown
from regions.bulk import record_histories
from regions.node import Node
from regions.quarantine import NO_REGION, Quarantine, QuarantinedRow

BATCH_ROWS = 500  # histories of one region that are saved together
PENDING_BYTES_MAX = 16 * 1024 * 1024  # of rows that wait for their batch, all regions together
PROGRESS_ROWS = 100
LISTED_MAX = 1_000  # rows a report names for each reason; it counts all of them

FORMATS: dict[str, Callable[[Path], Format]] = {
    "nyc311": lambda catalogue_folder: Nyc311(catalogue_folder / "outcomes.csv"),
    "jsonl": lambda catalogue_folder: JsonLines(),
}

Progress = Callable[[int, int], None]  # bytes read, bytes in all


@dataclass(frozen=True, slots=True)
class ListedRow:
    line: int
    row_key: str
    detail: str


@dataclass(slots=True)
class Tally:
    """The rows that share a reason."""

    count: int = 0
    rows: list[ListedRow] = field(default_factory=list)  # the first LISTED_MAX

    def add(self, row: ListedRow) -> None:
        self.count += 1
        if len(self.rows) < LISTED_MAX:
            self.rows.append(row)


@dataclass(slots=True)
class ImportReport:
    """What became of the rows."""

    read: int = 0
    recorded: int = 0
    repeated: int = 0  # recorded before, by this import or another way
    events: int = 0  # of the recorded
    quarantined: dict[str, Tally] = field(default_factory=dict)  # by the code of the refusal
    refused: dict[str, Tally] = field(default_factory=dict)  # by code; not even kept
    newly_quarantined: int = 0  # of the quarantined: not there before
    released: int = 0  # of the recorded and repeated: were in quarantine until now


def format_named(name: str, catalogue_folder: Path) -> Format:
    """Raises FileInvalid for an unknown format, CatalogueInvalid if the format lacks its tables."""
    if name not in FORMATS:
        raise FileInvalid(reason=f"the formats are {', '.join(FORMATS)}")
    return FORMATS[name](catalogue_folder)


def run_import(
    node: Node,
    format_: Format,
    file: Path,
    *,
    now: datetime,
    progress: Progress = lambda done, in_all: None,
) -> ImportReport:
    """Import a file through the rules of every other command.

    Raises FileInvalid before anything is recorded, and StoreUnavailable when the database stays
    away; then run it again.
    """
    run = _Run(node, Quarantine(node.pool, node.vault, format_.name), now)
    try:
        opened = file.open("rb")
    except OSError as error:
        raise FileInvalid(reason=error.strerror or type(error).__name__) from error
    with opened:
        bytes_in_all = file.stat().st_size
        for row in format_.read(opened, node.catalogue):
            run.take(row)
            if run.report.read % PROGRESS_ROWS == 0:
                progress(opened.tell(), bytes_in_all)
    run.finish()
    progress(bytes_in_all, bytes_in_all)
    return run.report


def describe(report: ImportReport) -> list[tuple[str, int]]:
    """The counts of a report with their labels, in the order to show them."""
    return [
        ("read", report.read),
        ("recorded", report.recorded),
        ("repeated", report.repeated),
        ("events", report.events),
        ("quarantined", _count(report.quarantined)),
        *((f"  {reason}", tally.count) for reason, tally in _by_count(report.quarantined)),
        ("  of them new", report.newly_quarantined),
        ("released from quarantine", report.released),
        ("refused", _count(report.refused)),
        *((f"  {reason}", tally.count) for reason, tally in _by_count(report.refused)),
    ]


def _count(tallies: dict[str, Tally]) -> int:
    return sum(tally.count for tally in tallies.values())


def _by_count(tallies: dict[str, Tally]) -> list[tuple[str, Tally]]:
    return sorted(tallies.items(), key=lambda pair: (-pair[1].count, pair[0]))


class _Run:
    """An import under way: the rows that wait for their batch, and the report so far."""

    def __init__(self, node: Node, quarantine: Quarantine, now: datetime) -> None:
        self.node = node
        self.quarantine = quarantine
        self.now = now
        self.report = ImportReport()
        self.waiting: dict[str, dict[UUID, Accepted]] = {}  # by region and command id
        self.set_aside: list[QuarantinedRow] = []
        self.pending_bytes = 0

    def take(self, row: Row) -> None:
        self.report.read += 1
        if isinstance(row, Accepted):
            self._await_batch(row)
        elif row.content is None:
            self._refuse(row)
        else:
            self._quarantine(row.line, row.row_key, NO_REGION, row.error, row.content)
        if self.pending_bytes > PENDING_BYTES_MAX:
            self.finish()

    def finish(self) -> None:
        """Write whatever waits."""
        for region in list(self.waiting):
            self._record(region)
        self._keep()

    def _await_batch(self, row: Accepted) -> None:
        batch = self.waiting.setdefault(row.region, {})
        if row.history.command_id in batch:
            # The file holds the row twice; the first counts, as it does in another batch.
            self.report.repeated += 1
            return
        batch[row.history.command_id] = row
        self.pending_bytes += len(row.content)
        if len(batch) == BATCH_ROWS:
            self._record(row.region)

    def _record(self, region: str) -> None:
        batch = self.waiting.pop(region)
        self.pending_bytes -= sum(len(row.content) for row in batch.values())
        histories = [row.history for row in batch.values()]
        outcome = record_histories(self.node.centre(region), histories, now=self.now)
        self.report.recorded += len(outcome.recorded)
        self.report.repeated += len(outcome.repeated)
        self.report.events += outcome.events
        for command_id, error in outcome.refused:
            row = batch[command_id]
            self._quarantine(row.line, row.row_key, region, error, row.content)
        self._release([batch[id_].row_key for id_ in (*outcome.recorded, *outcome.repeated)])

    def _release(self, row_keys: Sequence[str]) -> None:
        if row_keys:
            self.report.released += self.quarantine.release(row_keys)

    def _quarantine(
        self, line: int, row_key: str | None, region: str, error: DomainError, content: bytes
    ) -> None:
        row_key = row_key or self._key_of_content(content)
        detail = f"line {line}: {_without_personal_data(error)}"
        self.set_aside.append(QuarantinedRow(row_key, region, error.code, detail, content))
        self.pending_bytes += len(content)
        _add(self.report.quarantined, error, ListedRow(line, row_key, detail))
        if len(self.set_aside) == BATCH_ROWS:
            self._keep()

    def _keep(self) -> None:
        if self.set_aside:
            self.report.newly_quarantined += self.quarantine.keep(self.set_aside)
            self.pending_bytes -= sum(len(row.content) for row in self.set_aside)
            self.set_aside = []

    def _refuse(self, row: Rejected) -> None:
        detail = f"line {row.line}: {row.error}"
        _add(self.report.refused, row.error, ListedRow(row.line, row.row_key or "", detail))

    def _key_of_content(self, content: bytes) -> str:
        """For a row that does not name itself: the same row again has the same key."""
        return f"?{self.node.vault.fingerprint(content).hex()}"


def _add(tallies: dict[str, Tally], error: DomainError, row: ListedRow) -> None:
    tallies.setdefault(error.code, Tally()).add(row)


# What may be quoted from a row: it looks like a code or a term, not like a number to call, an
# address to write to or Russian text.
TERM = re.compile(r"(?!(?:.*\d){9})[A-Za-z0-9 ._/():&'-]{1,60}")


def _without_personal_data(error: DomainError) -> str:
    """The refusal in words, after the step it is about. Of the row, only codes are quoted."""
    quoted = "value" if isinstance(error, Unknown) else "controller"
    told = error
    if quoted in error.facts and not TERM.fullmatch(str(error.facts[quoted])):
        told = type(error)(field=error.field, **(error.facts | {quoted: "…"}))
    return ": ".join([*getattr(error, "__notes__", ()), str(told)])
