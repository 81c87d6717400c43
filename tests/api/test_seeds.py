"""What the newspapers tell of the centres, answered from events.

Свердловск: mean first reply 2 h 28 min, «за год время сократилось почти на час, а с начала работы
ЦУР – почти в три раза». Самара is in the top ten. A hundredth of the messages is recorded.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from domain.commands import PublishReply, Register
from domain.vocabulary import ReplyKind
from projections import versions
from regions.bulk import History, Step, record_histories
from regions.centre import Centre
from regions.node import prepare
from regions.reference.catalogue import Catalogue
from regions.store.postgres import Server
from regions.store.server import create_database
from tests.api.conftest import Api, catch_up, node_on, projecting, serving
from tests.conftest import RUSSIA
from tests.scenarios import OPERATOR

NOW = datetime(2022, 12, 25, 9, tzinfo=UTC)
NOVEMBER = {"first": "2022-11-01", "last": "2022-11-30"}
MONTHLY = 54_548 // 11 // 100


def answered(centre: Centre, begin: datetime, minutes: list[float]) -> None:
    """Spread over four weeks; each is answered after so many minutes."""
    gap = timedelta(days=28) / len(minutes)
    histories = []
    for number, after in enumerate(minutes):
        at = begin + number * gap
        reply = Step(PublishReply(kind=ReplyKind.FIRST), at + timedelta(minutes=after), OPERATOR)
        message = Register(channel="VK", published_at=at)
        histories.append(History(uuid4(), uuid4(), message, at, OPERATOR, [reply]))
    report = record_histories(centre, histories, now=NOW)
    assert len(report.recorded) == len(minutes), report.refused


def around(mean: float, n: int) -> list[float]:
    """Half of them quick, half slow; their mean is `mean` minutes."""
    half = n // 2
    return [mean / 2] * half + [mean * 1.5] * half + [mean] * (n - 2 * half)


@pytest.fixture(scope="module")
def told(server: Server, russia: Catalogue) -> Iterator[Api]:
    url = create_database(server.url, "seeds_russia")
    prepare(url, russia)
    versions.ensure(url, russia, lambda done, in_all: None)
    with (
        serving(url, NOW, folder=RUSSIA) as api,
        projecting(url, russia),
        node_on(url, russia) as node,
    ):
        sverdlovsk = node.centre("66")
        for begin, minutes in (
            (datetime(2020, 12, 1, 5, tzinfo=UTC), 430.0),
            (datetime(2021, 11, 1, 5, tzinfo=UTC), 205.0),
            (datetime(2022, 11, 1, 5, tzinfo=UTC), 148.0),
        ):
            answered(sverdlovsk, begin, around(minutes, MONTHLY))
        november = datetime(2022, 11, 1, 5, tzinfo=UTC)
        others = [code for code in russia.regions if code not in ("63", "66")][:20]
        for place, code in enumerate(["63", *others]):
            answered(node.centre(code), november, around(90.0 + 10 * place, 40))
        catch_up(url)
        yield api


def board(api: Api, region: str) -> dict[str, Any]:
    text = """
    query ($region: String!, $period: PeriodInput!) {
      region(code: $region) { board(period: $period) {
        figures { registered replyMeanSeconds }
        yearAgo: compared(with: YEAR_AGO) { first last figures { registered replyMeanSeconds } }
        launch: compared(with: LAUNCH) { first last figures { registered replyMeanSeconds } }
      } }
    }
    """
    found: dict[str, Any] = api.ask(text, region=region, period=NOVEMBER)["region"]["board"]
    return found


def test_sverdlovsk_answers_within_2_h_28_min_almost_an_hour_less_and_three_times_as_fast(
    told: Api,
) -> None:
    found = board(told, "66")
    now = found["figures"]["replyMeanSeconds"]
    assert now == pytest.approx((2 * 60 + 28) * 60)
    year_ago, launch = found["yearAgo"], found["launch"]
    assert (year_ago["first"], year_ago["last"]) == ("2021-11-01", "2021-11-30")
    saved = year_ago["figures"]["replyMeanSeconds"] - now
    assert 50 * 60 < saved < 60 * 60
    # Nobody knows when the centre began: its first month is the first that has incidents.
    assert (launch["first"], launch["last"]) == ("2020-12-01", "2020-12-31")
    assert 2.75 < launch["figures"]["replyMeanSeconds"] / now < 3
    months = (found, year_ago, launch)
    assert [month["figures"]["registered"] for month in months] == [MONTHLY] * 3


def test_samara_is_in_the_top_ten(told: Api) -> None:
    text = """
    query ($period: PeriodInput!) {
      ranking(period: $period, clock: CALENDAR) { rows { position region { code } } }
    }
    """
    rows = told.ask(text, period=NOVEMBER)["ranking"]["rows"]
    positions = {row["region"]["code"]: row["position"] for row in rows}
    assert positions["63"] <= 10
    assert positions["63"] < positions["66"]
