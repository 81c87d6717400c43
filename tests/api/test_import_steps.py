"""Every step a history can have: told and recorded, refused by name, documented as it is."""

import io
import re
from collections.abc import Callable
from datetime import date, datetime
from enum import EnumType, StrEnum
from pathlib import Path
from types import UnionType
from typing import Annotated, Union, get_args, get_origin

import psycopg
import pytest
from msgspec.structs import FieldInfo, fields

from api.formats import Rejected
from api.formats.jsonl import JsonLines, Record
from api.formats.steps import COMMANDS, KINDS, Author, StepPart
from api.imports import ImportReport, run_import
from api.lifecycle import NAMES
from domain.commands import SHORT_TEXT_MAX, TEXT_MAX
from domain.lifecycle import EVENT_OF, transition_of
from domain.vocabulary import Status
from regions.node import Node
from regions.reference.catalogue import Catalogue
from tests.api.test_import_jsonl import NOW, TEXT, Json, encoded, record, step
from tests.conftest import CHECKOUT

PAGE = (CHECKOUT / "docs" / "import.md").read_text(encoding="utf-8")
FORMAT = JsonLines()
AT = "2026-02-03T09:00:00-05:00"
SOMEBODY = "0195a3f0-0000-7000-8000-000000000000"  # the id of no incident

# Lives up to a state, each on the one before; what is refused or recorded comes after.
REGISTERED: list[Json] = []
CLASSIFIED = [step("classify", 1, topic="noise.noise")]
ASSIGNED = [
    *CLASSIFIED,
    step("assign", 2, organisation="BRONX-NYPD", dueAt="2026-02-04T09:00:00-05:00"),
]
WAITING = [*ASSIGNED, step("requestClarification", 3, question="Какой подъезд?")]
DRAFTED = [*ASSIGNED, step("draftReply", 3, kind="FINAL", text="Лампы заменены 3 февраля")]
PROMISING = [*ASSIGNED, step("publishReply", 3, kind="INTERIM", text="Закончим 6 февраля")]
SCHEDULED = [*PROMISING, step("scheduleSolution", 4, promisedOn="2026-02-06", reason="SUPPLY")]
ANSWERED = [*ASSIGNED, step("publishReply", 3, kind="FINAL", text="Лампы заменены")]
RESOLVED = [*ANSWERED, step("resolve", 4, outcome="SOLVED", evidence=["photo/1", "act/2"])]
DISPUTED = [*RESOLVED, step("dispute", 5)]

