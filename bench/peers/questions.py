"""The two questions, in GraphQL and by hand: SQL, a tuple a row, a dict a tuple."""

import base64
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from psycopg import AsyncConnection

from domain.publications import RankingQuestion
from projections.views import federal
from regions.reference.catalogue import Catalogue

PAGE: Final = """{ incidents(first: 100) { edges { node {
  id version position status channel source kind regime priority outcome cycle returns hops
  publishedAt registeredAt dueAt resolvedAt regionCode municipalityCode topicCode organisationCode
} } } }"""
RANKING: Final = """query ($period: PeriodInput!) { ranking(period: $period) { rows {
  place value region { code name }
  figures {
    registered answered unansweredShare replyMedianSeconds replyP90Seconds due missed overdueShare
  }
} } }"""


def periods(today: date) -> list[dict[str, str]]:
    """Fifty of the ranking, thirty days or 29: until yesterday, and until each day before."""
    return [
        {"first": f"{last - timedelta(days=more)}", "last": f"{last}"}
        for last in (today - timedelta(days=back) for back in range(1, 26))
        for more in (29, 28)
    ]


async def page(connection: AsyncConnection[Any]) -> Mapping[str, Any]:
    """What PAGE is answered."""
    async with connection.cursor(binary=True) as cursor:
        await cursor.execute(
            """
            SELECT region,
                   id,
                   pos,
                   version,
                   status,
                   channel,
                   source,
                   kind,
                   regime,
                   priority,
                   outcome,
                   cycle,
                   returns,
                   hops,
                   published_at,
                   registered_at,
                   due_at,
                   resolved_at,
                   municipality,
                   topic,
                   organisation
              FROM incident
             WHERE strpos(region, '~') < 1
             ORDER BY registered_at DESC, id DESC
             LIMIT 100
            """
        )
        return {
            "incidents": {"edges": [{"node": _incident(row)} for row in await cursor.fetchall()]}
        }


def _incident(row: tuple[Any, ...]) -> dict[str, Any]:
    region, key, pos, version, status, channel, source, kind, regime, priority = row[:10]
    outcome, cycle, returns, hops, published, registered, due, resolved = row[10:18]
    return {
        "id": base64.urlsafe_b64encode(f"Incident:{region}/{key.hex}".encode()).decode(),
        "version": version,
        "position": f"{region}:{pos}",
        "status": status,
        "channel": channel,
        "source": source,
        "kind": kind,
        "regime": regime,
        "priority": priority,
        "outcome": outcome,
        "cycle": cycle,
        "returns": returns,
        "hops": hops,
        "publishedAt": published.isoformat(),
        "registeredAt": registered.isoformat(),
        "dueAt": due.isoformat() if due else None,
        "resolvedAt": resolved.isoformat() if resolved else None,
        "regionCode": region,
        "municipalityCode": row[18],
        "topicCode": row[19],
        "organisationCode": row[20],
    }


async def ranking(
    connection: AsyncConnection[Any], catalogue: Catalogue, period: Mapping[str, str]
) -> Mapping[str, Any]:
    """What RANKING is answered. The statistics are the product's, for all alike."""
    first, last = (date.fromisoformat(period[name]) for name in ("first", "last"))
    found = await federal.ranking(
        connection,
        RankingQuestion(first=first, last=last),
        catalogue=catalogue,
        now=datetime.now(UTC),
        durations=("reply",),
    )
    return {"ranking": {"rows": [_row(each, catalogue) for each in found.standings]}}


def _row(standing: Any, catalogue: Catalogue) -> dict[str, Any]:
    figures, reply = standing.figures, standing.figures.lasted("reply")
    return {
        "place": standing.place,
        "value": standing.measured.value,
        "region": {"code": standing.unit, "name": catalogue.regions[standing.unit].name},
        "figures": {
            "registered": figures.registered,
            "answered": figures.answered,
            "unansweredShare": figures.unanswered_share,
            "replyMedianSeconds": reply.median,
            "replyP90Seconds": reply.p90,
            "due": figures.due,
            "missed": figures.missed,
            "overdueShare": figures.overdue_share,
        },
    }
