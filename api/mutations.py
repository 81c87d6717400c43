"""Commands: one mutation each. A refusal is part of the answer, typed, naming its field."""

from collections.abc import Awaitable, Callable
from datetime import date, datetime
from uuid import UUID

import strawberry

from api.context import Info
from api.queries import find_incident, read_incident_id
from api.types.incident import Incident
from api.types.node import write_id
from domain import commands
from domain.errors import DomainError, NotFound, NotPermitted
from domain.vocabulary import (
    Cause,
    Clock,
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
from projections.freshness import wait_for
from regions.centre import Position, Result


@strawberry.type(description="Why a command was refused. Nothing was recorded.")
class UserError:
    code: str = strawberry.field(description="Stable name of the broken rule.")
    field: str | None = strawberry.field(description="The input field it is about.")
    message: str = strawberry.field(description="What is wrong and what to do.")

    @classmethod
    def of(cls, refusal: DomainError) -> "UserError":
        return cls(code=refusal.code, field=refusal.field, message=str(refusal))


@strawberry.type(description="What a command led to: a position, or errors.")
class CommandPayload:
    incident_id: strawberry.ID | None = strawberry.field(description="Id of the incident.")
    version: int | None = strawberry.field(description="Version of the incident after it.")
    position: str | None = strawberry.field(
        description="Place of its event in the region's log; give it as readAfter."
    )
    user_errors: list[UserError] = strawberry.field(description="Empty if it was recorded.")
    at: strawberry.Private[Position | None] = None

    @strawberry.field(
        description="The incident with this change in it: waits for the read models, up to 5 s. "
        "Null if the change took it out of the viewer's scope."
    )
    async def incident(self, info: Info) -> Incident | None:
        if self.at is None or self.incident_id is None:
            return None
        await wait_for(info.context.readers, [self.at])
        try:
            return await find_incident(info, self.incident_id)
        except NotPermitted:
            return None  # sent back by its holder, or relocated: no failure of the command

    @classmethod
    def recorded(cls, result: Result) -> "CommandPayload":
        return cls(
            incident_id=write_id("Incident", f"{result.position.region}/{result.incident_id}"),
            version=result.version,
            position=str(result.position),
            user_errors=[],
            at=result.position,
        )

    @classmethod
    def refused(cls, refusal: DomainError) -> "CommandPayload":
        return cls(
            incident_id=None, version=None, position=None, user_errors=[UserError.of(refusal)]
        )


@strawberry.input(description="What every command on an incident needs.")
class CommandInput:
    command_id: UUID = strawberry.field(
        description="Made by the client for this command. Sent again, it gets the first result."
    )
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
class RegisterIncidentInput:
    command_id: UUID = strawberry.field(
        description="Made by the client for this command. Sent again, it gets the first result."
    )
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


@strawberry.type(description="Everything that can be commanded.")
class Mutation:
    @strawberry.mutation(description="Make a citizen's message an incident.")
    async def register_incident(self, info: Info, input: RegisterIncidentInput) -> CommandPayload:
        command = commands.Register(
            municipality=input.municipality,
            channel=input.channel,
            external_id=input.external_id,
            kind=input.kind,
            regime=input.regime,
            published_at=input.published_at,
            latitude=input.latitude,
            longitude=input.longitude,
            citizen=input.citizen.given() if input.citizen else None,
        )

        async def register() -> Result:
            centre = info.context.node.centre(input.region)
            info.context.viewer.require(input.region, input.municipality)
            return await info.context.in_thread(
                lambda: centre.register(
                    command,
                    command_id=input.command_id,
                    at=info.context.clock(),
                    by=info.context.viewer.actor(),
                )
            )

        return await _answered(register)

    @strawberry.mutation(description="It is nothing the state must act on.")
    async def reject_incident(self, info: Info, input: RejectIncidentInput) -> CommandPayload:
        return await _handle(info, input, commands.Reject(reason=input.reason))

    @strawberry.mutation(description="Add what a citizen wrote about an incident.")
    async def add_message(self, info: Info, input: AddMessageInput) -> CommandPayload:
        command = commands.AddMessage(
            channel=input.channel,
            external_id=input.external_id,
            published_at=input.published_at,
            citizen=input.citizen.given() if input.citizen else None,
        )
        return await _handle(info, input, command)

    @strawberry.mutation(description="Let another incident answer for this one.")
    async def merge_incident(self, info: Info, input: MergeIncidentInput) -> CommandPayload:
        try:
            into = _of_same_region(input.into, input.incident_id, field="into")
        except NotFound as refusal:
            return CommandPayload.refused(refusal)
        return await _handle(info, input, commands.Merge(into=into))

    @strawberry.mutation(description="Take an incident out of the one it was merged into.")
    async def unmerge_incident(self, info: Info, input: CommandInput) -> CommandPayload:
        return await _handle(info, input, commands.Unmerge())

    @strawberry.mutation(description="Say that two incidents have to do with each other.")
    async def link_incident(self, info: Info, input: LinkIncidentInput) -> CommandPayload:
        try:
            to = _of_same_region(input.to, input.incident_id)
        except NotFound as refusal:
            return CommandPayload.refused(refusal)
        return await _handle(info, input, commands.Link(to=to, kind=input.kind))

    @strawberry.mutation(description="Say what an incident is about.")
    async def classify_incident(self, info: Info, input: ClassifyIncidentInput) -> CommandPayload:
        return await _handle(info, input, commands.Classify(topic=input.topic))

    @strawberry.mutation(description="Make a body responsible.")
    async def assign_incident(self, info: Info, input: AssignIncidentInput) -> CommandPayload:
        return await _handle(
            info,
            input,
            commands.Assign(
                organisation=input.organisation, holder=input.holder, due_at=input.due_at
            ),
        )

    @strawberry.mutation(description="Send an incident back to triage.")
    async def return_incident(self, info: Info, input: ReturnIncidentInput) -> CommandPayload:
        return await _handle(
            info,
            input,
            commands.Return(
                reason=input.reason, suggested_organisation=input.suggested_organisation
            ),
        )

    @strawberry.mutation(description="Give an incident to another body.")
    async def reassign_incident(self, info: Info, input: ReassignIncidentInput) -> CommandPayload:
        return await _handle(
            info,
            input,
            commands.Reassign(
                organisation=input.organisation, holder=input.holder, reason=input.reason
            ),
        )

    @strawberry.mutation(description="Correct what an incident is about.")
    async def reclassify_incident(self, info: Info, input: ClassifyIncidentInput) -> CommandPayload:
        return await _handle(info, input, commands.Reclassify(topic=input.topic))

    @strawberry.mutation(description="Correct where it happened.")
    async def relocate_incident(self, info: Info, input: RelocateIncidentInput) -> CommandPayload:
        return await _handle(
            info,
            input,
            commands.Relocate(
                municipality=input.municipality, latitude=input.latitude, longitude=input.longitude
            ),
        )

    @strawberry.mutation(description="Say how urgent it is.")
    async def prioritize_incident(
        self, info: Info, input: PrioritizeIncidentInput
    ) -> CommandPayload:
        return await _handle(
            info, input, commands.Prioritize(priority=input.priority, reason=input.reason)
        )

    @strawberry.mutation(description="A simple matter: it gets the short term.")
    async def grant_fast_track(self, info: Info, input: CommandInput) -> CommandPayload:
        return await _handle(info, input, commands.GrantFastTrack())

    @strawberry.mutation(description="Take an assigned incident into work.")
    async def accept_work(self, info: Info, input: CommandInput) -> CommandPayload:
        return await _handle(info, input, commands.AcceptWork())

    @strawberry.mutation(description="Ask the citizen; at most twice in a cycle.")
    async def request_clarification(
        self, info: Info, input: RequestClarificationInput
    ) -> CommandPayload:
        return await _handle(info, input, commands.RequestClarification(question=input.question))

    @strawberry.mutation(description="The citizen answered.")
    async def receive_clarification(
        self, info: Info, input: ReceiveClarificationInput
    ) -> CommandPayload:
        return await _handle(info, input, commands.ReceiveClarification(answer=input.answer))

    @strawberry.mutation(description="Record a talk with the citizen.")
    async def contact_citizen(self, info: Info, input: ContactCitizenInput) -> CommandPayload:
        return await _handle(
            info, input, commands.ContactCitizen(channel=input.channel, note=input.note)
        )

    @strawberry.mutation(description="Write a reply and hand it in for review.")
    async def draft_reply(self, info: Info, input: DraftReplyInput) -> CommandPayload:
        return await _handle(info, input, commands.DraftReply(kind=input.kind, text=input.text))

    @strawberry.mutation(description="Send a draft back, with reasons.")
    async def return_reply(self, info: Info, input: ReturnReplyInput) -> CommandPayload:
        return await _handle(info, input, commands.ReturnReply(reasons=tuple(input.reasons)))

    @strawberry.mutation(description="Let a draft go out. Not by who wrote it.")
    async def approve_reply(self, info: Info, input: ApproveReplyInput) -> CommandPayload:
        return await _handle(info, input, commands.ApproveReply(despite_flaws=input.despite_flaws))

    @strawberry.mutation(description="Record a reply published to the citizen.")
    async def publish_reply(self, info: Info, input: PublishReplyInput) -> CommandPayload:
        command = commands.PublishReply(
            kind=input.kind,
            author=input.author,
            text=input.text,
            channel=input.channel,
            fallback_reason=input.fallback_reason,
        )
        return await _handle(info, input, command)

    @strawberry.mutation(description="Plan the solution for later; needs an interim reply.")
    async def schedule_solution(self, info: Info, input: PromiseInput) -> CommandPayload:
        return await _handle(
            info,
            input,
            commands.ScheduleSolution(promised_on=input.promised_on, reason=input.reason),
        )

    @strawberry.mutation(description="Promise another day; every move is counted.")
    async def move_promise(self, info: Info, input: PromiseInput) -> CommandPayload:
        return await _handle(
            info, input, commands.MovePromise(promised_on=input.promised_on, reason=input.reason)
        )

    @strawberry.mutation(description="State the outcome; needs a final reply in this cycle.")
    async def resolve_incident(self, info: Info, input: ResolveIncidentInput) -> CommandPayload:
        return await _handle(
            info, input, commands.Resolve(outcome=input.outcome, evidence=tuple(input.evidence))
        )

    @strawberry.mutation(description="Nobody else can close it until it is lifted.")
    async def take_personal_control(self, info: Info, input: CommandInput) -> CommandPayload:
        return await _handle(info, input, commands.TakePersonalControl())

    @strawberry.mutation(description="By who took it.")
    async def lift_personal_control(self, info: Info, input: CommandInput) -> CommandPayload:
        return await _handle(info, input, commands.LiftPersonalControl())

    @strawberry.mutation(description="Close a resolved incident.")
    async def close_incident(self, info: Info, input: CommandInput) -> CommandPayload:
        return await _handle(info, input, commands.Close())

    @strawberry.mutation(description="The citizen rates the solution, within 14 days.")
    async def rate_incident(self, info: Info, input: RateIncidentInput) -> CommandPayload:
        return await _handle(
            info, input, commands.Rate(score=input.score, reasons=tuple(input.reasons))
        )

    @strawberry.mutation(description="Say that it is not solved, within 14 days.")
    async def dispute_resolution(self, info: Info, input: DisputeResolutionInput) -> CommandPayload:
        return await _handle(info, input, commands.Dispute(by=input.by, text=input.text))

    @strawberry.mutation(
        description="Begin a new cycle of a disputed incident. Not by who resolved it."
    )
    async def reopen_incident(self, info: Info, input: ReopenIncidentInput) -> CommandPayload:
        return await _handle(info, input, commands.Reopen(reason=input.reason))

    @strawberry.mutation(description="Leave a disputed incident closed. Not by who resolved it.")
    async def decline_reopen(self, info: Info, input: DeclineReopenInput) -> CommandPayload:
        return await _handle(info, input, commands.DeclineReopen(reason=input.reason))

    @strawberry.mutation(description="Ask somebody to go and look.")
    async def request_field_check(self, info: Info, input: CommandInput) -> CommandPayload:
        return await _handle(info, input, commands.RequestFieldCheck())

    @strawberry.mutation(description="Tell what was found there.")
    async def report_field_check(self, info: Info, input: ReportFieldCheckInput) -> CommandPayload:
        return await _handle(
            info,
            input,
            commands.ReportFieldCheck(verdict=input.verdict, evidence=tuple(input.evidence)),
        )

    @strawberry.mutation(description="Say why the problem arose.")
    async def record_root_cause(self, info: Info, input: RecordRootCauseInput) -> CommandPayload:
        return await _handle(
            info, input, commands.RecordRootCause(cause=input.cause, decision=input.decision)
        )

    @strawberry.mutation(description="Give a later deadline.")
    async def extend_deadline(self, info: Info, input: ExtendDeadlineInput) -> CommandPayload:
        return await _handle(
            info,
            input,
            commands.ExtendDeadline(clock=input.clock, due_at=input.due_at, reason=input.reason),
        )

    @strawberry.mutation(
        description="Destroy the key of the citizen's data: unreadable everywhere, for ever. Needs "
        "the right to personal data."
    )
    async def erase_personal_data(self, info: Info, input: CommandInput) -> CommandPayload:
        return await _handle(info, input, commands.ErasePersonalData(), personal_data=True)


def _of_same_region(node_id: str, other: str, *, field: str = "to") -> UUID:
    """The UUID of a second incident. Raises NotFound, also for one of another region."""
    region, incident_id = read_incident_id(node_id, field=field)
    if region != read_incident_id(other, field="incidentId")[0]:
        raise NotFound(field=field)
    return incident_id


async def _handle(
    info: Info, given: CommandInput, command: commands.Command, *, personal_data: bool = False
) -> CommandPayload:
    async def handle() -> Result:
        viewer = info.context.viewer
        viewer.require_scope()
        if personal_data:
            viewer.require_personal_data()
        region, incident_id = read_incident_id(given.incident_id, field="incidentId")
        centre = info.context.node.centre(region)

        return await info.context.in_thread(
            lambda: centre.handle(
                incident_id,
                command,
                command_id=given.command_id,
                at=info.context.clock(),
                by=viewer.actor(),
                expected_version=given.expected_version,
            )
        )

    return await _answered(handle)


async def _answered(command: Callable[[], Awaitable[Result]]) -> CommandPayload:
    try:
        return CommandPayload.recorded(await command())
    except DomainError as refusal:
        return CommandPayload.refused(refusal)
