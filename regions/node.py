"""One database and all the centres in it: opened, migrated, checked, closed."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import psycopg
from dramatiq_postgres import schema as queue
from psycopg_pool import ConnectionPool

from domain.deadlines import NO_TERMS
from domain.rights import NETWORK, sandbox_of
from regions.centre import Centre
from regions.exports import Exports
from regions.federation.topology import Membership, Place, load_topology
from regions.reference.calendars import load_calendars
from regions.reference.catalogue import Catalogue, load_catalogue
from regions.reference.routing import Routing, load_routing
from regions.reference.templates import Templates, load_templates
from regions.reference.terms import NetworkTerms, load_terms
from regions.settings import SettingInvalid, Settings
from regions.store.migration import check_migrated, may_migrate, migrate, read_migrations
from regions.store.postgres import Server, embedded
from regions.store.roles import ensure_roles
from regions.store.server import PostgresUnavailable, check_server, create_database
from regions.store.statements import CountedCursor
from regions.store.vault import Vault, VaultKeyInvalid, read_secret

COMMANDS_AT_ONCE = 10  # connections for commands; each command holds one for about a millisecond


@dataclass
class Node:
    url: str = field(repr=False)  # may hold a password
    catalogue: Catalogue
    vault: Vault
    pool: ConnectionPool
    terms: NetworkTerms | None = None  # None: nothing has a deadline
    templates: Templates | None = None  # None: a reply begins with an empty page
    routing: Routing | None = None  # None: people alone say who gets what
    membership: Membership | None = None  # None: this node is all there is
    centres: dict[str, Centre] = field(default_factory=dict)

    def centre(self, region: str) -> Centre:
        """The centre of a region. Raises UnknownRegion."""
        if region not in self.centres:
            self.catalogue.region(region)
            terms = self.terms.of(region) if self.terms else NO_TERMS
            self.centres[region] = Centre(
                region,
                self.pool,
                self.catalogue,
                self.vault,
                terms,
                tuple(self.templates.by_code.values()) if self.templates else (),
                self.membership.others if self.membership else (),
            )
        return self.centres[region]

    def elsewhere(self, region: str) -> Place | None:
        """The node that has the region, if it is another than this one."""
        return self.membership.elsewhere(region) if self.membership else None

    @cached_property
    def network(self) -> Centre:
        """What the network itself did: its publications."""
        return Centre(NETWORK, self.pool, self.catalogue, self.vault)

    @cached_property
    def exports(self) -> Exports:
        return Exports(self.pool)

    def writes(self) -> set[str]:
        """The regions whose events are written here, not followed from another node."""
        with self.pool.connection() as connection:
            rows = connection.execute(
                "SELECT region FROM region_head WHERE region NOT IN (SELECT region FROM followed)"
            )
            return {region for (region,) in rows}

    def is_empty(self) -> bool:
        """Whether nothing has ever been recorded."""
        with self.pool.connection() as connection:
            row = connection.execute("SELECT max(pos) FROM region_head").fetchone()
        return row is None or not row[0]


class Database(NamedTuple):
    """A running, checked database."""

    url: str
    server: Server | None = None  # None: somebody else's, by TSUR_DATABASE_URL

    @property
    def borrowed(self) -> bool:
        """Whether another tsur process runs the embedded server, and may end it."""
        return self.server is not None and self.server.process is None

    def alive(self) -> bool:
        """False once the embedded server that we started has died."""
        process = self.server.process if self.server else None
        return process is None or process.poll() is None


@contextmanager
def database(settings: Settings) -> Iterator[Database]:
    """Find or start the database; an embedded server runs while this is open.

    Raises PostgresUnavailable.
    """
    if settings.database_url:
        check_server(settings.database_url)
        yield Database(settings.database_url)
        return
    name = f"tsur_{load_catalogue(settings.catalogue).code}"
    with embedded(settings.home / "postgres") as server:
        url = create_database(server.url, name)
        check_server(url)
        yield Database(url, server)


@contextmanager
def open_node(settings: Settings, url: str) -> Iterator[Node]:
    """The centres of a database that `database` gave, its schema brought to this release."""
    catalogue = load_catalogue(settings.catalogue)
    membership = read_membership(settings, catalogue)
    prepare(url, catalogue, regions_here(membership))
    vault = Vault(read_secret(settings.home / "vault.key"))
    check_vault(url, vault)
    with command_pool(url) as pool:
        yield make_node(settings.catalogue, url, catalogue, vault, pool, membership)


def make_node(
    folder: Path,
    url: str,
    catalogue: Catalogue,
    vault: Vault,
    pool: ConnectionPool,
    membership: Membership | None = None,
) -> Node:
    """A node with all that the catalogue's folder says. Raises CatalogueInvalid."""
    calendars = load_calendars(folder, catalogue)
    return Node(
        url,
        catalogue,
        vault,
        pool,
        load_terms(folder, catalogue, calendars),
        load_templates(folder, catalogue),
        load_routing(folder, catalogue, calendars),
        membership,
    )


