"""Statistics are reckoned once for all who ask the same at about the same time."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any

import pytest
from graphql import ExecutionResult, GraphQLError

from api.schema import schema
from api.transport.groups import Sent
from api.transport.operations import Operations
from api.transport.shared import ANSWERS_MAX, KEPT_BYTES_MAX, SharedAnswers
from api.viewer import VISITOR, Viewer
from domain.rights import Scope
from domain.vocabulary import Role
from regions.reference.catalogue import Catalogue
from tests.api.conftest import Api, catch_up, node_on, projecting
from tests.scenarios import registered

OPERATIONS = Operations(schema._schema)
RANKING = """query ($last: Date!) {
  ranking(period: {first: "2026-03-02", last: $last}) { rows { place } }
}"""
CURATOR = Viewer("curator", Role.CURATOR, Scope("63"))


def sent(text: str = RANKING, **variables: Any) -> Sent:
    document = OPERATIONS.read(text)
    assert not document.errors, document.errors
    return Sent(document, document.operation(None), variables or {"last": "2026-03-02"})


@dataclass
class Reckoning:
    """Answers 1, 2, 3 … as often as it is asked, each once it may."""

    begun: int = 0
    ended: int = 0
    may_end: asyncio.Event = field(default_factory=asyncio.Event)
    errors: list[GraphQLError] | None = None

    async def __call__(self) -> ExecutionResult:
        self.begun += 1
        number = self.begun
        await self.may_end.wait()
        self.ended += 1
        return ExecutionResult({"answer": number}, self.errors)


class Asked:
    def __init__(self) -> None:
        self.now = 0.0
        self.shared = SharedAnswers(schema._schema, clock=lambda: self.now)
        self.reckoning = Reckoning()

    def ask(self, of: Sent | None = None, rights: Viewer = VISITOR) -> Awaitable[ExecutionResult]:
        found = self.shared.answer(of or sent(), rights, 1, self.reckoning)
        return asyncio.ensure_future(found)

    async def number(self, of: Sent | None = None, rights: Viewer = VISITOR) -> int:
        self.reckoning.may_end.set()
        result = await self.ask(of, rights)
        assert result.data is not None
        number: int = result.data["answer"]
        return number


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (RANKING, 1),
        (RANKING.replace("ranking(", "a: ranking("), 1),
        ('{ topicPulse(period: {first: "2026-03-02", last: "2026-03-02"}) { topic } }', 1),
        ("{ incidents { edges { cursor } } }", 0),
        (RANKING.replace("ranking(", "regions { code } ranking("), 0),
        ("mutation { __typename }", 0),
        ('subscription { incidentChanges(region: "63") { cursor } }', 0),
    ],
)
def test_only_operations_of_statistics_and_nothing_else_are_shared(text: str, seconds: int) -> None:
    operation = sent(text).operation
    assert SharedAnswers(schema._schema).seconds_of(operation) == seconds


def test_a_board_moves_after_a_moment_and_at_once_for_who_may_open_personal_data(
    api: Api, catalogue: Catalogue
) -> None:
    now = 0.0
    app: Any = api.server.config.app
    door = next(each.app for each in app.routes if each.path == "/graphql")
    door.execution.shared.clock = lambda: now
    door.execution.shared.seconds = {"countryBoard": 3600}
    day = '{first: "2026-03-02", last: "2026-03-02"}'
    text = f"{{ countryBoard(period: {day}) {{ figures {{ registered }} }} }}"
    opener = api.token(personal_data=True)

    def told(token: str | None = None) -> int:
        number: int = api.ask(text, token=token)["countryBoard"]["figures"]["registered"]
        return number

    with node_on(api.url, catalogue) as node, projecting(api.url, catalogue):
        for number in (1, 2):
            registered(node.centre("BRONX"))
            catch_up(api.url)
            assert (told(), told(opener)) == (1, number)
        now = 3600.0
        assert told() == 2


def test_who_asks_within_a_second_gets_the_answer_of_who_asked_first() -> None:
    async def scenario() -> None:
        asked = Asked()
        together = [asked.ask() for _ in range(5)]
        asked.reckoning.may_end.set()
        results = await asyncio.gather(*together)
        assert [result.data for result in results] == [{"answer": 1}] * 5
        asked.now = 0.99
        assert await asked.number() == 1
        asked.now = 1.0
        assert await asked.number() == 2

    asyncio.run(scenario())


def test_other_variables_rights_or_texts_are_other_questions() -> None:
    async def scenario() -> None:
        asked = Asked()
        questions = [
            (sent(), VISITOR),
            (sent(last="2026-03-03"), VISITOR),
            (sent(), CURATOR),
            (sent(RANKING.replace("place", "value")), VISITOR),
        ]
        for number, question in enumerate(questions, start=1):
            assert await asked.number(*question) == number
        for number, question in enumerate(questions, start=1):
            assert await asked.number(*question) == number

    asyncio.run(scenario())


def test_who_leaves_takes_the_answer_from_nobody_and_the_last_ends_it() -> None:
    async def scenario() -> None:
        asked = Asked()
        first, second = asked.ask(), asked.ask()
        await asyncio.sleep(0)
        first.cancel()  # type: ignore[attr-defined]
        with pytest.raises(asyncio.CancelledError):
            await first
        second.cancel()  # type: ignore[attr-defined]
        with pytest.raises(asyncio.CancelledError):
            await second
        assert (asked.reckoning.begun, asked.reckoning.ended) == (1, 0)
        assert await asked.number() == 2  # not the one that ended with them

    asyncio.run(scenario())


def test_an_answer_with_errors_is_not_kept() -> None:
    async def scenario() -> None:
        asked = Asked()
        asked.reckoning.errors = [GraphQLError("away for a moment")]
        assert await asked.number() == 1
        asked.reckoning.errors = None
        assert [await asked.number(), await asked.number()] == [2, 2]

    asyncio.run(scenario())


def test_what_nobody_asks_for_again_is_forgotten_and_what_is_large_at_once() -> None:
    async def scenario() -> None:
        asked = Asked()
        asked.reckoning.may_end.set()
        await asked.shared.answer(sent(), VISITOR, 0, asked.reckoning)
        await asyncio.sleep(0)
        assert not asked.shared.answers

        async def large() -> ExecutionResult:
            return ExecutionResult({"text": "x" * KEPT_BYTES_MAX})

        result = await asked.shared.answer(sent(), VISITOR, 3600, large)
        assert result.data is not None
        assert not asked.shared.answers

    asyncio.run(scenario())


def test_no_more_answers_are_kept_than_there_is_room_for() -> None:
    async def scenario() -> None:
        asked = Asked()
        for name in range(2 * ANSWERS_MAX):
            await asked.number(sent(last=f"{name}"))
            assert len(asked.shared.answers) <= ANSWERS_MAX

    asyncio.run(scenario())
