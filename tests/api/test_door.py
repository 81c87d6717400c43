"""The way in: what is no request is refused, and no failure shows our inside."""

import asyncio
import gzip
import json
import logging
import socket
import threading
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from api.schema import schema
from api.telemetry.logs import JsonLines
from api.transport import events
from api.transport.budget import Budgets
from api.transport.execution import Asked, Execution, Refused
from api.transport.groups import Told
from api.transport.http import BODY_BYTES_MAX, GRAPHQL
from regions.reference.catalogue import Catalogue
from regions.settings import Budget
from regions.store.postgres import Server
from tests.api.conftest import Api, catch_up, node_on, projecting, serving
from tests.conftest import CHECKOUT, PAST_TRIGGERS
from tests.scenarios import registered
from tests.waiting import DEADLINE_SECONDS, until

JSON = {"content-type": "application/json"}
INSIDE = ("psycopg", "Traceback", "postgresql", "SELECT", "relation", "socket", ".py", "connection")


def send(api: Api, body: bytes | Iterator[bytes], **headers: str) -> httpx.Response:
    return api.client.post("/graphql", content=body, headers=JSON | headers)


def code_of(answer: httpx.Response) -> str:
    (error,) = answer.json()["errors"]
    code: str = error["extensions"]["code"]
    return code


def beginning(given: bytes | str) -> str:
    """A short name for a long parameter."""
    return repr(given[:24])


def wrapped(variable: str) -> bytes:
    return b'{"query": "{ __typename }", "variables": {"a": ' + variable.encode() + b"}}"


# The body


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b" ", b"5", b"null", b"true", b'"query"', b"[]", b"{}", b"[{}]"),
        *(b'{"query": null}', b'{"query": 5}', b'{"query": ["{ __typename }"]}'),
        b'[{"query": "{ __typename }"}]',
        b'{"query": "{ __typename }"',
        b'{"query": "{ __typename }"}}',
        b"query={__typename}",
        b'{"query": "\xff\xfe"}',
        b'{"query": "\xed\xa0\x80"}',
        b'{"query": "\\ud800"}',
        '{"query": "{ __typename }"}'.encode("utf-16"),
        gzip.compress(b'{"query": "{ __typename }"}', mtime=0),
        b'{"query": "{ __typename }", "variables": {"a": NaN}}',
        b'{"query": "{ __typename }", "variables": {"a": 1e999}}',
        b"[" * 100_000,
        wrapped("[" * 100_000 + "]" * 100_000),
        wrapped('{"a":' * 40_000 + "1" + "}" * 40_000),
    ],
    ids=beginning,
)
def test_a_body_that_is_no_request_is_refused(body: bytes, shared_api: Api) -> None:
    answer = send(shared_api, body)
    assert answer.status_code == 400
    assert code_of(answer) == "BODY_INVALID"
    assert shared_api.is_alive()


@pytest.mark.parametrize("depth", [900, 950, 980, 1000, 1015, 1024, 1030, 2000])
def test_no_depth_of_json_is_a_failure_of_ours(depth: int, shared_api: Api) -> None:
    answer = send(shared_api, wrapped("[" * depth + "]" * depth))
    assert answer.status_code in (200, 400)


@pytest.mark.parametrize("name", ["variables", "extensions"])
def test_what_goes_with_a_query_is_an_object(name: str, shared_api: Api) -> None:
    for value in (5, "text", [], True):
        body = json.dumps({"query": "{ __typename }", name: value}).encode()
        assert send(shared_api, body).status_code == 400


def test_a_body_of_five_megabytes_is_refused_before_it_is_read(shared_api: Api) -> None:
    answer = send(shared_api, b'{"query": "' + b"x" * 5_000_000 + b'"}')
    assert answer.status_code == 413
    assert code_of(answer) == "BODY_TOO_LARGE"

    def endless() -> Iterator[bytes]:
        for _ in range(1000):
            yield b"x" * 65_536

    with httpx.Client(base_url=shared_api.address) as client:
        try:
            answer = client.post("/graphql", content=endless(), headers=JSON)
        except httpx.WriteError:
            pass  # it hung up on us, which is an answer too
        else:
            assert answer.status_code == 413
    assert shared_api.is_alive()


