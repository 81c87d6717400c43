"""The tree of refusals: one class per broken rule, its docstring is the message.

DomainError
  InvalidInput            a field cannot be accepted; `field` names it
    Unknown               the catalogue has no such code
  RuleBroken              the incident's state forbids the command
  Conflict                somebody else was there first
  NotFound
"""

import re


class DomainError(Exception):
    """The command broke a rule."""

    field: str | None = None

    def __init__(self, *, field: str | None = None, **facts: object) -> None:
        self.field = field or type(self).field
        self.facts = facts
        super().__init__((type(self).__doc__ or "").format(field=self.field, **facts))

    @property
    def code(self) -> str:
        """Stable machine-readable name, e.g. FORBIDDEN_TRANSITION."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(self).__name__).upper()


class InvalidInput(DomainError):
    """The value of {field} cannot be accepted."""


class TextTooLong(InvalidInput):
    """{field} has {length} characters; at most {limit} are accepted."""


class TextEmpty(InvalidInput):
    """{field} must not be empty."""


class ControlCharacter(InvalidInput):
    """{field} holds a control character (a NUL byte, for example); send plain text."""


class DateInFuture(InvalidInput):
    """{field} lies in the future: {value}."""


class DateAbsurd(InvalidInput):
    """{field} is outside the time this network can answer for: {value}."""


class DateWithoutZone(InvalidInput):
    """{field} has no offset from UTC; send ISO 8601 with one."""


class CoordinateOutOfRange(InvalidInput):
    """{field} is not a point on Earth; send degrees, latitude -90..90 and longitude -180..180."""


class PointIncomplete(InvalidInput):
    """A point needs both latitude and longitude."""

    field = "longitude"


class PageTooLarge(InvalidInput):
    """{field} must be between 1 and {limit}; ask for the next page with its cursor."""


class PeriodInvalid(InvalidInput):
    """The period must begin before it ends and last at most {limit} days."""

    field = "period"


class CursorInvalid(InvalidInput):
    """{field} is not a cursor of this list or stream."""


class ImportRowInvalid(InvalidInput):
    """{reason}"""


class Unknown(InvalidInput):
    """The catalogue knows no {field} with the code {value!r}."""


class UnknownRegion(Unknown):
    """The catalogue knows no region with the code {value!r}."""

    field = "region"


class UnknownMunicipality(Unknown):
    """Region {region} has no municipality with the code {value!r}."""

    field = "municipality"


class UnknownTopic(Unknown):
    """The catalogue knows no topic with the code {value!r}; a group is not a topic."""

    field = "topic"


class UnknownOrganisation(Unknown):
    """Region {region} has no organisation with the code {value!r}."""

    field = "organisation"


class UnknownChannel(Unknown):
    """The catalogue knows no channel with the code {value!r}."""

    field = "channel"


class RuleBroken(DomainError):
    """The state of the incident forbids this."""


class ForbiddenTransition(RuleBroken):
    """{command} is not possible while the incident is {status}."""


class NotClassified(RuleBroken):
    """An incident is assigned only after it has a topic; classify it first."""

    field = "topic"


class FinalReplyMissing(RuleBroken):
    """An incident is resolved only after a human published a final reply in this cycle."""


class FirstReplyRepeated(RuleBroken):
    """The citizen already has a reply in this cycle; publish an interim or a final one."""

    field = "kind"


class OtherChannel(RuleBroken):
    """The citizen wrote on {channel} and is answered there; another needs a fallbackReason."""

    field = "channel"


class TimeGoesBackwards(RuleBroken):
    """{field} ({value}) lies before the incident's previous event ({previous})."""

    field = "at"


class NoPersonalData(RuleBroken):
    """The incident holds no personal data, or it has been erased already."""


class Conflict(DomainError):
    """Somebody else was there first."""


class VersionConflict(Conflict):
    """The incident has changed meanwhile; read it again and decide anew."""

    field = "expectedVersion"


class DuplicateMessage(Conflict):
    """This message of the channel is already registered as incident {incident}."""

    field = "externalId"


class CommandIdReused(Conflict):
    """The commandId was used before for another command; take a new one."""

    field = "commandId"


class NotFound(DomainError):
    """Nothing is found under this identifier."""


class IncidentNotFound(NotFound):
    """Region {region} has no incident {incident}."""

    field = "incidentId"


class NotPermitted(DomainError):
    """The viewer has no right to this; sign in with a token whose scope covers it."""


class ReadAfterTimeout(DomainError):
    """The read model has not reached position {position} within {seconds} s; ask again."""

    field = "readAfter"


class StreamLagging(DomainError):
    """You take changes more slowly than they happen; resume after the last cursor you have."""

    field = "after"
