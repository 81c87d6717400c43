"""The change stream: from a cursor, then live; each change once, in order, to whom it concerns."""

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from random import Random
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from api.subscriber import PENDING_MAX
from api.types.node import incident_id
from domain.commands import (
    Assign,
    Classify,
    ContactCitizen,
    ErasePersonalData,
    ExtendDeadline,
    Prioritize,
    Reassign,
    Relocate,
)
from domain.errors import DomainError
from domain.vocabulary import Priority, PriorityReason, PromiseReason, ReassignReason
from regions.bulk import record_histories
from regions.centre import Centre
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
from tests.scenarios import (
    NOON,
    any_command,
    ask,
    classified,
    closed,
    history,
    registered,
    some_body,
    some_topic,
)
from tests.waiting import until

CHANGES = """
subscription ($region: String, $municipality: String, $after: String) {
  incidentChanges(region: $region, municipality: $municipality, after: $after) {
    cursor
    event
    version
    incident { id municipalityCode }
  }
}
"""

# A kilobyte a change: what is left unread soon fills every buffer on the way.
FAT_CHANGES = """
subscription ($region: String, $after: String) {
  incidentChanges(region: $region, after: $after) {
    cursor
    event
    incident { region { organisations { name } } }
  }
}
"""

CUTS = 22
PLACES = ["BRONX-01", "BRONX-02", None]
LAST = "PersonalDataErased"  # no other event of these tests; tells a follower that all is said


class Seen(NamedTuple):
    """A change, as far as it is the same in the log and in a stream."""

    cursor: str
    event: str
    version: int
    incident: str


@pytest.fixture
def node(api: Api, catalogue: Catalogue) -> Iterator[Node]:
    """The centres behind the API."""
    with node_on(api.url, catalogue) as node:
        yield node


@pytest.fixture
def bronx(node: Node) -> Centre:
    return node.centre("BRONX")


