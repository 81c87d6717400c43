"""The command line: run the node, bring data in, look after the read models."""

import asyncio
import csv
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated
from uuid import UUID

import psycopg
import typer
from rich.console import Console
from rich.table import Table

from api import federation, lifecycle, processes, what_if
from api.app import create_app, utc_now
from api.claims import ClaimsInvalid
from api.compatibility import changes_since, deprecations
from api.demo import network
from api.demo.comment import CommentTour
from api.demo.live import live
from api.demo.served import PLATFORMS_PORT, serve_platforms
from api.imports import ImportReport, describe, format_named, run_import
from api.progress import bar, console, show
from api.schema import schema as graphql_schema
from api.serving import serve
from api.telemetry import logs
from api.tour import Tour, TourFailed, find_place
from api.transport.operations import Operations
from api.transport.trusted import TrustedDocumentInvalid, trust
from api.up import Demo, catch_up, run_everything
from api.viewer import (
    Viewer,
    issue_token,
    of_topic_groups,
    read_scope,
    read_token_key,
    scope_in,
)
from domain.errors import DomainError
from domain.publications import RankingPublished
from domain.rights import Actor
from domain.vocabulary import Role
from projections import listening, projector, versions
from projections.feed import progress_now
from projections.past import verification
from projections.past.verification import Difference
from projections.release import version_of
from projections.statistics.figures import Period
from projections.statistics.overdue import OverdueBy
from regions.archive import ArchiveRefused, archive
from regions.federation.replication import FederationRefused
from regions.federation.topology import TopologyInvalid
from regions.field_usage import usage_of
from regions.inbox import Inbox
from regions.node import Node, database, open_node
from regions.publications import publication as published_as
from regions.publications import published_lately
from regions.reference.catalogue import Catalogue, CatalogueInvalid, load_catalogue
from regions.settings import SettingInvalid, Settings, logs_are_json, read_settings
from regions.sources import SourcesInvalid
from regions.store.event_store import StoreUnavailable
from regions.store.jobs import Queue
from regions.store.migration import MigrationMismatch
from regions.store.roles import logins
from regions.store.server import PostgresUnavailable
from regions.store.vault import VaultKeyInvalid
from workers import crew, deadlines
from workers.broker import quarantined_jobs, requeue_job
from workers.corrections import corrections

