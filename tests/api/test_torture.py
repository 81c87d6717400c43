"""A federation under faults, in small; at length it is `tsur federation torture`."""

from api.torture.run import torture
from tests.conftest import NEW_YORK

SECONDS = 4.0


def test_whatever_is_killed_or_cut_nothing_is_amiss() -> None:
    told: list[str] = []
    report = torture(NEW_YORK, seconds=SECONDS, nodes=1, seed=7, tell=told.append)
    assert report.amiss == []
    assert report.acknowledged == report.events > 0
    assert sum(report.faults.values()) == len(told) > 0
