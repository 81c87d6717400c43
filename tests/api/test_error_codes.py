"""Every code that a client can be told stands in the documentation, and no other does."""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import api
import domain
import projections
import regions
import workers
from domain.errors import ConfidenceOutOfRange, DomainError

DOCS = Path(__file__).parents[2] / "docs"
GROUPS = {"CONFLICT", "INVALID_INPUT", "RULE_BROKEN", "UNKNOWN", "IMPORT_ROW_INVALID"}
NO_REFUSALS = {"BAD_REQUEST", "INTERNAL"}  # named by api/presenting.py itself
TOLD_TO_NOBODY = {ConfidenceOutOfRange}  # of what our own reading says of a text


def test_the_table_of_the_api_lists_every_code_and_no_other() -> None:
    table = (DOCS / "api.md").read_text().partition("## Errors")[2]
    listed = re.findall(r"^\| (`.+?) \|", table, re.MULTILINE)
    codes = [code for cell in listed for code in named(cell)]
    assert len(codes) == len(set(codes))
    assert set(codes) == NO_REFUSALS | {code for code, door in told() if door == "api.md"}


def test_what_doors_for_machines_refuse_is_listed_with_them() -> None:
    for code, door in told():
        assert door == "api.md" or code in named((DOCS / door).read_text()), f"{code} in {door}"


def named(text: str) -> set[str]:
    return set(re.findall(r"`([A-Z][A-Z0-9_]+)`", text))


def told() -> Iterator[tuple[str, str]]:
    """Every code, with the document of the door it is told at."""
    for package in (api, domain, regions, projections, workers):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    for refusal in refusals(DomainError):
        code = refusal.__new__(refusal).code
        if code not in GROUPS and refusal not in TOLD_TO_NOBODY:
            yield code, document(refusal.__module__)


def document(module: str) -> str:
    if module.startswith("api.formats"):
        return "import.md"
    return {"api.intake": "platforms.md", "api.handovers": "operations.md"}.get(module, "api.md")


def refusals(of: type[DomainError]) -> Iterator[type[DomainError]]:
    for each in of.__subclasses__():
        yield each
        yield from refusals(each)
