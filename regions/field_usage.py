"""Which client still asks for which field of the API, by day."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import NamedTuple

from psycopg_pool import ConnectionPool

KEPT = timedelta(days=400)  # above the longest notice that a field is given
STORE_WAIT_SECONDS = 1.0  # for a connection; usage is not worth a command's place


def add_usage(pool: ConnectionPool, day: date, operations: Mapping[tuple[str, str], int]) -> None:
    """Operations by client and field. Raises psycopg.Error."""
    with pool.connection(STORE_WAIT_SECONDS) as connection, connection.transaction():
        connection.execute(
            """
            INSERT INTO field_usage (day, client, field, operations)
            SELECT %s,
                   client,
                   field,
                   operations
              FROM unnest(%s::text[], %s::text[], %s::bigint[])
                   AS counted (client, field, operations)
             ORDER BY field, client  -- of two processes neither waits for a row of the other
                ON CONFLICT (field, client, day) DO UPDATE
               SET operations = field_usage.operations + excluded.operations
            """,
            [
                day,
                [client for client, _ in operations],
                [field for _, field in operations],
                list(operations.values()),
            ],
        )
        connection.execute("DELETE FROM field_usage WHERE day < %s", [day - KEPT])


class FieldUsage(NamedTuple):
    field: str
    client: str
    operations: int
    last_day: date


def usage_of(pool: ConnectionPool, fields: Sequence[str], *, since: date) -> list[FieldUsage]:
    """Who asked for one of the fields, the most eager first."""
    with pool.connection() as connection:
        rows = connection.execute(
            """
            SELECT field,
                   client,
                   sum(operations)::bigint,
                   max(day)
              FROM field_usage
             WHERE field = ANY (%s)
               AND day >= %s
             GROUP BY field, client
             ORDER BY field, sum(operations) DESC, client
            """,
            [list(fields), since],
        ).fetchall()
    return [FieldUsage(*row) for row in rows]
