"""Names that clients choose, as labels: no more of them than a store of metrics can take."""

import re

from api.viewer import Viewer

OTHER = "other"
NAME = re.compile(r"[\w@/.: -]{1,64}")


class Names:
    """The first so many that come; all others are told as one.

    Visitors have a part for themselves: nobody without a token can use up the rest.
    """

    def __init__(self, limit: int, *, of_visitors: int) -> None:
        self.limits = {True: of_visitors, False: limit - of_visitors}  # by: is it a visitor?
        self._known: dict[bool, set[str]] = {True: set(), False: set()}

    def __call__(self, given: str, viewer: Viewer) -> str:
        if given in self._known[True] or given in self._known[False]:
            return given
        visitor = viewer.scope is None
        known = self._known[visitor]
        if len(known) >= self.limits[visitor] or not NAME.fullmatch(given):
            return OTHER
        known.add(given)
        return given
