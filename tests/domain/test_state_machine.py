"""Lives at random, told twice: by the rules, and by a model that knows the table and little more.

What the model allows happens and leads where it says; what it forbids is refused and changes
nothing; and after each step the events alone tell the same incident.
"""

from collections import Counter
from copy import deepcopy
from datetime import datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from domain import commands as c
from domain.decisions import alarms_due, capture, decide, register
from domain.errors import DomainError, RuleBroken
from domain.events import DeadlineExtended, DeadlineMissed, DeadlineWarned
from domain.incident import StreamEvent, replay
from domain.lifecycle import transition_of
from domain.rights import Actor, check_right
from domain.vocabulary import (
    Clock,
    DisputeBy,
    Outcome,
    Priority,
    PriorityReason,
    PromiseReason,
    ReplyAuthor,
    ReplyKind,
    Role,
    Status,
    Verdict,
)
from tests.domain import ladder
from tests.domain.ladder import (
    CURATOR,
    EMPTY_WORDS,
    HOUR,
    INCIDENT,
    NOON,
    SYSTEM,
    TOPIC,
    USUALLY,
    WAYS,
    sealed,
)
from tests.domain.model import PROMISE_DAYS, Model
from tests.domain.table import ROWS
from tests.domain.test_record import stored_and_read

TERMS = ladder.FixedTerms(visible="water.leak")
NAMES = st.sampled_from(["Анна", "Борис"])  # few: people meet their own decisions again
# What the model does not foresee: it forgets the clocks.
OF_CLOCKS = {"warnDeadline", "missDeadline", "escalate", "extendDeadline"}

ALWAYS_SAME = {each.NAME: each for each in vars(ladder).values() if isinstance(each, c.Command)}
VARYING: dict[type[c.Command], dict[str, st.SearchStrategy[object]]] = {
    c.Classify: {"topic": st.sampled_from([TOPIC, "water.leak"])},
    c.Reclassify: {"topic": st.sampled_from([TOPIC, "water.leak"])},
    c.Prioritize: {
        "priority": st.sampled_from(Priority),
        "reason": st.just(PriorityReason.MASS),
    },
    c.DraftReply: {
        "kind": st.sampled_from(ReplyKind),
        "text": st.sampled_from([EMPTY_WORDS, "Яму заделали 12 мая"]),
    },
    c.SubmitReply: {
        "kind": st.sampled_from(ReplyKind),
        "text": st.just("Взяли в работу"),
    },
    c.ApproveReply: {"despite_flaws": st.booleans()},
    c.PublishReply: {
        "kind": st.sampled_from(ReplyKind),
        "author": st.sampled_from(ReplyAuthor),
        "text": st.sampled_from([None, "Яму заделают"]),
    },
    c.Resolve: {
        "outcome": st.sampled_from(Outcome),
        "evidence": st.sampled_from([(), ("photo/1",)]),
    },
    c.Rate: {"score": st.integers(1, 5)},
    c.Dispute: {"by": st.sampled_from(DisputeBy)},
    c.ReportFieldCheck: {"verdict": st.sampled_from(Verdict)},
    c.WarnDeadline: {"clock": st.sampled_from(Clock)},
    c.MissDeadline: {"clock": st.sampled_from(Clock)},
    c.Escalate: {"clock": st.sampled_from(Clock)},
}


def some(name: str, at: datetime) -> st.SearchStrategy[c.Command]:
    """Commands of that name, as they may be given at a moment."""
    of = type(ALWAYS_SAME[name])
    because, days = st.just(PromiseReason.SEASON), st.integers(-2, PROMISE_DAYS + 2)
    later = days.map(lambda days: at + timedelta(days=days))
    if of in (c.ScheduleSolution, c.MovePromise):
        return st.builds(of, promised_on=later.map(datetime.date), reason=because)
    if of is c.ExtendDeadline:
        return st.builds(of, clock=st.sampled_from(Clock), due_at=later, reason=because)
    if of is c.Assign:
        # Who names a date that has passed may name it twice, and then it is missed twice.
        due_at = st.none() | later.filter(lambda due_at: due_at > at)
        return st.builds(of, organisation=st.just("BRONX-DOT"), due_at=due_at)
    return st.builds(of, **VARYING[of]) if of in VARYING else st.just(ALWAYS_SAME[name])


