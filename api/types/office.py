"""What a centre itself did: crises and systemic decisions."""

from datetime import date, datetime

import strawberry

from domain.vocabulary import Cause, CrisisReason
from projections.offices import CrisisRow, DecisionRow


@strawberry.type(description="A time in which a region works by the rules of a crisis.")
class Crisis:
    reason: CrisisReason = strawberry.field(description="Why.")
    topic_groups: list[str] = strawberry.field(description="What it is about; none: everything.")
    municipality: str | None = strawberry.field(description="Where; null: in all of the region.")
    declared_at: datetime = strawberry.field(description="From when on.")
    lifted_at: datetime | None = strawberry.field(description="Until when; null: it goes on.")

    @classmethod
    def of(cls, row: CrisisRow) -> "Crisis":
        return cls(
            reason=CrisisReason(row.reason),
            topic_groups=list(row.topic_groups),
            municipality=row.municipality,
            declared_at=row.declared_at,
            lifted_at=row.lifted_at,
        )


@strawberry.type(description="What was changed so that a kind of problem does not come back.")
class SystemicDecision:
    number: str = strawberry.field(description="Of the act; a root cause names it.")
    title: str = strawberry.field(description="In words.")
    topic: str = strawberry.field(description="Code of the topic.")
    cause: Cause = strawberry.field(description="What it does away with.")
    decided_on: date = strawberry.field(description="When.")

    @classmethod
    def of(cls, row: DecisionRow) -> "SystemicDecision":
        return cls(
            number=row.number,
            title=row.title,
            topic=row.topic,
            cause=Cause(row.cause),
            decided_on=row.decided_on,
        )
