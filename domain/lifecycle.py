"""The whole lifecycle in one table: what may happen to an incident, when, and who may do it.

`tsur lifecycle` prints it; nothing else says what is allowed (lifecycle-and-metrics 3.2).
"""

from typing import NamedTuple

from domain import commands as c
from domain import events as e
from domain.vocabulary import OPEN, Role, Status


class Transition(NamedTuple):
    """From which states an event may happen, the state after it, and whose decision it is."""

    sources: frozenset[Status]
    target: Status | None  # None: unchanged
    roles: frozenset[Role]


def states(*of: Status) -> frozenset[Status]:
    return frozenset(of)


def roles(*of: Role) -> frozenset[Role]:
    return frozenset(of)


TRIAGE = states(Status.REGISTERED, Status.RETURNED, Status.REOPENED)
WORK = states(Status.ASSIGNED, Status.IN_PROGRESS, Status.SCHEDULED)
HELD = WORK | states(Status.AWAITING_CITIZEN, Status.REPLY_IN_REVIEW)
DONE = states(Status.RESOLVED, Status.UNDER_CONTROL, Status.CLOSED)
LIVING = OPEN | DONE | states(Status.REOPEN_REQUESTED)
CAPTURED = states(Status.CAPTURED)
ANY = frozenset(Status)

# SYSTEM stands for rules, for workers, and for what another system decided and we take over.
INTAKE = roles(Role.MONITOR, Role.MCU_OPERATOR, Role.SYSTEM)
TRIAGERS = INTAKE | roles(Role.CURATOR)
WORKERS = roles(Role.EXECUTOR, Role.ORG_HEAD, Role.SYSTEM)
APPROVERS = roles(Role.ORG_HEAD, Role.CURATOR)
CURATORS = roles(Role.CURATOR, Role.SYSTEM)
CITIZENS = roles(Role.CITIZEN, Role.MONITOR, Role.SYSTEM)
CONTROLLERS = roles(Role.REGION_HEAD, Role.FEDERAL_OVERSEER)
CLOCKWORK = roles(Role.SYSTEM)

