"""Which read models are served, and how another version takes their place.

A version is a PostgreSQL schema: `read` is served, `read_next` is built beside it. When it has
caught up, two schemas are renamed in one transaction: no reader sees half of either.
"""

from collections.abc import Callable, Iterator
from typing import LiteralString

import psycopg
from psycopg import sql

from projections.projector import BATCH_EVENTS, Projector
from projections.release import SCHEMA, version_of
from regions.reference.catalogue import Catalogue
from regions.store.roles import READER_ROLES

SERVED, NEXT, RETIRED = "read", "read_next", "read_retired"
REBUILD_LOCK = 7_203_513  # one rebuild at a time
# A leader whose machine vanishes without a word leaves its lock after some ten seconds.
KEEPALIVE = "-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3"
DROP_ATTEMPTS = 100

Progress = Callable[[int, int], None]  # events taken in, events in all


def connect(url: str, schema: LiteralString = SERVED) -> psycopg.Connection:
    """A connection that reads and writes the read models of `schema`."""
    connection = psycopg.connect(url, autocommit=True, options=KEEPALIVE)
    connection.execute(sql.SQL("SET search_path = {}, public").format(sql.Identifier(schema)))
    return connection


def served_version(url: str) -> str | None:
    """The version of the read models in use; None before the first."""
    with connect(url) as connection:
        exists = connection.execute("SELECT to_regclass('built') IS NOT NULL").fetchone()
        if exists != (True,):
            return None
        row = connection.execute("SELECT version FROM built").fetchone()
        return row[0] if row else None


class NotReady(Exception):
    """The database is not made ready for this release: run `tsur migrate`."""

    def __str__(self) -> str:
        return str(self.__doc__)


def require(url: str, catalogue: Catalogue) -> None:
    """Raises NotReady unless the served read models are this release's."""
    if served_version(url) != version_of(catalogue):
        raise NotReady


def ensure(url: str, catalogue: Catalogue, progress: Progress) -> None:
    """Serve this release's read models: make them at first, rebuild them after a change."""
    rebuild(url, catalogue, progress, only_another_version=True)
    with connect(url) as connection:
        add_regions(connection)


def rebuild(
    url: str, catalogue: Catalogue, progress: Progress, *, only_another_version: bool = False
) -> int:
    """Build the read models from the events beside the served ones, then serve the new.

    Returns the number of events; 0 also if `only_another_version` finds this one served. The served
    ones stay readable all the while, and are followed but for the moment of the switch.
    """
    with connect(url, NEXT) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [REBUILD_LOCK])
        if only_another_version and served_version(url) == version_of(catalogue):
            return 0
        _create(connection, version_of(catalogue))
        projector = Projector(connection, catalogue, defer_statistics=True)
        in_all, done = _recorded(connection), 0
        for taken in _steps(projector):
            done += taken
            progress(done, max(done, in_all))
        connection.execute("ANALYZE incident, change")
        projector.count_all()
        connection.execute("ANALYZE daily, daily_duration, monthly_duration")
        with connection.transaction():
            _hold_served(connection)
            _take_over_skips(connection)
            done += sum(_steps(projector))
            _switch(connection)
        _drop_retired(connection)
    return done


def _drop_retired(connection: psycopg.Connection) -> None:
    """Wait for its last readers, but never so long that one of them is ended as a deadlock.

    What is still read after all attempts stays until the next rebuild.
    """
    for _ in range(DROP_ATTEMPTS):
        try:
            with connection.transaction():
                connection.execute("SET LOCAL lock_timeout = '200ms'")  # deadlock_timeout is 1 s
                connection.execute(
                    sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(RETIRED))
                )
            return
        except psycopg.errors.LockNotAvailable:
            continue


def _steps(projector: Projector) -> Iterator[int]:
    """How many events each step takes in, until one has taken in all there was when it began.

    To go on until a step finds nothing would be to wait for the writers to pause.
    """
    while taken := projector.step():
        yield taken
        if taken < BATCH_EVENTS:
            return


def _create(connection: psycopg.Connection, version: str) -> None:
    """An empty version, with the decisions about dead letters that the served one holds."""
    with connection.transaction():
        for schema in (NEXT, RETIRED):
            connection.execute(
                sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema))
            )
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(NEXT)))
        connection.execute(SCHEMA.encode())
        _open_to_roles(connection)
        connection.execute("INSERT INTO built (version) VALUES (%s)", [version])
        add_regions(connection)
        _take_over_skips(connection)


def _open_to_roles(connection: psycopg.Connection) -> None:
    """To processes that answer, and to the projector; what viewers may read stands in SCHEMA."""
    roles = sql.SQL(", ").join(
        map(sql.Identifier, (*READER_ROLES, "tsur_reader", "tsur_projector"))
    )
    for statement in (
        "GRANT USAGE ON SCHEMA {schema} TO {roles}",
        "GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO tsur_reader",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO tsur_projector",
    ):
        connection.execute(sql.SQL(statement).format(schema=sql.Identifier(NEXT), roles=roles))


def _take_over_skips(connection: psycopg.Connection) -> None:
    """Pass over what the served version passes over; what stopped only for that goes on."""
    if _served_exists(connection):
        connection.execute(
            """
            INSERT INTO dead_letter
            SELECT *
              FROM read.dead_letter
             WHERE skipped
                ON CONFLICT (region, pos) DO UPDATE
               SET skipped = true
            """
        )
        connection.execute("UPDATE tracking SET stopped = false WHERE stopped")


def add_regions(connection: psycopg.Connection) -> None:
    """Follow the events of every region that has a head; those before a region's first come too."""
    connection.execute(
        "INSERT INTO tracking (region) SELECT region FROM region_head ON CONFLICT DO NOTHING"
    )


def _recorded(connection: psycopg.Connection) -> int:
    row = connection.execute("SELECT coalesce(sum(pos), 0)::bigint FROM region_head").fetchone()
    return row[0] if row else 0


def _hold_served(connection: psycopg.Connection) -> None:
    """Keep the served version where it is, so that no reader is taken back to an older position."""
    if _served_exists(connection):
        connection.execute("LOCK TABLE read.tracking IN EXCLUSIVE MODE")


def _switch(connection: psycopg.Connection) -> None:
    if _served_exists(connection):
        connection.execute("ALTER SCHEMA read RENAME TO read_retired")
    connection.execute("ALTER SCHEMA read_next RENAME TO read")


def _served_exists(connection: psycopg.Connection) -> bool:
    row = connection.execute("SELECT to_regclass('read.tracking') IS NOT NULL").fetchone()
    return row == (True,)
