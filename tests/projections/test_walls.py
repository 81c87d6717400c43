"""The second line: what PostgreSQL shows to a viewer whose question forgets to ask whose it is."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
import pytest
from psycopg import InterfaceError, errors
from psycopg.conninfo import make_conninfo

from domain.commands import Assign, Classify
from domain.errors import NotPermitted
from domain.rights import Scope, sandbox_of
from projections import versions
from projections.pool import read_pool
from projections.readers import Reader
from projections.walls import confine, wall_of
from regions.node import Node, command_pool, prepare
from regions.reference.catalogue import Catalogue
from regions.store.postgres import Server
from regions.store.roles import missing
from regions.store.server import PostgresUnavailable, create_database
from regions.store.vault import Vault
from tests.api.conftest import SECRET, fresh_database, node_on
from tests.scenarios import ask, registered

NOISE, STREET = "noise.noise-helicopter", "noise.noise-street-sidewalk"
# Region, municipality, holder, topic.
PLACES = [
    ("BRONX", "BRONX-01", None, None),
    ("BRONX", "BRONX-02", "BRONX-DEP", NOISE),
    ("BRONX", None, "BRONX-DOT", STREET),
    ("QUEENS", "QUEENS-01", "QUEENS-DEP", NOISE),
    ("QUEENS", None, None, None),
    ("MANHATTAN", "MANHATTAN-01", None, STREET),
    (sandbox_of("BRONX"), "BRONX-01", None, None),
]
SCOPES = [
    Scope(),
    Scope("BRONX"),
    Scope("STATEN-ISLAND"),
    Scope(sandbox_of("BRONX")),
    Scope("BRONX", "BRONX-01"),
    Scope("QUEENS", "BRONX-01"),
    Scope("BRONX", organisation="BRONX-DEP"),
    Scope("QUEENS", organisation="BRONX-DEP"),
    Scope(regions=("BRONX", "QUEENS")),
    Scope(regions=()),
    Scope("BRONX", topics=(NOISE, "noise.noise")),
    Scope("BRONX", topics=()),
]


class Incidents(NamedTuple):
    url: str
    places: dict[UUID, tuple[str, str | None, str | None, str | None]]

    def of(self, scope: Scope) -> set[UUID]:
        return {id for id, place in self.places.items() if scope.covers(*place)}


def build(url: str, catalogue: Catalogue) -> None:
    versions.rebuild(url, catalogue, lambda *_: None)


@pytest.fixture(scope="module")
def incidents(server: Server, template: str, catalogue: Catalogue) -> Incidents:
    """One in each place, in read models that were rebuilt."""
    url, places = fresh_database(server, template), {}
    with node_on(url, catalogue) as node:
        for place in PLACES:
            region, municipality, organisation, topic = place
            incident_id = registered(node.centre(region), municipality=municipality).incident_id
            if topic is not None:
                ask(node.centre(region), incident_id, Classify(topic=topic), 20)
            if organisation is not None:
                ask(node.centre(region), incident_id, Assign(organisation=organisation), 30)
            places[incident_id] = place
    build(url, catalogue)
    build(url, catalogue)
    return Incidents(url, places)


async def asked(reader: Reader, query: str, *values: object, prepare: bool = False) -> list[Any]:
    cursor = await reader.execute(query.encode(), values, prepare=prepare or None)
    return [value for (value,) in await cursor.fetchall()]


async def asked_behind(reader: Reader, scope: Scope, query: str, **how: Any) -> list[Any]:
    """As `Context.reading` asks it."""
    with reader.behind(wall_of(scope)):
        return await asked(reader, query, **how)


async def asked_in_a_snapshot(reader: Reader, scope: Scope, query: str, **how: Any) -> list[Any]:
    """As an export asks it."""
    async with reader.transaction():
        await confine(reader, scope)
        return await asked(reader, query, **how)


@asynccontextmanager
async def one_reader(url: str) -> AsyncIterator[Reader]:
    """Whoever uses it next is nobody's viewer."""
    async with read_pool(url) as pool, pool.connection() as reader:
        yield reader
        assert await asked(reader, "SELECT current_user = session_user") == [True]
        assert await asked(reader, "SELECT coalesce(current_setting('tsur.region', true), '')") == [
            ""
        ]


