"""What every command answers: where it was recorded and what came of it, or why it was not."""

import strawberry

from api.context import Info
from api.queries import find_incident
from api.telemetry.observing import observed
from api.types.incident import Incident
from api.types.node import incident_id
from api.types.publication import Publication
from domain.errors import DomainError
from projections.freshness import wait_for
from projections.past.publications import publication_recorded
from regions.centre import Position, Result


@strawberry.type(description="Why a command was refused. Nothing was recorded.")
class UserError:
    code: str = strawberry.field(description="Stable name of the broken rule.")
    field: str | None = strawberry.field(description="The input field it is about.")
    message: str = strawberry.field(description="What is wrong and what to do.")

    @classmethod
    def of(cls, refusal: DomainError) -> "UserError":
        observed().codes.append(refusal.code)
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
        # None also of what was sent back by its holder, or relocated: no failure of the command.
        return await find_incident(info, self.incident_id)

    @classmethod
    def recorded(cls, result: Result) -> "CommandPayload":
        return cls(
            incident_id=incident_id(result.position.region, result.incident_id),
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


@strawberry.type(description="What a ranking was published as, or errors.")
class PublicationPayload:
    position: str | None = strawberry.field(
        description="Place of its event in the network's log; give it as readAfter."
    )
    user_errors: list[UserError] = strawberry.field(description="Empty if it was published.")
    result: strawberry.Private[Result | None] = None

    @strawberry.field(description="The publication: waits for the read models, up to 5 s.")
    async def publication(self, info: Info) -> Publication | None:
        if self.result is None:
            return None
        await wait_for(info.context.readers, [self.result.position])
        async with info.context.reading_all() as connection:
            row = await publication_recorded(connection, self.result.position.pos)
        return Publication.of_row(row)

    @classmethod
    def recorded(cls, result: Result) -> "PublicationPayload":
        return cls(position=str(result.position), user_errors=[], result=result)

    @classmethod
    def refused(cls, refusal: DomainError) -> "PublicationPayload":
        return cls(position=None, user_errors=[UserError.of(refusal)])


@strawberry.type(description="What a command on a centre led to: a position, or errors.")
class OfficePayload:
    version: int | None = strawberry.field(description="Version of the centre after it.")
    position: str | None = strawberry.field(
        description="Place of its event in the region's log; give it as readAfter."
    )
    user_errors: list[UserError] = strawberry.field(description="Empty if it was recorded.")

    @classmethod
    def recorded(cls, result: Result) -> "OfficePayload":
        return cls(version=result.version, position=str(result.position), user_errors=[])

    @classmethod
    def refused(cls, refusal: DomainError) -> "OfficePayload":
        return cls(version=None, position=None, user_errors=[UserError.of(refusal)])
