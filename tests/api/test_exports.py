"""Exports: what the files hold, who gets them, and how each comes to its end."""

import csv
import io
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from itertools import pairwise
from threading import Event, Thread
from typing import Any, LiteralString, cast
from uuid import UUID, uuid4

import psycopg
import pytest
from openpyxl import load_workbook
from pyarrow import parquet

from api import exports as asking
from domain.rights import Scope
from projections.snapshot import ServedAnew
from projections.views import tables
from projections.views.columns import Column, Kind
from projections.views.tables import Table, Told
from regions import exports as store
from regions.exports import KEPT_FOR, ExportFormat, Exports
from regions.node import Node
from regions.reference.catalogue import Catalogue
from regions.store.postgres import Server
from tests.api.conftest import Api, catch_up, fresh_database, node_on, projecting, serving
from tests.conftest import NEW_YORK
from tests.scenarios import NOON, accepted, assigned, registered, resolved
from tests.waiting import until
from tests.workers.exporting import exporting
from workers import actors, deadlines
from workers import exports as writing
from workers.broker import postgres_broker, working
from workers.exports import EXPORT_SECONDS_MAX, ExportWriter, Parts
from workers.formats import writer

FIELDS = """
id format state rowsDone rowsTotal error expiresAt filename bytes sha256 url toldAt positions first
last method provisional
"""
REQUEST = f"""
mutation ($input: RequestExportInput!) {{
  requestExport(input: $input) {{ export {{ {FIELDS} }} userErrors {{ code field }} }}
}}
"""
FIND = f"query ($id: ID!) {{ export(id: $id) {{ {FIELDS} }} }}"
MINE = "{ exports { id } }"
PERIOD = {"first": "2026-03-01", "last": "2026-03-02"}
AT = NOON + timedelta(hours=24)  # the API's present moment


@pytest.fixture(scope="module")
def served(server: Server, template: str, catalogue: Catalogue) -> Iterator[Api]:
    """Seven incidents in two regions."""
    url = fresh_database(server, template)
    with serving(url) as api, projecting(url, catalogue), node_on(url, catalogue) as node:
        bronx, queens = node.centre("BRONX"), node.centre("QUEENS")
        for place in ("BRONX-01", "BRONX-01", "BRONX-02"):
            registered(bronx, municipality=place)
        assigned(bronx, municipality="BRONX-01")
        resolved(bronx, municipality="BRONX-02")
        accepted(queens, municipality="QUEENS-09")
        resolved(queens, municipality="QUEENS-09")
        catch_up(url)
        yield api


@pytest.fixture(scope="module")
def node(served: Api, catalogue: Catalogue) -> Iterator[Node]:
    with node_on(served.url, catalogue) as node:
        yield node


@pytest.fixture(autouse=True)
def _its_time(served: Api) -> Iterator[None]:
    yield
    served.clock.now = AT
    with psycopg.connect(served.url) as connection:
        connection.execute("DELETE FROM export")
        connection.execute("DELETE FROM dramatiq.queue")


def request(api: Api, token: str | None, format: str = "CSV", **asked: Any) -> dict[str, Any]:
    facts = {"commandId": str(uuid4()), "format": format} | asked
    payload: dict[str, Any] = api.ask(REQUEST, token=token, input=facts)["requestExport"]
    return payload


def refusal(api: Api, token: str | None, **asked: Any) -> tuple[str, str | None]:
    payload = request(api, token, **asked)
    assert payload["export"] is None
    (error,) = payload["userErrors"]
    return error["code"], error["field"]


def asked_for(api: Api, token: str, format: str = "CSV", **asked: Any) -> str:
    payload = request(api, token, format, **asked)
    assert payload["userErrors"] == []
    id: str = payload["export"]["id"]
    return id


def written(api: Api, node: Node, token: str, format: str = "CSV", **asked: Any) -> dict[str, Any]:
    id = asked_for(api, token, format, **asked)
    ExportWriter(node).write(UUID(id), at=lambda: AT)
    return found(api, token, id)


def found(api: Api, token: str, id: str) -> Any:
    return api.ask(FIND, token=token, id=id)["export"]


def file_of(api: Api, export: dict[str, Any]) -> bytes:
    answer = api.client.get(export["url"])
    assert answer.status_code == 200
    assert (len(answer.content), sha256(answer.content).hexdigest()) == (
        export["bytes"],
        export["sha256"],
    )
    return answer.content


