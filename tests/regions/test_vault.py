"""Personal data is sealed from the first moment, and gone for ever once it is erased."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
from cryptography.exceptions import InvalidTag

from domain.commands import Citizen, ErasePersonalData, PublishReply, Register
from domain.errors import NoPersonalData
from domain.events import Sealed
from domain.vocabulary import ReplyKind
from regions import audit
from regions.centre import Centre
from regions.node import Node
from regions.store.vault import Vault, VaultKeyInvalid, read_secret, seal, unseal
from tests.scenarios import accepted, ask, contents, registered, resolved

NAME, CONTACT, TEXT, REPLY = "Канарейка-А", "canary@example.org", "Канарейка-Б", "Канарейка-В"
CITIZEN = Citizen(name=NAME, contact=CONTACT, text=TEXT)
FINAL = PublishReply(kind=ReplyKind.FINAL, text=REPLY)


@pytest.fixture
def bronx(node: Node) -> Centre:
    return node.centre("BRONX")


def sealed_parts(centre: Centre, incident: UUID) -> list[tuple[Sealed, type]]:
    """What the incident's events hold sealed, and for which command."""
    events = [stream_event.event for stream_event in centre.events.get(incident)]
    citizens = [(event.citizen, Register) for event in events if getattr(event, "citizen", None)]
    replies = [(event.text, PublishReply) for event in events if getattr(event, "text", None)]
    return citizens + replies


def opened(centre: Centre, incident: UUID) -> list[bytes | None]:
    return [centre.open(incident, part, of) for part, of in sealed_parts(centre, incident)]


# In the database


def test_personal_data_stands_nowhere_in_plain_text(
    node: Node, bronx: Centre, project: Callable[[], int]
) -> None:
    incident = accepted(bronx, citizen=CITIZEN).incident_id
    ask(bronx, incident, FINAL, 40)
    project()
    rows = [row for table in contents(node.url, "public", "read").values() for row in table]
    assert len(rows) > 10
    for canary in (NAME, CONTACT, TEXT, REPLY):
        for form in (canary, canary.encode().hex(), canary.encode("unicode_escape").decode()):
            assert not [row for row in rows if form.lower() in row.lower()]


def test_personal_data_stands_not_in_the_files_of_the_server(node: Node, bronx: Centre) -> None:
    incident = accepted(bronx, citizen=CITIZEN).incident_id
    ask(bronx, incident, FINAL, 40)
    marks = [mark.encode() for mark in (NAME, CONTACT, TEXT, REPLY, "IncidentRegistered")]
    with psycopg.connect(node.url, autocommit=True) as connection:
        # We did look where events are.
        assert audit.found_on_disk(connection, marks) == {b"IncidentRegistered"}


def test_what_was_sealed_is_opened_by_the_centre(bronx: Centre) -> None:
    incident = accepted(bronx, citizen=CITIZEN).incident_id
    ask(bronx, incident, FINAL, 40)
    citizen, reply = opened(bronx, incident)
    assert all(word.encode() in citizen for word in (NAME, CONTACT, TEXT))
    assert reply == f'"{REPLY}"'.encode()


def test_all_that_one_incident_holds_is_under_one_key(node: Node, bronx: Centre) -> None:
    incident = accepted(bronx, citizen=CITIZEN).incident_id
    ask(bronx, incident, FINAL, 40)
    accepted(bronx, citizen=CITIZEN)
    assert len({part.subject for part, _ in sealed_parts(bronx, incident)}) == 1
    assert len(contents(node.url)["public.subject_key"]) == 2


def test_the_same_words_are_never_sealed_to_the_same_bytes(bronx: Centre) -> None:
    incidents = [registered(bronx, citizen=CITIZEN).incident_id for _ in range(3)]
    ciphertexts = {sealed_parts(bronx, incident)[0][0].ciphertext for incident in incidents}
    assert len(ciphertexts) == 3


# Erasure


def test_after_the_erasure_nothing_opens_and_no_event_has_changed(
    node: Node, bronx: Centre
) -> None:
    incident = accepted(bronx, citizen=CITIZEN).incident_id
    ask(bronx, incident, FINAL, 40)
    before = contents(node.url)
    ask(bronx, incident, ErasePersonalData(), 50)
    after = contents(node.url)
    assert opened(bronx, incident) == [None, None]
    assert set(before["public.events"]) < set(after["public.events"])
    assert after["public.subject_key"] == []


def test_an_erasure_leaves_every_other_incident_readable(bronx: Centre) -> None:
    one, other = (registered(bronx, citizen=CITIZEN).incident_id for _ in range(2))
    ask(bronx, one, ErasePersonalData(), 50)
    assert opened(bronx, one) == [None]
    assert TEXT.encode() in opened(bronx, other)[0]


