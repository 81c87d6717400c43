"""JSON Lines: one incident with its whole history in each line; docs/import.md has every field."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain
from typing import Annotated, BinaryIO

import msgspec
from msgspec import Meta

from api.formats import (
    Accepted,
    FileInvalid,
    Line,
    Rejected,
    Row,
    RowMalformed,
    history,
    lines,
    text_of,
    too_long,
)
from domain.commands import (
    AcceptWork,
    Assign,
    Citizen,
    Classify,
    Close,
    Command,
    Dispute,
    PublishReply,
    Register,
    Reopen,
    Resolve,
    Return,
    check_date,
)
from domain.errors import DomainError, ImportRowInvalid
from domain.rights import Actor
from domain.vocabulary import (
    DisputeBy,
    FallbackReason,
    Kind,
    Outcome,
    ReopenReason,
    ReplyAuthor,
    ReplyKind,
    ReturnReason,
    Role,
)
from regions.bulk import History, Step
from regions.catalogue import Catalogue

SOURCE = "jsonl"
STEPS_MAX = 200  # the longest lives of incidents have some dozens

Code = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,64}\Z")]
Id = Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f-\x9f]{1,200}\Z")]
Moment = Annotated[datetime, Meta(tz=True)]


class FieldInvalid(ImportRowInvalid):
    """{field}: {reason}."""


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """A JSON object of which every field is known."""


class Point(Part, frozen=True, kw_only=True):
    latitude: float
    longitude: float


class Author(Part, frozen=True, kw_only=True):
    """The citizen."""

    name: str | None = None
    contact: str | None = None
    text: str


class StepPart(Part, frozen=True, kw_only=True, tag_field="step"):
    at: Moment
    actor: Code = SOURCE  # stored unsealed: a login or a post, never a name
    role: Role = Role.SYSTEM

    def command(self) -> Command:
        raise NotImplementedError


class ClassifyPart(StepPart, frozen=True, kw_only=True, tag="classify"):
    topic: Code

    def command(self) -> Command:
        return Classify(topic=self.topic)


class AssignPart(StepPart, frozen=True, kw_only=True, tag="assign"):
    organisation: Code
    due_at: Moment | None = None

    def command(self) -> Command:
        return Assign(organisation=self.organisation, due_at=self.due_at)


class ReturnPart(StepPart, frozen=True, kw_only=True, tag="return"):
    reason: ReturnReason
    suggested_organisation: Code | None = None

    def command(self) -> Command:
        return Return(reason=self.reason, suggested_organisation=self.suggested_organisation)


class AcceptWorkPart(StepPart, frozen=True, kw_only=True, tag="acceptWork"):
    def command(self) -> Command:
        return AcceptWork()


class PublishReplyPart(StepPart, frozen=True, kw_only=True, tag="publishReply"):
    kind: ReplyKind
    author: ReplyAuthor = ReplyAuthor.HUMAN
    channel: Code | None = None
    fallback_reason: FallbackReason | None = None
    text: str | None = None

    def command(self) -> Command:
        return PublishReply(
            kind=self.kind,
            author=self.author,
            channel=self.channel,
            fallback_reason=self.fallback_reason,
            text=self.text,
        )


class ResolvePart(StepPart, frozen=True, kw_only=True, tag="resolve"):
    outcome: Outcome

    def command(self) -> Command:
        return Resolve(outcome=self.outcome)


class ClosePart(StepPart, frozen=True, kw_only=True, tag="close"):
    def command(self) -> Command:
        return Close()


class DisputePart(StepPart, frozen=True, kw_only=True, tag="dispute"):
    by: DisputeBy = DisputeBy.AUTHOR
    text: str | None = None

    def command(self) -> Command:
        return Dispute(by=self.by, text=self.text)


class ReopenPart(StepPart, frozen=True, kw_only=True, tag="reopen"):
    reason: ReopenReason

    def command(self) -> Command:
        return Reopen(reason=self.reason)


AnyStep = (
    ClassifyPart
    | AssignPart
    | ReturnPart
    | AcceptWorkPart
    | PublishReplyPart
    | ResolvePart
    | ClosePart
    | DisputePart
    | ReopenPart
)


class Record(Part, frozen=True, kw_only=True):
    id: Id
    channel: Code
    kind: Kind = Kind.COMPLAINT
    region: Code
    municipality: Code | None = None
    published_at: Moment
    registered_at: Moment | None = None
    point: Point | None = None
    citizen: Author | None = None
    steps: Annotated[tuple[AnyStep, ...], Meta(max_length=STEPS_MAX)] = ()

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
        record = _decode(content)
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
        steps=list(_steps(record.steps)),
    )
    return region, told


def _registration(record: Record, places: "Places") -> Register:
    citizen = record.citizen
    return Register(
        municipality=places.code(record.municipality, record.region),
        channel=record.channel,
        external_id=record.id,
        kind=record.kind,
        published_at=record.published_at.astimezone(UTC),
        latitude=record.point.latitude if record.point else None,
        longitude=record.point.longitude if record.point else None,
        citizen=Citizen(name=citizen.name, contact=citizen.contact, text=citizen.text)
        if citizen
        else None,
    )


def _steps(parts: Sequence[AnyStep]) -> Iterator[Step]:
    """What is reopened was disputed, even where the other system does not say by whom."""
    disputed = False
    for number, part in enumerate(parts):
        step = _step(number, part)
        if isinstance(part, ReopenPart) and not disputed:
            yield replace(step, command=Dispute(by=DisputeBy.AUTHOR))
        yield step
        disputed = isinstance(part, DisputePart)


def _step(number: int, part: AnyStep) -> Step:
    check_date(f"steps[{number}].at", part.at)
    command = part.command()
    try:
        command.check(part.at)
    except DomainError as error:
        raise type(error)(field=f"steps[{number}].{error.field}", **error.facts) from None
    return Step(command, part.at.astimezone(UTC), Actor(part.actor, part.role))


class Places:
    """Municipalities by our code or by their ОКТМО."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.by_oktmo = {p.oktmo: p.code for p in catalogue.municipalities.values() if p.oktmo}

    def code(self, given: str | None, region: str) -> str | None:
        """Raises UnknownMunicipality; so does one of another region."""
        if given is None:
            return None
        if given not in self.catalogue.municipalities:
            # Eleven digits name a settlement; its first eight, the municipality around it.
            given = self.by_oktmo.get(given[:8] if len(given) == 11 else given, given)
        return self.catalogue.municipality(given, region=region).code


