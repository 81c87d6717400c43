"""The roles of PostgreSQL: what a process may do, and what a viewer's question may see.

Both are groups that cannot log in; each process logs in by a role of its own, a member of some. The
readers (one for each kind of scope) read nothing but what projections/schema.sql grants them. Roles
belong to the whole server: two databases on it share them, and who may connect to which is told by
`logins`.
"""

import contextlib
from typing import LiteralString

import psycopg
from psycopg import errors, sql

from regions.store.server import PostgresUnavailable

# What they may is said by the migrations and by projections/schema.sql.
PROCESS_ROLES = (
    "tsur_writer",
    "tsur_importer",
    "tsur_projector",
    "tsur_reader",
    "tsur_replication",
)
READER_ROLES = (
    "tsur_country",
    "tsur_district",
    "tsur_region",
    "tsur_municipality",
    "tsur_organisation",
    "tsur_topics",
)
# Of the processes of one database. `tsur clock` and `tsur simulate` are workers too; by the last a
# hub subscribes to this database.
LOGINS: dict[str, LiteralString] = {
    "api": "CREATE ROLE {} LOGIN IN ROLE tsur_writer, tsur_reader;",
    "worker": "CREATE ROLE {} LOGIN IN ROLE tsur_writer, tsur_reader;",
    "import": "CREATE ROLE {} LOGIN IN ROLE tsur_writer, tsur_reader, tsur_importer;",
    "projector": "CREATE ROLE {} LOGIN IN ROLE tsur_projector;",
    "hub": "CREATE ROLE {} LOGIN REPLICATION IN ROLE tsur_replication;",
}


def ensure_roles(connection: psycopg.Connection) -> None:
    """Make what is missing. Raises PostgresUnavailable, saying what to do, if that is not ours."""
    statements = missing(connection)
    try:
        for statement in statements:
            with contextlib.suppress(errors.DuplicateObject, errors.UniqueViolation):
                connection.execute(statement.encode())
    except errors.InsufficientPrivilege:
        raise PostgresUnavailable(
            "This role may not create the roles behind which viewers read and processes write. "
            f"Have somebody with CREATEROLE run: {' '.join(statements)}"
        ) from None


def missing(connection: psycopg.Connection) -> list[str]:
    """What whoever may create roles runs for us, once on a server."""
    (ours,) = connection.execute("SELECT quote_ident(current_user)").fetchone() or ("?",)
    unknown = connection.execute(
        "SELECT role FROM unnest(%s::text[]) AS role WHERE to_regrole(role) IS NULL",
        [[*READER_ROLES, *PROCESS_ROLES]],
    )
    return [
        *(f"CREATE ROLE {role};" for (role,) in unknown),
        *_become_readers(connection, ours),
        *_become_readers(connection, "tsur_reader"),
    ]


def _become_readers(connection: psycopg.Connection, who: str) -> list[str]:
    """INHERIT FALSE: until one becomes the reader, its policies mean nothing for one."""
    found = connection.execute(
        """
        SELECT role
          FROM unnest(%(readers)s::text[]) AS role
         WHERE NOT coalesce(pg_has_role(to_regrole(%(who)s), to_regrole(role), 'SET'), false)
        """,
        {"readers": list(READER_ROLES), "who": who},
    )
    readers = ", ".join(role for (role,) in found)
    return [f"GRANT {readers} TO {who} WITH INHERIT FALSE, SET TRUE;"] if readers else []


def logins(database: str) -> str:
    """The SQL that makes a role to log in by for each kind of process of a database."""
    name = sql.Identifier(database)
    roles = {kind: sql.Identifier(f"{kind}_of_{database}") for kind in LOGINS}
    return (
        sql.SQL("\n")
        .join(
            [
                *(sql.SQL(LOGINS[kind]).format(role) for kind, role in roles.items()),
                sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC;").format(name),
                sql.SQL("GRANT CONNECT ON DATABASE {} TO {};").format(
                    name, sql.SQL(", ").join(roles.values())
                ),
            ]
        )
        .as_string()
    )
