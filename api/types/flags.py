"""Flags, as a client sees them. How they are raised: projections/views/flags.py."""

from collections.abc import Sequence

import strawberry

from api.context import Info
from projections.statistics.figures import share
from projections.views import flags
from projections.views.flag_counts import FlagKind
from projections.views.flags import ComparedTo
from projections.views.heat_map import SHOWN_MIN


@strawberry.type(
    description="What in a unit's figures looks like gaming and can hardly be chance. No verdict: "
    "look at the incidents behind it, by the filter `flagged` of `incidents`."
)
class Flag:
    kind: FlagKind = strawberry.field(description="Of what.")
    region: str = strawberry.field(description="Code of the region it concerns.")
    municipality: str | None = strawberry.field(
        description="Code of the municipality; null: the region as a whole."
    )
    n: int = strawberry.field(description="Cases found, as many as the filter `flagged` lists.")
    of: int | None = strawberry.field(
        description="Of how many; null as `expected`, where it would tell that."
    )
    share: float | None = strawberry.field(description="n divided by of.")
    expected: float | None = strawberry.field(
        description="How many were to be expected; null for who may not see the incidents, where "
        "it comes from fewer than 5 cases."
    )
    compared_to: ComparedTo = strawberry.field(description="Where that comes from.")
    chance: float | None = strawberry.field(
        description="How often chance alone does as much; null as `expected`, which it would tell."
    )
    threshold: str = strawberry.field(description="From when on it is raised, in words.")
    median_seconds: float | None = strawberry.field(description="CAPTURE_LAG: the median now.")
    usual_seconds: float | None = strawberry.field(
        description="CAPTURE_LAG: the median of the period before."
    )

    @classmethod
    def of_unit(cls, flag: flags.Flag, *, all_cases: bool) -> "Flag":
        """`all_cases`: who asks may see the incidents, few or many."""
        excess = flag.excess
        few = excess.usual_cases is not None and excess.usual_cases < SHOWN_MIN
        hidden = few and not all_cases
        # Of the other merges of the period the expected number is told: both are as few.
        of = None if hidden and excess.kind is FlagKind.MERGE_BURST else excess.of
        return cls(
            kind=excess.kind,
            region=flag.region,
            municipality=flag.municipality,
            n=excess.n,
            of=of,
            share=None if of is None else share(excess.n, of),
            expected=None if hidden else excess.expected,
            compared_to=excess.compared_to,
            chance=None if hidden else excess.chance,
            threshold=flag.threshold,
            median_seconds=flag.median_seconds,
            usual_seconds=None if hidden else flag.usual_seconds,
        )


def shown(info: Info, found: Sequence[flags.Flag]) -> list[Flag]:
    """Of fewer than SHOWN_MIN cases only to who may see them."""
    seen = [(flag, info.context.viewer.sees(flag.region, flag.municipality)) for flag in found]
    return [
        Flag.of_unit(flag, all_cases=sees)
        for flag, sees in seen
        if sees or flag.excess.n >= SHOWN_MIN
    ]
