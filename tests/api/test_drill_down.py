"""What a hub cannot open is asked of the region's node: rights are decided, looks logged there.

And what was written at a node is read at its hub.
"""

import asyncio
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from api.drill_down import DrillDown, Look, Opened
from api.processes import free_port
from api.types.node import incident_id, read_incident_id
from domain.commands import ErasePersonalData
from domain.errors import DomainError, NotPermitted
from projections import freshness, versions
from regions.federation import replication
from regions.federation.topology import Membership, load_topology
from regions.node import Node
from regions.reference.catalogue import Catalogue
from regions.store.postgres import Server
from tests import federated
from tests.api.conftest import Api, catch_up, node_on, projecting, serving
from tests.federated import database, write_topology
from tests.scenarios import NOON, answered, ask
from tests.waiting import until

HERE = ("BRONX",)
QUERY = """
query ($id: ID!, $asOf: DateTime) {
  incident(id: $id, asOf: $asOf) { status citizen { name text } timeline { event text } }
}
"""
REGISTER = """
mutation ($input: RegisterIncidentInput!) {
  registerIncident(input: $input) { incidentId position }
}
"""
READ = "query ($id: ID!, $after: [String!]) { incident(id: $id, readAfter: $after) { status } }"
POSITION = "query ($id: ID!) { incident(id: $id) { timeline { position } } }"


@dataclass
class HubAndNode:
    hub: Api
    node_url: str
    topology: Path
    ports: dict[str, int]
    incident: str  # of the node, as both name it
    events: list[str]

    @contextmanager
    def node(self, **changes: Any) -> Iterator[Api]:
        port = self.ports["first"]
        with serving(
            self.node_url, port=port, topology=self.topology, node="first", **changes
        ) as api:
            yield api

    def ask(self, *, personal_data: bool = True, **variables: Any) -> dict[str, Any]:
        token = self.hub.token(name="Орлова", personal_data=personal_data)
        return self.hub.answer(QUERY, token=token, id=self.incident, **variables)


