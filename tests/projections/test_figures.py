"""Figures from daily rows and from the incidents themselves: the same definitions, told twice."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import psycopg
import pytest

from domain.commands import Reject
from domain.errors import PeriodInvalid
from domain.rights import Actor
from domain.vocabulary import RejectReason, Role
from projections import versions
from projections.projector import Projector
from projections.statistics.figures import Figures, Period
from projections.statistics.units import municipality_figures
from regions.node import Node
from regions.reference.catalogue import Catalogue
from tests.scenarios import NOON, ask, assigned, registered

PERIOD = Period(date(2026, 2, 1), date(2026, 3, 31))


def figures(node: Node, catalogue: Catalogue, now: datetime, *, exact: bool) -> dict[str, Figures]:
    async def ask() -> dict[str, Figures]:
        async with await psycopg.AsyncConnection.connect(
            node.url, options="-c search_path=read,public"
        ) as connection:
            return await municipality_figures(
                connection, PERIOD, catalogue=catalogue, now=now, region="BRONX", exact=exact
            )

    return asyncio.run(ask())


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/New_York", "Pacific/Pago_Pago"])
def test_a_deadline_counts_when_its_day_is_over_in_the_whole_region(node: Node, zone: str) -> None:
    places = dict(node.catalogue.municipalities)
    places["BRONX-01"] = replace(places["BRONX-01"], zone=ZoneInfo(zone))
    catalogue = replace(node.catalogue, municipalities=places)
    assigned(node.centre("BRONX"), municipality="BRONX-01", due_in_hours=48)
    versions.ensure(node.url, catalogue, lambda done, in_all: None)
    with versions.connect(node.url) as connection:
        Projector(connection, catalogue).step()
    due = NOON + timedelta(hours=48)
    day = due.astimezone(ZoneInfo(zone)).date()
    for hours in range(-30, 54):
        now = due + timedelta(hours=hours)
        over = all(
            now.astimezone(ZoneInfo(somewhere)).date() > day
            for somewhere in ("America/New_York", zone)
        )
        for exact in (False, True):
            found = figures(node, catalogue, now, exact=exact)
            wanted = (1, 1) if over else (0, 0)
            assert {(unit.due, unit.missed) for unit in found.values()} <= {wanted}, (now, exact)


def test_a_rejected_incident_is_in_no_figure_told_either_way(
    node: Node, project: Callable[[], int]
) -> None:
    bronx, curator = node.centre("BRONX"), Actor("curator", Role.CURATOR)
    kept, rejected = (registered(bronx, municipality="BRONX-01").incident_id for _ in range(2))
    ask(bronx, rejected, Reject(reason=RejectReason.ADVERT), 10, by=curator)
    project()
    for exact in (False, True):
        found = figures(node, node.catalogue, NOON + timedelta(days=9), exact=exact)
        assert {place: of.registered for place, of in found.items()} == {"": 1, "BRONX-01": 1}
    ask(bronx, kept, Reject(reason=RejectReason.ADVERT), 10, by=curator)
    project()
    for exact in (False, True):
        found = figures(node, node.catalogue, NOON + timedelta(days=9), exact=exact)
        assert set(found.values()) <= {Figures()}


def test_a_period_ends_after_it_begins_and_lasts_three_years_at_most() -> None:
    for last in (date(2025, 12, 31), date(2029, 1, 3)):
        with pytest.raises(PeriodInvalid):
            Period(date(2026, 1, 1), last).checked()
    assert Period(date(2026, 1, 1), date(2026, 1, 1)).checked()
