"""Whoever asks has a budget: spent before anything is executed, restored second by second."""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction

import httpx
import pytest

from api import hub
from api.transport import budget as budgets
from api.transport.budget import Budgets, RateLimited, principal_of
from api.transport.cost import OPERATION_COST, REFUSED_COST
from api.transport.http import GRAPHQL, JSON
from api.types import ranking
from api.viewer import VISITOR, Viewer
from domain.rights import Scope
from domain.vocabulary import Role
from regions.reference.catalogue import Catalogue
from regions.settings import Budget
from regions.store.postgres import Server
from tests.api.conftest import Api, catch_up, fresh_database, node_on, projecting, serving
from tests.scenarios import registered

ONE, OTHER = ("petrova", "63"), ("petrova", "77")
REGIONS = "{ regions { code } }"
COST = OPERATION_COST + 89  # of that
FOR_ONE = Budget(points=COST + REFUSED_COST, points_per_second=1)  # too slow for a test to notice


class Seconds:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def kept(points: int = 100, per_second: int = 10) -> tuple[Budgets, Seconds]:
    clock = Seconds()
    return Budgets(Budget(points, per_second), clock), clock


def test_what_is_spent_is_restored_up_to_the_whole() -> None:
    spent, clock = kept()
    assert spent.spend(ONE, 70) == 30
    clock.now += 2
    assert spent.spend(ONE, 50) == 0
    clock.now += 1000
    assert spent.spend(ONE, 0) == 100


def test_who_has_too_little_is_told_when_to_come_back_and_pays_nothing() -> None:
    spent, clock = kept()
    spent.spend(ONE, 95)
    with pytest.raises(RateLimited) as refused:
        spent.spend(ONE, 26)
    assert refused.value.retry_after_seconds == 3  # 21 points are missing
    clock.now += 3
    assert spent.spend(ONE, 26) == 9


def test_a_debt_is_paid_before_anything_else() -> None:
    spent, clock = kept()
    assert spent.charge(ONE, 120) == -20
    with pytest.raises(RateLimited):
        spent.spend(ONE, 0)
    clock.now += 2
    assert spent.spend(ONE, 0) == 0


def test_nobody_spends_what_is_anothers() -> None:
    spent, _ = kept()
    spent.spend(ONE, 100)
    assert spent.spend(OTHER, 100) == 0


def test_those_who_asked_last_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budgets, "BUCKETS_MAX", 2)
    spent, _ = kept()
    for principal in (ONE, OTHER, ONE, ("", "192.0.2.1")):
        spent.spend(principal, 10)
    assert spent.spend(ONE, 0) == 80
    assert spent.spend(OTHER, 0) == 100


def test_a_viewer_is_a_name_in_a_scope_and_a_visitor_an_address() -> None:
    petrova = Viewer("petrova", Role.MONITOR, Scope("63"))
    assert principal_of(petrova, "192.0.2.1") == principal_of(petrova, "192.0.2.2") == ONE
    one, other = (principal_of(VISITOR, f"192.0.2.{number}") for number in (1, 2))
    assert one != other
    near, far = "2001:db8:0:1::", "2001:db8:0:2::"
    assert principal_of(VISITOR, f"{near}1") == principal_of(VISITOR, f"{near}ffff")
    assert principal_of(VISITOR, f"{near}1") != principal_of(VISITOR, f"{far}1")
    assert principal_of(VISITOR, "unix") == ("", "unix")


@contextmanager
def with_budget(server: Server, template: str, budget: Budget) -> Iterator[Api]:
    with serving(fresh_database(server, template), budget=budget) as api:
        yield api


@pytest.fixture(scope="module")
def api(server: Server, template: str) -> Iterator[Api]:
    """Each test asks from an address of its own."""
    with with_budget(server, template, FOR_ONE) as api:
        yield api


