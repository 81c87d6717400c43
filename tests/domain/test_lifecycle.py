"""Every row of the lifecycle: from where, to where, and who may; all else is refused.

The guards that need more than the state: test_guards.py and test_deadlines.py.
"""

import pytest

from domain import commands as c
from domain.decisions import DECISIONS
from domain.errors import ForbiddenTransition, NotPermitted
from domain.events import EVENTS
from domain.lifecycle import EVENT_OF, TRANSITIONS, transition_of
from domain.rights import Actor, Scope, check_right, sandbox_of
from domain.vocabulary import OPEN, Clock, ReplyKind, Role, Status
from tests.domain import ladder
from tests.domain.ladder import (
    CURATOR,
    DAY,
    HOUR,
    TERMS,
    USUALLY,
    WAYS,
    Life,
    changed,
    life,
    sealed,
)
from tests.domain.table import ROWS, meant

COMMANDS: dict[str, c.Command] = {
    each.NAME: each for each in vars(ladder).values() if isinstance(each, c.Command)
} | {"submitReply": changed(ladder.SUBMIT, kind=ReplyKind.INTERIM)}
COMMANDS |= {"publishReply": ladder.FINAL, "prioritize": ladder.RAISE}

# What else must have happened for a command to be possible in a state that allows it.
NEEDED: dict[str, list[c.Command]] = {
    "assign": [ladder.CLASSIFY],
    "reclassify": [ladder.CLASSIFY],
    "scheduleSolution": [ladder.INTERIM],
    "resolve": [ladder.FINAL],
    "liftPersonalControl": [ladder.TAKE],
}
# To be held in these states it must have been held before.
HELD_WAYS: dict[Status, list[c.Command]] = {
    Status.UNDER_CONTROL: WAYS[Status.UNDER_CONTROL],
    Status.REOPEN_REQUESTED: [*WAYS[Status.UNDER_CONTROL], ladder.DISPUTE],
}


def prepared(status: Status, name: str) -> Life:
    """An incident in that state, of which everything else that the command needs is true."""
    if name == "liftPersonalControl" and status in HELD_WAYS:
        return life(*HELD_WAYS[status], citizen=sealed(), terms=TERMS)
    it = life(*WAYS[status], citizen=sealed(), terms=TERMS)
    for step in NEEDED.get(name, []):
        if status in ROWS[name].after and status in ROWS[step.NAME].after:
            it.do(step)
    return it


def of_a_clock(it: Life, name: str) -> c.Command:
    """The command at its time, for a clock that runs on the incident (and if none runs, any)."""
    clocks = it.it.cycle.clocks
    clock = next((each for each in clocks.running if each not in clocks.paused), Clock.SOLUTION)
    deadline = clocks.running.get(clock)
    due_at = deadline.due_at if deadline else it.at
    if name == "extendDeadline":
        return c.ExtendDeadline(clock=clock, due_at=due_at + DAY, reason=ladder.EXTEND.reason)
    it.at = due_at - HOUR if name == "warnDeadline" else due_at + HOUR
    if name == "escalate" and deadline:
        it.do(c.MissDeadline(clock=clock), 2 * HOUR)
    return type(COMMANDS[name])(clock=clock)  # type: ignore[call-arg]


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("name", ROWS)
def test_a_command_is_possible_in_its_states_and_refused_in_all_others(
    status: Status, name: str
) -> None:
    it, row = prepared(status, name), ROWS[name]
    assert it.it.status is status
    command = of_a_clock(it, name) if hasattr(COMMANDS[name], "clock") else COMMANDS[name]
    if status in row.after:
        by = ladder.GOVERNOR if status is Status.UNDER_CONTROL and name == "close" else None
        assert it.do(command, by=by)
        assert it.it.status is row.after[status]
    else:
        refusal = it.refuses(command, ForbiddenTransition)
        assert refusal.facts == {"command": name, "status": status}


@pytest.mark.parametrize("name", ROWS)
def test_a_command_is_given_by_its_roles_and_by_no_other(name: str) -> None:
    for role in Role:
        by, allowed = Actor("Кто-то", role), transition_of(COMMANDS[name]).roles
        place = {
            "region": "BRONX",
            "municipality": "BRONX-01",
            "organisation": "BRONX-DOT",
            "topic": None,
        }
        if role in ROWS[name].roles:
            check_right(by, allowed, **place)
        else:
            with pytest.raises(NotPermitted):
                check_right(by, allowed, **place)


@pytest.mark.parametrize("name", ROWS)
def test_a_trainee_does_in_the_sandbox_what_people_do_and_nothing_elsewhere(name: str) -> None:
    trainee, allowed = Actor("Елена", Role.TRAINEE), transition_of(COMMANDS[name]).roles
    place = {"municipality": "BRONX-01", "organisation": "BRONX-DOT", "topic": None}
    with pytest.raises(NotPermitted):
        check_right(trainee, allowed, region="BRONX", **place)
    if ROWS[name].roles == {Role.SYSTEM}:
        with pytest.raises(NotPermitted):
            check_right(trainee, allowed, region=sandbox_of("BRONX"), **place)
    else:
        check_right(trainee, allowed, region=sandbox_of("BRONX"), **place)


@pytest.mark.parametrize("role", ["TRAINEE", "DISTRICT_OVERSEER", "NETWORK_OPERATOR"])
def test_who_only_learns_or_oversees_changes_nothing(role: str) -> None:
    assert not any(Role(role) in transition.roles for transition in TRANSITIONS.values())


@pytest.mark.parametrize(
    ("scope", "may"),
    [
        (Scope(), True),
        (Scope("BRONX"), True),
        (Scope("BRONX", "BRONX-01"), True),
        (Scope("BRONX", organisation="BRONX-DOT"), True),
        (Scope("QUEENS"), False),
        (Scope("BRONX", "BRONX-02"), False),
        (Scope("BRONX", organisation="BRONX-NYPD"), False),
    ],
)
def test_a_role_acts_in_its_own_territory_on_what_its_body_holds(scope: Scope, may: bool) -> None:
    operator = Actor("МЦУ", Role.MCU_OPERATOR, scope)
    allowed = transition_of(ladder.ASSIGN).roles

    def ask() -> None:
        check_right(
            operator,
            allowed,
            region="BRONX",
            municipality="BRONX-01",
            organisation="BRONX-DOT",
            topic=None,
        )

    if may:
        ask()
    else:
        with pytest.raises(NotPermitted):
            ask()


def test_who_usually_gives_a_command_in_these_tests_may() -> None:
    for command in COMMANDS.values():
        assert USUALLY.get(type(command), CURATOR).role in ROWS[command.NAME].roles


def test_open_is_what_still_has_to_be_done() -> None:
    assert set(meant("open")) == OPEN


def test_every_command_and_every_event_stands_in_the_lifecycle() -> None:
    assert set(ROWS) == {command.NAME for command in EVENT_OF} == set(COMMANDS)
    assert set(EVENT_OF) == set(c.Command.__subclasses__()) == {c.Capture, c.Register, *DECISIONS}
    assert set(TRANSITIONS) == set(EVENTS.values())
    followers = {"DeadlineSet", "DeadlinePaused", "DeadlineResumed"}
    followers |= {"MessagesTaken", "MessagesGivenBack"}  # on the other incident
    assert {event.TOPIC for event in TRANSITIONS.keys() - EVENT_OF.values()} == followers
