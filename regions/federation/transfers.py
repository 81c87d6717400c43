"""An incident that belongs to another region: taken over there, as a message of its own.

Both streams carry one correlation id. The region it came from knows it as transferred; the one it
went to decides anew whether it is an incident, for which place and by when. What the citizen wrote
is sealed anew, under a key of the region that has it now, which may be in another node: what is
handed over between the two is a `Handover`.
"""

from datetime import datetime
from typing import Annotated
from uuid import UUID, uuid5

import msgspec

from domain import commands as c
from domain import events as e
from domain.errors import IncidentNotFound
from domain.rights import SYSTEM, is_sandbox, sandbox_of
from regions.centre import Centre, Result
from regions.node import Node
from regions.store.event_store import decode_event


class Handover(msgspec.Struct, frozen=True, kw_only=True):
    """What the origin tells of an incident, with what the citizen wrote in plain."""

    origin_region: str
    incident: UUID
    version: int  # of the event that handed it over
    to_region: str
    correlation: UUID
    first: c.Capture
    further: list[c.AddMessage]
    at: Annotated[datetime, msgspec.Meta(tz=True)]


def hand_over(origin: Centre, incident_id: UUID, version: int) -> Handover:
    """What was transferred by the event of this version; the opening of it is written down.

    Raises IncidentNotFound if that event is none, and StoreUnavailable.
    """
    region = origin.region.code
    past = _past(origin, incident_id, version)
    handed = past[-1] if past else None
    if not isinstance(handed, e.IncidentTransferredOut):
        raise IncidentNotFound(incident=incident_id, region=region)
    destination = sandbox_of(handed.to_region) if is_sandbox(region) else handed.to_region
    origin.note(SYSTEM, c.TransferOut.NAME, incident_id, "OPENED")
    return Handover(
        origin_region=region,
        incident=incident_id,
        version=version,
        to_region=destination,
        correlation=handed.correlation,
        first=_first(origin, incident_id, past),
        further=_further(origin, incident_id, past),
        at=handed.occurred_at,
    )


def receive(node: Node, handover: Handover, *, at: datetime) -> Result:
    """Take over what another region transferred: once, however often it is handed over.

    Raises UnknownRegion, RegionElsewhere, InvalidInput, CommandIdReused and StoreUnavailable.
    """
    node.catalogue.region(handover.origin_region)
    destination = node.centre(handover.to_region)
    command_id = uuid5(handover.incident, f"transfer {handover.version}")
    # Not by its words: those that are erased meanwhile at the origin do not come again.
    earlier = destination.result_of(command_id)
    if earlier is not None:
        return earlier
    arrived = c.TransferIn(
        origin_region=handover.origin_region,
        origin=handover.incident,
        correlation=handover.correlation,
    )
    return destination.capture(
        handover.first,
        command_id=command_id,
        at=max(at, handover.at),
        by=SYSTEM,
        then=(arrived, *handover.further),
        taken_from=handover.incident,
    )


def _past(centre: Centre, incident_id: UUID, version: int) -> list[e.Event]:
    stored = centre.recorder.select_events(incident_id, lte=version)
    return [decode_event(event.topic, event.state) for event in stored]


def _first(origin: Centre, incident_id: UUID, past: list[e.Event]) -> c.Capture:
    """The message that began it; its place in the other region is not known yet."""
    began = past[0]
    if not isinstance(began, e.IncidentRegistered | e.MessageCaptured):
        raise IncidentNotFound(incident=incident_id, region=origin.region.code)
    captured = isinstance(began, e.MessageCaptured)
    return c.Capture(
        channel=began.channel,
        external_id=began.external_id,
        source=began.source if isinstance(began, e.MessageCaptured) else None,
        kind=began.kind,
        regime=began.regime,
        published_at=began.published_at,
        latitude=began.latitude,
        longitude=began.longitude,
        citizen=_citizen(origin, incident_id, began.citizen, c.Capture if captured else c.Register),
    )


def _further(origin: Centre, incident_id: UUID, past: list[e.Event]) -> list[c.AddMessage]:
    """What was written about it later."""
    return [
        c.AddMessage(
            channel=event.channel,
            external_id=event.external_id,
            source=event.source,
            published_at=event.published_at,
            citizen=_citizen(origin, incident_id, event.citizen, c.AddMessage),
        )
        for event in past
        if isinstance(event, e.MessageAdded)
    ]


def _citizen(
    origin: Centre, incident_id: UUID, sealed: e.Sealed | None, by: type[c.Command]
) -> c.Citizen | None:
    """None once it is erased."""
    content = origin.open(incident_id, sealed, by) if sealed else None
    return msgspec.json.decode(content, type=c.Citizen) if content else None
