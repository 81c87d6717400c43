"""What can be set from outside. The only reader of the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SHIPPED_CATALOGUES = Path(__file__).parent / "catalogues"


class SettingInvalid(Exception):
    """A TSUR_… variable holds something that cannot be used."""


@dataclass(frozen=True, slots=True)
class Settings:
    home: Path  # everything this node keeps on disk
    database_url: str | None  # None: the embedded PostgreSQL in `home`
    host: str
    port: int
    catalogue: Path  # folder of reference data
    broker_url: str | None = None  # RabbitMQ; None: jobs stay in the database


def read_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Settings from TSUR_HOME, TSUR_DATABASE_URL, TSUR_HOST, TSUR_PORT, TSUR_CATALOGUE and
    TSUR_BROKER_URL.

    Raises SettingInvalid naming the variable.
    """
    return Settings(
        home=Path(environ.get("TSUR_HOME") or ".tsur").absolute(),
        database_url=environ.get("TSUR_DATABASE_URL") or None,
        host=environ.get("TSUR_HOST") or "127.0.0.1",
        port=_port(environ.get("TSUR_PORT") or "8000"),
        catalogue=_catalogue(environ.get("TSUR_CATALOGUE") or "russia"),
        broker_url=_broker(environ.get("TSUR_BROKER_URL") or None),
    )


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
