"""The import of JSON Lines: what a region exports, and how each wrong field is told."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any

import psycopg
import pytest

from api.formats import FileInvalid
from api.formats.jsonl import STEPS_MAX
from api.imports import ImportReport, format_named, run_import
from api.up import catch_up
from projections import versions
from projections.projector import Projector
from regions.node import Node, command_pool, prepare
from regions.quarantine import Quarantine
from regions.reference.catalogue import Catalogue
from regions.store.postgres import Server
from regions.store.server import create_database
from regions.store.vault import Vault
from tests.conftest import CHECKOUT, NEW_YORK, as_process
from tests.scenarios import contents

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
NAME, CONTACT, TEXT = "Примерова Анна", "+7 900 000-00-00", "В подъезде темно третий день"
REPLY = "Лампы заменены, проверьте"
FORMAT = format_named("jsonl", NEW_YORK)

Json = dict[str, Any]
Take = Callable[..., ImportReport]


def step(step: str, minute: int, **fields: object) -> Json:
    return {"step": step, "at": f"2026-02-03T09:{minute:02}:00-05:00", **fields}


def resolved() -> list[Json]:
    return [
        step("classify", 1, topic="noise.noise", actor="monitor-1", role="MONITOR"),
        step("assign", 2, organisation="BRONX-NYPD", dueAt="2026-02-04T09:00:00-05:00"),
        step("publishReply", 3, kind="FINAL", text=REPLY, role="EXECUTOR"),
        step("resolve", 3, outcome="SOLVED", role="EXECUTOR"),
    ]


def record(**changes: object) -> Json:
    """A record that is accepted; a field given as ... is left out."""
    sound: Json = {
        "id": "post-1",
        "channel": "ONLINE",
        "region": "BRONX",
        "municipality": "BRONX-01",
        "publishedAt": "2026-02-03T08:30:00-05:00",
        "registeredAt": "2026-02-03T09:00:00-05:00",
        "citizen": {"name": NAME, "contact": CONTACT, "text": TEXT},
        "steps": resolved(),
    }
    return {name: value for name, value in (sound | changes).items() if value is not ...}


def encoded(of: Json) -> bytes:
    return json.dumps(of, ensure_ascii=False).encode()


@pytest.fixture
def take(node: Node, tmp_path: Path) -> Take:
    """Import a file of these records; bytes stand for a line as it is."""

    def run(*records: Json | bytes) -> ImportReport:
        file = tmp_path / "region.jsonl"
        file.write_bytes(b"\n".join(r if isinstance(r, bytes) else encoded(r) for r in records))
        report = run_import(node, FORMAT, file, now=NOW)
        kept = sum(tally.count for tally in report.quarantined.values())
        refused = sum(tally.count for tally in report.refused.values())
        assert report.read == report.recorded + report.repeated + kept + refused
        return report

    return run


@pytest.fixture
def samara(server: Server, russia: Catalogue) -> Iterator[Node]:
    """A node of its own with the Russian catalogue."""
    url = create_database(server.url, "test_jsonl_russia")
    prepare(url, russia)
    versions.ensure(url, russia, lambda done, in_all: None)
    with command_pool(url) as pool:
        yield Node(url, russia, Vault(b"0" * 32), pool)


def test_the_example_of_a_russian_region_is_imported_whole(samara: Node) -> None:
    report = run_import(samara, FORMAT, CHECKOUT / "examples" / "region.jsonl", now=NOW)
    assert (report.read, report.recorded, report.events) == (5, 5, 28), report
    with versions.connect(samara.url) as connection:
        projector = Projector(connection, samara.catalogue)
        assert sum(iter(projector.step, 0)) == 28
        found = connection.execute(
            "SELECT channel, municipality, kind, status, cycle, returns FROM incident ORDER BY id"
        ).fetchall()
    assert found == [
        ("VK", "63-samara", "COMPLAINT", "CLOSED", 1, 0),
        ("POS", "63-tolyatti", "COMPLAINT", "RESOLVED", 1, 1),
        ("TELEGRAM", "63-syzran", "COMPLAINT", "ASSIGNED", 2, 0),
        ("LETTER", "63-samara", "SUGGESTION", "REGISTERED", 1, 0),
        ("OK", None, "THANKS", "REGISTERED", 1, 0),
    ]
    again = run_import(samara, FORMAT, CHECKOUT / "examples" / "region.jsonl", now=NOW)
    assert (again.recorded, again.repeated) == (0, 5)


def test_times_count_from_publication_and_registration(
    take: Take, project: Callable[[], int], read: psycopg.Connection
) -> None:
    take(record())
    project()
    found = read.execute(
        """
        SELECT status,
               outcome,
               extract(epoch FROM first_replied_at - published_at),
               extract(epoch FROM resolved_at - cycle_started_at),
               due_at
          FROM incident
        """
    ).fetchone()
    due_at = datetime(2026, 2, 4, 14, tzinfo=UTC)
    assert found == ("RESOLVED", "SOLVED", 33 * 60, 3 * 60, due_at)


def test_what_was_not_given_is_not_invented(
    take: Take, project: Callable[[], int], read: psycopg.Connection
) -> None:
    report = take(
        record(municipality=..., registeredAt=..., citizen=..., steps=...),
        record(id="post-2", municipality=None, registeredAt=None, citizen=None, point=None),
        record(id="post-3", steps=[]),
    )
    assert (report.recorded, report.quarantined) == (3, {})
    project()
    assert read.execute(
        "SELECT kind, municipality, registered_at = published_at FROM incident ORDER BY version, id"
    ).fetchone() == ("COMPLAINT", None, True)


def events(read: psycopg.Connection) -> list[tuple[str, str, str]]:
    """Topic, actor and role of each event of the only incident."""
    return read.execute(
        """
        SELECT topic,
               payload ->> 'actor',
               payload ->> 'role'
          FROM events
         ORDER BY pos
        """
    ).fetchall()


REOPENED = step("reopen", 30, reason="NOT_SOLVED", actor="curator-1", role="CURATOR")


@pytest.mark.parametrize("closed", [True, False])
def test_what_was_reopened_had_been_disputed_whoever_did_it(
    take: Take, read: psycopg.Connection, closed: bool
) -> None:
    closing = [step("close", 20)] if closed else []
    assert take(record(steps=[*resolved(), *closing, REOPENED])).quarantined == {}
    assert events(read)[-2:] == [
        ("ResolutionDisputed", "curator-1", "CURATOR"),
        ("IncidentReopened", "curator-1", "CURATOR"),
    ]


def test_a_dispute_is_told_with_who_said_what(
    take: Take, node: Node, project: Callable[[], int], read: psycopg.Connection
) -> None:
    dispute = step("dispute", 25, by="THIRD_PARTY", text=TEXT, actor="monitor-1", role="MONITOR")
    assert take(record(steps=[*resolved(), dispute, REOPENED])).quarantined == {}
    assert events(read)[-2:] == [
        ("ResolutionDisputed", "monitor-1", "MONITOR"),
        ("IncidentReopened", "curator-1", "CURATOR"),
    ]
    (told,) = read.execute(
        "SELECT payload FROM events WHERE topic = 'ResolutionDisputed'"
    ).fetchall()
    assert told[0]["by"] == "THIRD_PARTY"
    assert TEXT not in json.dumps(contents(node.url), ensure_ascii=False)
    project()
    assert read.execute("SELECT status, cycle, disputes FROM incident").fetchall() == [
        ("REOPENED", 2, 1)
    ]


def test_a_dispute_that_nobody_decided_on_waits(
    take: Take, project: Callable[[], int], read: psycopg.Connection
) -> None:
    take(record(steps=[*resolved(), step("dispute", 25)]))
    project()
    assert read.execute("SELECT status FROM incident").fetchall() == [("REOPEN_REQUESTED",)]


def test_a_cycle_that_was_disputed_before_says_nothing_of_the_next(
    take: Take, read: psycopg.Connection
) -> None:
    again = [
        step("assign", 31, organisation="BRONX-NYPD"),
        step("publishReply", 32, kind="FINAL"),
        step("resolve", 33, outcome="SOLVED"),
        step("reopen", 40, reason="RECURRED"),
    ]
    take(record(steps=[*resolved(), step("dispute", 25), REOPENED, *again]))
    topics = [topic for topic, _, _ in events(read)]
    assert topics.count("ResolutionDisputed") == topics.count("IncidentReopened") == 2


def test_who_did_what_elsewhere_is_not_judged_again(take: Take, read: psycopg.Connection) -> None:
    """Nobody here gives these roles these rights, or the right to judge their own work."""
    steps = [
        step("classify", 1, topic="noise.noise", role="CITIZEN"),
        step("assign", 2, organisation="BRONX-NYPD", role="EXECUTOR"),
        step("publishReply", 3, kind="FINAL", role="EXECUTOR"),
        step("resolve", 3, outcome="SOLVED", actor="curator-1", role="CURATOR"),
        REOPENED,
    ]
    assert take(record(steps=steps)).quarantined == {}
    assert [role for _, _, role in events(read)] == [
        *("SYSTEM", "CITIZEN", "EXECUTOR", "EXECUTOR", "CURATOR", "CURATOR", "CURATOR")
    ]


# What is wrong, the code of the refusal, and what its detail names.
WRONG: list[tuple[Json | bytes, str, str]] = [
    (record(id=...), "FIELD_INVALID", "id: is required"),
    (record(id=""), "FIELD_INVALID", "id: "),
    (record(id=7), "FIELD_INVALID", "id: Expected str, got int"),
    (record(id="a\0"), "FIELD_INVALID", "id: "),
    (record(id="a\n"), "FIELD_INVALID", "id: "),
    (record(id="x" * 201), "FIELD_INVALID", "id: "),
    (record(channel=...), "FIELD_INVALID", "channel: is required"),
    (record(channel="PIGEON"), "UNKNOWN_CHANNEL", "'PIGEON'"),
    (record(kind="RAGE"), "FIELD_INVALID", "kind: is none of the accepted words"),
    (record(region="77"), "UNKNOWN_REGION", "'77'"),
    (record(region=None), "FIELD_INVALID", "region: Expected str, got null"),
    (record(municipality="BRONX-99"), "UNKNOWN_MUNICIPALITY", "'BRONX-99'"),
    (record(municipality="QUEENS-01"), "UNKNOWN_MUNICIPALITY", "'QUEENS-01'"),
    (record(municipality="36701000"), "UNKNOWN_MUNICIPALITY", "'36701000'"),
    (record(publishedAt=...), "FIELD_INVALID", "publishedAt: is required"),
    (record(publishedAt="2026-02-03"), "FIELD_INVALID", "publishedAt: "),
    (record(publishedAt="2026-02-03T08:30:00"), "FIELD_INVALID", "publishedAt: "),
    (record(publishedAt=1770125400), "FIELD_INVALID", "publishedAt: "),
    (record(publishedAt="0001-01-01T00:00:00+14:00"), "DATE_ABSURD", "publishedAt"),
    (record(registeredAt="9999-12-31T23:00:00-14:00"), "DATE_ABSURD", "registeredAt"),
    (record(publishedAt="2026-02-03T10:00:00-05:00"), "DATE_IN_FUTURE", "publishedAt"),
    (record(point={"latitude": 40}), "FIELD_INVALID", "point.longitude: is required"),
    (record(point={"latitude": 95, "longitude": 0}), "COORDINATE_OUT_OF_RANGE", "latitude"),
    (record(citizen={"name": NAME}), "FIELD_INVALID", "citizen.text: is required"),
    (record(citizen={"text": " "}), "TEXT_EMPTY", "citizen.text"),
    (record(citizen={"text": "x" * 20_001}), "TEXT_TOO_LONG", "citizen.text"),
    (record(citizen={"text": "a\0"}), "CONTROL_CHARACTER", "citizen.text"),
    (record(citizen={"name": "x" * 201, "text": "a"}), "TEXT_TOO_LONG", "citizen.name"),
    (record(citizen={"text": "a", "phone": CONTACT}), "FIELD_INVALID", "citizen: holds a field"),
    (record(colour="red"), "FIELD_INVALID", "row: holds a field that is not known"),
    (record(steps={}), "FIELD_INVALID", "steps: Expected array, got object"),
    (record(steps=[{"at": "2026-02-03T09:01:00-05:00"}]), "FIELD_INVALID", "steps[0].step"),
    (record(steps=[step("explode", 1)]), "FIELD_INVALID", "steps[0].step: is none of the"),
    (record(steps=[{"step": "close"}]), "FIELD_INVALID", "steps[0].at: is required"),
    (record(steps=[step("classify", 1)]), "FIELD_INVALID", "steps[0].topic: is required"),
    (record(steps=[step("classify", 1, topic="dragons")]), "UNKNOWN_TOPIC", "'dragons'"),
    (record(steps=[step("classify", 1, topic="noise")]), "UNKNOWN_TOPIC", "a group is not a topic"),
    (record(steps=[step("close", 1)]), "FORBIDDEN_TRANSITION", "close is not possible"),
    (record(steps=[step("dispute", 1)]), "FORBIDDEN_TRANSITION", "dispute is not possible"),
    (record(steps=[step("reopen", 1, reason="RECURRED")]), "FORBIDDEN_TRANSITION", "dispute"),
    (record(steps=[step("dispute", 1, by="NOBODY")]), "FIELD_INVALID", "steps[0].by: is none"),
    (record(steps=[*resolved(), step("dispute", 4, text=" ")]), "TEXT_EMPTY", "steps[4].text"),
    (record(steps=[step("assign", 1, organisation="BRONX-NYPD")]), "NOT_CLASSIFIED", "topic"),
    (record(steps=[*resolved()[:1], step("assign", 2, organisation="FBI")]), "UNKNOWN_ORG", "FBI"),
    (record(steps=[*resolved()[:2], step("resolve", 3, outcome="SOLVED")]), "FINAL_REPLY", "final"),
    (record(steps=[*resolved(), step("close", 0)]), "TIME_GOES_BACKWARDS", "at ("),
    (record(steps=resolved()[:1] * (STEPS_MAX + 1)), "FIELD_INVALID", "steps: Expected array of"),
    (
        record(steps=[step("classify", 1, topic="noise.noise", actor="Анна П.")]),
        "FIELD_INVALID",
        "steps[0].actor: ",
    ),
    (
        record(steps=[*resolved()[:2], step("publishReply", 3, kind="FINAL", text="a\0")]),
        "CONTROL_CHARACTER",
        "steps[2].text",
    ),
    (
        record(steps=[*resolved()[:3], {"step": "close", "at": "2027-01-01T00:00:00Z"}]),
        "FORBIDDEN_TRANSITION",
        "close",
    ),
    (
        record(steps=[*resolved(), {"step": "close", "at": "2026-03-03T00:00:00Z"}]),
        "DATE_IN_FUTURE",
        "at lies in the future",
    ),
    (encoded(record())[:-30], "ROW_MALFORMED", "truncated"),
    (encoded(record()).replace(b'"post-1"', b'"\0"'), "ROW_MALFORMED", "invalid character"),
    (encoded(record()).replace(b'"post-1"', b'"\xff"'), "NOT_UTF8", "UTF-8"),
    (encoded(record()).replace(b'"post-1"', rb'"\ud800"'), "ROW_MALFORMED", "row"),
    (b"[" * 10_000, "FIELD_INVALID", "row: Expected object, got array"),
    (b"5", "FIELD_INVALID", "row: Expected object, got int"),
    (b"null", "FIELD_INVALID", "row: Expected object, got null"),
    (b"\0" * 1000, "ROW_MALFORMED", "row"),
]


@pytest.mark.parametrize(("wrong", "reason", "told"), WRONG)
def test_a_refusal_names_line_and_field(
    take: Take, node: Node, wrong: Json | bytes, reason: str, told: str
) -> None:
    first = record(id="post-0")
    report = take(first, b"", wrong)
    assert report.recorded == 1
    ((code, tally),) = report.quarantined.items()
    assert code.startswith(reason)
    (row,) = tally.rows
    assert row.detail.startswith("line 3: ")
    assert told in row.detail
    assert not any(private in row.detail for private in (NAME, CONTACT, TEXT, "Анна"))
    kept = Quarantine(node.pool, node.vault, "jsonl").open(row.row_key)
    assert kept == (wrong if isinstance(wrong, bytes) else encoded(wrong))
    before = contents(node.url)
    again = take(first, b"", wrong)
    assert (again.recorded, again.repeated, again.newly_quarantined) == (0, 1, 0)
    assert contents(node.url) == before


@pytest.mark.parametrize(
    "misplaced",
    [
        record(steps=[step("classify", 1, topic=NAME)]),
        record(municipality=CONTACT),
        record(municipality="89000000000"),
        record(channel=NAME),
        record(kind=TEXT),
        record(publishedAt=TEXT),
        record(steps=[step("resolve", 1, outcome=TEXT)]),
        record(steps=[step(TEXT, 1)]),
        record(**{NAME: 1}),
        record(citizen={TEXT: 1, "text": TEXT}),
        record(id=1),
        encoded(record())[:-5],
        record(),
    ],
)
def test_personal_data_stands_nowhere_in_plain(
    take: Take, node: Node, project: Callable[[], int], misplaced: Json | bytes
) -> None:
    take(record(id="post-0"), misplaced)
    project()
    everything = "\n".join(
        row for rows in contents(node.url, "public", "read").values() for row in rows
    )
    for private in (NAME, CONTACT, TEXT, REPLY, "89000000000"):
        assert private not in everything
        assert json.dumps(private)[1:-1] not in everything
        assert private.encode().hex() not in everything


def test_a_record_that_was_mended_leaves_quarantine(take: Take, node: Node) -> None:
    take(record(kind="RAGE"), record(id="post-2"))
    assert Quarantine(node.pool, node.vault, "jsonl").open("ONLINE:post-1") is not None
    report = take(record(), record(id="post-2"))
    assert (report.recorded, report.repeated, report.released) == (1, 1, 1)
    assert not contents(node.url)["public.import_quarantine"]


def test_one_id_on_two_channels_is_two_incidents(take: Take) -> None:
    report = take(record(), record(channel="PHONE"), record())
    assert (report.recorded, report.repeated) == (2, 1)


def test_an_import_needs_a_role_of_its_own_and_leaves_the_read_models_to_the_projector(
    node: Node, project: Callable[[], int], read: psycopg.Connection, tmp_path: Path
) -> None:
    file = tmp_path / "region.jsonl"
    with command_pool(as_process("import", node.url)) as pool:
        importing = replace(node, url=as_process("import", node.url), pool=pool)
        for kind, counts in (("RAGE", (0, 0)), ("COMPLAINT", (1, 1)), ("COMPLAINT", (0, 0))):
            file.write_bytes(encoded(record(kind=kind)))
            report = run_import(importing, FORMAT, file, now=NOW)
            catch_up(importing, Event())
            assert (report.recorded, report.released) == counts
    assert read.execute("SELECT count(*) FROM incident").fetchone() == (0,)
    assert project() > 0


def test_a_row_of_a_megabyte_is_refused_and_not_kept(take: Take, node: Node) -> None:
    report = take(record(), record(id="post-2", citizen={"text": "x" * 1_000_000}))
    assert report.refused["ROW_TOO_LONG"].rows[0].detail.startswith("line 2: ")
    assert (report.recorded, report.quarantined) == (1, {})
    assert not contents(node.url)["public.import_quarantine"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "empty"),
        (b"\n \r\n", "empty"),
        (b"[" + encoded(record()) + b"]", "one JSON array"),
        (json.dumps(record(), indent=1).encode(), "not a whole JSON object"),
        (b"id;channel\n1;VK\n", "not a whole JSON object"),
        (b"PK\x03\x04\x00\xff", "not a whole JSON object"),
        (json.dumps(record()).encode("utf-16"), "UTF-16"),
    ],
)
def test_a_file_of_another_kind_is_refused_whole(
    node: Node, take: Take, tmp_path: Path, content: bytes, told: str
) -> None:
    file = tmp_path / "other.jsonl"
    file.write_bytes(content)
    with pytest.raises(FileInvalid, match=told):
        run_import(node, FORMAT, file, now=NOW)
    assert take(record()).recorded == 1


def test_a_byte_order_mark_and_windows_line_ends_are_no_matter(take: Take) -> None:
    report = take(b"\xef\xbb\xbf" + encoded(record()) + b"\r", encoded(record(id="2")) + b"\r\n")
    assert (report.read, report.recorded) == (2, 2)


def test_a_recording_that_fails_midway_leaves_no_half_incident(
    take: Take, node: Node, read: psycopg.Connection
) -> None:
    take(record(id="post-0", steps=[]), record(steps=[*resolved(), step("reopen", 4, reason="?")]))
    assert read.execute("SELECT count(*) FROM events").fetchone() == (1,)