# What can be told, after which life, and with which fields.
TOLD: dict[str, tuple[list[Json], Json]] = {
    "addMessage": (
        ASSIGNED,
        {"channel": "PHONE", "externalId": "call-1", "publishedAt": AT, "citizen": {"text": "И я"}},
    ),
    "reject": (REGISTERED, {"reason": "ADVERT"}),
    "link": (REGISTERED, {"to": SOMEBODY, "kind": "SAME_CAUSE"}),
    "classify": (REGISTERED, {"topic": "noise.noise"}),
    "assign": (CLASSIFIED, {"organisation": "BRONX-NYPD", "holder": "smith"}),
    "return": (ASSIGNED, {"reason": "WRONG_TOPIC", "suggestedOrganisation": "BRONX-DOT"}),
    "reassign": (
        ASSIGNED,
        {"organisation": "BRONX-DOT", "holder": "jones", "reason": "WRONG_BODY"},
    ),
    "reclassify": (CLASSIFIED, {"topic": "noise.noise-helicopter"}),
    "relocate": (REGISTERED, {"municipality": "BRONX-02", "latitude": 40.8, "longitude": -73.9}),
    "prioritize": (REGISTERED, {"priority": "HIGH", "reason": "CHILDREN"}),
    "grantFastTrack": (REGISTERED, {}),
    "acceptWork": (ASSIGNED, {}),
    "requestClarification": (ASSIGNED, {"question": "Какой подъезд?"}),
    "receiveClarification": (WAITING, {"answer": "Второй"}),
    "timeOutClarification": (WAITING, {}),
    "contactCitizen": (ASSIGNED, {"channel": "PHONE", "note": "Дома после шести"}),
    "draftReply": (ASSIGNED, {"kind": "INTERIM", "text": "Закончим 6 февраля"}),
    "returnReply": (DRAFTED, {"reasons": ["FORMAL", "NO_DATE"]}),
    "approveReply": (DRAFTED, {"despiteFlaws": True}),
    "publishReply": (
        ASSIGNED,
        {"kind": "FINAL", "channel": "PHONE", "fallbackReason": "CITIZEN_ASKED", "author": "HUMAN"},
    ),
    "scheduleSolution": (PROMISING, {"promisedOn": "2026-02-06", "reason": "SUPPLY"}),
    "movePromise": (SCHEDULED, {"promisedOn": "2026-02-09", "reason": "WEATHER"}),
    "resolve": (ANSWERED, {"outcome": "SOLVED", "evidence": ["photo/1"]}),
    "takePersonalControl": (RESOLVED, {}),
    "liftPersonalControl": (
        [*RESOLVED, step("takePersonalControl", 5, actor="curator-1")],
        {},
    ),
    "close": (RESOLVED, {}),
    "rate": (RESOLVED, {"score": 5, "reasons": ["FAST", "POLITE"]}),
    "dispute": (RESOLVED, {"by": "THIRD_PARTY", "text": "Опять темно"}),
    "reopen": (DISPUTED, {"reason": "NOT_SOLVED"}),
    "declineReopen": (DISPUTED, {"reason": "SOLUTION_CONFIRMED"}),
    "requestFieldCheck": (ASSIGNED, {}),
    "reportFieldCheck": (ASSIGNED, {"verdict": "PARTLY", "evidence": ["photo/3"]}),
    "recordRootCause": (RESOLVED, {"cause": "WEAR", "decision": "12-р"}),
    "extendDeadline": (ASSIGNED, {"dueAt": "2026-02-05T09:00:00-05:00", "reason": "SUPPLY"}),
}

Take = Callable[..., ImportReport]


@pytest.fixture
def take(node: Node, tmp_path: Path) -> Take:
    """Import a file of these records."""

    def run(*records: Json) -> ImportReport:
        file = tmp_path / "region.jsonl"
        file.write_bytes(b"\n".join(map(encoded, records)))
        return run_import(node, FORMAT, file, now=NOW)

    return run


def topics(read: psycopg.Connection) -> list[str]:
    return [topic for (topic,) in read.execute("SELECT topic FROM events ORDER BY pos").fetchall()]


def refusal(of: Json, catalogue: Catalogue) -> tuple[str, str]:
    """Code and words of what the format itself finds wrong."""
    (row,) = FORMAT.read(io.BytesIO(encoded(of)), catalogue)
    assert isinstance(row, Rejected), of
    return row.error.code, str(row.error)


# Told and recorded


def test_every_step_is_tried_here() -> None:
    assert list(TOLD) == [command.NAME for command in COMMANDS] == list(KINDS)


@pytest.mark.parametrize("name", TOLD)
def test_a_step_becomes_its_event_with_who_decided_it(
    name: str, take: Take, read: psycopg.Connection
) -> None:
    before, told = TOLD[name]
    if name == "link":
        take(record(id="other", steps=[]))
        ((other,),) = read.execute("SELECT originator_id::text FROM events").fetchall()
        told = told | {"to": other}
    one = step(name, 9, actor="curator-1", role="CURATOR", **told)
    assert take(record(steps=[*before, one])).quarantined == {}
    rows = read.execute(
        "SELECT topic, payload FROM events WHERE payload ->> 'actor' = 'curator-1' ORDER BY pos"
    ).fetchall()
    topic = EVENT_OF[KINDS[name].command].TOPIC
    assert topic in [recorded for recorded, _ in rows]
    facts = next(payload for recorded, payload in rows if recorded == topic)
    assert facts["role"] == "CURATOR"
    # What is not sealed stands in the event as it was told, under the name it has here.
    for field, value in facts_of(told).items():
        if field in facts and not isinstance(facts[field], dict):
            assert facts[field] == value, field


