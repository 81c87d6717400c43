"""`tsur federation`: nodes that join a hub, how they stand, and a federation on one machine."""

import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Annotated, NamedTuple
from urllib.parse import urlsplit

import psycopg
import typer
from rich.table import Table

from api.processes import PARENT_HOLDS_STDIN, Children, end_with_parent, is_ready, stop_signal
from api.progress import bar, console, show
from api.torture.run import torture
from api.up import Demo, run_everything
from api.viewer import TOKEN_KEY
from projections import versions
from projections.feed import Progress, progress_now
from regions import audit
from regions.federation import refilling, replication, watching
from regions.federation.belongings import End
from regions.federation.moving import Move
from regions.federation.replication import FederationRefused
from regions.federation.topology import FEDERATION_KEY, Place, Topology, load_topology, write_local
from regions.node import database, prepare
from regions.reference.catalogue import Catalogue, load_catalogue
from regions.settings import SettingInvalid, Settings, read_settings
from regions.store.migration import MigrationMismatch, read_migrations
from regions.store.server import PostgresUnavailable
from regions.store.vault import Vault, put_secret, read_secret

cli = typer.Typer(help="A hub over many nodes.", no_args_is_help=True)

NodeArgument = Annotated[str, typer.Argument(help="Its name in the topology.")]
KeyOption = Annotated[
    Path | None, typer.Option(help="The vault.key of that node; else that of its home.")
]
LOOK_SECONDS = 0.2
DEMO = Demo(incidents=20_000, days=60)  # of the whole network; each node has its part


class Hub(NamedTuple):
    topology: Topology
    catalogue: Catalogue
    url: str
    connection: psycopg.Connection


@contextmanager
def _hub() -> Iterator[Hub]:
    """Of TSUR_TOPOLOGY or, without one, of the federation on this machine."""
    catalogue, topology = _topology(read_settings())
    with (
        _database(topology.place(topology.hub)) as url,
        replication.connect(url) as connection,
    ):
        yield Hub(topology, catalogue, url, connection)


def _topology(settings: Settings) -> tuple[Catalogue, Topology]:
    catalogue = load_catalogue(settings.catalogue)
    return catalogue, load_topology(settings.topology or _local(settings), catalogue)


def _local(settings: Settings) -> Path:
    return settings.home / "federation" / "topology.toml"


@contextmanager
def _database(place: Place) -> Iterator[str]:
    """Where a node's database is; one on this machine is started, if it does not run."""
    settings = read_settings()
    home = place.home or settings.home
    with database(replace(settings, home=home, database_url=place.database)) as served:
        yield served.url


@contextmanager
def _there(hub: Hub, name: str) -> Iterator[tuple[psycopg.Connection, str]]:
    """The database of a node. Raises FederationRefused if it does not answer."""
    try:
        with _database(hub.topology.place(name)) as url, replication.connect(url) as node:
            yield node, url
    except (PostgresUnavailable, psycopg.OperationalError):
        raise FederationRefused(f"The database of {name} does not answer") from None


def let_hub_go_first(settings: Settings) -> None:
    """Raises FederationRefused at a node whose hub is of an earlier release."""
    if settings.topology is None:
        return
    topology = load_topology(settings.topology, load_catalogue(settings.catalogue))
    url = topology.place(topology.hub).database
    if url is not None and settings.node != topology.hub:
        replication.check_hub_is_ready(url, read_migrations())


@cli.command()
def migrate() -> None:
    """Bring the hub to this release, then each node; stops where one fails, to be run again."""
    catalogue, topology = _topology(read_settings())
    for name in (topology.hub, *topology.followed):
        try:
            _migrate(topology.place(name), catalogue)
        except (MigrationMismatch, PostgresUnavailable) as error:
            raise FederationRefused(f"{name}, and what comes after it, was left: {error}") from None
        except psycopg.Error as error:  # its text may name the host and the user
            kind = type(error).__name__
            raise FederationRefused(f"{name}, and what comes after it, was left: {kind}") from error
        console.print(f"{name} is ready for this release.")


