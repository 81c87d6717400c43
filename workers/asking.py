"""How workers ask something of an incident: whoever lost a race asks again."""

from datetime import datetime
from uuid import UUID

from domain.commands import Command
from domain.errors import VersionConflict
from domain.rights import SYSTEM
from regions.centre import Centre, Result


def ask(
    centre: Centre, incident_id: UUID, command: Command, *, command_id: UUID, at: datetime
) -> Result:
    """Nothing a worker asks hangs on what it read before. Raises as Centre.handle, or RuleBroken.

    Each time round somebody else has saved something: it ends.
    """
    while True:
        try:
            return centre.handle(incident_id, command, command_id=command_id, at=at, by=SYSTEM)
        except VersionConflict:
            continue