cli = typer.Typer(
    name="tsur",
    help="Event-sourced GraphQL backend for a network of regional management centres.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
projections = typer.Typer(help="The read models: how far they are, and making them anew.")
cli.add_typer(projections, name="projections")
ranking = typer.Typer(help="Published rankings, and whether the log says the same.")
cli.add_typer(ranking, name="ranking")
inbox = typer.Typer(help="What platforms delivered and is not taken in yet.", no_args_is_help=True)
cli.add_typer(inbox, name="inbox")
jobs = typer.Typer(help="Jobs of the workers that do not end well.", no_args_is_help=True)
cli.add_typer(jobs, name="jobs")
cli.add_typer(federation.cli, name="federation")
policies = typer.Typer(help="The deadline policies: what other ones would have meant.")
cli.add_typer(policies, name="policies")

TOKEN_HOURS_MAX = 10 * 365 * 24  # ten years: longer than a development key should live.

CatalogueOption = Annotated[
    str | None,
    typer.Option("--catalogue", help="Name of a shipped catalogue, or a folder [TSUR_CATALOGUE]."),
]


def main() -> None:
    """The console script. What a person can mend is told in one line, without a stack."""
    try:
        logs.configure(as_json=logs_are_json())
        cli()
    except (
        SettingInvalid,
        PostgresUnavailable,
        CatalogueInvalid,
        SourcesInvalid,
        ClaimsInvalid,
        TrustedDocumentInvalid,
        VaultKeyInvalid,
        MigrationMismatch,
        TopologyInvalid,
        ArchiveRefused,
        FederationRefused,
        StoreUnavailable,
        DomainError,
        TourFailed,
        versions.NotReady,
        projector.VersionChanged,
        projector.LostLead,
    ) as error:
        Console(stderr=True).print(f"[bold red]tsur:[/] {error}", highlight=False)
        raise SystemExit(1) from None
    except psycopg.errors.InsufficientPrivilege as error:
        refusal = f"{error.diag.message_primary}: what is asked for is the owner's"
        Console(stderr=True).print(f"[bold red]tsur:[/] {refusal}", highlight=False)
        raise SystemExit(1) from None
    except psycopg.OperationalError:
        # Its text may name the host and the user.
        Console(stderr=True).print("[bold red]tsur:[/] The database went away; try again.")
        raise SystemExit(1) from None


@cli.command()
def up(
    demo: Annotated[bool, typer.Option(help="Fill an empty node and keep it alive.")] = False,
    incidents: Annotated[int, typer.Option(help="How many with --demo.")] = 20_000,
    days: Annotated[int, typer.Option(help="Over how many days with --demo.")] = 60,
) -> None:
    """Run everything: database, projector and API, until Ctrl-C."""
    run_everything(_settings(), Demo(incidents, days) if demo else None)


@cli.command()
def api(
    trusted_only: Annotated[
        bool, typer.Option(help="Answer trusted documents and nothing else [TSUR_TRUSTED_ONLY].")
    ] = False,
) -> None:
    """Run the API alone, on the database of TSUR_DATABASE_URL."""
    processes.end_with_parent()
    settings = _settings()
    _trace(settings, "api")
    if trusted_only:
        settings = replace(settings, trusted_only=True)
    with database(settings) as served:
        versions.require(served.url, load_catalogue(settings.catalogue))
        serve(create_app(settings, served.url), settings.host, settings.port)


@cli.command()
def documents() -> None:
    """Check the trusted documents and tell their ids."""
    settings = _settings()
    if settings.trusted_documents is None:
        raise SettingInvalid("TSUR_TRUSTED_DOCUMENTS names no folder")
    operations = Operations(graphql_schema._schema, introspection=settings.introspection)
    for name, digest in trust(operations, settings.trusted_documents).items():
        typer.echo(f"sha256:{digest}  {name}")


@cli.command()
def migrate() -> None:
    """Bring the database to this release, its read models included; `tsur up` does it by itself."""
    settings = _settings()
    federation.let_hub_go_first(settings)
    with (
        database(settings) as served,
        open_node(settings, served.url) as node,
        bar("Building the read models") as progress,
    ):
        versions.ensure(served.url, node.catalogue, progress)
    console.print("The database is ready for this release.")


@cli.command()
def roles(
    database: Annotated[str, typer.Argument(help="Its name on its server.")],
) -> None:
    """Print the SQL that makes a login role for each kind of process; without passwords."""
    typer.echo(logins(database))


@cli.command("projector")
def run_projector() -> None:
    """Run the projector alone, on the database of TSUR_DATABASE_URL."""
    processes.end_with_parent()
    settings = _settings()
    with database(settings) as served, processes.stop_signal() as stop:
        catalogue = load_catalogue(settings.catalogue)
        versions.require(served.url, catalogue)
        projector.run(lambda: versions.connect(served.url), catalogue, stop)


@cli.command()
def tour(
    comment: Annotated[
        bool, typer.Option(help="Follow a comment from its page to the answer below it.")
    ] = False,
) -> None:
    """Follow one incident through the running API: posted, solved, disputed, reopened, closed."""
    settings = _settings()
    address = f"http://{settings.host}:{settings.port}"
    if comment:
        pages = f"http://127.0.0.1:{PLATFORMS_PORT}"
        CommentTour(address, pages, _token_key(settings)).run()
        return
    place = find_place(load_catalogue(settings.catalogue))
    Tour(address, _token_key(settings), place).run()


@cli.command("lifecycle")
def show_lifecycle(
    markdown: Annotated[bool, typer.Option(help="The page docs/lifecycle.md.")] = False,
) -> None:
    """What may happen to an incident, when, and who may do it."""
    if markdown:
        typer.echo(lifecycle.page(), nl=False)
    else:
        show(lifecycle.table())


@cli.command()
def clock() -> None:
    """Run the clock alone: warnings, missed deadlines, escalations, closings."""
    processes.end_with_parent()
    with _node(_settings()) as node, processes.stop_signal() as stop:
        deadlines.run(node, stop, utc_now)


@cli.command()
def worker(
    queue: Annotated[Queue, typer.Option(help="The only one worked on.")] = Queue.DEFAULT,
    threads: Annotated[
        int | None, typer.Option(help="Jobs at once; else 4, of exports 2.", min=1)
    ] = None,
) -> None:
    """Run workers alone: messages are sorted out, replies sent; or exports are written."""
    processes.end_with_parent()
    settings = _settings()
    _trace(settings, "worker")
    with _node(settings) as node, processes.stop_signal() as stop:
        crew.run(
            node,
            settings.catalogue,
            settings.home,
            stop,
            utc_now,
            queue=queue,
            broker_url=settings.broker_url,
            threads=threads,
        )


@cli.command()
def platforms(
    port: Annotated[int, typer.Option(help="On this machine only.")] = PLATFORMS_PORT,
) -> None:
    """Run stand-ins for VK, Telegram, OK and ПОС, which deliver to the running API."""
    processes.end_with_parent()
    settings = _settings()
    serve_platforms(settings, port)


@cli.command()
def channels(catalogue: CatalogueOption = None) -> None:
    """The groups, chats and feeds that are listened to, and when each was last heard."""
    with _node(_settings(catalogue)) as node, versions.connect(node.url) as connection:
        found = listening.sources_now(connection, utc_now())
    table = Table("source", "channel", "last heard", "messages", "quarantined", "state", "name")
    for each in found:
        heard = each.heard_at.isoformat(timespec="seconds") if each.heard_at else "never"
        counts = (str(each.messages), str(each.quarantined))
        table.add_row(each.code, each.channel, heard, *counts, each.state, each.name)
    show(table)


@cli.command("corrections")
def export_corrections(
    region: Annotated[str, typer.Argument(help="Code of the region.")],
    file: Annotated[Path, typer.Argument(help="The CSV file to write.")],
    name: Annotated[str, typer.Option(help="Who opens the texts; stands in the access log.")],
    catalogue: CatalogueOption = None,
) -> None:
    """Write what people made of the model's topics: texts to learn from. Personal data."""
    with _node(_settings(catalogue)) as node, file.open("w", encoding="utf-8", newline="") as out:
        file.chmod(0o600)
        rows = csv.writer(out)
        rows.writerow(["text", "topic", "said"])
        by = Actor(name, Role.DATA_OFFICER)
        found = [rows.writerow([c.text, c.topic, c.said]) for c in corrections(node, region, by)]
    console.print(f"{len(found)} corrections written to {file}.")


@inbox.command("list")
def list_inbox(
    limit: Annotated[int, typer.Option(help="How many.")] = 100,
    catalogue: CatalogueOption = None,
) -> None:
    """What platforms delivered and is not taken in: waiting, or quarantined with its reason."""
    with _node(_settings(catalogue)) as node:
        kept = Inbox(node.pool, node.vault).kept(limit=limit)
    table = Table("id", "source", "received", "state", "reason", "in words")
    for each in kept:
        received = each.received_at.isoformat(timespec="seconds")
        table.add_row(
            str(each.id), each.source, received, each.state, each.reason or "", each.detail or ""
        )
    show(table)


@inbox.command()
def replay(
    delivery: Annotated[UUID, typer.Argument(help="Its id.")], catalogue: CatalogueOption = None
) -> None:
    """Take a quarantined delivery in anew, after what was wrong was mended."""
    with _node(_settings(catalogue)) as node:
        again = Inbox(node.pool, node.vault).replay(delivery, at=utc_now())
    console.print("It is taken in anew." if again else "Nothing with this id is quarantined.")


@jobs.command("list")
def list_jobs(catalogue: CatalogueOption = None) -> None:
    """Jobs that failed and are tried again, or that were given up at the fifth attempt."""
    with _node(_settings(catalogue)) as node:
        found = quarantined_jobs(node.pool)
    table = Table("id", "actor", "arguments", "attempts", "error", "state")
    for each in found:
        state = "given up" if each.quarantined else "tried again"
        table.add_row(
            str(each.message_id), each.actor, each.arguments, str(each.attempts), each.error, state
        )
    show(table)


@jobs.command("retry")
def retry_job(
    message: Annotated[UUID, typer.Argument(help="Its id.")], catalogue: CatalogueOption = None
) -> None:
    """Put a job that was given up on the queue again, with its attempts forgotten."""
    with _node(_settings(catalogue)) as node:
        again = requeue_job(node.pool, message)
    console.print("It is on the queue again." if again else "No job with this id was given up.")


@policies.callback()
def _group_of_commands() -> None:
    """Typer would run the only command of a group without its name."""


@policies.command("replay")
def replay_policies(
    region: Annotated[str, typer.Argument(help="Code of the region.")],
    first: Annotated[datetime, typer.Option(help="First local day.", formats=["%Y-%m-%d"])],
    last: Annotated[datetime, typer.Option(help="Last day, included.", formats=["%Y-%m-%d"])],
    municipality: Annotated[str | None, typer.Option(help="Only this one; its code.")] = None,
    policies: Annotated[
        Path | None, typer.Option(help="A policies.csv for the catalogue's.", exists=True)
    ] = None,
    calendars: Annotated[
        Path | None,
        typer.Option(
            help="A calendar.toml, days_off.csv or moved_days.csv, or a folder of them.",
            exists=True,
        ),
    ] = None,
    by: Annotated[
        list[OverdueBy] | None, typer.Option(help="Also by this; may be repeated.")
    ] = None,
    catalogue: CatalogueOption = None,
) -> None:
    """What if other policies or calendars had counted: the overdue table beside the actual one."""
    settings = _settings(catalogue)
    period = Period(first.date(), last.date())
    wanted = what_if.WhatIf(region, municipality, period, policies, calendars)
    with _node(settings) as node:
        found = what_if.ask(node, settings.catalogue, wanted, now=utc_now())
    for dimension in dict.fromkeys([OverdueBy.WHOLE, *(by or ())]):
        show(what_if.table(found, dimension, node.catalogue))
    console.print(what_if.summary(found))


@cli.command()
def simulate(
    per_second: Annotated[float, typer.Option(help="Commands a second on average.")] = 2.0,
    seed: Annotated[int, typer.Option(help="Which chance.")] = 1,
    pages: Annotated[
        str | None, typer.Option(help="Where the stand-in platforms are, to write there too.")
    ] = None,
) -> None:
    """Let made-up citizens and officials work, until Ctrl-C."""
    processes.end_with_parent()
    settings = _settings()
    with _node(settings) as node, processes.stop_signal() as stop:
        live(
            node,
            seed=seed,
            per_second=per_second,
            stop=stop,
            now=utc_now,
            folder=settings.catalogue,
            platforms=pages,
        )


@cli.command()
def generate(
    incidents: Annotated[int, typer.Option(help="How many.")] = 20_000,
    days: Annotated[int, typer.Option(help="Over how many days until now.")] = 60,
    seed: Annotated[int, typer.Option(help="The same seed makes the same network.")] = 1,
) -> None:
    """Record made-up histories of the whole network, calibrated by published figures."""
    settings = _settings()
    with _node(settings) as node, bar("Recording incidents") as progress:
        recorded = network.generate(
            node,
            incidents=incidents,
            days=days,
            until=utc_now(),
            seed=seed,
            progress=progress,
            folder=settings.catalogue,
        )
    console.print(f"{recorded} incidents recorded; the projector takes them into the read models.")


@cli.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="The file to import.")],
    format_: Annotated[str, typer.Option("--format", help="nyc311 or jsonl; see docs/import.md.")],
    catalogue: CatalogueOption = None,
) -> None:
    """Import records by the rules of every other command; running twice changes nothing."""
    settings = _settings(catalogue or (NEW_YORK if format_ == "nyc311" else None))
    chosen = format_named(format_, settings.catalogue)
    with _node(settings) as node:
        with bar(f"Importing {file.name}") as progress:
            report = run_import(node, chosen, file, now=utc_now(), progress=progress)
        catch_up(node, threading.Event())
    _print_report(report)


