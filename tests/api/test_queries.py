"""Questions: what an id finds, which incidents a list holds, what rankings and boards say."""

import base64
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from api.types.node import incident_id, write_id
from domain.commands import (
    Classify,
    Dispute,
    DraftReply,
    Prioritize,
    PublishReply,
    Reassign,
    Reopen,
    Resolve,
    TakePersonalControl,
)
from domain.identifiers import derived_id, new_id
from domain.rights import Actor
from domain.vocabulary import (
    DisputeBy,
    Outcome,
    Priority,
    PriorityReason,
    Ranked,
    RankedBy,
    ReassignReason,
    ReopenReason,
    ReplyAuthor,
    ReplyKind,
    Role,
)
from projections.queues import Queue
from regions.centre import Centre, Result
from regions.node import Node
from regions.reference.catalogue import Catalogue
from regions.store.postgres import Server
from tests.api.conftest import Api, catch_up, fresh_database, node_on, projecting, serving
from tests.conftest import PAST_TRIGGERS
from tests.scenarios import (
    NOON,
    OPERATOR,
    accepted,
    ask,
    assigned,
    closed,
    message,
    registered,
    resolved,
    returned,
    topics,
)
from tests.waiting import until

DAY = {"first": "2026-03-02", "last": "2026-03-02"}  # NOON's, in New York


# One thing

NOBODY = derived_id(NOON, "nobody")  # the same in each process of a run
NODE = """
query ($id: ID!) {
  node(id: $id) {
    __typename
    id
    ... on Region { code name }
    ... on Municipality { code region { code } }
    ... on Incident { status regionCode }
  }
}
"""


def test_a_region_is_found_by_its_code_and_by_its_id(shared_api: Api) -> None:
    region = shared_api.ask('{ region(code: "BRONX") { id code name nameEn district zone } }')
    assert region["region"] | {"id": ""} == {
        "id": "",
        "code": "BRONX",
        "name": "Bronx",
        "nameEn": "Bronx",
        "district": "New York City",
        "zone": "America/New_York",
    }
    node = shared_api.ask(NODE, id=region["region"]["id"])["node"]
    assert (node["__typename"], node["code"]) == ("Region", "BRONX")


def test_a_municipality_is_found_by_its_code_and_by_its_id(shared_api: Api) -> None:
    text = '{ municipality(code: "BRONX-01") { id kind capital region { code } } }'
    place = shared_api.ask(text)["municipality"]
    assert place["region"] == {"code": "BRONX"}
    node = shared_api.ask(NODE, id=place["id"])["node"]
    assert (node["__typename"], node["code"]) == ("Municipality", "BRONX-01")


def test_an_incident_is_found_by_its_id(shared_api: Api, shared_node: Node) -> None:
    uuid = registered(shared_node.centre("BRONX")).incident_id
    incident = incident_id("BRONX", uuid)
    catch_up(shared_api.url)
    token = shared_api.token()
    node = shared_api.ask(NODE, token=token, id=incident)["node"]
    assert (node["__typename"], node["id"], node["regionCode"]) == ("Incident", incident, "BRONX")
    text = "query ($id: ID!) { incident(id: $id) { id } }"
    for known in (incident, write_id("Incident", f"BRONX/{uuid}")):  # with dashes: as it once was
        assert shared_api.ask(text, token=token, id=known)["incident"] == {"id": incident}


def test_node_takes_an_id_and_nothing_else(shared_api: Api) -> None:
    """Relay's compiler refetches by no other."""
    text = '{ __type(name: "Query") { fields { name args { name } } } }'
    fields = shared_api.ask(text)["__type"]["fields"]
    assert [each["args"] for each in fields if each["name"] == "node"] == [[{"name": "id"}]]


@pytest.mark.parametrize(
    "id", ["nonsense", "№", "\0", "=", "Region:BRONX", base64.b64encode(b"\xff").decode()]
)
def test_an_id_that_was_never_one_is_refused(id: str, shared_api: Api) -> None:
    assert shared_api.refusal(NODE, token=shared_api.token(), id=id)[0] == "NOT_FOUND"


@pytest.mark.parametrize(
    "id",
    [
        "",
        write_id("Region", "NOWHERE"),
        write_id("Region", ""),
        write_id("Municipality", "BRONX"),
        incident_id("BRONX", derived_id(NOON, "nobody")),
        incident_id("NOWHERE", derived_id(NOON, "nobody")),
        write_id("Incident", f"\0/{derived_id(NOON, 'nobody')}"),
        write_id("Topic", "noise"),
        write_id("Query", ""),
    ],
)
def test_an_id_of_nothing_finds_nothing(id: str, shared_api: Api) -> None:
    assert shared_api.ask(NODE, token=shared_api.token(), id=id) == {"node": None}


def test_an_incident_is_not_found_under_another_region(shared_api: Api, shared_node: Node) -> None:
    incident = registered(shared_node.centre("BRONX")).incident_id
    catch_up(shared_api.url)
    other = incident_id("QUEENS", incident)
    assert shared_api.ask(NODE, token=shared_api.token(), id=other) == {"node": None}


AS_OF = """
query ($id: ID!, $at: DateTime!) {
  incident(id: $id, asOf: $at) {
    status version position topicCode organisationCode outcome overdue timeline { event }
  }
}
"""


def test_an_incident_is_shown_as_it_stood_at_a_moment(shared_api: Api, shared_node: Node) -> None:
    """Due two hours after noon, resolved after an hour and a half, closed after two."""
    result = closed(shared_node.centre("BRONX"), due_in_hours=2)
    incident = incident_id("BRONX", result.incident_id)
    catch_up(shared_api.url)

    def stood(minutes: float) -> Any:
        at = (NOON + timedelta(minutes=minutes)).isoformat()
        return shared_api.ask(AS_OF, token=shared_api.token(), id=incident, at=at)["incident"]

    assert stood(-1) is None
    assert stood(0) == {
        "status": "REGISTERED",
        "version": 1,
        "position": f"BRONX:{result.position.pos - 6}",
        "topicCode": None,
        "organisationCode": None,
        "outcome": None,
        "overdue": False,
        "timeline": [{"event": "IncidentRegistered"}],
    }
    assert (stood(19)["status"], stood(20)["status"]) == ("REGISTERED", "ASSIGNED")
    at_work = stood(89)
    assert (at_work["status"], at_work["outcome"], at_work["version"]) == ("IN_PROGRESS", None, 5)
    assert at_work["overdue"] is False  # it would be by now, had nobody resolved it
    assert [entry["event"] for entry in at_work["timeline"]][-1] == "ReplyPublished"
    assert (stood(90)["status"], stood(90)["outcome"]) == ("RESOLVED", "SOLVED")
    now = stood(24 * 60)
    assert (now["status"], now["version"]) == ("CLOSED", result.version)
    text = "query ($id: ID!) { incident(id: $id) { status version position overdue } }"
    assert now | shared_api.ask(text, token=shared_api.token(), id=incident)["incident"] == now


