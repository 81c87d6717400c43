"""What leaves every number as it is: the order of arrival, the batches, a detour, an erasure."""

from collections import defaultdict
from collections.abc import Callable
from datetime import date
from random import Random
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain import commands as c
from domain.publications import RankingQuestion
from domain.vocabulary import PromiseReason, Ranked, RankedBy, RankingMethod, ReplyKind
from projections import versions
from projections.past.verification import find
from projections.projector import Projector
from projections.statistics.exact import Unit
from projections.statistics.figures import Period
from projections.statistics.measures import DURATION_NAMES
from projections.statistics.units import Area, figures_by
from projections.views.flags import flags
from projections.views.heat_map import heat_map
from projections.views.regional import region_board
from regions.node import Node
from tests.conftest import PAST_TRIGGERS
from tests.projections.lives import AUTO, DISPUTE, FINAL, REOPEN, RESOLVE, due, live, local
from tests.projections.test_past import reading
from tests.scenarios import OPERATOR, ask, some_topic

PERIOD = Period(date(2026, 3, 1), date(2026, 3, 5))
LATER = local(31, 12)
REGIONS = ("BRONX", "QUEENS")


def lived(node: Node, lives: int = 24) -> None:
    """Incidents of two boroughs, each another excerpt of the same long life."""
    random = Random(1)
    for number in range(lives):
        centre = node.centre(REGIONS[number % 2])
        places = centre.catalogue.municipalities_of[centre.region.code]
        minutes = random.randrange(10, 90)
        steps: list[tuple[int, c.Command]] = [
            (2, due(centre, local(2, 11))),
            (4, AUTO),
            (minutes, c.PublishReply(kind=ReplyKind.INTERIM)),
            (
                minutes + 1,
                c.ScheduleSolution(promised_on=date(2026, 3, 3), reason=PromiseReason.WEATHER),
            ),
            (minutes + 60, FINAL),
            (minutes + 90, RESOLVE),
            (minutes + 95, c.Rate(score=random.randrange(3, 6))),
            (minutes + 99, DISPUTE),
            (minutes + 120, REOPEN),
            (minutes + 130, due(centre, local(3, 11))),
            (minutes + 200, FINAL),
            (minutes + 230, RESOLVE),
        ]
        live(
            centre,
            local(2, 9, number),
            *steps[: random.randrange(1, len(steps) + 1)],
            waited=random.randrange(30),
            municipality=random.choice([None, places[0].code, places[1].code]),
            latitude=40.8 + number / 500,
            longitude=-73.9,
        )


def numbers(node: Node) -> dict[str, Any]:
    """Everything that is told of the period, by all ways it is told."""

    async def told(one: psycopg.AsyncConnection[Any]) -> dict[str, Any]:
        catalogue = node.catalogue
        found: dict[str, Any] = {}
        for of in Ranked:
            for by in RankedBy:
                for method in RankingMethod:
                    question = RankingQuestion(
                        first=PERIOD.first, last=PERIOD.last, of=of, by=by, method=method
                    )
                    ranked = await find(one, question, catalogue=catalogue, now=LATER)
                    found[f"{of} {by} {method}"] = msgspec.to_builtins(ranked.rows)
        for region in REGIONS:
            for exact in (False, True):
                board = await region_board(
                    one, PERIOD, catalogue=catalogue, now=LATER, region=region, exact=exact
                )
                found[f"{region} waiting"] = board.open_by_status, board.queues
                found[f"{region} {exact}"] = [
                    (code, figures, [figures.lasted(name) for name in DURATION_NAMES])
                    for code, figures in sorted({"": board.figures, **board.parts}.items())
                ]
            found[f"{region} map"] = await heat_map(
                one, PERIOD, Area(region), catalogue=catalogue, now=LATER, resolution=7
            )
            found[f"{region} topics"] = await figures_by(
                one, PERIOD, Unit.TOPIC, catalogue=catalogue, now=LATER, regions=[region]
            )
        found["flags"] = await flags(one, PERIOD, Area(), catalogue, LATER)
        return found

    return reading(node, told)


