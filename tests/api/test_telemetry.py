"""What a server tells of its operations: by name, within bounds, and never what was asked about."""

import json
import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid4

import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families
from websockets.exceptions import InvalidStatus

from api.telemetry.logs import JsonLines, TextLines
from api.telemetry.names import OTHER, Names
from api.transport.cost import OPERATION_COST
from api.viewer import VISITOR
from domain.rights import Scope
from domain.vocabulary import Role
from regions.reference.catalogue import Catalogue
from regions.store.postgres import Server
from tests.api.conftest import Api, fresh_database, node_on, projecting, serving, subscribers
from tests.conftest import CHECKOUT
from tests.scenarios import registered
from tests.waiting import until

Samples = dict[tuple[str, ...], float]
CHANGES = 'subscription Live { incidentChanges(region: "BRONX") { cursor } }'


@pytest.fixture(scope="module")
def watched(server: Server, template: str, catalogue: Catalogue) -> Iterator[Api]:
    url = fresh_database(server, template)
    with serving(url) as api, projecting(url, catalogue):
        yield api


def told(api: Api) -> Samples:
    """By name and labels, in the order of the label's names."""
    headers = {"authorization": f"Bearer {api.token()}"}
    answer = api.client.get("/metrics/server", headers=headers)
    assert answer.status_code == 200
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_an_operation_is_told_by_its_name(watched: Api) -> None:
    client = {"apollographql-client-name": "dispatch"}
    for _ in range(2):
        text = "query Overview { regions { code } projectionStatus { region } }"
        answer = watched.client.post("/graphql", json={"query": text}, headers=client)
        assert "errors" not in answer.json()
    samples = told(watched)
    assert samples["tsur_operation_seconds_count", "Overview", "query"] == 2
    assert samples["tsur_operation_cost_total", "Overview"] == 2 * (OPERATION_COST + 89 + 89)
    assert samples["tsur_operation_sql_statements_total", "Overview"] == 2
    assert samples["tsur_operation_sql_seconds_total", "Overview"] > 0
    assert samples["tsur_client_operations_total", "dispatch"] == 2
    assert ("tsur_operation_errors_total", "BAD_REQUEST", "Overview") not in samples


def test_errors_and_refusals_are_told_by_code(watched: Api) -> None:
    token = watched.token("BRONX")
    watched.answer("query Closed { incidents { edges { cursor } } }")
    watched.answer("query Broken { nothing }")
    watched.client.post("/graphql", content=b"5", headers={"content-type": "application/json"})
    watched.ask(
        "mutation Refused($id: UUID!) { assignIncident(input: {commandId: $id, incidentId: "
        '"SW5jaWRlbnQ6", organisation: "X"}) { userErrors { code } } }',
        token=token,
        id=str(uuid4()),
    )
    samples = told(watched)
    assert samples["tsur_operation_errors_total", "NOT_PERMITTED", "Closed"] == 1
    assert samples["tsur_operation_errors_total", "BAD_REQUEST", "none"] == 1
    assert samples["tsur_operation_errors_total", "BODY_INVALID", "none"] == 1
    assert samples["tsur_operation_errors_total", "NOT_FOUND", "Refused"] == 1


def test_what_a_socket_refuses_is_told_by_code(watched: Api) -> None:
    def refused() -> list[float]:
        codes = ("BODY_INVALID", "NOT_PERMITTED")
        return [
            told(watched).get(("tsur_operation_errors_total", code, "none"), 0) for code in codes
        ]

    before = refused()
    with watched.open_socket() as client:
        client.send({"id": "1", "type": "subscribe", "payload": {"query": 5}})
        assert client.failure()[0]["extensions"]["code"] == "BODY_INVALID"
    with watched.raw_socket() as client:
        client.send({"type": "connection_init", "payload": {"Authorization": "Bearer nonsense"}})
        assert client.closed_with() == 4403
    assert refused() == [number + 1 for number in before]
    headers = {"authorization": "Bearer nonsense"}
    with pytest.raises(InvalidStatus), watched.raw_socket(additional_headers=headers):
        pass
    assert refused() == [before[0] + 1, before[1] + 2]


def test_a_stream_is_told_while_it_is_followed(watched: Api, catalogue: Catalogue) -> None:
    following = ("tsur_open_streams", "Live")
    with node_on(watched.url, catalogue) as node:
        with watched.open_socket(watched.token("BRONX"), additional_headers=CLIENT) as client:
            client.subscribe(CHANGES)
            until(lambda: told(watched).get(following) == 1)
            registered(node.centre("BRONX"))
            client.change()
            until(lambda: told(watched).get(("tsur_stream_results_total", "Live")) == 1)
        until(lambda: following not in told(watched))
    assert told(watched)["tsur_client_operations_total", "wall"] == 1
    assert ("tsur_operation_seconds_count", "Live", "subscription") not in told(watched)


def test_what_is_asked_for_an_event_is_told_of_its_stream(
    watched: Api, catalogue: Catalogue
) -> None:
    text = 'incidentChanges(region: "QUEENS") { incident { timeline { event } } }'
    with (
        node_on(watched.url, catalogue) as node,
        watched.open_socket(watched.token("QUEENS")) as client,
    ):
        client.subscribe(f"subscription Told {{ {text} }}")
        until(lambda: any(each.waiting for each in subscribers()))
        registered(node.centre("QUEENS"))
        client.change()
    ended = ("tsur_operation_sql_statements_total", "Told")
    until(lambda: ended in told(watched))
    assert told(watched)[ended] > 0


