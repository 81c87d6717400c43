"""The rules of an incident's life: each command is decided here, and becomes events or a refusal.

Which event may follow which state, and whose decision it is, stands in domain/lifecycle.py; the
guards that need more than the state stand in domain/rules/, one function a command.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from domain import commands as c
from domain import events as e
from domain.deadlines import NO_TERMS, Terms
from domain.deciding import CLARIFICATION_MAX, DISPUTE_WINDOW, Deciding
from domain.errors import ForbiddenTransition, TimeGoesBackwards
from domain.incident import Incident
from domain.lifecycle import transition_of
from domain.rights import Actor
from domain.rules import aftermath, messages, replies, timing, triage, work
from domain.vocabulary import Clock, Role, Status

# Each takes its own type of command, so they have no common one to name.
DECISIONS: dict[type[c.Command], Callable[[Deciding, Any], None]] = {
    **messages.DECISIONS,
    **triage.DECISIONS,
    **work.DECISIONS,
    **replies.DECISIONS,
    **aftermath.DECISIONS,
    **timing.DECISIONS,
}


def capture(
    incident_id: UUID,
    region: str,
    command: c.Capture,
    *,
    at: datetime,
    by: Actor,
    sealed: e.Sealed | None = None,
) -> Incident:
    """Begin the stream of a message that is not an incident yet; no clock runs."""
    incident = Incident(
        incident_id, region=region, municipality=command.municipality, status=Status.CAPTURED
    )
    Deciding(incident, at, by, sealed, NO_TERMS).record(
        e.MessageCaptured,
        channel=command.channel,
        external_id=command.external_id,
        source=command.source,
        kind=command.kind,
        regime=command.regime,
        published_at=min(command.published_at, at),
        latitude=command.latitude,
        longitude=command.longitude,
        citizen=sealed,
    )
    return incident


def register(
    incident_id: UUID,
    region: str,
    command: c.Register,
    *,
    at: datetime,
    by: Actor,
    sealed: e.Sealed | None = None,
    terms: Terms = NO_TERMS,
) -> Incident:
    """Begin the stream of a new incident.

    A platform's clock may run a little ahead of ours; its post is still not from the future.
    """
    incident = Incident(
        incident_id, region=region, municipality=command.municipality, regime=command.regime
    )
    it = Deciding(incident, at, by, sealed, terms)
    it.record(
        e.IncidentRegistered,
        channel=command.channel,
        external_id=command.external_id,
        kind=command.kind,
        regime=command.regime,
        published_at=min(command.published_at, at),
        latitude=command.latitude,
        longitude=command.longitude,
        citizen=sealed,
        deadlines=it.started(Clock.FIRST_REPLY, at),
    )
    return incident


def decide(
    incident: Incident,
    command: c.Command,
    *,
    at: datetime,
    by: Actor,
    sealed: e.Sealed | None = None,
    terms: Terms = NO_TERMS,
    taken_over: bool = False,
    other: Incident | None = None,
    text_fingerprint: bytes | None = None,
) -> None:
    """Decide on a command; what happens is appended to the incident's `pending`.

    `other` is the incident it is merged into, or taken out of: things happen to it as well.

    `sealed` stands for the command's private part, `text_fingerprint` for a reply's text in it, so
    that the same text is known again. `taken_over` says that another system decided
    this long ago: the states must fit, who approved what there is not judged again.

    Raises RuleBroken.
    """
    if incident.status not in transition_of(command).sources:
        raise ForbiddenTransition(command=command.NAME, status=incident.status)
    for each in (incident, other):
        if each is not None and each.last_at is not None and at < each.last_at:
            raise TimeGoesBackwards(value=at.isoformat(), previous=each.last_at.isoformat())
    it = Deciding(
        incident,
        at,
        by,
        sealed,
        terms,
        automatic=taken_over or by.role is Role.SYSTEM,
        taken_over=taken_over,
        other=other,
        text_fingerprint=text_fingerprint,
    )
    DECISIONS[type(command)](it, command)


def alarms_due(incident: Incident, at: datetime, terms: Terms) -> list[c.Command]:
    """What has come due at a moment; after it is recorded, perhaps more."""
    status, resolved_at = incident.status, incident.cycle.resolved_at
    due = _deadlines_due(incident, at, terms)
    waited_since = incident.cycle.pauses[-1].start if incident.cycle.pauses else at
    if status is Status.AWAITING_CITIZEN and at >= waited_since + CLARIFICATION_MAX:
        due.append(c.TimeOutClarification())
    if status is Status.RESOLVED and resolved_at and at > resolved_at + DISPUTE_WINDOW:
        due.append(c.Close())
    return due


def _deadlines_due(incident: Incident, at: datetime, terms: Terms) -> list[c.Command]:
    clocks, due = incident.cycle.clocks, list[c.Command]()
    for clock, deadline in clocks.running.items():
        if clock in clocks.paused:
            continue
        if clocks.overdue(clock, at):
            due.append(c.MissDeadline(clock=clock))
        elif clock in clocks.missed:
            step = clocks.steps.get(clock, 0) + 1
            escalation = terms.escalation(
                clock, step, missed_at=clocks.missed[clock], municipality=incident.municipality
            )
            if escalation is not None and at >= escalation.at:
                due.append(c.Escalate(clock=clock))
        elif clock not in clocks.warned and deadline.warn_at and at >= deadline.warn_at:
            due.append(c.WarnDeadline(clock=clock))
    return due
