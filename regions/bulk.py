"""Whole histories recorded at once: how imports and generators write, by everybody's rules.

A history is one incident from its registration on. It is recorded whole or not at all, and once:
its command id is derived from its source, so that a repeated import finds its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import psycopg

from domain.commands import CLOCK_SKEW_MAX, Command, Register
from domain.errors import DateInFuture, DomainError
from domain.incident import Incident
from domain.rights import Actor
from regions.centre import Centre
from regions.event_store import Alongside, AlreadyRecorded, CommandRecord, StoreUnavailable


@dataclass(frozen=True, slots=True)
class Step:
    command: Command
    at: datetime
    by: Actor


@dataclass(frozen=True, slots=True)
class History:
    incident_id: UUID
    command_id: UUID
    registration: Register
    at: datetime
    by: Actor
    steps: Sequence[Step] = ()


@dataclass(slots=True)
class BulkReport:
    """What became of each history, by its command id."""

    recorded: list[UUID] = field(default_factory=list)
    repeated: list[UUID] = field(default_factory=list)  # already there, by command or by message
    refused: list[tuple[UUID, DomainError]] = field(default_factory=list)
    events: int = 0


def record_histories(centre: Centre, histories: Sequence[History], *, now: datetime) -> BulkReport:
    """Record histories of the centre's region in one transaction. Raises StoreUnavailable."""
    return centre.patiently(lambda: _attempt(centre, histories, now))


def _attempt(centre: Centre, histories: Sequence[History], now: datetime) -> BulkReport:
    report = BulkReport()
    known = _known_commands(centre, [history.command_id for history in histories])
    report.repeated.extend(known)
    _record(centre, [h for h in histories if h.command_id not in known], report, now)
    return report


def _record(
    centre: Centre, histories: Sequence[History], report: BulkReport, now: datetime
) -> None:
    alongside = Alongside()
    incidents: list[Incident] = []
    events = 0
    for history in histories:
        beside = Alongside()
        try:
            incident = _live(centre, history, beside, now)
        except DomainError as refusal:
            report.refused.append((history.command_id, refusal))
            continue
        events += incident.version
        alongside.messages += beside.messages
        # A key that the history's own erasure destroys is never stored.
        alongside.new_keys += [k for k in beside.new_keys if k[0] not in beside.destroyed_keys]
        alongside.commands.append(
            CommandRecord(history.command_id, FINGERPRINT, incident.id, incident.version, events)
        )
        incidents.append(incident)
    try:
        centre.save(*incidents, alongside=alongside)
    except AlreadyRecorded:
        _record_halves(centre, histories, report, now)
    else:
        report.recorded += [command.command_id for command in alongside.commands]
        report.events += events


# The command id of a history names its source and row; there is no other command to mistake it for.
FINGERPRINT = b"history"


def _record_halves(
    centre: Centre, histories: Sequence[History], report: BulkReport, now: datetime
) -> None:
    """Somebody recorded one of these meanwhile, or under another command: find which."""
    if len(histories) == 1:
        report.repeated.append(histories[0].command_id)
        return
    refused = {command_id for command_id, _ in report.refused}
    left = [history for history in histories if history.command_id not in refused]
    middle = len(left) // 2
    for half in (left[:middle], left[middle:]):
        if half:
            _record(centre, half, report, now)


def _live(centre: Centre, history: History, alongside: Alongside, now: datetime) -> Incident:
    """The incident after its whole history. Raises DomainError at the first step refused."""
    centre.check(history.registration, history.at)
    incident = centre.begin(
        history.incident_id,
        history.registration,
        at=history.at,
        by=history.by,
        alongside=alongside,
    )
    for step in history.steps:
        centre.check(step.command, step.at)
        centre.proceed(
            incident,
            step.command,
            at=step.at,
            by=step.by,
            alongside=alongside,
            taken_over=True,
        )
    if incident.last_at is not None and incident.last_at > now + CLOCK_SKEW_MAX:
        raise DateInFuture(field="at", value=incident.last_at.isoformat())
    return incident


def _known_commands(centre: Centre, command_ids: list[UUID]) -> set[UUID]:
    try:
        with centre.pool.connection() as connection:
            found = connection.execute(
                "SELECT command_id FROM command_result WHERE command_id = ANY (%s)", [command_ids]
            )
            return {command_id for (command_id,) in found}
    except psycopg.OperationalError as error:
        raise StoreUnavailable(str(error)) from error