@pytest.fixture(scope="module")
def boarded(server: Server, template: str, catalogue: Catalogue) -> Iterator[Api]:
    """With one incident."""
    with (
        with_budget(server, template, Budget(points=100_000, points_per_second=1)) as api,
        projecting(api.url, catalogue),
        node_on(api.url, catalogue) as node,
    ):
        registered(node.centre("BRONX"))
        catch_up(api.url)
        yield api


def post(api: Api, address: str, text: str = REGIONS, accept: str = JSON) -> httpx.Response:
    headers = {"x-forwarded-for": address, "accept": accept}
    return api.client.post("/graphql", json={"query": text}, headers=headers)


def test_an_answer_says_what_it_cost_and_what_is_left(api: Api) -> None:
    told = post(api, "192.0.2.1").json()["extensions"]["cost"]
    assert told == {
        "requested": COST,
        "limit": FOR_ONE.points,
        "remaining": FOR_ONE.points - COST,
        "restoreRate": 1,
    }


@pytest.mark.parametrize(("media", "address"), [(JSON, "192.0.2.2"), (GRAPHQL, "192.0.2.3")])
def test_who_has_spent_their_budget_is_refused_by_http(media: str, address: str, api: Api) -> None:
    assert post(api, address, accept=media).status_code == 200
    answer = post(api, address, accept=media)
    assert answer.status_code == 429
    assert answer.headers["content-type"] == f"{media}; charset=utf-8"
    (error,) = answer.json()["errors"]
    assert error["extensions"]["code"] == "RATE_LIMITED"
    assert 0 < error["extensions"]["retryAfterSeconds"] <= COST - REFUSED_COST
    assert answer.headers["retry-after"] == str(error["extensions"]["retryAfterSeconds"])
    assert "data" not in answer.json()
    assert (
        post(api, address.replace("192", "198")).status_code == 200
    )  # a neighbour has a budget of their own


def test_a_viewer_has_one_budget_wherever_they_ask_from(api: Api) -> None:
    token = api.token(name="ivanov")
    for address, status in (("192.0.2.5", 200), ("192.0.2.6", 429)):
        headers = {"x-forwarded-for": address, "authorization": f"Bearer {token}"}
        answer = api.client.post("/graphql", json={"query": REGIONS}, headers=headers)
        assert answer.status_code == status
    assert post(api, "192.0.2.5").status_code == 200


def test_over_a_socket_it_is_the_operation_that_is_refused(api: Api) -> None:
    with api.open_socket(additional_headers={"x-forwarded-for": "192.0.2.7"}) as client:
        client.subscribe(REGIONS)
        assert client.message()["payload"]["extensions"]["cost"]["requested"] == COST
        assert client.message()["type"] == "complete"
        client.subscribe(REGIONS, id="2")
        (error,) = client.failure("2")
        assert error["extensions"]["code"] == "RATE_LIMITED"
        client.send({"type": "ping"})
        assert client.receive() == {"type": "pong"}


def test_a_stream_is_paid_for_when_it_begins(api: Api) -> None:
    stream = 'subscription { incidentChanges(region: "BRONX") { cursor incident { id } } }'
    token = api.token(name="sidorov")
    with api.open_socket(token) as client:
        for number in range(5):
            client.subscribe(stream, id=str(number))
        (error,) = client.failure("4")
        assert error["extensions"]["code"] == "RATE_LIMITED"


def test_over_server_sent_events_it_is_a_result(api: Api) -> None:
    post(api, "192.0.2.8")
    answer = post(api, "192.0.2.8", accept="text/event-stream")
    assert '"code":"RATE_LIMITED"' in answer.text
    assert answer.text.endswith("event: complete\ndata: \n\n")


def test_what_is_refused_costs_as_well(api: Api) -> None:
    codes = []
    for text in ("{", "{ nonsense }", "{ a }", "{ b }"):
        (error,) = post(api, "192.0.2.9", text).json()["errors"]
        codes.append(error["extensions"]["code"])
    assert codes == ["BAD_REQUEST", "BAD_REQUEST", "BAD_REQUEST", "RATE_LIMITED"]


