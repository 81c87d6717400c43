"""What is said with each command; commands that say nothing more share CommandInput."""

from datetime import date, datetime
from uuid import NAMESPACE_OID, UUID, uuid5

import strawberry

from domain import commands
from domain.vocabulary import (
    Cause,
    Clock,
    CrisisReason,
    DeclineReason,
    DisputeBy,
    FallbackReason,
    Kind,
    LinkKind,
    Outcome,
    Priority,
    PriorityReason,
    PromiseReason,
    RatingReason,
    ReassignReason,
    Regime,
    RejectReason,
    ReopenReason,
    ReplyAuthor,
    ReplyFlaw,
    ReplyKind,
    ReturnReason,
    Verdict,
)

OF_CLIENTS = uuid5(NAMESPACE_OID, "tsur client")


@strawberry.input(description="What every command needs.")
class GivenInput:
    command_id: UUID = strawberry.field(
        description="Made by the client for this command. Sent again, it gets the first result."
    )

    def __post_init__(self) -> None:
        """Keep it apart from the ids that we make ourselves, which follow from what all can see.

        Whoever gave a command under one of those first would keep ours from being recorded.
        """
        self.command_id = uuid5(OF_CLIENTS, self.command_id.hex)


@strawberry.input(description="What every command on an incident needs.")
class CommandInput(GivenInput):
    incident_id: strawberry.ID = strawberry.field(description="Which incident.")
    expected_version: int | None = strawberry.field(
        default=None, description="Refuse if the incident has changed since this version."
    )


@strawberry.input(description="The citizen's own words and how to reach them; kept sealed.")
class CitizenInput:
    text: str = strawberry.field(description="The message, up to 20,000 characters.")
    name: str | None = strawberry.field(default=None, description="Up to 200 characters.")
    contact: str | None = strawberry.field(default=None, description="Up to 200 characters.")

    def given(self) -> commands.Citizen:
        return commands.Citizen(name=self.name, contact=self.contact, text=self.text)


@strawberry.input(description="A citizen's message that becomes an incident.")
class RegisterIncidentInput(GivenInput):
    region: str = strawberry.field(description="Code of the region.")
    municipality: str | None = strawberry.field(
        default=None, description="Code; null while it is not located."
    )
    channel: str = strawberry.field(description="Code of the channel.")
    external_id: str | None = strawberry.field(
        default=None, description="The message's own id on its channel: one becomes one incident."
    )
    kind: Kind = strawberry.field(default=Kind.COMPLAINT, description="What the citizen wants.")
    regime: Regime = strawberry.field(
        default=Regime.IM, description="Under which rules it must be answered."
    )
    published_at: datetime = strawberry.field(description="When the citizen wrote, with an offset.")
    latitude: float | None = strawberry.field(default=None, description="Degrees.")
    longitude: float | None = strawberry.field(default=None, description="Degrees.")
    citizen: CitizenInput | None = strawberry.field(default=None, description="Who wrote what.")


@strawberry.input(description="A message that is kept; what becomes of it is decided later.")
class CaptureMessageInput(RegisterIncidentInput):
    source: str | None = strawberry.field(
        default=None, description="Code of the group, chat or feed it was found in."
    )


@strawberry.input(description="A captured message that becomes an incident.")
class RegisterCapturedInput(CommandInput):
    municipality: str | None = strawberry.field(
        default=None, description="Code; null: as it was captured."
    )
    kind: Kind | None = strawberry.field(
        default=None, description="What the citizen wants; null: as it was captured."
    )
    latitude: float | None = strawberry.field(default=None, description="Degrees.")
    longitude: float | None = strawberry.field(default=None, description="Degrees.")


@strawberry.input(description="The citizen changed the text on the platform.")
class EditMessageInput(CommandInput):
    channel: str = strawberry.field(description="Code of the channel.")
    external_id: str = strawberry.field(description="The message's own id there.")
    edited_at: datetime = strawberry.field(description="When, with an offset.")
    text: str = strawberry.field(description="As it reads now; kept sealed.")


@strawberry.input(description="A message, or a reply of ours, is gone from its platform.")
class DeletedOnPlatformInput(CommandInput):
    channel: str = strawberry.field(description="Code of the channel.")
    external_id: str = strawberry.field(description="Its own id there.")
    deleted_at: datetime = strawberry.field(description="When, with an offset.")


@strawberry.input(description="To which region it belongs.")
class TransferIncidentInput(CommandInput):
    to_region: str = strawberry.field(description="Code of the other region.")


@strawberry.input(description="What every command on a centre needs.")
class OfficeCommandInput(GivenInput):
    region: str = strawberry.field(description="Code of the region.")