def test_a_body_of_the_largest_size_is_read(shared_api: Api) -> None:
    frame = len(wrapped('""'))
    answer = send(shared_api, wrapped('"' + "x" * (BODY_BYTES_MAX - frame) + '"'))
    assert answer.json()["data"] == {"__typename": "Query"}


def test_half_a_request_leaves_no_trace(shared_api: Api, caplog: pytest.LogCaptureFixture) -> None:
    host, _, port = shared_api.address.removeprefix("http://").partition(":")
    with caplog.at_level(logging.WARNING):
        for half in (b'{"query": ', b""):
            with socket.create_connection((host, int(port))) as line:
                line.sendall(
                    b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                    b"Content-Length: 100\r\n\r\n" + half
                )
        for _ in range(20):
            assert shared_api.is_alive()
    assert not caplog.records


@pytest.mark.parametrize(
    "type_",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""],
)
def test_another_content_type_is_refused(type_: str, shared_api: Api) -> None:
    body = b'{"query": "{ __typename }"}'
    answer = send(shared_api, body, **{"content-type": type_})
    assert answer.status_code == 415
    assert code_of(answer) == "MEDIA_TYPE_UNSUPPORTED"


# The operation


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "nonsense",
        " ",
        "# only a comment",
        "{ nonsense }",
        "{ regions }",
        "{ regions { code { x } } }",
        "{ region { code } }",
        "{ region(code: 5) { code } }",
        "query ($a: Nonsense) { regions { code } }",
        "query ($a: String!) { region(code: $a) { code } }",
        "{ ...F } fragment F on Query { ...F }",
        "{ regions { code } } { regions { code } }",
        "{ \0 }",
        "{ regions" + " { municipalities { region" * 1000 + " { code }" + " } }" * 1000 + " }",
        "{ region(code: " + "[" * 5000 + "]" * 5000 + ") { code } }",
    ],
    ids=beginning,
)
def test_an_operation_that_is_none_is_a_bad_request(text: str, shared_api: Api) -> None:
    answer = shared_api.answer(text)
    assert answer.get("data") is None
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"BAD_REQUEST"}


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("registeredFrom", "yesterday"),
        ("registeredFrom", "2026-13-01T00:00:00Z"),
        ("registeredFrom", {"a": [1, None, True]}),
        ("countedIn", {"first": "2026-1-1", "last": "2026-01-02"}),
    ],
)
def test_a_scalar_that_is_none_is_refused_in_words_of_ours(
    field: str, given: object, shared_api: Api
) -> None:
    text = "query ($f: IncidentFilterInput) { incidents(filter: $f) { edges { cursor } } }"
    (error,) = shared_api.answer(text, f={field: given})["errors"]
    assert error["extensions"]["code"] == "BAD_REQUEST"
    assert "write it as in '2026-11-23" in error["message"]
    assert "None" not in error["message"]
    assert "literal" not in error["message"]


@pytest.mark.parametrize(
    "text",
    [
        "{" + "".join(f" a{number}: __typename" for number in range(100)) + " }",
        "{ regions" + " { municipalities { region" * 3 + " { code }" + " } }" * 3 + " }",
        "{ __typename" + " @skip(if: false)" * 21 + " }",
        "{" + " __typename" * 2_000 + " }",
        "{" + " __typename" * 22 + " }",
        "{ regions {" + " ... { code }" * 22 + " } }",
        "{"
        + "".join(f" ...F{n}" for n in range(26))
        + " }"
        + "".join(f" fragment F{n} on Query {{ __typename }}" for n in range(26)),
        "{ regions { ...A } } fragment A on Region { municipalities { ...B } }"
        " fragment B on Municipality { region { municipalities { region { ...C } } } }"
        " fragment C on Region { municipalities { code } }",
    ],
    ids=beginning,
)
def test_an_operation_that_is_too_complex_is_refused(text: str, shared_api: Api) -> None:
    answer = shared_api.post(text)
    assert code_of(answer) == "TOO_COMPLEX"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("query A { __typename }", "B"),
        ("fragment F on Query { __typename }", None),
        ("query A { __typename } query B { __typename }", None),
    ],
)
def test_an_operation_that_is_not_there_is_refused(
    text: str, name: str | None, shared_api: Api
) -> None:
    answer = shared_api.post(text, operation=name).json()
    assert "data" not in answer
    (error,) = answer["errors"]
    assert error["extensions"]["code"] in ("OPERATION_NAME_INVALID", "BAD_REQUEST")