def test_an_erasure_changes_no_statistic(
    node: Node, bronx: Centre, project: Callable[[], int]
) -> None:
    incident = resolved(bronx, citizen=CITIZEN, municipality="BRONX-01").incident_id
    project()
    before = contents(node.url, "read")["read.daily"]
    ask(bronx, incident, ErasePersonalData(), 500)
    assert project() == 1
    assert contents(node.url, "read")["read.daily"] == before
    assert len(before) == 4  # a region and a municipality, the day of it and the day it was due


def test_a_reply_after_the_erasure_has_a_key_of_its_own_and_can_be_erased(
    node: Node, bronx: Centre
) -> None:
    incident = accepted(bronx, citizen=CITIZEN).incident_id
    ask(bronx, incident, ErasePersonalData(), 40)
    ask(bronx, incident, FINAL, 50)
    assert opened(bronx, incident) == [None, f'"{REPLY}"'.encode()]
    ask(bronx, incident, ErasePersonalData(), 60)
    assert opened(bronx, incident) == [None, None]
    with pytest.raises(NoPersonalData):
        ask(bronx, incident, ErasePersonalData(), 70)
    assert contents(node.url)["public.subject_key"] == []


def test_an_erasure_given_again_is_answered_and_not_repeated(bronx: Centre) -> None:
    incident, command_id = registered(bronx, citizen=CITIZEN).incident_id, uuid4()
    first = ask(bronx, incident, ErasePersonalData(), 40, command_id=command_id)
    assert ask(bronx, incident, ErasePersonalData(), 50, command_id=command_id) == first


def test_of_a_reply_and_an_erasure_at_once_nothing_stays_readable_by_mistake(
    node: Node, bronx: Centre
) -> None:
    """Either the reply came first and is erased, or it came later under a key of its own."""
    for _ in range(20):
        incident = accepted(bronx, citizen=CITIZEN).incident_id
        with ThreadPoolExecutor(2) as threads:
            replying = threads.submit(ask, bronx, incident, FINAL, 40)
            erasing = threads.submit(ask, bronx, incident, ErasePersonalData(), 40)
            failures = [task.exception() for task in (replying, erasing)]
        if failures[1] is None:
            parts = sealed_parts(bronx, incident)
            readable = [part for part, of in parts if bronx.open(incident, part, of)]
            assert all(part.subject != parts[0][0].subject for part in readable)


# Keys


def test_another_vault_key_opens_nothing(node: Node, bronx: Centre) -> None:
    incident = registered(bronx, citizen=CITIZEN).incident_id
    stranger = Centre("BRONX", node.pool, node.catalogue, Vault(b"1" * 32))
    with pytest.raises(VaultKeyInvalid):
        opened(stranger, incident)


def test_sealed_data_moved_to_another_place_does_not_open(bronx: Centre) -> None:
    one, other = (registered(bronx, citizen=CITIZEN).incident_id for _ in range(2))
    (citizen, _), *_ = sealed_parts(bronx, one)
    with pytest.raises(InvalidTag):
        bronx.open(other, citizen, Register)
    with pytest.raises(InvalidTag):
        bronx.open(one, citizen, PublishReply)


def test_sealed_data_that_was_altered_does_not_open() -> None:
    key = Vault(b"0" * 32).new_key()
    sealed = seal(key, b"content", bound_to=b"here")
    assert unseal(key, sealed, bound_to=b"here") == b"content"
    for place in range(len(sealed.ciphertext)):
        altered = bytearray(sealed.ciphertext)
        altered[place] ^= 1
        with pytest.raises(InvalidTag):
            unseal(key, Sealed(sealed.subject, sealed.algorithm, bytes(altered)), bound_to=b"here")


def test_a_key_wrapped_for_one_subject_is_not_another_s() -> None:
    vault = Vault(b"0" * 32)
    key = vault.new_key()
    assert vault.unwrap(key.subject, key.wrapped) == key
    with pytest.raises(VaultKeyInvalid):
        vault.unwrap(uuid4(), key.wrapped)


def test_a_fingerprint_is_the_same_for_the_same_content_and_vault_only() -> None:
    one, other = Vault(b"0" * 32), Vault(b"1" * 32)
    assert one.fingerprint(b"content") == Vault(b"0" * 32).fingerprint(b"content")
    assert one.fingerprint(b"content") != one.fingerprint(b"other")
    assert one.fingerprint(b"content") != other.fingerprint(b"content")


def test_the_vault_key_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "home" / "vault.key"
    with ThreadPoolExecutor(8) as threads:
        keys = set(threads.map(lambda _: read_secret(file), range(8)))
    assert keys == {file.read_bytes()}
    assert len(file.read_bytes()) == 32
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(file.parent.iterdir()) == [file]


def test_a_damaged_vault_key_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "vault.key"
    for content in (b"", b"0" * 31, b"0" * 33):
        file.write_bytes(content)
        with pytest.raises(VaultKeyInvalid):
            read_secret(file)
