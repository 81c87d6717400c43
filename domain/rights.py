"""Who acts, for which part of the country, and what each role may do there."""

from dataclasses import dataclass
from typing import NamedTuple

from domain.errors import NotPermitted
from domain.vocabulary import Role


@dataclass(frozen=True, slots=True)
class Scope:
    """A part of the country, or of the work in it. What is None does not narrow it.

    The one definition of who sees what: lists, streams, ids, exports and commands all ask it.
    """

    region: str | None = None
    municipality: str | None = None
    organisation: str | None = None
    regions: tuple[str, ...] | None = None  # codes: those of a federal district
    topics: tuple[str, ...] | None = None  # codes: those of a curator's groups

    def covers(
        self,
        region: str,
        municipality: str | None,
        organisation: str | None = None,
        topic: str | None = None,
    ) -> bool:
        """Whether it has what lies there, is held by that body and is about that topic."""
        return (
            self.region in (None, region)
            and self.municipality in (None, municipality)
            and self.organisation in (None, organisation)
            and (self.regions is None or region in self.regions)
            and (self.topics is None or topic in self.topics)
        )

    def contains(self, other: "Scope") -> bool:
        """Whether whoever sees this part sees all of the other."""
        return (
            _within(other.places, self.places)
            and self.municipality in (None, other.municipality)
            and self.organisation in (None, other.organisation)
            and _within(_set(other.topics), _set(self.topics))
        )

    @property
    def places(self) -> frozenset[str] | None:
        """The codes of the regions it lies in; None: of all there are."""
        if self.region is None:
            return _set(self.regions)
        outside = self.regions is not None and self.region not in self.regions
        return frozenset() if outside else frozenset([self.region])


def _within(part: frozenset[str] | None, whole: frozenset[str] | None) -> bool:
    return whole is None or (part is not None and part <= whole)


def _set(codes: tuple[str, ...] | None) -> frozenset[str] | None:
    return None if codes is None else frozenset(codes)


COUNTRY = Scope()

# Where the trainees of a region practise: as in a region of its own, whose log, positions and
# deadlines are nobody else's, so that nothing of it can reach a figure.
SANDBOX = "~sandbox"


# Where stands what the network itself did: beside the regions, in a log and positions of its own.
NETWORK = "~network"


def sandbox_of(region: str) -> str:
    return region_proper(region) + SANDBOX


def is_sandbox(region: str) -> bool:
    return region.endswith(SANDBOX)


def region_proper(region: str) -> str:
    """The region itself, of it or of its sandbox."""
    return region.removesuffix(SANDBOX)


class Actor(NamedTuple):
    """Who gave the command; name and role stand in every event."""

    name: str
    role: Role
    scope: Scope = COUNTRY


SYSTEM = Actor("system", Role.SYSTEM)


def check_right(
    by: Actor,
    allowed: frozenset[Role],
    *,
    region: str,
    municipality: str | None,
    organisation: str | None,
    topic: str | None,
) -> None:
    """Raises NotPermitted unless the role may, here, on what this body holds of this topic.

    In the sandbox a trainee may do what any person may; elsewhere nothing.
    """
    if is_sandbox(region) and allowed != {Role.SYSTEM}:
        allowed = allowed | {Role.TRAINEE}
    if by.role not in allowed or not by.scope.covers(region, municipality, organisation, topic):
        raise NotPermitted
