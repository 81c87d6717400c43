"""Messages: found, read, changed and deleted on their platform, added, handed to another region."""

from collections.abc import Callable
from typing import Any

from domain import commands as c
from domain import events as e
from domain.deciding import Deciding, next_reply
from domain.errors import ForbiddenTransition, HoldsOthers, SameRegion
from domain.identifiers import derived_id
from domain.vocabulary import Clock


def _note_reading(it: Deciding, command: c.NoteReading) -> None:
    it.record(e.MessageRead, reading=command.reading)


def _register_captured(it: Deciding, command: c.RegisterCaptured) -> None:
    found = it.incident.captured
    if found is None:
        raise ForbiddenTransition(command=command.NAME, status=it.incident.status)
    moved = command.latitude is not None
    place = command.municipality or it.incident.municipality
    matter = it.incident.matter._replace(municipality=place)
    it.record(
        e.IncidentRegistered,
        municipality=place,
        channel=found.channel,
        external_id=found.external_id,
        kind=command.kind or found.kind,
        regime=found.regime,
        published_at=found.published_at,
        latitude=command.latitude if moved else found.latitude,
        longitude=command.longitude if moved else found.longitude,
        deadlines=it.started(Clock.FIRST_REPLY, it.at, matter),
    )


def _add_message(it: Deciding, command: c.AddMessage) -> None:
    it.record(
        e.MessageAdded,
        message=derived_id(it.at, str(it.incident.id), str(it.incident.version + 1)),
        channel=command.channel,
        external_id=command.external_id,
        source=command.source,
        published_at=min(command.published_at, it.at),
        citizen=it.sealed,
        deadlines=next_reply(it),
    )


def _edit_message(it: Deciding, command: c.EditMessage) -> None:
    it.record(
        e.MessageEdited,
        channel=command.channel,
        external_id=command.external_id,
        edited_at=min(command.edited_at, it.at),
        text=it.sealed,
    )


def _delete_message(it: Deciding, command: c.DeleteMessage) -> None:
    it.record(
        e.MessageDeleted,
        channel=command.channel,
        external_id=command.external_id,
        deleted_at=min(command.deleted_at, it.at),
    )


def _transfer_out(it: Deciding, command: c.TransferOut) -> None:
    if command.to_region == it.incident.region:
        raise SameRegion
    if it.incident.taken:
        raise HoldsOthers
    it.must_not_be_held()
    it.settle(*Clock)
    it.record(
        e.IncidentTransferredOut,
        to_region=command.to_region,
        correlation=it.incident.correlation or it.incident.id,
    )


def _transfer_in(it: Deciding, command: c.TransferIn) -> None:
    it.record(
        e.IncidentTransferredIn,
        origin_region=command.origin_region,
        origin=command.origin,
        correlation=command.correlation,
    )


DECISIONS: dict[type[c.Command], Callable[[Deciding, Any], None]] = {
    c.NoteReading: _note_reading,
    c.RegisterCaptured: _register_captured,
    c.AddMessage: _add_message,
    c.EditMessage: _edit_message,
    c.DeleteMessage: _delete_message,
    c.TransferOut: _transfer_out,
    c.TransferIn: _transfer_in,
}
