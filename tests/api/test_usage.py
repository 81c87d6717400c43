"""Who still asks for a field: known by client, after the fact, without slowing anybody."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest
from graphql import parse

from api.cli import main
from api.schema import schema
from api.telemetry import usage as counting
from api.telemetry.usage import Usage, fields_of
from api.transport.operations import Operations
from regions.field_usage import KEPT, FieldUsage, add_usage, usage_of
from regions.node import Node
from tests.api.conftest import SECRET, serving
from tests.conftest import NEW_YORK

DAY = date(2026, 3, 3)


def test_the_fields_of_a_document_are_named_by_their_types() -> None:
    text = """
    query A { regions { ...R } node(id: "x") { ... on Incident { status __typename } } }
    fragment R on Region { code again: code }
    query B { __schema { types { name } } }
    """
    found = {"Query.regions", "Query.node", "Region.code", "Incident.status"}
    assert fields_of(schema._schema, parse(text)) == found


def test_usage_is_stored_when_a_server_ends(url: str, node: Node) -> None:
    client = {"x-client-name": "dispatch"}
    with serving(url) as api:
        for _ in range(3):
            body = {"query": "{ regions { code } }"}
            api.client.post("/graphql", json=body, headers=client)
        api.ask("{ regions { name } }")
        api.answer("{ regions { nothing } }")
        today = api.clock.now.date()
    assert usage_of(node.pool, ["Region.code", "Region.name"], since=today) == [
        FieldUsage("Region.code", "dispatch", 3, today),
        FieldUsage("Region.name", "unnamed", 1, today),
    ]


def test_days_add_up_and_old_ones_go(node: Node) -> None:
    for day, times in ((DAY - KEPT - timedelta(days=1), 1), (DAY - timedelta(days=9), 2), (DAY, 4)):
        add_usage(node.pool, day, {("a", "Region.code"): times, ("b", "Region.name"): 1})
    add_usage(node.pool, DAY, {("a", "Region.code"): 8})
    code = ["Region.code"]
    assert usage_of(node.pool, code, since=date.min) == [FieldUsage("Region.code", "a", 14, DAY)]
    assert usage_of(node.pool, code, since=DAY) == [FieldUsage("Region.code", "a", 12, DAY)]
    assert usage_of(node.pool, ["Region.board"], since=date.min) == []


def test_a_client_that_never_sends_the_same_costs_no_more_than_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(counting, "DOCUMENTS_MAX", 2)
    usage, operations = Usage(schema._schema), Operations(schema._schema)
    for name in ("A", "B", "C", "A"):
        usage.count("x", operations.read(f"query {name} {{ regions {{ code }} }}"))
    assert usage.take() == {("x", "Query.regions"): 3, ("x", "Region.code"): 3}
    assert not usage.take()


@pytest.fixture
def tsur(
    node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    (tmp_path / "vault.key").write_bytes(SECRET)
    settings = {"TSUR_DATABASE_URL": node.url, "TSUR_HOME": str(tmp_path)}
    for name, value in (settings | {"TSUR_CATALOGUE": str(NEW_YORK)}).items():
        monkeypatch.setenv(name, value)

    def run(*words: str, code: int = 0) -> str:
        monkeypatch.setattr("sys.argv", ["tsur", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        assert ended.value.code == code, told.err
        return told.out + told.err

    return run


def test_a_maintainer_asks_who_still_uses_a_field(node: Node, tsur: Callable[..., str]) -> None:
    add_usage(node.pool, DAY, {("dispatch", "Region.code"): 7, ("dispatch", "Region.name"): 1})
    (line,) = [
        line
        for line in tsur("usage", "Region.code", "--days", "9999").splitlines()
        if "dispatch" in line
    ]
    assert all(word in line for word in ("Region.code", "7", str(DAY)))
    assert "Nobody asked for Region.board" in tsur("usage", "Region.board")
    assert "Nobody asked for what is deprecated" in tsur("usage"), "nothing is deprecated yet"
    for wrong in ("Region.nothing", "Nothing.code", "Region", "a b"):
        assert wrong in tsur("usage", wrong, code=2)
