"""What is accepted as input: each limit, at it and beyond it."""

import math
from datetime import UTC, date, datetime, timedelta

import pytest

from domain.commands import (
    CLOCK_SKEW_MAX,
    DUE_MAX,
    EVIDENCE_MAX,
    SHORT_TEXT_MAX,
    TEXT_MAX,
    AcceptWork,
    Assign,
    Citizen,
    Close,
    Command,
    ContactCitizen,
    Dispute,
    DraftReply,
    ErasePersonalData,
    ExtendDeadline,
    MovePromise,
    PublishReply,
    Rate,
    Reassign,
    ReceiveClarification,
    RecordRootCause,
    Register,
    Relocate,
    ReportFieldCheck,
    RequestClarification,
    Resolve,
    ReturnReply,
    ScheduleSolution,
)
from domain.errors import DateAbsurd, InvalidInput
from domain.vocabulary import (
    Cause,
    DisputeBy,
    FallbackReason,
    Outcome,
    PromiseReason,
    ReassignReason,
    ReplyFlaw,
    ReplyKind,
    Verdict,
)

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MEGABYTE = "я" * (1 << 19)
SURROGATE = "\ud83d"  # half of an emoji


def register(**changes: object) -> Register:
    facts: dict[str, object] = {"channel": "VK", "published_at": NOON}
    return Register(**(facts | changes))  # type: ignore[arg-type]


def citizen(**changes: object) -> Register:
    return register(citizen=Citizen(**({"text": "Нет воды"} | changes)))  # type: ignore[arg-type]


def reply(**changes: object) -> PublishReply:
    return PublishReply(kind=ReplyKind.FINAL, **changes)  # type: ignore[arg-type]


def due(at: datetime) -> Assign:
    return Assign(organisation="ЖЭК", due_at=at)


def extension(at: datetime) -> ExtendDeadline:
    return ExtendDeadline(due_at=at, reason=PromiseReason.BUDGET)


def evidence(*references: str) -> Resolve:
    return Resolve(outcome=Outcome.SOLVED, evidence=references)


def moved(**point: float) -> Relocate:
    return Relocate(municipality="BRONX-02", **point)


