"""The import of New York's 311 requests: 1,000 real ones, and each rule for dirty rows."""

import asyncio
import csv
import math
import statistics
import tracemalloc
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
import pytest

from api import imports
from api.formats import ROW_BYTES_MAX, FileInvalid
from api.formats.nyc311 import COLUMNS
from api.imports import ImportReport, describe, format_named, run_import
from domain.commands import PublishReply
from domain.events import ReplyPublished
from projections.statistics.figures import Figures, Period
from projections.statistics.units import region_figures
from regions.node import Node
from regions.quarantine import Quarantine
from regions.reference.catalogue import CatalogueInvalid
from regions.store.event_store import decode_event
from tests.conftest import CHECKOUT, NEW_YORK
from tests.scenarios import contents

REQUESTS = CHECKOUT.parent / "shared" / "data" / "nyc311-2018-06-26.csv"
HERE = ZoneInfo("America/New_York")
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)

needs_requests = pytest.mark.skipif(not REQUESTS.exists(), reason="the 1,000 requests are not here")


# The real file


@dataclass(frozen=True)
class Request:
    """What the test reads from a row by itself, with the standard library only."""

    key: str
    region: str
    created: datetime
    closed: datetime | None
    due: datetime | None

    @property
    def trouble(self) -> str | None:
        if self.region == "Unspecified":
            return "NO_BOROUGH"
        if self.closed is not None and self.closed < self.created:
            return "CLOSED_BEFORE_CREATED"
        return None

    @property
    def missed(self) -> bool:
        return self.due is not None and (self.closed is None or self.closed > self.due)


def moment(text: str) -> datetime | None:
    if not text:
        return None
    return datetime.strptime(text, "%m/%d/%Y %I:%M:%S %p").replace(tzinfo=HERE).astimezone(UTC)


def requests() -> list[Request]:
    with REQUESTS.open(encoding="utf-8", newline="") as file:
        return [
            Request(
                row["Unique Key"],
                row["Borough"].replace(" ", "-"),
                moment(row["Created Date"]) or NOW,
                moment(row["Closed Date"]),
                moment(row["Due Date"]),
            )
            for row in csv.DictReader(file)
        ]


def nearest_rank(seconds: list[float], share: float) -> float | None:
    return sorted(seconds)[math.ceil(share * len(seconds)) - 1] if seconds else None


def expected(of: list[Request], period: Period) -> dict[str, object]:
    """The figures of some requests in a period, computed from the file alone."""

    def in_period(at: datetime | None) -> bool:
        return at is not None and period.first <= at.astimezone(HERE).date() <= period.last

    cohort = [request for request in of if in_period(request.created)]
    took = [(r.closed - r.created).total_seconds() for r in cohort if r.closed is not None]
    due = [request for request in of if in_period(request.due)]
    missed = sum(request.missed for request in due)
    return {
        "registered": len(cohort),
        "answered": len(took),
        "resolved": len(took),
        "resolution_median": nearest_rank(took, 0.5),
        "resolution_mean": pytest.approx(statistics.fmean(took)) if took else None,
        "resolution_p90": nearest_rank(took, 0.9),
        "due": len(due),
        "missed": missed,
        "overdue_share": missed / len(due) if due else None,
    }


def figures(node: Node, period: Period, *, exact: bool) -> dict[str, Figures]:
    async def ask() -> dict[str, Figures]:
        async with await psycopg.AsyncConnection.connect(
            node.url, options="-c search_path=read,public"
        ) as connection:
            return await region_figures(
                connection, period, catalogue=node.catalogue, now=NOW, exact=exact
            )

    return asyncio.run(ask())


def import_requests(node: Node) -> ImportReport:
    return run_import(node, format_named("nyc311", NEW_YORK), REQUESTS, now=NOW)


