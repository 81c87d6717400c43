"""The groups, chats and feeds that are listened to, and the secrets they are reached with.

What a source is, is an event of its centre (domain/office.py). Its secrets stand in `sources.toml`
of TSUR_HOME and nowhere else.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

FILE = "sources.toml"
ADDRESSES = {  # of the platforms; `address` of a source names another one
    "VK": "https://api.vk.com",
    "TELEGRAM": "https://api.telegram.org",
    "OK": "https://api.ok.ru",
}


class SourcesInvalid(Exception):
    """sources.toml in TSUR_HOME cannot be used; the message says where."""


@dataclass(frozen=True, slots=True)
class Access:
    """How one source is reached. Empty: there is no such secret."""

    secret: str = field(default="", repr=False)  # by which we know the platform
    confirmation: str = field(default="", repr=False)  # what the platform asks for at first
    token: str = field(default="", repr=False)  # by which the platform knows us
    reading_token: str = field(default="", repr=False)  # VK: reads what stands under a post
    address: str = ""  # where replies go; from here only, never out of a message


FIELDS = frozenset(Access.__dataclass_fields__)


def read_access(home: Path) -> Mapping[str, Access]:
    """By the code of the source. Raises SourcesInvalid."""
    file = home / FILE
    if not file.is_file():
        return {}
    try:
        sources = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SourcesInvalid(f"{file}: {error}") from None
    return {code: _access(file, code, given) for code, given in sources.items()}


def _access(file: Path, code: str, given: object) -> Access:
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise SourcesInvalid(f"{file}: {code} is no table of texts")
    unknown = given.keys() - FIELDS
    if unknown:
        raise SourcesInvalid(f"{file}: {code} has no field {min(unknown)}")
    return Access(**given)
