"""Maps: what lies where adds up to the total, and few are hidden."""

import asyncio
from collections.abc import Callable
from datetime import date, timedelta
from uuid import uuid4

import h3
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import commands as c
from projections.statistics.figures import Period
from projections.statistics.units import Area
from projections.views.heat_map import (
    SHOWN_MIN,
    Box,
    BoxInvalid,
    Cell,
    HeatMap,
    ResolutionInvalid,
    geo_json,
    heat_map,
    hide,
    topic_pulse,
)
from regions.node import Node
from tests.projections.lives import local
from tests.scenarios import NOON, OPERATOR, assigned, classified, message

BRONX = Area("BRONX")
PERIOD = Period(date(2026, 3, 2), date(2026, 3, 2))
ZOO, PARK = (40.8506, -73.8770), (40.8970, -73.8860)  # in the Bronx, five kilometres apart


def asked(node: Node, area: Area = BRONX, **options: object) -> HeatMap:
    async def ask_it() -> HeatMap:
        async with await psycopg.AsyncConnection.connect(
            node.url, options="-c search_path=read,public"
        ) as connection:
            given: dict[str, object] = {"resolution": 8, "all_cells": True} | options
            return await heat_map(
                connection,
                PERIOD,
                area,
                catalogue=node.catalogue,
                now=NOON + timedelta(hours=24),
                **given,  # type: ignore[arg-type]
            )

    return asyncio.run(ask_it())


@pytest.fixture
def mapped(node: Node, project: Callable[[], int]) -> Node:
    """Six at the zoo, one of them late; two in the park; one nowhere; one elsewhere."""
    bronx = node.centre("BRONX")
    for _ in range(5):
        assigned(bronx, latitude=ZOO[0], longitude=ZOO[1])
    assigned(bronx, latitude=ZOO[0], longitude=ZOO[1], due_in_hours=1)
    for _ in range(2):
        classified(bronx, latitude=PARK[0], longitude=PARK[1])
    classified(bronx)
    classified(node.centre("QUEENS"), latitude=ZOO[0], longitude=ZOO[1])
    project()
    return node


def adds_up(found: HeatMap) -> bool:
    shown = sum(cell.incidents for cell in found.cells.values())
    return found.total == shown + found.hidden + found.outside + found.unlocated


def test_cells_count_what_lies_in_them(mapped: Node) -> None:
    found = asked(mapped)
    zoo, park = (h3.latlng_to_cell(*point, 8) for point in (ZOO, PARK))
    assert {cell: (of.incidents, of.overdue) for cell, of in found.cells.items()} == {
        zoo: (6, 1),
        park: (2, 0),
    }
    assert (found.total, found.unlocated, found.hidden) == (9, 1, 0)
    assert asked(mapped, Area()).total == 10


@pytest.mark.parametrize("resolution", [2, 5, 9])
@pytest.mark.parametrize("all_cells", [True, False])
@pytest.mark.parametrize("box", [None, Box(-73.89, 40.84, -73.87, 40.86), Box(0, 0, 1, 1)])
def test_it_adds_up_however_it_is_asked(
    mapped: Node, resolution: int, all_cells: bool, box: Box | None
) -> None:
    found = asked(mapped, resolution=resolution, all_cells=all_cells, box=box)
    assert found.total == 9
    assert adds_up(found)


def test_few_are_hidden_and_not_given_away_by_the_rest(mapped: Node) -> None:
    found = asked(mapped, all_cells=False)
    # Two are too few; alone they would be told by the total, so the others are hidden as well.
    assert found.cells == {}
    assert found.hidden == 8


@pytest.mark.parametrize("box", [Box(-73.89, 40.89, -73.88, 40.9), Box(0, 0, 1, 1)])
def test_a_box_around_few_does_not_tell_them(mapped: Node, box: Box) -> None:
    found = asked(mapped, all_cells=False, box=box)
    assert (found.cells, found.hidden, found.outside) == ({}, 8, 0)


@given(st.dictionaries(st.integers(0, 99).map(str), st.integers(1, 12), max_size=12))
def test_what_is_hidden_is_never_so_few_that_it_is_told(counts: dict[str, int]) -> None:
    found = HeatMap(8, sum(counts.values()), {cell: Cell(n) for cell, n in counts.items()})
    hide(found)
    assert adds_up(found)
    assert all(cell.incidents >= SHOWN_MIN for cell in found.cells.values())
    assert found.hidden == 0 or found.hidden >= SHOWN_MIN or not found.cells


def test_only_the_topics_asked_for_are_counted(mapped: Node) -> None:
    assert asked(mapped, topics=[]).total == 0
    topics = [code for code, topic in mapped.catalogue.topics.items() if topic.group]
    assert asked(mapped, topics=topics).total == 9


def test_a_map_that_cannot_be_is_refused(mapped: Node) -> None:
    for resolution in (1, 10):
        with pytest.raises(ResolutionInvalid, match="2 to 9"):
            asked(mapped, resolution=resolution)
    for box in (Box(1, 0, 0, 1), Box(0, 1, 1, 0), Box(-181, 0, 0, 1), Box(0, 0, 1, 91)):
        with pytest.raises(BoxInvalid):
            asked(mapped, box=box)


def test_cells_are_polygons_that_close_and_do_not_jump(mapped: Node) -> None:
    drawn = geo_json(asked(mapped))
    assert drawn["type"] == "FeatureCollection"
    for feature in drawn["features"]:
        (ring,) = feature["geometry"]["coordinates"]
        assert ring[0] == ring[-1]
        longitudes = [longitude for longitude, _ in ring]
        assert max(longitudes) - min(longitudes) < 1
    over_the_date_line = HeatMap(4, 1, {h3.latlng_to_cell(66.0, -180.0, 4): Cell(1)})
    ((ring,),) = [
        feature["geometry"]["coordinates"] for feature in geo_json(over_the_date_line)["features"]
    ]
    longitudes = [longitude for longitude, _ in ring]
    assert max(longitudes) - min(longitudes) < 5


def test_a_topic_is_measured_against_its_own_season(node: Node, project: Callable[[], int]) -> None:
    """Last year 4 and 1 of two topics, this year 6 and 4: the second has doubled its share."""
    bronx = node.centre("BRONX")
    one, other = [code for code, topic in node.catalogue.topics.items() if topic.group][:2]
    for year, counts in ((2025, (4, 1)), (2026, (6, 4))):
        at = local(2, 9).replace(year=year)
        for topic, times in zip((one, other), counts, strict=True):
            for _ in range(times):
                registered = bronx.register(
                    message(published_at=at), command_id=uuid4(), at=at, by=OPERATOR
                )
                bronx.handle(
                    registered.incident_id,
                    c.Classify(topic=topic),
                    command_id=uuid4(),
                    at=at,
                    by=OPERATOR,
                )
    project()

    async def ask_it() -> list[tuple[str, int, float | None]]:
        async with await psycopg.AsyncConnection.connect(
            node.url, options="-c search_path=read,public"
        ) as connection:
            before = Period(date(2025, 3, 2), date(2025, 3, 2))
            found = await topic_pulse(
                connection, PERIOD, before, Area("BRONX"), catalogue=node.catalogue
            )
            return [(each.topic, each.incidents, each.expected) for each in found]

    assert asyncio.run(ask_it()) == [(other, 4, 2.0), (one, 6, 8.0)]