def test_an_incident_that_is_late_was_so_once_its_deadline_had_passed(
    shared_api: Api, shared_node: Node
) -> None:
    late = assigned(shared_node.centre("BRONX"), due_in_hours=2).incident_id
    catch_up(shared_api.url)
    for minutes, overdue in ((119, False), (121, True)):
        at = (NOON + timedelta(minutes=minutes)).isoformat()
        answer = shared_api.ask(
            AS_OF, token=shared_api.token(), id=incident_id("BRONX", late), at=at
        )
        assert answer["incident"]["overdue"] is overdue


def test_a_moment_without_an_offset_is_refused(shared_api: Api, shared_node: Node) -> None:
    incident = incident_id("BRONX", registered(shared_node.centre("BRONX")).incident_id)
    catch_up(shared_api.url)
    for at, code in (
        ("2026-03-02T12:00:00", "DATE_WITHOUT_ZONE"),
        ("0001-01-01T00:00:00Z", "DATE_ABSURD"),
    ):
        refusal = shared_api.refusal(AS_OF, token=shared_api.token(), id=incident, at=at)
        assert refusal == (code, "asOf")


@pytest.mark.parametrize("code", ["NOWHERE", "", "bronx", "BRONX\0", "Самара"])
def test_an_unknown_code_is_refused_by_its_field(code: str, shared_api: Api) -> None:
    for field in ("region", "municipality"):
        text = f"query ($code: String!) {{ {field}(code: $code) {{ code }} }}"
        assert shared_api.refusal(text, code=code) == (f"UNKNOWN_{field.upper()}", field)


def test_the_catalogue_is_told_whole(shared_api: Api, catalogue: Catalogue) -> None:
    answer = shared_api.ask(
        """
        {
          regions { code municipalities { code } organisations { code } }
          topics { code group }
          channels { code name nameEn }
        }
        """
    )
    assert [region["code"] for region in answer["regions"]] == list(catalogue.regions)
    places = [place["code"] for region in answer["regions"] for place in region["municipalities"]]
    assert places == list(catalogue.municipalities)
    bodies = [body["code"] for region in answer["regions"] for body in region["organisations"]]
    assert sorted(bodies) == sorted(catalogue.organisations)
    assert {topic["code"]: topic["group"] for topic in answer["topics"]} == {
        code: topic.group for code, topic in catalogue.topics.items()
    }
    assert [channel["code"] for channel in answer["channels"]] == list(catalogue.channels)


# Lists

LIST = """
query ($filter: IncidentFilterInput, $first: Int! = 100, $after: String) {
  incidents(filter: $filter, first: $first, after: $after) {
    edges { cursor node { id } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}
"""


@pytest.fixture(scope="module")
def listed(server: Server, template: str, catalogue: Catalogue) -> Iterator[Api]:
    """A network with one incident for each value of each filter, named by its external id."""
    url = fresh_database(server, template)
    with serving(url) as api, projecting(url, catalogue), node_on(url, catalogue) as node:
        bronx, queens = node.centre("BRONX"), node.centre("QUEENS")
        lives = {
            "plain": registered(bronx),
            "placed": registered(bronx, municipality="BRONX-01"),
            "elsewhere": registered(queens, municipality="QUEENS-01"),
            "online": registered(bronx, channel="ONLINE"),
            "late": assigned(bronx, due_in_hours=1),
            "in time": assigned(bronx, due_in_hours=48),
            "closed": closed(bronx, municipality="BRONX-02"),
            "early": bronx.register(
                message(published_at=NOON - timedelta(days=9)),
                command_id=uuid4(),
                at=NOON - timedelta(days=9),
                by=OPERATOR,
            ),
        }
        other_topic = topics(bronx)[1]
        ask(bronx, lives["plain"].incident_id, Classify(topic=other_topic), 1)
        waiting(bronx, lives)
        catch_up(url)
        NAMES.update(
            {
                incident_id(life.position.region, life.incident_id): name
                for name, life in lives.items()
            }
        )
        yield api


def waiting(centre: Centre, lives: dict[str, Result]) -> None:
    """One more incident for each queue."""
    head = Actor("Глава", Role.REGION_HEAD)
    lives |= {
        "returned": returned(centre, due_in_hours=72),
        "urgent": registered(centre),
        "in review": accepted(centre, due_in_hours=72),
        "disputed": resolved(centre),
        "controlled": registered(centre),
        "reassigned": assigned(centre, due_in_hours=72),
    }
    urgent = Prioritize(priority=Priority.HIGH, reason=PriorityReason.MASS)
    ask(centre, lives["urgent"].incident_id, urgent, 1)
    draft = DraftReply(kind=ReplyKind.FINAL, text="Вода есть")
    ask(centre, lives["in review"].incident_id, draft, 40)
    ask(centre, lives["disputed"].incident_id, Dispute(by=DisputeBy.AUTHOR), 100)
    ask(centre, lives["controlled"].incident_id, TakePersonalControl(), 1, by=head)
    elsewhere = Reassign(organisation="BRONX-DOT", reason=ReassignReason.WRONG_BODY)
    ask(centre, lives["reassigned"].incident_id, elsewhere, 30)


NAMES: dict[str, str] = {}  # of the incidents of `listed`, by id


def names(api: Api, **chosen: Any) -> set[str]:
    answer = api.ask(LIST, token=api.token(), filter=chosen)
    return {NAMES[edge["node"]["id"]] for edge in answer["incidents"]["edges"]}


EVERY = {
    *("plain", "placed", "elsewhere", "online", "late", "in time", "closed", "early"),
    *("returned", "urgent", "in review", "disputed", "controlled", "reassigned"),
}
UNASSIGNED = {
    *("plain", "placed", "elsewhere", "online", "early"),
    *("returned", "urgent", "controlled"),
}
HELD = {"late", "in time", "in review"}


