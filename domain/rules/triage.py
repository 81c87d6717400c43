"""Triage: what a message is about, where, for whom, how urgent, and what it is the same as."""

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from domain import commands as c
from domain import events as e
from domain.deadlines import Deadline
from domain.deciding import RETURN_WORKING_HOURS, Deciding, resume, solution, waits_for_reply
from domain.errors import (
    DoneAlready,
    ForbiddenTransition,
    NotClassified,
    OtherClosed,
    OtherNotOpen,
    ReturnTooLate,
    SameIncident,
)
from domain.lifecycle import TRANSITIONS
from domain.vocabulary import OPEN, Clock


def _reject(it: Deciding, command: c.Reject) -> None:
    it.must_not_be_held()
    it.settle(*Clock)
    it.record(e.IncidentRejected, reason=command.reason)


def _merge(it: Deciding, command: c.Merge) -> None:
    """The other takes the messages, and the reply they wait for."""
    incident, other = it.incident, it.other
    if other is None or other.id == incident.id:
        raise SameIncident(field="into")
    if other.status not in OPEN:
        raise OtherNotOpen(status=other.status)
    it.must_not_be_held()
    it.settle(*Clock)
    waiting_since = it.cycle.waiting_since
    reply = it.cycle.clocks.running.get(Clock.FIRST_REPLY) or it.cycle.clocks.running.get(
        Clock.NEXT_REPLY
    )
    taken: tuple[Deadline, ...] = (replace(reply, clock=Clock.NEXT_REPLY),) if reply else ()
    there = Deciding(other, it.at, it.by, None, it.terms)
    if incident.captured is not None:  # Nobody has begun to count for its author yet.
        taken = there.started(Clock.NEXT_REPLY, it.at)
    it.record(e.IncidentMerged, into=other.id)
    there.record(
        e.MessagesTaken,
        of=incident.id,
        messages=tuple(sorted(incident.all_messages)),
        waiting_since=waiting_since,
        deadlines=() if waits_for_reply(there) else taken,
    )


def _unmerge(it: Deciding, command: c.Unmerge) -> None:
    merged, other = it.incident.merged, it.other
    if merged is None or other is None:
        raise ForbiddenTransition(command=command.NAME, status=it.incident.status)
    if other.status not in TRANSITIONS[e.MessagesGivenBack].sources:
        raise OtherClosed(status=other.status)
    it.record(e.IncidentUnmerged, status=merged.status, deadlines=merged.deadlines)
    Deciding(other, it.at, it.by, None, it.terms).record(
        e.MessagesGivenBack,
        of=it.incident.id,
        messages=tuple(sorted(other.taken.get(it.incident.id, ()))),
    )


def _link(it: Deciding, command: c.Link) -> None:
    if command.to in it.incident.links:
        raise DoneAlready
    it.record(e.IncidentLinked, to=command.to, kind=command.kind)


def _classify(it: Deciding, command: c.Classify) -> None:
    it.record(
        e.IncidentClassified,
        topic=command.topic,
        model=command.model,
        confidence=command.confidence,
    )


def _assign(it: Deciding, command: c.Assign) -> None:
    if it.incident.topic is None:
        raise NotClassified
    if command.due_at is not None:
        it.settle(Clock.SOLUTION)
    first = it.cycle.assigned_at is None
    it.record(
        e.IncidentAssigned,
        organisation=command.organisation,
        holder=command.holder,
        rule=command.rule,
        deadlines=solution(it, command.due_at),
        **(it.lasted(it.cycle.started_at) if first else {}),
    )


def _return(it: Deciding, command: c.Return) -> None:
    """Raises ReturnTooLate: who kept it for days has taken it."""
    kept = it.lasted(it.cycle.assigned_at).get("working_seconds", 0.0)
    if kept > RETURN_WORKING_HOURS * 60 * 60 and not it.automatic:
        raise ReturnTooLate(hours=RETURN_WORKING_HOURS)
    it.record(
        e.IncidentReturned,
        reason=command.reason,
        suggested_organisation=command.suggested_organisation,
    )


def _reassign(it: Deciding, command: c.Reassign) -> None:
    resume(it)
    it.record(
        e.IncidentReassigned,
        organisation=command.organisation,
        holder=command.holder,
        reason=command.reason,
    )


def _reclassify(it: Deciding, command: c.Reclassify) -> None:
    if it.incident.topic is None:
        raise NotClassified
    if it.incident.topic == command.topic:
        raise DoneAlready
    it.record(e.IncidentReclassified, topic=command.topic)


def _relocate(it: Deciding, command: c.Relocate) -> None:
    it.record(
        e.IncidentRelocated,
        municipality=command.municipality,
        latitude=command.latitude,
        longitude=command.longitude,
    )


def _prioritize(it: Deciding, command: c.Prioritize) -> None:
    if it.incident.priority is command.priority:
        raise DoneAlready
    before = it.incident.matter
    it.record(e.IncidentPrioritized, priority=command.priority, reason=command.reason)
    it.tighten(before)


def _grant_fast_track(it: Deciding, command: c.GrantFastTrack) -> None:
    if it.incident.fast_track:
        raise DoneAlready
    before = it.incident.matter
    it.record(e.FastTrackGranted)
    it.tighten(before)


DECISIONS: dict[type[c.Command], Callable[[Deciding, Any], None]] = {
    c.Reject: _reject,
    c.Merge: _merge,
    c.Unmerge: _unmerge,
    c.Link: _link,
    c.Classify: _classify,
    c.Assign: _assign,
    c.Return: _return,
    c.Reassign: _reassign,
    c.Reclassify: _reclassify,
    c.Relocate: _relocate,
    c.Prioritize: _prioritize,
    c.GrantFastTrack: _grant_fast_track,
}
