"""An incident as somebody keeps it in mind who knows the table, the guards and nothing of events.

It forgets the clocks; the terms are those of the state machine that compares it with the rules.
"""

from datetime import datetime, timedelta
from typing import Any

from domain import commands as c
from domain.rights import Actor
from domain.vocabulary import Outcome, Priority, ReplyAuthor, ReplyKind, Role, Status, Verdict
from tests.domain.ladder import EMPTY_WORDS
from tests.domain.table import ROWS

WINDOW, PROMISE_DAYS = timedelta(days=14), 30
KEPT = timedelta(hours=27)  # 9 of them worked; then it is not sent back any more


class Model(dict[str, Any]):
    """The incident as somebody keeps it in mind."""

    def __init__(self) -> None:
        super().__init__(status=Status.REGISTERED, topic=None, private=False, holder=None)
        self.update(priority=Priority.NORMAL, fast=False, links=set(), number=1)
        self.begin_cycle()

    def begin_cycle(self) -> None:
        self.update(replies=set(), draft=None, asked=0, rated=False, resolved_at=None)
        self.update(deciders=set(), promised=False)

    def allows(self, command: c.Command, by: Actor, at: datetime) -> bool:
        """Whether it is possible; whose right it is, and what the clocks say, is not asked."""
        if self["status"] not in ROWS[command.NAME].after:
            return False
        system, free = by.role is Role.SYSTEM, self["holder"] in (None, by.name)
        match command:
            case c.Reject() | c.DeclineReopen():
                return free and by.name not in self["deciders"]
            case c.Link(to=to):
                return to not in self["links"]
            case c.Merge() | c.TransferOut():
                return free
            case c.Assign():
                return self["topic"] is not None
            case c.Return():
                return system or at - self["assigned_at"] <= KEPT
            case c.Reclassify(topic=topic):
                return self["topic"] not in (None, topic)
            case c.Prioritize(priority=priority):
                return self["priority"] is not priority
            case c.GrantFastTrack():
                return not self["fast"]
            case c.RequestClarification():
                return self["asked"] < 2
            case c.ApproveReply(despite_flaws=despite):
                draft = self["draft"]
                return draft["by"] != by.name and (despite or not draft["flawed"])
            case c.SubmitReply():
                return self.allows_submission(command, by)
            case c.PublishReply():
                return self.allows_reply(command, by)
            case c.ScheduleSolution() | c.MovePromise():
                told = (ReplyKind.INTERIM, ReplyAuthor.HUMAN) in self["replies"]
                days = (command.promised_on - at.date()).days
                return told and 0 <= days <= PROMISE_DAYS
            case c.Resolve(outcome=outcome, evidence=evidence):
                seen = outcome is Outcome.SOLVED and self["topic"] == "water.leak"
                return self.answered_finally() and (bool(evidence) or not seen or system)
            case c.TakePersonalControl():
                return self["holder"] is None
            case c.LiftPersonalControl():
                return bool(self["holder"] == by.name)
            case c.Close():
                controls = by.role in (Role.REGION_HEAD, Role.FEDERAL_OVERSEER)
                return free and (self["holder"] is not None or not controls)
            case c.Rate():
                return at - self["resolved_at"] <= WINDOW and not self["rated"]
            case c.Dispute():
                return at - self["resolved_at"] <= WINDOW
            case c.Reopen():
                return system or by.name not in self["deciders"]
            case c.ErasePersonalData():
                return bool(self["private"])
        return True

    def allows_reply(self, command: c.PublishReply, by: Actor) -> bool:
        human = command.author is ReplyAuthor.HUMAN
        if command.kind is ReplyKind.FIRST:
            by_humans = any(author is ReplyAuthor.HUMAN for _, author in self["replies"])
            return not by_humans if human else not self["replies"]
        approver = by.role in (Role.ORG_HEAD, Role.CURATOR, Role.SYSTEM)
        return not human or approver or self.approved(command)

    def allows_submission(self, command: c.SubmitReply, by: Actor) -> bool:
        draft = self["draft"]
        if draft and draft["approved"]:
            return False
        if command.kind is ReplyKind.FIRST:
            return not any(author is ReplyAuthor.HUMAN for _, author in self["replies"])
        return by.role in (Role.ORG_HEAD, Role.CURATOR, Role.SYSTEM)

    def answered_finally(self) -> bool:
        return (ReplyKind.FINAL, ReplyAuthor.HUMAN) in self["replies"]

    def approved(self, command: c.PublishReply) -> bool:
        draft = self["draft"]
        fits = draft and draft["approved"] and draft["kind"] is command.kind
        return bool(fits and command.text is None)

    def happened(self, command: c.Command, by: Actor, at: datetime) -> None:
        status = self["status"]
        self["private"] |= command.private() is not None
        match command:
            case c.Merge():
                self["before_merge"] = status
            case c.Link(to=to):
                self["links"] = self["links"] | {to}
            case c.Classify(topic=topic) | c.Reclassify(topic=topic):
                self["topic"] = topic
            case c.Prioritize(priority=priority):
                self["priority"] = priority
            case c.GrantFastTrack():
                self["fast"] = True
            case c.RequestClarification():
                self["asked"] += 1
            case c.DraftReply(kind=kind, text=text):
                flawed = text == EMPTY_WORDS
                self["draft"] = {"kind": kind, "by": by.name, "flawed": flawed, "approved": False}
                self["promised"] = status is Status.SCHEDULED
            case c.SubmitReply(kind=kind):
                self["draft"] = {"kind": kind, "by": by.name, "flawed": False, "approved": True}
            case c.ApproveReply():
                self["draft"] = self["draft"] | {"approved": True}
            case c.ReturnReply():
                self["draft"] = None
            case c.Assign() | c.Reassign():
                self["draft"], self["assigned_at"] = None, at
            case c.PublishReply(kind=kind, author=author):
                self["replies"] = self["replies"] | {(kind, author)}
                if self.approved(command):
                    self["draft"] = None
            case c.Resolve():
                self["resolved_at"] = at
                self["deciders"] = self["deciders"] | {by.name}
            case c.Close() | c.DeclineReopen() | c.Reject():
                self["deciders"] = self["deciders"] | {by.name}
                self["holder"] = None
            case c.TakePersonalControl():
                self["holder"] = by.name
            case c.LiftPersonalControl():
                self["holder"] = None
            case c.Rate():
                self["rated"] = True
            case c.Reopen():
                self["number"] += 1
                self.begin_cycle()
            case c.ErasePersonalData():
                self["private"] = False
        self["status"] = self.status_after(command, status)

    def status_after(self, command: c.Command, status: Status) -> Status:
        after = ROWS[command.NAME].after[status]
        done = status in (Status.RESOLVED, Status.UNDER_CONTROL, Status.CLOSED)
        match command:
            case c.Unmerge():
                merged_from: Status = self["before_merge"]
                return merged_from
            case c.Rate(score=1 | 2):
                return Status.REOPEN_REQUESTED
            case c.ReportFieldCheck(verdict=Verdict.NOT_DONE | Verdict.PARTLY) if done:
                return Status.REOPEN_REQUESTED
            case c.ReturnReply() | c.ApproveReply() if self["promised"]:
                return Status.SCHEDULED
            case c.Resolve() if self["holder"]:
                return Status.UNDER_CONTROL
        return after