@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        ({}, EVERY),
        ({"region": "BRONX"}, EVERY - {"elsewhere"}),
        ({"region": "QUEENS"}, {"elsewhere"}),
        ({"region": "MANHATTAN"}, set()),
        ({"municipality": "BRONX-01"}, {"placed"}),
        ({"region": "BRONX", "municipality": "BRONX-02"}, {"closed"}),
        ({"channels": ["ONLINE"]}, {"online"}),
        ({"channels": ["ONLINE", "PHONE"]}, EVERY),
        ({"channels": ["MOBILE"]}, set()),
        ({"channels": []}, set()),
        ({"statuses": ["ASSIGNED"]}, {"late", "in time", "reassigned"}),
        ({"statuses": ["ASSIGNED", "CLOSED"]}, {"late", "in time", "closed", "reassigned"}),
        ({"organisation": "BRONX-DOT"}, {"reassigned"}),
        ({"organisation": "BRONX-DCA"}, {*HELD, "closed", "disputed"}),
        ({"region": "BRONX", "organisation": "BRONX-DCA", "overdue": True}, {"late"}),
        ({"organisation": "QUEENS-DCA"}, set()),
        ({"queue": "UNASSIGNED"}, UNASSIGNED),
        ({"queue": "UNASSIGNED", "region": "QUEENS"}, {"elsewhere"}),
        ({"queue": "RETURNED"}, {"returned"}),
        ({"queue": "URGENT"}, {"urgent"}),
        ({"queue": "IN_REVIEW"}, {"in review"}),
        ({"queue": "DUE_SOON"}, {"in time"}),
        ({"queue": "OVERDUE"}, {"late"}),
        ({"queue": "DISPUTED"}, {"disputed"}),
        ({"queue": "UNDER_CONTROL"}, {"controlled"}),
        ({"queue": "REPLY_OVERDUE"}, set()),  # New York has no policies
        ({"statuses": []}, set()),
        ({"overdue": True}, {"late"}),
        ({"overdue": False}, EVERY - {"late"}),
        ({"registeredFrom": NOON.isoformat()}, EVERY - {"early"}),
        ({"registeredBefore": NOON.isoformat()}, {"early"}),
        ({"registeredFrom": "2026-03-02T07:00:00-05:00"}, EVERY - {"early"}),
        ({"registeredFrom": (NOON + timedelta(microseconds=1)).isoformat()}, set()),
        (
            {"region": "BRONX", "channels": ["PHONE"], "statuses": ["REGISTERED"]},
            {"plain", "placed", "early", "urgent", "controlled"},
        ),
    ],
)
def test_a_filter_chooses(chosen: dict[str, Any], found: set[str], listed: Api) -> None:
    assert names(listed, **chosen) == found


def test_a_queue_of_a_board_counts_what_its_list_holds(listed: Api) -> None:
    text = """
    query ($period: PeriodInput!) {
      country: countryBoard(period: $period) { queues { queue incidents } }
      bronx: region(code: "BRONX") { board(period: $period) { queues { queue incidents } } }
      place: municipality(code: "BRONX-02") {
        board(period: $period) { queues { queue incidents } }
      }
    }
    """
    boards = listed.ask(text, period=DAY)
    for board, place in (
        (boards["country"], {}),
        (boards["bronx"]["board"], {"region": "BRONX"}),
        (boards["place"]["board"], {"municipality": "BRONX-02"}),
    ):
        counted = {count["queue"]: count["incidents"] for count in board["queues"]}
        assert counted == {
            queue.value: len(names(listed, queue=queue.value, **place)) for queue in Queue
        }


def test_topics_choose(listed: Api, catalogue: Catalogue) -> None:
    first, second, third = [code for code, topic in catalogue.topics.items() if topic.group][:3]
    assert names(listed, topics=[second]) == {"plain"}
    classified = {*HELD, "closed", "returned", "disputed", "reassigned"}
    assert names(listed, topics=[first]) == classified
    assert names(listed, topics=[first, second]) == {"plain", *classified}
    assert names(listed, topics=[third]) == set()


@pytest.mark.parametrize(
    ("chosen", "code", "field"),
    [
        ({"region": "NOWHERE"}, "UNKNOWN_REGION", "region"),
        ({"region": "\0"}, "UNKNOWN_REGION", "region"),
        ({"municipality": "NOWHERE"}, "UNKNOWN_MUNICIPALITY", "municipality"),
        (
            {"region": "QUEENS", "municipality": "BRONX-01"},
            "UNKNOWN_MUNICIPALITY",
            "municipality",
        ),
        ({"organisation": "NOBODY"}, "UNKNOWN_ORGANISATION", "organisation"),
        ({"organisation": "BRONX"}, "UNKNOWN_ORGANISATION", "organisation"),
        (
            {"region": "QUEENS", "organisation": "BRONX-DOT"},
            "UNKNOWN_ORGANISATION",
            "organisation",
        ),
        ({"queue": "NONSENSE"}, "BAD_REQUEST", None),
        ({"topics": ["noise"]}, "UNKNOWN_TOPIC", "topics"),
        ({"topics": ["\0"]}, "UNKNOWN_TOPIC", "topics"),
        ({"topics": ["noise.noise"] * 1000}, "LIST_TOO_LONG", "topics"),
        ({"statuses": ["CLOSED"] * 1000}, "LIST_TOO_LONG", "statuses"),
        ({"channels": ["PHONE", "PIGEON"]}, "UNKNOWN_CHANNEL", "channels"),
        ({"registeredFrom": "2026-03-02T12:00:00"}, "DATE_WITHOUT_ZONE", "registeredFrom"),
        ({"registeredBefore": "0001-01-01T00:00:00Z"}, "DATE_ABSURD", "registeredBefore"),
        ({"registeredBefore": "9999-12-31T23:59:59Z"}, "DATE_ABSURD", "registeredBefore"),
        ({"statuses": ["NONSENSE"]}, "BAD_REQUEST", None),
    ],
)
def test_a_filter_of_nonsense_is_refused_by_its_field(
    chosen: dict[str, Any], code: str, field: str | None, listed: Api
) -> None:
    assert listed.refusal(LIST, token=listed.token(), filter=chosen) == (code, field)


@pytest.mark.parametrize("first", [0, -1, 101, 10_000, 2**31 - 1])
def test_a_page_has_one_to_a_hundred_incidents(first: int, listed: Api) -> None:
    assert listed.refusal(LIST, token=listed.token(), first=first) == ("PAGE_TOO_LARGE", "first")


