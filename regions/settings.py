"""What can be set from outside. The only reader of the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

SHIPPED_CATALOGUES = Path(__file__).parent / "catalogues"


class SettingInvalid(Exception):
    """A TSUR_… variable holds something that cannot be used."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """Whose access tokens say who somebody is: an OpenID provider."""

    url: str  # as its tokens write it in `iss`
    audience: str  # as they name this API in `aud`


@dataclass(frozen=True, slots=True)
class Settings:
    home: Path  # everything this node keeps on disk
    database_url: str | None  # None: the embedded PostgreSQL in `home`
    host: str
    port: int
    catalogue: Path  # folder of reference data
    broker_url: str | None = None  # RabbitMQ; None: jobs stay in the database
    introspection: bool = True  # whether clients may ask for the schema
    issuer: Issuer | None = None  # None: `tsur token` issues tokens, for development
    topology: Path | None = None  # None: this node is all there is
    node: str | None = None  # which node of the topology this is


def read_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Settings from TSUR_HOME, TSUR_DATABASE_URL, TSUR_HOST, TSUR_PORT, TSUR_CATALOGUE,
    TSUR_BROKER_URL, TSUR_INTROSPECTION, TSUR_OIDC_ISSUER, TSUR_OIDC_AUDIENCE, TSUR_TOPOLOGY and
    TSUR_NODE.

    Raises SettingInvalid naming the variable.
    """
    return Settings(
        home=Path(environ.get("TSUR_HOME") or ".tsur").absolute(),
        database_url=environ.get("TSUR_DATABASE_URL") or None,
        host=environ.get("TSUR_HOST") or "127.0.0.1",
        port=_port(environ.get("TSUR_PORT") or "8000"),
        catalogue=_catalogue(environ.get("TSUR_CATALOGUE") or "russia"),
        broker_url=_broker(environ.get("TSUR_BROKER_URL") or None),
        introspection=_switch(environ, "TSUR_INTROSPECTION"),
        issuer=_issuer(environ.get("TSUR_OIDC_ISSUER"), environ.get("TSUR_OIDC_AUDIENCE")),
        topology=Path(path).absolute() if (path := environ.get("TSUR_TOPOLOGY")) else None,
        node=environ.get("TSUR_NODE") or None,
    )


def _switch(environ: Mapping[str, str], name: str) -> bool:
    value = environ.get(name) or "on"
    if value not in ("on", "off"):
        raise SettingInvalid(f"{name} is on or off, not {value!r}")
    return value == "on"


def _issuer(url: str | None, audience: str | None) -> Issuer | None:
    if not url and not audience:
        return None
    if not url or not audience:
        raise SettingInvalid("TSUR_OIDC_ISSUER and TSUR_OIDC_AUDIENCE: set both, or neither")
    address = urlsplit(url)
    ours = address.scheme == "http" and address.hostname in ("127.0.0.1", "::1", "localhost")
    plain = address.hostname and not (address.username or address.query or address.fragment)
    if not plain or not (ours or address.scheme == "https"):
        raise SettingInvalid(
            "TSUR_OIDC_ISSUER must be the https:// address of the issuer, as its tokens write it"
        )
    return Issuer(url, audience)


def _broker(url: str | None) -> str | None:
    if url is not None and not url.startswith(("amqp://", "amqps://")):
        raise SettingInvalid("TSUR_BROKER_URL must be the amqp:// address of a RabbitMQ server")
    return url


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise SettingInvalid(f"TSUR_PORT must be a port number from 1 to 65535, not {text!r}")
    return int(text)


def _catalogue(name_or_path: str) -> Path:
    """A shipped catalogue by its name, or any folder by its path."""
    for folder in (SHIPPED_CATALOGUES / name_or_path, Path(name_or_path).absolute()):
        if (folder / "catalogue.toml").is_file():
            return folder
    raise SettingInvalid(
        f"TSUR_CATALOGUE: {name_or_path!r} is neither a shipped catalogue nor a folder "
        "with a catalogue.toml"
    )