@needs_requests
@pytest.mark.parametrize(
    "period",
    [
        Period(date(2014, 1, 1), date(2020, 12, 31)),
        Period(date(2018, 6, 1), date(2019, 1, 31)),
        Period(date(2018, 6, 26), date(2018, 6, 26)),
    ],
)
def test_the_figures_of_every_borough_equal_an_independent_computation(
    node: Node, project: Callable[[], int], period: Period
) -> None:
    import_requests(node)
    project()
    sound = [request for request in requests() if request.trouble is None]
    found, estimated = figures(node, period, exact=True), figures(node, period, exact=False)
    boroughs = [*node.catalogue.regions, ""]
    assert len(boroughs) == 6
    for borough in boroughs:
        wanted = expected([r for r in sound if borough in ("", r.region)], period)
        assert {name: told(found[borough], name) for name in wanted} == wanted, borough
        assert_within_one_per_cent(estimated[borough], wanted)


def assert_within_one_per_cent(estimated: Figures, wanted: Mapping[str, object]) -> None:
    """Counts are exact in the daily rows too; quantiles are good to a bucket."""
    for name, value in wanted.items():
        if name in ("resolution_median", "resolution_p90") and value is not None:
            # A bucket holds no duration below a second.
            value = pytest.approx(max(float(str(value)), 1), rel=0.0101)
        assert told(estimated, name) == value, name


def told(figures: Figures, name: str) -> object:
    of, _, part = name.partition("_")
    return getattr(figures.lasted(of), part) if of == "resolution" else getattr(figures, name)


@needs_requests
def test_every_community_board_has_its_requests(
    node: Node, project: Callable[[], int], read: psycopg.Connection
) -> None:
    import_requests(node)
    project()
    with REQUESTS.open(encoding="utf-8", newline="") as file:
        boards = {row["Unique Key"]: row["Community Board"] for row in csv.DictReader(file)}
    named = {place.code: place.name for place in node.catalogue.municipalities.values()}
    wanted = Counter(boards[r.key] for r in requests() if r.trouble is None)
    located = {board: n for board, n in wanted.items() if "Unspecified" not in board}
    found: dict[str | None, int] = dict(
        read.execute("SELECT municipality, count(*) FROM incident GROUP BY 1").fetchall()
    )
    assert found.pop(None, 0) == wanted.total() - sum(located.values())
    assert {named[code]: n for code, n in found.items() if code} == located


@needs_requests
def test_every_row_is_accounted_for_and_each_dirty_one_is_listed(node: Node) -> None:
    report = import_requests(node)
    troubles: dict[str, set[str]] = {}
    for request in requests():
        if request.trouble is not None:
            troubles.setdefault(request.trouble, set()).add(request.key)
    listed = {
        reason: {row.row_key for row in tally.rows} for reason, tally in report.quarantined.items()
    }
    assert listed == troubles
    assert describe(report) == [
        ("read", 1000),
        ("recorded", 964),
        ("repeated", 0),
        ("events", report.events),
        ("quarantined", 36),
        ("  NO_BOROUGH", 27),
        ("  CLOSED_BEFORE_CREATED", 9),
        ("  of them new", 36),
        ("released from quarantine", 0),
        ("refused", 0),
    ]


@needs_requests
def test_the_second_import_changes_nothing(node: Node) -> None:
    first = import_requests(node)
    before = contents(node.url)
    second = import_requests(node)
    assert contents(node.url) == before
    assert (second.recorded, second.events, second.newly_quarantined) == (0, 0, 0)
    assert second.repeated == first.recorded
    assert second.quarantined == first.quarantined


@needs_requests
def test_the_text_of_a_row_stands_nowhere_in_plain(node: Node, project: Callable[[], int]) -> None:
    import_requests(node)
    project()
    everything = "\n".join(
        row for rows in contents(node.url, "public", "read").values() for row in rows
    )
    for text in ("Police Department responded", "Harlem River", "40160789,08/31"):
        assert text not in everything
        assert text.encode().hex() not in everything


@needs_requests
def test_a_quarantined_row_is_kept_whole(node: Node) -> None:
    import_requests(node)
    row = next(r for r in REQUESTS.read_bytes().splitlines() if r.startswith(b"40160789,"))
    assert Quarantine(node.pool, node.vault, "nyc311").open("40160789") == row


# Rows made for one rule each

