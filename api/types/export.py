"""Exports, as a client sees them. How they are written: workers/exports.py."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

import msgspec
import strawberry

from api.context import Info
from api.links import issue_link
from api.viewer import Viewer
from domain.errors import NotFound
from projections.views.tables import Told
from regions.exports import Export as StoredExport
from regions.exports import ExportFormat, ExportState


@strawberry.type(description="A table that is written as a file.")
class Export:
    id: strawberry.ID = strawberry.field(description="A UUID. Holding it grants no right.")
    format: ExportFormat = strawberry.field(description="As asked.")
    state: ExportState = strawberry.field(description="How far it is.")
    rows_done: int = strawberry.field(description="Written so far.")
    rows_total: int | None = strawberry.field(description="Null until they are counted.")
    error: str | None = strawberry.field(
        description="Kind of the last error; unless it FAILED another attempt follows."
    )
    asked_at: datetime = strawberry.field(description="When it was asked for.")
    finished_at: datetime | None = strawberry.field(description="When it was READY, or FAILED.")
    expires_at: datetime = strawberry.field(description="From then on it is nowhere.")
    filename: str = strawberry.field(description="What the file is called.")
    bytes: int | None = strawberry.field(description="Its size, once READY.")
    sha256: str | None = strawberry.field(description="Of the file, in hex, once READY.")
    told_at: datetime | None = strawberry.field(
        description="The moment that is open, overdue or waiting in it."
    )
    positions: list[str] | None = strawberry.field(
        description="Up to which event of each region it tells (`63:1042`), once READY."
    )
    first: date | None = strawberry.field(description="First day of its period; not of incidents.")
    last: date | None = strawberry.field(description="Last day.")
    method: str | None = strawberry.field(description="Of a ranking: by which rules.")
    provisional: bool | None = strawberry.field(
        description="The deadlines of the period have not all passed: what is told may change."
    )
    uuid: strawberry.Private[UUID]

    @strawberry.field(
        description="Where to get the file, at the address of this API; it opens this export to "
        "whoever holds it, for 10 minutes. Null until READY."
    )
    def url(self, info: Info) -> str | None:
        if self.state is not ExportState.READY:
            return None
        link = issue_link(info.context.token_key, self.uuid, now=info.context.clock())
        return f"/exports/{self.uuid}/{self.filename}?link={link}"

    @classmethod
    def of(cls, stored: StoredExport) -> "Export":
        told = msgspec.json.decode(stored.told, type=Told) if stored.told else None
        period = told.period if told else None
        return cls(
            id=strawberry.ID(str(stored.id)),
            format=stored.format,
            state=stored.state,
            rows_done=stored.rows_done,
            rows_total=stored.rows_total,
            error=stored.error,
            asked_at=stored.asked_at,
            finished_at=stored.finished_at,
            expires_at=stored.expires_at,
            filename=filename(stored),
            bytes=stored.size_bytes,
            sha256=stored.sha256,
            told_at=told.at if told else None,
            positions=told.positions if told else None,
            first=period.first if period else None,
            last=period.last if period else None,
            method=told.method if told else None,
            provisional=told.provisional if told else None,
            uuid=stored.id,
        )


def filename(stored: StoredExport) -> str:
    return f"export-{stored.asked_at:%Y%m%dT%H%M%SZ}.{stored.format.lower()}"


def is_theirs(stored: StoredExport, viewer: Viewer) -> bool:
    """Whether the viewer asked for it, and may still see what they saw then."""
    return viewer.name == stored.asked_by and viewer.sees_all_of(stored.scope)


def read_export_id(given: str) -> UUID:
    """Raises NotFound for what was never an id of ours."""
    try:
        return UUID(given)
    except ValueError:
        raise NotFound(field="id") from None


@strawberry.type
class ExportQuery:
    """Part of the query type (api/queries.py)."""

    @strawberry.field(
        description="An export of the viewer's own; null where there is none (any more). Needs a "
        "token."
    )
    async def export(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="Of the export.")],
    ) -> Export | None:
        viewer, exports = info.context.viewer, info.context.node.exports
        viewer.require_scope()
        export_id, now = read_export_id(id), info.context.clock()
        found = await info.context.in_thread(lambda: exports.find(export_id, at=now))
        return Export.of(found) if found and is_theirs(found, viewer) else None

    @strawberry.field(
        description="The viewer's own exports that have not expired, the last first, at most 100. "
        "Needs a token."
    )
    async def exports(self, info: Info) -> list[Export]:
        viewer, exports = info.context.viewer, info.context.node.exports
        viewer.require_scope()
        now = info.context.clock()
        found = await info.context.in_thread(lambda: exports.asked_by(viewer.name, at=now))
        return [Export.of(each) for each in found if is_theirs(each, viewer)]
