"""Figures and boards of units, as a client sees them. Definitions: docs/api.md, "Figures"."""

from collections.abc import Callable, Mapping
from datetime import date

import strawberry

from projections.figures import Figures as Measured
from projections.figures import Period
from projections.queues import Queue
from projections.regional import Board as MeasuredBoard


@strawberry.input(
    name="PeriodInput", description="Whole local days of each unit, both days included."
)
class PeriodInput:
    first: date = strawberry.field(description="First day.")
    last: date = strawberry.field(description="Last day.")

    def period(self) -> Period:
        """Raises PeriodInvalid."""
        return Period(self.first, self.last).checked()


@strawberry.type(
    description="What is counted and measured of one unit over a period. Durations are in seconds "
    "of calendar time; null where nothing tells them."
)
class Figures:
    registered: int = strawberry.field(
        description="n: incidents registered in the period, the cohort all speeds are measured on."
    )
    answered: int = strawberry.field(description="Of them, with a reply by a human.")
    unanswered_share: float | None = strawberry.field(
        description="Of them, the share without one: read it beside every speed."
    )
    reply_median_seconds: float | None = strawberry.field(
        description="Publication of the message to the first reply by a human. Who has none yet "
        "counts as slower than all who have; null when more than half have none."
    )
    reply_mean_seconds: float | None = strawberry.field(
        description="Mean over the answered only, as the network publishes it."
    )
    reply_p90_seconds: float | None = strawberry.field(
        description="90 % of the cohort were answered within; null when over 10 % have no reply."
    )
    resolved: int = strawberry.field(description="Of the cohort, resolved in their last cycle.")
    resolution_median_seconds: float | None = strawberry.field(
        description="Start of the last cycle to its resolution, of the resolved."
    )
    resolution_mean_seconds: float | None = strawberry.field(
        description="Mean of the same, of the resolved."
    )
    resolution_p90_seconds: float | None = strawberry.field(
        description="90 % of the resolved were resolved within."
    )
    reopened: int = strawberry.field(description="Of the cohort, in a second or later cycle.")
    returned: int = strawberry.field(
        description="Of the cohort, sent back to triage at least once."
    )
    due: int = strawberry.field(
        description="Incidents, whenever registered, whose deadline fell on a day of the period "
        "that is over in the whole region."
    )
    missed: int = strawberry.field(description="Of them, resolved later or still open.")
    overdue_share: float | None = strawberry.field(description="missed divided by due.")

    @classmethod
    def of(cls, measured: Measured) -> "Figures":
        return cls(
            registered=measured.registered,
            answered=measured.answered,
            unanswered_share=measured.unanswered_share,
            reply_median_seconds=measured.reply_median,
            reply_mean_seconds=measured.reply_mean,
            reply_p90_seconds=measured.reply_p90,
            resolved=measured.resolved,
            resolution_median_seconds=measured.resolution_median,
            resolution_mean_seconds=measured.resolution_mean,
            resolution_p90_seconds=measured.resolution_p90,
            reopened=measured.reopened,
            returned=measured.returned,
            due=measured.due,
            missed=measured.missed,
            overdue_share=measured.overdue_share,
        )


@strawberry.type(description="A number of incidents in one state.")
class StatusCount:
    status: str = strawberry.field(description="A value of the enum Status.")
    incidents: int = strawberry.field(description="How many.")


@strawberry.type(description="How many wait for somebody.")
class QueueCount:
    queue: Queue = strawberry.field(description="For what.")
    incidents: int = strawberry.field(description="How many; list them by the filter `queue`.")


@strawberry.type(description="A unit one level below, with its figures of the same period.")
class BoardPart:
    code: str = strawberry.field(description="Code of the region or municipality.")
    name: str = strawberry.field(description="Its name.")
    figures: Figures = strawberry.field(description="Its figures.")


@strawberry.type(description="What a municipality, a region or the country sees of itself.")
class Board:
    figures: Figures = strawberry.field(description="Its figures over the period.")
    open_incidents: list[StatusCount] = strawberry.field(
        description="Open now, whenever registered, by status."
    )
    overdue: int = strawberry.field(description="Open now and past their deadline.")
    queues: list[QueueCount] = strawberry.field(description="What waits for somebody now.")
    parts: list[BoardPart] = strawberry.field(
        description="The units one level below that had incidents or deadlines in the period."
    )

    @classmethod
    def of(cls, measured: MeasuredBoard, name_of: Callable[[str], str]) -> "Board":
        return cls(
            figures=Figures.of(measured.figures),
            open_incidents=_counts(measured.open_by_status),
            overdue=measured.overdue,
            queues=[QueueCount(queue=queue, incidents=n) for queue, n in measured.queues.items()],
            parts=[
                BoardPart(code=code, name=name_of(code), figures=Figures.of(figures))
                for code, figures in sorted(measured.parts.items())
            ],
        )


def _counts(by_status: Mapping[str, int]) -> list[StatusCount]:
    return [StatusCount(status=status, incidents=n) for status, n in sorted(by_status.items())]