@pytest.fixture(scope="module")
def federated_api(
    server: Server,
    second_server: Server,
    catalogue: Catalogue,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[HubAndNode]:
    """A hub that followed a node to its end; the API of the node is a test's matter."""
    ports = {"hub": free_port(), "first": free_port()}
    topology = write_topology(
        tmp_path_factory.mktemp("federation") / "topology.toml",
        {"hub": (ports["hub"], ()), "first": (ports["first"], HERE)},
    )
    hub_url, node_url = database(second_server, catalogue, ()), database(server, catalogue, HERE)
    with ExitStack() as stack:
        at_hub = stack.enter_context(replication.connect(hub_url))
        at_node = stack.enter_context(replication.connect(node_url))
        node = stack.enter_context(node_on(node_url, catalogue))
        bronx = node.centre("BRONX")
        found = answered(bronx).incident_id
        federated.join(at_hub, at_node, node_url, HERE)
        stack.callback(replication.leave, at_hub, at_node, "first")
        federated.wait_for_all(at_hub, at_node, HERE)
        with versions.connect(hub_url) as served:
            versions.add_regions(served)
        for url in (hub_url, node_url):
            stack.enter_context(projecting(url, catalogue))
            catch_up(url)
        hub = stack.enter_context(
            serving(hub_url, port=ports["hub"], topology=topology, node="hub")
        )
        events = [stored.topic for stored in bronx.recorder.select_events(found)]
        yield HubAndNode(hub, node_url, topology, ports, incident_id("BRONX", found), events)


def looks(url: str) -> list[tuple[str, str]]:
    with replication.connect(url) as connection:
        rows = connection.execute("SELECT actor, action FROM access_log ORDER BY action").fetchall()
        connection.execute("TRUNCATE access_log")
    return [(actor, action) for actor, action in rows]


def refusals(answer: dict[str, Any]) -> dict[tuple[Any, ...], str]:
    return {tuple(each["path"]): each["extensions"]["code"] for each in answer["errors"]}


def sealed_paths(of: HubAndNode) -> set[tuple[Any, ...]]:
    reply = of.events.index("ReplyPublished")
    return {("incident", "citizen"), ("incident", "timeline", reply, "text")}


def the_rest_stands(answer: dict[str, Any], of: HubAndNode) -> bool:
    found = answer["data"]["incident"]
    return (
        found["status"] == "IN_PROGRESS"
        and found["citizen"] is None
        and [each["event"] for each in found["timeline"]] == of.events
        and not any(each["text"] for each in found["timeline"])
    )


def test_it_is_opened_through_the_hub_and_logged_at_the_node(federated_api: HubAndNode) -> None:
    with federated_api.node():
        answer = federated_api.ask()
        before = federated_api.ask(asOf=(NOON + timedelta(minutes=5)).isoformat())
    assert "errors" not in answer
    found = answer["data"]["incident"]
    assert found["citizen"] == {"name": "Анна", "text": "Нет воды"}
    assert [each["text"] for each in found["timeline"] if each["text"]] == ["Вода есть"]
    assert before["data"]["incident"]["citizen"]["text"] == "Нет воды"
    # What was not yet there at that moment was not opened for it.
    assert looks(federated_api.node_url) == [
        ("Орлова", "publishReply"),
        ("Орлова", "register"),
        ("Орлова", "register"),
    ]
    assert looks(federated_api.hub.url) == []


def test_over_a_socket_the_token_of_its_beginning_is_forwarded(federated_api: HubAndNode) -> None:
    hub = federated_api.hub
    token = hub.token(name="Орлова", personal_data=True)
    query = f'{{ incident(id: "{federated_api.incident}") {{ citizen {{ text }} }} }}'
    with federated_api.node(), hub.open_socket(token) as client:
        client.subscribe(query)
        payload = client.message()["payload"]
    assert payload["data"] == {"incident": {"citizen": {"text": "Нет воды"}}}
    assert looks(federated_api.node_url) == [("Орлова", "register")]


def test_while_the_node_is_away_the_rest_stands(federated_api: HubAndNode) -> None:
    answer = federated_api.ask()
    assert refusals(answer) == dict.fromkeys(sealed_paths(federated_api), "REGION_AWAY")
    assert the_rest_stands(answer, federated_api)


def test_a_node_that_says_nothing_is_waited_for_three_seconds(federated_api: HubAndNode) -> None:
    with socket.create_server(("127.0.0.1", federated_api.ports["first"])):
        answer = federated_api.ask()
    assert refusals(answer) == dict.fromkeys(sealed_paths(federated_api), "REGION_AWAY")
    assert the_rest_stands(answer, federated_api)


def test_who_may_not_opens_nothing_and_asks_nobody(federated_api: HubAndNode) -> None:
    with federated_api.node():
        answer = federated_api.ask(personal_data=False)
    assert refusals(answer) == dict.fromkeys(sealed_paths(federated_api), "NOT_PERMITTED")
    assert the_rest_stands(answer, federated_api)
    assert looks(federated_api.node_url) == []


def test_whom_the_node_refuses_the_hub_refuses(federated_api: HubAndNode) -> None:
    """Here: it does not take the hub's tokens."""
    with federated_api.node(token_key=b"7" * 32):
        answer = federated_api.ask()
    assert refusals(answer) == dict.fromkeys(sealed_paths(federated_api), "NOT_PERMITTED")
    assert looks(federated_api.node_url) == []


def test_the_node_decides_by_itself_whatever_the_hub_thinks(
    federated_api: HubAndNode, catalogue: Catalogue
) -> None:
    region, found = read_incident_id(federated_api.incident)
    wanted = [Look(region, found, texts, None, began=1) for texts in (True, False)]

    async def asked(node: Node, authorization: str) -> list[Opened | DomainError]:
        drill_down = DrillDown(node)
        try:
            return await drill_down.look(authorization, wanted)
        finally:
            await drill_down.close()

    with federated_api.node() as api, node_on(federated_api.hub.url, catalogue) as hub:
        hub.membership = Membership(load_topology(federated_api.topology, catalogue), "hub")
        for token in (api.token(), api.token("QUEENS", personal_data=True), "nonsense"):
            refused = asyncio.run(asked(hub, f"Bearer {token}"))
            assert [type(each) for each in refused] == [NotPermitted, NotPermitted]
    assert looks(federated_api.node_url) == []


def test_what_is_erased_is_null(federated_api: HubAndNode, catalogue: Catalogue) -> None:
    with node_on(federated_api.node_url, catalogue) as node:
        bronx = node.centre("BRONX")
        erased = answered(bronx).incident_id
        last = ask(bronx, erased, ErasePersonalData(), 400).position
    with federated_api.node(), replication.connect(federated_api.hub.url) as at_hub:
        with replication.connect(federated_api.node_url) as at_node:
            federated.wait_for_all(at_hub, at_node, HERE)
        catch_up(federated_api.hub.url)
        answer = federated_api.hub.answer(
            QUERY,
            token=federated_api.hub.token(personal_data=True),
            id=incident_id(last.region, erased),
        )
    assert "errors" not in answer
    assert answer["data"]["incident"]["citizen"] is None
    looks(federated_api.node_url)


# Reading one's own write


def test_what_was_written_at_the_node_is_read_at_the_hub(federated_api: HubAndNode) -> None:
    """The position is known there before its event has come."""
    with federated_api.node() as node, replication.connect(federated_api.hub.url) as at_hub:
        at_hub.execute("ALTER SUBSCRIPTION tsur_first DISABLE")
        given = written(node)
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(read, federated_api.hub, given)
            until(lambda: waits(at_hub))
            assert not answer.done()
            at_hub.execute("ALTER SUBSCRIPTION tsur_first ENABLE")
            assert answer.result()["data"] == {"incident": {"status": "REGISTERED"}}
        there = federated_api.hub.ask(POSITION, token=federated_api.hub.token(), id=given["id"])
        (event,) = there["incident"]["timeline"]
        assert event["position"] == given["position"]
        assert "errors" not in read(node, given)


def test_who_asks_the_hub_while_the_node_is_cut_off_is_told_so(
    federated_api: HubAndNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(freshness, "WAIT_SECONDS", 0.2)
    with federated_api.node() as node, replication.connect(federated_api.hub.url) as at_hub:
        at_hub.execute("ALTER SUBSCRIPTION tsur_first DISABLE")
        given = written(node)
        (error,) = read(federated_api.hub, given)["errors"]
        at_hub.execute("ALTER SUBSCRIPTION tsur_first ENABLE")
    assert error["extensions"]["code"] == "READ_AFTER_TIMEOUT"
    assert given["position"] in error["message"]


def test_a_position_that_only_we_give_out_is_refused_where_nobody_gave_it_out(
    federated_api: HubAndNode,
) -> None:
    for position in ("~network:1000000", "QUEENS:1", "BRONX~sandbox:1"):
        (error,) = read(federated_api.hub, {"id": federated_api.incident, "position": position})[
            "errors"
        ]
        assert error["extensions"]["code"] == "CURSOR_INVALID"


def written(node: Api) -> dict[str, Any]:
    """An incident registered by its API: id and position."""
    given = {
        "commandId": str(uuid4()),
        "region": "BRONX",
        "channel": "PHONE",
        "publishedAt": NOON.isoformat(),
    }
    found = node.ask(REGISTER, token=node.token(), input=given)["registerIncident"]
    return {"id": found["incidentId"], "position": found["position"]}


def read(api: Api, given: dict[str, Any]) -> dict[str, Any]:
    return api.answer(READ, token=api.token(), id=given["id"], after=[given["position"]])


def waits(at_hub: psycopg.Connection) -> bool:
    """Whether somebody has looked for a position and not found it."""
    found = at_hub.execute(
        """
        SELECT FROM pg_stat_activity
         WHERE datname = current_database()
           AND query LIKE '%%num_nonnulls(head%%'
           AND state = 'idle'
        """
    )
    return found.fetchone() is not None


def test_a_hub_is_ready_though_a_node_is_silent_and_says_which(federated_api: HubAndNode) -> None:
    def silent() -> list[str]:
        answer = federated_api.hub.client.get("/readyz")
        assert answer.status_code == 200
        return list(answer.json()["checks"]["nodes"]["silentRegions"])

    with (
        replication.connect(federated_api.hub.url) as at_hub,
        replication.connect(federated_api.node_url) as at_node,
    ):
        at_hub.execute("UPDATE followed SET heard_at = heard_at - interval '1 hour'")
        assert silent() == [*HERE]
        replication.beat(at_node)
        until(lambda: silent() == [])
