"""`tsur federation audit`: whether a hub has what its nodes have, and what was handed over came."""

from pathlib import Path
from uuid import uuid4

import pytest

from domain.commands import TransferIn, TransferOut
from domain.rights import Actor
from domain.vocabulary import Role
from regions.federation.transfers import hand_over, receive
from regions.node import Node
from tests.api.test_up import tsur
from tests.scenarios import NOON, OPERATOR, ask, registered

MONITOR = Actor("monitor", Role.MONITOR)


@pytest.fixture
def topology(tmp_path: Path, node: Node) -> str:
    """A hub that has what its node has: the database is the same."""
    path = tmp_path / "topology.toml"
    regions = [*node.catalogue.regions]
    api, database = "http://127.0.0.1:8000", node.url
    path.write_text(
        f'hub = "hub"\n[nodes.hub]\n{api = }\n{database = }\n'
        f"[nodes.first]\n{api = }\n{database = }\n{regions = }\n"
    )
    return str(path)


def test_a_transfer_may_be_on_its_way_for_an_hour_but_never_come_twice(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    node: Node,
    topology: str,
) -> None:
    def audit(*arguments: str) -> tuple[int, str]:
        ended = tsur(monkeypatch, tmp_path, "federation", "audit", *arguments,
                     TSUR_TOPOLOGY=topology)  # fmt: skip
        return ended, " ".join(capsys.readouterr().out.split())

    bronx, queens = node.centre("BRONX"), node.centre("QUEENS")
    incident = registered(bronx).incident_id
    left = ask(bronx, incident, TransferOut(to_region="QUEENS"), 10, by=MONITOR)
    ended, told = audit()
    assert (ended, told.split(". ")[0]) == (0, "1 transfers are on their way")
    ended, told = audit("--on-its-way-minutes", "0")
    assert ended == 1
    assert "went to QUEENS 1 times, came there 0 times" in told
    receive(node, hand_over(bronx, incident, left.version), at=NOON)
    assert audit("--on-its-way-minutes", "0")[0] == 0
    correlation = bronx.incident(incident).correlation
    assert correlation is not None
    again = TransferIn(origin_region="BRONX", origin=incident, correlation=correlation)
    capture = hand_over(bronx, incident, left.version).first
    queens.capture(capture, command_id=uuid4(), at=NOON, by=OPERATOR, then=(again,))
    ended, told = audit()
    assert ended == 1
    assert "came there 2 times" in told
