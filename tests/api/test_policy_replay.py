"""What if the first reply were due in four hours: asked of the API and on the command line."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from api.cli import main
from api.demo.network import histories
from api.types import policy_replay
from domain.decisions import decide, register
from domain.events import Event
from domain.replaying import deadlines_of, replayed
from domain.runs import runs_of
from regions.bulk import History
from regions.node import read_terms
from regions.reference.catalogue import Catalogue
from regions.reference.terms import RegionTerms
from regions.store.postgres import Server
from tests.api.conftest import SECRET, Api, catch_up, fresh_database, node_on, projecting, serving
from tests.conftest import NEW_YORK, RUSSIA
from tests.domain.ladder import FIRST
from tests.scenarios import NOON, ask, registered

DAY = {"first": "2026-03-02", "last": "2026-03-02"}
PERIOD = ("PERIOD_INVALID", "period")
FOUR_HOURS = {"terms": [{"clock": "FIRST_REPLY", "amount": 4, "unit": "HOURS"}]}
REPLAYED = """
query (
  $region: String! = "BRONX", $municipality: String, $period: PeriodInput!
  $change: PolicyChangeInput!, $first: Int! = 20, $by: [OverdueBy!]
) {
  policyReplay(
    region: $region, municipality: $municipality, period: $period, change: $change, first: $first
  ) {
    incidents becameLate becameKept
    changed { id becomes }
    unreplayed { reason incidents }
    actual(by: $by) { by code name clock due kept missed }
    replayed(by: $by) {
      by code name clock due kept missed openLate running
      overdueShare latenessMedianSeconds latenessP90Seconds
    }
  }
}
"""


@pytest.fixture(scope="module")
def bronx(server: Server, template: str, catalogue: Catalogue) -> Iterator[Api]:
    """New York has no policies: what is answered after three and after five hours kept none."""
    url = fresh_database(server, template)
    with serving(url) as api, projecting(url, catalogue), node_on(url, catalogue) as node:
        centre = node.centre("BRONX")
        for hours, municipality in ((3, "BRONX-01"), (5, "BRONX-02")):
            incident = registered(centre, municipality=municipality).incident_id
            ask(centre, incident, FIRST, hours * 60)
        catch_up(url)
        yield api


def asked(api: Api, scope: str = "BRONX", **variables: object) -> dict[str, object]:
    facts: dict[str, object] = {"period": DAY, "change": FOUR_HOURS}
    answer = api.ask(REPLAYED, token=api.token(scope), **(facts | variables))
    told: dict[str, object] = answer["policyReplay"]
    return told


def test_a_number_is_taken_apart_down_to_its_incidents(bronx: Api) -> None:
    told = asked(bronx)
    assert (told["incidents"], told["becameLate"], told["becameKept"]) == (2, 1, 0)
    assert told["unreplayed"] == []
    (row,), (before,) = told["replayed"], told["actual"]  # type: ignore[misc]
    assert (before["due"], before["clock"], before["name"]) == (0, "FIRST_REPLY", "")
    assert (row["due"], row["kept"], row["missed"], row["overdueShare"]) == (2, 1, 1, 0.5)
    assert (row["latenessMedianSeconds"], row["latenessP90Seconds"]) == (3600, 3600)
    assert (row["openLate"], row["running"]) == (0, 0)
    (changed,) = told["changed"]  # type: ignore[misc]
    assert changed["becomes"] == "LATE"
    found = bronx.ask(
        "query ($id: ID!) { incident(id: $id) { municipality { code } } }",
        token=bronx.token("BRONX"),
        id=changed["id"],
    )["incident"]
    assert found["municipality"]["code"] == "BRONX-02"


def test_rows_of_a_dimension_have_names(bronx: Api, catalogue: Catalogue) -> None:
    told = asked(bronx, by=["MUNICIPALITY"])
    assert [(row["code"], row["name"], row["missed"]) for row in told["replayed"]] == [  # type: ignore[attr-defined]
        (code, catalogue.municipalities[code].name, missed)
        for code, missed in (("BRONX-01", 0), ("BRONX-02", 1))
    ]


def test_a_municipality_asks_of_itself_alone(bronx: Api) -> None:
    told = asked(bronx, "BRONX-02", municipality="BRONX-02")
    assert (told["incidents"], told["becameLate"]) == (1, 1)


@pytest.mark.parametrize(
    "change",
    [{}, {"aroundTheClock": True}, {"calendarOf": "QUEENS"}],
    ids=["nothing", "clock", "calendar"],
)
def test_where_nothing_has_a_deadline_no_calendar_changes_that(
    bronx: Api, change: dict[str, object]
) -> None:
    told = asked(bronx, change=change)
    assert (told["replayed"], told["changed"]) == ([], [])


def term(**changes: object) -> dict[str, object]:
    return {"terms": [{"clock": "FIRST_REPLY", "amount": 4, "unit": "HOURS"} | changes]}


@pytest.mark.parametrize(
    ("scope", "variables", "refusal"),
    [
        (None, {}, ("NOT_PERMITTED", None)),
        ("QUEENS", {}, ("NOT_PERMITTED", None)),
        ("BRONX-01", {}, ("NOT_PERMITTED", None)),
        ("BRONX-01", {"municipality": "BRONX-02"}, ("NOT_PERMITTED", None)),
        ("country", {"region": "MARS"}, ("UNKNOWN_REGION", "region")),
        ("BRONX", {"municipality": "QUEENS-01"}, ("UNKNOWN_MUNICIPALITY", "municipality")),
        ("BRONX", {"change": term(topicGroup="unheard")}, ("UNKNOWN_TOPIC", "topicGroup")),
        ("BRONX", {"change": term(topicGroup="noise.noise")}, ("UNKNOWN_TOPIC", "topicGroup")),
        ("BRONX", {"change": term(amount=0)}, ("TERM_ABSURD", "amount")),
        ("BRONX", {"change": term(amount=1001)}, ("TERM_ABSURD", "amount")),
        ("BRONX", {"change": {"terms": term()["terms"] * 2}}, ("TERM_REPEATED", "terms")),  # type: ignore[operator]
        ("BRONX", {"change": {"terms": term()["terms"] * 51}}, ("LIST_TOO_LONG", "terms")),  # type: ignore[operator]
        ("BRONX", {"change": {"calendarOf": "MARS"}}, ("UNKNOWN_REGION", "region")),
        (
            "BRONX",
            {"change": {"calendarOf": "QUEENS", "aroundTheClock": True}},
            ("TWO_CALENDARS", "calendarOf"),
        ),
        ("BRONX", {"period": {"first": "2026-03-03", "last": "2026-03-02"}}, PERIOD),
        ("BRONX", {"period": {"first": "2025-03-02", "last": "2026-03-03"}}, PERIOD),
        ("BRONX", {"first": 0}, ("PAGE_TOO_LARGE", "first")),
        ("BRONX", {"first": 101}, ("PAGE_TOO_LARGE", "first")),
    ],
)
def test_what_cannot_be_asked_is_refused(
    bronx: Api, scope: str | None, variables: dict[str, object], refusal: tuple[str, str | None]
) -> None:
    token = bronx.token(scope) if scope else None
    facts: dict[str, object] = {"period": DAY, "change": FOUR_HOURS} | variables
    assert bronx.refusal(REPLAYED, token=token, **facts) == refusal


@pytest.mark.parametrize("first", ["2026-03-03", "2020-03-02"])
def test_a_refused_period_is_told_the_bound_of_a_replay(bronx: Api, first: str) -> None:
    period = {"first": first, "last": "2026-03-02"}
    facts: dict[str, object] = {"period": period, "change": FOUR_HOURS}
    (error,) = bronx.answer(REPLAYED, token=bronx.token(), **facts)["errors"]
    assert "at most 366 days" in error["message"]


def test_what_takes_too_long_is_given_up(bronx: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy_replay, "SECONDS_MAX", 0)
    facts: dict[str, object] = {"period": DAY, "change": FOUR_HOURS}
    assert bronx.refusal(REPLAYED, token=bronx.token(), **facts) == ("TOO_EXPENSIVE", None)
    monkeypatch.undo()
    assert asked(bronx)["incidents"] == 2


# On the command line

HEAD = (
    "code,regime,region,topic_group,priority,fast_track,clock,amount,unit,warn_amount,warn_unit,"
    "promise_days_max,valid_from,valid_until,source\n"
)
Tsur = Callable[..., str]


@pytest.fixture
def tsur(
    bronx: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Tsur:
    (tmp_path / "vault.key").write_bytes(SECRET)
    settings = {"TSUR_DATABASE_URL": bronx.url, "TSUR_HOME": str(tmp_path)}
    for name, value in (settings | {"TSUR_CATALOGUE": str(NEW_YORK), "COLUMNS": "200"}).items():
        monkeypatch.setenv(name, value)

    def run(policies: str, *words: str, code: int = 0) -> str:
        file = tmp_path / "other.csv"
        file.write_text(HEAD + policies)
        days = ["--first", "2026-03-02", "--last", "2026-03-02", "--policies", str(file)]
        monkeypatch.setattr("sys.argv", ["tsur", "policies", "replay", "BRONX", *days, *words])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        assert ended.value.code == code, told.err
        return told.out + told.err

    return run


def test_a_file_of_policies_is_replayed_beside_what_was(tsur: Tsur) -> None:
    told = tsur("P,IM,,,,,FIRST_REPLY,4,HOURS,,,,,,x\n", "--by", "MUNICIPALITY")
    assert "2 incidents; 1 become late, 0 become kept." in told
    (whole, first, second) = [line for line in told.splitlines() if "FIRST_REPLY" in line]
    assert "0 → 2" in whole
    assert "50.0%" in whole
    assert "1:00:00" in second
    assert "1:00:00" not in first


@pytest.mark.parametrize(
    ("policies", "words", "named"),
    [
        ("P,IM,,,,,FIRST_REPLY,0,HOURS,,,,,,x\n", [], "other.csv, line 2: amount 0 is not"),
        ("P,IM,,unheard,,,FIRST_REPLY,4,HOURS,,,,,,x\n", [], "line 2: topic group 'unheard'"),
        ("P,IM,,,,,FIRST_REPLY,4,HOURS,,,,,,\n", [], "line 2: no source"),
        ("", ["--municipality", "QUEENS-01"], "QUEENS-01"),
        ("", ["--calendars", str(RUSSIA / "topics.csv")], "topics.csv: neither"),
        ("", ["--first", "2024-03-02"], "at most 366 days"),
    ],
)
def test_what_is_written_wrong_is_told_by_its_row(
    tsur: Tsur, policies: str, words: list[str], named: str
) -> None:
    assert named in " ".join(tsur(policies, *words, code=1).split())


# The law


@pytest.fixture(scope="module")
def demo(russia: Catalogue) -> list[tuple[str, History]]:
    made = histories(russia, incidents=600, days=60, until=NOON, seed=3, folder=RUSSIA)
    return list(made)


def lived(region: str, history: History, terms: RegionTerms) -> list[Event]:
    """Under the terms of its region."""
    incident = register(
        history.incident_id,
        region,
        history.registration,
        at=history.at,
        by=history.by,
        terms=terms,
    )
    for step in history.steps:
        decide(incident, step.command, at=step.at, by=step.by, terms=terms, taken_over=True)
    return [stored.event for stored in incident.collect_events()]


def test_the_made_up_network_has_its_own_deadlines_under_its_own_terms(
    demo: list[tuple[str, History]], russia: Catalogue
) -> None:
    network, deadlines = read_terms(RUSSIA, russia), 0
    for region, history in demo:
        terms = network.of(region)
        stored = lived(region, history, terms)
        again = replayed(history.incident_id, [(event, terms) for event in stored]).events
        assert [*deadlines_of(again)] == [*deadlines_of(stored)]
        assert runs_of(history.incident_id, again) == runs_of(history.incident_id, stored)
        deadlines += len([*deadlines_of(stored)])
    assert deadlines > 600