def _migrate(place: Place, catalogue: Catalogue) -> None:
    with _database(place) as url, bar("Building the read models") as progress:
        prepare(url, catalogue, place.regions)
        versions.ensure(url, catalogue, progress)


@cli.command()
def join(name: NodeArgument) -> None:
    """Let the hub follow a node: its history first, then all that comes."""
    with _hub() as hub:
        _join(hub, name)


def _join(hub: Hub, name: str) -> None:
    regions = hub.topology.place(name).regions
    with _there(hub, name) as (node, url):
        conninfo = hub.topology.place(name).replication or url
        replication.join(hub.connection, node, name=name, regions=regions, conninfo=conninfo)
        _receive(hub, node, name)
    with versions.connect(hub.url) as served:
        versions.add_regions(served)
    console.print(f"The hub follows {name} with {len(regions)} regions.")


def _regions(hub: Hub, name: str) -> list[str]:
    return replication.regions_of(hub.connection, name, hub.topology.place(name).regions)


def _receive(hub: Hub, node: psycopg.Connection, name: str) -> None:
    regions = _regions(hub, name)
    with bar(f"Receiving the history of {name}") as progress:
        while not replication.received(hub.connection, name):
            progress(*(replication.recorded(each, regions) for each in (hub.connection, node)))
            time.sleep(LOOK_SECONDS)


@cli.command()
def resync(name: NodeArgument) -> None:
    """Go on following a node whose replication slot was lost, from what the hub has of it."""
    with _hub() as hub, _there(hub, name) as (node, url):
        regions, conninfo = _regions(hub, name), hub.topology.place(name).replication or url
        replication.resync(hub.connection, node, name=name, regions=regions, conninfo=conninfo)
        _receive(hub, node, name)
        replication.settle(hub.connection, node, name)
    console.print(f"The hub follows {name} again.")


@cli.command()
def refill(name: NodeArgument) -> None:
    """Give a node that was restored from a backup the events back that the hub has received since.

    Before its processes start. Then `resync`.
    """
    with _hub() as hub, _there(hub, name) as (node, _):
        regions = hub.topology.place(name).regions
        found = refilling.refill(hub.connection, node, name=name, regions=regions)
    for region, events in found.items():
        if events:
            console.print(f"Region {region}: {events:,} events")
    console.print(f"{name} has what the hub has. Now: tsur federation resync {name}")


@cli.command()
def leave(
    name: NodeArgument,
    force: Annotated[
        bool, typer.Option(help="Though it does not answer: it keeps a slot.")
    ] = False,
) -> None:
    """Follow a node no more; what the hub has of it stays."""
    with _hub() as hub:
        if force:
            replication.leave(hub.connection, None, name)
        else:
            with _there(hub, name) as (node, _):
                replication.leave(hub.connection, node, name)
    console.print(f"The hub follows {name} no more.")


@cli.command()
def move(
    region: Annotated[str, typer.Argument(help="Code of the region.")],
    to: Annotated[str, typer.Option(help="The node that is to write it.")],
    from_key: KeyOption = None,
    to_key: KeyOption = None,
) -> None:
    """Move a region's log and all that belongs to it to another node; to be repeated if broken off.

    The topology names its old node until this has ended, and the new one afterwards.
    """
    with _hub() as hub:
        old = hub.topology.node_of(hub.catalogue.region(region).code)
        if old is None or old == to or to == hub.topology.hub:
            raise FederationRefused(
                f"By the topology {region} lives in {old or 'no node'}, and cannot move to {to}. "
                "It names the old node until a region has moved: put that back, move, then edit it"
            )
        with _there(hub, old) as (node, url), _there(hub, to) as (other, other_url):
            ends = (
                End(old, node, _vault(hub.topology.place(old), from_key)),
                End(to, other, _vault(hub.topology.place(to), to_key)),
            )
            for done in Move(region, *ends, hub.connection, _a_moment).steps():
                console.print(done)
            _project_anew(region, url, other_url, hub.catalogue)
    console.print(f"{region} lives in {to}. Write that into the topology of every node now.")