# What the files hold


def rows_of(format: str, content: bytes) -> list[dict[str, Any]]:
    """By column; of CSV as text."""
    match format:
        case "CSV":
            return list(csv.DictReader(io.StringIO(content.decode())))
        case "XLSX":
            sheet = load_workbook(io.BytesIO(content)).worksheets[0]
            names, *rows = sheet.iter_rows(values_only=True)
            return [dict(zip(map(str, names), row, strict=True)) for row in rows]
        case _:
            rows = parquet.read_table(io.BytesIO(content)).to_pylist()
            return cast(list[dict[str, Any]], rows)


def told(format: str, cell: Any) -> Any:
    """As CSV would write it, so that all three can be compared with what the query tells."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, int | float):
        return float(cell)
    if isinstance(cell, datetime):
        moment = cell.replace(tzinfo=UTC) if format == "XLSX" else cell
        # A cell of a workbook holds a day as a moment too, and milliseconds.
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000).isoformat()
    return cell.isoformat() if isinstance(cell, date) else cell


LIST = """
query ($filter: IncidentFilterInput) {
  incidents(filter: $filter, first: 100) { edges { node {
    id status channel organisationCode topicCode municipalityCode regionCode registeredAt dueAt
    cycle replyWorkingSeconds region { name } topic { name } organisation { name }
    municipality { name }
  } } }
}
"""


@pytest.mark.parametrize("format", ["CSV", "XLSX", "PARQUET"])
def test_a_list_of_incidents_is_what_the_query_lists(
    format: str, served: Api, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "PAGE_ROWS", 2)
    token = served.token("BRONX")
    export = written(served, node, token, format, incidents={})
    assert (export["state"], export["rowsDone"], export["rowsTotal"]) == ("READY", 5, 5)
    assert export["positions"] == [f"BRONX:{head(served, 'BRONX')}"]
    nodes = [edge["node"] for edge in served.ask(LIST, token=token)["incidents"]["edges"]]
    rows = rows_of(format, file_of(served, export))
    assert len(rows) == len(nodes) == 5
    for row, listed in zip(rows, nodes, strict=True):
        expected = {
            "id": listed["id"],
            "status": listed["status"],
            "region": listed["regionCode"],
            "region_name": listed["region"]["name"],
            "municipality": listed["municipalityCode"],
            "municipality_name": listed["municipality"]["name"],
            "topic": listed["topicCode"],
            "topic_name": listed["topic"] and listed["topic"]["name"],
            "organisation": listed["organisationCode"],
            "organisation_name": listed["organisation"] and listed["organisation"]["name"],
            "registered_at": datetime.fromisoformat(listed["registeredAt"]).astimezone(UTC),
            "due_at": listed["dueAt"] and datetime.fromisoformat(listed["dueAt"]).astimezone(UTC),
        }
        assert {name: told(format, row[name]) for name in expected} == {
            name: told("", cell) for name, cell in expected.items()
        }
        assert float(row["cycle"]) == listed["cycle"]


def head(api: Api, region: str) -> int:
    with psycopg.connect(api.url) as connection:
        rows = connection.execute("SELECT pos FROM region_head WHERE region = %s", [region])
        return cast(int, rows.fetchall()[0][0])


def test_a_list_names_no_person_tells_no_text_and_no_point(served: Api, node: Node) -> None:
    content = file_of(served, written(served, node, served.token(), incidents={})).decode()
    assert "Анна" not in content
    assert "Нет воды" not in content
    private = {"holder", "controller", "latitude", "longitude", "citizen", "cell"}
    assert not private & set(content.partition("\r\n")[0].split(","))


RANKING = """
query ($period: PeriodInput!) {
  ranking(period: $period, clock: CALENDAR) {
    method provisional freshness { region position }
    rows {
      tier place position unranked n value low high score region { code name }
      figures { registered answered unansweredShare overdueShare hopsPerIncident
                captureLag { n meanSeconds medianSeconds p90Seconds } }
    }
  }
}
"""


@pytest.mark.parametrize("format", ["CSV", "XLSX", "PARQUET"])
def test_a_ranking_is_what_the_query_tells(format: str, served: Api, node: Node) -> None:
    token = served.token("BRONX")
    asked = {"period": PERIOD, "clock": "CALENDAR"}
    export = written(served, node, token, format, ranking=asked)
    ranking = served.ask(RANKING, period=PERIOD)["ranking"]
    content = file_of(served, export)
    rows = rows_of(format, content)
    assert len(rows) == len(ranking["rows"]) == export["rowsTotal"]
    for row, line in zip(rows, ranking["rows"], strict=True):
        figures = line["figures"]
        expected = {
            "place": line["place"],
            "unranked": line["unranked"],
            "unit": line["region"]["code"],
            "unit_name": line["region"]["name"],
            "n": line["n"],
            "value": line["value"],
            "high": line["high"],
            "score": line["score"],
            "registered": figures["registered"],
            "unanswered_share": figures["unansweredShare"],
            "overdue_share": figures["overdueShare"],
            "hops_per_incident": figures["hopsPerIncident"],
            "capture_lag_n": figures["captureLag"]["n"],
            "capture_lag_mean_seconds": figures["captureLag"]["meanSeconds"],
            "capture_lag_p90_seconds": figures["captureLag"]["p90Seconds"],
        }
        assert {name: number(row[name]) for name in expected} == {
            name: number(cell) for name, cell in expected.items()
        }
    positions = [f"{each['region']}:{each['position']}" for each in ranking["freshness"]]
    assert (export["positions"], export["method"], export["provisional"]) == (
        positions,
        ranking["method"],
        ranking["provisional"],
    )
    assert {"first": export["first"], "last": export["last"]} == PERIOD
    if format == "XLSX":
        about = load_workbook(io.BytesIO(content))["About"].iter_rows(values_only=True)
        assert ("Method", ranking["method"]) in list(about)
    if format == "PARQUET":
        metadata = parquet.read_schema(io.BytesIO(content)).metadata
        assert metadata[b"tsur.positions"].decode().split() == positions


def number(cell: Any) -> Any:
    """Formats differ in how they write a number, and a missing one."""
    try:
        return pytest.approx(float(cell), rel=1e-12)
    except (TypeError, ValueError):
        return cell or None


BOARD = """
query ($period: PeriodInput!) {
  region(code: "BRONX") { board(period: $period) {
    registeredPer1000 overdue openIncidents { status incidents } queues { queue incidents }
    figures { registered answered } parts { code name figures { registered answered } }
    sideBySide(by: TOPIC) { code name figures { registered answered } }
  } }
}
"""


@pytest.mark.parametrize("by", [None, "TOPIC"])
def test_a_board_is_what_the_query_tells(by: str | None, served: Api, node: Node) -> None:
    token = served.token("BRONX")
    asked = {"period": PERIOD, "region": "BRONX", "sideBySide": by}
    export = written(served, node, token, board=asked)
    board = served.ask(BOARD, token=token, period=PERIOD)["region"]["board"]
    own, *parts = rows_of("CSV", file_of(served, export))
    assert (own["level"], own["code"], own["name"]) == ("REGION", "BRONX", "Bronx")
    assert number(own["registered_per_1000"]) == number(board["registeredPer1000"])
    for status in board["openIncidents"]:
        assert int(own[f"open_{status['status'].lower()}"]) == status["incidents"]
    for queue in board["queues"]:
        assert int(own[f"queue_{queue['queue'].lower()}"]) == queue["incidents"]
    of_board = board["sideBySide"] if by else board["parts"]
    assert [(row["code"], row["name"], int(row["registered"])) for row in parts] == [
        (part["code"], part["name"], part["figures"]["registered"]) for part in of_board
    ]


@pytest.mark.parametrize("board", [{}, {"municipality": "BRONX-01"}])
def test_boards_of_the_country_and_of_a_municipality_are_written(
    board: dict[str, str], served: Api, node: Node
) -> None:
    export = written(served, node, served.token(), board={"period": PERIOD} | board)
    own, *parts = rows_of("CSV", file_of(served, export))
    assert (own["registered"], len(parts)) == (("3", 0) if board else ("7", 2))


ATTACKS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"]


@pytest.mark.parametrize("format", list(ExportFormat))
def test_no_cell_is_a_formula_and_a_negative_number_is_a_number(format: ExportFormat) -> None:
    columns: list[Column[Any]] = [
        Column("text", Kind.TEXT, str),
        Column("number", Kind.NUMBER, float),
    ]
    table = Table(columns, Told(at=AT, positions=[], language="en"), len(ATTACKS), cast(Any, None))
    kept: list[bytes] = []
    with (
        Parts(lambda number, piece: kept.append(piece)) as parts,
        writer(format, parts, table) as write,
    ):
        write([[attack, -1.5] for attack in ATTACKS])
    rows = rows_of(format, b"".join(kept))
    assert {float(row["number"]) for row in rows} == {-1.5}
    texts = [row["text"] for row in rows]
    if format is ExportFormat.CSV:
        assert texts == [f"'{attack}" for attack in ATTACKS]
    elif format is ExportFormat.XLSX:
        sheet = load_workbook(io.BytesIO(b"".join(kept))).worksheets[0]
        assert {cell.data_type for cell in sheet["A"][1:]} <= {"s", "inlineStr"}
        assert texts[:4] == ATTACKS[:4]
    else:
        assert texts == ATTACKS


# Who gets them


@pytest.mark.parametrize(
    ("scope", "regions", "places"),
    [
        ("country", {"BRONX", "QUEENS"}, {"BRONX-01", "BRONX-02", "QUEENS-09"}),
        ("QUEENS", {"QUEENS"}, {"QUEENS-09"}),
        ("BRONX-02", {"BRONX"}, {"BRONX-02"}),
    ],
)
def test_a_list_holds_only_what_the_viewer_may_see(
    scope: str, regions: set[str], places: set[str], served: Api, node: Node
) -> None:
    export = written(served, node, served.token(scope), incidents={})
    rows = rows_of("CSV", file_of(served, export))
    assert {row["region"] for row in rows} == regions
    assert {row["municipality"] for row in rows} == places


BRONX_RANKED = {"period": PERIOD, "region": "BRONX", "of": "ORGANISATIONS"}


@pytest.mark.parametrize(
    ("scope", "asked", "code"),
    [
        (None, {"incidents": {}}, "NOT_PERMITTED"),
        (None, {"ranking": {"period": PERIOD}}, "NOT_PERMITTED"),
        ("BRONX", {"incidents": {"region": "QUEENS"}}, "NOT_PERMITTED"),
        ("BRONX-01", {"incidents": {"municipality": "BRONX-02"}}, "NOT_PERMITTED"),
        ("BRONX", {}, "EXPORT_UNCLEAR"),
        ("BRONX", {"incidents": {}, "ranking": BRONX_RANKED}, "EXPORT_UNCLEAR"),
        ("BRONX", {"incidents": {"topics": ["nothing"]}}, "UNKNOWN_TOPIC"),
        ("BRONX", {"ranking": BRONX_RANKED | {"region": "nowhere"}}, "UNKNOWN_REGION"),
        ("BRONX", {"board": {"period": PERIOD, "municipality": "no"}}, "UNKNOWN_MUNICIPALITY"),
        (
            "BRONX",
            {"board": {"period": {"first": "2026-03-02", "last": "2026-03-01"}}},
            "PERIOD_INVALID",
        ),
    ],
)
def test_what_the_query_refuses_is_not_exported(
    scope: str | None, asked: dict[str, Any], code: str, served: Api
) -> None:
    token = served.token(scope) if scope else None
    assert refusal(served, token, **asked)[0] == code
    assert unwritten(served) == 0


def unwritten(api: Api) -> int:
    with psycopg.connect(api.url) as connection:
        rows = connection.execute("SELECT count(*) FROM dramatiq.queue")
        return cast(int, rows.fetchall()[0][0])


def test_more_rows_than_a_file_may_have_are_refused_when_asked(
    served: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "EXPORT_ROWS_MAX", 4)
    monkeypatch.setattr(tables, "EXPORT_ROWS_MAX", 4)
    assert refusal(served, served.token(), incidents={}) == ("EXPORT_TOO_LARGE", "incidents")
    asked_for(served, served.token(), incidents={"region": "QUEENS"})


def test_who_waits_for_many_waits_for_one_of_them(
    served: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "UNWRITTEN_MAX", 1)
    token = served.token()
    asked_for(served, token, incidents={})
    assert refusal(served, token, incidents={})[0] == "TOO_MANY_EXPORTS"
    asked_for(served, served.token(name="other"), incidents={})


def test_an_export_is_only_for_who_asked_and_still_may_see_it(served: Api, node: Node) -> None:
    token = served.token("BRONX", name="anna")
    export = written(served, node, token, incidents={})
    path = export["url"].partition("?")[0]
    for stranger in (
        served.token("BRONX", name="boris"),
        served.token("BRONX-01", name="anna"),
        served.token("QUEENS", name="anna"),
    ):
        assert found(served, stranger, export["id"]) is None
        assert served.ask(MINE, token=stranger)["exports"] == []
        assert gone(served, path, stranger)
    assert gone(served, path, None)
    assert gone(served, path, "nonsense")
    for theirs in (token, served.token("country", name="anna")):
        assert served.ask(MINE, token=theirs)["exports"] == [{"id": export["id"]}]
        answer = download(served, path, theirs)
        assert answer.status_code == 200
    assert answer.headers["content-disposition"] == f'attachment; filename="{export["filename"]}"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert served.refusal(FIND, id=export["id"])[0] == "NOT_PERMITTED"
    assert served.refusal(MINE)[0] == "NOT_PERMITTED"
    assert served.refusal(FIND, token=token, id="nonsense") == ("NOT_FOUND", "id")


def download(api: Api, path: str, token: str | None) -> Any:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return api.client.get(path, headers=headers)


def gone(api: Api, path: str, token: str | None = None) -> bool:
    """A 404 in the words of every other."""
    answer = download(api, path, token)
    assert answer.status_code == 404
    error: dict[str, Any] = answer.json()["error"]
    return error["code"] == "NOT_FOUND"


def test_a_link_opens_its_export_alone_and_for_ten_minutes(served: Api, node: Node) -> None:
    token = served.token("BRONX")
    first, second = (written(served, node, token, incidents={}) for _ in range(2))
    path, _, link = first["url"].partition("?")
    other = second["url"].partition("?")[0]
    assert gone(served, f"{other}?{link}")
    assert gone(served, f"{path}?{link}x")
    assert gone(served, f"{path}?link={token}")
    assert gone(served, f"/exports/{first['id']}/other.csv?{link}")
    assert gone(served, f"/exports/nonsense/{first['filename']}?{link}")
    assert served.post(MINE, token=link.removeprefix("link=")).status_code == 401  # no token either
    served.clock.now += timedelta(minutes=10)
    assert gone(served, first["url"])
    assert file_of(served, found(served, token, first["id"]))  # a new link at each query


def test_who_narrows_no_scope_when_it_is_written_is_refused_then(served: Api, node: Node) -> None:
    id = asked_for(served, served.token("BRONX"), incidents={})
    with psycopg.connect(served.url) as connection:
        connection.execute(
            "UPDATE export SET scope = jsonb_set(scope, '{region}', '\"QUEENS\"') WHERE id = %s",
            [id],
        )
    ExportWriter(node).write(UUID(id), at=lambda: AT)
    export = found(served, served.token(), id)
    assert (export["state"], export["error"], export["url"]) == ("FAILED", "NOT_PERMITTED", None)


# Once, again, and no more


def test_the_same_command_is_the_same_export_and_another_is_refused(served: Api) -> None:
    token, command = served.token("BRONX"), str(uuid4())
    first = asked_for(served, token, commandId=command, incidents={})
    assert asked_for(served, token, commandId=command, incidents={"region": "BRONX"}) == first
    for changed in (
        {"token": token, "incidents": {"overdue": True}},
        {"token": token, "incidents": {}, "format": "XLSX"},
        {"token": served.token("BRONX", name="other"), "incidents": {}},
    ):
        code = refusal(served, changed.pop("token"), commandId=command, **changed)  # type: ignore[arg-type]
        assert code == ("COMMAND_ID_REUSED", "commandId")
    assert unwritten(served) == 1


def test_a_worker_writes_what_is_asked_for(served: Api, node: Node) -> None:
    broker = postgres_broker(node.url, node.pool)
    actors.declare_exports(broker, ExportWriter(node), lambda: AT)
    limit = broker.get_actor("write_export").options["time_limit"]
    assert limit == EXPORT_SECONDS_MAX * 1000
    token = served.token("BRONX")
    id = asked_for(served, token, ranking={"period": PERIOD})
    with working(broker, threads=1):
        until(lambda: found(served, token, id)["state"] == "READY")


def test_what_a_killed_worker_was_writing_is_written_by_the_next(served: Api) -> None:
    token = served.token("BRONX")
    id = asked_for(served, token, incidents={})
    with psycopg.connect(served.url) as holding, exporting(served.url, NEW_YORK, AT) as parent:
        holding.execute("LOCK TABLE read.incident IN ACCESS EXCLUSIVE MODE")
        until(lambda: found(served, token, id)["state"] == "RUNNING")
        (worker,) = parent.children()
        worker.kill()
        holding.rollback()
        holding.execute("UPDATE dramatiq.worker SET heartbeat_at = '-infinity'")  # missed at once
        holding.commit()
        until(lambda: found(served, token, id)["state"] == "READY")
        until(lambda: nothing_is_left(served))
    assert len(rows_of("CSV", file_of(served, found(served, token, id)))) == 5
    with psycopg.connect(served.url) as connection:
        assert connection.execute("SELECT attempts FROM export").fetchall() == [(2,)]


def nothing_is_left(api: Api) -> bool:
    """No job, done or given up."""
    with psycopg.connect(api.url) as connection:
        left = connection.execute("SELECT FROM dramatiq.queue UNION ALL SELECT FROM job")
        return not left.fetchall()


def test_what_is_ready_is_not_written_again(served: Api, node: Node) -> None:
    token = served.token("BRONX")
    export = written(served, node, token, incidents={})
    before = stored(served)
    ExportWriter(node).write(UUID(export["id"]), at=lambda: AT + timedelta(hours=1))
    assert stored(served) == before
    ExportWriter(node).write(
        uuid4(), at=lambda: AT
    )  # one that has expired since is nobody's business


def stored(api: Api) -> list[tuple[Any, ...]]:
    with psycopg.connect(api.url) as connection:
        return connection.execute(
            "SELECT export, number, bytes, finished_at FROM export_part JOIN export ON export = id"
            " ORDER BY number"
        ).fetchall()


class Crash(BaseException):
    """As a worker's that is told to end."""


