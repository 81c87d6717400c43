"""What a ranking to be published says, and whether the log says the same of one that was."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from psycopg import AsyncConnection

from domain.publications import PublishedRow, RankingFound, RankingPublished, RankingQuestion
from domain.vocabulary import Unranked
from projections.past.past_rows import Progress, folded, skipped_positions
from projections.snapshot import one_moment
from projections.statistics.figures import Period
from projections.statistics.measures import COUNTS_IN_PERIOD
from projections.views.federal import compare, freshness
from projections.views.rankings import Standing, compared_by
from projections.views.standardised import regions_behind
from regions.reference.catalogue import Catalogue


async def find(
    connection: AsyncConnection[Any],
    question: RankingQuestion,
    *,
    catalogue: Catalogue,
    now: datetime,
) -> RankingFound:
    """The exact answer to a question, of one snapshot of the read models.

    Raises ServedAnew: what is for good is not told of two of them.
    """
    async with one_moment(connection):
        fresh = await freshness(connection, regions_behind(question, catalogue))
        stale = frozenset(each.region for each in fresh if each.stale)
        positions = {each.region: each.position for each in fresh}
        skipped = await skipped_positions(connection, positions)
        return await _found(
            connection, question, positions, stale, skipped, catalogue=catalogue, now=now
        )


async def _found(
    connection: AsyncConnection[Any],
    question: RankingQuestion,
    positions: dict[str, int],
    stale: frozenset[str],
    skipped: dict[str, list[int]],
    *,
    catalogue: Catalogue,
    now: datetime,
) -> RankingFound:
    standings = await compare(
        connection,
        question,
        catalogue=catalogue,
        now=now,
        stale=stale,
        durations=["reply"],
    )
    return RankingFound(
        rows=tuple(row_of(standing, question) for standing in standings),
        inputs_hash=await _inputs_hash(connection, question, list(positions)),
        positions=positions,
        stale=tuple(sorted(stale)),
        skipped=skipped,
    )


def row_of(standing: Standing, question: RankingQuestion) -> PublishedRow:
    figures, measured = standing.figures, standing.measured
    compared = compared_by(question.by, working=question.working)
    if standing.unranked is Unranked.INSUFFICIENT_DATA:
        # So few cases are people, not a figure; of what is published everybody may read.
        return PublishedRow(
            unit=standing.unit,
            tier=standing.tier,
            unranked=standing.unranked,
            n=measured.n,
            registered=figures.registered,
            answered=figures.answered,
        )
    return PublishedRow(
        unit=standing.unit,
        tier=standing.tier,
        place=standing.place,
        position=standing.position,
        unranked=standing.unranked,
        n=measured.n,
        value=measured.value,
        low=measured.low,
        high=measured.high,
        score=standing.score,
        p90_seconds=figures.lasted(compared[0]).p90 if compared else None,
        registered=figures.registered,
        answered=figures.answered,
        mean_reply_seconds=figures.lasted("reply").mean,
    )


async def _inputs_hash(
    connection: AsyncConnection[Any], question: RankingQuestion, regions: Sequence[str]
) -> str:
    """Of a line `id version` for each incident that counts on a day of the period."""
    cursor = await connection.execute(
        """
        SELECT encode(sha256(convert_to(
                   coalesce(string_agg(id || ' ' || version, E'\n' ORDER BY id), ''), 'UTF8'
               )), 'hex')
          FROM incident
         WHERE region = ANY (%(regions)s)
           AND counted
           AND """
        + COUNTS_IN_PERIOD,
        {"regions": list(regions), "first": question.first, "last": question.last},
    )
    row = await cursor.fetchone()
    return str(row[0]) if row else ""


class Difference(NamedTuple):
    """Where the log tells something else than what was published."""

    unit: str  # "" for the publication as a whole
    field: str
    published: object
    found: object


async def verify(
    connection: AsyncConnection[Any],
    event: RankingPublished,
    catalogue: Catalogue,
    progress: Progress,
) -> list[Difference]:
    """Find the answer again from the events up to the positions named; nothing: it is equal.

    Costs a pass over all events of the regions it is about.
    """
    question, published = event.question, event.found
    period = Period(question.first, question.last)
    async with folded(
        connection, published.positions, period, catalogue, progress, skipped=published.skipped
    ):
        found = await _found(
            connection,
            question,
            published.positions,
            frozenset(published.stale),
            published.skipped,
            catalogue=catalogue,
            now=event.occurred_at,
        )
    return differences(published, found)


def differences(published: RankingFound, found: RankingFound) -> list[Difference]:
    """The inputs first, then unit by unit."""
    of_inputs = []
    if published.inputs_hash != found.inputs_hash:
        of_inputs = [Difference("", "inputs_hash", published.inputs_hash, found.inputs_hash)]
    before, after = ({row.unit: row for row in each.rows} for each in (published, found))
    return of_inputs + [
        Difference(unit, field, was, is_now)
        for unit in sorted(before.keys() | after.keys())
        for field in PublishedRow.__struct_fields__
        if (was := getattr(before.get(unit), field, None))
        != (is_now := getattr(after.get(unit), field, None))
    ]
