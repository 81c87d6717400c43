"""Routing: the first rule that fits, why the others do not, and what a late job leaves alone."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from domain.commands import (
    AcceptWork,
    Assign,
    Classify,
    GrantFastTrack,
    Merge,
    Reclassify,
    Reject,
    Return,
)
from domain.errors import UnknownTopic
from domain.events import IncidentAssigned, IncidentLinked
from domain.rights import Actor
from domain.vocabulary import LinkKind, RejectReason, ReturnReason, Role
from regions.centre import Centre
from regions.node import Node
from regions.reference.calendars import Calendars, load_calendars
from regions.reference.catalogue import Catalogue, CatalogueInvalid
from regions.reference.routing import Matter, Route, Routing, load_routing
from regions.store.event_store import decode_event
from tests.conftest import RUSSIA
from tests.scenarios import NOON, ask, bodies, registered, resolved, topics
from workers.routes import route

HEADER = "code,region,topic,municipality,channel,hours,body,curator,source"
MONDAY = datetime.fromisoformat("2026-03-02T12:00+04:00")  # Samara
CURATOR = Actor("Иванова", Role.CURATOR)


@pytest.fixture(scope="module")
def calendars(russia: Catalogue) -> Calendars:
    return load_calendars(RUSSIA, russia)


@pytest.fixture(scope="module")
def routing(russia: Catalogue, calendars: Calendars) -> Routing:
    """The rules that come with the catalogue."""
    return load_routing(RUSSIA, russia, calendars)


@pytest.fixture
def ruled(russia: Catalogue, calendars: Calendars, tmp_path: Path) -> Callable[..., Routing]:
    """Rules as a folder has them, each a line."""

    def load(*rules: str) -> Routing:
        write(tmp_path, *rules)
        return load_routing(tmp_path, russia, calendars)

    return load


def write(folder: Path, *rules: str) -> None:
    lines = "\n".join(f"{rule},the test" for rule in rules)
    (folder / "routing.csv").write_text(f"{HEADER}\n{lines}\n", encoding="utf-8")


def matter(
    topic: str = "waste.dump",
    place: str | None = "63-samara",
    channel: str = "VK",
    at: datetime = MONDAY,
) -> Matter:
    return Matter(topic, place, channel, at)


def chosen(routing: Routing, of: Matter, region: str = "63") -> str | None:
    found = routing.route(region, of)
    return found.rule if found else None


# The rules of Russia


@pytest.mark.parametrize(
    ("topic", "place", "rule", "body"),
    [
        ("waste.dump", "63-samara", "place", "63-samara-adm"),
        ("roads.pothole", "63-tolyatti", "place", "63-tolyatti-adm"),
        ("waste.dump", None, "region", "63-housing"),  # nobody knows where
        ("medicine.hospital", "63-samara", "region", "63-health"),  # no matter of a town
        ("electricity.off", "63-samara", "networks.electricity", "63-housing"),
        ("gas.off", "63-samara", "networks.gas", "63-housing"),
    ],
)
def test_who_is_on_the_spot_comes_first_but_for_networks(
    routing: Routing, topic: str, place: str | None, rule: str, body: str
) -> None:
    assert routing.route("63", matter(topic, place)) == Route(rule, body, None)


def test_in_every_region_somebody_is_in_charge_of_most_topics(
    routing: Routing, russia: Catalogue
) -> None:
    for region in russia.regions:
        found = routing.route(region, matter("roads.pothole", None))
        assert found is not None, region
        assert russia.organisations[found.organisation].region == region


def test_trainees_route_as_their_region_does(routing: Routing) -> None:
    assert routing.route("63~sandbox", matter()) == routing.route("63", matter())


# The first that fits


def test_the_first_rule_that_fits_counts(ruled: Callable[..., Routing]) -> None:
    routing = ruled(
        "one,63,,,,,63-health,",
        "two,63,waste.dump,63-samara,VK,,63-ecology,",
    )
    assert routing.route("63", matter()) == Route("one", "63-health", None)
    reversed_ = ruled(
        "two,63,waste.dump,63-samara,VK,,63-ecology,",
        "one,63,,,,,63-health,",
    )
    assert chosen(reversed_, matter()) == "two"
    assert chosen(reversed_, matter("waste.containers")) == "one"


def test_a_rule_names_who_holds_it(ruled: Callable[..., Routing]) -> None:
    routing = ruled("one,63,,,,,63-health,Иванова")
    assert routing.route("63", matter()) == Route("one", "63-health", "Иванова")


def test_a_group_of_topics_is_all_of_them(ruled: Callable[..., Routing]) -> None:
    routing = ruled("waste,63,waste,,,,63-ecology,")
    assert chosen(routing, matter("waste.containers")) == "waste"
    assert chosen(routing, matter("roads.pothole")) is None
    with pytest.raises(UnknownTopic):
        routing.route("63", matter("no.such-topic"))


def test_where_no_rule_fits_a_person_decides(ruled: Callable[..., Routing]) -> None:
    assert chosen(ruled(), matter()) is None
    assert chosen(ruled("other,02,,,,,02-health,"), matter()) is None


def test_a_rule_that_finds_nobody_does_not_fit(ruled: Callable[..., Routing]) -> None:
    routing = ruled("place,,,,,,municipality,", "region,,,,,,region,")
    assert chosen(routing, matter("medicine.hospital")) == "region"
    assert chosen(routing, matter(place=None)) == "region"


def test_every_rule_up_to_the_one_that_fits_says_why_it_does_not(
    ruled: Callable[..., Routing],
) -> None:
    routing = ruled(
        "a,02,,,,,02-health,",
        "b,63,roads,,,,63-roads,",
        "c,63,,63-tolyatti,,,63-roads,",
        "d,63,,,OK,,63-roads,",
        "e,63,,,,OFF,63-roads,",
        "f,63,,,,,municipality,",
        "g,63,,,,WORKING,region,",
        "h,63,,,,,63-health,",
    )
    tried = list(routing.explain("63", matter("medicine.hospital")))
    assert [(each.rule.code, each.refusal) for each in tried] == [
        ("a", "another region"),
        ("b", "another topic"),
        ("c", "another municipality"),
        ("d", "another channel"),
        ("e", "other hours"),
        ("f", "nobody in charge in the municipality"),
        ("g", None),
    ]
    assert [each.route for each in tried[:-1]] == [None] * 6
    assert tried[-1].route == routing.route("63", matter("medicine.hospital"))


@pytest.mark.parametrize(
    ("at", "rule"),
    [
        ("2026-03-02T09:00+04:00", "day"),  # a Monday
        ("2026-03-02T17:59+04:00", "day"),
        ("2026-03-02T08:59+04:00", "night"),
        ("2026-03-02T18:00+04:00", "night"),
        ("2026-03-02T14:30+00:00", "night"),  # 18:30 in Samara
        ("2026-03-01T12:00+04:00", "night"),  # a Sunday
        ("2026-03-09T12:00+04:00", "night"),  # for Sunday 8 March
    ],
)
def test_working_time_is_that_of_the_place(
    ruled: Callable[..., Routing], at: str, rule: str
) -> None:
    routing = ruled("day,63,,,,WORKING,63-roads,", "night,63,,,,OFF,63-safety,")
    assert chosen(routing, matter(at=datetime.fromisoformat(at))) == rule


# The file


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("x,99,,,,,region,", "'99'"),
        ("x,,no.such-topic,,,,region,", "'no.such-topic'"),
        ("x,,,63-atlantis,,,region,", "'63-atlantis'"),
        ("x,,,,FAX,,region,", "'FAX'"),
        ("x,,,,,NIGHT,region,", "'NIGHT'"),
        ("x,63,,,,,63-nobody,", "'63-nobody'"),
        ("x,63,,,,,,", "''"),
        (",63,,,,,region,", "no code"),
        ("x,63,,,,,region,,,", "a cell too many"),
    ],
)
def test_what_nobody_knows_is_refused_with_file_and_line(
    ruled: Callable[..., Routing], wrong: str, told: str
) -> None:
    with pytest.raises(CatalogueInvalid, match=r"routing\.csv, line 3: ") as refused:
        ruled("good,63,,,,,region,", wrong)
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("x,,,,,,63-roads,", "63-roads"),  # of every region, to a body of one
        ("x,02,,,,,63-roads,", "63-roads"),
        ("x,02,,63-samara,,,region,", "63-samara"),
        ("good,63,,,,,region,", "good"),  # its code stands in the events: which one was it?
    ],
)
def test_what_contradicts_itself_is_refused_with_file_and_line(
    ruled: Callable[..., Routing], wrong: str, told: str
) -> None:
    with pytest.raises(CatalogueInvalid, match=r"routing\.csv, line 3: ") as refused:
        ruled("good,63,,,,,region,", wrong)
    assert told in str(refused.value)


def test_a_rule_without_a_source_or_a_column_is_refused(
    russia: Catalogue, calendars: Calendars, tmp_path: Path
) -> None:
    file = tmp_path / "routing.csv"
    file.write_text(f"{HEADER}\nx,63,,,,,region,,\n", encoding="utf-8")
    with pytest.raises(CatalogueInvalid, match="no source"):
        load_routing(tmp_path, russia, calendars)
    file.write_text("code,region,source\nx,63,the test\n", encoding="utf-8")
    with pytest.raises(CatalogueInvalid, match="topic"):
        load_routing(tmp_path, russia, calendars)


def test_a_folder_without_rules_routes_nothing(
    russia: Catalogue, calendars: Calendars, tmp_path: Path
) -> None:
    assert load_routing(tmp_path, russia, calendars).rules == []


# The job, which may run twice and late


@pytest.fixture
def bronx(node: Node) -> Centre:
    return node.centre("BRONX")


@pytest.fixture
def run(node: Node, bronx: Centre, tmp_path: Path) -> Callable[..., None]:
    """Route an incident after its classification at `version`, so many minutes after noon."""
    first, second, *_ = topics(bronx)
    body, other, *_ = bodies(bronx)
    write(
        tmp_path,
        f"first,BRONX,{first},,,,{body},Иванова",
        f"second,BRONX,{second},,,,{other},",
    )
    rules = load_routing(tmp_path, node.catalogue, load_calendars(tmp_path, node.catalogue))

    def run(incident: UUID, version: int, minutes: float = 100) -> None:
        route(bronx, rules, incident, version, at=NOON + timedelta(minutes=minutes))

    return run


def classified(centre: Centre, number: int = 0, **changes: object) -> tuple[UUID, int]:
    """An incident and the version of the event that says what it is about."""
    incident = registered(centre, **changes).incident_id
    result = ask(centre, incident, Classify(topic=topics(centre)[number]), 10)
    return incident, result.version


def events(centre: Centre, incident: UUID) -> list[object]:
    return [decode_event(e.topic, e.state) for e in centre.recorder.select_events(incident)]


def test_what_is_classified_is_assigned_by_rule_once(
    bronx: Centre, run: Callable[..., None]
) -> None:
    incident, version = classified(bronx)
    for minutes in (11, 12, 10_000):
        run(incident, version, minutes)
    assigned = events(bronx, incident)[-1]
    assert isinstance(assigned, IncidentAssigned)
    assert (assigned.rule, assigned.organisation) == ("first", bodies(bronx)[0])
    assert (assigned.holder, assigned.role) == ("Иванова", Role.SYSTEM)
    assert bronx.incident(incident).version == version + 1


def test_what_a_person_assigned_meanwhile_is_left_alone(
    bronx: Centre, run: Callable[..., None]
) -> None:
    incident, version = classified(bronx)
    ask(bronx, incident, Assign(organisation=bodies(bronx)[1]), 20)
    run(incident, version)
    assert bronx.incident(incident).organisation == bodies(bronx)[1]
    assert bronx.incident(incident).version == version + 1


def test_what_was_accepted_is_never_moved(bronx: Centre, run: Callable[..., None]) -> None:
    incident, version = classified(bronx)
    run(incident, version, 11)
    ask(bronx, incident, AcceptWork(), 20)
    accepted = bronx.incident(incident).version
    run(incident, version)
    ask(bronx, incident, Reclassify(topic=topics(bronx)[1]), 30, by=CURATOR)
    run(incident, accepted + 1)
    assert bronx.incident(incident).organisation == bodies(bronx)[0]
    assert bronx.incident(incident).version == accepted + 1


def test_what_was_returned_does_not_go_back_by_a_late_job(
    bronx: Centre, run: Callable[..., None]
) -> None:
    """Assigned in the same breath, as what comes from a platform is."""
    incident, version = classified(bronx)
    ask(bronx, incident, Assign(organisation=bodies(bronx)[0], rule="first"), 10)
    ask(bronx, incident, Return(reason=ReturnReason.NOT_COMPETENT), 20)
    run(incident, version)
    assert bronx.incident(incident).organisation is None


def test_what_changes_while_it_is_routed_is_assigned_all_the_same(
    bronx: Centre, run: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    incident, version = classified(bronx)
    save, changed = bronx.save, list[bool]()

    def save_late(*objects: Any, **options: Any) -> Any:
        if not changed:
            changed.append(True)
            ask(bronx, incident, GrantFastTrack(), 11)
        return save(*objects, **options)

    monkeypatch.setattr(bronx, "save", save_late)
    run(incident, version)
    assert changed
    assert bronx.incident(incident).organisation == bodies(bronx)[0]


def test_what_is_classified_anew_after_its_return_goes_where_that_belongs(
    bronx: Centre, run: Callable[..., None]
) -> None:
    incident, version = classified(bronx)
    run(incident, version, 11)
    ask(bronx, incident, Return(reason=ReturnReason.WRONG_TOPIC), 20)
    again = ask(bronx, incident, Classify(topic=topics(bronx)[1]), 30).version
    for _ in range(2):
        run(incident, again)
        run(incident, version)  # late, and for the second time
    assert bronx.incident(incident).organisation == bodies(bronx)[1]
    assert bronx.incident(incident).version == again + 1


def test_what_no_rule_is_for_waits_for_a_person(bronx: Centre, run: Callable[..., None]) -> None:
    incident, version = classified(bronx, 2)
    run(incident, version)
    assert bronx.incident(incident).version == version


def test_what_is_done_or_answered_elsewhere_is_left_alone(
    bronx: Centre, run: Callable[..., None]
) -> None:
    (rejected, one), (merged, other), (into, _) = (classified(bronx) for _ in range(3))
    ask(bronx, rejected, Reject(reason=RejectReason.NOT_A_PROBLEM), 20, by=CURATOR)
    ask(bronx, merged, Merge(into=into), 20)
    before = [bronx.incident(each).version for each in (rejected, merged)]
    run(rejected, one)
    run(merged, other)
    assert [bronx.incident(each).version for each in (rejected, merged)] == before


def test_what_was_solved_there_before_is_linked_once(
    bronx: Centre, run: Callable[..., None], project: Callable[[], int]
) -> None:
    here = {"latitude": 40.82, "longitude": -73.92}
    earlier = resolved(bronx, **here).incident_id
    incident, version = classified(bronx, **here)
    elsewhere, other = classified(bronx, latitude=40.9, longitude=-73.85)
    project()
    for _ in range(2):
        run(incident, version)
        run(elsewhere, other)
    links = [event for event in events(bronx, incident) if isinstance(event, IncidentLinked)]
    assert [(link.to, link.kind) for link in links] == [(earlier, LinkKind.RECURRENCE)]
    assert not bronx.incident(elsewhere).links
