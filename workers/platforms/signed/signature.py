"""The signature of requests between us and a system that shares a key with us.

    X-Tsur-Timestamp: 1767225600
    X-Tsur-Signature: sha256=<hex of HMAC-SHA256(key, timestamp + "." + body)>

The timestamp is Unix time in seconds, the body its bytes as sent. A signature is good for five
minutes; what is sent twice within them is recognised by its ids.
"""

import hmac
from datetime import datetime, timedelta

TIMESTAMP_HEADER = "X-Tsur-Timestamp"
SIGNATURE_HEADER = "X-Tsur-Signature"
WINDOW = timedelta(minutes=5)  # in both directions: clocks differ


def sign(body: bytes, *, timestamp: str, key: bytes) -> str:
    signed = timestamp.encode() + b"." + body
    return "sha256=" + hmac.digest(key, signed, "sha256").hex()


def authentic(
    body: bytes, *, timestamp: str | None, signature: str | None, key: bytes, now: datetime
) -> bool:
    """Whether who holds the key signed this body within WINDOW of `now`."""
    if timestamp is None or signature is None or not key or not _is_number(timestamp):
        return False
    expected = sign(body, timestamp=timestamp, key=key)
    genuine = hmac.compare_digest(signature.encode("utf-8", "replace"), expected.encode())
    return genuine and abs(now.timestamp() - int(timestamp)) <= WINDOW.total_seconds()


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 12