@pytest.mark.parametrize(
    "cursor",
    [
        *("", "nonsense", "BRONX:1", "№", "\0", "A" * 31, "A" * 33, "A" * 100_000),
        base64.urlsafe_b64encode(b"\x7f" + b"\xff" * 23).decode(),
        base64.urlsafe_b64encode(b"\x80" + b"\x00" * 23).decode(),
    ],
)
def test_a_cursor_that_was_never_given_out_is_refused(cursor: str, listed: Api) -> None:
    refusal = listed.refusal(LIST, token=listed.token(), after=cursor)
    assert refusal == ("CURSOR_INVALID", "after")


def test_a_cursor_of_a_place_where_nothing_is_leads_on_from_there(listed: Api) -> None:
    before_all = base64.urlsafe_b64encode(b"\x00" * 24).decode()  # 1970
    page = listed.ask(LIST, token=listed.token(), after=before_all)["incidents"]
    assert page == {
        "edges": [],
        "pageInfo": {
            "hasNextPage": False,
            "hasPreviousPage": True,
            "startCursor": None,
            "endCursor": None,
        },
    }


@pytest.fixture(scope="module")
def crowded(server: Server, template: str, catalogue: Catalogue) -> Iterator[tuple[Api, Node]]:
    """250 incidents of 60 moments: many are registered in the same instant."""
    url = fresh_database(server, template)
    with serving(url) as api, projecting(url, catalogue), node_on(url, catalogue) as node:
        for number in range(250):
            at = NOON + timedelta(seconds=number % 60)
            centre = node.centre("BRONX" if number % 3 else "QUEENS")
            centre.register(message(), command_id=uuid4(), at=at, by=OPERATOR)
        catch_up(url)
        yield api, node


def pages(api: Api, first: int, **chosen: Any) -> list[list[str]]:
    """All pages, each a list of ids."""
    found: list[list[str]] = []
    after = None
    while True:
        page = api.ask(LIST, token=api.token(), first=first, after=after, filter=chosen)[
            "incidents"
        ]
        found.append([edge["node"]["id"] for edge in page["edges"]])
        assert page["pageInfo"]["hasPreviousPage"] == (after is not None)
        cursors = [edge["cursor"] for edge in page["edges"]]
        assert page["pageInfo"]["startCursor"] == cursors[0]
        assert page["pageInfo"]["endCursor"] == cursors[-1]
        after = cursors[-1]
        if not page["pageInfo"]["hasNextPage"]:
            return found


@pytest.mark.parametrize("first", [3, 100])
def test_paging_shows_each_incident_once_while_others_are_registered(
    first: int, crowded: tuple[Api, Node]
) -> None:
    api, node = crowded
    before = [id for page in pages(api, 100) for id in page]
    stop = threading.Event()

    def register_others() -> None:
        for second in count():
            at = NOON + timedelta(seconds=second % 70)  # among the others and after them
            node.centre("BRONX").register(message(), command_id=uuid4(), at=at, by=OPERATOR)
            if stop.wait(0.02):
                return

    with ThreadPoolExecutor() as pool:
        registering = pool.submit(register_others)
        try:
            shown = pages(api, first)
        finally:
            stop.set()
        registering.result()
    assert all(len(page) == first for page in shown[:-1])
    ids = [id for page in shown for id in page]
    assert len(ids) == len(set(ids))
    assert [id for id in ids if id in set(before)] == before


def test_the_newest_registration_comes_first_and_the_order_stays(
    crowded: tuple[Api, Node],
) -> None:
    api, _ = crowded
    text = """
    query ($after: String) {
      incidents(first: 100, after: $after, filter: {region: "QUEENS"}) {
        edges { cursor node { id registeredAt } }
      }
    }
    """
    edges = api.ask(text, token=api.token())["incidents"]["edges"]
    times = [edge["node"]["registeredAt"] for edge in edges]
    assert times == sorted(times, reverse=True)
    assert len(set(times)) < len(times)
    for place in (0, 13, 40):
        after = api.ask(text, token=api.token(), after=edges[place]["cursor"])
        assert after["incidents"]["edges"] == edges[place + 1 :]


def test_a_list_of_a_narrower_scope_is_paged_alike(crowded: tuple[Api, Node]) -> None:
    api, _ = crowded
    narrow = [id for page in pages(api, 7, region="QUEENS") for id in page]
    wide = [id for page in pages(api, 100, region="QUEENS") for id in page]
    assert narrow == wide
    assert len(wide) == 84


# Rankings and boards

REGIONS = ("BRONX", "BROOKLYN", "MANHATTAN", "QUEENS", "STATEN-ISLAND")

FIGURES = """
fragment F on Figures {
  registered answered unansweredShare
  replyMedianSeconds replyMeanSeconds replyP90Seconds
  resolved resolutionMedianSeconds resolutionMeanSeconds resolutionP90Seconds
  reopened returned due missed overdueShare
}
"""

RANKING = (
    FIGURES
    + """
query ($period: PeriodInput!, $exact: Boolean! = false) {
  ranking(period: $period, exact: $exact) { rows { place region { code } figures { ...F } } }
}
"""
)

BOARDS = (
    FIGURES
    + """
fragment B on Board {
  figures { ...F }
  openIncidents { status incidents }
  overdue
  parts { code name figures { ...F } }
}
query ($period: PeriodInput!, $exact: Boolean! = false) {
  country: countryBoard(period: $period, exact: $exact) { ...B }
  bronx: region(code: "BRONX") { board(period: $period, exact: $exact) { ...B } }
  first: municipality(code: "BRONX-01") { board(period: $period, exact: $exact) { ...B } }
  second: municipality(code: "BRONX-02") { board(period: $period, exact: $exact) { ...B } }
  third: municipality(code: "BRONX-03") { board(period: $period, exact: $exact) { ...B } }
}
"""
)


def replied(centre: Centre, *minutes: float | None) -> list[UUID]:
    """An incident for each reply time; None is not answered."""
    incidents = [registered(centre).incident_id for _ in minutes]
    for incident, after in zip(incidents, minutes, strict=True):
        if after is not None:
            ask(centre, incident, PublishReply(kind=ReplyKind.FIRST), after)
    return incidents


@pytest.fixture(scope="module")
def ranked(server: Server, template: str, catalogue: Catalogue) -> Iterator[Api]:
    """Five regions; their replies came after so many minutes."""
    url = fresh_database(server, template)
    with serving(url) as api, projecting(url, catalogue), node_on(url, catalogue) as node:
        replied(node.centre("BRONX"), 10, 20, 30, 40, 50)
        replied(node.centre("QUEENS"), 500, 30, 5, 30, 30)
        replied(node.centre("BROOKLYN"), 60, None, 60, 60, 90)
        manhattan, staten = node.centre("MANHATTAN"), node.centre("STATEN-ISLAND")
        ignored = replied(manhattan, 1, 1, None, None, None)[-1]
        automatic = PublishReply(kind=ReplyKind.FIRST, author=ReplyAuthor.AUTO)
        ask(manhattan, ignored, automatic, 1)
        replied(staten, 1, 1, 1, 1)
        eve = NOON - timedelta(hours=8)  # 23:00 of the day before in New York
        staten.register(message(published_at=eve), command_id=uuid4(), at=eve, by=OPERATOR)
        catch_up(url)
        yield api


