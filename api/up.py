"""`tsur up`: prepare the database, start the children, stay until told to stop."""

import json
import socket
import threading
from datetime import datetime
from typing import NamedTuple

from api.app import utc_now
from api.demo import network
from api.processes import PARENT_HOLDS_STDIN, Children, is_ready, stop_signal
from api.progress import bar, console
from projections import versions
from projections.projector import Projector
from regions.node import Database, Node, database, open_node
from regions.settings import SettingInvalid, Settings

SUPERVISE_SECONDS = 0.5  # between two looks at the children
JOINED_SECONDS = 1.0  # between two tries to have the database for ourselves
DEMO_SEED = 1


class Demo(NamedTuple):
    incidents: int
    days: int


def run_everything(settings: Settings, demo: Demo | None) -> None:
    """Until SIGINT or SIGTERM. Raises SettingInvalid, PostgresUnavailable, CatalogueInvalid."""
    _check_port_free(settings)
    with stop_signal() as stop:
        while not stop.is_set():
            with database(settings) as served:
                if served.borrowed:
                    console.print("Another tsur command runs the database; waiting for its end …")
                    stop.wait(JOINED_SECONDS)
                    continue
                _prepare(settings, served.url, demo)
                _supervise(settings, served, demo, stop)


def _prepare(settings: Settings, url: str, demo: Demo | None) -> None:
    with open_node(settings, url) as node:
        with bar("Building the read models") as progress:
            versions.ensure(url, node.catalogue, progress)
        if demo is not None:
            _fill(settings, node, demo)
        catch_up(node)


def catch_up(node: Node) -> None:
    """Take new events in with a progress bar, unless a running projector does so already."""
    with versions.connect(node.url) as connection, bar("Projecting events") as progress:
        projector = Projector(connection, node.catalogue)
        if projector.lead(wait=False):
            behind, done = projector.behind(), 0
            while taken := projector.step():
                done += taken
                progress(done, max(done, behind))


def _fill(settings: Settings, node: Node, demo: Demo) -> None:
    """Generate the demo once; broken off, it goes on with the same histories at the next start."""
    note = settings.home / f"demo-{node.catalogue.code}.json"
    if not note.exists():
        if not node.is_empty():
            console.print("The node holds incidents already; --demo adds only the live stream.")
            return
        facts = {"until": utc_now().isoformat(), "incidents": demo.incidents, "days": demo.days}
        note.write_text(json.dumps(facts | {"complete": False}))
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
            progress=progress,
            folder=settings.catalogue,
        )
    note.write_text(json.dumps(facts | {"complete": True}))


def _supervise(
    settings: Settings, served: Database, demo: Demo | None, stop: threading.Event
) -> None:
    """Run the children until `stop` is set or the database has died."""
    address = f"http://{settings.host}:{settings.port}"
    commands = ["projector", "api", *(["simulate"] if demo else [])]
    environment = {
        "TSUR_DATABASE_URL": served.url,
        "TSUR_HOME": str(settings.home),
        "TSUR_CATALOGUE": str(settings.catalogue),
        PARENT_HOLDS_STDIN: "1",
    }
    children = Children(commands, environment)
    announced = False
    try:
        # Watched from their first moment on: a child may die before it has ever been ready.
        while not stop.wait(SUPERVISE_SECONDS) and served.alive():
            for command in children.restart_dead():
                console.print(f"[yellow]tsur {command} ended and was started again[/]")
            if not announced and is_ready(address):
                announced = True
                console.print(f"\n[bold green]tsur is up.[/] Open {address}/graphql\n")
                console.print("For incidents, commands and streams: tsur token --scope country")
    finally:
        children.stop()


def _check_port_free(settings: Settings) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise SettingInvalid(
                f"{settings.host}:{settings.port} cannot be listened on ({error.strerror}); "
                "set TSUR_HOST or TSUR_PORT"
            ) from None
