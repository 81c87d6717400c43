"""What the centres themselves did: crises, systemic decisions, the sources they listen to."""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import class_row

from domain.office import (
    CrisisDeclared,
    CrisisLifted,
    OfficeEvent,
    SourceClosed,
    SourceOpened,
    SystemicDecisionMade,
)
from domain.publications import RankingPublished
from projections.past import publications


class CrisisRow(NamedTuple):
    """A row of the table `crisis`."""

    region: str
    number: int
    declared_at: datetime
    declared_by: str
    reason: str
    municipality: str | None
    topic_groups: Sequence[str]
    lifted_at: datetime | None


class DecisionRow(NamedTuple):
    """A row of the table `systemic_decision`."""

    region: str
    number: str
    title: str
    topic: str
    cause: str
    decided_on: date
    made_at: datetime


class SourceRow(NamedTuple):
    """A row of the table `source`."""

    region: str
    code: str
    channel: str
    name: str
    address: str
    regime: str
    municipality: str | None
    topic: str | None
    silence_hours: int | None
    opened_at: datetime
    closed_at: datetime | None


def apply(connection: psycopg.Connection, event: OfficeEvent) -> None:
    """Take one event in. They are few: each has its own statement."""
    HANDLERS[type(event)](connection, event)


def _crisis_declared(connection: psycopg.Connection, event: CrisisDeclared) -> None:
    connection.execute(
        """
        INSERT INTO crisis (region, number, declared_at, declared_by, reason, municipality,
                            topic_groups)
        SELECT %(region)s,
               count(*) + 1,
               %(at)s,
               %(by)s,
               %(reason)s,
               %(municipality)s,
               %(topic_groups)s
          FROM crisis
         WHERE region = %(region)s
        """,
        {
            "region": event.region,
            "at": event.occurred_at,
            "by": event.actor,
            "reason": event.reason,
            "municipality": event.municipality,
            "topic_groups": list(event.topic_groups),
        },
    )


def _crisis_lifted(connection: psycopg.Connection, event: CrisisLifted) -> None:
    connection.execute(
        "UPDATE crisis SET lifted_at = %s WHERE region = %s AND lifted_at IS NULL",
        [event.occurred_at, event.region],
    )


def _decision_made(connection: psycopg.Connection, event: SystemicDecisionMade) -> None:
    connection.execute(
        """
        INSERT INTO systemic_decision (region, number, title, topic, cause, decided_on, made_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s)
        """,
        [
            event.region,
            event.number,
            event.title,
            event.topic,
            event.cause,
            event.decided_on,
            event.occurred_at,
        ],
    )


def _source_opened(connection: psycopg.Connection, event: SourceOpened) -> None:
    connection.execute(
        """
        INSERT INTO source (region, code, channel, name, address, regime, municipality, topic,
                            silence_hours, opened_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
            ON CONFLICT (region, code) DO UPDATE
           SET channel = excluded.channel,
               name = excluded.name,
               address = excluded.address,
               regime = excluded.regime,
               municipality = excluded.municipality,
               topic = excluded.topic,
               silence_hours = excluded.silence_hours,
               opened_at = excluded.opened_at,
               closed_at = NULL
        """,
        [
            event.region,
            event.code,
            event.channel,
            event.name,
            event.address,
            event.regime,
            event.municipality,
            event.topic,
            event.silence_hours,
            event.occurred_at,
        ],
    )


def _source_closed(connection: psycopg.Connection, event: SourceClosed) -> None:
    connection.execute(
        "UPDATE source SET closed_at = %s WHERE region = %s AND code = %s",
        [event.occurred_at, event.region, event.code],
    )


HANDLERS: dict[type[OfficeEvent], Callable[[psycopg.Connection, Any], None]] = {
    CrisisDeclared: _crisis_declared,
    CrisisLifted: _crisis_lifted,
    SystemicDecisionMade: _decision_made,
    RankingPublished: publications.record,
    SourceOpened: _source_opened,
    SourceClosed: _source_closed,
}


async def crises(connection: AsyncConnection[Any], region: str) -> list[CrisisRow]:
    """Of a region, the last declared first."""
    async with connection.cursor(row_factory=class_row(CrisisRow)) as cursor:
        await cursor.execute(
            "SELECT * FROM crisis WHERE region = %s ORDER BY number DESC", [region]
        )
        return await cursor.fetchall()


async def systemic_decisions(
    connection: AsyncConnection[Any], region: str, topic: str | None
) -> list[DecisionRow]:
    """Of a region, for one topic or for all, the last made first."""
    async with connection.cursor(row_factory=class_row(DecisionRow)) as cursor:
        await cursor.execute(
            """
            SELECT *
              FROM systemic_decision
             WHERE region = %s
               AND (%s::text IS NULL OR topic = %s)
             ORDER BY made_at DESC, number
            """,
            [region, topic, topic],
        )
        return await cursor.fetchall()
