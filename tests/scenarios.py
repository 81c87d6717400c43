"""The life of an incident in New York, told once: each rung stands on the one before."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from domain.commands import (
    AcceptWork,
    Assign,
    Citizen,
    Classify,
    Close,
    Command,
    PublishReply,
    Register,
    Resolve,
)
from domain.incident import Actor
from domain.vocabulary import Outcome, ReplyKind, Role
from regions.centre import Centre, Result

OPERATOR = Actor("operator", Role.MONITOR)
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
    return next(topic.code for topic in centre.catalogue.topics.values() if topic.group)


def some_body(centre: Centre) -> str:
    return centre.catalogue.organisations_of[centre.region.code][0].code
