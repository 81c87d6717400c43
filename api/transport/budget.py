"""What each who asks may still spend: a bucket of points that fills up again. Of this process."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address, ip_network

from api.viewer import Viewer, write_scope
from domain.errors import DomainError
from regions.settings import Budget

Principal = tuple[str, str]  # name and scope; of a visitor, "" and where they ask from

BUCKETS_MAX = 10_000  # of those who asked last; whoever is forgotten begins with a full one


class RateLimited(DomainError):
    """You have asked for more than this server gives in a while; go on in {seconds} s."""

    def __init__(self, *, seconds: int) -> None:
        super().__init__(seconds=seconds)
        self.retry_after_seconds = seconds


class Budgets:
    """By principal."""

    def __init__(self, budget: Budget, clock: Callable[[], float] = time.monotonic) -> None:
        self.budget = budget
        self._clock = clock  # seconds
        self._buckets: OrderedDict[Principal, tuple[float, float]] = (
            OrderedDict()
        )  # points, and when

    def spend(self, principal: Principal, points: int) -> int:
        """What is left then. Raises RateLimited if there are not as many."""
        left = self._left(principal)
        if left < points:
            seconds = (points - left) / self.budget.points_per_second
            raise RateLimited(seconds=math.ceil(seconds))
        return self.charge(principal, points)

    def charge(self, principal: Principal, points: int) -> int:
        """For what was done already: a debt has to fill up first."""
        left = self._left(principal) - points
        self._buckets[principal] = left, self._clock()
        self._buckets.move_to_end(principal)
        if len(self._buckets) > BUCKETS_MAX:
            self._buckets.popitem(last=False)
        return math.floor(left)

    def _left(self, principal: Principal) -> float:
        points, at = self._buckets.get(principal, (self.budget.points, self._clock()))
        restored = (self._clock() - at) * self.budget.points_per_second
        return min(self.budget.points, points + restored)


def principal_of(viewer: Viewer, address: str) -> Principal:
    """Whose budget it is: the viewer's in their scope, a visitor's by where they ask from."""
    if viewer.scope is not None:
        return viewer.name, write_scope(viewer.scope)
    try:
        known = ip_address(address)
    except ValueError:
        return "", address  # of a proxy that has other names
    if isinstance(known, IPv6Address):
        return "", str(ip_network((known, 64), strict=False))  # who has one has all of these
    return "", address
