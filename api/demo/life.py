"""What becomes of a message in the demo network: the incident's steps, as far as the clock allows.

A step that would lie in the future is not taken: such incidents are the living backlog.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import NamedTuple

from api.demo.flow import DAY, HOUR, Message
from api.demo.practice import (
    AUTO_SHARE,
    CAUSE_SHARE,
    CAUSES,
    CLARIFICATION_ANSWERED_SHARE,
    CLARIFIED_SHARE,
    CONTROLLED_SHARE,
    DRAFT_FLAWS,
    DRAFT_RETURNED_SHARE,
    FIELD_CHECKED_SHARE,
    HIGH_SHARE,
    INTERIM_SHARE,
    LINGERING_SHARE,
    MINUTE,
    NIGHT,
    OUTCOMES,
    PLANNED_SHARE,
    PRIORITY_REASONS,
    PROMISE_MOVED_SHARE,
    PROMISE_REASONS,
    RATED_SHARE,
    RATING_REASONS,
    REASSIGN_REASONS,
    REASSIGNED_SHARE,
    REOPEN_REASONS,
    REOPENED_SHARE,
    REST_AT_NIGHT,
    RETURN_REASONS,
    RETURNED_SHARE,
    SCORES,
    SOLVED_AT,
    SOLVED_SIGMA,
    UNANSWERED_SHARE,
    WRITTEN_AGAIN_SHARE,
    Practice,
    moment,
)
from domain.commands import (
    AcceptWork,
    AddMessage,
    ApproveReply,
    Assign,
    Citizen,
    Classify,
    Close,
    Command,
    Dispute,
    DraftReply,
    LiftPersonalControl,
    MovePromise,
    NoteDeletedReply,
    Prioritize,
    PublishReply,
    Rate,
    Reassign,
    ReceiveClarification,
    RecordRootCause,
    Reopen,
    ReportFieldCheck,
    RequestClarification,
    RequestFieldCheck,
    Resolve,
    Return,
    ReturnReply,
    ScheduleSolution,
    TakePersonalControl,
    TimeOutClarification,
)
from domain.identifiers import derived_id
from domain.rights import SYSTEM, Actor
from domain.vocabulary import (
    DisputeBy,
    Outcome,
    Priority,
    ReopenReason,
    ReplyAuthor,
    ReplyKind,
    Role,
    Verdict,
)
from regions.bulk import History, Step
from regions.reference.catalogue import Organisation

MONITOR = Actor("monitor", Role.MONITOR)
CURATOR = Actor("curator", Role.CURATOR)
MCU_OPERATOR = Actor("mcu", Role.MCU_OPERATOR)
REGION_HEAD = Actor("head", Role.REGION_HEAD)
CITIZEN = Actor("citizen", Role.CITIZEN)


class Draft(NamedTuple):
    """A step before it is known whether the clock reaches it."""

    at: float
    command: Command
    by: Actor


@dataclass(slots=True)
class Clock:
    """Moves along one incident's life; people mostly rest at night."""

    at: float
    utc_offset: int
    random: Random

    def pass_around(self, seconds: float, sigma: float = 0.8) -> float:
        """Go on by a lognormal span with this median, into the morning if it ends at night."""
        self.at = self.day_after(self.at + self.random.lognormvariate(math.log(seconds), sigma))
        return self.at

    def day_after(self, at: float) -> float:
        """`at`, or some time next morning. Never earlier than `at`."""
        second_of_day = (at + self.utc_offset) % DAY
        evening, morning = NIGHT[0] * HOUR, NIGHT[1] * HOUR
        if morning <= second_of_day < evening or self.random.random() > REST_AT_NIGHT:
            return at
        return at + (morning - second_of_day) % DAY + self.random.random() * 1.5 * HOUR


