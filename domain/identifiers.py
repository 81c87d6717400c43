"""Identifiers that sort by time (UUIDv7, RFC 9562): neighbours in time are neighbours on disk."""

import hashlib
import os
from binascii import b2a_base64
from datetime import UTC, datetime, timedelta
from uuid import UUID

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
URL_SAFE = bytes.maketrans(b"+/", b"-_")


def new_id(at: datetime) -> UUID:
    """A fresh UUIDv7 of the moment `at`."""
    return uuid7(at, os.urandom(10))


def derived_id(at: datetime, *parts: str) -> UUID:
    """The same UUIDv7 for the same moment and parts: an import run again finds its own."""
    return uuid7(at, hashlib.sha256("\x1f".join(parts).encode()).digest()[:10])


def node_id(of: str, key: str) -> str:
    """What clients know a thing by: its type and key, in one opaque text."""
    return b2a_base64(f"{of}:{key}".encode(), newline=False).translate(URL_SAFE).decode()


def uuid7(at: datetime, entropy: bytes) -> UUID:
    """UUIDv7 from 48 bits of Unix milliseconds and 74 of the 80 bits given in `entropy`."""
    milliseconds = (at - EPOCH) // MILLISECOND  # whole numbers: a float of seconds may round up
    value = (milliseconds << 80) | int.from_bytes(entropy)
    value &= ~(0xF << 76) & ~(0x3 << 62)
    return UUID(int=value | (0x7 << 76) | (0x2 << 62))