def facts_of(told: Json) -> Json:
    return {re.sub("[A-Z]", lambda c: f"_{c[0].lower()}", name): told[name] for name in told}


def test_what_was_drafted_and_approved_is_published_without_its_text(
    take: Take, read: psycopg.Connection
) -> None:
    steps = [*DRAFTED, step("approveReply", 4), step("publishReply", 5, kind="FINAL")]
    assert take(record(steps=steps)).quarantined == {}
    (published,) = read.execute(
        "SELECT payload FROM events WHERE topic = 'ReplyPublished'"
    ).fetchall()
    assert (published[0]["draft"], "text" in published[0]) == (4, False)


def test_the_regime_is_the_incident_s(take: Take, read: psycopg.Connection) -> None:
    take(record(regime="POS_MESSAGE", steps=[]))
    assert read.execute("SELECT payload ->> 'regime' FROM events").fetchall() == [("POS_MESSAGE",)]


@pytest.mark.parametrize(
    "disputing",
    [
        [step("rate", 5, score=2)],
        [step("reportFieldCheck", 5, verdict="NOT_DONE")],
        [step("dispute", 5), step("addMessage", 6, channel="PHONE", publishedAt=AT)],
        [step("dispute", 5), step("reportFieldCheck", 6, verdict="DONE")],
    ],
)
def test_what_is_disputed_already_is_reopened_without_another_dispute(
    disputing: list[Json], take: Take, read: psycopg.Connection
) -> None:
    again = step("reopen", 8, reason="NOT_SOLVED")
    assert take(record(steps=[*RESOLVED, *disputing, again])).quarantined == {}
    assert topics(read).count("ResolutionDisputed") == 1


@pytest.mark.parametrize(
    "before",
    [
        [*ANSWERED, step("reportFieldCheck", 3, verdict="NOT_DONE"), *RESOLVED[-1:]],
        [*DISPUTED, step("declineReopen", 6, reason="NO_GROUNDS")],
        [*RESOLVED, step("rate", 5, score=4)],
    ],
)
def test_what_was_said_of_an_earlier_end_disputes_no_later_one(
    before: list[Json], take: Take, read: psycopg.Connection
) -> None:
    disputes = sum(told["step"] == "dispute" for told in before)
    assert take(record(steps=[*before, step("reopen", 8, reason="RECURRED")])).quarantined == {}
    assert topics(read).count("ResolutionDisputed") == disputes + 1


# Refused by name


def refused(report: ImportReport) -> tuple[str, str]:
    """Code and words of the only row in quarantine."""
    ((code, tally),) = report.quarantined.items()
    (row,) = tally.rows
    return code, row.detail


def test_a_step_that_the_rules_refuse_is_named(take: Take) -> None:
    code, detail = refused(take(record(steps=[*ASSIGNED, step("close", 3)])))
    assert code == "FORBIDDEN_TRANSITION"
    assert detail.startswith("line 1: steps[2] (close): close is not possible while")


def test_a_code_that_the_catalogue_does_not_know_is_told_with_its_step(take: Take) -> None:
    steps = [step("relocate", 1, municipality="QUEENS-01")]
    code, detail = refused(take(record(steps=steps)))
    assert (code, "steps[0] (relocate): " in detail) == ("UNKNOWN_MUNICIPALITY", True)


def test_a_link_to_no_incident_of_the_region_is_refused(take: Take) -> None:
    code, detail = refused(take(record(steps=[step("link", 1, to=SOMEBODY)])))
    assert (code, "steps[0] (link): " in detail) == ("INCIDENT_NOT_FOUND", True)


def test_a_further_message_that_is_an_incident_already_is_no_repetition(
    take: Take, read: psycopg.Connection
) -> None:
    take(record(id="post-2", steps=[]))
    added = step("addMessage", 1, channel="ONLINE", externalId="post-2", publishedAt=AT)
    good = record(id="post-3", steps=[])
    report = take(good, record(steps=[added]))
    assert (report.recorded, report.repeated) == (1, 0)
    assert refused(report)[0] == "DUPLICATE_MESSAGE"
    assert read.execute("SELECT count(*) FROM events").fetchone() == (2,)


