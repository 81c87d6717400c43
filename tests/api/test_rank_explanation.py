"""From a place in the ranking to the incidents that put a region there."""

from collections.abc import Iterator

import pytest

from domain.commands import Assign, Classify, PublishReply
from domain.vocabulary import ReplyKind
from regions.centre import Centre
from regions.reference.catalogue import Catalogue
from regions.store.postgres import Server
from tests.api.conftest import Api, catch_up, fresh_database, node_on, projecting, serving
from tests.scenarios import OPERATOR, ask, registered, some_body

DAY = {"first": "2026-03-02", "last": "2026-03-02"}
EXPLAINED = """
query (
  $unit: String!, $of: Ranked! = REGIONS, $without: WithoutInput, $period: PeriodInput!
  $clock: TimeKind! = WORKING
) {
  rankExplanation(unit: $unit, of: $of, period: $period, without: $without, clock: $clock) {
    row { place position n value }
    tierMedianSeconds slowShare gap
    contributions { dimension code name cases slow contribution }
    whatIf { place position n value }
    ranking { method rows { position region { code } } }
  }
}
"""
SLOW = """
query ($period: PeriodInput!, $slow: SlowReplyInput!, $topics: [String!]) {
  incidents(first: 100, filter: {
    region: "BRONX", countedIn: $period, replySlowerThan: $slow, topics: $topics
  }) { edges { node { status topic { code } } } }
}
"""


def topics(centre: Centre) -> tuple[str, str]:
    one, other = [code for code, topic in centre.catalogue.topics.items() if topic.group][:2]
    return one, other


def lived(centre: Centre, topic: str, *minutes: int | None) -> None:
    for after in minutes:
        incident = registered(centre).incident_id
        ask(centre, incident, Classify(topic=topic), 0, by=OPERATOR)
        ask(centre, incident, Assign(organisation=some_body(centre)), 0, by=OPERATOR)
        if after is not None:
            ask(centre, incident, PublishReply(kind=ReplyKind.FIRST), after)


@pytest.fixture(scope="module")
def explained(server: Server, template: str, catalogue: Catalogue) -> Iterator[Api]:
    """The Bronx is slow with its second topic only: sixty of a hundred, half of them waiting."""
    url = fresh_database(server, template)
    with serving(url) as api, projecting(url, catalogue), node_on(url, catalogue) as node:
        for region in ("QUEENS", "BROOKLYN"):
            lived(node.centre(region), topics(node.centre(region))[0], *[30] * 20)
        bronx = node.centre("BRONX")
        quick, slow = topics(bronx)
        lived(bronx, quick, *[10] * 8)
        lived(bronx, slow, *[300] * 6, *[None] * 6)
        catch_up(url)
        yield api


@pytest.mark.parametrize("clock", ["WORKING", "CALENDAR"])
def test_a_gap_is_taken_apart_down_to_its_incidents(
    explained: Api, catalogue: Catalogue, clock: str
) -> None:
    token = explained.token("BRONX")
    told = explained.ask(EXPLAINED, token=token, unit="BRONX", period=DAY, clock=clock)[
        "rankExplanation"
    ]
    # Eight quick answers of twenty: its true median may be theirs, so the place is shared.
    assert told["row"] == {"place": 1, "position": 3, "n": 20, "value": 300 * 60}
    assert told["tierMedianSeconds"] == pytest.approx(1800)
    assert (told["slowShare"], told["gap"]) == (0.6, pytest.approx(0.1))
    by_topic = [each for each in told["contributions"] if each["dimension"] == "TOPIC"]
    worst, best = by_topic
    assert (worst["cases"], worst["slow"], worst["contribution"]) == (12, 12, pytest.approx(0.3))
    assert (best["cases"], best["slow"], best["contribution"]) == (8, 0, pytest.approx(-0.2))
    assert worst["name"] == catalogue.topics[worst["code"]].name
    slow = explained.ask(
        SLOW,
        token=token,
        period=DAY,
        slow={"seconds": told["tierMedianSeconds"], "clock": clock},
        topics=[worst["code"]],
    )["incidents"]["edges"]
    assert len(slow) == worst["slow"]


def test_a_what_if_tells_where_it_would_stand(explained: Api) -> None:
    token = explained.token("country")
    told = explained.ask(EXPLAINED, token=token, unit="BRONX", period=DAY)["rankExplanation"]
    worst = told["contributions"][0]["code"]
    again = explained.ask(
        EXPLAINED, token=token, unit="BRONX", period=DAY, without={"topics": [worst]}
    )["rankExplanation"]
    assert again["whatIf"] == {"place": 1, "position": 1, "n": 8, "value": 600}
    assert again["row"] == told["row"]
    assert told["whatIf"] is None


@pytest.mark.parametrize(
    ("scope", "unit", "of", "refusal"),
    [
        (None, "BRONX", "REGIONS", ("NOT_PERMITTED", None)),
        ("QUEENS", "BRONX", "REGIONS", ("NOT_PERMITTED", None)),
        ("BRONX-01", "BRONX", "REGIONS", ("NOT_PERMITTED", None)),
        ("QUEENS", "BRONX-01", "MUNICIPALITIES", ("NOT_PERMITTED", None)),
        ("country", "MARS", "REGIONS", ("UNKNOWN_REGION", "region")),
        ("country", "MARS", "ORGANISATIONS", ("UNKNOWN_ORGANISATION", "organisation")),
        ("country", "STATEN-ISLAND", "REGIONS", ("NOT_RANKED", "unit")),
    ],
)
def test_who_may_not_see_the_incidents_is_not_told(
    explained: Api, scope: str | None, unit: str, of: str, refusal: tuple[str, str | None]
) -> None:
    token = explained.token(scope) if scope else None
    assert explained.refusal(EXPLAINED, token=token, unit=unit, of=of, period=DAY) == refusal


def test_bodies_are_explained_among_their_kind(explained: Api, catalogue: Catalogue) -> None:
    body = catalogue.organisations_of["BRONX"][0].code
    told = explained.ask(
        EXPLAINED, token=explained.token("BRONX"), unit=body, of="ORGANISATIONS", period=DAY
    )["rankExplanation"]
    assert told["row"]["n"] == 20
