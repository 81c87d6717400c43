"""A year of incidents over the whole network, as rows: too many to be generated event by event.

The rows of the made-up network's last 60 days, again and again, each moved back by so many whole
days that the year is filled evenly. Their days are counted as a rebuild counts them.
"""

from collections.abc import Iterator
from datetime import date, datetime
from typing import LiteralString, get_args, get_type_hints

import psycopg

from api.progress import bar
from bench.rebuild import ready
from bench.scratch import DAYS, Scratch, count
from projections import versions
from projections.incidents import IncidentRow
from projections.statistics import days

SEED_INCIDENTS = 100_000
YEAR_DAYS = 365


def year(scratch: Scratch, incidents: int) -> str:
    """A database with read models of so many incidents, and without their events."""
    url = scratch.copy(ready(scratch, SEED_INCIDENTS))
    with versions.connect(url) as connection:
        indices = connection.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'read'"
            " AND tablename = 'incident' AND indexname <> 'incident_pkey'"
        ).fetchall()
        for name, _ in indices:
            connection.execute(f"DROP INDEX read.{name}".encode())
        _multiply(connection, incidents // SEED_INCIDENTS)
        with bar("Making the indices") as progress:
            for number, (_, definition) in enumerate(indices, start=1):
                connection.execute(definition.encode())
                progress(number, len(indices))
        # The meter counts all processes of the server: none may clean up while we ask.
        connection.execute("ALTER TABLE incident SET (autovacuum_enabled = off)")
        connection.execute("VACUUM (ANALYZE) read.incident")
        _count(connection)
        connection.execute(
            "VACUUM (ANALYZE) read.daily, read.daily_duration, read.monthly_duration"
        )
        connection.execute("CHECKPOINT")
    assert count(url, "SELECT count(*) FROM read.incident") == incidents
    return url


def _multiply(connection: psycopg.Connection, copies: int) -> None:
    connection.execute("ALTER TABLE incident DROP CONSTRAINT incident_pkey")
    columns: LiteralString = ", ".join(IncidentRow.__dataclass_fields__)
    moved: LiteralString = ", ".join(_moved())
    connection.execute("CREATE TABLE seed AS TABLE incident")
    connection.execute("TRUNCATE incident")
    with bar(f"Filling a year with {copies * SEED_INCIDENTS:,} rows") as progress:
        for number in range(copies):
            connection.execute(
                "INSERT INTO incident ("
                + columns
                + ") SELECT "
                + moved
                + " FROM seed, LATERAL (SELECT floor(random() * %s)::int + 0 * seed.version)"
                " AS back (days)",
                [YEAR_DAYS - DAYS],
            )
            progress(number + 1, copies)
    connection.execute("DROP TABLE seed")
    connection.execute("ALTER TABLE incident ADD PRIMARY KEY (id)")


def _moved() -> Iterator[LiteralString]:
    """The columns of a row that is so many days older; what is older than the seed is done with."""
    special: dict[str, LiteralString] = {
        "id": "gen_random_uuid()",
        "open": "open AND days < 30",
        "status": "CASE WHEN days < 30 THEN status ELSE 'CLOSED' END",
        "alarm_at": "NULL",
    }
    for name, hint in get_type_hints(IncidentRow).items():
        column: LiteralString = name  # of our own source
        of = {hint, *get_args(hint)}
        if name in special:
            yield special[name]
        elif datetime in of:
            yield column + " - make_interval(days => days)"
        elif date in of:
            yield column + " - days"
        else:
            yield column


def _count(connection: psycopg.Connection) -> None:
    connection.execute("TRUNCATE daily, daily_duration, monthly_duration")
    regions = connection.execute("SELECT DISTINCT region FROM incident ORDER BY region").fetchall()
    with bar("Counting the days") as progress:
        for number, (region,) in enumerate(regions, start=1):
            days.count_region(connection, region)
            progress(number, len(regions))
