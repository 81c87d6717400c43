"""What if: the deadlines of a period's incidents under other terms, beside those they had.

Told from the stored events of the cohort, incident by incident (domain/replaying.py); the rows only
say which incidents those are and where they belong. Each incident is replayed under the region's
own terms too. If that does not give the deadlines it was recorded with, the terms of then are not
known (the catalogue was changed since, or an import went on in a crisis): it counts with what it
had, and as OTHER_TERMS. So whatever differs between the two tables comes from the change alone.

Crises are as they were: by the positions of their events.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection

from domain.deadlines import Terms
from domain.errors import PageTooLarge
from domain.events import Event
from domain.office import CrisisDeclared, CrisisLifted, office_id
from domain.replaying import Unreplayed, deadlines_of, replayed
from domain.runs import Run, runs_of
from domain.vocabulary import Clock
from projections.statistics.figures import Period
from projections.statistics.overdue import Overdue, OverdueBy, Row, Side, Table, in_order
from regions.reference.catalogue import Catalogue
from regions.store.event_store import decode_event

PAGE_INCIDENTS = 200  # in memory at once, with all their events
REPLAY_DAYS_MAX = 366
CHANGED_MAX = 100  # incidents named; narrow the period or the place to see others

Reading = Callable[[], AbstractAsyncContextManager[AsyncConnection[Any]]]
Aside = Callable[[Callable[[], None]], Awaitable[None]]  # runs it in a thread


class Case(NamedTuple):
    """An incident of the cohort, where it belongs, and its events as they are stored."""

    id: UUID
    codes: dict[OverdueBy, str]
    told: Sequence[tuple[int, str, str]]  # position, topic and payload


class Changed(NamedTuple):
    id: UUID
    becomes: Side


@dataclass(slots=True)
class PolicyReplay:
    """Both tables have the same lines in the same order."""

    incidents: int = 0
    unreplayed: Counter[Unreplayed] = field(default_factory=Counter)  # incidents
    actual: Table = field(default_factory=dict)
    replayed: Table = field(default_factory=dict)
    became: Counter[Side] = field(default_factory=Counter)  # incidents that change sides
    changed: list[Changed] = field(default_factory=list)  # the first of them by registration


class Crises:
    """The terms of a region at each position of its events."""

    def __init__(self, terms: Terms, events: Iterable[tuple[int, Event]]) -> None:
        self.spans = [(0, terms)]
        for pos, event in events:
            if isinstance(event, CrisisDeclared):
                then = terms.in_crisis(event.topic_groups, event.municipality)
                self.spans.append((pos, then))
            else:
                self.spans.append((pos, terms))

    def terms_at(self, pos: int) -> Terms:
        """A command is decided by what stood in the log before its events."""
        return next(terms for since, terms in reversed(self.spans) if since < pos)


async def policy_replay(
    reading: Reading,
    period: Period,
    region: str,
    municipality: str | None = None,
    *,
    catalogue: Catalogue,
    own: Terms,
    other: Terms,
    now: datetime,
    first: int = CHANGED_MAX,
    aside: Aside = asyncio.to_thread,
) -> PolicyReplay:
    """Of a region, or a municipality of it; `first` of the incidents that change sides are named.

    A page of incidents is in memory at a time, and a connection is held for a page. Raises
    PeriodInvalid, also for more than REPLAY_DAYS_MAX days, or PageTooLarge.
    """
    period.checked(days_max=REPLAY_DAYS_MAX)
    if not 1 <= first <= CHANGED_MAX:
        raise PageTooLarge(field="first", limit=CHANGED_MAX)
    async with reading() as connection:
        crises = await _crises(connection, region)
    replay = _Replay(catalogue, Crises(own, crises), Crises(other, crises), now, first)
    async for page in _pages(reading, period, region, municipality):
        # Beside the event loop; who gives up waiting leaves a page to be finished, no more.
        await aside(partial(replay.take, page))
    return replay.in_order()


@dataclass(slots=True)
class _Replay:
    """A replay under way."""

    catalogue: Catalogue
    own: Crises
    other: Crises
    now: datetime
    first: int
    found: PolicyReplay = field(default_factory=PolicyReplay)

    def take(self, page: Sequence["_Stored"]) -> None:
        for incident, rows in groupby(page, key=itemgetter(slice(0, 4))):
            told = [row[4:] for row in rows]
            self._add(_case(incident, told, self.catalogue))

    def _add(self, case: Case) -> None:
        stored = [(pos, decode_event(topic, payload)) for pos, topic, payload in case.told]
        actual = runs_of(case.id, (event for _, event in stored))
        again = self._again(case.id, stored)
        sides = [
            self._count(table, case, runs)
            for table, runs in (
                (self.found.actual, actual),
                (self.found.replayed, actual if again is None else again),
            )
        ]
        self.found.incidents += 1
        if sides[0] is not sides[1]:
            self._note_change(Changed(case.id, sides[1]))

    def _again(self, incident: UUID, stored: Sequence[tuple[int, Event]]) -> list[Run] | None:
        """None where the region's own terms do not give what was recorded."""
        own, other = (
            replayed(incident, ((event, terms.terms_at(pos)) for pos, event in stored))
            for terms in (self.own, self.other)
        )
        if _dues(own.events) != _dues(event for _, event in stored):
            self.found.unreplayed[Unreplayed.OTHER_TERMS] += 1
            return None
        self.found.unreplayed[Unreplayed.MESSAGES_TAKEN] += other.took_deadline
        return runs_of(incident, other.events)

    def _count(self, table: Table, case: Case, runs: Sequence[Run]) -> Side:
        for run in runs:
            for by, code in case.codes.items():
                table.setdefault(Row(by, code, run.clock), Overdue()).add(run, self.now)
        late = any(run.late_seconds(self.now) is not None for run in runs)
        return Side.LATE if late else Side.KEPT

    def _note_change(self, changed: Changed) -> None:
        self.found.became[changed.becomes] += 1
        if len(self.found.changed) < self.first:
            self.found.changed.append(changed)

    def in_order(self) -> PolicyReplay:
        found = self.found
        rows = in_order({**found.actual, **found.replayed})
        found.actual, found.replayed = (
            {row: table.get(row, Overdue()) for row in rows}
            for table in (found.actual, found.replayed)
        )
        return found