TRANSITIONS: dict[type[e.Event], Transition] = {
    # Messages. A capture has no source, nor has a registration without one: they begin the stream.
    e.MessageCaptured: Transition(states(), Status.CAPTURED, roles(Role.MONITOR, Role.SYSTEM)),
    e.MessageRead: Transition(CAPTURED | OPEN, None, CLOCKWORK),
    e.MessageEdited: Transition(ANY, None, roles(Role.MONITOR, Role.SYSTEM)),
    e.MessageDeleted: Transition(ANY, None, roles(Role.MONITOR, Role.SYSTEM)),
    # Intake and triage.
    e.IncidentRegistered: Transition(CAPTURED, Status.REGISTERED, INTAKE),
    e.IncidentRejected: Transition(
        CAPTURED | states(Status.REGISTERED), Status.REJECTED, roles(Role.MONITOR, Role.CURATOR)
    ),
    e.MessageAdded: Transition(LIVING | CAPTURED, None, TRIAGERS | roles(Role.CITIZEN)),
    e.IncidentMerged: Transition(
        OPEN | CAPTURED, Status.MERGED, roles(Role.MONITOR, Role.CURATOR, Role.SYSTEM)
    ),
    e.IncidentUnmerged: Transition(states(Status.MERGED), None, roles(Role.CURATOR)),
    e.MessagesTaken: Transition(OPEN, None, roles(Role.MONITOR, Role.CURATOR, Role.SYSTEM)),
    e.MessagesGivenBack: Transition(LIVING - states(Status.CLOSED), None, roles(Role.CURATOR)),
    e.IncidentTransferredOut: Transition(
        OPEN | CAPTURED, Status.TRANSFERRED, roles(Role.MONITOR, Role.CURATOR, Role.REGION_HEAD)
    ),
    e.IncidentTransferredIn: Transition(CAPTURED, None, CLOCKWORK),
    e.IncidentLinked: Transition(LIVING, None, TRIAGERS),
    e.IncidentClassified: Transition(TRIAGE, None, TRIAGERS),
    e.IncidentAssigned: Transition(TRIAGE, Status.ASSIGNED, TRIAGERS),
    e.IncidentReturned: Transition(
        states(Status.ASSIGNED), Status.RETURNED, roles(Role.EXECUTOR, Role.SYSTEM)
    ),
    e.IncidentReassigned: Transition(HELD, Status.ASSIGNED, CURATORS),
    e.IncidentReclassified: Transition(OPEN, None, CURATORS),
    e.IncidentRelocated: Transition(OPEN, None, CURATORS),
    e.IncidentPrioritized: Transition(OPEN, None, CURATORS),
    e.FastTrackGranted: Transition(OPEN, None, CURATORS),
    # Work.
    e.WorkAccepted: Transition(
        states(Status.ASSIGNED), Status.IN_PROGRESS, roles(Role.EXECUTOR, Role.SYSTEM)
    ),
    e.ClarificationRequested: Transition(
        states(Status.ASSIGNED, Status.IN_PROGRESS),
        Status.AWAITING_CITIZEN,
        roles(Role.EXECUTOR, Role.SYSTEM),
    ),
    e.ClarificationReceived: Transition(
        states(Status.AWAITING_CITIZEN), Status.IN_PROGRESS, CITIZENS
    ),
    e.ClarificationTimedOut: Transition(
        states(Status.AWAITING_CITIZEN), Status.IN_PROGRESS, CLOCKWORK
    ),
    e.CitizenContacted: Transition(HELD, None, roles(Role.EXECUTOR, Role.SYSTEM)),
    # Replies.
    e.ReplyDrafted: Transition(WORK, Status.REPLY_IN_REVIEW, roles(Role.EXECUTOR, Role.SYSTEM)),
    e.ReplyReturned: Transition(states(Status.REPLY_IN_REVIEW), Status.IN_PROGRESS, APPROVERS),
    e.ReplyApproved: Transition(states(Status.REPLY_IN_REVIEW), Status.IN_PROGRESS, APPROVERS),
    e.ReplySubmitted: Transition(OPEN - states(Status.REPLY_IN_REVIEW), None, TRIAGERS | WORKERS),
    e.ReplyPublished: Transition(OPEN, None, TRIAGERS | WORKERS),
    e.ReplyDelivered: Transition(ANY, None, CLOCKWORK),
    e.ReplyPublicationFailed: Transition(ANY, None, CLOCKWORK),
    e.ReplyDeleted: Transition(ANY, None, roles(Role.MONITOR, Role.SYSTEM)),
    # Solution.
    e.SolutionScheduled: Transition(
        states(Status.ASSIGNED, Status.IN_PROGRESS), Status.SCHEDULED, WORKERS
    ),
    e.PromiseMoved: Transition(states(Status.SCHEDULED), None, WORKERS),
    e.IncidentResolved: Transition(WORK, Status.RESOLVED, WORKERS),
    e.PersonalControlTaken: Transition(OPEN | states(Status.RESOLVED), None, CONTROLLERS),
    e.PersonalControlLifted: Transition(
        OPEN | states(Status.UNDER_CONTROL, Status.REOPEN_REQUESTED), None, CONTROLLERS
    ),
    e.IncidentClosed: Transition(
        states(Status.RESOLVED, Status.UNDER_CONTROL), Status.CLOSED, CURATORS | CONTROLLERS
    ),
    # Quality.
    e.CitizenRated: Transition(DONE, None, CITIZENS),
    e.ResolutionDisputed: Transition(DONE, Status.REOPEN_REQUESTED, CITIZENS),
    e.IncidentReopened: Transition(states(Status.REOPEN_REQUESTED), Status.REOPENED, CURATORS),
    e.ReopenDeclined: Transition(
        states(Status.REOPEN_REQUESTED), Status.CLOSED, roles(Role.CURATOR)
    ),
    e.FieldCheckRequested: Transition(
        LIVING, None, roles(Role.MONITOR, Role.CURATOR, Role.REGION_HEAD)
    ),
    e.FieldCheckReported: Transition(
        LIVING, None, roles(Role.MONITOR, Role.CURATOR, Role.MCU_OPERATOR)
    ),
    e.RootCauseRecorded: Transition(LIVING, None, CURATORS),
    # Deadlines.
    e.DeadlineSet: Transition(OPEN, None, CLOCKWORK),
    e.DeadlineWarned: Transition(OPEN, None, CLOCKWORK),
    e.DeadlineMissed: Transition(OPEN, None, CLOCKWORK),
    e.DeadlinePaused: Transition(OPEN, None, CLOCKWORK),
    e.DeadlineResumed: Transition(OPEN, None, CLOCKWORK),
    e.DeadlineExtended: Transition(OPEN, None, roles(Role.ORG_HEAD, Role.SYSTEM)),
    e.EscalationRaised: Transition(OPEN, None, CLOCKWORK),
    # Personal data.
    e.PersonalDataErased: Transition(ANY, None, roles(Role.DATA_OFFICER, Role.SYSTEM)),
}

