"""What a benchmark found: values, and whether they reach their goals."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import orjson
from rich.table import Table

RESULTS = Path(__file__).parent / "results"


class Result(NamedTuple):
    """One value; without a goal it informs only."""

    name: str
    value: float
    unit: str
    goal: str | None = None
    holds: bool | None = None


def info(name: str, value: float, unit: str) -> Result:
    return Result(name, rounded(value), unit)


def at_least(name: str, value: float, unit: str, goal: float) -> Result:
    return Result(name, rounded(value), unit, f">= {goal:g}", value >= goal)


def at_most(name: str, value: float, unit: str, goal: float) -> Result:
    return Result(name, rounded(value), unit, f"<= {goal:g}", value <= goal)


def rounded(value: float) -> float:
    """Three figures, or all in front of the point: the rest is noise."""
    return float(round(value)) if abs(value) >= 100 else float(f"{value:.3g}")


def write(bench: str, results: Iterable[Result]) -> None:
    RESULTS.mkdir(exist_ok=True)
    rows = [result._asdict() for result in results]
    (RESULTS / f"{bench}.json").write_bytes(orjson.dumps(rows, option=orjson.OPT_INDENT_2) + b"\n")


def table(results: Iterable[Result]) -> Table:
    shown = Table("name", "value", "unit", "goal", "holds", title="bench")
    shown.columns[0].overflow = "fold"
    shown.columns[1].justify = "right"
    for name, value, unit, goal, holds in results:
        verdict = {True: "[green]yes[/]", False: "[bold red]NO[/]", None: ""}[holds]
        shown.add_row(name, f"{value:,.10g}", unit, goal or "", verdict)
    return shown
