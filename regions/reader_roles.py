"""The roles of PostgreSQL behind which viewers' questions are answered: one for each kind of scope.

None can log in, and none may read anything but what projections/schema.sql grants. They belong to
the whole server: two databases on it share them, and nothing is lost by that.
"""

import contextlib

import psycopg
from psycopg import errors, sql

from regions.server import PostgresUnavailable

READER_ROLES = (
    "tsur_country",
    "tsur_district",
    "tsur_region",
    "tsur_municipality",
    "tsur_organisation",
    "tsur_topics",
)


def ensure_reader_roles(connection: psycopg.Connection) -> None:
    """Make what is missing. Raises PostgresUnavailable, saying what to do, if that is not ours."""
    try:
        for role in READER_ROLES:
            if not _exists(connection, role):
                with contextlib.suppress(errors.DuplicateObject, errors.UniqueViolation):
                    connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))
            if not _may_become(connection, role):
                connection.execute(_grant(role))
    except errors.InsufficientPrivilege:
        (ours,) = connection.execute("SELECT quote_ident(current_user)").fetchone() or ("?",)
        raise PostgresUnavailable(
            f"The role {ours} may not create the roles behind which viewers read. Have somebody "
            f"with CREATEROLE run: {script(ours)}"
        ) from None


def script(ours: str) -> str:
    """What whoever may create roles runs for us, once on a server."""
    made = " ".join(f"CREATE ROLE {role};" for role in READER_ROLES)
    return f"{made} GRANT {', '.join(READER_ROLES)} TO {ours} WITH INHERIT FALSE, SET TRUE;"


def _exists(connection: psycopg.Connection, role: str) -> bool:
    found = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role])
    return found.fetchone() is not None


def _may_become(connection: psycopg.Connection, role: str) -> bool:
    found = connection.execute("SELECT pg_has_role(current_user, %s, 'SET')", [role])
    return found.fetchone() == (True,)


def _grant(role: str) -> sql.Composed:
    """INHERIT FALSE: as long as we do not become the role, its policies mean nothing for us."""
    statement = sql.SQL("GRANT {} TO CURRENT_USER WITH INHERIT FALSE, SET TRUE")
    return statement.format(sql.Identifier(role))