# The catalogue of the one city whose records this repository can import; see examples/.
NEW_YORK = str(Path(__file__).parent.parent / "examples" / "nyc311")


@cli.command("archive")
def archive_months(
    folder: Annotated[
        Path, typer.Argument(help="Where the files go.", exists=True, file_okay=False)
    ],
    before: Annotated[
        datetime, typer.Option(help="The first month (UTC) that stays.", formats=["%Y-%m"])
    ],
    catalogue: CatalogueOption = None,
) -> None:
    """Move old lines of the access log, and deliveries taken in, from the database into files."""
    with (
        database(_settings(catalogue)) as served,
        psycopg.connect(served.url, autocommit=True) as connection,
    ):
        moved = archive(connection, folder, before=before.replace(tzinfo=UTC), now=utc_now())
    for table, rows in moved.items():
        console.print(f"{table}: {rows:,} rows")


@projections.command()
def status(catalogue: CatalogueOption = None) -> None:
    """How far the read models have come, region by region."""
    settings = _settings(catalogue)
    with _node(settings) as node, versions.connect(node.url) as connection:
        parts = progress_now(connection)
    table = Table(
        "region", "head", "position", "lag", "state", title=f"read@{version_of(node.catalogue)}"
    )
    for part in parts:
        if part.head:
            state = "stopped" if part.stopped else "live"
            table.add_row(part.region, str(part.head), str(part.position), str(part.lag), state)
    show(table)


