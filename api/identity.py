"""Whom a token names: one of the configured issuer or, without an issuer, one of this node's key.

OpenID Connect Core 1.0 and RFC 9068 say what a token holds, RFC 8725 what to distrust in it.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import jwt

from api.claims import ClaimsMapping, read_claims
from api.issuer_keys import ALGORITHMS, IssuerKeys
from api.viewer import VISITOR, Viewer, ViewerOf, bearer_token, read_viewer
from domain.errors import InvalidInput, NotPermitted
from regions.reference.catalogue import Catalogue
from regions.settings import Issuer, Settings

log = logging.getLogger(__name__)

CLOCK_SKEW_SECONDS = 30  # by which the issuer's clock and ours may differ
CLAIMS = ["exp", "iss", "aud", "sub"]
TYPES = ("jwt", "at+jwt", "application/at+jwt")  # a logout token, say, opens nothing
TOKEN_CHARACTERS_MAX = 16 * 1024
KEPT_SECONDS = 60  # within which a withdrawn key, or changed rights, take effect
KEPT_MAX = 1_000  # tokens
KEY_ID_CHARACTERS_MAX = 256


def viewer_of(settings: Settings, catalogue: Catalogue, token_key: bytes) -> ViewerOf:
    """How this node learns who asks. Raises ClaimsInvalid."""
    if settings.issuer is not None:
        mapping = read_claims(settings.home, settings.catalogue, catalogue)
        keys = IssuerKeys(settings.issuer.url)
        return Remembered(IssuedTokens(settings.issuer, keys, mapping, catalogue).viewer)

    async def local(authorization: str | None) -> Viewer:
        return read_viewer(token_key, authorization, catalogue)

    return Remembered(local)


class Remembered:
    """Whom the tokens of the last minute named: a signature costs a tenth of a page to check."""

    def __init__(self, read: ViewerOf, clock: Callable[[], float] = time.time) -> None:
        self.read = read
        self.clock = clock  # seconds since the epoch
        self._known: dict[str, tuple[Viewer, float]] = {}  # by token; until when

    async def __call__(self, authorization: str | None) -> Viewer:
        """As `read`, which alone refuses."""
        if not authorization:
            return VISITOR
        now, token = self.clock(), bearer_token(authorization)
        viewer, until = self._known.get(token, (VISITOR, now))
        if now < until:
            return viewer
        viewer = await self.read(authorization)
        if len(self._known) >= KEPT_MAX:
            self._known = {of: known for of, known in self._known.items() if now < known[1]}
        if len(self._known) < KEPT_MAX:
            expires = viewer.expires_at.timestamp() if viewer.expires_at else now
            self._known[token] = viewer, min(now + KEPT_SECONDS, expires)
        return viewer


@dataclass
class IssuedTokens:
    issuer: Issuer
    keys: IssuerKeys
    mapping: ClaimsMapping
    catalogue: Catalogue

    async def viewer(self, authorization: str | None) -> Viewer:
        """VISITOR without a token. Raises NotPermitted for a bad one, and IssuerUnavailable."""
        if not authorization:
            return VISITOR
        claims = await self._claims(bearer_token(authorization))
        skew = timedelta(seconds=CLOCK_SKEW_SECONDS)
        try:
            return self.mapping.viewer(claims, self.catalogue, skew=skew)
        except (ValueError, OverflowError, OSError, InvalidInput) as error:
            # The issuer signed it: somebody mends either its claims or our mapping.
            log.warning("A token of %s gives no rights: %s", self.issuer.url, error)
            raise NotPermitted from None

    async def _claims(self, token: str) -> dict[str, Any]:
        """What the issuer signed for us, and holds now."""
        kid, algorithm = _header(token)
        key = await self.keys.key(kid)
        if algorithm not in key.algorithms:
            raise NotPermitted
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key.key,
                [algorithm],
                audience=self.issuer.audience,
                issuer=self.issuer.url,
                leeway=CLOCK_SKEW_SECONDS,
                options={"require": CLAIMS},
            )
        except (jwt.PyJWTError, ValueError, OverflowError, RecursionError):
            raise NotPermitted from None
        return claims


def _header(token: str) -> tuple[str, str]:
    """Key id and algorithm, all that is believed of a header: not where keys may lie.

    Raises NotPermitted before anything is fetched for whoever sends nonsense.
    """
    if len(token) > TOKEN_CHARACTERS_MAX:
        raise NotPermitted
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise NotPermitted from None
    kid, algorithm, of = header.get("kid"), header.get("alg"), header.get("typ", "JWT")
    if not isinstance(kid, str) or len(kid) > KEY_ID_CHARACTERS_MAX:
        raise NotPermitted
    if algorithm not in ALGORITHMS or str(of).lower() not in TYPES:
        raise NotPermitted
    return kid, str(algorithm)
