"""The steps of a history as another system tells them: each is a command of ours, by its name.

The shape of a step follows from its command, so a field that a command gains is known here too.
docs/import.md says what each means; a test compares the two.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import reduce
from operator import or_
from types import GenericAlias, UnionType
from typing import Annotated, Any, NamedTuple, cast, get_args, get_origin

import msgspec
from msgspec import Meta, Raw
from msgspec.structs import FieldInfo, astuple, fields

from api.formats.strict import Code, FieldInvalid, Id, Moment, Part, decode
from domain import commands as c
from domain.deciding import DISSATISFIED_SCORE
from domain.errors import DomainError
from domain.rights import Actor
from domain.vocabulary import DisputeBy, Role, Verdict
from regions.bulk import Step

SOURCE = "jsonl"

# Not among them: a registration, which the record itself is; what takes two incidents; what our
# own clocks say; the end of our own keys.
COMMANDS: tuple[type[c.Command], ...] = (
    c.AddMessage,
    c.Reject,
    c.Link,
    c.Classify,
    c.Assign,
    c.Return,
    c.Reassign,
    c.Reclassify,
    c.Relocate,
    c.Prioritize,
    c.GrantFastTrack,
    c.AcceptWork,
    c.RequestClarification,
    c.ReceiveClarification,
    c.TimeOutClarification,
    c.ContactCitizen,
    c.DraftReply,
    c.ReturnReply,
    c.ApproveReply,
    c.PublishReply,
    c.ScheduleSolution,
    c.MovePromise,
    c.Resolve,
    c.TakePersonalControl,
    c.LiftPersonalControl,
    c.Close,
    c.Rate,
    c.Dispute,
    c.Reopen,
    c.DeclineReopen,
    c.RequestFieldCheck,
    c.ReportFieldCheck,
    c.RecordRootCause,
    c.ExtendDeadline,
)


class Author(Part, frozen=True, kw_only=True):
    """The citizen."""

    name: str | None = None
    contact: str | None = None
    text: str


class StepPart(Part, frozen=True, kw_only=True, tag_field="step"):
    """What every step has, whatever was decided."""

    at: Moment
    actor: Code = SOURCE  # stored unsealed: a login or a post, never a name
    role: Role = Role.SYSTEM


# What is stored unsealed must not have room for a name or a sentence.
NARROWED: dict[str, Any] = {
    "channel": Code,
    "topic": Code,
    "organisation": Code,
    "suggested_organisation": Code,
    "municipality": Code,
    "holder": Code,
    "external_id": Id,
    "evidence": Id,
    "decision": Id,
    "score": Annotated[int, Meta(ge=1, le=5)],
}
# What only our own rules and doors can say.
OURS = {"source", "model", "confidence", "rule"}
DEFAULTS: dict[str, Any] = {"dispute.by": DisputeBy.AUTHOR}  # beside those of the commands


class StepKind(NamedTuple):
    """One kind of step: what it asks of an incident, and how it is written."""

    command: type[c.Command]
    part: type[StepPart]
    decoder: msgspec.json.Decoder[StepPart]


def _kind(command: type[c.Command]) -> StepKind:
    part = msgspec.defstruct(
        command.__name__,
        [_field(command, each) for each in fields(command) if each.name not in OURS],
        bases=(StepPart,),
        tag=command.NAME,
        frozen=True,
        kw_only=True,
    )
    of_step = cast("type[StepPart]", part)  # mypy knows it as a Struct only
    return StepKind(command, of_step, msgspec.json.Decoder(part))


def _field(command: type[c.Command], field: FieldInfo) -> tuple[str, Any] | tuple[str, Any, Any]:
    of = _narrowed(field.name, field.type)
    default = DEFAULTS.get(f"{command.NAME}.{field.name}", field.default)
    return (field.name, of) if default is msgspec.NODEFAULT else (field.name, of, default)


def _narrowed(name: str, of: Any) -> Any:
    """The same type without room for what does not belong into a field of this name."""
    if of in (str, int):
        return NARROWED.get(name, of)
    if isinstance(of, UnionType):
        return reduce(or_, (_narrowed(name, each) for each in get_args(of)))
    if get_origin(of) is tuple:
        return GenericAlias(tuple, (_narrowed(name, get_args(of)[0]), ...))
    return {datetime: Moment, c.Citizen: Author}.get(of, of)


KINDS = {command.NAME: _kind(command) for command in COMMANDS}


class StepName(msgspec.Struct):
    step: str


NAME = msgspec.json.Decoder(StepName)


def read_steps(contents: Sequence[Raw]) -> Iterator[Step]:
    """What happened, in order. Raises DomainError, naming the step and its field.

    What is reopened was disputed, even where the other system does not say by whom.
    """
    disputed = False
    for number, content in enumerate(contents):
        step = _step(f"steps[{number}]", content)
        if isinstance(step.command, c.Reopen) and not disputed:
            yield replace(step, command=c.Dispute(by=DisputeBy.AUTHOR))
        yield step
        disputed = _disputed(step.command, disputed)


def _disputed(command: c.Command, before: bool) -> bool:
    """Whether the last resolution is disputed now; a low rating or a failed check does it too."""
    match command:
        case c.Dispute():
            return True
        case c.Rate(score=score):
            return before or score <= DISSATISFIED_SCORE
        case c.ReportFieldCheck(verdict=verdict):
            return before or verdict is not Verdict.DONE
        case c.Resolve() | c.Reopen() | c.DeclineReopen():
            return False
    return before


def _step(within: str, content: Raw) -> Step:
    name = decode(NAME, content, within=within).step
    if name not in KINDS:
        raise FieldInvalid(field=f"{within}.step", reason="is none of the accepted words")
    kind = KINDS[name]
    part = decode(kind.decoder, content, within=within, of=name)
    command = msgspec.convert(part, kind.command, from_attributes=True)
    try:
        c.check_date("at", part.at)
        command.check(part.at)
        _check_days(part)
    except DomainError as error:
        raise type(error)(field=f"{within}.{error.field}", **error.facts) from None
    by = Actor(part.actor, part.role)
    return Step(command, part.at.astimezone(UTC), by, reference=f"{within} ({name})")


def _check_days(part: StepPart) -> None:
    """Raises DateAbsurd: the last day a date can be has no end that is a moment."""
    for name, value in zip(part.__struct_encode_fields__, astuple(part), strict=True):
        if type(value) is date:
            c.check_date(name, datetime(value.year, value.month, value.day, tzinfo=UTC))
