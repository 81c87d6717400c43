"""ПОС, news sites, forums and whatever else signs its requests: one documented door."""

from workers.platforms.signed.client import SignedClient
from workers.platforms.signed.messages import facts, update_key
from workers.platforms.signed.signature import (
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    authentic,
    sign,
)

__all__ = [
    "SIGNATURE_HEADER",
    "TIMESTAMP_HEADER",
    "SignedClient",
    "authentic",
    "facts",
    "sign",
    "update_key",
]
