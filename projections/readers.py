"""Connections that answer viewers: behind a wall each statement goes with what confines it.

The two are one transaction, which ends with them, and one packet: nobody can forget to begin it,
and it costs less than BEGIN, SET, SELECT and COMMIT. This takes the place of a step of psycopg's,
whose version the lock file names; what must hold is told by tests/projections/test_walls.py.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from itertools import count
from typing import Any

from psycopg import AsyncServerCursor, InterfaceError
from psycopg._preparing import Prepare
from psycopg._queries import PostgresQuery
from psycopg.abc import PQGen
from psycopg.generators import fetch_many, send
from psycopg.pq import ExecStatus, PipelineStatus
from psycopg.pq.abc import PGresult
from psycopg.rows import Row

from projections.walls import Wall, setting
from projections.watched import WatchedConnection
from regions.store.statements import CountedAsyncCursor

ONE_BY_ONE = "Behind a wall, statements are executed one by one"


class Reader(WatchedConnection):
    """A connection that asks behind a wall (`behind`), or as the process itself."""

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self.server_cursor_factory = ReadersServerCursor
        self.wall: Wall | None = None
        self.known: dict[str, bytes] = {}  # roles of walls, and the statement prepared for each
        self.numbers = count()  # of such statements

    @contextmanager
    def behind(self, wall: Wall) -> Iterator[None]:
        """What the block executes is confined; nothing but `execute` works there."""
        self.wall = wall
        try:
            yield
        finally:
            self.wall = None

    def check_unconfined(self) -> None:
        """Raises InterfaceError behind a wall."""
        if self.wall is not None:
            raise InterfaceError(ONE_BY_ONE)

    def _deallocate(self, name: bytes | None) -> PQGen[None]:
        if name is None:  # all, as after each transaction that was rolled back
            self.known.clear()  # should this be given up, none of their names comes again
        return super()._deallocate(name)


@lru_cache(maxsize=1000)
def _sent(wall: Wall) -> tuple[bytes, list[bytes]]:
    """The statement that sets it, the same for all walls of a role, and its values."""
    settings = wall.settings
    places = [f"${n}" for n in range(1, 1 + len(settings))]
    return setting(settings, places), [text.encode() for text in settings.values()]


class ReadersCursor(CountedAsyncCursor[Row]):
    """Sends what it executes together with its connection's wall; refuses other ways to ask."""

    _conn: Reader

    def __init__(self, connection: Reader, **options: Any) -> None:
        super().__init__(connection, **options)
        self.wall = connection.wall  # also if its turn comes when the block has ended

    def _maybe_prepare_gen(
        self, pgq: PostgresQuery, *, prepare: bool | None = None, binary: bool | None = None
    ) -> PQGen[None]:
        wall = self.wall or self._conn.wall
        if wall is None:
            yield from super()._maybe_prepare_gen(pgq, prepare=prepare, binary=binary)
            return
        if self._pgconn.pipeline_status != PipelineStatus.OFF:
            raise InterfaceError(ONE_BY_ONE)
        self._pgconn.enter_pipeline_mode()
        its_name = self._send_wall(wall)
        prep, name = self._get_prepared(pgq, prepare)
        if prep is Prepare.NO:
            self._execute_send(pgq, force_extended=True, binary=binary)
        else:
            if prep is Prepare.SHOULD:
                self._send_prepare(name, pgq)
            self._send_query_prepared(name, pgq, binary=binary)
        *before, results = yield from self._answers()
        self._check_results(before[0])
        self._conn.known[wall.role] = its_name  # whatever becomes of the question
        for each in before[1:]:
            self._check_results(each)
        key = self._conn._prepared.maybe_add_to_cache(pgq, prep, name)  # now it is prepared
        if key is not None:
            self._conn._prepared.validate(key, prep, name, results)
        self._check_results(results)
        self._set_results(results)

    def _send_wall(self, wall: Wall) -> bytes:
        """The name of its statement, which is prepared with this unless it is known."""
        statement, values = _sent(wall)
        name = self._conn.known.get(wall.role)
        if name is None:
            name = f"{wall.role}_{next(self._conn.numbers)}".encode()
            self._pgconn.send_prepare(name, statement)
        self._pgconn.send_query_prepared(name, values)
        return name

    def _answers(self) -> PQGen[list[list[PGresult]]]:
        """One for each of what was sent, which is committed by this."""
        self._pgconn.pipeline_sync()
        yield from send(self._pgconn)
        answers: list[list[PGresult]] = []
        while True:
            results = yield from fetch_many(self._pgconn)
            if results[0].status == ExecStatus.PIPELINE_SYNC:
                self._pgconn.exit_pipeline_mode()
                return answers
            answers.append(results)

    def _stream_send_gen(self, *given: Any, **options: Any) -> PQGen[None]:
        self._conn.check_unconfined()
        return super()._stream_send_gen(*given, **options)

    def _start_copy_gen(self, *given: Any, **options: Any) -> PQGen[Any]:
        self._conn.check_unconfined()
        return super()._start_copy_gen(*given, **options)


class ReadersServerCursor(AsyncServerCursor[Row]):
    _conn: Reader

    def _declare_gen(self, *given: Any, **options: Any) -> PQGen[None]:
        self._conn.check_unconfined()
        return super()._declare_gen(*given, **options)
