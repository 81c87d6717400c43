"""Writing exports: what a viewer asked for, from one snapshot, within what they may see."""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from uuid import UUID

import msgspec
import psycopg

from domain.errors import DomainError
from projections.snapshot import ServedAnew, snapshot
from projections.views.tables import IncidentsWanted, Table, read_wanted, table_of
from regions.exports import PART_BYTES_MAX, Export
from regions.node import Node
from regions.store.event_store import StoreUnavailable
from workers.broker import ATTEMPTS_MAX
from workers.formats import writer

# A million rows of XLSX take seven minutes of a processor; RabbitMQ takes a job away after thirty.
EXPORT_SECONDS_MAX = 25 * 60


@dataclass
class ExportWriter:
    node: Node

    def write(self, export_id: UUID, *, at: Callable[[], datetime]) -> None:
        """Bring one to its end. Done twice it is written once."""
        with self.node.exports.alone(export_id) as alone:
            export = self.node.exports.begin(export_id, at=at()) if alone else None
            if export is None:
                return
            try:
                asyncio.run(self._write(export, at))
            except DomainError as refusal:  # another attempt would find the same
                self.node.exports.fail(export.id, refusal.code, at=at(), for_good=True)
            except BaseException as error:  # also when its time is up, which is no Exception
                given_up = export.attempts >= ATTEMPTS_MAX
                self.node.exports.fail(export.id, _code_of(error), at=at(), for_good=given_up)
                raise

    async def _write(self, export: Export, at: Callable[[], datetime]) -> None:
        wanted = read_wanted(export.question)
        if isinstance(wanted, IncidentsWanted):
            wanted.require(export.scope)
        with Parts(partial(self.node.exports.keep_part, export.id)) as parts:
            async with snapshot(self.node.url, seconds_max=EXPORT_SECONDS_MAX) as connection:
                table = await table_of(
                    connection,
                    wanted,
                    scope=export.scope,
                    catalogue=self.node.catalogue,
                    now=at(),
                )
                await self._fill(export, table, parts)
        self.node.exports.finish(
            export.id,
            told=msgspec.json.encode(table.told),
            size_bytes=parts.size_bytes,
            sha256=parts.digest.hexdigest(),
            at=at(),
        )

    async def _fill(self, export: Export, table: Table, parts: "Parts") -> None:
        rows_done = 0
        self.node.exports.note_progress(export.id, rows_done, table.rows_total)
        with writer(export.format, parts, table) as write:
            async for rows in table.pages:
                write(rows)
                rows_done += len(rows)
                self.node.exports.note_progress(export.id, rows_done, table.rows_total)


def _code_of(error: BaseException) -> str:
    """As of a query that fails so; the log has what it was."""
    away = isinstance(error, psycopg.OperationalError | StoreUnavailable | ServedAnew)
    return "UNAVAILABLE" if away else "INTERNAL"


@dataclass
class Parts:
    """A file that is cut into parts as it is written; each is kept as soon as it is full.

    Once broken off it takes nothing more: an archive writes its end even when it is given up, and
    that would lie among the parts of the next attempt.
    """

    keep: Callable[[int, bytes], None]
    closed: bool = False  # pyarrow asks
    broken: bool = False
    size_bytes: int = 0
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    _kept: int = 0
    _rest: bytearray = field(default_factory=bytearray)

    def __enter__(self) -> "Parts":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None and self._rest:
            self._keep()
        self.broken = kind is not None

    def write(self, piece: bytes) -> int:
        if self.broken:
            return len(piece)
        self.digest.update(piece)
        self.size_bytes += len(piece)
        self._rest += piece
        while len(self._rest) >= PART_BYTES_MAX:
            self._keep()
        return len(piece)

    def flush(self) -> None:
        """Nothing waits but less than a part."""

    def _keep(self) -> None:
        self.broken = True
        self.keep(self._kept, bytes(self._rest[:PART_BYTES_MAX]))
        self.broken = False
        self._kept += 1
        del self._rest[:PART_BYTES_MAX]
