"""Other terms in place of a region's own: what a history is replayed under (domain/replaying.py).

A place keeps its local time whatever calendar it is given: the days of a deadline are its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from domain.deadlines import Term
from domain.errors import InvalidInput, UnknownTopic
from domain.rights import region_proper
from domain.vocabulary import Clock, Priority, Regime
from regions.reference.calendars import (
    CALENDAR_FILES,
    CalendarFiles,
    SpecialDays,
    around_the_clock,
    read_calendars,
)
from regions.reference.catalogue import Catalogue, CatalogueInvalid
from regions.reference.terms import AMOUNT_MAX, NetworkTerms, Policy, by_specificity, load_policies


class TermAbsurd(InvalidInput):
    """A term is between 1 and {limit} of its unit, not {amount}."""

    field = "amount"


class TermRepeated(InvalidInput):
    """Two terms are for the same clock, regime, topic group, priority, fast track and crisis."""

    field = "terms"


@dataclass(frozen=True, slots=True)
class OtherTerm:
    """A term of a region in place of what it has; selectors as in policies.csv."""

    clock: Clock
    term: Term
    regime: Regime = Regime.IM
    topic_group: str | None = None
    priority: Priority | None = None
    fast_track: bool = False
    crisis: bool = False

    def policy(self, region: str, code: str) -> Policy:
        """Valid on every day."""
        return Policy(
            code=code,
            regime=self.regime,
            region=region,
            topic_group=self.topic_group,
            priority=self.priority,
            fast_track=self.fast_track,
            crisis=self.crisis,
            clock=self.clock,
            term=self.term,
            warn=None,
            promise_days_max=None,
            valid_from=date.min,
            valid_until=date.max,
            source="what if",
        )


def no_terms(catalogue: Catalogue) -> NetworkTerms:
    """Nothing has a deadline but what somebody named; open around the clock."""
    return NetworkTerms(catalogue, around_the_clock(catalogue), (), {}, frozenset())


def with_terms(terms: NetworkTerms, region: str, others: Sequence[OtherTerm]) -> NetworkTerms:
    """Each takes the place of the region's policies for the same, and beats those of everybody.

    More specific ones of the region stay. Raises UnknownTopic, TermAbsurd or TermRepeated.
    """
    for other in others:
        if not 1 <= other.term.amount <= AMOUNT_MAX:
            raise TermAbsurd(limit=AMOUNT_MAX, amount=other.term.amount)
        _check_group(other.topic_group, terms.catalogue)
    # A code of its own for each: by it a pause knows whether to give back working time.
    made = [
        other.policy(region_proper(region), f"WHAT_IF_{number}")
        for number, other in enumerate(others, start=1)
    ]
    replaced = {_for(policy) for policy in made}
    if len(replaced) < len(made):
        raise TermRepeated
    kept = [policy for policy in terms.policies if _for(policy) not in replaced]
    return replace(terms, policies=by_specificity([*kept, *made]))


def _check_group(code: str | None, catalogue: Catalogue) -> None:
    known = catalogue.topics.get(code) if code is not None else None
    if code is not None and (known is None or known.group is not None):
        raise UnknownTopic(value=code, field="topicGroup")


def _for(policy: Policy) -> tuple[object, ...]:
    return policy.clock, policy.regime, *policy.scope


def with_calendar_of(terms: NetworkTerms, region: str, other: str) -> NetworkTerms:
    """The region works on the days of the other one. Raises UnknownRegion."""
    terms.catalogue.region(other)
    calendars = terms.calendars
    days = calendars.by_region.get(region_proper(other), SpecialDays())
    by_region = {**calendars.by_region, region_proper(region): days}
    return replace(terms, calendars=replace(calendars, by_region=by_region))


def without_closing(terms: NetworkTerms) -> NetworkTerms:
    """Open around the clock, on every day."""
    return replace(terms, calendars=around_the_clock(terms.catalogue))


def with_policies(terms: NetworkTerms, file: Path) -> NetworkTerms:
    """The file, written like policies.csv, in place of all policies. Raises CatalogueInvalid."""
    return replace(terms, policies=load_policies(file, terms.catalogue))


def with_calendars(terms: NetworkTerms, place: Path, shipped: Path) -> NetworkTerms:
    """A folder's calendar.toml, days_off.csv and moved_days.csv, or one of them, for the shipped.

    What is not there is read from the shipped folder. Raises CatalogueInvalid.
    """
    given = [place] if place.is_file() else [place / name for name in CALENDAR_FILES]
    found = {file.name: file for file in given if file.is_file() and file.name in CALENDAR_FILES}
    if not found:
        raise CatalogueInvalid(
            f"{place}: neither one of {', '.join(CALENDAR_FILES)} nor their folder"
        )
    files = CalendarFiles(*(found.get(name, shipped / name) for name in CALENDAR_FILES))
    return replace(terms, calendars=read_calendars(files, terms.catalogue))
