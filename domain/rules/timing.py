"""Deadlines: warned of, missed, extended, gone up the chain."""

from collections.abc import Callable
from typing import Any

from domain import commands as c
from domain import events as e
from domain.deciding import Deciding, extend
from domain.errors import DoneAlready, NotDueYet, NotLater


def _warn_deadline(it: Deciding, command: c.WarnDeadline) -> None:
    deadline = it.running(command.clock)
    if deadline.warn_at is None or it.at < deadline.warn_at:
        raise NotDueYet(clock=command.clock)
    if command.clock in it.cycle.clocks.warned or command.clock in it.cycle.clocks.missed:
        raise DoneAlready
    it.record(e.DeadlineWarned, clock=command.clock, due_at=deadline.due_at)


def _miss_deadline(it: Deciding, command: c.MissDeadline) -> None:
    it.running(command.clock)
    if command.clock in it.cycle.clocks.missed:
        raise DoneAlready
    if not it.cycle.clocks.overdue(command.clock, it.at):
        raise NotDueYet(clock=command.clock)
    it.settle(command.clock)


def _extend_deadline(it: Deciding, command: c.ExtendDeadline) -> None:
    deadline = it.running(command.clock)
    if command.due_at <= deadline.due_at:
        raise NotLater(due_at=deadline.due_at.isoformat())
    it.settle(command.clock)
    extend(it, deadline, command.due_at, command.reason)


def _escalate(it: Deciding, command: c.Escalate) -> None:
    clock, clocks = command.clock, it.cycle.clocks
    it.running(clock)
    step = clocks.steps.get(clock, 0) + 1
    raised = it.escalation(clock, step, clocks.missed[clock]) if clock in clocks.missed else None
    if raised is None or it.at < raised.at:
        raise NotDueYet(clock=clock)
    following = it.escalation(clock, step + 1, clocks.missed[clock])
    it.record(
        e.EscalationRaised,
        clock=clock,
        step=step,
        to=raised.to,
        next_at=following.at if following else None,
    )


DECISIONS: dict[type[c.Command], Callable[[Deciding, Any], None]] = {
    c.WarnDeadline: _warn_deadline,
    c.MissDeadline: _miss_deadline,
    c.ExtendDeadline: _extend_deadline,
    c.Escalate: _escalate,
}
