"""Does a save cost less than the stock recorder's, one event at a time and in bulk?

The same events, made beforehand, go through `Application.save()` of the library with its own
PostgreSQL recorder and JSON mapper, and through `Centre.save()`, turn by turn.
"""

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from statistics import median
from typing import cast
from uuid import uuid4

from api.demo import network
from api.progress import bar
from bench import stock
from bench.cost import Cost, Meter
from bench.result import Result, at_least, info
from bench.scratch import DAYS, RUSSIA, SEED, Filled, Scratch
from domain.commands import AcceptWork, Assign, Citizen, Classify, PublishReply, Register
from domain.identifiers import new_id
from domain.incident import StreamEvent
from domain.rights import SYSTEM
from domain.vocabulary import ReplyKind
from regions.bulk import record_histories
from regions.node import Node

INCIDENTS = 12_000  # whose events are saved
ROUNDS = 8
SAVES = 250  # of one event, in a round
BULK_EVENTS = 1_000  # in one save
BULK_SAVES = 2  # in a round
# The stock recorder waits for ever with a thousand: its pipeline fills the Unix socket.
STOCK_BULK_EVENTS = 100
COMMANDS = 50  # incidents that live through five commands, in a round


def run(scratch: Scratch) -> list[Result]:
    events = events_of(scratch, scratch.filled(INCIDENTS))
    single, bulk = iter(list(itertools.islice(events, ROUNDS * SAVES))), _of_one_region(events)
    url, meter = scratch.database(), scratch.meter()
    application = stock.StockApplication(stock.environment(scratch.database()))
    own: list[Cost] = []
    theirs: list[Cost] = []
    own_bulk: list[Cost] = []
    stock_bulk: list[Cost] = []
    histories: list[Cost] = []
    commands: list[Cost] = []
    with scratch.node(url) as node, bar("Saving events") as progress:
        for turn in range(ROUNDS):
            chosen = list(itertools.islice(single, SAVES))
            packs = list(itertools.islice(bulk, BULK_SAVES))
            _own_saves(node, chosen, meter, own)
            _stock_saves(application, [[event] for event in chosen], meter, theirs)
            _own_bulk_saves(node, packs, meter, own_bulk)
            _stock_saves(application, list(_smaller(packs)), meter, stock_bulk)
            histories.append(_histories(node, meter, turn))
            commands.append(_commands(node, meter))
            progress(turn + 1, ROUNDS)
    application.close()
    return [
        at_least("append.save", _ratio(theirs, own), "x CPU of stock", 2),
        at_least("append.bulk", _ratio(theirs, own_bulk), "x CPU of stock", 10),
        info("append.bulk_to_bulk", _ratio(stock_bulk, own_bulk), "x CPU of stock"),
        *_spent("append.stock_save", theirs),
        *_spent("append.own_save", own),
        *_spent("append.own_bulk_event", own_bulk),
        *_spent("append.stock_bulk_event", stock_bulk),
        *_spent("append.history_event", histories),
        *_spent("append.command", commands),
    ]


def events_of(scratch: Scratch, filled: Filled) -> Iterator[StreamEvent]:
    """All its events: those of a region in order, the regions in turn."""
    with scratch.node(filled.url) as node:
        logs = [
            [cast(StreamEvent, node.centre(code).mapper.to_domain_event(n)) for n in notifications]
            for code in scratch.catalogue.regions
            if (notifications := node.centre(code).recorder.select_notifications(1, 10**9))
        ]
    mixed = itertools.zip_longest(*logs)
    return (event for events in mixed for event in events if event is not None)


def _of_one_region(events: Iterator[StreamEvent]) -> Iterator[list[StreamEvent]]:
    """Packs for bulk saves."""
    packs: dict[str, list[StreamEvent]] = defaultdict(list)
    for event in events:
        pack = packs[event.event.region]
        pack.append(event)
        if len(pack) == BULK_EVENTS:
            yield packs.pop(event.event.region)


def _smaller(packs: Sequence[Sequence[StreamEvent]]) -> Iterator[Sequence[StreamEvent]]:
    for pack in packs:
        for start in range(0, len(pack), STOCK_BULK_EVENTS):
            yield pack[start : start + STOCK_BULK_EVENTS]


def _own_saves(node: Node, events: Sequence[StreamEvent], meter: Meter, costs: list[Cost]) -> None:
    centres = [node.centre(event.event.region) for event in events]
    with meter.measure() as cost:
        for centre, event in zip(centres, events, strict=True):
            centre.save(event)
    costs.append(cost.each(len(events)))


def _own_bulk_saves(
    node: Node, packs: Sequence[Sequence[StreamEvent]], meter: Meter, costs: list[Cost]
) -> None:
    with meter.measure() as cost:
        for pack in packs:
            node.centre(pack[0].event.region).save(*pack)
    costs.append(cost.each(sum(map(len, packs))))


def _stock_saves(
    application: stock.StockApplication,
    packs: Sequence[Sequence[StreamEvent]],
    meter: Meter,
    costs: list[Cost],
) -> None:
    translated = [[stock.stock_event(event) for event in pack] for pack in packs]
    with meter.measure() as cost:
        for pack in translated:
            application.save(*pack)
    costs.append(cost.each(sum(map(len, packs))))


def _histories(node: Node, meter: Meter, turn: int) -> Cost:
    """Bulk as imports do it: rules checked, citizens sealed, command ids kept."""
    region, now = "63", datetime.now(UTC)
    made = network.Network(node.catalogue, seed=SEED + 1 + turn, folder=RUSSIA).region_histories(
        region, incidents=INCIDENTS, days=DAYS, until=now
    )
    lives = list(made)
    with meter.measure() as cost:
        report = record_histories(node.centre(region), lives, now=now)
    return cost.each(report.events)


def _commands(node: Node, meter: Meter) -> Cost:
    """Whole commands: load, check, decide, seal, save with the command's id."""
    centre = node.centre("63")
    now = datetime.now(UTC)
    topic = next(topic for topic in node.catalogue.topics.values() if topic.group)
    body = node.catalogue.organisations_of["63"][0]
    citizen = Citizen(name="Анна", contact="+7 900 000-00-00", text="Нет воды второй день")
    with meter.measure() as cost:
        for _ in range(COMMANDS):
            message = Register(channel="VK", published_at=now, citizen=citizen)
            incident = centre.register(
                message, command_id=new_id(now), at=now, by=SYSTEM
            ).incident_id
            for command in (
                Classify(topic=topic.code),
                Assign(organisation=body.code),
                AcceptWork(),
                PublishReply(kind=ReplyKind.FINAL, text="Вода есть"),
            ):
                centre.handle(incident, command, command_id=uuid4(), at=now, by=SYSTEM)
    return cost.each(COMMANDS * 5)


def _ratio(slow: list[Cost], fast: list[Cost]) -> float:
    """The median over the rounds: what both did at the same time."""
    return median(a.processor / b.processor for a, b in zip(slow, fast, strict=True))


def _spent(name: str, costs: list[Cost]) -> list[Result]:
    parts: dict[str, Callable[[Cost], float]] = {
        "client": lambda cost: cost.client,
        "server": lambda cost: cost.server,
        "clock": lambda cost: cost.clock,
    }
    return [info(f"{name}.{part}", median(map(take, costs)), "us") for part, take in parts.items()]
