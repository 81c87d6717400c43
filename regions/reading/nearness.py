"""Which municipalities a point can lie in, as far as their centres tell."""

from collections.abc import Iterable, Mapping

from regions.reading.distance import Point, is_on_earth, metres_between
from regions.reference.catalogue import Municipality

CERTAINTY = 0.8  # a centre is no border: even a point beside it is not sure
CONFIDENCE_MIN = 0.1  # less likely ones are left out
REACH_MIN = 50_000  # metres from the nearest centre that are still inside any region


class Nearness:
    """Of one region. Without borders «far outside» is further than its centres lie apart."""

    def __init__(self, places: Iterable[Municipality]) -> None:
        self._centres = {
            place.code: (place.latitude, place.longitude)
            for place in places
            if place.latitude is not None and place.longitude is not None
        }
        self._reach = max([REACH_MIN, *map(self._to_next, self._centres)])

    def confidences(self, point: Point) -> Mapping[str, float]:
        """By municipality, the nearest first; empty far outside or for no point of the earth."""
        if not is_on_earth(point):
            return {}
        metres = {code: metres_between(point, centre) for code, centre in self._centres.items()}
        if not metres or min(metres.values()) > self._reach:
            return {}
        # By the inverse square, a kilometre added: a centre is no point either.
        weights = {code: 1 / (far + 1_000) ** 2 for code, far in metres.items()}
        shares = {code: CERTAINTY * w / sum(weights.values()) for code, w in weights.items()}
        likely = sorted(shares.items(), key=lambda one: (-one[1], one[0]))
        return {code: share for code, share in likely if share >= CONFIDENCE_MIN}

    def _to_next(self, code: str) -> float:
        here = self._centres[code]
        others = [metres_between(here, c) for other, c in self._centres.items() if other != code]
        return min(others, default=0)
