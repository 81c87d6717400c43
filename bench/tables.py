"""`python -m bench.tables`: values and goals in the tables of README.md, from bench/results/.

A row is filled whose first cell ends with the name of a result.
"""

import re
from pathlib import Path

import orjson

from bench.result import RESULTS, Result

DOCUMENTS = (Path("README.md"), Path("bench/README.md"))
ROW = re.compile(r"^(\|[^|]*`(\w+\.[\w.]+)` \|)[^|]*\|[^|]*\|$", re.MULTILINE)


def refresh() -> None:
    """Raises KeyError for a row whose result was never measured."""
    results = {result.name: result for result in measured()}
    for document in DOCUMENTS:
        text = document.read_text()
        document.write_text(ROW.sub(lambda row: f"{row[1]} {cells(results[row[2]])} |", text))


def measured() -> list[Result]:
    """All that is in the results, of whatever run."""
    return [
        Result(**row) for path in RESULTS.glob("*.json") for row in orjson.loads(path.read_bytes())
    ]


def cells(result: Result) -> str:
    missed = " **missed**" if result.holds is False else ""
    return f"{result.value:,.10g} {result.unit} | {result.goal or ''}{missed}".rstrip()


if __name__ == "__main__":
    refresh()