def _a_moment() -> None:
    time.sleep(LOOK_SECONDS)


def _vault(place: Place, file: Path | None) -> Vault:
    """Raises FederationRefused where there is no vault key; none is made."""
    if file is None and place.home is not None:
        file = place.home / "vault.key"
    if file is None or not file.is_file():
        raise FederationRefused(
            "What is sealed is wrapped anew: give both vault keys, --from-key and --to-key"
        )
    return Vault(read_secret(file))


def _project_anew(region: str, old: str, new: str, catalogue: Catalogue) -> None:
    """The new node takes the region in; the read models of the old one are made without it."""
    with versions.connect(new) as served:
        versions.add_regions(served)
    with versions.connect(old) as served:
        known = served.execute("SELECT FROM tracking WHERE region = %s", [region]).fetchone()
    if known is not None:
        with bar("Building the read models of the node it left") as progress:
            versions.rebuild(old, catalogue, progress)


@cli.command()
def status() -> None:
    """How each region stands at the hub: received, taken in, and when its node was heard of.

    And what each node keeps of its write-ahead log for the hub.
    """
    with _hub() as hub:
        with versions.connect(hub.url) as served:
            _show_regions(hub, progress_now(served))
        show(_kept(hub))


def _show_regions(hub: Hub, progress: Iterable[Progress]) -> None:
    parts = {part.region: part for part in progress}
    table = Table("region", "name", "node", "received", "taken in", "silent for", "state")
    for code, region in hub.catalogue.regions.items():
        node, part = hub.topology.node_of(code), parts.get(code)
        if part is None or part.silent_seconds is None:
            table.add_row(code, region.name, node or "", "", "", "", "has not joined")
            continue
        state = "stopped" if part.stopped else "away" if part.silent else "fresh"
        silent = f"{part.silent_seconds:,.0f} s"
        table.add_row(code, region.name, node, f"{part.head}", f"{part.position}", silent, state)
    show(table)


def _kept(hub: Hub) -> Table:
    table = Table("node", "slot", "log kept", "state")
    for name in hub.topology.followed:
        try:
            with _there(hub, name) as (node, _):
                for slot in replication.slots(node):
                    kept = f"{slot.retained_bytes / 2**20:,.0f} MiB"
                    table.add_row(name, slot.name, kept, slot.wal_status)
        except FederationRefused:
            table.add_row(name, "", "", "does not answer")
    return table


@cli.command("audit")
def run_audit(
    names: Annotated[list[str] | None, typer.Argument(help="Of nodes; all if none.")] = None,
    on_its_way_minutes: Annotated[
        float, typer.Option(help="How long a transfer may be on its way.", min=0)
    ] = 60.0,
) -> None:
    """Compare every event that the hub has with its node's, and both ends of each transfer.

    Ends with 1 if anything is amiss.
    """
    found = 0
    with _hub() as hub:
        for name in names or hub.topology.followed:
            with _there(hub, name) as (node, _):
                for what in audit.of_hub(hub.connection, node, _regions(hub, name)):
                    console.print(f"[red]{what}[/] (node {name})")
                    found += 1
        found += _audit_transfers(hub, timedelta(minutes=on_its_way_minutes))
    if found:
        raise typer.Exit(1)
    console.print("The hub has what its nodes have, event by event.")


def _audit_transfers(hub: Hub, on_its_way: timedelta) -> int:
    """How many did not arrive once; tells of those that may still."""
    late, waiting = 0, 0
    for each in audit.of_transfers(hub.connection):
        if each.may_be_on_its_way and datetime.now(UTC) - each.recorded_at <= on_its_way:
            waiting += 1
        else:
            console.print(f"[red]{each}[/]")
            late += 1
    if waiting:
        console.print(f"{waiting} transfers are on their way.")
    return late


@cli.command()
def watch() -> None:
    """Compare what the hub has with its nodes all the time; `tsur up` does it at the hub."""
    end_with_parent()
    with _hub() as hub, stop_signal() as stop:

        def to(name: str) -> psycopg.Connection:
            # A node on this machine may be away: its server is not ours to start.
            given = hub.topology.place(name).database
            return replication.connect(given or replication.conninfo_of(hub.url, name))

        watching.run(hub.url, to, stop, lambda: datetime.now(UTC))


