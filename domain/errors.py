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


class ScoreOutOfRange(InvalidInput):
    """{field} must be between 1 and 5, not {value}."""

    field = "score"


class ConfidenceOutOfRange(InvalidInput):
    """{field} holds a confidence that is not between 0 and 1: {value}."""


class ReasonMissing(InvalidInput):
    """{field} must name at least one reason."""


class ListTooLong(InvalidInput):
    """{field} must have at most {limit} entries."""


class SameIncident(InvalidInput):
    """{field} must name another incident."""


class SourceCodeInvalid(InvalidInput):
    """{field} begins with the code of its region and a hyphen: {region}-vk."""

    field = "code"


class PageTooLarge(InvalidInput):
    """{field} must be between 1 and {limit}; ask for the next page with its cursor."""


class PeriodInvalid(InvalidInput):
    """The period must not end before it begins, and have at most {limit} days."""

    field = "period"


class RegionMissing(InvalidInput):
    """A region must be named: with its municipality, or for flags."""

    field = "region"


class RegionsOfRegion(InvalidInput):
    """Within a region its municipalities or bodies are compared; say which by `of`."""

    field = "region"


class ExportUnclear(InvalidInput):
    """An export is of exactly one thing: a ranking, a board, or incidents."""

    field = "input"


class ExportTooLarge(InvalidInput):
    """An export has at most {limit} rows; narrow {field} by region, topics or registration."""

    field = "incidents"


class RegionElsewhere(DomainError):
    """Region {region} is written by its own node, not here."""

    field = "region"


class RegionAway(DomainError):
    """The node of region {region} does not answer now; what only it can open is not shown."""


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


class InterimReplyMissing(RuleBroken):
    """A solution is planned for later only after the citizen was told so by an interim reply."""


class EvidenceMissing(RuleBroken):
    """SOLVED on the topic {topic} can be seen: add a photo or an act as evidence."""

    field = "evidence"


class PromiseTooLate(RuleBroken):
    """The policy allows a promise until {limit} at the latest."""

    field = "promisedOn"


class PromiseInPast(RuleBroken):
    """A promise lies in the future, not on {value}."""

    field = "promisedOn"


class ReplyNotApproved(RuleBroken):
    """An interim or final reply is published once approved; draft it and have it approved."""

    field = "kind"


class ReplyPending(RuleBroken):
    """Another reply is on its way; wait for it."""


class ReplyFlawed(RuleBroken):
    """The reply has flaws: {flaws}. Return it, or approve it with despiteFlaws."""

    field = "despiteFlaws"


class OwnDraft(RuleBroken):
    """Who drafted a reply does not approve it."""


class ClarificationsExhausted(RuleBroken):
    """The citizen was asked {limit} times in this cycle; decide with what is known."""


class UnderPersonalControl(RuleBroken):
    """{controller} holds this incident under personal control and alone lifts it or closes it."""


class AlreadyUnderControl(RuleBroken):
    """{controller} holds this incident under personal control already."""


class WindowPassed(RuleBroken):
    """This was possible within {days} days of the resolution."""


class RatedAlready(RuleBroken):
    """The citizen has rated this cycle already."""


class OwnDecision(RuleBroken):
    """Somebody other than {name}, who resolved or closed it, decides on reopening."""


class ClockNotRunning(RuleBroken):
    """No {clock} deadline runs on this incident."""

    field = "clock"


class NotDueYet(RuleBroken):
    """The {clock} deadline is not reached yet."""

    field = "clock"


class DoneAlready(RuleBroken):
    """This was recorded before; it happens once."""


class NotLater(RuleBroken):
    """An extension is later than the deadline it replaces ({due_at})."""

    field = "dueAt"


class SameRegion(InvalidInput):
    """{field} must name another region than the incident's own."""

    field = "toRegion"


class HoldsOthers(RuleBroken):
    """Other incidents were merged into it, and stay in this region; take them out first."""


class ReturnTooLate(RuleBroken):
    """It can be returned within {hours} working hours of its assignment; ask its curator."""


class CrisisAlready(RuleBroken):
    """Crisis mode is on since {since}; lift it first."""


class NoCrisis(RuleBroken):
    """Crisis mode is not on."""


class DecisionExists(RuleBroken):
    """A systemic decision with the number {number} is recorded already."""

    field = "number"


class SourceExists(RuleBroken):
    """A source with the code {code} is open already."""

    field = "code"


class SourceUnknown(RuleBroken):
    """No source with the code {code} is open in this region."""

    field = "code"


class PeriodUnsettled(RuleBroken):
    """Deadlines of this period may still be open; it can be published from {settled_on} on."""

    field = "period"


class PublishedAlready(RuleBroken):
    """Publication {publication} answers this; a correction names it in restates."""

    field = "restates"


class NotTheLatest(RuleBroken):
    """A correction restates the latest publication of its question: {latest}."""

    field = "restates"


class RestatementReasonMissing(RuleBroken):
    """A correction says why it restates another publication, and nothing else does."""

    field = "reason"


class OtherNotOpen(RuleBroken):
    """The other incident is {status}: it must be open to answer for this one as well."""

    field = "into"


class OtherClosed(RuleBroken):
    """The incident it was merged into is {status}; nothing can be taken out of it any more."""


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


class TooManyExports(Conflict):
    """{limit} exports of yours are not written yet; wait for one of them."""


class CommandIdReused(Conflict):
    """The commandId was used before for another command; take a new one."""

    field = "commandId"


class NotFound(DomainError):
    """Nothing is found under this identifier."""


class IncidentNotFound(NotFound):
    """Region {region} has no incident {incident}."""

    field = "incidentId"


class UnknownPublication(NotFound):
    """No ranking was published as {publication}."""

    field = "id"


class NotPermitted(DomainError):
    """This is outside the role or scope of who asks; sign in with a token that covers it."""


class ReadAfterTimeout(DomainError):
    """The read model has not reached position {position} within {seconds} s; ask again."""

    field = "readAfter"


class StreamLagging(DomainError):
    """You take changes more slowly than they happen; resume after the last cursor you have."""

    field = "after"