SOUND = {
    "Unique Key": "1",
    "Created Date": "06/26/2018 10:00:00 AM",
    "Closed Date": "06/26/2018 12:30:00 PM",
    "Agency": "NYPD",
    "Complaint Type": "Illegal Parking",
    "Status": "Closed",
    "Due Date": "06/26/2018 06:00:00 PM",
    "Resolution Description": "The Police Department issued a summons.",
    "Community Board": "01 BRONX",
    "Borough": "BRONX",
    "Open Data Channel Type": "PHONE",
    "Latitude": "40.8",
    "Longitude": "-73.9",
}
HEADER = ",".join(COLUMNS).encode()


def row(**cells: str) -> bytes:
    """A row of the file; a cell is named by its column, with _ for a space."""
    changes = {name.replace("_", " "): cell for name, cell in cells.items()}
    assert changes.keys() <= SOUND.keys()
    quoted = (f'"{cell}"' for cell in (SOUND | changes).values())
    return ",".join(quoted).encode()


@pytest.fixture
def take(node: Node, tmp_path: Path) -> Callable[..., ImportReport]:
    """Import a file of these rows."""

    def run(*rows: bytes, header: bytes = HEADER, end: bytes = b"\n") -> ImportReport:
        file = tmp_path / "requests.csv"
        file.write_bytes(b"\n".join([header, *rows]) + end)
        report = run_import(node, format_named("nyc311", NEW_YORK), file, now=NOW)
        kept = sum(tally.count for tally in report.quarantined.values())
        refused = sum(tally.count for tally in report.refused.values())
        assert report.read == report.recorded + report.repeated + kept + refused
        return report

    return run


Take = Callable[..., ImportReport]


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"Borough": "Unspecified"}, "NO_BOROUGH"),
        ({"Borough": ""}, "NO_BOROUGH"),
        ({"Borough": "JERSEY"}, "UNKNOWN_REGION"),
        ({"Community_Board": "64 BRONX"}, "UNKNOWN_MUNICIPALITY"),
        ({"Community_Board": "01 QUEENS"}, "UNKNOWN_MUNICIPALITY"),
        ({"Agency": "FBI"}, "UNKNOWN_ORGANISATION"),
        ({"Complaint_Type": "Dragons"}, "UNKNOWN_TOPIC"),
        ({"Complaint_Type": "Parking"}, "UNKNOWN_TOPIC"),
        ({"Open_Data_Channel_Type": "PIGEON"}, "UNKNOWN_CHANNEL"),
        ({"Created_Date": ""}, "DATE_UNREADABLE"),
        ({"Created_Date": "yesterday"}, "DATE_UNREADABLE"),
        ({"Created_Date": "01/01/1960 10:00:00 AM"}, "DATE_ABSURD"),
        ({"Created_Date": "12/31/9999 11:59:59 PM"}, "DATE_ABSURD"),
        ({"Due_Date": "06/26/2048 10:00:00 AM"}, "DATE_ABSURD"),
        ({"Closed_Date": "06/26/2040 10:00:00 AM"}, "DATE_IN_FUTURE"),
        ({"Closed_Date": "06/25/2018 10:00:00 AM"}, "CLOSED_BEFORE_CREATED"),
        ({"Closed_Date": ""}, "CLOSING_DATE_MISSING"),
        ({"Resolution_Description": "Nobody ever said this."}, "OUTCOME_UNKNOWN"),
        ({"Latitude": "north"}, "COORDINATE_OUT_OF_RANGE"),
        ({"Latitude": "nan"}, "COORDINATE_OUT_OF_RANGE"),
        ({"Latitude": "91"}, "COORDINATE_OUT_OF_RANGE"),
        ({"Latitude": ""}, "POINT_INCOMPLETE"),
        ({"Unique_Key": "Anna"}, "IMPORT_ROW_INVALID"),
        ({"Unique_Key": ""}, "IMPORT_ROW_INVALID"),
        ({"Agency": "NY\0PD"}, "CONTROL_CHARACTER"),
    ],
)
def test_a_dirty_row_is_quarantined_with_its_reason(
    take: Take, cells: dict[str, str], reason: str
) -> None:
    report = take(row(**cells), row(Unique_Key="2"))
    assert [(code, tally.count) for code, tally in report.quarantined.items()] == [(reason, 1)]
    assert report.quarantined[reason].rows[0].line == 2
    assert report.recorded == 1
    again = take(row(**cells), row(Unique_Key="2"))
    assert (again.recorded, again.newly_quarantined, again.repeated) == (0, 0, 1)


