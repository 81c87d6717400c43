"""A network in which every incident is marked: an answer shows of which it tells."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import NamedTuple
from uuid import UUID, uuid4

from psycopg.rows import class_row

from api.types.node import incident_id
from api.viewer import Viewer, issue_token
from domain.commands import (
    AcceptWork,
    Assign,
    Citizen,
    Classify,
    Command,
    ContactCitizen,
    Link,
    Merge,
    Prioritize,
    PublishReply,
)
from domain.office import OpenSource
from domain.rights import Actor, Scope, sandbox_of
from domain.vocabulary import LinkKind, Priority, PriorityReason, ReplyKind, Role
from projections import versions
from projections.incident_list import Place
from projections.incidents import IncidentRow
from regions.node import Node
from regions.offices import command_office
from regions.reference.catalogue import Catalogue
from tests.api.conftest import SECRET, Api, catch_up, node_on, projecting, serving
from tests.scenarios import NOON, ask, registered
from workers.memory import Memory

REGIONS = ("BRONX", "QUEENS", sandbox_of("BRONX"))
NOISE, STREET = "noise.noise-helicopter", "streets.street-condition"
PLACES = list(product(REGIONS, ("01", "02", None)))
MATTERS = ((None, None), (NOISE, None), (NOISE, "DEP"), (STREET, "DOT"))  # topic and body
SOURCE = "sourceqns"
SCOPES = {
    "visitor": None,
    "country": Scope(),
    "district": Scope(regions=("BRONX", "MANHATTAN")),
    "region": Scope("BRONX"),
    "another": Scope("QUEENS"),
    "empty": Scope("MANHATTAN"),
    "municipality": Scope("BRONX", "BRONX-01"),
    "its neighbour": Scope("BRONX", "BRONX-02"),
    "body": Scope("BRONX", organisation="BRONX-DEP"),
    "another body": Scope("QUEENS", organisation="QUEENS-DOT"),
    "topics": Scope("BRONX", topics=(NOISE,)),
    "sandbox": Scope(sandbox_of("BRONX")),
}


class Marked(NamedTuple):
    """An incident, as it stands in the read models."""

    row: IncidentRow
    open_marks: tuple[str, ...]  # whoever sees it may see them
    sealed_marks: tuple[str, ...]  # they need the right to personal data

    @property
    def id(self) -> str:
        return incident_id(self.row.region, self.row.id)

    @property
    def ids(self) -> tuple[str, ...]:
        return (self.id, str(self.row.id), Place.of(self.row).cursor())

    def is_for(self, viewer: Viewer) -> bool:
        row = self.row
        return viewer.sees(row.region, row.municipality, row.organisation, row.topic)


@dataclass(frozen=True)
class Network:
    api: Api
    node: Node
    incidents: dict[UUID, Marked]
    named: dict[UUID, set[UUID]]  # by an incident's own record, which whoever sees it may read

    def token(self, viewer: Viewer) -> str | None:
        if viewer.scope is None:
            return None
        now = max(datetime.now(UTC), self.api.clock.now)
        return issue_token(SECRET, viewer, now=now, valid=timedelta(hours=1))

    def seen_by(self, viewer: Viewer) -> set[UUID]:
        return {id for id, each in self.incidents.items() if each.is_for(viewer)}

    def betrayed(self, answer: str, viewer: Viewer) -> set[str]:
        """The marks in an answer that are not for the viewer."""
        seen = self.seen_by(viewer)
        known = seen.union(*(self.named.get(id, ()) for id in seen))
        forbidden = {SOURCE} - ({SOURCE} if viewer.sees("QUEENS", None) else set())
        for id, each in self.incidents.items():
            forbidden |= {*each.ids} if id not in known else set()
            forbidden |= {*each.open_marks} if id not in seen else set()
            forbidden |= set() if id in seen and viewer.personal_data else {*each.sealed_marks}
        return {mark for mark in forbidden if mark in answer}


@contextmanager
def marked_network(url: str, catalogue: Catalogue) -> Iterator[Network]:
    """Incidents of every place and matter, some of them merged and linked; all alike in text."""
    with serving(url) as api, projecting(url, catalogue), node_on(url, catalogue) as node:
        lives = [
            _life(node, number, *place, *matter)
            for number, (place, matter) in enumerate(product(PLACES, MATTERS))
        ]
        named = _named(node, lives)
        _open_source(node)
        catch_up(url)
        yield Network(api, node, _marked(url, lives), named)


def _life(
    node: Node, number: int, region: str, place: str | None, topic: str | None, body: str | None
) -> tuple[str, UUID, int]:
    """An incident with a mark of its own in all that can be written about it."""
    centre, proper = node.centre(region), region.partition("~")[0]
    municipality = place and f"{proper}-{place}"
    by, sealed = Actor(_open(number), Role.SYSTEM), _sealed(number)
    citizen = Citizen(name=sealed, contact=sealed, text=f"Нет воды {sealed}")
    # The first three matters of a place lie in one cell, the fourth by itself.
    latitude = 40.82 + 0.05 * (body == "DOT")
    facts = {"municipality": municipality, "latitude": latitude, "longitude": -73.92}
    id = registered(
        centre, external_id=f"post{_open(number)}", citizen=citizen, **facts
    ).incident_id
    given: list[Command] = [
        PublishReply(kind=ReplyKind.FIRST, text=sealed),
        *([Classify(topic=topic)] if topic else []),
    ]
    if body is not None:
        due = NOON + timedelta(hours=2)
        given += [
            Assign(organisation=f"{proper}-{body}", holder=_open(number), due_at=due),
            Prioritize(priority=Priority.HIGH, reason=PriorityReason.MASS),
            AcceptWork(),
            ContactCitizen(channel="PHONE", note=sealed),
        ]
    for minutes, command in enumerate(given, start=1):
        ask(centre, id, command, minutes, by=by)
    memory = Memory(node.pool, node.vault)
    memory.keep(region, memory.of(id, "Нет воды", sealed, written_at=NOON, topic=topic))
    return region, id, number


def _open(number: int) -> str:
    return f"open{number:03}x"


def _sealed(number: int) -> str:
    return f"sealed{number:03}x"


def _open_source(node: Node) -> None:
    command = OpenSource(code=f"QUEENS-{SOURCE}", channel="ONLINE", name=SOURCE, address=SOURCE)
    by = Actor("operator", Role.SYSTEM)
    command_office(node.centre("QUEENS"), command, command_id=uuid4(), at=NOON, by=by)


def _marked(url: str, lives: Sequence[tuple[str, UUID, int]]) -> dict[UUID, Marked]:
    with versions.connect(url) as connection, connection.cursor() as cursor:
        cursor.row_factory = class_row(IncidentRow)
        rows = {row.id: row for row in cursor.execute("SELECT * FROM incident")}
    return {id: Marked(rows[id], (_open(n),), (_sealed(n),)) for _, id, n in lives}


def _named(node: Node, lives: Sequence[tuple[str, UUID, int]]) -> dict[UUID, set[UUID]]:
    """Neighbours in each region are merged, others linked: across municipalities and bodies."""
    named: dict[UUID, set[UUID]] = {}
    for region in REGIONS:
        of = [id for each, id, _ in lives if each == region]
        for one, other, command in (
            (of[0], of[5], Merge(into=of[5])),
            (of[2], of[9], Link(to=of[9], kind=LinkKind.RELATED)),
        ):
            ask(node.centre(region), one, command, 60)
            named.setdefault(one, set()).add(other)
            named.setdefault(other, set()).add(one)
    return named