def project_anew(node: Node, batch_events: int) -> None:
    with versions.connect(node.url) as connection:
        connection.execute("TRUNCATE incident, change, daily, daily_duration, monthly_duration")
        connection.execute("UPDATE tracking SET pos = 0")
        projector = Projector(connection, node.catalogue, batch_events=batch_events)
        while projector.step():
            pass


Stored = tuple[Any, ...]


def permuted(events: list[Stored], random: Random) -> list[Stored]:
    """Another order of arrival: of each incident its own, between incidents any."""
    streams: dict[str, list[Stored]] = defaultdict(list)
    for event in events:
        streams[str(event[2])].append(event)
    order = [stream for stream, of in sorted(streams.items()) for _ in of]
    random.shuffle(order)
    waiting = {stream: iter(of) for stream, of in streams.items()}
    taken: dict[str, int] = defaultdict(int)
    arrived = []
    for stream in order:
        region, _, *rest = next(waiting[stream])
        taken[region] += 1
        arrived.append((region, taken[region], *rest))
    return arrived


@pytest.fixture
def settled(node: Node, project: Callable[[], int]) -> Node:
    lived(node)
    project()
    return node


def test_neither_the_order_of_arrival_nor_the_batches_change_a_number(settled: Node) -> None:
    before = numbers(settled)
    assert before["REGIONS FIRST_REPLY SHRUNK_1"][0]["place"] == 1
    with psycopg.connect(settled.url, autocommit=True) as connection:
        events = connection.execute(
            "SELECT region, pos, originator_id, originator_version, topic, payload::text"
            " FROM events ORDER BY region, pos"
        ).fetchall()

        @settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
        @given(seed=st.integers(0, 2**32), batch_events=st.sampled_from([1, 7, 40_000]))
        def holds(seed: int, batch_events: int) -> None:
            arrived = permuted(events, Random(seed))
            assert len(arrived) == len(events)
            with connection.transaction(), connection.cursor() as cursor:
                cursor.execute(PAST_TRIGGERS)
                cursor.execute("DELETE FROM events")
                cursor.executemany(
                    "INSERT INTO events (region, pos, originator_id, originator_version, topic,"
                    " payload) VALUES (%s, %s, %s, %s, %s, %s::jsonb)",
                    arrived,
                )
            project_anew(settled, batch_events)
            assert numbers(settled) == before

        holds()


def test_a_topic_that_was_changed_and_changed_back_changes_no_number(
    settled: Node, project: Callable[[], int]
) -> None:
    before = numbers(settled)
    centre = settled.centre("BRONX")
    other = [code for code, topic in settled.catalogue.topics.items() if topic.group][-1]
    incidents = incidents_of(settled, "BRONX", "open")
    assert other != some_topic(centre)
    for incident in incidents:
        ask(centre, incident, c.Reclassify(topic=other), 5_000, by=OPERATOR)
    project()
    assert numbers(settled)["BRONX topics"] != before["BRONX topics"]
    for incident in incidents:
        ask(centre, incident, c.Reclassify(topic=some_topic(centre)), 5_001, by=OPERATOR)
    project()
    assert numbers(settled) == before


def test_an_erased_person_is_in_every_number_still(
    settled: Node, project: Callable[[], int]
) -> None:
    before = numbers(settled)
    centre = settled.centre("BRONX")
    incidents = incidents_of(settled, "BRONX", "true")
    assert len(incidents) == 12
    for incident in incidents:
        ask(centre, incident, c.ErasePersonalData(), 5_000, by=OPERATOR)
    project()
    assert numbers(settled) == before
    project_anew(settled, 40_000)
    assert numbers(settled) == before


def test_a_rebuild_changes_no_number(settled: Node) -> None:
    before = numbers(settled)
    versions.rebuild(settled.url, settled.catalogue, lambda done, in_all: None)
    assert numbers(settled) == before


def incidents_of(node: Node, region: str, condition: str) -> list[UUID]:
    with versions.connect(node.url) as connection:
        rows = connection.execute(
            f"SELECT id FROM incident WHERE region = %s AND {condition} ORDER BY id".encode(),
            [region],
        )
        return [incident_id for (incident_id,) in rows]
