"""Which program asks, as its requests say."""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.datastructures import Address

from regions.store import tracing

CLIENT_HEADERS = ("apollographql-client-name", "x-client-name")


@dataclass(frozen=True, slots=True)
class Caller:
    """Which program asks, as it says itself."""

    client: str = ""
    traceparent: str | None = None  # of the W3C: the trace that its request is a part of
    address: str = ""  # of the client; all there is to know a visitor by

    @classmethod
    def of(cls, headers: Mapping[str, str], address: Address | None) -> "Caller":
        client = next((headers[name] for name in CLIENT_HEADERS if headers.get(name)), "")
        return cls(client, headers.get(tracing.PARENT), address.host if address else "")