def _decode(content: bytes) -> Record:
    """Raises NotUtf8, RowMalformed or FieldInvalid."""
    text = text_of(content)
    try:
        return RECORD.decode(text)
    except msgspec.ValidationError as error:
        raise _field_invalid(str(error)) from None
    except msgspec.DecodeError as error:
        raise RowMalformed(reason=str(error)) from None


# msgspec says what was wrong, and where; a wrong value stands between single quotes.
EXPLAINED = re.compile(r"(?P<reason>.*?)(?: - at `\$\.?(?P<path>.*)`)?", re.DOTALL)
NAMED_FIELD = re.compile(r"Object (?P<what>missing required|contains unknown) field `(?P<name>.*)`")
WRONG_VALUE = re.compile(r"Invalid (enum )?value .*", re.DOTALL)


def _field_invalid(message: str) -> FieldInvalid:
    """The same without what the row holds: a value may be personal data at a wrong place."""
    explained = EXPLAINED.fullmatch(message)
    reason, path = (explained["reason"], explained["path"] or "") if explained else ("", "")
    named = NAMED_FIELD.fullmatch(reason)
    if named and named["what"] == "missing required":
        field = f"{path}.{named['name']}" if path else named["name"]
        return FieldInvalid(field=field, reason="is required")
    if named:
        return FieldInvalid(field=path or "row", reason="holds a field that is not known")
    if WRONG_VALUE.fullmatch(reason):
        return FieldInvalid(field=path, reason="is none of the accepted words")
    return FieldInvalid(field=path or "row", reason=reason.replace("`", ""))


def _legible_key(content: bytes) -> str | None:
    try:
        named = NAMED.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return _row_key(named.channel, named.id)