REFUSED = [
    (citizen(text=""), "citizen.text", "TEXT_EMPTY"),
    (citizen(text=" \n\t\u00a0"), "citizen.text", "TEXT_EMPTY"),
    (citizen(text="a" * (TEXT_MAX + 1)), "citizen.text", "TEXT_TOO_LONG"),
    (citizen(text=MEGABYTE), "citizen.text", "TEXT_TOO_LONG"),
    (citizen(text="Нет\0воды"), "citizen.text", "CONTROL_CHARACTER"),
    (citizen(text="\x1b[31mкрасное"), "citizen.text", "CONTROL_CHARACTER"),
    (citizen(text=SURROGATE), "citizen.text", "CONTROL_CHARACTER"),
    (citizen(name=""), "citizen.name", "TEXT_EMPTY"),
    (citizen(name="\0"), "citizen.name", "CONTROL_CHARACTER"),
    (citizen(name="a" * (SHORT_TEXT_MAX + 1)), "citizen.name", "TEXT_TOO_LONG"),
    (citizen(contact="a" * (SHORT_TEXT_MAX + 1)), "citizen.contact", "TEXT_TOO_LONG"),
    (citizen(contact="\0"), "citizen.contact", "CONTROL_CHARACTER"),
    (citizen(contact=" "), "citizen.contact", "TEXT_EMPTY"),
    (register(external_id=""), "externalId", "TEXT_EMPTY"),
    (register(external_id="\0"), "externalId", "CONTROL_CHARACTER"),
    (register(external_id=SURROGATE), "externalId", "CONTROL_CHARACTER"),
    (register(external_id=MEGABYTE), "externalId", "TEXT_TOO_LONG"),
    (register(published_at=NOON.replace(tzinfo=None)), "publishedAt", "DATE_WITHOUT_ZONE"),
    (register(published_at=NOON.replace(year=1900)), "publishedAt", "DATE_ABSURD"),
    (register(published_at=NOON.replace(year=1999)), "publishedAt", "DATE_ABSURD"),
    (register(published_at=NOON.replace(year=2100)), "publishedAt", "DATE_ABSURD"),
    (register(published_at=datetime.max.replace(tzinfo=UTC)), "publishedAt", "DATE_ABSURD"),
    (register(published_at=datetime.min.replace(tzinfo=UTC)), "publishedAt", "DATE_ABSURD"),
    (
        register(published_at=NOON + CLOCK_SKEW_MAX + timedelta(microseconds=1)),
        "publishedAt",
        "DATE_IN_FUTURE",
    ),
    (register(latitude=math.nan, longitude=0.0), "latitude", "COORDINATE_OUT_OF_RANGE"),
    (register(latitude=0.0, longitude=math.nan), "longitude", "COORDINATE_OUT_OF_RANGE"),
    (register(latitude=math.inf, longitude=0.0), "latitude", "COORDINATE_OUT_OF_RANGE"),
    (register(latitude=90.1, longitude=0.0), "latitude", "COORDINATE_OUT_OF_RANGE"),
    (register(latitude=0.0, longitude=-180.1), "longitude", "COORDINATE_OUT_OF_RANGE"),
    (register(latitude=55.7), "longitude", "POINT_INCOMPLETE"),
    (register(longitude=37.6), "longitude", "POINT_INCOMPLETE"),
    (due(NOON.replace(tzinfo=None)), "dueAt", "DATE_WITHOUT_ZONE"),
    (due(NOON.replace(year=1900)), "dueAt", "DATE_ABSURD"),
    (due(NOON + DUE_MAX + timedelta(seconds=1)), "dueAt", "DATE_ABSURD"),
    (reply(text=""), "text", "TEXT_EMPTY"),
    (reply(text=MEGABYTE), "text", "TEXT_TOO_LONG"),
    (reply(text="\0"), "text", "CONTROL_CHARACTER"),
    (reply(text=SURROGATE), "text", "CONTROL_CHARACTER"),
    (Assign(organisation="ЖЭК", holder=""), "holder", "TEXT_EMPTY"),
    (
        Reassign(organisation="ЖЭК", reason=ReassignReason.OVERDUE, holder="a" * 201),
        "holder",
        "TEXT_TOO_LONG",
    ),
    (moved(latitude=55.7), "longitude", "POINT_INCOMPLETE"),
    (moved(latitude=math.nan, longitude=0.0), "latitude", "COORDINATE_OUT_OF_RANGE"),
    (RequestClarification(question=" "), "question", "TEXT_EMPTY"),
    (RequestClarification(question="a" * (TEXT_MAX + 1)), "question", "TEXT_TOO_LONG"),
    (ReceiveClarification(answer="Нет\0"), "answer", "CONTROL_CHARACTER"),
    (ReceiveClarification(answer=MEGABYTE), "answer", "TEXT_TOO_LONG"),
    (ContactCitizen(channel="PHONE", note=""), "note", "TEXT_EMPTY"),
    (DraftReply(kind=ReplyKind.FINAL, text=""), "text", "TEXT_EMPTY"),
    (DraftReply(kind=ReplyKind.FINAL, text=MEGABYTE), "text", "TEXT_TOO_LONG"),
    (Dispute(by=DisputeBy.AUTHOR, text=SURROGATE), "text", "CONTROL_CHARACTER"),
    (ReturnReply(reasons=()), "reasons", "REASON_MISSING"),
    (Rate(score=0), "score", "SCORE_OUT_OF_RANGE"),
    (Rate(score=6), "score", "SCORE_OUT_OF_RANGE"),
    (evidence(*["photo"] * (EVIDENCE_MAX + 1)), "evidence", "LIST_TOO_LONG"),
    (evidence("photo", ""), "evidence", "TEXT_EMPTY"),
    (evidence("a" * (SHORT_TEXT_MAX + 1)), "evidence", "TEXT_TOO_LONG"),
    (ReportFieldCheck(verdict=Verdict.DONE, evidence=("\0",)), "evidence", "CONTROL_CHARACTER"),
    (RecordRootCause(cause=Cause.WEAR, decision=""), "decision", "TEXT_EMPTY"),
    (extension(NOON.replace(tzinfo=None)), "dueAt", "DATE_WITHOUT_ZONE"),
    (extension(NOON + DUE_MAX + timedelta(seconds=1)), "dueAt", "DATE_ABSURD"),
]


