"""What can be set from outside. The only reader of the environment."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from regions.store.server import ConninfoInvalid, read_conninfo

SHIPPED_CATALOGUES = Path(__file__).parent / "catalogues"


class SettingInvalid(Exception):
    """A TSUR_… variable holds something that cannot be used."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """Whose access tokens say who somebody is: an OpenID provider."""

    url: str  # as its tokens write it in `iss`
    audience: str  # as they name this API in `aud`


@dataclass(frozen=True, slots=True)
class Budget:
    """Of each who asks, in points of some 20 microseconds of the server (api/transport/cost.py)."""

    points: int = 600_000  # sixty of the heaviest boards at once
    points_per_second: int = 10_000  # restored: one such board a second, a fifth of a processor


@dataclass(frozen=True, slots=True)
class Settings:
    home: Path  # everything this node keeps on disk
    # None: the embedded PostgreSQL in `home`. It may hold a password.
    database_url: str | None = field(repr=False)
    host: str
    port: int
    catalogue: Path  # folder of reference data
    # RabbitMQ; None: jobs stay in the database
    broker_url: str | None = field(default=None, repr=False)
    introspection: bool = True  # whether clients may ask for the schema
    budget: Budget = Budget()
    trusted_documents: Path | None = None  # folder of operations
    trusted_only: bool = False  # whether all others are refused
    issuer: Issuer | None = None  # None: `tsur token` issues tokens, for development
    slow_seconds: float = 1.0  # an operation that takes longer is a line of the log
    traces_endpoint: str | None = None  # of a collector of OpenTelemetry; None: no traces
    topology: Path | None = None  # None: this node is all there is
    node: str | None = None  # which node of the topology this is
    machine: str | None = None  # which of the node's machines

    def __post_init__(self) -> None:
        if self.trusted_only and self.trusted_documents is None:
            raise SettingInvalid("TSUR_TRUSTED_ONLY: name their folder by TSUR_TRUSTED_DOCUMENTS")


def read_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Settings from TSUR_HOME, TSUR_DATABASE_URL, TSUR_HOST, TSUR_PORT, TSUR_CATALOGUE,
    TSUR_BROKER_URL, TSUR_INTROSPECTION, TSUR_BUDGET_POINTS, TSUR_BUDGET_POINTS_PER_SECOND,
    TSUR_TRUSTED_DOCUMENTS, TSUR_TRUSTED_ONLY, TSUR_OIDC_ISSUER, TSUR_OIDC_AUDIENCE,
    TSUR_SLOW_SECONDS, OTEL_EXPORTER_OTLP_ENDPOINT, TSUR_TOPOLOGY, TSUR_NODE and
    TSUR_MACHINE.

    Raises SettingInvalid naming the variable.
    """
    return Settings(
        home=_home(environ.get("TSUR_HOME") or ".tsur"),
        database_url=_database(environ.get("TSUR_DATABASE_URL") or None),
        host=environ.get("TSUR_HOST") or "127.0.0.1",
        port=_port(environ.get("TSUR_PORT") or "8000"),
        catalogue=_catalogue(environ.get("TSUR_CATALOGUE") or "russia"),
        broker_url=_broker(environ.get("TSUR_BROKER_URL") or None),
        introspection=_switch(environ, "TSUR_INTROSPECTION", usual="on"),
        budget=Budget(
            _number(environ, "TSUR_BUDGET_POINTS", Budget().points),
            _number(environ, "TSUR_BUDGET_POINTS_PER_SECOND", Budget().points_per_second),
        ),
        trusted_documents=_folder(environ, "TSUR_TRUSTED_DOCUMENTS"),
        trusted_only=_switch(environ, "TSUR_TRUSTED_ONLY", usual="off"),
        issuer=_issuer(environ.get("TSUR_OIDC_ISSUER"), environ.get("TSUR_OIDC_AUDIENCE")),
        slow_seconds=_seconds(environ, "TSUR_SLOW_SECONDS", "1"),
        traces_endpoint=_collector(environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or None),
        topology=Path(path).absolute() if (path := environ.get("TSUR_TOPOLOGY")) else None,
        node=environ.get("TSUR_NODE") or None,
        machine=environ.get("TSUR_MACHINE") or None,
    )


def logs_are_json(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether TSUR_LOG says so: lines for a collector instead of a person. Raises SettingInvalid.

    Apart from the others: the log is there before anything else is read.
    """
    value = environ.get("TSUR_LOG") or "text"
    if value not in ("text", "json"):
        raise SettingInvalid(f"TSUR_LOG is text or json, not {value!r}")
    return value == "json"


def _seconds(environ: Mapping[str, str], name: str, otherwise: str) -> float:
    value = environ.get(name) or otherwise
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", value):
        raise SettingInvalid(f"{name} is a number of seconds, such as 0.5, not {value!r}")
    return float(value)


def _collector(url: str | None) -> str | None:
    if url is not None and not url.startswith(("http://", "https://")):
        raise SettingInvalid("OTEL_EXPORTER_OTLP_ENDPOINT is an http:// or https:// address")
    return url


def _switch(environ: Mapping[str, str], name: str, *, usual: str) -> bool:
    value = environ.get(name) or usual
    if value not in ("on", "off"):
        raise SettingInvalid(f"{name} is on or off, not {value!r}")
    return value == "on"


def _number(environ: Mapping[str, str], name: str, usual: int) -> int:
    value = environ.get(name) or str(usual)
    if not value.isdecimal() or int(value) == 0:
        raise SettingInvalid(f"{name} is a whole number from 1 on, not {value!r}")
    return int(value)


def _folder(environ: Mapping[str, str], name: str) -> Path | None:
    if not environ.get(name):
        return None
    folder = Path(environ[name]).absolute()
    if not folder.is_dir():
        raise SettingInvalid(f"{name}: there is no folder {folder}")
    return folder


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


def _database(url: str | None) -> str | None:
    try:
        if url is not None:
            read_conninfo(url)
    except ConninfoInvalid as error:
        raise SettingInvalid(f"TSUR_DATABASE_URL: {error}") from None
    return url


def _broker(url: str | None) -> str | None:
    if url is not None and not url.startswith(("amqp://", "amqps://")):
        raise SettingInvalid("TSUR_BROKER_URL must be the amqp:// address of a RabbitMQ server")
    return url


def _home(text: str) -> Path:
    home = Path(text).absolute()
    if home.exists() and not home.is_dir():
        raise SettingInvalid(f"TSUR_HOME is a folder, not {text!r}")
    return home


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
