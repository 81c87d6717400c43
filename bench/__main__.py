"""`python -m bench [NAME…] [--large]`: run benchmarks, print one table, write bench/results/."""

from collections.abc import Callable
from typing import Annotated

import typer

from api.progress import console
from bench import (
    append,
    attacks,
    classification,
    commits,
    deadlines,
    federation,
    figures,
    graphql,
    growth,
    intake,
    nodes,
    projection,
    rebuild,
    subscribers,
    visibility,
    walls,
)
from bench.result import Result, table, write
from bench.scratch import Scratch, scratch
from bench.tables import refresh

# In this order: what is sensitive to its surroundings comes before the large databases.
BENCHES: dict[str, Callable[[Scratch], list[Result]]] = {
    "append": append.run,
    "projection": projection.run,
    "commits": commits.run,
    "visibility": visibility.run,
    "attacks": attacks.run,
    "deadlines": deadlines.run,
    "classification": classification.run,
    "intake": intake.run,
    "figures": figures.run,
    "walls": walls.run,
    "graphql": graphql.run,
    "subscribers": subscribers.run,
    "federation": federation.run,
    "nodes": nodes.run,
    "rebuild": rebuild.run,
    "growth": growth.run,
}


def main(
    names: Annotated[list[str] | None, typer.Argument(help=f"Of {', '.join(BENCHES)}.")] = None,
    large: Annotated[
        bool,
        typer.Option(
            help="With 5 and 10 million incidents and 10,000 subscribers: two hours, 70 GB."
        ),
    ] = False,
) -> None:
    """Run all benchmarks, or those named."""
    unknown = set(names or ()) - BENCHES.keys()
    if unknown:
        raise typer.BadParameter(f"no such benchmark: {', '.join(sorted(unknown))}")
    found: list[Result] = []
    with scratch(large=large) as ground:
        for name in names or BENCHES:
            console.rule(name)
            results = BENCHES[name](ground)
            write(name, results)
            found += results
    refresh()
    console.print(table(found))
    if any(result.holds is False for result in found):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
