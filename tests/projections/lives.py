"""Lives of incidents in New York, told in minutes."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from domain.commands import (
    Assign,
    Classify,
    Command,
    Dispute,
    PublishReply,
    Reopen,
    Resolve,
    Return,
)
from domain.rights import Actor
from domain.vocabulary import (
    DisputeBy,
    Outcome,
    ReopenReason,
    ReplyAuthor,
    ReplyKind,
    ReturnReason,
    Role,
)
from regions.bulk import History, Step, record_histories
from regions.centre import Centre
from tests.scenarios import OPERATOR, message, some_body, some_topic

CURATOR = Actor("curator", Role.CURATOR)

NEW_YORK = ZoneInfo("America/New_York")
MONDAY, TUESDAY = date(2026, 3, 2), date(2026, 3, 3)
AUTO = PublishReply(kind=ReplyKind.FIRST, author=ReplyAuthor.AUTO)
FINAL = PublishReply(kind=ReplyKind.FINAL)
RESOLVE = Resolve(outcome=Outcome.SOLVED)
DISPUTE = Dispute(by=DisputeBy.AUTHOR)
REOPEN = Reopen(reason=ReopenReason.NOT_SOLVED)
RETURN = Return(reason=ReturnReason.NOT_COMPETENT)


def local(day: int, hour: int, minute: int = 0) -> datetime:
    """A moment of March 2026 on the clocks of New York."""
    return datetime(2026, 3, day, hour, minute, tzinfo=NEW_YORK)


def live(
    centre: Centre, at: datetime, *steps: tuple[int, Command], waited: int = 0, **changes: object
) -> UUID:
    """An incident of a message `waited` minutes old, with steps so many minutes after `at`."""
    one = life(centre, at, *steps, waited=waited, **changes)
    record(centre, [one], now=at + timedelta(days=9))
    return one.incident_id


def life(
    centre: Centre, at: datetime, *steps: tuple[int, Command], waited: int = 0, **changes: object
) -> History:
    """The same, not recorded yet."""
    published_at = at - timedelta(minutes=waited)
    return History(
        incident_id=uuid4(),
        command_id=uuid4(),
        registration=message(published_at=published_at, **changes),
        at=at,
        by=OPERATOR,
        steps=[
            Step(command, at + timedelta(minutes=minutes), OPERATOR)
            for minutes, command in [(0, Classify(topic=some_topic(centre))), *steps]
        ],
    )


def record(centre: Centre, lives: Sequence[History], *, now: datetime) -> None:
    report = record_histories(centre, lives, now=now)
    assert len(report.recorded) == len(lives), report.refused


def due(centre: Centre, at: datetime | None = None) -> Assign:
    return Assign(organisation=some_body(centre), due_at=at)
