"""Publishing over the API, verifying on the command line, a briefing opened again."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from domain.vocabulary import Role
from regions.reference.catalogue import Catalogue
from regions.store.postgres import Server
from tests.api.conftest import Api, catch_up, fresh_database, node_on, projecting, serving
from tests.conftest import NEW_YORK
from tests.projections.lives import FINAL, RESOLVE, due, live, local
from tests.projections.test_verification import SETTLED

PERIOD = {"first": "2026-02-24", "last": "2026-03-01"}
PUBLISH = """
mutation ($input: PublishRankingInput!) {
  publishRanking(input: $input) {
    position userErrors { code field }
    publication { id publishedBy restates reason rows { unit name place n value } }
  }
}
"""
PUBLICATION = """
query ($id: UUID!) {
  publication(id: $id) {
    first last of by clock method region inputsHash restates restatedBy
    positions { region position } rows { unit place n value meanReplySeconds }
  }
}
"""
BRIEFING = """
query ($region: String!, $period: PeriodInput!, $asOf: DateTime) {
  briefing(region: $region, period: $period, asOf: $asOf) {
    asOf position overdue figures { registered due missed replyWorking { medianSeconds } }
    previous { first last figures { registered } }
    municipalities { code figures { registered } } organisations { name } topics { code }
    openIncidents { status incidents } queues { queue incidents }
    longestOverdue { dueAt status municipality { name } }
  }
}
"""


@pytest.fixture(scope="module")
def settled(server: Server, template: str, catalogue: Catalogue) -> Iterator[Api]:
    url = fresh_database(server, template)
    with serving(url, SETTLED) as api, projecting(url, catalogue), node_on(url, catalogue) as node:
        for region, minutes in (("BRONX", 40), ("QUEENS", 10)):
            centre = node.centre(region)
            for number in range(6):
                live(
                    centre,
                    local(1, 9, number),
                    (5, due(centre, local(1, 10))),
                    (minutes + number, FINAL),
                    (minutes + 20, RESOLVE),
                )
        live(centre, local(1, 9), (5, due(centre, local(1, 10))))
        catch_up(url)
        yield api


def published(api: Api, **changes: Any) -> Any:
    token = api.token(role=Role.FEDERAL_OVERSEER)
    given = {"commandId": str(uuid4()), "period": PERIOD} | changes
    return api.ask(PUBLISH, token=token, input=given)["publishRanking"]


def verify(api: Api, publication: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "TSUR_DATABASE_URL": api.url,
        "TSUR_CATALOGUE": str(NEW_YORK),
    }
    # The key of this node's vault is no part of what a third party needs.
    return subprocess.run(  # noqa: PLW1510 - what it says of a failure is what is looked at
        [sys.executable, "-m", "api.cli", "ranking", "verify", publication],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_ranking_is_published_corrected_and_verified(settled: Api) -> None:
    first = published(settled)
    assert first["userErrors"] == []
    told = first["publication"]
    assert told["publishedBy"] == "FEDERAL_OVERSEER"
    # The Bronx cannot be told apart: six cases bound no median.
    rows = {row["unit"]: row for row in told["rows"]}
    assert (rows["QUEENS"]["name"], rows["QUEENS"]["n"]) == ("Queens", 7)
    assert rows["BRONX"]["value"] == 42 * 60
    settled.clock.now += timedelta(seconds=1)
    again = published(settled)
    assert again["userErrors"] == [{"code": "PUBLISHED_ALREADY", "field": "restates"}]
    second = published(settled, restates=told["id"], reason="DISPUTE_UPHELD")["publication"]
    assert (second["restates"], second["reason"]) == (told["id"], "DISPUTE_UPHELD")
    earlier = settled.ask(PUBLICATION, id=told["id"])["publication"]
    assert earlier["restatedBy"] == second["id"]
    assert {each["region"]: each["position"] for each in earlier["positions"]}["MANHATTAN"] == 0
    listed = settled.ask("{ publications { id } }")["publications"]
    assert [each["id"] for each in listed] == [second["id"], told["id"]]
    (after,) = settled.ask(
        "query ($after: UUID) { publications(after: $after) { id } }", after=second["id"]
    )["publications"]
    assert after["id"] == told["id"]

    said = verify(settled, told["id"])
    assert (said.returncode, "Equal: 5 rows by SHRUNK_1" in said.stdout) == (0, True), said
    unknown = verify(settled, str(uuid4()))
    assert unknown.returncode == 1
    assert "No ranking was published" in unknown.stderr + unknown.stdout


def test_what_is_no_settled_question_is_refused(settled: Api) -> None:
    recent = {"first": "2026-03-01", "last": "2026-03-02"}
    (error,) = published(settled, period=recent)["userErrors"]
    assert error == {"code": "PERIOD_UNSETTLED", "field": "period"}
    (error,) = published(settled, region="BRONX")["userErrors"]
    assert error == {"code": "REGIONS_OF_REGION", "field": "region"}
    monitor = {"commandId": str(uuid4()), "period": PERIOD}
    answer = settled.ask(PUBLISH, token=settled.token(), input=monitor)["publishRanking"]
    assert answer["userErrors"] == [{"code": "NOT_PERMITTED", "field": None}]
    assert answer["publication"] is None
    assert settled.refusal(PUBLICATION, id=str(uuid4())) == ("UNKNOWN_PUBLICATION", "id")
    assert settled.refusal("{ publications(first: 0) { id } }") == ("PAGE_TOO_LARGE", "first")


def test_a_refusal_is_written_down(settled: Api) -> None:
    with psycopg.connect(settled.url) as connection:
        count = "SELECT count(*) FROM access_log WHERE action = 'publishRanking'"
        before = connection.execute(count).fetchone()
        given = {"commandId": str(uuid4()), "period": PERIOD}
        settled.ask(PUBLISH, token=settled.token("BRONX", role=Role.REGION_HEAD), input=given)
        after = connection.execute(count).fetchone()
    assert before is not None
    assert after == (before[0] + 1,)


def test_what_trainees_do_is_not_published(settled: Api) -> None:
    for token in (
        settled.token("BRONX", role=Role.TRAINEE),
        settled.token(role=Role.FEDERAL_OVERSEER),
    ):
        given = {
            "commandId": str(uuid4()),
            "period": PERIOD,
            "of": "MUNICIPALITIES",
            "region": "BRONX~sandbox",
        }
        answer = settled.ask(PUBLISH, token=token, input=given)["publishRanking"]
        assert answer["userErrors"] == [{"code": "NOT_PERMITTED", "field": None}]


def test_a_period_at_the_end_of_all_calendars_is_refused(settled: Api) -> None:
    for first, last in (("0001-01-01", "0001-02-01"), ("9999-12-01", "9999-12-31")):
        text = "query ($period: PeriodInput!) { ranking(period: $period) { method } }"
        refusal = settled.refusal(text, period={"first": first, "last": last})
        assert refusal == ("DATE_ABSURD", "period")


def test_nobody_names_the_network_as_a_region(settled: Api) -> None:
    assert settled.refusal('{ region(code: "~network") { name } }') == ("UNKNOWN_REGION", "region")
    answer = settled.ask(
        """
        mutation ($input: RegisterIncidentInput!) {
          registerIncident(input: $input) { userErrors { code } }
        }
        """,
        token=settled.token(),
        input={
            "commandId": str(uuid4()),
            "region": "~network",
            "channel": "PHONE",
            "publishedAt": SETTLED.isoformat(),
        },
    )
    assert answer["registerIncident"]["userErrors"] == [{"code": "UNKNOWN_REGION"}]


def test_a_briefing_is_opened_again(settled: Api, catalogue: Catalogue) -> None:
    # What these tests let happen in March was recorded today.
    settled.clock.now = datetime.now(UTC)
    token = settled.token("QUEENS", role=Role.REGION_HEAD)
    told = settled.ask(BRIEFING, token=token, region="QUEENS", period=PERIOD)["briefing"]
    assert told["figures"]["registered"] == 7
    assert (told["figures"]["due"], told["figures"]["missed"]) == (7, 1)
    assert told["overdue"] == 1
    assert told["previous"]["last"] == "2026-02-23"
    (late,) = told["longestOverdue"]
    assert late["status"] == "ASSIGNED"
    assert {each["status"]: each["incidents"] for each in told["openIncidents"]} == {"ASSIGNED": 1}
    with node_on(settled.url, catalogue) as node:
        live(node.centre("QUEENS"), local(1, 9), (5, FINAL))
    again = {"region": "QUEENS", "period": PERIOD, "asOf": told["asOf"]}
    assert settled.ask(BRIEFING, token=token, **again)["briefing"] == told
    settled.clock.now = datetime.now(UTC)
    fresh = settled.ask(BRIEFING, token=token, region="QUEENS", period=PERIOD)["briefing"]
    assert fresh["figures"]["registered"] == 8


def test_a_briefing_is_for_who_sees_the_region(settled: Api) -> None:
    place = settled.catalogue.municipalities_of["QUEENS"][0].code
    for scope in ("BRONX", place):
        refusal = settled.refusal(
            BRIEFING, token=settled.token(scope), region="QUEENS", period=PERIOD
        )
        assert refusal == ("NOT_PERMITTED", None)
    token = settled.token("QUEENS")
    late = {"region": "QUEENS", "period": PERIOD, "asOf": "2030-01-01T00:00:00Z"}
    assert settled.refusal(BRIEFING, token=token, **late) == ("DATE_IN_FUTURE", "asOf")
