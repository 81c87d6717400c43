"""What nobody waits for any more is not worked on: the SQL of an operation ends with it."""

import logging
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from typing import Any

import httpx
import psycopg
import pytest

from api import queries
from api.transport import execution
from regions.store.postgres import Server
from tests.api.conftest import Api, fresh_database, serving
from tests.waiting import until

SLOW = "{ one: projectionStatus { head } other: projectionStatus { head } }"
SLEEP = "SELECT pg_sleep(600)"


@pytest.fixture(scope="module")
def api(server: Server, template: str) -> Iterator[Api]:
    with serving(fresh_database(server, template)) as api:
        yield api


class Asleep:
    """How many statements of `SLOW` PostgreSQL works on."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection

    def __call__(self) -> int:
        look = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query = %s"
        return int(self.connection.execute(look, [SLEEP]).fetchall()[0][0])


@pytest.fixture
def asleep(api: Api, monkeypatch: pytest.MonkeyPatch) -> Iterator[Asleep]:
    async def slowly(connection: psycopg.AsyncConnection[Any]) -> None:
        async with connection.transaction():
            await connection.execute("SET LOCAL statement_timeout = 0")
            await connection.execute(SLEEP)

    monkeypatch.setattr(queries, "progress", slowly)
    with psycopg.connect(api.url, autocommit=True) as connection:
        yield Asleep(connection)


def test_an_operation_that_takes_too_long_ends_its_sql(
    api: Api, asleep: Asleep, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "OPERATION_SECONDS_MAX", 0.5)
    answer = api.post(SLOW)
    assert answer.status_code == 200
    assert [each["extensions"]["code"] for each in answer.json()["errors"]] == ["TOO_EXPENSIVE"]
    until(lambda: asleep() == 0)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_when_the_client_leaves_its_sql_ends(
    method: str, api: Api, asleep: Asleep, caplog: pytest.LogCaptureFixture
) -> None:
    asked: dict[str, Any] = {"params" if method == "GET" else "json": {"query": SLOW}}
    request = api.client.build_request(method, "/graphql", **asked)
    line = HTTPConnection(api.address.removeprefix("http://"))
    with closing(line), caplog.at_level(logging.WARNING):
        line.request(method, str(request.url), request.content, dict(request.headers))
        until(lambda: asleep() == 2)
        line.close()
        until(lambda: asleep() == 0)
        assert api.is_alive()
    assert not caplog.records


def test_when_a_stream_is_left_its_sql_ends(api: Api, asleep: Asleep) -> None:
    with api.open_socket() as client:
        client.subscribe(SLOW)
        until(lambda: asleep() == 2)
    until(lambda: asleep() == 0)
    with httpx.Client(base_url=api.address) as other:
        headers = {"accept": "text/event-stream"}
        with other.stream("POST", "/graphql", json={"query": SLOW}, headers=headers):
            until(lambda: asleep() == 2)
    until(lambda: asleep() == 0)


def test_when_an_operation_is_completed_its_sql_ends(api: Api, asleep: Asleep) -> None:
    with api.open_socket() as client:
        client.subscribe(SLOW)
        until(lambda: asleep() == 2)
        client.send({"id": "1", "type": "complete"})
        until(lambda: asleep() == 0)
