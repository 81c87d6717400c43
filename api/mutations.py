"""Commands: one mutation each. A refusal is part of the answer, typed, naming its field."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from uuid import UUID

import strawberry

from api.context import Info
from api.queries import find_incident, read_incident_id
from api.types.incident import Incident
from api.types.node import write_id
from domain import commands
from domain.errors import DomainError
from domain.vocabulary import (
    FallbackReason,
    Kind,
    Outcome,
    ReopenReason,
    ReplyAuthor,
    ReplyKind,
    ReturnReason,
)
from projections.freshness import wait_for
from regions.centre import Position, Result

strawberry.enum(ReturnReason, description="Why an executor sends an incident back.")
strawberry.enum(FallbackReason, description="Why a reply is not published where the citizen wrote.")
strawberry.enum(ReopenReason, description="Why a finished incident begins a new cycle.")


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
        description="The incident with this change in it: waits for the read models, up to 5 s."
    )
    async def incident(self, info: Info) -> Incident | None:
        if self.at is None or self.incident_id is None:
            return None
        await wait_for(info.context.readers, [self.at])
        return await find_incident(info, self.incident_id)

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
    published_at: datetime = strawberry.field(description="When the citizen wrote, with an offset.")
    latitude: float | None = strawberry.field(default=None, description="Degrees.")
    longitude: float | None = strawberry.field(default=None, description="Degrees.")
    citizen: CitizenInput | None = strawberry.field(default=None, description="Who wrote what.")


@strawberry.input(description="What an incident is about.")
class ClassifyIncidentInput(CommandInput):
    topic: str = strawberry.field(description="Code of a topic, not of a group.")


@strawberry.input(description="Who must act, and by when.")
class AssignIncidentInput(CommandInput):
    organisation: str = strawberry.field(description="Code of a body of the region.")
    due_at: datetime | None = strawberry.field(
        default=None, description="Deadline for the resolution, with an offset."
    )


@strawberry.input(description="Back to triage: not ours.")
class ReturnIncidentInput(CommandInput):
    reason: ReturnReason = strawberry.field(description="Why.")
    suggested_organisation: str | None = strawberry.field(
        default=None, description="Code of the body that should have it."
    )


@strawberry.input(description="A reply that was published to the citizen.")
class PublishReplyInput(CommandInput):
    kind: ReplyKind = strawberry.field(description="First, interim or final.")
    author: ReplyAuthor = strawberry.field(
        default=ReplyAuthor.HUMAN, description="AUTO replies count for nothing."
    )
    text: str | None = strawberry.field(default=None, description="Up to 20,000 characters.")
    channel: str | None = strawberry.field(
        default=None, description="Code; null is the channel the citizen wrote on."
    )
    fallback_reason: FallbackReason | None = strawberry.field(
        default=None, description="Why on another channel than the citizen's."
    )


@strawberry.input(description="What became of the problem.")
class ResolveIncidentInput(CommandInput):
    outcome: Outcome = strawberry.field(description="With what result.")


@strawberry.input(description="Why a finished incident begins a new cycle.")
class ReopenIncidentInput(CommandInput):
    reason: ReopenReason = strawberry.field(description="Why.")


@strawberry.type(description="Everything that can be commanded.")
class Mutation:
    @strawberry.mutation(description="Make a citizen's message an incident.")
    async def register_incident(self, info: Info, input: RegisterIncidentInput) -> CommandPayload:
        command = commands.Register(
            municipality=input.municipality,
            channel=input.channel,
            external_id=input.external_id,
            kind=input.kind,
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

    @strawberry.mutation(description="Say what an incident is about.")
    async def classify_incident(self, info: Info, input: ClassifyIncidentInput) -> CommandPayload:
        return await _handle(info, input, commands.Classify(topic=input.topic))

    @strawberry.mutation(description="Make a body responsible.")
    async def assign_incident(self, info: Info, input: AssignIncidentInput) -> CommandPayload:
        command = commands.Assign(organisation=input.organisation, due_at=input.due_at)
        return await _handle(info, input, command)

    @strawberry.mutation(description="Send an incident back to triage.")
    async def return_incident(self, info: Info, input: ReturnIncidentInput) -> CommandPayload:
        command = commands.Return(
            reason=input.reason, suggested_organisation=input.suggested_organisation
        )
        return await _handle(info, input, command)

    @strawberry.mutation(description="Take an assigned incident into work.")
    async def accept_work(self, info: Info, input: CommandInput) -> CommandPayload:
        return await _handle(info, input, commands.AcceptWork())

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

    @strawberry.mutation(description="State the outcome; needs a final reply in this cycle.")
    async def resolve_incident(self, info: Info, input: ResolveIncidentInput) -> CommandPayload:
        return await _handle(info, input, commands.Resolve(outcome=input.outcome))

    @strawberry.mutation(description="Close a resolved incident.")
    async def close_incident(self, info: Info, input: CommandInput) -> CommandPayload:
        return await _handle(info, input, commands.Close())

    @strawberry.mutation(description="Begin a new cycle of a finished incident.")
    async def reopen_incident(self, info: Info, input: ReopenIncidentInput) -> CommandPayload:
        return await _handle(info, input, commands.Reopen(reason=input.reason))

    @strawberry.mutation(
        description="Destroy the key of the citizen's data: unreadable everywhere, for ever. Needs "
        "the right to personal data."
    )
    async def erase_personal_data(self, info: Info, input: CommandInput) -> CommandPayload:
        return await _handle(info, input, commands.ErasePersonalData(), personal_data=True)


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
                permit=lambda incident: viewer.require(region, incident.municipality),
            )
        )

    return await _answered(handle)


async def _answered(command: Callable[[], Awaitable[Result]]) -> CommandPayload:
    try:
        return CommandPayload.recorded(await command())
    except DomainError as refusal:
        return CommandPayload.refused(refusal)