def ranking(api: Api, **options: Any) -> dict[str, tuple[int | None, dict[str, Any]]]:
    """Place and figures by region, in the order of the ranking."""
    rows = api.ask(RANKING, token=api.token(), **({"period": DAY} | options))["ranking"]["rows"]
    return {row["region"]["code"]: (row["place"], row["figures"]) for row in rows}


@pytest.mark.parametrize("exact", [True, False])
def test_whoever_cannot_be_told_apart_shares_a_place(exact: bool, ranked: Api) -> None:
    places = {code: place for code, (place, _) in ranking(ranked, exact=exact).items()}
    assert list(places.items()) == [
        ("BRONX", 1),
        ("QUEENS", 1),
        ("BROOKLYN", 2),
        ("MANHATTAN", 3),  # more than half are unanswered: no median, and last
        ("STATEN-ISLAND", None),  # too few to compare
    ]


def test_a_ranking_says_how_it_was_reckoned_and_up_to_where(ranked: Api) -> None:
    text = """
    query ($period: PeriodInput!) {
      ranking(period: $period, clock: CALENDAR, exact: true) {
        method shrinkage provisional settledOn
        freshness { region position head stale }
        rows { position unranked tier n value low high score region { code } }
      }
    }
    """
    told = ranked.ask(text, token=ranked.token(), period=DAY)["ranking"]
    assert (told["method"], told["shrinkage"]) == ("SHRUNK_1", 30)
    assert (told["provisional"], told["settledOn"]) == (True, "2026-04-01")
    assert [each["region"] for each in told["freshness"]] == [*REGIONS]
    assert all(
        each["position"] == each["head"] > 0 and not each["stale"] for each in told["freshness"]
    )
    bronx, *_, staten = told["rows"]
    towards = 1800  # the middle of 30, 30 and 60 minutes
    assert bronx == {
        "position": 1,
        "unranked": None,
        "tier": "",
        "n": 5,
        "value": 1800,
        "low": 600,
        "high": 3000,
        "score": pytest.approx(towards),
        "region": {"code": "BRONX"},
    }
    assert (staten["unranked"], staten["n"]) == ("INSUFFICIENT_DATA", 4)


def test_municipalities_are_ranked_by_bands_and_bodies_by_kind(boarded: Api) -> None:
    text = """
    query ($period: PeriodInput!, $of: Ranked!, $region: String) {
      ranking(period: $period, of: $of, region: $region) {
        rows {
          tier unranked municipality { code } organisation { code kind } figures { registered }
        }
      }
    }
    """
    places = boarded.ask(text, period=DAY, of="MUNICIPALITIES", region="BRONX")["ranking"]["rows"]
    assert {row["municipality"]["code"]: row["figures"]["registered"] for row in places} == {
        "BRONX-01": 3,
        "BRONX-02": 2,
    }
    assert {row["tier"] for row in places} == {"UNKNOWN"}  # the catalogue knows no residents
    assert boarded.refusal(text, period=DAY, of="ORGANISATIONS") == ("NOT_PERMITTED", None)
    token = boarded.token()
    (body,) = boarded.ask(text, token=token, period=DAY, of="ORGANISATIONS")["ranking"]["rows"]
    assert body["tier"] == body["organisation"]["kind"]
    assert (body["figures"]["registered"], body["unranked"]) == (4, "INSUFFICIENT_DATA")


def test_a_region_that_lags_behind_is_not_ranked(
    server: Server, template: str, catalogue: Catalogue
) -> None:
    url = fresh_database(server, template)
    text = """
    query ($period: PeriodInput!) {
      ranking(period: $period) { freshness { region stale } rows { unranked region { code } } }
    }
    """
    with serving(url) as api, node_on(url, catalogue) as node:
        with projecting(url, catalogue):
            for region in REGIONS:
                replied(node.centre(region), 10, 20, 30, 40, 50)
            catch_up(url)
        registered(node.centre("QUEENS"))
        fresh = api.ask(text, period=DAY)["ranking"]
        assert not any(each["stale"] for each in fresh["freshness"])  # not for a moment's lag
        with psycopg.connect(url) as connection:
            connection.execute(PAST_TRIGGERS)
            connection.execute(
                "UPDATE events SET recorded_at = recorded_at - interval '61 s'"
                " WHERE region = 'QUEENS' AND pos = (SELECT max(pos) FROM events"
                " WHERE region = 'QUEENS')"
            )
        # Another text, or it is told what it was told a moment ago.
        told = api.ask(f"{text} #", period=DAY)["ranking"]
    assert [each["region"] for each in told["freshness"] if each["stale"]] == ["QUEENS"]
    unranked = {row["region"]["code"]: row["unranked"] for row in told["rows"]}
    assert {code for code, why in unranked.items() if why} == {"QUEENS"}
    assert unranked["QUEENS"] == "STALE_DATA"


@pytest.mark.parametrize(
    ("region", "registered", "answered", "median", "mean", "p90"),
    [
        ("BRONX", 5, 5, 1800, 1800, 3000),
        ("QUEENS", 5, 5, 1800, 7140, 30_000),
        ("BROOKLYN", 5, 4, 3600, 4050, None),  # a tenth may not be unanswered
        ("MANHATTAN", 5, 2, None, 60, None),
        ("STATEN-ISLAND", 4, 4, 60, 60, 60),
    ],
)
def test_reply_times_of_a_ranking_are_as_worked_out_by_hand(
    region: str,
    registered: int,
    answered: int,
    median: float | None,
    mean: float,
    p90: float | None,
    ranked: Api,
) -> None:
    _, figures = ranking(ranked, exact=True)[region]
    assert (figures["registered"], figures["answered"]) == (registered, answered)
    assert figures["unansweredShare"] == pytest.approx(1 - answered / registered)
    assert figures["replyMedianSeconds"] == median
    assert figures["replyMeanSeconds"] == mean
    assert figures["replyP90Seconds"] == p90


