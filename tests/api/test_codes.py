"""Clients rely on codes: docs/api.md lists all that queries, commands and streams may end in."""

import re
from collections.abc import Iterator

from api import cli
from domain.errors import DomainError
from tests.conftest import CHECKOUT

CODES = set(re.findall(r"`([A-Z_]+)`", (CHECKOUT / "docs" / "api.md").read_text()))
ELSEWHERE = (
    "api.formats",
    "api.intake",
)  # what is imported or delivered: docs/import.md, platforms.md


def kinds(of: type[DomainError]) -> Iterator[type[DomainError]]:
    """Those that are raised: what others are derived from is not."""
    derived = of.__subclasses__()
    for each in derived:
        yield from kinds(each)
    if not derived:
        yield of


def test_every_refusal_stands_in_the_docs() -> None:
    assert cli  # with it all of the product is imported
    raised = [each for each in kinds(DomainError) if not each.__module__.startswith(ELSEWHERE)]
    assert {each.__new__(each).code for each in raised} <= CODES
