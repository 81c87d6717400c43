"""What many streams share, how far a quiet one is, and how each kind of stream ends."""

import asyncio
import json
import logging
from collections.abc import Coroutine, Iterator
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest
from graphql import GraphQLError, parse
from websockets.frames import Frame, Opcode

from api import hub
from api.schema import schema
from api.serving import framed
from api.source_event import SourceEvent
from api.transport import streams
from api.transport.groups import Group, Sent, Told
from api.transport.operations import Document
from api.viewer import Viewer
from domain.rights import Scope
from domain.vocabulary import Role
from regions.node import Node
from regions.reference.catalogue import Catalogue
from tests.api.conftest import (
    Api,
    Socket,
    catch_up,
    narrow_line,
    node_on,
    projecting,
    serving,
    subscribers,
)
from tests.api.test_subscriptions import CHANGES, FAT_CHANGES
from tests.scenarios import registered
from tests.waiting import until

RANKING = """
subscription ($by: RankedBy! = FIRST_REPLY) {
  ranking(period: {first: "2026-03-02", last: "2026-03-02"}, by: $by) {
    rows { region { code } figures { registered } }
  }
}
"""


@pytest.fixture
def node(api: Api, catalogue: Catalogue) -> Iterator[Node]:
    with node_on(api.url, catalogue) as node:
        yield node


