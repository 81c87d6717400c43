"""What monitors are told: how the regions of a token's scope stand."""

from collections.abc import Iterator

import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from domain.vocabulary import Role
from regions.reference.catalogue import Catalogue
from regions.store.postgres import Server
from tests.api.conftest import Api, catch_up, fresh_database, node_on, projecting, serving
from tests.scenarios import assigned, registered, resolved

Samples = dict[tuple[str, ...], float]


@pytest.fixture(scope="module")
def watched(server: Server, template: str, catalogue: Catalogue) -> Iterator[Api]:
    """Four incidents in two regions; the day they came on is over."""
    url = fresh_database(server, template)
    with serving(url) as api, projecting(url, catalogue), node_on(url, catalogue) as node:
        bronx, queens = node.centre("BRONX"), node.centre("QUEENS")
        registered(bronx, municipality="BRONX-01")
        assigned(bronx, municipality="BRONX-02", due_in_hours=1)
        resolved(bronx, municipality="BRONX-02")
        registered(queens, municipality="QUEENS-09")
        catch_up(url)
        yield api


def scraped(api: Api, scope: str, **facts: Role) -> Samples:
    """By name, region and further labels."""
    headers = {"authorization": f"Bearer {api.token(scope, **facts)}"}
    answer = api.client.get("/metrics", headers=headers)
    assert answer.status_code == 200
    return {
        (sample.name, sample.labels.pop("region"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


@pytest.mark.parametrize(
    "accept", ["text/plain; version=abc", "application/openmetrics-text; version=1..2"]
)
def test_a_monitor_that_asks_for_nonsense_is_answered(watched: Api, accept: str) -> None:
    headers = {"authorization": f"Bearer {watched.token()}", "accept": accept}
    answer = watched.client.get("/metrics", headers=headers)
    assert answer.status_code == 200
    assert "tsur_open_incidents" in answer.text


def test_a_region_is_told_how_it_stands(watched: Api) -> None:
    samples = scraped(watched, "BRONX")
    assert {region for _, region, *_ in samples} == {"BRONX"}
    assert samples["tsur_open_incidents", "BRONX", "REGISTERED"] == 1
    assert samples["tsur_open_incidents", "BRONX", "ASSIGNED"] == 1
    assert samples["tsur_open_incidents", "BRONX", "REOPENED"] == 0
    assert samples["tsur_waiting_incidents", "BRONX", "UNASSIGNED"] == 1
    assert samples["tsur_registered_incidents", "BRONX"] == 3
    assert samples["tsur_answered_incidents", "BRONX"] == 1
    recorded = samples["tsur_events_recorded_total", "BRONX"]
    assert samples["tsur_position", "BRONX"] == recorded > 0
    assert samples["tsur_lag_events", "BRONX"] == samples["tsur_stopped", "BRONX"] == 0


def test_the_country_is_told_of_all_regions(watched: Api, catalogue: Catalogue) -> None:
    samples = scraped(watched, "country")
    assert {region for _, region, *_ in samples} == set(catalogue.regions)
    assert samples["tsur_registered_incidents", "QUEENS"] == 1


def test_a_municipality_is_told_of_its_own(watched: Api) -> None:
    samples = scraped(watched, "BRONX-02")
    assert samples["tsur_registered_incidents", "BRONX"] == 2
    assert samples["tsur_open_incidents", "BRONX", "REGISTERED"] == 0
    assert samples["tsur_open_incidents", "BRONX", "ASSIGNED"] == 1


def test_a_body_is_told_of_what_it_holds(watched: Api, catalogue: Catalogue) -> None:
    holder, other = [body.code for body in catalogue.organisations_of["BRONX"]][:2]
    holds = ("tsur_open_incidents", "BRONX", "ASSIGNED")
    assert (scraped(watched, holder)[holds], scraped(watched, other)[holds]) == (1, 0)
    assert ("tsur_registered_incidents", "BRONX") not in scraped(watched, holder)


def test_a_trainee_is_told_of_the_sandbox(watched: Api) -> None:
    samples = scraped(watched, "BRONX", role=Role.TRAINEE)
    assert {region for _, region, *_ in samples} == {"BRONX~sandbox"}
    assert samples["tsur_registered_incidents", "BRONX~sandbox"] == 0


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer nonsense"}])
def test_nobody_is_told_without_a_token(headers: dict[str, str], watched: Api) -> None:
    answer = watched.client.get("/metrics", headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "NOT_PERMITTED")
    assert "tsur_" not in answer.text


def test_a_monitor_may_ask_in_the_newer_format(watched: Api) -> None:
    headers = {
        "authorization": f"Bearer {watched.token('BRONX')}",
        "accept": "application/openmetrics-text; version=1.0.0",
    }
    answer = watched.client.get("/metrics", headers=headers)
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


def test_what_differs_at_a_hub_is_told_of_each_region_that_it_follows(watched: Api) -> None:
    with psycopg.connect(watched.url, autocommit=True) as connection:
        connection.execute("INSERT INTO followed VALUES ('BROOKLYN', 'a'), ('MANHATTAN', 'a')")
        connection.execute("INSERT INTO difference VALUES ('BROOKLYN', 7, 'MISSING')")
        headers = {"authorization": f"Bearer {watched.token()}"}
        text = watched.client.get("/metrics/server", headers=headers).text
        connection.execute("DELETE FROM followed")
    assert 'tsur_federation_differences{region="BROOKLYN"} 1.0' in text
    assert 'tsur_federation_differences{region="MANHATTAN"} 0.0' in text