CLIENT = {"x-client-name": "wall"}


def test_names_are_bounded() -> None:
    name_of, operator = Names(3, of_visitors=1), replace(VISITOR, scope=Scope())
    assert [name_of(each, VISITOR) for each in ("A", "B", "A")] == ["A", OTHER, "A"]
    assert [name_of(each, operator) for each in "ABCD"] == ["A", "B", "C", OTHER]
    assert name_of("B", VISITOR) == "B"
    for odd in ("<script>", "x" * 65):
        assert Names(9, of_visitors=9)(odd, VISITOR) == OTHER


@pytest.mark.parametrize("scope", [None, "BRONX", "BRONX-02"])
def test_only_who_sees_the_whole_country_is_told_of_the_server(
    scope: str | None, watched: Api
) -> None:
    headers = {"authorization": f"Bearer {watched.token(scope)}"} if scope else {}
    answer = watched.client.get("/metrics/server", headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "NOT_PERMITTED")
    assert "tsur_" not in answer.text


def test_what_waits_for_an_operator_is_told(watched: Api) -> None:
    with psycopg.connect(watched.url) as hand:
        hand.execute(
            "INSERT INTO job (message_id, actor, arguments, attempts, error, quarantined)"
            " VALUES (gen_random_uuid(), 'deliver', '[]', 5, 'ValueError', true)"
        )
        hand.execute(
            "INSERT INTO read.dead_letter (region, pos, topic, error, skipped)"
            " VALUES ('BRONX', 900, 'X', 'KeyError', false), ('BRONX', 901, 'X', 'KeyError', true)"
        )
    samples = told(watched)
    assert samples["tsur_quarantined_jobs",] == 1
    assert samples["tsur_failing_jobs",] == 0
    assert samples["tsur_dead_letters",] == 1
    assert samples["tsur_job_waiting_seconds",] == 0


def test_a_slow_operation_is_a_line_of_the_log(url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.handler.setFormatter(JsonLines())
    text = "query Where($code: String!) { region(code: $code) { code } projectionStatus { lag } }"
    with serving(url, slow_seconds=0) as api:
        api.ask(text, token=api.token("BRONX", name="petrova", role=Role.CURATOR), code="QUEENS")
    (line,) = map(json.loads, caplog.text.splitlines())
    assert (line["logger"], line["operation"]) == ("tsur.slow", "Where")
    assert line["cost"] == OPERATION_COST + 90
    assert (line["role"], line["scope"]) == ("CURATOR", "BRONX")
    assert (line["sqlStatements"], len(line["document"])) == (1, 64)
    assert line["client"] == "unnamed"
    assert line["seconds"] >= line["sqlSeconds"] > 0
    assert not any(word in caplog.text for word in ("petrova", "QUEENS"))


def test_a_fast_operation_is_none(url: str, caplog: pytest.LogCaptureFixture) -> None:
    with serving(url) as api:
        api.ask("{ regions { code } }")
    assert not caplog.records


def test_no_line_quotes_an_exception(caplog: pytest.LogCaptureFixture) -> None:
    caplog.handler.setFormatter(TextLines())
    try:
        try:
            raise ValueError("kanarejka")
        except ValueError as error:
            raise LookupError("kanarejka") from error
    except LookupError:
        logging.getLogger("tsur").exception("Failed", extra={"facts": {"errorId": "7"}})
    assert "kanarejka" not in caplog.text
    assert "Failed errorId=7\n" in caplog.text
    assert caplog.text.index("ValueError") < caplog.text.index("LookupError")
    assert caplog.text.count("test_telemetry.py") == 2


def test_what_is_kept_for_a_hub_is_told(watched: Api) -> None:
    with psycopg.connect(watched.url, autocommit=True) as connection:
        connection.execute("SELECT pg_create_logical_replication_slot('tsur_here', 'pgoutput')")
        try:
            samples = told(watched)
        finally:
            connection.execute("SELECT pg_drop_replication_slot('tsur_here')")
    assert samples["tsur_replication_slot_retained_bytes", "tsur_here"] >= 0
    assert samples["tsur_replication_slot_safe_bytes", "tsur_here"] > 2**30
    assert samples["tsur_replication_slot_lost", "tsur_here"] == 0


def test_every_alarm_looks_at_a_metric_that_exists(watched: Api) -> None:
    headers = {"authorization": f"Bearer {watched.token()}"}
    served = "".join(
        watched.client.get(path, headers=headers).text for path in ("/metrics", "/metrics/server")
    )
    families = {
        (name + ("_total" if kind == "counter" and not name.endswith("_total") else ""))
        for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", served, re.MULTILINE)
    }
    rules = (CHECKOUT / "docs" / "alerts.yml").read_text(encoding="utf-8")
    looked_at = {each.removesuffix("_bucket") for each in re.findall(r"\btsur_\w+", rules)}
    assert len(looked_at) > 10
    assert looked_at <= families
    told_of = (CHECKOUT / "docs" / "operations.md").read_text(encoding="utf-8")
    ours = {name for name in families if name.startswith("tsur_")}
    assert {name for name in ours if f"`{name}" not in told_of} == set()