def incident(read: psycopg.Connection, *columns: str) -> tuple[object, ...] | None:
    return read.execute(f"SELECT {', '.join(columns)} FROM incident".encode()).fetchone()


@pytest.mark.parametrize(
    ("cells", "status"),
    [
        ({}, "CLOSED"),
        ({"Closed_Date": "06/26/2018 10:00:00 AM"}, "CLOSED"),
        ({"Closed_Date": "", "Status": "Open"}, "ASSIGNED"),
        # A closing date without the status: finished, but nobody has confirmed the end.
        ({"Status": "Pending"}, "RESOLVED"),
    ],
)
def test_the_closing_date_decides_how_far_an_incident_has_come(
    take: Take,
    project: Callable[[], int],
    read: psycopg.Connection,
    cells: dict[str, str],
    status: str,
) -> None:
    assert take(row(**cells)).recorded == 1
    project()
    assert incident(read, "status") == (status,)


def test_an_answer_without_text_explains(
    take: Take, project: Callable[[], int], read: psycopg.Connection, node: Node
) -> None:
    take(row(Resolution_Description=""))
    project()
    assert incident(read, "status", "outcome") == ("CLOSED", "EXPLAINED")
    assert [reply.text for _, reply in replies(node)] == [None]


def test_the_text_tells_the_outcome_and_is_sealed(
    take: Take, project: Callable[[], int], read: psycopg.Connection, node: Node
) -> None:
    text = "The Police Department issued a summons in response to the complaint."
    take(row(Resolution_Description=text))
    project()
    assert incident(read, "outcome") == ("SOLVED",)
    ((incident_id, reply),) = replies(node)
    assert reply.text is not None
    opened = node.centre("BRONX").open(incident_id, reply.text, PublishReply)
    assert opened == f'"{text}"'.encode()


def test_of_two_prefixes_the_longer_tells_the_outcome(
    node: Node, project: Callable[[], int], read: psycopg.Connection, tmp_path: Path
) -> None:
    (tmp_path / "outcomes.csv").write_text(
        "prefix,outcome\nThe Pol,EXPLAINED\nThe Police,REFUSED\n"
    )
    file = tmp_path / "requests.csv"
    file.write_bytes(HEADER + b"\n" + row())
    run_import(node, format_named("nyc311", tmp_path), file, now=NOW)
    project()
    assert incident(read, "outcome") == ("REFUSED",)


def replies(node: Node) -> list[tuple[UUID, ReplyPublished]]:
    """Of which incident, and what was published."""
    centre = node.centre("BRONX")
    found = []
    for notification in centre.recorder.select_notifications(1, 100):
        event = decode_event(notification.topic, notification.state)
        if isinstance(event, ReplyPublished):
            found.append((UUID(str(notification.originator_id)), event))
    return found


@pytest.mark.parametrize("board", ["0 Unspecified", "Unspecified BRONX", ""])
def test_an_unknown_board_leaves_the_incident_with_its_region(
    take: Take, project: Callable[[], int], read: psycopg.Connection, board: str
) -> None:
    take(row(Community_Board=board, Latitude="", Longitude=""))
    project()
    assert incident(read, "region", "municipality", "latitude") == ("BRONX", None, None)


