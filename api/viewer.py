"""Who is asking: learnt from a signed token, and what of the network they may see.

The token is a JWT signed with a key of this node (`tsur token` issues it). Without one a visitor
sees public aggregates only.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt

from domain.commands import SHORT_TEXT_MAX, check_text
from domain.errors import InvalidInput, NotPermitted
from domain.rights import Actor, Scope, region_proper, sandbox_of
from domain.vocabulary import Role
from regions.catalogue import Catalogue
from regions.vault import read_secret

ALGORITHM = "HS256"
AUDIENCE = "tsur"
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

    def sees(self, region: str, municipality: str | None, organisation: str | None = None) -> bool:
        """Whether the viewer's scope covers the place, and who holds what is there."""
        return self.scope is not None and self.scope.covers(region, municipality, organisation)

    def require(
        self, region: str, municipality: str | None, organisation: str | None = None
    ) -> None:
        """Raises NotPermitted for what the viewer does not see."""
        if not self.sees(region, municipality, organisation):
            raise NotPermitted

    def region_meant(self, code: str) -> str:
        """A trainee who names their region means its sandbox."""
        return sandbox_of(code) if self.role is Role.TRAINEE else code

    def actor(self) -> Actor:
        """Raises NotPermitted for a visitor."""
        if self.scope is None:
            raise NotPermitted
        return Actor(self.name, self.role, self.scope)


VISITOR = Viewer("visitor", Role.CITIZEN, scope=None)


def read_token_key(home: Path) -> bytes:
    return read_secret(home / "token.key")


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
        "personal_data": viewer.personal_data,
    }
    return jwt.encode(claims, key, ALGORITHM)


def read_viewer(key: bytes, authorization: str | None, catalogue: Catalogue) -> Viewer:
    """Whom an Authorization value names; VISITOR without one. Raises NotPermitted if it lies."""
    if not authorization:
        return VISITOR
    try:
        claims = jwt.decode(
            authorization.removeprefix("Bearer ").strip(),
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
            scope=scope_in(role, read_scope(str(claims["scope"]), catalogue)),
            personal_data=claims.get("personal_data") is True,
            expires_at=datetime.fromtimestamp(claims["exp"], UTC),
        )
    except (jwt.InvalidTokenError, ValueError, InvalidInput):
        raise NotPermitted from None


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
    """`country`, or the code of a region, municipality or organisation. Raises ValueError."""
    if text == "country":
        return Scope()
    if region_proper(text) in catalogue.regions:
        return Scope(region=text)
    if text in catalogue.municipalities:
        return Scope(catalogue.municipalities[text].region, text)
    if text in catalogue.organisations:
        return Scope(catalogue.organisations[text].region, organisation=text)
    raise ValueError(
        f"{text!r} is neither 'country' nor the code of a region, municipality or organisation"
    )
