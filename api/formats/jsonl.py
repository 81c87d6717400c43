"""JSON Lines: one incident with its whole history in each line; docs/import.md has every field."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC
from itertools import chain
from typing import Annotated, BinaryIO

import msgspec
from msgspec import Meta, Raw

from api.formats import (
    Accepted,
    FileInvalid,
    Line,
    Rejected,
    Row,
    history,
    lines,
    text_of,
    too_long,
)
from api.formats.steps import SOURCE, Author, read_steps
from api.formats.strict import Code, Id, Moment, Part, decode
from domain.commands import Citizen, Register, Relocate, check_date
from domain.errors import DomainError
from domain.rights import Actor
from domain.vocabulary import Kind, Regime, Role
from regions.bulk import History, Step
from regions.reference.catalogue import Catalogue

STEPS_MAX = 200  # the longest lives of incidents have some dozens


class Point(Part, frozen=True, kw_only=True):
    latitude: float
    longitude: float


class Record(Part, frozen=True, kw_only=True):
    id: Id
    channel: Code
    kind: Kind = Kind.COMPLAINT
    regime: Regime = Regime.IM
    region: Code
    municipality: Code | None = None
    published_at: Moment
    registered_at: Moment | None = None
    point: Point | None = None
    citizen: Author | None = None
    steps: Annotated[tuple[Raw, ...], Meta(max_length=STEPS_MAX)] = ()

    @property
    def row_key(self) -> str:
        return _row_key(self.channel, self.id)


class Named(msgspec.Struct):
    """What a row is remembered by, legible even if the rest of it is wrong."""

    id: Id
    channel: Code


def _row_key(channel: str, external_id: str) -> str:
    return f"{channel}:{external_id}"


RECORD = msgspec.json.Decoder(Record)
NAMED = msgspec.json.Decoder(Named)


class JsonLines:
    name = SOURCE

    def read(self, file: BinaryIO, catalogue: Catalogue) -> Iterator[Row]:
        places = Places(catalogue)
        filled = (line for line in lines(file) if line.content.strip())
        for line in _checked(filled):
            yield _row(line, places) if line.whole else too_long(line)


def _checked(filled: Iterator[Line]) -> Iterator[Line]:
    """The same lines. Raises FileInvalid if the first shows that the file is something else."""
    first = next(filled, None)
    if first is None:
        raise FileInvalid(reason="it is empty")
    content = first.content.strip()
    if content.startswith(b"["):
        raise FileInvalid(reason="it is one JSON array; write one object in each line")
    if content == b"{" or not content.startswith(b"{"):
        raise FileInvalid(reason="its first line is not a whole JSON object")
    return chain([first], filled)


def _row(line: Line, places: "Places") -> Row:
    content = line.content.rstrip(b"\r\n")
    try:
        record = decode(RECORD, text_of(content))
        region, told = _history(record, places)
    except DomainError as error:
        return Rejected(line.number, _legible_key(content), error, content)
    return Accepted(line.number, record.row_key, region, told, content)


def _history(record: Record, places: "Places") -> tuple[str, History]:
    """The region of a record and what happened. Raises DomainError."""
    region = places.catalogue.region(record.region).code
    at = record.registered_at or record.published_at
    check_date("publishedAt", record.published_at)
    check_date("registeredAt", at)
    told = history(
        SOURCE,
        record.row_key,
        _registration(record, places),
        at=at.astimezone(UTC),
        by=Actor(SOURCE, Role.SYSTEM),
        steps=[_located(step, places) for step in read_steps(record.steps)],
    )
    return region, told


def _registration(record: Record, places: "Places") -> Register:
    citizen = record.citizen
    return Register(
        municipality=places.code(record.municipality) if record.municipality else None,
        channel=record.channel,
        external_id=record.id,
        kind=record.kind,
        regime=record.regime,
        published_at=record.published_at.astimezone(UTC),
        latitude=record.point.latitude if record.point else None,
        longitude=record.point.longitude if record.point else None,
        citizen=Citizen(name=citizen.name, contact=citizen.contact, text=citizen.text)
        if citizen
        else None,
    )


def _located(step: Step, places: "Places") -> Step:
    if not isinstance(step.command, Relocate):
        return step
    code = places.code(step.command.municipality)
    return replace(step, command=msgspec.structs.replace(step.command, municipality=code))


class Places:
    """Municipalities by our code or by their ОКТМО."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.by_oktmo = {p.oktmo: p.code for p in catalogue.municipalities.values() if p.oktmo}

    def code(self, given: str) -> str:
        """Our code; what is none of the two stays as it is, for the centre to refuse."""
        if given in self.catalogue.municipalities:
            return given
        # Eleven digits name a settlement; its first eight, the municipality around it.
        return self.by_oktmo.get(given[:8] if len(given) == 11 else given, given)


def _legible_key(content: bytes) -> str | None:
    try:
        named = NAMED.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return _row_key(named.channel, named.id)