@strawberry.input(description="Work by the rules of a crisis from now on.")
class DeclareCrisisInput(OfficeCommandInput):
    reason: CrisisReason = strawberry.field(description="Why.")
    topic_groups: list[str] = strawberry.field(
        default_factory=list, description="Codes of the groups it is about; none: all."
    )
    municipality: str | None = strawberry.field(
        default=None, description="Where; null: in all of the region."
    )


@strawberry.input(description="What was changed so that a kind of problem does not come back.")
class MakeSystemicDecisionInput(OfficeCommandInput):
    number: str = strawberry.field(description="Of the act; recordRootCause names it.")
    title: str = strawberry.field(description="In words, up to 200 characters.")
    topic: str = strawberry.field(description="Code of the topic.")
    cause: Cause = strawberry.field(description="What it does away with.")
    decided_on: date = strawberry.field(description="When it was decided.")


@strawberry.input(description="A group, chat or feed to listen to and answer in.")
class OpenSourceInput(OfficeCommandInput):
    code: str = strawberry.field(description="Our own, unique in the region.")
    channel: str = strawberry.field(description="Code of its channel.")
    name: str = strawberry.field(description="As people call it.")
    address: str = strawberry.field(description="How its platform names it: a group's id.")
    regime: Regime = strawberry.field(
        default=Regime.IM, description="Under which rules its messages are answered."
    )
    municipality: str | None = strawberry.field(default=None, description="Whose group it is.")
    topic: str | None = strawberry.field(
        default=None, description="What everything there is about."
    )
    silence_hours: int | None = strawberry.field(
        default=None, description="After which nothing heard is an alarm."
    )


@strawberry.input(description="A source that is listened to no more.")
class CloseSourceInput(OfficeCommandInput):
    code: str = strawberry.field(description="Of the source.")


@strawberry.input(description="Why a message is no incident.")
class RejectIncidentInput(CommandInput):
    reason: RejectReason = strawberry.field(
        description="One that belongs to another region is transferred instead."
    )


@strawberry.input(description="A further message about the same matter.")
class AddMessageInput(CommandInput):
    channel: str = strawberry.field(description="Code of the channel.")
    external_id: str | None = strawberry.field(
        default=None, description="The message's own id on its channel: it is added once."
    )
    published_at: datetime = strawberry.field(description="When the citizen wrote, with an offset.")
    citizen: CitizenInput | None = strawberry.field(default=None, description="Who wrote what.")


@strawberry.input(description="The same matter as another incident, which answers for both.")
class MergeIncidentInput(CommandInput):
    into: strawberry.ID = strawberry.field(description="An open incident of the same region.")


@strawberry.input(description="Two incidents of one region that have to do with each other.")
class LinkIncidentInput(CommandInput):
    to: strawberry.ID = strawberry.field(description="The other incident.")
    kind: LinkKind = strawberry.field(default=LinkKind.RELATED, description="In which way.")


@strawberry.input(description="What an incident is about.")
class ClassifyIncidentInput(CommandInput):
    topic: str = strawberry.field(description="Code of a topic, not of a group.")


@strawberry.input(description="Who must act, and by when.")
class AssignIncidentInput(CommandInput):
    organisation: str = strawberry.field(description="Code of a body of the region.")
    holder: str | None = strawberry.field(default=None, description="Login of a person there.")
    due_at: datetime | None = strawberry.field(
        default=None, description="Deadline for the resolution; null: by the region's policy."
    )


@strawberry.input(description="Back to triage: not ours.")
class ReturnIncidentInput(CommandInput):
    reason: ReturnReason = strawberry.field(description="Why.")
    suggested_organisation: str | None = strawberry.field(
        default=None, description="Code of the body that should have it."
    )


@strawberry.input(description="Another body gets it; no clock starts anew.")
class ReassignIncidentInput(CommandInput):
    organisation: str = strawberry.field(description="Code of a body of the region.")
    holder: str | None = strawberry.field(default=None, description="Login of a person there.")
    reason: ReassignReason = strawberry.field(description="Why.")


@strawberry.input(description="It happened in another municipality of the region.")
class RelocateIncidentInput(CommandInput):
    municipality: str = strawberry.field(description="Its code.")
    latitude: float | None = strawberry.field(default=None, description="Degrees.")
    longitude: float | None = strawberry.field(default=None, description="Degrees.")


@strawberry.input(description="How urgent it is: a higher priority has shorter deadlines.")
class PrioritizeIncidentInput(CommandInput):
    priority: Priority = strawberry.field(description="Normal or high.")
    reason: PriorityReason = strawberry.field(description="Why.")


