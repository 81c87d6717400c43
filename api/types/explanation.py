"""Why a unit stands where it stands, as a client sees it.

Reckoned: projections/views/explanations.py.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import strawberry

from api.context import Info
from api.cost_directives import ListSize
from api.types.ranking import Ranking, RankingRow
from domain.publications import RankingQuestion
from domain.vocabulary import Ranked
from projections.views.explanations import Contribution, Dimension, Explanation, Without
from regions.reference.catalogue import Catalogue


@strawberry.input(description="Which cases a what-if leaves out: those of any of these codes.")
class WithoutInput:
    topics: list[str] = strawberry.field(default_factory=list, description="Codes of topics.")
    hours: list[str] = strawberry.field(
        default_factory=list, description="Local hours of publication, `00` to `23`."
    )
    organisations: list[str] = strawberry.field(
        default_factory=list, description="Codes of bodies."
    )
    channels: list[str] = strawberry.field(default_factory=list, description="Codes of channels.")

    def without(self) -> Without:
        return Without(self.topics, self.hours, self.organisations, self.channels)


@strawberry.type(description="What some of a unit's cases contribute to its gap.")
class RankContribution:
    dimension: Dimension = strawberry.field(description="By what the cases are told apart.")
    code: str = strawberry.field(description="Which of them; empty where it is not known.")
    name: str = strawberry.field(description="Its name, or its code where it has none.")
    cases: int = strawberry.field(description="How many.")
    slow: int = strawberry.field(description="Of them, slower than the tier's median, or waiting.")
    contribution: float = strawberry.field(
        description="(slow - cases / 2) / all cases of the unit. Those of one dimension add up to "
        "the gap; positive makes the unit slower."
    )

    @classmethod
    def of(cls, found: Contribution, catalogue: Catalogue) -> "RankContribution":
        named: Mapping[Dimension, Mapping[str, Any]] = {
            Dimension.TOPIC: catalogue.topics,
            Dimension.ORGANISATION: catalogue.organisations,
            Dimension.CHANNEL: catalogue.channels,
        }
        entry = named.get(found.dimension, {}).get(found.code)
        return cls(
            dimension=found.dimension,
            code=found.code,
            name=entry.name if entry else found.code,
            cases=found.cases,
            slow=found.slow,
            contribution=found.share,
        )


@strawberry.type(description="Why a unit stands where it stands by the time to first reply.")
class RankExplanation:
    row: RankingRow = strawberry.field(description="Its line in the ranking.")
    tier_median_seconds: float | None = strawberry.field(
        description="Median of its tier's units: what is slower than it is slow."
    )
    slow_share: float | None = strawberry.field(
        description="Share of its cases that are slow; half of them in the middle of the tier."
    )
    gap: float | None = strawberry.field(description="slowShare less one half.")
    contributions: list[RankContribution] = strawberry.field(
        description="Dimension by dimension, the weightiest first.",
        directives=[ListSize(assumed_size=100)],
    )
    what_if: RankingRow | None = strawberry.field(
        description="Its line without the cases of `without`, all others being as they are."
    )
    ranking: Ranking = strawberry.field(description="The ranking it is explained in.")

    @classmethod
    def of(
        cls,
        found: Explanation,
        question: RankingQuestion,
        catalogue: Catalogue,
        *,
        now: datetime,
    ) -> "RankExplanation":
        return cls(
            row=RankingRow(found.standing, question.of),
            tier_median_seconds=found.tier_median,
            slow_share=found.slow_share,
            gap=None if found.slow_share is None else found.slow_share - 0.5,
            contributions=[RankContribution.of(each, catalogue) for each in found.contributions],
            what_if=RankingRow(found.what_if, question.of) if found.what_if else None,
            ranking=Ranking.of(found.ranking, question, now=now),
        )


def require_unit(info: Info, unit: str, of: Ranked) -> None:
    """Raises Unknown…, or NotPermitted for who may not see all incidents of the unit."""
    catalogue, viewer = info.context.catalogue, info.context.viewer
    match of:
        case Ranked.REGIONS:
            viewer.require(catalogue.region(unit).code, None)
        case Ranked.MUNICIPALITIES:
            viewer.require(catalogue.municipality(unit).region, unit)
        case Ranked.ORGANISATIONS:
            known = catalogue.organisations.get(unit)
            body = catalogue.organisation(unit, region=known.region if known else "?")
            viewer.require(body.region, body.municipality, unit)
