"""Rows are what PostgreSQL gives: plans look at no value of a column whose type says enough."""

from datetime import date, datetime
from uuid import UUID

import psycopg

from projections.incidents import IncidentRow
from projections.rows import types_of
from regions.node import Node

GIVEN = {
    "text": str, "uuid": UUID, "integer": int, "bigint": int, "boolean": bool, "date": date,
    "timestamp with time zone": datetime, "double precision": float, "bytea": bytes,
    "double precision[]": list[float],
}  # fmt: skip


def test_each_column_of_incidents_has_the_type_that_its_row_says(node: Node) -> None:
    with psycopg.connect(node.url, options="-c search_path=read,public") as connection:
        found = connection.execute(
            """
            SELECT attname,
                   format_type(atttypid, atttypmod)
              FROM pg_attribute
             WHERE attrelid = 'incident'::regclass
               AND attnum > 0
               AND NOT attisdropped
            """
        ).fetchall()
    columns = {name: GIVEN[of] for name, of in found}
    types = types_of(IncidentRow)
    assert types == {name: columns[name] for name in types}
    assert {str, bool, datetime, date} <= {*types.values()}


def test_types_are_those_of_values_that_are_not_none() -> None:
    class Row:
        one: int
        other: str | None
        several: int | str | None
        many: list[float]

    assert types_of(Row) == {"one": int, "other": str, "many": list[float]}