@strawberry.input(description="What the citizen is asked; the solution clock waits meanwhile.")
class RequestClarificationInput(CommandInput):
    question: str = strawberry.field(description="Up to 20,000 characters; kept sealed.")


@strawberry.input(description="What the citizen answered.")
class ReceiveClarificationInput(CommandInput):
    answer: str = strawberry.field(description="Up to 20,000 characters; kept sealed.")


@strawberry.input(description="The executor spoke with the citizen directly.")
class ContactCitizenInput(CommandInput):
    channel: str = strawberry.field(description="Code of the channel.")
    note: str | None = strawberry.field(default=None, description="What about; kept sealed.")


@strawberry.input(description="A reply to be approved.")
class DraftReplyInput(CommandInput):
    kind: ReplyKind = strawberry.field(description="First, interim or final.")
    text: str = strawberry.field(description="Up to 20,000 characters; kept sealed.")


@strawberry.input(description="What a draft must be rid of.")
class ReturnReplyInput(CommandInput):
    reasons: list[ReplyFlaw] = strawberry.field(description="At least one.")


@strawberry.input(description="The draft may go out.")
class ApproveReplyInput(CommandInput):
    despite_flaws: bool = strawberry.field(
        default=False, description="Answer for the flaws that the rules found in it."
    )


@strawberry.input(description="A reply that goes out to the citizen's platform by itself.")
class SubmitReplyInput(CommandInput):
    text: str = strawberry.field(description="Up to 20,000 characters; kept sealed.")
    kind: ReplyKind = strawberry.field(
        default=ReplyKind.FIRST,
        description="FIRST needs no review; others only from who could approve them.",
    )


@strawberry.input(description="A reply that was published to the citizen.")
class PublishReplyInput(CommandInput):
    kind: ReplyKind = strawberry.field(description="First, interim or final.")
    author: ReplyAuthor = strawberry.field(
        default=ReplyAuthor.HUMAN, description="AUTO replies count for nothing."
    )
    text: str | None = strawberry.field(
        default=None, description="Up to 20,000 characters; null: as it was drafted and approved."
    )
    channel: str | None = strawberry.field(
        default=None, description="Code; null is the channel the citizen wrote on."
    )
    fallback_reason: FallbackReason | None = strawberry.field(
        default=None, description="Why on another channel than the citizen's."
    )


@strawberry.input(description="By when the citizen was told it will be solved.")
class PromiseInput(CommandInput):
    promised_on: date = strawberry.field(description="A day of the incident's place.")
    reason: PromiseReason = strawberry.field(description="Why not now.")


@strawberry.input(description="What became of the problem.")
class ResolveIncidentInput(CommandInput):
    outcome: Outcome = strawberry.field(description="With what result.")
    evidence: list[str] = strawberry.field(
        default_factory=list, description="Where photos and acts are kept; up to 20."
    )


@strawberry.input(description="What the citizen thinks of it.")
class RateIncidentInput(CommandInput):
    score: int = strawberry.field(description="1 to 5; 1 and 2 dispute the resolution as well.")
    reasons: list[RatingReason] = strawberry.field(default_factory=list, description="Why.")


@strawberry.input(description="It is not solved.")
class DisputeResolutionInput(CommandInput):
    by: DisputeBy = strawberry.field(description="Who says so.")
    text: str | None = strawberry.field(default=None, description="In which words; kept sealed.")


@strawberry.input(description="Why a disputed incident begins a new cycle.")
class ReopenIncidentInput(CommandInput):
    reason: ReopenReason = strawberry.field(description="Why.")


@strawberry.input(description="Why a disputed incident stays closed.")
class DeclineReopenInput(CommandInput):
    reason: DeclineReason = strawberry.field(description="Why.")


@strawberry.input(description="What somebody found who went there.")
class ReportFieldCheckInput(CommandInput):
    verdict: Verdict = strawberry.field(description="Anything but DONE disputes the resolution.")
    evidence: list[str] = strawberry.field(
        default_factory=list, description="Where photos are kept; up to 20."
    )


@strawberry.input(description="Why the problem arose.")
class RecordRootCauseInput(CommandInput):
    cause: Cause = strawberry.field(description="As far as the curator knows.")
    decision: str | None = strawberry.field(
        default=None, description="Number of the systemic decision that followed."
    )


@strawberry.input(description="A later deadline; the one before stays known.")
class ExtendDeadlineInput(CommandInput):
    due_at: datetime = strawberry.field(description="With an offset.")
    clock: Clock = strawberry.field(default=Clock.SOLUTION, description="Which deadline.")
    reason: PromiseReason = strawberry.field(description="Why.")
