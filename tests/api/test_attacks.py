"""What attackers send is refused by a code, and costs nobody else anything; bench/attacks.py tells
how little it costs us."""

import logging
from collections.abc import Iterator

import pytest

from api.schema import schema
from api.transport import operations
from api.transport.execution import VALUES_MAX
from api.transport.operations import Operations, digest_of
from bench.attacks import ATTACKS, CALLS, call, post
from regions.store.postgres import Server
from tests.api.conftest import Api, fresh_database, serving


@pytest.fixture(scope="module")
def api(server: Server, template: str) -> Iterator[Api]:
    with serving(fresh_database(server, template)) as api:
        yield api


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_refused(name: str, api: Api, caplog: pytest.LogCaptureFixture) -> None:
    attack = ATTACKS[name]
    with caplog.at_level(logging.WARNING):
        answer = post(api.address.removeprefix("http://"), attack.request(0))
        # The server may hang up on what is too large before it is sent.
        assert f'"code":"{attack.code}"' in answer.decode() or (
            not answer and attack.code == "BODY_TOO_LARGE"
        )
        assert b'"data"' not in answer
        assert api.is_alive()
    assert not caplog.records


@pytest.mark.parametrize("name", [name for name in CALLS if name != "silence"])
def test_an_attack_on_a_socket_ends_that_socket(
    name: str, api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING), api.open_socket() as other:
        assert call(api.address.removeprefix("http://"), CALLS[name]) == CALLS[name].code
        other.send({"type": "ping"})
        assert other.receive() == {"type": "pong"}
    assert not caplog.records


def test_who_says_nothing_is_not_waited_for(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.transport.sockets.INIT_SECONDS", 0.01)
    assert call(api.address.removeprefix("http://"), CALLS["silence"]) == CALLS["silence"].code


def test_variables_hold_as_many_values_as_anybody_needs(api: Api) -> None:
    text = "query ($a: [String!]) { incidents(filter: {topics: $a}) { edges { cursor } } }"
    # The list and what holds it are values as well.
    assert api.refusal(text, a=["x"] * (VALUES_MAX - 2))[0] == "NOT_PERMITTED"
    assert api.refusal(text, a=["x"] * (VALUES_MAX - 1)) == ("BODY_INVALID", "body")


def test_garbage_crowds_nothing_out(monkeypatch: pytest.MonkeyPatch) -> None:
    good, room = "query Good { __typename }", 100
    monkeypatch.setattr(operations, "CHARACTERS_KEPT", room)
    kept = Operations(schema._schema)
    kept.read(good)
    for n in range(room):
        assert kept.read(f"{{ nonsense{n} }}").errors
    assert kept.known(digest_of(good)) is not None
    for n in range(room):
        kept.read(f"query Other{n} {{ __typename }}")
    assert kept.known(digest_of(good)) is None
