"""How much faster are events taken into the read models than by the library's runner?

Ours takes batches of a filled store. The stock runner takes the same kind of events, one
transaction each, into the same tables; that both write the same rows is checked at the end. Its
store is small, so that its daily counts are cheaper than they would be at our size.
"""

import itertools
from collections.abc import Iterator
from statistics import median

import psycopg

from api.progress import bar
from bench import append, stock
from bench.cost import Cost
from bench.result import Result, at_least, info
from bench.scratch import Scratch
from domain.incident import StreamEvent
from projections import versions
from projections.projector import Projector

INCIDENTS = 40_000  # in our store
STOCK_INCIDENTS = 400
ROUNDS = 6


def run(scratch: Scratch) -> list[Result]:
    filled, small = scratch.fill(INCIDENTS), scratch.fill(STOCK_INCIDENTS)
    events = list(append.events_of(scratch, small))
    with psycopg.connect(small.url, autocommit=True) as connection:
        # The stock recorder opens its connections itself, and offers no other way to say this.
        connection.execute(
            f"ALTER DATABASE {connection.info.dbname} SET search_path = read, public"
        )
    own, theirs = _race(scratch, filled.url, small.url, events)
    if _rows(small.url) != _rebuilt_rows(scratch, small.url):
        raise AssertionError("the stock projection and ours differ: the comparison is not fair")
    return [
        at_least("projection.events_per_second", _speed(own) / _speed(theirs), "x stock", 100),
        info("projection.processor", _processor(theirs) / _processor(own), "x stock CPU"),
        info("projection.own", _speed(own), "events/s"),
        info("projection.own.client", median(cost.client for cost in own), "us/event"),
        info("projection.own.server", median(cost.server for cost in own), "us/event"),
        info("projection.stock", _speed(theirs), "events/s"),
        info("projection.stock.client", median(cost.client for cost in theirs), "us/event"),
        info("projection.stock.server", median(cost.server for cost in theirs), "us/event"),
    ]


def _race(
    scratch: Scratch, url: str, stock_url: str, events: list[StreamEvent]
) -> tuple[list[Cost], list[Cost]]:
    """Turn by turn; the cost of each turn's events, in microseconds an event."""
    own: list[Cost] = []
    theirs: list[Cost] = []
    application = stock.StockApplication(stock.environment(stock_url))
    with versions.connect(url) as connection, bar("Projecting, ours and stock") as progress:
        projector = Projector(connection, scratch.catalogue)
        for turn, part in enumerate(_parts(events), start=1):
            theirs.append(_stock_turn(scratch, application, stock_url, part))
            own.append(_own_turn(scratch, projector))
            progress(turn, ROUNDS)
    application.close()
    return own, theirs


def _parts(events: list[StreamEvent]) -> Iterator[list[StreamEvent]]:
    size = -(-len(events) // ROUNDS)
    rest = iter(events)
    while part := list(itertools.islice(rest, size)):
        yield part


def _own_turn(scratch: Scratch, projector: Projector) -> Cost:
    with scratch.meter().measure() as cost:
        taken = projector.step()
    return cost.each(taken)


def _stock_turn(
    scratch: Scratch,
    application: stock.StockApplication,
    url: str,
    events: list[StreamEvent],
) -> Cost:
    recordings = application.save(*map(stock.stock_event, events))
    last = recordings[-1].notification.id
    with scratch.meter().measure() as cost:
        seconds = stock.run_projection(url, scratch.catalogue, last)
    cost.clock = seconds  # without starting and stopping the runner
    return cost.each(len(events))


def _speed(costs: list[Cost]) -> float:
    return 1e6 / median(cost.clock for cost in costs)


def _processor(costs: list[Cost]) -> float:
    return median(cost.processor for cost in costs)


def _rebuilt_rows(scratch: Scratch, url: str) -> dict[str, list[str]]:
    versions.rebuild(url, scratch.catalogue, lambda done, in_all: None)
    return _rows(url)


def _rows(url: str) -> dict[str, list[str]]:
    """What the read models say, but for `pos`: the stock recorder counts all regions together."""
    queries = {
        "incident": "SELECT to_jsonb(incident) - 'pos' FROM read.incident ORDER BY id",
        "change": "SELECT to_jsonb(change) - 'pos' FROM read.change ORDER BY incident_id, version",
        "daily": "SELECT to_jsonb(daily) FROM read.daily ORDER BY region, municipality, day",
        "durations": "SELECT to_jsonb(lasted) FROM read.daily_duration AS lasted"
        " ORDER BY region, municipality, day, measure",
        "months": "SELECT to_jsonb(lasted) FROM read.monthly_duration AS lasted"
        " ORDER BY region, month, measure",
    }
    with psycopg.connect(url) as connection:
        return {
            table: [str(row) for (row,) in connection.execute(query)]
            for table, query in queries.items()
        }
