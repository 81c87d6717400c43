"""What is asked again and again while the incidents grow: in GraphQL, and of the view behind it."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from psycopg import AsyncConnection

from domain.publications import RankingQuestion
from projections.incident_list import IncidentFilter, incident_page
from projections.statistics.figures import Period
from projections.views import federal
from projections.views.municipal import municipality_board
from projections.views.regional import region_board
from regions.reference.catalogue import Catalogue

PAGE = 100
REGION = "63"

View = Callable[[AsyncConnection[Any]], Awaitable[object]]


class Question(NamedTuple):
    graphql: str
    view: View
    flat: bool  # whether a goal says that its cost must not grow


def questions(catalogue: Catalogue, now: datetime) -> dict[str, Question]:
    today = now.date()
    past = Period(today - timedelta(days=30), today - timedelta(days=1))
    present = Period(today - timedelta(days=29), today)
    topic = next(topic.code for topic in catalogue.topics.values() if topic.group)
    return {
        "ranking": _ranking(past, catalogue, now, flat=True),
        "ranking_with_today": _ranking(present, catalogue, now, flat=True),
        "page": _page("", IncidentFilter(), now, flat=True),
        "page_of_region": _page(
            f'region: "{REGION}"', IncidentFilter(region=REGION), now, flat=True
        ),
        "page_month_ago": _page(
            f'registeredBefore: "{now - timedelta(days=30):%Y-%m-%dT%H:%M:%SZ}"',
            IncidentFilter(registered_before=now - timedelta(days=30)),
            now,
            flat=True,
        ),
        "page_of_topic": _page(
            f'topics: ["{topic}"]', IncidentFilter(topics=[topic]), now, flat=False
        ),
        "page_closed": _page(
            "statuses: [CLOSED]", IncidentFilter(statuses=["CLOSED"]), now, flat=False
        ),
        "page_overdue": _page("overdue: true", IncidentFilter(overdue=True), now, flat=False),
        "page_of_region_overdue": _page(
            f'overdue: true, region: "{REGION}"',
            IncidentFilter(overdue=True, region=REGION),
            now,
            flat=False,
        ),
        **_boards(past, catalogue, now),
    }


def _ranking(
    period: Period, catalogue: Catalogue, now: datetime, *, flat: bool, exact: bool = False
) -> Question:
    arguments = f"{_period(period)}, exact: {str(exact).lower()}"
    question = RankingQuestion(first=period.first, last=period.last)
    return Question(
        f"{{ ranking({arguments}) {{ rows {{ place region {{ code name }} {FIGURES} }} }} }}",
        partial(federal.ranking, question=question, catalogue=catalogue, now=now, exact=exact),
        flat,
    )


def _page(condition: str, chosen: IncidentFilter, now: datetime, *, flat: bool) -> Question:
    return Question(
        f"{{ incidents(first: {PAGE}, filter: {{{condition}}}) {{ pageInfo {{ hasNextPage }}"
        " edges { cursor node { id version position status channel kind registeredAt dueAt"
        " resolvedAt municipalityCode topicCode organisationCode overdue } } } }",
        partial(incident_page, chosen=chosen, first=PAGE, after=None, now=now),
        flat,
    )


def _boards(period: Period, catalogue: Catalogue, now: datetime) -> dict[str, Question]:
    place = catalogue.municipalities_of[REGION][0]
    board = f"({_period(period)}) {BOARD}"
    return {
        "ranking_exact": _ranking(period, catalogue, now, flat=False, exact=True),
        "board_of_municipality": Question(
            f'{{ municipality(code: "{place.code}") {{ board{board} }} }}',
            partial(
                municipality_board,
                period=period,
                catalogue=catalogue,
                now=now,
                municipality=place,
            ),
            False,
        ),
        "board_of_region": Question(
            f'{{ region(code: "{REGION}") {{ board{board} }} }}',
            partial(region_board, period=period, catalogue=catalogue, now=now, region=REGION),
            False,
        ),
        "board_of_country": Question(
            f"{{ countryBoard{board} }}",
            partial(federal.country_board, period=period, catalogue=catalogue, now=now),
            False,
        ),
    }


def _period(period: Period) -> str:
    return f'period: {{first: "{period.first}", last: "{period.last}"}}'


FIGURES = (
    "figures { registered answered unansweredShare replyMedianSeconds replyMeanSeconds"
    " replyP90Seconds resolved resolutionMedianSeconds due missed overdueShare }"
)
BOARD = f"{{ {FIGURES} openIncidents {{ status incidents }} overdue parts {{ code {FIGURES} }} }}"
