"""Flags through the API: who sees which figures, and the incidents behind them."""

from collections.abc import Iterator
from datetime import datetime

import pytest

from domain.vocabulary import Role
from projections.views.flag_counts import FlagKind
from regions.reference.catalogue import Catalogue
from regions.store.postgres import Server
from tests.api.conftest import Api, catch_up, fresh_database, node_on, projecting, serving
from tests.projections.lives import NEW_YORK, due, life, record
from tests.projections.test_flags import DAY, deleted, final

NOW = datetime(2026, 5, 10, 12, tzinfo=NEW_YORK)
APRIL = 'period: {first: "2026-04-01", last: "2026-04-30"}'
FLAG = "kind region municipality n of share expected comparedTo chance threshold"
REGION = f'{{ region(code: "BRONX") {{ board({APRIL}) {{ flags {{ {FLAG} }} }} }} }}'
COUNTRY = f"{{ countryBoard({APRIL}) {{ flags {{ {FLAG} }} }} }}"
LIST = f"""
query ($region: String, $municipality: String, $kind: FlagKind! = REPLIES_DELETED,
       $after: String) {{
  incidents(first: 5, after: $after, filter: {{
    region: $region, municipality: $municipality, flagged: {{kind: $kind, {APRIL}}}
  }}) {{ edges {{ node {{ id }} }} pageInfo {{ hasNextPage endCursor }} }}
}}
"""


@pytest.fixture(scope="module")
def flagged(server: Server, template: str, catalogue: Catalogue) -> Iterator[Api]:
    """Ten replies of sixty are gone in the Bronx, one of hundred in Queens."""
    url = fresh_database(server, template)
    with (
        serving(url, NOW) as api,
        projecting(url, catalogue),
        node_on(url, catalogue) as node,
    ):
        at = datetime(2026, 4, 1, 10, tzinfo=NEW_YORK)
        for code, gone, in_all in (("BRONX", 10, 60), ("QUEENS", 1, 100)):
            centre = node.centre(code)
            lives = [
                life(
                    centre,
                    at,
                    (5, due(centre)),
                    (20, final(f"Сделали {'а' * (n + 1)}", f"{code}-{n}")),
                    *([(29 * DAY, deleted(f"{code}-{n}"))] if n < gone else []),
                    municipality=f"{code}-{6 + n % 2:02}",
                )
                for n in range(in_all)
            ]
            record(centre, lives, now=NOW)
        catch_up(url)
        yield api


@pytest.mark.parametrize(
    ("scope", "expected"),
    [("QUEENS", None), ("BRONX-06", None), ("BRONX", 0.6), ("country", 0.6)],
)
def test_a_board_shows_flags_and_few_cases_only_to_who_may_see_them(
    flagged: Api, scope: str, expected: float | None
) -> None:
    token = flagged.token(scope)
    (flag,) = flagged.ask(REGION, token=token)["region"]["board"]["flags"]
    assert (flag["kind"], flag["n"], flag["of"], flag["comparedTo"]) == (
        "REPLIES_DELETED",
        10,
        60,
        "OTHER_UNITS",
    )
    assert flag["expected"] == expected
    assert (flag["chance"] is None) == (expected is None)
    assert flagged.ask(COUNTRY, token=token)["countryBoard"]["flags"] == [flag]


def test_a_visitor_sees_no_flag(flagged: Api) -> None:
    for text in (REGION, COUNTRY):
        assert flagged.refusal(text) == ("NOT_PERMITTED", None)


def listed(api: Api, token: str, **asked: str) -> list[str]:
    """All pages."""
    found: list[str] = []
    after = None
    while True:
        page = api.ask(LIST, token=token, after=after, **asked)["incidents"]
        found += [edge["node"]["id"] for edge in page["edges"]]
        if not page["pageInfo"]["hasNextPage"]:
            return found
        after = page["pageInfo"]["endCursor"]


@pytest.mark.parametrize(
    ("scope", "asked", "count"),
    [
        ("country", {"region": "BRONX"}, 10),
        ("BRONX", {}, 10),
        ("BRONX", {"municipality": "BRONX-07"}, 5),
        ("BRONX-06", {}, 5),
        ("QUEENS", {}, 1),  # of what raises no flag the cases are listed as well
    ],
)
def test_the_incidents_behind_a_flag_are_listed_page_by_page(
    flagged: Api, scope: str, asked: dict[str, str], count: int
) -> None:
    found = listed(flagged, flagged.token(scope), **asked)
    assert len(set(found)) == len(found) == count


@pytest.mark.parametrize("kind", FlagKind)
def test_each_kind_can_be_listed(flagged: Api, kind: FlagKind) -> None:
    listed(flagged, flagged.token("BRONX"), kind=kind)


def test_nobody_lists_what_they_do_not_see(flagged: Api) -> None:
    assert flagged.refusal(LIST, region="BRONX") == ("NOT_PERMITTED", None)
    queens = flagged.token("QUEENS")
    assert flagged.refusal(LIST, token=queens, region="BRONX") == ("NOT_PERMITTED", None)
    assert flagged.refusal(LIST, token=flagged.token()) == ("REGION_MISSING", "region")


def test_no_fingerprint_leaves_the_house(flagged: Api) -> None:
    token = flagged.token("BRONX")
    (first, *_) = listed(flagged, token)
    text = "query ($id: ID!) { incident(id: $id) { timeline { event facts { name } } } }"
    entries = flagged.ask(text, token=token, id=first)["incident"]["timeline"]
    assert "ReplyPublished" in {entry["event"] for entry in entries}
    assert "fingerprint" not in {fact["name"] for entry in entries for fact in entry["facts"]}


def test_a_trainee_lists_what_is_in_the_sandbox(flagged: Api) -> None:
    trainee = flagged.token("BRONX", role=Role.TRAINEE)
    assert listed(flagged, trainee, kind=FlagKind.BULK_CLOSING) == []
