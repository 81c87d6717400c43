"""The life of an incident in New York, told once: each rung stands on the one before."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import ClassVar
from uuid import UUID, uuid4

import psycopg
from psycopg import sql

from domain.commands import (
    AcceptWork,
    Assign,
    Citizen,
    Classify,
    Close,
    Command,
    ContactCitizen,
    Dispute,
    DraftReply,
    ExtendDeadline,
    GrantFastTrack,
    LiftPersonalControl,
    MovePromise,
    Prioritize,
    PublishReply,
    Rate,
    Reassign,
    ReceiveClarification,
    Reclassify,
    RecordRootCause,
    Register,
    Relocate,
    Reopen,
    ReportFieldCheck,
    RequestClarification,
    RequestFieldCheck,
    Resolve,
    Return,
    ScheduleSolution,
    TakePersonalControl,
    TimeOutClarification,
)
from domain.deadlines import Deadline, Escalation, Matter, NoTerms
from domain.identifiers import derived_id
from domain.lifecycle import transition_of
from domain.rights import Actor
from domain.vocabulary import (
    Cause,
    Clock,
    DisputeBy,
    Outcome,
    Priority,
    PriorityReason,
    PromiseReason,
    ReassignReason,
    ReopenReason,
    ReplyAuthor,
    ReplyKind,
    ReturnReason,
    Role,
    Verdict,
)
from regions.bulk import History, Step
from regions.centre import Centre, Result

OPERATOR = Actor("operator", Role.SYSTEM)  # another system, of which we take over what it decided
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)  # a Monday
BOARDS = {"BRONX": "BRONX-01", "QUEENS": "QUEENS-09"}


def message(text: str = "Нет воды", **changes: object) -> Register:
    facts: dict[str, object] = {
        "channel": "PHONE",
        "published_at": NOON,
        "citizen": Citizen(name="Анна", contact="+7 900 000-00-00", text=text),
    }
    return Register(**(facts | changes))  # type: ignore[arg-type]


def ask(
    centre: Centre, incident: UUID, command: Command, minutes: float, **options: object
) -> Result:
    """Give a command so many minutes after NOON."""
    facts: dict[str, object] = {
        "command_id": uuid4(),
        "at": NOON + timedelta(minutes=minutes),
        "by": OPERATOR,
    }
    return centre.handle(incident, command, **(facts | options))  # type: ignore[arg-type]


def registered(centre: Centre, **changes: object) -> Result:
    return centre.register(message(**changes), command_id=uuid4(), at=NOON, by=OPERATOR)  # type: ignore[arg-type]


def classified(centre: Centre, **changes: object) -> Result:
    incident = registered(centre, **changes).incident_id
    return ask(centre, incident, Classify(topic=some_topic(centre)), 10)


def assigned(centre: Centre, *, due_in_hours: float = 24, **changes: object) -> Result:
    incident = classified(centre, **changes).incident_id
    due_at = NOON + timedelta(hours=due_in_hours)
    return ask(centre, incident, Assign(organisation=some_body(centre), due_at=due_at), 20)


def accepted(centre: Centre, **changes: object) -> Result:
    return ask(centre, assigned(centre, **changes).incident_id, AcceptWork(), 30)


def answered(centre: Centre, **changes: object) -> Result:
    incident = accepted(centre, **changes).incident_id
    return ask(centre, incident, PublishReply(kind=ReplyKind.FINAL, text="Вода есть"), 60)


def resolved(centre: Centre, **changes: object) -> Result:
    incident = answered(centre, **changes).incident_id
    return ask(centre, incident, Resolve(outcome=Outcome.SOLVED), 90)


def closed(centre: Centre, **changes: object) -> Result:
    return ask(centre, resolved(centre, **changes).incident_id, Close(), 120)


def some_topic(centre: Centre) -> str:
    return topics(centre)[0]


def topics(centre: Centre) -> list[str]:
    return [topic.code for topic in centre.catalogue.topics.values() if topic.group]


def some_body(centre: Centre) -> str:
    return bodies(centre)[0]


def bodies(centre: Centre) -> list[str]:
    return [body.code for body in centre.catalogue.organisations_of[centre.region.code]]


def places(centre: Centre) -> list[str]:
    return [place.code for place in centre.catalogue.municipalities_of[centre.region.code]]


def returned(centre: Centre, **changes: object) -> Result:
    incident = assigned(centre, **changes).incident_id
    return ask(centre, incident, Return(reason=ReturnReason.WRONG_TOPIC), 25)


def reopened(centre: Centre, **changes: object) -> Result:
    incident = closed(centre, **changes).incident_id
    ask(centre, incident, Dispute(by=DisputeBy.AUTHOR), 140)
    return ask(centre, incident, Reopen(reason=ReopenReason.RECURRED), 150)


def any_command(centre: Centre, chance: Random) -> Command:
    """Any command but a registration; the rules of the moment may refuse it."""
    return chance.choice(
        [
            Classify(topic=chance.choice(topics(centre))),
            Assign(
                organisation=some_body(centre), due_at=NOON + timedelta(hours=chance.random() * 99)
            ),
            Assign(organisation=some_body(centre)),
            Return(reason=ReturnReason.NOT_COMPETENT),
            AcceptWork(),
            PublishReply(kind=ReplyKind.FIRST, author=ReplyAuthor.AUTO),
            PublishReply(kind=ReplyKind.INTERIM, text="Едем"),
            PublishReply(kind=ReplyKind.FINAL, text="Вода есть"),
            Resolve(outcome=chance.choice(list(Outcome))),
            Resolve(outcome=Outcome.SOLVED),
            Close(),
            Dispute(by=DisputeBy.AUTHOR),
            Reopen(reason=ReopenReason.RECURRED),
            Reassign(organisation=chance.choice(bodies(centre)), reason=ReassignReason.WRONG_BODY),
            Reclassify(topic=chance.choice(topics(centre))),
            Relocate(municipality=chance.choice(places(centre))),
            Prioritize(priority=chance.choice(list(Priority)), reason=PriorityReason.MASS),
            GrantFastTrack(),
            RequestClarification(question="Какой дом?"),
            ReceiveClarification(answer="Пятый"),
            TimeOutClarification(),
            ContactCitizen(channel="PHONE"),
            DraftReply(kind=ReplyKind.FINAL, text="Вода есть"),
            ScheduleSolution(
                promised_on=NOON.date() + timedelta(days=chance.randrange(9)),
                reason=PromiseReason.SUPPLY,
            ),
            MovePromise(
                promised_on=NOON.date() + timedelta(days=chance.randrange(9)),
                reason=PromiseReason.WEATHER,
            ),
            TakePersonalControl(),
            LiftPersonalControl(),
            Rate(score=chance.randint(1, 5)),
            RequestFieldCheck(),
            ReportFieldCheck(verdict=chance.choice(list(Verdict))),
            RecordRootCause(cause=chance.choice(list(Cause))),
            ExtendDeadline(
                due_at=NOON + timedelta(days=chance.randrange(9)), reason=PromiseReason.CONTRACT
            ),
        ]
    )


def any_actor(command: Command, chance: Random) -> Actor:
    """Somebody who may give this command, anywhere; one person of each role."""
    role = chance.choice(sorted(transition_of(command).roles))
    return Actor(role.lower(), role)


class PlainTerms(NoTerms):
    """Terms to count in one's head: hours around the clock, half of them if it is urgent."""

    HOURS: ClassVar = {Clock.FIRST_REPLY: 4, Clock.NEXT_REPLY: 2, Clock.SOLUTION: 48}
    STEPS = 2  # up the chain, an hour after each other

    def deadline(self, clock: Clock, matter: Matter, *, start: datetime) -> Deadline | None:
        urgent = matter.priority is Priority.HIGH or matter.fast_track
        term = timedelta(hours=self.HOURS[clock]) / (2 if urgent else 1)
        return Deadline(
            clock=clock,
            policy="PLAIN",
            started_at=start,
            due_at=start + term,
            warn_at=start + term / 2,
        )

    def escalation(
        self, clock: Clock, step: int, *, missed_at: datetime, municipality: str | None
    ) -> Escalation | None:
        if step > self.STEPS:
            return None
        return Escalation(step, Role.REGION_HEAD, missed_at + timedelta(hours=step))


