"""How many statements an operation asks of PostgreSQL: for a hundred rows no more than for one."""

import asyncio
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from graphql import GraphQLObjectType, get_named_type, is_composite_type, is_object_type
from graphql.execution.collect_fields import FieldDetails, FieldDetailsList

from api.app import Server
from api.schema import schema
from api.telemetry.caller import Caller
from api.telemetry.observing import Observed
from api.transport.budget import Budgets
from api.transport.execution import Asked, Execution
from api.transport.plans import Plans
from api.viewer import Viewer
from domain.rights import Scope
from domain.vocabulary import Role
from projections.pool import read_pool
from regions.node import Node
from tests.api.conftest import SECRET, UNBOUNDED
from tests.scenarios import NOON, closed

MANY = 5  # incidents of each of two regions
DOCUMENTED = re.findall(r"```graphql\n(query.*?)```", Path("docs/api.md").read_text(), re.DOTALL)

# Below a node of a page, and the statements of a page with two regions in it: the page, the
# histories, and what is asked of each region.
PAGES = {
    "id status version position dueAt overdue origin { region } mergedInto": 1,
    "region { code name } municipality { name region { name } } topic { name }": 1,
    "organisation { name } regionCode municipalityCode topicCode organisationCode": 1,
    "timeline { event occurredAt facts { name value } } reading { urgency }": 2,
    "duplicates { incident score }": 3,
    "citizen { name text }": 4,
    "citizen { text } timeline { text }": 4,
}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The text of every statement, whoever asks it and on whichever connection."""
    texts: list[str] = []
    for cursor in (psycopg.Cursor, psycopg.AsyncCursor):
        execute = cursor.execute

        def noted(self: Any, query: Any, *given: Any, _execute: Any = execute, **how: Any) -> Any:
            texts.append(str(query))
            return _execute(self, query, *given, **how)

        monkeypatch.setattr(cursor, "execute", noted)
    return texts


@pytest.fixture
def ask(
    node: Node, project: Callable[[], int], asked: list[str]
) -> Callable[..., tuple[dict[str, Any], list[str], Observed]]:
    """The data of an answer, the statements it took, and what is told of it."""
    for _ in range(MANY):
        closed(node.centre("BRONX"))
        closed(node.centre("QUEENS"))
    project()

    def ask(text: str, **variables: Any) -> tuple[dict[str, Any], list[str], Observed]:
        return asyncio.run(answered(node, asked, Asked(text, variables=variables)))

    return ask


async def answered(
    node: Node, asked: list[str], question: Asked
) -> tuple[dict[str, Any], list[str], Observed]:
    server = Server(node, read_pool(node.url), lambda: NOON + timedelta(days=30), SECRET)
    viewer = Viewer("eye", Role.MONITOR, Scope(), personal_data=True)
    execution = Execution(schema._schema, Budgets(UNBOUNDED))
    async with server.readers:
        await server.readers.wait()
        asked.clear()
        seen = Observed()
        with seen.under_way():
            context = server.context(viewer, Caller())
            admitted = execution.admit(question, context.principal)
            result = await execution.execute(admitted, question, context)
    assert "errors" not in result, result["errors"]
    return result["data"], [*asked], seen


@pytest.mark.parametrize("below", PAGES)
def test_a_page_of_many_asks_no_more_than_a_page_of_a_few(ask: Any, below: str) -> None:
    text = f"query ($n: Int!) {{ incidents(first: $n) {{ edges {{ node {{ {below} }} }} }} }}"
    for first in (MANY + 1, 2 * MANY):  # more than one region has
        data, asked, seen = ask(text, n=first)
        assert len(data["incidents"]["edges"]) == first
        assert len(asked) == PAGES[below], asked
        assert seen.executor.keys() <= {"compiled", "async"}


def test_a_field_that_is_asked_alone_is_what_it_is_among_all(ask: Any) -> None:
    """The columns behind each are read; of what nobody asked for there is none to fall back on."""
    fields = {
        name: f"{name} {{ __typename }}" if is_composite_type(get_named_type(field.type)) else name
        for name, field in incident_type().fields.items()
    }

    def nodes(selected: str) -> list[dict[str, Any]]:
        data, *_ = ask(f"{{ incidents {{ edges {{ node {{ {selected} }} }} }} }}")
        return [edge["node"] for edge in data["incidents"]["edges"]]

    whole = nodes(" ".join(fields.values()))
    for name, selected in fields.items():
        assert nodes(selected) == [{name: node[name]} for node in whole]


def incident_type() -> GraphQLObjectType:
    found = schema._schema.type_map["Incident"]
    assert is_object_type(found)
    return found


# Our own operations


@pytest.mark.parametrize("text", DOCUMENTED, ids=lambda text: text.split()[1].partition("(")[0])
def test_what_a_documented_query_asks_is_compiled_but_for_what_asks_the_database(text: str) -> None:
    execution = Execution(schema._schema, Budgets(UNBOUNDED))
    admitted = execution.admit(Asked(text), ("", ""))
    document, operation = admitted.document, admitted.operation
    query = schema._schema.query_type
    assert query is not None
    assert document.plans is not None
    allowed = {"async"} | ({"arguments"} if "policyReplay" in text else set())
    at = [FieldDetails(operation, None)]  # type: ignore[arg-type]  # it has a selection as well
    for details in document.plans.of(query, at).rest.values():
        assert left(document.plans, query, details) <= allowed


def left(plans: Plans, parent: GraphQLObjectType, at: FieldDetailsList) -> set[str]:
    """Why anything below a field is left to graphql-core."""
    of = get_named_type(parent.fields[at[0].node.name.value].type)
    if not is_object_type(of):
        return set()
    plan = plans.of(of, at)
    return plan.reasons.union(*(left(plans, of, details) for details in plan.rest.values()))
