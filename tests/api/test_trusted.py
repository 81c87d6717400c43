"""Trusted documents: operations of our own clients, known at start and named by their hash."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from api import cli
from api.schema import schema
from api.transport import operations as kept
from api.transport.operations import ALIASES_MAX, Operations
from api.transport.trusted import TrustedDocumentInvalid, trust
from regions.settings import SettingInvalid, read_settings
from regions.store.postgres import Server
from tests.api.conftest import Api, fresh_database, serving

SMALL = "query Small { __typename }\n"
LARGE = "{" + "".join(f" a{n}: __typename" for n in range(ALIASES_MAX + 1)) + " }"
STREAM = 'subscription Stream { incidentChanges(region: "BRONX") { cursor } }'
OTHER = "query Other { __typename }"


def digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def folder_of(folder: Path, **texts: str | bytes) -> Path:
    for name, text in texts.items():
        path = folder / "pages" / f"{name}.graphql"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of(tmp_path_factory.mktemp("trusted"), small=SMALL, large=LARGE, stream=STREAM)


@pytest.fixture(scope="module")
def api(server: Server, template: str, folder: Path) -> Iterator[Api]:
    with serving(fresh_database(server, template), trusted_documents=folder) as api:
        yield api


@pytest.fixture(scope="module")
def strict(server: Server, template: str, folder: Path) -> Iterator[Api]:
    """Answers nothing else."""
    url = fresh_database(server, template)
    with serving(url, trusted_documents=folder, trusted_only=True) as api:
        yield api


def named(text: str) -> list[dict[str, Any]]:
    """The ways in which clients name a document."""
    return [
        {"documentId": f"sha256:{digest(text)}"},
        {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": digest(text)}}},
    ]


@pytest.mark.parametrize("asked", named(SMALL), ids=["documentId", "persistedQuery"])
def test_a_trusted_document_is_named_and_never_sent(asked: dict[str, Any], api: Api) -> None:
    answer = api.client.post("/graphql", json=asked)
    assert answer.json()["data"] == {"__typename": "Query"}
    answer = api.client.post("/graphql", json=asked, headers={"accept": "text/event-stream"})
    assert '"data":{"__typename":"Query"}' in answer.text
    with api.open_socket() as client:
        client.send({"id": "1", "type": "subscribe", "payload": asked})
        assert client.message()["payload"]["data"] == {"__typename": "Query"}


def test_it_is_named_in_an_address_too(api: Api) -> None:
    answer = api.client.get("/graphql", params={"documentId": f"sha256:{digest(SMALL)}"})
    assert answer.json() == {"data": {"__typename": "Query"}}


@pytest.mark.parametrize("name", [digest(OTHER), f"sha256:{digest(OTHER)}", "md5:5", ""])
def test_what_nobody_knows_is_not_found(name: str, api: Api) -> None:
    answer = api.client.post("/graphql", json={"documentId": name})
    (error,) = answer.json()["errors"]
    assert error["extensions"]["code"] == "PERSISTED_QUERY_NOT_FOUND"


def test_an_id_is_a_text_and_that_of_the_query(api: Api) -> None:
    answer = api.client.post("/graphql", json={"documentId": 5})
    assert answer.json()["errors"][0]["extensions"]["code"] == "BODY_INVALID"
    both = {"query": OTHER, "documentId": f"sha256:{digest(SMALL)}"}
    (error,) = api.client.post("/graphql", json=both).json()["errors"]
    assert error["extensions"]["code"] == "PERSISTED_QUERY_MISMATCH"


def test_its_size_is_not_limited(api: Api) -> None:
    asked, _ = named(LARGE)
    answer = api.client.post("/graphql", json=asked).json()
    assert len(answer["data"]) == ALIASES_MAX + 1
    assert answer["extensions"]["cost"]["requested"] > 0


def test_it_is_never_forgotten(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "CHARACTERS_KEPT", len(OTHER))
    operations = Operations(schema._schema)
    trust(operations, folder)
    operations.read(OTHER)
    assert operations.known(digest(OTHER)) is not None
    operations.read("{ __typename }")
    assert operations.known(digest(OTHER)) is None
    assert operations.known(digest(SMALL)) is not None


@pytest.mark.parametrize(
    "asked",
    [
        {"query": OTHER},
        {"query": SMALL.strip()},
        {"query": "{"},
        {"query": "{ __schema { types { name } } }"},
        *named(OTHER),
    ],
)
def test_where_nothing_else_is_answered_it_says_so(asked: dict[str, Any], strict: Api) -> None:
    (error,) = strict.client.post("/graphql", json=asked).json()["errors"]
    assert error["extensions"]["code"] == "DOCUMENT_NOT_TRUSTED"
    with strict.open_socket() as client:
        client.send({"id": "1", "type": "subscribe", "payload": asked})
        (error,) = client.failure()
        assert error["extensions"]["code"] == "DOCUMENT_NOT_TRUSTED"


def test_there_too_ours_are_answered(strict: Api) -> None:
    for asked in ({"query": SMALL}, *named(SMALL)):
        answer = strict.client.post("/graphql", json=asked)
        assert answer.json()["data"] == {"__typename": "Query"}
    with strict.open_socket(strict.token()) as client:
        client.send({"id": "1", "type": "subscribe", "payload": named(STREAM)[0]})
        client.send({"id": "2", "type": "subscribe", "payload": named(SMALL)[0]})
        assert client.message("2")["payload"]["data"] == {"__typename": "Query"}
        assert not client.kept


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{ regions { nonsense } }", "Cannot query field"),
        ("{ regions", "Syntax Error"),
        ("", "Syntax Error"),
        (b"{ \xff }", "not UTF-8"),
    ],
)
def test_a_broken_one_is_named_at_start(text: str | bytes, reason: str, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, broken=text, small=SMALL)
    with pytest.raises(TrustedDocumentInvalid, match=f"broken.graphql: .*{reason}"):
        trust(Operations(schema._schema), folder)


def test_a_folder_is_named_and_there(tmp_path: Path) -> None:
    settings = read_settings({"TSUR_TRUSTED_DOCUMENTS": str(tmp_path), "TSUR_TRUSTED_ONLY": "on"})
    assert (settings.trusted_documents, settings.trusted_only) == (tmp_path, True)
    with pytest.raises(SettingInvalid, match=r"TSUR_TRUSTED_DOCUMENTS.*no folder"):
        read_settings({"TSUR_TRUSTED_DOCUMENTS": str(tmp_path / "nowhere")})
    with pytest.raises(SettingInvalid, match=r"TSUR_TRUSTED_ONLY.*TSUR_TRUSTED_DOCUMENTS"):
        read_settings({"TSUR_TRUSTED_ONLY": "on"})


def test_the_command_line_tells_the_ids(folder: Path) -> None:
    environment = {"TSUR_TRUSTED_DOCUMENTS": str(folder)}
    told = CliRunner().invoke(cli.cli, ["documents"], env=environment)
    assert f"sha256:{digest(SMALL)}  pages/small.graphql\n" in told.stdout
    assert len(told.stdout.splitlines()) == 3
    told = CliRunner().invoke(cli.cli, ["documents"], env={"TSUR_TRUSTED_DOCUMENTS": ""})
    assert isinstance(told.exception, SettingInvalid)