def test_a_named_operation_is_chosen(shared_api: Api) -> None:
    text = "query A { a: __typename } query B { b: __typename }"
    assert shared_api.post(text, operation="B").json()["data"] == {"b": "Query"}


def test_a_stream_is_not_to_be_had_as_one_answer(
    shared_api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    text = 'subscription { incidentChanges(region: "BRONX") { cursor } }'
    for accept in ("application/json", GRAPHQL):
        answer = shared_api.client.post(
            "/graphql", json={"query": text}, headers={"accept": accept}
        )
        assert (answer.status_code, code_of(answer)) == (406, "STREAM_NOT_ACCEPTED")
        assert answer.headers["content-type"] == f"{accept}; charset=utf-8"
    assert not caplog.records


def test_a_query_is_answered_by_get_and_a_command_is_not(shared_api: Api) -> None:
    get = shared_api.client.get
    answer = get("/graphql", params={"query": "{ __typename }"})
    assert answer.json()["data"] == {"__typename": "Query"}
    text = "query ($code: String!) { region(code: $code) { code } }"
    answer = get("/graphql", params={"query": text, "variables": '{"code": "BRONX"}'})
    assert answer.json()["data"] == {"region": {"code": "BRONX"}}
    answer = get("/graphql", params={"query": text, "variables": "{"})
    assert (answer.status_code, code_of(answer)) == (400, "BODY_INVALID")
    answer = get("/graphql", params={"query": "mutation { __typename }"})
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    page = get("/graphql", headers={"accept": "text/html,*/*;q=0.1"})
    assert page.headers["content-type"].startswith("text/html")
    assert shared_api.client.patch("/graphql").status_code == 405


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        (None, "application/json"),
        ("", "application/json"),
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        (GRAPHQL, GRAPHQL),
        (f"{GRAPHQL}, application/json", GRAPHQL),
        (f"application/json, {GRAPHQL}", "application/json"),
        (f"application/json;q=0.5, {GRAPHQL};q=0.9", GRAPHQL),
        (f"text/html, {GRAPHQL}, text/event-stream;q=0.1", GRAPHQL),
    ],
)
def test_the_answer_has_the_format_that_is_liked_best(
    accept: str | None, media: str, shared_api: Api
) -> None:
    request = shared_api.client.build_request("POST", "/graphql", json={"query": "{ __typename }"})
    del request.headers["accept"]
    if accept is not None:
        request.headers["accept"] = accept
    answer = shared_api.client.send(request)
    assert answer.headers["content-type"] == f"{media}; charset=utf-8"
    assert answer.json()["data"] == {"__typename": "Query"}


def test_what_cannot_be_accepted_is_refused(shared_api: Api) -> None:
    answer = shared_api.client.post(
        "/graphql", json={"query": "{ __typename }"}, headers={"accept": "image/png"}
    )
    assert (answer.status_code, code_of(answer)) == (406, "NOT_ACCEPTABLE")


@pytest.mark.parametrize("text", ["{", "{ nonsense }", "query ($a: Int!) { __typename }"])
def test_where_nothing_was_executed_there_is_no_data(text: str, shared_api: Api) -> None:
    answer = shared_api.client.post("/graphql", json={"query": text}, headers={"accept": GRAPHQL})
    assert answer.status_code == 400
    assert set(answer.json()) == {"errors"}


@pytest.mark.parametrize("text", ["{ __schema { types { name } } }", "{ _service { sdl } }"])
def test_production_tells_no_schema(text: str) -> None:
    execution = Execution(schema._schema, Budgets(Budget()), introspection=False)
    with pytest.raises(Refused) as refused:
        execution.admit(Asked(text), ("", "192.0.2.1"))
    assert [each["extensions"]["code"] for each in refused.value.errors] == ["INTROSPECTION_OFF"]
    assert not execution.operations.read("{ __typename regions { __typename } }").errors


