"""A period under other terms, as a client sees it. Reckoned: projections/past/policy_replay.py."""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any

import strawberry

from api.context import Info
from api.cost_directives import Cost, ListSize
from api.types.figures import PeriodInput
from api.types.node import incident_id
from domain.deadlines import Term
from domain.errors import DomainError, InvalidInput, ListTooLong
from domain.replaying import Unreplayed
from domain.vocabulary import Clock, Priority, Regime, TermUnit
from projections.past.policy_replay import REPLAY_DAYS_MAX, policy_replay
from projections.past.policy_replay import PolicyReplay as Found
from projections.statistics.overdue import Overdue, OverdueBy, Row, Side, Table
from regions.reference.catalogue import Catalogue
from regions.reference.terms import NetworkTerms
from regions.reference.what_if import (
    OtherTerm,
    no_terms,
    with_calendar_of,
    with_terms,
    without_closing,
)

TERMS_MAX = 50
SECONDS_MAX = 60  # some 100,000 incidents, where nobody else asks


class TwoCalendars(InvalidInput):
    """A calendar is that of another region or around the clock, not both."""

    field = "calendarOf"


@strawberry.input(
    description="A term for what its selectors match. It takes the place of the region's policies "
    "with the same selectors and beats those of the whole network; more specific ones stay."
)
class OtherTermInput:
    clock: Clock = strawberry.field(description="Which deadline.")
    amount: int = strawberry.field(description="1 to 1,000 of the unit.")
    unit: TermUnit = strawberry.field(description="How it is counted.")
    regime: Regime = strawberry.field(default=Regime.IM, description="Of which messages.")
    topic_group: str | None = strawberry.field(
        default=None, description="Code; null: any topic, or none yet."
    )
    priority: Priority | None = strawberry.field(default=None, description="Null: any.")
    fast_track: bool = strawberry.field(
        default=False, description="Only for matters that were granted the short term."
    )
    crisis: bool = strawberry.field(
        default=False, description="Only for what began while a crisis went on."
    )

    def other(self) -> OtherTerm:
        return OtherTerm(
            clock=self.clock,
            term=Term(self.amount, self.unit),
            regime=self.regime,
            topic_group=self.topic_group,
            priority=self.priority,
            fast_track=self.fast_track,
            crisis=self.crisis,
        )


@strawberry.input(description="What is to be different; of nothing both tables are the same.")
class PolicyChangeInput:
    terms: list[OtherTermInput] = strawberry.field(
        default_factory=list, description="At most 50, each for something else."
    )
    calendar_of: str | None = strawberry.field(
        default=None, description="Code of a region whose days off count; local time stays."
    )
    around_the_clock: bool = strawberry.field(
        default=False, description="Every hour of every day is working time."
    )

    def change(self, terms: NetworkTerms, region: str) -> NetworkTerms:
        """Raises Unknown…, TermAbsurd, TermRepeated, ListTooLong or TwoCalendars."""
        if len(self.terms) > TERMS_MAX:
            raise ListTooLong(field="terms", limit=TERMS_MAX)
        if self.calendar_of is not None and self.around_the_clock:
            raise TwoCalendars
        if self.calendar_of is not None:
            terms = with_calendar_of(terms, region, self.calendar_of)
        if self.around_the_clock:
            terms = without_closing(terms)
        return with_terms(terms, region, [each.other() for each in self.terms])


@strawberry.type(description="What became of the deadlines of one clock.")
class OverdueRow:
    by: OverdueBy = strawberry.field(description="By what they are told apart.")
    code: str = strawberry.field(description="Which of them; empty where it is not known.")
    name: str = strawberry.field(description="Its name, or its code where it has none.")
    clock: Clock = strawberry.field(description="Which deadline.")
    due: int = strawberry.field(description="Kept or missed.")
    kept: int = strawberry.field(description="The reply, or the solution, came in time.")
    missed: int = strawberry.field(description="It came later, or has not come yet.")
    open_late: int = strawberry.field(description="Of the missed, those still open.")
    running: int = strawberry.field(description="Neither: time is left, or the clock stands still.")
    overdue_share: float | None = strawberry.field(description="missed divided by due.")
    lateness_median_seconds: float | None = strawberry.field(
        description="By how much half of the missed were missed; what is open is late until now."
    )
    lateness_p90_seconds: float | None = strawberry.field(
        description="90 % of the missed were late by no more."
    )

    @classmethod
    def of(cls, row: Row, overdue: Overdue, catalogue: Catalogue) -> "OverdueRow":
        median, p90 = overdue.lateness
        return cls(
            by=row.by,
            code=row.code,
            name=name_of(row, catalogue),
            clock=row.clock,
            due=overdue.due,
            kept=overdue.kept,
            missed=overdue.missed,
            open_late=overdue.open_late,
            running=overdue.running,
            overdue_share=overdue.overdue_share,
            lateness_median_seconds=median,
            lateness_p90_seconds=p90,
        )