class Lives(RuleBasedStateMachine):
    def __init__(self, start: Status) -> None:
        super().__init__()
        self.start = start
        self.at, self.model, self.master = NOON, Model(), ladder.another()
        self.it = register(
            INCIDENT, "BRONX", ladder.REGISTER, at=NOON, by=ladder.MONITOR, terms=TERMS
        )
        self.stream: list[StreamEvent] = self.it.collect_events()

    @initialize()
    def life_is_somewhere(self) -> None:
        for command in WAYS[self.start]:
            if isinstance(command, c.Capture):
                self.it = capture(INCIDENT, "BRONX", command, at=NOON, by=ladder.MONITOR)
                self.stream = self.it.collect_events()
                self.model["status"] = Status.CAPTURED
            else:
                self.ask(command, USUALLY.get(type(command), CURATOR), expected=True)
        assert self.it.status is self.start

    @rule(data=st.data(), name=st.sampled_from(list(ROWS)), role=st.sampled_from(Role), who=NAMES)
    def anybody_asks_anything(self, data: st.DataObject, name: str, role: Role, who: str) -> None:
        if name not in ("register", "capture"):  # They begin a life; test_lifecycle.py.
            self.ask(data.draw(some(name, self.at)), Actor(who, role))

    @rule(data=st.data(), times=st.integers(1, 5), who=NAMES)
    def somebody_asks_what_the_table_allows(
        self, data: st.DataObject, times: int, who: str
    ) -> None:
        for _ in range(times):
            here = [name for name, row in ROWS.items() if self.model["status"] in row.after]
            name = data.draw(st.sampled_from(here))
            role = data.draw(st.sampled_from(sorted(ROWS[name].roles)))
            self.ask(data.draw(some(name, self.at)), Actor(who, role))

    @rule(hours=st.sampled_from([0.1, 1, 3, 10, 30, 100, 400]))
    def time_passes(self, hours: float) -> None:
        self.at += hours * HOUR

    @rule()
    def the_clocks_are_told(self) -> None:
        for _ in range(10):
            for command in alarms_due(self.it, self.at, TERMS):
                self.ask(command, SYSTEM, expected=True)
        assert alarms_due(self.it, self.at, TERMS) == []

    def ask(self, command: c.Command, by: Actor, *, expected: bool | None = None) -> None:
        before, may = deepcopy(self.it), by.role in ROWS[command.NAME].roles
        allowed = may and self.model.allows(command, by, self.at)
        if command.NAME in OF_CLOCKS and allowed:
            allowed = expected
        refusal = self.refusal_of(command, by)
        if refusal is None:
            assert allowed is not False, (command, by, self.model)
            self.model.happened(command, by, self.at)
            self.stream += self.it.collect_events()
        else:
            assert not allowed, (command, by, refusal)
            assert isinstance(refusal, RuleBroken) == may
            assert self.it == before

    def refusal_of(self, command: c.Command, by: Actor) -> DomainError | None:
        roles = transition_of(command).roles
        private = sealed() if command.private() is not None else None
        try:
            check_right(by, roles, region="BRONX", municipality=None, organisation=None, topic=None)
            other = self.master if isinstance(command, c.Merge | c.Unmerge) else None
            decide(self.it, command, at=self.at, by=by, sealed=private, terms=TERMS, other=other)
        except DomainError as refusal:
            return refusal
        return None

    @invariant()
    def it_is_what_the_model_says(self) -> None:
        assert self.it.status is self.model["status"]
        assert (self.it.topic, self.it.controller) == (self.model["topic"], self.model["holder"])
        assert (self.it.number, self.it.fast_track) == (self.model["number"], self.model["fast"])

    @invariant()
    def its_events_tell_all_of_it(self) -> None:
        assert self.it.version == len(self.stream)
        assert replay(self.stream) == self.it

    @invariant()
    def no_time_is_negative(self) -> None:
        for each in self.stream:
            for name in ("elapsed_seconds", "working_seconds", "paused_seconds"):
                assert (getattr(each.event, name, None) or 0) >= 0, each

    @invariant()
    def who_controls_it_keeps_it_from_being_done(self) -> None:
        held = self.it.controller is not None
        assert (self.it.status is Status.UNDER_CONTROL) <= held
        assert not (held and self.it.status in {Status.RESOLVED, Status.CLOSED, Status.REJECTED})

    @invariant()
    def the_solution_is_paused_just_while_the_citizen_is_waited_for(self) -> None:
        clocks = self.it.cycle.clocks
        waiting = self.it.status is Status.AWAITING_CITIZEN
        assert clocks.paused <= {Clock.SOLUTION}
        assert (Clock.SOLUTION in clocks.paused & set(clocks.running)) == (
            waiting and Clock.SOLUTION in clocks.running
        )

    @invariant()
    def nothing_runs_on_what_is_done(self) -> None:
        done = {Status.RESOLVED, Status.UNDER_CONTROL, Status.CLOSED, Status.REJECTED}
        done |= {Status.CAPTURED, Status.MERGED, Status.TRANSFERRED}
        assert not (self.it.status in done and self.it.cycle.clocks.running)

    @invariant()
    def a_deadline_is_warned_of_and_missed_once(self) -> None:
        """Unless it was extended meanwhile: urgency may take the extension back."""
        said, extensions = set(), Counter[Clock]()
        for event in (each.event for each in self.stream):
            if isinstance(event, DeadlineExtended):
                extensions[event.deadline.clock] += 1
            elif isinstance(event, DeadlineMissed | DeadlineWarned):
                fact = (type(event), event.clock, event.due_at, extensions[event.clock])
                assert fact not in said
                said.add(fact)

    def teardown(self) -> None:
        assert replay(stored_and_read(each) for each in self.stream) == self.it


@pytest.mark.parametrize("start", Status)
def test_lives_at_random_follow_the_table(start: Status) -> None:
    """The same lives in each run, from every state there is."""
    few = settings(max_examples=12, stateful_step_count=40, derandomize=True)
    run_state_machine_as_test(lambda: Lives(start), settings=few)
