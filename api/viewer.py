"""Who is asking: learnt from a signed token, and what of the network they may see.

The token is a JWT of an issuer (api/identity.py) or, in development, one signed with a key of this
node (`tsur token` issues it). Without one a visitor sees public aggregates only.
"""

from collections.abc import Awaitable, Callable, Collection, Container, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt

from domain.commands import SHORT_TEXT_MAX, check_text
from domain.errors import DomainError, InvalidInput, NotPermitted
from domain.rights import Actor, Scope, region_proper, sandbox_of
from domain.vocabulary import Role
from regions.reference.catalogue import Catalogue
from regions.store.vault import read_secret

ALGORITHM = "HS256"
AUDIENCE = "tsur"
TOKEN_KEY = "token.key"  # noqa: S105 - the name of a file
CLAIMS = ["exp", "aud", "sub", "role", "scope"]


@dataclass(frozen=True, slots=True)
class Viewer:
    name: str
    role: Role
    scope: Scope | None  # None: public aggregates only
    personal_data: bool = False
    expires_at: datetime | None = None

    def require_personal_data(self) -> None:
        """Raises NotPermitted without the right to personal data."""
        if not self.personal_data:
            raise NotPermitted

    def require_scope(self) -> None:
        """Raises NotPermitted for a visitor, before anything is looked up for them."""
        if self.scope is None:
            raise NotPermitted

    def sees(
        self,
        region: str,
        municipality: str | None,
        organisation: str | None = None,
        topic: str | None = None,
    ) -> bool:
        """Whether the viewer's scope covers the place, its holder and its topic.

        Without these two: whether it covers whoever holds what is there, and whatever it is about.
        """
        return self.scope is not None and self.scope.covers(
            region, municipality, organisation, topic
        )

    def require(
        self,
        region: str,
        municipality: str | None,
        organisation: str | None = None,
        topic: str | None = None,
    ) -> None:
        """Raises NotPermitted for what the viewer does not see."""
        if not self.sees(region, municipality, organisation, topic):
            raise NotPermitted

    def sees_all_of(self, part: Scope) -> bool:
        return self.scope is not None and self.scope.contains(part)

    def region_meant(self, code: str) -> str:
        """A trainee who names their region means its sandbox."""
        return sandbox_of(code) if self.role is Role.TRAINEE else code

    def actor(self) -> Actor:
        """Raises NotPermitted for a visitor."""
        if self.scope is None:
            raise NotPermitted
        return Actor(self.name, self.role, self.scope)


VISITOR = Viewer("visitor", Role.CITIZEN, scope=None)

# Of the value of an Authorization header, or of connection_init; None: there is none. Raises
# NotPermitted for a token that is none, and IssuerUnavailable.
ViewerOf = Callable[[str | None], Awaitable[Viewer]]


class IssuerUnavailable(DomainError):
    """The issuer of tokens does not answer; try again in a moment."""

    @property
    def code(self) -> str:
        return "UNAVAILABLE"


def read_token_key(home: Path) -> bytes:
    return read_secret(home / TOKEN_KEY)


def issue_token(key: bytes, viewer: Viewer, *, now: datetime, valid: timedelta) -> str:
    """A token that makes its bearer this viewer until now + valid. A visitor needs none."""
    if viewer.scope is None:
        raise ValueError("A visitor has no token")
    check_text("name", viewer.name, SHORT_TEXT_MAX)
    claims = {
        "aud": AUDIENCE,
        "exp": now + valid,
        "sub": viewer.name,
        "role": viewer.role.value,
        "scope": write_scope(viewer.scope),
        "regions": viewer.scope.regions,
        "topics": viewer.scope.topics,
        "personal_data": viewer.personal_data,
    }
    return jwt.encode(claims, key, ALGORITHM)


def read_viewer(key: bytes, authorization: str | None, catalogue: Catalogue) -> Viewer:
    """Whom an Authorization value names; VISITOR without one. Raises NotPermitted if it lies."""
    if not authorization:
        return VISITOR
    try:
        claims = jwt.decode(
            bearer_token(authorization),
            key,
            [ALGORITHM],
            audience=AUDIENCE,
            options={"require": CLAIMS},
        )
        check_text("name", claims["sub"], SHORT_TEXT_MAX)  # it will stand in events
        role = Role(claims["role"])
        return Viewer(
            name=claims["sub"],
            role=role,
            scope=_scope(claims, role, catalogue),
            personal_data=claims.get("personal_data") is True,
            expires_at=datetime.fromtimestamp(claims["exp"], UTC),
        )
    except (jwt.InvalidTokenError, ValueError, InvalidInput, RecursionError):
        raise NotPermitted from None


def bearer_token(authorization: str) -> str:
    return authorization.removeprefix("Bearer ").strip()


def _scope(claims: Mapping[str, Any], role: Role, catalogue: Catalogue) -> Scope:
    """Raises ValueError."""
    scope = scope_in(role, read_scope(str(claims["scope"]), catalogue))
    return replace(
        scope,
        regions=_codes(claims.get("regions"), catalogue.regions),
        topics=_codes(claims.get("topics"), catalogue.topics),
    )


def _codes(given: object, known: Container[str]) -> tuple[str, ...] | None:
    """Raises ValueError unless it is a list of known codes, or nothing."""
    if given is None:
        return None
    if not isinstance(given, list) or not all(code in known for code in given):
        raise ValueError("What narrows a scope is a list of codes")
    return tuple(given)


def scope_in(role: Role, scope: Scope) -> Scope:
    """What a role sees of a scope: a trainee the sandbox of the region, and nothing else.

    Raises ValueError for a trainee of the whole country, and for SYSTEM: that is no person.
    """
    if role is Role.SYSTEM:
        raise ValueError("SYSTEM stands for rules and workers; no token makes anybody that")
    if role is not Role.TRAINEE:
        return scope
    if scope.region is None:
        raise ValueError("A trainee practises in one region: name it as the scope")
    return replace(scope, region=sandbox_of(scope.region))


def write_scope(scope: Scope) -> str:
    return scope.organisation or scope.municipality or scope.region or "country"


def read_scope(text: str, catalogue: Catalogue) -> Scope:
    """`country`, or the code of a region, municipality, organisation or district.

    Raises ValueError.
    """
    if text == "country":
        return Scope()
    if region_proper(text) in catalogue.regions:
        return Scope(region=text)
    if text in catalogue.municipalities:
        return Scope(catalogue.municipalities[text].region, text)
    if text in catalogue.organisations:
        return Scope(catalogue.organisations[text].region, organisation=text)
    if text in catalogue.districts:
        within = (each.code for each in catalogue.regions.values() if each.district == text)
        return Scope(regions=tuple(sorted(within)))
    raise ValueError(
        f"{text!r} is neither 'country' nor the code of a region, municipality, organisation or "
        "district"
    )


def of_topic_groups(scope: Scope, groups: Collection[str], catalogue: Catalogue) -> Scope:
    """The part of a region's scope that is about these groups of topics.

    Raises ValueError for an unknown group, for none, and for any other scope: the wall in the
    database (projections/walls.py) has a role for curators of a region.
    """
    if scope.region is None or scope.municipality or scope.organisation:
        raise ValueError("A curator of topic groups works for one region: name it as the scope")
    for group in groups:
        if group not in catalogue.topics or catalogue.topics[group].group is not None:
            raise ValueError(f"{group!r} is no group of topics")
    if not groups:
        raise ValueError("No topic group is named")
    within = (topic.code for topic in catalogue.topics.values() if topic.group in groups)
    return replace(scope, topics=tuple(sorted(within)))
