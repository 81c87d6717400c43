"""Who acts, for which part of the country, and what each role may do there."""

from dataclasses import dataclass
from typing import NamedTuple

from domain.errors import NotPermitted
from domain.vocabulary import Role


@dataclass(frozen=True, slots=True)
class Scope:
    """A part of the country: all of it, a region, a municipality of one, or one body's work."""

    region: str | None = None
    municipality: str | None = None
    organisation: str | None = None

    def covers(
        self, region: str, municipality: str | None, organisation: str | None = None
    ) -> bool:
        return (
            self.region in (None, region)
            and self.municipality in (None, municipality)
            and self.organisation in (None, organisation)
        )

    def contains(self, other: "Scope") -> bool:
        """Whether whoever sees this part sees all of the other."""
        return (
            self.region in (None, other.region)
            and self.municipality in (None, other.municipality)
            and self.organisation in (None, other.organisation)
        )


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
) -> None:
    """Raises NotPermitted unless the role may, here, on what this body holds.

    In the sandbox a trainee may do what any person may; elsewhere nothing.
    """
    if is_sandbox(region) and allowed != {Role.SYSTEM}:
        allowed = allowed | {Role.TRAINEE}
    if by.role not in allowed or not by.scope.covers(region, municipality, organisation):
        raise NotPermitted
