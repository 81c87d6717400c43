"""Publications of rankings: recorded in the network's own stream, and found there again."""

from datetime import datetime
from uuid import UUID

import psycopg

from domain.errors import NotPermitted, PublishedAlready, UnknownPublication, VersionConflict
from domain.publications import (
    NETWORK_ROLES,
    REGION_ROLES,
    Publications,
    PublishRanking,
    RankingFound,
    RankingPublished,
    RankingQuestion,
    publications_of,
    publish,
)
from domain.rights import NETWORK, Actor, check_right, is_sandbox
from regions.centre import Centre, Position, Result
from regions.store.event_store import Alongside, CommandRecord, decode_event


def publish_ranking(
    network: Centre,
    command: PublishRanking,
    found: RankingFound,
    *,
    command_id: UUID,
    at: datetime,
    by: Actor,
) -> Result:
    """Record an answer; asked again, the first one stands. The result names the question's stream.

    Raises NotPermitted, RuleBroken: PublishedAlready also when somebody else was first.
    """
    question = command.question
    fingerprint = network.fingerprint(command)

    def attempt() -> Result:
        check_publisher(by, question)
        publications = published(network, question)
        publish(publications, command, found, at=at, by=by)
        version = publications.version
        record = CommandRecord(command_id, fingerprint, question.id, version, last_event=1)
        recordings = network.save(publications, alongside=Alongside(commands=[record]))
        return Result(question.id, version, Position(NETWORK, recordings[-1].notification.id))

    try:
        return network.once(command, command_id, fingerprint, by, attempt)
    except VersionConflict:
        latest = published(network, question).latest
        raise PublishedAlready(publication=latest.publication if latest else "?") from None


def check_publisher(by: Actor, question: RankingQuestion) -> None:
    """Raises NotPermitted. Of one region its own head may publish; of the country the network.

    What trainees do in a sandbox is nobody's ranking.
    """
    within = question.only_region
    if within is not None and is_sandbox(within):
        raise NotPermitted
    check_right(
        by,
        NETWORK_ROLES if within is None else REGION_ROLES,
        region=within or NETWORK,
        municipality=None,
        organisation=None,
        topic=None,
    )


def published(network: Centre, question: RankingQuestion) -> Publications:
    """What was published to this question, as the events tell it. Raises StoreUnavailable."""
    stored = network.recorder.select_events(question.id)
    events = (decode_event(event.topic, event.state) for event in stored)
    return publications_of(question, [e for e in events if isinstance(e, RankingPublished)])


def publication(connection: psycopg.Connection, of: UUID) -> RankingPublished:
    """From the log itself. Raises UnknownPublication."""
    row = connection.execute(
        """
        SELECT topic,
               payload::text
          FROM events
         WHERE region = %s
           AND payload->>'publication' = %s
        """,
        [NETWORK, str(of)],
    ).fetchone()
    event = decode_event(*row) if row else None
    if not isinstance(event, RankingPublished):
        raise UnknownPublication(publication=of)
    return event


def published_lately(
    connection: psycopg.Connection, region: str | None, *, limit: int = 100
) -> list[RankingPublished]:
    """From the log itself, the latest first; of the country, or of what is within a region."""
    rows = connection.execute(
        """
        SELECT topic,
               payload::text
          FROM events
         WHERE region = %s
           AND payload->'question'->>'only_region' IS NOT DISTINCT FROM %s
         ORDER BY pos DESC
         LIMIT %s
        """,
        [NETWORK, region, limit],
    ).fetchall()
    events = (decode_event(*row) for row in rows)
    return [event for event in events if isinstance(event, RankingPublished)]