@pytest.mark.parametrize(
    ("command", "named", "code"),
    REFUSED,
    ids=[f"{place}-{named}-{code}" for place, (_, named, code) in enumerate(REFUSED)],
)
def test_what_cannot_be_accepted_is_refused_by_name(
    command: Command, named: str, code: str
) -> None:
    with pytest.raises(InvalidInput) as refusal:
        command.check(NOON)
    assert (refusal.value.field, refusal.value.code) == (named, code)


@pytest.mark.parametrize("command", [command for command, _, _ in REFUSED], ids=str)
def test_a_refusal_does_not_repeat_what_was_sent(command: Command) -> None:
    with pytest.raises(InvalidInput) as refusal:
        command.check(NOON)
    assert len(str(refusal.value)) < 200
    assert "Нет" not in str(refusal.value)


@pytest.mark.parametrize(
    "command",
    [
        register(),
        citizen(name="Анна", contact="+7 900 000-00-00", text="a" * TEXT_MAX),
        citizen(text="Первая строка\r\n\tвторая 🚰"),
        citizen(name="a" * SHORT_TEXT_MAX),
        register(external_id="wall-1_2"),
        register(published_at=NOON + CLOCK_SKEW_MAX),
        register(published_at=datetime(2000, 1, 1, tzinfo=UTC)),
        register(latitude=90.0, longitude=-180.0),
        register(latitude=0.0, longitude=0.0),
        due(NOON + DUE_MAX),
        due(NOON - timedelta(days=365)),
        Assign(organisation="ЖЭК"),
        reply(),
        reply(text="Вода есть", fallback_reason=FallbackReason.PROFILE_CLOSED),
        moved(),
        moved(latitude=-90.0, longitude=180.0),
        RequestClarification(question="a" * TEXT_MAX),
        ContactCitizen(channel="PHONE"),
        Dispute(by=DisputeBy.THIRD_PARTY),
        ReturnReply(reasons=tuple(ReplyFlaw)),
        Rate(score=1),
        Rate(score=5),
        evidence(),
        evidence(*["a" * SHORT_TEXT_MAX] * EVIDENCE_MAX),
        RecordRootCause(cause=Cause.NATURE),
        extension(NOON + DUE_MAX),
        AcceptWork(),
        Close(),
        ErasePersonalData(),
    ],
    ids=lambda command: type(command).__name__,
)
def test_what_keeps_the_limits_is_accepted(command: Command) -> None:
    command.check(NOON)


def test_what_citizen_and_executor_say_is_private_and_nothing_else() -> None:
    assert "Анна".encode() in (citizen(name="Анна").private() or b"")
    for command in (
        reply(text="Вода есть"),
        RequestClarification(question="Вода есть"),
        ReceiveClarification(answer="Вода есть"),
        ContactCitizen(channel="PHONE", note="Вода есть"),
        DraftReply(kind=ReplyKind.FINAL, text="Вода есть"),
        Dispute(by=DisputeBy.AUTHOR, text="Вода есть"),
    ):
        assert command.private() == '"Вода есть"'.encode()
    for silent in (
        register(),
        reply(),
        ContactCitizen(channel="PHONE"),
        Dispute(by=DisputeBy.AUTHOR),
        AcceptWork(),
    ):
        assert silent.private() is None


@pytest.mark.parametrize("day", [date.max, date.min])
@pytest.mark.parametrize("of", [ScheduleSolution, MovePromise])
def test_a_promise_is_a_day_of_this_century(
    of: type[ScheduleSolution | MovePromise], day: date
) -> None:
    with pytest.raises(DateAbsurd):
        of(promised_on=day, reason=PromiseReason.SEASON).check(NOON)
