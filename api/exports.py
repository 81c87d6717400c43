"""Asking for exports: the same rights as of the query that tells the same."""

from uuid import UUID

import msgspec
import strawberry

from api.context import Info
from api.payload import UserError
from api.queries import (
    IncidentFilterInput,
    evidence_behind,
    filter_within_scope,
    flagged_in,
)
from api.types.export import Export
from api.types.figures import PeriodInput, SideBySide
from api.types.ranking import RankingInput
from domain.errors import DomainError, ExportUnclear
from projections.incident_list import count_incidents
from projections.statistics.exact import Unit
from projections.statistics.units import Area
from projections.views.tables import (
    EXPORT_ROWS_MAX,
    BoardWanted,
    IncidentsWanted,
    RankingWanted,
    Wanted,
    check_rows,
)
from regions.exports import ExportFormat
from regions.reference.catalogue import Catalogue


@strawberry.input(description="A ranking, as the query `ranking` tells it.")
class RankingExportInput(RankingInput):
    exact: bool = strawberry.field(
        default=False, description="Quantiles from the incidents themselves."
    )

    def wanted(self, catalogue: Catalogue) -> RankingWanted:
        """Raises UnknownRegion, RegionsOfRegion and PeriodInvalid."""
        return RankingWanted(self.question(catalogue), self.exact)


@strawberry.input(description="A board: of the country where neither place is named.")
class BoardExportInput:
    period: PeriodInput = strawberry.field(description="Over which days.")
    region: str | None = strawberry.field(default=None, description="Code of the region.")
    municipality: str | None = strawberry.field(default=None, description="Code, without region.")
    side_by_side: SideBySide | None = strawberry.field(
        default=None,
        description="What follows the unit's own row; null: the units one level below.",
    )

    def wanted(self, catalogue: Catalogue) -> BoardWanted:
        """Raises UnknownRegion, UnknownMunicipality and PeriodInvalid."""
        return BoardWanted(
            period=self.period.period(),
            area=self._area(catalogue),
            side_by_side=Unit[self.side_by_side.name] if self.side_by_side else None,
        )

    def _area(self, catalogue: Catalogue) -> Area:
        if self.region is not None:
            catalogue.region(self.region)
        if self.municipality is None:
            return Area(self.region)
        place = catalogue.municipality(self.municipality, region=self.region)
        return Area(self.region or place.region, place.code)


@strawberry.input(description="Exactly one of `ranking`, `board` and `incidents`, and the format.")
class RequestExportInput:
    command_id: UUID = strawberry.field(
        description="Made by the client; asked again with the same id it is the same export."
    )
    format: ExportFormat = strawberry.field(description="Of the file.")
    ranking: RankingExportInput | None = strawberry.field(default=None, description="A ranking.")
    board: BoardExportInput | None = strawberry.field(default=None, description="A board.")
    incidents: IncidentFilterInput | None = strawberry.field(
        default=None, description="Incidents, as the query `incidents` lists them."
    )

    def wanted(self, info: Info) -> Wanted:
        """Within the viewer's scope. Raises ExportUnclear, and what the query fields raise."""
        catalogue = info.context.catalogue
        match self.ranking, self.board, self.incidents:
            case RankingExportInput() as ranking, None, None:
                return ranking.wanted(catalogue)
            case None, BoardExportInput() as board, None:
                return board.wanted(catalogue)
            case None, None, IncidentFilterInput() as chosen:
                return IncidentsWanted(filter_within_scope(info, chosen), flagged_in(chosen))
        raise ExportUnclear


@strawberry.type(description="The export that was asked for, or errors.")
class ExportPayload:
    export: Export | None = strawberry.field(description="Ask for it again until it is READY.")
    user_errors: list[UserError] = strawberry.field(description="Empty if it was accepted.")

    @classmethod
    def refused(cls, refusal: DomainError) -> "ExportPayload":
        return cls(export=None, user_errors=[UserError.of(refusal)])


@strawberry.type
class ExportMutation:
    """Part of the mutation type (api/mutations.py)."""

    @strawberry.mutation(
        description="Have a ranking, a board or a list of incidents written as a file, within what "
        "the viewer may see. Needs a token."
    )
    async def request_export(self, info: Info, input: RequestExportInput) -> ExportPayload:
        try:
            return ExportPayload(export=await _request(info, input), user_errors=[])
        except DomainError as refusal:
            return ExportPayload.refused(refusal)


async def _request(info: Info, given: RequestExportInput) -> Export:
    viewer, now = info.context.viewer, info.context.clock()
    by, wanted = viewer.actor(), given.wanted(info)
    rows_total = await _counted(info, wanted)
    exports = info.context.node.exports
    stored = await info.context.in_thread(
        lambda: exports.ask(
            given.command_id,
            by,
            msgspec.json.encode(wanted),
            given.format,
            rows_total=rows_total,
            at=now,
        )
    )
    return Export.of(stored)


async def _counted(info: Info, wanted: Wanted) -> int | None:
    """Rows of a list of incidents; others are few. Raises ExportTooLarge."""
    if not isinstance(wanted, IncidentsWanted):
        return None
    now, behind = info.context.clock(), await evidence_behind(info, wanted.chosen, wanted.flagged)
    async with info.context.reading() as connection:
        rows_total = await count_incidents(
            connection, wanted.chosen, now=now, limit=EXPORT_ROWS_MAX + 1, evidence=behind
        )
    check_rows(rows_total)
    return rows_total
