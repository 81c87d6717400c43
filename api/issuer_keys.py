"""The public keys of an issuer of tokens: fetched beside the event loop, kept while it is away."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import jwt
import orjson
from anyio import to_thread
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from api.viewer import IssuerUnavailable
from domain.errors import NotPermitted

log = logging.getLogger(__name__)

# Asymmetric ones only: a public key must never serve as the secret of an HMAC.
RSA_ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
CURVE_ALGORITHMS = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512", "Ed25519": "EdDSA"}
ALGORITHMS = RSA_ALGORITHMS | frozenset(CURVE_ALGORITHMS.values())
RSA_BITS_MIN = 2048  # NIST SP 800-131A, revision 2

FRESH_SECONDS = 5 * 60  # after which the keys are fetched again, to learn which were withdrawn
KEPT_SECONDS_MAX = 24 * 60 * 60  # of an issuer that does not answer
PAUSE_SECONDS = 30  # between two fetches: whoever invents key ids buys no more than these
RETRY_SECONDS = 5  # after a fetch that failed
FETCH_SECONDS_MAX = 5
BYTES_MAX = 1024 * 1024


class KeysInvalid(Exception):
    """What the issuer publishes cannot be used."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    key: Any  # of `cryptography`
    algorithms: frozenset[str]  # what may be signed with it


Fetch = Callable[[str], Mapping[str, PublicKey]]


class IssuerKeys:
    """By key id. Belongs to one event loop."""

    def __init__(self, issuer: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.issuer = issuer
        self.clock = clock  # seconds
        self.keys: Mapping[str, PublicKey] = {}
        self.fetched_at = self.next_fetch_at = float("-inf")
        self.fetching: asyncio.Task[None] | None = None

    async def key(self, kid: str) -> PublicKey:
        """Waits for the issuer only if the key is not known.

        Raises NotPermitted if the issuer has no such key, IssuerUnavailable if nobody can tell.
        """
        known = self._kept() and kid in self.keys
        if not known or self.clock() - self.fetched_at > FRESH_SECONDS:
            self._fetch_if_allowed()
        if not known and self.fetching is not None:
            await asyncio.shield(self.fetching)  # one fetch for all who wait; none of them ends it
        if not self._kept():
            raise IssuerUnavailable
        if kid not in self.keys:
            raise NotPermitted
        return self.keys[kid]

    def _kept(self) -> bool:
        return self.clock() - self.fetched_at <= KEPT_SECONDS_MAX

    def _fetch_if_allowed(self) -> None:
        if self.fetching is None and self.clock() >= self.next_fetch_at:
            self.fetching = asyncio.create_task(self._fetch())

    async def _fetch(self) -> None:
        """Never raises: whoever has a key goes on with it."""
        try:
            # Also parsing: some hundred keys are milliseconds that the event loop does not have.
            self.keys = await to_thread.run_sync(fetch_keys, self.issuer, abandon_on_cancel=True)
            self.fetched_at = self.clock()
            self.next_fetch_at = self.clock() + PAUSE_SECONDS
        except (httpx.HTTPError, httpx.InvalidURL, OSError, KeysInvalid, ValueError) as error:
            log.warning("The keys of %s cannot be fetched: %s", self.issuer, error)
            self.next_fetch_at = self.clock() + RETRY_SECONDS
        finally:
            self.fetching = None


def fetch_keys(issuer: str) -> dict[str, PublicKey]:
    """What the issuer signs with now, by key id (OpenID Connect Discovery 1.0, 4).

    Blocks. Raises httpx.HTTPError, httpx.InvalidURL, OSError, KeysInvalid or ValueError.
    """
    with httpx.Client(timeout=FETCH_SECONDS_MAX) as client:
        about = _get(client, issuer.rstrip("/") + "/.well-known/openid-configuration")
        if about.get("issuer") != issuer:
            raise KeysInvalid(f"It calls itself {about.get('issuer')!r}")
        address = str(about.get("jwks_uri"))
        if not address.startswith("https://") and issuer.startswith("https://"):
            raise KeysInvalid("Its jwks_uri is no https:// address")
        listed = _get(client, address).get("keys")
    if not isinstance(listed, list):
        raise KeysInvalid("It lists no keys")
    keys = {each["kid"]: key for each in listed if (key := read_key(each)) is not None}
    if not keys:
        raise KeysInvalid("It lists no key to check signatures with")
    return keys


def read_key(given: Any) -> PublicKey | None:
    """A key that checks signatures, has an id and is strong enough; None of any other."""
    if not isinstance(given, dict) or not isinstance(given.get("kid"), str):
        return None
    operations = given.get("key_ops", ["verify"])
    if given.get("use", "sig") != "sig" or operations != ["verify"] or "d" in given:
        return None  # with a `d` it is a private key that everybody can read by now
    algorithms = _algorithms(given)
    if not algorithms:
        return None
    try:
        key = jwt.PyJWK(given, min(algorithms)).key
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    weak = isinstance(key, RSAPublicKey) and key.key_size < RSA_BITS_MIN
    return None if weak else PublicKey(key, algorithms)


def _algorithms(given: Mapping[str, Any]) -> frozenset[str]:
    if given.get("kty") == "RSA":
        possible = RSA_ALGORITHMS
    elif given.get("kty") in ("EC", "OKP"):
        possible = frozenset({CURVE_ALGORITHMS.get(str(given.get("crv")), "")}) & ALGORITHMS
    else:
        return frozenset()
    return frozenset(each for each in possible if given.get("alg", each) == each)


def _get(client: httpx.Client, address: str) -> dict[str, Any]:
    """A JSON object. A redirect is an error: who may name our keys is configured."""
    body, deadline = bytearray(), time.monotonic() + FETCH_SECONDS_MAX
    with client.stream("GET", address, headers={"Accept": "application/json"}) as response:
        response.raise_for_status()
        for piece in response.iter_bytes():
            body += piece
            if len(body) > BYTES_MAX or time.monotonic() > deadline:
                raise KeysInvalid("Its answer is too long, or takes too long")
    answer = orjson.loads(body)
    if not isinstance(answer, dict):
        raise KeysInvalid("Its answer is no JSON object")
    return answer
