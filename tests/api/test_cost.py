"""What an operation may cost is known before it is executed, from what the schema declares."""

from typing import Any

import pytest
from graphql import get_introspection_query

from api.schema import schema
from api.transport.cost import COST_MAX, OPERATION_COST, Prices
from api.transport.operations import Operations
from tests.api.conftest import Api

DAY = 'period: {first: "2026-03-02", last: "2026-03-02"}'
ROWS = "rows { region { code } }"
OPERATIONS, PRICES = Operations(schema._schema), Prices(schema._schema)


def cost(text: str, **variables: Any) -> int:
    """Besides what any operation costs."""
    document = OPERATIONS.read(text)
    assert not document.errors, document.errors
    return PRICES.cost_of(document, document.operation(None), variables) - OPERATION_COST


def test_the_cost_of_an_operation_by_hand() -> None:
    assert cost("{ __typename }") == 0
    assert cost("{ regions { code } }") == 89
    assert cost("{ regions { municipalities { code } } }") == 89 * (1 + 20)
    assert cost(f"{{ ranking({DAY}) {{ {ROWS} }} }}") == 1000 + 1 + 100 * (1 + 1)
    assert cost("{ topics { code } channels { code } }") == 130 + 15
    assert cost("{ incident(id: 5) { timeline { version } } }") == 1 + 20 + 10


def test_a_page_costs_what_first_says() -> None:
    assert cost("{ incidents { edges { cursor } } }") == 100 + 1 + 20
    assert cost("{ incidents(first: 100) { edges { node { id } } } }") == 100 + 1 + 100 * 2
    assert cost("{ publications(first: 7) { id } }") == 100 + 7
    page = "{ incidents(first: $n) { ...E pageInfo { endCursor } } } "
    page += "fragment E on IncidentConnection { edges { node { id } } }"
    assert cost(f"query ($n: Int!) {page}", n=50) == 100 + 1 + 50 * 2 + 1
    assert cost(f"query ($n: Int = 70) {page}") == 100 + 1 + 70 * 2 + 1
    for absurd, counted in ((10**9, 100), ("many", 100), (None, 100), (-1, 1)):
        assert cost(f"query ($n: Int!) {page}", n=absurd) == 100 + 1 + counted * 2 + 1


def test_a_document_that_was_asked_before_costs_what_a_new_one_costs() -> None:
    page = "query ($n: Int = 7, $exact: Boolean = false, $after: String) "
    page += f"{{ incidents(first: $n, after: $after) {{ edges {{ cursor }} }} ranking({DAY}, "
    page += f"exact: $exact) {{ {ROWS} }} }}"
    several: list[dict[str, Any]] = [
        {name: value for name, value in (("n", n), ("exact", exact)) if value != ()}
        for n in ((), None, 1, True, 2, "2", 0, False, 2.5, [], [1], {})
        for exact in ((), None, True, False, 0, 1, "no")
    ]
    for variables in (*several, *several):
        new = Operations(schema._schema).read(page)
        expected = PRICES.cost_of(new, new.operation(None), variables) - OPERATION_COST
        assert cost(page, **variables, after="any") == expected, variables


def test_a_fragment_counts_as_often_as_the_page_it_is_spread_in() -> None:
    text = "{ a: incidents(first: 1) { ...E } b: incidents(first: 100) { ...E } } "
    text += "fragment E on IncidentConnection { edges { cursor } }"
    assert cost(text) == 2 * (100 + 1) + 1 + 100


def test_what_is_told_from_the_incidents_themselves_costs_more() -> None:
    ranking = f"ranking({DAY}, exact: $exact) {{ {ROWS} }}"
    daily = cost(f"query ($exact: Boolean!) {{ {ranking} }}", exact=False)
    assert cost(f"query ($exact: Boolean!) {{ {ranking} }}", exact=True) == daily + 30_000
    assert cost(f"query ($exact: Boolean = true) {{ {ranking} }}") == daily + 30_000
    assert cost(f"{{ ranking({DAY}, exact: true) {{ {ROWS} }} }}") == daily + 30_000
    assert cost(f"{{ ranking({DAY}, exact: false) {{ {ROWS} }} }}") == daily


@pytest.mark.parametrize(
    "text",
    [
        f"{{ regions {{ municipalities {{ board({DAY}) {{ overdue }} }} }} }}",
        f"{{ regions {{ board({DAY}) {{ flags {{ kind }} }} }} }}",
        f"{{ regions {{ board({DAY}, exact: true) {{ overdue }} }} }}",
        "{" + "".join(f" a{n}: countryBoard({DAY}) {{ overdue }}" for n in range(18)) + " }",
    ],
    ids=["municipalities", "flags", "exact", "aliases"],
)
def test_an_operation_that_would_cost_a_second_is_refused(text: str, shared_api: Api) -> None:
    assert shared_api.refusal(text) == ("TOO_COSTLY", "query")


def test_what_a_page_needs_costs_little() -> None:
    boards = f"{{ regions {{ code board({DAY}) {{ overdue parts {{ code }} }} }} }}"
    assert cost(boards) < COST_MAX / 2
    assert cost(get_introspection_query()) == 3_000
