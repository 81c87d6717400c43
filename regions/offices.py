"""Commands on a centre itself: crisis mode, systemic decisions, the sources it listens to."""

from datetime import datetime
from uuid import UUID

from domain.errors import SourceCodeInvalid
from domain.office import (
    DeclareCrisis,
    MakeSystemicDecision,
    Office,
    OfficeCommand,
    OfficeEvent,
    OpenSource,
    decide,
    office_id,
    office_of,
)
from domain.rights import Actor, check_right
from regions.centre import Centre, Position, Result
from regions.reference.catalogue import Catalogue
from regions.store.event_store import Alongside, CommandRecord, decode_event


def office(centre: Centre) -> Office:
    """The centre as its events tell it. Raises StoreUnavailable."""
    stored = centre.recorder.select_events(office_id(centre.region.code))
    events = (decode_event(event.topic, event.state) for event in stored)
    return office_of(centre.region.code, (e for e in events if isinstance(e, OfficeEvent)))


def command_office(
    centre: Centre, command: OfficeCommand, *, command_id: UUID, at: datetime, by: Actor
) -> Result:
    """Ask something of the centre; `version` of the result is the office's.

    Raises InvalidInput, NotPermitted, RuleBroken, and VersionConflict when somebody else was first.
    """
    fingerprint = centre.fingerprint(command)
    of = office_id(centre.region.code)

    def attempt() -> Result:
        command.check(at)
        check_codes(command, centre.catalogue, centre.region.code)
        place = getattr(command, "municipality", None)
        region = centre.region.code
        check_right(
            by, command.ROLES, region=region, municipality=place, organisation=None, topic=None
        )
        found = office(centre)
        decide(found, command, at=at, by=by)
        record = CommandRecord(command_id, fingerprint, of, found.version, len(found.pending))
        recordings = centre.save(found, alongside=Alongside(commands=[record]))
        return Result(of, found.version, Position(region, recordings[-1].notification.id))

    return centre.once(command, command_id, fingerprint, by, attempt)


def check_codes(command: OfficeCommand, catalogue: Catalogue, region: str) -> None:
    """Raises Unknown… for a code the catalogue does not know."""
    place = getattr(command, "municipality", None)
    if place is not None:
        catalogue.municipality(place, region=region)
    match command:
        case DeclareCrisis(topic_groups=groups):
            for group in groups:
                catalogue.topic_group(group)
        case MakeSystemicDecision(topic=topic) | OpenSource(topic=str(topic)):
            catalogue.topic(topic)
    if isinstance(command, OpenSource):
        catalogue.channel(command.channel)
        if not command.code.startswith(f"{region}-"):
            raise SourceCodeInvalid(region=region)