def test_a_ranking_from_histograms_is_within_one_percent_of_the_exact_one(ranked: Api) -> None:
    assert close(ranking(ranked), ranking(ranked, exact=True))


def test_exact_figures_cost_much_and_need_a_token(ranked: Api) -> None:
    assert ranked.refusal(RANKING, period=DAY, exact=True) == ("NOT_PERMITTED", None)
    answer = ranked.answer(BOARDS, period=DAY, exact=True)
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"NOT_PERMITTED"}
    assert ranked.ask(RANKING, period=DAY)


def test_a_period_without_incidents_ranks_nobody(ranked: Api) -> None:
    far = {"first": "2020-01-01", "last": "2020-12-31"}
    rows = ranking(ranked, period=far)
    assert [place for place, _ in rows.values()] == [None] * 5
    assert all(figures["registered"] == 0 for _, figures in rows.values())
    assert rows == ranking(ranked, period=far, exact=True)


@pytest.mark.parametrize(
    ("first", "last"),
    [("2026-03-02", "2026-03-01"), ("2020-01-01", "2026-03-02")],
)
def test_a_period_ends_after_it_begins_and_within_three_years(
    first: str, last: str, ranked: Api
) -> None:
    period = {"first": first, "last": last}
    assert ranked.refusal(RANKING, period=period) == ("PERIOD_INVALID", "period")
    for text in (
        "query ($p: PeriodInput!) { countryBoard(period: $p) { overdue } }",
        'query ($p: PeriodInput!) { region(code: "BRONX") { board(period: $p) { overdue } } }',
        'query ($p: PeriodInput!) { municipality(code: "BRONX-01") { board(period: $p) { overdue }'
        " } }",
    ):
        assert ranked.refusal(text, p=period) == ("PERIOD_INVALID", "period")


@pytest.fixture(scope="module")
def boarded(server: Server, template: str, catalogue: Catalogue) -> Iterator[Api]:
    """Seven incidents of one morning, worked out by hand below."""
    url = fresh_database(server, template)
    with serving(url) as api, projecting(url, catalogue), node_on(url, catalogue) as node:
        bronx = node.centre("BRONX")
        kept = assigned(bronx, municipality="BRONX-01", due_in_hours=2).incident_id
        ask(bronx, kept, PublishReply(kind=ReplyKind.FIRST), 20)
        ask(bronx, kept, PublishReply(kind=ReplyKind.FINAL), 50)
        ask(bronx, kept, Resolve(outcome=Outcome.SOLVED), 60)
        assigned(bronx, municipality="BRONX-01", due_in_hours=2)  # open and late
        returned(bronx, municipality="BRONX-01", due_in_hours=72)
        again = assigned(bronx, municipality="BRONX-02").incident_id
        ask(bronx, again, PublishReply(kind=ReplyKind.FINAL), 30)
        ask(bronx, again, Resolve(outcome=Outcome.SOLVED), 90)
        ask(bronx, again, Dispute(by=DisputeBy.AUTHOR), 110)
        ask(bronx, again, Reopen(reason=ReopenReason.NOT_SOLVED), 120)
        late = assigned(bronx, municipality="BRONX-02", due_in_hours=1).incident_id
        ask(bronx, late, PublishReply(kind=ReplyKind.FINAL), 40)
        ask(bronx, late, Resolve(outcome=Outcome.SOLVED), 120)
        assigned(bronx, due_in_hours=48)  # not located
        registered(node.centre("QUEENS"))
        catch_up(url)
        yield api


SIDE_BY_SIDE = """
query ($period: PeriodInput!, $by: SideBySide!) {
  region(code: "BRONX") { board(period: $period) { sideBySide(by: $by) {
    code name figures { registered due missed }
  } } }
}
"""


@pytest.mark.parametrize(
    ("by", "wanted"),
    [
        ("MUNICIPALITY", [3, 2]),
        ("ORGANISATION", [4]),  # one was sent back, one was reopened
        ("TOPIC", [6]),
        ("CHANNEL", [6]),
    ],
)
def test_a_board_sets_its_parts_side_by_side(boarded: Api, by: str, wanted: list[int]) -> None:
    assert boarded.refusal(SIDE_BY_SIDE, period=DAY, by=by) == ("NOT_PERMITTED", None)
    told = boarded.ask(SIDE_BY_SIDE, token=boarded.token(), period=DAY, by=by)
    parts = told["region"]["board"]["sideBySide"]
    assert [part["figures"]["registered"] for part in parts] == wanted
    assert all(part["name"] for part in parts)


SERIES = """
query ($period: PeriodInput!, $step: SeriesStep!) {
  countryBoard(period: $period) { series(step: $step) { start figures { registered due } } }
  region(code: "BRONX") {
    board(period: $period) { series(step: $step) { start figures { registered due } } }
  }
}
"""


@pytest.mark.parametrize(
    ("step", "wanted"),
    [
        ("DAY", {"2026-03-01": 0, "2026-03-02": 6, "2026-03-03": 0}),
        ("WEEK", {"2026-02-23": 0, "2026-03-02": 6}),
        ("MONTH", {"2026-03-01": 6}),
        ("HOUR", {"2026-03-02T07:00": 6}),  # NOON is seven in New York
    ],
)
def test_a_series_is_in_local_time_and_adds_up(
    boarded: Api, step: str, wanted: dict[str, int]
) -> None:
    period = {"first": "2026-03-01", "last": "2026-03-03"}
    told = boarded.ask(SERIES, token=boarded.token(), period=period, step=step)
    points = told["region"]["board"]["series"]
    found = {point["start"]: point["figures"]["registered"] for point in points}
    assert {start: n for start, n in found.items() if n or step != "HOUR"} == wanted
    country = told["countryBoard"]["series"]
    assert sum(point["figures"]["registered"] for point in country) == 7


def test_hours_are_told_of_a_month_at_most_and_to_somebody_only(boarded: Api) -> None:
    assert boarded.refusal(SERIES, period=DAY, step="HOUR") == ("NOT_PERMITTED", None)
    longer = {"first": "2026-02-01", "last": "2026-03-04"}
    token = boarded.token()
    assert boarded.refusal(SERIES, token=token, period=longer, step="HOUR") == (
        "PERIOD_INVALID",
        "period",
    )