def test_a_public_answer_may_be_kept_by_caches(shared_api: Api) -> None:
    asked = {"query": "{ regions { code } }"}
    first = shared_api.client.get("/graphql", params=asked)
    assert first.headers["cache-control"] == "public, max-age=5"
    assert first.headers["vary"] == "Accept, Accept-Encoding, Authorization"
    assert first.headers["etag"].startswith('W/"')  # the same whatever it is encoded in
    known = {"if-none-match": f'"other", {first.headers["etag"]}'}
    again = shared_api.client.get("/graphql", params=asked, headers=known)
    assert (again.status_code, again.content) == (304, b"")
    own = {"authorization": f"Bearer {shared_api.token()}"} | known
    assert "etag" not in shared_api.client.get("/graphql", params=asked, headers=own).headers
    failed = shared_api.client.get(
        "/graphql", params={"query": "{ incidents { edges { cursor } } }"}
    )
    assert "etag" not in failed.headers


LONG = "{ topics { code name nameEn } }"


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip;q=1.0, zstd;q=0", "gzip"),
        ("GZIP", "gzip"),
        ("br, *;q=0.1", None),
        ("gzip;q=0.000", None),
        ("identity", None),
    ],
)
def test_a_long_answer_is_made_smaller_for_who_accepts_it(
    shared_api: Api, accepted: str, encoding: str | None
) -> None:
    def get(text: str, encodings: str, **headers: str) -> httpx.Response:
        asked = {"accept-encoding": encodings, **headers}
        return shared_api.client.get("/graphql", params={"query": text}, headers=asked)

    plain, answer = get(LONG, "identity"), get(LONG, accepted)
    assert answer.headers.get("content-encoding") == encoding
    assert answer.content == plain.content
    length = int(answer.headers["content-length"])
    assert length < len(plain.content) / 3 if encoding else length == len(plain.content)
    assert answer.headers["etag"] == plain.headers["etag"]
    assert get(LONG, accepted, **{"if-none-match": plain.headers["etag"]}).status_code == 304
    assert "content-encoding" not in get("{ __typename }", accepted).headers


@pytest.mark.parametrize("media", ["text/event-stream", "multipart/mixed"])
def test_a_stream_is_never_held_back_to_be_made_smaller(shared_api: Api, media: str) -> None:
    headers = {"accept": media, "accept-encoding": "gzip, zstd"}
    answer = shared_api.client.post("/graphql", json={"query": LONG}, headers=headers)
    assert answer.headers["content-type"].startswith(media)
    assert "content-encoding" not in answer.headers