def _dues(events: Iterable[Event]) -> list[tuple[Clock, datetime, datetime]]:
    return [(each.clock, each.started_at, each.due_at) for each in deadlines_of(events)]


def _case(
    incident: tuple[UUID, str, str, str], told: list[tuple[int, str, str]], catalogue: Catalogue
) -> Case:
    incident_id, municipality, organisation, topic = incident
    known = catalogue.topics.get(topic)
    codes = {
        OverdueBy.WHOLE: "",
        OverdueBy.MUNICIPALITY: municipality,
        OverdueBy.ORGANISATION: organisation,
        OverdueBy.TOPIC_GROUP: (known.group if known else None) or "",
    }
    return Case(incident_id, codes, told)


async def _crises(connection: AsyncConnection[Any], region: str) -> list[tuple[int, Event]]:
    """What was declared and lifted, in order, with the position of each."""
    cursor = await connection.execute(
        """
        SELECT pos,
               topic,
               payload::text
          FROM events
         WHERE region = %s
           AND originator_id = %s
           AND topic = ANY (%s)
         ORDER BY originator_version
        """,
        [region, office_id(region), [CrisisDeclared.TOPIC, CrisisLifted.TOPIC]],
    )
    return [(pos, decode_event(topic, payload)) async for pos, topic, payload in cursor]


# Id, municipality, organisation and topic of an incident; position, topic and payload of an event.
_Stored = tuple[UUID, str, str, str, int, str, str]
FIRST_ID = UUID(int=0)


async def _pages(
    reading: Reading, period: Period, region: str, municipality: str | None
) -> AsyncIterator[Sequence[_Stored]]:
    """All events of some incidents at a time, as far as the read models have taken them in."""
    after = (period.first, FIRST_ID)
    while True:
        async with reading() as connection:
            page = await _page(connection, region, municipality, after, period.last)
        if not page:
            return
        after = page[-1][:2]
        yield [row[1:] for row in page]


async def _page(
    connection: AsyncConnection[Any],
    region: str,
    municipality: str | None,
    after: tuple[date, UUID],
    last: date,
) -> list[Any]:
    """Of the incidents that come next after a day and id until the last day; empty at the end."""
    cursor = await connection.execute(
        """
          WITH cohort AS (
               SELECT registered_on,
                      id,
                      version,
                      coalesce(municipality, '') AS municipality,
                      coalesce(organisation, '') AS organisation,
                      coalesce(topic, '') AS topic
                 FROM incident
                WHERE region = %(region)s
                  AND (%(municipality)s::text IS NULL OR municipality = %(municipality)s)
                  AND registered_on BETWEEN %(day)s AND %(last)s
                  AND (registered_on, id) > (%(day)s, %(last_id)s)
                  AND counted
                ORDER BY registered_on, id
                LIMIT %(page)s
               )
        SELECT registered_on,
               id,
               municipality,
               organisation,
               cohort.topic,
               pos,
               events.topic,
               payload::text
          FROM cohort
          JOIN events ON events.region = %(region)s
                     AND originator_id = id
                     AND originator_version <= version
         ORDER BY registered_on, id, originator_version
        """,
        {
            "region": region,
            "municipality": municipality,
            "day": after[0],
            "last_id": after[1],
            "last": last,
            "page": PAGE_INCIDENTS,
        },
        binary=True,
    )
    return await cursor.fetchall()
