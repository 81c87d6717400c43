"""From the claims of an issuer's token to a viewer, as `claims.toml` says."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from api.viewer import Viewer, of_topic_groups, read_scope, scope_in
from domain.commands import SHORT_TEXT_MAX, check_text
from domain.rights import Scope
from domain.vocabulary import Role
from regions.reference.catalogue import Catalogue

FILE = "claims.toml"
TABLES = ("name", "role", "scope", "topic_groups", "personal_data")


class ClaimsInvalid(Exception):
    """claims.toml cannot be used; the message says where."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Where a fact stands in a token, and which of our words its words mean."""

    path: tuple[str, ...]
    words: Mapping[str, str] | None = None  # in the order of the file; None: they are ours already

    def read(self, claims: Mapping[str, Any]) -> list[str] | None:
        """Our words for what stands there, the first of the file first; None without the claim.

        Raises ValueError for what is neither a text nor a list of texts.
        """
        found: Any = claims
        for step in self.path:
            if not isinstance(found, dict) or step not in found:
                return None
            found = found[step]
        given = found if isinstance(found, list) else [found]
        if not all(isinstance(each, str) for each in given):
            raise ValueError(f"The claim {'.'.join(self.path)} holds no text")
        if self.words is None:
            return list(given)
        return list(dict.fromkeys(ours for word, ours in self.words.items() if word in given))


@dataclass(frozen=True, slots=True)
class ClaimsMapping:
    name: Claim
    role: Claim
    scope: Claim
    topic_groups: Claim | None
    personal_data: Claim | None

    def viewer(self, claims: Mapping[str, Any], catalogue: Catalogue, *, skew: timedelta) -> Viewer:
        """Of claims whose signature and times are checked. Raises ValueError, InvalidInput."""
        role = self._role(claims)
        personal_data = self.personal_data.read(claims) if self.personal_data else None
        name = _one(self.name, claims)
        check_text("name", name, SHORT_TEXT_MAX)  # it will stand in events
        return Viewer(
            name=name,
            role=role,
            scope=scope_in(role, self._scope(claims, catalogue)),
            personal_data=bool(personal_data),
            expires_at=datetime.fromtimestamp(int(claims["exp"]), UTC) + skew,
        )

    def _role(self, claims: Mapping[str, Any]) -> Role:
        """Of several roles the first in the file; if the words are ours, there must be one."""
        if self.role.words is None:
            return Role(_one(self.role, claims))
        found = self.role.read(claims)
        if not found:
            raise ValueError("The token names no role of ours")
        return Role(found[0])

    def _scope(self, claims: Mapping[str, Any], catalogue: Catalogue) -> Scope:
        scope = read_scope(_one(self.scope, claims), catalogue)
        groups = self.topic_groups.read(claims) if self.topic_groups else None
        # Where the claim stands it narrows, also when it is empty: nobody sees more by a mistake.
        return scope if groups is None else of_topic_groups(scope, groups, catalogue)


def _one(claim: Claim, claims: Mapping[str, Any]) -> str:
    found = claim.read(claims) or []
    if len(found) != 1:
        raise ValueError(f"The claim {'.'.join(claim.path)} must name one of our words")
    return found[0]


def read_claims(home: Path, folder: Path, catalogue: Catalogue) -> ClaimsMapping:
    """The mapping of TSUR_HOME or, where there is none, of the catalogue. Raises ClaimsInvalid."""
    file = next((each for each in (home / FILE, folder / FILE) if each.is_file()), None)
    if file is None:
        raise ClaimsInvalid(
            f"TSUR_OIDC_ISSUER is set, but neither {home / FILE} nor {folder / FILE} says what its "
            "claims mean"
        )
    try:
        given = tomllib.loads(file.read_text(encoding="utf-8"))
        unknown = given.keys() - set(TABLES)
        if unknown:
            raise ValueError(f"there is no {min(unknown)}")
        mapping = _mapping(given)
        _check(mapping, catalogue)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValueError) as error:
        raise ClaimsInvalid(f"{file}: {error}") from None
    return mapping


def _mapping(given: Mapping[str, Any]) -> ClaimsMapping:
    for needed in ("role", "scope"):
        if needed not in given:
            raise ValueError(f"{needed} is missing")
    return ClaimsMapping(
        name=_claim("name", given.get("name", {"claim": "sub"})),
        role=_claim("role", given["role"]),
        scope=_claim("scope", given["scope"]),
        topic_groups=_claim("topic_groups", given["topic_groups"])
        if "topic_groups" in given
        else None,
        personal_data=_right(given["personal_data"]) if "personal_data" in given else None,
    )


def _claim(table: str, given: Any) -> Claim:
    """Raises ValueError."""
    if not isinstance(given, dict) or given.keys() - {"claim", "values"}:
        raise ValueError(f"{table} is a table of `claim` and, if need be, `values`")
    path = given.get("claim")
    steps = [path] if isinstance(path, str) else path
    if not isinstance(steps, list) or not steps or not all(isinstance(s, str) for s in steps):
        raise ValueError(f"{table}.claim is the name of a claim, or the list of names to it")
    words = given.get("values")
    if words is not None and not (
        isinstance(words, dict) and words and all(isinstance(w, str) for w in words.values())
    ):
        raise ValueError(f"{table}.values is a table from the issuer's words to ours")
    return Claim(tuple(steps), words)


def _right(given: Any) -> Claim:
    """Who has one of the `values`, a list, has the right."""
    words = given.get("values") if isinstance(given, dict) else None
    if not isinstance(words, list) or not words or not all(isinstance(w, str) for w in words):
        raise ValueError("personal_data.values is the list of words that give the right")
    return _claim("personal_data", given | {"values": dict.fromkeys(words, "yes")})


def _check(mapping: ClaimsMapping, catalogue: Catalogue) -> None:
    """Raises ValueError for a word of ours that means nothing."""
    for word, role in (mapping.role.words or {}).items():
        if role not in set(Role) - {Role.SYSTEM}:
            raise ValueError(f"role.values: {word!r} is given {role!r}, which is no person's role")
    for scope in (mapping.scope.words or {}).values():
        try:
            read_scope(scope, catalogue)
        except ValueError as error:
            raise ValueError(f"scope.values: {error}") from None
    groups = mapping.topic_groups
    for named in (groups.words or {}).values() if groups else ():
        if named not in catalogue.topics or catalogue.topics[named].group is not None:
            raise ValueError(f"topic_groups.values: {named!r} is no group of topics")