def test_a_board_is_compared_with_other_periods(boarded: Api) -> None:
    text = """
    query ($period: PeriodInput!) {
      region(code: "BRONX") { board(period: $period) {
        provisional registeredPer1000
        previous: compared(with: PREVIOUS) { first last figures { registered } }
        yearAgo: compared(with: YEAR_AGO) { first last figures { registered } }
        launch: compared(with: LAUNCH) { first last figures { registered } }
      } }
      countryBoard(period: $period) { districts { code figures { registered } } }
    }
    """
    period = {"first": "2026-03-03", "last": "2026-03-03"}
    told = boarded.ask(text, period=period)
    board = told["region"]["board"]
    assert board["previous"] == {
        "first": "2026-03-02",
        "last": "2026-03-02",
        "figures": {"registered": 6},
    }
    assert board["yearAgo"]["first"] == "2025-03-03"
    assert board["launch"]["first"] == "2003-03-09"
    assert (board["provisional"], board["registeredPer1000"]) == (True, 0)
    (district,) = boarded.ask(text, period=DAY)["countryBoard"]["districts"]
    assert district == {"code": "nyc", "figures": {"registered": 7}}


def test_lateness_is_told_of_what_was_missed(boarded: Api) -> None:
    text = """
    query ($period: PeriodInput!) {
      region(code: "BRONX") { board(period: $period) { lateness { n medianSeconds p90Seconds } } }
    }
    """
    told = boarded.ask(text, token=boarded.token(), period=DAY)["region"]["board"]["lateness"]
    # One was resolved an hour late; one is open, and late until now: 24 hours after NOON.
    assert told == {"n": 2, "medianSeconds": 3600, "p90Seconds": 22 * 3600}


FIRST = {
    "registered": 3,
    "answered": 1,
    "unansweredShare": 2 / 3,
    "replyMedianSeconds": None,
    "replyMeanSeconds": 1200.0,
    "replyP90Seconds": None,
    "resolved": 1,
    "resolutionMedianSeconds": 3600.0,
    "resolutionMeanSeconds": 3600.0,
    "resolutionP90Seconds": 3600.0,
    "reopened": 0,
    "returned": 1,
    "due": 2,
    "missed": 1,
    "overdueShare": 1 / 2,
}
SECOND = {
    "registered": 2,
    "answered": 2,
    "unansweredShare": 0.0,
    "replyMedianSeconds": 1800.0,
    "replyMeanSeconds": 2100.0,
    "replyP90Seconds": 2400.0,
    "resolved": 1,
    "resolutionMedianSeconds": 7200.0,
    "resolutionMeanSeconds": 7200.0,
    "resolutionP90Seconds": 7200.0,
    "reopened": 1,
    "returned": 0,
    "due": 1,
    "missed": 1,
    "overdueShare": 1.0,
}
BRONX = {
    "registered": 6,
    "answered": 3,
    "unansweredShare": 1 / 2,
    "replyMedianSeconds": 2400.0,
    "replyMeanSeconds": 1800.0,
    "replyP90Seconds": None,
    "resolved": 2,
    "resolutionMedianSeconds": 3600.0,
    "resolutionMeanSeconds": 5400.0,
    "resolutionP90Seconds": 7200.0,
    "reopened": 1,
    "returned": 1,
    "due": 3,
    "missed": 2,
    "overdueShare": 2 / 3,
}
NOTHING = {
    name: None if name.endswith(("Seconds", "Share")) else 0 for name in FIRST
}  # of no incidents
QUEENS = NOTHING | {"registered": 1, "unansweredShare": 1.0}
COUNTRY = BRONX | {"registered": 7, "unansweredShare": 4 / 7, "replyMedianSeconds": None}


def board(figures: dict[str, Any], overdue: int, **open_: int) -> dict[str, Any]:
    counts = [{"status": status, "incidents": number} for status, number in open_.items()]
    return {"figures": figures, "openIncidents": counts, "overdue": overdue, "parts": []}


def part(code: str, name: str, figures: dict[str, Any]) -> dict[str, Any]:
    return {"code": code, "name": name, "figures": figures}


@pytest.mark.parametrize("exact", [True, False])
def test_boards_are_as_worked_out_by_hand(exact: bool, boarded: Api) -> None:
    boards = boarded.ask(BOARDS, token=boarded.token(), period=DAY, exact=exact)
    alone = {"parts": []}  # see the next test
    assert close(boards["third"]["board"] | alone, board(NOTHING, 0))
    assert close(boards["first"]["board"] | alone, board(FIRST, 1, ASSIGNED=1, RETURNED=1))
    assert close(boards["second"]["board"] | alone, board(SECOND, 0, REOPENED=1))
    parts = [part("BRONX-01", "01 BRONX", FIRST), part("BRONX-02", "02 BRONX", SECOND)]
    assert close(
        boards["bronx"]["board"],
        board(BRONX, 1, ASSIGNED=2, REOPENED=1, RETURNED=1) | {"parts": parts},
    )
    parts = [part("BRONX", "Bronx", BRONX), part("QUEENS", "Queens", QUEENS)]
    assert close(
        boards["country"],
        board(COUNTRY, 1, ASSIGNED=2, REGISTERED=1, REOPENED=1, RETURNED=1) | {"parts": parts},
    )


@pytest.mark.parametrize(
    "exact",
    [
        True,
        False,
    ],
)
def test_a_municipality_has_no_parts(exact: bool, boarded: Api) -> None:
    boards = boarded.ask(BOARDS, token=boarded.token(), period=DAY, exact=exact)
    assert boards["first"]["board"]["parts"] == []
    assert boards["third"]["board"]["parts"] == []


@pytest.mark.parametrize("exact", [True, False])
def test_a_deadline_of_today_counts_tomorrow(exact: bool, boarded: Api) -> None:
    now = boarded.clock.now
    try:
        boarded.clock.now = NOON + timedelta(minutes=90)
        boards = boarded.ask(BOARDS, token=boarded.token(), period=DAY, exact=exact)
    finally:
        boarded.clock.now = now
    figures = boards["bronx"]["board"]["figures"]
    assert (figures["due"], figures["missed"]) == (0, 0)
    assert boards["bronx"]["board"]["overdue"] == 0


def close(given: Any, wanted: Any) -> bool:
    """Whether both are the same but for 1 % of a number that is not whole."""
    if isinstance(given, dict) and isinstance(wanted, dict):
        return list(given) == list(wanted) and all(close(given[key], wanted[key]) for key in given)
    if isinstance(given, list | tuple) and isinstance(wanted, list | tuple):
        return len(given) == len(wanted) and all(map(close, given, wanted))
    if isinstance(given, float) and isinstance(wanted, float):
        return abs(given - wanted) <= 0.0101 * wanted
    return bool(given == wanted)


# How far the read models are


