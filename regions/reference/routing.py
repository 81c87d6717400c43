"""Who gets an incident: the rules of a catalogue's routing.csv; the first that fits counts.

A rule fits a topic or a group of topics, a municipality, a channel, working time or not; where it
says nothing, all of them. It names a body, or whoever is in charge of the topic in the municipality
or in the region; a rule that finds nobody does not fit.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from domain.rights import region_proper
from regions.reference.calendar import WorkCalendar
from regions.reference.calendars import Calendars
from regions.reference.catalogue import Catalogue, Organisation, Row
from regions.reference.tables import parsed, region_in, sourced

IN_CHARGE = ("municipality", "region")  # instead of the code of a body


class Hours(StrEnum):
    WORKING = "WORKING"
    OFF = "OFF"


@dataclass(frozen=True, slots=True)
class RoutingRule:
    """A row of routing.csv. Where something is None, any will do."""

    code: str
    region: str | None
    topic: str | None  # or a group
    municipality: str | None
    channel: str | None
    hours: Hours | None
    body: str  # code of an organisation, or one of IN_CHARGE
    curator: str | None
    source: str


class Matter(NamedTuple):
    """What a rule is chosen by."""

    topic: str
    municipality: str | None
    channel: str
    at: datetime


class Route(NamedTuple):
    rule: str
    organisation: str
    curator: str | None


class Tried(NamedTuple):
    """A rule that was looked at, and why it does not fit; None: it does."""

    rule: RoutingRule
    refusal: str | None
    route: Route | None


@dataclass(frozen=True, eq=False)
class Routing:
    """The rules of all regions, in the order of the file."""

    catalogue: Catalogue
    calendars: Calendars
    rules: Sequence[RoutingRule]

    def route(self, region: str, matter: Matter) -> Route | None:
        """By the first rule that fits; None if none does: then a person decides."""
        return next((tried.route for tried in self.explain(region, matter) if tried.route), None)

    def explain(self, region: str, matter: Matter) -> Iterator[Tried]:
        """The rules in order up to the one that fits, each with why it does not."""
        region = region_proper(region)
        for rule in self.rules:
            refusal = self._refusal(rule, region, matter)
            body = None if refusal else self._body(rule, region, matter)
            if body is not None:
                yield Tried(rule, None, Route(rule.code, body.code, rule.curator))
                return
            yield Tried(rule, refusal or f"nobody in charge in the {rule.body}", None)

    def _refusal(self, rule: RoutingRule, region: str, matter: Matter) -> str | None:
        group = self.catalogue.topic(matter.topic).group
        calendar: WorkCalendar = self.calendars.of(region, matter.municipality)
        working = calendar.next_working(matter.at) == matter.at
        for fits, told in (
            (rule.region in (None, region), "another region"),
            (rule.topic in (None, matter.topic, group), "another topic"),
            (rule.municipality in (None, matter.municipality), "another municipality"),
            (rule.channel in (None, matter.channel), "another channel"),
            (rule.hours in (None, Hours.WORKING if working else Hours.OFF), "other hours"),
        ):
            if not fits:
                return told
        return None

    def _body(self, rule: RoutingRule, region: str, matter: Matter) -> Organisation | None:
        if rule.body not in IN_CHARGE:
            return self.catalogue.organisations.get(rule.body)
        if rule.body == "municipality" and matter.municipality is None:
            return None
        group = self.catalogue.topic(matter.topic).group
        place = matter.municipality if rule.body == "municipality" else None
        for body in self.catalogue.organisations_of.get(region, ()):
            if body.municipality == place and group in body.topic_groups:
                return body
        return None


def load_routing(folder: Path, catalogue: Catalogue, calendars: Calendars) -> Routing:
    """A folder without routing.csv routes nothing. Raises CatalogueInvalid."""
    known: set[str] = set()
    rules = parsed(folder / "routing.csv", lambda row: _rule(row, catalogue, known))
    return Routing(catalogue, calendars, rules)


def _rule(row: Row, catalogue: Catalogue, codes: set[str]) -> RoutingRule:
    """Raises KeyError for a missing column, ValueError for a code that names nothing.

    `codes` are those of the rules before, and take in this one's.
    """
    rule = RoutingRule(
        code=sourced(row)["code"],
        region=region_in(row, catalogue),
        topic=row["topic"] or None,
        municipality=row["municipality"] or None,
        channel=row["channel"] or None,
        hours=Hours(row["hours"]) if row["hours"] else None,
        body=row["body"],
        curator=row["curator"] or None,
        source=row["source"],
    )
    for code, known in (
        (rule.topic, catalogue.topics),
        (rule.municipality, catalogue.municipalities),
        (rule.channel, catalogue.channels),
        (None if rule.body in IN_CHARGE else rule.body, catalogue.organisations),
    ):
        if code is not None and code not in known:
            raise ValueError(f"{code!r} does not exist")
    if not rule.code:
        raise ValueError("no code")
    if rule.code in codes:
        raise ValueError(f"the code {rule.code!r} stands there twice")
    codes.add(rule.code)
    _check_regions(rule, catalogue)
    return rule


def _check_regions(rule: RoutingRule, catalogue: Catalogue) -> None:
    """Raises ValueError for a body or a municipality of another region than the rule's."""
    body = catalogue.organisations.get(rule.body)
    if body is not None and body.region != rule.region:
        raise ValueError(f"{body.code!r} belongs to region {body.region!r}: say so")
    place = catalogue.municipalities.get(rule.municipality or "")
    if place is not None and rule.region not in (None, place.region):
        raise ValueError(f"{place.code!r} belongs to region {place.region!r}")