def read_terms(folder: Path, catalogue: Catalogue) -> NetworkTerms:
    """The deadline policies and calendars of a catalogue's folder. Raises CatalogueInvalid."""
    return load_terms(folder, catalogue, load_calendars(folder, catalogue))


def command_pool(url: str) -> ConnectionPool:
    """Connections for commands, shared by all centres of this process."""
    return ConnectionPool(
        url,
        min_size=1,
        max_size=COMMANDS_AT_ONCE,
        kwargs={"autocommit": True, "cursor_factory": CountedCursor},
        open=False,
        timeout=5.0,  # seconds a command waits for a connection before it says so
        reconnect_timeout=60.0,
        name="commands",
    )


def check_vault(url: str, vault: Vault) -> None:
    """Raises VaultKeyInvalid if the database's personal data is sealed under another vault key.

    The first key that comes is its key from then on. Two would mean data that half of the processes
    cannot open, and commands whose repetition only half of them recognise.
    """
    mark = vault.fingerprint(b"node")
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute("SELECT vault_mark FROM node").fetchone()
        if found == (None,):
            try:
                connection.execute(
                    "UPDATE node SET vault_mark = %s WHERE vault_mark IS NULL", [mark]
                )
            except psycopg.errors.InsufficientPrivilege:
                raise VaultKeyInvalid(
                    "The database knows no vault key yet: its owner runs tsur migrate with this "
                    "node's first"
                ) from None
            found = connection.execute("SELECT vault_mark FROM node").fetchone()
    if found != (mark,):
        raise VaultKeyInvalid(
            "The vault.key in TSUR_HOME is not the one this database was begun with; restore that"
        )


def read_membership(settings: Settings, catalogue: Catalogue) -> Membership | None:
    """Raises TopologyInvalid and SettingInvalid."""
    if settings.topology is None:
        return None
    if settings.node is None:
        raise SettingInvalid("TSUR_NODE must name which node of TSUR_TOPOLOGY this is")
    topology = load_topology(settings.topology, catalogue)
    topology.place(settings.node)
    return Membership(topology, settings.node)


def regions_here(membership: Membership | None) -> tuple[str, ...] | None:
    """The regions whose events this node writes; None: it is all there is."""
    if membership is None:
        return None
    return membership.topology.place(membership.name).regions


def prepare(url: str, catalogue: Catalogue, regions: Collection[str] | None = None) -> None:
    """Migrate, claim the database for its catalogue, and give each region written here its head.

    Without `regions` it is all, and without any it is a hub: these are the network's own as well.
    Who does not own the tables finds them made ready, or is refused. Raises PostgresUnavailable if
    the database belongs to another catalogue, or if we may not make the roles; MigrationMismatch.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        if not may_migrate(connection):
            check_migrated(connection, read_migrations())
            _check_catalogue(connection, catalogue)
            return
        ensure_roles(connection)
        with connection.transaction(), connection.cursor() as cursor:
            # The workers' queue: a save can enqueue a job in its own transaction.
            queue.init(cursor)
        migrate(connection, read_migrations())
        connection.execute(
            "INSERT INTO node (catalogue) VALUES (%s) ON CONFLICT DO NOTHING", [catalogue.code]
        )
        _check_catalogue(connection, catalogue)
        here = catalogue.regions if regions is None else regions
        network = [] if regions else [NETWORK]
        connection.execute(
            """
            INSERT INTO region_head (region)
            SELECT region
              FROM unnest(%s::text[]) AS here (region)
             WHERE region NOT IN (SELECT region FROM moving)
                ON CONFLICT DO NOTHING
            """,
            [[*here, *map(sandbox_of, here), *network]],
        )


def _check_catalogue(connection: psycopg.Connection, catalogue: Catalogue) -> None:
    owner = connection.execute("SELECT catalogue FROM node").fetchone()
    if owner != (catalogue.code,):
        raise PostgresUnavailable(
            f"This database holds the catalogue {owner and owner[0]!r}, not "
            f"{catalogue.code!r}; choose another database or set TSUR_CATALOGUE"
        )
