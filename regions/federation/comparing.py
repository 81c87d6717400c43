"""Whether a hub has the events of a region as its node has them: by digests, range by range."""

from collections.abc import Iterator
from typing import LiteralString, NamedTuple

import psycopg

from regions.federation.replication import recorded

RANGE_EVENTS = 10_000  # that a difference is narrowed down from, event by event


class Digest(NamedTuple):
    """Of the events of a region in a range of positions; equal at both ends if all is well."""

    events: int
    first: int | None
    last: int | None
    hash: int


DIGEST: LiteralString = """
SELECT count(*),
       min(pos),
       max(pos),
       coalesce(sum(hashtextextended(concat_ws(
           '|', pos, originator_id, originator_version, topic, payload,
           extract(epoch FROM recorded_at)), 0)), 0)
  FROM events
 WHERE region = %s
   AND pos > %s
   AND pos <= %s
"""


def digest(connection: psycopg.Connection, region: str, after: int, upto: int) -> Digest:
    row = connection.execute(DIGEST, [region, after, upto]).fetchone()
    assert row is not None, "an aggregate has a row"  # noqa: S101
    return Digest(*row)


def last_position(connection: psycopg.Connection, region: str) -> int:
    row = connection.execute(
        "SELECT coalesce(max(pos), 0) FROM events WHERE region = %s", [region]
    ).fetchone()
    return row[0] if row else 0


def known_position(hub: psycopg.Connection, region: str) -> int:
    """Up to where it has events of a region, or had: the head tells of those that are gone."""
    return max(last_position(hub, region), recorded(hub, [region]))


class Difference(NamedTuple):
    """An event that is not at the hub as it is at its node."""

    region: str
    pos: int
    what: str  # MISSING at the hub, FOREIGN to the node, or OTHER


def differences(
    hub: psycopg.Connection, node: psycopg.Connection, region: str
) -> Iterator[Difference]:
    """Compare what the hub has, or had, of a region with the node, in growing positions."""
    upto = known_position(hub, region)
    for after in range(0, upto, RANGE_EVENTS):
        yield from within(hub, node, region, after, min(after + RANGE_EVENTS, upto))


def within(
    hub: psycopg.Connection, node: psycopg.Connection, region: str, after: int, upto: int
) -> Iterator[Difference]:
    """The same in a range of positions; costs one question at each end if there is none."""
    here, there = (digest(each, region, after, upto) for each in (hub, node))
    if here == there:
        return
    if upto - after > 1:
        middle = (after + upto) // 2
        yield from within(hub, node, region, after, middle)
        yield from within(hub, node, region, middle, upto)
        return
    what = "MISSING" if not here.events else "FOREIGN" if not there.events else "OTHER"
    yield Difference(region, upto, what)