@pytest.mark.parametrize(
    ("local", "utc"),
    [
        ("07/01/2018 01:30:00 AM", datetime(2018, 7, 1, 5, 30, tzinfo=UTC)),
        # The clocks went back at two: half past one came twice, and the first is meant.
        ("11/04/2018 01:30:00 AM", datetime(2018, 11, 4, 5, 30, tzinfo=UTC)),
        ("11/04/2018 02:30:00 AM", datetime(2018, 11, 4, 7, 30, tzinfo=UTC)),
        # The clocks went forward at two: half past two never came, and is read as winter time.
        ("03/11/2018 02:30:00 AM", datetime(2018, 3, 11, 7, 30, tzinfo=UTC)),
    ],
)
def test_times_are_new_yorks(
    take: Take, project: Callable[[], int], read: psycopg.Connection, local: str, utc: datetime
) -> None:
    take(row(Created_Date=local, Closed_Date="", Due_Date="", Status="Open"))
    project()
    assert incident(read, "registered_at", "published_at") == (utc, utc)


def test_a_row_that_was_mended_leaves_quarantine(take: Take, node: Node) -> None:
    quarantine = Quarantine(node.pool, node.vault, "nyc311")
    take(row(Borough="Unspecified"))
    assert quarantine.open("1") == row(Borough="Unspecified")
    keys = contents(node.url)["public.subject_key"]
    still = take(row(Borough="JERSEY"))
    assert (still.newly_quarantined, len(contents(node.url)["public.subject_key"])) == (0, 1)
    assert quarantine.open("1") == row(Borough="JERSEY")
    report = take(row())
    assert (report.recorded, report.released) == (1, 1)
    assert quarantine.open("1") is None
    assert not set(keys) & set(contents(node.url)["public.subject_key"])


def test_a_row_that_stands_twice_in_the_file_counts_once(take: Take) -> None:
    report = take(row(), row(), row(Unique_Key="2"), row(Complaint_Type="Dragons", Unique_Key="3"))
    assert (report.read, report.recorded, report.repeated) == (4, 2, 1)


def test_an_import_broken_off_goes_on_where_it_was(
    take: Take, node: Node, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(imports, "BATCH_ROWS", 10)
    monkeypatch.setattr(imports, "PROGRESS_ROWS", 25)
    rows = [row(Unique_Key=str(n), Borough="" if n % 7 == 0 else "BRONX") for n in range(1, 61)]
    (tmp_path / "requests.csv").write_bytes(b"\n".join([HEADER, *rows]))

    def break_off(done: int, in_all: int) -> None:
        raise KeyboardInterrupt

    format_ = format_named("nyc311", NEW_YORK)
    with pytest.raises(KeyboardInterrupt):
        run_import(node, format_, tmp_path / "requests.csv", now=NOW, progress=break_off)
    report = take(*rows)
    assert (report.recorded, report.repeated, report.newly_quarantined) == (32, 20, 8)


def test_progress_is_told_in_bytes(
    node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "PROGRESS_ROWS", 2)
    file = tmp_path / "requests.csv"
    file.write_bytes(b"\n".join([HEADER, *(row(Unique_Key=str(n)) for n in range(1, 6))]))
    told: list[tuple[int, int]] = []
    format_ = format_named("nyc311", NEW_YORK)
    run_import(node, format_, file, now=NOW, progress=lambda *bytes_: told.append(bytes_))
    size = file.stat().st_size
    assert [in_all for _, in_all in told] == [size] * 3
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1] == (size, size)


# Damaged files


def test_a_line_break_within_a_quoted_cell_ends_no_row(take: Take, node: Node) -> None:
    folded = row(Resolution_Description="The Police Department issued a summons\nand left.")
    report = take(folded, row(Unique_Key="2"))
    assert (report.read, report.recorded) == (2, 2)


def test_a_quote_that_is_never_closed_spoils_its_own_row_only(take: Take) -> None:
    broken = row(Unique_Key="2").replace(b'"PHONE"', b'"PHONE')
    others = [row(Unique_Key=str(n)) for n in range(10, 15)]
    report = take(row(), broken, *others[:3], broken.replace(b'"2"', b'"3"'), *others[3:])
    assert (report.read, report.recorded) == (8, 6)
    listed = report.quarantined["ROW_MALFORMED"].rows
    assert [(line.line, line.row_key) for line in listed] == [(3, "2"), (7, "3")]


