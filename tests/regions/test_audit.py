"""The audit finds what is amiss, and says nothing else."""

from collections.abc import Callable
from uuid import uuid4

import psycopg
import pytest

from projections import audit as read_models
from regions import audit
from regions.centre import Position, Result
from regions.node import Node
from tests.conftest import PAST_TRIGGERS
from tests.scenarios import NOON, OPERATOR, closed, message, registered


@pytest.fixture
def written(node: Node) -> Node:
    closed(node.centre("BRONX"))
    registered(node.centre("BRONX"))
    return node


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("SELECT", []),
        ("DELETE FROM events WHERE pos = 2", ["the head at", "the last of version"]),
        ("UPDATE region_head SET pos = pos + 1 WHERE region = 'BRONX'", ["the head at"]),
        (
            "UPDATE events SET originator_version = 102 - originator_version WHERE pos IN (2, 3)",
            ["the last of version 100", "stands behind a later one"],
        ),
    ],
)
def test_gaps_and_what_is_out_of_order_are_named(
    written: Node, change: str, found: list[str]
) -> None:
    with psycopg.connect(written.url, autocommit=True) as connection:
        connection.execute(PAST_TRIGGERS)
        connection.execute(change.encode())
        told = " | ".join(audit.of_log(connection))
    assert all(part in told for part in found)
    assert bool(told) == bool(found)


def test_a_command_that_is_recorded_otherwise_than_it_was_told_is_named(node: Node) -> None:
    told = uuid4()
    recorded = node.centre("BRONX").register(message(), command_id=told, at=NOON, by=OPERATOR)
    other = Result(uuid4(), 1, Position("BRONX", 1))
    with psycopg.connect(node.url) as connection:
        assert [*audit.of_commands(connection, {told: recorded}, ["BRONX"])] == []
        assert len([*audit.of_commands(connection, {told: other}, ["BRONX"])]) == 1
        assert len([*audit.of_commands(connection, {uuid4(): recorded}, ["BRONX"])]) == 1
        assert [*audit.of_commands(connection, {uuid4(): recorded}, ["QUEENS"])] == []


def test_a_table_that_a_rebuild_makes_otherwise_is_named(
    written: Node, project: Callable[[], int], read: psycopg.Connection
) -> None:
    project()
    assert [*read_models.of_read_models(written.url, written.catalogue)] == []
    read.execute("UPDATE incident SET version = version + 1")
    (named,) = read_models.of_read_models(written.url, written.catalogue)
    assert named.startswith("table incident is not what a rebuild makes")
