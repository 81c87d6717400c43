"""A small OpenID provider on a real socket: publishes keys, signs whatever it is told to."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

AUDIENCE = "https://tsur.example/graphql"
CLAIMS_TOML = """
name.claim = "preferred_username"

[role]
claim = ["realm_access", "roles"]

[role.values]
tsur-curator = "CURATOR"
tsur-district = "DISTRICT_OVERSEER"
tsur-monitor = "MONITOR"
tsur-officer = "DATA_OFFICER"

[scope]
claim = "tsur_scope"

[topic_groups]
claim = "tsur_topic_groups"

[personal_data]
claim = ["realm_access", "roles"]
values = ["tsur-personal-data"]
"""


@cache
def rsa_key(name: str) -> rsa.RSAPrivateKey:
    """Making one takes long: one for each name in a run."""
    return rsa.generate_private_key(65537, 2048)


@cache
def ec_key(name: str) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def pem(key: Any) -> bytes:
    """The public half, as text."""
    public: bytes = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return public


def jwk(kid: str, key: Any, **changes: Any) -> dict[str, Any]:
    algorithm = jwt.get_algorithm_by_name(
        "RS256" if isinstance(key, rsa.RSAPrivateKey) else "ES256"
    )
    public: dict[str, Any] = algorithm.to_jwk(key.public_key(), as_dict=True)  # type: ignore[call-overload]
    return public | {"kid": kid, "use": "sig", "key_ops": ["verify"]} | changes


def encoded(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


@dataclass
class SmallIssuer:
    url: str = ""
    keys: list[dict[str, Any]] = field(default_factory=lambda: [jwk("one", rsa_key("one"))])
    away: bool = False
    fetches: int = 0  # of its keys

    def claims(self, **changes: Any) -> dict[str, Any]:
        facts = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "8c1e",
            "exp": datetime.now(UTC) + timedelta(minutes=1),
            "iat": datetime.now(UTC),
            "preferred_username": "petrova",
            "realm_access": {"roles": ["offline_access", "tsur-monitor"]},
            "tsur_scope": "country",
        } | changes
        return {name: value for name, value in facts.items() if value is not None}

    def token(
        self,
        *,
        key: Any = None,
        kid: str | None = "one",
        algorithm: str = "RS256",
        headers: dict[str, Any] | None = None,
        **changes: Any,
    ) -> str:
        header = {"kid": kid, "typ": "at+jwt"} | (headers or {})
        header = {name: value for name, value in header.items() if value is not None}
        return jwt.encode(self.claims(**changes), key or rsa_key("one"), algorithm, headers=header)

    def answer(self, path: str) -> dict[str, Any] | None:
        if self.away:
            return None
        if path == "/realm/.well-known/openid-configuration":
            return {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
        if path == "/realm/keys":
            self.fetches += 1
            return {"keys": self.keys}
        return None


@contextmanager
def small_issuer() -> Iterator[SmallIssuer]:
    issuer = SmallIssuer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = issuer.answer(self.path)
            self.send_response(200 if answer else 503)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        issuer.url = f"http://127.0.0.1:{server.server_port}/realm"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield issuer
        finally:
            server.shutdown()
            thread.join()