def history(
    centre: Centre, number: int, *, begins_at: datetime = NOON, text: str = "Нет воды"
) -> History:
    """A whole life as an import brings it, known by its number: twelve events in three hours."""
    commands: list[Command] = [
        Classify(topic=some_topic(centre)),
        Assign(organisation=some_body(centre), due_at=begins_at + timedelta(hours=2)),
        AcceptWork(),
        PublishReply(kind=ReplyKind.INTERIM, text="Едем"),
        PublishReply(kind=ReplyKind.FINAL, text="Вода есть"),
        Resolve(outcome=Outcome.SOLVED),
        Dispute(by=DisputeBy.THIRD_PARTY),
        Reopen(reason=ReopenReason.RECURRED),
        Assign(organisation=some_body(centre), due_at=begins_at + timedelta(hours=3)),
        PublishReply(kind=ReplyKind.FINAL, text="Теперь есть"),
        Resolve(outcome=Outcome.SOLVED),
    ]
    return History(
        incident_id=derived_id(begins_at, centre.region.code, str(number)),
        command_id=derived_id(begins_at, centre.region.code, str(number), "command"),
        registration=message(text, external_id=f"{centre.region.code}-{number}"),
        at=begins_at,
        by=OPERATOR,
        steps=[
            Step(command, begins_at + timedelta(minutes=15 * place), OPERATOR)
            for place, command in enumerate(commands, start=1)
        ],
    )


def contents(url: str, *schemas: str) -> dict[str, list[str]]:
    """Every row of every table of these schemas (`public` if none is given), as text, sorted."""
    with psycopg.connect(url, autocommit=True) as connection:
        tables = connection.execute(
            """
            SELECT table_schema,
                   table_name
              FROM information_schema.tables
             WHERE table_schema = ANY (%s)
               AND table_type = 'BASE TABLE'
             ORDER BY table_schema, table_name
            """,
            [list(schemas or ("public",))],
        ).fetchall()
        return {
            f"{schema}.{table}": [
                row
                for (row,) in connection.execute(
                    sql.SQL("SELECT t::text FROM {} AS t ORDER BY 1").format(
                        sql.Identifier(schema, table)
                    )
                )
            ]
            for schema, table in tables
        }
