"""`tsur up`: prepare the database, start the children, stay until told to stop."""

import json
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from api.app import utc_now
from api.demo import network
from api.demo.served import PLATFORMS_PORT, connect_platforms
from api.demo.sources import regions_with_pages
from api.processes import PARENT_HOLDS_STDIN, Children, is_ready, stop_signal
from api.progress import bar, console
from projections import versions
from projections.projector import Projector
from projections.versions import Progress
from regions.federation.topology import AT_EACH, Process, read_federation_key
from regions.node import Database, Node, database, open_node, read_membership
from regions.reference.catalogue import load_catalogue
from regions.settings import SettingInvalid, Settings

SUPERVISE_SECONDS = 0.5  # between two looks at the children
JOINED_SECONDS = 1.0  # between two tries to have the database for ourselves
DEMO_SEED = 1
COMMANDS: dict[Process, str] = {
    "projector": "projector",
    "api": "api",
    "clock": "clock",
    "worker": "worker",
    "exports": "worker --queue exports",
    "watch": "federation watch",
}
PAGES = f"http://127.0.0.1:{PLATFORMS_PORT}"


class Demo(NamedTuple):
    incidents: int
    days: int


class Stopped(Exception):
    """Told to stop while something long was under way; all of it can be broken off."""


def run_everything(settings: Settings, demo: Demo | None) -> None:
    """Until SIGINT or SIGTERM.

    Raises SettingInvalid, PostgresUnavailable, CatalogueInvalid, TopologyInvalid.
    """
    here = commands_here(settings)
    if "api" in here:
        _check_port_free(settings)
    told = False
    with stop_signal() as stop, suppress(Stopped):
        while not stop.is_set():
            with database(settings) as served:
                if not served.borrowed:
                    _prepare(settings, served.url, demo, stop, projects="projector" in here)
                    _supervise(settings, served, here, demo, stop)
                    continue
            if not told:
                told = True
                console.print("Another tsur command runs the database; waiting for its end …")
            stop.wait(JOINED_SECONDS)


def _prepare(
    settings: Settings, url: str, demo: Demo | None, stop: threading.Event, *, projects: bool
) -> None:
    with open_node(settings, url) as node:
        read_federation_key(settings.home, node.membership)  # else its children end at once
        with bar("Building the read models") as progress:
            versions.ensure(url, node.catalogue, _unless(stop, progress))
        if demo is not None:
            _fill(settings, node, demo, stop)
            if settings.topology is None:
                connect_platforms(node, settings)
        if projects:
            catch_up(node, stop)


def _unless(stop: threading.Event, progress: Progress) -> Progress:
    """The same progress, but it raises Stopped once `stop` is set."""

    def watched(done: int, in_all: int) -> None:
        if stop.is_set():
            raise Stopped
        progress(done, in_all)

    return watched


def catch_up(node: Node, stop: threading.Event) -> None:
    """Take new events in with a progress bar, unless that is left to a running projector.

    It is where there is one, and where this role may not. Raises Stopped.
    """
    with versions.connect(node.url) as connection, bar("Projecting events") as shown:
        progress = _unless(stop, shown)
        projector = Projector(connection, node.catalogue)
        if projector.may_project() and projector.lead(wait=False):
            behind, done = projector.behind(), 0
            while taken := projector.step():
                done += taken
                progress(done, max(done, behind))


def _fill(settings: Settings, node: Node, demo: Demo, stop: threading.Event) -> None:
    """Generate the demo once; broken off, it goes on with the same histories at the next start."""
    note = settings.home / f"demo-{node.catalogue.code}.json"
    if node.is_empty():
        facts = {"until": utc_now().isoformat(), "incidents": demo.incidents, "days": demo.days}
        _write(note, facts | {"complete": False})
    elif not note.exists():
        console.print("The node holds incidents already; --demo adds only the live stream.")
        return
    facts = json.loads(note.read_text())
    if facts["complete"]:
        return
    with bar("Recording the demo") as progress:
        network.generate(
            node,
            incidents=facts["incidents"],
            days=facts["days"],
            until=datetime.fromisoformat(facts["until"]),
            seed=DEMO_SEED,
            progress=_unless(stop, progress),
            folder=settings.catalogue,
        )
    _write(note, facts | {"complete": True})


def _write(note: Path, facts: dict[str, object]) -> None:
    """Whole or not at all."""
    draft = note.with_suffix(".draft")
    draft.write_text(json.dumps(facts))
    draft.replace(note)


def commands_here(settings: Settings) -> list[str]:
    """What runs on this machine, each as often. Raises TopologyInvalid and SettingInvalid."""
    membership = read_membership(settings, load_catalogue(settings.catalogue))
    if membership is None:
        return [COMMANDS[each] for each in AT_EACH]
    place = membership.topology.place(membership.name)
    found = place.processes(settings.machine)
    return [COMMANDS[each] for each, number in found.items() for _ in range(number)]


def _supervise(
    settings: Settings,
    served: Database,
    here: Sequence[str],
    demo: Demo | None,
    stop: threading.Event,
) -> None:
    """Run the children until `stop` is set or the database has died."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = f"http://{host}:{settings.port}"
    commands = [*here, *(demo_commands(settings) if demo else [])]
    environment = {
        "TSUR_DATABASE_URL": served.url,
        "TSUR_HOME": str(settings.home),
        "TSUR_CATALOGUE": str(settings.catalogue),
        "TSUR_HOST": settings.host,
        "TSUR_PORT": str(settings.port),
        **({"TSUR_TOPOLOGY": str(settings.topology)} if settings.topology else {}),
        **({"TSUR_NODE": settings.node} if settings.node else {}),
        PARENT_HOLDS_STDIN: "1",
    }
    children = Children(commands, environment)
    announced = "api" not in here
    if announced:
        console.print(f"[bold green]tsur runs here:[/] {', '.join(here)}")
    try:
        # Watched from their first moment on: a child may die before it has ever been ready.
        while not stop.wait(SUPERVISE_SECONDS) and served.alive():
            for command in children.restart_dead():
                console.print(f"[yellow]tsur {command} ended and was started again[/]")
            if not announced and is_ready(address):
                announced = True
                console.print(f"\n[bold green]tsur is up.[/] Open {address}/graphql\n")
                console.print("For incidents, commands and streams: tsur token --scope country")
                if "platforms" in commands:
                    console.print(f"Posts arriving and being answered: {PAGES}")
                elif demo:
                    console.print("Nobody posts: none of the demo's pages is here.")
    finally:
        children.stop()


def demo_commands(settings: Settings) -> list[str]:
    """What else runs: the platforms only where the catalogue has regions with pages on them.

    They are one for the machine: the nodes of a federation go without.
    """
    if settings.topology or not regions_with_pages(load_catalogue(settings.catalogue)):
        return ["simulate"]
    return ["platforms", f"simulate --pages {PAGES}"]


def _check_port_free(settings: Settings) -> None:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise SettingInvalid(
                f"{settings.host}:{settings.port} cannot be listened on ({error.strerror}); "
                "set TSUR_HOST or TSUR_PORT"
            ) from None