@projections.command()
def rebuild(catalogue: CatalogueOption = None) -> None:
    """Build the read models anew beside the served ones, then serve the new."""
    with _node(_settings(catalogue)) as node, bar("Projecting events") as progress:
        events = versions.rebuild(node.url, node.catalogue, progress)
    console.print(f"{events} events; the new read models are served.")


@projections.command()
def retry(
    region: Annotated[str, typer.Argument(help="Code of the stopped region.")],
    skip: Annotated[bool, typer.Option(help="Go on without the event that stopped it.")] = False,
    catalogue: CatalogueOption = None,
) -> None:
    """Let a region go on that a dead letter has stopped."""
    with _node(_settings(catalogue)) as node, versions.connect(node.url) as connection:
        node.catalogue.region(region)
        started = projector.retry(connection, region, skip=skip)
    console.print(f"Region {region} goes on." if started else f"Region {region} is not stopped.")


@ranking.command()
def verify(
    publication: Annotated[UUID, typer.Argument(help="Its id.")],
    catalogue: CatalogueOption = None,
) -> None:
    """Find a published ranking again from the events alone; exit code 1 if it is another one.

    Needs nothing but the log: no key of the node, for nothing that is sealed is opened.
    """
    settings = _settings(catalogue)
    known = load_catalogue(settings.catalogue)
    with database(settings) as served, bar("Reading events") as progress:
        with psycopg.connect(served.url) as connection:
            event = published_as(connection, publication)
        differences = asyncio.run(_verify(served.url, known, event, progress))
    if not differences:
        console.print(
            f"Equal: {len(event.found.rows)} rows by {event.question.method}, "
            f"{sum(event.found.positions.values()):,} events of {len(event.found.positions)} "
            f"regions, inputs {event.found.inputs_hash[:16]}…",
            soft_wrap=True,
        )
        return
    table = Table("unit", "field", "published", "found")
    for each in differences:
        table.add_row(each.unit, each.field, str(each.published), str(each.found))
    show(table)
    raise typer.Exit(1)