@pytest.mark.parametrize("format", ["CSV", "XLSX", "PARQUET"])
def test_what_breaks_off_between_parts_is_written_anew(
    format: str, served: Api, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "PART_BYTES_MAX", 1000)
    token = served.token("BRONX")
    id = asked_for(served, token, format, incidents={})
    with monkeypatch.context() as patched:
        patched.setattr(Exports, "keep_part", crash_at(2, Exports.keep_part))
        with pytest.raises(Crash):
            ExportWriter(node).write(UUID(id), at=lambda: AT)
    broken = found(served, token, id)
    assert (broken["state"], broken["error"], broken["url"]) == ("WAITING", "INTERNAL", None)
    assert len(stored(served)) == 2
    ExportWriter(node).write(UUID(id), at=lambda: AT)
    export = found(served, token, id)
    assert (export["state"], export["error"]) == ("READY", None)
    assert len(rows_of(format, file_of(served, export))) == 5
    numbers = [number for _, number, *_ in stored(served)]
    assert all(after - before == 1 for before, after in pairwise(numbers))


def crash_at(number: int, keep: Callable[..., None]) -> Callable[..., None]:
    def crash(self: Exports, export_id: UUID, at: int, piece: bytes) -> None:
        if at == number:
            raise Crash
        keep(self, export_id, at, piece)

    return crash