def name_of(row: Row, catalogue: Catalogue) -> str:
    named: Mapping[OverdueBy, Mapping[str, Any]] = {
        OverdueBy.MUNICIPALITY: catalogue.municipalities,
        OverdueBy.ORGANISATION: catalogue.organisations,
        OverdueBy.TOPIC_GROUP: catalogue.topics,
    }
    entry = named.get(row.by, {}).get(row.code)
    return entry.name if entry else row.code


@strawberry.type(description="Incidents of which something is not told anew.")
class UnreplayedCount:
    reason: Unreplayed = strawberry.field(description="Why.")
    incidents: int = strawberry.field(description="How many; their deadlines are as recorded.")


@strawberry.type(description="An incident that is on the other side of its deadlines.")
class ChangedIncident:
    id: strawberry.ID = strawberry.field(description="Ask `incident` for it.")
    becomes: Side = strawberry.field(description="LATE: it kept all its deadlines and misses one.")


By = Annotated[
    list[OverdueBy] | None,
    strawberry.argument(description="Which rows; null: the whole alone."),
]


@strawberry.type(
    description="The deadlines of the incidents registered in a period, as they were and as they "
    "would have been. What people did is the same in both; nobody knows what they would have done."
)
class PolicyReplay:
    found: strawberry.Private[Found]
    catalogue: strawberry.Private[Catalogue]
    incidents: int = strawberry.field(description="n: counted incidents registered in the period.")
    became_late: int = strawberry.field(
        description="Of them, those that kept all their deadlines and would have missed one."
    )
    became_kept: int = strawberry.field(
        description="Of them, those that missed a deadline and would have kept all."
    )
    changed: list[ChangedIncident] = strawberry.field(
        description="The first of both, by registration; narrow period or place to see others."
    )
    unreplayed: list[UnreplayedCount] = strawberry.field(
        description="What could not be told anew and stands in both tables as it was recorded."
    )

    @strawberry.field(description="As they were. Its rows are those of `replayed`, in one order.")
    def actual(self, by: By = None) -> list[OverdueRow]:
        return self._rows(self.found.actual, by)

    @strawberry.field(description="As they would have been.")
    def replayed(self, by: By = None) -> list[OverdueRow]:
        return self._rows(self.found.replayed, by)

    def _rows(self, table: Table, by: list[OverdueBy] | None) -> list[OverdueRow]:
        wanted = [OverdueBy.WHOLE] if by is None else by
        return [
            OverdueRow.of(row, overdue, self.catalogue)
            for row, overdue in table.items()
            if row.by in wanted
        ]

    @classmethod
    def of(cls, found: Found, region: str, catalogue: Catalogue) -> "PolicyReplay":
        return cls(
            found=found,
            catalogue=catalogue,
            incidents=found.incidents,
            became_late=found.became[Side.LATE],
            became_kept=found.became[Side.KEPT],
            changed=[
                ChangedIncident(id=incident_id(region, each.id), becomes=each.becomes)
                for each in found.changed
            ],
            unreplayed=[
                UnreplayedCount(reason=reason, incidents=found.unreplayed[reason])
                for reason in Unreplayed
                if found.unreplayed[reason]
            ],
        )


class TooExpensive(DomainError):
    """The question takes more than {limit} s to answer; narrow its period or place."""


@strawberry.type(description="What if.")
class PolicyQuery:
    @strawberry.field(
        description="What if other terms, or another calendar, had counted for the incidents "
        "registered in a period of at most 366 days: told from their events, deadline by deadline. "
        "For who may see all incidents of the place.",
        directives=[
            Cost(weight="20000"),
            ListSize(slicing_arguments=["first"], sized_fields=["changed"]),
        ],
    )
    async def policy_replay(
        self,
        info: Info,
        region: str,
        period: PeriodInput,
        change: PolicyChangeInput,
        municipality: Annotated[
            str | None, strawberry.argument(description="Code; null: the whole region.")
        ] = None,
        first: Annotated[
            int, strawberry.argument(description="How many changed incidents to name, 1 to 100.")
        ] = 20,
    ) -> PolicyReplay:
        context = info.context
        require_place(info, region, municipality)
        terms = context.node.terms or no_terms(context.catalogue)
        other = change.change(terms, region)
        try:
            async with asyncio.timeout(SECONDS_MAX):
                found = await policy_replay(
                    context.reading_all,
                    period.period(days_max=REPLAY_DAYS_MAX),
                    region,
                    municipality,
                    catalogue=context.catalogue,
                    own=terms.of(region),
                    other=other.of(region),
                    now=context.clock(),
                    first=first,
                    aside=context.in_thread,
                )
        except TimeoutError:
            raise TooExpensive(limit=SECONDS_MAX) from None
        return PolicyReplay.of(found, region, context.catalogue)


def require_place(info: Info, region: str, municipality: str | None) -> None:
    """Raises Unknown…, or NotPermitted for who may not see all incidents there."""
    catalogue = info.context.catalogue
    catalogue.region(region)
    if municipality is not None:
        catalogue.municipality(municipality, region=region)
    info.context.viewer.require(region, municipality)