async def _verify(
    url: str, known: Catalogue, event: RankingPublished, progress: Callable[[int, int], None]
) -> list[Difference]:
    async with await psycopg.AsyncConnection.connect(
        url, autocommit=True, options="-c search_path=read,public"
    ) as connection:
        return await verification.verify(connection, event, known, progress)


@ranking.command("list")
def list_publications(
    region: Annotated[str | None, typer.Option(help="Those within a region.")] = None,
    catalogue: CatalogueOption = None,
) -> None:
    """Published rankings, the latest first."""
    with database(_settings(catalogue)) as served, psycopg.connect(served.url) as connection:
        found = published_lately(connection, region)
    table = Table("id", "published", "of", "by", "period", "rows", "restates", "reason")
    for each in found:
        question = each.question
        table.add_row(
            str(each.publication),
            each.occurred_at.isoformat(timespec="seconds"),
            question.of,
            question.by,
            f"{question.first} to {question.last}",
            str(len(each.found.rows)),
            str(each.restates or ""),
            each.reason or "",
        )
    show(table)


@cli.command("catalogue")
def show_catalogue(catalogue: CatalogueOption = None) -> None:
    """Check a catalogue and say what is in it."""
    loaded = load_catalogue(_settings(catalogue).catalogue)
    table = Table("", "number", title=f"{loaded.code}: {loaded.name}")
    table.add_row("districts", str(len(loaded.districts)))
    table.add_row("regions", str(len(loaded.regions)))
    table.add_row("municipalities", str(len(loaded.municipalities)))
    table.add_row("organisations", str(len(loaded.organisations)))
    topics = [topic for topic in loaded.topics.values() if topic.group]
    table.add_row("topic groups", str(len(loaded.topics) - len(topics)))
    table.add_row("topics", str(len(topics)))
    table.add_row("channels", str(len(loaded.channels)))
    show(table)


@cli.command()
def schema(
    compatible_with: Annotated[
        Path | None,
        typer.Option(help="A released schema: tell what changed since.", exists=True),
    ] = None,
) -> None:
    """Print the GraphQL schema; or what changed since a released one, exit code 1 if it breaks."""
    if compatible_with is None:
        typer.echo(graphql_schema.as_str())
        return
    released = compatible_with.read_text(encoding="utf-8")
    found = changes_since(released, graphql_schema._schema, today=utc_now().date())
    for dangerous in found.dangerous:
        typer.echo(f"dangerous {dangerous.type.name}: {dangerous.description}")
    for breaking in found.breaking:
        typer.echo(f"breaking {breaking.type.name}: {breaking.description}")
    raise typer.Exit(1 if found.breaking else 0)


