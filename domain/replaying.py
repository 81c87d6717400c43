"""An incident's history once more under other terms: what happened stays, its deadlines do not.

Whatever people did stays as it is; each deadline is decided again by the functions that decided it
then (domain/deciding.py): from the same start, tightened where the matter became more urgent,
paused and resumed with the citizen, anew in each cycle. An extension grants as much as it did, a
promise reaches to its day, a date that somebody named remains.

LAW  Under the terms it was recorded under, a history has the deadlines it was recorded with.
"""

from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from msgspec.structs import replace

from domain import events as e
from domain.deadlines import MANUAL, Deadline, Terms
from domain.deciding import (
    Deciding,
    extend,
    extend_to_promise,
    next_reply,
    pause,
    resume,
    solution,
    waits_for_reply,
)
from domain.incident import Incident
from domain.rights import Actor
from domain.vocabulary import Clock


class Unreplayed(StrEnum):
    """Why other terms cannot say something of an incident."""

    MESSAGES_TAKEN = "MESSAGES_TAKEN"  # a deadline came with them from an incident merged into it
    OTHER_TERMS = "OTHER_TERMS"  # it was recorded under terms that are not known any more


class Replayed(NamedTuple):
    events: list[e.Event]  # as they would have been recorded; what clocks only said is left out
    took_deadline: bool  # one came from another incident and stays as it was: MESSAGES_TAKEN


def replayed(incident_id: UUID, told: Iterable[tuple[e.Event, Terms]]) -> Replayed:
    """The events of one incident, each with the terms that are to count for it, decided again."""
    incident, took_deadline = Incident(incident_id), False
    for event, terms in told:
        it = Deciding(incident, event.occurred_at, Actor(event.actor, event.role), None, terms)
        took_deadline |= _takes_deadline(it, event)
        AGAIN.get(type(event), _as_it_was)(it, event)
    return Replayed([each.event for each in incident.collect_events()], took_deadline)


def deadlines_of(events: Iterable[e.Event]) -> Iterator[Deadline]:
    """All that were ever set, in order."""
    for event in events:
        if isinstance(event, e.DeadlineSet | e.DeadlineResumed | e.DeadlineExtended):
            yield event.deadline
        else:
            yield from getattr(event, "deadlines", ())


def _takes_deadline(it: Deciding, event: e.Event) -> bool:
    """Whether the clock that this event may start is that of another incident, merged into it."""
    if not isinstance(event, e.MessagesTaken) or event.waiting_since is None:
        return False
    return not waits_for_reply(it)


def _as_it_was(it: Deciding, event: e.Event) -> None:
    it.incident.append(event)


def _starting(it: Deciding, event: Any, deadlines: tuple[Deadline, ...]) -> None:
    it.incident.append(replace(event, deadlines=deadlines))


def _registered(it: Deciding, event: e.IncidentRegistered) -> None:
    matter = it.incident.matter._replace(regime=event.regime, municipality=event.municipality)
    _starting(it, event, it.started(Clock.FIRST_REPLY, it.at, matter))


def _written(it: Deciding, event: e.MessageAdded) -> None:
    _starting(it, event, next_reply(it))


def _messages_taken(it: Deciding, event: e.MessagesTaken) -> None:
    _starting(it, event, event.deadlines if _takes_deadline(it, event) else ())


def _unmerged(it: Deciding, event: e.IncidentUnmerged) -> None:
    merged = it.incident.merged
    _starting(it, event, merged.deadlines if merged else ())


def _assigned(it: Deciding, event: e.IncidentAssigned) -> None:
    named = [each.due_at for each in event.deadlines if each.policy == MANUAL]
    _starting(it, event, solution(it, named[0] if named else None))


def _reassigned(it: Deciding, event: e.IncidentReassigned) -> None:
    resume(it)
    it.incident.append(event)


def _more_urgent(it: Deciding, event: e.IncidentPrioritized | e.FastTrackGranted) -> None:
    before = it.incident.matter
    it.incident.append(event)
    it.tighten(before)


def _clarification_requested(it: Deciding, event: e.ClarificationRequested) -> None:
    it.settle(Clock.SOLUTION)  # what was missed by then is not tightened in the pause
    it.incident.append(event)
    pause(it)


def _clarification_received(it: Deciding, event: e.ClarificationReceived) -> None:
    _starting(it, event, next_reply(it))
    resume(it)


def _clarification_timed_out(it: Deciding, event: e.ClarificationTimedOut) -> None:
    it.incident.append(event)
    resume(it)


def _promised(it: Deciding, event: e.SolutionScheduled | e.PromiseMoved) -> None:
    it.incident.append(event)
    extend_to_promise(it, event.promised_on, event.reason)


def _extended(it: Deciding, event: e.DeadlineExtended) -> None:
    """By as much as was granted then; what a promise extended was decided with the promise."""
    deadline = it.cycle.clocks.running.get(event.deadline.clock)
    if deadline is not None and not _by_promise(it, event):
        granted = event.deadline.due_at - event.before
        extend(it, deadline, deadline.due_at + granted, event.reason)


def _by_promise(it: Deciding, event: e.DeadlineExtended) -> bool:
    promised_on = it.cycle.promised_on
    return (
        promised_on is not None
        and it.incident.last_at == event.occurred_at
        and it.terms.day_end(promised_on, it.incident.municipality) == event.deadline.due_at
    )


def _reopened(it: Deciding, event: e.IncidentReopened) -> None:
    _starting(it, event, it.started(Clock.FIRST_REPLY, it.at))


def _said_anew(it: Deciding, event: e.Event) -> None:
    """Follows from another event, and so from that event decided again; or was only said."""


AGAIN: dict[type[e.Event], Callable[[Deciding, Any], None]] = {
    e.IncidentRegistered: _registered,
    e.MessageAdded: _written,
    e.MessagesTaken: _messages_taken,
    e.IncidentUnmerged: _unmerged,
    e.IncidentAssigned: _assigned,
    e.IncidentReassigned: _reassigned,
    e.IncidentPrioritized: _more_urgent,
    e.FastTrackGranted: _more_urgent,
    e.ClarificationRequested: _clarification_requested,
    e.ClarificationReceived: _clarification_received,
    e.ClarificationTimedOut: _clarification_timed_out,
    e.SolutionScheduled: _promised,
    e.PromiseMoved: _promised,
    e.DeadlineExtended: _extended,
    e.IncidentReopened: _reopened,
    e.DeadlineSet: _said_anew,
    e.DeadlinePaused: _said_anew,
    e.DeadlineResumed: _said_anew,
    e.DeadlineWarned: _said_anew,
    e.DeadlineMissed: _said_anew,
    e.EscalationRaised: _said_anew,
}
