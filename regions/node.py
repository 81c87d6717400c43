"""One database and all the centres in it: opened, migrated, checked, closed."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg
from psycopg_pool import ConnectionPool

from regions.catalogue import Catalogue, load_catalogue
from regions.centre import Centre
from regions.migration import migrate, read_migrations
from regions.postgres import PostgresUnavailable, check_server, create_database, embedded
from regions.settings import Settings
from regions.vault import Vault, read_vault_key

COMMANDS_AT_ONCE = 10  # connections for commands; each command holds one for about a millisecond


@dataclass
class Node:
    url: str
    catalogue: Catalogue
    vault: Vault
    pool: ConnectionPool
    centres: dict[str, Centre] = field(default_factory=dict)

    def centre(self, region: str) -> Centre:
        """The centre of a region. Raises UnknownRegion."""
        if region not in self.centres:
            self.centres[region] = Centre(region, self.pool, self.catalogue, self.vault)
        return self.centres[region]


@contextmanager
def database(settings: Settings) -> Iterator[str]:
    """The URL of a running, checked database; the embedded server runs while this is open.

    Raises PostgresUnavailable.
    """
    if settings.database_url:
        check_server(settings.database_url)
        yield settings.database_url
        return
    name = f"tsur_{load_catalogue(settings.catalogue).code}"
    with embedded(settings.home / "postgres") as server:
        url = create_database(server.url, name)
        check_server(url)
        yield url


@contextmanager
def open_node(settings: Settings, url: str) -> Iterator[Node]:
    """The centres of a database that `database` gave, its schema brought to this release."""
    catalogue = load_catalogue(settings.catalogue)
    prepare(url, catalogue)
    vault = Vault(read_vault_key(settings.home / "vault.key"))
    with command_pool(url) as pool:
        yield Node(url, catalogue, vault, pool)


def command_pool(url: str) -> ConnectionPool:
    """Connections for commands, shared by all centres of this process."""
    return ConnectionPool(
        url,
        min_size=1,
        max_size=COMMANDS_AT_ONCE,
        kwargs={"autocommit": True},
        open=False,
        timeout=5.0,  # seconds a command waits for a connection before it says so
        reconnect_timeout=60.0,
        name="commands",
    )


def prepare(url: str, catalogue: Catalogue) -> None:
    """Migrate, claim the database for its catalogue, and give each region its head.

    Raises PostgresUnavailable if the database belongs to another catalogue.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        migrate(connection, read_migrations())
        connection.execute(
            "INSERT INTO node (catalogue) VALUES (%s) ON CONFLICT DO NOTHING", [catalogue.code]
        )
        owner = connection.execute("SELECT catalogue FROM node").fetchone()
        if owner != (catalogue.code,):
            raise PostgresUnavailable(
                f"This database holds the catalogue {owner and owner[0]!r}, not "
                f"{catalogue.code!r}; choose another database or set TSUR_CATALOGUE"
            )
        connection.execute(
            "INSERT INTO region_head (region) SELECT unnest(%s::text[]) ON CONFLICT DO NOTHING",
            [list(catalogue.regions)],
        )