@pytest.fixture
def executed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The cursors of the events that were executed, one for each time."""
    cursors: list[str] = []
    execute = Group._execute

    def counted(self: Group, event: SourceEvent) -> Told | Coroutine[Any, Any, Told]:
        cursors.append(event.cursor)
        return execute(self, event)

    monkeypatch.setattr(Group, "_execute", counted)
    return cursors


# Together


def test_a_change_is_executed_once_for_all_who_follow_it_alike(
    api: Api, node: Node, executed: list[str]
) -> None:
    bronx = node.centre("BRONX")
    for _ in range(2):
        registered(bronx)
    catch_up(api.url)
    with ExitStack() as sockets:
        clients = []
        for number, after in enumerate(("BRONX:1", "BRONX:2", None, "BRONX:2")):
            token = api.token(name=f"viewer {number}")
            clients.append(sockets.enter_context(api.open_socket(token)))
            clients[-1].subscribe(CHANGES, region="BRONX", after=after)
            if number == 0:  # the hub has come as far, before somebody follows from now on
                assert clients[0].change()["cursor"] == "BRONX:2"
        until(lambda: len(subscribers()) == 4)
        registered(bronx)
        told = [client.change() for client in clients]
    assert executed == ["BRONX:2", "BRONX:3"]
    assert told == [told[0]] * 4


def test_who_has_other_rights_has_an_answer_of_their_own(
    api: Api, node: Node, executed: list[str]
) -> None:
    with ExitStack() as sockets:
        clients = {}
        for scope in ("country", "BRONX"):
            clients[scope] = sockets.enter_context(api.open_socket(api.token(scope)))
            clients[scope].subscribe(CHANGES, region="BRONX")
        until(lambda: len(subscribers()) == 2)
        registered(node.centre("BRONX"))
        for client in clients.values():
            client.change()
    assert executed == ["BRONX:1"] * 2


def test_who_opens_personal_data_is_logged_though_others_open_the_same(
    api: Api, node: Node, caplog: pytest.LogCaptureFixture
) -> None:
    text = """subscription { incidentChanges(region: "BRONX") { incident { citizen { text } } } }"""
    caplog.set_level(logging.INFO, "tsur.access")
    with ExitStack() as sockets:
        clients = []
        for name in ("petrova", "ivanov"):
            token = api.token(name=name, personal_data=True)
            clients.append(sockets.enter_context(api.open_socket(token)))
            clients[-1].subscribe(text)
        until(lambda: len(subscribers()) == 2)
        registered(node.centre("BRONX"))
        for client in clients:
            client.change()
    opened = sorted(record.getMessage().split()[0] for record in caplog.records)
    assert opened == ["ivanov", "petrova"]


@pytest.mark.parametrize(("personal_data", "times"), [(True, 2), (False, 1)])
def test_who_opens_personal_data_does_so_by_the_token_of_that_socket(
    api: Api, node: Node, executed: list[str], personal_data: bool, times: int
) -> None:
    with ExitStack() as sockets:
        clients = []
        for hours in (1, 2):
            token = api.token(valid_hours=hours, personal_data=personal_data)
            clients.append(sockets.enter_context(api.open_socket(token)))
            clients[-1].subscribe(CHANGES, region="BRONX")
        until(lambda: len(subscribers()) == 2)
        registered(node.centre("BRONX"))
        for client in clients:
            client.change()
    assert executed == ["BRONX:1"] * times


def subscribed(text: str, **variables: Any) -> Sent:
    document = Document(parse(text))
    return Sent(document, document.operation(None), variables)


def test_where_a_stream_begins_makes_no_difference_unless_it_is_asked_elsewhere() -> None:
    viewer = Viewer("", Role.MONITOR, Scope())
    one = subscribed(CHANGES, region="BRONX", after="BRONX:1")
    assert one.group_key(viewer) == one._replace(variables={"region": "BRONX"}).group_key(viewer)
    assert one.group_key(viewer) != one._replace(variables={"region": "QUEENS"}).group_key(viewer)
    text = """
    subscription ($after: String) {
      incidentChanges(region: "BRONX", after: $after) { incident { elsewhere(as: $after) } }
    }
    """
    other = subscribed(text, after="BRONX:1")
    assert other.group_key(viewer) != other._replace(variables={"after": "BRONX:2"}).group_key(
        viewer
    )


def test_who_leaves_in_the_midst_takes_the_answer_from_nobody() -> None:
    class Slow(Group):
        def __init__(self) -> None:
            self.may_end = asyncio.Event()

        async def _execute(self, event: SourceEvent) -> Told:
            await self.may_end.wait()
            return Told(b"{}")

    async def answered() -> Told:
        group, event = Slow(), SourceEvent()
        first = asyncio.create_task(group.answer(event))
        second = asyncio.create_task(group.answer(event))
        await asyncio.sleep(0)
        first.cancel()
        group.may_end.set()
        return await second

    assert asyncio.run(answered()) == Told(b"{}")


# How far


@pytest.fixture
def quick_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "TURN_SECONDS", 0.0)


def test_a_quiet_stream_tells_how_far_it_is_and_resumes_from_there(
    api: Api, node: Node, quick_turns: None
) -> None:
    bronx = node.centre("BRONX")
    with api.open_socket(api.token()) as client:
        client.subscribe(CHANGES, municipality="BRONX-01")
        client.subscribe(
            CHANGES.replace("incidentChanges(", "incidentChanges: deadlines("),
            id="2",
            region="BRONX",
        )
        for _ in range(3):
            registered(bronx, municipality="BRONX-02")
        pinged(client, "1", "BRONX:3")
        pinged(client, "2", "BRONX:3")
        registered(bronx, municipality="BRONX-01")
        assert client.change()["cursor"] == "BRONX:4"
        client.cut()
    registered(bronx, municipality="BRONX-01")
    with api.open_socket(api.token()) as client:
        client.subscribe(CHANGES, municipality="BRONX-01", after="BRONX:3")
        assert [client.change()["cursor"] for _ in range(2)] == ["BRONX:4", "BRONX:5"]


def pinged(client: Socket, operation: str, cursor: str) -> None:
    """Wait until a ping tells the cursor; what else is told meanwhile are answers to our own."""
    while client.cursors.get(operation) != cursor:
        client.send({"type": "ping"})
        assert client.receive() == {"type": "pong"}


def test_a_stream_tells_first_where_it_begins(api: Api, node: Node) -> None:
    registered(node.centre("BRONX"))
    catch_up(api.url)
    with api.open_socket(api.token()) as client:
        client.subscribe(CHANGES, region="BRONX", after="BRONX:1")
        pinged(client, "1", "BRONX:1")


def test_events_have_their_cursor_as_id_and_a_browser_comes_back_with_it(
    api: Api, node: Node, quick_turns: None
) -> None:
    for _ in range(2):
        registered(node.centre("BRONX"), municipality="BRONX-01")
    registered(node.centre("BRONX"), municipality="BRONX-02")
    with api.open_events(CHANGES, api.token(), municipality="BRONX-01", after="BRONX:0") as lines:
        ids = []
        for name, value in lines:
            if name == "id":
                ids.append(value)
            if value == "BRONX:3":
                break
    # Where it begins, two changes, and how far it is.
    assert ids == ["BRONX:0", "BRONX:1", "BRONX:2", "BRONX:3"]
    with api.open_events(
        CHANGES, api.token(), last_event_id="BRONX:1", municipality="BRONX-01", after="BRONX:0"
    ) as lines:
        changes = (json.loads(value) for name, value in lines if name == "data")
        assert next(changes)["data"]["incidentChanges"]["cursor"] == "BRONX:2"


# How it ends


def test_a_server_that_stops_tells_every_stream_its_cursor_and_ends(
    url: str, catalogue: Catalogue
) -> None:
    with (
        serving(url) as api,
        projecting(url, catalogue),
        node_on(url, catalogue) as node,
        api.open_socket(api.token()) as client,
        api.open_events(CHANGES, api.token(), region="BRONX", after="BRONX:0") as lines,
        api.open_events(RANKING, api.token()) as ranking,
    ):
        client.subscribe(CHANGES, region="BRONX", after="BRONX:0")
        client.subscribe(CHANGES, id="quiet", region="QUEENS")
        registered(node.centre("BRONX"))
        assert client.change()["cursor"] == "BRONX:1"
        events = (json.loads(value) for name, value in lines if name == "data" and value)
        assert "errors" not in next(events)
        asked = (json.loads(value) for name, value in ranking if name == "data" and value)
        assert "errors" not in next(asked)
        until(lambda: len(subscribers()) == 3)
        api.server.should_exit = True
        told = [*client.failure(), *client.failure("quiet"), *next(events)["errors"]]
        # A tick may have come before.
        (unresumed,) = list(asked)[-1]["errors"]
        assert client.closed_with() == 1012
        assert list(events) == []
    for error, cursor in zip(told, ("BRONX:1", "QUEENS:0", "BRONX:1"), strict=True):
        found = error["extensions"]
        assert (found["code"], found["cursor"]) == ("SERVER_STOPPING", cursor)
        assert 1 <= found["reconnectAfterSeconds"] <= 10
    assert "cursor" not in unresumed["extensions"]


def test_the_end_of_a_token_ends_quiet_streams_with_their_cursor(api: Api, node: Node) -> None:
    registered(node.centre("BRONX"))
    catch_up(api.url)
    token = api.token(valid_hours=1)
    with (
        api.open_socket(token) as client,
        api.open_events(CHANGES, token, region="BRONX", after="BRONX:1") as lines,
    ):
        client.subscribe(CHANGES, region="BRONX", after="BRONX:1")
        pinged(client, "1", "BRONX:1")
        assert next(value for name, value in lines if name == "id") == "BRONX:1"
        api.clock.now += timedelta(days=1000)
        # Whoever asks notices it; a silent line notices at its next look at the clock.
        registered(node.centre("BRONX"))
        (error,) = client.failure()
        assert error["extensions"]["code"] == "NOT_PERMITTED"
        assert error["extensions"]["cursor"] == "BRONX:1"
        assert client.closed_with() == 4403
        events = (json.loads(value) for name, value in lines if name == "data" and value)
        assert next(events)["errors"][0]["extensions"]["cursor"] == "BRONX:1"


def test_a_client_that_takes_nothing_is_cut_off(url: str, catalogue: Catalogue) -> None:
    with (
        serving(url, send_buffer=16_384, stalled_seconds=0.3) as api,
        projecting(url, catalogue),
        node_on(url, catalogue) as node,
        api.open_socket(api.token(), sock=narrow_line(api)) as stalled,
    ):
        stalled.subscribe(FAT_CHANGES, region="BRONX", after="BRONX:0")
        until(lambda: len(subscribers()) == 1)
        while subscribers():
            registered(node.centre("BRONX"))
        assert api.is_alive()


def test_an_answer_without_data_ends_the_stream_before_its_event(
    api: Api, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(self: Group, event: SourceEvent) -> Told:
        error = GraphQLError("no data", extensions={"code": "UNAVAILABLE"})
        return Told(errors=[error.formatted])

    for _ in range(2):
        registered(node.centre("BRONX"))
    catch_up(api.url)
    with api.open_socket(api.token()) as client:
        monkeypatch.setattr(Group, "_execute", broken)
        client.subscribe(CHANGES, region="BRONX", after="BRONX:1")
        (error,) = client.failure()
    assert error["extensions"] == {"code": "UNAVAILABLE", "cursor": "BRONX:1"}


# How many


def test_a_name_has_so_many_streams_and_no_more(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "STREAMS_MAX", 2)
    with (
        api.open_socket(api.token(name="petrova")) as one,
        api.open_socket(api.token(name="petrova")) as other,
        api.open_socket(api.token(name="ivanov")) as anothers,
    ):
        one.subscribe(CHANGES, region="BRONX", after="BRONX:0")
        other.subscribe(CHANGES, region="BRONX", after="BRONX:0")
        until(lambda: len(subscribers()) == 2)
        other.subscribe(CHANGES, id="2", region="BRONX")
        (error,) = other.failure("2")
        assert error["extensions"]["code"] == "TOO_MANY_SUBSCRIPTIONS"
        anothers.subscribe(CHANGES, region="BRONX", after="BRONX:0")
        until(lambda: len(subscribers()) == 3)
        one.send({"id": "1", "type": "complete"})
        until(lambda: len(subscribers()) == 2)
        other.subscribe(CHANGES, id="3", region="BRONX", after="BRONX:0")
        until(lambda: len(subscribers()) == 3)


def test_visitors_are_counted_by_their_address(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "STREAMS_MAX", 1)
    with api.open_socket() as one, api.open_socket() as other:
        one.subscribe(RANKING)
        one.message()
        other.subscribe(RANKING)
        (error,) = other.failure()
        assert error["extensions"]["code"] == "TOO_MANY_SUBSCRIPTIONS"


# A ranking that moves


def registered_in(client: Socket, code: str) -> int:
    """As the next answer of RANKING tells it."""
    rows = client.message()["payload"]["data"]["ranking"]["rows"]
    (row,) = (row for row in rows if row["region"]["code"] == code)
    return int(row["figures"]["registered"])


def test_a_ranking_is_told_at_once_and_again_when_it_has_changed(
    api: Api, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "COALESCE_SECONDS", 0.0)
    with api.open_socket() as visitor, api.open_socket(api.token()) as viewer:
        for client in (visitor, viewer):
            client.subscribe(RANKING)
            assert registered_in(client, "BRONX") == 0
        registered(node.centre("BRONX"))
        for client in (visitor, viewer):
            assert registered_in(client, "BRONX") == 1


def test_a_ranking_that_has_not_changed_is_not_told_again(
    api: Api, node: Node, executed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "COALESCE_SECONDS", 0.0)
    yesterday = api.clock.now - timedelta(days=30)
    with api.open_socket() as client:
        client.subscribe(RANKING.replace("2026-03-02", f"{yesterday.date()}"))
        assert registered_in(client, "BRONX") == 0
        registered(node.centre("BRONX"))
        until(lambda: len(executed) >= 2)
        client.subscribe("{ __typename }", id="2")
        assert client.message("2")["type"] == "next"
        assert not [message for message in client.kept if message["id"] == "1"]


def test_a_ranking_is_executed_once_for_all_at_a_tick(
    api: Api, node: Node, executed: list[str]
) -> None:
    """Within COALESCE_SECONDS there is one tick, whoever comes and whatever happens."""
    with api.open_socket() as one, api.open_socket() as other:
        one.subscribe(RANKING)
        one.message()
        registered(node.centre("BRONX"))
        catch_up(api.url)
        other.subscribe(RANKING)
        assert registered_in(other, "BRONX") == 0
    assert len(executed) == 1


def test_a_ranking_is_followed_by_the_arguments_it_is_asked_by() -> None:
    asked, followed = schema._schema.query_type, schema._schema.subscription_type
    assert asked
    assert followed
    arguments = {name: f"{arg.type}" for name, arg in asked.fields["ranking"].args.items()}
    # A stream tells by itself what comes, and nobody has the incidents counted every five seconds.
    del arguments["readAfter"], arguments["exact"]
    assert {n: f"{a.type}" for n, a in followed.fields["ranking"].args.items()} == arguments


@pytest.mark.parametrize("length", [0, 1, 125, 126, 65_535, 65_536])
def test_a_text_of_any_length_is_framed_as_a_library_frames_it(length: int) -> None:
    text = b"x" * length
    assert framed(text) == Frame(Opcode.TEXT, text).serialize(mask=False)