@cli.command()
def usage(
    fields: Annotated[
        list[str] | None,
        typer.Argument(help="As Type.field; without any, those that are deprecated."),
    ] = None,
    days: Annotated[int, typer.Option(help="So many last days.")] = 30,
    catalogue: CatalogueOption = None,
) -> None:
    """Which clients still ask for a field of the API."""
    known = graphql_schema._schema
    for name in fields or ():
        kind, _, field = name.partition(".")
        if field not in getattr(known.type_map.get(kind), "fields", ()):
            raise typer.BadParameter(f"{name!r} is no field of the schema")
    asked = fields or [name for name, _ in deprecations(known)]
    since = utc_now().date() - timedelta(days=days)
    with _node(_settings(catalogue)) as node:
        found = usage_of(node.pool, asked, since=since)
    if not found:
        console.print(
            f"Nobody asked for {', '.join(asked) or 'what is deprecated'} in {days} days."
        )
        return
    table = Table("field", "client", "operations", "last on")
    for each in found:
        table.add_row(each.field, each.client, f"{each.operations:,}", f"{each.last_day}")
    show(table)


def _trace(settings: Settings, process: str) -> None:
    if settings.traces_endpoint is not None:
        # 70 ms of the start and 14 MB, for those who want spans.
        from api.telemetry.traces import send_to  # noqa: PLC0415

        send_to(settings.traces_endpoint, process)


@cli.command()
def token(
    scope: Annotated[
        str,
        typer.Option(
            help="`country`, or the code of a region, municipality, organisation or district."
        ),
    ] = "country",
    role: Annotated[Role, typer.Option(help="In which role.")] = Role.MONITOR,
    name: Annotated[str, typer.Option(help="Who; stands in every event.")] = "developer",
    topic_group: Annotated[
        list[str] | None,
        typer.Option(help="Code of a topic group: a curator's. More than one may be named."),
    ] = None,
    personal_data: Annotated[
        bool, typer.Option(help="With the right to open citizens' data.")
    ] = False,
    hours: Annotated[
        int, typer.Option(help="Valid for so many hours.", min=1, max=TOKEN_HOURS_MAX)
    ] = 12,
    catalogue: CatalogueOption = None,
) -> None:
    """Issue a token of this node, for development: who holds it acts as the named viewer."""
    settings = _settings(catalogue)
    try:
        known = load_catalogue(settings.catalogue)
        covered = read_scope(scope, known)
        scope_in(role, covered)
        if topic_group:
            covered = of_topic_groups(covered, topic_group, known)
    except ValueError as error:
        # The sentence names what is wrong: role, scope or group, or that two do not go together.
        raise typer.BadParameter(str(error)) from None
    viewer = Viewer(name, role, covered, personal_data=personal_data)
    key = _token_key(settings)
    typer.echo(issue_token(key, viewer, now=utc_now(), valid=timedelta(hours=hours)))


def _token_key(settings: Settings) -> bytes:
    """Raises SettingInvalid where an issuer is configured: the API refuses what we would sign."""
    if settings.issuer is not None:
        raise SettingInvalid(
            f"Tokens come from {settings.issuer.url} (TSUR_OIDC_ISSUER): those of this node's key "
            "are refused, so none is issued"
        )
    return read_token_key(settings.home)


def _settings(catalogue: str | None = None) -> Settings:
    return read_settings({**os.environ, "TSUR_CATALOGUE": catalogue} if catalogue else os.environ)


@contextmanager
def _node(settings: Settings) -> Iterator[Node]:
    """The node with its read models in place. Only a new database is made ready in passing."""
    with database(settings) as served, open_node(settings, served.url) as node:
        if versions.served_version(served.url) is None:
            with bar("Building the read models") as progress:
                versions.ensure(served.url, node.catalogue, progress)
        yield node


def _print_report(report: ImportReport) -> None:
    table = Table("rows", "number")
    for label, count in describe(report):
        table.add_row(label, str(count))
    show(table)
    for kind, tallies in (("quarantined", report.quarantined), ("refused", report.refused)):
        for reason, tally in tallies.items():
            for row in tally.rows:
                line = f"{kind} {reason} {row.row_key}: {row.detail}"
                console.print(line, markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    main()
