"""What belongs to a region beside its head, and how it goes from one server to another."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import UUID, uuid5

import psycopg
from psycopg import sql

from domain.rights import sandbox_of
from regions.store.vault import Vault

OF_REGION: LiteralString = "region = ANY (%(regions)s)"
OF_REGION_BY_ARGUMENT: LiteralString = """
(   arguments->>0 = ANY (%(regions)s)
 OR arguments->>0 IN (SELECT id::text FROM inbox WHERE region = ANY (%(regions)s))
 OR arguments->>0 IN (SELECT id::text FROM delivery WHERE region = ANY (%(regions)s)))
"""
# Which rows of a table go along, beside the events and the head. What says whose the rows of
# another table are comes after it: at the node that is left they are removed in this order.
BELONGINGS: dict[LiteralString, LiteralString] = {
    "dramatiq.queue": OF_REGION_BY_ARGUMENT.replace("arguments", "(message->'args')"),
    "job": OF_REGION_BY_ARGUMENT,
    "delivery": OF_REGION,
    "inbox": OF_REGION,
    "remembered": OF_REGION,
    "message_key": OF_REGION,
    "command_result": OF_REGION,
    "access_log": OF_REGION,
    "import_quarantine": "subject IN (SELECT subject FROM subject_key WHERE " + OF_REGION + ")",
    "subject_key": OF_REGION,
}
STAYS: dict[str, str] = {
    "node": "tells of the database",
    "migration": "tells of the database",
    "moving": "tells of the database",
    "followed": "only a hub has any",
    "compared": "only a hub has any",
    "difference": "only a hub has any",
    "export": "is its viewer's, who may ask for it again",
    "export_part": "is its viewer's, who may ask for it again",
    "field_usage": "counts what was asked of this API",
}


@dataclass(frozen=True)
class End:
    """One of the two nodes of a move."""

    name: str
    connection: psycopg.Connection
    vault: Vault


def with_sandbox(region: str) -> list[str]:
    """Trainees go where their region goes."""
    return [region, sandbox_of(region)]


def copy_events(
    old: psycopg.Connection, new: psycopg.Connection, region: str, after: int, upto: int
) -> None:
    which = sql.SQL("region = {} AND pos > {} AND pos <= {}").format(region, after, upto)
    _pour(old, new, "events", which)


def carry(old: End, new: End, region: str) -> None:
    """All but the events, within a transaction of the new node."""
    for table in BELONGINGS:
        if table != "subject_key":
            _carry(old.connection, new.connection, table, with_sandbox(region))
    _carry_keys(old, new, region)


def remove(node: psycopg.Connection, region: str) -> None:
    """All of it, the events too."""
    for table in (*BELONGINGS, "events"):
        condition = BELONGINGS.get(table, OF_REGION)
        node.execute(
            "DELETE FROM " + table + " WHERE " + condition, {"regions": with_sandbox(region)}
        )


def _carry(
    old: psycopg.Connection, new: psycopg.Connection, table: LiteralString, regions: list[str]
) -> None:
    """What is there already, a message that both know, stays as it is."""
    columns = _columns(new, table)
    new.execute(
        sql.SQL("CREATE TEMPORARY TABLE carried ON COMMIT DROP AS SELECT {} FROM {} LIMIT 0")
        .format(columns, sql.SQL(table))
    )  # fmt: skip
    _pour(old, new, table, _belongs(table, regions), into="carried")
    if table == "dramatiq.queue":
        new.execute("UPDATE carried SET state = 'queued', worker_id = NULL, consumed_at = NULL")
    new.execute(
        sql.SQL("INSERT INTO {} ({}) SELECT {} FROM carried ON CONFLICT DO NOTHING")
        .format(sql.SQL(table), columns, columns)
    )  # fmt: skip
    new.execute("DROP TABLE carried")


def _belongs(table: LiteralString, regions: list[str]) -> sql.Composable:
    bound = BELONGINGS[table].replace("%(regions)s", "{regions}")
    return sql.SQL(bound).format(regions=sql.Literal(regions))


def _carry_keys(old: End, new: End, region: str) -> None:
    """Each is wrapped anew with the vault key of the node where it will be opened."""

    def wrapped_anew(subject: UUID, named: UUID, wrapped: bytes) -> bytes:
        return new.vault.wrap(named, old.vault.unwrap(subject, wrapped).key).wrapped

    here, there, regions = old.connection, new.connection, with_sandbox(region)
    with there.cursor().copy("COPY subject_key (subject, region, wrapped) FROM STDIN") as into:
        for subject, owner, wrapped in _stream(
            here, "SELECT subject, region, wrapped FROM subject_key WHERE " + OF_REGION,
            {"regions": regions},
        ):  # fmt: skip
            into.write_row((subject, owner, wrapped_anew(subject, subject, wrapped)))
    # Bodies of the inbox are sealed with keys of days, of which each node has its own.
    for subject, wrapped in here.execute(
        "SELECT DISTINCT subject, wrapped FROM inbox JOIN subject_key USING (subject)"
        " WHERE inbox.region = ANY (%s)",
        [regions],
    ):
        day = uuid5(subject, region)
        there.execute(
            "INSERT INTO subject_key (subject, region, wrapped) VALUES (%s, '', %s)"
            " ON CONFLICT DO NOTHING",
            [day, wrapped_anew(subject, day, wrapped)],
        )
        there.execute(
            "UPDATE inbox SET subject = %s WHERE subject = %s AND region = ANY (%s)",
            [day, subject, regions],
        )


def _columns(node: psycopg.Connection, table: str) -> sql.Composable:
    """But for those that the database fills by itself."""
    rows = node.execute(
        """
        SELECT attname
          FROM pg_attribute
         WHERE attrelid = %s::regclass
           AND attnum > 0
           AND attidentity = ''
           AND NOT attisdropped
         ORDER BY attnum
        """,
        [table],
    )
    return sql.SQL(", ").join(sql.Identifier(name) for (name,) in rows)


def _pour(
    old: psycopg.Connection,
    new: psycopg.Connection,
    table: LiteralString,
    which: sql.Composable,
    into: LiteralString | None = None,
) -> None:
    """Copy rows from one server to the other as they are."""
    columns = _columns(old, table)
    given = sql.SQL("COPY (SELECT {} FROM {} WHERE {}) TO STDOUT (FORMAT binary)")
    taken = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)")
    with (
        old.cursor().copy(given.format(columns, sql.SQL(table), which)) as source,
        new.cursor().copy(taken.format(sql.SQL(into or table), columns)) as sink,
    ):
        for block in source:
            sink.write(block)


def _stream(
    node: psycopg.Connection, statement: LiteralString, parameters: dict[str, object]
) -> Iterator[tuple[Any, ...]]:
    """Row by row, however many there are."""
    with node.transaction(), node.cursor("streamed") as cursor:
        yield from cursor.execute(statement, parameters)