def confined(url: str, scope: Scope, query: str, way: Any = asked_behind) -> list[Any]:
    """What a question without any condition finds."""

    async def ask() -> list[Any]:
        async with one_reader(url) as reader:
            return await way(reader, scope, query)  # type: ignore[no-any-return]

    return asyncio.run(ask())


@pytest.mark.parametrize("way", [asked_behind, asked_in_a_snapshot])
@pytest.mark.parametrize("scope", SCOPES, ids=str)
def test_a_question_that_forgets_its_conditions_finds_only_what_the_scope_covers(
    scope: Scope, way: Any, incidents: Incidents
) -> None:
    found = confined(incidents.url, scope, "SELECT id FROM incident", way)
    assert set(found) == incidents.of(scope)
    for text in ("region <> 'BRONX' OR true", "true OR strpos(region, 'N') > 0"):
        found = confined(incidents.url, scope, f"SELECT id FROM incident WHERE {text}", way)
        assert set(found) <= incidents.of(scope)


@pytest.mark.parametrize("prepare", [False, True])
def test_one_connection_serves_every_viewer_in_turn(prepare: bool, incidents: Incidents) -> None:
    async def ask() -> None:
        async with one_reader(incidents.url) as reader:
            for scope in [*SCOPES, *reversed(SCOPES)]:
                found = await asked_behind(
                    reader, scope, "SELECT id FROM incident", prepare=prepare
                )
                assert set(found) == incidents.of(scope)
                everything = await asked(reader, "SELECT id FROM incident", prepare=prepare)
                assert set(everything) == set(incidents.places)

    asyncio.run(ask())


@pytest.mark.parametrize("prepare", [False, True])
def test_a_question_that_fails_leaves_no_wall_and_no_hole(
    prepare: bool, incidents: Incidents
) -> None:
    async def ask() -> None:
        async with one_reader(incidents.url) as reader:
            for wrong, error in (
                ("SELECT id FRM incident", errors.SyntaxError),
                ("SELECT 1 / (count(*) - count(*)) FROM incident", errors.DivisionByZero),
                ("SELECT pos FROM events", errors.InsufficientPrivilege),
            ):
                with pytest.raises(error):
                    await asked_behind(reader, Scope("BRONX"), wrong, prepare=prepare)
                found = await asked_behind(reader, Scope("BRONX"), "SELECT id FROM incident")
                assert set(found) == incidents.of(Scope("BRONX"))

    asyncio.run(ask())


def test_a_question_that_is_given_up_leaves_a_connection_that_can_be_used(
    incidents: Incidents,
) -> None:
    async def ask() -> None:
        async with one_reader(incidents.url) as reader:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await asked_behind(reader, Scope("BRONX"), "SELECT pg_sleep(60)")
            found = await asked_behind(reader, Scope("QUEENS"), "SELECT id FROM incident")
            assert set(found) == incidents.of(Scope("QUEENS"))

    asyncio.run(ask())


def test_a_question_given_up_before_it_was_prepared_can_be_asked_again(
    incidents: Incidents,
) -> None:
    async def ask() -> None:
        query, seen = "SELECT id FROM incident", Scope("BRONX")
        async with one_reader(incidents.url) as reader:
            await asked_behind(reader, seen, query)
            with psycopg.connect(incidents.url) as rebuilding:
                rebuilding.execute("LOCK TABLE read.incident IN ACCESS EXCLUSIVE MODE")
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.1):
                        await asked_behind(reader, seen, query, prepare=True)
            found = await asked_behind(reader, seen, query, prepare=True)
            assert set(found) == incidents.of(seen)

    asyncio.run(ask())


def test_a_transaction_that_is_rolled_back_takes_no_wall_with_it(incidents: Incidents) -> None:
    """psycopg forgets then whatever is prepared."""

    async def ask() -> None:
        query, seen = "SELECT id FROM incident", Scope("BRONX")
        async with one_reader(incidents.url) as reader:
            await asked_behind(reader, seen, query, prepare=True)
            with pytest.raises(errors.DivisionByZero):
                async with reader.transaction():
                    await reader.execute("SELECT 1 / 0")
            assert set(await asked_behind(reader, seen, query)) == incidents.of(seen)
            reader._deallocate(None)  # and is given up before that is sent
            assert set(await asked_behind(reader, seen, query)) == incidents.of(seen)

    asyncio.run(ask())


