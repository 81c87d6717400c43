"""What is amiss after the faults: nothing may be."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import LiteralString
from uuid import UUID

import psycopg
from psycopg import AsyncConnection

from api.torture.network import Network
from api.torture.writer import CANARY, Writer
from domain.vocabulary import RankedBy
from projections import audit as read_models
from projections import versions
from projections.feed import progress_now
from projections.statistics.figures import TOTAL, Figures, Period
from projections.statistics.units import region_figures
from projections.views.rankings import standings
from regions import audit
from regions.centre import Result
from regions.federation import replication

PERIOD = timedelta(days=1)  # before and after: all that was written, by whatever clock
# An incident that arrives is a command of the worker's.
RECORDED: LiteralString = """
SELECT (SELECT count(*) FROM command_result)
       - (SELECT count(*) FROM events WHERE topic = 'IncidentTransferredIn')
"""


def of_network(network: Network, writers: Sequence[Writer]) -> Iterator[str]:
    """In words; waits until what is under way has come to its end."""
    yield from _transfers(network)
    yield from _commands(network, writers)
    yield from _logs(network)
    yield from _rankings(network)
    yield from _plain(network)
    yield from _read_models(network)


def _transfers(network: Network) -> Iterator[str]:
    with ExitStack() as stack:
        nodes = [stack.enter_context(network.node(name)) for name in network.parts]

        def all_came() -> bool:
            network.hurry_jobs()
            return not any(audit.of_transfers(*nodes))

        if not network.comes(all_came):
            yield from map(str, audit.of_transfers(*nodes))


def _commands(network: Network, writers: Sequence[Writer]) -> Iterator[str]:
    """Each that was acknowledged is recorded as it was told, and no other is."""
    told: dict[UUID, Result] = {}
    for writer in writers:
        told |= writer.acknowledged
    recorded = 0
    for name, regions in network.parts.items():
        with network.node(name) as node:
            yield from audit.of_commands(node, told, regions)
            recorded += sum(count for (count,) in node.execute(RECORDED))
    if recorded != len(told):
        yield f"{recorded} commands are recorded, {len(told)} were acknowledged"


def _logs(network: Network) -> Iterator[str]:
    with network.hub() as hub:
        for name, regions in network.parts.items():
            with network.node(name) as node:
                if not network.comes(_all_received(hub, node, regions)):
                    yield f"the hub does not receive all of {name}"
                yield from audit.of_hub(hub, node, regions)
                yield from (f"{name}: {what}" for what in audit.of_log(node))
        yield from (f"hub: {what}" for what in audit.of_log(hub))


def _all_received(
    hub: psycopg.Connection, node: psycopg.Connection, regions: Sequence[str]
) -> Callable[[], bool]:
    return lambda: replication.recorded(hub, regions) == replication.recorded(node, regions)


def _rankings(network: Network) -> Iterator[str]:
    """The hub ranks as all nodes together would, each with its own figures of its own regions."""
    for name, machine in network.machines.items():
        with versions.connect(machine.url) as connection:
            if not network.comes(_all_taken_in(connection)):
                yield f"{name}: not all events are taken in"
    now = datetime.now(UTC)
    at_hub = asyncio.run(_figures(network, "hub", now))
    at_nodes = {
        region: figures
        for name, regions in network.parts.items()
        for region, figures in asyncio.run(_figures(network, name, now)).items()
        if region in regions
    }
    for by in RankedBy:
        if standings(at_hub, by) != standings(at_nodes, by):
            yield f"the hub ranks by {by} otherwise than its nodes together"


def _all_taken_in(connection: psycopg.Connection) -> Callable[[], bool]:
    return lambda: all(part.lag == 0 for part in progress_now(connection))


async def _figures(network: Network, name: str, now: datetime) -> dict[str, Figures]:
    period = Period((now - PERIOD).date(), (now + PERIOD).date())
    url = network.machines[name].url
    async with await AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute("SET search_path = read, public")
        found = await region_figures(connection, period, catalogue=network.catalogue, now=now)
    return {region: figures for region, figures in found.items() if region != TOTAL}


def _plain(network: Network) -> Iterator[str]:
    """What citizens wrote stands in no file: of the servers, of their logs, of the processes."""
    marks = [CANARY.encode()]
    for name, machine in network.machines.items():
        with replication.connect(machine.url) as connection:
            if audit.found_on_disk(connection, marks) or audit.found_in(machine.home, marks):
                yield f"{name}: what a citizen wrote stands in a file"


def _read_models(network: Network) -> Iterator[str]:
    for name, machine in network.machines.items():
        machine.kill("projector")
        for what in read_models.of_read_models(machine.url, network.catalogue):
            yield f"{name}: {what}"