@pytest.mark.parametrize("ids", [("post-1",), ("call-1", "call-1")], ids=["its own", "twice"])
def test_a_message_that_stands_twice_in_a_record_is_refused(
    ids: tuple[str, ...], take: Take
) -> None:
    steps = [step("addMessage", 1, channel="ONLINE", externalId=id, publishedAt=AT) for id in ids]
    assert refused(take(record(steps=steps)))[0] == "DUPLICATE_MESSAGE"


def test_who_controls_it_is_not_quoted_where_it_is_no_login(take: Take) -> None:
    control = step("takePersonalControl", 5, actor="89000000000")
    code, detail = refused(take(record(steps=[*RESOLVED, control, step("close", 6)])))
    assert code == "UNDER_PERSONAL_CONTROL"
    assert "89000000000" not in detail


# Refused by the format itself, whatever the step

COMMON = {field.name for field in fields(StepPart)}
OWN = {
    name: [field for field in fields(kind.part) if field.name not in COMMON]
    for name, kind in KINDS.items()
}
FIELDS = [(name, field) for name, own in OWN.items() for field in own]
IDS = [f"{name}.{field.encode_name}" for name, field in FIELDS]


def only(name: str, **changes: object) -> Json:
    """A record of this one step; a field given as ... is left out."""
    told = TOLD[name][1] | changes
    return record(steps=[step(name, 9, **{k: v for k, v in told.items() if v is not ...})])


def members(of: object) -> set[object]:
    """A type without its limits: those of a union, those in a list, else itself."""
    if get_origin(of) is Annotated:
        return members(get_args(of)[0])
    if isinstance(of, UnionType) or get_origin(of) in (Union, tuple):
        return set().union(*(members(each) for each in get_args(of) if each is not ...))
    return {of}


def words(of: object) -> list[str]:
    """Of the closed list a field takes one of; none if it takes something else."""
    return [word.value for each in members(of) if isinstance(each, EnumType) for word in each]


@pytest.mark.parametrize("name", KINDS)
def test_a_field_a_step_does_not_have_is_refused(name: str, catalogue: Catalogue) -> None:
    code, told = refusal(only(name, colour=TEXT), catalogue)
    assert (code, told) == (
        "FIELD_INVALID",
        f"steps[0]: holds a field that is not known ({name}).",
    )


@pytest.mark.parametrize(("name", "field"), FIELDS, ids=IDS)
def test_a_field_of_a_step_is_refused_by_name(
    name: str, field: FieldInfo, catalogue: Catalogue
) -> None:
    place = f"steps[0].{field.encode_name}"
    several = get_origin(field.type) is tuple
    wrong: list[object] = [{"x": TEXT}, [[TEXT]] if several else [TEXT]]
    if field.required:
        wrong += [..., None]
    if words(field.type):
        wrong += [[TEXT.upper()], ["solved"]] if several else [TEXT.upper(), "solved", ""]
    for value in wrong:
        code, told = refusal(only(name, **{field.encode_name: value}), catalogue)
        assert (code, told.startswith(place)) == ("FIELD_INVALID", True), (value, told)
        assert told.endswith(f"({name}).")
        assert TEXT not in told


DIRTY = [
    *("03.02.2026", "2026-02-30", "2026-13-01", "вчера", "", 1770125400),
    *("2026-02-03T24:00:00+00:00", "2026-02-03T08:30:00"),
]
ABSURD = ["0001-01-01", "9999-12-31", "1999-12-31", "2100-01-01"]


@pytest.mark.parametrize(
    ("name", "field"),
    [(name, field) for name, field in FIELDS if {date, datetime} & members(field.type)],
)
def test_a_dirty_date_is_refused_by_the_name_of_its_field(
    name: str, field: FieldInfo, catalogue: Catalogue
) -> None:
    place = f"steps[0].{field.encode_name}"
    is_day = date in members(field.type)
    for value in DIRTY:
        code, told = refusal(only(name, **{field.encode_name: value}), catalogue)
        assert (code, told.startswith(place)) == ("FIELD_INVALID", True), (value, told)
    for day in ABSURD:
        value = day if is_day else f"{day}T00:00:00+14:00"
        code, told = refusal(only(name, **{field.encode_name: value}), catalogue)
        assert code in ("DATE_ABSURD", "DATE_IN_FUTURE"), (value, code)
        assert told.startswith(place)