def happened(url: str, region: str, municipality: str | None = None) -> list[Seen]:
    """What a follower of the place must see, read from the log itself."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            """
            SELECT pos,
                   topic,
                   originator_version,
                   originator_id
              FROM events
             WHERE region = %(region)s
               AND (   %(place)s::text IS NULL
                    OR payload ->> 'municipality' = %(place)s
                    OR (SELECT before.payload ->> 'municipality'
                          FROM events AS before
                         WHERE before.region = events.region
                           AND before.originator_id = events.originator_id
                           AND before.originator_version = events.originator_version - 1
                           AND events.topic = 'IncidentRelocated') = %(place)s)
             ORDER BY pos
            """,
            {"region": region, "place": municipality},
        ).fetchall()
    return [
        Seen(f"{region}:{pos}", topic, version, incident_id(region, id))
        for pos, topic, version, id in rows
    ]


def seen(change: dict[str, Any]) -> Seen:
    return Seen(change["cursor"], change["event"], change["version"], change["incident"]["id"])


def refused(client: Socket, id: str = "1") -> tuple[str, Any]:
    """Code and field of the error that ends a subscription; the socket stays."""
    (error,) = client.failure(id)
    return error["extensions"]["code"], error["extensions"]["field"]


def erase(centre: Centre, **changes: object) -> UUID:
    """Record the event that followers wait for."""
    incident = registered(centre, **changes).incident_id
    ask(centre, incident, ErasePersonalData(), 1)
    return incident


def write(centre: Centre, places: Sequence[str | None], seed: int, stop: threading.Event) -> None:
    """Register and handle incidents at full speed until told to stop."""
    chance, mine = Random(seed), []
    for minute in itertools.count(1):
        if stop.is_set():
            return
        if not mine or chance.random() < 0.4:
            mine.append(registered(centre, municipality=chance.choice(places)).incident_id)
        with suppress(DomainError):
            ask(centre, chance.choice(mine[-5:]), any_command(centre, chance), minute)


@contextmanager
def writers(node: Node, regions: Sequence[str] = ("BRONX", "BRONX", "QUEENS")) -> Iterator[None]:
    """A thread for each region named, at full speed while the block runs."""
    stop = threading.Event()
    with ThreadPoolExecutor() as pool:
        written = [
            pool.submit(
                write, node.centre(region), PLACES if region == "BRONX" else [None], seed, stop
            )
            for seed, region in enumerate(regions)
        ]
        try:
            yield
        finally:
            stop.set()
    for thread in written:
        thread.result()


def follow(client: Socket, *, at_most: int | None = None) -> list[dict[str, Any]]:
    """What a subscription brings, up to the last change or at_most so many."""
    changes: list[dict[str, Any]] = []
    while at_most is None or len(changes) < at_most:
        changes.append(client.change())
        if changes[-1]["event"] == LAST:
            break
    return changes


def follow_resuming(
    api: Api, place: dict[str, str], after: str, cut: Callable[[], int | None]
) -> list[dict[str, Any]]:
    """Every change up to the last, on sockets cut after as many changes as `cut` says."""
    changes: list[dict[str, Any]] = []
    while not changes or changes[-1]["event"] != LAST:
        with api.open_socket(api.token()) as client:
            cursor = changes[-1]["cursor"] if changes else after
            client.subscribe(CHANGES, after=cursor, **place)
            changes += follow(client, at_most=cut())
            client.cut()
    return changes


# Each change once


def test_a_subscriber_sees_the_past_from_its_cursor_on_then_what_happens_live(
    api: Api, bronx: Centre
) -> None:
    closed(bronx)
    catch_up(api.url)
    with api.open_socket(api.token()) as client:
        client.subscribe(CHANGES, region="BRONX", after="BRONX:2")
        past = [seen(client.change()) for _ in range(5)]
        closed(bronx)
        live = [seen(client.change()) for _ in range(7)]
    assert past + live == happened(api.url, "BRONX")[2:]


def test_without_a_cursor_a_subscriber_sees_what_happens_from_now_on(
    api: Api, bronx: Centre
) -> None:
    closed(bronx)
    catch_up(api.url)
    with api.open_socket(api.token()) as client:
        client.subscribe(CHANGES, region="BRONX")
        client.subscribe("{ __typename }", id="joined")
        assert client.message("joined")["type"] == "next"
        erase(bronx)
        received = [seen(change) for change in follow(client)]
    # What happened in the instant before may come too: better than that it gets lost between.
    assert received == happened(api.url, "BRONX")[-len(received) :]


def test_nothing_is_missed_or_doubled_at_the_seam_while_writers_write(api: Api, node: Node) -> None:
    with writers(node), ThreadPoolExecutor() as pool, api.open_socket(api.token()) as first:
        first.subscribe(CHANGES, region="BRONX", after="BRONX:0")
        follow(first, at_most=30)

        def join(after: int) -> list[dict[str, Any]]:
            """Join while all is moving, from the very present or from a moment ago."""
            return follow_resuming(api, {"region": "BRONX"}, f"BRONX:{after}", cut=lambda: None)

        joined = {}
        for back in (0, 1, 5, 25):
            newest = int(first.change()["cursor"].partition(":")[2])
            joined[newest - back] = pool.submit(join, newest - back)
            follow(first, at_most=40)
        erase(node.centre("BRONX"))
        follow(first)
        changes = {after: future.result() for after, future in joined.items()}
    log = happened(api.url, "BRONX")
    for after, received in changes.items():
        assert [seen(change) for change in received] == log[after : after + len(received)]


@pytest.mark.parametrize(
    ("place", "municipality"),
    [({"region": "BRONX"}, None), ({"municipality": "BRONX-01"}, "BRONX-01")],
    ids=["region", "municipality"],
)
def test_who_is_cut_again_and_again_and_resumes_by_cursor_has_every_change_once(
    place: dict[str, str], municipality: str | None, api: Api, node: Node
) -> None:
    chance, cuts = Random(1), itertools.count(1)
    all_cut = threading.Event()

    def cut() -> int | None:
        if next(cuts) > CUTS:
            all_cut.set()
            return None
        return chance.randint(1, 30)

    with ThreadPoolExecutor() as pool:
        with writers(node):
            following = pool.submit(follow_resuming, api, place, "BRONX:0", cut)
            assert all_cut.wait(60) or following.result()
        erase(node.centre("BRONX"), municipality=municipality)
        changes = following.result()
    assert next(cuts) > CUTS
    assert [seen(change) for change in changes] == happened(api.url, "BRONX", municipality)


def test_who_joins_while_thousands_of_events_are_projected_has_each_once(
    url: str, catalogue: Catalogue
) -> None:
    with serving(url) as api, node_on(url, catalogue) as node, ThreadPoolExecutor() as pool:
        centre = node.centre("BRONX")
        with api.open_socket(api.token()) as early:
            early.subscribe(CHANGES, region="BRONX")
            record_histories(
                centre, [history(centre, n) for n in range(250)], now=NOON + timedelta(hours=9)
            )
            with projecting(url, catalogue):
                change = early.change()
                after = change["cursor"]
                late = pool.submit(follow_resuming, api, {"region": "BRONX"}, after, lambda: 700)
                start = pool.submit(
                    follow_resuming, api, {"region": "BRONX"}, "BRONX:0", lambda: 700
                )
                erase(centre)
                log = happened(url, "BRONX")
                assert seen(change) == log[0]
                assert [seen(change) for change in late.result()] == log[1:]
                assert [seen(change) for change in start.result()] == log
            early.cut()


def test_a_cursor_ahead_of_the_read_models_is_waited_for(url: str, catalogue: Catalogue) -> None:
    with serving(url) as api, node_on(url, catalogue) as node:
        centre = node.centre("BRONX")
        for _ in range(3):
            registered(centre)
        with api.open_socket(api.token()) as client:
            client.subscribe(CHANGES, region="BRONX", after="BRONX:2")
            client.subscribe("{ __typename }", id="joined")
            client.message("joined")
            with projecting(url, catalogue):
                assert client.change()["cursor"] == "BRONX:3"


def test_the_incident_of_a_change_is_as_it_stands_now_with_its_whole_history(
    api: Api, bronx: Centre
) -> None:
    text = """
    subscription {
      incidentChanges(region: "BRONX", after: "BRONX:0") {
        version
        incident { version timeline { version } citizen { text } }
      }
    }
    """
    with api.open_socket(api.token(personal_data=True)) as client:
        client.subscribe(text)
        incident = registered(bronx).incident_id
        first = client.change()["incident"]
        ask(bronx, incident, Classify(topic=some_topic(bronx)), 10)
        second = client.change()["incident"]
        ask(bronx, incident, ErasePersonalData(), 20)
        third = client.change()["incident"]
    assert [len(now["timeline"]) for now in (first, second, third)] == [1, 2, 3]
    assert [now["citizen"] for now in (first, third)] == [{"text": "Нет воды"}, None]


# Too slow


def test_who_reads_too_slowly_is_sent_away_and_can_resume(url: str, catalogue: Catalogue) -> None:
    with (
        serving(url, send_buffer=16_384) as api,
        projecting(url, catalogue),
        node_on(url, catalogue) as node,
        api.open_socket(api.token(), sock=narrow_line(api)) as client,
    ):
        bronx = node.centre("BRONX")
        client.subscribe(FAT_CHANGES, region="BRONX", after="BRONX:0")
        registered(bronx)
        changes = [client.change()]
        # More than the buffers on the way take and what is kept for a subscriber, together.
        histories = [history(bronx, number) for number in range(PENDING_MAX * 3 // 2 // 11)]
        record_histories(bronx, histories, now=NOON + timedelta(hours=9))
        erase(bronx)
        quick = follow_resuming(api, {"region": "BRONX"}, "BRONX:0", lambda: 500)
        assert len(quick) == len(happened(api.url, "BRONX"))
        assert [len(slow.pending) for slow in subscribers()] == [PENDING_MAX]
        while (message := client.message())["type"] == "next":
            changes.append(message["payload"]["data"]["incidentChanges"])
        (error,) = message["payload"]
        cursor = changes[-1]["cursor"]
        told = {"code": "STREAM_LAGGING", "field": "after", "cursor": cursor}
        assert error["extensions"] == told
        assert len(changes) >= PENDING_MAX
        client.subscribe(FAT_CHANGES, region="BRONX", after=cursor)
        changes += follow(client)
        log = happened(api.url, "BRONX")
    assert [change["cursor"] for change in changes] == [event.cursor for event in log]


# Refusals

NEVER_GIVEN_OUT = [
    *("", "nonsense", "BRONX", "BRONX:", ":3", "BRONX:-1", "BRONX:1.5", "BRONX:٣", "BRONX: 1"),
    *("BRONX:9223372036854775807", "BRONX:99999999999999999999", "BRONX:1\0", "\0:1"),
    "BRONX:4",  # the third event is the last
    "QUEENS:1",
]


def test_a_cursor_that_was_never_given_out_is_refused(api: Api, node: Node) -> None:
    for region in ("BRONX", "BRONX", "BRONX", "QUEENS"):
        registered(node.centre(region))
    catch_up(api.url)
    with api.open_socket(api.token()) as client:
        for cursor in NEVER_GIVEN_OUT:
            client.subscribe(CHANGES, region="BRONX", after=cursor)
            assert refused(client) == ("CURSOR_INVALID", "after"), cursor
        client.subscribe(CHANGES, region="BRONX", after="BRONX:2")
        assert client.change()["cursor"] == "BRONX:3"


def test_a_place_that_is_none_is_refused(shared_api: Api) -> None:
    with shared_api.open_socket(shared_api.token()) as client:
        client.subscribe(CHANGES)
        assert refused(client) == ("PLACE_MISSING", "region")
        for region in ("NOWHERE", "", "BRONX\0", "BRONX-01"):
            client.subscribe(CHANGES, region=region)
            assert refused(client) == ("UNKNOWN_REGION", "region")
        for place in ({"municipality": "BRONX"}, {"region": "QUEENS", "municipality": "BRONX-01"}):
            client.subscribe(CHANGES, **place)
            assert refused(client) == ("UNKNOWN_MUNICIPALITY", "municipality")


@pytest.mark.parametrize(
    ("scope", "place"),
    [
        (None, {"region": "BRONX"}),
        (None, {"municipality": "BRONX-01"}),
        ("QUEENS", {"region": "BRONX"}),
        ("QUEENS", {"municipality": "BRONX-01"}),
        ("BRONX-02", {"region": "BRONX"}),
        ("BRONX-02", {"municipality": "BRONX-01"}),
        ("BRONX-02", {"region": "BRONX", "municipality": "BRONX-01"}),
        ("BRONX-02", {"region": "QUEENS"}),
        ("BRONX-DEP", {"region": "QUEENS"}),
        ("BRONX-DEP", {"municipality": "QUEENS-09"}),
    ],
)
def test_a_place_outside_the_viewers_scope_is_refused(
    scope: str | None, place: dict[str, str], shared_api: Api
) -> None:
    with shared_api.open_socket(shared_api.token(scope) if scope else None) as client:
        for field in ("incidentChanges", "deadlines", "urgentIncidents"):
            client.subscribe(CHANGES.replace("incidentChanges", field), **place)
            assert refused(client) == ("NOT_PERMITTED", None)


def test_a_municipality_sees_its_own_changes_and_nobody_elses(api: Api, node: Node) -> None:
    with api.open_socket(api.token("BRONX-01")) as client:
        client.subscribe(CHANGES, municipality="BRONX-01", after="BRONX:0")
        with writers(node):
            changes = follow(client, at_most=100)
        erase(node.centre("BRONX"), municipality="BRONX-01")
        changes += follow(client)
    # An incident that was relocated since is not shown; that something happened to it here, is.
    shown = [change["incident"] for change in changes if change["incident"]]
    assert {incident["municipalityCode"] for incident in shown} == {"BRONX-01"}
    told = [(change["cursor"], change["event"], change["version"]) for change in changes]
    assert told == [one[:3] for one in happened(api.url, "BRONX", "BRONX-01")]


def test_a_change_of_an_incident_that_went_elsewhere_does_not_show_it(
    api: Api, bronx: Centre
) -> None:
    relocated = registered(bronx, municipality="BRONX-01").incident_id
    ask(bronx, relocated, Relocate(municipality="BRONX-02"), 10)
    erase(bronx, municipality="BRONX-01")
    catch_up(api.url)
    shown = {}
    for scope in ("BRONX-01", "BRONX"):
        with api.open_socket(api.token(scope)) as client:
            client.subscribe(CHANGES, municipality="BRONX-01", after="BRONX:0")
            shown[scope] = client.change()["incident"]
    assert shown["BRONX-01"] is None
    assert shown["BRONX"]["municipalityCode"] == "BRONX-02"


def assigned_to(centre: Centre, body: str) -> UUID:
    """An incident in the hands of a body, after three events."""
    incident = classified(centre).incident_id
    ask(centre, incident, Assign(organisation=body), 20)
    return incident


def test_a_body_follows_what_it_holds_and_hears_nothing_of_the_rest(
    api: Api, bronx: Centre
) -> None:
    ours, theirs = assigned_to(bronx, "BRONX-DEP"), assigned_to(bronx, "BRONX-DOT")
    registered(bronx)  # in nobody's hands
    catch_up(api.url)
    with ExitStack() as sockets:
        clients = {}
        for body in ("BRONX-DEP", "BRONX-DOT"):
            clients[body] = sockets.enter_context(api.open_socket(api.token(body)))
            clients[body].subscribe(CHANGES, region="BRONX", after="BRONX:0")
        past = {body: [seen(client.change()) for _ in range(3)] for body, client in clients.items()}
        for incident in (theirs, ours, theirs):
            ask(bronx, incident, ContactCitizen(channel="PHONE"), 30)
        registered(bronx)
        for incident in (ours, theirs):
            ask(bronx, incident, ErasePersonalData(), 40)
        live = {body: [seen(one) for one in follow(client)] for body, client in clients.items()}
    log = happened(api.url, "BRONX")
    for body, incident in (("BRONX-DEP", ours), ("BRONX-DOT", theirs)):
        own = incident_id("BRONX", incident)
        assert past[body] + live[body] == [one for one in log if one.incident == own]


def test_a_body_follows_an_incident_only_while_it_holds_it(api: Api, bronx: Centre) -> None:
    """Handed over: who has it now is told its whole life, who had it nothing more."""
    incident = assigned_to(bronx, "BRONX-DEP")
    catch_up(api.url)
    with api.open_socket(api.token("BRONX-DEP")) as client:
        client.subscribe(CHANGES, region="BRONX", after="BRONX:0")
        assert [client.change()["version"] for _ in range(3)] == [1, 2, 3]
        to = Reassign(organisation="BRONX-DOT", reason=ReassignReason.WRONG_BODY)
        ask(bronx, incident, to, 30)
        ask(bronx, assigned_to(bronx, "BRONX-DEP"), ErasePersonalData(), 30)
        cursors = [one["cursor"] for one in follow(client)]
        # The fourth position is the handing over. Of the next incident, what came before its
        # assignment is told only if that was known when the hub looked.
        assert cursors == [f"BRONX:{pos}" for pos in (5, 6, 7, 8)][-len(cursors) :]
        assert cursors[-2:] == ["BRONX:7", "BRONX:8"]
    with api.open_socket(api.token("BRONX-DOT")) as client:
        client.subscribe(CHANGES, region="BRONX", after="BRONX:0")
        assert [client.change()["version"] for _ in range(4)] == [1, 2, 3, 4]


# What is left out


def test_deadlines_are_followed_without_the_rest(api: Api, bronx: Centre) -> None:
    text = CHANGES.replace("incidentChanges(", "incidentChanges: deadlines(")
    incident = registered(bronx).incident_id
    ask(bronx, incident, Classify(topic=some_topic(bronx)), 10)
    due_at = NOON + timedelta(hours=2)
    ask(bronx, incident, Assign(organisation=some_body(bronx), due_at=due_at), 20)
    for hours in (5, 9):  # the first finds the deadline missed as well
        later = NOON + timedelta(hours=hours)
        extend = ExtendDeadline(due_at=later, reason=PromiseReason.SUPPLY)
        ask(bronx, incident, extend, 150 if hours == 5 else 160)
    with api.open_socket(api.token()) as client:
        client.subscribe(text, region="BRONX", after="BRONX:0")
        changes = [client.change() for _ in range(3)]
    assert [(change["cursor"], change["event"]) for change in changes] == [
        ("BRONX:4", "DeadlineMissed"),
        ("BRONX:5", "DeadlineExtended"),
        ("BRONX:6", "DeadlineExtended"),
    ]


def test_urgent_incidents_are_followed_without_the_rest(api: Api, bronx: Centre) -> None:
    text = CHANGES.replace("incidentChanges(", "incidentChanges: urgentIncidents(")
    registered(bronx)
    urgent = registered(bronx).incident_id
    raised = Prioritize(priority=Priority.HIGH, reason=PriorityReason.CHILDREN)
    ask(bronx, urgent, raised, 10)
    catch_up(api.url)
    with api.open_socket(api.token()) as client:
        client.subscribe(text, region="BRONX", after="BRONX:0")
        changes = [client.change() for _ in range(2)]
        assert [change["cursor"] for change in changes] == ["BRONX:2", "BRONX:3"]
        client.subscribe(text, id="elsewhere", region="QUEENS", after="QUEENS:1")
        assert client.failure("elsewhere")


# The socket


@pytest.mark.parametrize("token", ["nonsense", "Bearer nonsense", "Bearer", 5])
def test_a_token_that_is_none_is_refused_at_connection_init(token: object, shared_api: Api) -> None:
    with shared_api.raw_socket() as client:
        client.send({"type": "connection_init", "payload": {"Authorization": token}})
        assert client.closed_with() == 4403


def test_a_token_that_is_none_in_the_header_opens_no_socket(shared_api: Api) -> None:
    headers = {"Authorization": "Bearer nonsense"}
    with (
        pytest.raises(InvalidStatus, match="403"),
        shared_api.raw_socket(additional_headers=headers),
    ):
        pass


def test_a_token_in_the_header_of_the_socket_counts(shared_api: Api, shared_node: Node) -> None:
    registered(shared_node.centre("BROOKLYN"))
    headers = {"Authorization": f"Bearer {shared_api.token('BROOKLYN')}"}
    with shared_api.open_socket(additional_headers=headers) as client:
        client.subscribe(CHANGES, region="BROOKLYN", after="BROOKLYN:0")
        assert client.change()["cursor"] == "BROOKLYN:1"


def test_nothing_is_answered_before_connection_init(shared_api: Api) -> None:
    with shared_api.raw_socket() as client:
        client.subscribe("{ __typename }")
        assert client.closed_with() == 4401


@pytest.mark.parametrize(
    "text",
    ["", "{", "nonsense", '"\\ud800"', '{"type": 5}', '{"type": "nonsense"}', '{"id": "1"}'],
)
def test_a_message_of_no_protocol_ends_its_socket_only(text: str, shared_api: Api) -> None:
    with shared_api.open_socket() as other:
        with shared_api.open_socket() as client:
            client.send(text)
            assert client.closed_with() == 4400
        other.subscribe("{ __typename }")
        assert other.message()["type"] == "next"


def test_json_nested_without_end_ends_its_socket_only(shared_api: Api) -> None:
    with shared_api.open_socket() as client:
        client.send('{"type": "ping", "payload": ' + "[" * 100_000 + "]" * 100_000 + "}")
        assert client.closed_with() == 4400
    assert shared_api.is_alive()


def test_a_message_of_five_megabytes_ends_its_socket_only(shared_api: Api) -> None:
    with shared_api.open_socket() as client:
        with suppress(ConnectionClosed):  # it may hang up on us in the midst of it
            client.send('{"type": "ping", "payload": "' + "x" * 5_000_000 + '"}')
        assert client.closed_with() in (1009, None)
    assert shared_api.is_alive()


def test_the_older_protocol_is_not_spoken(shared_api: Api) -> None:
    with shared_api.raw_socket(subprotocols=["graphql-ws"]) as client:
        assert client.closed_with() == 4406


def test_two_subscriptions_share_a_socket(api: Api, node: Node) -> None:
    with api.open_socket(api.token()) as client:
        client.subscribe(CHANGES, id="b", region="BRONX", after="BRONX:0")
        client.subscribe(CHANGES, id="q", region="QUEENS", after="QUEENS:0")
        for _ in range(3):
            closed(node.centre("BRONX"))
            closed(node.centre("QUEENS"))
        queens = [seen(client.change("q")) for _ in range(21)]
        bronx = [seen(client.change("b")) for _ in range(21)]
    assert bronx == happened(api.url, "BRONX")
    assert queens == happened(api.url, "QUEENS")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", "BAD_REQUEST"),
        ("{ nonsense }", "BAD_REQUEST"),
        ('subscription { incidentChanges(region: "NOWHERE") { cursor } }', "UNKNOWN_REGION"),
    ],
    ids=["syntax", "validation", "refusal"],
)
def test_a_bad_operation_ends_no_other_on_its_socket(
    text: str, code: str, shared_api: Api, shared_node: Node
) -> None:
    queens = shared_node.centre("QUEENS")
    position = registered(queens).position
    catch_up(shared_api.url)
    with shared_api.open_socket(shared_api.token()) as client:
        client.subscribe(CHANGES, id="good", region="QUEENS", after=str(position))
        client.subscribe(text, id="bad")
        (error,) = client.failure("bad")
        assert error["extensions"]["code"] == code
        closed(queens)
        changes = [client.change("good") for _ in range(7)]
    assert [change["version"] for change in changes] == [1, 2, 3, 4, 5, 6, 7]


def test_a_socket_carries_twenty_operations(shared_api: Api) -> None:
    with shared_api.open_socket(shared_api.token()) as client:
        for number in range(20):
            client.subscribe(CHANGES, id=f"{number}", region="BRONX")
        client.subscribe("{ __typename }", id="one too many")
        assert client.message("one too many")["type"] == "error"
        client.send({"id": "7", "type": "complete"})
        client.subscribe("{ __typename }", id="again")
        assert client.message("again")["type"] == "next"


def test_who_has_left_leaves_nothing_behind(api: Api, bronx: Centre) -> None:
    registered(bronx)
    with api.open_socket(api.token()) as cut, api.open_socket(api.token()) as polite:
        for client in (cut, polite):
            client.subscribe(CHANGES, region="BRONX", after="BRONX:0")
            client.change()
        assert len(subscribers()) == 2
        cut.cut()
        polite.send({"id": "1", "type": "complete"})
        until(lambda: not subscribers())