@cli.command("torture")
def run_torture(
    minutes: Annotated[float, typer.Option(help="Of faults.")] = 5.0,
    nodes: Annotated[int, typer.Option(min=1, max=8, help="How many beside the hub.")] = 3,
    seed: Annotated[int, typer.Option(help="Which chance.")] = 1,
) -> None:
    """Put a federation of its own through faults under writes; ends with 1 if anything is amiss."""
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)  # that a server is away is no news
    folder = read_settings().catalogue
    report = torture(folder, seconds=60 * minutes, nodes=nodes, seed=seed, tell=console.print)
    table = Table("what", "number")
    for what, number in (
        ("acknowledged commands", report.acknowledged),
        ("refused commands", report.refused),
        ("events", report.events),
        ("transfers between regions", report.transfers),
        *sorted(report.faults.items()),
    ):
        table.add_row(what, f"{number:,}")
    show(table)
    for what in report.amiss:
        console.print(f"[red]amiss:[/] {what}")
    if report.amiss:
        raise typer.Exit(1)
    console.print(f"Nothing is amiss (seed {seed}).")


@cli.command("run")
def run_node(
    name: NodeArgument,
    demo: Annotated[bool, typer.Option(help="Fill an empty node and keep it alive.")] = False,
) -> None:
    """Run everything of one node of this machine, until Ctrl-C."""
    end_with_parent()
    settings = read_settings()
    path = settings.topology or _local(settings)
    place = load_topology(path, load_catalogue(settings.catalogue)).place(name)
    if place.home is None:
        raise SettingInvalid(f"{name} is no node of this machine: run `tsur up` on its own")
    port = urlsplit(place.api).port or settings.port
    own = replace(settings, topology=path, node=name, machine=None, home=place.home, port=port)
    run_everything(own, DEMO if demo else None)


@cli.command()
def up(
    nodes: Annotated[int, typer.Option(min=1, max=8, help="How many beside the hub.")] = 3,
    demo: Annotated[bool, typer.Option(help="Fill empty nodes and keep them alive.")] = True,
) -> None:
    """Run a whole federation on this machine, each node with a PostgreSQL of its own."""
    settings = read_settings()
    path, catalogue = _local(settings), load_catalogue(settings.catalogue)
    if not path.exists():
        write_local(path, catalogue, nodes=nodes, port=settings.port)
    topology = load_topology(path, catalogue)
    _share_keys(topology)
    commands = {
        f"federation run {name}" + (" --demo" if demo and place.regions else ""): name
        for name, place in topology.nodes.items()
    }
    with stop_signal() as stop:
        children = Children(list(commands), {PARENT_HOLDS_STDIN: "1"})
        try:
            _follow_all(topology, stop)
            told: set[str] = set()
            while not stop.wait(LOOK_SECONDS):
                for command in set(children.ended()) - told:
                    told.add(command)
                    console.print(f"[yellow]{commands[command]} ended.[/] Again: tsur {command}")
        finally:
            children.stop()


def _share_keys(topology: Topology) -> None:
    """Let the nodes of this machine know each other, and take the tokens of its hub."""
    hub = topology.place(topology.hub).home
    if hub is None:
        return
    for name in (TOKEN_KEY, FEDERATION_KEY):
        key = read_secret(hub / name)
        for place in topology.followed.values():
            if place.home is not None:
                put_secret(place.home / name, key)


def _follow_all(topology: Topology, stop: Event) -> None:
    """Let the nodes join as they come up."""
    for place in topology.nodes.values():
        while not is_ready(place.api):
            if stop.wait(LOOK_SECONDS):
                return
    with _hub() as hub:
        for name in topology.followed:
            _join(hub, name)
    table = Table("node", "regions", "open")
    for name, place in topology.nodes.items():
        table.add_row(name, str(len(place.regions) or ""), f"{place.api}/graphql")
    show(table)
