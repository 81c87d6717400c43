"""Commands: one mutation each. A refusal is part of the answer, typed, naming its field."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import strawberry

from api.context import Info
from api.cost_directives import Cost
from api.exports import ExportMutation
from api.inputs import (
    AddMessageInput,
    ApproveReplyInput,
    AssignIncidentInput,
    CaptureMessageInput,
    ClassifyIncidentInput,
    CloseSourceInput,
    CommandInput,
    ContactCitizenInput,
    DeclareCrisisInput,
    DeclineReopenInput,
    DeletedOnPlatformInput,
    DisputeResolutionInput,
    DraftReplyInput,
    EditMessageInput,
    ExtendDeadlineInput,
    LinkIncidentInput,
    MakeSystemicDecisionInput,
    MergeIncidentInput,
    OfficeCommandInput,
    OpenSourceInput,
    PrioritizeIncidentInput,
    PromiseInput,
    PublishReplyInput,
    RateIncidentInput,
    ReassignIncidentInput,
    ReceiveClarificationInput,
    RecordRootCauseInput,
    RegisterCapturedInput,
    RegisterIncidentInput,
    RejectIncidentInput,
    RelocateIncidentInput,
    ReopenIncidentInput,
    ReportFieldCheckInput,
    RequestClarificationInput,
    ResolveIncidentInput,
    ReturnIncidentInput,
    ReturnReplyInput,
    SubmitReplyInput,
    TransferIncidentInput,
)
from api.payload import CommandPayload, OfficePayload, PublicationPayload
from api.types.node import read_incident_id
from api.types.publication import PublishRankingInput
from domain import commands, office
from domain.errors import DomainError, NotFound, NotPermitted
from domain.publications import check_settled
from projections.past.verification import find
from regions.centre import Result
from regions.offices import command_office
from regions.publications import check_publisher, publish_ranking


@strawberry.type(description="Everything that can be commanded.")
class Mutation(ExportMutation):
    @strawberry.mutation(description="Make a citizen's message an incident.")
    async def register_incident(self, info: Info, input: RegisterIncidentInput) -> CommandPayload:
        return await _begin(info, input, commands.Register(**_message(input)))

    @strawberry.mutation(description="Keep a citizen's message; whether it is an incident is open.")
    async def capture_message(self, info: Info, input: CaptureMessageInput) -> CommandPayload:
        command = commands.Capture(source=input.source, **_message(input))
        return await _begin(info, input, command)

    @strawberry.mutation(description="Make a captured message an incident.")
    async def register_captured(self, info: Info, input: RegisterCapturedInput) -> CommandPayload:
        command = commands.RegisterCaptured(
            municipality=input.municipality,
            kind=input.kind,
            latitude=input.latitude,
            longitude=input.longitude,
        )
        return await _handle(info, input, command)

    @strawberry.mutation(description="The citizen changed the message on its platform.")
    async def edit_message(self, info: Info, input: EditMessageInput) -> CommandPayload:
        command = commands.EditMessage(
            channel=input.channel,
            external_id=input.external_id,
            edited_at=input.edited_at,
            text=input.text,
        )
        return await _handle(info, input, command)

    @strawberry.mutation(description="The message is gone from its platform.")
    async def delete_message(self, info: Info, input: DeletedOnPlatformInput) -> CommandPayload:
        command = commands.DeleteMessage(
            channel=input.channel, external_id=input.external_id, deleted_at=input.deleted_at
        )
        return await _handle(info, input, command)

    @strawberry.mutation(description="Hand an incident to the region it belongs to.")
    async def transfer_incident(self, info: Info, input: TransferIncidentInput) -> CommandPayload:
        return await _handle(info, input, commands.TransferOut(to_region=input.to_region))

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

    @strawberry.mutation(description="Send a reply that needs no review to where it was written.")
    async def submit_reply(self, info: Info, input: SubmitReplyInput) -> CommandPayload:
        return await _handle(info, input, commands.SubmitReply(kind=input.kind, text=input.text))

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

    @strawberry.mutation(description="Our reply is gone from its platform, whoever deleted it.")
    async def note_deleted_reply(self, info: Info, input: DeletedOnPlatformInput) -> CommandPayload:
        command = commands.NoteDeletedReply(
            channel=input.channel, external_id=input.external_id, deleted_at=input.deleted_at
        )
        return await _handle(info, input, command)

    @strawberry.mutation(description="Let a region work by the rules of a crisis.")
    async def declare_crisis(self, info: Info, input: DeclareCrisisInput) -> OfficePayload:
        command = office.DeclareCrisis(
            reason=input.reason,
            topic_groups=tuple(input.topic_groups),
            municipality=input.municipality,
        )
        return await _command_office(info, input, command)

    @strawberry.mutation(description="Back to the usual rules; deadlines that run stay.")
    async def lift_crisis(self, info: Info, input: OfficeCommandInput) -> OfficePayload:
        return await _command_office(info, input, office.LiftCrisis())

    @strawberry.mutation(description="Record what was changed so that a problem does not return.")
    async def make_systemic_decision(
        self, info: Info, input: MakeSystemicDecisionInput
    ) -> OfficePayload:
        command = office.MakeSystemicDecision(
            number=input.number,
            title=input.title,
            topic=input.topic,
            cause=input.cause,
            decided_on=input.decided_on,
        )
        return await _command_office(info, input, command)

    @strawberry.mutation(description="Listen to a group, chat or feed, and answer in it.")
    async def open_source(self, info: Info, input: OpenSourceInput) -> OfficePayload:
        command = office.OpenSource(
            code=input.code,
            channel=input.channel,
            name=input.name,
            address=input.address,
            regime=input.regime,
            municipality=input.municipality,
            topic=input.topic,
            silence_hours=input.silence_hours,
        )
        return await _command_office(info, input, command)

    @strawberry.mutation(description="Listen to a source no more; what came from it stays.")
    async def close_source(self, info: Info, input: CloseSourceInput) -> OfficePayload:
        return await _command_office(info, input, office.CloseSource(code=input.code))

    @strawberry.mutation(
        description="Publish an exact ranking of a settled period for good, or a correction of the "
        "latest one. For the federal level; within a region also for its head.",
        directives=[Cost(weight="30000")],
    )
    async def publish_ranking(self, info: Info, input: PublishRankingInput) -> PublicationPayload:
        try:
            return PublicationPayload.recorded(await _publish(info, input))
        except DomainError as refusal:
            return PublicationPayload.refused(refusal)

    @strawberry.mutation(
        description="Destroy the key of the citizen's data: unreadable everywhere, for ever. Needs "
        "the right to personal data."
    )
    async def erase_personal_data(self, info: Info, input: CommandInput) -> CommandPayload:
        return await _handle(info, input, commands.ErasePersonalData(), personal_data=True)


def _message(given: RegisterIncidentInput) -> dict[str, Any]:
    """What a message is, whatever becomes of it."""
    return {
        "municipality": given.municipality,
        "channel": given.channel,
        "external_id": given.external_id,
        "kind": given.kind,
        "regime": given.regime,
        "published_at": given.published_at,
        "latitude": given.latitude,
        "longitude": given.longitude,
        "citizen": given.citizen.given() if given.citizen else None,
    }


async def _begin(
    info: Info, given: RegisterIncidentInput, command: commands.Register | commands.Capture
) -> CommandPayload:
    async def begin() -> Result:
        viewer = info.context.viewer
        region = viewer.region_meant(given.region)
        centre = info.context.node.centre(region)
        viewer.require(region, given.municipality)
        return await info.context.in_thread(
            lambda: centre.capture(
                command, command_id=given.command_id, at=info.context.clock(), by=viewer.actor()
            )
        )

    return await _answered(begin)


async def _command_office(
    info: Info, given: OfficeCommandInput, command: office.OfficeCommand
) -> OfficePayload:
    async def ask() -> Result:
        viewer = info.context.viewer
        region = viewer.region_meant(given.region)
        centre = info.context.node.centre(region)
        viewer.require_scope()
        return await info.context.in_thread(
            lambda: command_office(
                centre,
                command,
                command_id=given.command_id,
                at=info.context.clock(),
                by=viewer.actor(),
            )
        )

    try:
        return OfficePayload.recorded(await ask())
    except DomainError as refusal:
        return OfficePayload.refused(refusal)


async def _publish(info: Info, given: PublishRankingInput) -> Result:
    catalogue, at = info.context.catalogue, info.context.clock()
    by, command = info.context.viewer.actor(), given.command(catalogue)
    network = info.context.node.network
    try:
        check_publisher(by, command.question)
    except NotPermitted:
        await info.context.in_thread(lambda: network.note(by, command.NAME, None, "REFUSED"))
        raise
    check_settled(command.question, at)  # before the answer is looked for
    async with info.context.reading_all() as connection:
        found = await find(connection, command.question, catalogue=catalogue, now=at)
    return await info.context.in_thread(
        lambda: publish_ranking(network, command, found, command_id=given.command_id, at=at, by=by)
    )


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
