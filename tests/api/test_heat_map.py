"""Maps through the API: who sees which cells, and what is refused."""

from collections.abc import Iterator

import pytest

from regions.reference.catalogue import Catalogue
from regions.store.postgres import Server
from tests.api.conftest import Api, catch_up, fresh_database, node_on, projecting, serving
from tests.scenarios import classified

MAP = """
query ($region: String, $municipality: String, $resolution: Int! = 8, $box: BoxInput) {
  heatMap(period: {first: "2026-03-02", last: "2026-03-02"}, region: $region, box: $box,
          municipality: $municipality, resolution: $resolution) {
    total hidden outside unlocated cells { cell incidents } geoJson
  }
}
"""
ZOO = {"latitude": 40.8506, "longitude": -73.8770, "municipality": "BRONX-06"}


@pytest.fixture(scope="module")
def mapped(server: Server, template: str, catalogue: Catalogue) -> Iterator[Api]:
    """Three at the zoo of the Bronx."""
    url = fresh_database(server, template)
    with serving(url) as api, projecting(url, catalogue), node_on(url, catalogue) as node:
        for _ in range(3):
            classified(node.centre("BRONX"), **ZOO)
        catch_up(url)
        yield api


@pytest.mark.parametrize(
    ("scope", "asked", "shown"),
    [
        (None, {}, False),
        (None, {"region": "BRONX"}, False),
        ("QUEENS", {"region": "BRONX"}, False),
        ("BRONX", {}, False),  # the country is more than they may see
        ("BRONX-06", {"region": "BRONX"}, False),
        ("BRONX", {"region": "BRONX"}, True),
        ("BRONX", {"region": "BRONX", "municipality": "BRONX-06"}, True),
        ("BRONX-06", {"region": "BRONX", "municipality": "BRONX-06"}, True),
        ("country", {}, True),
    ],
)
def test_few_are_shown_only_to_who_may_see_them_all(
    mapped: Api, scope: str | None, asked: dict[str, str], shown: bool
) -> None:
    token = mapped.token(scope) if scope else None
    told = mapped.ask(MAP, token=token, **asked)["heatMap"]
    assert told["total"] == 3
    assert (told["hidden"], [cell["incidents"] for cell in told["cells"]]) == (
        (0, [3]) if shown else (3, [])
    )
    assert len(told["geoJson"]["features"]) == len(told["cells"])


@pytest.mark.parametrize(
    ("asked", "refusal"),
    [
        ({"resolution": 12}, ("RESOLUTION_INVALID", "resolution")),
        ({"box": {"west": 1, "south": 0, "east": 0, "north": 1}}, ("BOX_INVALID", "box")),
        ({"municipality": "BRONX-06"}, ("REGION_MISSING", "region")),
        ({"region": "MARS"}, ("UNKNOWN_REGION", "region")),
    ],
)
def test_a_map_that_cannot_be_is_refused(
    mapped: Api, asked: dict[str, object], refusal: tuple[str, str]
) -> None:
    assert mapped.refusal(MAP, **asked) == refusal


def test_a_pulse_without_a_past_expects_nothing(mapped: Api) -> None:
    text = """
    { topicPulse(period: {first: "2026-03-02", last: "2026-03-02"}, region: "BRONX") {
        topic incidents expected surprise } }
    """
    (pulse,) = mapped.ask(text)["topicPulse"]
    assert (pulse["incidents"], pulse["expected"], pulse["surprise"]) == (3, None, None)
