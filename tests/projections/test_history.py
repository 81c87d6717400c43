"""The past of an incident: its events, and its row as it stood at any moment of its life."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from random import Random
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import psycopg
import pytest

from domain.errors import RuleBroken
from projections import incidents, versions
from projections.history import HistoryKey, PastEvent, as_of, histories
from projections.incidents import IncidentRow
from projections.projector import Projector
from regions.centre import Centre
from regions.node import Node
from tests.scenarios import (
    NOON,
    OPERATOR,
    PlainTerms,
    any_actor,
    any_command,
    ask,
    closed,
    message,
    registered,
)

COMMANDS = 250  # of which the rules allow about forty


def read(url: str, keys: Sequence[HistoryKey]) -> list[list[PastEvent]]:
    async def ask_for() -> list[list[PastEvent]]:
        async with await psycopg.AsyncConnection.connect(url) as connection:
            return await histories(connection, keys)

    return asyncio.run(ask_for())


@pytest.fixture
def node(node: Node) -> Node:
    """New York with a place whose days end elsewhere: incidents move there and back."""
    places = dict(node.catalogue.municipalities)
    places["BRONX-01"] = replace(places["BRONX-01"], zone=ZoneInfo("Pacific/Kiritimati"))
    node.catalogue = replace(node.catalogue, municipalities=places)
    return node


def lived(node: Node, chance: Random) -> UUID:
    """A long life of whatever the rules allow."""
    centre = Centre("BRONX", node.pool, node.catalogue, node.vault, PlainTerms())
    incident = centre.register(message(), command_id=uuid4(), at=NOON, by=OPERATOR).incident_id
    at = 0
    for _ in range(COMMANDS):
        at += chance.choice([1, 10, 100])
        command = any_command(centre, chance)
        try:
            ask(centre, incident, command, at, by=any_actor(command, chance))
        except RuleBroken:
            continue
    return incident


def rows_by_version(node: Node, incident: UUID) -> list[IncidentRow]:
    """The rows that the projector had, one after each event of the only incident there is."""
    versions.ensure(node.url, node.catalogue, lambda done, in_all: None)
    with versions.connect(node.url) as connection:
        connection.execute("TRUNCATE incident, change, daily, daily_duration, monthly_duration")
        connection.execute("UPDATE tracking SET pos = 0")
        projector = Projector(connection, node.catalogue, batch_events=1)
        return [incidents.load(connection, [incident])[incident] for _ in iter(projector.step, 0)]


@pytest.mark.parametrize("seed", range(5))
def test_the_row_as_of_any_moment_is_the_one_the_projector_had_then(node: Node, seed: int) -> None:
    incident = lived(node, Random(seed))
    key = HistoryKey("BRONX", incident)
    rows = rows_by_version(node, incident)
    (past,) = read(node.url, [key])
    assert [row.version for row in rows] == [event.version for event in past]
    assert len(past) > 20
    for version, row in enumerate(rows, start=1):
        upto = past[:version]
        assert as_of(upto, upto[-1].event.occurred_at, key, node.catalogue) == row
    # What one command recorded happened at one moment: as of then, all of it has.
    for row, following in pairwise([*rows, None]):
        moment = changed_at(row)
        if following is None or changed_at(following) > moment:
            assert as_of(past, moment, key, node.catalogue) == row
        if following is not None and changed_at(following) > moment:
            just_before = changed_at(following) - timedelta(microseconds=1)
            assert as_of(past, just_before, key, node.catalogue) == row


def changed_at(row: IncidentRow | None) -> datetime:
    assert row is not None
    return row.changed_at


def test_before_it_was_registered_there_was_no_incident(node: Node) -> None:
    key = HistoryKey("BRONX", registered(node.centre("BRONX")).incident_id)
    (past,) = read(node.url, [key])
    assert as_of(past, NOON - timedelta(microseconds=1), key, node.catalogue) is None
    assert as_of([], NOON, key, node.catalogue) is None
    assert as_of(past, NOON, key, node.catalogue) is not None


def test_histories_come_in_the_order_of_the_keys_by_version(node: Node) -> None:
    bronx, queens = node.centre("BRONX"), node.centre("QUEENS")
    keys = [
        HistoryKey("QUEENS", closed(queens).incident_id),
        HistoryKey("BRONX", uuid4()),
        HistoryKey("BRONX", registered(bronx).incident_id),
        HistoryKey("BRONX", closed(bronx).incident_id),
    ]
    found = read(node.url, keys)
    assert [[event.version for event in past] for past in found] == [
        [1, 2, 3, 4, 5, 6, 7],
        [],
        [1],
        [1, 2, 3, 4, 5, 6, 7],
    ]
    assert [event.pos for event in found[3]] == [2, 3, 4, 5, 6, 7, 8]
    assert read(node.url, []) == []
