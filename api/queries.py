"""Questions: each resolver checks the right, asks one view, shapes the answer."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry

from api.cache_control import A_SECOND
from api.context import Info
from api.cost_directives import Cost, ListSize
from api.entities import EntityQuery
from api.telemetry.observing import observed
from api.types.backed import Made, OfRows, backed_by
from api.types.briefing import BriefingQuery
from api.types.catalogue import (
    Channel,
    Exact,
    Municipality,
    Region,
    Topic,
    check_exact,
)
from api.types.explanation import RankExplanation, WithoutInput, require_unit
from api.types.export import ExportQuery
from api.types.figures import Board, BoardOf, PeriodInput, durations_asked
from api.types.heat_map import MapQuery
from api.types.incident import Incident, columns_asked, incidents_seen
from api.types.node import Node, read_id, read_incident_id
from api.types.policy_replay import PolicyQuery
from api.types.publication import PublicationQuery
from api.types.ranking import Ranking, RankingInput, TimeKind, extra_cost, is_exact
from api.types.sources import RoutingStep, Source
from api.types.templates import FieldValueInput, FilledTemplate, ReplyTemplate
from domain.commands import check_date
from domain.errors import CursorInvalid, ListTooLong, NotPermitted, PageTooLarge
from domain.rights import NETWORK, Scope, region_proper
from domain.vocabulary import (
    Outcome,
    Ranked,
    RankedBy,
    RankingMethod,
    ReplyKind,
    Status,
)
from projections.feed import progress
from projections.freshness import parse_position, wait_for
from projections.history import HistoryKey
from projections.history import as_of as as_of_row
from projections.incident_list import (
    IncidentFilter,
    Place,
    evidence_of,
    incident_page,
)
from projections.incidents import IncidentRow
from projections.listening import sources_of
from projections.queues import Queue
from projections.release import version_of
from projections.rows import Rows
from projections.statistics.units import Area
from projections.views import federal
from projections.views.explanations import explain
from projections.views.flag_counts import Evidence, Flagged, FlagKind
from regions.centre import Position
from regions.reference.routing import Matter

PAGE_MAX = 100
LISTED_MAX = 200  # codes of a filter; the catalogue has fewer of each

ReadAfter = Annotated[
    list[str] | None,
    strawberry.argument(
        description="Positions (`63:1042`) the answer must include, as mutations return them. "
        "Waits up to 5 s."
    ),
]


@strawberry.input(description="After how long a reply is slow.")
class SlowReplyInput:
    seconds: float = strawberry.field(description="From publication, in the time of `clock`.")
    clock: TimeKind = strawberry.field(
        default=TimeKind.WORKING, description="Working or calendar time."
    )


@strawberry.input(description="The incidents behind the figures of a flag, raised or not.")
class FlaggedInput:
    kind: FlagKind = strawberry.field(description="Of which flag.")
    period: PeriodInput = strawberry.field(description="Of which board.")


@strawberry.input(description="Which incidents; what is null does not filter.")
class IncidentFilterInput:
    region: str | None = strawberry.field(default=None, description="Code of the region.")
    municipality: str | None = strawberry.field(default=None, description="Its code.")
    organisation: str | None = strawberry.field(default=None, description="Code of the holder.")
    queue: Queue | None = strawberry.field(default=None, description="What waits for somebody.")
    topics: list[str] | None = strawberry.field(default=None, description="Codes; any of them.")
    statuses: list[Status] | None = strawberry.field(default=None, description="Any of them.")
    channels: list[str] | None = strawberry.field(default=None, description="Codes; any of them.")
    registered_from: datetime | None = strawberry.field(default=None, description="Included.")
    registered_before: datetime | None = strawberry.field(default=None, description="Excluded.")
    counted_in: PeriodInput | None = strawberry.field(
        default=None, description="Counted in the figures of these local days: their cohort."
    )
    reply_slower_than: SlowReplyInput | None = strawberry.field(
        default=None, description="No human had replied by then: slow, or waiting still."
    )
    flagged: FlaggedInput | None = strawberry.field(
        default=None,
        description="Counted for a flag of the municipality or region that this filter, or the "
        "scope of the viewer, names.",
    )
    overdue: bool | None = strawberry.field(
        default=None, description="Open and past the deadline, or (false) not."
    )


@strawberry.federation.type(
    shareable=True, description="Whether there is more, and where to go on."
)
class PageInfo:
    rows: strawberry.Private[Sequence[IncidentRow]]
    has_next_page: bool = strawberry.field(description="Whether another page follows.")
    has_previous_page: bool = strawberry.field(description="Whether this is not the first page.")

    @strawberry.field(description="Cursor of the first edge.")
    def start_cursor(self) -> str | None:
        return Place.of(self.rows[0]).cursor() if self.rows else None

    @strawberry.field(description="Give it as `after` for the next page.")
    def end_cursor(self) -> str | None:
        return Place.of(self.rows[-1]).cursor() if self.rows else None


def write_cursor(registered_at: datetime, id: UUID) -> str:
    return Place(registered_at, id).cursor()


@backed_by("row", node=Made(Incident), cursor=Made(write_cursor, ("registered_at", "id")))
@strawberry.type(description="An incident at its place in the list.")
class IncidentEdge:
    row: strawberry.Private[IncidentRow]

    def __init__(self, row: IncidentRow) -> None:
        self.row = row

    node: Incident = strawberry.field(description="The incident.")
    cursor: str = strawberry.field(description="Its place, stable while others come and go.")


@strawberry.type(description="A page of incidents, the newest registration first.")
class IncidentConnection:
    edges: Sequence[IncidentEdge] = strawberry.field(description="The page.")
    page_info: PageInfo = strawberry.field(description="Whether there is more.")


@strawberry.type(description="How far the read models have come in one region.")
class ProjectionStatus:
    projection: str = strawberry.field(description="Name and version of the read models.")
    region: str = strawberry.field(description="Code of the region.")
    head: int = strawberry.field(description="Last position recorded.")
    position: int = strawberry.field(description="Last position taken in.")
    lag: int = strawberry.field(description="Events recorded but not taken in yet.")
    stopped: bool = strawberry.field(description="An event could not be taken in; see operations.")
    projected_at: datetime | None = strawberry.field(description="When the last batch was.")
    silent_seconds: float | None = strawberry.field(
        description="For how long the region's own node was not heard of; null where it is here."
    )


@strawberry.type(description="Everything that can be asked.")
class Query(MapQuery, BriefingQuery, PublicationQuery, PolicyQuery, ExportQuery, EntityQuery):
    @strawberry.field(description="Anything by its id; null where there is nothing (any more).")
    async def node(self, info: Info, id: strawberry.ID) -> Node | None:
        # No readAfter: Relay refetches only by a `node` that takes an id and nothing else.
        of, key = read_id(id)
        catalogue = info.context.catalogue
        if of == "Region" and key in catalogue.regions:
            return Region(catalogue.region(key), catalogue)
        if of == "Municipality" and key in catalogue.municipalities:
            return Municipality(catalogue.municipality(key))
        if of == "Incident":
            return await find_incident(info, id)
        return None

    @strawberry.field(description="A region by its code.")
    async def region(self, info: Info, code: str, read_after: ReadAfter = None) -> Region:
        await read_own_write(info, read_after)
        return Region(info.context.catalogue.region(code), info.context.catalogue)

    @strawberry.field(
        description="All regions, in the order of the catalogue.",
        directives=[ListSize(assumed_size=89)],
    )
    def regions(self, info: Info) -> list[Region]:
        catalogue = info.context.catalogue
        return [Region(entry, catalogue) for entry in catalogue.regions.values()]

    @strawberry.field(description="A municipality by its code.")
    async def municipality(
        self, info: Info, code: str, read_after: ReadAfter = None
    ) -> Municipality:
        await read_own_write(info, read_after)
        return Municipality(info.context.catalogue.municipality(code))

    @strawberry.field(
        description="The tree of topics: groups and, with `group`, what is in them.",
        directives=[ListSize(assumed_size=130)],
    )
    def topics(self, info: Info) -> list[Topic]:
        return [Topic(entry) for entry in info.context.catalogue.topics.values()]

    @strawberry.field(
        description="The channels citizens write on.", directives=[ListSize(assumed_size=15)]
    )
    def channels(self, info: Info) -> list[Channel]:
        return [Channel(entry) for entry in info.context.catalogue.channels.values()]

    @strawberry.field(description="An incident by its id; null if the viewer's scope has none.")
    async def incident(
        self,
        info: Info,
        id: strawberry.ID,
        as_of: Annotated[
            datetime | None,
            strawberry.argument(description="As it stood at that moment; null before it began."),
        ] = None,
        read_after: ReadAfter = None,
    ) -> Incident | None:
        await read_own_write(info, read_after)
        found = await find_incident(info, id)
        if found is None or as_of is None:
            return found
        check_date("asOf", as_of)
        key = HistoryKey(found.row.region, found.row.id)
        past = await info.context.histories.load(key)
        row = as_of_row(past, as_of, key, info.context.catalogue)
        return Incident(row, as_of=as_of) if row else None

    @strawberry.field(
        description="Incidents of the viewer's scope, the newest registration first.",
        directives=[
            Cost(weight="100"),
            ListSize(slicing_arguments=["first"], sized_fields=["edges"]),
        ],
    )
    async def incidents(
        self,
        info: Info,
        filter: IncidentFilterInput | None = None,
        first: Annotated[int, strawberry.argument(description="1 to 100.")] = 20,
        after: Annotated[
            str | None, strawberry.argument(description="Cursor of the previous page's end.")
        ] = None,
        read_after: ReadAfter = None,
    ) -> IncidentConnection:
        if not 1 <= first <= PAGE_MAX:
            raise PageTooLarge(field="first", limit=PAGE_MAX)
        place = Place.parse(after) if after is not None else None
        chosen = filter_within_scope(info, filter or IncidentFilterInput())
        await read_own_write(info, read_after)
        flagged, now = flagged_in(filter), info.context.clock()
        behind = await evidence_behind(info, chosen, flagged)
        async with info.context.reading() as connection:
            # One more than asked for tells whether another page follows.
            rows = await incident_page(
                connection,
                chosen,
                first=first + 1,
                after=place,
                now=now,
                evidence=behind,
                columns=columns_asked(info),
            )
        return _page(rows[:first], more=len(rows) > first, follows=place is not None)

    @strawberry.field(
        description="Regions, municipalities or bodies side by side over a period, each among its "
        "like. How it is reckoned: docs/api.md, Rankings. Bodies need a token.",
        directives=[Cost(weight="1000"), A_SECOND],
    )
    async def ranking(
        self,
        info: Info,
        period: PeriodInput,
        of: Ranked = Ranked.REGIONS,
        by: RankedBy = RankedBy.FIRST_REPLY,
        clock: Annotated[
            TimeKind, strawberry.argument(description="Which times are compared.")
        ] = TimeKind.WORKING,
        method: RankingMethod = RankingMethod.SHRUNK_1,
        region: Annotated[
            str | None,
            strawberry.argument(description="Code: only its municipalities or bodies."),
        ] = None,
        exact: Exact = False,
        read_after: ReadAfter = None,
    ) -> Ranking:
        catalogue, now = info.context.catalogue, info.context.clock()
        asked = RankingInput(period=period, of=of, by=by, clock=clock, method=method, region=region)
        question = asked.question(catalogue)
        check_exact(info, exact or is_exact(question))
        await read_own_write(info, read_after)
        async with info.context.reading_all() as connection:
            found = await federal.ranking(
                connection,
                question,
                catalogue=catalogue,
                now=now,
                exact=exact,
                durations=durations_asked(info),
            )
        observed().takes_more(extra_cost(found, question, exact=exact))
        return Ranking.of(found, question, now=now)

    @strawberry.field(
        description="Why a unit stands where it stands by the time to first reply: which topics, "
        "hours, bodies and channels make it slower than the middle of its tier, and where it would "
        "stand without some of them. For who may see its incidents; list these by the filter "
        "`countedIn` and `replySlowerThan: {seconds: tierMedianSeconds}`.",
        directives=[Cost(weight="10000")],
    )
    async def rank_explanation(
        self,
        info: Info,
        period: PeriodInput,
        unit: Annotated[
            str, strawberry.argument(description="Code of a region, municipality or body.")
        ],
        of: Ranked = Ranked.REGIONS,
        clock: TimeKind = TimeKind.WORKING,
        without: WithoutInput | None = None,
        read_after: ReadAfter = None,
    ) -> RankExplanation:
        catalogue, now = info.context.catalogue, info.context.clock()
        require_unit(info, unit, of)
        # Bodies are explained among those of their region.
        within = federal.region_of(unit, of, catalogue) if of is Ranked.ORGANISATIONS else None
        asked = RankingInput(
            period=period, of=of, by=RankedBy.FIRST_REPLY, clock=clock, region=within
        )
        question = asked.question(catalogue)
        await read_own_write(info, read_after)
        async with info.context.reading_all() as connection:
            found = await explain(
                connection,
                question,
                unit,
                catalogue=catalogue,
                now=now,
                without=without.without() if without else None,
            )
        return RankExplanation.of(found, question, catalogue, now=now)

    @strawberry.field(
        description="What the country sees of itself over a period.",
        directives=[Cost(weight="3000"), A_SECOND],
    )
    async def country_board(
        self,
        info: Info,
        period: PeriodInput,
        exact: Exact = False,
        read_after: ReadAfter = None,
    ) -> Board:
        check_exact(info, exact)
        catalogue, now, checked = info.context.catalogue, info.context.clock(), period.period()
        await read_own_write(info, read_after)
        async with info.context.reading_all() as connection:
            measured = await federal.country_board(
                connection, checked, catalogue=catalogue, now=now, exact=exact
            )
        of_what = BoardOf(Area(), checked, *federal.residents_and_launch(catalogue))
        return Board.of(measured, of_what, catalogue.regions, now=now)

    @strawberry.field(
        description="What to start a reply from, the most specific first. Needs a token."
    )
    def reply_templates(
        self,
        info: Info,
        kind: ReplyKind,
        topic: Annotated[
            str | None, strawberry.argument(description="Code of the incident's; null: not known.")
        ] = None,
        outcome: Annotated[
            Outcome | None, strawberry.argument(description="Null: those of every outcome.")
        ] = None,
    ) -> list[ReplyTemplate]:
        info.context.viewer.require_scope()
        return ReplyTemplate.fitting(info.context.node, topic, kind, outcome)

    @strawberry.field(
        description="The text of a template with these values, and what the rules find wrong with "
        "it before anybody drafts it. Nothing is recorded. Needs a token."
    )
    def fill_template(
        self,
        info: Info,
        region: Annotated[
            str, strawberry.argument(description="Code; the rules of its language are asked.")
        ],
        code: Annotated[str, strawberry.argument(description="Of the template.")],
        values: Annotated[
            list[FieldValueInput], strawberry.argument(description="Each field of it once.")
        ],
    ) -> FilledTemplate:
        info.context.viewer.require_scope()
        return FilledTemplate.of(info.context.node, region, code, values)

    @strawberry.field(description="What a region listens to, and when each was last heard.")
    async def sources(self, info: Info, region: str, read_after: ReadAfter = None) -> list[Source]:
        info.context.catalogue.region(region)
        info.context.viewer.require(region, None)
        await read_own_write(info, read_after)
        async with info.context.reading_all() as connection:
            found = await sources_of(connection, region, now=info.context.clock())
        return [Source.of(each) for each in found]

    @strawberry.field(
        description="Who would get an incident by the rules, each rule with why it does not fit."
    )
    async def explain_routing(
        self,
        info: Info,
        region: str,
        topic: str,
        channel: str,
        municipality: str | None = None,
        at: Annotated[
            datetime | None, strawberry.argument(description="At which moment; null: now.")
        ] = None,
    ) -> list[RoutingStep]:
        info.context.viewer.require_scope()
        catalogue, routing = info.context.catalogue, info.context.node.routing
        catalogue.region(region)
        catalogue.topic(topic)
        catalogue.channel(channel)
        if municipality is not None:
            catalogue.municipality(municipality, region=region)
        if at is not None:
            check_date("at", at)
        matter = Matter(topic, municipality, channel, at or info.context.clock())
        tried = routing.explain(region, matter) if routing else ()
        return [RoutingStep.of(each) for each in tried]

    @strawberry.field(
        description="How far the read models have come, region by region.",
        directives=[ListSize(assumed_size=89)],
    )
    async def projection_status(self, info: Info) -> list[ProjectionStatus]:
        async with info.context.reading_all() as connection:
            parts = await progress(connection)
        version = version_of(info.context.catalogue)
        return [
            ProjectionStatus(
                projection=f"read@{version}",
                region=part.region,
                head=part.head,
                position=part.position,
                lag=part.lag,
                stopped=part.stopped,
                projected_at=part.projected_at,
                silent_seconds=part.silent_seconds,
            )
            for part in parts
            if part.region in info.context.catalogue.regions
        ]


async def read_own_write(info: Info, read_after: list[str] | None) -> None:
    """Raises CursorInvalid or ReadAfterTimeout."""
    if read_after:
        last: dict[str, int] = {}
        for text in read_after:
            region, pos = parse_position(text, field="readAfter")
            if region != NETWORK and region_proper(region) not in info.context.catalogue.regions:
                raise CursorInvalid(field="readAfter")
            last[region] = max(last.get(region, 0), pos)
        await wait_for(info.context.readers, [Position(*one) for one in last.items() if one[1]])


async def find_incident(info: Info, node_id: str) -> Incident | None:
    """The incident of an id; None where the viewer sees none.

    Whether another scope has one is not told: an id reveals nothing. Raises NotPermitted for a
    visitor.
    """
    info.context.viewer.require_scope()
    region, incident_id = read_incident_id(node_id)
    row = (await incidents_seen(info, [incident_id])).get(incident_id)
    return Incident(row) if row is not None and row.region == region else None


def filter_within_scope(info: Info, wanted: IncidentFilterInput) -> IncidentFilter:
    """What is asked, narrowed to the viewer's scope.

    Raises Unknown…, DateWithoutZone and NotPermitted.
    """
    catalogue, scope = info.context.catalogue, info.context.viewer.scope
    if scope is None:
        raise NotPermitted
    if wanted.region is not None:
        catalogue.region(wanted.region)
    region, municipality = wanted.region or scope.region, wanted.municipality
    if municipality is not None:
        region = region or catalogue.municipality(municipality).region
        catalogue.municipality(municipality, region=region)
    municipality = municipality or scope.municipality
    organisation = wanted.organisation or scope.organisation
    if wanted.organisation is not None:
        known = catalogue.organisations.get(wanted.organisation)
        region = region or (known.region if known else "?")
        catalogue.organisation(wanted.organisation, region=region)
    for field, listed in (
        ("topics", wanted.topics),
        ("statuses", wanted.statuses),
        ("channels", wanted.channels),
    ):
        if len(listed or ()) > LISTED_MAX:
            raise ListTooLong(field=field, limit=LISTED_MAX)
    for topic in wanted.topics or ():
        catalogue.topic(topic, field="topics")
    regions = scope.regions if region is None else None  # a district's, unless one is named
    topics = scope.topics if wanted.topics is None else tuple(wanted.topics)
    if not scope.contains(Scope(region, municipality, organisation, regions, topics)):
        raise NotPermitted
    for channel in wanted.channels or ():
        catalogue.channel(channel, field="channels")
    for field, moment in (
        ("registeredFrom", wanted.registered_from),
        ("registeredBefore", wanted.registered_before),
    ):
        if moment is not None:
            check_date(field, moment)
    return IncidentFilter(
        region=region,
        regions=regions,
        municipality=municipality,
        organisation=organisation,
        queue=wanted.queue,
        topics=topics,
        statuses=wanted.statuses,
        channels=wanted.channels,
        registered_from=wanted.registered_from,
        registered_before=wanted.registered_before,
        counted_in=wanted.counted_in.period() if wanted.counted_in else None,
        reply_slower_than=wanted.reply_slower_than.seconds if wanted.reply_slower_than else None,
        working=not wanted.reply_slower_than or wanted.reply_slower_than.clock is TimeKind.WORKING,
        overdue=wanted.overdue,
    )


async def evidence_behind(
    info: Info, chosen: IncidentFilter, flagged: Flagged | None
) -> Evidence | None:
    """What a flag is told from is counted in all of its place, also by who sees a part of it."""
    if flagged is None:
        return None
    async with info.context.reading_all() as connection:
        return await evidence_of(
            connection,
            chosen,
            flagged,
            catalogue=info.context.catalogue,
            now=info.context.clock(),
        )


def flagged_in(wanted: IncidentFilterInput | None) -> Flagged | None:
    """Raises PeriodInvalid."""
    flagged = wanted.flagged if wanted else None
    return Flagged(flagged.kind, flagged.period.period()) if flagged else None


def _page(rows: Rows[IncidentRow], *, more: bool, follows: bool) -> IncidentConnection:
    return IncidentConnection(
        edges=OfRows(IncidentEdge, rows),
        page_info=PageInfo(rows=rows, has_next_page=more, has_previous_page=follows),
    )