def test_nobody_is_refused_for_good(server: Server, template: str) -> None:
    """What no budget would ever allow is too costly, and says so."""
    with with_budget(server, template, Budget(points=COST - 1, points_per_second=1)) as api:
        assert api.refusal(REGIONS) == ("TOO_COSTLY", "query")


def test_a_public_answer_by_get_is_paid_for_and_says_nothing_of_it(api: Api) -> None:
    headers = {"x-forwarded-for": "192.0.2.10"}
    asked = {"query": REGIONS}
    answer = api.client.get("/graphql", params=asked, headers=headers)
    assert set(answer.json()) == {"data"}
    assert api.client.get("/graphql", params=asked, headers=headers).status_code == 429


RANKING = """($period: PeriodInput!) {
  ranking(period: $period) { rows { region { code } figures { registered } } }
}"""
DAY = {"first": "2026-03-02", "last": "2026-03-02"}


def test_a_followed_ranking_is_paid_for_each_time_it_is_reckoned(
    server: Server, template: str, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "COALESCE_SECONDS", 0.0)
    with (
        with_budget(server, template, Budget(points=2_000, points_per_second=1)) as api,
        projecting(api.url, catalogue),
        node_on(api.url, catalogue) as node,
        api.open_socket() as client,
    ):
        client.subscribe(f"subscription {RANKING}", period=DAY)
        assert client.message()["type"] == "next"
        registered(node.centre("BRONX"))
        refused = client.message()
    assert refused["type"] == "error"
    assert [each["extensions"]["code"] for each in refused["payload"]] == ["RATE_LIMITED"]


def test_a_followed_ranking_that_is_longer_takes_more_as_well(
    server: Server, template: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranking, "ROWS_DECLARED", 0)
    monkeypatch.setattr(ranking, "ROW_POINTS", 10_000)
    with (
        with_budget(server, template, Budget(points=10_000, points_per_second=1)) as api,
        api.open_socket() as client,
    ):
        client.subscribe(f"subscription {RANKING}", period=DAY)
        assert client.message()["type"] == "next"
        client.subscribe(REGIONS, id="2")
        (error,) = client.failure("2")
    assert error["extensions"]["code"] == "RATE_LIMITED"


@pytest.mark.parametrize(("method", "points"), [("SHRUNK_1", 0), ("STANDARDISED_1", 10_000)])
def test_who_ranks_by_incidents_without_asking_for_exact_pays_for_them(
    boarded: Api, method: str, points: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranking, "INCIDENTS_A_POINT", Fraction(1, 10_000))
    text = """query ($period: PeriodInput!, $method: RankingMethod!) {
      ranking(period: $period, method: $method) { rows { place } }
    }"""
    remaining = []
    for last in ("2026-03-02", "2026-03-03"):
        asked = {"period": DAY | {"last": last}, "method": method}
        told = boarded.answer(text, token=boarded.token(name=method), **asked)
        remaining.append(told["extensions"]["cost"]["remaining"])
    requested = told["extensions"]["cost"]["requested"]
    beyond = remaining[0] - remaining[1] - requested
    assert points - 10 < beyond <= points  # some came back


def test_a_longer_ranking_takes_more_than_it_is_told_to_cost(
    server: Server, template: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranking, "ROWS_DECLARED", 0)  # of what the schema declares nothing changes
    with with_budget(server, template, Budget(points=100_000, points_per_second=1)) as api:
        told = []
        for first in ("2026-03-01", "2026-03-02"):
            asked = {"query": f"query {RANKING}", "variables": {"period": DAY | {"first": first}}}
            answer = api.client.post("/graphql", json=asked).json()
            told.append(answer["extensions"]["cost"])
    rows = len(answer["data"]["ranking"]["rows"])
    spent = told[0]["remaining"] - told[1]["remaining"]
    beyond = spent - told[1]["requested"]
    assert rows * ranking.ROW_POINTS - 10 < beyond <= rows * ranking.ROW_POINTS  # some came back