@pytest.mark.parametrize("score", [0, 6, -1, 89000000000, 10**30])
def test_a_score_that_is_none_is_refused_without_quoting_it(
    score: int, catalogue: Catalogue
) -> None:
    code, told = refusal(only("rate", score=score), catalogue)
    assert code == "FIELD_INVALID"
    assert str(score) not in told.removeprefix("steps[0].score: ")


def test_what_is_stored_unsealed_has_no_room_for_a_sentence() -> None:
    for name, field in FIELDS:
        if str in members(field.type) and field.name not in ("text", "question", "answer", "note"):
            assert Annotated in map(get_origin, (field.type, *get_args(field.type))), (name, field)


@pytest.mark.parametrize("depth", [2_000, 200_000])
@pytest.mark.parametrize("around", ['{"id": "a", "steps": %s}', '{"x": %s}', '{"steps": [%s]}'])
def test_what_is_nested_too_deep_is_a_row_like_others(
    depth: int, around: str, catalogue: Catalogue
) -> None:
    content = (around % ("[" * depth + "]" * depth)).encode()
    (row,) = FORMAT.read(io.BytesIO(content), catalogue)
    assert isinstance(row, Rejected)
    assert row.error.code in ("ROW_MALFORMED", "FIELD_INVALID")


# Documented


def rows_of(heading: str) -> list[list[str]]:
    """The cells of the table on the page that begins with this line."""
    lines = PAGE[PAGE.index(heading) :].splitlines()
    end = next(number for number, line in enumerate(lines) if not line.startswith("|"))
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:end]]


STEPS = {row[0].strip("` "): row for row in rows_of("| `step` | Possible while |")}


def test_the_page_names_every_field_of_a_record() -> None:
    named = [row[0].strip("` ") for row in rows_of("| Field | Type | | Meaning | Example |")]
    citizen = [f"citizen.{field.encode_name}" for field in fields(Author)]
    assert sorted(named) == sorted([*(field.encode_name for field in fields(Record)), *citizen])
    common = [row[0].strip("` ") for row in rows_of("| Field | Type | | Meaning |\n")]
    assert common == ["step", *(field.encode_name for field in fields(StepPart))]


def test_the_page_names_every_step() -> None:
    assert list(STEPS) == list(KINDS)


@pytest.mark.parametrize("name", KINDS)
def test_the_page_says_when_a_step_is_possible(name: str) -> None:
    told = [each.strip() for each in STEPS[name][1].partition(";")[0].split(",")]
    states = set[Status]().union(*(NAMES.get(each) or {Status(each)} for each in told))
    # No record begins with a message that is no incident yet.
    assert states == transition_of(KINDS[name].command).sources - {Status.CAPTURED}


@pytest.mark.parametrize("name", KINDS)
def test_the_page_says_which_fields_a_step_has(name: str) -> None:
    cell = STEPS[name][2]
    told = cell.split(" · ") if cell != "–" else []
    assert [each.split("`")[1] for each in told] == [field.encode_name for field in OWN[name]]
    for each, field in zip(told, OWN[name], strict=True):
        assert bool(re.search(r"\brequired\b", each)) == field.required, each
        assert re.findall(r"`([A-Z_]{2,})`", each) == words(field.type), each
        default = re.search(r"`([A-Z_]+)` \(default\)", each)
        assert (default[1] if default else None) == named_default(field), each


def named_default(field: FieldInfo) -> str | None:
    return field.default.value if isinstance(field.default, StrEnum) else None


@pytest.mark.parametrize("name", KINDS)
def test_the_page_says_how_long_a_text_may_be(name: str) -> None:
    for each, field in zip(STEPS[name][2].split(" · "), OWN[name], strict=False):
        if field.name in ("text", "question", "answer", "note"):
            assert f"text ≤ {TEXT_MAX:,}" in each
        if field.name in ("external_id", "evidence", "decision"):
            assert f"1–{SHORT_TEXT_MAX}" in each
