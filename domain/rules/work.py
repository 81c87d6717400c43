"""Work: taken up, the citizen asked, and by when it will be solved."""

from collections.abc import Callable
from datetime import date
from typing import Any

from domain import commands as c
from domain import events as e
from domain.deciding import (
    CLARIFICATION_MAX,
    CLARIFICATIONS_MAX,
    DISPUTE_WINDOW,
    Deciding,
    extend_to_promise,
    next_reply,
    pause,
    resume,
)
from domain.errors import (
    ClarificationsExhausted,
    EvidenceMissing,
    FinalReplyMissing,
    InterimReplyMissing,
    PromiseInPast,
    PromiseTooLate,
)
from domain.vocabulary import Clock, Outcome, ReplyAuthor, ReplyKind


def _accept_work(it: Deciding, command: c.AcceptWork) -> None:
    it.record(e.WorkAccepted, **it.lasted(it.cycle.assigned_at))


def _request_clarification(it: Deciding, command: c.RequestClarification) -> None:
    if len(it.cycle.pauses) >= CLARIFICATIONS_MAX:
        raise ClarificationsExhausted(limit=CLARIFICATIONS_MAX)
    it.settle(Clock.SOLUTION)
    it.record(e.ClarificationRequested, question=it.sealed, until=it.at + CLARIFICATION_MAX)
    pause(it)


def _receive_clarification(it: Deciding, command: c.ReceiveClarification) -> None:
    it.record(e.ClarificationReceived, answer=it.sealed, deadlines=next_reply(it))
    resume(it)


def _time_out_clarification(it: Deciding, command: c.TimeOutClarification) -> None:
    it.record(e.ClarificationTimedOut)
    resume(it)


def _contact_citizen(it: Deciding, command: c.ContactCitizen) -> None:
    it.record(e.CitizenContacted, channel=command.channel, note=it.sealed)


def _schedule_solution(it: Deciding, command: c.ScheduleSolution) -> None:
    if (ReplyKind.INTERIM, ReplyAuthor.HUMAN) not in it.cycle.replies:
        raise InterimReplyMissing
    _check_promise(it, command)
    before = it.cycle.promised_on
    it.record(e.SolutionScheduled, promised_on=command.promised_on, reason=command.reason)
    if before not in (None, command.promised_on):  # Another body got it meanwhile.
        _promise_moved(it, command, before)
    extend_to_promise(it, command.promised_on, command.reason)


def _move_promise(it: Deciding, command: c.MovePromise) -> None:
    _check_promise(it, command)
    _promise_moved(it, command, it.cycle.promised_on)
    extend_to_promise(it, command.promised_on, command.reason)


def _check_promise(it: Deciding, command: c.ScheduleSolution | c.MovePromise) -> None:
    """Raises PromiseInPast or PromiseTooLate."""
    if it.terms.day_end(command.promised_on, it.incident.municipality) <= it.at:
        raise PromiseInPast(value=command.promised_on)
    limit = it.terms.promise_limit(it.incident.matter, start=it.at)
    if limit is not None and command.promised_on > limit:
        raise PromiseTooLate(limit=limit)


def _resolve(it: Deciding, command: c.Resolve) -> None:
    incident, cycle = it.incident, it.cycle
    if (ReplyKind.FINAL, ReplyAuthor.HUMAN) not in cycle.replies:
        raise FinalReplyMissing
    visible = command.outcome is Outcome.SOLVED and it.terms.evidence_needed(incident.topic)
    if visible and not command.evidence and not it.automatic:
        raise EvidenceMissing(topic=incident.topic)
    it.settle(*Clock)
    lasted = it.lasted(cycle.started_at)
    paused = [(pause.start, pause.end) for pause in cycle.pauses if pause.end is not None]
    if lasted and paused:
        place = incident.municipality
        lasted["paused_seconds"] = sum((end - start).total_seconds() for start, end in paused)
        lasted["elapsed_seconds"] -= lasted["paused_seconds"]
        lasted["working_seconds"] -= sum(
            it.terms.working_seconds(start, end, place) for start, end in paused
        )
        # 0.3 - (0.1 + 0.2) is less than nothing.
        lasted = {name: max(0.0, seconds) for name, seconds in lasted.items()}
    it.record(
        e.IncidentResolved,
        outcome=command.outcome,
        evidence=command.evidence,
        closes_at=it.at + DISPUTE_WINDOW,
        **lasted,
    )


def _promise_moved(
    it: Deciding, command: c.ScheduleSolution | c.MovePromise, before: date | None
) -> None:
    it.record(e.PromiseMoved, promised_on=command.promised_on, before=before, reason=command.reason)


DECISIONS: dict[type[c.Command], Callable[[Deciding, Any], None]] = {
    c.AcceptWork: _accept_work,
    c.RequestClarification: _request_clarification,
    c.ReceiveClarification: _receive_clarification,
    c.TimeOutClarification: _time_out_clarification,
    c.ContactCitizen: _contact_citizen,
    c.ScheduleSolution: _schedule_solution,
    c.MovePromise: _move_promise,
    c.Resolve: _resolve,
}