def test_whose_turn_comes_when_the_block_has_ended_stays_behind_their_wall(
    incidents: Incidents,
) -> None:
    async def ask() -> None:
        query, seen = "SELECT id FROM incident", Scope("BRONX")
        async with one_reader(incidents.url) as reader:
            with reader.behind(wall_of(seen)):
                asking = [asyncio.ensure_future(asked(reader, query)) for _ in range(3)]
                await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
            with reader.behind(wall_of(Scope())):
                for found in await asyncio.gather(*asking):
                    assert set(found) == incidents.of(seen)

    asyncio.run(ask())


def test_behind_a_wall_nothing_but_statements_is_asked(incidents: Incidents) -> None:
    """No other way has a wall."""

    async def ask() -> None:
        async with one_reader(incidents.url) as reader:
            with reader.behind(wall_of(Scope("BRONX"))):
                with pytest.raises(InterfaceError):
                    async for _ in reader.cursor().stream("SELECT id FROM incident"):
                        pass
                with pytest.raises(InterfaceError):
                    async with reader.cursor().copy("COPY incident TO STDOUT"):
                        pass
                async with reader.cursor(name="held") as held:
                    with pytest.raises(InterfaceError):
                        await held.execute("SELECT id FROM incident")
                with pytest.raises(InterfaceError):
                    async with reader.pipeline():
                        await reader.execute("SELECT id FROM incident")

    asyncio.run(ask())


@pytest.mark.parametrize(
    "table",
    [
        "change",
        "daily",
        "daily_duration",
        "events",
        "subject_key",
        "export",
        "access_log",
        "inbox",
        "source",
    ],
)
@pytest.mark.parametrize("scope", [Scope(), Scope("BRONX")], ids=str)
def test_no_other_table_is_open_to_viewers(table: str, scope: Scope, incidents: Incidents) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        confined(incidents.url, scope, f"SELECT count(*) FROM {table}")


def test_a_viewer_changes_nothing(incidents: Incidents) -> None:
    for text in ("DELETE FROM incident", "UPDATE tracking SET pos = 0"):
        with pytest.raises(psycopg.Error):
            confined(incidents.url, Scope(), f"WITH gone AS ({text} RETURNING 1) TABLE gone")


@pytest.mark.parametrize(
    "scope",
    [
        Scope(topics=("t",)),
        Scope("A", "A-1", topics=("t",)),
        Scope("A", "A-1", "A-X"),
        Scope("A", regions=("A",)),
        Scope(municipality="A-1"),
    ],
    ids=str,
)
def test_a_scope_without_a_role_finds_nothing(scope: Scope) -> None:
    with pytest.raises(NotPermitted):
        wall_of(scope)


def test_on_somebody_elses_server_the_roles_may_have_to_be_given(
    server: Server, catalogue: Catalogue
) -> None:
    url = create_database(server.url, "borrowed")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE ROLE tenant LOGIN")
        connection.execute("ALTER DATABASE borrowed OWNER TO tenant")
        connection.execute("ALTER SCHEMA public OWNER TO tenant")
    as_tenant = make_conninfo(url, user="tenant")
    with pytest.raises(PostgresUnavailable, match=r"GRANT tsur_country, .* TO tenant") as refusal:
        prepare(as_tenant, catalogue)
    with psycopg.connect(as_tenant) as connection:
        statements = missing(connection)
    assert str(refusal.value).endswith(" ".join(statements))
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())
    prepare(as_tenant, catalogue)
    build(as_tenant, catalogue)
    with command_pool(as_tenant) as pool:
        node = Node(as_tenant, catalogue, Vault(SECRET), pool)
        for region in ("BRONX", "QUEENS"):
            registered(node.centre(region))
    build(as_tenant, catalogue)
    query = "SELECT region FROM incident"
    assert confined(as_tenant, Scope("BRONX"), query) == ["BRONX"]
    with psycopg.connect(as_tenant, autocommit=True) as connection:
        found = connection.execute("SELECT count(*) FROM read.incident").fetchone()
    assert found == (2,)  # who owns the tables counts for everybody