def test_the_fifth_attempt_is_the_last(
    served: Api, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = served.token("BRONX")
    id = asked_for(served, token, incidents={})
    monkeypatch.setattr(Exports, "keep_part", crash_at(0, Exports.keep_part))
    for state in ["WAITING"] * 4 + ["FAILED"]:
        with pytest.raises(Crash):
            ExportWriter(node).write(UUID(id), at=lambda: AT)
        assert found(served, token, id)["state"] == state


def test_two_workers_do_not_write_one_export(served: Api, node: Node) -> None:
    token = served.token("BRONX")
    id = asked_for(served, token, incidents={})
    with node.exports.alone(UUID(id)) as alone:
        assert alone
        ExportWriter(node).write(UUID(id), at=lambda: AT)
    assert found(served, token, id)["state"] == "WAITING"


def test_read_models_that_are_replaced_meanwhile_are_not_mixed(
    served: Api, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = served.token("BRONX")
    id = asked_for(served, token, incidents={})

    def take_their_place(*_: Any) -> None:
        execute(served, "ALTER SCHEMA read RENAME TO read_retired")
        execute(served, "CREATE SCHEMA read")
        execute(served, "CREATE TABLE read.incident (LIKE read_retired.incident)")
        execute(served, "GRANT USAGE ON SCHEMA read TO tsur_region")
        execute(served, "GRANT SELECT ON read.incident TO tsur_region")

    monkeypatch.setattr(Exports, "note_progress", take_their_place)
    with pytest.raises(ServedAnew):
        ExportWriter(node).write(UUID(id), at=lambda: AT)
    execute(served, "DROP SCHEMA read CASCADE")
    execute(served, "ALTER SCHEMA read_retired RENAME TO read")
    assert found(served, token, id)["error"] == "UNAVAILABLE"


def execute(api: Api, statement: LiteralString) -> None:
    with psycopg.connect(api.url, autocommit=True) as connection:
        connection.execute(statement)


def test_an_export_is_gone_after_a_day(
    served: Api, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadlines, "LOOK_SECONDS", 0.01)
    token = served.token("BRONX", valid_hours=48)
    export = written(served, node, token, incidents={})
    waiting = asked_for(served, token, incidents={})
    served.clock.now = AT + KEPT_FOR
    path = export["url"].partition("?")[0]
    assert gone(served, path, token)
    assert found(served, token, export["id"]) is None
    ExportWriter(node).write(UUID(waiting), at=served.clock)
    assert len(stored(served)) == 1
    stop = Event()
    clock = Thread(target=deadlines.run, args=(node, stop, served.clock), name="clock")
    clock.start()
    until(lambda: stored(served) == [])
    stop.set()
    clock.join()


def test_what_its_workers_left_is_given_up(served: Api, node: Node) -> None:
    token, exports = served.token("BRONX"), node.exports
    id = asked_for(served, token, incidents={})
    exports.begin(UUID(id), at=AT)
    exports.expire(at=AT)
    assert found(served, token, id)["state"] == "RUNNING"
    with psycopg.connect(served.url) as connection:
        connection.execute("UPDATE export SET changed_at = changed_at - interval '2 hours'")
    exports.expire(at=AT)
    export = found(served, token, id)
    assert (export["state"], export["error"]) == ("FAILED", "WORKER_DIED")


def test_a_scope_contains_its_parts_alone() -> None:
    country, bronx, place = Scope(), Scope("BRONX"), Scope("BRONX", "BRONX-01")
    body = Scope("BRONX", organisation="BRONX-DOT")
    contained = [(a, b) for a in (country, bronx, place, body) for b in (country, bronx, place)]
    assert {(a, b) for a, b in contained if a.contains(b)} == {
        (country, country),
        (country, bronx),
        (country, place),
        (bronx, bronx),
        (bronx, place),
        (place, place),
    }


def test_a_file_waits_in_a_queue_of_its_own(served: Api) -> None:
    asked_for(served, served.token(), ranking={"period": PERIOD})
    with psycopg.connect(served.url) as connection:
        queues = connection.execute("SELECT queue_name FROM dramatiq.queue").fetchall()
    assert queues == [("exports",)]


def test_the_incidents_behind_a_flag_are_written_alone(served: Api, node: Node) -> None:
    """Nothing was merged: the filter of the flag leaves none of the five of the Bronx."""
    flagged = {"kind": "MERGE_BURST", "period": PERIOD}
    token = served.token("BRONX")
    listed = {"region": "BRONX", "flagged": flagged}
    assert written(served, node, token, incidents=listed)["rowsDone"] == 0
    assert written(served, node, token, incidents={"region": "BRONX"})["rowsDone"] == 5
    country = served.token()
    assert refusal(served, country, incidents={"flagged": flagged}) == ("REGION_MISSING", "region")


def test_a_ranking_is_written_by_the_method_asked_for(served: Api, node: Node) -> None:
    asked = {"period": PERIOD, "method": "STANDARDISED_1"}
    export = written(served, node, served.token(), ranking=asked)
    assert (export["method"], export["rowsDone"]) == ("STANDARDISED_1", 5)
    within = {"period": PERIOD, "region": "BRONX"}
    assert refusal(served, served.token(), ranking=within) == ("REGIONS_OF_REGION", "region")