# Which event each command leads to; others may follow from it in the same breath.
EVENT_OF: dict[type[c.Command], type[e.Event]] = {
    c.Capture: e.MessageCaptured,
    c.NoteReading: e.MessageRead,
    c.EditMessage: e.MessageEdited,
    c.DeleteMessage: e.MessageDeleted,
    c.Register: e.IncidentRegistered,
    c.RegisterCaptured: e.IncidentRegistered,
    c.Reject: e.IncidentRejected,
    c.AddMessage: e.MessageAdded,
    c.Merge: e.IncidentMerged,
    c.Unmerge: e.IncidentUnmerged,
    c.TransferOut: e.IncidentTransferredOut,
    c.TransferIn: e.IncidentTransferredIn,
    c.Link: e.IncidentLinked,
    c.Classify: e.IncidentClassified,
    c.Assign: e.IncidentAssigned,
    c.Return: e.IncidentReturned,
    c.Reassign: e.IncidentReassigned,
    c.Reclassify: e.IncidentReclassified,
    c.Relocate: e.IncidentRelocated,
    c.Prioritize: e.IncidentPrioritized,
    c.GrantFastTrack: e.FastTrackGranted,
    c.AcceptWork: e.WorkAccepted,
    c.RequestClarification: e.ClarificationRequested,
    c.ReceiveClarification: e.ClarificationReceived,
    c.TimeOutClarification: e.ClarificationTimedOut,
    c.ContactCitizen: e.CitizenContacted,
    c.DraftReply: e.ReplyDrafted,
    c.ReturnReply: e.ReplyReturned,
    c.ApproveReply: e.ReplyApproved,
    c.SubmitReply: e.ReplySubmitted,
    c.PublishReply: e.ReplyPublished,
    c.NoteDelivery: e.ReplyDelivered,
    c.NoteFailedDelivery: e.ReplyPublicationFailed,
    c.NoteDeletedReply: e.ReplyDeleted,
    c.ScheduleSolution: e.SolutionScheduled,
    c.MovePromise: e.PromiseMoved,
    c.Resolve: e.IncidentResolved,
    c.TakePersonalControl: e.PersonalControlTaken,
    c.LiftPersonalControl: e.PersonalControlLifted,
    c.Close: e.IncidentClosed,
    c.Rate: e.CitizenRated,
    c.Dispute: e.ResolutionDisputed,
    c.Reopen: e.IncidentReopened,
    c.DeclineReopen: e.ReopenDeclined,
    c.RequestFieldCheck: e.FieldCheckRequested,
    c.ReportFieldCheck: e.FieldCheckReported,
    c.RecordRootCause: e.RootCauseRecorded,
    c.WarnDeadline: e.DeadlineWarned,
    c.MissDeadline: e.DeadlineMissed,
    c.ExtendDeadline: e.DeadlineExtended,
    c.Escalate: e.EscalationRaised,
    c.ErasePersonalData: e.PersonalDataErased,
}


def transition_of(command: c.Command | type[c.Command]) -> Transition:
    """Where a command is possible, what it leads to, and who may give it."""
    of = command if isinstance(command, type) else type(command)
    transition = TRANSITIONS[EVENT_OF[of]]
    # Of the two commands that lead to a registration one begins the stream.
    return transition._replace(sources=states()) if of is c.Register else transition


def status_after(status: Status, event: e.Event, *, controlled: bool) -> Status:
    """The state after an event. What is under personal control is not done until that is lifted."""
    if isinstance(event, e.IncidentUnmerged):
        return event.status
    if isinstance(event, e.ReplyReturned | e.ReplyApproved) and event.status is not None:
        return event.status
    after = TRANSITIONS[type(event)].target or status
    if controlled and after is Status.RESOLVED:
        return Status.UNDER_CONTROL
    if not controlled and after is Status.UNDER_CONTROL:
        return Status.RESOLVED
    return after
