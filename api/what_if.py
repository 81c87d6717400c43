"""A period under other terms, on the command line: asked, and shown beside what was."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from rich.table import Table

from api.types.policy_replay import name_of
from projections.past.policy_replay import PolicyReplay, policy_replay
from projections.pool import read_pool
from projections.statistics.figures import Period
from projections.statistics.overdue import Overdue, OverdueBy, Side
from regions.node import Node
from regions.reference.catalogue import Catalogue
from regions.reference.what_if import no_terms, with_calendars, with_policies


@dataclass(frozen=True, slots=True)
class WhatIf:
    """Which incidents, and what counts for them; None: what counted."""

    region: str
    municipality: str | None
    period: Period
    policies: Path | None
    calendars: Path | None


def ask(node: Node, shipped: Path, wanted: WhatIf, *, now: datetime) -> PolicyReplay:
    """`shipped` is the catalogue's folder. Raises Unknown…, PeriodInvalid, CatalogueInvalid."""
    node.catalogue.region(wanted.region)
    if wanted.municipality is not None:
        node.catalogue.municipality(wanted.municipality, region=wanted.region)
    terms = other = node.terms or no_terms(node.catalogue)
    if wanted.calendars is not None:
        other = with_calendars(other, wanted.calendars, shipped)
    if wanted.policies is not None:
        other = with_policies(other, wanted.policies)

    async def answer() -> PolicyReplay:
        async with read_pool(node.url) as pool:
            return await policy_replay(
                pool.connection,
                wanted.period,
                wanted.region,
                wanted.municipality,
                catalogue=node.catalogue,
                own=terms.of(wanted.region),
                other=other.of(wanted.region),
                now=now,
            )

    return asyncio.run(answer())


def table(found: PolicyReplay, by: OverdueBy, catalogue: Catalogue) -> Table:
    """The overdue table of one dimension, what was before the arrow and what if behind it."""
    shown = Table(by.replace("_", " ").lower(), "clock", title="actual → replayed")
    for title in ("due", "kept", "missed", "overdue", "still open", "late: median", "p90"):
        shown.add_column(title, justify="right")
    for row, actual in found.actual.items():
        if row.by is by:
            both = zip(_cells(actual), _cells(found.replayed[row]), strict=True)
            cells = (one if one == other else f"{one} → {other}" for one, other in both)
            shown.add_row(name_of(row, catalogue) or "all", row.clock, *cells)
    return shown


def _cells(overdue: Overdue) -> list[str]:
    share, (median, p90) = overdue.overdue_share, overdue.lateness
    counts = (overdue.due, overdue.kept, overdue.missed)
    overdue_share = "" if share is None else f"{share:.1%}"
    return [*map(str, counts), overdue_share, str(overdue.open_late), _long(median), _long(p90)]


def _long(seconds: float | None) -> str:
    return "" if seconds is None else str(timedelta(seconds=round(seconds)))


def summary(found: PolicyReplay) -> str:
    """How many incidents it is told from, and what of them changed."""
    became = found.became
    said = [
        f"{found.incidents} incidents; {became[Side.LATE]} become late, "
        f"{became[Side.KEPT]} become kept."
    ]
    said += [f"{n} not told anew: {reason}." for reason, n in found.unreplayed.items() if n]
    return "\n".join(said)