@pytest.mark.parametrize(
    ("damaged", "reason", "key"),
    [
        (row(Unique_Key="9")[:150], "ROW_MALFORMED", "9"),
        (row(Unique_Key="9", Agency="\xff").replace("\xff".encode(), b"\xff"), "NOT_UTF8", "9"),
        (row(Unique_Key="9") + b",more", "ROW_MALFORMED", "9"),
        (row(Unique_Key="9", Agency="x" * 200_000), "ROW_MALFORMED", "9"),
        (b"\0" * 1000, "ROW_MALFORMED", None),
        (b"\xff\xfe", "NOT_UTF8", None),
    ],
)
def test_a_damaged_row_is_quarantined_and_the_others_go_on(
    take: Take, node: Node, damaged: bytes, reason: str, key: str | None
) -> None:
    report = take(row(), damaged, row(Unique_Key="2"))
    assert report.recorded == 2
    (listed,) = report.quarantined[reason].rows
    assert listed.line == 3
    assert listed.row_key.startswith(key or "?")
    assert Quarantine(node.pool, node.vault, "nyc311").open(listed.row_key) == damaged
    assert take(row(), damaged, row(Unique_Key="2")).newly_quarantined == 0


def test_a_last_line_cut_off_is_quarantined(take: Take) -> None:
    report = take(row(), row(Unique_Key="2")[:-20], end=b"")
    assert (report.recorded, report.quarantined["ROW_MALFORMED"].count) == (1, 1)


@pytest.mark.parametrize("megabytes", [1, 64])
def test_a_row_too_long_is_refused_and_not_even_read_into_memory(
    take: Take, node: Node, megabytes: int, tmp_path: Path
) -> None:
    file = tmp_path / "long.csv"
    with file.open("wb") as opened:
        opened.write(HEADER + b"\n" + row() + b"\n")
        for _ in range(megabytes):
            opened.write(b"x" * 1_000_000)
        opened.write(b"\n" + row(Unique_Key="2"))
    tracemalloc.start()
    report = run_import(node, format_named("nyc311", NEW_YORK), file, now=NOW)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (report.read, report.recorded, report.refused["ROW_TOO_LONG"].count) == (3, 2, 1)
    assert report.refused["ROW_TOO_LONG"].rows[0].line == 3
    assert peak < 16 * ROW_BYTES_MAX
    assert not contents(node.url)["public.import_quarantine"]


def test_a_byte_order_mark_and_windows_line_ends_are_no_matter(take: Take, node: Node) -> None:
    report = take(row() + b"\r", header=b"\xef\xbb\xbf" + HEADER + b"\r", end=b"\n\n\r\n")
    assert (report.read, report.recorded) == (1, 1)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "empty"),
        (b"Name,Town\nAnna,Samara\n", "lacks the columns Unique Key, Created Date"),
        (HEADER.replace(b"Borough", b"Raion") + b"\n" + row(), "lacks the columns Borough"),
        (HEADER + b",Borough\n", "twice"),
        (HEADER.decode().encode("utf-16"), "UTF-16"),
        (b"\x1f\x8b\xff\xff", "UTF-8"),
        (b"x" * 2_000_000, "header"),
    ],
)
def test_a_file_of_another_kind_is_refused_whole(
    node: Node, take: Take, tmp_path: Path, content: bytes, told: str
) -> None:
    file = tmp_path / "other.csv"
    file.write_bytes(content)
    with pytest.raises(FileInvalid, match=told):
        run_import(node, format_named("nyc311", NEW_YORK), file, now=NOW)
    assert take(row()).recorded == 1


def test_a_file_that_cannot_be_opened_is_refused(node: Node, tmp_path: Path) -> None:
    for file in (tmp_path, tmp_path / "nowhere.csv"):
        with pytest.raises(FileInvalid):
            run_import(node, format_named("nyc311", NEW_YORK), file, now=NOW)


def test_a_format_needs_a_name_and_its_tables(tmp_path: Path) -> None:
    with pytest.raises(FileInvalid, match="nyc311, jsonl"):
        format_named("xlsx", NEW_YORK)
    with pytest.raises(CatalogueInvalid, match="outcomes"):
        format_named("nyc311", tmp_path)
