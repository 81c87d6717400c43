"""After the resolution: control, rating, dispute, a new cycle, what was learnt."""

from collections.abc import Callable
from typing import Any

from domain import commands as c
from domain import events as e
from domain.deciding import DISSATISFIED_SCORE, Deciding
from domain.errors import AlreadyUnderControl, ForbiddenTransition, NoPersonalData, RatedAlready
from domain.lifecycle import CONTROLLERS, DONE
from domain.vocabulary import Clock, DisputeBy, Verdict


def _take_personal_control(it: Deciding, command: c.TakePersonalControl) -> None:
    if it.incident.controller is not None:
        raise AlreadyUnderControl(controller=it.incident.controller)
    it.record(e.PersonalControlTaken)


def _lift_personal_control(it: Deciding, command: c.LiftPersonalControl) -> None:
    if it.incident.controller is None:
        raise ForbiddenTransition(command=command.NAME, status=it.incident.status)
    it.must_not_be_held()
    it.record(e.PersonalControlLifted)


def _close(it: Deciding, command: c.Close) -> None:
    it.must_not_be_held()
    if it.incident.controller is None and it.by.role in CONTROLLERS:
        raise ForbiddenTransition(command=command.NAME, status=it.incident.status)
    it.record(e.IncidentClosed)


def _rate(it: Deciding, command: c.Rate) -> None:
    it.within_window()
    if it.cycle.rated:
        raise RatedAlready
    it.record(e.CitizenRated, score=command.score, reasons=command.reasons)
    if command.score <= DISSATISFIED_SCORE:
        it.record(e.ResolutionDisputed, by=DisputeBy.AUTHOR)


def _dispute(it: Deciding, command: c.Dispute) -> None:
    it.within_window()
    it.record(e.ResolutionDisputed, by=command.by, text=it.sealed)


def _decline_reopen(it: Deciding, command: c.DeclineReopen) -> None:
    it.must_not_have_decided()
    it.must_not_be_held()
    it.record(e.ReopenDeclined, reason=command.reason)


def _reopen(it: Deciding, command: c.Reopen) -> None:
    it.must_not_have_decided()
    it.record(
        e.IncidentReopened, reason=command.reason, deadlines=it.started(Clock.FIRST_REPLY, it.at)
    )


def _request_field_check(it: Deciding, command: c.RequestFieldCheck) -> None:
    it.record(e.FieldCheckRequested)


def _report_field_check(it: Deciding, command: c.ReportFieldCheck) -> None:
    it.record(e.FieldCheckReported, verdict=command.verdict, evidence=command.evidence)
    if command.verdict is not Verdict.DONE and it.incident.status in DONE:
        it.record(e.ResolutionDisputed, by=DisputeBy.FIELD_CHECK)


def _record_root_cause(it: Deciding, command: c.RecordRootCause) -> None:
    it.record(e.RootCauseRecorded, cause=command.cause, decision=command.decision)


def _erase_personal_data(it: Deciding, command: c.ErasePersonalData) -> None:
    if it.incident.subject is None:
        raise NoPersonalData
    it.record(e.PersonalDataErased, subject=it.incident.subject)


DECISIONS: dict[type[c.Command], Callable[[Deciding, Any], None]] = {
    c.TakePersonalControl: _take_personal_control,
    c.LiftPersonalControl: _lift_personal_control,
    c.Close: _close,
    c.Rate: _rate,
    c.Dispute: _dispute,
    c.DeclineReopen: _decline_reopen,
    c.Reopen: _reopen,
    c.RequestFieldCheck: _request_field_check,
    c.ReportFieldCheck: _report_field_check,
    c.RecordRootCause: _record_root_cause,
    c.ErasePersonalData: _erase_personal_data,
}