def test_a_projection_tells_how_far_it_has_come(url: str, catalogue: Catalogue) -> None:
    text = "{ projectionStatus { projection region head position lag stopped projectedAt } }"

    def status() -> dict[str, Any]:
        parts = api.ask(text)["projectionStatus"]
        assert sorted(part["region"] for part in parts) == sorted(catalogue.regions)
        assert {part.pop("projection").partition("@")[0] for part in parts} == {"read"}
        return {part.pop("region"): part for part in parts}

    with serving(url) as api, node_on(url, catalogue) as node:
        for _ in range(3):
            registered(node.centre("BRONX"))
        behind = {"head": 3, "position": 0, "lag": 3, "stopped": False, "projectedAt": None}
        assert status()["BRONX"] == behind
        with projecting(url, catalogue):
            until(lambda: status()["BRONX"]["lag"] == 0)
        done = status()["BRONX"]
        assert datetime.fromisoformat(done.pop("projectedAt")).tzinfo is not None
        assert done == {"head": 3, "position": 3, "lag": 0, "stopped": False}
        assert status()["QUEENS"]["projectedAt"] is None


READ_AFTER = {
    "incidents": "query ($p: [String!]) { incidents(readAfter: $p) { edges { node { id } } } }",
    "incident": "query ($p: [String!]) { incident(id: %r, readAfter: $p) { id } }",
    "ranking": "query ($p: [String!]) { ranking(period: %s, readAfter: $p) { rows { figures {"
    " registered } } } }",
    "countryBoard": "query ($p: [String!]) { countryBoard(period: %s, readAfter: $p) { figures {"
    " registered } } }",
}


def read_after(field: str, incident: str) -> str:
    period = '{first: "2026-03-02", last: "2026-03-02"}'
    quoted = f'"{incident}"'
    return READ_AFTER[field].replace("%r", quoted).replace("%s", period)


def test_an_answer_waits_for_the_position_it_must_include(url: str, catalogue: Catalogue) -> None:
    with serving(url) as api, node_on(url, catalogue) as node, ThreadPoolExecutor() as pool:
        result = registered(node.centre("BRONX"))
        incident, after = incident_id("BRONX", result.incident_id), [str(result.position)]
        answers = {
            field: pool.submit(
                api.ask, read_after(field, incident), token=api.token(), p=[*after, "QUEENS:0"]
            )
            for field in READ_AFTER
        }
        assert api.ask(read_after("incidents", incident), token=api.token()) == {
            "incidents": {"edges": []}
        }
        with projecting(url, catalogue):
            assert answers["incident"].result() == {"incident": {"id": incident}}
            (edge,) = answers["incidents"].result()["incidents"]["edges"]
            assert edge == {"node": {"id": incident}}
            rows = answers["ranking"].result()["ranking"]["rows"]
            assert sorted(row["figures"]["registered"] for row in rows) == [0, 0, 0, 0, 1]
            figures = answers["countryBoard"].result()["countryBoard"]["figures"]
            assert figures == {"registered": 1}


def test_an_answer_waits_five_seconds_and_then_says_so(url: str, catalogue: Catalogue) -> None:
    register = """
    mutation ($id: UUID!) {
      registerIncident(input: {
        commandId: $id, region: "BRONX", channel: "PHONE", publishedAt: "2026-03-02T12:00:00Z"
      }) { position userErrors { code } incident { id } }
    }
    """
    with serving(url) as api, node_on(url, catalogue) as node, ThreadPoolExecutor() as pool:
        position = str(registered(node.centre("BRONX")).position)
        mutated = pool.submit(api.answer, register, token=api.token(), id=str(uuid4()))
        text = "query ($p: [String!]) { incidents(readAfter: $p) { edges { cursor } } }"
        refusal = api.refusal(text, token=api.token(), p=[position])
        assert refusal == ("READ_AFTER_TIMEOUT", "readAfter")
        # The command is recorded all the same, and says where.
        answer = mutated.result()
        assert answer["errors"][0]["extensions"]["code"] == "READ_AFTER_TIMEOUT"
        payload = answer["data"]["registerIncident"]
        assert payload == {"position": "BRONX:2", "userErrors": [], "incident": None}


@pytest.mark.parametrize(
    "position",
    [
        *("", "nonsense", "BRONX", "BRONX:", ":1", "BRONX:-1", "BRONX:1.0", "BRONX:x", "\0:1"),
        *("BRONX:999999", "BRONX:99999999999999999999", "NOWHERE:0", "NOWHERE:1", "BRONX\0:0"),
    ],
)
def test_a_position_that_was_never_given_out_is_refused(position: str, shared_api: Api) -> None:
    incident = incident_id("BRONX", new_id(NOON))
    for field in READ_AFTER:
        refusal = shared_api.refusal(
            read_after(field, incident), token=shared_api.token(), p=["BRONX:0", position]
        )
        assert refusal == ("CURSOR_INVALID", "readAfter")


def test_a_ranking_tells_every_duration_that_is_asked_for(ranked: Api) -> None:
    """What nobody asks for is not read; whatever is asked for is there, by field or fragment."""
    text = """
    fragment Times on Figures { acceptance { n } ...Deeper }
    fragment Deeper on Figures { nextReplyWorking { n } }
    query ($period: PeriodInput!) {
      ranking(period: $period, by: OVERDUE) { rows { figures {
        replyP90Seconds captureLag { n } resolutionWorking { n } ... on Figures { triage { n } }
        ...Times fullResolution { n }
      } } }
    }
    """
    rows = ranked.ask(text, period=DAY)["ranking"]["rows"]
    lags = sorted(row["figures"]["captureLag"]["n"] for row in rows)
    assert lags == [4, 5, 5, 5, 5]
    assert all(row["figures"]["acceptance"]["n"] == 0 for row in rows)


@pytest.mark.parametrize("by", RankedBy)
@pytest.mark.parametrize("of", Ranked)
@pytest.mark.parametrize("exact", [True, False])
def test_whatever_is_ranked_by_whatever_may_be_asked_for_alone(
    boarded: Api, by: str, of: str, exact: bool
) -> None:
    text = """
    query ($period: PeriodInput!, $by: RankedBy!, $of: Ranked!, $exact: Boolean!) {
      ranking(period: $period, by: $by, of: $of, exact: $exact) { rows { n region { code } } }
    }
    """
    given = {"period": DAY, "by": by, "of": of, "exact": exact}
    rows = boarded.ask(text, token=boarded.token(), **given)["ranking"]["rows"]
    assert {"BRONX"} <= {row["region"]["code"] for row in rows}