def test_a_reserved_stream_that_nobody_opens_leaves_nothing_running(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(events, "RESERVED_SECONDS", 0.01)
    monkeypatch.setattr(events, "RESERVED_MAX", 1)

    async def forgotten() -> None:
        ended = asyncio.Event()

        async def endless() -> AsyncGenerator[Told, None]:
            try:
                while True:
                    yield Told(b"{}")
            finally:
                ended.set()

        streams = events.ReservedStreams()
        token = streams.reserve("visitor")
        with pytest.raises(events.TooManyStreams):
            streams.reserve("visitor")
        stream = streams.find(token, "visitor")
        assert stream is not None
        assert streams.find(token, "somebody else") is None
        stream.start("1", endless())
        async with asyncio.timeout(DEADLINE_SECONDS):
            await ended.wait()
        assert streams.find(token, "visitor") is None

    asyncio.run(forgotten())


PERSISTED = "query Persisted { __typename }"
DIGEST = sha256(PERSISTED.encode()).hexdigest()


def persisted(digest: str, **asked: Any) -> dict[str, Any]:
    return {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": digest}}} | asked


def test_a_document_is_named_by_its_hash_once_it_was_sent(shared_api: Api) -> None:
    answer = shared_api.client.post("/graphql", json=persisted(DIGEST))
    (error,) = answer.json()["errors"]
    assert error["message"] == "PersistedQueryNotFound"
    assert error["extensions"]["code"] == "PERSISTED_QUERY_NOT_FOUND"
    answer = shared_api.client.post("/graphql", json=persisted(DIGEST, query=PERSISTED))
    assert answer.json()["data"] == {"__typename": "Query"}
    by_hash = {"extensions": json.dumps(persisted(DIGEST)["extensions"])}
    answer = shared_api.client.get("/graphql", params=by_hash, headers={"accept": GRAPHQL})
    assert answer.json()["data"] == {"__typename": "Query"}
    with shared_api.open_socket() as client:
        client.send({"id": "1", "type": "subscribe", "payload": persisted(DIGEST)})
        assert client.message()["payload"]["data"] == {"__typename": "Query"}


def test_a_hash_of_another_text_is_refused(shared_api: Api) -> None:
    answer = shared_api.client.post("/graphql", json=persisted("0" * 64, query=PERSISTED))
    assert code_of(answer) == "PERSISTED_QUERY_MISMATCH"


def test_no_error_suggests_a_name(shared_api: Api) -> None:
    assert "egions" not in shared_api.post("{ region { code } regionz { code } }").text


def test_cyrillic_stays_as_it_is(shared_api: Api) -> None:
    answer = shared_api.post('{ region(code: "Самара") { code } }')
    assert "Самара" in answer.text
    assert "\\u" not in answer.text


# What else is served


def test_the_page_is_served(shared_api: Api) -> None:
    answer = shared_api.client.get("/graphql", headers={"accept": "text/html"})
    assert answer.status_code == 200
    assert "<!doctype html>" in answer.text.lower()
    assert "content-security-policy" in answer.headers


def test_the_served_schema_is_the_committed_one(shared_api: Api) -> None:
    committed = (CHECKOUT / "schema.graphql").read_text(encoding="utf-8")
    assert shared_api.client.get("/schema.graphql").text.strip() == committed.strip()
    assert schema.as_str().strip() == committed.strip()


def test_a_build_that_has_the_schema_is_told_so(shared_api: Api) -> None:
    answer = shared_api.client.get("/schema.graphql")
    assert answer.headers["cache-control"] == "public, max-age=300"
    known = {"if-none-match": answer.headers["etag"]}
    again = shared_api.client.get("/schema.graphql", headers=known)
    assert (again.status_code, again.text) == (304, "")
    assert again.headers["etag"] == answer.headers["etag"]
    other = shared_api.client.get("/schema.graphql", headers={"if-none-match": '"other"'})
    assert other.status_code == 200


def test_what_is_not_there_is_not_found(shared_api: Api) -> None:
    for path in ("/", "/exports", "/graphql/", "/graphiql/../../etc/passwd", "/%00", "/.env"):
        assert shared_api.client.get(path).status_code in (404, 307)


def test_a_ready_application_says_so_check_by_check(shared_api: Api) -> None:
    answer = shared_api.client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["ready"] is True
    assert set(answer.json()["checks"]) >= {"database", "projections", "deadLetters"}
    assert all(check["ok"] for check in answer.json()["checks"].values())
    assert shared_api.client.get("/livez").json() == {"alive": True}


# Failures


@contextmanager
def without_database(server: Server, url: str) -> Iterator[None]:
    """Everybody is thrown out and nobody let in while the block runs."""
    name = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
    with psycopg.connect(server.url, autocommit=True) as connection:

        def allow(connections: str) -> None:
            connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS {connections}')  # type: ignore[arg-type]

        allow("false")
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        )
        try:
            yield
        finally:
            allow("true")


REGISTER = """
mutation ($id: UUID!) {
  registerIncident(input: {
    commandId: $id, region: "BRONX", channel: "PHONE", publishedAt: "2026-03-02T12:00:00Z"
  }) { position userErrors { code } }
}
"""


def test_while_the_database_is_away_questions_say_so_and_commands_wait(
    server: Server, url: str, catalogue: Catalogue, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.handler.setFormatter(JsonLines())
    with serving(url) as api, projecting(url, catalogue), node_on(url, catalogue) as node:
        registered(node.centre("BRONX"))
        catch_up(url)
        token = api.token()
        with api.open_socket(token) as client, httpx.Client(timeout=60) as other:
            client.subscribe(
                'subscription { incidentChanges(region: "BRONX", after: "BRONX:0") { cursor } }'
            )
            assert client.change() == {"cursor": "BRONX:1"}
            waiting: list[Any] = []

            def command() -> None:
                body = {"query": REGISTER, "variables": {"id": str(uuid4())}}
                headers = {"authorization": f"Bearer {token}"}
                answer = other.post(f"{api.address}/graphql", json=body, headers=headers)
                waiting.append(answer.json())

            with without_database(server, url):
                thread = threading.Thread(target=command)
                thread.start()
                answer = api.answer("{ incidents { edges { cursor } } }", token=token)
                (error,) = answer["errors"]
                assert error["extensions"]["code"] == "UNAVAILABLE"
                assert error["extensions"]["errorId"] in caplog.text
                assert not any(word in json.dumps(answer) for word in INSIDE)
                ready = api.client.get("/readyz")
                assert ready.status_code == 503
                assert ready.json()["ready"] is False
                assert ready.json()["checks"]["database"]["ok"] is False
                assert not any(word in ready.text for word in INSIDE)
                assert api.is_alive()
                assert not waiting
            thread.join()
            assert [answer["data"] for answer in waiting] == [
                {"registerIncident": {"position": "BRONX:2", "userErrors": []}}
            ]
            assert client.change() == {"cursor": "BRONX:2"}
            until(lambda: api.client.get("/readyz").status_code == 200)
            text = "{ incidents { edges { cursor } } }"
            assert len(api.ask(text, token=token)["incidents"]["edges"]) == 2


def test_a_failure_of_ours_shows_a_number_and_nothing_else(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.handler.setFormatter(JsonLines())
    text = "query Page { incidents { edges { cursor } } }"
    with serving(url) as api, psycopg.connect(url, autocommit=True) as hand:
        hand.execute("ALTER TABLE read.incident RENAME TO mislaid")
        answer = api.answer(text, token=api.token("BRONX", name="petrova"))
        hand.execute("ALTER TABLE read.mislaid RENAME TO incident")
        assert api.ask(text, token=api.token()) == {"incidents": {"edges": []}}
    (error,) = answer["errors"]
    assert error["message"] == "Something failed on our side."
    assert error["extensions"]["code"] == "INTERNAL"
    assert set(error["extensions"]) == {"code", "errorId"}
    assert not any(word in json.dumps(answer) for word in INSIDE)
    # The number finds the line, which tells what was asked, by whom it was not.
    lines = [json.loads(line) for line in caplog.text.splitlines()]
    (line,) = (each for each in lines if each.get("errorId") == error["extensions"]["errorId"])
    assert (line["operation"], line["type"], line["path"]) == ("Page", "query", ["incidents"])
    assert (line["role"], line["scope"]) == ("MONITOR", "BRONX")
    assert line["exception"] == "UndefinedTable"
    assert any("incident_list.py" in frame for frame in line["stack"])
    assert not any(word in caplog.text for word in ("petrova", "SELECT", "does not exist"))


def test_an_event_nobody_understands_stops_its_region_and_nothing_else(
    url: str, catalogue: Catalogue
) -> None:
    with serving(url) as api, node_on(url, catalogue) as node:
        for region in ("BRONX", "QUEENS"):
            registered(node.centre(region))
        with psycopg.connect(url, autocommit=True) as hand:
            hand.execute(PAST_TRIGGERS)
            hand.execute("UPDATE events SET topic = 'Nonsense' WHERE region = 'BRONX'")
        with projecting(url, catalogue):
            text = "{ projectionStatus { region stopped lag } }"

            def status() -> dict[str, Any]:
                parts = api.ask(text)["projectionStatus"]
                return {part.pop("region"): part for part in parts}

            until(lambda: status()["BRONX"]["stopped"] and status()["QUEENS"]["lag"] == 0)
            assert status()["BRONX"]["lag"] == 1
            ready = api.client.get("/readyz")
            assert ready.status_code == 200
            assert ready.json()["checks"]["deadLetters"]["stoppedRegions"] == ["BRONX"]
            page = api.ask("{ incidents { edges { node { regionCode } } } }", token=api.token())
            assert page["incidents"]["edges"] == [{"node": {"regionCode": "QUEENS"}}]
