"""Whole histories recorded at once: how imports and generators write, by everybody's rules.

A history is one incident from its registration on. It is recorded whole or not at all, and once:
its command id is derived from its source, so that a repeated import finds its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import psycopg

from domain.commands import CLOCK_SKEW_MAX, AddMessage, Command, Link, Register
from domain.errors import DateInFuture, DomainError, DuplicateMessage
from domain.incident import Incident
from domain.rights import Actor
from regions.centre import Centre
from regions.store.event_store import (
    Alongside,
    AlreadyRecorded,
    CommandRecord,
    MessageRepeated,
    StoreUnavailable,
)


@dataclass(frozen=True, slots=True)
class Step:
    command: Command
    at: datetime
    by: Actor
    reference: str = ""  # where its source tells it; a refusal of it carries that as a note


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
    except AlreadyRecorded as conflict:
        _record_halves(centre, histories, report, now, conflict)
    else:
        report.recorded += [command.command_id for command in alongside.commands]
        report.events += events


# The command id of a history names its source and row; there is no other command to mistake it for.
FINGERPRINT = b"history"


def _record_halves(
    centre: Centre,
    histories: Sequence[History],
    report: BulkReport,
    now: datetime,
    conflict: AlreadyRecorded,
) -> None:
    """Somebody recorded one of these meanwhile, or under another command: find which."""
    if len(histories) == 1:
        _repeated_or_refused(centre, histories[0], report, conflict)
        return
    refused = {command_id for command_id, _ in report.refused}
    left = [history for history in histories if history.command_id not in refused]
    middle = len(left) // 2
    for half in (left[:middle], left[middle:]):
        if half:
            _record(centre, half, report, now)


def _repeated_or_refused(
    centre: Centre, history: History, report: BulkReport, conflict: AlreadyRecorded
) -> None:
    """A history is there already; but a new one is not, only because a message in it is taken."""
    first = history.registration
    if not isinstance(conflict, MessageRepeated) or _owner(centre, first):
        report.repeated.append(history.command_id)
        return
    added = (step.command for step in history.steps if isinstance(step.command, AddMessage))
    owners = filter(None, (_owner(centre, message) for message in added))
    taken = DuplicateMessage(incident=next(owners, history.incident_id))
    report.refused.append((history.command_id, taken))


def _owner(centre: Centre, message: Register | AddMessage) -> UUID | None:
    """Whose message it is; None where it is nobody's yet."""
    try:
        with centre.pool.connection() as connection:
            found = connection.execute(
                "SELECT incident_id FROM message_key WHERE channel = %s AND external_id = %s",
                [message.channel, message.external_id],
            ).fetchone()
            return found[0] if found else None
    except psycopg.OperationalError as error:
        raise StoreUnavailable(str(error)) from error


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
        try:
            _take(centre, incident, step, alongside)
        except DomainError as refusal:
            if step.reference:
                refusal.add_note(step.reference)
            raise
    if incident.last_at is not None and incident.last_at > now + CLOCK_SKEW_MAX:
        raise DateInFuture(field="at", value=incident.last_at.isoformat())
    return incident


def _take(centre: Centre, incident: Incident, step: Step, alongside: Alongside) -> None:
    """Raises InvalidInput, RuleBroken, or IncidentNotFound for a link to nothing."""
    centre.check(step.command, step.at)
    if isinstance(step.command, Link):
        centre.incident(step.command.to)
    centre.proceed(
        incident,
        step.command,
        at=step.at,
        by=step.by,
        alongside=alongside,
        taken_over=True,
    )


def _known_commands(centre: Centre, command_ids: list[UUID]) -> set[UUID]:
    try:
        with centre.pool.connection() as connection:
            found = connection.execute(
                "SELECT command_id FROM command_result WHERE command_id = ANY (%s)", [command_ids]
            )
            return {command_id for (command_id,) in found}
    except psycopg.OperationalError as error:
        raise StoreUnavailable(str(error)) from error