class Life:
    """One incident's life, told from its message on."""

    def __init__(self, practice: Practice, message: Message, random: Random, *, now: float) -> None:
        self.practice = practice
        self.message = message
        self.random = random
        self.now = now
        self.clock = Clock(message.at, message.utc_offset, random)
        self.place = message.place.code if message.place else None
        self.channel = ""
        self.drafts: list[Draft] = []

    def history(self, run: str, number: int) -> History:
        """All of it up to now. `run` and `number` name it: the same ones give the same ids."""
        external_id = f"{run}-{number}"
        registration = self.practice.register(
            self.message, self.random, external_id=external_id, number=number
        )
        self.channel = registration.channel
        from_platform = self.channel in self.practice.calibration.platforms
        reply_at = self.clock.day_after(self.message.at + self.practice.reply_seconds(self.random))
        registered_at = self._registered_at(reply_at, from_platform)
        self._live(registered_at, reply_at)
        at = moment(registered_at)
        return History(
            incident_id=derived_id(at, "incident", external_id),
            command_id=derived_id(at, "history", external_id),
            registration=registration,
            at=at,
            by=SYSTEM if from_platform else MONITOR,
            steps=self._steps(),
        )

    def _registered_at(self, reply_at: float, from_platform: bool) -> float:
        """The platform hands over at once; a post is found before it is answered."""
        if from_platform:
            return min(self.message.at + 2, self.now)
        lag = self.random.lognormvariate(math.log(12 * MINUTE), 0.9)
        return min(self.message.at + min(lag, 0.6 * (reply_at - self.message.at)), self.now)

    def _live(self, registered_at: float, reply_at: float) -> None:
        random, clock = self.random, self.clock
        clock.at = registered_at
        if random.random() < AUTO_SHARE and reply_at > registered_at + MINUTE:
            auto = self.practice.reply(ReplyKind.FIRST, random, ReplyAuthor.AUTO)
            self._draft(registered_at + 20, auto, SYSTEM)
        self._draft(clock.pass_around(6 * MINUTE), Classify(topic=self.message.topic), MONITOR)
        if random.random() < HIGH_SHARE:
            urgent = Prioritize(priority=Priority.HIGH, reason=PRIORITY_REASONS.pick(random))
            self._draft(clock.at, urgent, CURATOR)
        if random.random() < WRITTEN_AGAIN_SHARE:
            self._draft(clock.pass_around(HOUR), self._again(), MONITOR)
        answered = random.random() >= UNANSWERED_SHARE
        self._cycle(reply_at if answered else None)

    def _again(self) -> AddMessage:
        """A neighbour writes about the same."""
        at = moment(self.clock.at)
        again = Citizen(text=self.practice.answer(self.random))
        return AddMessage(channel=self.channel, published_at=at, citizen=again)

    def _cycle(self, reply_at: float | None) -> None:
        """From triage to closing; `reply_at` is the first human reply, None if it never comes."""
        bodies = self.practice.in_charge(self.place, self.message.topic)
        lingering = reply_at is None or self.random.random() < LINGERING_SHARE
        if reply_at is not None and (lingering or not bodies):
            self._first_reply(reply_at)
        if not bodies:
            return
        assigned_at = self.clock.pass_around(15 * MINUTE)
        due_days = self._due_days(lingering and reply_at is not None)
        body = self._assign(bodies, assigned_at + due_days * DAY)
        body = self._reassign(bodies, body)
        accepted_at = self.clock.pass_around(2 * HOUR)
        self._draft(accepted_at, AcceptWork(), body)
        if self.random.random() < CLARIFIED_SHARE:
            self._clarify(body)
        if lingering:
            self._promise(reply_at, self.clock.at, body)
        elif reply_at is not None:
            self._finish(reply_at, assigned_at, due_days, body)

    def _due_days(self, planned: bool) -> int:
        if planned and self.random.random() < PLANNED_SHARE:
            return self.random.randrange(60, 365)
        return self.practice.due_days(self.channel, self.random)

    def _assign(self, bodies: Sequence[Organisation], due_at: float) -> Actor:
        """Assign until it is not sent back; returns who has it then."""
        organisation = self.random.choice(bodies).code
        due = moment(due_at)
        self._draft(self.clock.at, Assign(organisation=organisation, due_at=due), CURATOR)
        if self.random.random() < RETURNED_SHARE:
            by = Actor(organisation, Role.EXECUTOR)
            other = self.random.choice(bodies).code
            reason = RETURN_REASONS.pick(self.random)
            back = Return(
                reason=reason, suggested_organisation=other if other != organisation else None
            )
            self.clock.at += self.random.uniform(0.2, 8) * HOUR  # later it is theirs
            self._draft(self.clock.at, back, by)
            return self._assign_again(other)
        return Actor(organisation, Role.EXECUTOR)

    def _assign_again(self, organisation: str) -> Actor:
        """The deadline of the first assignment runs on."""
        self._draft(self.clock.pass_around(HOUR), Assign(organisation=organisation), CURATOR)
        return Actor(organisation, Role.EXECUTOR)

    def _first_reply(self, reply_at: float) -> None:
        first = self.practice.reply(ReplyKind.FIRST, self.random)
        self._draft(reply_at, first, MONITOR)

    def _reassign(self, bodies: Sequence[Organisation], body: Actor) -> Actor:
        """Now and then a curator gives it to another body without having got it back."""
        other = self.random.choice(bodies).code
        if self.random.random() > REASSIGNED_SHARE or other == body.name:
            return body
        reason = REASSIGN_REASONS.pick(self.random)
        self._draft(
            self.clock.pass_around(HOUR), Reassign(organisation=other, reason=reason), CURATOR
        )
        return Actor(other, Role.EXECUTOR)

    def _clarify(self, body: Actor) -> None:
        """Ask the citizen, who answers within days or not at all."""
        question = RequestClarification(question=self.practice.question(self.random))
        self._draft(self.clock.at, question, body)
        if self.random.random() < CLARIFICATION_ANSWERED_SHARE:
            answer = ReceiveClarification(answer=self.practice.answer(self.random))
            self._draft(self.clock.pass_around(8 * HOUR), answer, CITIZEN)
        else:
            self.clock.at += 3 * DAY
            self._draft(self.clock.at, TimeOutClarification(), SYSTEM)

    def _promise(self, reply_at: float | None, accepted_at: float, body: Actor) -> None:
        """A lingering incident is told about now and then, with a day for its solution."""
        random = self.random
        if reply_at is None or random.random() > 2 * INTERIM_SHARE:
            return
        told_at = max(reply_at, accepted_at) + random.uniform(1, 9) * DAY
        self._draft(told_at, self.practice.reply(ReplyKind.INTERIM, random), CURATOR)
        promised_on = moment(told_at).date() + timedelta(days=random.randrange(14, 120))
        reason = PROMISE_REASONS.pick(random)
        scheduled_at = told_at + HOUR
        self._draft(scheduled_at, ScheduleSolution(promised_on=promised_on, reason=reason), body)
        if random.random() < PROMISE_MOVED_SHARE:
            later = MovePromise(promised_on=promised_on + timedelta(days=14), reason=reason)
            self._draft(scheduled_at + 10 * DAY, later, body)

    def _finish(self, reply_at: float, assigned_at: float, due_days: int, body: Actor) -> None:
        """Work until the final reply, then resolve, close, and perhaps begin anew."""
        random, clock = self.random, self.clock
        work = random.lognormvariate(math.log(SOLVED_AT * due_days * DAY), SOLVED_SIGMA)
        started_at = clock.at
        clock.at = clock.day_after(max(assigned_at + work, started_at + HOUR))
        outcome = OUTCOMES.pick(random)
        # A reply that would come after the final one is not written: the final one answers.
        if reply_at < clock.at:
            self._first_reply(reply_at)
            if random.random() < INTERIM_SHARE:
                interim_at = random.uniform(max(reply_at, started_at), clock.at)
                self._draft(interim_at, self.practice.reply(ReplyKind.INTERIM, random), CURATOR)
        self._final_reply(outcome, body)
        evidence = (f"photo/{random.getrandbits(48):012x}",) if outcome is Outcome.SOLVED else ()
        resolve = Resolve(outcome=outcome, evidence=evidence)
        self._draft(clock.pass_around(20 * MINUTE), resolve, body)
        if random.random() < CAUSE_SHARE:
            self._draft(clock.at, RecordRootCause(cause=CAUSES.pick(random)), CURATOR)
        if random.random() < REOPENED_SHARE:
            self._reopen()
        else:
            self._end()

    def _final_reply(self, outcome: Outcome, body: Actor) -> None:
        """Drafted, sometimes returned, approved by the head of the body, published."""
        random, clock = self.random, self.clock
        number = int(self.message.at)
        text = self.practice.final_reply(
            random,
            outcome,
            topic=self.message.topic,
            where=(self.message.place or self.practice.flow.region).name,
            number=number,
        )
        draft = DraftReply(kind=ReplyKind.FINAL, text=text)
        head = Actor(f"{body.name}-head", Role.ORG_HEAD)
        self._draft(clock.at, draft, body)
        if random.random() < DRAFT_RETURNED_SHARE:
            back = ReturnReply(reasons=(DRAFT_FLAWS.pick(random),))
            self._draft(clock.pass_around(HOUR), back, head)
            self._draft(clock.pass_around(2 * HOUR), draft, body)
        self._draft(clock.pass_around(30 * MINUTE), ApproveReply(despite_flaws=True), head)
        self._draft(clock.at, PublishReply(kind=ReplyKind.FINAL), SYSTEM)
        if self.practice.deletes(number):
            gone_at = clock.at + 3 * DAY
            gone = NoteDeletedReply(
                channel=self.channel, external_id=f"reply-{number}", deleted_at=moment(gone_at)
            )
            self._draft(gone_at, gone, SYSTEM)

    def _end(self) -> None:
        """Signalen keeps the window for reopening at 14 days; a curator closes sooner."""
        random, clock = self.random, self.clock
        if random.random() < RATED_SHARE:
            rating = Rate(score=SCORES.pick(random), reasons=(RATING_REASONS.pick(random),))
            self._draft(clock.pass_around(5 * HOUR), rating, CITIZEN)
        if random.random() < FIELD_CHECKED_SHARE:
            self._draft(clock.pass_around(HOUR), RequestFieldCheck(), CURATOR)
            self._draft(
                clock.pass_around(DAY), ReportFieldCheck(verdict=Verdict.DONE), MCU_OPERATOR
            )
        if random.random() < CONTROLLED_SHARE:
            self._draft(clock.at, TakePersonalControl(), REGION_HEAD)
            self._draft(clock.pass_around(2 * DAY), LiftPersonalControl(), REGION_HEAD)
        self._draft(clock.pass_around(3 * DAY, 0.6), Close(), CURATOR)

    def _reopen(self) -> None:
        """Within 14 days of the resolution (reopenRate, lifecycle-and-metrics 3.4)."""
        random, clock = self.random, self.clock
        clock.at += random.uniform(0.2, 12.9) * DAY
        reason = REOPEN_REASONS.pick(random)
        by = (
            DisputeBy.FIELD_CHECK if reason is ReopenReason.FIELD_CHECK_FAILED else DisputeBy.AUTHOR
        )
        self._draft(clock.at, Dispute(by=by), CITIZEN)
        clock.pass_around(3 * HOUR)
        if clock.at > self.now:
            return
        self._draft(clock.at, Reopen(reason=reason), CURATOR)
        self._cycle(clock.day_after(clock.at + self.practice.reply_seconds(random)))

    def _draft(self, at: float, command: Command, by: Actor) -> None:
        if at <= self.now:
            self.drafts.append(Draft(at, command, by))

    def _steps(self) -> tuple[Step, ...]:
        """The drafts in order of time. Sorting is stable: what comes at once keeps its order."""
        return tuple(
            Step(draft.command, moment(draft.at), draft.by)
            for draft in sorted(self.drafts, key=lambda draft: draft.at)
        )
