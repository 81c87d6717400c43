"""New York's requests through the signed door: the same incidents as by the import of the file."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from api.formats import Accepted
from api.imports import format_named, run_import
from domain.commands import Classify
from domain.office import OpenSource
from domain.rights import SYSTEM
from domain.vocabulary import Regime
from regions.node import Node
from regions.offices import command_office
from regions.store.postgres import Server
from regions.store.server import create_database
from tests.api.conftest import catch_up, node_on, projecting, serving
from tests.conftest import CHECKOUT, NEW_YORK
from tests.intake.network import now
from tests.waiting import until
from workers.crew import crew
from workers.platforms import signed

REQUESTS = CHECKOUT.parent / "shared" / "data" / "nyc311-2018-06-26.csv"
KEY = b"k" * 32
BATCH = 100  # the most that one request takes

needs_requests = pytest.mark.skipif(not REQUESTS.exists(), reason="the 1,000 requests are not here")


@needs_requests
def test_a_thousand_real_requests_through_the_door_are_what_the_import_makes_of_them(
    server: Server, template: str, node: Node, project: Any, tmp_path: Path
) -> None:
    run_import(node, format_named("nyc311", NEW_YORK), REQUESTS, now=now(), progress=_silent)
    project()
    url = create_database(server.url, f"door_{uuid4().hex}", template=template)
    access = "".join(f'["{region}-311"]\nsecret = "{KEY.decode()}"\n' for region in _regions(node))
    (tmp_path / "sources.toml").write_text(access)
    with (
        serving(url, now(), folder=NEW_YORK, sources=access) as api,
        node_on(url, node.catalogue) as behind,
        projecting(url, node.catalogue),
        crew(behind, NEW_YORK, tmp_path, now),
    ):
        for region in _regions(node):
            _open(behind, region)
        catch_up(url)
        sent = sum(_send(api.client, region, batch) for region, batch in _batches(node))
        with psycopg.connect(url, autocommit=True) as connection:
            until(lambda: connection.execute("SELECT FROM dramatiq.queue").fetchone() is None)
            catch_up(url)
            left = connection.execute("SELECT count(*) FROM inbox WHERE state <> 'TAKEN'")
            assert left.fetchone() == (0,)
    assert sent == 964
    door, file = _figures(url), _figures(node.url)
    assert _without_place(door) == _without_place(file)
    # Where a row names no place, the door may read it from the point; else they agree in that too.
    assert {place for _, place, *_ in file - door} == {""}


def _without_place(figures: Counter[tuple[str, ...]]) -> Counter[tuple[str, ...]]:
    return Counter({(region, *rest): n for (region, _, *rest), n in figures.items()})


def _regions(node: Node) -> list[str]:
    return list(node.catalogue.regions)


def _open(node: Node, region: str) -> None:
    command = OpenSource(
        code=f"{region}-311", channel="PHONE", name=region, address="311", regime=Regime.POS_MESSAGE
    )
    centre = node.centre(region)
    command_office(centre, command, command_id=uuid4(), at=now(), by=SYSTEM)


def _batches(node: Node) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """What the file holds, as a system that signs would tell it."""
    by_region: dict[str, list[dict[str, Any]]] = {}
    with REQUESTS.open("rb") as file:
        for row in format_named("nyc311", NEW_YORK).read(file, node.catalogue):
            if isinstance(row, Accepted):
                by_region.setdefault(row.region, []).append(_message(row.history))
    for region, messages in by_region.items():
        for first in range(0, len(messages), BATCH):
            yield region, messages[first : first + BATCH]


def _message(history: Any) -> dict[str, Any]:
    registration = history.registration
    topic = next(step.command.topic for step in history.steps if isinstance(step.command, Classify))
    told = {
        "id": registration.external_id,
        "text": "As the row of the file says.",
        "publishedAt": registration.published_at.isoformat(),
        "topic": topic,
        "municipality": registration.municipality,
        "latitude": registration.latitude,
        "longitude": registration.longitude,
    }
    return {name: value for name, value in told.items() if value is not None}


def _send(client: httpx.Client, region: str, messages: list[dict[str, Any]]) -> int:
    body = json.dumps({"messages": messages}).encode()
    timestamp = str(int(time.time()))
    headers = {
        "X-Tsur-Source": f"{region}-311",
        signed.TIMESTAMP_HEADER: timestamp,
        signed.SIGNATURE_HEADER: signed.sign(body, timestamp=timestamp, key=KEY),
    }
    client.post("/intake/v1/messages", content=body, headers=headers).raise_for_status()
    return len(messages)


def _figures(url: str) -> Counter[tuple[str, ...]]:
    """How many of each region, place, topic and hour of publication."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            """
            SELECT region,
                   coalesce(municipality, ''),
                   topic,
                   published_at::text,
                   round(latitude::numeric, 5)::text
              FROM read.incident
            """
        ).fetchall()
    return Counter(tuple(row) for row in rows)


def _silent(done: int, in_all: int) -> None:
    return
