"""What must hold of the read models: they are what their events make of them, be it anew."""

from collections.abc import Iterator
from typing import LiteralString

import psycopg
from psycopg import sql

from projections import versions
from regions.reference.catalogue import Catalogue

TABLES: LiteralString = """
SELECT relname
  FROM pg_class
 WHERE relnamespace = current_schema()::regnamespace
   AND relkind IN ('r', 'p')
   AND NOT relispartition
 ORDER BY relname
"""
DIGEST: LiteralString = """
SELECT count(*),
       coalesce(sum(hashtextextended(
           (to_jsonb(row) - ARRAY['built_at', 'projected_at', 'recorded_at'])::text, 0)), 0)
  FROM {} AS row
"""


def digests(connection: psycopg.Connection) -> dict[str, tuple[int, int]]:
    """The rows of each table and a hash of them all, without the moments of building them."""
    found = {}
    for (table,) in connection.execute(TABLES).fetchall():
        of_table = sql.SQL(DIGEST).format(sql.Identifier(table))
        found[table] = connection.execute(of_table).fetchone() or (0, 0)
    return found


def of_read_models(url: str, catalogue: Catalogue) -> Iterator[str]:
    """Tables that are not what a rebuild makes of the events, which takes their place.

    All events must be taken in, and nobody be writing.
    """
    with versions.connect(url) as connection:
        lived = digests(connection)
    versions.rebuild(url, catalogue, lambda done, in_all: None)
    with versions.connect(url) as connection:
        for table, rows in digests(connection).items():
            if rows != lived[table]:
                yield f"table {table} is not what a rebuild makes: {lived[table]}, {rows}"
